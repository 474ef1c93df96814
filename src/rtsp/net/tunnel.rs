//! RTSP in HTTP (HT-1 to HT-8): the answer to a GET carries what we send, the body of a POST carries what the client sends, in
//! base64. Both name the same `x-sessioncookie`.
//!
//! ```text
//!  GET  ──► down: conversation begins, nothing read yet ──────────────► ends with the GET, or when no POST was there for too
//!                                                                       long; after TEARDOWN, with the POST
//!  POST ──► up: taken over by the conversation of its cookie; another POST may follow when one has ended
//! ```
//! Neither is challenged (AU-3): the RTSP requests inside are, like any others.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::{Notify, mpsc, oneshot},
    time::{Sleep, sleep, timeout},
};

use super::channel::ByteChannel;
use crate::{base::parting::part, rtsp::core::tunnel::Upstream};

/// One half of a tunnel as it arrives: a connection whose request head was read.
pub(super) struct Half {
    /// The connection.
    pub(super) channel: Box<dyn ByteChannel>,
    /// The cookie that both halves share.
    pub(super) cookie: String,
    /// What was read behind the head.
    pub(super) rest: Vec<u8>,
    /// Whether the body comes in chunks.
    pub(super) chunked: bool,
}

/// Tunnels whose GET is open, by cookie.
pub(super) struct Tunnels {
    open: Arc<Mutex<Open>>,
    opened: Notify,
    alone: Duration,
}

type Open = HashMap<String, mpsc::Sender<Up>>;

/// A POST on its way to its conversation. What it says when it is dropped is that its place is free.
struct Up {
    half: Half,
    _here: oneshot::Sender<()>,
}

const LONGEST_COOKIE: usize = 256;
/// How long a POST waits for the GET that belongs before it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a GET whose session was ended is left without a POST: the client said that it is done.
const AFTER_TEARDOWN: Duration = Duration::from_secs(1);
/// What a cut or refused half is told.
const REFUSED: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
/// No length, no end; nobody on the way may keep or change it.
const ACCEPTED: &[u8] = b"HTTP/1.0 200 OK\r\nConnection: close\r\nCache-Control: no-store\r\nPragma: no-cache\r\n\
    Content-Type: application/x-rtsp-tunnelled\r\n\r\n";

impl Tunnels {
    /// No tunnels; one without a POST ends after `alone`.
    pub(super) fn new(alone: Duration) -> Self {
        Self { open: Arc::default(), opened: Notify::new(), alone }
    }

    /// Answers a GET. The channel that this gives carries a conversation.
    pub(super) async fn down(&self, mut half: Half) -> io::Result<TunnelChannel> {
        let (sender, ups) = mpsc::channel(1);
        let is_cookie = !half.cookie.is_empty() && half.cookie.len() <= LONGEST_COOKIE;
        let Some(place) = is_cookie.then(|| self.take_place(&half.cookie, sender)).flatten() else {
            part(&mut half.channel, REFUSED).await?;
            return Err(io::Error::other("a tunnel without a cookie of its own"));
        };
        half.channel.write_all(ACCEPTED).await?;
        let (decoded, taken) = (Vec::new(), 0);
        Ok(TunnelChannel {
            down: half.channel,
            up: None,
            ups,
            decoded,
            taken,
            alone: Alone::new(self.alone),
            _place: place,
        })
    }

    /// Hands a POST to the conversation of its cookie. What this gives is over when the POST is.
    pub(super) async fn up(&self, mut half: Half) -> io::Result<oneshot::Receiver<()>> {
        let found = timeout(PATIENCE, self.wait_for(&half.cookie)).await;
        let Ok(sender) = found else {
            part(&mut half.channel, REFUSED).await?;
            return Err(io::Error::other("a POST without its GET"));
        };
        let (here, gone) = oneshot::channel();
        let sent = sender.send(Up { half, _here: here }).await;
        sent.map(|()| gone).map_err(|_| io::Error::other("the GET is gone"))
    }

    fn take_place(&self, cookie: &str, sender: mpsc::Sender<Up>) -> Option<Place> {
        let mut open = lock(&self.open);
        if open.get(cookie).is_some_and(|other| !other.is_closed()) {
            return None;
        }
        open.insert(cookie.to_owned(), sender.clone());
        drop(open);
        self.opened.notify_waiters();
        Some(Place { open: Arc::clone(&self.open), cookie: cookie.to_owned(), sender: sender.downgrade() })
    }

    async fn wait_for(&self, cookie: &str) -> mpsc::Sender<Up> {
        loop {
            let opened = self.opened.notified();
            tokio::pin!(opened);
            // Listening before looking, so that a GET in between is not missed.
            opened.as_mut().enable();
            if let Some(sender) = lock(&self.open).get(cookie) {
                return sender.clone();
            }
            opened.await;
        }
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of an open tunnel. Dropping it makes room for another of the same cookie.
struct Place {
    open: Arc<Mutex<Open>>,
    cookie: String,
    sender: mpsc::WeakSender<Up>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        // Another GET may have taken the cookie already, once our channel was closed.
        let ours =
            self.sender.upgrade().zip(open.get(&self.cookie)).is_some_and(|(ours, there)| ours.same_channel(there));
        if ours {
            open.remove(&self.cookie);
        }
    }
}

/// Both halves as one channel. It lives as long as the GET.
pub(super) struct TunnelChannel {
    down: Box<dyn ByteChannel>,
    up: Option<(Up, Upstream)>,
    ups: mpsc::Receiver<Up>,
    decoded: Vec<u8>,
    /// How much of `decoded` was taken.
    taken: usize,
    alone: Alone,
    _place: Place,
}

/// Runs while a GET has no POST: then nobody can say any more what is wanted of it.
struct Alone {
    most: Duration,
    /// The client has ended its session and said nothing since.
    done: bool,
    since: Option<Pin<Box<Sleep>>>,
}

impl Alone {
    fn new(most: Duration) -> Self {
        Self { most, done: false, since: None }
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let most = if self.done { self.most.min(AFTER_TEARDOWN) } else { self.most };
        self.since.get_or_insert_with(|| Box::pin(sleep(most))).as_mut().poll(cx)
    }
}

const READ_CHUNK: usize = 2048;

impl TunnelChannel {
    /// Takes over another POST, with what was read of it.
    fn attach(&mut self, mut up: Up) -> io::Result<()> {
        let mut upstream = Upstream::new(up.half.chunked);
        self.decode(&mut upstream, &std::mem::take(&mut up.half.rest))?;
        self.up = Some((up, upstream));
        self.alone.since = None;
        Ok(())
    }

    fn decode(&mut self, upstream: &mut Upstream, bytes: &[u8]) -> io::Result<()> {
        upstream.take(bytes, &mut self.decoded).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Gives out decoded bytes; false if there are none.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let waiting = &self.decoded[self.taken..];
        if waiting.is_empty() {
            return false;
        }
        let length = waiting.len().min(buffer.remaining());
        buffer.put_slice(&waiting[..length]);
        self.taken += length;
        self.alone.done = false;
        if self.taken == self.decoded.len() {
            (self.decoded, self.taken) = (Vec::new(), 0);
        }
        true
    }

    /// Whether the client has closed the GET. What it sends there besides means nothing.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut bytes = [0; 64];
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.down).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Reads from the POST, if there is one: its end is not that of the tunnel.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some((mut up, mut upstream)) = self.up.take() else { return Poll::Pending };
        let mut bytes = [0; READ_CHUNK];
        let mut buffer = ReadBuf::new(&mut bytes);
        match Pin::new(&mut up.half.channel).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                self.decode(&mut upstream, buffer.filled())?;
                self.up = Some((up, upstream));
                Poll::Ready(Ok(()))
            }
            Poll::Ready(_) => Poll::Pending,
            Poll::Pending => {
                self.up = Some((up, upstream));
                Poll::Pending
            }
        }
    }
}

impl AsyncRead for TunnelChannel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.give(buffer) {
                return Poll::Ready(Ok(()));
            }
            if self.poll_up(cx)?.is_ready() {
                continue;
            }
            // Only when all that the POST before had to say was read.
            if let Poll::Ready(Some(up)) = self.ups.poll_recv(cx) {
                self.attach(up)?;
                continue;
            }
            if self.up.is_none() && self.alone.poll_over(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            return self.poll_closed(cx);
        }
    }
}

impl AsyncWrite for TunnelChannel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.down).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.down).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.down).poll_shutdown(cx)
    }
}

impl ByteChannel for TunnelChannel {
    fn peer(&self) -> SocketAddr {
        self.down.peer()
    }

    fn local(&self) -> SocketAddr {
        self.down.local()
    }

    fn session_ended(&mut self) {
        (self.alone.done, self.alone.since) = (true, None);
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use tokio::io::{AsyncReadExt, DuplexStream};

    use super::*;

    const ALONE: Duration = Duration::from_secs(60);

    struct Pipe(DuplexStream);

    impl AsyncRead for Pipe {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Pipe {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl ByteChannel for Pipe {
        fn peer(&self) -> SocketAddr {
            SocketAddr::from(([127, 0, 0, 1], 1))
        }

        fn local(&self) -> SocketAddr {
            SocketAddr::from(([127, 0, 0, 1], 2))
        }
    }

    fn half(rest: &str) -> (DuplexStream, Half) {
        let (client, server) = tokio::io::duplex(4096);
        let rest = BASE64_STANDARD.encode(rest).into_bytes();
        (client, Half { channel: Box::new(Pipe(server)), cookie: "c".into(), rest, chunked: false })
    }

    /// A tunnel whose client has said `first`.
    async fn begun(tunnels: &Tunnels) -> (DuplexStream, TunnelChannel, DuplexStream) {
        let (get, down) = half("");
        let channel = tunnels.down(down).await.unwrap();
        let (post, up) = half("first");
        tunnels.up(up).await.unwrap();
        (get, channel, post)
    }

    #[tokio::test(start_paused = true)]
    async fn a_get_and_its_posts_are_one_channel() {
        let tunnels = Tunnels::new(ALONE);
        let (mut get, down) = half("");
        let mut channel = tunnels.down(down).await.unwrap();
        assert!(tunnels.down(half("").1).await.is_err(), "the cookie is taken");
        let (mut post, up) = half("begin ");
        let gone = tunnels.up(up).await.unwrap();
        post.write_all(BASE64_STANDARD.encode("middle").as_bytes()).await.unwrap();
        let mut read = [0; 12];
        channel.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"begin middle");
        post.write_all(BASE64_STANDARD.encode("the end, ").as_bytes()).await.unwrap();
        drop(post);
        let (_post, up) = half("POST");
        tunnels.up(up).await.unwrap();
        let mut read = [0; 13];
        channel.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"the end, POST", "HT-4: all of the first, then the second");
        assert!(gone.await.is_err(), "the place of the first is free");
        channel.write_all(b"raw").await.unwrap();
        let mut raw = vec![0; ACCEPTED.len() + 3];
        get.read_exact(&mut raw).await.unwrap();
        assert_eq!(raw, [ACCEPTED, b"raw"].concat(), "HT-1, HT-5");
        drop(get);
        assert_eq!(channel.read(&mut read).await.unwrap(), 0, "the GET is the tunnel");
    }

    #[tokio::test(start_paused = true)]
    async fn a_post_waits_for_its_get_but_not_for_ever() {
        let tunnels = Tunnels::new(ALONE);
        let (_post, up) = half("x");
        let (_get, down) = half("");
        let late = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            tunnels.down(down).await
        };
        let (sent, channel) = tokio::join!(tunnels.up(up), late);
        sent.unwrap();
        drop(channel);
        let (mut post, up) = half("x");
        assert!(tunnels.up(up).await.is_err());
        let mut answer = Vec::new();
        post.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 400"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_get_without_a_post_ends() {
        let tunnels = Tunnels::new(ALONE);
        let (_get, down) = half("");
        let mut channel = tunnels.down(down).await.unwrap();
        tokio::time::sleep(ALONE / 2).await;
        let (post, up) = half("first");
        tunnels.up(up).await.unwrap();
        let mut read = [0; 6];
        channel.read_exact(&mut read[..5]).await.unwrap();
        assert!(timeout(2 * ALONE, channel.read(&mut read)).await.is_err(), "a silent POST is a POST");
        drop(post);
        assert!(timeout(ALONE / 2, channel.read(&mut read)).await.is_err(), "there may be another POST");
        let (post, up) = half("second");
        tunnels.up(up).await.unwrap();
        channel.read_exact(&mut read).await.unwrap();
        drop(post);
        assert!(timeout(ALONE / 2, channel.read(&mut read)).await.is_err(), "the time begins anew");
        assert_eq!(timeout(ALONE, channel.read(&mut read)).await.unwrap().unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn after_its_session_a_get_ends_with_its_post() {
        let tunnels = Tunnels::new(ALONE);
        let (_get, mut channel, post) = begun(&tunnels).await;
        let mut read = [0; 6];
        channel.read_exact(&mut read[..5]).await.unwrap();
        channel.session_ended();
        assert!(timeout(ALONE, channel.read(&mut read)).await.is_err(), "the client may begin another session");
        drop(post);
        assert_eq!(timeout(2 * AFTER_TEARDOWN, channel.read(&mut read)).await.unwrap().unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_get_with_another_session_waits_for_another_post_as_before() {
        let tunnels = Tunnels::new(ALONE);
        let (_get, mut channel, post) = begun(&tunnels).await;
        let mut read = [0; 6];
        channel.read_exact(&mut read[..2]).await.unwrap();
        channel.session_ended();
        channel.read_exact(&mut read[..3]).await.unwrap();
        drop(post);
        assert!(timeout(2 * AFTER_TEARDOWN, channel.read(&mut read)).await.is_err(), "the new session was cut");
    }

    #[tokio::test(start_paused = true)]
    async fn a_get_that_is_gone_leaves_its_cookie_free() {
        let tunnels = Tunnels::new(ALONE);
        let (get, down) = half("");
        drop(get);
        assert!(tunnels.down(down).await.is_err(), "nobody hears the answer");
        assert!(lock(&tunnels.open).is_empty());
        let (_get, down) = half("");
        let place = tunnels.down(down).await.unwrap()._place;
        let (_get, down) = half("");
        let _second = tunnels.down(down).await.unwrap();
        drop(place);
        assert_eq!(lock(&tunnels.open).len(), 1, "the second has the cookie now");
    }
}
