//! What a setting must be before any back-end looks at it.

use std::net::IpAddr;

use super::{Dns, Gateways, HostError, InterfaceSettings, IpSettings, Ntp, NtpServer};

/// Longest host name, and longest label of one (RFC 1123 section 2.1, RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;
/// Most entries of any list: name servers, time servers, gateways, addresses.
pub const MAX_ENTRIES: usize = 16;
/// The smallest packet that IPv4 may be given, and what fits the header's length field.
const MTU: std::ops::RangeInclusive<u32> = 68..=65_535;

/// Checks a host or domain name.
pub(super) fn name(name: &str) -> Result<(), HostError> {
    let label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= MAX_NAME && name.split('.').all(label) {
        Ok(())
    } else {
        Err(HostError::Invalid(format!("{name:?} is no host name")))
    }
}

pub(super) fn dns(dns: &Dns) -> Result<(), HostError> {
    count(dns.servers.len())?;
    count(dns.search.len())?;
    dns.servers.iter().try_for_each(|server| unicast(*server))?;
    dns.search.iter().try_for_each(|domain| name(domain.trim_end_matches('.')))
}

pub(super) fn ntp(ntp: &Ntp) -> Result<(), HostError> {
    count(ntp.servers.len())?;
    ntp.servers.iter().try_for_each(|server| match server {
        NtpServer::Address(address) => unicast(*address),
        NtpServer::Name(server) => name(server.trim_end_matches('.')),
    })
}

pub(super) fn gateways(gateways: &Gateways) -> Result<(), HostError> {
    count(gateways.ipv4.len() + gateways.ipv6.len())?;
    gateways.ipv4.iter().try_for_each(|gateway| unicast((*gateway).into()))?;
    gateways.ipv6.iter().try_for_each(|gateway| unicast((*gateway).into()))
}

pub(super) fn interface(settings: &InterfaceSettings) -> Result<(), HostError> {
    if settings.mtu.is_some_and(|mtu| !MTU.contains(&mtu)) {
        return Err(HostError::Invalid("the MTU must be from 68 to 65535".into()));
    }
    family(&settings.ipv4, 32)?;
    family(&settings.ipv6, 128)
}

fn family(settings: &IpSettings, bits: u8) -> Result<(), HostError> {
    count(settings.manual.len())?;
    settings.manual.iter().try_for_each(|address| {
        unicast(address.ip)?;
        if address.ip.is_ipv4() != (bits == 32) {
            return Err(HostError::Invalid(format!("{} is of the other address family", address.ip)));
        }
        if address.prefix == 0 || address.prefix > bits {
            return Err(HostError::Invalid(format!("the prefix length must be from 1 to {bits}")));
        }
        Ok(())
    })
}

fn unicast(address: IpAddr) -> Result<(), HostError> {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    if address.is_unspecified() || address.is_multicast() || broadcast {
        return Err(HostError::Invalid(format!("{address} is no machine's address")));
    }
    Ok(())
}

fn count(entries: usize) -> Result<(), HostError> {
    if entries > MAX_ENTRIES {
        return Err(HostError::Invalid(format!("more than {MAX_ENTRIES} entries")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::Address, *};

    #[test]
    fn names_follow_the_rules_of_dns() {
        for good in ["camera", "Camera-1", "3com", "a.b.example"] {
            assert!(name(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "a-", "a_b", "a b", "a..b", ".a", "ä", "a\nb", &long, &"a.".repeat(130)] {
            assert!(matches!(name(bad), Err(HostError::Invalid(_))), "{bad:?}");
        }
    }

    #[test]
    fn addresses_must_be_of_a_machine_and_of_the_family() {
        let settings = |ip: &str, prefix| InterfaceSettings {
            enabled: true,
            mtu: None,
            ipv4: IpSettings {
                enabled: true,
                dhcp: Some(false),
                manual: vec![Address { ip: ip.parse().unwrap(), prefix }],
            },
            ipv6: IpSettings::default(),
        };
        assert!(interface(&settings("192.0.2.1", 24)).is_ok());
        for (ip, prefix) in
            [("0.0.0.0", 8), ("239.0.0.1", 8), ("255.255.255.255", 8), ("::1", 24), ("192.0.2.1", 33), ("192.0.2.1", 0)]
        {
            assert!(interface(&settings(ip, prefix)).is_err(), "{ip}/{prefix}");
        }
        assert!(interface(&InterfaceSettings { mtu: Some(67), ..settings("192.0.2.1", 24) }).is_err());
        let many = Dns { servers: vec![IpAddr::from([192, 0, 2, 1]); 17], ..Dns::default() };
        assert!(dns(&many).is_err());
        let named = |text: &str| Ntp { from_dhcp: false, servers: vec![NtpServer::Name(text.into())] };
        assert!(ntp(&named("pool.ntp.example.")).is_ok() && ntp(&named("pool;rm")).is_err());
    }
}
