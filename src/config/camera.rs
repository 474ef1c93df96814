//! `[[camera]]`.

use std::path::{Path, PathBuf};

use belvedere_engine_control::{PATTERN_LEAST, pattern_is_tall_enough};
use url::Url;

use super::{resolve, section::Section, server::listener};
use crate::{
    base::{listen::Listen, redact::SecretUrl},
    camera::{AudioCodec, AudioEncoder, CameraSettings, Definition, JpegEncoder, SourceKind, VideoCodec, VideoEncoder},
    hub::RingLimits,
};

/// Longest camera id, in bytes; it stands in every stream address, which has at most 128 (TR-13).
const MAX_ID: usize = 32;
/// Longest name that people see, in bytes.
const MAX_NAME: usize = 64;
/// Longest address of an upstream camera, in bytes.
const MAX_URL: usize = 1024;
/// Sample rates that AAC may have here.
const SAMPLE_RATES: [u32; 5] = [8000, 16000, 32000, 44100, 48000];

/// A camera and where its pictures come from.
#[derive(Debug, Clone)]
pub struct CameraConfig {
    /// What the camera model is made from.
    pub settings: CameraSettings,
    /// Where the pictures come from.
    pub source: Source,
    /// Its own web listener. The first camera has that of the server, and none here.
    pub http: Option<Listen>,
}

/// Where a camera's pictures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The engine draws them.
    Pattern,
    /// The engine plays a file in a loop.
    File(PathBuf),
    /// Another camera.
    Rtsp {
        /// The main stream.
        main: SecretUrl,
        /// A second, smaller stream.
        second: Option<SecretUrl>,
    },
}

impl CameraConfig {
    /// Makes a camera with the test pattern and every default.
    pub fn pattern(id: &str, ring: RingLimits) -> Self {
        let settings = CameraSettings {
            id: id.to_owned(),
            name: "Camera".to_owned(),
            source: SourceKind::Captured,
            ultra_hd: video(3840, 2160, 8000),
            hi_def: video(1280, 720, 2000),
            standard: video(640, 360, 500),
            jpeg: JpegEncoder { width: 640, height: 360, frame_rate: 15, quality: 75 },
            aac: Some(AudioEncoder { codec: AudioCodec::Aac, sample_rate: 16000, bitrate_kbps: 32 }),
            pcmu: Some(AudioEncoder { codec: AudioCodec::Pcmu, sample_rate: 8000, bitrate_kbps: 64 }),
            ring,
        };
        Self { settings, source: Source::Pattern, http: None }
    }

    pub(super) fn with_ring(mut self, ring: RingLimits) -> Self {
        self.settings.ring = ring;
        self
    }

    pub(super) fn read(section: Section<'_>, base: &Path, ring: RingLimits) -> Self {
        let mut camera = Self::pattern("", ring);
        let settings = &mut camera.settings;
        settings.id = id(&section);
        settings.name = name(&section).unwrap_or_else(|| settings.name.clone());
        camera.source = source(&section, base);
        settings.source = source_kind(&section, &camera.source);
        read_definitions(section.section("definitions"), settings);
        if camera.source == Source::Pattern {
            check_pattern(&section, &settings.ultra_hd);
        }
        read_audio(section.section("audio"), settings);
        let http = section.section("http");
        camera.http = listener(&http, "listen", None);
        http.finish();
        section.finish();
        camera
    }
}

/// H.264 at 15 pictures a second with a key frame every 2 seconds: what an outdoor camera gives, and what recorders cut well.
fn video(width: u32, height: u32, bitrate_kbps: u32) -> VideoEncoder {
    VideoEncoder { codec: VideoCodec::H264, width, height, frame_rate: 15, bitrate_kbps, gop: 30 }
}

fn id(section: &Section<'_>) -> String {
    let Some(id) = section.text("id") else {
        if !section.has("id") {
            section.mistake("id", "is missing");
        }
        return String::new();
    };
    let legal = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if id.is_empty() || id.len() > MAX_ID || !legal {
        section.mistake("id", "must be 1 to 32 lower-case letters, digits and hyphens");
    } else if Definition::from_token(id).is_some() {
        section.mistake("id", "must not be the name of a definition: stream addresses would be ambiguous");
    }
    id.to_owned()
}

fn name(section: &Section<'_>) -> Option<String> {
    let name = section.text("name")?;
    if name.trim().is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        section.mistake("name", "must be 1 to 64 bytes without control characters");
    }
    Some(name.to_owned())
}

fn source(section: &Section<'_>, base: &Path) -> Source {
    let source = match section.text("source") {
        None | Some("pattern") => Source::Pattern,
        Some(text) => match text.split_once(':') {
            Some(("file", path)) => file(section, base, path),
            Some(("rtsp", _)) => {
                rtsp(section, "source", text).map_or(Source::Pattern, |main| Source::Rtsp { main, second: None })
            }
            Some(("v4l2", _)) => unsupported(section, "a V4L2 device"),
            None if text == "libcamera" => unsupported(section, "libcamera"),
            Some(("rtsps", _)) => unsupported(section, "RTSP over TLS"),
            _ => {
                section.mistake("source", "must be \"pattern\", \"file:PATH\" or \"rtsp://…\"");
                Source::Pattern
            }
        },
    };
    let second = section.text("second").filter(|text| !text.is_empty());
    match (source, second) {
        (Source::Rtsp { main, .. }, Some(text)) => Source::Rtsp { main, second: rtsp(section, "second", text) },
        (source, Some(_)) if !matches!(source, Source::Rtsp { .. }) && section.is_sound() => {
            section.mistake("second", "goes with an rtsp:// source only");
            source
        }
        (source, _) => source,
    }
}

fn file(section: &Section<'_>, base: &Path, path: &str) -> Source {
    let path = resolve(base, path);
    if !path.is_file() {
        section.mistake("source", "there is no such file");
    }
    Source::File(path)
}

fn unsupported(section: &Section<'_>, what: &str) -> Source {
    section.mistake("source", format!("{what} is not yet supported as a source"));
    Source::Pattern
}

fn rtsp(section: &Section<'_>, key: &'static str, text: &str) -> Option<SecretUrl> {
    let url = Url::parse(text).ok().filter(|url| {
        let sound = url.has_host() && url.port() != Some(0) && url.fragment().is_none();
        url.scheme() == "rtsp" && sound && text.len() <= MAX_URL
    });
    if url.is_none() {
        section.mistake(
            key,
            "must be an address like rtsp://user:password@host:554/path; \
             reserved characters in user and password are written %40 (@), %3A (:), %2F (/)",
        );
    }
    url.map(SecretUrl::new)
}

/// Reads `transcode`: by default a file, which needs the engine anyway, is transcoded and another camera is not.
fn source_kind(section: &Section<'_>, source: &Source) -> SourceKind {
    let (second, default) = match source {
        Source::Pattern => {
            if section.has("transcode") && section.is_sound() {
                section.mistake("transcode", "goes with a file: or rtsp:// source only");
            }
            (false, false)
        }
        Source::File(_) => (false, true),
        Source::Rtsp { second, .. } => (second.is_some(), false),
    };
    let transcode = section.switch("transcode", default);
    match source {
        Source::Pattern => SourceKind::Captured,
        _ => SourceKind::Encoded { second, transcode },
    }
}

fn read_definitions(section: Section<'_>, settings: &mut CameraSettings) {
    settings.ultra_hd = read_video(section.section("ultra-hd"), &settings.ultra_hd);
    settings.hi_def = read_video(section.section("hi-def"), &settings.hi_def);
    settings.standard = read_video(section.section("standard"), &settings.standard);
    settings.jpeg = read_jpeg(section.section("jpeg"), &settings.jpeg);
    let codecs = [&settings.ultra_hd, &settings.hi_def, &settings.standard].map(|video| video.codec);
    if codecs.iter().all(|codec| *codec == VideoCodec::H265) {
        section
            .mistake("standard.codec", "one definition at least must stay \"h264\": many recorders take nothing else");
    }
    section.finish();
}

/// The engine draws the pattern in the size of Ultra HD, with text and a code row in it.
fn check_pattern(section: &Section<'_>, ultra_hd: &VideoEncoder) {
    let (width, height) = (ultra_hd.width, ultra_hd.height);
    if width < PATTERN_LEAST.0 || height < PATTERN_LEAST.1 {
        let (width, height) = PATTERN_LEAST;
        section.mistake("definitions.ultra-hd", format!("must be {width}x{height} at least with the test pattern"));
    } else if !pattern_is_tall_enough(width, height) {
        section.mistake("definitions.ultra-hd", "is too flat for the test pattern");
    }
}

fn read_video(section: Section<'_>, default: &VideoEncoder) -> VideoEncoder {
    let codecs = [("h264", VideoCodec::H264), ("h265", VideoCodec::H265)];
    let video = VideoEncoder {
        codec: section.choice("codec", default.codec, &codecs),
        width: even(&section, "width", default.width, 7680),
        height: even(&section, "height", default.height, 4320),
        frame_rate: section.number("frame-rate", default.frame_rate, 1..=60),
        bitrate_kbps: section.number("bitrate", default.bitrate_kbps, 32..=100_000),
        gop: section.number("gop", default.gop, 1..=600),
    };
    section.finish();
    video
}

/// Reads a picture's width or height: chroma has half of it.
fn even(section: &Section<'_>, key: &'static str, default: u32, most: u32) -> u32 {
    let pixels = section.number(key, default, 64..=most);
    if !pixels.is_multiple_of(2) {
        section.mistake(key, "must be even");
    }
    pixels
}

fn read_jpeg(section: Section<'_>, default: &JpegEncoder) -> JpegEncoder {
    let sizes = [("640x360", (640, 360)), ("320x240", (320, 240))];
    let (width, height) = section.choice("size", (default.width, default.height), &sizes);
    let jpeg = JpegEncoder {
        width,
        height,
        frame_rate: section.number("frame-rate", default.frame_rate, 1..=60),
        quality: section.number("quality", default.quality, 1..=100),
    };
    section.finish();
    jpeg
}

fn read_audio(section: Section<'_>, settings: &mut CameraSettings) {
    let enabled = section.switch("enabled", true);
    if let Some(aac) = &mut settings.aac {
        aac.sample_rate = section.number("sample-rate", aac.sample_rate, 8000..=48000);
        if !SAMPLE_RATES.contains(&aac.sample_rate) {
            section.mistake("sample-rate", "must be 8000, 16000, 32000, 44100 or 48000");
        }
        aac.bitrate_kbps = section.number("bitrate", aac.bitrate_kbps, 8..=320);
    }
    if !enabled {
        settings.aac = None;
        settings.pcmu = None;
    }
    section.finish();
}
