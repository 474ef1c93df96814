//! What configurations can be set to. Nothing is offered that the streams do not deliver (X12).

use super::{AudioCodec, AudioEncoder, JpegEncoder, VideoCodec, VideoEncoder};

/// A range, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
}

impl Range {
    /// A range from one value to another.
    pub const fn new(min: u32, max: u32) -> Self {
        Self { min, max }
    }

    /// Only one value.
    pub const fn only(value: u32) -> Self {
        Self { min: value, max: value }
    }

    /// The same with a value that may lie outside.
    fn with(self, value: u32) -> Self {
        Self { min: self.min.min(value), max: self.max.max(value) }
    }

    /// Whether a value lies within.
    pub fn holds(self, value: u32) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

/// What a video encoder can be set to with one codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoOptions {
    /// The codec; `None` is JPEG.
    pub codec: Option<VideoCodec>,
    /// Width and height in pixels, largest first.
    pub sizes: Vec<(u32, u32)>,
    /// Pictures per second.
    pub frame_rates: Range,
    /// Bit rate in kbit/s; for JPEG, which has none, a single 0.
    pub bitrates: Range,
    /// Distance of key frames in pictures; 1 for JPEG.
    pub gops: Range,
    /// Quality; JPEG only, else a single value without a meaning.
    pub quality: Range,
}

/// What an audio encoder can be set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioOptions {
    /// The codec.
    pub codec: AudioCodec,
    /// Bit rates in kbit/s.
    pub bitrates: Vec<u32>,
    /// Samples per second.
    pub sample_rates: Vec<u32>,
}

/// The least and most bit rate that a video encoder is asked for, in kbit/s.
const BITRATES: Range = Range::new(64, 40_000);
/// The longest distance of key frames is ten seconds at sixty pictures.
const GOPS: Range = Range::new(1, 600);
/// Sizes of 16:9 that are offered as far as the captured picture is large enough, in pixels.
const SIZES: [(u32, u32); 8] =
    [(3840, 2160), (2560, 1440), (1920, 1080), (1280, 720), (960, 540), (640, 360), (480, 270), (320, 180)];
/// Software H.265 holds its rate up to this height (engine.md, section 2).
const H265_MAX_HEIGHT: u32 = 1080;

/// The options of an H.264 or H.265 encoder whose pictures come from a capture of a size and rate.
///
/// `default` is what the configuration file gives this encoder; its size and bit rate are offered in any case.
pub(super) fn video(default: &VideoEncoder, capture: (u32, u32), capture_rate: u32) -> Vec<VideoOptions> {
    // A definition is not made larger than it was meant to be: the guaranteed instances are these sizes together.
    let most = (default.width.min(capture.0), default.height.min(capture.1));
    let mut sizes: Vec<(u32, u32)> = SIZES.into_iter().filter(|size| size.0 <= most.0 && size.1 <= most.1).collect();
    if !sizes.contains(&(default.width, default.height)) {
        sizes.push((default.width, default.height));
        sizes.sort_by_key(|size| std::cmp::Reverse(size.0 * size.1));
    }
    let of = |codec, sizes: Vec<(u32, u32)>| VideoOptions {
        codec: Some(codec),
        sizes,
        frame_rates: Range::new(1, capture_rate),
        bitrates: BITRATES.with(default.bitrate_kbps),
        gops: GOPS,
        quality: Range::only(1),
    };
    let small: Vec<_> = sizes.iter().copied().filter(|size| size.1 <= H265_MAX_HEIGHT).collect();
    let mut options = vec![of(VideoCodec::H264, sizes)];
    if !small.is_empty() {
        options.push(of(VideoCodec::H265, small));
    }
    options
}

/// The options of the JPEG encoder. QVGA is mandatory (PL-10).
pub(super) fn jpeg(capture_rate: u32) -> VideoOptions {
    VideoOptions {
        codec: None,
        sizes: vec![(640, 360), (320, 240)],
        frame_rates: Range::new(1, capture_rate),
        bitrates: Range::only(0),
        gops: Range::only(1),
        quality: Range::new(1, 100),
    }
}

/// The options of a stream that arrives encoded: it is what it is.
pub(super) fn fixed_video(encoder: &VideoEncoder) -> VideoOptions {
    VideoOptions {
        codec: Some(encoder.codec),
        sizes: vec![(encoder.width, encoder.height)],
        frame_rates: Range::only(encoder.frame_rate),
        bitrates: Range::only(encoder.bitrate_kbps),
        gops: Range::only(encoder.gop),
        quality: Range::only(1),
    }
}

/// The options of an audio encoder of ours. What the configuration file gives it is among them.
pub(super) fn audio(encoder: &AudioEncoder) -> AudioOptions {
    let codec = encoder.codec;
    match codec {
        AudioCodec::Aac => AudioOptions {
            codec,
            bitrates: with(&[16, 24, 32, 48, 64], encoder.bitrate_kbps),
            sample_rates: with(&[8000, 16_000, 32_000, 48_000], encoder.sample_rate),
        },
        AudioCodec::Pcmu | AudioCodec::Pcma => AudioOptions { codec, bitrates: vec![64], sample_rates: vec![8000] },
    }
}

/// These values and one more, in order.
fn with(values: &[u32], one: u32) -> Vec<u32> {
    let mut all: Vec<u32> = values.iter().copied().chain([one]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

impl VideoOptions {
    /// Says what of an encoder lies outside, if anything does.
    pub(super) fn check(&self, encoder: &VideoEncoder) -> Result<(), &'static str> {
        let VideoEncoder { width, height, frame_rate, bitrate_kbps, gop, .. } = encoder;
        match () {
            () if !self.sizes.contains(&(*width, *height)) => Err("the resolution is not among the options"),
            () if !self.frame_rates.holds(*frame_rate) => Err("the frame rate is outside its range"),
            () if !self.bitrates.holds(*bitrate_kbps) => Err("the bit rate is outside its range"),
            () if !self.gops.holds(*gop) => Err("the distance of key frames is outside its range"),
            () => Ok(()),
        }
    }

    /// The same for JPEG.
    pub(super) fn check_jpeg(&self, encoder: &JpegEncoder) -> Result<(), &'static str> {
        let JpegEncoder { width, height, frame_rate, quality } = encoder;
        match () {
            () if !self.sizes.contains(&(*width, *height)) => Err("the resolution is not among the options"),
            () if !self.frame_rates.holds(*frame_rate) => Err("the frame rate is outside its range"),
            () if !self.quality.holds(*quality) => Err("the quality is outside its range"),
            () => Ok(()),
        }
    }
}

impl AudioOptions {
    /// Says what of an encoder lies outside, if anything does.
    pub(super) fn check(&self, encoder: &AudioEncoder) -> Result<(), &'static str> {
        match () {
            () if self.codec != encoder.codec => Err("the codec cannot be changed"),
            () if !self.bitrates.contains(&encoder.bitrate_kbps) => Err("the bit rate is not among the options"),
            () if !self.sample_rates.contains(&encoder.sample_rate) => Err("the sample rate is not among the options"),
            () => Ok(()),
        }
    }
}
