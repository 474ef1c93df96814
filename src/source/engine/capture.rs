//! Whether the engine's capture still gives pictures.

use std::time::Duration;

use belvedere_engine_control::{Heartbeat, Media, ServerHello, Source};

use crate::base::clock::MonoTime;

/// Watches the count of captured pictures while an encoder wants them.
///
/// An engine whose capture is stuck beats on, and a new pull would wait for a picture like the old one: only another engine
/// helps. Not for what arrives encoded: there the upstream may be to blame.
#[derive(Debug)]
pub(super) struct CaptureWatch {
    encoders: Vec<String>,
    limit: Duration,
    newest: Option<(u64, MonoTime)>,
}

/// max(2 s, 5 pictures), as for any hung engine (engine.md section 5).
const LEAST: Duration = Duration::from_secs(2);

impl CaptureWatch {
    /// Makes the watch of an engine that captures; `None` for one that does not.
    pub(super) fn new(hello: &ServerHello) -> Option<Self> {
        let Source::Pattern { frame_rate, .. } = hello.source else { return None };
        let encoders = hello.tracks.iter().filter(|track| matches!(track.media, Media::Video(_)));
        Some(Self {
            encoders: encoders.map(|track| track.name.clone()).collect(),
            limit: LEAST.max(Duration::from_secs(5) / frame_rate.max(1)),
            newest: None,
        })
    }

    /// Takes a heartbeat. Gives how long there has been no picture, if that is too long.
    pub(super) fn beat(&mut self, beat: &Heartbeat, now: MonoTime) -> Option<Duration> {
        let wanted = beat.running.iter().any(|name| self.encoders.contains(name));
        match self.newest.filter(|(captured, _)| wanted && *captured == beat.captured) {
            Some((_, since)) => Some(now.since(since)).filter(|silence| *silence > self.limit),
            None => {
                self.newest = wanted.then_some((beat.captured, now));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use belvedere_engine_control::{H264Profile, Look, Secret, TrackSpec, VERSION};

    use super::*;

    fn hello(source: Source) -> ServerHello {
        let track = |name: &str, media| TrackSpec { name: name.into(), media };
        let encoder = belvedere_engine_control::VideoEncoder {
            codec: belvedere_engine_control::VideoCodec::H264,
            width: 640,
            height: 360,
            frame_rate: 15,
            bitrate_kbps: 500,
            gop: 30,
            profile: H264Profile::Main,
            quality: 0,
            label: String::new(),
        };
        let tracks = vec![track("standard", Media::Video(encoder)), track("source-audio", Media::SourceAudio)];
        ServerHello { version: VERSION, secret: Secret::new("s"), source, tracks, look: Look::default() }
    }

    /// Beats every 500 ms; says after how many milliseconds the capture counted as stuck.
    fn stuck_after(frame_rate: u32, captured: impl Fn(u64) -> u64, running: &str) -> Option<u64> {
        let mut watch = CaptureWatch::new(&hello(Source::Pattern { width: 640, height: 360, frame_rate }))?;
        (0..20_000).step_by(500).find(|ms| {
            let beat = Heartbeat { captured: captured(*ms), running: vec![running.into()], ..Heartbeat::default() };
            watch.beat(&beat, MonoTime::from_nanos(ms * 1_000_000)).is_some()
        })
    }

    #[test]
    fn a_capture_that_stands_still_is_noticed_while_somebody_wants_pictures() {
        assert_eq!(stuck_after(15, |ms| ms * 15 / 1000, "standard"), None, "it goes on");
        assert_eq!(stuck_after(15, |ms| ms.min(1_000), "standard"), Some(3_500));
        assert_eq!(stuck_after(1, |ms| ms / 1000, "standard"), None, "slow is not stuck");
        assert_eq!(stuck_after(1, |_| 7, "standard"), Some(5_500));
        assert_eq!(stuck_after(15, |_| 7, "pcmu"), None, "nobody wants pictures");
    }

    #[test]
    fn what_arrives_encoded_is_not_watched() {
        assert!(CaptureWatch::new(&hello(Source::Upstream)).is_none());
        assert!(CaptureWatch::new(&hello(Source::File { path: "/x".into() })).is_none());
    }
}
