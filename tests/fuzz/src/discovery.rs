//! What arrives on the discovery port.

use std::{net::IpAddr, sync::Arc, time::Duration};

use belvedere::{
    base::clock::MonoTime,
    camera::Uuid,
    discovery::core::{Device, Link, Mode, Received, Responder, XAddrs, parse},
    host::Address,
};

struct Http;

impl XAddrs for Http {
    fn xaddrs(&self, local: &[IpAddr]) -> Vec<String> {
        local.iter().map(|ip| format!("http://{ip}/onvif/device_service")).collect()
    }
}

/// Any datagram is answered with messages that can be read, are no requests themselves, and go to its sender.
pub fn fuzz_discovery(data: &[u8]) {
    let device = Device {
        id: "cam".into(),
        uuid: Uuid::from_random([1; 16]),
        scopes: vec!["onvif://www.onvif.org/name/a%20b".into()],
        metadata_version: 1,
        mode: Mode::Discoverable,
        xaddrs: Arc::new(Http),
    };
    let mut now = MonoTime::from_nanos(1_000_000_000);
    let mut responder = Responder::new(vec![device], 1, 1);
    let own: IpAddr = [192, 0, 2, 2].into();
    let addresses = vec![Address { ip: own, prefix: 24 }];
    responder.set_links(vec![Link { index: 2, name: "eth0".into(), loopback: false, addresses }], now);
    now = now + Duration::from_secs(2);
    while responder.poll(now).is_some() {}
    now = now + Duration::from_secs(2);
    while responder.poll(now).is_some() {}

    for (port, to) in [(5000, own), (5001, [239, 255, 255, 250].into())] {
        let from = ([192, 0, 2, 9], port).into();
        let expected = responder.receive(Received { bytes: data, from, to, link: 2 }, now).unwrap_or(0);
        let mut answers = 0;
        while let Some(deadline) = responder.deadline() {
            while let Some(transmit) = responder.poll(deadline) {
                assert_eq!(transmit.to, from);
                assert_eq!(parse(&transmit.bytes), Ok(None));
                assert!(!transmit.bytes.iter().any(u8::is_ascii_control));
                answers += 1;
            }
        }
        assert_eq!(answers, expected);
        assert!(answers <= 1);
    }
}
