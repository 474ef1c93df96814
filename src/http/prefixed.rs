//! A connection from which something was read already, and whose client may not stall.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// Gives out what was read before, then what comes. Writing fails when the client has taken nothing for too long.
pub(super) struct Prefixed {
    head: Vec<u8>,
    taken: usize,
    stream: TcpStream,
    stalled: Duration,
    /// Runs while the client takes nothing.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Prefixed {
    pub(super) fn new(head: Vec<u8>, stream: TcpStream, stalled: Duration) -> Self {
        Self { head, taken: 0, stream, stalled, patience: None }
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.taken < self.head.len() {
            let length = (self.head.len() - self.taken).min(buffer.remaining());
            buffer.put_slice(&self.head[self.taken..self.taken + length]);
            self.taken += length;
            if self.taken == self.head.len() {
                (self.head, self.taken) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, bytes) {
            self.patience = None;
            return Poll::Ready(written);
        }
        let stalled = self.stalled;
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(stalled)));
        ready!(patience.as_mut().poll(cx));
        // The kernel would go on trying for minutes, and keep what was written.
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
