//! The network interface of the device (Core 8.2.10).
//!
//! There is one: that on which the client came in. The machine may have a dozen, of containers and tunnels, but a recorder
//! takes one hardware address for one camera, and which of several it takes differs: Home Assistant the last that is
//! switched on, others the first. With one they all take the same, that of the scopes (`MacAddress`).

use std::{net::IpAddr, str::FromStr, sync::Arc};

use super::{blocking, choice, invalid, network::machine, set_host};
use crate::{
    host::{Address, Applied, Interface, InterfaceSettings, IpSettings, MacAddress, came_in_on},
    onvif::{
        context::Context,
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::{Fault, Generic},
            names::{TDS, TT},
            tree::Element,
            writer::Writer,
        },
        visit::Visit,
    },
};

pub(super) async fn get_network_interfaces(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let interfaces = context.interfaces.last();
    let mac = context.hardware_address(&interfaces, &call.proof);
    let own = own(&interfaces, call.proof.local.ip()).cloned();
    Ok(Reply::new(move |w| {
        if let Some(own) = own {
            w.tag(TDS, "NetworkInterfaces").attribute("token", &own.name).content(|w| write(w, &own, mac));
        }
    }))
}

pub(super) async fn set_network_interfaces(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let token = call.body().get::<String>(TDS, "InterfaceToken")?;
    let wanted = call.body().required(TDS, "NetworkInterface")?;
    let interfaces = context.interfaces.last();
    let own = own(&interfaces, call.proof.local.ip()).filter(|own| own.name == token.trim());
    let own = own.ok_or_else(|| invalid("InvalidNetworkInterface"))?;
    let settings = changed(&own.settings, wanted)?;
    // Addresses were looked at, so what is wrong now is the packet size.
    let subcode = wanted.child(TT, "MTU").map(|_| "InvalidMtuValue");
    let name = own.name.clone();
    let applied = set_host(context, subcode, move |host| host.set_interface(&name, &settings)).await?;
    if let Err(error) = blocking(context, |context| context.interfaces.refresh()).await? {
        tracing::warn!(%error, "the network interfaces cannot be read after the change");
    }
    tracing::info!(user = call.proof.principal()?.user(), interface = own.name, "the network settings were changed");
    Ok(Reply::new(move |w| w.text(TDS, "RebootNeeded", applied == Applied::AtReboot)))
}

/// The interface that a client which came in at `local` is told of; one on the machine itself is told what others are.
fn own(interfaces: &[Interface], local: IpAddr) -> Option<&Interface> {
    let outward = || interfaces.iter().filter(|interface| !interface.loopback);
    let real = |interface: &&Interface| interface.mac.is_some_and(MacAddress::is_real);
    let in_use = |interface: &&Interface| interface.up && real(interface);
    came_in_on(interfaces, local)
        .filter(|here| !here.loopback)
        .or_else(|| outward().find(in_use))
        .or_else(|| outward().find(real))
        .or_else(|| outward().next())
        .or_else(|| interfaces.first())
}

/// Writes what `tt:NetworkInterface` holds.
fn write(w: &mut Writer, interface: &Interface, mac: MacAddress) {
    let settings = &interface.settings;
    w.text(TT, "Enabled", settings.enabled);
    w.element(TT, "Info", |w| {
        w.text(TT, "Name", &interface.name);
        w.text(TT, "HwAddress", mac.to_string());
        w.optional(TT, "MTU", settings.mtu.or(interface.mtu));
    });
    w.element(TT, "IPv4", |w| write_ipv4(w, &settings.ipv4, &interface.addresses));
    w.element(TT, "IPv6", |w| write_ipv6(w, &settings.ipv6, &interface.addresses));
}

fn write_ipv4(w: &mut Writer, settings: &IpSettings, present: &[Address]) {
    let link_local = |address: &&Address| matches!(address.ip, IpAddr::V4(ip) if ip.is_link_local());
    let from_dhcp = settings.dhcp == Some(true);
    w.text(TT, "Enabled", settings.enabled);
    w.element(TT, "Config", |w| {
        write_addresses(w, "Manual", &settings.manual);
        write_addresses(w, "LinkLocal", present.iter().find(link_local));
        let leased = present.iter().find(|own| own.ip.is_ipv4() && !link_local(own) && !settings.manual.contains(own));
        write_addresses(w, "FromDHCP", leased.filter(|_| from_dhcp));
        w.text(TT, "DHCP", from_dhcp);
    });
}

fn write_ipv6(w: &mut Writer, settings: &IpSettings, present: &[Address]) {
    let link_local = |address: &&Address| matches!(address.ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let from_router = |own: &&Address| own.ip.is_ipv6() && !link_local(own) && !settings.manual.contains(own);
    w.text(TT, "Enabled", settings.enabled);
    w.element(TT, "Config", |w| {
        let mode = DHCP_MODES.iter().find(|(_, mode)| *mode == Dhcp::Known(settings.dhcp));
        w.text(TT, "DHCP", mode.map_or("Auto", |(word, _)| *word));
        write_addresses(w, "Manual", &settings.manual);
        write_addresses(w, "LinkLocal", present.iter().filter(link_local));
        let list = if settings.dhcp == Some(true) { "FromDHCP" } else { "FromRA" };
        write_addresses(w, list, present.iter().filter(from_router));
    });
}

fn write_addresses<'a>(w: &mut Writer, local: &str, addresses: impl IntoIterator<Item = &'a Address>) {
    for address in addresses {
        w.element(TT, local, |w| {
            w.text(TT, "Address", address.ip.to_string());
            w.text(TT, "PrefixLength", address.prefix);
        });
    }
}

/// How an interface gets its addresses of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dhcp {
    /// As the settings of the host say it.
    Known(Option<bool>),
    /// As routers say, but for addresses; the host does not know this.
    Stateless,
}

const DHCP_MODES: [(&str, Dhcp); 4] = [
    ("Auto", Dhcp::Known(None)),
    ("Off", Dhcp::Known(Some(false))),
    ("Stateful", Dhcp::Known(Some(true))),
    ("Stateless", Dhcp::Stateless),
];

/// The settings with what a `tt:NetworkInterfaceSetConfiguration` says; what it leaves out stays.
fn changed(present: &InterfaceSettings, wanted: &Element) -> Result<InterfaceSettings, Fault> {
    let mut settings = present.clone();
    settings.enabled = wanted.get_optional(TT, "Enabled")?.unwrap_or(settings.enabled);
    if !settings.enabled {
        // It is the only way to the device, and no other would switch it on again.
        return Err(Fault::new(Generic::InvalidArgVal).reason("The interface leads to this device"));
    }
    if wanted.child(TT, "Link").is_some() {
        return Err(invalid("InvalidInterfaceSpeed").reason("Speed and duplex are negotiated"));
    }
    if wanted.child(TT, "Extension").is_some_and(|extension| extension.child(TT, "Dot11").is_some()) {
        return Err(Fault::new(Generic::ActionNotSupported).subcode("InvalidDot11"));
    }
    if let Some(mtu) = wanted.get_optional::<i32>(TT, "MTU")? {
        settings.mtu = Some(u32::try_from(mtu).map_err(|_| invalid("InvalidMtuValue"))?);
    }
    if let Some(wanted) = wanted.child(TT, "IPv4") {
        settings.ipv4 = changed_ipv4(&settings.ipv4, wanted)?;
    }
    if let Some(wanted) = wanted.child(TT, "IPv6") {
        settings.ipv6 = changed_ipv6(&settings.ipv6, wanted)?;
    }
    Ok(settings)
}

fn changed_ipv4(present: &IpSettings, wanted: &Element) -> Result<IpSettings, Fault> {
    const SUBCODE: &str = "InvalidIPv4Address";
    let enabled = wanted.get_optional(TT, "Enabled")?.unwrap_or(present.enabled);
    let manual = manual::<std::net::Ipv4Addr>(wanted, 32, SUBCODE)?;
    let dhcp = wanted.get_optional(TT, "DHCP")?.or(present.dhcp);
    let manual = match manual {
        // What DHCP gives takes the place of the address that was given by hand.
        None if dhcp == Some(true) => Vec::new(),
        None => present.manual.clone(),
        Some(manual) => manual,
    };
    if enabled && dhcp != Some(true) && manual.is_empty() {
        return Err(invalid(SUBCODE).reason("Without DHCP an address must be given"));
    }
    Ok(IpSettings { enabled, dhcp, manual })
}

fn changed_ipv6(present: &IpSettings, wanted: &Element) -> Result<IpSettings, Fault> {
    if wanted.child(TT, "AcceptRouterAdvert").is_some() {
        return Err(Fault::new(Generic::ActionNotSupported).reason("Whether routers are listened to cannot be set"));
    }
    let enabled = wanted.get_optional(TT, "Enabled")?.unwrap_or(present.enabled);
    let manual = manual::<std::net::Ipv6Addr>(wanted, 128, "InvalidIPv6Address")?;
    let dhcp = match wanted.child(TT, "DHCP").map(|mode| choice(mode, &DHCP_MODES)).transpose()? {
        None => present.dhcp,
        Some(Dhcp::Known(dhcp)) if dhcp != Some(true) || dhcp == present.dhcp => dhcp,
        Some(_) => return Err(Fault::new(Generic::ActionNotSupported).subcode("InvalidDHCPv6")),
    };
    Ok(IpSettings { enabled, dhcp, manual: manual.unwrap_or_else(|| present.manual.clone()) })
}

/// Reads the addresses given by hand, if there are any.
fn manual<T: FromStr + Into<IpAddr> + Copy>(
    wanted: &Element,
    bits: u8,
    subcode: &'static str,
) -> Result<Option<Vec<Address>>, Fault> {
    let address = |element: &Element| {
        let ip = element.get::<String>(TT, "Address")?.trim().parse::<T>().map_err(|_| invalid(subcode))?;
        let ip = machine(ip, subcode)?.into();
        let prefix = u8::try_from(element.get::<i32>(TT, "PrefixLength")?).unwrap_or(0);
        if (1..=bits).contains(&prefix) { Ok(Address { ip, prefix }) } else { Err(invalid(subcode)) }
    };
    let addresses = wanted.children(TT, "Manual").map(address).collect::<Result<Vec<_>, Fault>>()?;
    Ok(if addresses.is_empty() { None } else { Some(addresses) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, mac: Option<[u8; 6]>, up: bool, ip: &str) -> Interface {
        let family = IpSettings::default();
        Interface {
            name: name.into(),
            index: 1,
            mac: mac.map(MacAddress::new),
            mtu: None,
            up,
            loopback: name == "lo",
            multicast: true,
            speed: None,
            addresses: vec![Address { ip: ip.parse().unwrap(), prefix: 24 }],
            settings: InterfaceSettings { enabled: true, mtu: None, ipv4: family.clone(), ipv6: family },
        }
    }

    #[test]
    fn a_client_is_told_of_the_interface_that_it_came_in_on() {
        let machine = [
            interface("lo", None, true, "127.0.0.1"),
            interface("eth0", Some([2, 0, 0, 0, 0, 1]), false, "192.0.2.2"),
            interface("eth1", Some([2, 0, 0, 0, 0, 2]), true, "198.51.100.2"),
            interface("wg0", None, true, "203.0.113.2"),
        ];
        let name = |interfaces: &[Interface], local: &str| {
            own(interfaces, local.parse().unwrap()).map(|own| own.name.clone()).unwrap_or_default()
        };
        assert_eq!(name(&machine, "192.0.2.2"), "eth0");
        assert_eq!(name(&machine, "203.0.113.2"), "wg0");
        assert_eq!(name(&machine, "127.0.0.1"), "eth1", "the same that others are told");
        assert_eq!(name(&machine[..2], "127.0.0.1"), "eth0");
        assert_eq!(name(&machine[..1], "127.0.0.1"), "lo");
        assert_eq!(name(&[], "127.0.0.1"), "");
    }
}
