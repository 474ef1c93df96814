//! The networks that the machine is on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::{Address, Interface};

/// A network interface as discovery sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number.
    pub index: u32,
    /// The name, for people.
    pub name: String,
    /// Whether it leads to this machine only.
    pub loopback: bool,
    /// Our addresses on it.
    pub addresses: Vec<Address>,
}

impl Link {
    /// Takes an interface that is up, has addresses and carries multicast. Loopback does without saying so.
    pub fn of(interface: &Interface) -> Option<Self> {
        let usable = interface.up && (interface.multicast || interface.loopback) && !interface.addresses.is_empty();
        usable.then(|| Self {
            index: interface.index,
            name: interface.name.clone(),
            loopback: interface.loopback,
            addresses: interface.addresses.clone(),
        })
    }

    /// Whether it has an address of the family.
    pub fn has(&self, ipv6: bool) -> bool {
        self.addresses.iter().any(|own| own.ip.is_ipv6() == ipv6)
    }

    pub(super) fn owns(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.ip == ip)
    }

    /// Our addresses on it, with the one that was asked first, and those of the family that is spoken next.
    pub(super) fn addresses_for(&self, ipv6: bool, asked: Option<IpAddr>) -> Vec<IpAddr> {
        let mut addresses: Vec<_> = self.addresses.iter().map(|own| own.ip).collect();
        addresses.sort_by_key(|ip| (Some(*ip) != asked, ip.is_ipv6() != ipv6, is_link_local(*ip)));
        addresses
    }

    /// Whether an address is the broadcast address of one of its networks.
    fn broadcasts_to(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else { return false };
        self.addresses.iter().any(|own| {
            let host_bits = u32::MAX.checked_shr(u32::from(own.prefix)).unwrap_or(0);
            own.prefix < 31 && own.covers(ip.into()) && u32::from(ip) | host_bits == u32::from(ip)
        })
    }
}

/// Whether an answer may go to an address: it is of one machine, and that machine is near. From elsewhere nobody has business
/// with us over UDP, except those who would have us send to a third.
pub(super) fn may_answer(ip: IpAddr, links: &[Link]) -> bool {
    let ip = ip.to_canonical();
    if ip.is_multicast() || ip.is_unspecified() || links.iter().any(|link| link.broadcasts_to(ip)) {
        return false;
    }
    is_private(ip) || links.iter().flat_map(|link| &link.addresses).any(|own| own.covers(ip))
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback() || is_shared(ip),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip == Ipv6Addr::LOCALHOST,
    }
}

/// 100.64.0.0/10 (RFC 6598), which overlay networks such as Tailscale use.
fn is_shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && second & 0b1100_0000 == 64
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(addresses: &[(&str, u8)]) -> Link {
        let address = |(ip, prefix): &(&str, u8)| Address { ip: ip.parse().unwrap(), prefix: *prefix };
        let addresses = addresses.iter().map(address).collect();
        Link { index: 2, name: "eth0".into(), loopback: false, addresses }
    }

    #[test]
    fn only_one_near_machine_is_answered() {
        let links = [link(&[("203.0.113.2", 24), ("2001:db8::2", 64)])];
        let may = |ip: &str| may_answer(ip.parse().unwrap(), &links);
        for near in [
            "203.0.113.9",
            "10.1.2.3",
            "192.168.1.1",
            "100.101.1.1",
            "2001:db8::9",
            "fe80::1",
            "fd12::1",
            "127.0.0.1",
            "::ffff:10.0.0.1",
        ] {
            assert!(may(near), "{near}");
        }
        for far in [
            "198.51.100.1",
            "203.0.113.255",
            "255.255.255.255",
            "0.0.0.0",
            "239.255.255.250",
            "ff02::c",
            "::",
            "2001:db9::1",
        ] {
            assert!(!may(far), "{far}");
        }
    }

    #[test]
    fn the_address_that_was_asked_comes_first() {
        let link = link(&[("fe80::2", 64), ("192.0.2.2", 24), ("192.0.2.3", 24), ("2001:db8::2", 64)]);
        let texts = |ipv6, asked: Option<&str>| {
            let asked = asked.map(|ip| ip.parse().unwrap());
            link.addresses_for(ipv6, asked).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(texts(false, Some("192.0.2.3")), ["192.0.2.3", "192.0.2.2", "2001:db8::2", "fe80::2"]);
        assert_eq!(texts(true, None), ["2001:db8::2", "fe80::2", "192.0.2.2", "192.0.2.3"]);
    }
}
