//! Plumbing of the engine's tests: the engine as a child, a plain RTSP client over TCP, and ffmpeg as the judge.
#![allow(dead_code, unreachable_pub, reason = "every test file uses a part of it")]

pub mod rtsp;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use belvedere_engine::pattern::code_row::Code;
use belvedere_engine_control::*;

/// How long a test waits for anything before it fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const SECRET: &str = "00112233445566778899aabbccddeeff";

/// A running engine.
pub struct Engine {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    pub events: Receiver<Event>,
    pub hello: EngineHello,
    /// When the process was started.
    pub started: Instant,
}

/// Starts the engine without saying anything to it.
pub fn spawn() -> (Child, ChildStdin, Receiver<Event>) {
    let mut child = Process::new(env!("CARGO_BIN_EXE_belvedere-engine"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, events) = channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let event = from_line(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
            if sender.send(event).is_err() {
                break;
            }
        }
    });
    (child, stdin, events)
}

pub fn hello(source: Source, tracks: Vec<TrackSpec>) -> Command {
    Command::Hello(ServerHello { version: VERSION, secret: Secret::new(SECRET), source, tracks, look: Look::default() })
}

impl Engine {
    pub fn start(source: Source, tracks: Vec<TrackSpec>) -> Self {
        let started = Instant::now();
        let (child, mut stdin, events) = spawn();
        stdin.write_all(to_line(&hello(source, tracks)).as_bytes()).unwrap();
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Hello(hello) => Self { child, stdin: Some(stdin), events, hello, started },
            other => panic!("no hello: {other:?}"),
        }
    }

    pub fn url(&self, track: &str) -> String {
        format!("rtsp://127.0.0.1:{}/{SECRET}/{track}", self.hello.port)
    }

    pub fn send(&mut self, command: &Command) {
        self.stdin.as_mut().unwrap().write_all(to_line(command).as_bytes()).unwrap();
    }

    /// Sends a command and waits for its answer.
    pub fn ask(&mut self, command: &Command) -> Outcome {
        self.send(command);
        let (Command::Set { id, .. }
        | Command::Swap { id, .. }
        | Command::Relaunch { id, .. }
        | Command::Key { id, .. }
        | Command::Look { id, .. }
        | Command::Decode { id, .. }) = command
        else {
            panic!("{command:?} has no answer")
        };
        match self.wait(|event| matches!(event, Event::Answer { id: of, .. } if of == id)) {
            Event::Answer { outcome, .. } => outcome,
            _ => unreachable!(),
        }
    }

    /// Waits for an event.
    pub fn wait(&self, is_it: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("the event that was waited for");
            if is_it(&event) {
                return event;
            }
        }
    }

    /// Waits for a heartbeat of some kind.
    pub fn heartbeat(&self, is_it: impl Fn(&Heartbeat) -> bool) -> Heartbeat {
        match self.wait(|event| matches!(event, Event::Heartbeat(beat) if is_it(beat))) {
            Event::Heartbeat(beat) => beat,
            _ => unreachable!(),
        }
    }

    /// Closes standard input and waits for the end.
    pub fn end(mut self) -> i32 {
        self.stdin.take();
        exit_code(&mut self.child)
    }

    /// Running time of an RTP time in seconds of UTC.
    pub fn utc_ms(&self, rtp_seconds: f64) -> f64 {
        self.hello.base_utc_ns as f64 / 1e6 + rtp_seconds * 1e3
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the end of a process.
pub fn exit_code(child: &mut Child) -> i32 {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("the engine did not end");
}

pub fn pattern(width: u32, height: u32) -> Source {
    Source::Pattern { width, height, frame_rate: 15 }
}

pub fn video(codec: VideoCodec, width: u32, height: u32, bitrate_kbps: u32) -> VideoEncoder {
    VideoEncoder {
        codec,
        width,
        height,
        frame_rate: 15,
        bitrate_kbps,
        gop: 30,
        profile: H264Profile::Main,
        quality: 75,
        label: format!("{height} lines"),
    }
}

pub fn track(name: &str, media: Media) -> TrackSpec {
    TrackSpec { name: name.into(), media }
}

pub fn video_track(name: &str, encoder: VideoEncoder) -> TrackSpec {
    track(name, Media::Video(encoder))
}

pub fn audio_track(name: &str, codec: AudioCodec, sample_rate: u32) -> TrackSpec {
    track(name, Media::Audio(AudioEncoder { codec, sample_rate, bitrate_kbps: 64 }))
}

/// A picture area inside a frame with borders: left, top, width, height.
pub type Inner = (usize, usize, usize, usize);

/// What ffmpeg made of a stream.
pub struct Decoded {
    pub codes: Vec<Option<Code>>,
    pub errors: String,
}

/// Decodes `count` pictures with ffmpeg and reads their code rows.
pub fn decode(url: &str, size: (usize, usize), inner: Option<Inner>, count: usize) -> Decoded {
    decode_input(&["-rtsp_transport", "tcp", "-i", url], Vec::new(), size, inner, count)
}

/// Decodes H.264 access units that were received, in order of presentation.
pub fn decode_units(units: &[rtsp::Unit], size: (usize, usize)) -> Decoded {
    let nals = units.iter().flat_map(|unit| unit.h264_nals());
    let stream: Vec<u8> = nals.flat_map(|nal| [vec![0, 0, 0, 1], nal].concat()).collect();
    decode_input(&["-f", "h264", "-i", "pipe:0"], stream, size, None, units.len())
}

fn decode_input(
    input: &[&str],
    stdin: Vec<u8>,
    (width, height): (usize, usize),
    inner: Option<Inner>,
    count: usize,
) -> Decoded {
    let mut ffmpeg = Process::new("ffmpeg")
        .args(["-nostdin", "-v", "error"])
        .args(input)
        .args(["-map", "0:v", "-frames:v"])
        .args([&count.to_string(), "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = ffmpeg.stdin.take().unwrap();
    // A decoder that has enough hangs up.
    std::thread::spawn(move || pipe.write_all(&stdin).is_ok());
    let mut stderr = ffmpeg.stderr.take().unwrap();
    let errors = std::thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap());
    let mut stdout = BufReader::new(ffmpeg.stdout.take().unwrap());
    let mut codes = Vec::new();
    let mut picture = vec![0; width * height];
    while std::io::Read::read_exact(&mut stdout, &mut picture).is_ok() {
        codes.push(read_code(&picture, (width, height), inner));
    }
    assert!(ffmpeg.wait().unwrap().success());
    Decoded { codes, errors: errors.join().unwrap() }
}

fn read_code(picture: &[u8], (width, height): (usize, usize), inner: Option<Inner>) -> Option<Code> {
    let (left, top, w, h) = inner.unwrap_or((0, 0, width, height));
    let cut: Vec<u8> = (top..top + h).flat_map(|y| &picture[y * width + left..y * width + left + w]).copied().collect();
    Code::read(&cut, w, h)
}

/// Asserts that every picture has a code row and that the numbers go up by one.
pub fn assert_consecutive(codes: &[Option<Code>]) {
    let numbers: Vec<u32> = codes.iter().map(|code| code.expect("a valid code row").number).collect();
    for pair in numbers.windows(2) {
        assert_eq!(pair[1], pair[0] + 1, "{numbers:?}");
    }
}

/// The profile of a video stream as ffprobe reads it from the parameter sets.
pub fn probe_profile(url: &str) -> String {
    ffprobe(url, "stream=profile").trim().to_owned()
}

fn ffprobe(url: &str, entries: &str) -> String {
    let output = Process::new("ffprobe")
        .args(["-v", "error", "-rtsp_transport", "tcp", "-of", "csv=p=0", "-show_entries", entries, url])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// One video stream as ffprobe sees it: codec, width, height.
pub fn probe(url: &str) -> (String, u32, u32) {
    let text = ffprobe(url, "stream=codec_name,width,height");
    let fields: Vec<&str> = text.trim().split(',').collect();
    let number = |i: usize| fields.get(i).and_then(|field| field.parse().ok()).unwrap_or(0);
    (fields[0].to_owned(), number(1), number(2))
}
