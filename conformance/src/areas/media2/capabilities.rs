//! Capabilities of the service (section 4.7 of the specification).

use crate::{
    case::{Case, When::Reads, case},
    feature::Feature,
    soap::{Call, namespace},
    test::Test,
    verdict::Outcome,
    xml::Element,
};

use super::{common::capabilities, kind::ANALYTICS};

/// The PTZ service, which nothing else here asks.
const PTZ: &str = "http://www.onvif.org/ver20/ptz/wsdl";

pub(super) fn cases() -> Vec<Case> {
    vec![case("MEDIA2-7-1-1", Reads, capabilities_hold), case("MEDIA2-7-1-2", Reads, services_tell_the_same)]
}

fn capabilities_hold(t: &mut Test<'_>) -> Outcome {
    t.step("3", "the capabilities");
    let all = capabilities(t)?;
    t.step("5", "how many profiles there can be");
    let profiles = t.some(all.at("ProfileCapabilities"), "ProfileCapabilities")?;
    t.some(profiles.attribute("MaximumNumberOfProfiles"), "@MaximumNumberOfProfiles")?;
    t.step("6", "which kinds of configuration there are, each by its name");
    let kinds: Vec<&str> =
        t.some(profiles.attribute("ConfigurationsSupported"), "@ConfigurationsSupported")?.split_whitespace().collect();
    t.demand(!kinds.is_empty(), "kinds of configuration", "none")?;
    t.step("8", "`All` is not one of them");
    t.demand(!kinds.contains(&"All"), "the kinds one by one", "All")?;
    kinds_agree_with_services(t, &kinds)?;
    if let Some(uri) = all.at("StreamingCapabilities").and_then(|all| all.attribute("RTSPWebSocketUri")) {
        t.step("16", "the address of the WebSocket is a scheme and an absolute path");
        t.demand(is_websocket_path(uri), "ws:/path or wss:/path", uri)?;
    }
    if kinds.contains(&"PTZ") {
        t.step("17", "there are PTZ configurations");
        let address = t.some(t.device.service(PTZ), "the address of the PTZ service")?;
        let call = Call::new(format!("<tptz:GetConfigurations xmlns:tptz=\"{PTZ}\"/>")).to(address);
        let answer = t.ask_by(&call)?;
        t.some(answer.at("PTZConfiguration"), "a PTZ configuration")?;
    }
    if kinds.contains(&"Analytics") {
        t.step("18", "there are analytics configurations");
        ANALYTICS.list(t)?;
    }
    Ok(())
}

/// Kinds and services go together: some both ways, others are only demanded.
fn kinds_agree_with_services(t: &mut Test<'_>, kinds: &[&str]) -> Outcome {
    for (step, kind, feature) in [("9", "Analytics", Feature::Analytics), ("11", "PTZ", Feature::Ptz)] {
        t.step(step, &format!("{kind} is told if there is the service, and only then"));
        t.same(&format!("{kind} in @ConfigurationsSupported:"), t.has(feature), kinds.contains(&kind))?;
    }
    let demanded = [
        ("13", "VideoSource", Feature::Video),
        ("14", "AudioSource", Feature::Media2Audio),
        ("15", "AudioDecoder", Feature::BackChannel),
    ];
    for (step, kind, feature) in demanded {
        t.step(step, &format!("{kind} is told if the device has what goes with it"));
        t.demand(
            !t.has(feature) || kinds.contains(&kind),
            format!("{kind} in @ConfigurationsSupported"),
            kinds.join(" "),
        )?;
    }
    Ok(())
}

/// Whether an address is a scheme of WebSocket and a path, without a host (RFC 2396, section 3).
fn is_websocket_path(uri: &str) -> bool {
    let path = uri.strip_prefix("ws:").or_else(|| uri.strip_prefix("wss:"));
    path.is_some_and(|path| path.starts_with('/') && !path.starts_with("//"))
}

fn services_tell_the_same(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all services with their capabilities");
    let services = t.ask("<tds:GetServices><tds:IncludeCapability>true</tds:IncludeCapability></tds:GetServices>")?;
    t.step("5", "the service among them");
    let service = services.all("Service").find(|one| one.text_or_empty("Namespace") == namespace("tr2"));
    let service = t.some(service, "the service")?;
    let listed = t.some(service.at("Capabilities/Capabilities"), "its capabilities")?;
    t.step("6", "the capabilities that the service itself tells");
    let own = capabilities(t)?;
    t.step("8", "they are the same");
    for (part, name) in COMPARED {
        t.same(&format!("{part}@{name}"), value(&own, part, name), value(listed, part, name))?;
    }
    Ok(())
}

/// What is compared: the element and the attribute.
const COMPARED: [(&str, &str); 12] = [
    ("", "SnapshotUri"),
    ("", "Rotation"),
    ("", "VideoSourceMode"),
    ("", "OSD"),
    ("", "Mask"),
    ("ProfileCapabilities", "MaximumNumberOfProfiles"),
    ("ProfileCapabilities", "ConfigurationsSupported"),
    ("StreamingCapabilities", "RTSPStreaming"),
    ("StreamingCapabilities", "RTPMulticast"),
    ("StreamingCapabilities", "RTP_RTSP_TCP"),
    ("StreamingCapabilities", "NonAggregateControl"),
    ("StreamingCapabilities", "RTSPWebSocketUri"),
];

/// A capability as it is compared: truth has two spellings, and a list has no order.
fn value(capabilities: &Element, part: &str, name: &str) -> Option<String> {
    let part = capabilities.at(part)?;
    let told = part.attribute(name)?;
    Some(match (part.flag(name), name) {
        (Some(flag), _) if name != "MaximumNumberOfProfiles" => flag.to_string(),
        (_, "ConfigurationsSupported") => {
            let mut kinds: Vec<&str> = told.split_whitespace().collect();
            kinds.sort_unstable();
            kinds.join(" ")
        }
        _ => told.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_websocket_has_a_path_without_a_host() {
        assert!(is_websocket_path("ws:/rtsp") && is_websocket_path("wss:/a/b"));
        assert!(
            !is_websocket_path("ws://host/rtsp") && !is_websocket_path("http:/rtsp") && !is_websocket_path("/rtsp")
        );
    }

    #[test]
    fn capabilities_are_compared_by_what_they_mean() {
        let parse = |text: &str| Element::parse(text.as_bytes()).unwrap();
        let one = parse(
            "<c OSD=\"1\"><ProfileCapabilities ConfigurationsSupported=\"A B\" MaximumNumberOfProfiles=\"1\"/></c>",
        );
        let other = parse("<c OSD=\"true\"><ProfileCapabilities ConfigurationsSupported=\"B  A\"/></c>");
        assert_eq!(value(&one, "", "OSD"), value(&other, "", "OSD"));
        let kinds = |of: &Element| value(of, "ProfileCapabilities", "ConfigurationsSupported");
        assert_eq!(kinds(&one), kinds(&other));
        assert_eq!(value(&one, "ProfileCapabilities", "MaximumNumberOfProfiles").as_deref(), Some("1"));
        assert_ne!(value(&one, "", "OSD"), value(&one, "", "Mask"));
    }
}
