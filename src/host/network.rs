//! Network interfaces and what belongs to them, as plain data.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// A hardware address of six octets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress([u8; 6]);

/// Tells that a text is no hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no hardware address, such as 02:00:5e:10:00:01")]
pub struct BadMacAddress;

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Leading bits that the whole network shares.
    pub prefix: u8,
}

/// A network interface as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The name, such as `eth0`.
    pub name: String,
    /// The kernel's number.
    pub index: u32,
    /// The hardware address; absent where it has none (loopback, tunnels).
    pub mac: Option<MacAddress>,
    /// The largest packet.
    pub mtu: Option<u32>,
    /// Whether it is switched on and has a carrier.
    pub up: bool,
    /// Whether it leads to this machine only.
    pub loopback: bool,
    /// Whether it carries multicast.
    pub multicast: bool,
    /// The link's speed in Mbit/s, where the driver tells.
    pub speed: Option<u32>,
    /// The addresses that it has.
    pub addresses: Vec<Address>,
    /// What it is set to, which may take hold at the next reboot only.
    pub settings: InterfaceSettings,
}

/// What an interface is set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceSettings {
    /// Whether it is switched on.
    pub enabled: bool,
    /// The largest packet; absent where the link's default is used.
    pub mtu: Option<u32>,
    /// IPv4.
    pub ipv4: IpSettings,
    /// IPv6.
    pub ipv6: IpSettings,
}

/// What an interface is set to in one address family.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IpSettings {
    /// Whether the family is used.
    pub enabled: bool,
    /// Whether addresses come from DHCP; absent where that cannot be known.
    pub dhcp: Option<bool>,
    /// Addresses given by hand.
    pub manual: Vec<Address>,
}

/// The host name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hostname {
    /// The name.
    pub name: String,
    /// Whether DHCP gives it.
    pub from_dhcp: bool,
}

/// Name servers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dns {
    /// Whether DHCP gives them; then the lists hold what it gave.
    pub from_dhcp: bool,
    /// The servers in the order in which they are asked.
    pub servers: Vec<IpAddr>,
    /// Domains that are tried for short names.
    pub search: Vec<String>,
}

/// Time servers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ntp {
    /// Whether DHCP gives them.
    pub from_dhcp: bool,
    /// The servers, by address or name.
    pub servers: Vec<NtpServer>,
}

/// One time server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NtpServer {
    /// By its address.
    Address(IpAddr),
    /// By its name.
    Name(String),
}

/// Default gateways.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gateways {
    /// Of IPv4.
    pub ipv4: Vec<Ipv4Addr>,
    /// Of IPv6.
    pub ipv6: Vec<Ipv6Addr>,
}

/// When a setting takes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It has.
    Now,
    /// At the next reboot; until then everything stays as it was.
    AtReboot,
}

impl MacAddress {
    /// Wraps six octets.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The six octets.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether it can name a machine: not all zero, which is what loopback says, and not a group.
    pub fn is_real(self) -> bool {
        self.0 != [0; 6] && self.0[0] & 1 == 0
    }
}

impl FromStr for MacAddress {
    type Err = BadMacAddress;

    fn from_str(text: &str) -> Result<Self, BadMacAddress> {
        let mut octets = [0; 6];
        let mut parts = text.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            *octet = part.and_then(|part| u8::from_str_radix(part, 16).ok()).ok_or(BadMacAddress)?;
        }
        if parts.next().is_some() { Err(BadMacAddress) } else { Ok(Self(octets)) }
    }
}

impl TryFrom<String> for MacAddress {
    type Error = BadMacAddress;

    fn try_from(text: String) -> Result<Self, BadMacAddress> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> Self {
        mac.to_string()
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Address {
    /// Whether another address lies in the same network.
    pub fn covers(&self, other: IpAddr) -> bool {
        match (self.ip, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let host_bits = 32 - u32::from(self.prefix.min(32));
                (u32::from(own) ^ u32::from(other)).checked_shr(host_bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let host_bits = 128 - u32::from(self.prefix.min(128));
                (u128::from(own) ^ u128::from(other)).checked_shr(host_bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Finds the interface that a client came in on, by the local address of its connection.
pub fn came_in_on(interfaces: &[Interface], local: IpAddr) -> Option<&Interface> {
    let local = local.to_canonical();
    let has = |interface: &&Interface| interface.addresses.iter().any(|address| address.ip == local);
    // Every address of 127/8 is the loopback's, though it lists one.
    let covers = |interface: &&Interface| interface.loopback && interface.addresses.iter().any(|own| own.covers(local));
    interfaces.iter().find(has).or_else(|| interfaces.iter().find(covers))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An interface as tests need it.
    pub(crate) fn interface(name: &str, index: u32, mac: Option<[u8; 6]>, addresses: &[(&str, u8)]) -> Interface {
        let addresses: Vec<_> =
            addresses.iter().map(|(ip, prefix)| Address { ip: ip.parse().unwrap(), prefix: *prefix }).collect();
        Interface {
            name: name.into(),
            index,
            mac: mac.map(MacAddress::new),
            mtu: Some(1500),
            up: true,
            loopback: name == "lo",
            multicast: name != "lo",
            speed: None,
            settings: InterfaceSettings {
                enabled: true,
                mtu: None,
                ipv4: IpSettings { enabled: true, dhcp: None, manual: Vec::new() },
                ipv6: IpSettings::default(),
            },
            addresses,
        }
    }

    #[test]
    fn hardware_addresses_are_read_and_written() {
        let mac = MacAddress::new([0x02, 0xfc, 0, 0, 0xab, 1]);
        assert_eq!(mac.to_string(), "02:fc:00:00:ab:01");
        assert_eq!("02-FC-00-00-AB-01".parse(), Ok(mac));
        for text in
            ["", "02:fc:00:00:ab", "02:fc:00:00:ab:01:02", "+2:fc:00:00:ab:01", "2:fc:0:0:ab:1", "zz:fc:00:00:ab:01"]
        {
            assert_eq!(text.parse::<MacAddress>(), Err(BadMacAddress), "{text:?}");
        }
        assert!(mac.is_real() && !MacAddress::new([0; 6]).is_real() && !MacAddress::new([0xff; 6]).is_real());
    }

    #[test]
    fn a_client_is_matched_to_the_interface_it_came_in_on() {
        let interfaces = [
            interface("lo", 1, None, &[("127.0.0.1", 8), ("::1", 128)]),
            interface("eth0", 2, Some([2, 0, 0, 0, 0, 1]), &[("192.0.2.2", 24), ("fe80::1", 64)]),
        ];
        let found = |local: &str| came_in_on(&interfaces, local.parse().unwrap()).map(|found| found.name.as_str());
        assert_eq!(found("192.0.2.2"), Some("eth0"));
        assert_eq!(found("::ffff:192.0.2.2"), Some("eth0"));
        assert_eq!(found("fe80::1"), Some("eth0"));
        assert_eq!(found("127.8.0.1"), Some("lo"));
        assert_eq!(found("192.0.2.3"), None, "a neighbour's address is none of ours");
    }

    #[test]
    fn a_network_covers_its_own() {
        let covers =
            |ip: &str, prefix, other: &str| Address { ip: ip.parse().unwrap(), prefix }.covers(other.parse().unwrap());
        assert!(covers("192.0.2.2", 24, "192.0.2.255") && !covers("192.0.2.2", 24, "192.0.3.2"));
        assert!(covers("192.0.2.2", 0, "10.0.0.1") && covers("192.0.2.2", 32, "192.0.2.2"));
        assert!(covers("fd00::2", 64, "fd00::3") && !covers("fd00::2", 64, "fd00:0:0:1::3"));
        assert!(!covers("192.0.2.2", 0, "::1"));
    }
}
