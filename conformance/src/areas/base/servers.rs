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

/// The request that sets again what GetDNS or GetNTP told. Entries that are empty are left out: a device may tell them, and
/// must not take them.
pub(super) fn as_before(kind: &str, told: &Element) -> String {
    let list = format!("{kind}Manual");
    let search: String = told.all("SearchDomain").map(|domain| domain.renamed("tds", "SearchDomain")).collect();
    let servers = told.all(&list).filter(|server| address_of(server).is_some());
    let servers: String = servers.map(|server| server.renamed("tds", &list)).collect();
    set_servers(kind, told.bool_at("FromDHCP").unwrap_or(false), &format!("{search}{servers}"))
}

/// The address or name in an entry of a list; `None` where there is none, in one of the ways of annex A.10.
pub(super) fn address_of(entry: &Element) -> Option<String> {
    let kind = entry.text_or_empty("Type");
    let text = entry.text_or_empty(if kind == "DNS" {
        "DNSname"
    } else if kind == "IPv6" {
        "IPv6Address"
    } else {
        "IPv4Address"
    });
    (!["", "0.0.0.0", "::"].contains(&text)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_are_empty_are_not_set_again() {
        let xml = format!(
            "<NTPInformation xmlns=\"{}\"><FromDHCP>false</FromDHCP><NTPManual><Type>IPv4</Type><IPv4Address/></NTPManual>\
             <NTPManual><Type>DNS</Type><DNSname>pool.example</DNSname></NTPManual><NTPManual><Type>IPv4</Type>\
             <IPv4Address>0.0.0.0</IPv4Address></NTPManual></NTPInformation>",
            crate::xml::TT
        );
        let told = Element::parse(xml.as_bytes()).unwrap();
        let list = "<tds:NTPManual><tt:Type>DNS</tt:Type><tt:DNSname>pool.example</tt:DNSname></tds:NTPManual>";
        assert_eq!(as_before("NTP", &told), set_servers("NTP", false, list));
    }
}
