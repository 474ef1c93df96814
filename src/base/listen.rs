//! Where a listener listens, as people write it: `8080`, `:8080`, `127.0.0.1:0`, `[::]:8080`.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    str::FromStr,
};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// An address and port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// One address; absent where every address is meant, IPv6 and IPv4.
    pub address: Option<IpAddr>,
    /// The port; 0 picks a free one.
    pub port: u16,
}

/// Tells that a text is no [`Listen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a port or an IP address with a port, such as 8080, 127.0.0.1:8080 or [::]:8080")]
pub struct BadListen;

impl Listen {
    /// Listens on every address.
    pub const fn everywhere(port: u16) -> Self {
        Self { address: None, port }
    }

    /// Opens the listening socket, non-blocking as tokio wants it.
    ///
    /// Every address means one IPv6 socket that takes IPv4 too; where the machine has no IPv6, an IPv4 socket.
    ///
    /// # Errors
    /// Those of the system: in use, not permitted, no such address.
    pub fn bind(&self) -> io::Result<TcpListener> {
        match self.address {
            Some(address) => bind(SocketAddr::new(address, self.port)),
            None => bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), self.port)).or_else(|error| {
                match error.raw_os_error() {
                    Some(code) if no_ipv6(code) => bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.port)),
                    _ => Err(error),
                }
            }),
        }
    }
}

/// Tells whether an error means that this machine has no IPv6, rather than that the port is taken.
fn no_ipv6(code: i32) -> bool {
    [rustix::io::Errno::AFNOSUPPORT, rustix::io::Errno::ADDRNOTAVAIL].iter().any(|errno| errno.raw_os_error() == code)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    // A restart need not wait until the connections of the last run are forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl FromStr for Listen {
    type Err = BadListen;

    fn from_str(text: &str) -> Result<Self, BadListen> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            let every = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            return Ok(Self { address: (!every).then_some(address.ip()), port: address.port() });
        }
        let digits = text.strip_prefix(':').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadListen);
        }
        Ok(Self::everywhere(digits.parse().map_err(|_| BadListen)?))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => SocketAddr::new(address, self.port).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn every_spelling_is_read() {
        for (text, shown) in [
            ("8080", ":8080"),
            (":8080", ":8080"),
            ("[::]:8080", ":8080"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:554", "[::1]:554"),
        ] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), shown);
        }
        for text in ["", ":", "-1", "+1", "65536", "localhost:80", "127.0.0.1", "::1:80", "[::1]", " 80", "80 "] {
            assert_eq!(text.parse::<Listen>(), Err(BadListen), "{text:?}");
        }
    }

    #[test]
    fn everywhere_takes_both_families() {
        let listener = Listen::everywhere(0).bind().unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        if listener.local_addr().unwrap().is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        }
        let taken = Listen::everywhere(port).bind().unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
    }
}
