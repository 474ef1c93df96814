//! One request's caller: who it is, and how it reached us.

use std::net::{IpAddr, SocketAddr};

use super::soap::fault::{Fault, Generic};
use crate::auth::Principal;

/// What an operation may know of its caller. It exists only for calls whose access class was checked.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The user; absent for operations that need none.
    pub principal: Option<Principal>,
    /// The client.
    pub peer: SocketAddr,
    /// The address of ours that the client contacted.
    pub local: SocketAddr,
    /// The host, and the port if it is not the scheme's, that the client used; addresses that we give out name it.
    pub authority: Authority,
}

/// Host and port of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// A name or an address; one of IPv6 in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Visit {
    /// The user.
    ///
    /// # Errors
    /// There is none: the operation is open to everybody.
    pub fn principal(&self) -> Result<&Principal, Fault> {
        self.principal.as_ref().ok_or_else(|| Fault::new(Generic::NotAuthorized))
    }

    /// `http://host:port` without a slash at the end.
    pub fn http(&self) -> String {
        match self.authority.port {
            80 => format!("http://{}", self.authority.host),
            port => format!("http://{}:{port}", self.authority.host),
        }
    }

    /// `rtsp://host:port` of the RTSP listener at `port`.
    pub fn rtsp(&self, port: u16) -> String {
        match port {
            554 => format!("rtsp://{}", self.authority.host),
            port => format!("rtsp://{}:{port}", self.authority.host),
        }
    }
}

impl Authority {
    /// The host that addresses name (design section 5): the configured one, else that of a sound Host header, else the
    /// address that the client contacted. Never one that leads nowhere.
    pub fn choose(configured: Option<&str>, header: Option<&str>, local: SocketAddr) -> Self {
        let from_header = header.and_then(Self::parse);
        match configured {
            Some(host) => Self { host: bracketed(host), port: from_header.map_or(local.port(), |header| header.port) },
            None => from_header.unwrap_or_else(|| Self { host: literal(local.ip()), port: local.port() }),
        }
    }

    /// Reads a Host header; `None` if it is no host or one that no other machine can reach by it.
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok().filter(|port| *port != 0)?),
            _ => (text, 80),
        };
        let is_name = |host: &str| {
            !host.is_empty()
                && host.len() <= 253
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let sound = match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok_and(|address| !address.is_unspecified()),
            None => {
                is_name(host)
                    && host.parse::<IpAddr>().is_ok_and(|ip| !ip.is_unspecified()) | host.parse::<IpAddr>().is_err()
            }
        };
        sound.then(|| Self { host: host.to_ascii_lowercase(), port })
    }
}

fn literal(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn bracketed(host: &str) -> String {
    host.parse::<IpAddr>().map_or_else(|_| host.to_owned(), literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_the_configured_one_or_the_clients_or_ours() {
        let local: SocketAddr = "192.0.2.1:8080".parse().unwrap();
        let chosen = |configured, header| {
            let Authority { host, port } = Authority::choose(configured, header, local);
            format!("{host} {port}")
        };
        assert_eq!(chosen(Some("door.example"), Some("x:81")), "door.example 81");
        assert_eq!(chosen(Some("2001:db8::1"), None), "[2001:db8::1] 8080");
        for (header, expected) in [
            ("Door.example:81", "door.example 81"),
            ("10.0.0.1", "10.0.0.1 80"),
            ("[fe80::1]:8080", "[fe80::1] 8080"),
            ("[fe80::1]", "[fe80::1] 80"),
            ("0.0.0.0:80", "192.0.2.1 8080"),
            ("[::]:80", "192.0.2.1 8080"),
            ("a<b", "192.0.2.1 8080"),
            ("h:0", "192.0.2.1 8080"),
            ("h:99999", "192.0.2.1 8080"),
            ("", "192.0.2.1 8080"),
        ] {
            assert_eq!(chosen(None, Some(header)), expected, "{header}");
        }
    }
}
