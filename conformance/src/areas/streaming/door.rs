//! How a case comes to a media service, over IPv4 or IPv6, and the addresses that it is given there.

use std::{
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

use super::words::{Ip, Service, Way};
use crate::{
    soap::{self, Call, Fault},
    test::Test,
    verdict::Outcome,
    xml::Element,
};

/// How long a device may take to accept a connection over IPv6.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest address that is allowed, in octets (Streaming Specification, section 5.2.1).
const LONGEST: usize = 128;

/// A media service where a case speaks with it.
#[derive(Debug, Clone)]
pub(super) struct Door {
    /// Which one.
    pub(super) service: Service,
    /// How it is reached.
    pub(super) ip: Ip,
    address: String,
}

impl Door {
    /// Finds the service. Over IPv6 this is step 3 of every case.
    pub(super) fn open(t: &mut Test<'_>, service: Service, ip: Ip) -> Outcome<Self> {
        let namespace = soap::namespace(service.prefix());
        let address = match ip {
            Ip::V4 if literal(t.device.url()).is_some_and(|ip| ip.is_ipv6()) => {
                t.skip("the case is about IPv4, and the judge was given an IPv6 address")?
            }
            Ip::V4 => t.some(t.device.service(namespace), "the media service in GetServices")?,
            Ip::V6 => {
                t.step("3", "the device has an IPv6 address");
                over_ipv6(t, namespace)?
            }
        };
        Ok(Self { service, ip, address })
    }

    /// Asks the service; the body leaves out the prefix: `{p}:GetProfiles` becomes `trt:GetProfiles` or `tr2:GetProfiles`.
    pub(super) fn ask(&self, t: &mut Test<'_>, body: impl Into<String>) -> Outcome<Element> {
        t.ask_by(&self.call(body))
    }

    /// Like [`ask`](Self::ask), and leaves it to the caller whether a fault is good.
    pub(super) fn attempt(&self, t: &mut Test<'_>, body: impl Into<String>) -> Outcome<Result<Element, Fault>> {
        t.attempt_by(&self.call(body))
    }

    fn call(&self, body: impl Into<String>) -> Call {
        let body = body.into().replace("{p}", self.service.prefix());
        Call::new(body).to(&self.address)
    }

    /// What an encoder of a kind (`Video`, `Audio`) can do in a profile.
    pub(super) fn encoder_options(
        &self,
        t: &mut Test<'_>,
        kind: &str,
        profile: &str,
        encoder: &str,
    ) -> Outcome<Element> {
        let (profile, encoder) = (crate::xml::escape(profile), crate::xml::escape(encoder));
        self.ask(
            t,
            format!(
                "<{{p}}:Get{kind}EncoderConfigurationOptions><{{p}}:ConfigurationToken>{encoder}</{{p}}:ConfigurationToken>\
                 <{{p}}:ProfileToken>{profile}</{{p}}:ProfileToken></{{p}}:Get{kind}EncoderConfigurationOptions>"
            ),
        )
    }

    /// GetStreamUri, with what is demanded of every address.
    pub(super) fn stream_uri(&self, t: &mut Test<'_>, profile: &str, way: Way) -> Outcome<String> {
        let profile = crate::xml::escape(profile);
        let uri = match self.service {
            Service::Media1 => {
                let protocol = match way {
                    Way::Udp => "UDP",
                    Way::Tcp => "RTSP",
                    Way::Tunnel => "HTTP",
                };
                let answer = self.ask(
                    t,
                    format!(
                        "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport>\
                         <tt:Protocol>{protocol}</tt:Protocol></tt:Transport></trt:StreamSetup>\
                         <trt:ProfileToken>{profile}</trt:ProfileToken></trt:GetStreamUri>"
                    ),
                )?;
                for name in ["InvalidAfterConnect", "InvalidAfterReboot", "Timeout"] {
                    t.some(answer.at(&format!("MediaUri/{name}")), name)?;
                }
                answer.text_or_empty("MediaUri/Uri").to_owned()
            }
            Service::Media2 => {
                let protocol = match way {
                    Way::Udp => "RtspUnicast",
                    Way::Tcp => "RTSP",
                    Way::Tunnel => "RtspOverHttp",
                };
                let answer = self.ask(
                    t,
                    format!(
                        "<tr2:GetStreamUri><tr2:Protocol>{protocol}</tr2:Protocol>\
                         <tr2:ProfileToken>{profile}</tr2:ProfileToken></tr2:GetStreamUri>"
                    ),
                )?;
                answer.text_or_empty("Uri").to_owned()
            }
        };
        self.judge_uri(t, &uri, way)?;
        Ok(uri)
    }

    fn judge_uri(&self, t: &Test<'_>, uri: &str, way: Way) -> Outcome {
        t.demand(uri.len() <= LONGEST, format!("an address of at most {LONGEST} octets"), uri)?;
        let scheme = if way == Way::Tunnel { "http" } else { "rtsp" };
        t.demand(uri.starts_with(&format!("{scheme}://")), format!("an address that starts with {scheme}://"), uri)?;
        t.demand(is_of(uri, self.ip), format!("an {} address", self.ip.name()), uri)?;
        if way == Way::Tunnel && self.service == Service::Media2 {
            let port =
                |url: &str| soap::split(url).ok().and_then(|(host, _)| Some(host.rsplit_once(':')?.1.to_owned()));
            t.same("the port of the web service", port(&self.address), port(uri))?;
        }
        Ok(())
    }
}

/// Finds an IPv6 address of the device that is reached from here, and the service there.
fn over_ipv6(t: &mut Test<'_>, namespace: &str) -> Outcome<String> {
    let answer = t.ask("<tds:GetNetworkInterfaces/>")?;
    let interfaces: Vec<&Element> = answer.all("NetworkInterfaces").filter_map(|one| one.at("IPv6")).collect();
    let configs: Vec<&Element> = interfaces
        .iter()
        .filter(|ipv6| ipv6.bool_at("Enabled") == Some(true))
        .filter_map(|ipv6| ipv6.at("Config"))
        .collect();
    if configs.is_empty() {
        return t.skip("IPv6 is switched off, and the judge leaves the network of the device as it is");
    }
    let (authority, path) = soap::split(t.device.url())?;
    let (host, port) = authority.rsplit_once(':').unwrap_or((&authority, "80"));
    // A link-local address would need the name of our own interface, too.
    let global = configs.iter().flat_map(|config| {
        ["Manual", "FromDHCP", "FromRA"]
            .into_iter()
            .flat_map(|name| config.all(name))
            .map(|one| one.text_or_empty("Address"))
    });
    let loopback = literal(t.device.url()).is_some_and(|ip| ip.is_loopback()) || host == "localhost";
    let addresses: Vec<&str> = global.chain(loopback.then_some("::1")).collect();
    for address in &addresses {
        let authority = format!("[{address}]:{port}");
        let Ok(socket) = authority.parse::<SocketAddr>() else { continue };
        if TcpStream::connect_timeout(&socket, PATIENCE).is_ok() {
            let url = format!("http://{authority}{path}");
            return service_at(t, &url, namespace);
        }
    }
    t.skip(format!("the device is not reached from here over IPv6 (tried: {})", addresses.join(", ")))
}

fn service_at(t: &mut Test<'_>, url: &str, namespace: &str) -> Outcome<String> {
    let body = "<tds:GetServices><tds:IncludeCapability>false</tds:IncludeCapability></tds:GetServices>";
    let services = t.ask_by(&Call::new(body).to(url))?;
    let found = services.all("Service").find(|service| service.text_or_empty("Namespace") == namespace);
    let address = t.some(found, "the media service in GetServices")?.text_or_empty("XAddr");
    t.demand(is_of(address, Ip::V6), "a service address with IPv6", address)?;
    Ok(address.to_owned())
}

/// The host of an address, without port and brackets.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// The host of an address if it is a number.
pub(super) fn literal(url: &str) -> Option<IpAddr> {
    host(url).parse().ok()
}

/// Whether the host of an address is of this protocol: by its number, or by one that its name stands for.
fn is_of(url: &str, ip: Ip) -> bool {
    let fits = |address: IpAddr| address.is_ipv6() == (ip == Ip::V6);
    match literal(url) {
        Some(address) => fits(address),
        None => (host(url), 0).to_socket_addrs().is_ok_and(|mut all| all.any(|address| fits(address.ip()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found() {
        for (url, expected) in [
            ("rtsp://10.0.0.1:554/a", "10.0.0.1"),
            ("rtsp://u:p@[::1]:554/a", "::1"),
            ("http://cam?x=1:2", "cam"),
            ("rtsp://[fd00::2]", "fd00::2"),
        ] {
            assert_eq!(host(url), expected);
        }
        assert!(is_of("rtsp://[::1]/", Ip::V6) && !is_of("rtsp://[::1]/", Ip::V4) && is_of("rtsp://1.2.3.4", Ip::V4));
    }
}
