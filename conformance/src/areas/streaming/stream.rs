//! A stream from DESCRIBE to TEARDOWN, every message recorded.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use belvedere_harness::{
    digest::{Challenge, Style},
    received::{self, Received},
    rtsp::{Client, Media, Response, Said, SetUp, UdpPair},
    tunnel::Shape,
};
use socket2::SockRef;

use super::{
    judge,
    sdp::Sdp,
    words::{Ip, Steps, Way},
};
use crate::{feature::Feature, soap, test::Test, verdict::Outcome};

/// How long is listened at a time.
pub(super) const SLICE: Duration = Duration::from_millis(200);
/// How long a device may take until all has come that it owes. RTCP alone may take half as long (RFC 3550, section 6.2).
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// What the kernel is asked to keep of datagrams while nobody reads, in bytes.
const DATAGRAMS: usize = 4 << 20;
/// How long a tunnel may take to end.
const END: Duration = Duration::from_secs(5);

/// A session of ours at the device.
#[derive(Debug)]
pub(super) struct Stream {
    client: Client,
    way: Way,
    ip: Ip,
    /// The numbers of its steps.
    pub(super) steps: Steps,
    /// For a device that knows no Digest.
    basic: Option<String>,
    /// The address of the whole session.
    pub(super) aggregate: String,
    tracks: Vec<SetUp>,
    /// What came, medium by medium in the order of their SETUP.
    pub(super) received: Vec<Received>,
    /// When all media had begun to come.
    begun: Option<Instant>,
    /// From then until now, or until it was listened last.
    pub(super) time: Duration,
}

impl Stream {
    /// Connects to the address that GetStreamUri gave.
    pub(super) fn connect(t: &mut Test<'_>, uri: &str, way: Way, ip: Ip, steps: Steps, shape: Shape) -> Outcome<Self> {
        let client = match way {
            Way::Tunnel => {
                t.step(&steps.tunnel, "GET and POST open a tunnel");
                let (authority, path) = soap::split(uri)?;
                // In RTSP the address is the same but for its scheme, and the port of HTTP stays.
                Client::tunnel(&format!("rtsp://{authority}{path}"), shape)
            }
            Way::Udp | Way::Tcp => {
                t.step(&steps.describe, "the device accepts RTSP");
                Client::connect(uri)
            }
        };
        let mut client = client.map_err(|error| t.failed("a connection for RTSP", format!("{uri}: {error:#}")))?;
        let (user, password) = t.device.owner();
        client.credentials = Some((user.to_owned(), password.to_owned()));
        client.transcript = Some(Vec::new());
        let aggregate = client.url.clone();
        let (tracks, received) = (Vec::new(), Vec::new());
        Ok(Self { client, way, ip, steps, basic: None, aggregate, tracks, received, begun: None, time: Duration::ZERO })
    }

    /// Sends a request, signed once the device has asked for it, and demands 200.
    pub(super) fn request(
        &mut self,
        t: &mut Test<'_>,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Outcome<Response> {
        let mut answer = self.exchange(t, method, url, headers)?;
        if answer.status == 401 {
            self.sign(t, &answer)?;
            answer = self.exchange(t, method, url, headers)?;
        }
        t.demand(answer.status == 200, format!("200 to {method}"), answer.status.to_string())?;
        Ok(answer)
    }

    fn exchange(&mut self, t: &mut Test<'_>, method: &str, url: &str, headers: &[(&str, &str)]) -> Outcome<Response> {
        let start = Instant::now();
        let basic = self.basic.clone();
        let mut headers = headers.to_vec();
        headers.extend(basic.as_deref().map(|value| ("Authorization", value)));
        let result = self.client.exchange(method, url, &headers);
        let said = self.client.transcript.replace(Vec::new()).unwrap_or_default();
        let (request, answer): (Vec<_>, Vec<_>) = said.into_iter().partition(|said| said.by_client);
        let text = |all: Vec<Said>| all.into_iter().map(|said| said.text).collect::<String>();
        let (request, answer) = (text(request), text(answer));
        let status = match &result {
            Ok(answer) => answer.status.to_string(),
            Err(error) => format!("{error:#}"),
        };
        t.record(url.to_owned(), &request, status, &answer, start);
        result.map_err(|error| t.failed(format!("an answer to {method}"), format!("{error:#}")))
    }

    /// Answers a challenge from now on: the first that we know, which is the strongest.
    fn sign(&mut self, t: &Test<'_>, answer: &Response) -> Outcome {
        let offered: Vec<&str> = answer.all("WWW-Authenticate").collect();
        if let Some(challenge) = offered.iter().find_map(|value| Challenge::parse(value).ok()) {
            self.client.style = (challenge.algorithm, if challenge.qop { Style::Qop } else { Style::Old });
            self.client.answer_with(challenge);
            return Ok(());
        }
        let basic = offered.iter().any(|value| value.to_ascii_lowercase().starts_with("basic"));
        t.demand(basic && !t.has(Feature::ProfileT), "a Digest challenge", offered.join("; "))?;
        let (user, password) = t.device.owner();
        self.basic = Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        Ok(())
    }

    /// DESCRIBE, at first as nobody: a device of Profile T must want to know who asks, by Digest.
    pub(super) fn describe(&mut self, t: &mut Test<'_>) -> Outcome<Sdp> {
        t.step(&self.steps.describe, "DESCRIBE is answered, after a challenge");
        let url = self.client.url.clone();
        let headers = [("Accept", "application/sdp")];
        if t.has(Feature::ProfileT) && self.client.challenge().is_none() {
            let answer = self.exchange(t, "DESCRIBE", &url, &headers)?;
            t.same("the status for nobody", 401, answer.status)?;
            let offered: Vec<&str> = answer.all("WWW-Authenticate").collect();
            let digest = offered.iter().any(|value| value.to_ascii_lowercase().starts_with("digest"));
            t.demand(digest, "WWW-Authenticate: Digest", offered.join("; "))?;
            self.sign(t, &answer)?;
        }
        let answer = self.request(t, "DESCRIBE", &url, &headers)?;
        let sdp = Sdp::read(t, &answer, &url)?;
        t.step(&self.steps.sdp, "the session description is right");
        sdp.judge_addresses(t, &answer, self.ip)?;
        self.aggregate = sdp.aggregate();
        Ok(sdp)
    }

    /// SETUP of a medium.
    pub(super) fn set_up(&mut self, t: &mut Test<'_>, media: &Media) -> Outcome<Response> {
        t.step(&self.steps.set_up, "SETUP is answered");
        let channel = 2 * u8::try_from(self.tracks.len()).unwrap_or_default();
        let ports = match self.way {
            Way::Udp => Some(ports(&self.client)?),
            Way::Tcp | Way::Tunnel => None,
        };
        let offer = match &ports {
            Some(pair) => format!("RTP/AVP;unicast;client_port={}-{}", pair.port, pair.port + 1),
            None => format!("RTP/AVP/TCP;unicast;interleaved={channel}-{}", channel + 1),
        };
        let answer = self.request(t, "SETUP", &media.control, &[("Transport", &offer)])?;
        let transport = t.some(answer.header("Transport"), "a Transport header")?.to_owned();
        let range =
            |name: &str| answer.param("Transport", name).and_then(|value| value.split('-').next()?.parse().ok());
        let channel = match &ports {
            Some(pair) => {
                let holds = range("client_port").is_none_or(|port: u16| port == pair.port);
                t.demand(holds, format!("the client_port that was asked for, {}", pair.port), transport)?;
                channel
            }
            // The device may choose others than were asked for.
            None => {
                let found = range("interleaved").and_then(|channel| u8::try_from(channel).ok());
                t.some(found, &format!("interleaved= in {transport}"))?
            }
        };
        let session = t.some(answer.header("Session"), "a Session header")?;
        let session = session.split(';').next().unwrap_or_default().trim().to_owned();
        t.demand(!session.is_empty(), "a session", "an empty one")?;
        if let Some(known) = &self.client.session {
            t.same("the session", known.clone(), session.clone())?;
        }
        self.client.session = Some(session);
        self.received.push(Received::new(media.clone()));
        self.tracks.push(SetUp { media: media.clone(), channel, ports, response: answer.clone() });
        Ok(answer)
    }

    /// PLAY.
    pub(super) fn play(&mut self, t: &mut Test<'_>) -> Outcome<Response> {
        t.step(&self.steps.play, "PLAY is answered");
        let url = self.aggregate.clone();
        let answer = self.request(t, "PLAY", &url, &[("Range", "npt=0.000-")])?;
        let session = t.some(answer.header("Session"), "a Session header")?;
        let session = session.split(';').next().unwrap_or_default().trim().to_owned();
        t.same("the session", self.client.session.clone().unwrap_or_default(), session)?;
        Ok(answer)
    }

    /// How many sender reports of each medium are waited for. One says that they come; a second says how fast NTP time passes,
    /// but comes only after seconds, and NTP time passes alike on every way: it is waited for on one of them.
    pub(super) fn reports_wanted(&self) -> usize {
        if self.way == Way::Tcp && self.ip == Ip::V4 { 2 } else { 1 }
    }

    /// Listens for this long, and on until every medium has its sender reports, and pictures a key frame within `key`.
    pub(super) fn receive(&mut self, least: Duration, key: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            self.listen(SLICE)?;
            let reported = self.received.iter().all(|medium| medium.reports.len() >= self.reports_wanted());
            let time = self.time;
            let complete = self.begun.is_some() && time >= least && reported;
            let complete = complete && (time >= key || self.received.iter().all(judge::has_key_frame));
            if complete || start.elapsed() >= PATIENCE.max(least).max(key + SLICE) {
                return Ok(());
            }
        }
    }

    /// Listens for this long.
    pub(super) fn listen(&mut self, time: Duration) -> anyhow::Result<()> {
        received::record_into(&mut self.client, &self.tracks, &mut self.received, time)?;
        if self.begun.is_none() && self.received.iter().all(|medium| !medium.packets.is_empty()) {
            self.begun = Some(Instant::now());
        }
        self.time = self.begun.map(|begun| begun.elapsed()).unwrap_or_default();
        Ok(())
    }

    /// TEARDOWN.
    pub(super) fn tear_down(mut self, t: &mut Test<'_>) -> Outcome {
        t.step(&self.steps.tear_down, "TEARDOWN is answered");
        let url = self.aggregate.clone();
        self.request(t, "TEARDOWN", &url, &[])?;
        self.client.session = None;
        if self.way == Way::Tunnel {
            t.step(&self.steps.after(1), "the tunnel ends when the POST is closed");
            self.client.post = None;
            let closed =
                self.client.is_closed(END).map_err(|error| t.failed("the end of the GET", format!("{error:#}")))?;
            t.demand(closed, format!("the end of the GET within {END:?}"), "it goes on")?;
        }
        Ok(())
    }
}

impl Drop for Stream {
    /// A case that failed leaves no session behind.
    fn drop(&mut self) {
        if self.client.session.is_some() {
            let url = self.aggregate.clone();
            // The client signs by Digest itself. Nobody waits for the answer: the case has failed by something else.
            let signed: Vec<_> = self.basic.as_deref().map(|value| ("Authorization", value)).into_iter().collect();
            let _ = self.client.send("TEARDOWN", &url, &signed);
        }
    }
}

/// A pair of ports on the address that the client has.
fn ports(client: &Client) -> anyhow::Result<UdpPair> {
    let pair = UdpPair::bind(client.local()?.ip())?;
    // The kernel may give less; then more may be lost on a busy machine, and nothing else.
    let _ = SockRef::from(&pair.rtp).set_recv_buffer_size(DATAGRAMS);
    Ok(pair)
}

#[cfg(test)]
mod tests {
    use std::{io::Read, net::TcpListener};

    use super::*;
    use crate::{device::Device, feature::Features};

    /// What a device hears that has a session of a case which fails, and wants to know who asks.
    fn heard(challenge: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let device = Device::new(String::new(), "user".into(), "password".into());
        let features = Features::default();
        let mut t = Test::new(&device, &features);
        let uri = format!("rtsp://{}/cam", listener.local_addr().unwrap());
        let steps = Steps::told(6, Way::Tcp);
        let mut stream = Stream::connect(&mut t, &uri, Way::Tcp, Ip::V4, steps, Shape::default()).unwrap();
        let (mut connection, _) = listener.accept().unwrap();
        let headers = vec![("WWW-Authenticate".to_owned(), challenge.to_owned())];
        stream.sign(&t, &Response { status: 401, headers, body: String::new() }).unwrap();
        stream.client.session = Some("7".into());
        drop(stream);
        let mut text = String::new();
        connection.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_session_that_is_left_is_ended_by_who_made_it() {
        let digest = heard("Digest realm=\"cam\", nonce=\"1\"");
        assert!(digest.starts_with("TEARDOWN rtsp://") && digest.contains("\r\nAuthorization: Digest "), "{digest}");
        let basic = heard("Basic realm=\"cam\"");
        assert!(basic.contains("\r\nSession: 7\r\n"), "{basic}");
        assert!(basic.contains("\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\n"), "{basic}");
    }
}
