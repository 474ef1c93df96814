//! Profiles: named sets of configurations that are streamed together.

use serde::{Deserialize, Serialize};

/// A kind of configuration that a profile can refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Which part of which video source.
    VideoSource,
    /// An encoder, and with it a track.
    VideoEncoder,
    /// Which audio source.
    AudioSource,
    /// An audio encoder, and with it a track.
    AudioEncoder,
}

impl Kind {
    /// All kinds, each after the one that it needs.
    pub const ALL: [Self; 4] = [Self::VideoSource, Self::AudioSource, Self::VideoEncoder, Self::AudioEncoder];

    /// The kind that must be in a profile before this one (Media2, 5.3: an encoder needs its source).
    pub fn needs(self) -> Option<Self> {
        match self {
            Self::VideoEncoder => Some(Self::VideoSource),
            Self::AudioEncoder => Some(Self::AudioSource),
            Self::VideoSource | Self::AudioSource => None,
        }
    }
}

/// A profile. Its references are tokens of configurations, at most one of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The permanent token.
    pub token: String,
    /// The name that people see.
    pub name: String,
    /// Made by the device; it can be edited and not deleted.
    pub fixed: bool,
    /// Reference to a video source configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_source: Option<String>,
    /// Reference to a video encoder configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_encoder: Option<String>,
    /// Reference to an audio source configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_source: Option<String>,
    /// Reference to an audio encoder configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_encoder: Option<String>,
}

impl Profile {
    /// A profile without references.
    pub fn new(token: impl Into<String>, name: impl Into<String>, fixed: bool) -> Self {
        Self {
            token: token.into(),
            name: name.into(),
            fixed,
            video_source: None,
            video_encoder: None,
            audio_source: None,
            audio_encoder: None,
        }
    }

    /// The token of the configuration of a kind.
    pub fn reference(&self, kind: Kind) -> Option<&str> {
        match kind {
            Kind::VideoSource => self.video_source.as_deref(),
            Kind::VideoEncoder => self.video_encoder.as_deref(),
            Kind::AudioSource => self.audio_source.as_deref(),
            Kind::AudioEncoder => self.audio_encoder.as_deref(),
        }
    }

    /// Refers to another configuration of a kind, or to none.
    pub(super) fn refer(&mut self, kind: Kind, token: Option<String>) {
        match kind {
            Kind::VideoSource => self.video_source = token,
            Kind::VideoEncoder => self.video_encoder = token,
            Kind::AudioSource => self.audio_source = token,
            Kind::AudioEncoder => self.audio_encoder = token,
        }
    }
}
