use std::sync::Arc;

use super::*;
use crate::{
    base::clock::{MonoTime, UtcTime},
    hub::{CaptureTime, Kind, MediaTime, NewUnit, Parameters, RingLimits, TimeQuality},
};

/// An upstream whose pictures come as a test wants them. Its parameter sets announce 30 pictures a second.
pub(in crate::camera) struct Upstream {
    track: Arc<Track>,
    parameters: Arc<Parameters>,
    nanos: u64,
}

impl Upstream {
    fn new() -> Self {
        Self::of(&Track::new("ultra-hd", Kind::Video, RingLimits::default()))
    }

    /// Fills this track, which is described at once.
    pub(in crate::camera) fn of(track: &Arc<Track>) -> Self {
        let track = Arc::clone(track);
        let codec = Codec::H264 { sps: vec![0x67, 100, 0, 40].into(), pps: vec![0x68].into() };
        let size = Some((1920, 1080));
        let parameters =
            track.describe(Parameters { generation: 0, codec, size, frame_rate: Some((30, 1)), clock_rate: 90_000 });
        Self { track, parameters, nanos: 1_000_000_000 }
    }

    /// Its pictures are of this size from now on.
    pub(in crate::camera) fn resize(&mut self, size: (u32, u32)) {
        self.parameters = self.track.describe(Parameters { size: Some(size), ..(*self.parameters).clone() });
    }

    /// Sends pictures for five seconds: as long as from one look to the next.
    pub(in crate::camera) fn play(&mut self, frame_rate: f64, gop: u64, bytes: usize) {
        for picture in 0..(frame_rate * 5.0) as u64 {
            self.nanos += (1e9 / frame_rate) as u64;
            let time = MediaTime::from_nanos(i128::from(self.nanos), 90_000);
            let (mono, utc) = (MonoTime::from_nanos(self.nanos), UtcTime::from_nanos(self.nanos));
            self.track.publish(NewUnit {
                decode_time: time,
                presentation_time: time,
                capture: CaptureTime { mono, utc, quality: TimeQuality::Exact },
                key: picture % gop == 0,
                discontinuity: false,
                parameters: Arc::clone(&self.parameters),
                payload: vec![0; bytes].into(),
            });
        }
    }

    /// Nobody pulls it any more.
    pub(in crate::camera) fn rest(&self) {
        self.track.clear();
        self.track.set_source_state(SourceState::Idle);
    }
}

fn unknown() -> VideoEncoderConfiguration {
    let encoder =
        VideoEncoder { codec: VideoCodec::H265, width: 64, height: 64, frame_rate: 1, bitrate_kbps: 8000, gop: 50 };
    let settings = VideoSettings::Video(encoder);
    VideoEncoderConfiguration { token: "ultra-hd".into(), name: "Ultra HD".into(), settings, profile: None }
}

/// Frame rate, bit rate and distance of key frames as they are told.
fn told(known: &VideoEncoderConfiguration) -> (u32, u32, u32) {
    let VideoSettings::Video(encoder) = &known.settings else { panic!("no video") };
    (encoder.frame_rate, encoder.bitrate_kbps, encoder.gop)
}

#[test]
fn what_was_measured_outlives_what_is_announced() {
    let (mut upstream, mut sight, unknown) = (Upstream::new(), Sight::never(), unknown());
    let mut known = sight.video(&upstream.track, &unknown).unwrap();
    assert!(sight.is_known());
    assert_eq!((known.settings.size(), known.profile), ((1920, 1080), Some(CodecProfile::High)));
    assert_eq!(told(&known), (30, 8000, 50), "announced, for want of better");
    assert!(sight.video(&upstream.track, &known).is_none(), "nobody pulls it");
    upstream.play(15.0, 30, 5000);
    known = sight.video(&upstream.track, &known).unwrap();
    let (frame_rate, bitrate, gop) = told(&known);
    assert_eq!((frame_rate, gop), (15, 30), "measured at once");
    assert!((590..630).contains(&bitrate), "{bitrate}");
    upstream.rest();
    for sight in [&mut sight, &mut Sight::kept()] {
        assert!(sight.video(&upstream.track, &known).is_none(), "nothing to see, nothing changed");
    }
}

#[test]
fn what_wanders_is_told_once() {
    let (mut upstream, mut sight) = (Upstream::new(), Sight::never());
    upstream.play(12.5, 25, 5000);
    let known = sight.video(&upstream.track, &unknown()).unwrap();
    for (look, gop) in [20, 60, 30, 12, 50, 25, 61, 15].into_iter().enumerate() {
        let frame_rate = if look % 2 == 0 { 12.3 } else { 12.7 };
        upstream.play(frame_rate, gop, 4500 + 500 * (look % 3));
        assert_eq!(sight.video(&upstream.track, &known).unwrap(), known, "look {look}");
    }
}

#[test]
fn what_is_clearly_another_for_several_looks_is_told() {
    let (mut upstream, mut sight) = (Upstream::new(), Sight::kept());
    let mut known = unknown();
    upstream.play(15.0, 30, 5000);
    known = sight.video(&upstream.track, &known).unwrap();
    assert_eq!(told(&known), (1, 8000, 50), "size and codec at once, rates later");
    assert_eq!(known.settings.size(), (1920, 1080));
    upstream.play(15.0, 30, 5000);
    assert_eq!(sight.video(&upstream.track, &known).unwrap(), known);
    upstream.play(15.0, 30, 5000);
    known = sight.video(&upstream.track, &known).unwrap();
    assert_eq!((told(&known).0, told(&known).2), (15, 30));
    upstream.play(25.0, 50, 5000);
    assert_eq!(sight.video(&upstream.track, &known).unwrap(), known);
    upstream.play(15.0, 30, 5000);
    upstream.play(15.0, 30, 5000);
    assert_eq!(sight.video(&upstream.track, &known).unwrap(), known);
    upstream.play(25.0, 50, 5000);
    upstream.play(25.0, 50, 5000);
    assert_eq!(sight.video(&upstream.track, &known).unwrap(), known, "once in between is forgotten");
}

#[test]
fn profiles_are_read_where_they_have_a_name() {
    use CodecProfile::{Baseline, High, Main, Main10};
    for (idc, expected) in [(66, Some(Baseline)), (77, Some(Main)), (110, Some(High)), (83, None)] {
        assert_eq!(h264_profile(&[0x67, idc, 0, 40]), expected, "{idc}");
    }
    for (idc, expected) in [(0x01, Some(Main)), (0x22, Some(Main10)), (0x04, None)] {
        assert_eq!(h265_profile(&[0x42, 0x01, 0x01, idc, 0x60]), expected, "{idc}");
    }
    assert_eq!((h264_profile(&[0x67]), h265_profile(&[])), (None, None));
}

#[test]
fn sound_is_what_it_arrives_as() {
    let track = Track::new("source-audio", Kind::Audio, RingLimits::default());
    let known = AudioEncoder { codec: AudioCodec::Aac, sample_rate: 16_000, bitrate_kbps: 64 };
    assert_eq!((absence(&track), audio(&track, &known)), (None, None));
    track.set_source_state(SourceState::Absent);
    assert_eq!(absence(&track), Some(true));
    track.set_source_state(SourceState::Starting);
    let codec = Codec::G711(G711Law::A);
    track.describe(Parameters { generation: 0, codec, size: None, frame_rate: None, clock_rate: 8000 });
    let expected = AudioEncoder { codec: AudioCodec::Pcma, sample_rate: 8000, bitrate_kbps: 64 };
    assert_eq!((absence(&track), audio(&track, &known)), (Some(false), Some(expected)));
}
