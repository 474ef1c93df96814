//! The listener: accepts, peeks, and drives HTTP connections.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    bodies::{Bodies, Held},
    peek::{self, Speaks},
    prefixed::Prefixed,
    router::{Ends, Router},
};
use crate::base::{
    admission::{Admission, Admitted},
    parting::{Refusals, part},
};

/// The bounds of the listener.
#[derive(Debug, Clone, Copy)]
pub struct HttpLimits {
    /// Connections at once; more are answered 503.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_address: usize,
    /// How long the head of a request may take; it bounds silent connections too.
    pub head: Duration,
    /// How long the body of a request may take.
    pub body: Duration,
    /// How long a client may take nothing of an answer.
    pub stalled: Duration,
    /// The largest head, in bytes, at least 8192.
    pub head_bytes: usize,
    /// The most headers.
    pub headers: usize,
    /// The memory for bodies of requests that are being answered, in bytes over all connections. The first 4096 of each body
    /// do not count: the number of connections bounds them.
    pub body_bytes: usize,
}

/// Half of an RTSP tunnel whose request head was read.
pub struct TunnelHalf {
    /// The connection.
    pub stream: TcpStream,
    /// `x-sessioncookie`.
    pub cookie: String,
    /// What was read behind the head.
    pub rest: Vec<u8>,
    /// Whether it is the POST, which carries what the client sends.
    pub up: bool,
    /// Whether the POST's body comes in chunks.
    pub chunked: bool,
}

/// Takes over connections that speak RTSP, and runs them to their end.
pub trait Conversations: Send + Sync {
    /// Plain RTSP; `head` was read already.
    fn plain(&self, stream: TcpStream, head: Vec<u8>) -> BoxFuture<'_, ()>;
    /// Half of a tunnel.
    fn tunnel(&self, half: TunnelHalf) -> BoxFuture<'_, ()>;
}

/// A listener's server.
pub struct HttpServer {
    router: Router,
    rtsp: Arc<dyn Conversations>,
    limits: HttpLimits,
    door: Arc<Admission>,
    bodies: Bodies,
    refusals: Refusals,
    stopping: watch::Sender<bool>,
}

/// What a client is told for whom there is no room. Nothing of its request was looked at.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// What a client is told that speaks another major version (RFC 9110, 15.6.6); an HTTP library would call it a bad request.
const OTHER_VERSION: &[u8] =
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// How much of an answer the kernel takes beyond what is on its way, in bytes.
const UNSENT: u32 = 64 << 10;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const READ_CHUNK: usize = 2048;

impl HttpServer {
    /// Makes a server; [`listen`](Self::listen) serves a listener.
    pub fn new(router: Router, rtsp: Arc<dyn Conversations>, limits: HttpLimits) -> Arc<Self> {
        let door = Admission::new(limits.connections, limits.connections_per_address);
        let bodies = Bodies::new(limits.body_bytes, limits.body);
        let refusals = Refusals::new(Bytes::from_static(FULL));
        Arc::new(Self { router, rtsp, limits, door, bodies, refusals, stopping: watch::Sender::new(false) })
    }

    /// Serves one listener until [`stop`](Self::stop).
    pub async fn listen(self: Arc<Self>, listener: TcpListener) {
        let mut stopping = self.stopping.subscribe();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopping.changed() => return,
            };
            match accepted {
                Ok((stream, peer)) => match self.door.admit(peer.ip()) {
                    Some(admitted) => drop(tokio::spawn(Arc::clone(&self).converse(stream, admitted))),
                    None => {
                        tracing::warn!(%peer, "too many HTTP connections");
                        self.refusals.refuse(stream);
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an HTTP connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Lets running requests end, and waits for them at most this long.
    pub async fn stop(&self, limit: Duration) {
        self.stopping.send_replace(true);
        let drained = async {
            while self.door.open() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // Conversations in tunnels are told by the RTSP front; what is left is idle.
        let _ = timeout(limit, drained).await;
    }

    async fn converse(self: Arc<Self>, mut stream: TcpStream, _admitted: Admitted) {
        let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return };
        let ends = Ends { peer: canonical(peer), local: canonical(local) };
        // Answers are short and written at once.
        let _ = stream.set_nodelay(true);
        let mut stopping = self.stopping.subscribe();
        let stop = async { drop(stopping.wait_for(|stopping| *stopping).await) };
        let peeked = tokio::select! {
            peeked = timeout(self.limits.head, self.peek(&mut stream)) => peeked,
            () = stop => return,
        };
        let (speaks, mut head) = match peeked {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "HTTP connection ended at once"),
            Err(_) => return tracing::debug!(%peer, "a connection that said nothing was closed"),
        };
        match speaks {
            Speaks::Rtsp => self.rtsp.plain(stream, head.to_vec()).await,
            Speaks::TunnelGet { head: length, cookie } => {
                let rest = head.split_off(length.min(head.len())).to_vec();
                self.rtsp.tunnel(TunnelHalf { stream, cookie, rest, up: false, chunked: false }).await;
            }
            Speaks::TunnelPost { head: length, cookie, chunked } => {
                let rest = head.split_off(length.min(head.len())).to_vec();
                self.rtsp.tunnel(TunnelHalf { stream, cookie, rest, up: true, chunked }).await;
            }
            Speaks::Http => {
                // Whoever takes no answers is noticed early, and does not fill the kernel with them first.
                let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT);
                let stream = Prefixed::new(head.to_vec(), stream, self.limits.stalled);
                self.serve(stream, ends).await;
            }
            Speaks::OtherHttp => drop(part(&mut stream, OTHER_VERSION).await),
        }
    }

    /// Reads until it is told what the connection speaks.
    async fn peek(&self, stream: &mut TcpStream) -> io::Result<(Speaks, BytesMut)> {
        let mut head = BytesMut::new();
        loop {
            if let Some(speaks) = peek::look(&head, self.limits.head_bytes) {
                return Ok((speaks, head));
            }
            head.reserve(READ_CHUNK);
            if stream.read_buf(&mut head).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn serve(self: Arc<Self>, mut stream: Prefixed, ends: Ends) {
        let server = Arc::clone(&self);
        let service = service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.answer(request, ends).await.map(Full::new)) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(self.limits.head_bytes.max(8192))
            .max_headers(self.limits.headers)
            .serve_connection(TokioIo::new(&mut stream), service);
        let mut stopping = self.stopping.subscribe();
        // The value that this waits for is a guard, which may not be held across the next wait.
        let stop = async { drop(stopping.wait_for(|stopping| *stopping).await) };
        let result = {
            tokio::pin!(connection);
            tokio::select! {
                result = connection.as_mut() => result,
                () = stop => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(peer = %ends.peer, %error, "HTTP connection ended");
        }
        // A refusal must arrive though more was sent than was read.
        let _ = part(&mut stream, &[]).await;
    }

    async fn answer(&self, request: Request<Incoming>, ends: Ends) -> Response<Bytes> {
        let started = Instant::now();
        let path = request.uri().path().to_owned();
        let Some((handler, max_body)) = self.router.find(&path) else { return empty(StatusCode::NOT_FOUND) };
        let (request, _held) = match self.read(request, max_body).await {
            Ok(read) => read,
            Err(status) => return unread(status),
        };
        let method = request.method().clone();
        // Of what answers a HEAD, hyper sends the headers alone.
        let response = handler(ends, request).await;
        let (status, took) = (response.status().as_u16(), started.elapsed());
        tracing::debug!(peer = %ends.peer, %method, path, status, ?took, "HTTP");
        response
    }

    /// Reads the body; its memory counts until the second value is dropped.
    async fn read(&self, request: Request<Incoming>, max_body: usize) -> Result<(Request<Bytes>, Held), StatusCode> {
        let (parts, body) = request.into_parts();
        let (body, held) = self.bodies.read(body, max_body).await?;
        Ok((Request::from_parts(parts, body), held))
    }
}

/// Answers a request whose body was not read to its end; what is left of it is not worth waiting for.
fn unread(status: StatusCode) -> Response<Bytes> {
    let mut response = empty(status);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// Shows an IPv4 client of a dual-stack listener as what it is.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
