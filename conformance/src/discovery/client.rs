//! Asks and listens in a case. There may be many devices: what counts is what the one under test says, which is known by its
//! endpoint or by the address of its device service.

use std::{
    cell::RefCell,
    collections::VecDeque,
    net::{SocketAddr, ToSocketAddrs, UdpSocket},
    time::{Duration, Instant},
};

use belvedere_harness::schema;

use super::{
    DISCOVERY, TIMEOUT,
    message::{Content, Description, Message},
    place::Place,
    probe::{Probe, message_id},
};
use crate::{
    soap::split,
    test::Test,
    verdict::{Outcome, Stop},
};

/// A datagram may be lost, so a question is asked again. Each time from another port: where several devices share a machine
/// and its port, the system chooses by the sender's port which of them hears what is said to the machine alone.
const AGAIN: Duration = Duration::from_millis(700);

/// Longest that an announcement may wait (`APP_MAX_DELAY` of WS-Discovery, section 2.4) and then be repeated
/// (`UDP_UPPER_DELAY` of SOAP-over-UDP, appendix I): half a second each.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// How long may be taken at a time to keep what has come.
const AT_ONCE: Duration = Duration::from_millis(200);

/// A client of discovery that looks for one device.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where the device is.
    pub place: Place,
    url: String,
    endpoint: Option<String>,
}

/// Whom a Probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Everybody.
    All,
    /// The device's machine alone.
    One,
}

/// What the device said.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The message.
    pub message: Message,
    /// What it tells of the device; nothing in a fault.
    pub device: Option<Description>,
    /// Who sent it.
    pub from: SocketAddr,
    /// The identifier of the question that it answers, if it does.
    pub asked: Option<String>,
}

/// Hears what the device says to everybody, from the moment that it is made.
#[derive(Debug)]
pub struct Listener<'a> {
    client: &'a Client,
    socket: UdpSocket,
    kept: RefCell<VecDeque<(Heard, String)>>,
}

impl Client {
    /// Finds the way to the device and its endpoint: by asking its device service, or else by a Probe.
    ///
    /// # Errors
    /// There is no way.
    pub fn new(t: &mut Test<'_>) -> Outcome<Self> {
        let url = t.device.url().to_owned();
        let place = Place::of(&url).map_err(|error| t.failed("a route to the device", format!("{error:#}")))?;
        let mut client = Self { place, url, endpoint: None };
        // The operation is optional.
        client.endpoint = match t.attempt("<tds:GetEndpointReference/>")? {
            Ok(answer) => Some(answer.text_or_empty("GUID").to_owned()).filter(|endpoint| !endpoint.is_empty()),
            Err(_) => client.search(t, To::All, &Probe::default())?.and_then(|heard| Some(heard.device?.endpoint)),
        };
        Ok(client)
    }

    /// Asks, and gives the device's first answer, which may be a fault. `None`: it was silent for [`TIMEOUT`].
    ///
    /// # Errors
    /// Nothing can be sent, or the answer is no proper message.
    pub fn search(&self, t: &mut Test<'_>, to: To, probe: &Probe) -> Outcome<Option<Heard>> {
        let start = Instant::now();
        let mut sockets = Vec::new();
        while start.elapsed() < TIMEOUT {
            go_on(t)?;
            if sockets.is_empty() || start.elapsed() > AGAIN * u32::try_from(sockets.len()).unwrap_or(u32::MAX) {
                sockets.push(self.send(t, to, probe)?);
            }
            for (socket, id, _) in &sockets {
                if let Some((heard, text)) = self.answer(socket, id) {
                    let asked = sockets.iter().find(|(_, own, _)| own == id).map(|(_, _, text)| text.as_str());
                    let status = format!("{} from {}", heard.message.name(), heard.from);
                    t.record(self.target(to).to_string(), asked.unwrap_or_default(), status, &text, start);
                    judge(t, &text)?;
                    return Ok(Some(heard));
                }
            }
        }
        let asked = sockets.last().map(|(_, _, text)| text.as_str()).unwrap_or_default();
        t.record(self.target(to).to_string(), asked, "no answer of the device".into(), "", start);
        Ok(None)
    }

    /// Asks all these, and demands that the device answers none of them for [`TIMEOUT`].
    ///
    /// # Errors
    /// It answers, or nothing can be sent.
    pub fn silence(&self, t: &mut Test<'_>, to: To, probes: &[Probe]) -> Outcome {
        let start = Instant::now();
        let mut sockets = Vec::new();
        for probe in [probes, probes].concat() {
            sockets.push(self.send(t, to, &probe)?);
        }
        for (_, _, text) in &sockets[..probes.len()] {
            t.record(self.target(to).to_string(), text, "sent".into(), "", start);
        }
        while start.elapsed() < TIMEOUT {
            go_on(t)?;
            for (socket, id, asked) in &sockets {
                let Some((heard, text)) = self.answer(socket, id) else { continue };
                let status = format!("{} from {}", heard.message.name(), heard.from);
                t.record(self.target(to).to_string(), asked, status.clone(), &text, start);
                return Err(t.failed("no answer to what does not mean the device", status));
            }
        }
        Ok(())
    }

    /// Begins to listen, once all is said that was on its way: an announcement may wait, and is said again.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn listen(&self, t: &Test<'_>) -> Outcome<Listener<'_>> {
        let socket = self.place.listener();
        let socket =
            socket.map_err(|error| t.failed("to hear the group", format!("{}: {error}", self.place.group())))?;
        let start = Instant::now();
        while start.elapsed() < ON_ITS_WAY {
            go_on(t)?;
            // Nobody hears this.
            let _ = receive(&socket);
        }
        Ok(Listener { client: self, socket, kept: RefCell::default() })
    }

    fn target(&self, to: To) -> SocketAddr {
        match to {
            To::All => self.place.group(),
            To::One => self.place.alone(),
        }
    }

    /// Sends a Probe from a socket of its own; returns that with the identifier and the text.
    fn send(&self, t: &Test<'_>, to: To, probe: &Probe) -> Outcome<(UdpSocket, String, String)> {
        let id = message_id();
        let text = probe.text(&id);
        let target = self.target(to);
        let send = || {
            let socket = self.place.asker()?;
            socket.send_to(text.as_bytes(), target)?;
            Ok(socket)
        };
        match send() {
            Ok(socket) => Ok((socket, id, text)),
            Err(error) => {
                let error: std::io::Error = error;
                t.skip(format!("nothing can be sent to {target} from {}: {error}", self.place.local))
            }
        }
    }

    /// What a socket has from the device: a match of it, or a fault.
    fn answer(&self, socket: &UdpSocket, id: &str) -> Option<(Heard, String)> {
        let (message, text, from) = receive(socket)?;
        let device = match &message.content {
            Content::Matches(all) => Some(all.iter().find(|one| self.is_meant(one))?.clone()),
            Content::Fault(_) if from.ip() == self.place.device.ip() => None,
            _ => return None,
        };
        Some((Heard { message, device, from, asked: Some(id.to_owned()) }, text))
    }

    /// Whether a description is the device's: by its endpoint, or by an address that is exactly the one that we know.
    fn is_meant(&self, device: &Description) -> bool {
        let by_endpoint = self.endpoint.as_ref().is_some_and(|own| same_endpoint(own, &device.endpoint));
        by_endpoint || device.xaddrs.iter().flatten().any(|xaddr| self.leads_there(xaddr))
    }

    fn leads_there(&self, xaddr: &str) -> bool {
        let parts = |url: &str| {
            let (authority, path) = split(url).ok()?;
            let address = authority.to_socket_addrs().ok()?.next()?;
            Some(((address.ip(), address.port()), path.to_owned()))
        };
        let own = split(&self.url)
            .ok()
            .map(|(_, path)| ((self.place.device.ip(), self.place.device.port()), path.to_owned()));
        own.is_some() && parts(xaddr) == own
    }
}

impl Listener<'_> {
    /// Waits for a message of the device to everybody that is wanted. `None`: there was none in that time.
    ///
    /// # Errors
    /// The device says something that is no proper message.
    pub fn hear(
        &self,
        t: &mut Test<'_>,
        patience: Duration,
        wanted: impl Fn(&Heard) -> bool,
    ) -> Outcome<Option<Heard>> {
        let start = Instant::now();
        while start.elapsed() < patience {
            go_on(t)?;
            let kept = self.kept.borrow_mut().pop_front();
            let Some((heard, text)) = kept.or_else(|| self.of_device(receive(&self.socket)?)) else { continue };
            let status = format!("{} from {}", heard.message.name(), heard.from);
            t.record(self.client.place.group().to_string(), "", status, &text, start);
            judge(t, &text)?;
            if wanted(&heard) {
                return Ok(Some(heard));
            }
        }
        Ok(None)
    }

    /// Takes what has come by now, and keeps what is the device's until somebody wants to [`hear`](Self::hear) it: of what nobody
    /// takes the system loses what comes last.
    pub fn keep(&self) {
        let start = Instant::now();
        // Others may speak without end.
        while start.elapsed() < AT_ONCE
            && let Some(datagram) = datagram(&self.socket)
        {
            self.kept.borrow_mut().extend(read(&datagram).and_then(|message| self.of_device(message)));
        }
    }

    /// What the device said, if it is the device's.
    fn of_device(&self, (message, text, from): (Message, String, SocketAddr)) -> Option<(Heard, String)> {
        let device = match &message.content {
            Content::Hello(device) if self.client.is_meant(device) => device.clone(),
            Content::Bye(endpoint) if self.is_ours(endpoint) => {
                Description { endpoint: endpoint.clone(), ..Description::default() }
            }
            _ => return None,
        };
        Some((Heard { message, device: Some(device), from, asked: None }, text))
    }

    fn is_ours(&self, endpoint: &str) -> bool {
        self.client.endpoint.as_ref().is_some_and(|own| same_endpoint(own, endpoint))
    }
}

/// Whether a message says that the device is there.
pub fn is_hello(heard: &Heard) -> bool {
    matches!(heard.message.content, Content::Hello(_))
}

/// Whether a message says that the device leaves.
pub fn is_bye(heard: &Heard) -> bool {
    matches!(heard.message.content, Content::Bye(_))
}

/// Stops a wait when the person at the keyboard wants it.
pub(super) fn go_on(t: &Test<'_>) -> Outcome {
    if t.is_interrupted() { Err(Stop::Interrupted) } else { Ok(()) }
}

/// Takes a datagram, if one comes within a moment and is a message.
fn receive(socket: &UdpSocket) -> Option<(Message, String, SocketAddr)> {
    read(&datagram(socket)?)
}

fn datagram(socket: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = vec![0; 65_536];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    buffer.truncate(length);
    Some((buffer, from))
}

fn read((bytes, from): &(Vec<u8>, SocketAddr)) -> Option<(Message, String, SocketAddr)> {
    let message = Message::parse(bytes)?;
    Some((message, String::from_utf8_lossy(bytes).into_owned(), *from))
}

/// Judges the envelope and a fault by the schemas. Of WS-Discovery there is none among the official files: what stands in
/// its namespace the cases look at themselves.
fn judge(t: &Test<'_>, text: &str) -> Outcome {
    let mut errors = schema::check(text.as_bytes()).err().unwrap_or_default();
    errors.retain(|error| !(error.contains(&format!("{{{DISCOVERY}}}")) && error.contains("is not declared")));
    t.demand(errors.is_empty(), "a message that the official schemas allow", errors.join("; "))
}

/// A UUID is one whether or not `urn:` stands before it, and in either case of letters.
fn same_endpoint(one: &str, other: &str) -> bool {
    let bare = |text: &str| {
        let lower = text.trim().to_ascii_lowercase();
        let lower = lower.strip_prefix("urn:").unwrap_or(&lower);
        lower.strip_prefix("uuid:").unwrap_or(lower).to_owned()
    };
    !one.is_empty() && bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device::Device, discovery::ADDRESSING, feature::Features, soap::ENV};

    #[test]
    fn what_the_device_says_before_it_is_heard_is_kept_among_much_else() {
        let url = "http://127.0.0.1:8080/onvif/device_service";
        let client = Client { place: Place::of(url).unwrap(), url: url.into(), endpoint: Some("urn:uuid:ab".into()) };
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let (to, others) = (socket.local_addr().unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let listener = Listener { client: &client, socket, kept: RefCell::default() };
        let noise = || {
            for _ in 0..40 {
                (0..50).for_each(|_| assert_eq!(others.send_to(&[b'x'; 1024], to).unwrap(), 1024));
                listener.keep();
            }
        };
        let hello = format!(
            "<e:Envelope xmlns:e=\"{ENV}\" xmlns:a=\"{ADDRESSING}\" xmlns:d=\"{DISCOVERY}\"><e:Body><d:Hello>\
             <a:EndpointReference><a:Address>urn:uuid:ab</a:Address></a:EndpointReference></d:Hello></e:Body></e:Envelope>"
        );
        noise();
        others.send_to(hello.as_bytes(), to).unwrap();
        noise();
        let (device, features) = (Device::new(url.into(), String::new(), String::new()), Features::default());
        let heard = listener.hear(&mut Test::new(&device, &features), Duration::from_millis(500), is_hello);
        assert_eq!(heard.unwrap().map(|heard| heard.message.name()), Some("Hello"));
    }

    #[test]
    fn one_device_is_known_among_many() {
        let url = "http://127.0.0.1:8080/onvif/device_service";
        let place = Place::of(url).unwrap();
        let client = Client { place, url: url.into(), endpoint: Some("urn:uuid:AB".into()) };
        let told = |endpoint: &str, xaddr: &str| Description {
            endpoint: endpoint.into(),
            xaddrs: Some(vec![xaddr.into()]),
            ..Description::default()
        };
        assert!(client.is_meant(&told("uuid:ab", "http://192.0.2.1/")));
        assert!(client.is_meant(&told("", url)));
        assert!(!client.is_meant(&told("urn:uuid:ac", "http://127.0.0.1:8081/onvif/device_service")));
        let unknown = Client { endpoint: None, ..client };
        assert!(!unknown.is_meant(&told("", "nonsense")));
    }
}
