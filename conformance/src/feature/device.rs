//! What the device service can do, and the device around it.

use super::{
    Feature, Features,
    discover::{Asked, capabilities_of, flag, unanswered},
};
use crate::xml::Element;

/// What is a flag: part and attribute of GetServiceCapabilities, and the path in `Capabilities/Device` of
/// GetCapabilities.
const FLAGS: [(Feature, &str, &str, &str); 9] = [
    (Feature::Ipv6, "Network", "IPVersion6", "Network/IPVersion6"),
    (Feature::LinkLocal, "Network", "ZeroConfiguration", "Network/ZeroConfiguration"),
    (Feature::DynamicDns, "Network", "DynDNS", "Network/DynDNS"),
    (Feature::IpFilter, "Network", "IPFilter", "Network/IPFilter"),
    (Feature::Dhcpv6, "Network", "DHCPv6", "Network/DHCPv6"),
    (Feature::RemoteUser, "Security", "RemoteUserHandling", "Security/Extension/Extension/RemoteUserHandling"),
    (Feature::DiscoveryBye, "System", "DiscoveryBye", "System/DiscoveryBye"),
    (Feature::FirmwareUpgrade, "System", "HttpFirmwareUpgrade", "System/Extension/HttpFirmwareUpgrade"),
    (Feature::SystemBackup, "System", "HttpSystemBackup", "System/Extension/HttpSystemBackup"),
];

/// What is fetched from an address of its own, in both ways of telling.
const URIS: [&str; 3] = ["HttpSystemBackup", "HttpSystemLogging", "HttpSupportInformation"];

/// The device service's own features.
pub(super) fn device(asked: &mut dyn Asked, features: &mut Features, capabilities: Option<&Element>) {
    asked.step("device", "the capabilities of the device service");
    if features.get(Feature::GetServices).has {
        by_services(asked, features);
    } else {
        by_capabilities(asked, features, capabilities.and_then(|all| all.at("Device")));
    }
    features.put_only_with(Feature::DiscoveryBye, Feature::Discovery);
    features.put_only_with(Feature::Ipv6, Feature::NetworkConfiguration);
}

fn by_services(asked: &mut dyn Asked, features: &mut Features) {
    let answer = capabilities_of(asked, "tds");
    for (feature, part, name, _) in FLAGS {
        features.put_or_open(feature, &answer, |all| flag(Some(all), part, name), &format!("{part}/@{name} is true"));
    }
    for (feature, name) in [(Feature::UsernameToken, "UsernameToken"), (Feature::HttpDigest, "HttpDigest")] {
        let because = format!("Security/@{name} is true");
        features.put_or_open(feature, &answer, |all| flag(Some(all), "Security", name), &because);
    }
    for (feature, name) in [
        (Feature::Discovery, "DiscoveryNotSupported"),
        (Feature::UserConfiguration, "UserConfigNotSupported"),
        (Feature::NetworkConfiguration, "NetworkConfigNotSupported"),
    ] {
        let because = format!("System/@{name} is not true");
        features.put_or_open(feature, &answer, |all| !flag(Some(all), "System", name), &because);
    }
    let any = |all: &Element| URIS.into_iter().any(|name| flag(Some(all), "System", name));
    features.put_or_open(Feature::SystemUris, &answer, any, &format!("one of System/@{} is true", URIS.join(", @")));
    let ntp = |all: &Element| {
        all.at("Network").and_then(|part| part.attribute("NTP")?.parse::<u32>().ok()).is_some_and(|count| count > 0)
    };
    features.put_or_open(Feature::Ntp, &answer, ntp, "Network/@NTP is more than 0");
    let auxiliary = |all: &Element| {
        all.at("Misc").and_then(|part| part.attribute("AuxiliaryCommands")).is_some_and(|all| !all.trim().is_empty())
    };
    features.put_or_open(Feature::Auxiliary, &answer, auxiliary, "Misc/@AuxiliaryCommands names some");
}

/// A device without GetServices: what its GetCapabilities does not tell of it does not have.
fn by_capabilities(asked: &mut dyn Asked, features: &mut Features, told: Option<&Element>) {
    let is_true = |path: &str| told.and_then(|told| told.bool_at(path)).unwrap_or(false);
    for (feature, _, _, path) in FLAGS {
        features.put(feature, is_true(path), format!("GetCapabilities and Device/{path}"));
    }
    let any = URIS.into_iter().any(|name| is_true(&format!("System/Extension/{name}")));
    features.put(Feature::SystemUris, any, "GetCapabilities and Device/System/Extension/HttpSystem…");
    for feature in
        [Feature::Discovery, Feature::UserConfiguration, Feature::NetworkConfiguration, Feature::UsernameToken]
    {
        features.put(feature, true, "a device without GetServices has it");
    }
    features.put(Feature::Auxiliary, false, "a device without GetServices does not have them");
    let digest = asked.challenges("<tds:GetUsers/>");
    features.put(Feature::HttpDigest, digest, "GetUsers without authentication and the answer 401");
    let ntp = asked.attempt("<tds:GetNTP/>");
    features.put_or_open(Feature::Ntp, &ntp, Result::is_ok, "GetNTP is no fault");
}

/// Protocols.
pub(super) fn network(asked: &mut dyn Asked, features: &mut Features) {
    asked.step("network", "GetNetworkProtocols");
    let protocols = asked.ask("<tds:GetNetworkProtocols/>");
    let lists = |answer: &Element, name: &str, enabled: bool| {
        let mut all = answer.all("NetworkProtocols").filter(|one| one.text_or_empty("Name") == name);
        all.any(|one| !enabled || one.bool_at("Enabled") == Some(true))
    };
    let lacks = |answer: &Element| ["HTTP", "HTTPS", "RTSP"].iter().any(|name| !lists(answer, name, false));
    features.put_or_open(Feature::NotAllProtocols, &protocols, lacks, "GetNetworkProtocols lacks HTTP, HTTPS or RTSP");
    let https = |answer: &Element| lists(answer, "HTTPS", true);
    features.put_or_open(Feature::Tls, &protocols, https, "GetNetworkProtocols has HTTPS enabled");
    features.put_only_with(Feature::Tls, Feature::NetworkConfiguration);
    if features.get(Feature::SecurityService).has && !features.get(Feature::Tls).has {
        let answer = capabilities_of(asked, "tas");
        let server = |all: &Element| {
            let versions = all.at("TLSServerCapabilities").and_then(|part| part.attribute("TLSServerSupported"));
            versions.is_some_and(|versions| !versions.trim().is_empty())
        };
        features.put_or_open(
            Feature::Tls,
            &answer,
            server,
            "TLSServerCapabilities/@TLSServerSupported names a version",
        );
    }
}

/// The modes and the states at rest of a relay.
const MODES: [Feature; 4] = [
    Feature::RelayBistableOpen,
    Feature::RelayBistableClosed,
    Feature::RelayMonostableOpen,
    Feature::RelayMonostableClosed,
];

/// The relay outputs of the device service. Which modes they have is found out by setting them, which waits for a case that
/// wants to know: a door may hang on one.
pub(super) fn relays(features: &mut Features, capabilities: Option<&Element>) {
    let count = capabilities.and_then(|all| all.number_at::<u32>("Device/IO/RelayOutputs")).unwrap_or(0);
    features.put(Feature::Relay, count > 0, format!("GetCapabilities and Device/IO/RelayOutputs {count}"));
    for mode in MODES {
        features.put(mode, true, "left open, so it counts as supported: relays are not switched");
        features.put_only_with(mode, Feature::Relay);
    }
    features.put_any(Feature::RelayMonostable, &[Feature::RelayMonostableOpen, Feature::RelayMonostableClosed]);
}

/// The topics that tell how the device is.
const TOPICS: [(Feature, &str); 9] = [
    (Feature::TopicProcessorUsage, "Monitoring/ProcessorUsage"),
    (Feature::TopicReset, "Monitoring/OperatingTime/LastReset"),
    (Feature::TopicReboot, "Monitoring/OperatingTime/LastReboot"),
    (Feature::TopicClockSynchronization, "Monitoring/OperatingTime/LastClockSynchronization"),
    (Feature::TopicBackup, "Monitoring/Backup/Last"),
    (Feature::TopicTemperatureCritical, "Device/HardwareFailure/TemperatureCritical"),
    (Feature::TopicFanFailure, "Device/HardwareFailure/FanFailure"),
    (Feature::TopicPowerSupplyFailure, "Device/HardwareFailure/PowerSupplyFailure"),
    (Feature::TopicStorageFailure, "Device/HardwareFailure/StorageFailure"),
];

/// The topics that the event service lists.
pub(super) fn topics(asked: &mut dyn Asked, features: &mut Features) {
    asked.step("topics", "GetEventProperties lists the topics");
    let answer = if features.get(Feature::Event).has {
        asked.ask("<tev:GetEventProperties/>")
    } else {
        Err(unanswered("no event service"))
    };
    for (feature, topic) in TOPICS {
        let lists = |answer: &Element| answer.at("TopicSet").is_some_and(|set| set.at(topic).is_some());
        features.put_or_open(feature, &answer, lists, &format!("GetEventProperties lists {topic}"));
    }
}
