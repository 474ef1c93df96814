//! The client's side of RTSP in HTTP (HT-1 to HT-8): a GET down which everything comes as it is, and a POST up which everything
//! goes in base64, written as well or as badly as a test wants it.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::http::{Http, expect_status};
use crate::proxy::Message;
use crate::rtsp::split;

/// How a client writes its base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shape {
    /// Bytes of a message that are encoded by themselves, with the padding that belongs to them; 0: the whole message.
    pub group: usize,
    /// Characters of a line, and what stands at its end.
    pub line: Option<(usize, &'static str)>,
    /// Characters of one write; 0: all at once.
    pub write: usize,
    /// Whether the body comes in chunks, one for each write.
    pub chunked: bool,
}

impl Shape {
    /// Encodes a message, piece by piece as they are to be written.
    pub fn encode(self, message: &[u8]) -> Vec<Vec<u8>> {
        let group = if self.group == 0 { message.len().max(1) } else { self.group };
        let text: String = message.chunks(group).map(|group| BASE64_STANDARD.encode(group)).collect();
        let text = match self.line {
            None => text.into_bytes(),
            Some((length, end)) => {
                text.as_bytes().chunks(length.max(1)).flat_map(|line| [line, end.as_bytes()].concat()).collect()
            }
        };
        let write = if self.write == 0 { text.len().max(1) } else { self.write };
        let frame = |piece: &[u8]| match self.chunked {
            true => [format!("{:X}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat(),
            false => piece.to_vec(),
        };
        text.chunks(write).map(frame).collect()
    }
}

/// The upward half of a tunnel.
#[derive(Debug)]
pub struct Post {
    /// Its connection.
    pub stream: TcpStream,
    /// How it is written from now on; whether in chunks was said in its head.
    pub shape: Shape,
}

impl Post {
    /// Sends the head of a POST. An answer is not waited for: only a refused one has any.
    pub fn open(url: &str, cookie: &str, shape: Shape) -> Result<Self> {
        let (_, host, path) = split(url)?;
        let mut http = Http::connect(&format!("http://{host}"))?;
        let body = if shape.chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 32767" };
        http.send(
            format!(
                "POST {path} HTTP/1.0\r\nHost: {host}\r\nx-sessioncookie: {cookie}\r\nPragma: no-cache\r\n\
                 Content-Type: application/x-rtsp-tunnelled\r\n{body}\r\n\r\n"
            )
            .as_bytes(),
        )?;
        Ok(Self { stream: http.into_stream().0, shape })
    }

    /// Sends a message, or a part of one, in base64.
    pub fn send(&mut self, message: &[u8]) -> Result<()> {
        self.shape.encode(message).iter().try_for_each(|piece| Ok(self.stream.write_all(piece)?))
    }
}

/// Opens the downward half of a tunnel; gives its connection, what was read behind the head, and the head.
pub fn get(url: &str, cookie: &str) -> Result<(TcpStream, Vec<u8>, Message)> {
    let mut http = ask(url, cookie)?;
    let head = expect_status(http.head()?, 200)?;
    let (stream, rest) = http.into_stream();
    Ok((stream, rest, head))
}

/// Sends the GET of a tunnel and does not wait for the answer.
pub fn ask(url: &str, cookie: &str) -> Result<Http> {
    let (_, host, path) = split(url)?;
    let mut http = Http::connect(&format!("http://{host}"))?;
    http.send(
        format!(
            "GET {path} HTTP/1.0\r\nHost: {host}\r\nX-SessionCookie: {cookie}\r\nPragma: no-cache\r\n\
             Accept: application/x-rtsp-tunnelled\r\n\r\n"
        )
        .as_bytes(),
    )?;
    Ok(http)
}

/// A cookie that nobody else in this test has.
pub fn cookie() -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("tunnel{:016x}", LAST.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(shape: Shape) -> Vec<String> {
        let pieces = shape.encode(b"hello");
        pieces.into_iter().map(|piece| String::from_utf8(piece).unwrap()).collect()
    }

    #[test]
    fn base64_is_written_in_any_shape() {
        assert_eq!(written(Shape::default()), ["aGVsbG8="]);
        assert_eq!(written(Shape { group: 2, ..Shape::default() }), ["aGU=bGw=bw=="]);
        assert_eq!(written(Shape { line: Some((5, "\r\n")), ..Shape::default() }), ["aGVsb\r\nG8=\r\n"]);
        assert_eq!(
            written(Shape { write: 3, chunked: true, ..Shape::default() }),
            ["3\r\naGV\r\n", "3\r\nsbG\r\n", "2\r\n8=\r\n"]
        );
    }
}
