//! One access unit, frame or document.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use super::{Parameters, track::WirePackets};
use crate::base::clock::{MonoTime, UtcTime};

/// An instant on a track's own time line.
///
/// The time line of a track starts at an arbitrary value and never jumps while the server runs, whatever happens to its
/// source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MediaTime {
    /// Ticks since the start of the time line.
    pub ticks: i64,
    /// Ticks per second.
    pub rate: u32,
}

impl MediaTime {
    /// Makes a time of the given clock rate.
    pub const fn new(ticks: i64, rate: u32) -> Self {
        Self { ticks, rate }
    }

    /// The tick that a number of nanoseconds corresponds to, rounded to the nearest.
    pub fn from_nanos(nanos: i128, rate: u32) -> Self {
        let scaled = nanos * i128::from(rate);
        let half = 500_000_000 * scaled.signum();
        Self { ticks: ((scaled + half) / 1_000_000_000) as i64, rate }
    }

    /// The same instant in ticks of another rate, rounded up, so that it does not go back.
    pub fn rescaled(self, rate: u32) -> Self {
        let from = i128::from(self.rate.max(1));
        let scaled = i128::from(self.ticks) * i128::from(rate);
        Self { ticks: (scaled.div_euclid(from) + i128::from(scaled.rem_euclid(from) > 0)) as i64, rate }
    }

    /// This time in nanoseconds since the start of the time line.
    pub fn as_nanos(self) -> i128 {
        i128::from(self.ticks) * 1_000_000_000 / i128::from(self.rate.max(1))
    }
}

/// How well a capture time is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeQuality {
    /// Measured on our own clock at capture.
    Exact,
    /// Taken from the upstream's RTCP sender reports.
    SenderReport,
    /// The time of arrival.
    Arrival,
}

/// When the content of a unit was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureTime {
    /// On our monotonic clock.
    pub mono: MonoTime,
    /// On the wall clock.
    pub utc: UtcTime,
    /// How well both are known.
    pub quality: TimeQuality,
}

/// What a source hands to [`Track::publish`](super::Track::publish).
#[derive(Debug, Clone)]
pub struct NewUnit {
    /// Decode time; never goes back within a track.
    pub decode_time: MediaTime,
    /// Presentation time; differs from the decode time where pictures are reordered.
    pub presentation_time: MediaTime,
    /// When the content was captured.
    pub capture: CaptureTime,
    /// Whether decoding can start here.
    pub key: bool,
    /// Whether something before this unit was lost or the source was exchanged.
    pub discontinuity: bool,
    /// The description in force from this unit on.
    pub parameters: Arc<Parameters>,
    /// See [`Unit::payload`].
    pub payload: Bytes,
}

/// One access unit, audio frame or document: immutable, numbered, shared by all readers.
#[derive(Debug)]
pub struct Unit {
    /// Counts the units of the track in decode order, without a hole.
    pub sequence: u64,
    /// Decode time; never goes back within a track.
    pub decode_time: MediaTime,
    /// Presentation time; differs from the decode time where pictures are reordered.
    pub presentation_time: MediaTime,
    /// When the content was captured.
    pub capture: CaptureTime,
    /// Whether decoding can start here. Always true for audio and metadata.
    pub key: bool,
    /// Whether something before this unit was lost or the source was exchanged.
    pub discontinuity: bool,
    /// The description in force.
    pub parameters: Arc<Parameters>,
    /// H.264 and H.265: NAL units, each behind its length in four bytes, byte for byte as received, without parameter
    /// sets. JPEG: a JFIF file. AAC: one raw frame. G.711: samples.
    pub payload: Bytes,
    /// Where each NAL unit lies in the payload, without its length; empty for other codecs.
    pub nals: Box<[Range<u32>]>,
    /// The unit as it goes on the wire, made once for all readers; absent where no door asked for packets.
    pub packets: Option<Arc<dyn WirePackets>>,
}

impl Unit {
    /// Bytes that this unit keeps in memory, near enough to bound a ring.
    pub fn memory(&self) -> usize {
        let packets = self.packets.as_ref().map_or(0, |packets| packets.memory());
        self.payload.len() + self.nals.len() * size_of::<Range<u32>>() + packets + size_of::<Self>()
    }
}

/// Finds the NAL units of a length-prefixed access unit. Stops at the first length that points outside.
pub(super) fn nal_ranges(payload: &[u8]) -> Box<[Range<u32>]> {
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(prefix) = payload.get(at..at + 4) {
        let len = u32::from_be_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]) as usize;
        let start = at + 4;
        let end = start.saturating_add(len);
        if end > payload.len() {
            break;
        }
        if len > 0 {
            ranges.push(start as u32..end as u32);
        }
        at = end;
    }
    ranges.into()
}
