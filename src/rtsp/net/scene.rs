//! A front on a stage: a camera whose units come by hand, visitors over pipes in memory, and tokio's clock, which tests pause.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use belvedere_harness::digest::{Challenge, Style};
use bytes::Bytes;
use rtsp_types::{
    Response,
    headers::{HeaderName, SESSION, WWW_AUTHENTICATE},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::{ByteChannel, Limits, RtspContext, RtspServer};
use crate::{
    auth::{DeviceKey, Gate, GuessLimits, InMemory, Level, NewUser, Users},
    base::clock::{Clock, MonoTime, UtcTime},
    camera::{
        AudioCodec, AudioEncoder, Camera, CameraSettings, Cameras, JpegEncoder, SourceKind, VideoCodec, VideoEncoder,
    },
    hub::{CaptureTime, Codec, MediaTime, NewUnit, Parameters, RingLimits, TimeQuality, Track},
    rtsp::core::message::{Incoming, MessageReader},
};

const USER: &str = "admin";
const PASSWORD: &str = "Wc4-umbrella-87xQ";
/// The address that all visitors contact.
const HOST: &str = "rtsp://192.0.2.1:8554";
const PATIENCE: Duration = Duration::from_secs(20);

/// The front with its camera `cam`.
pub(super) struct Scene {
    pub(super) server: Arc<RtspServer>,
    pub(super) context: Arc<RtspContext>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) camera: Arc<Camera>,
}

struct TokioClock(Instant);

impl TokioClock {
    fn nanos(&self) -> u64 {
        1_000_000_000 + self.0.elapsed().as_nanos() as u64
    }
}

impl Clock for TokioClock {
    fn mono(&self) -> MonoTime {
        MonoTime::from_nanos(self.nanos())
    }

    fn utc(&self) -> UtcTime {
        UtcTime::from_nanos(1_700_000_000_000_000_000 + self.nanos())
    }
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let users = Arc::new(Users::open(Box::new(InMemory::default()), DeviceKey::from_bytes([1; 32])).unwrap());
        let admin = NewUser { name: USER.into(), password: PASSWORD.into(), level: Level::Administrator };
        users.create(&[admin]).unwrap();
        let camera = Arc::new(Camera::new(settings()));
        let clock: Arc<dyn Clock> = Arc::new(TokioClock(Instant::now()));
        let gate = Arc::new(Gate::new(users, GuessLimits::default()).unwrap());
        let cameras = Arc::new(Cameras::new([Arc::clone(&camera)]));
        let context = RtspContext::new(cameras, gate, Arc::clone(&clock), limits, None).unwrap();
        let server = RtspServer::new(Arc::clone(&context));
        Self { server, context, clock, camera }
    }

    /// Lets a visitor in, whose connection holds this many bytes in each direction.
    pub(super) fn visit(&self, buffer: usize) -> Visitor {
        let (near, far) = tokio::io::duplex(buffer);
        let server = Arc::clone(&self.server);
        let connection = tokio::spawn(async move { server.converse(Pipe(far), &[]).await });
        Visitor {
            stream: near,
            reader: MessageReader::new(self.context.limits.message),
            unread: Vec::new(),
            frames: Vec::new(),
            challenge: None,
            session: None,
            cseq: 0,
            connection,
        }
    }

    /// Bytes that a conversation keeps while nothing is asked.
    pub(super) fn size_of_conversation(&self) -> usize {
        let (_near, far) = tokio::io::duplex(1);
        size_of_val(&self.server.converse(Pipe(far), &[]))
    }

    pub(super) fn track(&self, name: &str) -> &Arc<Track> {
        self.camera.track(name).unwrap()
    }

    /// Publishes a unit of `size` bytes, captured now.
    pub(super) fn publish(&mut self, track: &str, parameters: Parameters, key: bool, size: usize) {
        let track = self.track(track);
        let parameters = track.describe(parameters);
        let time = MediaTime::from_nanos(i128::from(self.clock.mono().as_nanos()), parameters.clock_rate);
        let mut payload = (size as u32).to_be_bytes().to_vec();
        payload.resize(size + 4, 0x65);
        track.publish(NewUnit {
            decode_time: time,
            presentation_time: time,
            capture: CaptureTime { mono: self.clock.mono(), utc: self.clock.utc(), quality: TimeQuality::Exact },
            key,
            discontinuity: false,
            parameters,
            payload: payload.into(),
        });
    }

    /// Publishes a picture of the Standard definition.
    pub(super) fn picture(&mut self, key: bool, size: usize) {
        self.publish("standard", h264(), key, size);
    }

    /// Lets time pass, with the sweep that ends forgotten sessions.
    pub(super) async fn pass(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.context.registry.sweep(self.clock.mono());
        }
    }
}

pub(super) fn h264() -> Parameters {
    let (sps, pps) = (Bytes::from_static(&[0x67, 0x42, 0, 0x1e]), Bytes::from_static(&[0x68, 1]));
    video(Codec::H264 { sps, pps })
}

pub(super) fn h265() -> Parameters {
    let [vps, sps, pps] = [0x40, 0x42, 0x44].map(|first| Bytes::from(vec![first, 1, 1]));
    video(Codec::H265 { vps, sps, pps })
}

fn video(codec: Codec) -> Parameters {
    Parameters { generation: 0, codec, size: Some((640, 360)), frame_rate: None, clock_rate: 90_000 }
}

fn settings() -> CameraSettings {
    let encoder =
        VideoEncoder { codec: VideoCodec::H264, width: 640, height: 360, frame_rate: 10, bitrate_kbps: 500, gop: 20 };
    CameraSettings {
        id: "cam".into(),
        name: "Camera".into(),
        source: SourceKind::Captured,
        ultra_hd: encoder.clone(),
        hi_def: encoder.clone(),
        standard: encoder,
        jpeg: JpegEncoder { width: 640, height: 360, frame_rate: 10, quality: 75 },
        aac: None,
        pcmu: Some(AudioEncoder { codec: AudioCodec::Pcmu, sample_rate: 8000, bitrate_kbps: 64 }),
        ring: RingLimits::default(),
    }
}

/// A client at the other end of a pipe.
pub(super) struct Visitor {
    pub(super) stream: DuplexStream,
    reader: MessageReader,
    unread: Vec<u8>,
    /// Interleaved packets that were met while waiting for something else.
    pub(super) frames: Vec<(u8, Bytes)>,
    challenge: Option<Challenge>,
    pub(super) session: Option<String>,
    cseq: u32,
    /// Ends with the server's side of the conversation.
    pub(super) connection: JoinHandle<()>,
}

impl Visitor {
    /// Writes a request, signed if there was a challenge, with the session if there is one.
    pub(super) async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) {
        self.cseq += 1;
        let url = if path == "*" { path.to_owned() } else { format!("{HOST}{path}") };
        let mut text = format!("{method} {url} RTSP/1.0\r\nCSeq: {}\r\n", self.cseq);
        if let Some(session) = &self.session {
            text += &format!("Session: {session}\r\n");
        }
        if let Some(challenge) = &self.challenge {
            let answer = challenge.answer(Style::Qop, (USER, PASSWORD), method, &url, self.cseq);
            text += &format!("Authorization: {answer}\r\n");
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
    }

    /// Waits for a response; interleaved packets before it go to `frames`.
    pub(super) async fn response(&mut self) -> Response<Bytes> {
        loop {
            match self.incoming(PATIENCE).await.expect("the server hung up") {
                Incoming::Response(response) => return response,
                Incoming::Interleaved { channel, payload } => self.frames.push((channel, payload)),
                Incoming::Request(request) => panic!("{request:?}"),
            }
        }
    }

    /// Waits for an interleaved packet; `None` when there is none in time or the server hung up.
    pub(super) async fn frame(&mut self, patience: Duration) -> Option<(u8, Bytes)> {
        if !self.frames.is_empty() {
            return Some(self.frames.remove(0));
        }
        match self.incoming(patience).await? {
            Incoming::Interleaved { channel, payload } => Some((channel, payload)),
            other => panic!("{other:?}"),
        }
    }

    /// Whether the server hangs up in time; throws away what it says before.
    pub(super) async fn is_closed(&mut self, patience: Duration) -> bool {
        let all = async {
            let mut buffer = [0; 4096];
            while self.stream.read(&mut buffer).await.is_ok_and(|len| len > 0) {}
        };
        timeout(patience, all).await.is_ok()
    }

    async fn incoming(&mut self, patience: Duration) -> Option<Incoming> {
        loop {
            let mut input = &self.unread[..];
            let message = self.reader.next(&mut input).unwrap();
            self.unread = input.to_vec();
            if message.is_some() {
                return message;
            }
            let mut buffer = [0; 4096];
            let len = timeout(patience, self.stream.read(&mut buffer)).await.ok()?.ok()?;
            if len == 0 {
                return None;
            }
            self.unread = buffer[..len].to_vec();
        }
    }

    /// Asks and waits; answers a challenge once.
    pub(super) async fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        self.send(method, path, headers).await;
        let response = self.response().await;
        if u16::from(response.status()) != 401 {
            return response;
        }
        self.take_challenge(&response);
        self.send(method, path, headers).await;
        self.response().await
    }

    pub(super) fn take_challenge(&mut self, response: &Response<Bytes>) {
        self.challenge = Some(Challenge::parse(header(response, &WWW_AUTHENTICATE).unwrap()).unwrap());
    }

    /// Asks and demands 200.
    pub(super) async fn get(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        let response = self.ask(method, path, headers).await;
        assert_eq!(u16::from(response.status()), 200, "{method} {path}: {response:?}");
        response
    }

    /// SETUP of a medium of the Standard definition.
    pub(super) async fn set_up(&mut self, medium: &str, transport: &str) -> Response<Bytes> {
        let response = self.get("SETUP", &format!("/cam/standard/{medium}"), &[("Transport", transport)]).await;
        let session = header(&response, &SESSION).unwrap().split(';').next().unwrap();
        self.session = Some(session.to_owned());
        response
    }

    /// SETUP of the pictures of the Standard definition over TCP, and PLAY.
    pub(super) async fn play(&mut self) -> Response<Bytes> {
        self.set_up("video", TCP).await;
        self.get("PLAY", "/cam/standard", &[]).await
    }
}

pub(super) const TCP: &str = "RTP/AVP/TCP;unicast;interleaved=0-1";

pub(super) fn header<'a>(response: &'a Response<Bytes>, name: &HeaderName) -> Option<&'a str> {
    response.header(name).map(|value| value.as_str())
}

/// The server's end of a connection.
struct Pipe(DuplexStream);

impl ByteChannel for Pipe {
    fn peer(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 40_000))
    }

    fn local(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 8554))
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
