//! The servers of DNS and NTP that a device is set to.

use crate::xml::Element;

/// SetDNS or SetNTP; what stands behind FromDHCP is written already.
pub(super) fn set_servers(kind: &str, from_dhcp: bool, content: &str) -> String {
    format!("<tds:Set{kind}><tds:FromDHCP>{from_dhcp}</tds:FromDHCP>{content}</tds:Set{kind}>")
}

/// One server by its IPv4 address.
pub(super) fn by_ipv4(kind: &str, address: &str) -> String {
    format!("<tds:{kind}Manual><tt:Type>IPv4</tt:Type><tt:IPv4Address>{address}</tt:IPv4Address></tds:{kind}Manual>")
}

/// The request that sets again what GetDNS or GetNTP told.
pub(super) fn as_before(kind: &str, told: &Element) -> String {
    let all = |name: &str| told.all(name).map(|one| one.renamed("tds", name)).collect::<String>();
    let content = all("SearchDomain") + &all(&format!("{kind}Manual"));
    set_servers(kind, told.bool_at("FromDHCP").unwrap_or(false), &content)
}
