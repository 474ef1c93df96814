//! Accepting RTSP connections.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rtsp_types::StatusCode;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{
    channel::{ByteChannel, TcpChannel},
    connection::Connection,
    context::RtspContext,
    registry::ConnectionId,
    tunnel::{Half, Tunnels},
};
use crate::{
    base::{admission::Admission, parting::Refusals},
    rtsp::core::answer,
};

/// The RTSP front on its listeners.
pub struct RtspServer {
    context: Arc<RtspContext>,
    shutdown: watch::Sender<bool>,
    door: Arc<Admission>,
    refusals: Refusals,
    last_id: AtomicU64,
    tunnels: Tunnels,
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl RtspServer {
    /// Makes the front; [`listen`](Self::listen) serves a listener.
    pub fn new(context: Arc<RtspContext>) -> Arc<Self> {
        let door = Admission::new(context.limits.connections, context.limits.connections_per_address);
        let tunnels = Tunnels::new(context.limits.session_timeout);
        let full = answer::unreadable(StatusCode::ServiceUnavailable, None);
        Arc::new(Self {
            context,
            shutdown: watch::Sender::new(false),
            door,
            refusals: Refusals::new(answer::to_bytes(&full)),
            last_id: AtomicU64::new(0),
            tunnels,
        })
    }

    /// Serves one listener until [`stop`](Self::stop).
    pub async fn listen(self: Arc<Self>, listener: TcpListener) {
        let mut shutdown = self.shutdown.subscribe();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = shutdown.changed() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) => {
                    // Out of descriptors, or the client is gone already.
                    tracing::warn!(%error, "cannot accept an RTSP connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Ends the sessions that their clients forgot, until it is dropped.
    pub async fn sweep(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.context.clock.mono().to_next_second()).await;
            for id in self.context.registry.sweep(self.context.clock.mono()) {
                tracing::info!(session = id.as_str(), "the session expired");
            }
        }
    }

    /// Runs a conversation that was begun elsewhere; `head` is what was read of it there.
    pub async fn converse(&self, channel: impl ByteChannel, head: &[u8]) {
        let peer = channel.peer();
        let id = ConnectionId(self.last_id.fetch_add(1, Ordering::Relaxed));
        let mut connection = Connection::new(channel, Arc::clone(&self.context), id, head);
        if let Err(error) = connection.run(self.shutdown.subscribe()).await {
            // A client that hangs up is normal.
            tracing::debug!(%peer, %error, "RTSP connection ended");
        }
    }

    /// Runs a conversation that was begun on another listener; `head` is what was read of it there.
    pub async fn take_over(&self, stream: TcpStream, head: &[u8]) {
        match self.channel(stream) {
            Ok(channel) => self.converse(channel, head).await,
            Err(error) => tracing::debug!(%error, "RTSP connection ended at once"),
        }
    }

    /// Runs a tunnelled conversation whose GET arrived on another listener (HT-1); ends with it.
    pub async fn tunnel_down(&self, stream: TcpStream, cookie: &str) {
        let begun = async { self.tunnels.down(self.half(stream, cookie, Vec::new(), false)?).await };
        match begun.await {
            Ok(channel) => {
                tracing::debug!(peer = %channel.peer(), "an HTTP tunnel begins");
                self.converse(channel, &[]).await;
            }
            Err(error) => tracing::debug!(%error, "an HTTP tunnel was refused"),
        }
    }

    /// Hands the POST of a tunnel to its conversation; `rest` is what was read behind its head. Ends with the POST.
    pub async fn tunnel_up(&self, stream: TcpStream, cookie: &str, rest: Vec<u8>, chunked: bool) {
        let handed = async { self.tunnels.up(self.half(stream, cookie, rest, chunked)?).await };
        match handed.await {
            // Nothing is ever sent: it only ends.
            Ok(gone) => drop(gone.await),
            Err(error) => tracing::debug!(%error, "the POST of an HTTP tunnel was refused"),
        }
    }

    fn half(&self, stream: TcpStream, cookie: &str, rest: Vec<u8>, chunked: bool) -> io::Result<Half> {
        Ok(Half { channel: Box::new(self.channel(stream)?), cookie: cookie.to_owned(), rest, chunked })
    }

    fn channel(&self, stream: TcpStream) -> io::Result<TcpChannel> {
        let limits = &self.context.limits;
        TcpChannel::new(stream, limits.send_buffer, limits.stalled)
    }

    /// Tells all clients that their streams end, and waits for the connections at most this long.
    pub async fn stop(&self, limit: Duration) {
        self.context.registry.clear();
        self.shutdown.send_replace(true);
        let drained = async {
            while self.door.open() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(limit, drained).await.is_err() {
            let left = self.door.open();
            tracing::warn!(left, "RTSP connections were cut short");
        }
    }

    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let Some(admitted) = self.door.admit(peer.ip()) else {
            tracing::warn!(%peer, "too many RTSP connections");
            self.refusals.refuse(stream);
            return;
        };
        let server = Arc::clone(self);
        tokio::spawn(async move {
            let _admitted = admitted;
            server.take_over(stream, &[]).await;
        });
    }
}
