//! What a decoder and a session description must know of a track before its first unit.

use bytes::Bytes;

/// What a track carries, as far as readers treat it differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Pictures; only key frames are entry points.
    Video,
    /// Sound; every unit is an entry point.
    Audio,
    /// XML documents; every unit is an entry point.
    Metadata,
}

/// The law of a G.711 stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum G711Law {
    /// µ-law, RTP static payload type 0.
    Mu,
    /// A-law, RTP static payload type 8.
    A,
}

/// A codec with the parameter sets in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    /// ITU-T H.264: NAL units without start code.
    H264 {
        /// Sequence parameter set.
        sps: Bytes,
        /// Picture parameter set.
        pps: Bytes,
    },
    /// ITU-T H.265: NAL units without start code.
    H265 {
        /// Video parameter set.
        vps: Bytes,
        /// Sequence parameter set.
        sps: Bytes,
        /// Picture parameter set.
        pps: Bytes,
    },
    /// JPEG pictures, each complete in itself.
    Jpeg,
    /// MPEG-4 AAC, raw frames.
    Aac {
        /// The AudioSpecificConfig of ISO/IEC 14496-3.
        config: Bytes,
        /// Channels, at least 1.
        channels: u16,
    },
    /// G.711 samples, one byte each.
    G711(G711Law),
}

impl Codec {
    /// The kind of track that this codec makes.
    pub fn kind(&self) -> Kind {
        match self {
            Self::H264 { .. } | Self::H265 { .. } | Self::Jpeg => Kind::Video,
            Self::Aac { .. } | Self::G711(_) => Kind::Audio,
        }
    }
}

/// The description of a track, valid from one unit on until a unit brings another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Counts the descriptions of this track; every change of codec or parameter sets raises it.
    pub generation: u32,
    /// The codec and its parameter sets.
    pub codec: Codec,
    /// Width and height of the picture in pixels, where it is known.
    pub size: Option<(u32, u32)>,
    /// Pictures per second as a fraction, where the stream says so.
    pub frame_rate: Option<(u32, u32)>,
    /// Ticks per second of the track's times: 90000 for video, the sample rate for audio.
    pub clock_rate: u32,
}
