use super::*;

/// Asks for what must fail.
pub(super) async fn all_refused(scene: &Scene, table: &[(String, &str)]) {
    for (body, expected) in table {
        assert_eq!(refused(scene, ADMIN, body).await, format!("400 Sender/{expected}"), "{body}");
    }
}

pub(super) fn hostname(name: &str) -> String {
    format!("<tds:SetHostname><tds:Name>{name}</tds:Name></tds:SetHostname>")
}

#[tokio::test]
async fn the_host_name_is_set_and_read_without_a_user() {
    // DEVICE-2-1-1, DEVICE-2-1-3, DEVICE-2-1-32
    let scene = Scene::new();
    told(&scene, &hostname(" camera-1 ")).await;
    for name in ["Onvif_test1", "a b", "-a"] {
        assert_eq!(refused(&scene, ADMIN, &hostname(name)).await, "400 Sender/InvalidArgVal/InvalidHostname", "{name}");
    }
    let (status, answer) = ask(&scene, None, "<tds:GetHostname/>").await;
    assert_eq!((status, outline(&answer)), (200, "GetHostnameResponse(HostnameInformation(FromDHCP Name))".into()));
    assert_eq!(at(&answer, "HostnameInformation/Name"), ["camera-1"]);
}

pub(super) fn dns(from_dhcp: bool, inner: &str) -> String {
    format!("<tds:SetDNS><tds:FromDHCP>{from_dhcp}</tds:FromDHCP>{inner}</tds:SetDNS>")
}

fn server(element: &str, kind: &str, local: &str, address: &str) -> String {
    format!("<tds:{element}><tt:Type>{kind}</tt:Type><tt:{local}>{address}</tt:{local}></tds:{element}>")
}

#[tokio::test]
async fn name_servers_are_set_and_read() {
    // DEVICE-2-1-4 to DEVICE-2-1-10
    let scene = Scene::new();
    let manual = |kind, local, address| server("DNSManual", kind, local, address);
    let good = "<tds:SearchDomain>a.example</tds:SearchDomain>".to_owned()
        + &manual("IPv4", "IPv4Address", "192.0.2.53")
        + &manual("IPv6", "IPv6Address", "2001:db8::53")
        + &manual("IPv4", "IPv4Address", "0.0.0.0")
        + "<tds:DNSManual><tt:Type>IPv4</tt:Type></tds:DNSManual>";
    told(&scene, &dns(false, &good)).await;
    all_refused(
        &scene,
        &[
            (dns(false, &manual("IPv4", "IPv4Address", "10.1.1")), "InvalidArgVal/InvalidIPv4Address"),
            (dns(false, &manual("IPv4", "IPv4Address", "224.0.0.1")), "InvalidArgVal/InvalidIPv4Address"),
            (dns(false, &manual("IPv6", "IPv6Address", "2001:1:1:1:1:1:1")), "InvalidArgVal/InvalidIPv6Address"),
            (dns(false, &manual("IPX", "IPv6Address", "::1")), "InvalidArgVal"),
            (dns(false, "<tds:DNSManual/>"), "InvalidArgs"),
            (dns(false, "<tds:SearchDomain>a b</tds:SearchDomain>"), "InvalidArgVal"),
        ],
    )
    .await;
    let answer = told(&scene, "<tds:GetDNS/>").await;
    assert_eq!(
        outline(&answer),
        "GetDNSResponse(DNSInformation(FromDHCP SearchDomain DNSManual(Type IPv4Address) DNSManual(Type IPv6Address)))"
    );
    assert_eq!(at(&answer, "DNSInformation/DNSManual/IPv4Address"), ["192.0.2.53"]);
    told(&scene, &dns(true, "")).await;
    let answer = told(&scene, "<tds:GetDNS/>").await;
    assert_eq!(at(&answer, "DNSInformation/FromDHCP"), ["true"]);
    assert!(at(&answer, "DNSInformation/DNSManual").is_empty());
}

#[tokio::test]
async fn time_servers_are_set_and_read() {
    // DEVICE-2-1-11 to DEVICE-2-1-16
    let scene = Scene::new();
    let set = |inner: &str| format!("<tds:SetNTP><tds:FromDHCP>false</tds:FromDHCP>{inner}</tds:SetNTP>");
    let manual = |kind, local, address| server("NTPManual", kind, local, address);
    let good = manual("IPv4", "IPv4Address", "192.0.2.1")
        + &manual("IPv6", "IPv6Address", "2001:db8::1")
        + &manual("DNS", "DNSname", "time.example");
    told(&scene, &set(&good)).await;
    all_refused(
        &scene,
        &[
            (set(&manual("IPv4", "IPv4Address", "10.1.1")), "InvalidArgVal/InvalidIPv4Address"),
            (set(&manual("IPv6", "IPv6Address", "2001:1")), "InvalidArgVal/InvalidIPv6Address"),
            (set(&manual("DNS", "DNSname", "time server")), "InvalidArgVal/InvalidDnsName"),
            (set(&manual("DNS", "DNSname", "")), "InvalidArgVal/InvalidDnsName"),
        ],
    )
    .await;
    let answer = told(&scene, "<tds:GetNTP/>").await;
    assert_eq!(
        outline(&answer),
        "GetNTPResponse(NTPInformation(FromDHCP NTPManual(Type IPv4Address) NTPManual(Type IPv6Address) \
         NTPManual(Type DNSname)))"
    );
}

#[tokio::test]
async fn gateways_are_set_and_read() {
    // DEVICE-2-1-25 to DEVICE-2-1-31
    let scene = Scene::new();
    let set = |local: &str, address: &str| {
        format!("<tds:SetNetworkDefaultGateway><tds:{local}>{address}</tds:{local}></tds:SetNetworkDefaultGateway>")
    };
    told(&scene, &set("IPv4Address", "192.0.2.254")).await;
    all_refused(
        &scene,
        &[
            (set("IPv4Address", "10.1.1"), "InvalidArgVal/InvalidGatewayAddress"),
            (set("IPv4Address", "255.255.255.255"), "InvalidArgVal/InvalidGatewayAddress"),
            (set("IPv6Address", "2001:1"), "InvalidArgVal/InvalidGatewayAddress"),
        ],
    )
    .await;
    let answer = told(&scene, "<tds:GetNetworkDefaultGateway/>").await;
    assert_eq!(outline(&answer), "GetNetworkDefaultGatewayResponse(NetworkGateway(IPv4Address))");
    told(&scene, &set("IPv4Address", "0.0.0.0")).await;
    let answer = told(&scene, "<tds:GetNetworkDefaultGateway/>").await;
    assert_eq!(outline(&answer), "GetNetworkDefaultGatewayResponse(NetworkGateway)");
}

#[tokio::test]
async fn ports_are_told_and_stay_as_they_are() {
    // DEVICE-2-1-33, DEVICE-2-1-35
    let scene = Scene::new();
    let answer = told(&scene, "<tds:GetNetworkProtocols/>").await;
    assert_eq!(outline(answer.elements().next().unwrap()), "NetworkProtocols(Name Enabled Port)");
    assert_eq!(at(&answer, "NetworkProtocols/Name"), ["HTTP", "RTSP"]);
    assert_eq!(at(&answer, "NetworkProtocols/Port"), ["8080", "8554"]);
    let protocol = |name: &str, enabled: bool, port: i32| {
        format!(
            "<tds:NetworkProtocols><tt:Name>{name}</tt:Name><tt:Enabled>{enabled}</tt:Enabled><tt:Port>{port}</tt:Port></tds:NetworkProtocols>"
        )
    };
    let set = |protocols: &str| format!("<tds:SetNetworkProtocols>{protocols}</tds:SetNetworkProtocols>");
    let as_it_is = protocol("HTTP", true, 8080) + &protocol("RTSP", true, 8554) + &protocol("HTTPS", false, 443);
    told(&scene, &set(&as_it_is)).await;
    for (body, expected) in [
        (protocol("HTTPS", true, 10_554), "400 Sender/InvalidArgVal/ServiceNotSupported"),
        (protocol("FTP", false, 21), "400 Sender/InvalidArgVal/ServiceNotSupported"),
        (protocol("RTSP", true, 8080), "400 Sender/InvalidArgVal/PortAlreadyInUse"),
        (protocol("RTSP", true, 0), "400 Sender/InvalidArgVal"),
        (protocol("RTSP", true, 10_554), "500 Receiver/ActionNotSupported"),
        (protocol("RTSP", false, 8554), "500 Receiver/ActionNotSupported"),
        (String::new(), "400 Sender/InvalidArgs"),
    ] {
        assert_eq!(refused(&scene, ADMIN, &set(&body)).await, expected, "{body}");
    }
}
