//! HTTP/1 as it stands on the wire: requests as bytes, good or bad, answers one by one, and GET as a program does it.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::digest::{Challenge, Style};
use crate::proxy::Message;
use crate::proxy::message::{Framing, Piece, read_head};

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a web server.
#[derive(Debug)]
pub struct Http {
    stream: BufReader<TcpStream>,
}

impl Http {
    /// Connects to an address like `http://host:port`.
    pub fn connect(address: &str) -> Result<Self> {
        let host = address.strip_prefix("http://").with_context(|| format!("{address} is no HTTP address"))?;
        Self::over(TcpStream::connect(host)?)
    }

    /// Goes on with a connection that was begun elsewhere.
    pub fn over(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends one request, and gives the answer to it. The connection is closed afterwards.
    pub fn ask(address: &str, request: &str) -> Result<Message> {
        let mut connection = Self::connect(address)?;
        connection.send(request.as_bytes())?;
        connection.answer(request.split(' ').next().unwrap_or_default())
    }

    /// The connection, for what this client has no method for.
    pub fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(bytes)?)
    }

    /// Reads the head of an answer, and nothing of what follows.
    pub fn head(&mut self) -> Result<Message> {
        let mut raw = Vec::new();
        ensure!(read_head(&mut self.stream, &mut raw)?, "closed without an answer");
        Message::parse(&raw)
    }

    /// Reads the answer to a request of this method.
    pub fn answer(&mut self, method: &str) -> Result<Message> {
        let mut answer = self.head()?;
        let mut framing = answer.response_framing(method)?;
        while framing != Framing::Ended {
            let mut piece = Piece::default();
            framing.read(&mut self.stream, &mut piece)?;
            answer.body.extend(piece.payload);
        }
        answer.whole = true;
        Ok(answer)
    }

    /// Whether the server closes the connection within `patience`, having said nothing more.
    pub fn is_closed(&mut self, patience: Duration) -> Result<bool> {
        self.stream.get_ref().set_read_timeout(Some(patience))?;
        let closed = match self.stream.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => return Err(error.into()),
        };
        self.stream.get_ref().set_read_timeout(Some(PATIENCE))?;
        Ok(closed)
    }

    /// Gives the connection away, with what was read of it and not yet taken.
    pub fn into_stream(self) -> (TcpStream, Vec<u8>) {
        let rest = self.stream.buffer().to_vec();
        (self.stream.into_inner(), rest)
    }
}

/// Gets a page of a server at `http://host:port`, as nobody.
pub fn get(server: &str, path: &str) -> Result<Message> {
    get_with(server, path, "")
}

/// Gets a page as a user: answers the first challenge that comes, once.
pub fn get_as(server: &str, path: &str, who: (&str, &str)) -> Result<Message> {
    let first = get(server, path)?;
    if first.status() != Some(401) {
        return Ok(first);
    }
    let challenge = Challenge::parse(first.header("www-authenticate").context("401 without a challenge")?)?;
    let answer = challenge.answer(Style::Qop, who, "GET", path, 1);
    get_with(server, path, &format!("Authorization: {answer}\r\n"))
}

fn get_with(server: &str, path: &str, headers: &str) -> Result<Message> {
    let host = server.strip_prefix("http://").with_context(|| format!("{server} is no HTTP address"))?;
    Http::ask(server, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"))
}

/// The status of an answer.
pub fn expect_status(answer: Message, status: u16) -> Result<Message> {
    ensure!(answer.status() == Some(status), "{status} expected: {answer:?}");
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut client = Http::connect(&address).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        server
            .write_all(&[&head[..], b"ab", head, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"].concat())
            .unwrap();
        assert_eq!(client.answer("GET").unwrap().body, b"ab");
        assert!(expect_status(client.answer("HEAD").unwrap(), 200).unwrap().body.is_empty());
        assert!(expect_status(client.answer("GET").unwrap(), 200).is_err());
        assert!(!client.is_closed(Duration::from_millis(50)).unwrap());
        drop(server);
        assert!(client.is_closed(PATIENCE).unwrap());
        assert!(client.head().is_err());
    }
}
