//! What the device says that it can do: GetCapabilities, GetServices and GetServiceCapabilities (cases DEVICE-1-1-*).

use std::collections::BTreeSet;

use crate::{
    case::{Case, When::Reads, case},
    feature::Feature,
    soap::{Call, namespace},
    test::Test,
    verdict::Outcome,
    xml::Element,
};

const RECEIVER: &str = "http://www.onvif.org/ver10/receiver/wsdl";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("DEVICE-1-1-2", Reads, all_capabilities),
        case("DEVICE-1-1-3", Reads, |t| mandatory_category(t, "Device")),
        case("DEVICE-1-1-4", Reads, |t| optional_category(t, "Media", namespace("trt"))),
        case("DEVICE-1-1-5", Reads, |t| mandatory_category(t, "Events")),
        case("DEVICE-1-1-6", Reads, |t| optional_category(t, "PTZ", namespace("tptz"))),
        case("DEVICE-1-1-9", Reads, unknown_category),
        case("DEVICE-1-1-10", Reads, |t| optional_category(t, "Imaging", namespace("timg"))),
        case("DEVICE-1-1-11", Reads, |t| optional_category(t, "Analytics", namespace("tan"))),
        case("DEVICE-1-1-13", Reads, |t| listed_service(t, "tds")),
        case("DEVICE-1-1-14", Reads, |t| listed_service(t, "trt")),
        case("DEVICE-1-1-16", Reads, |t| listed_service(t, "tev")),
        case("DEVICE-1-1-17", Reads, |t| listed_service(t, "timg")),
        case("DEVICE-1-1-18", Reads, service_capabilities),
        case("DEVICE-1-1-19", Reads, services_agree_with_service_capabilities),
        case("DEVICE-1-1-20", Reads, |t| listed_service(t, "trp")),
        case("DEVICE-1-1-21", Reads, |t| listed_service(t, "tse")),
        case("DEVICE-1-1-22", Reads, |t| listed_service(t, "trc")),
        case("DEVICE-1-1-26", Reads, |t| listed_service(t, "tas")),
        case("DEVICE-1-1-30", Reads, services_agree_with_capabilities),
        case("DEVICE-1-1-31", Reads, service_addresses),
    ]
}

/// Asks for the capabilities of a category; all of them, where none is given.
fn get_capabilities(t: &mut Test<'_>, category: Option<&str>) -> Outcome<Element> {
    let answer = t.ask(capabilities_of(category))?;
    t.some(answer.at("Capabilities"), "Capabilities").cloned()
}

fn capabilities_of(category: Option<&str>) -> String {
    let category = category.map(|name| format!("<tds:Category>{name}</tds:Category>")).unwrap_or_default();
    format!("<tds:GetCapabilities>{category}</tds:GetCapabilities>")
}

/// The services that GetServices lists.
fn get_services(t: &mut Test<'_>, with_capabilities: bool) -> Outcome<Element> {
    t.ask(format!(
        "<tds:GetServices><tds:IncludeCapability>{with_capabilities}</tds:IncludeCapability></tds:GetServices>"
    ))
}

/// The entry of a service; of several the one with the latest version.
fn service<'a>(services: &'a Element, namespace: &str) -> Option<&'a Element> {
    let of = services.all("Service").filter(|service| service.text_or_empty("Namespace") == namespace);
    of.max_by_key(|service| (service.number_at::<u32>("Version/Major"), service.number_at::<u32>("Version/Minor")))
}

fn all_capabilities(t: &mut Test<'_>) -> Outcome {
    // The second time no category is given, which means all of them.
    for (category, asked, first) in [(Some("All"), 4, 5), (None, 13, 14)] {
        t.step(&asked.to_string(), "GetCapabilities for all categories is answered");
        let capabilities = get_capabilities(t, category)?;
        let expected = [
            ("Device", true),
            ("Events", true),
            ("Media", t.has(Feature::Media1)),
            ("PTZ", t.has(Feature::Ptz)),
            ("Imaging", t.device.service(namespace("timg")).is_some()),
            ("Analytics", t.has(Feature::Analytics)),
            ("Extension/DeviceIO", t.device.service(namespace("tmd")).is_some()),
        ];
        for (step, (path, _)) in (first..).zip(expected).filter(|(_, (_, supported))| *supported) {
            t.step(&step.to_string(), &format!("the device has {path}, so the answer tells of it"));
            t.some(capabilities.at(path), &format!("Capabilities/{path}"))?;
        }
    }
    Ok(())
}

/// A category that every device has.
fn mandatory_category(t: &mut Test<'_>, category: &str) -> Outcome {
    t.step("4", "GetCapabilities is answered");
    let capabilities = get_capabilities(t, Some(category))?;
    t.step("5", "it tells of the category that was asked for");
    only(t, &capabilities, category, "6", "7")
}

/// A category that a device has if it has the service; if not, there is a fault for it.
fn optional_category(t: &mut Test<'_>, category: &str, namespace: &str) -> Outcome {
    if t.device.service(namespace).is_none() {
        t.step("5.1", "the device has no such service and says so with a fault");
        let call = Call::new(capabilities_of(Some(category)));
        return t.refused(&call, &["env:Receiver/ter:ActionNotSupported/ter:NoSuchService"]).map(drop);
    }
    t.step("4.1", "GetCapabilities is answered");
    let capabilities = get_capabilities(t, Some(category))?;
    t.step("4.2", "it tells of the category that was asked for");
    only(t, &capabilities, category, "4.3", "4.4")
}

/// Demands one category and none of the others.
fn only(t: &mut Test<'_>, capabilities: &Element, category: &str, address: &str, others: &str) -> Outcome {
    let own = t.some(capabilities.at(category), category)?;
    t.step(address, "its address is a URI");
    let xaddr = own.text_or_empty("XAddr");
    t.demand(is_uri(xaddr), "an XAddr that is a URI", xaddr)?;
    t.step(others, "it tells of no other category");
    for name in ["Analytics", "Device", "Events", "Imaging", "Media", "PTZ"] {
        let absent = name == category || capabilities.at(name).is_none();
        t.demand(absent, format!("{category} alone"), format!("{name} as well"))?;
    }
    Ok(())
}

/// Whether it is a URI with a scheme and a host (RFC 3986).
fn is_uri(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && !authority.is_empty() && text.chars().all(allowed)
}

fn unknown_category(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetCapabilities for a category that does not exist gets a SOAP 1.2 fault");
    let codes = ["env:Sender", "env:Receiver", "env:MustUnderstand", "env:VersionMismatch", "env:DataEncodingUnknown"];
    t.refused(&Call::new(capabilities_of(Some("InvalidCategory"))).invalid(), &codes).map(drop)
}

/// A service stands in the list, without its capabilities and with them.
fn listed_service(t: &mut Test<'_>, prefix: &str) -> Outcome {
    t.step("4", "GetServices without capabilities is answered");
    let services = get_services(t, false)?;
    t.step("5", "it lists the service");
    let own = t.some(service(&services, namespace(prefix)), &format!("a service {}", namespace(prefix)))?;
    t.step("7", "the service comes without its capabilities");
    t.demand(own.at("Capabilities").is_none(), "no Capabilities, for none were asked for", "Capabilities")?;
    t.step("9", "GetServices with capabilities is answered");
    let services = get_services(t, true)?;
    t.step("10", "it lists the service");
    let own = t.some(service(&services, namespace(prefix)), &format!("a service {}", namespace(prefix)))?;
    t.step("12", "the service comes with its capabilities");
    let outer = t.some(own.at("Capabilities"), "Capabilities")?;
    t.step("13", "they are those of the service");
    let inner = t.some(outer.at("Capabilities"), "the service's own Capabilities element in Capabilities")?;
    t.same("capabilities of the namespace", namespace(prefix), &inner.namespace)
}

fn service_capabilities(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetServiceCapabilities is answered, well formed");
    let answer = t.ask("<tds:GetServiceCapabilities/>")?;
    t.some(answer.at("Capabilities/Network"), "Capabilities with Network")?;
    t.some(answer.at("Capabilities/Security"), "Capabilities with Security")?;
    let system = t.some(answer.at("Capabilities/System"), "Capabilities with System")?;
    t.step("5", "a device without discovery says no Bye");
    let contradiction = system.flag("DiscoveryNotSupported") == Some(true) && system.flag("DiscoveryBye") == Some(true);
    t.demand(!contradiction, "no DiscoveryBye beside DiscoveryNotSupported", "both true")
}

/// The attributes that both ways of asking must tell alike (case DEVICE-1-1-19, note).
const ALIKE: [(&str, &[&str]); 4] = [
    (
        "Network",
        &["IPFilter", "ZeroConfiguration", "IPVersion6", "DynDNS", "Dot11Configuration", "HostnameFromDHCP", "NTP"],
    ),
    (
        "System",
        &[
            "DiscoveryBye",
            "DiscoveryResolve",
            "FirmwareUpgrade",
            "HttpFirmwareUpgrade",
            "HttpSupportInformation",
            "HttpSystemBackup",
            "HttpSystemLogging",
            "RemoteDiscovery",
            "SystemBackup",
            "SystemLogging",
        ],
    ),
    (
        "Security",
        &[
            "TLS1.0",
            "TLS1.1",
            "TLS1.2",
            "OnboardKeyGeneration",
            "AccessPolicyConfig",
            "Dot1X",
            "RemoteUserHandling",
            "X.509Token",
            "SAMLToken",
            "KerberosToken",
            "UsernameToken",
            "HttpDigest",
            "RELToken",
            "DefaultAccessPolicy",
            "SupportedEAPMethods",
        ],
    ),
    ("Misc", &["AuxiliaryCommands"]),
];

fn services_agree_with_service_capabilities(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetServices with capabilities is answered");
    let services = get_services(t, true)?;
    t.step("5", "it lists the device service with its capabilities");
    let listed = service(&services, namespace("tds")).and_then(|service| service.at("Capabilities/Capabilities"));
    let listed = t.some(listed, "the device service with capabilities")?;
    t.step("7", "GetServiceCapabilities is answered");
    let answer = t.ask("<tds:GetServiceCapabilities/>")?;
    let asked = t.some(answer.at("Capabilities"), "Capabilities")?;
    t.step("8", "both tell the same");
    for (part, names) in ALIKE {
        for name in names {
            let value = |all: &Element| meaning(all.at(part).and_then(|part| part.attribute(name)));
            t.same(&format!("{part}/@{name} as in GetServices:"), value(listed), value(asked))?;
        }
    }
    Ok(())
}

/// What an attribute of capabilities means: one that is left out says the same as `false`, `0` or an empty list; the
/// order of a list is of no importance.
fn meaning(value: Option<&str>) -> BTreeSet<String> {
    let words = value.unwrap_or_default().split_whitespace();
    let words = words.map(|word| if word == "1" { "true" } else { word });
    words.filter(|word| !["false", "0"].contains(word)).map(str::to_owned).collect()
}

/// What GetCapabilities says in an element and GetServices in an attribute (case DEVICE-1-1-30, steps 9 to 62): the
/// path in `Capabilities/Device`, and the part and the attribute of the device service's capabilities.
const SAME_DEVICE: [(&str, &str, &str); 27] = [
    ("Network/IPFilter", "Network", "IPFilter"),
    ("Network/ZeroConfiguration", "Network", "ZeroConfiguration"),
    ("Network/IPVersion6", "Network", "IPVersion6"),
    ("Network/DynDNS", "Network", "DynDNS"),
    ("Network/Extension/Dot11Configuration", "Network", "Dot11Configuration"),
    ("System/DiscoveryResolve", "System", "DiscoveryResolve"),
    ("System/DiscoveryBye", "System", "DiscoveryBye"),
    ("System/RemoteDiscovery", "System", "RemoteDiscovery"),
    ("System/SystemBackup", "System", "SystemBackup"),
    ("System/SystemLogging", "System", "SystemLogging"),
    ("System/FirmwareUpgrade", "System", "FirmwareUpgrade"),
    ("System/Extension/HttpFirmwareUpgrade", "System", "HttpFirmwareUpgrade"),
    ("System/Extension/HttpSystemBackup", "System", "HttpSystemBackup"),
    ("System/Extension/HttpSystemLogging", "System", "HttpSystemLogging"),
    ("System/Extension/HttpSupportInformation", "System", "HttpSupportInformation"),
    ("Security/TLS1.1", "Security", "TLS1.1"),
    ("Security/TLS1.2", "Security", "TLS1.2"),
    ("Security/OnboardKeyGeneration", "Security", "OnboardKeyGeneration"),
    ("Security/AccessPolicyConfig", "Security", "AccessPolicyConfig"),
    ("Security/X.509Token", "Security", "X.509Token"),
    ("Security/SAMLToken", "Security", "SAMLToken"),
    ("Security/KerberosToken", "Security", "KerberosToken"),
    ("Security/RELToken", "Security", "RELToken"),
    ("Security/Extension/TLS1.0", "Security", "TLS1.0"),
    ("Security/Extension/Extension/Dot1X", "Security", "Dot1X"),
    ("Security/Extension/Extension/SupportedEAPMethod", "Security", "SupportedEAPMethods"),
    ("Security/Extension/Extension/RemoteUserHandling", "Security", "RemoteUserHandling"),
];

/// A path in an element of GetCapabilities, and the attribute that tells the same.
type Pair = (&'static str, &'static str);

/// The same of the other services (steps 63 to 79): the step, the path in `Capabilities`, the namespace, and pairs of
/// a path there and an attribute here. `WSPullPointSupport` is not among them: the attribute was taken out of the
/// WSDL.
const SAME_SERVICE: [(&str, &str, &str, &[Pair]); 10] = [
    (
        "63",
        "Events",
        "http://www.onvif.org/ver10/events/wsdl",
        &[
            ("WSSubscriptionPolicySupport", "WSSubscriptionPolicySupport"),
            ("WSPausableSubscriptionManagerInterfaceSupport", "WSPausableSubscriptionManagerInterfaceSupport"),
        ],
    ),
    (
        "71",
        "Analytics",
        "http://www.onvif.org/ver20/analytics/wsdl",
        &[("RuleSupport", "RuleSupport"), ("AnalyticsModuleSupport", "AnalyticsModuleSupport")],
    ),
    ("72", "Imaging", "http://www.onvif.org/ver20/imaging/wsdl", &[]),
    (
        "73",
        "Media",
        "http://www.onvif.org/ver10/media/wsdl",
        &[
            ("StreamingCapabilities/RTPMulticast", "StreamingCapabilities/RTPMulticast"),
            ("StreamingCapabilities/RTP_TCP", "StreamingCapabilities/RTP_TCP"),
            ("StreamingCapabilities/RTP_RTSP_TCP", "StreamingCapabilities/RTP_RTSP_TCP"),
        ],
    ),
    ("74", "PTZ", "http://www.onvif.org/ver20/ptz/wsdl", &[]),
    (
        "75",
        "Extension/DeviceIO",
        "http://www.onvif.org/ver10/deviceIO/wsdl",
        &[
            ("VideoSources", "VideoSources"),
            ("VideoOutputs", "VideoOutputs"),
            ("AudioSources", "AudioSources"),
            ("AudioOutputs", "AudioOutputs"),
            ("RelayOutputs", "RelayOutputs"),
        ],
    ),
    (
        "76",
        "Extension/Recording",
        "http://www.onvif.org/ver10/recording/wsdl",
        &[("DynamicRecordings", "DynamicRecordings"), ("DynamicTracks", "DynamicTracks")],
    ),
    ("77", "Extension/Search", "http://www.onvif.org/ver10/search/wsdl", &[("MetadataSearch", "MetadataSearch")]),
    ("78", "Extension/Replay", "http://www.onvif.org/ver10/replay/wsdl", &[]),
    (
        "79",
        "Extension/Receiver",
        RECEIVER,
        &[
            ("RTP_Multicast", "RTP_Multicast"),
            ("RTP_TCP", "RTP_TCP"),
            ("RTP_RTSP_TCP", "RTP_RTSP_TCP"),
            ("SupportedReceivers", "SupportedReceivers"),
            ("MaximumRTSPURILength", "MaximumRTSPURILength"),
        ],
    ),
];

fn services_agree_with_capabilities(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetServices with capabilities is answered");
    let services = get_services(t, true)?;
    t.step("6", "GetCapabilities for all categories is answered");
    let capabilities = get_capabilities(t, Some("All"))?;
    t.step("8", "GetServices lists the device service with its capabilities");
    let listed = service(&services, namespace("tds")).and_then(|service| service.at("Capabilities/Capabilities"));
    let listed = t.some(listed, "the device service with capabilities")?;
    t.step("9", "both tell the same of the device service");
    for (path, part, name) in SAME_DEVICE {
        let (parent, child) = path.rsplit_once('/').unwrap_or_default();
        // SupportedEAPMethod is a list of elements, all the others are one.
        let elements = capabilities.at("Device").and_then(|device| device.at(parent));
        let told = elements.map(|parent| parent.texts(child).join(" ")).unwrap_or_default();
        let value = listed.at(part).and_then(|part| part.attribute(name));
        t.same(&format!("{part}/@{name} as Device/{path} of GetCapabilities:"), meaning(Some(&told)), meaning(value))?;
    }
    for (step, path, namespace, pairs) in SAME_SERVICE {
        let Some(told) = capabilities.at(path) else { continue };
        t.step(step, &format!("GetCapabilities tells of {path}, and GetServices tells the same"));
        let service = t.some(service(&services, namespace), &format!("a service {namespace}"))?;
        let listed = service.at("Capabilities/Capabilities").cloned().unwrap_or_default();
        for (element, attribute) in pairs {
            let (part, name) = attribute.rsplit_once('/').unwrap_or(("", attribute));
            let value = listed.at(part).and_then(|part| part.attribute(name));
            let what = format!("{attribute} as {path}/{element} of GetCapabilities:");
            t.same(&what, meaning(told.text_at(element)), meaning(value))?;
        }
        if let Some(most) = told.number_at::<u32>("Extension/ProfileCapabilities/MaximumNumberOfProfiles") {
            t.step("73.10", "both tell the same number of profiles");
            let value = listed.at("ProfileCapabilities").and_then(|part| part.attribute("MaximumNumberOfProfiles"));
            t.same("MaximumNumberOfProfiles", Some(most), value.and_then(|value| value.parse().ok()))?;
        }
    }
    Ok(())
}

fn service_addresses(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetServices is answered");
    let services = get_services(t, false)?;
    t.step("6", "every service has the scheme, the host and the port by which GetServices was asked");
    let asked = t.some(place(t.device.url()), "an address with a host")?;
    for service in services.all("Service") {
        let xaddr = service.text_or_empty("XAddr");
        let seen = t.some(place(xaddr), &format!("an XAddr with a host, not {xaddr:?}"))?;
        t.same(&format!("the XAddr {xaddr} at"), &asked, &seen)?;
    }
    if t.has(Feature::Tls) {
        t.note("step 7, the same over HTTPS, was not taken: requests are sent over HTTP only");
    }
    Ok(())
}

/// Scheme, host and port of an address; the port that is left out is that of the scheme.
fn place(address: &str) -> Option<(String, String, u16)> {
    let (scheme, rest) = address.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    let (host, port) = match authority.rsplit_once(':') {
        // Not the colon in an IPv6 address.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, if scheme == "https" { 443 } else { 80 }),
    };
    Some((scheme, host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_means_no() {
        assert_eq!(meaning(None), meaning(Some("false")));
        assert_eq!(meaning(Some("0")), meaning(Some("")));
        assert_eq!(meaning(Some("1")), meaning(Some("true")));
        assert_eq!(meaning(Some("13 4")), meaning(Some("4  13")));
        assert_ne!(meaning(Some("2")), meaning(Some("3")));
    }

    #[test]
    fn an_address_has_a_place() {
        assert_eq!(place("HTTP://Cam/onvif"), Some(("http".into(), "cam".into(), 80)));
        assert_eq!(place("https://[fe80::1]/x"), Some(("https".into(), "[fe80::1]".into(), 443)));
        assert_eq!(place("http://[::1]:8080"), Some(("http".into(), "[::1]".into(), 8080)));
        assert_eq!((place("/onvif"), place("http:///x"), place("http://cam:x/")), (None, None, None));
    }

    #[test]
    fn an_address_is_a_uri() {
        assert!(is_uri("http://[::1]:80/onvif/media?x=1") && is_uri("https://cam"));
        for bad in ["", "cam", "http://", "http:///x", "http://cam/a b", "1http://cam"] {
            assert!(!is_uri(bad), "{bad}");
        }
    }
}
