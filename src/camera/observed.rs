//! What a stream that arrives encoded turns out to be: nobody set it, so it is looked at (X12: tell what is delivered).
//!
//! ```text
//! never seen ── described: size, announced rate ──► announced ── pulled: measured ──► measured ─┐ pulled, and clearly
//!      └────────────────── pulled ──────────────────────────────────────────────────►   ▲      │ another at several
//!                                  kept from an earlier run ────────────────────────►   └──────┘ looks: measured anew
//! ```
//! While nobody pulls a stream there is nothing to see, and what was last seen stays. A measured rate wanders and a distance
//! of key frames may; what is told does not, because recorders compare it and every change is written to the disk.

use std::time::Duration;

use super::{
    AudioCodec, AudioEncoder, CodecProfile, VideoCodec, VideoEncoder, VideoEncoderConfiguration, VideoSettings,
};
use crate::hub::{Codec, G711Law, SourceState, Track, Window};

/// Looks in a row that must see about the same before it is told.
const LOOKS: u32 = 3;
/// The least that a rate is measured over.
const LEAST_SPAN: Duration = Duration::from_millis(800);
const LEAST_UNITS: u64 = 4;

/// How much of a video stream was seen so far, and what was seen of it that is not told yet.
#[derive(Debug)]
pub(super) struct Sight {
    seen: Seen,
    frame_rate: Doubt,
    bitrate: Doubt,
    gop: Doubt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Never,
    Announced,
    Measured,
}

impl Sight {
    /// Of a stream that was never seen.
    pub(super) fn never() -> Self {
        Self::new(Seen::Never)
    }

    /// Of a stream of which an earlier run knows what it is.
    pub(super) fn kept() -> Self {
        Self::new(Seen::Measured)
    }

    fn new(seen: Seen) -> Self {
        Self { seen, frame_rate: Doubt::default(), bitrate: Doubt::default(), gop: Doubt::default() }
    }

    /// Whether the stream was seen at all.
    pub(super) fn is_known(&self) -> bool {
        self.seen != Seen::Never
    }

    /// Looks at a video track; `None` while it shows nothing.
    pub(super) fn video(
        &mut self,
        track: &Track,
        known: &VideoEncoderConfiguration,
    ) -> Option<VideoEncoderConfiguration> {
        let is_live = *track.source_state().borrow() == SourceState::Live;
        if self.is_known() && !is_live {
            return None;
        }
        let parameters = track.parameters().borrow().clone()?;
        let (width, height) = parameters.size?;
        let (codec, profile) = match &parameters.codec {
            Codec::H264 { sps, .. } => (VideoCodec::H264, h264_profile(sps)),
            Codec::H265 { sps, .. } => (VideoCodec::H265, h265_profile(sps)),
            // A camera that sends JPEG has a quality, which nobody can see.
            _ => return None,
        };
        let VideoSettings::Video(told) = &known.settings else { return None };
        let mut now = VideoEncoder { codec, width, height, ..told.clone() };
        match (self.seen, Measured::of(&track.window())) {
            (Seen::Measured, Some(measured)) => self.settle(&mut now, &measured),
            (_, Some(measured)) => {
                self.seen = Seen::Measured;
                measured.put(&mut now);
            }
            (Seen::Never, None) => {
                self.seen = Seen::Announced;
                let announced = parameters.frame_rate.filter(|rate| rate.1 > 0);
                let announced = announced.map(|rate| f64::from(rate.0) / f64::from(rate.1));
                now.frame_rate = announced.map_or(now.frame_rate, frame_rate);
            }
            (Seen::Announced | Seen::Measured, None) => {}
        }
        Some(VideoEncoderConfiguration { settings: VideoSettings::Video(now), profile, ..known.clone() })
    }

    /// Takes over what was clearly another for long enough.
    fn settle(&mut self, told: &mut VideoEncoder, measured: &Measured) {
        // Rates are told as whole numbers: 12.5 is neither 12 nor 13.
        let margin = |rate: f64| (rate / 20.0).max(0.75);
        if let Some(rate) = self.frame_rate.settled(f64::from(told.frame_rate), measured.frame_rate, margin) {
            told.frame_rate = frame_rate(rate);
        }
        let quarter = |rate: f64| rate / 4.0;
        if let Some(rate) = self.bitrate.settled(f64::from(told.bitrate_kbps), measured.bitrate_kbps, quarter) {
            told.bitrate_kbps = counted(rate);
        }
        let distance = measured.gop.map(f64::from);
        let tenth = |distance: f64| distance / 10.0;
        if let Some(Some(gop)) = distance.map(|distance| self.gop.settled(f64::from(told.gop), distance, tenth)) {
            told.gop = counted(gop);
        }
    }
}

/// What the units of a track show.
struct Measured {
    frame_rate: f64,
    bitrate_kbps: f64,
    gop: Option<u32>,
}

impl Measured {
    fn of(window: &Window) -> Option<Self> {
        if window.units < LEAST_UNITS || window.span < LEAST_SPAN {
            return None;
        }
        let seconds = window.span.as_secs_f64();
        Some(Self {
            frame_rate: (window.units - 1) as f64 / seconds,
            bitrate_kbps: window.payload_bytes as f64 * 8e-3 / seconds,
            gop: window.key_distance.map(|distance| u32::try_from(distance).unwrap_or(u32::MAX)),
        })
    }

    fn put(&self, told: &mut VideoEncoder) {
        told.frame_rate = frame_rate(self.frame_rate);
        told.bitrate_kbps = counted(self.bitrate_kbps);
        told.gop = self.gop.unwrap_or(told.gop);
    }
}

/// What was seen last in place of what is told, and how many times in a row.
#[derive(Debug, Default)]
struct Doubt(Option<(f64, u32)>);

impl Doubt {
    /// Compares what is seen with what is told. Gives what to tell instead, if it is time for that; two values within the
    /// margin are the same.
    fn settled(&mut self, told: f64, seen: f64, margin: impl Fn(f64) -> f64) -> Option<f64> {
        let same = |one: f64| (one - seen).abs() <= margin(one);
        if same(told) {
            self.0 = None;
            return None;
        }
        let looks = self.0.filter(|(before, _)| same(*before)).map_or(1, |(_, looks)| looks + 1);
        self.0 = (looks < LOOKS).then_some((seen, looks));
        (looks >= LOOKS).then_some(seen)
    }
}

fn frame_rate(rate: f64) -> u32 {
    rate.round().clamp(1.0, 255.0) as u32
}

fn counted(value: f64) -> u32 {
    value.round().max(1.0) as u32
}

/// `profile_idc` behind the header (ITU-T H.264, sections 7.3.2.1.1 and A.2).
fn h264_profile(sps: &[u8]) -> Option<CodecProfile> {
    match sps.get(1)? {
        66 => Some(CodecProfile::Baseline),
        77 => Some(CodecProfile::Main),
        88 => Some(CodecProfile::Extended),
        44 | 100 | 110 | 122 | 244 => Some(CodecProfile::High),
        _ => None,
    }
}

/// `general_profile_idc`, behind the header and the layers, in the lower bits (ITU-T H.265, sections 7.3.3 and A.3).
fn h265_profile(sps: &[u8]) -> Option<CodecProfile> {
    match sps.get(3)? & 0x1f {
        1 => Some(CodecProfile::Main),
        2 => Some(CodecProfile::Main10),
        _ => None,
    }
}

/// Looks at an audio track; `None` while nothing is known of it, or where it is of a codec that has no name in ONVIF.
pub(super) fn audio(track: &Track, known: &AudioEncoder) -> Option<AudioEncoder> {
    let parameters = track.parameters().borrow().clone()?;
    let (codec, bitrate_kbps) = match parameters.codec {
        Codec::Aac { .. } => (AudioCodec::Aac, if known.codec == AudioCodec::Aac { known.bitrate_kbps } else { 32 }),
        Codec::G711(G711Law::Mu) => (AudioCodec::Pcmu, 64),
        Codec::G711(G711Law::A) => (AudioCodec::Pcma, 64),
        _ => return None,
    };
    Some(AudioEncoder { codec, sample_rate: parameters.clock_rate, bitrate_kbps })
}

/// Whether a source has no such sound; `None` while it was not asked.
pub(super) fn absence(track: &Track) -> Option<bool> {
    if track.is_absent() {
        return Some(true);
    }
    track.parameters().borrow().is_some().then_some(false)
}

#[cfg(test)]
pub(super) mod tests;
