//! Where the device is, seen from here, and the sockets that lead there.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs, UdpSocket},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};

use super::PORT;
use crate::soap::split;

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);
/// How long a socket waits at a time, so that several can be looked at in turn.
const TURN: Duration = Duration::from_millis(10);

/// The device's address and the interface that leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where the device answers HTTP.
    pub device: SocketAddr,
    /// The address of this machine that the device sees.
    pub local: IpAddr,
    /// The index of that interface; only IPv6 needs it.
    index: u32,
}

impl Place {
    /// Finds it by the route to the device.
    ///
    /// # Errors
    /// The address is none, or there is no route.
    pub fn of(url: &str) -> Result<Self> {
        let (authority, _) = split(url)?;
        let mut all = authority.to_socket_addrs().with_context(|| format!("the address of {authority}"))?;
        let device = all.next().with_context(|| format!("{authority} has no address"))?;
        let any: IpAddr = if device.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(device).with_context(|| format!("no route to {device}"))?;
        let local = socket.local_addr()?;
        let index = match local {
            SocketAddr::V6(local) if local.scope_id() != 0 => local.scope_id(),
            SocketAddr::V6(local) => index_of(*local.ip()),
            SocketAddr::V4(_) => 0,
        };
        Ok(Self { device, local: local.ip(), index })
    }

    /// Whether the device is on this very machine.
    pub fn is_here(&self) -> bool {
        self.device.ip() == self.local || self.device.ip().is_loopback()
    }

    /// Where everybody hears.
    pub fn group(&self) -> SocketAddr {
        match self.device {
            SocketAddr::V4(_) => (GROUP_V4, PORT).into(),
            SocketAddr::V6(_) => SocketAddrV6::new(GROUP_V6, PORT, 0, self.index).into(),
        }
    }

    /// Where only the device's machine hears.
    pub fn alone(&self) -> SocketAddr {
        let mut address = self.device;
        address.set_port(PORT);
        address
    }

    /// A socket to ask from, on the interface that leads to the device.
    ///
    /// # Errors
    /// The system does not give one.
    pub fn asker(&self) -> io::Result<UdpSocket> {
        let own = match self.local {
            IpAddr::V4(local) => SocketAddr::from((local, 0)),
            IpAddr::V6(local) => SocketAddrV6::new(local, 0, 0, self.scope(local)).into(),
        };
        let socket = UdpSocket::bind(own)?;
        match self.local {
            IpAddr::V4(local) => SockRef::from(&socket).set_multicast_if_v4(&local)?,
            IpAddr::V6(_) => SockRef::from(&socket).set_multicast_if_v6(self.index)?,
        }
        socket.set_read_timeout(Some(TURN))?;
        Ok(socket)
    }

    /// A socket that hears what is said to everybody on that interface, and nothing else: it is bound to the group. A device
    /// on this very machine is heard on all its interfaces: it says where it is on those by which others reach it.
    ///
    /// # Errors
    /// The system does not give one.
    pub fn listener(&self) -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(self.device), Type::DGRAM, Some(Protocol::UDP))?;
        // Other programs of this machine may be on the port, a device among them.
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        socket.bind(&self.group().into())?;
        match self.local {
            IpAddr::V4(local) => socket.join_multicast_v4(&GROUP_V4, &local)?,
            IpAddr::V6(_) => socket.join_multicast_v6(&GROUP_V6, self.index)?,
        }
        for index in interfaces().into_iter().filter(|_| self.is_here()) {
            // That which leads to the device was joined already, and some carry no multicast.
            let _ = match self.local {
                IpAddr::V4(_) => socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(index)),
                IpAddr::V6(_) => socket.join_multicast_v6(&GROUP_V6, index),
            };
        }
        socket.set_read_timeout(Some(TURN))?;
        Ok(socket.into())
    }

    fn scope(&self, local: Ipv6Addr) -> u32 {
        if local.is_unicast_link_local() { self.index } else { 0 }
    }
}

/// The indices of this machine's interfaces, where the system is Linux.
fn interfaces() -> Vec<u32> {
    let all = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let index = |path: PathBuf| fs::read_to_string(path.join("ifindex")).ok()?.trim().parse().ok();
    all.filter_map(|interface| index(interface.path())).collect()
}

/// The interface that has an address of IPv6, as Linux tells it: address, index, and more, in hexadecimal. Elsewhere, and
/// where it is not found, 0 leaves it to the system.
fn index_of(address: Ipv6Addr) -> u32 {
    let all = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    index_in(&all, address)
}

fn index_in(all: &str, address: Ipv6Addr) -> u32 {
    let wanted = format!("{:032x}", u128::from(address));
    let line = all.lines().find(|line| line.starts_with(&wanted));
    line.and_then(|line| u32::from_str_radix(line.split_whitespace().nth(1)?, 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_tells_the_interface() {
        let place = Place::of("http://127.0.0.1:8080/onvif/device_service").unwrap();
        assert!(place.is_here() && place.local.is_loopback());
        assert_eq!(place.alone(), "127.0.0.1:3702".parse().unwrap());
        assert_eq!(place.group(), "239.255.255.250:3702".parse().unwrap());
        let listener = place.listener().unwrap();
        let asker = place.asker().unwrap();
        asker.send_to(b"hello, all", place.group()).unwrap();
        let mut buffer = [0; 65_536];
        let heard = (0..100).any(|_| {
            let length = listener.recv(&mut buffer).unwrap_or(0);
            &buffer[..length] == b"hello, all"
        });
        assert!(heard);
        assert!(Place::of("https://127.0.0.1/").is_err());
    }

    #[test]
    fn linux_tells_which_interface_has_an_address() {
        let all = "00000000000000000000000000000001 01 80 10 80       lo\n\
                   fe8000000000000000fc00fffe000001 1a 40 20 80     eth0\n";
        assert_eq!(index_in(all, Ipv6Addr::LOCALHOST), 1);
        assert_eq!(index_in(all, "fe80::fc:ff:fe00:1".parse().unwrap()), 26);
        assert_eq!(index_in(all, Ipv6Addr::UNSPECIFIED), 0);
    }
}
