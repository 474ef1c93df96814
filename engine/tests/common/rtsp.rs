//! A plain RTSP client: one track, interleaved, every packet seen.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::PATIENCE;

/// A connection that plays one track.
pub struct Client {
    stream: BufReader<TcpStream>,
    url: String,
    sequence: u32,
    session: Option<String>,
    pub sdp: String,
}

/// An answer: status and body.
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A packet of the stream.
#[derive(Debug, Clone)]
pub enum Packet {
    Rtp {
        marker: bool,
        sequence: u16,
        time: u32,
        payload: Vec<u8>,
    },
    /// NTP time in seconds since 1970 and the RTP time that belongs to it.
    SenderReport {
        utc: f64,
        time: u32,
    },
    Other,
}

impl Client {
    /// Connects and asks for the description. Gives the status if it is not 200.
    pub fn describe(url: &str) -> Result<Self, u16> {
        let authority = url.trim_start_matches("rtsp://").split('/').next().unwrap();
        let stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let stream = BufReader::new(stream);
        let mut client = Self { stream, url: url.to_owned(), sequence: 0, session: None, sdp: String::new() };
        let answer = client.request("DESCRIBE", url, "Accept: application/sdp\r\n");
        client.sdp = answer.body;
        if answer.status == 200 { Ok(client) } else { Err(answer.status) }
    }

    /// Describes, sets up the first stream and plays it.
    pub fn play(url: &str) -> Self {
        // A media that is just being torn down answers 503 (engine.md, section 5): try again, as the server does.
        let describe = || match Self::describe(url) {
            Err(503) => {
                std::thread::sleep(std::time::Duration::from_millis(50));
                None
            }
            other => Some(other.unwrap_or_else(|status| panic!("DESCRIBE answers {status}"))),
        };
        let mut client = (0..20).find_map(|_| describe()).expect("an answer other than 503");
        let control =
            client.sdp.lines().filter_map(|line| line.strip_prefix("a=control:")).next_back().unwrap().to_owned();
        let url = client.url.clone();
        let setup =
            client.request("SETUP", &format!("{url}/{control}"), "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
        assert_eq!(setup.status, 200);
        client.session = setup.headers["session"].split(';').next().map(str::to_owned);
        assert_eq!(client.request("PLAY", &url, "Range: npt=0-\r\n").status, 200);
        client
    }

    pub fn teardown(mut self) {
        let url = self.url.clone();
        assert_eq!(self.request("TEARDOWN", &url, "").status, 200);
    }

    pub fn request(&mut self, method: &str, url: &str, headers: &str) -> Answer {
        self.sequence += 1;
        let session = self.session.as_ref().map(|id| format!("Session: {id}\r\n")).unwrap_or_default();
        let request = format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\n{session}{headers}\r\n", self.sequence);
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        while self.stream.fill_buf().unwrap()[0] == b'$' {
            self.packet();
        }
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status line");
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        Answer { status, headers, body: String::from_utf8(body).unwrap() }
    }

    /// Reads the next packet.
    pub fn packet(&mut self) -> Packet {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).unwrap();
        assert_eq!(head[0], b'$', "an interleaved packet");
        let mut data = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
        self.stream.read_exact(&mut data).unwrap();
        let number = |at: usize| u32::from_be_bytes(data[at..at + 4].try_into().unwrap());
        match (head[1], data[1]) {
            (0, second) => Packet::Rtp {
                marker: second & 0x80 != 0,
                sequence: u16::from_be_bytes([data[2], data[3]]),
                time: number(4),
                payload: data[12..].to_vec(),
            },
            (_, 200) => Packet::SenderReport {
                utc: f64::from(number(8)) - 2_208_988_800.0 + f64::from(number(12)) / 4_294_967_296.0,
                time: number(16),
            },
            _ => Packet::Other,
        }
    }

    /// Reads packets until so many different RTP times were complete.
    pub fn units(&mut self, count: usize) -> Vec<Unit> {
        let mut units: Vec<Unit> = Vec::new();
        loop {
            if let Packet::Rtp { time, payload, .. } = self.packet() {
                let complete = units.len();
                match units.last_mut() {
                    Some(unit) if unit.time == time => unit.payloads.push(payload),
                    _ if complete == count => return units,
                    _ => units.push(Unit { time, payloads: vec![payload] }),
                }
            }
        }
    }
}

/// What the packets of one RTP time carry.
#[derive(Debug, Clone)]
pub struct Unit {
    pub time: u32,
    pub payloads: Vec<Vec<u8>>,
}

impl Unit {
    /// The types of the NAL units of an H.264 access unit.
    pub fn h264_types(&self) -> Vec<u8> {
        self.h264_nals().iter().map(|nal| nal[0] & 0x1F).collect()
    }

    /// Puts the NAL units of an H.264 access unit together again (RFC 6184).
    pub fn h264_nals(&self) -> Vec<Vec<u8>> {
        let mut nals: Vec<Vec<u8>> = Vec::new();
        for payload in &self.payloads {
            match payload[0] & 0x1F {
                24 => {
                    let mut rest = &payload[1..];
                    while rest.len() > 2 {
                        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                        nals.push(rest[2..2 + length].to_vec());
                        rest = &rest[2 + length..];
                    }
                }
                28 => {
                    if payload[1] & 0x80 != 0 {
                        nals.push(vec![payload[0] & 0xE0 | payload[1] & 0x1F]);
                    }
                    nals.last_mut().expect("a first fragment").extend(&payload[2..]);
                }
                _ => nals.push(payload.clone()),
            }
        }
        nals
    }

    /// Whether an H.264 access unit is an IDR picture.
    pub fn is_h264_key(&self) -> bool {
        self.h264_types().contains(&5)
    }

    pub fn bytes(&self) -> usize {
        self.payloads.iter().map(Vec::len).sum()
    }
}
