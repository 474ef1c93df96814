//! The proxy's RTSP: answers are known by their CSeq, and changed; packets between them are, too.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use belvedere_harness::{
    digest::{Challenge, Style},
    proxy::Message,
    server::{PASSWORD, USER},
};

use crate::{
    proxy::{Shared, change, lock, parse, written},
    rtp::Packets,
    rule::{Action, Rule},
    udp::Ports,
};

/// What was asked on a connection or in a tunnel, by CSeq, and the ports that were taken for it.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    sent: Mutex<BTreeMap<String, Message>>,
    ports: Mutex<BTreeMap<String, Ports>>,
}

/// What comes in an RTSP connection, either way.
enum Item {
    Packet(u8, Vec<u8>),
    Message(Message),
}

/// Serves an RTSP connection; `first` is the first line.
pub(crate) fn serve(first: Vec<u8>, from: BufReader<TcpStream>, client: TcpStream, shared: &Arc<Shared>) -> Result<()> {
    let device = TcpStream::connect(shared.rtsp)?;
    device.set_nodelay(true)?;
    let requests = Arc::new(Requests::default());
    let up = Mutex::new(device.try_clone()?);
    thread::scope(|scope| {
        scope.spawn(|| {
            let down = Down { shared, requests: &requests, up: Some(&up), packets: Packets::default() };
            // Where the device ends, the judge shall see it end.
            let _ = down.follow(BufReader::new(&device), &client);
            let _ = client.shutdown(Shutdown::Both);
        });
        let _ = follow_requests(BufReader::new(first.as_slice().chain(from)), &up, &client, &requests, shared);
        let _ = device.shutdown(Shutdown::Both);
    });
    Ok(())
}

fn follow_requests(
    mut from: impl BufRead,
    up: &Mutex<TcpStream>,
    mut client: &TcpStream,
    requests: &Requests,
    shared: &Arc<Shared>,
) -> Result<()> {
    while let Some(item) = read(&mut from)? {
        let bytes = match item {
            Item::Packet(channel, packet) => framed(channel, &packet),
            Item::Message(request) => {
                let swallowed = matching(shared, &request).any(|rule| matches!(rule.action, Action::Swallow));
                if swallowed && request.header("authorization").is_some() {
                    client.write_all(&written(&done(&request)))?;
                    continue;
                }
                let mut request = request;
                requests.remember(&request);
                let (device, judge) = (lock(up).local_addr()?, client.peer_addr()?);
                if let Some(ports) = Ports::open(&mut request, device, judge, shared)? {
                    lock(&requests.ports).insert(request.header("cseq").unwrap_or_default().to_owned(), ports);
                }
                as_it_came(&request)
            }
        };
        lock(up).write_all(&bytes)?;
    }
    Ok(())
}

/// Serves one half of RTSP in HTTP: the GET, down which everything comes, or the POST with requests in base64.
pub(crate) fn tunnel(
    head: &Message,
    raw: &[u8],
    mut from: BufReader<TcpStream>,
    client: TcpStream,
    shared: &Arc<Shared>,
) -> Result<()> {
    let mut device = TcpStream::connect(shared.http)?;
    device.set_nodelay(true)?;
    let cookie = head.header("x-sessioncookie").unwrap_or_default().to_owned();
    let requests = Arc::clone(lock(&shared.tunnels).entry(cookie).or_default());
    device.write_all(raw)?;
    let is_get = head.method() == "GET";
    thread::scope(|scope| {
        scope.spawn(|| {
            let down = Down { shared, requests: &requests, up: None, packets: Packets::default() };
            let _ = down.follow(BufReader::new(&device), &client);
            let _ = client.shutdown(Shutdown::Both);
        });
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if !is_get {
                text.extend(buffer[..length].iter().filter(|byte| !byte.is_ascii_whitespace()));
                requests.learn(&text);
            }
            if (&device).write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = device.shutdown(Shutdown::Both);
    });
    Ok(())
}

impl Requests {
    fn remember(&self, request: &Message) {
        let number = request.header("cseq").unwrap_or_default().to_owned();
        lock(&self.sent).insert(number, request.clone());
    }

    fn get(&self, number: &str) -> Option<Message> {
        lock(&self.sent).get(number).cloned()
    }

    /// Reads all that was sent up a tunnel. Each message is padded by itself, so it is read by groups of four.
    fn learn(&self, text: &[u8]) {
        let bytes: Vec<u8> = text.chunks_exact(4).filter_map(|group| STANDARD.decode(group).ok()).flatten().collect();
        let mut from = bytes.as_slice();
        while let Ok(Some(item)) = read(&mut from) {
            if let Item::Message(request) = item {
                self.remember(&request);
            }
        }
    }
}

/// What comes from the device.
struct Down<'a> {
    shared: &'a Shared,
    requests: &'a Requests,
    up: Option<&'a Mutex<TcpStream>>,
    packets: Packets,
}

impl Down<'_> {
    fn follow(mut self, mut from: impl BufRead, mut client: &TcpStream) -> Result<()> {
        while let Some(item) = read(&mut from)? {
            match item {
                Item::Packet(channel, packet) => {
                    let (rules, kinds) = (&self.shared.rules, &self.shared.kinds);
                    if let Some(packet) = self.packets.changed(channel, packet, rules, kinds) {
                        client.write_all(&framed(channel, &packet))?;
                    }
                }
                Item::Message(head) if head.start.starts_with("HTTP/") => client.write_all(&as_it_came(&head))?,
                Item::Message(answer) => {
                    if let Some(answer) = self.changed(answer)? {
                        client.write_all(&written(&answer))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What the rules make of an answer; nothing if another will come.
    fn changed(&mut self, mut answer: Message) -> Result<Option<Message>> {
        self.shared.relocate(&mut answer);
        if answer.content_type() == "application/sdp" {
            self.shared.kinds.learn(&String::from_utf8_lossy(&answer.body));
        }
        let number = answer.header("cseq").unwrap_or_default().to_owned();
        let Some(request) = self.requests.get(&number) else { return Ok(Some(answer)) };
        if let Some(ports) = lock(&self.requests.ports).get(&number) {
            ports.relocate(&mut answer);
        }
        let refused = answer.status() != Some(200);
        if answer.status() == Some(401) {
            let admits = matching(self.shared, &request).any(|rule| matches!(rule.action, Action::Admit));
            let (true, Some(up)) = (admits, self.up) else { return Ok(Some(answer)) };
            lock(up).write_all(&admitted(&request, &answer)?)?;
            return Ok(None);
        }
        for rule in matching(self.shared, &request).filter(|rule| rule.refused.is_none_or(|wanted| wanted == refused)) {
            if let Action::HangUp = rule.action {
                anyhow::bail!("hung up");
            }
            change(&mut answer, &rule.action)?;
        }
        self.shared.saw(&name(&request));
        Ok(Some(answer))
    }
}

fn name(request: &Message) -> String {
    format!("RTSP {}", request.method())
}

/// The rules for a request, whether it is refused or not.
fn matching<'a>(shared: &'a Shared, request: &Message) -> impl Iterator<Item = &'a Rule> {
    let (name, asked) = (name(request), String::from_utf8_lossy(&as_it_came(request)).into_owned());
    let concerns = move |rule: &&Rule| {
        let any = Rule { refused: None, ..(*rule).clone() };
        any.concerns(&name, &asked, false, |name| shared.has_seen(name))
    };
    shared.rules.iter().filter(concerns)
}

/// The answer to a request that was not passed on.
fn done(request: &Message) -> Message {
    let kept = ["cseq", "session"];
    let headers = request.headers.iter().filter(|(name, _)| kept.contains(&name.to_lowercase().as_str()));
    Message { start: "RTSP/1.0 200 OK".into(), headers: headers.cloned().collect(), ..Message::default() }
}

/// A request with the administrator's answer to a challenge.
fn admitted(request: &Message, answer: &Message) -> Result<Vec<u8>> {
    let challenges = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    let challenge = challenges.filter_map(|(_, value)| Challenge::parse(value).ok()).next().context("no challenge")?;
    let url = request.start.split(' ').nth(1).unwrap_or_default();
    let mut signed = request.clone();
    let authorization = challenge.answer(Style::Qop, (USER, PASSWORD), request.method(), url, 1);
    signed.headers.push(("Authorization".into(), authorization));
    Ok(as_it_came(&signed))
}

fn as_it_came(message: &Message) -> Vec<u8> {
    let headers: String = message.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    [format!("{}\r\n{headers}\r\n", message.start).as_bytes(), &message.body].concat()
}

fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    [&[b'$', channel][..], &(packet.len() as u16).to_be_bytes(), packet].concat()
}

/// Reads a message or an interleaved packet (RFC 2326 section 10.12); nothing where the connection ends.
fn read(from: &mut impl BufRead) -> Result<Option<Item>> {
    match from.fill_buf()?.first() {
        None => return Ok(None),
        Some(b'$') => {
            let mut head = [0; 4];
            from.read_exact(&mut head)?;
            let mut packet = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
            from.read_exact(&mut packet)?;
            return Ok(Some(Item::Packet(head[1], packet)));
        }
        Some(_) => (),
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(from.read_until(b'\n', &mut head)? > 0, "a head cut short");
    }
    let mut message = parse(&String::from_utf8_lossy(&head));
    // The answer to the GET of a tunnel is a head and no more, whatever length it tells.
    if !message.start.starts_with("HTTP/") {
        let length = message.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        message.body = vec![0; length];
        from.read_exact(&mut message.body)?;
    }
    Ok(Some(Item::Message(message)))
}
