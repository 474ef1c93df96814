//! The sockets on the discovery port, one for each address family.
//!
//! One socket joins the group on every link, and each datagram says on which it arrived and to which address it was sent. A
//! socket per link would hear the others' datagrams too, since all of them are bound to the same port on every address.
//! Other programs on the machine may listen on the port at the same time.

use std::{
    collections::BTreeSet,
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::AsRawFd,
};

use nix::{
    cmsg_space,
    libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo},
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
        sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo},
    },
};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use crate::discovery::core::{GROUP_V4, GROUP_V6, Link, MAX_DATAGRAM, Transmit};

/// Room for a datagram, and a byte more to know one that is too long.
pub(super) type Buffer = [u8; MAX_DATAGRAM + 1];

/// The socket of one address family.
#[derive(Debug)]
pub(super) struct GroupSocket {
    socket: UdpSocket,
    ipv6: bool,
    /// The links on which the group was joined.
    joined: BTreeSet<u32>,
}

/// Where a datagram came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) len: usize,
    pub(super) from: SocketAddr,
    pub(super) to: IpAddr,
    pub(super) link: u32,
}

impl GroupSocket {
    pub(super) fn open(ipv6: bool, port: u16) -> io::Result<Self> {
        let domain = if ipv6 { Domain::IPV6 } else { Domain::IPV4 };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        // Programs use the one or the other, and both must agree on it.
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        let every: IpAddr = if ipv6 {
            socket.set_only_v6(true)?;
            setsockopt(&socket, Ipv6RecvPacketInfo, &true)?;
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            setsockopt(&socket, Ipv4PacketInfo, &true)?;
            Ipv4Addr::UNSPECIFIED.into()
        };
        // Without this, Linux delivers what others joined on links of no concern to us. Kernels before 4.20 cannot in IPv6.
        let only_ours = if ipv6 { socket.set_multicast_all_v6(false) } else { socket.set_multicast_all_v4(false) };
        if let Err(error) = only_ours {
            tracing::debug!(%error, "cannot be told apart from other members of the group");
        }
        socket.bind(&SocketAddr::new(every, port).into())?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, ipv6, joined: BTreeSet::new() })
    }

    /// Joins the group on these links and leaves it elsewhere; returns the links where that failed.
    pub(super) fn join(&mut self, links: &[Link]) -> Vec<(String, io::Error)> {
        let socket = SockRef::from(&self.socket);
        let wanted: Vec<&Link> = links.iter().filter(|link| link.has(self.ipv6)).collect();
        let gone = self.joined.iter().copied().filter(|joined| wanted.iter().all(|link| link.index != *joined));
        for link in gone.collect::<Vec<_>>() {
            // The kernel has done so already where the link itself is gone.
            let _ = if self.ipv6 {
                socket.leave_multicast_v6(&GROUP_V6, link)
            } else {
                socket.leave_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(link))
            };
            self.joined.remove(&link);
        }
        let mut failed = Vec::new();
        for link in wanted {
            if self.joined.contains(&link.index) {
                continue;
            }
            let joined = if self.ipv6 {
                socket.join_multicast_v6(&GROUP_V6, link.index)
            } else {
                socket.join_multicast_v4_n(&GROUP_V4, &InterfaceIndexOrAddress::Index(link.index))
            };
            match joined {
                Ok(()) => drop(self.joined.insert(link.index)),
                Err(error) => failed.push((link.name.clone(), error)),
            }
        }
        failed
    }

    /// Waits until there may be a datagram.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Takes a datagram, if there is one.
    pub(super) fn receive(&self, buffer: &mut Buffer) -> io::Result<Option<Arrival>> {
        match self.socket.try_io(Interest::READABLE, || receive(&self.socket, buffer)) {
            Ok(arrival) => Ok(arrival),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a datagram. To the group it goes to our own port, which is another than the standard's in tests.
    pub(super) async fn send(&self, transmit: &Transmit) -> io::Result<()> {
        let mut to = transmit.to;
        if to.ip().is_multicast() {
            to.set_port(self.socket.local_addr()?.port());
        }
        self.socket.async_io(Interest::WRITABLE, || send(&self.socket, transmit, to)).await
    }
}

/// Takes a datagram; nothing where the kernel did not say how it came.
fn receive(socket: &UdpSocket, buffer: &mut Buffer) -> io::Result<Option<Arrival>> {
    let mut slices = [IoSliceMut::new(buffer)];
    let mut space = cmsg_space!(in6_pktinfo);
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
    let way = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some((Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into(), info.ipi_ifindex as u32))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            Some((Ipv6Addr::from(info.ipi6_addr.s6_addr).into(), info.ipi6_ifindex))
        }
        _ => None,
    });
    let from = message.address.as_ref().and_then(socket_address);
    Ok(way.zip(from).map(|((to, link), from)| Arrival { len: message.bytes, from, to, link }))
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let ipv4 = address.as_sockaddr_in().map(|address| SocketAddr::new(address.ip().into(), address.port()));
    let ipv6 = || {
        let address = address.as_sockaddr_in6()?;
        Some(SocketAddrV6::new(address.ip(), address.port(), 0, address.scope_id()).into())
    };
    ipv4.or_else(ipv6)
}

fn send(socket: &UdpSocket, transmit: &Transmit, to: SocketAddr) -> io::Result<()> {
    let slices = [IoSlice::new(&transmit.bytes)];
    let link = transmit.link.unwrap_or(0);
    let ipv4;
    let ipv6;
    let control = if to.is_ipv4() {
        let from = match transmit.from {
            Some(IpAddr::V4(from)) => from,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        let from = in_addr { s_addr: u32::from_ne_bytes(from.octets()) };
        ipv4 = in_pktinfo { ipi_ifindex: link as i32, ipi_spec_dst: from, ipi_addr: in_addr { s_addr: 0 } };
        ControlMessage::Ipv4PacketInfo(&ipv4)
    } else {
        let from = match transmit.from {
            Some(IpAddr::V6(from)) => from,
            _ => Ipv6Addr::UNSPECIFIED,
        };
        ipv6 = in6_pktinfo { ipi6_addr: in6_addr { s6_addr: from.octets() }, ipi6_ifindex: link };
        ControlMessage::Ipv6PacketInfo(&ipv6)
    };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg(socket.as_raw_fd(), &slices, &[control], flags, Some(&SockaddrStorage::from(to)))?;
    Ok(())
}
