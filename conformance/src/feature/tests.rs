use std::collections::{BTreeMap, BTreeSet};

use super::{
    Feature, Features,
    discover::{Asked, find, unanswered},
};
use crate::{
    soap::{Fault, PREFIXES},
    verdict::Outcome,
    xml::Element,
};

/// A device that answers what is written down: by the name of the operation with its prefix, the content of the
/// response. `!` is silence, and what is not there a fault.
#[derive(Default)]
struct Canned {
    answers: BTreeMap<&'static str, &'static str>,
    asked: Vec<String>,
    services: BTreeMap<String, String>,
    steps: Vec<String>,
}

impl Asked for Canned {
    fn step(&mut self, name: &str, _: &str) {
        self.steps.push(name.into());
    }

    fn attempt(&mut self, body: &str) -> Outcome<Result<Element, Fault>> {
        self.asked.push(body.into());
        let operation = body.trim_start_matches('<').split(['>', '/', ' ']).next().unwrap();
        match self.answers.get(operation) {
            Some(&"!") => Err(unanswered("nothing")),
            Some(content) => {
                let declared: String =
                    PREFIXES.iter().map(|(prefix, uri)| format!(" xmlns:{prefix}=\"{uri}\"")).collect();
                Ok(Ok(Element::parse(format!("<r{declared}>{content}</r>").as_bytes()).unwrap()))
            }
            None => {
                let codes = vec!["env:Receiver".into(), "ter:ActionNotSupported".into()];
                Ok(Err(Fault { codes, reason: operation.into() }))
            }
        }
    }

    fn read(&mut self, body: &str) -> Outcome<Result<Element, Fault>> {
        self.attempt(body)
    }

    fn challenges(&mut self, _: &str) -> bool {
        true
    }

    fn set_services(&mut self, addresses: BTreeMap<String, String>) {
        self.services = addresses;
    }
}

const SERVICES: &str = "<Service><Namespace>http://www.onvif.org/ver10/device/wsdl</Namespace><XAddr>http://d</XAddr>\
    </Service><Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://new</XAddr>\
    <Version><Major>2</Major><Minor>60</Minor></Version></Service><Service>\
    <Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>http://old</XAddr><Version><Major>2</Major>\
    <Minor>4</Minor></Version></Service><Service><Namespace>http://www.onvif.org/ver20/media/wsdl</Namespace>\
    <XAddr>http://m2</XAddr></Service>";

fn device(answers: &[(&'static str, &'static str)]) -> Canned {
    let mut all = BTreeMap::from([("tds:GetServices", SERVICES)]);
    all.extend(answers.iter().copied());
    Canned { answers: all, ..Canned::default() }
}

fn found(answers: &[(&'static str, &'static str)]) -> Features {
    find(&mut device(answers), None).unwrap()
}

fn has(features: &Features, wanted: &[Feature]) -> Vec<bool> {
    wanted.iter().map(|feature| features.get(*feature).has).collect()
}

#[test]
fn a_device_that_says_little_has_little() {
    let little = found(&[
        ("tds:GetServiceCapabilities", "<Capabilities><Network/><Security/><System/></Capabilities>"),
        ("trt:GetServiceCapabilities", "<Capabilities/>"),
        ("tr2:GetServiceCapabilities", "<Capabilities/>"),
        ("trt:GetVideoEncoderConfigurationOptions", "<Options/>"),
        ("trt:GetProfiles", "<Profiles><VideoSourceConfiguration/><VideoEncoderConfiguration/></Profiles>"),
        ("tds:GetNetworkProtocols", "<NetworkProtocols><Name>HTTPS</Name><Enabled>false</Enabled></NetworkProtocols>"),
    ]);
    let there: BTreeSet<Feature> =
        little.all().iter().filter(|(_, finding)| finding.has).map(|(feature, _)| *feature).collect();
    let expected = [
        Feature::Discovery,
        Feature::GetServices,
        Feature::Media1,
        Feature::Media1Streaming,
        Feature::Media2,
        Feature::NetworkConfiguration,
        Feature::NotAllProtocols,
        Feature::UserConfiguration,
    ];
    // Without event service nobody knows of topics, but the cases of topics want the event service.
    let topics = there.iter().filter(|feature| feature.name().starts_with("topic-"));
    assert_eq!(topics.count(), 9);
    let others: BTreeSet<Feature> =
        there.iter().copied().filter(|feature| !feature.name().starts_with("topic-")).collect();
    assert_eq!(others, BTreeSet::from(expected));
}

#[test]
fn what_is_left_open_counts_as_supported() {
    let open = found(&[
        ("tds:GetServiceCapabilities", "!"),
        ("trt:GetVideoEncoderConfigurationOptions", "!"),
        ("trt:GetAudioEncoderConfigurationOptions", "!"),
        ("trt:GetAudioOutputs", "!"),
        ("tr2:GetServiceCapabilities", "!"),
        ("tds:GetScopes", "!"),
    ]);
    for feature in [
        Feature::Auxiliary,
        Feature::DiscoveryBye,
        Feature::Dhcpv6,
        Feature::Ipv6,
        Feature::Media1Aac,
        Feature::Media1Audio,
        Feature::Media1AudioOutputAac,
        Feature::Media1H264,
        Feature::Media1Snapshot,
        Feature::Media2H265,
        Feature::Media2Metadata,
        Feature::Ntp,
        Feature::Websocket,
    ] {
        assert!(open.get(feature).has && open.get(feature).because.starts_with("left open"), "{}", feature.name());
    }
    // A profile is claimed by a scope, and by nothing else.
    assert_eq!(has(&open, &[Feature::ProfileS, Feature::ProfileScope]), [false, false]);
}

#[test]
fn flags_and_lists_of_the_device_service_are_read() {
    let says = |capabilities| found(&[("tds:GetServiceCapabilities", capabilities)]);
    let full = says(
        "<Capabilities><Network IPVersion6=\"true\" NTP=\"1\" DHCPv6=\"1\"/><Security HttpDigest=\"true\"/>\
         <System DiscoveryBye=\"true\" HttpSupportInformation=\"true\"/><Misc AuxiliaryCommands=\"tt:Wiper|On\"/>\
         </Capabilities>",
    );
    let wanted = [
        Feature::Ipv6,
        Feature::Ntp,
        Feature::Dhcpv6,
        Feature::HttpDigest,
        Feature::DiscoveryBye,
        Feature::SystemUris,
        Feature::Auxiliary,
        Feature::UsernameToken,
        Feature::SystemBackup,
    ];
    assert_eq!(has(&full, &wanted), [true, true, true, true, true, true, true, false, false]);
    let less = says(
        "<Capabilities><Network IPVersion6=\"true\" NTP=\"0\"/><Security/><System DiscoveryBye=\"true\" \
         DiscoveryNotSupported=\"true\" NetworkConfigNotSupported=\"true\" UserConfigNotSupported=\"true\"/>\
         </Capabilities>",
    );
    let wanted = [
        Feature::Ipv6,
        Feature::Ntp,
        Feature::Discovery,
        Feature::DiscoveryBye,
        Feature::NetworkConfiguration,
        Feature::UserConfiguration,
    ];
    assert_eq!(has(&less, &wanted), [false; 6]);
}

#[test]
fn scopes_claim_profiles_unless_the_command_line_does() {
    let scopes = ("tds:GetScopes", "<Scopes><ScopeItem>onvif://www.onvif.org/Profile/Streaming</ScopeItem></Scopes>");
    let wanted = [Feature::ProfileS, Feature::ProfileT, Feature::ProfileM, Feature::ProfileScope];
    assert_eq!(has(&found(&[scopes]), &wanted), [true, false, false, true]);
    let only_m = BTreeSet::from(["M".to_owned()]);
    let features = find(&mut device(&[scopes]), Some(&only_m)).unwrap();
    assert_eq!(has(&features, &wanted), [false, false, true, false]);
}

#[test]
fn each_media_service_has_features_of_its_own() {
    let features = found(&[
        (
            "trt:GetServiceCapabilities",
            "<Capabilities><StreamingCapabilities RTPMulticast=\"true\" RTP_RTSP_TCP=\"true\"/></Capabilities>",
        ),
        ("trt:GetVideoEncoderConfigurationOptions", "<Options><H264/></Options>"),
        ("trt:GetAudioEncoderConfigurationOptions", "<Options><Options><Encoding>G711</Encoding></Options></Options>"),
        ("trt:GetAudioOutputs", ""),
        (
            "tr2:GetServiceCapabilities",
            "<Capabilities SnapshotUri=\"true\" OSD=\"true\"><ProfileCapabilities \
             ConfigurationsSupported=\"VideoSource VideoEncoder AudioOutput\"/>\
             <StreamingCapabilities RTSPStreaming=\"true\" \
             RTSPWebSocketUri=\"\"/></Capabilities>",
        ),
        ("tr2:GetVideoEncoderConfigurationOptions", "<Options><Encoding>H265</Encoding></Options>"),
        ("tr2:GetAudioEncoderConfigurationOptions", "<Options><Encoding>PCMU</Encoding></Options>"),
        ("tr2:GetAudioDecoderConfigurationOptions", "<Options><Encoding>MPEG4-GENERIC</Encoding></Options>"),
        ("tr2:GetVideoSourceConfigurations", "<Configurations token=\"v\"/>"),
        (
            "tr2:GetOSDOptions",
            "<OSDOptions><MaximumNumberOfOSDs Total=\"2\"/><Type>Text</Type><Type>Image</Type></OSDOptions>",
        ),
    ]);
    let one = [
        Feature::Media1H264,
        Feature::Media1Audio,
        Feature::Media1Aac,
        Feature::Media1AudioOutput,
        Feature::Media1Multicast,
        Feature::Media1RtpRtspTcp,
    ];
    assert_eq!(has(&features, &one), [true, true, false, false, true, true]);
    let two = [
        Feature::Media2H264,
        Feature::Media2H265,
        Feature::Media2Audio,
        Feature::Media2G711,
        Feature::Media2AudioOutputAac,
        Feature::Media2Multicast,
        Feature::Media2Snapshot,
        Feature::OsdImage,
        Feature::Websocket,
    ];
    // Options of an encoder that the profiles cannot have tell nothing.
    assert_eq!(has(&features, &two), [false, true, false, false, true, false, true, true, true]);
    assert_eq!(has(&features, &[Feature::Multicast, Feature::BackChannel, Feature::Snapshot]), [true; 3]);
}

#[test]
fn a_service_is_where_its_latest_version_is() {
    let mut device = device(&[]);
    find(&mut device, None).unwrap();
    assert_eq!(device.services["http://www.onvif.org/ver10/media/wsdl"], "http://new");
}

#[test]
fn the_modes_of_relays_are_left_open_and_relays_alone() {
    let told = "<Capabilities><Device><IO><RelayOutputs>1</RelayOutputs></IO></Device></Capabilities>";
    let mut with = device(&[("tds:GetCapabilities", told)]);
    let features = find(&mut with, None).unwrap();
    let modes = [
        Feature::Relay,
        Feature::RelayBistableOpen,
        Feature::RelayBistableClosed,
        Feature::RelayMonostableOpen,
        Feature::RelayMonostableClosed,
        Feature::RelayMonostable,
    ];
    assert_eq!(has(&features, &modes), [true; 6]);
    assert!(!with.asked.iter().any(|body| body.contains("Relay")), "{:?}", with.asked);
    assert_eq!(has(&found(&[]), &modes), [false; 6]);
}

#[test]
fn a_device_without_get_services_is_known_by_get_capabilities() {
    let mut old = Canned {
        answers: BTreeMap::from([
            (
                "tds:GetCapabilities",
                "<Capabilities><Device><Network><IPVersion6>true</IPVersion6></Network><System><Extension>\
                 <HttpSystemLogging>true</HttpSystemLogging></Extension></System></Device><Media>\
                 <XAddr>http://m</XAddr>\
                 <StreamingCapabilities><RTP_RTSP_TCP>true</RTP_RTSP_TCP></StreamingCapabilities></Media>\
                 </Capabilities>",
            ),
            ("tds:GetNTP", "<NTPInformation/>"),
        ]),
        ..Canned::default()
    };
    let features = find(&mut old, None).unwrap();
    assert_eq!(old.services["http://www.onvif.org/ver10/media/wsdl"], "http://m");
    let there = [
        Feature::GetCapabilities,
        Feature::Media1,
        Feature::Ipv6,
        Feature::Ntp,
        Feature::SystemUris,
        Feature::HttpDigest,
        Feature::Media1RtpRtspTcp,
    ];
    assert_eq!(has(&features, &there), [true; 7]);
    let absent =
        [Feature::GetServices, Feature::Media2, Feature::Imaging, Feature::Media1Multicast, Feature::Auxiliary];
    assert_eq!(has(&features, &absent), [false; 5]);
    assert!(find(&mut Canned::default(), None).is_err(), "nothing to judge");
}

#[test]
fn topics_are_those_of_the_event_service() {
    let event =
        "<Service><Namespace>http://www.onvif.org/ver10/events/wsdl</Namespace><XAddr>http://e</XAddr></Service>";
    let features = found(&[
        ("tds:GetServices", event),
        ("tev:GetEventProperties", "<TopicSet><Monitoring><Backup><Last/></Backup></Monitoring></TopicSet>"),
    ]);
    assert_eq!(has(&features, &[Feature::Event, Feature::TopicBackup, Feature::TopicReset]), [true, true, false]);
}
