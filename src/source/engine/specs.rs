//! What the engine is told of a camera.

use belvedere_engine_control as control;
use control::{H264Profile, Media, Secret, ServerHello, Source, TrackSpec};

use super::EngineSource;
use crate::camera::{
    AudioCodec, AudioEncoder, Camera, CameraSettings, CodecProfile, Definition, Feed, FeedOf, Imaging, JpegEncoder,
    Settings, SourceStream, VideoCodec, VideoEncoder, VideoSettings,
};

/// The first command of a run: the camera's settings as they are now.
pub(super) fn hello(camera: &Camera, source: &EngineSource, secret: Secret) -> ServerHello {
    let is_file = matches!(source, EngineSource::File(_));
    let settings = camera.settings();
    let track =
        |feed: &Feed| Some(TrackSpec { name: feed.name.clone(), media: media(camera, &settings, feed, is_file)? });
    let tracks = camera.feeds().iter().filter_map(track).collect();
    ServerHello {
        version: control::VERSION,
        secret,
        source: capture(camera, source),
        tracks,
        look: look(settings.imaging),
    }
}

fn capture(camera: &Camera, source: &EngineSource) -> Source {
    match source {
        EngineSource::Pattern => {
            let origin = camera.origin();
            let (width, height) = (origin.ultra_hd.width, origin.ultra_hd.height);
            Source::Pattern { width, height, frame_rate: origin.capture_rate() }
        }
        EngineSource::File(path) => Source::File { path: path.to_string_lossy().into_owned() },
        EngineSource::Upstream => Source::Upstream,
    }
}

/// `None` for what the engine does not make: the streams of an upstream on the network.
fn media(camera: &Camera, settings: &Settings, feed: &Feed, is_file: bool) -> Option<Media> {
    match feed.of {
        FeedOf::Video(_) | FeedOf::Jpeg => {
            let kept = settings.video_encoder(&feed.name).map(|encoder| encoder.settings.clone());
            // Snapshots alone have a track without a configuration.
            let snapshot = || Some(VideoSettings::Jpeg(camera.snapshot_encoder(settings)?.1));
            Some(Media::Video(video(&kept.or_else(snapshot)?, &feed.name, camera.origin())))
        }
        FeedOf::Audio(_) => Some(Media::Audio(audio(&settings.audio_encoder(&feed.name)?.settings))),
        FeedOf::SourceVideo(SourceStream::Main) if is_file => Some(Media::SourceVideo),
        FeedOf::SourceAudio(SourceStream::Main) if is_file => Some(Media::SourceAudio),
        FeedOf::SourceVideo(_) | FeedOf::SourceAudio(_) => None,
    }
}

/// The settings of the video encoder of a track as the engine takes them.
pub(super) fn video(settings: &VideoSettings, track: &str, origin: &CameraSettings) -> control::VideoEncoder {
    // Snapshots have a track of their own name, and are JPEG like the definition.
    let definition = Definition::from_token(track).unwrap_or(Definition::Jpeg);
    match settings {
        VideoSettings::Video(encoder) => encoded(encoder, definition, origin),
        VideoSettings::Jpeg(encoder) => jpeg(encoder, definition.name()),
    }
}

/// The look of the picture as the engine takes it.
pub(super) fn look(imaging: Imaging) -> control::Look {
    let Imaging { brightness, contrast, saturation } = imaging;
    control::Look { brightness, contrast, saturation }
}

fn encoded(encoder: &VideoEncoder, definition: Definition, origin: &CameraSettings) -> control::VideoEncoder {
    control::VideoEncoder {
        codec: match encoder.codec {
            VideoCodec::H264 => control::VideoCodec::H264,
            VideoCodec::H265 => control::VideoCodec::H265,
        },
        width: encoder.width,
        height: encoder.height,
        frame_rate: encoder.frame_rate,
        bitrate_kbps: encoder.bitrate_kbps,
        gop: encoder.gop,
        profile: match origin.codec_profile(definition, VideoCodec::H264) {
            CodecProfile::Baseline => H264Profile::Baseline,
            _ => H264Profile::Main,
        },
        quality: 0,
        // The name that the pattern shows in this track.
        label: definition.name().to_owned(),
    }
}

fn jpeg(encoder: &JpegEncoder, label: &str) -> control::VideoEncoder {
    control::VideoEncoder {
        codec: control::VideoCodec::Jpeg,
        width: encoder.width,
        height: encoder.height,
        frame_rate: encoder.frame_rate,
        bitrate_kbps: 0,
        gop: 1,
        profile: H264Profile::Main,
        quality: encoder.quality,
        label: label.to_owned(),
    }
}

/// The settings of an audio encoder as the engine takes them.
pub(super) fn audio(encoder: &AudioEncoder) -> control::AudioEncoder {
    control::AudioEncoder {
        codec: match encoder.codec {
            AudioCodec::Aac => control::AudioCodec::Aac,
            AudioCodec::Pcmu => control::AudioCodec::Pcmu,
            AudioCodec::Pcma => control::AudioCodec::Pcma,
        },
        sample_rate: encoder.sample_rate,
        bitrate_kbps: encoder.bitrate_kbps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{camera::SourceKind, hub::RingLimits};

    #[test]
    fn an_encoder_has_one_profile_at_every_size() {
        let encoder = |width, height| VideoEncoder {
            codec: VideoCodec::H264,
            width,
            height,
            frame_rate: 15,
            bitrate_kbps: 500,
            gop: 30,
        };
        let origin = CameraSettings {
            id: "cam".into(),
            name: "Camera".into(),
            source: SourceKind::Captured,
            ultra_hd: encoder(3840, 2160),
            hi_def: encoder(1920, 1080),
            standard: encoder(640, 360),
            jpeg: JpegEncoder { width: 640, height: 360, frame_rate: 15, quality: 75 },
            aac: None,
            pcmu: None,
            ring: RingLimits::default(),
        };
        let expected =
            [("ultra-hd", H264Profile::Baseline), ("hi-def", H264Profile::Main), ("standard", H264Profile::Main)];
        for (track, profile) in expected {
            for (width, height) in [(3840, 2160), (640, 360)] {
                let settings = VideoSettings::Video(encoder(width, height));
                assert_eq!(video(&settings, track, &origin).profile, profile, "{track} {width}x{height}");
            }
        }
    }
}
