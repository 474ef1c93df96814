//! Network interfaces, from the kernel, and what can be known of their settings.

use std::{collections::BTreeMap, net::IpAddr};

use nix::{
    ifaddrs::{InterfaceAddress, getifaddrs},
    net::if_::InterfaceFlags,
    sys::socket::SockaddrStorage,
};

use super::{
    super::{Address, HostError, Interface, InterfaceSettings, IpSettings, MacAddress},
    files::Files,
};

/// `IFA_F_PERMANENT`: the address was given by hand, it does not come from router advertisements.
const PERMANENT: u32 = 0x80;

pub(super) fn all(files: &Files) -> Result<Vec<Interface>, HostError> {
    let listed = getifaddrs().map_err(|errno| HostError::io("list the network interfaces")(errno.into()))?;
    let mut by_name: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in listed {
        // `eth0:1` is a second name for an address of `eth0`.
        let name = entry.interface_name.split(':').next().unwrap_or_default().to_owned();
        let interface = by_name.entry(name.clone()).or_insert_with(|| new(files, name, entry.flags));
        take(interface, &entry);
    }
    let permanent = permanent_ipv6(&files.text("proc/net/if_inet6").unwrap_or_default());
    let mut interfaces: Vec<_> = by_name.into_values().filter(|interface| interface.index > 0).collect();
    for interface in &mut interfaces {
        interface.settings = settings(files, interface, &permanent);
    }
    interfaces.sort_by_key(|interface| interface.index);
    Ok(interfaces)
}

/// An interface without its addresses.
fn new(files: &Files, name: String, flags: InterfaceFlags) -> Interface {
    let attribute = |attribute: &str| files.text(&format!("sys/class/net/{name}/{attribute}"));
    Interface {
        index: 0,
        mac: None,
        mtu: attribute("mtu").and_then(|text| text.trim().parse().ok()),
        up: flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING),
        loopback: flags.contains(InterfaceFlags::IFF_LOOPBACK),
        multicast: flags.contains(InterfaceFlags::IFF_MULTICAST),
        // Drivers that do not know say -1 or fail.
        speed: attribute("speed").and_then(|text| text.trim().parse().ok()).filter(|speed| *speed > 0),
        addresses: Vec::new(),
        settings: InterfaceSettings {
            enabled: flags.contains(InterfaceFlags::IFF_UP),
            mtu: None,
            ipv4: IpSettings::default(),
            ipv6: IpSettings::default(),
        },
        name,
    }
}

/// Takes what one entry says: the kernel lists the link and each address apart.
fn take(interface: &mut Interface, entry: &InterfaceAddress) {
    let Some(address) = &entry.address else { return };
    if let Some(link) = address.as_link_addr() {
        interface.index = u32::try_from(link.ifindex()).unwrap_or(0);
        interface.mac = link.addr().map(MacAddress::new).filter(|mac| mac.is_real());
    }
    if let Some(ip) = ip(address) {
        let mask = entry.netmask.as_ref().and_then(self::ip);
        interface.addresses.push(Address { ip, prefix: mask.map_or(0, prefix) });
    }
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let ipv4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    ipv4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

fn prefix(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => u32::from(mask).leading_ones(),
        IpAddr::V6(mask) => u128::from(mask).leading_ones(),
    };
    ones as u8
}

fn settings(files: &Files, interface: &Interface, permanent: &[IpAddr]) -> InterfaceSettings {
    let manual =
        |keep: &dyn Fn(IpAddr) -> bool| interface.addresses.iter().copied().filter(|own| keep(own.ip)).collect();
    let dhcp = if interface.loopback { Some(false) } else { dhcp(files, &interface.name, interface.index) };
    let by_hand = dhcp != Some(true);
    let ipv4 = IpSettings {
        enabled: interface.addresses.iter().any(|own| own.ip.is_ipv4()) || dhcp == Some(true),
        dhcp,
        manual: manual(&|ip| matches!(ip, IpAddr::V4(ip) if by_hand && !ip.is_link_local())),
    };
    let disabled = files.text(&format!("proc/sys/net/ipv6/conf/{}/disable_ipv6", interface.name));
    let ipv6 = IpSettings {
        enabled: disabled.is_some_and(|text| text.trim() == "0"),
        dhcp: None,
        manual: manual(&|ip| matches!(ip, IpAddr::V6(own) if !own.is_unicast_link_local() && permanent.contains(&ip))),
    };
    InterfaceSettings { mtu: interface.mtu, ipv4, ipv6, ..interface.settings.clone() }
}

/// Whether DHCP gives the IPv4 address, as far as the usual programs leave traces.
fn dhcp(files: &Files, name: &str, index: u32) -> Option<bool> {
    let ifupdown = files.text("etc/network/interfaces").unwrap_or_default();
    let method = ifupdown.lines().find_map(|line| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["iface", interface, "inet", method, ..] if *interface == name => Some(*method == "dhcp"),
        _ => None,
    });
    let leased = || {
        let mentioned =
            |path: &str| files.text(path).is_some_and(|text| text.contains(&format!("interface \"{name}\"")));
        files.exists(&format!("run/systemd/netif/leases/{index}"))
            || files.exists(&format!("var/lib/dhcpcd/{name}.lease"))
            || mentioned(&format!("var/lib/dhcp/dhclient.{name}.leases"))
            || mentioned("var/lib/dhcp/dhclient.leases")
    };
    method.or_else(|| leased().then_some(true))
}

/// Reads `address index prefix scope flags name`.
fn permanent_ipv6(text: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let &[address, _, _, _, flags, ..] = fields.as_slice() else { return None };
        let permanent = u32::from_str_radix(flags, 16).ok()? & PERMANENT != 0;
        if permanent { Some(IpAddr::V6(u128::from_str_radix(address, 16).ok()?.into())) } else { None }
    };
    text.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::super::network::tests::interface, *};

    #[test]
    fn settings_are_told_as_far_as_they_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::below(folder.path().to_owned());
        files.replace("proc/sys/net/ipv6/conf/eth0/disable_ipv6", b"0\n").unwrap();
        let eth0 =
            interface("eth0", 2, None, &[("192.0.2.2", 24), ("169.254.1.1", 16), ("fd00::2", 64), ("fd00::abcd", 64)]);
        let line = "fd000000000000000000000000000002 04 40 00 82     eth0\nfd00000000000000000000000000abcd 04 40 00 00     eth0\n";
        let permanent = permanent_ipv6(line);
        let texts = |settings: &IpSettings| settings.manual.iter().map(|own| own.ip.to_string()).collect::<Vec<_>>();

        let unknown = settings(&files, &eth0, &permanent);
        assert_eq!((unknown.ipv4.dhcp, texts(&unknown.ipv4)), (None, vec!["192.0.2.2".to_owned()]));
        assert_eq!((unknown.ipv6.enabled, texts(&unknown.ipv6)), (true, vec!["fd00::2".to_owned()]));

        files.replace("run/systemd/netif/leases/2", b"").unwrap();
        let leased = settings(&files, &eth0, &permanent);
        assert_eq!((leased.ipv4.dhcp, texts(&leased.ipv4)), (Some(true), Vec::new()));

        files.replace("etc/network/interfaces", b"auto eth0\niface eth0 inet static\n").unwrap();
        assert_eq!(settings(&files, &eth0, &permanent).ipv4.dhcp, Some(false));
    }
}
