//! What an RTSP conversation runs over.

use std::{net::SocketAddr, time::Duration};

use socket2::TcpKeepalive;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// A stream of bytes in both directions with known ends: plain TCP now, and whatever else carries RTSP (TLS, the two halves
/// of an HTTP tunnel, WebSocket).
pub trait ByteChannel: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// The client's address.
    fn peer(&self) -> SocketAddr;
    /// The address that the client contacted.
    fn local(&self) -> SocketAddr;
    /// The client has ended its last session: a channel that is kept for the sake of sessions need not wait for another one.
    fn session_ended(&mut self) {}
}

/// A TCP connection whose ends were asked for once.
#[derive(Debug)]
pub(super) struct TcpChannel {
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
}

impl TcpChannel {
    /// Bounds what the kernel keeps for a reader that does not read, and for how long; sends without delay.
    ///
    /// A client that lost its power or its network says nothing, not even goodbye. The kernel asks a silent one whether it is
    /// there, and gives up on one that acknowledges nothing, or takes nothing, for as long as a viewer may stall.
    pub(super) fn new(stream: TcpStream, send_buffer: usize, stalled: Duration) -> std::io::Result<Self> {
        let socket = socket2::SockRef::from(&stream);
        socket.set_tcp_nodelay(true)?;
        socket.set_send_buffer_size(send_buffer)?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_INTERVAL))?;
        socket.set_tcp_user_timeout(Some(stalled))?;
        let (peer, local) = (canonical(stream.peer_addr()?), canonical(stream.local_addr()?));
        Ok(Self { stream, peer, local })
    }
}

/// After how much silence the kernel asks whether a client is there, and how often it repeats the question.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// Shows an IPv4 client of a dual-stack listener as what it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl ByteChannel for TcpChannel {
    fn peer(&self) -> SocketAddr {
        self.peer
    }

    fn local(&self) -> SocketAddr {
        self.local
    }
}

mod io {
    use std::{
        io::Result,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::TcpChannel;

    impl AsyncRead for TcpChannel {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for TcpChannel {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
            Pin::new(&mut self.stream).poll_write(cx, buf)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_kernel_notices_a_client_that_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let stalled = Duration::from_secs(20);
        let channel = TcpChannel::new(stream, 256 << 10, stalled).unwrap();
        let socket = socket2::SockRef::from(&channel.stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), PROBE_AFTER);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(stalled));
    }
}
