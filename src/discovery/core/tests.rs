//! Stories of the responder, with requests as clients send them.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::*;
use crate::{base::clock::MonoTime, camera::Uuid, host::Address};

const CLIENT: &str = "192.0.2.9:50000";
const GROUP: &str = "239.255.255.250";
const SCOPES: [&str; 3] = [
    "onvif://www.onvif.org/Profile/Streaming",
    "onvif://www.onvif.org/hardware/Belvedere",
    "onvif://www.onvif.org/name/Front%20door",
];

/// The first address of each family.
struct Http;

impl XAddrs for Http {
    fn xaddrs(&self, local: &[IpAddr]) -> Vec<String> {
        let first = |ipv6| local.iter().find(|ip| ip.is_ipv6() == ipv6);
        let url = |ip: &IpAddr| format!("http://{}/onvif/device_service", std::net::SocketAddr::new(*ip, 8080));
        let ordered = local.first().map(|ip| [ip.is_ipv6(), !ip.is_ipv6()]).unwrap_or_default();
        ordered.into_iter().filter_map(first).map(url).collect()
    }
}

struct Story {
    responder: Responder,
    now: MonoTime,
    ids: u32,
}

fn device(id: &str, uuid: u8) -> Device {
    Device {
        id: id.into(),
        uuid: Uuid::from_random([uuid; 16]),
        scopes: SCOPES.map(str::to_owned).into(),
        metadata_version: 7,
        mode: Mode::Discoverable,
        xaddrs: Arc::new(Http),
    }
}

fn link(index: u32, addresses: &[(&str, u8)]) -> Link {
    let address = |(ip, prefix): &(&str, u8)| Address { ip: ip.parse().unwrap(), prefix: *prefix };
    let addresses = addresses.iter().map(address).collect();
    Link { index, name: format!("link{index}"), loopback: index == 1, addresses }
}

impl Story {
    /// One camera on a machine with one network, long after its first Hello.
    fn new() -> Self {
        Self::with(vec![device("cam", 1)])
    }

    fn with(devices: Vec<Device>) -> Self {
        let responder = Responder::new(devices, 42, 1);
        let mut story = Self { responder, now: MonoTime::from_nanos(1_000_000_000), ids: 0 };
        story.links(vec![link(1, &[("127.0.0.1", 8)]), link(2, &[("192.0.2.2", 24)])]);
        story.run();
        story
    }

    fn links(&mut self, links: Vec<Link>) {
        self.responder.set_links(links, self.now);
    }

    /// Lets two seconds pass; returns what was sent, and after how many milliseconds.
    fn run(&mut self) -> Vec<(u64, Transmit)> {
        let (start, mut sent) = (self.now, Vec::new());
        let end = start + Duration::from_secs(2);
        while let Some(deadline) = self.responder.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            while let Some(transmit) = self.responder.poll(self.now) {
                sent.push((self.now.since(start).as_millis() as u64, transmit));
            }
        }
        self.now = end;
        sent
    }

    fn ask(&mut self, to: &str, body: &str) -> Result<usize, Ignored> {
        self.ids += 1;
        let text = envelope(&format!("uuid:{}", self.ids), body);
        self.receive(&text, CLIENT, to)
    }

    fn receive(&mut self, text: &str, from: &str, to: &str) -> Result<usize, Ignored> {
        let received =
            Received { bytes: text.as_bytes(), from: from.parse().unwrap(), to: to.parse().unwrap(), link: 2 };
        self.responder.receive(received, self.now)
    }
}

fn envelope(id: &str, body: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
        <s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
            xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:n="http://www.onvif.org/ver10/network/wsdl"
            xmlns:t="http://www.onvif.org/ver10/device/wsdl">
        <s:Header><a:Action s:mustUnderstand="1">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>
        <a:MessageID>{id}</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>
        <s:Body>{body}</s:Body></s:Envelope>"#
    )
}

fn text(transmit: &Transmit) -> String {
    String::from_utf8(transmit.bytes.to_vec()).unwrap()
}

/// The text of the first element with this name.
fn element<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} in {text}")) + name.len() + 2;
    &text[start..start + text[start..].find(&format!("</{name}>")).unwrap()]
}

const PROBE: &str = "<d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe>";

#[test]
fn a_multicast_probe_is_answered_to_the_sender_after_a_while() {
    // DISCOVERY-1-1-3
    let mut story = Story::new();
    assert_eq!(story.ask(GROUP, PROBE), Ok(1));
    let sent = story.run();
    let [(after, answer)] = sent.as_slice() else { panic!("{sent:?}") };
    assert!(*after <= 500);
    assert_eq!((answer.to, answer.link, answer.from), (CLIENT.parse().unwrap(), None, None));
    let text = text(answer);
    assert_eq!(element(&text, "wsa:RelatesTo"), "uuid:1");
    assert_eq!(element(&text, "wsa:Action"), "http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches");
    assert_eq!(element(&text, "wsa:Address"), "urn:uuid:01010101-0101-4101-8101-010101010101");
    assert_eq!(element(&text, "d:Types"), "dn:NetworkVideoTransmitter tds:Device");
    assert_eq!(element(&text, "d:Scopes"), SCOPES.join(" "));
    assert_eq!(element(&text, "d:XAddrs"), "http://192.0.2.2:8080/onvif/device_service");
    assert_eq!(element(&text, "d:MetadataVersion"), "7");
    assert!(text.contains(r#"<d:AppSequence InstanceId="42" MessageNumber="2">"#), "{text}");
    assert_eq!(parse(text.as_bytes()), Ok(None), "an answer is no request");
}

#[test]
fn delays_are_spread_over_half_a_second() {
    let mut story = Story::new();
    let delays: Vec<u64> = (0..100)
        .flat_map(|_| {
            story.ask(GROUP, PROBE).unwrap();
            story.run().into_iter().map(|(after, _)| after).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(delays.len(), 100);
    let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!(*least < 50 && *most > 450 && *most <= 500, "{least} to {most}");
}

#[test]
fn a_unicast_probe_is_answered_at_once_from_the_address_that_was_asked() {
    // DISCOVERY-1-1-6
    let mut story = Story::new();
    story.links(vec![link(2, &[("192.0.2.2", 24), ("192.0.2.3", 24)])]);
    story.run();
    assert_eq!(story.ask("192.0.2.3", "<d:Probe/>"), Ok(1));
    let sent = story.run();
    assert_eq!((sent.len(), sent[0].0, sent[0].1.from), (1, 0, Some("192.0.2.3".parse().unwrap())));
    assert_eq!(element(&text(&sent[0].1), "d:XAddrs"), "http://192.0.2.3:8080/onvif/device_service");
}

/// A socket cannot send from a broadcast address: the answer leaves from where the routing table says.
#[test]
fn a_broadcast_probe_is_answered_like_one_to_everybody() {
    let mut story = Story::new();
    for to in ["192.0.2.255", "255.255.255.255"] {
        assert_eq!(story.ask(to, PROBE), Ok(1));
        let sent = story.run();
        let [(after, answer)] = sent.as_slice() else { panic!("{to}: {sent:?}") };
        assert!(*after <= 500);
        assert_eq!((answer.to, answer.from), (CLIENT.parse().unwrap(), None), "{to}");
        assert_eq!(element(&text(answer), "d:XAddrs"), "http://192.0.2.2:8080/onvif/device_service");
    }
    let unknown = r#"<d:Probe><d:Scopes MatchBy="urn:x">onvif://www.onvif.org</d:Scopes></d:Probe>"#;
    assert_eq!(story.ask("192.0.2.255", unknown), Err(Ignored::UnknownRule), "everybody heard it");
}

#[test]
fn a_program_on_this_machine_is_told_the_address_that_it_asked() {
    let mut story = Story::new();
    let text_of_probe = envelope("uuid:1", "<d:Probe/>");
    let received = Received {
        bytes: text_of_probe.as_bytes(),
        from: "192.0.2.2:50000".parse().unwrap(),
        to: "192.0.2.2".parse().unwrap(),
        link: 1,
    };
    assert_eq!(story.responder.receive(received, story.now), Ok(1));
    assert_eq!(element(&text(&story.run()[0].1), "d:XAddrs"), "http://192.0.2.2:8080/onvif/device_service");
}

#[test]
fn a_repetition_is_answered_once() {
    let mut story = Story::new();
    let probe = envelope("uuid:fixed", PROBE);
    assert_eq!(story.receive(&probe, CLIENT, GROUP), Ok(1));
    assert_eq!(story.receive(&probe, CLIENT, GROUP), Err(Ignored::Repeated));
    assert_eq!(story.receive(&probe, "192.0.2.9:50001", GROUP), Ok(1), "another program with the same id");
    assert_eq!(story.run().len(), 2);
    assert_eq!(story.receive(&probe, CLIENT, GROUP), Ok(1), "a script that has but one id");
}

#[test]
fn who_is_not_meant_is_silent() {
    // DISCOVERY-1-1-4, DISCOVERY-1-1-5
    let mut story = Story::new();
    for (body, expected) in [
        ("<d:Probe/>", true),
        ("<d:Probe><d:Types/><d:Scopes/></d:Probe>", true),
        ("<d:Probe><d:Types>t:Device</d:Types></d:Probe>", true),
        ("<d:Probe><d:Types>t:Device n:NetworkVideoTransmitter</d:Types></d:Probe>", true),
        ("<d:Probe><d:Types>t:Device n:NetworkVideoDisplay</d:Types></d:Probe>", false),
        ("<d:Probe><d:Types>n:Device</d:Types></d:Probe>", false),
        ("<d:Probe><d:Types>Device</d:Types></d:Probe>", false),
        (r#"<d:Probe><d:Types xmlns="http://www.onvif.org/ver10/device/wsdl">Device</d:Types></d:Probe>"#, true),
        ("<d:Probe><d:Scopes>onvif://www.onvif.org/hardware</d:Scopes></d:Probe>", true),
        ("<d:Probe><d:Scopes>onvif://www.onvif.org/name/Front&#32;door</d:Scopes></d:Probe>", false),
        ("<d:Probe><d:Scopes><![CDATA[onvif://www.onvif.org/name/Front%20door]]></d:Scopes></d:Probe>", true),
        ("<d:Probe><d:Scopes>onvif://www.onvif.org/Profile/T</d:Scopes></d:Probe>", false),
        (
            r#"<d:Probe><d:Scopes MatchBy="http://schemas.xmlsoap.org/ws/2005/04/discovery/strcmp0">onvif://www.onvif.org/hardware</d:Scopes></d:Probe>"#,
            false,
        ),
    ] {
        let answers = story.ask(GROUP, body);
        assert_eq!(answers, if expected { Ok(1) } else { Err(Ignored::NoMatch) }, "{body}");
        story.run();
    }
}

#[test]
fn an_unknown_rule_is_a_fault_for_who_asked_us_alone() {
    // DISCOVERY-1-1-10
    let mut story = Story::new();
    let body = r#"<d:Probe><d:Scopes MatchBy="urn:x">onvif://www.onvif.org</d:Scopes></d:Probe>"#;
    assert_eq!(story.ask(GROUP, body), Err(Ignored::UnknownRule));
    assert_eq!(story.ask("192.0.2.2", body), Ok(1));
    let sent = story.run();
    let text = text(&sent[0].1);
    assert_eq!(sent.len(), 1);
    assert_eq!(element(&text, "wsa:Action"), "http://schemas.xmlsoap.org/ws/2005/04/discovery/fault");
    assert!(text.contains("<env:Subcode><env:Value>d:MatchingRuleNotSupported</env:Value></env:Subcode>"));
    assert!(element(&text, "d:SupportedMatchingRules").starts_with(Rule::SUPPORTED[0]));
}

#[test]
fn an_endpoint_is_resolved_by_either_spelling_of_its_uuid() {
    let mut story = Story::with(vec![device("cam", 1), device("two", 2)]);
    for address in ["urn:uuid:02020202-0202-4202-8202-020202020202", "uuid:02020202-0202-4202-8202-020202020202"] {
        let body = format!(
            "<d:Resolve><a:EndpointReference><a:Address>{address}</a:Address></a:EndpointReference></d:Resolve>"
        );
        assert_eq!(story.ask(GROUP, &body), Ok(1));
        let sent = story.run();
        assert_eq!((sent.len(), sent[0].0), (1, 0));
        let text = text(&sent[0].1);
        assert_eq!(element(&text, "wsa:Action"), "http://schemas.xmlsoap.org/ws/2005/04/discovery/ResolveMatches");
        assert_eq!(element(&text, "wsa:Address"), "urn:uuid:02020202-0202-4202-8202-020202020202");
    }
    let other = "<d:Resolve><a:EndpointReference><a:Address>urn:uuid:x</a:Address></a:EndpointReference></d:Resolve>";
    assert_eq!(story.ask(GROUP, other), Err(Ignored::NoMatch));
}

#[test]
fn a_device_says_hello_twice_in_each_family_on_each_link() {
    // DISCOVERY-1-1-2
    let mut responder = Responder::new(vec![device("cam", 1)], 42, 1);
    let now = MonoTime::from_nanos(0);
    responder.set_links(vec![link(1, &[("127.0.0.1", 8)]), link(2, &[("192.0.2.2", 24), ("2001:db8::2", 64)])], now);
    let mut story = Story { responder, now, ids: 0 };
    let sent = story.run();
    let to =
        |group: &str| sent.iter().filter(|(_, transmit)| transmit.to == group.parse().unwrap()).collect::<Vec<_>>();
    let (ipv4, ipv6) = (to("239.255.255.250:3702"), to("[ff02::c%2]:3702"));
    assert_eq!((ipv4.len(), ipv6.len(), sent.len()), (2, 2, 4), "nothing on loopback");
    assert_eq!(ipv4[0].1, ipv4[1].1, "the same message again");
    assert!(ipv4[0].0 <= 500 && (50..=250).contains(&(ipv4[1].0 - ipv4[0].0)));
    assert_eq!(ipv4[0].1.link, Some(2));
    let text = text(&ipv6[0].1);
    assert_eq!(element(&text, "wsa:Action"), "http://schemas.xmlsoap.org/ws/2005/04/discovery/Hello");
    assert_eq!(element(&text, "wsa:To"), "urn:schemas-xmlsoap-org:ws:2005:04:discovery");
    let xaddrs = "http://[2001:db8::2]:8080/onvif/device_service http://192.0.2.2:8080/onvif/device_service";
    assert_eq!(element(&text, "d:XAddrs"), xaddrs);
    assert!(!text.contains("RelatesTo"));

    story.links(vec![link(1, &[("127.0.0.1", 8)]), link(2, &[("192.0.2.2", 24), ("2001:db8::2", 64)])]);
    assert!(story.run().is_empty(), "nothing has changed");
    story.links(vec![link(2, &[("192.0.2.77", 24)]), link(3, &[("198.51.100.2", 24)])]);
    assert_eq!(story.run().len(), 4, "one link has another address, and one is new");
}

#[test]
fn a_device_that_is_on_loopback_only_comes_and_goes_there() {
    struct Here;
    impl XAddrs for Here {
        fn xaddrs(&self, local: &[IpAddr]) -> Vec<String> {
            let own = local.iter().filter(|ip| ip.is_loopback() && ip.is_ipv4());
            own.map(|ip| format!("http://{ip}:8080/onvif/device_service")).collect()
        }
    }
    let mut responder = Responder::new(vec![Device { xaddrs: Arc::new(Here), ..device("cam", 1) }], 42, 1);
    let now = MonoTime::from_nanos(0);
    responder.set_links(vec![link(1, &[("127.0.0.1", 8)]), link(2, &[("192.0.2.2", 24)])], now);
    let mut story = Story { responder, now, ids: 0 };
    let hello = story.run();
    assert!(hello.len() == 2 && hello.iter().all(|(_, transmit)| transmit.link == Some(1)), "{hello:?}");
    story.responder.leave(story.now);
    let bye = story.run();
    assert!(bye.len() == 2 && bye.iter().all(|(_, transmit)| transmit.link == Some(1)), "{bye:?}");
}

/// The hardware address differs from network to network, and is the one that the device service tells there.
#[test]
fn scopes_of_a_link_are_told_and_matched_there() {
    struct Wired;
    impl XAddrs for Wired {
        fn xaddrs(&self, local: &[IpAddr]) -> Vec<String> {
            Http.xaddrs(local)
        }
        fn scopes(&self, local: &[IpAddr]) -> Vec<String> {
            vec![format!("onvif://www.onvif.org/MacAddress/of-{}", local[0])]
        }
    }
    let mut story = Story::with(vec![Device { xaddrs: Arc::new(Wired), ..device("cam", 1) }]);
    story.links(vec![link(2, &[("192.0.2.2", 24)]), link(3, &[("198.51.100.2", 24)])]);
    let hellos = story.run();
    let told = |link| hellos.iter().find(|(_, sent)| sent.link == Some(link)).map(|(_, sent)| text(sent)).unwrap();
    let scopes = |ip: &str| format!("{} onvif://www.onvif.org/MacAddress/of-{ip}", SCOPES.join(" "));
    assert_eq!(element(&told(3), "d:Scopes"), scopes("198.51.100.2"));
    let probe = |ip: &str| format!("<d:Probe><d:Scopes>onvif://www.onvif.org/MacAddress/of-{ip}</d:Scopes></d:Probe>");
    assert_eq!(story.ask(GROUP, &probe("192.0.2.2")), Ok(1), "the probe came by link 2");
    assert_eq!(element(&text(&story.run()[0].1), "d:Scopes"), scopes("192.0.2.2"));
    assert_eq!(story.ask(GROUP, &probe("198.51.100.2")), Err(Ignored::NoMatch));
}

#[test]
fn changed_scopes_raise_the_version_and_are_announced() {
    // DISCOVERY-1-1-11
    let mut story = Story::new();
    let (scopes, more) = (SCOPES.map(str::to_owned).to_vec(), "onvif://www.onvif.org/location/hall".to_owned());
    assert_eq!(story.responder.update("cam", scopes.clone(), story.now), Some(7), "nothing has changed");
    assert!(story.run().is_empty());
    let scopes = [scopes, vec![more]].concat();
    assert_eq!(story.responder.update("cam", scopes[1..].to_vec(), story.now), Some(8));
    assert_eq!(story.responder.update("cam", scopes.clone(), story.now), Some(9));
    assert_eq!(story.responder.update("other", scopes.clone(), story.now), None);
    let sent = story.run();
    assert_eq!(sent.len(), 2, "two changes in a row are one Hello");
    let text = text(&sent[0].1);
    assert_eq!((element(&text, "d:MetadataVersion"), element(&text, "d:Scopes")), ("9", scopes.join(" ").as_str()));
    assert_eq!(story.ask(GROUP, "<d:Probe><d:Scopes>onvif://www.onvif.org/location/hall</d:Scopes></d:Probe>"), Ok(1));
}

#[test]
fn a_device_that_may_not_be_discovered_is_silent() {
    // DISCOVERY-1-1-9
    let mut story = Story::with(vec![device("cam", 1), device("two", 2)]);
    assert_eq!(story.ask(GROUP, PROBE), Ok(2));
    assert!(story.responder.set_mode("cam", Mode::NonDiscoverable, story.now));
    assert_eq!(story.run().len(), 1, "not even the answer that was under way");
    story.responder.update("cam", Vec::new(), story.now);
    story.links(vec![link(2, &[("192.0.2.3", 24)])]);
    assert_eq!(story.run().len(), 2, "the other one's Hello");
    story.responder.restart("cam", story.now);
    assert!(story.run().is_empty());
    assert!(story.responder.set_mode("cam", Mode::Discoverable, story.now));
    assert!(text(&story.run()[0].1).contains("<d:Hello>"));
    assert!(!story.responder.set_mode("other", Mode::Discoverable, story.now));
}

#[test]
fn a_restart_is_a_bye_and_a_hello_of_a_new_instance() {
    // X8, DISCOVERY-1-1-8
    let mut story = Story::new();
    assert_eq!(story.ask(GROUP, PROBE), Ok(1));
    assert!(story.responder.restart("cam", story.now));
    let sent = story.run();
    let texts: Vec<_> = sent.iter().map(|(_, transmit)| text(transmit)).collect();
    assert_eq!((sent.len(), sent[0].0), (4, 0), "the answer under way is forgotten");
    assert!(texts[..2].iter().all(|text| text.contains("<d:Bye>") && text.contains(r#"InstanceId="42""#)));
    assert!(texts[2].contains("<d:Hello>") && texts[2].contains(r#"InstanceId="43" MessageNumber="1""#));
    assert_eq!(element(&texts[0], "wsa:Address"), "urn:uuid:01010101-0101-4101-8101-010101010101");
}

#[test]
fn after_leaving_nothing_more_is_said() {
    let mut story = Story::new();
    story.responder.leave(story.now);
    assert_eq!(story.run().len(), 2);
    assert_eq!(story.responder.deadline(), None);
    assert_eq!(story.ask(GROUP, PROBE), Err(Ignored::NoMatch));
}

#[test]
fn a_forged_sender_gains_nothing() {
    let mut story = Story::new();
    let probe = envelope("uuid:1", PROBE);
    for from in ["198.51.100.1:3702", "192.0.2.255:3702", "239.255.255.250:3702", "192.0.2.9:0", "0.0.0.0:1"] {
        assert_eq!(story.receive(&probe, from, GROUP), Err(Ignored::Sender), "{from}");
    }
    let answers: usize = (0..1000).filter_map(|_| story.ask(GROUP, PROBE).ok()).sum();
    assert_eq!(answers, 20);
    assert_eq!(story.ask(GROUP, PROBE), Err(Ignored::TooOften));
    assert_eq!(story.run().len(), 20);
}

#[test]
fn names_count_by_namespace_and_not_by_prefix() {
    // X9, DISCOVERY-2-1-1 to DISCOVERY-2-1-5
    let defaults = r#"<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"><Header>
        <MessageID xmlns="http://schemas.xmlsoap.org/ws/2004/08/addressing">a&amp;b</MessageID></Header><Body>
        <Probe xmlns="http://schemas.xmlsoap.org/ws/2005/04/discovery">
        <Types xmlns:x="http://www.onvif.org/ver10/network/wsdl">x:NetworkVideoTransmitter</Types></Probe></Body></Envelope>"#;
    let rebound = r#"<x:Envelope xmlns:x="http://www.w3.org/2003/05/soap-envelope"><x:Header>
        <x:MessageID xmlns:x="http://schemas.xmlsoap.org/ws/2004/08/addressing">a&#x26;b</x:MessageID></x:Header><x:Body>
        <x:Probe xmlns:x="http://schemas.xmlsoap.org/ws/2005/04/discovery">
        <y:Types xmlns:y="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:x="http://www.onvif.org/ver10/network/wsdl"
        >x:NetworkVideoTransmitter</y:Types></x:Probe></x:Body></x:Envelope>"#;
    let name =
        Name { namespace: "http://www.onvif.org/ver10/network/wsdl".into(), local: "NetworkVideoTransmitter".into() };
    let expected =
        Request { message_id: "a&b".into(), body: RequestBody::Probe(Probe { types: vec![name], ..Probe::default() }) };
    for text in [defaults, rebound, &format!("\u{feff}{rebound}\0")] {
        assert_eq!(parse(text.as_bytes()), Ok(Some(expected.clone())), "{text}");
    }
    let mut story = Story::new();
    assert_eq!(story.receive(rebound, CLIENT, GROUP), Ok(1));
    assert!(text(&story.run()[0].1).contains("<wsa:RelatesTo>a&amp;b</wsa:RelatesTo>"));
}

#[test]
fn an_undeclared_prefix_on_an_attribute_is_borne() {
    // openHAB 2.5 (openhab-addons#9022)
    let probe = envelope("uuid:1", PROBE).replace("s:mustUnderstand", "undeclared:mustUnderstand");
    assert!(matches!(parse(probe.as_bytes()), Ok(Some(_))));
}

#[test]
fn what_cannot_be_read_is_refused() {
    let body = |body: &str| parse(envelope("uuid:1", body).as_bytes());
    assert!(matches!(body("<d:Probe><d:Types>x:Device</d:Types></d:Probe>"), Err(Unreadable::UnknownPrefix(_))));
    assert!(matches!(body("<d:Probe>&unknown;</d:Probe>"), Err(Unreadable::Xml { .. })));
    assert!(matches!(body("<d:Probe>"), Err(Unreadable::Xml { .. })));
    let deep = format!("{}{}", "<d:x>".repeat(20), "</d:x>".repeat(20));
    assert_eq!(body(&deep), Err(Unreadable::TooMany("elements inside each other")));
    assert!(matches!(
        body(&format!("<d:Probe><d:Types>{}</d:Types></d:Probe>", "t:Device ".repeat(33))),
        Err(Unreadable::TooMany(_))
    ));
    assert_eq!(body("<d:Hello/>"), Ok(None));
    assert_eq!(body("<a:Probe/>"), Ok(None), "of another namespace");

    let whole = envelope("uuid:1", PROBE);
    assert_eq!(parse(envelope("", PROBE).as_bytes()), Err(Unreadable::NoMessageId));
    for id in ["a&#x15;", "a\u{15}", "a&#xFFFE;", "a\u{FFFF}"] {
        assert!(matches!(parse(envelope(id, PROBE).as_bytes()), Err(Unreadable::Xml { .. })), "{id:?} is no XML");
    }
    assert_eq!(parse(envelope("a&#x85;b", PROBE).as_bytes()), Err(Unreadable::NoMessageId));
    assert_eq!(parse(whole.replace("2003/05/soap", "2001/06/soap").as_bytes()), Err(Unreadable::NoEnvelope));
    assert_eq!(parse(format!("{whole}<x/>").as_bytes()), Err(Unreadable::NoEnvelope));
    assert_eq!(parse(format!("rubbish{whole}").as_bytes()), Err(Unreadable::NoEnvelope));
    assert_eq!(parse(b""), Err(Unreadable::NoEnvelope));
    assert_eq!(parse(&[0xff; 9]), Err(Unreadable::NotText(0)));
    assert_eq!(parse(&[b' '; MAX_DATAGRAM + 1]), Err(Unreadable::TooLong(MAX_DATAGRAM + 1)));
    let entity = whole.replace("<s:Envelope", r#"<!DOCTYPE x [<!ENTITY a "b">]><s:Envelope"#);
    assert_eq!(parse(entity.as_bytes()), Err(Unreadable::DocumentType));
    for end in 0..whole.len() {
        assert!(!matches!(parse(&whole.as_bytes()[..end]), Ok(Some(_))), "cut at {end}");
    }
}
