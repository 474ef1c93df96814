//! Host name, name servers, time servers, gateways and protocols (ONVIF Base Device Test Specification, section 7.2).
//!
//! What a device refuses to set it may refuse to set back, too. So before it is asked only what it has changed is put back;
//! once it has taken it all is, whatever it tells: it may be slow to act.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::{
    interfaces::{Family, as_it_is_or_without_dhcp, is_beside, with_dhcp},
    servers::{address_of, as_before, set_servers},
    unchanged::unchanged,
};
use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    feature::Feature,
    soap::Call,
    test::{CLEAN_UP, Test},
    verdict::Outcome,
    xml::{Element, escape},
};

/// The addresses that the specification sets, and those that it says are none.
pub(super) const GOOD_V4: &str = "10.1.1.1";
pub(super) const GOOD_V6: &str = "2001:1:1:1:1:1:1:1";
pub(super) const BAD_V4: &str = "10.1.1";
pub(super) const BAD_V6: &str = "FF02:1";
const INVALID_V4: &str = "env:Sender/ter:InvalidArgVal/ter:InvalidIPv4Address";
const INVALID_V6: &str = "env:Sender/ter:InvalidArgVal/ter:InvalidIPv6Address";
/// A name of 23 letters, digits and hyphens.
const NAME: &str = "Onvif-Test0-oNvif-Onv12";
/// A port that nothing else uses.
const PORT: &str = "10554";

/// The cases that are written.
pub(super) fn cases() -> Vec<Case> {
    vec![
        case("DEVICE-2-1-1", Reads, |t| hostname(t, "3").map(drop)),
        case("DEVICE-2-1-3", Changes, bad_hostname),
        case("DEVICE-2-1-4", Reads, |t| servers(t, "3", DNS).map(drop)),
        case("DEVICE-2-1-5", Changes, search_domain),
        case("DEVICE-2-1-6", Changes, |t| without_dhcp(t, manual, DNS, Family::V4)),
        case("DEVICE-2-1-7", Changes, |t| without_dhcp(t, manual, DNS, Family::V6)),
        case("DEVICE-2-1-8", Changes, |t| from_dhcp(t, DNS)),
        case("DEVICE-2-1-9", Changes, |t| without_dhcp(t, bad_server, DNS, Family::V4)),
        case("DEVICE-2-1-10", Changes, |t| without_dhcp(t, bad_server, DNS, Family::V6)),
        case("DEVICE-2-1-11", Reads, |t| servers(t, "3", NTP).map(drop)),
        case("DEVICE-2-1-12", Changes, |t| without_dhcp(t, manual, NTP, Family::V4)),
        case("DEVICE-2-1-13", Changes, |t| without_dhcp(t, manual, NTP, Family::V6)),
        case("DEVICE-2-1-14", Changes, |t| from_dhcp(t, NTP)),
        case("DEVICE-2-1-15", Changes, |t| without_dhcp(t, bad_server, NTP, Family::V4)),
        case("DEVICE-2-1-16", Changes, |t| without_dhcp(t, bad_server, NTP, Family::V6)),
        case("DEVICE-2-1-25", Reads, |t| gateways(t, "3").map(drop)),
        case("DEVICE-2-1-28", Changes, |t| bad_gateway(t, Family::V4)),
        case("DEVICE-2-1-29", Changes, |t| bad_gateway(t, Family::V6)),
        case("DEVICE-2-1-30", Changes, |t| gateway(t, Family::V4)),
        case("DEVICE-2-1-31", Changes, |t| gateway(t, Family::V6)),
        case("DEVICE-2-1-32", Changes, good_hostname),
        case("DEVICE-2-1-33", Reads, protocols),
        case("DEVICE-2-1-34", Changes, rtsp_port),
        case("DEVICE-2-1-35", Changes, unsupported_protocol),
        case("DEVICE-2-1-36", Reads, |t| dynamic_dns(t, "3").map(drop)),
        case("DEVICE-2-1-37", Changes, set_dynamic_dns),
    ]
}

fn hostname(t: &mut Test<'_>, step: &str) -> Outcome<Element> {
    t.step(step, "GetHostname tells the name and whether DHCP gave it");
    let answer = t.ask("<tds:GetHostname/>")?;
    let told = t.some(answer.at("HostnameInformation"), "HostnameInformation")?.clone();
    t.some(told.bool_at("FromDHCP"), "FromDHCP")?;
    Ok(told)
}

fn bad_hostname(t: &mut Test<'_>) -> Outcome {
    let bad = "Onvif_test1";
    let before = hostname(t, "3")?;
    t.step("5", "SetHostname with an underscore is refused");
    put_hostname_back_if_changed(t, &before);
    let call = Call::new(format!("<tds:SetHostname><tds:Name>{bad}</tds:Name></tds:SetHostname>"));
    t.refused(&call, &["env:Sender/ter:InvalidArgVal/ter:InvalidHostname"])?;
    let after = hostname(t, "7")?;
    t.step("8", "the name is not the one that was refused");
    t.demand(after.text_or_empty("Name") != bad, "another name", bad)
}

fn good_hostname(t: &mut Test<'_>) -> Outcome {
    let before = hostname(t, "3")?;
    t.step("4", "SetHostname sets a name");
    put_hostname_back_if_changed(t, &before);
    t.ask(format!("<tds:SetHostname><tds:Name>{NAME}</tds:Name></tds:SetHostname>"))?;
    t.afterwards_do(move |t| put_hostname_back(t, &before));
    let after = hostname(t, "6")?;
    t.step("7", "the name is the one that was set, and not from DHCP");
    t.same("FromDHCP", Some(false), after.bool_at("FromDHCP"))?;
    t.same("Name", NAME, after.text_or_empty("Name"))
}

fn put_hostname_back_if_changed(t: &mut Test<'_>, before: &Element) {
    let before = before.clone();
    t.afterwards_do(move |t| {
        let now = hostname(t, CLEAN_UP)?;
        if now == before { Ok(()) } else { put_hostname_back(t, &before) }
    });
}

fn put_hostname_back(t: &mut Test<'_>, before: &Element) -> Outcome {
    if before.bool_at("FromDHCP") == Some(true) {
        let body = "<tds:SetHostnameFromDHCP><tds:FromDHCP>true</tds:FromDHCP></tds:SetHostnameFromDHCP>";
        return t.ask(body).map(drop);
    }
    let name = escape(before.text_or_empty("Name"));
    t.ask(format!("<tds:SetHostname><tds:Name>{name}</tds:Name></tds:SetHostname>")).map(drop)
}

/// Takes steps that the specification takes with DHCP off.
fn without_dhcp(
    t: &mut Test<'_>,
    steps: fn(&mut Test<'_>, Servers, Family) -> Outcome,
    what: Servers,
    family: Family,
) -> Outcome {
    as_it_is_or_without_dhcp(t, family, |t| steps(t, what, family))
}

/// Name servers and time servers are read and set alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Servers {
    /// `DNS` or `NTP`, as it stands in the names of the operations and the lists.
    name: &'static str,
}

const DNS: Servers = Servers { name: "DNS" };
const NTP: Servers = Servers { name: "NTP" };

impl Servers {
    fn manual(self) -> String {
        format!("{}Manual", self.name)
    }

    fn set(self, from_dhcp: bool, rest: &str) -> String {
        set_servers(self.name, from_dhcp, rest)
    }

    fn set_manual(self, family: Family, address: &str) -> String {
        let (list, kind) = (self.manual(), family.name());
        let entry = format!("<tt:Type>{kind}</tt:Type><tt:{kind}Address>{address}</tt:{kind}Address>");
        self.set(false, &format!("<tds:{list}>{entry}</tds:{list}>"))
    }

    /// What sets again what was told.
    fn restore(self, told: &Element) -> String {
        as_before(self.name, told)
    }
}

/// Reads the servers, and demands that all are addresses or names, or empty (annex A.10).
fn servers(t: &mut Test<'_>, step: &str, what: Servers) -> Outcome<Element> {
    let name = what.name;
    t.step(step, &format!("Get{name} tells servers and whether DHCP gave them"));
    let answer = t.ask(format!("<tds:Get{name}/>"))?;
    let told = t.some(answer.at(&format!("{name}Information")), "the information")?.clone();
    t.some(told.bool_at("FromDHCP"), "FromDHCP")?;
    let lists = [what.manual(), format!("{name}FromDHCP")];
    let wrong = told.children.iter().find(|one| lists.contains(&one.name) && !is_server(one));
    t.demand(wrong.is_none(), "addresses of servers", wrong.map(Element::to_xml).unwrap_or_default())?;
    Ok(told)
}

fn search_domain(t: &mut Test<'_>) -> Outcome {
    let before = servers(t, "3", DNS)?;
    t.step("4", "SetDNS sets a search domain");
    put_back_if_changed(t, DNS, &before);
    t.ask(DNS.set(false, "<tds:SearchDomain>domain.name</tds:SearchDomain>"))?;
    t.afterwards(DNS.restore(&before));
    let after = servers(t, "6", DNS)?;
    t.step("7", "it is the one that was set");
    t.same("FromDHCP", Some(false), after.bool_at("FromDHCP"))?;
    t.same("SearchDomain", vec!["domain.name"], after.texts("SearchDomain"))
}

fn manual(t: &mut Test<'_>, what: Servers, family: Family) -> Outcome {
    let before = servers(t, "3", what)?;
    let address = family.good();
    t.step("4", &format!("Set{} sets {address}", what.name));
    put_back_if_changed(t, what, &before);
    t.ask(what.set_manual(family, address))?;
    t.afterwards(what.restore(&before));
    let after = servers(t, "6", what)?;
    t.step("7", "it is the one that was set, and not from DHCP");
    t.same("FromDHCP", Some(false), after.bool_at("FromDHCP"))?;
    let told: Vec<String> = after.all(&what.manual()).filter_map(address_of).collect();
    let same = told.len() == 1 && is_same(&told[0], address);
    t.demand(same, format!("{} {address} and no other", what.manual()), format!("{told:?}"))
}

fn from_dhcp(t: &mut Test<'_>, what: Servers) -> Outcome {
    let dhcp = with_dhcp(t)?;
    let before = servers(t, "3", what)?;
    t.step("4", &format!("Set{} leaves it to DHCP", what.name));
    put_back_if_changed(t, what, &before);
    if let Err(fault) = t.attempt(what.set(true, ""))? {
        if !dhcp {
            return t.skip(format!("the interface has no DHCP, which is not switched on here, and so: {fault}"));
        }
        return Err(t.failed("a response", fault.to_string()));
    }
    t.afterwards(what.restore(&before));
    let after = servers(t, "6", what)?;
    t.step("7", "the device says so");
    t.same("FromDHCP", Some(true), after.bool_at("FromDHCP"))
}

fn bad_server(t: &mut Test<'_>, what: Servers, family: Family) -> Outcome {
    let before = servers(t, "before", what)?;
    let address = family.bad();
    t.step("3", &format!("Set{} with {address} is refused", what.name));
    put_back_if_changed(t, what, &before);
    // The text of DEVICE-2-1-16 prints the code of IPv4, which is a slip: its three siblings and the service itself have
    // that of the family.
    let code = if family == Family::V4 { INVALID_V4 } else { INVALID_V6 };
    t.refused(&Call::new(what.set_manual(family, address)), &[code])?;
    let after = servers(t, "5", what)?;
    t.step("6", "the servers are what they were");
    let told: Vec<String> = after.children.iter().filter_map(address_of).collect();
    t.demand(!told.iter().any(|told| told.eq_ignore_ascii_case(address)), "another address", address)?;
    unchanged(t, "the servers", &[before], &[after])
}

fn put_back_if_changed(t: &mut Test<'_>, what: Servers, before: &Element) {
    let before = before.clone();
    t.afterwards_do(move |t| {
        let now = servers(t, CLEAN_UP, what)?;
        if now == before { Ok(()) } else { t.ask(what.restore(&before)).map(drop) }
    });
}

fn is_server(entry: &Element) -> bool {
    let Some(address) = address_of(entry) else { return true };
    match entry.text_or_empty("Type") {
        "IPv4" => is_address::<Ipv4Addr>(&address),
        "IPv6" => is_address::<Ipv6Addr>(&address),
        kind => kind == "DNS",
    }
}

fn is_address<T: FromStr + Into<IpAddr>>(text: &str) -> bool {
    text.parse::<T>().is_ok_and(|address| {
        let address: IpAddr = address.into();
        !address.is_multicast() && address != IpAddr::V4(Ipv4Addr::BROADCAST)
    })
}

/// Whether two texts are one address: IPv6 can be written in many ways.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one == other || one.parse::<IpAddr>().is_ok_and(|one| Ok(one) == other.parse())
}

/// Reads the gateways, and demands that they are addresses, or empty.
fn gateways(t: &mut Test<'_>, step: &str) -> Outcome<Element> {
    t.step(step, "GetNetworkDefaultGateway tells the gateways");
    let answer = t.ask("<tds:GetNetworkDefaultGateway/>")?;
    let told = t.some(answer.at("NetworkGateway"), "NetworkGateway")?.clone();
    let v4 = ways(&told, Family::V4).into_iter().filter(|way| !is_address::<Ipv4Addr>(way));
    let v6 = ways(&told, Family::V6).into_iter().filter(|way| !is_address::<Ipv6Addr>(way));
    let wrong: Vec<String> = v4.chain(v6).collect();
    t.demand(wrong.is_empty(), "addresses of gateways", wrong.join(" "))?;
    Ok(told)
}

/// The gateways of a family, without the ways to write none.
fn ways(told: &Element, family: Family) -> Vec<String> {
    let all = told.texts(&format!("{}Address", family.name())).into_iter();
    all.filter(|text| !["", "0.0.0.0", "::"].contains(text)).map(str::to_owned).collect()
}

fn set_gateways(told: &Element) -> String {
    let of = |family: Family| {
        let name = family.name();
        let entry = move |way: String| format!("<tds:{name}Address>{way}</tds:{name}Address>");
        ways(told, family).into_iter().map(entry).collect::<String>()
    };
    format!("<tds:SetNetworkDefaultGateway>{}{}</tds:SetNetworkDefaultGateway>", of(Family::V4), of(Family::V6))
}

fn set_gateway(family: Family, address: &str) -> String {
    let name = family.name();
    let entry = format!("<tds:{name}Address>{address}</tds:{name}Address>");
    format!("<tds:SetNetworkDefaultGateway>{entry}</tds:SetNetworkDefaultGateway>")
}

fn bad_gateway(t: &mut Test<'_>, family: Family) -> Outcome {
    let before = gateways(t, "before")?;
    let address = family.bad();
    t.step("3", &format!("SetNetworkDefaultGateway with {address} is refused"));
    put_gateways_back_if_changed(t, &before);
    let call = Call::new(set_gateway(family, address));
    t.refused(&call, &["env:Sender/ter:InvalidArgVal/ter:InvalidGatewayAddress"])?;
    let after = gateways(t, "5")?;
    t.step("6", "the gateways are what they were");
    unchanged(t, "the gateways", &[before], &[after])
}

fn put_gateways_back_if_changed(t: &mut Test<'_>, before: &Element) {
    let before = before.clone();
    t.afterwards_do(move |t| {
        let now = gateways(t, CLEAN_UP)?;
        if now == before { Ok(()) } else { t.ask(set_gateways(&before)).map(drop) }
    });
}

fn gateway(t: &mut Test<'_>, family: Family) -> Outcome {
    if !is_beside(t)? {
        return t.skip("the device is reached by its gateway, without which nobody could put it back");
    }
    as_it_is_or_without_dhcp(t, family, |t| gateway_is_set(t, family))
}

fn gateway_is_set(t: &mut Test<'_>, family: Family) -> Outcome {
    let before = gateways(t, "4")?;
    let address = family.good();
    t.step("6", &format!("SetNetworkDefaultGateway sets {address}"));
    put_gateways_back_if_changed(t, &before);
    t.ask(set_gateway(family, address))?;
    t.afterwards(set_gateways(&before));
    let after = gateways(t, "8")?;
    t.step("9", "it is the one that was set");
    let told = ways(&after, family);
    let same = told.len() == 1 && is_same(&told[0], address);
    t.demand(same, format!("{address} and no other"), format!("{told:?}"))
}

/// Reads the protocols.
fn listed(t: &mut Test<'_>, step: &str) -> Outcome<Element> {
    t.step(step, "GetNetworkProtocols lists the protocols");
    let answer = t.ask("<tds:GetNetworkProtocols/>")?;
    t.some(answer.at("NetworkProtocols"), "NetworkProtocols")?;
    Ok(answer)
}

fn find<'a>(listed: &'a Element, name: &str) -> Option<&'a Element> {
    listed.children.iter().find(|one| one.name == "NetworkProtocols" && one.text_or_empty("Name") == name)
}

fn set_protocol(name: &str, enabled: bool, port: &str) -> String {
    format!(
        "<tds:SetNetworkProtocols><tds:NetworkProtocols><tt:Name>{name}</tt:Name><tt:Enabled>{enabled}</tt:Enabled>\
         <tt:Port>{port}</tt:Port></tds:NetworkProtocols></tds:SetNetworkProtocols>"
    )
}

fn protocols(t: &mut Test<'_>) -> Outcome {
    let listed = listed(t, "3")?;
    t.step("5", "HTTP is one of them");
    t.some(find(&listed, "HTTP"), "HTTP")?;
    t.step("6", "RTSP is one of them where there is something to stream");
    let streams = has_streams(|feature| t.has(feature));
    t.demand(!streams || find(&listed, "RTSP").is_some(), "RTSP", "none")
}

/// Whether a device has Real-time Streaming, of either media service, or Replay: a media service alone need not stream.
fn has_streams(has: impl Fn(Feature) -> bool) -> bool {
    [Feature::Media1Streaming, Feature::Media2Streaming, Feature::Replay].into_iter().any(has)
}

fn rtsp_port(t: &mut Test<'_>) -> Outcome {
    let before = listed(t, "3")?;
    t.step("4", "RTSP is one of them");
    let Some(rtsp) = find(&before, "RTSP") else { return t.skip("the device has no RTSP") };
    t.step("5", "SetNetworkProtocols sets another port for RTSP");
    let restore = rtsp.renamed("tds", "NetworkProtocols");
    t.afterwards(format!("<tds:SetNetworkProtocols>{restore}</tds:SetNetworkProtocols>"));
    t.ask(set_protocol("RTSP", true, PORT))?;
    let after = listed(t, "7")?;
    t.step("8", "it is the one that was set");
    let rtsp = t.some(find(&after, "RTSP"), "RTSP")?;
    t.same("Enabled", Some(true), rtsp.bool_at("Enabled"))?;
    t.same("Port", vec![PORT], rtsp.texts("Port"))?;
    t.step("9", "SetNetworkProtocols switches RTSP off");
    t.ask(set_protocol("RTSP", false, PORT))?;
    let after = listed(t, "11")?;
    t.step("12", "it is off");
    let rtsp = t.some(find(&after, "RTSP"), "RTSP")?;
    t.same("Enabled", Some(false), rtsp.bool_at("Enabled"))?;
    t.some(rtsp.number_at::<i32>("Port"), "a port that is a number").map(drop)
}

fn unsupported_protocol(t: &mut Test<'_>) -> Outcome {
    let before = listed(t, "3")?;
    t.step("5", "one of the known protocols is not among them");
    let Some(name) = ["HTTPS", "RTSP"].into_iter().find(|name| find(&before, name).is_none()) else {
        return t.skip("the device has both HTTPS and RTSP");
    };
    t.step("6", &format!("SetNetworkProtocols with {name} is refused"));
    let code = "env:Sender/ter:InvalidArgVal/ter:ServiceNotSupported";
    t.refused(&Call::new(set_protocol(name, true, PORT)), &[code])?;
    let after = listed(t, "8")?;
    t.step("9", "the protocols are what they were");
    unchanged(t, "the protocols", &[before], &[after])
}

fn dynamic_dns(t: &mut Test<'_>, step: &str) -> Outcome<Element> {
    t.step(step, "GetDynamicDNS tells the settings");
    let answer = t.ask("<tds:GetDynamicDNS/>")?;
    let told = t.some(answer.at("DynamicDNSInformation"), "DynamicDNSInformation")?.clone();
    t.some(told.at("Type"), "Type")?;
    Ok(told)
}

fn set_dynamic_dns_to(kind: &str, name: Option<&str>, life: Option<&str>) -> String {
    let name = name.map(|name| format!("<tds:Name>{}</tds:Name>", escape(name))).unwrap_or_default();
    let life = life.map(|life| format!("<tds:TTL>{life}</tds:TTL>")).unwrap_or_default();
    format!("<tds:SetDynamicDNS><tds:Type>{kind}</tds:Type>{name}{life}</tds:SetDynamicDNS>")
}

fn set_dynamic_dns(t: &mut Test<'_>) -> Outcome {
    let before = dynamic_dns(t, "3")?;
    let life = before.text_at("TTL");
    t.afterwards(set_dynamic_dns_to(before.text_or_empty("Type"), before.text_at("Name"), life));
    t.step("5", "SetDynamicDNS with NoUpdate is taken");
    t.ask(set_dynamic_dns_to("NoUpdate", None, life.and(Some("PT20S"))))?;
    dynamic_dns_is(t, "7", "NoUpdate", None, life.and(Some("PT20S")))?;
    let mut taken = false;
    for (step, read, kind, name, new_life) in
        [("11", "13", "ServerUpdates", None, "PT25S"), ("14", "16", "ClientUpdates", Some(NAME), "PT30S")]
    {
        t.step(step, &format!("SetDynamicDNS with {kind} is taken or refused"));
        let new_life = life.and(Some(new_life));
        if t.attempt(set_dynamic_dns_to(kind, name, new_life))?.is_ok() {
            dynamic_dns_is(t, read, kind, name, new_life)?;
            taken = true;
        }
    }
    t.step("17", "one of them was taken");
    t.demand(taken, "ServerUpdates or ClientUpdates", "both refused")
}

fn dynamic_dns_is(t: &mut Test<'_>, step: &str, kind: &str, name: Option<&str>, life: Option<&str>) -> Outcome {
    let told = dynamic_dns(t, step)?;
    t.same("Type", kind, told.text_or_empty("Type"))?;
    t.demand(name.is_none() || told.text_at("Name") == name, format!("Name {name:?}"), told.to_xml())?;
    t.demand(life.is_none() || told.text_at("TTL") == life, format!("TTL {life:?}"), told.to_xml())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(inner: &str) -> Element {
        let xml = format!("<DNSManual xmlns=\"{}\">{inner}</DNSManual>", crate::xml::TT);
        Element::parse(xml.as_bytes()).unwrap()
    }

    #[test]
    fn rtsp_is_for_what_streams_and_for_what_replays() {
        let streams = |features: &[Feature]| has_streams(|feature| features.contains(&feature));
        assert!(streams(&[Feature::Media2, Feature::Media2Streaming]) && streams(&[Feature::Replay]));
        assert!(!streams(&[Feature::Media1, Feature::Media2, Feature::ProfileG]));
    }

    #[test]
    fn servers_are_addresses_names_or_none() {
        for good in [
            "<Type>IPv4</Type><IPv4Address>10.1.1.1</IPv4Address>",
            "<Type>IPv4</Type><IPv4Address/>",
            "<Type>IPv4</Type>",
            "<Type>IPv6</Type><IPv6Address>::</IPv6Address>",
            "<Type>DNS</Type><DNSname>pool.example</DNSname>",
        ] {
            assert!(is_server(&entry(good)), "{good}");
        }
        for bad in [
            "<Type>IPv4</Type><IPv4Address>10.1.1</IPv4Address>",
            "<Type>IPv6</Type><IPv6Address>FF02:1</IPv6Address>",
            "<Type>IPv4</Type><IPv4Address>239.0.0.1</IPv4Address>",
            "<Type>IPv5</Type><IPv4Address>10.1.1.1</IPv4Address>",
        ] {
            assert!(!is_server(&entry(bad)), "{bad}");
        }
        assert!(is_same("2001:1:1:1:1:1:1:1", "2001:0001:1:1:1:1:1:1") && !is_same("10.1.1.1", "10.1.1"));
    }
}
