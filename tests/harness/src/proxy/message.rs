//! HTTP/1 messages as a recorder needs them: where they end, with the very bytes that were read.

use std::io::{self, BufRead, Read};

use anyhow::{Context, Result, bail, ensure};

/// The longest head, and the longest line within a chunked body.
const MAX_HEAD: u64 = 64 * 1024;
/// The longest piece of a body that is read at once; a longer chunk is refused.
const MAX_PIECE: u64 = 16 * 1024 * 1024;

/// A request or a response as it was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The request line or status line.
    pub start: String,
    /// The headers, in order, as they were written.
    pub headers: Vec<(String, String)>,
    /// The body, without the framing of chunks; still compressed if it was.
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub whole: bool,
}

impl Message {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.start.split(' ').nth(1)?.parse().ok()
    }

    /// The method of a request.
    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The media type of the body, in lower case and without parameters.
    pub fn content_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Understands a head.
    pub(crate) fn parse(head: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.lines();
        let start = lines.next().unwrap_or_default().to_owned();
        ensure!(start.contains("HTTP/1."), "not HTTP/1: {start:?}");
        let mut headers = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').with_context(|| format!("not a header: {line:?}"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Self { start, headers, ..Self::default() })
    }

    /// How the body of this request is framed.
    pub(super) fn request_framing(&self) -> Result<Framing> {
        self.declared_framing(Framing::Ended)
    }

    /// How the body of this response is framed; a response to HEAD has none (RFC 9112 section 6.3).
    pub(crate) fn response_framing(&self, method: &str) -> Result<Framing> {
        match self.status() {
            Some(100..=199 | 204 | 304) => Ok(Framing::Ended),
            Some(_) if method == "HEAD" => Ok(Framing::Ended),
            Some(_) => self.declared_framing(Framing::UntilClose),
            None => bail!("no status: {:?}", self.start),
        }
    }

    fn declared_framing(&self, otherwise: Framing) -> Result<Framing> {
        let chunked = self.header("transfer-encoding");
        match (chunked, self.header("content-length")) {
            (None, None) => Ok(otherwise),
            (None, Some(length)) => Ok(match length.parse().with_context(|| format!("Content-Length: {length}"))? {
                0 => Framing::Ended,
                length => Framing::Length(length),
            }),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
            (Some(coding), length) => bail!("Transfer-Encoding: {coding}, Content-Length: {length:?}"),
        }
    }
}

/// How far a body goes, from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Ended,
    Length(u64),
    Chunked,
    UntilClose,
}

/// The next bytes of a body, as they were read and without framing.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub raw: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Framing {
    /// Reads on. What was read before an error stays in `piece.raw`.
    pub(crate) fn read(&mut self, from: &mut impl BufRead, piece: &mut Piece) -> Result<()> {
        match *self {
            Self::Ended => (),
            Self::Length(left) => {
                let length = available(from)?.min(left as usize);
                ensure!(length > 0, "ended {left} bytes early");
                from.take(length as u64).read_to_end(&mut piece.raw)?;
                piece.payload.clone_from(&piece.raw);
                let left = left - length as u64;
                *self = if left == 0 { Self::Ended } else { Self::Length(left) };
            }
            Self::UntilClose => {
                let length = available(from)?;
                from.take(length as u64).read_to_end(&mut piece.raw)?;
                piece.payload.clone_from(&piece.raw);
                if length == 0 {
                    *self = Self::Ended;
                }
            }
            Self::Chunked => {
                let size = chunk_size(&line(from, &mut piece.raw)?)?;
                if size == 0 {
                    // Trailers, up to the empty line.
                    while !line(from, &mut piece.raw)?.trim_ascii().is_empty() {
                        ensure!(piece.raw.len() as u64 <= MAX_HEAD, "trailers longer than {MAX_HEAD} bytes");
                    }
                    *self = Self::Ended;
                    return Ok(());
                }
                let read = from.take(size).read_to_end(&mut piece.payload)?;
                piece.raw.extend(&piece.payload);
                ensure!(read as u64 == size, "a chunk of {size} bytes ended after {read}");
                ensure!(line(from, &mut piece.raw)?.trim_ascii().is_empty(), "a chunk is longer than its size says");
            }
        }
        Ok(())
    }
}

/// Reads a head into `raw`, the empty line included; `false` if the connection ended before it.
pub(crate) fn read_head(from: &mut impl BufRead, raw: &mut Vec<u8>) -> Result<bool> {
    loop {
        let before = raw.len();
        let left = MAX_HEAD.saturating_sub(before as u64);
        from.take(left).read_until(b'\n', raw)?;
        match &raw[before..] {
            [] if before == 0 => return Ok(false),
            [] => bail!("a head cut short or longer than {MAX_HEAD} bytes"),
            b"\r\n" | b"\n" if before > 0 => return Ok(true),
            _ => (),
        }
    }
}

fn available(from: &mut impl BufRead) -> io::Result<usize> {
    Ok(from.fill_buf()?.len())
}

fn line(from: &mut impl BufRead, raw: &mut Vec<u8>) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(MAX_HEAD).read_until(b'\n', &mut line)?;
    raw.extend(&line);
    ensure!(line.ends_with(b"\n"), "a chunked body ended early");
    Ok(line)
}

fn chunk_size(line: &[u8]) -> Result<u64> {
    let text = String::from_utf8_lossy(line);
    let digits = text.split(';').next().unwrap_or_default().trim();
    let size = u64::from_str_radix(digits, 16).with_context(|| format!("chunk size {digits:?}"))?;
    ensure!(size <= MAX_PIECE, "a chunk of {size} bytes");
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(framing: Framing, bytes: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let (mut framing, mut from) = (framing, bytes);
        let (mut raw, mut payload) = (Vec::new(), Vec::new());
        while framing != Framing::Ended {
            let mut piece = Piece::default();
            framing.read(&mut from, &mut piece)?;
            raw.extend(piece.raw);
            payload.extend(piece.payload);
        }
        assert_eq!([&raw, from].concat(), bytes, "nothing lost, nothing made up");
        Ok((raw, payload))
    }

    #[test]
    fn bodies_end_where_they_say() {
        assert_eq!(body(Framing::Length(3), b"abcGET").unwrap(), (b"abc".into(), b"abc".into()));
        let chunks = b"3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nTrailer: t\r\n\r\nHTTP/1.1 ";
        let (raw, payload) = body(Framing::Chunked, chunks).unwrap();
        assert_eq!((raw.len(), payload.as_slice()), (chunks.len() - 9, b"abcd".as_slice()));
        assert_eq!(body(Framing::UntilClose, b"abc").unwrap().1, b"abc");
    }

    #[test]
    fn bodies_that_break_their_framing_are_errors() {
        assert!(body(Framing::Length(4), b"abc").is_err());
        for chunks in ["3\r\nab", "3\r\nabcd\r\n0\r\n\r\n", "x\r\n", "3\r\nabc\r\n0\r\n", "ffffffffff\r\n"] {
            assert!(body(Framing::Chunked, chunks.as_bytes()).is_err(), "{chunks:?}");
        }
    }

    #[test]
    fn heads_are_understood() {
        let framing = |text: &str, method: &str| Message::parse(text.as_bytes()).unwrap().response_framing(method);
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-length: 5\r\n\r\n", "POST").unwrap(), Framing::Length(5));
        assert_eq!(framing("HTTP/1.1 200 OK\r\nContent-length: 5\r\n\r\n", "HEAD").unwrap(), Framing::Ended);
        assert_eq!(framing("HTTP/1.1 304 Not Modified\r\n\r\n", "GET").unwrap(), Framing::Ended);
        assert_eq!(framing("HTTP/1.0 200 OK\r\n\r\n", "GET").unwrap(), Framing::UntilClose);
        assert!(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", "GET").is_err());
        assert!(framing("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", "GET").is_err());
        assert!(Message::parse(b"RTSP/1.0 200 OK\r\n\r\n").is_err());
        let mut raw = Vec::new();
        assert!(read_head(&mut b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest".as_slice(), &mut raw).unwrap());
        assert_eq!(raw, b"GET / HTTP/1.1\r\nA: b\r\n\r\n");
        assert!(!read_head(&mut b"".as_slice(), &mut Vec::new()).unwrap());
        assert!(read_head(&mut b"GET / HTTP/1.1\r\n".as_slice(), &mut Vec::new()).is_err());
    }
}
