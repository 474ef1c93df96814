//! Many readers at once. Each reads all it is sent, looks at packet numbers and throws the rest away.
//!
//! Readers look after their sockets by the clock, every millisecond, and do not sleep on them. A sleeper has to be
//! woken for every write, on another core and at the expense of the writer; real viewers are on other machines, so that is
//! nothing that a server should be charged with, whichever it is.

use std::io::{ErrorKind, Read as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use belvedere_harness::{Client, Transport};
use mio::net::{TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Registry, Token};

use crate::scan::{Frames, Sequence};

/// What all readers together have seen.
#[derive(Debug, Default)]
pub struct Totals {
    /// Bytes read from the sockets.
    pub bytes: AtomicU64,
    /// RTP packets of the video.
    pub packets: AtomicU64,
    /// Gaps in their numbering.
    pub gaps: AtomicU64,
    /// Readers that the server, or rubbish from it, put an end to.
    pub ended: AtomicU64,
}

/// Readers that play one address.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    registry: Registry,
    thread: Option<JoinHandle<()>>,
    url: String,
    transport: Transport,
    /// The connections of UDP sessions, which must stay.
    held: Vec<Client>,
}

#[derive(Debug, Default)]
struct Shared {
    totals: Totals,
    /// Those that the thread has not taken over yet.
    new: Mutex<Vec<(Token, Reader)>>,
    end: AtomicBool,
}

/// One reader.
#[derive(Debug)]
enum Reader {
    Stream(TcpStream, Frames),
    Datagrams(UdpSocket, Sequence),
}

/// Read at once.
const CHUNK: usize = 256 << 10;
const INTERVAL: Duration = Duration::from_millis(1);
const EVENTS: usize = 4096;

impl Load {
    /// Nobody reads so far.
    ///
    /// # Errors
    /// The readers' thread cannot be started.
    pub fn new(url: &str, transport: Transport) -> Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let shared = Arc::new(Shared::default());
        let all = Arc::clone(&shared);
        let thread = thread::Builder::new().name("readers".into()).spawn(move || read_all(poll, &all))?;
        let url = url.to_owned();
        Ok(Self { shared, registry, thread: Some(thread), url, transport, held: Vec::new() })
    }

    /// What the readers have seen since they came.
    pub fn totals(&self) -> &Totals {
        &self.shared.totals
    }

    /// Adds a reader that plays the first medium, the video.
    ///
    /// # Errors
    /// The server does not let it play.
    pub fn add(&mut self) -> Result<()> {
        let mut client = Client::connect(&self.url)?;
        let media = client.describe()?;
        let video = media.first().context("no media")?;
        ensure!(video.kind == "video", "the first medium is {}", video.kind);
        let track = client.setup(video, 0, self.transport)?;
        client.play()?;
        let mut new = self.shared.new.lock().unwrap_or_else(PoisonError::into_inner);
        match track.ports {
            None => {
                let (stream, head) = client.into_stream();
                stream.set_nonblocking(true)?;
                let mut stream = TcpStream::from_std(stream);
                let mut frames = Frames::default();
                frames.take(&head).map_err(|other| anyhow::anyhow!("{other:?} where a frame should begin"))?;
                let token = Token(std::os::fd::AsRawFd::as_raw_fd(&stream) as usize);
                self.registry.register(&mut stream, token, Interest::READABLE)?;
                new.push((token, Reader::Stream(stream, frames)));
            }
            Some(ports) => {
                self.held.push(client);
                ports.rtp.set_nonblocking(true)?;
                let mut socket = UdpSocket::from_std(ports.rtp);
                let token = Token(std::os::fd::AsRawFd::as_raw_fd(&socket) as usize);
                self.registry.register(&mut socket, token, Interest::READABLE)?;
                new.push((token, Reader::Datagrams(socket, Sequence::default())));
            }
        }
        Ok(())
    }

    /// Ends all readers. Those over UDP tear their sessions down, so that the server is not left with them.
    pub fn end(mut self) {
        for client in &mut self.held {
            // A server that is gone by now is no loss.
            let _ = client.teardown();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.end.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it has been reported already.
            let _ = thread.join();
        }
    }
}

/// Serves all readers until the end.
fn read_all(mut poll: Poll, shared: &Shared) {
    let mut readers: Vec<Option<Reader>> = Vec::new();
    let mut events = Events::with_capacity(EVENTS);
    let mut buffer = vec![0; CHUNK];
    while !shared.end.load(Relaxed) {
        thread::sleep(INTERVAL);
        for (Token(place), reader) in shared.new.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            readers.resize_with(readers.len().max(place + 1), || None);
            readers[place] = Some(reader);
            // It may have been readable before it was here.
            visit(&mut readers[place], &mut buffer, &shared.totals);
        }
        if poll.poll(&mut events, Some(Duration::ZERO)).is_err() {
            continue;
        }
        for event in &events {
            if let Some(reader) = readers.get_mut(event.token().0) {
                visit(reader, &mut buffer, &shared.totals);
            }
        }
    }
}

/// Reads what a reader has got; one whose server has gone is taken away.
fn visit(place: &mut Option<Reader>, buffer: &mut [u8], totals: &Totals) {
    let Some(reader) = place else { return };
    if !reader.read(buffer, totals) {
        totals.ended.fetch_add(1, Relaxed);
        *place = None;
    }
}

impl Reader {
    /// Reads until there is nothing more; `false` when it is over.
    fn read(&mut self, buffer: &mut [u8], totals: &Totals) -> bool {
        loop {
            let (result, before) = match self {
                Self::Stream(stream, frames) => (stream.read(buffer), frames.video),
                Self::Datagrams(socket, sequence) => (socket.recv(buffer), *sequence),
            };
            let length = match result {
                Ok(length) => length,
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            };
            let after = match self {
                Self::Stream(_, frames) => match frames.take(&buffer[..length]) {
                    Ok(()) if length > 0 => frames.video,
                    _ => return false,
                },
                Self::Datagrams(_, sequence) => {
                    buffer[..length].first_chunk().into_iter().for_each(|head| sequence.take(*head));
                    *sequence
                }
            };
            totals.bytes.fetch_add(length as u64, Relaxed);
            totals.packets.fetch_add(after.packets - before.packets, Relaxed);
            totals.gaps.fetch_add(after.gaps - before.gaps, Relaxed);
        }
    }
}
