//! What encoders are set to.

use serde::{Deserialize, Serialize};

/// A codec that a video encoder configuration may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265; shown by Media2 only.
    H265,
}

/// A profile of H.264 or H.265, as far as ONVIF has names for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodecProfile {
    /// Baseline of H.264, constrained or not.
    Baseline,
    /// Main of H.264 or H.265.
    Main,
    /// Main 10 of H.265.
    Main10,
    /// Extended of H.264.
    Extended,
    /// High of H.264, and what was made of it for more bits or colours.
    High,
}

impl CodecProfile {
    /// The name that ONVIF has for it (`tt:H264Profile`, `tt:VideoEncodingProfiles`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "Baseline",
            Self::Main => "Main",
            Self::Main10 => "Main10",
            Self::Extended => "Extended",
            Self::High => "High",
        }
    }
}

/// The settings of an H.264 or H.265 encoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VideoEncoder {
    /// The codec.
    pub codec: VideoCodec,
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Pictures per second, 1 to 60.
    pub frame_rate: u32,
    /// Target bit rate in kbit/s (1000 bit/s).
    pub bitrate_kbps: u32,
    /// Distance of key frames in pictures.
    pub gop: u32,
}

/// The settings of the JPEG encoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JpegEncoder {
    /// Width in pixels: 640 or 320.
    pub width: u32,
    /// Height in pixels: 360 or 240.
    pub height: u32,
    /// Pictures per second, 1 to 60.
    pub frame_rate: u32,
    /// Quality, 1 to 100.
    pub quality: u32,
}

/// A codec that an audio encoder configuration may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioCodec {
    /// MPEG-4 AAC-LC.
    Aac,
    /// G.711 µ-law, 8 kHz.
    Pcmu,
    /// G.711 A-law, 8 kHz; of streams that arrive encoded only.
    Pcma,
}

/// The settings of an audio encoder. One channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AudioEncoder {
    /// The codec.
    pub codec: AudioCodec,
    /// Samples per second; 8000 for G.711.
    pub sample_rate: u32,
    /// Target bit rate in kbit/s; AAC only.
    pub bitrate_kbps: u32,
}

/// How a camera gets its pictures, as far as the model differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// The engine captures: every definition is an encoding of the same pictures.
    Captured,
    /// The source arrives encoded: Ultra HD is its main stream as it is, whatever its size.
    Encoded {
        /// Whether there is a second stream, which is then the Standard definition as it is.
        second: bool,
        /// Whether the definitions that the source does not bring are made by the engine on demand.
        transcode: bool,
    },
}
