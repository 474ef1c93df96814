//! HTTP/1 as it stands on the wire: requests as bytes, good or bad, answers one by one, and GET as a program does it.
//!
//! Whatever a server does, a client is done with it in bounded time and memory ([`Limits`]).

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::digest::{Challenge, Style};
use crate::proxy::Message;
use crate::proxy::message::{Framing, Piece, read_head};

/// How far a client goes with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a connection may take.
    pub connect: Duration,
    /// How long a server may be silent, or take nothing of what is sent to it.
    pub silence: Duration,
    /// How long an answer may take from the request to its last byte.
    pub whole: Duration,
    /// How long the body of an answer may be, in bytes.
    pub size: usize,
}

impl Default for Limits {
    /// Enough for a camera that restarts its streams before it answers, and for its largest picture or log.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            whole: Duration::from_secs(60),
            size: 64 * 1024 * 1024,
        }
    }
}

/// A connection to a web server.
#[derive(Debug)]
pub struct Http {
    stream: BufReader<Timed>,
    limits: Limits,
}

impl Http {
    /// Connects to an address like `http://host:port`.
    pub fn connect(address: &str) -> Result<Self> {
        Self::connect_within(address, Limits::default())
    }

    /// Like [`Http::connect`], with other limits.
    pub fn connect_within(address: &str, limits: Limits) -> Result<Self> {
        let host = address.strip_prefix("http://").with_context(|| format!("{address} is no HTTP address"))?;
        let mut failed = None;
        for address in host.to_socket_addrs().with_context(|| format!("the address of {host}"))? {
            match TcpStream::connect_timeout(&address, limits.connect) {
                Ok(stream) => return Self::over_within(stream, limits),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.with_context(|| format!("{host} has no address"))?).with_context(|| format!("connecting to {host}"))
    }

    /// Goes on with a connection that was begun elsewhere.
    pub fn over(stream: TcpStream) -> Result<Self> {
        Self::over_within(stream, Limits::default())
    }

    fn over_within(stream: TcpStream, limits: Limits) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(limits.silence))?;
        let stream = Timed { stream, silence: limits.silence, began: Instant::now(), whole: limits.whole };
        Ok(Self { stream: BufReader::new(stream), limits })
    }

    /// Sends one request, and gives the answer to it. The connection is closed afterwards.
    pub fn ask(address: &str, request: &str) -> Result<Message> {
        Self::ask_within(address, request, Limits::default())
    }

    /// Like [`Http::ask`], with other limits.
    pub fn ask_within(address: &str, request: &str, limits: Limits) -> Result<Message> {
        let mut connection = Self::connect_within(address, limits)?;
        connection.send(request.as_bytes())?;
        connection.answer(request.split(' ').next().unwrap_or_default())
    }

    /// The connection, for what this client has no method for.
    pub fn stream(&self) -> &TcpStream {
        &self.stream.get_ref().stream
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().stream.write_all(bytes)?)
    }

    /// Reads the head of an answer, and nothing of what follows.
    pub fn head(&mut self) -> Result<Message> {
        self.stream.get_mut().began = Instant::now();
        let mut raw = Vec::new();
        ensure!(read_head(&mut self.stream, &mut raw)?, "closed without an answer");
        Message::parse(&raw)
    }

    /// Reads the answer to a request of this method.
    pub fn answer(&mut self, method: &str) -> Result<Message> {
        let mut answer = self.head()?;
        let mut framing = answer.response_framing(method)?;
        let most = self.limits.size;
        if let Framing::Length(length) = framing {
            ensure!(length <= most as u64, "an answer of {length} bytes, more than {most}");
        }
        while framing != Framing::Ended {
            let mut piece = Piece::default();
            framing.read(&mut self.stream, &mut piece)?;
            answer.body.extend(piece.payload);
            ensure!(answer.body.len() <= most, "an answer of more than {most} bytes");
        }
        answer.whole = true;
        Ok(answer)
    }

    /// Whether the server closes the connection within `patience`, having said nothing more.
    pub fn is_closed(&mut self, patience: Duration) -> Result<bool> {
        let timed = self.stream.get_mut();
        (timed.silence, timed.whole, timed.began) = (patience, patience, Instant::now());
        let closed = match self.stream.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => return Err(error.into()),
        };
        let timed = self.stream.get_mut();
        (timed.silence, timed.whole) = (self.limits.silence, self.limits.whole);
        Ok(closed)
    }

    /// Gives the connection away, with what was read of it and not yet taken.
    pub fn into_stream(self) -> (TcpStream, Vec<u8>) {
        let rest = self.stream.buffer().to_vec();
        (self.stream.into_inner().stream, rest)
    }
}

/// A connection whose every read is bounded, and all of them together.
#[derive(Debug)]
struct Timed {
    stream: TcpStream,
    silence: Duration,
    began: Instant,
    whole: Duration,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let over = || io::Error::new(ErrorKind::TimedOut, format!("no whole answer within {:?}", self.whole));
        let left = self.whole.checked_sub(self.began.elapsed()).filter(|left| !left.is_zero()).ok_or_else(over)?;
        self.stream.set_read_timeout(Some(left.min(self.silence)))?;
        self.stream.read(buffer).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut if left <= self.silence => over(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                io::Error::new(ErrorKind::TimedOut, format!("silent for {:?}", self.silence))
            }
            _ => error,
        })
    }
}

/// Gets a page of a server at `http://host:port`, as nobody.
pub fn get(server: &str, path: &str) -> Result<Message> {
    get_with(server, path, "")
}

/// Gets a page as a user: answers the first challenge of Digest that comes, once.
pub fn get_as(server: &str, path: &str, who: (&str, &str)) -> Result<Message> {
    let first = get(server, path)?;
    if first.status() != Some(401) {
        return Ok(first);
    }
    // Basic, and what else is not spoken here, is passed over.
    let all = first.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    let mut understood = all.filter_map(|(_, value)| Challenge::parse(value).ok());
    let challenge = understood.next().context("401 without a challenge of Digest")?;
    let style = if challenge.qop { Style::Qop } else { Style::Old };
    let answer = challenge.answer(style, who, "GET", path, 1);
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
    use std::thread;

    use super::*;

    /// Limits that a test can wait for.
    const TIGHT: Limits = Limits {
        connect: Duration::from_secs(5),
        silence: Duration::from_millis(300),
        whole: Duration::from_millis(700),
        size: 100_000,
    };

    /// What a client says of a server that does this to the first who connects.
    fn complaint(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || serve(listener.accept().unwrap().0));
        let start = Instant::now();
        let error = Http::ask_within(&address, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", TIGHT).unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(3), "after {:?}", start.elapsed());
        format!("{error:#}")
    }

    /// Writes this again and again until the client has enough.
    fn for_ever(mut stream: TcpStream, head: &str, piece: &[u8], pause: Duration) {
        stream.write_all(head.as_bytes()).unwrap();
        while stream.write_all(piece).is_ok() {
            thread::sleep(pause);
        }
    }

    #[test]
    fn a_server_that_keeps_one_waiting_is_left() {
        let silent = |stream: TcpStream| {
            thread::sleep(Duration::from_secs(5));
            drop(stream);
        };
        assert_eq!(complaint(silent), "silent for 300ms");
        let head = "HTTP/1.1 200 OK\r\n\r\n";
        let pause = Duration::from_millis(50);
        assert_eq!(complaint(move |stream| for_ever(stream, head, b".", pause)), "no whole answer within 700ms");
        assert_eq!(complaint(move |stream| for_ever(stream, "HTTP/1.1 ", b".", pause)), "no whole answer within 700ms");
    }

    #[test]
    fn a_server_that_says_too_much_is_left() {
        let piece = [b'x'; 4096];
        let flood = move |head: &'static str| move |stream| for_ever(stream, head, &piece, Duration::ZERO);
        assert_eq!(complaint(flood("HTTP/1.1 200 OK\r\n\r\n")), "an answer of more than 100000 bytes");
        let told = complaint(flood("HTTP/1.1 200 OK\r\nContent-Length: 4294967296\r\n\r\n"));
        assert_eq!(told, "an answer of 4294967296 bytes, more than 100000");
        let chunk = b"1000\r\n".iter().chain(&piece).chain(b"\r\n").copied().collect::<Vec<u8>>();
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunks = complaint(move |stream| for_ever(stream, head, &chunk, Duration::ZERO));
        assert_eq!(chunks, "an answer of more than 100000 bytes");
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
        let trailers = complaint(move |stream| for_ever(stream, head, b"a: b\r\n", Duration::ZERO));
        assert_eq!(trailers, "trailers longer than 65536 bytes");
        assert!(complaint(flood("")).starts_with("a head cut short or longer than"), "a head without end");
    }

    #[test]
    fn nobody_there_is_said_in_words() {
        // A port that was somebody's a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = Http::connect(&format!("http://{address}")).unwrap_err();
        assert!(format!("{error:#}").starts_with(&format!("connecting to {address}: ")), "{error:#}");
    }

    #[test]
    fn basic_is_passed_over_and_an_old_challenge_answered_as_such() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let challenges =
                "WWW-Authenticate: Basic realm=\"r\"\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n";
            let mut asked = String::new();
            for (status, more) in [("401 Unauthorized", challenges), ("200 OK", "")] {
                let mut stream = BufReader::new(listener.accept().unwrap().0);
                asked.clear();
                while !asked.ends_with("\r\n\r\n") {
                    stream.read_line(&mut asked).unwrap();
                }
                write!(stream.get_mut(), "HTTP/1.1 {status}\r\n{more}Content-Length: 0\r\n\r\n").unwrap();
            }
            asked
        });
        expect_status(get_as(&address, "/", ("u", "p")).unwrap(), 200).unwrap();
        let signed = served.join().unwrap();
        assert!(signed.contains("nonce=\"n\"") && !signed.contains("qop="), "{signed}");
    }

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
        assert!(client.is_closed(Duration::from_secs(30)).unwrap());
        assert!(client.head().is_err());
    }
}
