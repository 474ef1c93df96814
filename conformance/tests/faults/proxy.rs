//! A proxy between the judge and a device that makes the device faulty.
//!
//! ```text
//!   judge ──► proxy ──► device        One port takes SOAP, snapshots, RTSP and RTSP in HTTP. The addresses of the device
//!         ◄──   │   ◄──               in what it says are replaced by the proxy's own, so all goes through here.
//!               ▼
//!         rules: what is said otherwise
//! ```
//!
//! RTP in datagrams goes through ports of its own, see `udp.rs`; for discovery see `discovery.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use belvedere_harness::{
    digest::{Challenge, Style},
    http::Http,
    proxy::Message,
    server::{PASSWORD, USER},
};

use crate::{
    rtp::Kinds,
    rtsp,
    rule::{Action, Rule},
    soap,
};

/// A device as the proxy sees it, and what it makes of it.
#[derive(Debug)]
pub(crate) struct Shared {
    own: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) rtsp: SocketAddr,
    pub(crate) rules: Vec<Rule>,
    pub(crate) kinds: Kinds,
    pub(crate) tunnels: Mutex<BTreeMap<String, Arc<rtsp::Requests>>>,
    seen: Mutex<BTreeSet<String>>,
    frozen: Mutex<BTreeMap<(usize, String), Message>>,
}

/// A proxy; it accepts until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    closed: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts a proxy in front of a device; what comes to the listener goes there.
    pub(crate) fn start(listener: TcpListener, http: SocketAddr, rtsp: SocketAddr, rules: Vec<Rule>) -> Result<Self> {
        let shared = Arc::new(Shared {
            own: listener.local_addr()?,
            http,
            rtsp,
            rules,
            kinds: Kinds::default(),
            tunnels: Mutex::default(),
            seen: Mutex::default(),
            frozen: Mutex::default(),
        });
        let closed = Arc::new(AtomicBool::new(false));
        let (serving, ended) = (Arc::clone(&shared), Arc::clone(&closed));
        thread::spawn(move || {
            for client in listener.incoming().map_while(io::Result::ok) {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let shared = Arc::clone(&serving);
                // A connection that fails shows to the judge as one that closes.
                thread::spawn(move || drop(serve(client, &shared)));
            }
        });
        Ok(Self { shared, closed })
    }

    /// What it knows, for those who pass on what does not go over this port.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The address of the device service.
    pub(crate) fn device(&self) -> String {
        format!("http://{}/onvif/device_service", self.shared.own)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the listener; should that fail, the thread ends with the process.
        let _ = TcpStream::connect_timeout(&self.shared.own, Duration::from_millis(100));
    }
}

impl Shared {
    /// The proxy's own address in the place of the device's.
    pub(crate) fn here(&self, text: &str) -> String {
        let own = self.own.to_string();
        text.replace(&self.http.to_string(), &own).replace(&self.rtsp.to_string(), &own)
    }

    /// Whether an operation or a method was answered.
    pub(crate) fn has_seen(&self, name: &str) -> bool {
        lock(&self.seen).contains(name)
    }

    /// Remembers that it was.
    pub(crate) fn saw(&self, name: &str) {
        lock(&self.seen).insert(name.to_owned());
    }

    /// Replaces what an answer holds of the device's addresses.
    pub(crate) fn relocate(&self, answer: &mut Message) {
        for (_, value) in &mut answer.headers {
            *value = self.here(value);
        }
        if let Ok(text) = std::str::from_utf8(&answer.body) {
            answer.body = self.here(text).into_bytes();
        }
    }
}

fn serve(client: TcpStream, shared: &Arc<Shared>) -> Result<()> {
    client.set_nodelay(true)?;
    let mut from = BufReader::new(client.try_clone()?);
    let mut first = Vec::new();
    from.read_until(b'\n', &mut first)?;
    if String::from_utf8_lossy(&first).contains(" RTSP/1.0") {
        return rtsp::serve(first, from, client, shared);
    }
    http(first, from, client, shared)
}

/// Serves what comes as HTTP; `first` is the first line.
fn http(mut first: Vec<u8>, mut from: BufReader<TcpStream>, mut client: TcpStream, shared: &Arc<Shared>) -> Result<()> {
    while !first.is_empty() {
        let (request, raw) = read_request(first, &mut from)?;
        if request.header("x-sessioncookie").is_some() {
            return rtsp::tunnel(&request, &raw, from, client, shared);
        }
        let Some(answer) = answer(&request, &raw, shared)? else { return Ok(()) };
        client.write_all(&written(&answer))?;
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            return Ok(());
        }
        first = Vec::new();
        from.read_until(b'\n', &mut first)?;
    }
    Ok(())
}

/// Reads a request, as it is and as it came. The body of a tunnel is left where it is.
fn read_request(first: Vec<u8>, from: &mut impl BufRead) -> Result<(Message, Vec<u8>)> {
    let mut raw = first;
    while !raw.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(from.read_until(b'\n', &mut raw)? > 0, "a head cut short");
    }
    let mut request = parse(&String::from_utf8_lossy(&raw));
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if request.header("x-sessioncookie").is_none() {
        from.take(length).read_to_end(&mut request.body)?;
        raw.extend(&request.body);
    }
    Ok((request, raw))
}

/// Reads a head: of a request or of a response, of HTTP or of RTSP.
pub(crate) fn parse(head: &str) -> Message {
    let mut lines = head.lines();
    let start = lines.next().unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    Message { start, headers, ..Message::default() }
}

/// A message as it goes out.
pub(crate) fn written(message: &Message) -> Vec<u8> {
    let mut head = format!("{}\r\n", message.start);
    let framing = ["content-length", "transfer-encoding"];
    for (name, value) in message.headers.iter().filter(|(name, _)| !framing.contains(&name.to_lowercase().as_str())) {
        head += &format!("{name}: {value}\r\n");
    }
    if message.start.starts_with("HTTP/") || !message.body.is_empty() {
        head += &format!("Content-Length: {}\r\n", message.body.len());
    }
    [format!("{head}\r\n").as_bytes(), &message.body].concat()
}

/// What the judge is answered; nothing if the connection is to close.
fn answer(request: &Message, raw: &[u8], shared: &Shared) -> Result<Option<Message>> {
    let asked = String::from_utf8_lossy(&request.body).into_owned();
    let name = soap::operation(&asked).unwrap_or_else(|| request.method().to_owned());
    let signed = request.header("authorization").is_some() || asked.contains("UsernameToken");
    let concerns = |rule: &&Rule| rule.concerns(&name, &asked, false, |name| shared.has_seen(name));
    let swallows = |rule: &Rule| matches!(rule.action, Action::Swallow);
    if signed && shared.rules.iter().filter(concerns).any(swallows) {
        shared.saw(&name);
        // What the device is not asked may still be said in its name.
        return changed(soap_message(200, soap::response(&name, "")), &name, &asked, shared);
    }
    let passed = passed_on(request, shared.rules.iter().filter(concerns));
    let mut answer = match &passed {
        Some(other) => ask(shared, other, &written(other))?,
        None => ask(shared, request, raw)?,
    };
    if answer.status() == Some(401) {
        if !shared.rules.iter().filter(concerns).any(|rule| matches!(rule.action, Action::Admit)) {
            return changed(answer, "challenge", &asked, shared);
        }
        let request = passed.as_ref().unwrap_or(request);
        answer = ask(shared, request, &admitted(request, &answer)?)?;
    }
    let answer = changed(answer, &name, &asked, shared);
    shared.saw(&name);
    answer
}

/// The request that the device gets instead; none if no rule changes it.
fn passed_on<'a>(request: &Message, rules: impl Iterator<Item = &'a Rule>) -> Option<Message> {
    let asked = String::from_utf8_lossy(&request.body).into_owned();
    let body = rules.fold(asked, |body, rule| rule.asked_instead(body)).into_bytes();
    (body != request.body).then(|| Message { body, ..request.clone() })
}

fn ask(shared: &Shared, request: &Message, raw: &[u8]) -> Result<Message> {
    let mut device = Http::connect(&format!("http://{}", shared.http))?;
    device.send(raw)?;
    let mut answer = device.answer(request.method())?;
    shared.relocate(&mut answer);
    Ok(answer)
}

/// A request with the administrator's answer to a challenge.
fn admitted(request: &Message, answer: &Message) -> Result<Vec<u8>> {
    let challenge = Challenge::parse(answer.header("www-authenticate").context("401 without a challenge")?)?;
    let path = request.start.split(' ').nth(1).unwrap_or("/");
    let authorization = challenge.answer(Style::Qop, (USER, PASSWORD), request.method(), path, 1);
    let mut signed = request.clone();
    signed.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
    signed.headers.push(("Authorization".into(), authorization));
    let mut bytes = format!("{}\r\n", signed.start).into_bytes();
    for (name, value) in &signed.headers {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    Ok([&bytes, &b"\r\n"[..], &signed.body].concat())
}

/// What the rules make of an answer.
fn changed(answer: Message, name: &str, asked: &str, shared: &Shared) -> Result<Option<Message>> {
    let mut answer = answer;
    let refused = answer.status() != Some(200);
    for (index, rule) in shared.rules.iter().enumerate() {
        if !rule.concerns(name, asked, refused, |name| shared.has_seen(name)) {
            continue;
        }
        match &rule.action {
            Action::HangUp => return Ok(None),
            Action::Freeze => {
                let body = asked.split_once("Body>").map_or(asked, |(_, body)| body).to_owned();
                answer = lock(&shared.frozen).entry((index, body)).or_insert(answer).clone();
            }
            Action::Refuse(codes) => {
                let status = if codes.starts_with("env:Receiver") { 500 } else { 400 };
                answer = soap_message(status, soap::fault(codes));
            }
            Action::Answer(content) => answer = soap_message(200, soap::response(name, content)),
            action => change(&mut answer, action)?,
        }
    }
    Ok(Some(answer))
}

/// Does to an answer of HTTP or of RTSP what can be done to its text. What cannot be done, since what is to be changed is
/// not there, is left undone: a fault that does nothing is found by no case.
pub(crate) fn change(answer: &mut Message, action: &Action) -> Result<()> {
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    let changed = match action {
        Action::Drop(path) => soap::drop_at(&body, path),
        Action::Set(path, to) => soap::set_at(&body, path, to),
        Action::Add(path, xml) => soap::add_at(&body, path, xml),
        Action::Repeat(path) => soap::repeat_at(&body, path),
        Action::DropLines(start) => {
            let kept = body.lines().filter(|line| !line.starts_with(start.as_str()));
            Ok(kept.map(|line| format!("{line}\r\n")).collect())
        }
        Action::Replace(from, to) => {
            for (_, value) in &mut answer.headers {
                *value = value.replace(from, to);
            }
            Ok(body.replace(from, to))
        }
        Action::Header(name, value) => {
            answer.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
            if !value.is_empty() {
                answer.headers.push((name.clone(), value.clone()));
            }
            return Ok(());
        }
        Action::Status(status) => {
            let protocol = answer.start.split(' ').next().unwrap_or_default();
            answer.start = format!("{protocol} {status} As The Fault Says");
            return Ok(());
        }
        _ => return Ok(()),
    };
    if let Ok(text) = changed
        && text != body
    {
        answer.body = text.into_bytes();
    }
    Ok(())
}

fn soap_message(status: u16, envelope: String) -> Message {
    Message {
        start: format!("HTTP/1.1 {status} As The Fault Says"),
        headers: vec![
            ("Content-Type".into(), "application/soap+xml; charset=utf-8".into()),
            ("Connection".into(), "close".into()),
        ],
        body: envelope.into_bytes(),
        whole: true,
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
