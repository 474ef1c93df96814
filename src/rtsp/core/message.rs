//! The reader of RTSP messages and interleaved packets from a byte stream (RFC 2326, sections 4 to 6 and 10.12).
//!
//! ```text
//!            ┌──────────── CR, LF, rubbish ───┐
//!            ▼                                │
//!   ┌──── Between ────────────────────────────┘
//!   │ '$'    │ token
//!   ▼        ▼
//! Prefix   Head ── limit exceeded, length unknown ──► Dead (the rest of the stream is ignored)
//!   │        │ blank line
//!   ▼        ├── malformed, length known ──► Skip ──► Between
//! Payload    ▼
//!   │      Body
//!   └────────┴──► a message ──► Between
//! ```
//!
//! Nothing is buffered beyond the message being read, and never more than the [`Limits`]; between messages the reader owns
//! no memory. Lines may end with LF alone, as RFC 2326 asks receivers to accept.

use std::mem;

use bytes::Bytes;
use rtsp_types::headers::{CONTENT_LENGTH, CSEQ, HeaderName, HeaderValue};
use rtsp_types::{Method, Request, Response, StatusCode, Url, Version};
use thiserror::Error;

/// What the reader accepts. Every violation is a [`ReadError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest start line plus headers, in bytes. Default 8192: a Digest header with SHA-256 and a token header fit
    /// several times.
    pub max_head: usize,
    /// The most header lines. Default 64; known clients send up to 15.
    pub max_headers: usize,
    /// The largest body, in bytes. Default 16 384: parameters are text of a few lines.
    pub max_body: usize,
    /// The largest interleaved packet, in bytes. Default 65 535, all that the framing can express.
    pub max_interleaved: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_head: 8192, max_headers: 64, max_body: 16_384, max_interleaved: 65_535 }
    }
}

/// What comes in on an RTSP connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A request.
    Request(Request<Bytes>),
    /// A response to a request of ours.
    Response(Response<Bytes>),
    /// A packet on an interleaved channel.
    Interleaved {
        /// The channel.
        channel: u8,
        /// An RTP or RTCP packet.
        payload: Bytes,
    },
}

/// The kind of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReadErrorKind {
    /// What stands between messages is not the beginning of one.
    #[error("more than {0} bytes that begin no message")]
    Rubbish(usize),
    /// The start line exceeds [`Limits::max_head`].
    #[error("start line longer than {0} bytes")]
    LineTooLong(usize),
    /// Start line and headers exceed [`Limits::max_head`].
    #[error("headers longer than {0} bytes")]
    HeadTooLarge(usize),
    /// More headers than [`Limits::max_headers`].
    #[error("more than {0} headers")]
    TooManyHeaders(usize),
    /// The body exceeds [`Limits::max_body`].
    #[error("body of more than {0} bytes")]
    BodyTooLarge(usize),
    /// An interleaved packet exceeds [`Limits::max_interleaved`].
    #[error("interleaved packet of {0} bytes")]
    InterleavedTooLarge(usize),
    /// The content length is not a number, or given twice with different values.
    #[error("unreadable Content-Length")]
    ContentLength,
    /// The start line is neither that of a request nor that of a response.
    #[error("malformed start line")]
    StartLine,
    /// A protocol version other than RTSP/1.0.
    #[error("unsupported protocol version")]
    Version,
    /// The request URI is neither `*` nor an absolute URI.
    #[error("malformed request URI")]
    Uri,
    /// The header line of this number, counted from 1, is malformed.
    #[error("malformed header line {0}")]
    Header(usize),
}

impl ReadErrorKind {
    fn status(self) -> StatusCode {
        match self {
            Self::LineTooLong(_) => StatusCode::RequestURITooLong,
            Self::HeadTooLarge(_) | Self::BodyTooLarge(_) => StatusCode::RequestMessageBodyTooLarge,
            Self::Version => StatusCode::RTSPVersionNotSupported,
            _ => StatusCode::BadRequest,
        }
    }
}

/// A violation by the peer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct ReadError {
    /// What was violated.
    pub kind: ReadErrorKind,
    /// The status to answer with; `None` if nothing is to be answered, because it was not a request.
    pub answer: Option<StatusCode>,
    /// The CSeq of the request, if it was readable: the answer echoes it (RM-11).
    pub cseq: Option<String>,
    /// Nothing more can be read from the connection; close it after the answer.
    pub fatal: bool,
}

impl ReadError {
    fn of(kind: ReadErrorKind, head: &[u8], fatal: bool) -> Self {
        let answer = (!head.starts_with(b"RTSP/")).then(|| kind.status());
        Self { kind, answer, cseq: find_cseq(head), fatal }
    }
}

/// Reads messages from slices that may be split anywhere.
#[derive(Debug)]
pub struct MessageReader {
    limits: Limits,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between messages; how much rubbish was skipped since the last one.
    Between(usize),
    /// Within the start line and headers.
    Head(Vec<u8>),
    /// Within the body of this message, of which `need` bytes make the whole.
    Body { head: Head, body: Vec<u8>, need: usize },
    /// Within the four bytes before an interleaved packet.
    Prefix([u8; 4], usize),
    /// Within an interleaved packet.
    Payload { channel: u8, payload: Vec<u8>, need: usize },
    /// Within something that is not wanted.
    Skip(usize),
    /// After a fatal violation.
    Dead,
}

impl MessageReader {
    /// Makes a reader at the beginning of a stream.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: State::Between(0) }
    }

    /// Tells whether the reader stands between two messages and owns no memory.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Between(_))
    }

    /// Takes bytes from the front of `input` up to the end of the next message and returns it; `None` when `input` is used
    /// up first. Call it again until then. After a violation that is not fatal, go on the same way; a fatal one uses `input` up.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, ReadError> {
        while !input.is_empty() {
            let state = mem::replace(&mut self.state, State::Dead);
            let (state, incoming) = self.step(state, input).inspect_err(|error| {
                if error.fatal {
                    *input = &[];
                }
            })?;
            self.state = state;
            if incoming.is_some() {
                return Ok(incoming);
            }
        }
        Ok(None)
    }

    /// Takes at least one byte. A violation leaves the reader dead unless it has set another state.
    fn step(&mut self, state: State, input: &mut &[u8]) -> Result<(State, Option<Incoming>), ReadError> {
        match state {
            State::Between(skipped) => self.between(skipped, input).map(|state| (state, None)),
            State::Head(head) => self.head(head, input),
            State::Prefix(prefix, len) => self.prefix(prefix, len, input),
            State::Body { head, mut body, need } => {
                fill(&mut body, need, input);
                Ok(if body.len() < need { (State::Body { head, body, need }, None) } else { done(head.finish(body)) })
            }
            State::Payload { channel, mut payload, need } => {
                fill(&mut payload, need, input);
                Ok(if payload.len() < need {
                    (State::Payload { channel, payload, need }, None)
                } else {
                    done(Incoming::Interleaved { channel, payload: payload.into() })
                })
            }
            State::Skip(left) => {
                let count = left.min(input.len());
                *input = &input[count..];
                Ok((if left > count { State::Skip(left - count) } else { State::Between(0) }, None))
            }
            State::Dead => {
                *input = &[];
                Ok((State::Dead, None))
            }
        }
    }

    /// Skips line ends and whatever else cannot begin a message.
    fn between(&mut self, skipped: usize, input: &mut &[u8]) -> Result<State, ReadError> {
        let rubbish = input.iter().take_while(|&&b| b != b'$' && !is_token(b)).count();
        // Line ends cost nothing; some clients send them to keep a connection alive.
        let skipped = skipped + input[..rubbish].iter().filter(|&&b| b != b'\r' && b != b'\n').count();
        if skipped > self.limits.max_head {
            return Err(ReadError::of(ReadErrorKind::Rubbish(self.limits.max_head), &[], true));
        }
        *input = &input[rubbish..];
        Ok(match input.first() {
            None => State::Between(skipped),
            Some(b'$') => State::Prefix([0; 4], 0),
            Some(_) => State::Head(Vec::new()),
        })
    }

    fn prefix(
        &mut self,
        mut prefix: [u8; 4],
        len: usize,
        input: &mut &[u8],
    ) -> Result<(State, Option<Incoming>), ReadError> {
        let count = (4 - len).min(input.len());
        prefix[len..len + count].copy_from_slice(&input[..count]);
        *input = &input[count..];
        if len + count < 4 {
            return Ok((State::Prefix(prefix, len + count), None));
        }
        let [_, channel, high, low] = prefix;
        let need = usize::from(u16::from_be_bytes([high, low]));
        if need > self.limits.max_interleaved {
            self.state = State::Skip(need);
            let kind = ReadErrorKind::InterleavedTooLarge(need);
            return Err(ReadError { kind, answer: None, cseq: None, fatal: false });
        }
        if need == 0 {
            return Ok(done(Incoming::Interleaved { channel, payload: Bytes::new() }));
        }
        Ok((State::Payload { channel, payload: Vec::new(), need }, None))
    }

    /// Takes one line or what there is of it.
    fn head(&mut self, mut head: Vec<u8>, input: &mut &[u8]) -> Result<(State, Option<Incoming>), ReadError> {
        let max = self.limits.max_head;
        let end = input.iter().position(|&b| b == b'\n').map(|at| at + 1);
        let count = end.unwrap_or(input.len());
        if head.len() + count > max {
            // Take what fits, for the CSeq that may stand in it.
            head.extend_from_slice(&input[..max - head.len()]);
            let kind = match head.contains(&b'\n') {
                true => ReadErrorKind::HeadTooLarge(max),
                false => ReadErrorKind::LineTooLong(max),
            };
            return Err(ReadError::of(kind, &head, true));
        }
        head.extend_from_slice(&input[..count]);
        *input = &input[count..];
        if end.is_none() || !(head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n")) {
            return Ok((State::Head(head), None));
        }
        let need = content_length(&head)
            .and_then(|need| {
                if need > self.limits.max_body {
                    Err(ReadErrorKind::BodyTooLarge(self.limits.max_body))
                } else {
                    Ok(need)
                }
            })
            .map_err(|kind| ReadError::of(kind, &head, true))?;
        match Head::parse(&head, self.limits.max_headers) {
            Ok(parsed) if need == 0 => Ok(done(parsed.finish(Vec::new()))),
            Ok(parsed) => Ok((State::Body { head: parsed, body: Vec::new(), need }, None)),
            Err(kind) => {
                self.state = if need == 0 { State::Between(0) } else { State::Skip(need) };
                Err(ReadError::of(kind, &head, false))
            }
        }
    }
}

/// Frames a packet for a channel (RFC 2326, section 10.12); `None` if it is longer than the framing can express.
pub fn interleaved(channel: u8, packet: &[u8]) -> Option<Bytes> {
    let [high, low] = u16::try_from(packet.len()).ok()?.to_be_bytes();
    Some([&[b'$', channel, high, low], packet].concat().into())
}

fn done(incoming: Incoming) -> (State, Option<Incoming>) {
    (State::Between(0), Some(incoming))
}

/// Moves bytes until `buffer` has `need`.
fn fill(buffer: &mut Vec<u8>, need: usize, input: &mut &[u8]) {
    let (now, later) = input.split_at(input.len().min(need - buffer.len()));
    buffer.extend_from_slice(now);
    *input = later;
}

/// A start line with its headers.
#[derive(Debug)]
enum Head {
    Request(Request<rtsp_types::Empty>),
    Response(Response<rtsp_types::Empty>),
}

impl Head {
    fn parse(head: &[u8], max_headers: usize) -> Result<Self, ReadErrorKind> {
        let mut lines = lines(head);
        let start = lines.next().and_then(|line| str::from_utf8(line).ok()).ok_or(ReadErrorKind::StartLine)?;
        let headers = read_headers(lines, max_headers)?;
        if start.starts_with("RTSP/") {
            let mut response = parse_status_line(start)?;
            headers.into_iter().for_each(|(name, value)| response.append_header(name, value));
            return Ok(Self::Response(response));
        }
        let mut request = parse_request_line(start)?;
        headers.into_iter().for_each(|(name, value)| request.append_header(name, value));
        Ok(Self::Request(request))
    }

    fn finish(self, body: Vec<u8>) -> Incoming {
        match self {
            Self::Request(head) => Incoming::Request(head.replace_body(body.into())),
            Self::Response(head) => Incoming::Response(head.replace_body(body.into())),
        }
    }
}

/// Reads `METHOD URI RTSP/1.0`; any number of blanks may stand between the three.
fn parse_request_line(line: &str) -> Result<Request<rtsp_types::Empty>, ReadErrorKind> {
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let (Some(method), Some(uri), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(ReadErrorKind::StartLine);
    };
    if !method.bytes().all(is_token) {
        return Err(ReadErrorKind::StartLine);
    }
    check_version(version)?;
    let request = Request::builder(Method::from(method), Version::V1_0);
    if uri == "*" {
        return Ok(request.empty());
    }
    Ok(request.request_uri(Url::parse(uri).map_err(|_| ReadErrorKind::Uri)?).empty())
}

/// Reads `RTSP/1.0 200 OK`; the phrase may be missing.
fn parse_status_line(line: &str) -> Result<Response<rtsp_types::Empty>, ReadErrorKind> {
    let mut words = line.splitn(3, ' ');
    check_version(words.next().unwrap_or_default())?;
    let status = words.next().filter(|s| s.len() == 3).and_then(|s| s.parse::<u16>().ok());
    let status = status.filter(|s| (100..600).contains(s)).ok_or(ReadErrorKind::StartLine)?;
    let phrase = words.next().unwrap_or_default();
    Ok(Response::builder(Version::V1_0, StatusCode::from(status)).reason_phrase(phrase).empty())
}

fn check_version(word: &str) -> Result<(), ReadErrorKind> {
    match word {
        "RTSP/1.0" => Ok(()),
        _ if word.contains('/') => Err(ReadErrorKind::Version),
        _ => Err(ReadErrorKind::StartLine),
    }
}

type Header = (HeaderName, HeaderValue);

/// Reads header lines up to the blank one. A line that begins with a blank continues the one before.
fn read_headers<'a>(lines: impl Iterator<Item = &'a [u8]>, max: usize) -> Result<Vec<Header>, ReadErrorKind> {
    let mut headers: Vec<(&str, String)> = Vec::new();
    for (i, line) in lines.take_while(|line| !line.is_empty()).enumerate() {
        let malformed = ReadErrorKind::Header(i + 1);
        // A control character could smuggle a line end into an answer that echoes the value.
        if line.iter().any(|&b| b.is_ascii_control() && b != b'\t') {
            return Err(malformed);
        }
        if line[0] == b' ' || line[0] == b'\t' {
            let (_, value) = headers.last_mut().ok_or(malformed)?;
            let more = line.trim_ascii();
            let blank = if value.is_empty() || more.is_empty() { "" } else { " " };
            *value = format!("{value}{blank}{}", String::from_utf8_lossy(more));
            continue;
        }
        if headers.len() == max {
            return Err(ReadErrorKind::TooManyHeaders(max));
        }
        headers.push(split_header(line).ok_or(malformed)?);
    }
    let named = |(i, (name, value)): (usize, (&str, String))| match HeaderName::try_from(name) {
        Ok(name) => Ok((name, HeaderValue::from(value))),
        Err(_) => Err(ReadErrorKind::Header(i + 1)),
    };
    merged(headers).into_iter().enumerate().map(named).collect()
}

/// Headers that the server looks up, in requests and responses.
const LOOKED_UP: [&str; 18] = [
    "Accept",
    "Authorization",
    "Connection",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "Frames",
    "Immediate",
    "KeyMgmt",
    "Proxy-Require",
    "Range",
    "Rate-Control",
    "Require",
    "Scale",
    "Session",
    "Supported",
    "Transport",
    "User-Agent",
];

/// Leaves out repetitions that must not be joined with commas, empty ones, which add nothing, and headers that would be
/// taken for another one.
///
/// rtsp-types 0.1.3 orders names by their common part only: in its map `Accept` and `Accept-Language` are the same header.
/// So of two names of which one begins with the other only one may be kept, and it is the one that is looked up.
fn merged(headers: Vec<(&str, String)>) -> Vec<(&str, String)> {
    let mut kept: Vec<(&str, String)> = Vec::new();
    for (name, value) in headers {
        let single = is(name, &CSEQ) || is(name, &CONTENT_LENGTH);
        let mistaken = LOOKED_UP.iter().copied().chain(kept.iter().map(|(other, _)| *other)).any(|o| mistaken(name, o));
        match kept.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
            _ if mistaken => {}
            Some((_, first)) if first.is_empty() => *first = value,
            Some(_) if single || value.is_empty() => {}
            _ => kept.push((name, value)),
        }
    }
    kept
}

/// Tells whether one of two different names begins with the other.
fn mistaken(name: &str, other: &str) -> bool {
    let common = name.len().min(other.len());
    // Both are ASCII.
    name.len() != other.len() && name[..common].eq_ignore_ascii_case(&other[..common])
}

/// Splits `Name: value`; blanks around both are not part of them.
fn split_header(line: &[u8]) -> Option<(&str, String)> {
    let colon = line.iter().position(|&b| b == b':')?;
    let name = str::from_utf8(line[..colon].trim_ascii_end()).ok()?;
    let valid = !name.is_empty() && name.bytes().all(is_token);
    valid.then(|| (name, String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned()))
}

fn is(name: &str, header: &HeaderName) -> bool {
    name.eq_ignore_ascii_case(header.as_str())
}

/// Cuts a head into lines without their ends.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Finds the values of a header without a look at the rest (RM-15: names are case-insensitive).
fn values<'a>(head: &'a [u8], header: &'a HeaderName) -> impl Iterator<Item = String> + 'a {
    lines(head).skip(1).filter_map(split_header).filter(|(name, _)| is(name, header)).map(|(_, value)| value)
}

/// Returns the length of the body; without it nobody knows where the next message begins.
fn content_length(head: &[u8]) -> Result<usize, ReadErrorKind> {
    let mut length = None;
    for value in values(head, &CONTENT_LENGTH) {
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        // A number beyond 64 bits is too large for any limit.
        let number =
            if digits { value.parse().unwrap_or(usize::MAX) } else { return Err(ReadErrorKind::ContentLength) };
        if length.is_some_and(|other| other != number) {
            return Err(ReadErrorKind::ContentLength);
        }
        length = Some(number);
    }
    Ok(length.unwrap_or(0))
}

/// Returns the CSeq if it can be echoed: a number.
fn find_cseq(head: &[u8]) -> Option<String> {
    values(head, &CSEQ).next().filter(|v| (1..=20).contains(&v.len()) && v.bytes().all(|b| b.is_ascii_digit()))
}

/// Tells whether a byte may stand in a method or header name (RFC 2326, section 15.1).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
