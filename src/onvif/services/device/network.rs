//! Names, ways and ports (Core 8.2); interfaces have a file of their own.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::Arc,
};

use super::{blocking, choice, invalid, set_host};
use crate::{
    host::{Dns, Gateways, Host, HostError, NewHostname, Ntp, NtpServer, TimeSource},
    onvif::{
        context::{Context, host_fault},
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

pub(super) async fn get_hostname(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let hostname = read(context, |host| host.hostname()).await?;
    Ok(Reply::new(move |w| {
        w.element(TDS, "HostnameInformation", |w| {
            w.text(TT, "FromDHCP", hostname.from_dhcp);
            w.text(TT, "Name", hostname.name);
        });
    }))
}

pub(super) async fn set_hostname(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let name = call.body().get::<String>(TDS, "Name")?.trim().to_owned();
    set_host(context, Some("InvalidHostname"), move |host| match name.as_str() {
        // An empty name is the one that DHCP gives; where DHCP gives none it is no name.
        "" => host.set_hostname(&NewHostname::FromDhcp).map_err(|error| match error {
            HostError::Unsupported(why) => HostError::Invalid(why.to_owned()),
            error => error,
        }),
        _ => host.set_hostname(&NewHostname::Name(name)),
    })
    .await?;
    Ok(Reply::empty())
}

pub(super) async fn get_dns(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let dns = read(context, |host| host.dns()).await?;
    Ok(Reply::new(move |w| {
        w.element(TDS, "DNSInformation", |w| {
            w.text(TT, "FromDHCP", dns.from_dhcp);
            w.each(TT, "SearchDomain", dns.search);
            let list = if dns.from_dhcp { "DNSFromDHCP" } else { "DNSManual" };
            for server in dns.servers {
                w.element(TT, list, |w| write_address(w, server));
            }
        });
    }))
}

pub(super) async fn set_dns(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let body = call.body();
    let from_dhcp = body.get::<bool>(TDS, "FromDHCP")?;
    let search = body.get_all::<String>(TDS, "SearchDomain")?;
    let servers = body.children(TDS, "DNSManual").map(read_address);
    let servers = servers.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let search = search.iter().map(|domain| domain.trim().to_owned()).collect();
    let dns = Dns { from_dhcp, servers, search };
    set_host(context, None, move |host| host.set_dns(&dns)).await?;
    Ok(Reply::empty())
}

pub(super) async fn get_ntp(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let ntp = read(context, |host| host.ntp()).await?;
    Ok(Reply::new(move |w| {
        w.element(TDS, "NTPInformation", |w| {
            w.text(TT, "FromDHCP", ntp.from_dhcp);
            let list = if ntp.from_dhcp { "NTPFromDHCP" } else { "NTPManual" };
            for server in ntp.servers {
                w.element(TT, list, |w| match server {
                    NtpServer::Address(address) => write_address(w, address),
                    NtpServer::Name(name) => {
                        w.text(TT, "Type", "DNS");
                        w.text(TT, "DNSname", name);
                    }
                });
            }
        });
    }))
}

pub(super) async fn set_ntp(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let from_dhcp = call.body().get::<bool>(TDS, "FromDHCP")?;
    let servers = call.body().children(TDS, "NTPManual").map(read_ntp_server);
    let servers: Vec<_> = servers.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    if servers.is_empty() && !from_dhcp && context.host.time_source() == TimeSource::Ntp {
        let known = read(context, |host| host.ntp()).await?;
        // Where time servers were never told the program that asks them knows its own, and nothing is taken away.
        if known.from_dhcp || !known.servers.is_empty() {
            return Err(invalid("TimeSyncedToNtp"));
        }
    }
    let ntp = Ntp { from_dhcp, servers };
    // Addresses were looked at, so what is wrong now is a name.
    set_host(context, Some("InvalidDnsName"), move |host| host.set_ntp(&ntp)).await?;
    Ok(Reply::empty())
}

pub(super) async fn get_network_default_gateway(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let gateways = read(context, |host| host.gateways()).await?;
    Ok(Reply::new(move |w| {
        w.element(TDS, "NetworkGateway", |w| {
            w.each(TT, "IPv4Address", gateways.ipv4.iter().map(Ipv4Addr::to_string));
            w.each(TT, "IPv6Address", gateways.ipv6.iter().map(Ipv6Addr::to_string));
        });
    }))
}

pub(super) async fn set_network_default_gateway(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    fn all<T: FromStr + Into<IpAddr> + Copy>(body: &Element, local: &str) -> Result<Vec<T>, Fault> {
        let texts = body.get_all::<String>(TDS, local)?;
        let addresses = texts.iter().map(|text| address_or_none(text, "InvalidGatewayAddress"));
        Ok(addresses.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
    let gateways = Gateways { ipv4: all(call.body(), "IPv4Address")?, ipv6: all(call.body(), "IPv6Address")? };
    set_host(context, Some("InvalidGatewayAddress"), move |host| host.set_gateways(&gateways)).await?;
    Ok(Reply::empty())
}

/// The protocols that we speak, and their ports.
fn protocols(context: &Context) -> impl Iterator<Item = (&'static str, u16)> {
    [Some(("HTTP", context.http_port)), context.rtsp_port.map(|port| ("RTSP", port))].into_iter().flatten()
}

pub(super) async fn get_network_protocols(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let protocols: Vec<_> = protocols(context).collect();
    Ok(Reply::new(move |w| {
        for (name, port) in protocols {
            w.element(TDS, "NetworkProtocols", |w| {
                w.text(TT, "Name", name);
                w.text(TT, "Enabled", true);
                w.text(TT, "Port", port);
            });
        }
    }))
}

/// Takes what already is. Ports stand in the configuration file, which no door changes.
pub(super) async fn set_network_protocols(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    call.body().required(TDS, "NetworkProtocols")?;
    for protocol in call.body().children(TDS, "NetworkProtocols") {
        let name = protocol.get::<String>(TT, "Name")?;
        let enabled = protocol.get::<bool>(TT, "Enabled")?;
        let ports = protocol.get_all::<i32>(TT, "Port")?;
        let known = protocols(context).find(|(known, _)| *known == name.trim());
        match known {
            Some((_, port)) if enabled && ports.iter().all(|asked| *asked == i32::from(port)) => (),
            Some(_) if ports.iter().any(|port| !(1..=65_535).contains(port)) => {
                return Err(Fault::new(Generic::InvalidArgVal).reason("There is no such port"));
            }
            Some((own, _)) if protocols(context).any(|(name, port)| name != own && ports.contains(&port.into())) => {
                return Err(invalid("PortAlreadyInUse"));
            }
            Some(_) => {
                let reason = "Ports are set in the configuration file of this device";
                return Err(Fault::new(Generic::ActionNotSupported).reason(reason));
            }
            // It is switched off, as we do not have it.
            None if name.trim() == "HTTPS" && !enabled => (),
            None => return Err(invalid("ServiceNotSupported")),
        }
    }
    Ok(Reply::empty())
}

/// How an address is given.
#[derive(Debug, Clone, Copy)]
enum Type {
    V4,
    V6,
    Name,
}

const IP_TYPES: [(&str, Type); 2] = [("IPv4", Type::V4), ("IPv6", Type::V6)];
const HOST_TYPES: [(&str, Type); 3] = [("IPv4", Type::V4), ("IPv6", Type::V6), ("DNS", Type::Name)];

/// Writes what `tt:IPAddress` and `tt:NetworkHost` hold.
fn write_address(w: &mut Writer, address: IpAddr) {
    let (name, local) = if address.is_ipv4() { ("IPv4", "IPv4Address") } else { ("IPv6", "IPv6Address") };
    w.text(TT, "Type", name);
    w.text(TT, local, address.to_string());
}

/// Reads `tt:IPAddress`; `None` is a server that is not there, which is how clients empty a list.
fn read_address(element: &Element) -> Result<Option<IpAddr>, Fault> {
    read_ip(element, choice(element.required(TT, "Type")?, &IP_TYPES)?)
}

fn read_ntp_server(element: &Element) -> Result<Option<NtpServer>, Fault> {
    match choice(element.required(TT, "Type")?, &HOST_TYPES)? {
        Type::Name => {
            let name = element.get_optional::<String>(TT, "DNSname")?.unwrap_or_default();
            Ok(Some(NtpServer::Name(name.trim().to_owned())))
        }
        kind => Ok(read_ip(element, kind)?.map(NtpServer::Address)),
    }
}

fn read_ip(element: &Element, kind: Type) -> Result<Option<IpAddr>, Fault> {
    let text = |local| element.get_optional::<String>(TT, local).map(Option::unwrap_or_default);
    Ok(match kind {
        Type::V6 => address_or_none::<Ipv6Addr>(&text("IPv6Address")?, "InvalidIPv6Address")?.map(Into::into),
        _ => address_or_none::<Ipv4Addr>(&text("IPv4Address")?, "InvalidIPv4Address")?.map(Into::into),
    })
}

/// Reads the address of a machine; nothing, or the address of none, is `None` (device test specification, annex A.10).
fn address_or_none<T: FromStr + Into<IpAddr> + Copy>(text: &str, subcode: &'static str) -> Result<Option<T>, Fault> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let address: T = text.trim().parse().map_err(|_| invalid(subcode))?;
    let ip: IpAddr = address.into();
    if ip.is_unspecified() { Ok(None) } else { machine(address, subcode).map(Some) }
}

/// Holds that an address can be one machine's.
pub(super) fn machine<T: Into<IpAddr> + Copy>(address: T, subcode: &'static str) -> Result<T, Fault> {
    let ip: IpAddr = address.into();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    if ip.is_unspecified() || ip.is_multicast() || broadcast { Err(invalid(subcode)) } else { Ok(address) }
}

/// Reads something of the machine, for which files are read.
async fn read<T: Send + 'static>(
    context: &Arc<Context>,
    read: impl FnOnce(&dyn Host) -> Result<T, HostError> + Send + 'static,
) -> Result<T, Fault> {
    blocking(context, move |context| read(&*context.host)).await?.map_err(|error| host_fault(&error))
}
