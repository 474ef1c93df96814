//! Device discovery (ONVIF Base Device Test Specification, section 6).

use std::{
    collections::BTreeSet,
    net::{IpAddr, ToSocketAddrs, UdpSocket},
    thread,
    time::Duration,
};

use super::restart::{Watch, wait_until_back};
use crate::{
    case::{
        Case,
        When::{Changes, Last, Reads},
        case,
    },
    discovery::{
        DISCOVERY, NETWORK, PORT, TIMEOUT,
        client::{Client, Heard, To, is_bye, is_hello},
        message::{Content, Description},
        probe::{DEVICE, Probe, Style, TRANSMITTER},
        restart::{REBOOT, RETURN, reboot},
    },
    feature::Feature,
    soap::{Call, ENV, split},
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

/// What every scope of ONVIF begins with, and the kinds of which a device must have one each.
const SCOPE: &str = "onvif://www.onvif.org/";
const KINDS: [&str; 4] = ["type", "location", "hardware", "name"];
/// The rules for comparing scopes (WS-Discovery, section 5.1).
const RULES: [&str; 5] = ["rfc2396", "uuid", "ldap", "strcmp0", "rfc3986"];

/// How long a device that restarted is listened to at least; one that took longer, as long as it took, but at most a minute
/// ([`RETURN`]).
const SETTLE: Duration = Duration::from_secs(10);

/// The cases that are written.
pub(super) fn cases() -> Vec<Case> {
    vec![
        case("DISCOVERY-1-1-2", Last, hello),
        case("DISCOVERY-1-1-3", Reads, |t| by_scopes(t, To::All, Style::Usual)),
        case("DISCOVERY-1-1-4", Reads, |t| by_nothing(t, To::All)),
        case("DISCOVERY-1-1-5", Reads, |t| not_meant(t, To::All)),
        case("DISCOVERY-1-1-6", Reads, unicast),
        case("DISCOVERY-1-1-8", Last, bye),
        case("DISCOVERY-1-1-9", Last, mode),
        case("DISCOVERY-1-1-10", Reads, unknown_rule),
        case("DISCOVERY-1-1-11", Changes, scopes),
        case("DISCOVERY-2-1-1", Reads, |t| by_scopes(t, To::All, Style::DefaultOnEach)),
        case("DISCOVERY-2-1-2", Reads, |t| by_scopes(t, To::All, Style::DefaultOnParent)),
        case("DISCOVERY-2-1-3", Reads, |t| by_scopes(t, To::All, Style::OddPrefixes)),
        case("DISCOVERY-2-1-4", Reads, |t| by_scopes(t, To::All, Style::ManyPrefixes)),
        case("DISCOVERY-2-1-5", Reads, |t| by_scopes(t, To::All, Style::OnePrefix)),
    ]
}

fn hello(t: &mut Test<'_>) -> Outcome {
    let client = Client::new(t)?;
    let listener = client.listen(t)?;
    t.step("3", "the device is told to restart");
    reboot(t)?;
    t.step("5", "it says Hello to everybody");
    let heard = listener.hear(t, REBOOT, is_hello)?;
    let hello = t.some(heard.and_then(|heard| heard.device), "a Hello of the device after the restart")?;
    t.step("6", "the Hello has endpoint, types, scopes and version");
    described(t, &hello)
}

fn by_scopes(t: &mut Test<'_>, to: To, style: Style) -> Outcome {
    t.step("3", "GetScopes lists each kind that a device must have");
    let own = listed(&t.ask("<tds:GetScopes/>")?, None);
    each_kind(t, &own)?;
    let client = Client::new(t)?;
    let types = vec![own_type(t)];
    let all = KINDS.map(|kind| format!("{SCOPE}{kind}"));
    // Together, and each by itself: a device may find itself by one of them only.
    for scopes in std::iter::once(all.to_vec()).chain(all.iter().map(|scope| vec![scope.clone()])) {
        t.step("5", &format!("a Probe for {}", scopes.join(" ")));
        let probe = Probe { types: types.clone(), scopes, style, ..Probe::default() };
        let heard = client.search(t, to, &probe)?;
        t.step("6", "the ProbeMatch is complete");
        let found = matched(t, &client, heard)?;
        let own = own.iter().filter(|scope| !found.scopes.as_ref().is_some_and(|told| told.contains(*scope)));
        let missing = own.map(String::as_str).collect::<Vec<_>>().join(" ");
        t.demand(missing.is_empty(), "all scopes that GetScopes lists", format!("without {missing}"))?;
    }
    Ok(())
}

fn by_nothing(t: &mut Test<'_>, to: To) -> Outcome {
    let client = Client::new(t)?;
    t.step("3", "a Probe without types and scopes");
    let heard = client.search(t, to, &Probe::default())?;
    t.step("4", "the ProbeMatch is complete");
    matched(t, &client, heard).map(drop)
}

fn not_meant(t: &mut Test<'_>, to: To) -> Outcome {
    let client = Client::new(t)?;
    // Silence proves something only of a device that answers what is meant for it.
    t.step("3", "a Probe that means the device is answered");
    let heard = client.search(t, to, &Probe::default())?;
    t.some(heard, "a ProbeMatch of the device")?;
    t.step(
        "3",
        "Probes for another type, for another scope, for a part of a scope's name, and for another type and scope",
    );
    let other_type = vec![(NETWORK, "NoSuchDeviceType")];
    let other_scope = vec![format!("{SCOPE}no/such/scope/of/any/device")];
    // Without a rule scopes are compared segment by segment (WS-Discovery, section 5.1): a part of one is another.
    let part = vec![format!("{SCOPE}hard")];
    let probes = [
        Probe { types: other_type.clone(), ..Probe::default() },
        Probe { types: vec![own_type(t)], scopes: other_scope.clone(), ..Probe::default() },
        Probe { types: vec![own_type(t)], scopes: part, ..Probe::default() },
        Probe { types: other_type, scopes: other_scope, ..Probe::default() },
    ];
    t.step("4", "the device does not answer them");
    client.silence(t, to, &probes)
}

fn unicast(t: &mut Test<'_>) -> Outcome {
    by_scopes(t, To::One, Style::Usual)?;
    by_nothing(t, To::One)?;
    not_meant(t, To::One)
}

fn bye(t: &mut Test<'_>) -> Outcome {
    let client = Client::new(t)?;
    let listener = client.listen(t)?;
    t.step("3", "the device is told to restart");
    reboot(t)?;
    t.step("5", "it says Bye to everybody");
    // A device that says Hello again has missed its turn.
    let heard = listener.hear(t, REBOOT, |heard| is_bye(heard) || is_hello(heard))?;
    let seen = heard.as_ref().map_or("nothing", |heard| heard.message.name());
    t.demand(heard.as_ref().is_some_and(is_bye), "a Bye of the device before it restarts", seen)?;
    t.step("6", "it is there again");
    if listener.hear(t, RETURN, is_hello)?.is_none() {
        t.note("no Hello followed");
    }
    Ok(())
}

fn mode(t: &mut Test<'_>) -> Outcome {
    let set = |mode: &str| {
        format!("<tds:SetDiscoveryMode><tds:DiscoveryMode>{mode}</tds:DiscoveryMode></tds:SetDiscoveryMode>")
    };
    let client = Client::new(t)?;
    t.step("3", "the device is discoverable");
    let before = t.ask("<tds:GetDiscoveryMode/>")?;
    t.same("DiscoveryMode", "Discoverable", before.text_or_empty("DiscoveryMode"))?;
    let heard = client.search(t, To::All, &Probe::default())?;
    t.some(heard, "an answer of a device that says it is discoverable")?;
    t.step("5", "it is set to be silent");
    t.afterwards(set("Discoverable"));
    t.ask(set("NonDiscoverable"))?;
    t.step("7", "it says so");
    let after = t.ask("<tds:GetDiscoveryMode/>")?;
    t.same("DiscoveryMode", "NonDiscoverable", after.text_or_empty("DiscoveryMode"))?;
    t.step("9", "it answers no Probe");
    client.silence(t, To::All, &[Probe::default()])?;
    let listener = client.listen(t)?;
    t.step("11", "it is told to restart");
    let watch = Watch::begin(t);
    reboot(t)?;
    t.step("13", "it goes, is there again, and says neither Bye nor Hello");
    // Silence proves something only of a device that has restarted, and only when all of it has begun.
    let took = wait_until_back(t, &watch, true, || listener.keep())?;
    let heard = listener.hear(t, took.clamp(SETTLE, RETURN), |_| true)?;
    let seen = heard.map_or("nothing", |heard| heard.message.name());
    t.demand(seen == "nothing", "silence", seen)?;
    t.step("15", "it is set to be discoverable");
    t.ask(set("Discoverable")).map(drop)
}

fn unknown_rule(t: &mut Test<'_>) -> Outcome {
    let client = Client::new(t)?;
    t.step("3", "a Probe to the device alone with a matching rule that nobody knows");
    let scopes = vec![format!("{SCOPE}name")];
    let rule = Some("http://www.onvif.org/no/such/matching/rule");
    let probe = Probe { types: vec![own_type(t)], scopes, match_by: rule, ..Probe::default() };
    let heard = client.search(t, To::One, &probe)?;
    t.step("4", "the device answers with the fault MatchingRuleNotSupported");
    let heard = t.some(heard, "a fault")?;
    let Content::Fault(codes) = &heard.message.content else {
        return Err(t.failed("a fault", heard.message.name()));
    };
    let expected = [(ENV, "Sender"), (DISCOVERY, "MatchingRuleNotSupported")];
    let seen: Vec<(&str, &str)> = codes.iter().map(|(uri, name)| (uri.as_str(), name.as_str())).collect();
    t.same("the codes of the fault", &expected[..], &seen[..])?;
    t.same("RelatesTo", heard.asked.as_ref(), heard.message.relates_to.as_ref())
}

fn scopes(t: &mut Test<'_>) -> Outcome {
    let (first, second) = (format!("{SCOPE}conformance/first"), format!("{SCOPE}conformance/second"));
    let client = Client::new(t)?;
    t.step("3", "GetScopes lists each kind that a device must have");
    let before = t.ask("<tds:GetScopes/>")?;
    each_kind(t, &listed(&before, None))?;
    let free = listed(&before, Some("Configurable"));
    t.step("5", "SetScopes sets a list with a new scope");
    // With those that were there: places and names are somebody's.
    let set = |scopes: &[String]| body("SetScopes", "Scopes", scopes);
    restore_scopes(t, &free);
    let wanted: Vec<String> = free.iter().cloned().chain([first.clone()]).collect();
    if too_many(t, &set(&wanted))? {
        return Ok(());
    }
    t.step("7", "two seconds pass");
    thread::sleep(Duration::from_secs(2));
    let heard = client.search(t, To::All, &Probe::default())?;
    let version = matched(t, &client, heard)?.version;
    let listener = client.listen(t)?;
    t.step("8", "AddScopes adds another");
    if too_many(t, &body("AddScopes", "ScopeItem", std::slice::from_ref(&second)))? {
        return Ok(());
    }
    t.step("10", "the device tells everybody");
    let heard = listener.hear(t, TIMEOUT, |heard| is_hello(heard) && is_newer(heard, version))?;
    let hello = told(t, heard, version)?;
    t.step("11", "a Probe for the new scope is answered");
    let probe = Probe { types: vec![own_type(t)], scopes: vec![second.clone()], ..Probe::default() };
    let heard = client.search(t, To::All, &probe)?;
    let found = matched(t, &client, heard)?;
    let lists = |device: &Description| device.scopes.as_ref().is_some_and(|scopes| scopes.contains(&second));
    t.demand(lists(&found), format!("{second} in the ProbeMatch"), format!("{:?}", found.scopes))?;
    t.step("13", "RemoveScopes removes it");
    t.ask(body("RemoveScopes", "ScopeItem", std::slice::from_ref(&second)))?;
    t.step("15", "the device tells everybody");
    let heard = listener.hear(t, TIMEOUT, |heard| is_hello(heard) && is_newer(heard, hello.version))?;
    let hello = told(t, heard, hello.version)?;
    t.demand(!lists(&hello), format!("a Hello without {second}"), format!("{:?}", hello.scopes))?;
    t.step("16", "a Probe for the scope that was removed is not answered");
    client.silence(t, To::All, &[probe])
}

/// A Hello after a change: complete, with all scopes that there are now and a version that has grown.
fn told(t: &mut Test<'_>, heard: Option<Heard>, before: Option<u32>) -> Outcome<Description> {
    let expected = format!("a Hello with a version greater than {before:?}");
    let hello = t.some(heard.and_then(|heard| heard.device), &expected)?;
    described(t, &hello)?;
    let now: BTreeSet<String> = listed(&t.ask("<tds:GetScopes/>")?, None).into_iter().collect();
    let told: BTreeSet<String> = hello.scopes.iter().flatten().cloned().collect();
    let missing: Vec<_> = now.difference(&told).cloned().collect();
    t.demand(missing.is_empty(), "all scopes in the Hello", format!("without {}", missing.join(" ")))?;
    Ok(hello)
}

fn is_newer(heard: &Heard, before: Option<u32>) -> bool {
    heard.device.as_ref().is_some_and(|device| device.version > before)
}

/// Asks for a change of scopes; whether the device says that those are too many, which it may.
fn too_many(t: &mut Test<'_>, body: &str) -> Outcome<bool> {
    let Err(fault) = t.attempt_by(&Call::new(body))? else { return Ok(false) };
    let allowed = fault.codes.iter().any(|code| code == "ter:TooManyScopes");
    t.demand(allowed, "a response, or the fault TooManyScopes", fault.to_string())?;
    t.note("the device takes no more scopes, which it may say");
    Ok(true)
}

fn restore_scopes(t: &mut Test<'_>, free: &[String]) {
    let (free, restore) = (free.to_vec(), body("SetScopes", "Scopes", free));
    t.afterwards_do(move |t| {
        if !free.is_empty() {
            return t.ask(restore).map(drop);
        }
        // A list of none cannot be set.
        let now = listed(&t.ask("<tds:GetScopes/>")?, Some("Configurable"));
        if now.is_empty() { Ok(()) } else { t.ask(body("RemoveScopes", "ScopeItem", &now)).map(drop) }
    });
}

fn body(operation: &str, item: &str, scopes: &[String]) -> String {
    let items: String = scopes.iter().map(|scope| format!("<tds:{item}>{}</tds:{item}>", escape(scope))).collect();
    format!("<tds:{operation}>{items}</tds:{operation}>")
}

/// The scopes that GetScopes gave, all or only those of a kind.
fn listed(answer: &Element, definition: Option<&str>) -> Vec<String> {
    let all =
        answer.all("Scopes").filter(|one| definition.is_none_or(|wanted| one.text_or_empty("ScopeDef") == wanted));
    all.map(|one| one.text_or_empty("ScopeItem").to_owned()).collect()
}

/// Demands a scope of each kind, and that all are URIs (RFC 3986: a scheme, and no space or delimiter of text).
fn each_kind(t: &Test<'_>, scopes: &[String]) -> Outcome {
    for kind in KINDS {
        let begins =
            |scope: &String| scope.strip_prefix(SCOPE).is_some_and(|rest| rest.split('/').next() == Some(kind));
        t.demand(scopes.iter().any(begins), format!("a scope {SCOPE}{kind}/…"), scopes.join(" "))?;
    }
    let wrong = scopes.iter().find(|scope| !is_uri(scope));
    t.demand(wrong.is_none(), "scopes that are URIs", wrong.cloned().unwrap_or_default())
}

fn is_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let escaped = |part: &str| part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(letters)
        && text.bytes().all(allowed)
        && text.split('%').skip(1).all(escaped)
}

/// The type to look for: what has video is a transmitter, and all are devices.
fn own_type(t: &Test<'_>) -> (&'static str, &'static str) {
    if t.has(Feature::Media1) || t.has(Feature::Media2) { TRANSMITTER } else { DEVICE }
}

/// What a Hello and a ProbeMatch have to say.
pub(super) fn described(t: &Test<'_>, device: &Description) -> Outcome {
    let endpoint = device.endpoint.to_ascii_lowercase();
    t.demand(endpoint.starts_with("urn:uuid:"), "an EndpointReference with urn:uuid:…", device.endpoint.as_str())?;
    let types = t.some(device.types.as_ref(), "Types")?;
    let has = |wanted: (&str, &str)| types.iter().any(|(uri, name)| (uri.as_str(), name.as_str()) == wanted);
    let expected = format!("Types with {} or {}, by their namespaces", TRANSMITTER.1, DEVICE.1);
    t.demand(has(TRANSMITTER) || has(DEVICE), expected, format!("{types:?}"))?;
    let undeclared = types.iter().find(|(uri, _)| uri.is_empty());
    t.demand(undeclared.is_none(), "namespaces for all Types", format!("{undeclared:?}"))?;
    each_kind(t, t.some(device.scopes.as_ref(), "Scopes")?)?;
    t.some(device.version, "a MetadataVersion").map(drop)
}

/// What a ProbeMatch has to say beside that.
pub(super) fn matched(t: &mut Test<'_>, client: &Client, heard: Option<Heard>) -> Outcome<Description> {
    let within = format!("a ProbeMatch of the device within {} seconds", TIMEOUT.as_secs());
    let heard = t.some(heard, &within)?;
    let Some(device) = heard.device else { return Err(t.failed(within, heard.message.name())) };
    let action = format!("{DISCOVERY}/ProbeMatches");
    t.same("Action", action.as_str(), heard.message.action.as_str())?;
    t.same("RelatesTo", heard.asked.as_ref(), heard.message.relates_to.as_ref())?;
    described(t, &device)?;
    // The text wants a rule for scopes; a match without MatchBy has the one that WS-Discovery implies (section 5.2).
    let known = |rule: &String| RULES.iter().any(|name| *rule == format!("{DISCOVERY}/{name}"));
    t.demand(device.match_by.iter().all(known), "a rule that WS-Discovery knows", format!("{:?}", device.match_by))?;
    let xaddrs = t.some(device.xaddrs.as_ref(), "XAddrs")?;
    let told = xaddrs.join(" ");
    let all = xaddrs.iter().filter_map(|xaddr| split(xaddr).ok());
    let entries = all.filter(|(_, path)| *path == "/onvif/device_service");
    let entries: Vec<String> = entries.map(|(authority, _)| authority).collect();
    t.demand(!entries.is_empty(), "XAddrs with http://…/onvif/device_service", told.as_str())?;
    let its_own = is_its_own(t, client, heard.from.ip(), &entries)?;
    t.demand(its_own, format!("such XAddrs at an address of the device, {}", client.place.device.ip()), told.as_str())?;
    let of_version_6 = |xaddr: &String| split(xaddr).is_ok_and(|(authority, _)| authority.starts_with('['));
    let wanted = matches!(client.place.device.ip(), IpAddr::V6(_));
    t.demand(!wanted || xaddrs.iter().any(of_version_6), "XAddrs with an address of IPv6", told)?;
    Ok(device)
}

/// Whether one of these authorities is at an address of the device: where it is asked, where its answer came from, or one that
/// it says its interfaces have.
fn is_its_own(t: &mut Test<'_>, client: &Client, from: IpAddr, authorities: &[String]) -> Outcome<bool> {
    let hosts = authorities.iter().filter_map(|authority| authority.to_socket_addrs().ok()).flatten();
    let Client { place, .. } = client;
    let asked = place.device.ip();
    let hosts: Vec<IpAddr> = hosts.map(|address| address.ip()).filter(|ip| can_be_a_host(*ip, asked)).collect();
    // A device on this very machine has all its addresses.
    let here = |ip: IpAddr| place.is_here() && is_of_this_machine(ip);
    if hosts.iter().any(|ip| [asked, from].contains(ip) || here(*ip)) {
        return Ok(true);
    }
    let interfaces = t.attempt("<tds:GetNetworkInterfaces/>")?.unwrap_or_default();
    let told = |one: &Element| one.name == "Address" && one.text.parse().is_ok_and(|ip| hosts.contains(&ip));
    Ok(interfaces.descendants().any(told))
}

/// Whether an address can be that of a device that is asked at another one: at loopback are only those that are asked there.
fn can_be_a_host(ip: IpAddr, asked: IpAddr) -> bool {
    let (ip, asked) = (ip.to_canonical(), asked.to_canonical());
    let everybody = ip.is_multicast() || matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !everybody && !ip.is_unspecified() && (!ip.is_loopback() || asked.is_loopback())
}

/// Whether this machine has an address. A socket can be bound to the broadcast address of a network, too, but nothing is sent
/// there without permission.
fn is_of_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok_and(|socket| socket.connect((ip, PORT)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_at_an_address_of_everybody_or_of_none() {
        let can = |ip: &str, asked: &str| can_be_a_host(ip.parse().unwrap(), asked.parse().unwrap());
        for asked in ["127.0.0.1", "192.0.2.1", "::1"] {
            for ip in ["0.0.0.0", "::", "224.0.0.1", "239.255.255.250", "ff02::c", "255.255.255.255"] {
                assert!(!can(ip, asked), "{ip}");
            }
        }
        for ip in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"] {
            assert!(can(ip, "127.0.0.1") && !can(ip, "192.0.2.1") && !can(ip, "fd00::1"), "{ip}");
        }
        assert!(can("192.0.2.2", "192.0.2.1") && can("fd00::2", "192.0.2.1"));
        let has = |ip: &str| is_of_this_machine(ip.parse().unwrap());
        assert!(has("127.0.0.1") && !has("198.51.100.2") && !has("127.255.255.255"));
    }

    #[test]
    fn scopes_are_uris_or_not() {
        for good in ["onvif://www.onvif.org/location/", "onvif://www.onvif.org/name/a%20b", "urn:x:y"] {
            assert!(is_uri(good), "{good}");
        }
        for bad in ["", "name", "onvif://www.onvif.org/name/a b", "onvif://x/ä", "1:x", "onvif://x/%2", "onvif://x/<a>"]
        {
            assert!(!is_uri(bad), "{bad}");
        }
    }
}
