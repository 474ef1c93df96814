//! An RTSP client (RFC 2326) that shows the wire: headers as they came, interleaved frames, and no manners unless asked.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::digest::{Algorithm, Challenge, Style};
use crate::tunnel::{self, Post, Shape};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head and the longest body of a response, in bytes.
const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 4 * 1024 * 1024;
/// How much may come in interleaved frames, in bytes, before a response that is waited for.
const MAX_FRAMES: usize = 64 * 1024 * 1024;

/// A response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields in their order, names as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Response {
    /// The first header field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let field = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }

    /// All header fields of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The challenges, in their order.
    pub fn challenges(&self) -> Result<Vec<Challenge>> {
        self.all("WWW-Authenticate").map(Challenge::parse).collect()
    }

    /// Demands a status, and quotes the response if it is another.
    pub fn expect_status(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "{status} expected: {self:?}");
        Ok(self)
    }

    /// A parameter of a header field: `param("Session", "timeout")`.
    pub fn param(&self, header: &str, name: &str) -> Option<&str> {
        let fields = self.header(header)?.split(';').map(str::trim);
        fields.filter_map(|field| field.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// An interleaved frame (RFC 2326 section 10.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The channel.
    pub channel: u8,
    /// The packet.
    pub data: Vec<u8>,
}

/// A media section of an SDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// `video`, `audio` or `application`.
    pub kind: String,
    /// The payload type.
    pub payload_type: u8,
    /// The encoding's name, upper case: `H264`.
    pub encoding: String,
    /// The clock rate, in ticks a second.
    pub clock_rate: u32,
    /// The parameters of `a=fmtp`.
    pub fmtp: String,
    /// The control address, absolute.
    pub control: String,
}

/// How a medium is to travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// In the RTSP connection.
    Tcp,
    /// As datagrams from port to port.
    Udp,
    /// In the RTSP connection, and that in an HTTP tunnel: for real clients; the one here is a tunnel or is none.
    Http,
}

/// A client with one connection and at most one session.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// In a tunnel, the POST that carries what this client sends.
    pub post: Option<Post>,
    received: Vec<u8>,
    frames: VecDeque<Frame>,
    /// The address asked for, without credentials.
    pub url: String,
    /// User and password, if the client has them and should use them.
    pub credentials: Option<(String, String)>,
    /// Which challenge to answer, and how.
    pub style: (Algorithm, Style),
    challenge: Option<Challenge>,
    nonce_count: u32,
    cseq: u32,
    /// The session, once there is one; sent with every request.
    pub session: Option<String>,
    /// What was said, if anybody wants to know: requests as they were sent and answers as they came.
    pub transcript: Option<Vec<Said>>,
}

/// A message of a conversation.
#[derive(Debug, Clone)]
pub struct Said {
    /// Whether the client said it.
    pub by_client: bool,
    /// The message, without the base64 of a tunnel.
    pub text: String,
    /// When.
    pub at: Instant,
}

impl Client {
    /// Connects to the host of an address like `rtsp://user:password@host:port/path`.
    pub fn connect(url: &str) -> Result<Self> {
        let (_, host, _) = split(url)?;
        let address = with_port(host, 554).to_socket_addrs()?.next().context("no address")?;
        Self::over(url, TcpStream::connect_timeout(&address, PATIENCE)?)
    }

    /// Connects through an HTTP tunnel that is new.
    pub fn tunnel(url: &str, shape: Shape) -> Result<Self> {
        let cookie = tunnel::cookie();
        let mut client = Self::down(url, &cookie)?;
        client.post = Some(Post::open(url, &cookie, shape)?);
        Ok(client)
    }

    /// Opens the downward half of an HTTP tunnel and leaves the upward one to the caller.
    pub fn down(url: &str, cookie: &str) -> Result<Self> {
        let (stream, received, _) = tunnel::get(url, cookie)?;
        Ok(Self { received, ..Self::over(url, stream)? })
    }

    fn over(url: &str, stream: TcpStream) -> Result<Self> {
        let (who, host, path) = split(url)?;
        let credentials =
            who.and_then(|who| who.split_once(':')).map(|(user, password)| (user.into(), password.into()));
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            post: None,
            received: Vec::new(),
            frames: VecDeque::new(),
            url: format!("rtsp://{host}{path}"),
            credentials,
            style: (Algorithm::Md5, Style::Qop),
            challenge: None,
            nonce_count: 0,
            cseq: 0,
            session: None,
            transcript: None,
        })
    }

    /// The local end of the connection.
    pub fn local(&self) -> Result<SocketAddr> {
        Ok(self.stream.local_addr()?)
    }

    /// The connection, for what this client has no method for.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Gives the connection away, with what was received on it and not yet taken.
    pub fn into_stream(self) -> (TcpStream, Vec<u8>) {
        let mut bytes = Vec::new();
        for Frame { channel, data } in &self.frames {
            bytes.extend([b'$', *channel]);
            bytes.extend((data.len() as u16).to_be_bytes());
            bytes.extend(data);
        }
        bytes.extend(self.received);
        (self.stream, bytes)
    }

    /// Bounds what the kernel takes in for this client while it does not read, in bytes.
    pub fn narrow(&self, bytes: usize) -> Result<()> {
        Ok(rustix::net::sockopt::set_socket_recv_buffer_size(&self.stream, bytes)?)
    }

    /// Sends a request and waits for its response. Adds `CSeq`, `Session` and, once challenged, `Authorization`; answers a
    /// challenge once. A header given here replaces an added one.
    pub fn request(&mut self, method: &str, url: &str, headers: &[(&str, &str)]) -> Result<Response> {
        let response = self.exchange(method, url, headers)?;
        if response.status != 401 || self.credentials.is_none() {
            return Ok(response);
        }
        let algorithm = self.style.0;
        let challenges = response.challenges()?;
        let chosen = challenges.iter().find(|challenge| challenge.algorithm == algorithm);
        self.answer_with(chosen.with_context(|| format!("no {algorithm:?} in {challenges:?}"))?.clone());
        self.exchange(method, url, headers)
    }

    /// Answers this challenge from now on.
    pub fn answer_with(&mut self, challenge: Challenge) {
        self.challenge = Some(challenge);
        self.nonce_count = 0;
    }

    /// The challenge that is answered.
    pub fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    /// Like [`Client::request`], but a challenge is returned and not answered.
    pub fn exchange(&mut self, method: &str, url: &str, headers: &[(&str, &str)]) -> Result<Response> {
        let cseq = self.send(method, url, headers)?;
        let response = self.response()?;
        ensure!(response.header("CSeq") == Some(cseq.as_str()), "CSeq {cseq} expected (RM-11): {response:?}");
        Ok(response)
    }

    /// Sends a request without waiting; gives its `CSeq`.
    pub fn send(&mut self, method: &str, url: &str, headers: &[(&str, &str)]) -> Result<String> {
        self.cseq += 1;
        let given =
            |name: &str| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        let cseq = given("CSeq").map_or_else(|| self.cseq.to_string(), str::to_owned);
        let mut text = format!("{method} {url} RTSP/1.0\r\nCSeq: {cseq}\r\n");
        if let (None, Some(session)) = (given("Session"), &self.session) {
            text += &format!("Session: {session}\r\n");
        }
        if let (None, Some(challenge), Some((user, password))) =
            (given("Authorization"), &self.challenge, &self.credentials)
        {
            self.nonce_count += 1;
            let answer = challenge.answer(self.style.1, (user, password), method, url, self.nonce_count);
            text += &format!("Authorization: {answer}\r\n");
        }
        for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("CSeq")) {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        self.send_raw(text.as_bytes())?;
        self.said(true, text);
        Ok(cseq)
    }

    fn said(&mut self, by_client: bool, text: String) {
        if let Some(transcript) = &mut self.transcript {
            transcript.push(Said { by_client, text, at: Instant::now() });
        }
    }

    /// Sends bytes as they are, or in base64 if this is a tunnel.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.post {
            Some(post) => post.send(bytes),
            None => Ok(self.stream.write_all(bytes)?),
        }
    }

    /// Waits for a response; interleaved frames before it are kept for [`Client::frame`].
    pub fn response(&mut self) -> Result<Response> {
        let deadline = Instant::now() + PATIENCE;
        let mut passed = 0;
        loop {
            match self.take()? {
                Some(Item::Response(response)) => return Ok(response),
                Some(Item::Frame(frame)) => {
                    passed += frame.data.len();
                    ensure!(passed <= MAX_FRAMES, "no response, and more than {MAX_FRAMES} bytes in frames");
                    self.frames.push_back(frame);
                }
                None => ensure!(self.fill(deadline)?, "no response within {PATIENCE:?}"),
            }
        }
    }

    /// Waits for an interleaved frame, at most until `deadline`.
    pub fn frame(&mut self, deadline: Instant) -> Result<Option<Frame>> {
        if let Some(frame) = self.frames.pop_front() {
            return Ok(Some(frame));
        }
        loop {
            match self.take()? {
                Some(Item::Frame(frame)) => return Ok(Some(frame)),
                Some(Item::Response(response)) => bail!("a response that nobody asked for: {response:?}"),
                None if !self.fill(deadline)? => return Ok(None),
                None => (),
            }
        }
    }

    /// Whether the server closes the connection within `patience`; what it sends before is thrown away.
    pub fn is_closed(&mut self, patience: Duration) -> Result<bool> {
        let deadline = Instant::now() + patience;
        let mut buffer = [0; 65536];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(_) => (),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(false),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads what has come. `false` when the deadline passes first; an error when the server has closed.
    fn fill(&mut self, deadline: Instant) -> Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut buffer = [0; 65536];
        match self.stream.read(&mut buffer) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(length) => self.received.extend_from_slice(&buffer[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// Takes a complete response or frame from what was received.
    fn take(&mut self) -> Result<Option<Item>> {
        let bytes = &self.received;
        if bytes.first() == Some(&b'$') {
            if bytes.len() < 4 {
                return Ok(None);
            }
            let end = 4 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
            if bytes.len() < end {
                return Ok(None);
            }
            let frame = Frame { channel: bytes[1], data: bytes[4..end].to_vec() };
            self.received.drain(..end);
            return Ok(Some(Item::Frame(frame)));
        }
        let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            ensure!(bytes.len() <= MAX_HEAD, "the head of a response is longer than {MAX_HEAD} bytes");
            return Ok(None);
        };
        let mut response = parse_head(std::str::from_utf8(&bytes[..head])?)?;
        let length: usize = response.header("Content-Length").unwrap_or("0").parse()?;
        ensure!(length <= MAX_BODY, "a response with a body of {length} bytes, more than {MAX_BODY}");
        let end = head + 4 + length;
        if bytes.len() < end {
            return Ok(None);
        }
        response.body = String::from_utf8(bytes[head + 4..end].to_vec())?;
        let text = String::from_utf8_lossy(&self.received.drain(..end).collect::<Vec<_>>()).into_owned();
        self.said(false, text);
        Ok(Some(Item::Response(response)))
    }

    /// DESCRIBE of the client's address, and what its SDP offers.
    pub fn describe(&mut self) -> Result<Vec<Media>> {
        let url = self.url.clone();
        let response = self.request("DESCRIBE", &url, &[("Accept", "application/sdp")])?.expect_status(200)?;
        ensure!(response.header("Content-Type") == Some("application/sdp"), "SD-12: {response:?}");
        let base = response.header("Content-Base").unwrap_or(&url).to_owned();
        parse_sdp(&response.body, &base)
    }

    /// SETUP of a medium. Interleaved channels count from `2 * index`.
    pub fn setup(&mut self, media: &Media, index: u8, transport: Transport) -> Result<SetUp> {
        let ports = match transport {
            Transport::Tcp | Transport::Http => None,
            Transport::Udp => Some(UdpPair::bind(self.local()?.ip())?),
        };
        let offer = match &ports {
            None => format!("RTP/AVP/TCP;unicast;interleaved={}-{}", 2 * index, 2 * index + 1),
            Some(pair) => format!("RTP/AVP;unicast;client_port={}-{}", pair.port, pair.port + 1),
        };
        let response = self.request("SETUP", &media.control, &[("Transport", &offer)])?.expect_status(200)?;
        let session = response.header("Session").with_context(|| format!("no Session: {response:?}"))?;
        self.session = Some(session.split(';').next().unwrap_or_default().to_owned());
        Ok(SetUp { media: media.clone(), channel: 2 * index, ports, response })
    }

    /// PLAY of the whole session.
    pub fn play(&mut self) -> Result<Response> {
        let url = self.url.clone();
        self.request("PLAY", &url, &[("Range", "npt=now-")])?.expect_status(200)
    }

    /// TEARDOWN of the whole session.
    pub fn teardown(&mut self) -> Result<Response> {
        let url = self.url.clone();
        let response = self.request("TEARDOWN", &url, &[])?.expect_status(200)?;
        self.session = None;
        Ok(response)
    }

    /// DESCRIBE, SETUP of every medium, PLAY.
    pub fn start(&mut self, transport: Transport) -> Result<Vec<SetUp>> {
        let media = self.describe()?;
        let tracks =
            (0_u8..).zip(&media).map(|(index, media)| self.setup(media, index, transport)).collect::<Result<_>>()?;
        self.play()?;
        Ok(tracks)
    }
}

enum Item {
    Response(Response),
    Frame(Frame),
}

/// A medium that was set up.
#[derive(Debug)]
pub struct SetUp {
    /// What was set up.
    pub media: Media,
    /// The interleaved channel of its RTP packets; RTCP has the next one.
    pub channel: u8,
    /// The client's sockets, over UDP.
    pub ports: Option<UdpPair>,
    /// The answer to SETUP.
    pub response: Response,
}

/// A pair of sockets, RTP on an even port and RTCP on the next.
#[derive(Debug)]
pub struct UdpPair {
    /// The port of the RTP socket.
    pub port: u16,
    /// For RTP.
    pub rtp: UdpSocket,
    /// For RTCP.
    pub rtcp: UdpSocket,
}

impl UdpPair {
    /// Binds a free pair.
    pub fn bind(ip: IpAddr) -> Result<Self> {
        for _ in 0..100 {
            let rtp = UdpSocket::bind((ip, 0))?;
            let port = rtp.local_addr()?.port();
            if port % 2 == 1 || port == u16::MAX - 1 {
                continue;
            }
            if let Ok(rtcp) = UdpSocket::bind((ip, port + 1)) {
                return Ok(Self { port, rtp, rtcp });
            }
        }
        bail!("no free pair of ports")
    }
}

/// Credentials, if there are any, host, and path of an address.
pub(crate) fn split(url: &str) -> Result<(Option<&str>, &str, &str)> {
    let rest = url.strip_prefix("rtsp://").with_context(|| format!("{url} is no RTSP address"))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Ok(match authority.rsplit_once('@') {
        Some((who, host)) => (Some(who), host, path),
        None => (None, authority, path),
    })
}

/// A host with its port, or with this one if it names none.
pub(crate) fn with_port(host: &str, port: u16) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    // The last group of a bare IPv6 address stands before a bracket, so it is no number.
    if has_port { host.to_owned() } else { format!("{host}:{port}") }
}

fn parse_head(head: &str) -> Result<Response> {
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line.strip_prefix("RTSP/1.0 ").with_context(|| format!("no status line: {status_line:?}"))?;
    let headers = lines.map(|line| line.split_once(':').with_context(|| format!("no header: {line:?}")));
    let headers = headers.map(|pair| pair.map(|(name, value)| (name.to_owned(), value.trim().to_owned())));
    Ok(Response {
        status: status.split(' ').next().unwrap_or_default().parse()?,
        headers: headers.collect::<Result<_>>()?,
        body: String::new(),
    })
}

/// Reads the media sections of an SDP; relative control addresses are joined to `base`.
pub fn parse_sdp(sdp: &str, base: &str) -> Result<Vec<Media>> {
    ensure!(sdp.starts_with("v=0\r\n") && sdp.ends_with("\r\n"), "SD-1: {sdp:?}");
    sdp.split("\r\nm=").skip(1).map(|section| parse_media(section, base)).collect()
}

fn parse_media(section: &str, base: &str) -> Result<Media> {
    let mut words = section.lines().next().unwrap_or_default().split(' ');
    let kind = words.next().unwrap_or_default().to_owned();
    let payload_type: u8 = words.nth(2).context("no payload type")?.parse()?;
    let attribute =
        |name: &str| section.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'));
    let after_type = |name| attribute(name).and_then(|text: &str| text.split_once(' ')).map(|(_, rest)| rest);
    let (encoding, clock_rate) = match after_type("rtpmap") {
        Some(map) => {
            let mut parts = map.split('/');
            (parts.next().unwrap_or_default().to_uppercase(), parts.next().context("no clock rate")?.parse()?)
        }
        None if payload_type == 0 => ("PCMU".into(), 8000),
        None if payload_type == 26 => ("JPEG".into(), 90000),
        None => bail!("no rtpmap: {section}"),
    };
    let control = attribute("control").context("SD-2: no a=control")?;
    let control = match (control.starts_with("rtsp://"), base.ends_with('/')) {
        (true, _) => control.to_owned(),
        (false, true) => format!("{base}{control}"),
        (false, false) => format!("{base}/{control}"),
    };
    Ok(Media {
        kind,
        payload_type,
        encoding,
        clock_rate,
        fmtp: after_type("fmtp").unwrap_or_default().to_owned(),
        control,
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_sdp_is_read() {
        let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
                   a=fmtp:96 packetization-mode=1\r\na=control:video\r\nm=audio 0 RTP/AVP 0\r\na=control:rtsp://h/a\r\n";
        let media = parse_sdp(sdp, "rtsp://h/cam/").unwrap();
        assert_eq!(media[0].control, "rtsp://h/cam/video");
        assert_eq!((media[0].encoding.as_str(), media[0].clock_rate, media[0].payload_type), ("H264", 90000, 96));
        assert_eq!(media[0].fmtp, "packetization-mode=1");
        assert_eq!((media[1].encoding.as_str(), media[1].control.as_str()), ("PCMU", "rtsp://h/a"));
        assert!(parse_sdp("v=0\n", "rtsp://h/").is_err());
    }

    #[test]
    fn a_port_may_be_left_out() {
        for (host, full) in [("h", "h:554"), ("h:80", "h:80"), ("[::1]", "[::1]:554"), ("[::1]:80", "[::1]:80")] {
            assert_eq!(with_port(host, 554), full);
        }
    }

    /// What a client that asks says of a server that writes this for ever.
    fn complaint(head: &'static str, piece: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = Client::connect(&format!("rtsp://{}/cam", listener.local_addr().unwrap())).unwrap();
        std::thread::spawn(move || {
            let (mut server, _) = listener.accept().unwrap();
            server.write_all(head.as_bytes()).unwrap();
            while server.write_all(piece).is_ok() {}
        });
        format!("{:#}", client.exchange("OPTIONS", "*", &[]).unwrap_err())
    }

    #[test]
    fn a_server_that_says_too_much_is_left() {
        assert_eq!(
            complaint("RTSP/1.0 200 OK\r\n", &[b'x'; 4096]),
            "the head of a response is longer than 65536 bytes"
        );
        let body = complaint("RTSP/1.0 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", b"x");
        assert_eq!(body, "a response with a body of 18446744073709551615 bytes, more than 4194304");
        static FRAME: [u8; 65_539] = {
            let mut frame = [0xff; 65_539];
            (frame[0], frame[1]) = (b'$', 0);
            frame
        };
        assert_eq!(complaint("", &FRAME), "no response, and more than 67108864 bytes in frames");
    }

    #[test]
    fn frames_and_responses_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtsp://u:p@{}/cam", listener.local_addr().unwrap());
        let mut client = Client::connect(&url).unwrap();
        client.transcript = Some(Vec::new());
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"$\x01\0\x02ab$\0\0\x01").unwrap();
        server.write_all(b"cRTSP/1.0 404 Not Found\r\ncseq: 1\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        let response = client.exchange("OPTIONS", "*", &[]).unwrap();
        assert_eq!((response.status, response.body.as_str()), (404, "hi"));
        let said = client.transcript.take().unwrap();
        assert_eq!(said[0].text, "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n");
        assert!(said[0].by_client && !said[1].by_client && said[1].text.ends_with("\r\n\r\nhi"));
        let now = Instant::now();
        assert_eq!(client.frame(now).unwrap(), Some(Frame { channel: 1, data: b"ab".to_vec() }));
        assert_eq!(client.frame(now).unwrap().map(|frame| frame.channel), Some(0));
        assert_eq!(client.frame(now).unwrap(), None);
        drop(server);
        assert!(client.is_closed(PATIENCE).unwrap());
    }
}
