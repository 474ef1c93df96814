//! What a camera is made of: its tracks, and the settings that it starts with.

use std::sync::Arc;

use super::{
    AudioCodec, AudioEncoder, AudioEncoderConfiguration, CodecProfile, Definition, Imaging, JpegEncoder, Profile,
    Settings, SourceConfiguration, SourceKind, VideoCodec, VideoEncoder, VideoEncoderConfiguration, VideoSettings,
};
use crate::hub::{Kind, RingLimits, Track};

/// What the configuration says of a camera: its first settings, and what no door can change.
#[derive(Debug, Clone)]
pub struct CameraSettings {
    /// Lower-case letters, digits and `-`; the first segment of its addresses.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// How it gets its pictures.
    pub source: SourceKind,
    /// The Ultra HD encoder, whose size is that of the captured picture; not used where the source arrives encoded.
    pub ultra_hd: VideoEncoder,
    /// The Hi-Def encoder.
    pub hi_def: VideoEncoder,
    /// The Standard encoder; not used where the source brings a second stream.
    pub standard: VideoEncoder,
    /// The JPEG encoder.
    pub jpeg: JpegEncoder,
    /// The AAC encoder, where there is sound.
    pub aac: Option<AudioEncoder>,
    /// The G.711 encoder, where there is sound.
    pub pcmu: Option<AudioEncoder>,
    /// How much each track keeps.
    pub ring: RingLimits,
}

/// The most pixels for which the engine has time for the tools of H.264's main profile (engine.md, section 2).
const MAIN_PIXELS: u32 = 2_100_000;

impl CameraSettings {
    /// Pictures per second that are captured: as many as the fastest encoder wants.
    pub fn capture_rate(&self) -> u32 {
        let rates = [&self.ultra_hd, &self.hi_def, &self.standard].map(|encoder| encoder.frame_rate);
        rates.into_iter().chain([self.jpeg.frame_rate]).max().unwrap_or(1)
    }

    /// The profile of what the engine makes of a definition with a codec, whatever size it is set to: not every size has
    /// time for the tools of H.264's main profile, and a client may put any size and profile of the options together.
    pub fn codec_profile(&self, definition: Definition, codec: VideoCodec) -> CodecProfile {
        // The options hold no larger size than the configured one.
        let VideoEncoder { width, height, .. } = self.video(definition);
        match codec {
            VideoCodec::H264 if width * height > MAIN_PIXELS => CodecProfile::Baseline,
            VideoCodec::H264 | VideoCodec::H265 => CodecProfile::Main,
        }
    }

    /// The configured encoder of a definition.
    fn video(&self, definition: Definition) -> &VideoEncoder {
        match definition {
            Definition::UltraHd => &self.ultra_hd,
            Definition::HiDef => &self.hi_def,
            Definition::Standard | Definition::Jpeg => &self.standard,
        }
    }

    /// Whether there is sound at all.
    pub(super) fn has_sound(&self) -> bool {
        self.aac.is_some() || self.pcmu.is_some()
    }
}

/// A stream that arrives encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceStream {
    /// The main stream.
    Main,
    /// The second, smaller stream.
    Second,
}

/// What fills a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedOf {
    /// The engine's H.264 or H.265 encoder.
    Video(Definition),
    /// The engine's JPEG encoder.
    Jpeg,
    /// The engine's audio encoder.
    Audio(AudioCodec),
    /// The pictures of a stream that arrives encoded.
    SourceVideo(SourceStream),
    /// The sound of a stream that arrives encoded.
    SourceAudio(SourceStream),
}

/// A track and what fills it: what sources need to know of a camera.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The track's name, unique within the camera; the token of its encoder configuration, too.
    pub name: String,
    /// The track.
    pub track: Arc<Track>,
    /// What fills it.
    pub of: FeedOf,
}

/// A camera's tracks and first settings.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) feeds: Vec<Feed>,
    pub(super) settings: Settings,
}

/// Tokens of the source configurations.
const VIDEO_SOURCE: &str = "video-source";
const AUDIO_SOURCE: &str = "audio-source";
/// The track that snapshots are taken from where no JPEG profile is made.
pub(super) const SNAPSHOT: &str = "snapshot";

impl Plan {
    /// Lays a camera out.
    pub(super) fn new(origin: &CameraSettings) -> Self {
        let audio_source = origin.has_sound().then(|| source(AUDIO_SOURCE, "Sound"));
        let settings = Settings {
            profiles: Vec::new(),
            next_profile: 1,
            video_source: source(VIDEO_SOURCE, "Picture"),
            audio_source,
            video_encoders: Vec::new(),
            audio_encoders: Vec::new(),
            imaging: Imaging::default(),
        };
        let mut plan = Self { feeds: Vec::new(), settings };
        match origin.source {
            SourceKind::Captured => plan.captured(origin),
            SourceKind::Encoded { second, transcode } => plan.encoded(origin, second, transcode),
        }
        plan
    }

    /// Every definition is an encoding of the same pictures; AAC beside the larger two, µ-law beside the others
    /// (design section 4: recorders write MP4, old ones take µ-law).
    fn captured(&mut self, origin: &CameraSettings) {
        let aac = self.sound(origin, "aac", origin.aac.as_ref());
        let pcmu = self.sound(origin, "pcmu", origin.pcmu.as_ref());
        for (definition, audio) in
            [(Definition::UltraHd, &aac), (Definition::HiDef, &aac), (Definition::Standard, &pcmu)]
        {
            self.video(origin, definition, FeedOf::Video(definition), audio.as_deref());
        }
        self.video(origin, Definition::Jpeg, FeedOf::Jpeg, pcmu.as_deref());
    }

    /// Ultra HD is the main stream as it is, with its own sound; Standard is the second stream, if there is one. The rest
    /// is made on demand, if that is allowed.
    fn encoded(&mut self, origin: &CameraSettings, second: bool, transcode: bool) {
        let sound = self.source_sound(origin, "source-audio", SourceStream::Main);
        self.video(origin, Definition::UltraHd, FeedOf::SourceVideo(SourceStream::Main), sound.as_deref());
        let pcmu = if transcode { self.sound(origin, "pcmu", origin.pcmu.as_ref()) } else { None };
        if transcode {
            self.video(origin, Definition::HiDef, FeedOf::Video(Definition::HiDef), sound.as_deref());
        }
        if second {
            let sound = self.source_sound(origin, "second-audio", SourceStream::Second);
            self.video(origin, Definition::Standard, FeedOf::SourceVideo(SourceStream::Second), sound.as_deref());
        } else if transcode {
            self.video(origin, Definition::Standard, FeedOf::Video(Definition::Standard), pcmu.as_deref());
        }
        if transcode {
            self.video(origin, Definition::Jpeg, FeedOf::Jpeg, pcmu.as_deref());
        } else {
            self.feed(origin, SNAPSHOT, Kind::Video, FeedOf::Jpeg);
        }
    }

    /// A definition: its track, its encoder configuration and its fixed profile.
    fn video(&mut self, origin: &CameraSettings, definition: Definition, of: FeedOf, audio: Option<&str>) {
        let token = definition.token();
        self.feed(origin, token, Kind::Video, of);
        let settings = match definition {
            Definition::UltraHd => VideoSettings::Video(origin.ultra_hd.clone()),
            Definition::HiDef => VideoSettings::Video(origin.hi_def.clone()),
            Definition::Standard => VideoSettings::Video(origin.standard.clone()),
            Definition::Jpeg => VideoSettings::Jpeg(origin.jpeg.clone()),
        };
        let name = definition.name().to_owned();
        let token_of = token.to_owned();
        self.settings.video_encoders.push(VideoEncoderConfiguration { token: token_of, name, settings, profile: None });
        let mut profile = Profile::new(token, definition.name(), true);
        profile.video_source = Some(VIDEO_SOURCE.to_owned());
        profile.video_encoder = Some(token.to_owned());
        if let Some(audio) = audio {
            profile.audio_source = Some(AUDIO_SOURCE.to_owned());
            profile.audio_encoder = Some(audio.to_owned());
        }
        self.settings.profiles.push(profile);
    }

    /// An audio encoder of ours.
    fn sound(&mut self, origin: &CameraSettings, token: &str, encoder: Option<&AudioEncoder>) -> Option<String> {
        let encoder = encoder?;
        self.feed(origin, token, Kind::Audio, FeedOf::Audio(encoder.codec));
        let name = match encoder.codec {
            AudioCodec::Aac => "AAC",
            AudioCodec::Pcmu | AudioCodec::Pcma => "G.711",
        };
        self.audio_encoder(token, name, encoder.clone());
        Some(token.to_owned())
    }

    /// The sound of a stream that arrives encoded. What it is stands here as a guess until it was seen.
    fn source_sound(&mut self, origin: &CameraSettings, token: &str, stream: SourceStream) -> Option<String> {
        let guess = origin.aac.as_ref().or(origin.pcmu.as_ref())?.clone();
        self.feed(origin, token, Kind::Audio, FeedOf::SourceAudio(stream));
        self.audio_encoder(token, "Sound of the source", guess);
        Some(token.to_owned())
    }

    fn audio_encoder(&mut self, token: &str, name: &str, settings: AudioEncoder) {
        let (token, name) = (token.to_owned(), name.to_owned());
        self.settings.audio_encoders.push(AudioEncoderConfiguration { token, name, settings, absent: false });
    }

    fn feed(&mut self, origin: &CameraSettings, name: &str, kind: Kind, of: FeedOf) {
        self.feeds.push(Feed { name: name.to_owned(), track: Track::new(name, kind, origin.ring), of });
    }
}

fn source(token: &str, name: &str) -> SourceConfiguration {
    SourceConfiguration { token: token.to_owned(), name: name.to_owned() }
}
