//! Snapshots of a camera whose pictures arrive encoded and are not transcoded: what they are made of, and how.

use std::sync::Arc;

use super::{Camera, FeedOf, JpegEncoder, Settings, SourceStream, plan::SNAPSHOT};
use crate::hub::Track;

/// As many pictures in a second as somebody who looks now and then can tell apart: the newest is 200 ms behind at most.
const MOST_RATE: u32 = 5;
/// JPEG over RTP knows multiples of 8 pixels only (RFC 2435 section 3.1.5).
const STEP: u32 = 8;
const LEAST_SIDE: u32 = 16;

impl Camera {
    /// The track whose pictures the engine decodes to make others of them; `None` where it captures its own.
    ///
    /// For snapshots alone it is the second stream where there is one: that is about as large as they shall be, and a small
    /// machine can decode it where it could not decode the main stream in time.
    pub fn decoded_track(&self) -> Option<&Arc<Track>> {
        let of =
            |stream| self.feeds().iter().find(|feed| feed.of == FeedOf::SourceVideo(stream)).map(|feed| &feed.track);
        let small = self.track(SNAPSHOT).and_then(|_| of(SourceStream::Second));
        small.or_else(|| of(SourceStream::Main))
    }

    /// The encoder of the track that is made for snapshots alone, with that track's name; `None` where they are taken from the
    /// JPEG definition.
    ///
    /// The longer side is that of the JPEG definition as it is configured, or that of the source if it is smaller; the shape is
    /// the source's. Until the source was seen it is a guess, and what is of another shape gets borders.
    pub fn snapshot_encoder(&self, settings: &Settings) -> Option<(&'static str, JpegEncoder)> {
        self.track(SNAPSHOT)?;
        let planned = &self.origin().jpeg;
        let source = self.decoded_track().and_then(|track| settings.video_encoder(track.name()));
        let (width, height) = source.map_or((planned.width, planned.height), |source| source.settings.size());
        let (width, height) = fitted((width, height), planned.width.max(planned.height));
        let frame_rate = planned.frame_rate.min(MOST_RATE);
        Some((SNAPSHOT, JpegEncoder { width, height, frame_rate, quality: planned.quality }))
    }
}

/// A size of the same shape whose longer side is at most so long.
fn fitted((width, height): (u32, u32), most: u32) -> (u32, u32) {
    let longer = width.max(height).max(1);
    let most = most.min(longer);
    let side = |side: u32| ((side * most + longer * STEP / 2) / (longer * STEP) * STEP).max(LEAST_SIDE);
    (side(width), side(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_the_shape_of_its_source_and_is_not_larger() {
        for (source, snapshot) in [
            ((3840, 2160), (640, 360)),
            ((1280, 720), (640, 360)),
            ((2560, 1920), (640, 480)),
            ((1536, 2048), (480, 640)),
            ((1280, 1024), (640, 512)),
            ((4096, 2160), (640, 336)),
            ((352, 288), (352, 288)),
            ((7680, 64), (640, 16)),
        ] {
            assert_eq!(fitted(source, 640), snapshot, "{source:?}");
        }
        assert_eq!(fitted((3840, 2160), 320), (320, 184));
    }
}
