//! Pairs of UDP sockets, and sending one unit to many at once.

use std::{
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
    sync::atomic::{AtomicBool, Ordering},
};

use nix::{
    cmsg_space,
    errno::Errno,
    sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg},
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{io::Interest, net::UdpSocket};

use crate::rtp::packetizer::Run;

/// An even port for RTP and the next for RTCP (RT-9), on the address that the client contacted (RT-11).
#[derive(Debug)]
pub(super) struct UdpPair {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    pub(super) ports: (u16, u16),
    /// Whether the kernel cuts runs into datagrams for us. Cleared when it once refuses.
    offload: AtomicBool,
}

const ATTEMPTS: usize = 64;
const SEND_BUFFER: usize = 4 << 20;
/// Destinations of one call.
const BATCH: usize = 128;

impl UdpPair {
    /// Binds a pair of free ports.
    pub(super) fn bind(local: IpAddr) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let rtp = bind(SocketAddr::new(local, 0))?;
            let port = rtp.local_addr()?.port();
            if port % 2 != 0 || port == u16::MAX {
                continue;
            }
            match bind(SocketAddr::new(local, port + 1)) {
                Ok(rtcp) => {
                    return Ok(Self { rtp, rtcp, ports: (port, port + 1), offload: AtomicBool::new(true) });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// Sends a run of packets to every destination. A destination that cannot be reached is passed over.
    pub(super) async fn send_run(&self, bytes: &[u8], run: Run, to: &[SocketAddr]) -> io::Result<()> {
        let run_bytes = &bytes[run.offset as usize..(run.offset + run.len) as usize];
        let several = run.len > u32::from(run.segment);
        if several && self.offload.load(Ordering::Relaxed) {
            match self.send_all(run_bytes, Some(run.segment), to).await {
                Err(error) if refuses_offload(&error) => self.offload.store(false, Ordering::Relaxed),
                result => return result,
            }
        }
        for packet in run_bytes.chunks(usize::from(run.segment).max(1)) {
            self.send_all(packet, None, to).await?;
        }
        Ok(())
    }

    async fn send_all(&self, bytes: &[u8], segment: Option<u16>, to: &[SocketAddr]) -> io::Result<()> {
        let mut rest = to;
        while !rest.is_empty() {
            let batch = &rest[..rest.len().min(BATCH)];
            let result = self.rtp.async_io(Interest::WRITABLE, || send_batch(&self.rtp, bytes, segment, batch)).await;
            let sent = match result {
                Ok(sent) => sent,
                Err(error) if segment.is_some() && refuses_offload(&error) => return Err(error),
                // The first destination of the batch is at fault.
                Err(error) => {
                    tracing::debug!(%error, to = %batch[0], "cannot send");
                    1
                }
            };
            rest = &rest[sent.max(1)..];
        }
        Ok(())
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Kernels and devices without UDP segmentation offload answer so.
fn refuses_offload(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw);
    matches!(code, Some(Errno::EINVAL | Errno::EIO | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP | Errno::EMSGSIZE))
}

/// One `sendmmsg` of the same bytes to several destinations; says how many were served.
fn send_batch(socket: &UdpSocket, bytes: &[u8], segment: Option<u16>, to: &[SocketAddr]) -> io::Result<usize> {
    let addresses: Vec<Option<SockaddrStorage>> = to.iter().map(|to| Some(SockaddrStorage::from(*to))).collect();
    let slices = vec![[IoSlice::new(bytes)]; to.len()];
    let control: Vec<ControlMessage<'_>> = segment.iter().map(ControlMessage::UdpGsoSegments).collect();
    let space = segment.map(|_| cmsg_space!(u16));
    let mut headers = MultiHeaders::preallocate(to.len(), space);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    let sent = sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &addresses, &control, flags)?;
    Ok(sent.count())
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    #[tokio::test]
    async fn a_run_arrives_as_single_datagrams_at_every_destination() {
        // RT-9
        let pair = UdpPair::bind(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        assert_eq!((pair.ports.0 % 2, pair.ports.1), (0, pair.ports.0 + 1));
        let readers = [(); 3].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let to: Vec<_> = readers.iter().map(|reader| reader.local_addr().unwrap()).collect();
        let bytes: Vec<u8> = (0..250).collect();
        for offload in [true, false] {
            pair.offload.store(offload, Ordering::Relaxed);
            pair.send_run(&bytes, Run { offset: 10, len: 230, segment: 100 }, &to).await.unwrap();
            for reader in &readers {
                reader.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let mut sizes = Vec::new();
                for _ in 0..3 {
                    let mut buffer = [0; 500];
                    let len = reader.recv(&mut buffer).unwrap();
                    sizes.push((len, buffer[0]));
                }
                assert_eq!(sizes, [(100, 10), (100, 110), (30, 210)]);
            }
        }
    }
}
