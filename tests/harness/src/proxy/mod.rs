//! A recording HTTP proxy between any client and a device: what the device answers is judged by the official schemas.
//!
//! ```text
//!   client ──► proxy ──► device        The client is pointed at the proxy. Bytes go through as they are, `Host` too, so
//!          ◄──  │   ◄──               a device that derives its addresses from `Host` keeps the client on the proxy.
//!               ▼
//!           recording ──► verdict()
//! ```
//!
//! Each connection has two threads. One follows the requests, the other the responses, and the first tells the second which
//! request comes next. Both forward as they read, so an early answer, `100 Continue`, pipelining and slow bodies work as they
//! would without the proxy. What is no HTTP, or no longer (a tunnel, a WebSocket, RTSP), passes through unrecorded.

pub(crate) mod message;

use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

pub use message::Message;
use message::{Framing, Piece, read_head};

use crate::schema;

/// How long the device may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How much of a message that is wrong an error quotes, in characters.
const QUOTED: usize = 4000;

/// A request and what came back.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// The request.
    pub request: Message,
    /// The final response, as soon as its head is there.
    pub response: Option<Message>,
    /// What was wrong with the HTTP of the response.
    pub broken: Option<String>,
}

type Recording = Arc<Mutex<Vec<Exchange>>>;

/// A proxy on a free loopback port; it accepts until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    recording: Recording,
    closed: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts a proxy in front of a device, given as `host:port` or as its address `http://host:port/…`.
    pub fn start(device: &str) -> Result<Self> {
        let host = device.strip_prefix("http://").unwrap_or(device);
        let host = host.split('/').next().unwrap_or(host);
        let device: SocketAddr = host.parse().with_context(|| format!("{device} is not an address with a port"))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let recording = Recording::default();
        let closed = Arc::new(AtomicBool::new(false));
        let (shared, ended) = (Arc::clone(&recording), Arc::clone(&closed));
        thread::spawn(move || {
            for client in listener.incoming().map_while(io::Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                // A device that refuses shows to the client as a connection that closes.
                let _ = connect(client, device, &shared);
            }
        });
        Ok(Self { address, recording, closed })
    }

    /// `host:port` of the proxy.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the proxy with a path of the device.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What has passed so far, in the order of the requests.
    pub fn exchanges(&self) -> Vec<Exchange> {
        locked(&self.recording).clone()
    }

    /// Judges every response that says it is XML, and says how many there were.
    ///
    /// An error quotes what is wrong and the messages themselves. That there was nothing to judge is an error too: then the
    /// client has not talked through the proxy.
    pub fn verdict(&self) -> Result<usize> {
        let exchanges = self.exchanges();
        let complaints: Vec<String> = exchanges.iter().filter_map(complaint).collect();
        let wrong = complaints.len();
        ensure!(wrong == 0, "{wrong} of {} exchanges are wrong\n\n{}", exchanges.len(), complaints.join("\n\n"));
        let responses = exchanges.iter().filter_map(|exchange| exchange.response.as_ref());
        let judged = responses.filter(|response| is_judged(response)).count();
        ensure!(judged > 0, "no SOAP message among {} exchanges", exchanges.len());
        Ok(judged)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the listener; should that fail, the thread ends with the process.
        let _ = TcpStream::connect(self.address);
    }
}

/// What is wrong with an exchange, if anything is.
fn complaint(exchange: &Exchange) -> Option<String> {
    let mut errors: Vec<String> = exchange.broken.iter().cloned().collect();
    if let Some(response) = &exchange.response {
        if is_judged(response) {
            match response.header("content-encoding") {
                Some(coding) => errors.push(format!("Content-Encoding: {coding}; only plain bodies can be judged")),
                None => errors.extend(schema::check(&response.body).err().unwrap_or_default()),
            }
        }
        let soap = String::from_utf8_lossy(&response.body).contains("http://www.w3.org/2003/05/soap-envelope");
        if soap && response.content_type() != "application/soap+xml" {
            errors.push(format!("a SOAP 1.2 message with Content-Type {:?}", response.content_type()));
        }
    }
    if errors.is_empty() {
        return None;
    }
    let quote = |message: &Message| {
        let body: String = String::from_utf8_lossy(&message.body).chars().take(QUOTED).collect();
        format!("{}\n{body}", message.start)
    };
    let response = exchange.response.as_ref().map_or_else(|| "no response".into(), quote);
    Some(format!("- {}\n{}\n{response}", errors.join("\n- "), quote(&exchange.request)))
}

/// Whether a response is XML, and not one that the client did not wait for.
fn is_judged(response: &Message) -> bool {
    let xml = ["application/soap+xml", "application/xml", "text/xml"];
    response.whole && xml.contains(&response.content_type().as_str())
}

fn locked(recording: &Recording) -> std::sync::MutexGuard<'_, Vec<Exchange>> {
    recording.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects a client to the device.
fn connect(client: TcpStream, device: SocketAddr, recording: &Recording) -> Result<()> {
    let device = TcpStream::connect_timeout(&device, CONNECT)?;
    for stream in [&client, &device] {
        stream.set_nodelay(true)?;
    }
    let (sender, receiver) = mpsc::channel();
    let mut requests = Way::new(Side::Request, client.try_clone()?, device.try_clone()?, recording);
    let mut responses = Way::new(Side::Response, device, client, recording);
    thread::spawn(move || {
        let outcome = requests.follow_requests(&sender);
        requests.end(outcome);
    });
    thread::spawn(move || {
        let outcome = responses.follow_responses(&receiver);
        responses.end(outcome);
    });
    Ok(())
}

/// What the responses' thread must know about a request.
struct Expected {
    index: usize,
    method: String,
    /// A tunnel's response has no end and nothing to judge.
    tunnel: bool,
    /// Told the status, if the requests' thread waits for it.
    upgrade: Option<Sender<u16>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

/// One direction of a connection.
struct Way {
    side: Side,
    from: BufReader<TcpStream>,
    to: TcpStream,
    recording: Recording,
    /// What has been read and not yet forwarded.
    pending: Vec<u8>,
    /// The exchange that is being read.
    index: Option<usize>,
    /// Whether nobody takes what is forwarded.
    gone: bool,
}

impl Way {
    fn new(side: Side, from: TcpStream, to: TcpStream, recording: &Recording) -> Self {
        let (from, recording) = (BufReader::new(from), Arc::clone(recording));
        Self { side, from, to, recording, pending: Vec::new(), index: None, gone: false }
    }

    /// Follows the requests of a connection to its end, or up to where it stops being HTTP.
    fn follow_requests(&mut self, expected: &Sender<Expected>) -> Result<()> {
        while read_head(&mut self.from, &mut self.pending)? {
            let mut request = Message::parse(&self.pending)?;
            let framing = request.request_framing()?;
            let method = request.method().to_owned();
            let tunnel = request.header("x-sessioncookie").is_some() || is_tunnel(&request);
            let (upgrade, status) = match request.header("upgrade") {
                Some(_) => Some(mpsc::channel()).unzip(),
                None => (None, None),
            };
            request.whole = framing == Framing::Ended;
            let index = {
                let mut recording = locked(&self.recording);
                recording.push(Exchange { request, ..Exchange::default() });
                recording.len() - 1
            };
            self.index = Some(index);
            // Before the request is forwarded, or the response might overtake it.
            expected.send(Expected { index, method, tunnel, upgrade }).ok().context("the device has closed")?;
            self.forward()?;
            if tunnel {
                return self.pass();
            }
            self.follow_body(framing)?;
            // Whether the bytes that follow are still HTTP is the device's decision.
            if status.is_some_and(|status: Receiver<u16>| status.recv() == Ok(101)) {
                return self.pass();
            }
        }
        Ok(())
    }

    /// Follows the responses.
    fn follow_responses(&mut self, expected: &Receiver<Expected>) -> Result<()> {
        while read_head(&mut self.from, &mut self.pending)? {
            // A response that nobody asked for (408, say) is passed on and not recorded.
            let Ok(request) = expected.try_recv() else { return self.pass() };
            self.index = Some(request.index);
            let mut response = Message::parse(&self.pending)?;
            while matches!(response.status(), Some(100 | 102..=199)) {
                self.forward()?;
                ensure!(read_head(&mut self.from, &mut self.pending)?, "no final response");
                response = Message::parse(&self.pending)?;
            }
            let framing = response.response_framing(&request.method)?;
            let passes = response.status() == Some(101) || request.tunnel && is_tunnel(&response);
            response.whole = framing == Framing::Ended;
            let status = response.status();
            self.record(|exchange| exchange.response = Some(response));
            self.forward()?;
            if let (Some(waiting), Some(status)) = (request.upgrade, status) {
                // It may have gone, with the connection.
                let _ = waiting.send(status);
            }
            if passes {
                return self.pass();
            }
            self.follow_body(framing)?;
        }
        Ok(())
    }

    /// Records a body and forwards it; recorded first, so that whoever has the bytes finds them in the recording.
    fn follow_body(&mut self, mut framing: Framing) -> Result<()> {
        while framing != Framing::Ended {
            let mut piece = Piece::default();
            let outcome = framing.read(&mut self.from, &mut piece);
            self.pending = piece.raw;
            self.record(|exchange| {
                let message = match self.side {
                    Side::Request => &mut exchange.request,
                    Side::Response => exchange.response.get_or_insert_default(),
                };
                message.body.extend(piece.payload);
                message.whole = framing == Framing::Ended;
            });
            outcome?;
            self.forward()?;
        }
        self.index = None;
        Ok(())
    }

    /// Changes the exchange that is being read.
    fn record(&self, change: impl FnOnce(&mut Exchange)) {
        if let Some(index) = self.index {
            change(&mut locked(&self.recording)[index]);
        }
    }

    /// Forwards what has been read.
    fn forward(&mut self) -> Result<()> {
        let outcome = self.to.write_all(&self.pending);
        self.pending.clear();
        self.gone = outcome.is_err();
        Ok(outcome?)
    }

    /// Forwards everything from here on, without looking at it.
    fn pass(&mut self) -> Result<()> {
        self.forward()?;
        io::copy(&mut self.from, &mut self.to)?;
        Ok(())
    }

    /// Ends this direction. What was not understood is passed on all the same: that the proxy could not follow shall not
    /// change what the client sees.
    fn end(mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            // A client that leaves, or cannot speak HTTP, is no fault of the device's.
            if self.side == Side::Response && !self.gone {
                self.record(|exchange| exchange.broken = Some(format!("{error:#}")));
            }
            let _ = self.pass();
        }
        let _ = self.to.shutdown(Shutdown::Write);
    }
}

/// RTSP in HTTP: the body is a stream whatever its head says.
fn is_tunnel(message: &Message) -> bool {
    message.content_type() == "application/x-rtsp-tunnelled"
}

#[cfg(test)]
mod tests;
