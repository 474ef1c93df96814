//! Network interfaces: their addresses, by hand, by DHCP and by routers (ONVIF Base Device Test Specification, sections 5
//! and 7.2, annexes A.8 and A.12 to A.15).
//!
//! A device that takes another address, or loses its gateway, can be lost. So an address is only changed where the device is on
//! the network next to us, by one that nobody has; DHCP is only switched off there, too, since the gateway may be from DHCP;
//! it is only switched on where it was on before, since nothing tells whether there is a server; and the addresses by which we
//! reach the device are left alone where that is not what the case is about.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    thread,
    time::Duration,
};

use super::{
    network::{BAD_V4, BAD_V6, GOOD_V4, GOOD_V6, is_same},
    unchanged::unchanged,
};
use crate::{
    case::{
        Case,
        When::{Changes, Last, Reads},
        case,
    },
    discovery::{
        client::{Client, Heard, Listener, is_hello},
        place::Place,
        restart::{REBOOT, RETURN, answers, answers_at},
    },
    feature::Feature,
    soap::{Call, split},
    test::{CLEAN_UP, Test},
    verdict::{Outcome, Stop},
    xml::Element,
};

/// How long a device may take to act on a setting.
const OPERATION_DELAY: Duration = Duration::from_secs(10);
/// How long a Hello from a new address may come after one from the old.
const SETTLE: Duration = Duration::from_secs(5);

/// The cases that are written.
pub(super) fn cases() -> Vec<Case> {
    vec![
        case("IPCONFIG-1-1-3", Last, dhcp),
        case("IPCONFIG-1-1-5", Changes, zero_configuration),
        case("IPCONFIG-2-1-2", Last, router_advertisement),
        case("IPCONFIG-2-1-3", Last, neighbour_discovery),
        case("IPCONFIG-2-1-4", Last, stateful),
        case("DEVICE-2-1-17", Reads, |t| interfaces(t, "3").map(drop)),
        case("DEVICE-2-1-18", Last, manual_v4),
        case("DEVICE-2-1-19", Last, manual_v6),
        case("DEVICE-2-1-20", Changes, |t| bad_address(t, Family::V4)),
        case("DEVICE-2-1-21", Changes, |t| bad_address(t, Family::V6)),
    ]
}

/// A version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    /// As it stands in the names of elements.
    pub(super) fn name(self) -> &'static str {
        if self == Self::V4 { "IPv4" } else { "IPv6" }
    }

    pub(super) fn good(self) -> &'static str {
        if self == Self::V4 { GOOD_V4 } else { GOOD_V6 }
    }

    pub(super) fn bad(self) -> &'static str {
        if self == Self::V4 { BAD_V4 } else { BAD_V6 }
    }
}

/// Takes the steps of a case whose prerequisite is that DHCP is off. It is only switched off where they fail with it: that
/// needs a restart of many a device, and puts its address at risk.
pub(super) fn as_it_is_or_without_dhcp(
    t: &mut Test<'_>,
    family: Family,
    steps: impl Fn(&mut Test<'_>) -> Outcome,
) -> Outcome {
    let failed = match steps(t) {
        Err(Stop::Failed(failed)) => failed,
        other => return other,
    };
    let before = current(t)?;
    if !has_dhcp(&before, family) {
        return Err(Stop::Failed(failed));
    }
    if !is_beside(t)? {
        t.note("DHCP is not switched off: the device is reached by its gateway, which it may have from there");
        return Err(Stop::Failed(failed));
    }
    t.note(format!("with DHCP: {failed}; now without"));
    // What it has set though it refused must not be there already when it refuses again.
    t.put_back()?;
    match switch_off_dhcp(t, family, &before) {
        Ok(()) => steps(t),
        // What counts is how the device failed before.
        Err(Stop::Failed(other)) => {
            t.note(format!("DHCP cannot be switched off: {other}"));
            Err(Stop::Failed(failed))
        }
        other => other,
    }
}

/// Switches DHCP off, and leaves the interface the address that it has (annexes A.13 and A.15).
fn switch_off_dhcp(t: &mut Test<'_>, family: Family, before: &Element) -> Outcome {
    t.step("prerequisite", "DHCP is switched off");
    let client = Client::new(t)?;
    let name = family.name();
    let leased = before.at(&format!("{name}/Config/FromDHCP"));
    let address = leased.map(|leased| leased.renamed("tt", "Manual")).unwrap_or_default();
    let off = if family == Family::V4 { "false" } else { "Off" };
    let body = format!("<tt:{name}><tt:Enabled>true</tt:Enabled>{address}<tt:DHCP>{off}</tt:DHCP></tt:{name}>");
    let url = t.device.url().to_owned();
    let listener = client.listen(t)?;
    restore_afterwards(t, &client, before, None);
    if apply(t, &url, before.token(), &body)? {
        listener.hear(t, RETURN, is_hello)?;
    }
    answers(t)
}

/// Whether the interface has its addresses by DHCP.
pub(super) fn with_dhcp(t: &mut Test<'_>) -> Outcome<bool> {
    let now = current(t)?;
    Ok(has_dhcp(&now, Family::V4) || has_dhcp(&now, Family::V6))
}

fn has_dhcp(interface: &Element, family: Family) -> bool {
    match family {
        Family::V4 => interface.bool_at("IPv4/Config/DHCP") == Some(true),
        Family::V6 => interface.text_at("IPv6/Config/DHCP").is_some_and(|kind| kind != "Off"),
    }
}

/// Whether the device is on a network that we are on too, so that no gateway stands between.
pub(super) fn is_beside(t: &mut Test<'_>) -> Outcome<bool> {
    let place = place(t)?;
    let now = current(t)?;
    let prefix = prefix_of(&now, place.device.ip());
    Ok(place.is_here() || prefix.is_some_and(|prefix| same_network(place.device.ip(), place.local, prefix)))
}

fn place(t: &Test<'_>) -> Outcome<Place> {
    Place::of(t.device.url()).map_err(|error| t.failed("a route to the device", format!("{error:#}")))
}

/// Reads the interfaces, and demands that they are some, each with a name and with proper addresses.
fn interfaces(t: &mut Test<'_>, step: &str) -> Outcome<Vec<Element>> {
    let url = t.device.url().to_owned();
    interfaces_at(t, step, &url)
}

fn interfaces_at(t: &mut Test<'_>, step: &str, url: &str) -> Outcome<Vec<Element>> {
    t.step(step, "GetNetworkInterfaces lists the interfaces");
    let answer = t.ask_by(&Call::new("<tds:GetNetworkInterfaces/>").to(url))?;
    let all: Vec<Element> = answer.all("NetworkInterfaces").cloned().collect();
    t.demand(!all.is_empty(), "a list of interfaces", "none")?;
    for interface in &all {
        t.demand(!interface.token().is_empty(), "a token", interface.to_xml())?;
        for family in [Family::V4, Family::V6] {
            let wrong =
                addresses(interface, family).into_iter().find(|(address, prefix)| !is_valid(address, *prefix, family));
            t.demand(wrong.is_none(), format!("addresses of {}", family.name()), format!("{wrong:?}"))?;
        }
    }
    Ok(all)
}

/// The addresses of an interface with their prefixes.
fn addresses(interface: &Element, family: Family) -> Vec<(String, Option<u8>)> {
    let config = interface.at(&format!("{}/Config", family.name()));
    let all = config.into_iter().flat_map(|config| &config.children).filter(|one| one.at("Address").is_some());
    all.map(|one| (one.text_or_empty("Address").to_owned(), one.number_at("PrefixLength"))).collect()
}

/// Whether an address can be an interface's, or is empty (annex A.10).
fn is_valid(address: &str, prefix: Option<u8>, family: Family) -> bool {
    let empty = ["", "0.0.0.0", "::"].contains(&address);
    empty
        || match family {
            Family::V4 => address.parse::<Ipv4Addr>().is_ok() && prefix.is_some_and(|prefix| prefix <= 32),
            Family::V6 => address.parse::<Ipv6Addr>().is_ok() && prefix.is_some_and(|prefix| prefix <= 128),
        }
}

fn prefix_of(interface: &Element, ip: IpAddr) -> Option<u8> {
    let family = if ip.is_ipv4() { Family::V4 } else { Family::V6 };
    addresses(interface, family).into_iter().find(|(own, _)| is_same(own, &ip.to_string()))?.1
}

fn same_network(one: IpAddr, other: IpAddr, prefix: u8) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u32::from(one) ^ u32::from(other)).checked_shr(32 - u32::from(prefix.min(32))).unwrap_or(0) == 0
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            (u128::from(one) ^ u128::from(other)).checked_shr(128 - u32::from(prefix.min(128))).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// The interface that has the address by which we reach the device, or else the first.
fn current(t: &mut Test<'_>) -> Outcome<Element> {
    let ip = place(t)?.device.ip();
    let all = interfaces(t, "interface")?;
    let own = all.iter().find(|one| prefix_of(one, ip).is_some()).or(all.first());
    t.some(own.cloned(), "an interface")
}

fn named(t: &mut Test<'_>, step: &str, url: &str, token: &str) -> Outcome<Element> {
    let all = interfaces_at(t, step, url)?;
    t.some(all.into_iter().find(|one| one.token() == token), &format!("the interface {token}"))
}

fn setting(token: &str, content: &str) -> String {
    format!(
        "<tds:SetNetworkInterfaces><tds:InterfaceToken>{}</tds:InterfaceToken><tds:NetworkInterface>{content}\
         </tds:NetworkInterface></tds:SetNetworkInterfaces>",
        crate::xml::escape(token)
    )
}

/// Sets an interface, and restarts the device if it asks for that; says whether it did.
fn apply(t: &mut Test<'_>, url: &str, token: &str, content: &str) -> Outcome<bool> {
    let answer = t.ask_by(&Call::new(setting(token, content)).to(url))?;
    let restart = t.some(answer.bool_at("RebootNeeded"), "RebootNeeded")?;
    if restart {
        t.ask_by(&Call::new("<tds:SystemReboot/>").to(url))?;
    }
    Ok(restart)
}

/// Puts an interface back when the case is over (annex A.8), at the address where the device is then: the one that it was
/// given, if it took that, or its own.
fn restore_afterwards(t: &mut Test<'_>, client: &Client, before: &Element, moved: Option<String>) {
    let (client, token, content) = (client.clone(), before.token().to_owned(), as_it_was(before));
    t.afterwards_do(move |t| {
        let own = t.device.url().to_owned();
        let answers_there = |t: &Test<'_>, url: &str| {
            let call = Call::new("<tds:GetSystemDateAndTime/>").to(url);
            call.send(t.device).is_ok_and(|answer| answer.body().is_some())
        };
        let url = moved.filter(|url| answers_there(t, url)).unwrap_or(own);
        put_back_at(t, &client, &url, (&token, &content))
    });
}

/// Sets an interface to what it was, and waits until the device is there again, if it restarts for that.
fn put_back_at(t: &mut Test<'_>, client: &Client, url: &str, (token, content): (&str, &str)) -> Outcome {
    let listener = client.listen(t)?;
    answers_at(t, url)?;
    if apply(t, url, token, content)? {
        listener.hear(t, RETURN, is_hello)?;
    }
    answers(t)
}

/// What sets an interface to what it was.
fn as_it_was(before: &Element) -> String {
    let text = |path: &str, name: &str| {
        before.text_at(path).map(|text| format!("<tt:{name}>{text}</tt:{name}>")).unwrap_or_default()
    };
    let link = before.at("Link/AdminSettings").map(|link| link.renamed("tt", "Link")).unwrap_or_default();
    let family = |name: &str, more: &str| {
        let Some(config) = before.at(&format!("{name}/Config")) else { return String::new() };
        let enabled = text(&format!("{name}/Enabled"), "Enabled");
        let manual: String = config.all("Manual").map(Element::to_xml).collect();
        let dhcp = text(&format!("{name}/Config/DHCP"), "DHCP");
        format!("<tt:{name}>{enabled}{more}{manual}{dhcp}</tt:{name}>")
    };
    let routers = text("IPv6/Config/AcceptRouterAdvert", "AcceptRouterAdvert");
    let (enabled, mtu) = (text("Enabled", "Enabled"), text("Info/MTU", "MTU"));
    format!("{enabled}{link}{mtu}{}{}", family("IPv4", ""), family("IPv6", &routers))
}

fn bad_address(t: &mut Test<'_>, family: Family) -> Outcome {
    let (name, address) = (family.name(), family.bad());
    let before = interfaces(t, "3")?;
    let interface = before.iter().find(|one| family == Family::V4 || one.at(name).is_some());
    let interface = t.some(interface, "an interface of the family")?.clone();
    t.step("5", &format!("SetNetworkInterfaces with {address} is refused"));
    let prefix = if family == Family::V4 { 24 } else { 64 };
    let content = format!(
        "<tt:{name}><tt:Enabled>true</tt:Enabled><tt:Manual><tt:Address>{address}</tt:Address>\
         <tt:PrefixLength>{prefix}</tt:PrefixLength></tt:Manual></tt:{name}>"
    );
    let (token, restore) = (interface.token().to_owned(), as_it_was(&interface));
    let call = Call::new(setting(&token, &content));
    t.afterwards_do(move |t| {
        let url = t.device.url().to_owned();
        if named(t, CLEAN_UP, &url, &token)? == interface {
            return Ok(());
        }
        let client = Client::new(t)?;
        put_back_at(t, &client, &url, (&token, &restore))
    });
    let code = format!("env:Sender/ter:InvalidArgVal/ter:Invalid{name}Address");
    t.refused(&call, &[&code])?;
    let after = interfaces(t, "7")?;
    t.step("8", "the interfaces are what they were");
    unchanged(t, "the interfaces", &before, &after)
}

fn zero_configuration(t: &mut Test<'_>) -> Outcome {
    let all = interfaces(t, "3")?;
    let token = t.some(all.first(), "an interface")?.token().to_owned();
    t.step("6", "GetZeroConfiguration tells the settings");
    let read = |t: &mut Test<'_>| {
        let answer = t.ask("<tds:GetZeroConfiguration/>")?;
        t.some(answer.at("ZeroConfiguration").cloned(), "ZeroConfiguration")
    };
    let set = |token: &str, enabled: bool| {
        let token = crate::xml::escape(token);
        format!(
            "<tds:SetZeroConfiguration><tds:InterfaceToken>{token}</tds:InterfaceToken><tds:Enabled>{enabled}</tds:Enabled>\
             </tds:SetZeroConfiguration>"
        )
    };
    let before = read(t)?;
    t.step("8", "SetZeroConfiguration switches it on");
    t.afterwards(set(before.text_or_empty("InterfaceToken"), before.bool_at("Enabled").unwrap_or(false)));
    t.ask(set(&token, true))?;
    t.step("10", "the device gets its time");
    thread::sleep(OPERATION_DELAY);
    t.step("11", "GetZeroConfiguration tells the address");
    let after = read(t)?;
    t.step("13", "it is on, for that interface, with an address");
    t.same("Enabled", Some(true), after.bool_at("Enabled"))?;
    t.same("InterfaceToken", token.as_str(), after.text_or_empty("InterfaceToken"))?;
    let told = after.texts("Addresses");
    let local = |text: &&str| text.parse::<Ipv4Addr>().is_ok_and(|address| address.is_link_local());
    t.demand(told.iter().any(local), "an address of 169.254.0.0/16", format!("{told:?}"))
}

/// Waits for the Hello that follows a change of an interface, and demands what it has to tell.
fn hello(t: &mut Test<'_>, listener: &Listener<'_>) -> Outcome {
    if !t.has(Feature::Discovery) {
        thread::sleep(SETTLE);
        return answers(t);
    }
    let heard = listener.hear(t, REBOOT, is_hello)?;
    tells_where(t, heard)?;
    answers(t)
}

fn tells_where(t: &Test<'_>, heard: Option<Heard>) -> Outcome {
    let told = t.some(heard.and_then(|heard| heard.device), "a Hello from the address that was set")?;
    t.demand(told.types.is_some_and(|types| !types.is_empty()), "Types in the Hello", "none")?;
    t.demand(told.xaddrs.is_some_and(|xaddrs| !xaddrs.is_empty()), "XAddrs in the Hello", "none")
}

/// Sets IPv6 of the first interface that has it, sees the device come back, and gives the interface before and after. The
/// numbers are those of the steps from the request on.
fn set_v6(
    t: &mut Test<'_>,
    [set, hears, read, demands]: [&str; 4],
    allowed: impl Fn(&Element) -> Result<(), &'static str>,
    content: impl Fn(&Element) -> String,
) -> Outcome<(Element, Element)> {
    let all = interfaces(t, "3")?;
    let before = t.some(all.into_iter().find(|one| one.at("IPv6").is_some()), "an interface with IPv6")?;
    if let Err(reason) = allowed(&before) {
        return t.skip(reason);
    }
    let client = Client::new(t)?;
    if client.place.device.is_ipv6() {
        return t.skip("the device is reached by the addresses that this case changes");
    }
    t.step(set, "SetNetworkInterfaces sets IPv6");
    restore_afterwards(t, &client, &before, None);
    let listener = client.listen(t)?;
    let url = t.device.url().to_owned();
    let content = format!("<tt:Enabled>true</tt:Enabled><tt:IPv6>{}</tt:IPv6>", content(&before));
    apply(t, &url, before.token(), &content)?;
    t.step(hears, "the device says Hello");
    hello(t, &listener)?;
    let after = named(t, read, &url, before.token())?;
    t.step(demands, "IPv6 is on, and as it was set");
    t.same("IPv6/Enabled", Some(true), after.bool_at("IPv6/Enabled"))?;
    t.some(after.at("IPv6/Config"), "IPv6/Config")?;
    Ok((before, after))
}

fn router_advertisement(t: &mut Test<'_>) -> Outcome {
    let content =
        "<tt:Enabled>true</tt:Enabled><tt:AcceptRouterAdvert>true</tt:AcceptRouterAdvert><tt:DHCP>Off</tt:DHCP>";
    let (before, after) = set_v6(t, ["6", "9", "11", "14"], |_| Ok(()), |_| content.into())?;
    t.demand(
        after.bool_at("IPv6/Config/AcceptRouterAdvert") != Some(false),
        "AcceptRouterAdvert true",
        "AcceptRouterAdvert false",
    )?;
    t.same("DHCP", "Off", after.text_or_empty("IPv6/Config/DHCP"))?;
    if after.at("IPv6/Config/FromRA").is_none() && before.at("IPv6/Config/FromRA").is_none() {
        return t.skip("no router seems to advertise itself to the device here");
    }
    t.some(after.at("IPv6/Config/FromRA"), "an address FromRA").map(drop)
}

fn neighbour_discovery(t: &mut Test<'_>) -> Outcome {
    let content = "<tt:Enabled>true</tt:Enabled><tt:DHCP>Off</tt:DHCP>";
    let (_, after) = set_v6(t, ["6", "9", "11", "14"], |_| Ok(()), |_| content.into())?;
    t.some(after.at("IPv6/Config/LinkLocal"), "an address LinkLocal")?;
    t.same("DHCP", "Off", after.text_or_empty("IPv6/Config/DHCP"))
}

fn stateful(t: &mut Test<'_>) -> Outcome {
    let served = |before: &Element| {
        let leased = before.at("IPv6/Config/FromDHCP").is_some();
        if leased { Ok(()) } else { Err("no server seems to give the device an address by DHCPv6 here") }
    };
    let content = "<tt:Enabled>true</tt:Enabled><tt:DHCP>Stateful</tt:DHCP>";
    let (_, after) = set_v6(t, ["7", "10", "12", "15"], served, |_| content.into())?;
    t.some(after.at("IPv6/Config/FromDHCP"), "an address FromDHCP")?;
    t.same("DHCP", "Stateful", after.text_or_empty("IPv6/Config/DHCP"))
}

fn manual_v6(t: &mut Test<'_>) -> Outcome {
    let content = |before: &Element| {
        let routers = before.at("IPv6/Config/AcceptRouterAdvert").map(Element::to_xml).unwrap_or_default();
        format!(
            "<tt:Enabled>true</tt:Enabled>{routers}<tt:Manual><tt:Address>{GOOD_V6}</tt:Address>\
             <tt:PrefixLength>64</tt:PrefixLength></tt:Manual><tt:DHCP>Off</tt:DHCP>"
        )
    };
    let (_, after) = set_v6(t, ["6", "9", "11", "14"], |_| Ok(()), content)?;
    demand_manual(t, &after, Family::V6, GOOD_V6)?;
    t.same("DHCP", "Off", after.text_or_empty("IPv6/Config/DHCP"))
}

/// Demands that an address given by hand is the one that was set, and no other is there.
fn demand_manual(t: &Test<'_>, interface: &Element, family: Family, address: &str) -> Outcome {
    let config = t.some(interface.at(&format!("{}/Config", family.name())), "the configuration")?;
    let told: Vec<&str> = config.all("Manual").map(|one| one.text_or_empty("Address")).collect();
    let same = told.len() == 1 && is_same(told[0], address);
    t.demand(same, format!("Manual {address} and no other"), format!("{told:?}"))
}

/// An address for the device to move to: in its network, and nobody's.
struct Elsewhere {
    client: Client,
    before: Element,
    ip: Ipv4Addr,
    prefix: u8,
    url: String,
}

impl Elsewhere {
    /// Finds one, or ends the case: the device must be another machine in a network that we are in.
    fn find(t: &mut Test<'_>, before: &Element) -> Outcome<Self> {
        let client = Client::new(t)?;
        let place = client.place;
        let (IpAddr::V4(own), IpAddr::V4(local)) = (place.device.ip(), place.local) else {
            return t.skip("the device is not reached by IPv4");
        };
        if place.is_here() {
            return t.skip("the device is on this very machine, which shall keep its address");
        }
        let Some(prefix) = prefix_of(before, own.into()).filter(|prefix| (8..=30).contains(prefix)) else {
            return t.skip(format!("the device does not say that it has the address {own} by which it is reached"));
        };
        if !same_network(own.into(), local.into(), prefix) {
            return t.skip("there is a gateway between, and the device would be lost at another address");
        }
        let Some(ip) = candidates(own, prefix).find(|ip| *ip != local && is_free(*ip)) else {
            return t.skip("no address is free in the network of the device");
        };
        let url = t.device.url().to_owned();
        let (authority, path) = split(&url)?;
        let port = authority.rsplit(':').next().unwrap_or("80");
        let url = format!("http://{ip}:{port}{path}");
        Ok(Self { client, before: before.clone(), ip, prefix, url })
    }

    /// Lets the device move there, and waits for its Hello from there.
    fn go(&self, t: &mut Test<'_>, [set, hears]: [&str; 2], more: &str) -> Outcome {
        t.step(set, &format!("SetNetworkInterfaces sets the address {}", self.ip));
        restore_afterwards(t, &self.client, &self.before, Some(self.url.clone()));
        let listener = self.client.listen(t)?;
        let content = format!(
            "<tt:IPv4><tt:Enabled>true</tt:Enabled><tt:Manual><tt:Address>{}</tt:Address><tt:PrefixLength>{}\
             </tt:PrefixLength></tt:Manual><tt:DHCP>false</tt:DHCP></tt:IPv4>{more}",
            self.ip, self.prefix
        );
        let url = t.device.url().to_owned();
        apply(t, &url, self.before.token(), &content)?;
        t.step(hears, "the device says Hello from there");
        if t.has(Feature::Discovery) {
            let first = listener.hear(t, REBOOT, is_hello)?;
            let there = |heard: &Heard| is_hello(heard) && heard.from.ip() == IpAddr::V4(self.ip);
            let heard = match first {
                Some(heard) if there(&heard) => Some(heard),
                // It may speak from its old address once more.
                _ => listener.hear(t, SETTLE, there)?,
            };
            tells_where(t, heard)?;
        }
        answers_at(t, &self.url)
    }
}

/// Addresses next to one, in its network.
fn candidates(own: Ipv4Addr, prefix: u8) -> impl Iterator<Item = Ipv4Addr> {
    let hosts = (1_u32 << (32 - u32::from(prefix))) - 1;
    let (network, host) = (u32::from(own) & !hosts, u32::from(own) & hosts);
    (1..hosts.min(64))
        .map(move |step| (host + step) % hosts)
        .filter(|host| *host != 0)
        .map(move |host| (network | host).into())
}

/// Whether nobody in this network has an address: the system asked for its hardware address, and got no answer.
fn is_free(ip: Ipv4Addr) -> bool {
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)) else { return false };
    // The port of those who discard what they get; it is the question before it that counts.
    if socket.send_to(b"", (ip, 9)).is_err() {
        return false;
    }
    thread::sleep(Duration::from_secs(1));
    is_unanswered(&fs::read_to_string("/proc/net/arp").unwrap_or_default(), ip)
}

/// Whether the table of hardware addresses, as Linux shows it, has a question for an address and no answer.
fn is_unanswered(table: &str, ip: Ipv4Addr) -> bool {
    let ip = ip.to_string();
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(&ip));
    line.is_some_and(|line| line.split_whitespace().nth(2) == Some("0x0"))
}

fn manual_v4(t: &mut Test<'_>) -> Outcome {
    let all = interfaces(t, "3")?;
    let before = t.some(all.first(), "an interface")?.clone();
    let elsewhere = Elsewhere::find(t, &before)?;
    elsewhere.go(t, ["6", "9"], "")?;
    let after = named(t, "11", &elsewhere.url, before.token())?;
    t.step("14", "IPv4 is on, with the address that was set");
    t.same("IPv4/Enabled", Some(true), after.bool_at("IPv4/Enabled"))?;
    demand_manual(t, &after, Family::V4, &elsewhere.ip.to_string())?;
    t.same("DHCP", Some(false), after.bool_at("IPv4/Config/DHCP"))
}

fn dhcp(t: &mut Test<'_>) -> Outcome {
    let all = interfaces(t, "4")?;
    let before = t.some(all.first(), "an interface")?.clone();
    if !has_dhcp(&before, Family::V4) {
        return t.skip("the device has no address by DHCP, and nothing tells whether a server would give it one");
    }
    let elsewhere = Elsewhere::find(t, &before)?;
    let without_v6 = "<tt:IPv6><tt:Enabled>false</tt:Enabled></tt:IPv6>";
    elsewhere.go(t, ["7.1", "7.4"], without_v6)?;
    t.step("8", "SetNetworkInterfaces leaves the address to DHCP");
    let listener = elsewhere.client.listen(t)?;
    let content = format!("<tt:IPv4><tt:Enabled>true</tt:Enabled><tt:DHCP>true</tt:DHCP></tt:IPv4>{without_v6}");
    apply(t, &elsewhere.url, before.token(), &content)?;
    t.step("11", "the device says Hello, with types and addresses");
    let heard = listener.hear(t, REBOOT, is_hello)?;
    let xaddr = heard.as_ref().and_then(|heard| heard.device.as_ref()?.xaddrs.as_ref()?.first().cloned());
    tells_where(t, heard)?;
    let url = t.some(xaddr, "XAddrs in the Hello")?;
    answers_at(t, &url)?;
    let after = named(t, "14", &url, before.token())?;
    t.step("17", "IPv4 is on, with an address by DHCP");
    t.same("IPv4/Enabled", Some(true), after.bool_at("IPv4/Enabled"))?;
    t.some(after.at("IPv4/Config/FromDHCP"), "an address FromDHCP")?;
    t.same("DHCP", Some(true), after.bool_at("IPv4/Config/DHCP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_in_the_network_and_other_than_its_ends() {
        let all: Vec<String> = candidates(Ipv4Addr::new(192, 0, 2, 2), 30).map(|ip| ip.to_string()).collect();
        assert_eq!(all, ["192.0.2.1"]);
        let first = candidates(Ipv4Addr::new(192, 0, 2, 254), 24).next().unwrap();
        assert_eq!(first, Ipv4Addr::new(192, 0, 2, 1));
        assert!(candidates(Ipv4Addr::new(192, 0, 2, 200), 24).all(|ip| ip.octets()[3] != 0 && ip.octets()[3] != 255));
    }

    #[test]
    fn an_address_is_free_when_its_question_has_no_answer() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     192.0.2.7        0x1         0x0         00:00:00:00:00:00     *        eth0\n\
                     192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0\n";
        assert!(is_unanswered(table, Ipv4Addr::new(192, 0, 2, 7)));
        assert!(
            !is_unanswered(table, Ipv4Addr::new(192, 0, 2, 1)) && !is_unanswered(table, Ipv4Addr::new(192, 0, 2, 8))
        );
    }

    #[test]
    fn networks_are_told_by_their_prefix() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(same_network(ip("192.0.2.2"), ip("192.0.2.200"), 24));
        assert!(!same_network(ip("192.0.2.2"), ip("192.0.2.200"), 25));
        assert!(same_network(ip("fd00::1"), ip("fd00::2"), 64) && !same_network(ip("fd00::1"), ip("192.0.2.2"), 0));
    }

    #[test]
    fn an_interface_is_put_back_as_it_was_told() {
        let xml = format!(
            "<N xmlns=\"{}\" token=\"e\"><Enabled>true</Enabled><Info><MTU>1500</MTU></Info><IPv4><Enabled>true</Enabled>\
             <Config><FromDHCP><Address>192.0.2.9</Address></FromDHCP><DHCP>true</DHCP></Config></IPv4></N>",
            crate::xml::TT
        );
        let before = Element::parse(xml.as_bytes()).unwrap();
        let expected = "<tt:Enabled>true</tt:Enabled><tt:MTU>1500</tt:MTU><tt:IPv4><tt:Enabled>true</tt:Enabled>\
                        <tt:DHCP>true</tt:DHCP></tt:IPv4>";
        assert_eq!(as_it_was(&before), expected);
        assert!(has_dhcp(&before, Family::V4) && !has_dhcp(&before, Family::V6));
    }
}
