//! Readers of sequence parameter sets: what they say of size, frame rate and picture order.
//!
//! The reader is bounded in time and memory whatever the bytes are; what it cannot make sense of is an error value.

mod bits;
pub mod h264;
pub mod h265;

use thiserror::Error;

/// What a sequence parameter set says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpsInfo {
    /// Width after cropping, in pixels.
    pub width: u32,
    /// Height after cropping, in pixels.
    pub height: u32,
    /// Pictures per second as numerator and denominator, both above zero, if the set says it.
    pub frame_rate: Option<(u32, u32)>,
    /// How many pictures may precede one in decoding order and follow it in output order, if the set says it or it follows
    /// from the coding tools; zero means that presentation order is decoding order.
    pub reorder_frames: Option<u32>,
    /// The most pictures that a decoder may hold back: the limit of the former when it is unknown.
    pub max_dpb_frames: u32,
}

/// The reason why a sequence parameter set cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SpsError {
    /// The NAL unit is of another type.
    #[error("not a sequence parameter set")]
    Type,
    /// The set is longer than any encoder writes.
    #[error("sequence parameter set of {0} bytes")]
    TooLong(usize),
    /// The bits end within a field.
    #[error("sequence parameter set ends too early")]
    Truncated,
    /// A field has a value beyond the standard's limits.
    #[error("sequence parameter set has an illegal {0}")]
    Illegal(&'static str),
}

/// The largest width or height, in pixels: twice the largest that the levels of H.265 allow.
const MAX_SIDE: u64 = 16_888;

/// Width and height after cropping.
fn cropped(width: u64, height: u64, crop_width: u64, crop_height: u64) -> Result<(u32, u32), SpsError> {
    let side = |coded: u64, crop: u64| {
        let side = coded.checked_sub(crop).filter(|side| *side > 0 && *side <= MAX_SIDE);
        // Below MAX_SIDE.
        side.map(|side| side as u32).ok_or(SpsError::Illegal("size"))
    };
    Ok((side(width, crop_width)?, side(height, crop_height)?))
}
