//! From retina's frames to the hub's units.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use retina::codec::{AudioParameters, ParametersRef, VideoParameters, VideoParametersCodec};

use super::{entry::is_entry, reorder::DecodeTimes};
use crate::{
    hub::{CaptureTime, Codec, G711Law, Kind, MediaTime, NewUnit, Parameters, Track},
    rtp::sps,
};

/// The longest distance of two pictures that is believed to be the stream's pace, in seconds.
const LONGEST_FRAME: i64 = 60;

/// A stream that the hub cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("codec {0} is not supported")]
pub(super) struct Unsupported(pub(super) String);

/// Whether the hub can carry a stream of this media and encoding name (both as SDP spells them, lower case).
pub(super) fn supported(media: &str, encoding: &str) -> Option<Kind> {
    match (media, encoding) {
        ("video", "h264" | "h265" | "jpeg") => Some(Kind::Video),
        ("audio", "mpeg4-generic" | "pcmu" | "pcma") => Some(Kind::Audio),
        _ => None,
    }
}

/// Turns the frames of one stream into units of one track.
#[derive(Debug)]
pub(super) struct Assembler {
    track: Arc<Track>,
    encoding: String,
    parameters: Option<Arc<Parameters>>,
    decode_times: DecodeTimes,
    previous: Option<i64>,
    frame_ticks: i64,
    /// The longest distance of two pictures lately, in ticks.
    longest: i64,
    broken: bool,
    clock_rate: u32,
}

impl Assembler {
    pub(super) fn new(track: Arc<Track>, encoding: &str, clock_rate: u32) -> Self {
        Self {
            track,
            encoding: encoding.to_owned(),
            parameters: None,
            decode_times: DecodeTimes::new(0),
            previous: None,
            frame_ticks: i64::from(clock_rate / 15),
            longest: 0,
            // A new connection follows a hole of unknown size.
            broken: true,
            clock_rate,
        }
    }

    pub(super) fn track(&self) -> &Arc<Track> {
        &self.track
    }

    pub(super) fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// Takes the description of the stream, from the session description or from a frame that changed it.
    pub(super) fn describe(&mut self, parameters: &ParametersRef<'_>) -> Result<(), Unsupported> {
        let described = match parameters {
            ParametersRef::Video(video) => self.video(video)?,
            ParametersRef::Audio(audio) => self.audio(audio)?,
            _ => return Err(Unsupported(self.encoding.clone())),
        };
        let known = self.track.describe(described);
        if self.parameters.as_ref() != Some(&known) {
            self.decode_times = DecodeTimes::new(reorder_depth(&known.codec));
            self.parameters = Some(known);
        }
        Ok(())
    }

    /// How far apart pictures are: by their times, or by what the stream says of itself, whichever is longer.
    pub(super) fn longest_frame(&self) -> Duration {
        let seen = MediaTime::new(self.longest, self.clock_rate).as_nanos() as u64;
        let said = self.parameters.as_ref().and_then(|parameters| parameters.frame_rate);
        let said = said.map_or(0, |(num, den)| 1_000_000_000 * u64::from(den) / u64::from(num.max(1)));
        Duration::from_nanos(seen.max(said)).min(Duration::from_secs(LONGEST_FRAME as u64))
    }

    /// Says that something was lost: the next unit is a discontinuity.
    pub(super) fn lost(&mut self) {
        self.broken = true;
        self.decode_times.restart();
    }

    /// Publishes one picture.
    pub(super) fn publish_picture(&mut self, time: MediaTime, capture: CaptureTime, payload: Bytes) {
        let key = self.parameters.as_ref().is_some_and(|parameters| is_entry(&parameters.codec, &payload));
        self.publish(time, capture, key, payload);
    }

    /// Publishes one frame of sound.
    pub(super) fn publish_sound(&mut self, time: MediaTime, capture: CaptureTime, payload: Bytes) {
        self.publish(time, capture, true, payload);
    }

    /// Publishes one unit. Units before the description are dropped: nothing could decode them.
    fn publish(&mut self, time: MediaTime, capture: CaptureTime, key: bool, payload: Bytes) {
        let Some(parameters) = &self.parameters else { return };
        if let Some(previous) = self.previous {
            let distance = time.ticks - previous;
            // It shrinks slowly, so that one picture out of turn does not make the others late.
            self.longest = distance.clamp(self.longest - self.longest / 8, i64::from(self.clock_rate) * LONGEST_FRAME);
            if distance > 0 && distance < i64::from(self.clock_rate) {
                self.frame_ticks = distance.min(self.frame_ticks * 2).max(1);
            }
        }
        self.previous = Some(time.ticks);
        let decode = self.decode_times.next(time.ticks, self.frame_ticks);
        self.track.publish(NewUnit {
            decode_time: MediaTime::new(decode, time.rate),
            presentation_time: time,
            capture,
            key,
            discontinuity: std::mem::take(&mut self.broken),
            parameters: Arc::clone(parameters),
            payload,
        });
    }

    fn video(&self, video: &VideoParameters) -> Result<Parameters, Unsupported> {
        let codec = match video.codec_params() {
            VideoParametersCodec::H264 { sps, pps } => Codec::H264 { sps: sps.clone(), pps: pps.clone() },
            VideoParametersCodec::H265 { vps, sps, pps } => {
                Codec::H265 { vps: vps.clone(), sps: sps.clone(), pps: pps.clone() }
            }
            VideoParametersCodec::Jpeg => Codec::Jpeg,
            _ => return Err(Unsupported(self.encoding.clone())),
        };
        Ok(Parameters {
            generation: 0,
            codec,
            size: Some(video.pixel_dimensions()),
            // retina gives the duration of a frame: numerator and denominator of seconds per frame.
            frame_rate: video.frame_rate().map(|(num, den)| (den, num)),
            clock_rate: 90_000,
        })
    }

    fn audio(&self, audio: &AudioParameters) -> Result<Parameters, Unsupported> {
        let codec = match self.encoding.as_str() {
            "mpeg4-generic" => {
                Codec::Aac { config: Bytes::copy_from_slice(audio.extra_data()), channels: audio.channels().get() }
            }
            "pcmu" => Codec::G711(G711Law::Mu),
            "pcma" => Codec::G711(G711Law::A),
            _ => return Err(Unsupported(self.encoding.clone())),
        };
        Ok(Parameters { generation: 0, codec, size: None, frame_rate: None, clock_rate: audio.clock_rate() })
    }
}

/// How many pictures the stream says that it reorders; 0 where it does not say, which is then learned from its times.
fn reorder_depth(codec: &Codec) -> usize {
    let info = match codec {
        Codec::H264 { sps, .. } => sps::h264::parse(sps).ok(),
        Codec::H265 { sps, .. } => sps::h265::parse(sps).ok(),
        _ => None,
    };
    info.and_then(|info| info.reorder_frames).unwrap_or(0) as usize
}
