//! What a device can do, as far as it decides which cases are for it (ONVIF Device Feature Discovery Specification).
//!
//! Where a device leaves it open, by silence or by an answer that cannot be read, the specification takes the feature for
//! supported: then the cases say what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    device::Device,
    soap::namespace,
    test::{Test, Traces},
    verdict::Outcome,
    xml::Element,
};

/// A feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is named as the specification names it")]
pub enum Feature {
    Analytics,
    Auxiliary,
    BackChannel,
    Dhcpv6,
    DiscoveryBye,
    DynamicDns,
    Event,
    FirmwareUpgrade,
    HttpDigest,
    IpFilter,
    Ipv6,
    LinkLocal,
    Mask,
    Media1,
    #[serde(rename = "media1-aac")]
    Media1Aac,
    #[serde(rename = "media1-audio")]
    Media1Audio,
    #[serde(rename = "media1-h264")]
    Media1H264,
    Media2,
    #[serde(rename = "media2-aac")]
    Media2Aac,
    #[serde(rename = "media2-audio")]
    Media2Audio,
    #[serde(rename = "media2-g711")]
    Media2G711,
    #[serde(rename = "media2-h264")]
    Media2H264,
    #[serde(rename = "media2-h265")]
    Media2H265,
    Metadata,
    Multicast,
    NetworkSetters,
    NotAllProtocols,
    Ntp,
    Osd,
    OsdImage,
    ProfileG,
    ProfileM,
    ProfileS,
    ProfileT,
    Ptz,
    Recording,
    Relay,
    RelayBistable,
    RelayClosed,
    RelayMonostable,
    RelayOpen,
    RemoteUser,
    RtpRtspTcp,
    SecurityService,
    Snapshot,
    SystemBackup,
    SystemUris,
    Tls,
    Topic,
    UsernameToken,
    Video,
    VideoSourceMode,
    Websocket,
}

impl Feature {
    /// Its name in the table.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// Whether a device has a feature, and what says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it has.
    pub has: bool,
    /// What says so.
    pub because: String,
}

/// What was found out of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    findings: BTreeMap<Feature, Finding>,
}

impl Features {
    /// What was found out of a feature; one that nothing was found of is not there.
    pub fn get(&self, feature: Feature) -> Finding {
        let none = || Finding { has: false, because: "nothing of the device tells of it".into() };
        self.findings.get(&feature).cloned().unwrap_or_else(none)
    }

    /// All that was found.
    pub fn all(&self) -> &BTreeMap<Feature, Finding> {
        &self.findings
    }

    fn put(&mut self, feature: Feature, has: bool, because: impl Into<String>) {
        self.findings.insert(feature, Finding { has, because: because.into() });
    }

    /// Notes what an answer tells; where there is none, the feature counts as supported.
    fn put_or_open<T>(&mut self, feature: Feature, answer: &Outcome<T>, has: impl FnOnce(&T) -> bool, because: &str) {
        match answer {
            Ok(answer) => {
                let has = has(answer);
                self.put(feature, has, if has { because.to_owned() } else { format!("not so: {because}") });
            }
            Err(stop) => self.put(feature, true, format!("left open, so it counts as supported: {stop}")),
        }
    }
}

/// Finds out what a device can do. `profiles` are those that it is judged by (`S`, `T`, `G`, `M`); without, those that its
/// scopes claim.
///
/// # Errors
/// It does not answer GetServices, so there is nothing to judge.
pub fn discover(device: &Device, profiles: Option<&BTreeSet<String>>) -> (Outcome<Features>, Traces) {
    let none = Features::default();
    let mut test = Test::new(device, &none);
    let found = find(&mut test, profiles);
    (found, test.finish().1)
}

fn find(test: &mut Test<'_>, profiles: Option<&BTreeSet<String>>) -> Outcome<Features> {
    let mut features = Features::default();
    services(test, &mut features)?;
    claims(test, &mut features, profiles);
    device(test, &mut features);
    network(test, &mut features);
    if features.get(Feature::Media1).has {
        media1(test, &mut features);
    }
    if features.get(Feature::Media2).has {
        media2(test, &mut features);
    }
    inputs_and_outputs(test, &mut features);
    Ok(features)
}

/// A question and what is done with its answer: `true` for a response, `false` for a fault.
fn answers(test: &mut Test<'_>, body: &str) -> Outcome<bool> {
    test.attempt(body).map(|answer| answer.is_ok())
}

fn services(test: &mut Test<'_>, features: &mut Features) -> Outcome {
    test.step("services", "GetServices tells which services there are");
    let services =
        test.ask("<tds:GetServices><tds:IncludeCapability>false</tds:IncludeCapability></tds:GetServices>")?;
    let addresses: BTreeMap<String, String> = services
        .all("Service")
        .map(|service| (service.text_or_empty("Namespace").to_owned(), service.text_or_empty("XAddr").to_owned()))
        .collect();
    let listed = [
        (Feature::Media1, "trt"),
        (Feature::Media2, "tr2"),
        (Feature::Event, "tev"),
        (Feature::Analytics, "tan"),
        (Feature::Recording, "trc"),
        (Feature::SecurityService, "tas"),
    ];
    for (feature, prefix) in listed {
        let has = addresses.contains_key(namespace(prefix));
        let because = format!("GetServices lists {}{}", if has { "" } else { "no " }, namespace(prefix));
        features.put(feature, has, because);
    }
    let ptz = addresses.contains_key("http://www.onvif.org/ver20/ptz/wsdl");
    features.put(Feature::Ptz, ptz, "GetServices and the PTZ service");
    test.device.set_services(addresses);
    Ok(())
}

fn claims(test: &mut Test<'_>, features: &mut Features, profiles: Option<&BTreeSet<String>>) {
    test.step("profiles", "the scopes tell which profiles the device claims");
    let all = [
        ("S", "onvif://www.onvif.org/Profile/Streaming", Feature::ProfileS),
        ("T", "onvif://www.onvif.org/Profile/T", Feature::ProfileT),
        ("G", "onvif://www.onvif.org/Profile/G", Feature::ProfileG),
        ("M", "onvif://www.onvif.org/Profile/M", Feature::ProfileM),
    ];
    let scopes = test.ask("<tds:GetScopes/>");
    for (letter, scope, feature) in all {
        match profiles {
            Some(wanted) => features.put(feature, wanted.contains(letter), "the command line says so"),
            None => {
                let claims =
                    |scopes: &Element| scopes.all("Scopes").any(|item| item.text_or_empty("ScopeItem") == scope);
                features.put_or_open(feature, &scopes, claims, &format!("GetScopes lists {scope}"));
            }
        }
    }
}

fn device(test: &mut Test<'_>, features: &mut Features) {
    test.step("device", "GetServiceCapabilities of the device service");
    let answer = test.ask("<tds:GetServiceCapabilities/>");
    let flag = |part: &'static str, name: &'static str| {
        move |answer: &Element| answer.at("Capabilities").and_then(|all| all.at(part)?.flag(name)).unwrap_or(false)
    };
    let by_flag = [
        (Feature::DiscoveryBye, "System", "DiscoveryBye"),
        (Feature::DynamicDns, "Network", "DynDNS"),
        (Feature::IpFilter, "Network", "IPFilter"),
        (Feature::FirmwareUpgrade, "System", "HttpFirmwareUpgrade"),
        (Feature::SystemBackup, "System", "HttpSystemBackup"),
        (Feature::RemoteUser, "Security", "RemoteUserHandling"),
        (Feature::UsernameToken, "Security", "UsernameToken"),
        (Feature::HttpDigest, "Security", "HttpDigest"),
    ];
    for (feature, part, name) in by_flag {
        features.put_or_open(feature, &answer, flag(part, name), &format!("{part}/@{name} is true"));
    }
    let uris = |answer: &Element| {
        ["HttpSystemBackup", "HttpSystemLogging", "HttpSupportInformation"]
            .into_iter()
            .any(|name| flag("System", name)(answer))
    };
    features.put_or_open(Feature::SystemUris, &answer, uris, "one of System/@HttpSystem… is true");
    let count = |part: &'static str, name: &'static str| {
        move |answer: &Element| {
            let value = answer.at("Capabilities").and_then(|all| all.at(part)?.attribute(name)).unwrap_or("0");
            value.parse::<u32>().is_ok_and(|count| count > 0)
        }
    };
    features.put_or_open(Feature::Ntp, &answer, count("Network", "NTP"), "Network/@NTP is more than 0");
    let auxiliary = |answer: &Element| {
        answer
            .at("Capabilities/Misc")
            .and_then(|misc| misc.attribute("AuxiliaryCommands"))
            .is_some_and(|all| !all.is_empty())
    };
    features.put_or_open(Feature::Auxiliary, &answer, auxiliary, "Misc/@AuxiliaryCommands names some");
}

fn network(test: &mut Test<'_>, features: &mut Features) {
    test.step("network", "GetNetworkInterfaces and GetNetworkProtocols");
    let interfaces = test.ask("<tds:GetNetworkInterfaces/>");
    let any =
        |path: &'static str| move |answer: &Element| answer.all("NetworkInterfaces").any(|one| one.at(path).is_some());
    features.put_or_open(Feature::Ipv6, &interfaces, any("IPv6"), "GetNetworkInterfaces tells of IPv6");
    let dhcpv6 = |answer: &Element| {
        let kinds = ["Auto", "Stateful", "Stateless"];
        answer.all("NetworkInterfaces").any(|one| kinds.contains(&one.text_or_empty("IPv6/Config/DHCP")))
    };
    features.put_or_open(Feature::Dhcpv6, &interfaces, dhcpv6, "GetNetworkInterfaces tells of DHCP for IPv6");
    let capabilities = test.ask("<tds:GetServiceCapabilities/>");
    let zero = |answer: &Element| {
        answer.at("Capabilities/Network").and_then(|all| all.flag("ZeroConfiguration")).unwrap_or(false)
    };
    features.put_or_open(Feature::LinkLocal, &capabilities, zero, "Network/@ZeroConfiguration is true");
    let dhcp =
        |answer: &Element| answer.all("NetworkInterfaces").any(|one| one.bool_at("IPv4/Config/DHCP") == Some(true));
    features.put_or_open(Feature::NetworkSetters, &interfaces, dhcp, "GetNetworkInterfaces tells of DHCP");
    let protocols = test.ask("<tds:GetNetworkProtocols/>");
    let names = |answer: &Element| {
        answer.all("NetworkProtocols").map(|one| one.text_or_empty("Name").to_owned()).collect::<Vec<_>>()
    };
    let https = |answer: &Element| {
        answer
            .all("NetworkProtocols")
            .any(|one| one.text_or_empty("Name") == "HTTPS" && one.bool_at("Enabled") == Some(true))
    };
    features.put_or_open(Feature::Tls, &protocols, https, "GetNetworkProtocols has HTTPS enabled");
    let lacks =
        |answer: &Element| ["HTTP", "HTTPS", "RTSP"].iter().any(|name| !names(answer).iter().any(|own| own == name));
    features.put_or_open(Feature::NotAllProtocols, &protocols, lacks, "GetNetworkProtocols lacks HTTP, HTTPS or RTSP");
}

fn media1(test: &mut Test<'_>, features: &mut Features) {
    test.step("media", "the options and capabilities of the media service");
    let options = test.ask("<trt:GetVideoEncoderConfigurationOptions/>");
    let h264 = |answer: &Element| answer.at("Options/H264").is_some();
    features.put_or_open(Feature::Media1H264, &options, h264, "GetVideoEncoderConfigurationOptions has H264");
    let audio = test.attempt("<trt:GetAudioEncoderConfigurationOptions/>");
    features.put_or_open(
        Feature::Media1Audio,
        &audio,
        Result::is_ok,
        "GetAudioEncoderConfigurationOptions is no fault",
    );
    let aac = |answer: &Result<Element, _>| {
        answer
            .as_ref()
            .is_ok_and(|answer| answer.descendants().any(|option| option.name == "Encoding" && option.text == "AAC"))
    };
    features.put_or_open(Feature::Media1Aac, &audio, aac, "GetAudioEncoderConfigurationOptions has AAC");
    let capabilities = test.ask("<trt:GetServiceCapabilities/>");
    let streaming = |name: &'static str| {
        move |answer: &Element| {
            answer.at("Capabilities/StreamingCapabilities").and_then(|all| all.flag(name)).unwrap_or(false)
        }
    };
    features.put_or_open(Feature::Multicast, &capabilities, streaming("RTPMulticast"), "@RTPMulticast is true");
    features.put_or_open(Feature::RtpRtspTcp, &capabilities, streaming("RTP_RTSP_TCP"), "@RTP_RTSP_TCP is true");
    let flag = |name: &'static str| {
        move |answer: &Element| answer.at("Capabilities").and_then(|all| all.flag(name)).unwrap_or(false)
    };
    features.put_or_open(Feature::Snapshot, &capabilities, flag("SnapshotUri"), "Capabilities/@SnapshotUri is true");
    features.put_or_open(Feature::Osd, &capabilities, flag("OSD"), "Capabilities/@OSD is true");
    features.put_or_open(
        Feature::VideoSourceMode,
        &capabilities,
        flag("VideoSourceMode"),
        "Capabilities/@VideoSourceMode is true",
    );
    let outputs = test.attempt("<trt:GetAudioOutputs/>");
    let listed = |answer: &Result<Element, _>| answer.as_ref().is_ok_and(|answer| answer.at("AudioOutputs").is_some());
    features.put_or_open(Feature::BackChannel, &outputs, listed, "GetAudioOutputs lists one");
    let metadata = answers(test, "<trt:GetMetadataConfigurations/>");
    features.put_or_open(Feature::Metadata, &metadata, |has| *has, "GetMetadataConfigurations is no fault");
    features.put(Feature::Video, true, "a media service is listed");
}

fn media2(test: &mut Test<'_>, features: &mut Features) {
    test.step("media2", "the options and capabilities of the media2 service");
    let video = test.ask("<tr2:GetVideoEncoderConfigurationOptions/>");
    let encodes = |name: &'static [&'static str]| {
        move |answer: &Element| answer.all("Options").any(|option| name.contains(&option.text_or_empty("Encoding")))
    };
    features.put_or_open(Feature::Media2H264, &video, encodes(&["H264"]), "the video encoder options have H264");
    features.put_or_open(Feature::Media2H265, &video, encodes(&["H265"]), "the video encoder options have H265");
    let capabilities = test.ask("<tr2:GetServiceCapabilities/>");
    let supported = |name: &'static str| {
        move |answer: &Element| {
            let all =
                answer.at("Capabilities/ProfileCapabilities").and_then(|all| all.attribute("ConfigurationsSupported"));
            all.unwrap_or_default().split_whitespace().any(|own| own == name)
        }
    };
    let words = [
        (Feature::Video, "VideoEncoder"),
        (Feature::Media2Audio, "AudioEncoder"),
        (Feature::BackChannel, "AudioOutput"),
        (Feature::Metadata, "Metadata"),
    ];
    for (feature, word) in words {
        features.put_or_open(
            feature,
            &capabilities,
            supported(word),
            &format!("@ConfigurationsSupported names {word}"),
        );
    }
    let streaming = |name: &'static str| {
        move |answer: &Element| {
            let all = answer.at("Capabilities/StreamingCapabilities");
            all.and_then(|all| all.attribute(name)).is_some_and(|value| !["", "0", "false"].contains(&value))
        }
    };
    features.put_or_open(Feature::Multicast, &capabilities, streaming("RTPMulticast"), "@RTPMulticast is true");
    features.put_or_open(Feature::RtpRtspTcp, &capabilities, streaming("RTP_RTSP_TCP"), "@RTP_RTSP_TCP is true");
    features.put_or_open(
        Feature::Websocket,
        &capabilities,
        streaming("RTSPWebSocketUri"),
        "@RTSPWebSocketUri is there",
    );
    let flag = |name: &'static str| {
        move |answer: &Element| answer.at("Capabilities").and_then(|all| all.flag(name)).unwrap_or(false)
    };
    let flags = [
        (Feature::Snapshot, "SnapshotUri"),
        (Feature::Osd, "OSD"),
        (Feature::Mask, "Mask"),
        (Feature::VideoSourceMode, "VideoSourceMode"),
    ];
    for (feature, name) in flags {
        features.put_or_open(feature, &capabilities, flag(name), &format!("Capabilities/@{name} is true"));
    }
    let audio = test.ask("<tr2:GetAudioEncoderConfigurationOptions/>");
    features.put_or_open(Feature::Media2G711, &audio, encodes(&["PCMU"]), "the audio encoder options have PCMU");
    features.put_or_open(
        Feature::Media2Aac,
        &audio,
        encodes(&["MP4A-LATM", "MPEG4-GENERIC"]),
        "the audio encoder options have AAC",
    );
}

fn inputs_and_outputs(test: &mut Test<'_>, features: &mut Features) {
    test.step("relays", "GetRelayOutputs");
    let relays = test.attempt("<tds:GetRelayOutputs/>");
    let some = |answer: &Result<Element, _>| answer.as_ref().is_ok_and(|answer| answer.at("RelayOutputs").is_some());
    features.put_or_open(Feature::Relay, &relays, some, "GetRelayOutputs lists one");
}
