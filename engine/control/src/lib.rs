//! Messages between the server and its media engine.
//!
//! One JSON object per line: commands travel on the engine's standard input, events on its standard output.
//! The first command and the first event are the two halves of the hello; both carry [`VERSION`], and a peer of
//! another version is refused. The end of standard input ends the engine. Secrets travel only here, never in
//! arguments or the environment.
//!
//! This package holds the types, their line encoding and the limits that both sides must agree on, and nothing else: no
//! I/O, no behaviour.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of this protocol. Raised whenever a message changes its meaning.
pub const VERSION: u32 = 2;

/// The longest line that either side accepts, in bytes.
pub const MAX_LINE: usize = 64 * 1024;

/// The engine sends a heartbeat at this interval, in milliseconds.
pub const HEARTBEAT_MS: u64 = 500;

/// The smallest picture of [`Source::Pattern`], width and height in pixels.
pub const PATTERN_LEAST: (u32, u32) = (320, 180);

/// The largest picture of [`Source::Pattern`], width and height in pixels.
pub const PATTERN_MOST: (u32, u32) = (7680, 4320);

/// Whether a pattern of this size, else within the limits, is high enough for its text and code row: 18 of 64 parts of the
/// width.
pub const fn pattern_is_tall_enough(width: u32, height: u32) -> bool {
    height as u64 * 64 >= width as u64 * 18
}

/// What the server asks of the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Command {
    /// The first line. Anything else in its place ends the engine with an error event.
    Hello(ServerHello),
    /// Changes what a running encoder can change in place: bit rate, size, frame rate.
    Set {
        /// Chosen by the server, repeated in the [`Event::Answer`].
        id: u64,
        /// The name of the track.
        track: String,
        /// The complete new settings; only properties that can be changed in place may differ.
        encoder: VideoEncoder,
    },
    /// Exchanges the encoder element of a running track, for what cannot be changed in place: GOP, preset, profile.
    Swap {
        /// Chosen by the server, repeated in the answer.
        id: u64,
        /// The name of the track.
        track: String,
        /// The complete new settings; the codec may not differ.
        encoder: VideoEncoder,
    },
    /// Gives a track a new launch line, for a change of codec. The answer tells the server to pull anew.
    Relaunch {
        /// Chosen by the server, repeated in the answer.
        id: u64,
        /// The new specification of the track; the name selects which.
        track: TrackSpec,
    },
    /// Asks the encoder of a running track for a key frame as soon as possible.
    Key {
        /// Chosen by the server, repeated in the answer.
        id: u64,
        /// The name of the track.
        track: String,
    },
    /// Says from where decoded pictures and sound come for sources that arrive encoded: the engine pulls them from the
    /// server's own RTSP front while an encoder that needs them is in use.
    Decode {
        /// Chosen by the server, repeated in the answer.
        id: u64,
        /// What to pull; replaces what an earlier command said.
        input: DecodeInput,
    },
    /// Changes the look of all pictures that the engine encodes.
    Look {
        /// Chosen by the server, repeated in the answer.
        id: u64,
        /// The new look.
        look: Look,
    },
    /// Ends the engine in good order.
    Shutdown,
}

/// The server's half of the hello.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerHello {
    /// [`VERSION`] of the server.
    pub version: u32,
    /// The first segment of every RTSP path of this run: 32 hexadecimal digits that no other local user can guess.
    pub secret: Secret,
    /// Where pictures and sound come from.
    pub source: Source,
    /// What the engine offers by RTSP, each under `/<secret>/<name>`.
    pub tracks: Vec<TrackSpec>,
    /// The look of the pictures.
    #[serde(default)]
    pub look: Look,
}

/// The look of pictures, each value 0 to 100; 50 changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Brightness.
    pub brightness: f32,
    /// Contrast.
    pub contrast: f32,
    /// Colour saturation.
    pub saturation: f32,
}

impl Default for Look {
    fn default() -> Self {
        Self { brightness: 50.0, contrast: 50.0, saturation: 50.0 }
    }
}

/// A value that is neither printed nor logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Gives the secret to the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where pictures and sound come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Source {
    /// A moving picture that the engine draws, with the code row, and an audio tick in step with it.
    Pattern {
        /// Width of the captured picture, in pixels; even, between [`PATTERN_LEAST`] and [`PATTERN_MOST`].
        width: u32,
        /// Height of the captured picture, in pixels; even, and [`pattern_is_tall_enough`].
        height: u32,
        /// Captured pictures per second, 1 to 60.
        frame_rate: u32,
    },
    /// An MP4 or Matroska file, looped without a gap in time. Its first video and audio stream are offered as they are to
    /// tracks that ask for [`Media::SourceVideo`] and [`Media::SourceAudio`].
    File {
        /// The absolute path.
        path: String,
    },
    /// Nothing of the engine's own: everything is made from what [`Command::Decode`] names.
    Upstream,
}

/// What a decoding engine pulls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecodeInput {
    /// RTSP address on loopback that carries one video stream.
    pub video: Option<String>,
    /// RTSP address on loopback that carries one audio stream.
    pub audio: Option<String>,
    /// The user of the one-run credential.
    pub user: String,
    /// The password of the one-run credential.
    pub password: Secret,
}

/// One RTSP path of the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackSpec {
    /// The last segment of the path: lower-case letters, digits and `-`.
    pub name: String,
    /// What is sent there.
    pub media: Media,
}

/// What a track carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Media {
    /// An encoding of the captured or decoded picture.
    Video(VideoEncoder),
    /// An encoding of the captured or decoded sound.
    Audio(AudioEncoder),
    /// The file's video stream as it is.
    SourceVideo,
    /// The file's audio stream as it is.
    SourceAudio,
}

/// Settings of a video encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoEncoder {
    /// The codec.
    pub codec: VideoCodec,
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Pictures per second, at most those of the source.
    pub frame_rate: u32,
    /// Target bit rate in kbit/s (1000 bit/s); not used by JPEG.
    pub bitrate_kbps: u32,
    /// Distance of key frames, in pictures; not used by JPEG.
    pub gop: u32,
    /// The profile; H.264 only. Not to be changed in place.
    pub profile: H264Profile,
    /// Picture quality, 1 to 100; JPEG only.
    pub quality: u32,
    /// The readable name that the pattern shows in this definition.
    pub label: String,
}

/// A profile of H.264, and with it the effort of the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum H264Profile {
    /// Constrained baseline, with the least effort: the only one for which there is time at 4K.
    Baseline,
    /// Main.
    Main,
}

/// A video codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
    /// JPEG pictures, 4:2:0.
    Jpeg,
}

/// Settings of an audio encoder. One channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioEncoder {
    /// The codec.
    pub codec: AudioCodec,
    /// Samples per second; 8000 for G.711.
    pub sample_rate: u32,
    /// Target bit rate in kbit/s; AAC only.
    pub bitrate_kbps: u32,
}

/// An audio codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioCodec {
    /// MPEG-4 AAC-LC.
    Aac,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

/// What the engine tells the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The engine listens. The first line on its standard output.
    Hello(EngineHello),
    /// Sent every [`HEARTBEAT_MS`]: the engine's main loop is alive.
    Heartbeat(Heartbeat),
    /// The outcome of the command with this `id`.
    Answer {
        /// The command's `id`.
        id: u64,
        /// What happened.
        outcome: Outcome,
    },
    /// Something went wrong outside a command. Never holds a secret.
    Error {
        /// The track concerned, if one is.
        track: Option<String>,
        /// Whether the engine ends because of it.
        fatal: bool,
        /// For the log.
        message: String,
    },
}

/// The engine's half of the hello.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineHello {
    /// [`VERSION`] of the engine.
    pub version: u32,
    /// The base time that all pipelines share, on `CLOCK_MONOTONIC`, in nanoseconds. RTP time 0 of every track.
    pub base_monotonic_ns: u64,
    /// The same instant in UTC as the wall clock shows it at the hello, in nanoseconds since 1970. The clock may be set later.
    pub base_utc_ns: u64,
    /// The TCP port on 127.0.0.1 at which RTSP is served.
    pub port: u16,
    /// The tracks that exist. A file without sound has no source audio.
    pub tracks: Vec<String>,
}

/// The engine's state of health.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// How late the newest captured picture came, in microseconds: now - (base + pts). 0 while nothing is captured.
    pub lateness_us: u64,
    /// Captured pictures that were dropped before the fan-out, since the start.
    pub dropped: u64,
    /// Captured pictures, since the start.
    pub captured: u64,
    /// Tracks whose encoder runs.
    pub running: Vec<String>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// In force now, or at the next picture.
    Applied,
    /// In force from the next key frame, which was asked for.
    AppliedAtKeyFrame,
    /// Noted; in force when the track is pulled anew.
    NeedsNewPull,
    /// Nothing was changed.
    Refused {
        /// For the log and the client's error text; never holds a secret.
        reason: String,
    },
}

/// A line that is not a message.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Longer than [`MAX_LINE`].
    #[error("line of {0} bytes, at most {MAX_LINE} are allowed")]
    TooLong(usize),
    /// Not the JSON of a known message. The text names a position, never the content, which may hold a secret.
    #[error("no known message (line {line}, column {column})")]
    Malformed {
        /// The line within the input, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
}

/// Writes a message as one line, with its newline.
pub fn to_line<T: Serialize>(message: &T) -> String {
    // The types above have string keys and finite numbers only: serialisation has nothing to fail on.
    let mut line = serde_json::to_string(message).unwrap_or_default();
    line.push('\n');
    line
}

/// Reads a message from one line, with or without its newline.
pub fn from_line<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, LineError> {
    if line.len() > MAX_LINE {
        return Err(LineError::TooLong(line.len()));
    }
    serde_json::from_slice(line).map_err(|error| LineError::Malformed { line: error.line(), column: error.column() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_its_line() {
        let command = Command::Key { id: 7, track: "hi-def".into() };
        let line = to_line(&command);
        assert_eq!(line, "{\"type\":\"key\",\"id\":7,\"track\":\"hi-def\"}\n");
        assert_eq!(from_line::<Command>(line.as_bytes()).unwrap(), command);
    }

    #[test]
    fn secrets_are_not_printed_and_not_quoted_in_errors() {
        let hello = ServerHello {
            version: VERSION,
            secret: Secret::new("feedfacecafebeef"),
            source: Source::Upstream,
            tracks: Vec::new(),
            look: Look::default(),
        };
        assert!(!format!("{hello:?}").contains("feedface"));
        let bad = br#"{"type":"hello","version":1,"secret":"feedfacecafebeef","source":7}"#;
        let error = from_line::<Command>(bad).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("feedface"), "{error}");
    }

    #[test]
    fn long_and_unknown_lines_are_refused() {
        assert!(matches!(from_line::<Command>(&vec![b' '; MAX_LINE + 1]), Err(LineError::TooLong(_))));
        assert!(matches!(from_line::<Command>(br#"{"type":"dance"}"#), Err(LineError::Malformed { .. })));
    }
}
