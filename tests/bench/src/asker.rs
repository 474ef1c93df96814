//! One SOAP client: a connection that it keeps, and question after question.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use belvedere_harness::digest::{Challenge, Style};
use belvedere_harness::server::{PASSWORD, USER};
use belvedere_harness::soap::{Answer, DEVICE, Request, TDS, TR2, TRT, Token};
use mio::net::TcpStream;

const SCHEMA: &str = "http://www.onvif.org/ver10/schema";

/// What is asked, in turn.
#[derive(Debug)]
pub struct Questions(Vec<Question>);

#[derive(Debug)]
struct Question {
    path: String,
    body: String,
    /// What the answer must hold.
    answer: String,
    /// Whether no credentials are sent.
    open: bool,
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// HTTP Digest: one nonce, and a count that goes up.
    Digest,
    /// A WS-UsernameToken, a new one with each request.
    Token,
}

/// A client.
#[derive(Debug)]
pub struct Asker {
    /// Its connection.
    pub stream: TcpStream,
    server: SocketAddr,
    number: usize,
    /// How it proves who it is.
    pub proof: Proof,
    challenge: Option<Challenge>,
    count: u32,
    /// How many questions it has asked.
    turn: usize,
    received: Vec<u8>,
    asked: Instant,
}

/// What an answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing so far, or not all of it.
    Nothing,
    /// The right answer, after this time.
    Right(Duration),
    /// A challenge: the same has to be asked again.
    Challenged,
}

impl Questions {
    /// What a recorder asks while it adds a camera and afterwards, about this profile and at the services' own addresses.
    pub fn about(profile: &str) -> Self {
        let (media, media2) = ("/onvif/media_service", "/onvif/media2_service");
        let uri = format!(
            "<GetStreamUri xmlns=\"{TRT}\"><StreamSetup><Stream xmlns=\"{SCHEMA}\">RTP-Unicast</Stream>\
             <Transport xmlns=\"{SCHEMA}\"><Protocol>RTSP</Protocol></Transport></StreamSetup>\
             <ProfileToken>{profile}</ProfileToken></GetStreamUri>"
        );
        let services =
            format!("<GetServices xmlns=\"{TDS}\"><IncludeCapability>false</IncludeCapability></GetServices>");
        let plain = |namespace: &str, name: &str| format!("<{name} xmlns=\"{namespace}\"/>");
        let all = [
            (DEVICE, plain(TDS, "GetSystemDateAndTime"), "GetSystemDateAndTime"),
            (DEVICE, plain(TDS, "GetDeviceInformation"), "GetDeviceInformation"),
            (media, plain(TRT, "GetProfiles"), "GetProfiles"),
            (media2, format!("<GetProfiles xmlns=\"{TR2}\"><Type>All</Type></GetProfiles>"), "GetProfiles"),
            (media, uri, "GetStreamUri"),
            (DEVICE, services, "GetServices"),
            (media, plain(TRT, "GetVideoEncoderConfigurationOptions"), "GetVideoEncoderConfigurationOptions"),
        ];
        let question = |(path, body, name): (&str, String, &str)| Question {
            path: path.to_owned(),
            body,
            answer: format!("{name}Response>"),
            open: name == "GetSystemDateAndTime",
        };
        Self(all.map(question).into())
    }
}

impl Asker {
    /// Connects; the number decides which question comes first and which challenge is answered.
    ///
    /// # Errors
    /// The server does not take the connection.
    pub fn connect(server: SocketAddr, number: usize, proof: Proof) -> Result<Self> {
        let stream = std::net::TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        let asked = Instant::now();
        Ok(Self { stream, server, number, proof, challenge: None, count: 0, turn: 0, received: Vec::new(), asked })
    }

    /// Asks the next question.
    ///
    /// # Errors
    /// The connection does not take it.
    pub fn ask(&mut self, questions: &Questions) -> Result<()> {
        let question = &questions.0[(self.number + self.turn) % questions.0.len()];
        let mut request = Request::body(&question.path, &question.body);
        match (self.proof, &self.challenge) {
            _ if question.open => (),
            (Proof::Token, _) => request = request.token(&Token::new((USER, PASSWORD))?),
            (Proof::Digest, None) => (),
            (Proof::Digest, Some(challenge)) => {
                self.count += 1;
                let who = (USER, PASSWORD);
                let answer = challenge.answer(Style::Qop, who, "POST", &question.path, self.count);
                request = request.header("Authorization", &answer);
            }
        }
        let wire = request.wire(self.server);
        self.asked = Instant::now();
        // A request is far smaller than what a socket takes at once.
        Ok(self.stream.write_all(wire.as_bytes())?)
    }

    /// Reads what has come.
    ///
    /// # Errors
    /// The connection has ended, or the answer is not the right one.
    pub fn hear(&mut self, questions: &Questions) -> Result<Heard> {
        let mut buffer = [0; 16 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        let Some(answer) = Answer::take(&mut self.received)? else { return Ok(Heard::Nothing) };
        ensure!(self.received.is_empty(), "more than one answer to one question");
        let took = self.asked.elapsed();
        let first = self.challenge.is_none();
        if answer.status == 401 && self.proof == Proof::Digest {
            let challenges = answer.challenges()?;
            let challenge = challenges.get(self.number % challenges.len().max(1)).context("401 without a challenge")?;
            ensure!(first || challenge.stale, "the right password was refused: {}", answer.text());
            (self.challenge, self.count) = (Some(challenge.clone()), 0);
            return Ok(Heard::Challenged);
        }
        let question = &questions.0[(self.number + self.turn) % questions.0.len()];
        let text = answer.text();
        ensure!(answer.status == 200 && text.contains(&question.answer), "{}: {text}", answer.status);
        self.turn += 1;
        Ok(Heard::Right(took))
    }
}
