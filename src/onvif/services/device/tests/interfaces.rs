use std::sync::Arc;

use super::{
    network::{all_refused, dns, hostname},
    *,
};
use crate::host::{Linux, Manage};

fn interface(token: &str, inner: &str) -> String {
    format!(
        "<tds:SetNetworkInterfaces><tds:InterfaceToken>{token}</tds:InterfaceToken>\
         <tds:NetworkInterface>{inner}</tds:NetworkInterface></tds:SetNetworkInterfaces>"
    )
}

fn family(family: &str, address: &str, prefix: i32, dhcp: &str) -> String {
    let manual =
        format!("<tt:Manual><tt:Address>{address}</tt:Address><tt:PrefixLength>{prefix}</tt:PrefixLength></tt:Manual>");
    let manual = if address.is_empty() { String::new() } else { manual };
    format!("<tt:{family}><tt:Enabled>true</tt:Enabled>{manual}<tt:DHCP>{dhcp}</tt:DHCP></tt:{family}>")
}

async fn only(scene: &Scene) -> Element {
    let answer = told(scene, "<tds:GetNetworkInterfaces/>").await;
    let mut interfaces = answer.elements();
    let only = interfaces.next().unwrap().clone();
    assert!(interfaces.next().is_none(), "a recorder takes one hardware address for one camera");
    only
}

#[tokio::test]
async fn the_interface_has_the_hardware_address_of_the_scopes() {
    // DEVICE-2-1-17
    let scene = Scene::new();
    let mac = at(&only(&scene).await, "Info/HwAddress")[0].clone();
    let scopes = told(&scene, "<tds:GetScopes/>").await;
    let scope = format!("onvif://www.onvif.org/MacAddress/{mac}");
    assert!(at(&scopes, "Scopes/ScopeItem").contains(&scope), "{scope}");
}

#[tokio::test]
async fn the_interface_is_set_and_read() {
    // DEVICE-2-1-18 to DEVICE-2-1-21
    let scene = Scene::new();
    let token = only(&scene).await.attribute("token").unwrap().to_owned();
    let wanted = "<tt:MTU>1400</tt:MTU>".to_owned()
        + &family("IPv4", "192.0.2.7", 24, "false")
        + &family("IPv6", "2001:db8::7", 64, "Off");
    let answer = told(&scene, &interface(&token, &wanted)).await;
    assert_eq!(at(&answer, "RebootNeeded"), ["true"]);
    all_refused(
        &scene,
        &[
            (interface("nowhere", &wanted), "InvalidArgVal/InvalidNetworkInterface"),
            (interface(&token, &family("IPv4", "10.1.1", 24, "false")), "InvalidArgVal/InvalidIPv4Address"),
            (interface(&token, &family("IPv4", "10.1.1.1", 33, "false")), "InvalidArgVal/InvalidIPv4Address"),
            (interface(&token, &family("IPv4", "0.0.0.0", 24, "false")), "InvalidArgVal/InvalidIPv4Address"),
            (interface(&token, &family("IPv6", "2001:1", 64, "Off")), "InvalidArgVal/InvalidIPv6Address"),
            (interface(&token, &family("IPv6", "", 0, "Sometimes")), "InvalidArgVal"),
            (interface(&token, "<tt:MTU>-1</tt:MTU>"), "InvalidArgVal/InvalidMtuValue"),
            (interface(&token, "<tt:MTU>20</tt:MTU>"), "InvalidArgVal/InvalidMtuValue"),
            (interface(&token, "<tt:Link/>"), "InvalidArgVal/InvalidInterfaceSpeed"),
            (interface(&token, "<tt:Enabled>false</tt:Enabled>"), "InvalidArgVal"),
        ],
    )
    .await;
    for (inner, expected) in [
        (family("IPv6", "", 0, "Stateful"), "500 Receiver/ActionNotSupported/InvalidDHCPv6"),
        (
            "<tt:IPv6><tt:AcceptRouterAdvert>true</tt:AcceptRouterAdvert></tt:IPv6>".into(),
            "500 Receiver/ActionNotSupported",
        ),
        ("<tt:Extension><tt:Dot11/></tt:Extension>".into(), "500 Receiver/ActionNotSupported/InvalidDot11"),
    ] {
        assert_eq!(refused(&scene, ADMIN, &interface(&token, &inner)).await, expected, "{inner}");
    }
    let set = only(&scene).await;
    let start = "NetworkInterfaces(Enabled Info(Name HwAddress MTU) IPv4(Enabled Config(Manual(Address PrefixLength) ";
    assert!(outline(&set).starts_with(start), "{}", outline(&set));
    for (path, expected) in [
        ("Info/MTU", "1400"),
        ("IPv4/Config/Manual/Address", "192.0.2.7"),
        ("IPv4/Config/DHCP", "false"),
        ("IPv6/Config/Manual/Address", "2001:db8::7"),
        ("IPv6/Config/DHCP", "Off"),
    ] {
        assert_eq!(at(&set, path), [expected], "{path}");
    }
    told(&scene, &interface(&token, &family("IPv4", "", 0, "true"))).await;
    let set = only(&scene).await;
    assert_eq!((at(&set, "IPv4/Config/DHCP"), at(&set, "IPv4/Config/Manual").len()), (vec!["true".into()], 0));
}

#[tokio::test]
async fn a_machine_that_is_not_ours_says_so() {
    let scene = Scene::on(Arc::new(Linux::new(Manage::No)));
    let token = only(&scene).await.attribute("token").unwrap().to_owned();
    for body in [
        hostname("camera"),
        dns(false, ""),
        "<tds:SetNetworkDefaultGateway/>".into(),
        interface(&token, "<tt:MTU>1400</tt:MTU>"),
    ] {
        assert_eq!(refused(&scene, ADMIN, &body).await, "500 Receiver/ActionNotSupported", "{body}");
    }
}
