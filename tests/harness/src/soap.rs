//! Raw SOAP: requests that a test composes itself, right or wrong, and what comes back.
//!
//! Real clients hide the wire and do not misbehave on request; this one shows the one and does the other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node};
use sha1::{Digest, Sha1};

use crate::digest::Challenge;
use crate::proxy::Message;
use crate::schema;

/// The path of the device service, the only one that a client knows beforehand.
pub const DEVICE: &str = "/onvif/device_service";
/// SOAP 1.2.
pub const ENV: &str = "http://www.w3.org/2003/05/soap-envelope";
/// The error codes of ONVIF.
pub const TER: &str = "http://www.onvif.org/ver10/error";
/// The device service.
pub const TDS: &str = "http://www.onvif.org/ver10/device/wsdl";
/// The media service, first version.
pub const TRT: &str = "http://www.onvif.org/ver10/media/wsdl";
/// The media service, second version.
pub const TR2: &str = "http://www.onvif.org/ver20/media/wsdl";
const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const PASSWORD_DIGEST: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the elements of a request are written; both mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// With a prefix for each namespace, as most clients do.
    Prefixes,
    /// Without prefixes, each element with a default namespace, and the header marked `mustUnderstand`: UniFi Protect.
    Defaults,
}

/// A WS-UsernameToken with a digest (UsernameToken Profile 1.0, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    user: String,
    password: String,
    nonce: Vec<u8>,
    created: String,
}

impl Token {
    /// A token that was made `age` seconds ago; negative is in the future.
    pub fn aged((user, password): (&str, &str), age: i64) -> Result<Self> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        // Unlike any before it: the clock's nanoseconds and the address of a value on this stack.
        let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        let nonce = Sha1::digest(format!("{nanoseconds} {:p}", &now))[..16].to_vec();
        Ok(Self { user: user.into(), password: password.into(), nonce, created: utc(now - age) })
    }

    /// A token of this moment.
    pub fn new(who: (&str, &str)) -> Result<Self> {
        Self::aged(who, 0)
    }

    /// The header block.
    fn block(&self, spelling: Spelling) -> String {
        let Self { user, password, nonce, created } = self;
        let digest = Sha1::new().chain_update(nonce).chain_update(created).chain_update(password).finalize();
        let (digest, nonce) = (STANDARD.encode(digest), STANDARD.encode(nonce));
        match spelling {
            Spelling::Prefixes => format!(
                "<wsse:Security xmlns:wsse=\"{WSSE}\" xmlns:wsu=\"{WSU}\"><wsse:UsernameToken>\
                 <wsse:Username>{user}</wsse:Username><wsse:Password Type=\"{PASSWORD_DIGEST}\">{digest}</wsse:Password>\
                 <wsse:Nonce>{nonce}</wsse:Nonce><wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>"
            ),
            Spelling::Defaults => format!(
                "<Security xmlns:e=\"{ENV}\" e:mustUnderstand=\"1\" xmlns=\"{WSSE}\"><UsernameToken>\
                 <Username>{user}</Username><Password Type=\"{PASSWORD_DIGEST}\">{digest}</Password>\
                 <Nonce>{nonce}</Nonce><Created xmlns=\"{WSU}\">{created}</Created></UsernameToken></Security>"
            ),
        }
    }
}

/// A request. What it does not say is as a well-behaved client has it.
#[derive(Debug, Clone)]
pub struct Request {
    path: String,
    body: String,
    spelling: Spelling,
    token: Option<Token>,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A request for an operation without arguments.
    pub fn operation(path: &str, namespace: &str, name: &str) -> Self {
        Self::body(path, &format!("<{name} xmlns=\"{namespace}\"/>"))
    }

    /// A request with this in its body.
    pub fn body(path: &str, body: &str) -> Self {
        let (path, body) = (path.to_owned(), body.to_owned());
        Self { path, body, spelling: Spelling::Prefixes, token: None, headers: Vec::new() }
    }

    /// Adds a token.
    pub fn token(mut self, token: &Token) -> Self {
        self.token = Some(token.clone());
        self
    }

    /// Writes the envelope differently.
    pub fn spelt(mut self, spelling: Spelling) -> Self {
        self.spelling = spelling;
        self
    }

    /// Adds an HTTP header, or replaces `Host` or `Content-Type`.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn envelope(&self) -> String {
        let token = self.token.as_ref().map(|token| token.block(self.spelling)).unwrap_or_default();
        let body = &self.body;
        match self.spelling {
            Spelling::Prefixes => format!(
                "<s:Envelope xmlns:s=\"{ENV}\"><s:Header>{token}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
            ),
            Spelling::Defaults => {
                format!("<Envelope xmlns=\"{ENV}\"><Header>{token}</Header><Body>{body}</Body></Envelope>")
            }
        }
    }

    /// The request as it goes over the wire, on a connection that stays.
    pub fn wire(&self, to: SocketAddr) -> String {
        let envelope = self.envelope();
        let mut head = format!("POST {} HTTP/1.1\r\nContent-Length: {}\r\n", self.path, envelope.len());
        let usual = [("Host", to.to_string()), ("Content-Type", "application/soap+xml; charset=utf-8".into())];
        for (name, value) in usual {
            if !self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
                head += &format!("{name}: {value}\r\n");
            }
        }
        self.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        format!("{head}\r\n{envelope}")
    }

    /// Sends the request on a connection of its own. An answer in SOAP must be one that the official schemas allow.
    pub fn send(&self, to: SocketAddr) -> Result<Answer> {
        let mut stream = self.begin(to)?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).with_context(|| format!("no answer to {}", self.body))?;
        let answer = Answer::parse(&received).with_context(|| format!("the answer to {}", self.body))?;
        if answer.all("content-type").any(|kind| kind.starts_with("application/soap+xml")) {
            schema::check(&answer.body).map_err(|errors| anyhow!("{errors:?}:\n{}", answer.text()))?;
        }
        Ok(answer)
    }

    /// Sends the request, and hangs up after a while without waiting for the answer.
    pub fn send_and_leave(&self, to: SocketAddr, after: Duration) -> Result<()> {
        let _stream = self.begin(to)?;
        thread::sleep(after);
        Ok(())
    }

    fn begin(&self, to: SocketAddr) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(self.clone().header("Connection", "close").wire(to).as_bytes())?;
        Ok(stream)
    }
}

/// Fetches with HTTP GET; `authorization` is the value of that header.
pub fn get(to: SocketAddr, path: &str, authorization: Option<&str>) -> Result<Answer> {
    let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{authorization}\r\n")?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    Answer::parse(&received)
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The HTTP headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl From<&Message> for Answer {
    /// What the proxy has recorded.
    fn from(message: &Message) -> Self {
        let Message { headers, body, .. } = message.clone();
        Self { status: message.status().unwrap_or_default(), headers, body }
    }
}

impl Answer {
    /// Takes the first whole answer from what has come on a connection that stays, if there is one. All answers of the server
    /// have a `Content-Length`.
    pub fn take(received: &mut Vec<u8>) -> Result<Option<Self>> {
        let Some(head) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
        let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.with_context(|| format!("no Content-Length: {text}"))?.trim().parse()?;
        let end = head + 4 + length;
        if received.len() < end {
            return Ok(None);
        }
        let answer = Self::parse(&received[..end])?;
        received.drain(..end);
        Ok(Some(answer))
    }

    fn parse(received: &[u8]) -> Result<Self> {
        let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("no end of the head")?;
        let head = String::from_utf8_lossy(&received[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status line")?.parse()?;
        let header = |line: &str| line.split_once(':').map(|(name, value)| (name.into(), value.trim().into()));
        let headers: Vec<(String, String)> = lines.filter_map(header).collect();
        let answer = Self { status, headers, body: received[end + 4..].to_vec() };
        if let Some(length) = answer.all("content-length").next() {
            ensure!(length.parse() == Ok(answer.body.len()), "{} bytes, {length} announced", answer.body.len());
        }
        Ok(answer)
    }

    /// The values of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The challenges, in order.
    pub fn challenges(&self) -> Result<Vec<Challenge>> {
        self.all("www-authenticate").map(Challenge::parse).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Demands success; an error quotes what came instead.
    pub fn done(self) -> Result<Self> {
        ensure!(self.status == 200, "{}: {}", self.status, self.text());
        Ok(self)
    }

    /// The code and the subcodes of the fault, as `env:Sender/ter:NotAuthorized`; other namespaces are spelt out.
    pub fn fault(&self) -> Result<String> {
        let text = self.text();
        let document = Document::parse(&text).with_context(|| format!("{}: {text:?}", self.status))?;
        let code = document.descendants().find(|node| node.has_tag_name((ENV, "Code"))).context("no fault")?;
        let values = code.descendants().filter(|node| node.has_tag_name((ENV, "Value")));
        Ok(values.map(qualified).collect::<Result<Vec<_>>>()?.join("/"))
    }

    /// The texts of all elements of this local name.
    pub fn texts(&self, local: &str) -> Result<Vec<String>> {
        self.elements(local, |node| node.text().unwrap_or_default().trim().to_owned())
    }

    /// The values of an attribute of all elements of this local name; empty where it is missing.
    pub fn attributes(&self, local: &str, attribute: &str) -> Result<Vec<String>> {
        self.elements(local, |node| node.attribute(attribute).unwrap_or_default().to_owned())
    }

    /// Something of all elements of this local name, in order.
    pub fn elements<T>(&self, local: &str, of: impl Fn(Node<'_, '_>) -> T) -> Result<Vec<T>> {
        let text = self.text();
        let document = Document::parse(&text).with_context(|| format!("{}: {text:?}", self.status))?;
        Ok(document.descendants().filter(|node| node.tag_name().name() == local).map(of).collect())
    }
}

/// A qualified name in a text, with the prefix that the standard's documents use.
fn qualified(node: Node<'_, '_>) -> Result<String> {
    let text = node.text().unwrap_or_default().trim();
    let (prefix, local) = text.split_once(':').map_or((None, text), |(prefix, local)| (Some(prefix), local));
    match node.lookup_namespace_uri(prefix).with_context(|| format!("the prefix of {text} is not declared"))? {
        ENV => Ok(format!("env:{local}")),
        TER => Ok(format!("ter:{local}")),
        other => Ok(format!("{{{other}}}{local}")),
    }
}

/// Seconds since 1970 as `2026-11-25T13:30:00Z`.
pub fn utc(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Counted from 1 March of year 0, leap days come last.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..10 => (era * 400 + year, month + 3),
        _ => (era * 400 + year + 1, month - 9),
    };
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (1_798_761_600, "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }

    #[test]
    fn answers_on_one_connection_are_told_apart() {
        let mut received =
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhiHTTP/1.1 401 No\r\nContent-Length: 1\r\n\r\n".to_vec();
        let first = Answer::take(&mut received).unwrap().unwrap();
        assert_eq!((first.status, first.text().as_str()), (200, "hi"));
        assert!(Answer::take(&mut received).unwrap().is_none());
        received.push(b'x');
        assert_eq!(Answer::take(&mut received).unwrap().map(|answer| answer.status), Some(401));
        assert!(received.is_empty());
        assert!(Answer::take(&mut b"HTTP/1.1 200 OK\r\n\r\n".to_vec()).is_err());
    }

    /// The value was computed with openssl.
    #[test]
    fn a_token_is_hashed_as_the_profile_says() {
        let created = "2010-09-16T07:50:45Z".to_owned();
        let nonce = STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap();
        let token = Token { user: "user".into(), password: "userpassword".into(), nonce, created };
        for spelling in [Spelling::Prefixes, Spelling::Defaults] {
            let request = Request::operation(DEVICE, TDS, "GetUsers").token(&token).spelt(spelling).envelope();
            assert!(request.contains(">tuOSpGlFlIXsozq4HFNeeGeFLEI=<"), "{request}");
            assert_eq!(
                Document::parse(&request).unwrap().descendants().filter(|n| n.has_tag_name((WSSE, "Nonce"))).count(),
                1
            );
        }
        assert_ne!(Token::new(("u", "p")).unwrap(), Token::new(("u", "p")).unwrap());
    }

    #[test]
    fn a_fault_is_read_by_its_namespaces() {
        let body = format!(
            "<a:Envelope xmlns:a='{ENV}'><a:Body><a:Fault><a:Code><a:Value>a:Sender</a:Value><a:Subcode>\
             <a:Value xmlns:b='{TER}'>b:InvalidArgVal</a:Value><a:Subcode><a:Value xmlns='urn:x'>y</a:Value></a:Subcode>\
             </a:Subcode></a:Code></a:Fault></a:Body></a:Envelope>"
        );
        let head = format!("HTTP/1.1 400 Bad Request\r\nX: 1\r\nx: 2\r\nContent-Length: {}\r\n\r\n", body.len());
        let answer = Answer::parse(format!("{head}{body}").as_bytes()).unwrap();
        assert_eq!(answer.fault().unwrap(), "env:Sender/ter:InvalidArgVal/{urn:x}y");
        assert_eq!(answer.all("X").collect::<Vec<_>>(), ["1", "2"]);
        assert!(answer.done().is_err());
        assert!(Answer::parse(format!("{head}{body}.").as_bytes()).is_err());
    }
}
