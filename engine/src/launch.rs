//! Launch lines: the text from which a track's pipeline is built. Numbers and fixed words only.
//!
//! Names that the code looks up: `src` (the consumer), `size` (caps behind the scaler), `look` (brightness and so on; it costs nothing
//! while it changes nothing), `before` (queue before the encoder),
//! `enc`, `profile` (caps behind the encoder), `pay0`.

use belvedere_engine_control::{AudioCodec, AudioEncoder, H264Profile, VideoCodec, VideoEncoder};

/// What every payloader is told: RTP time is running time (engine.md, section 1.2).
const PAYLOADER: &str = "name=pay0 timestamp-offset=0";
/// Pictures go to the server in few and large packets: they travel in the RTSP connection, whose frames hold 64 KiB, and the
/// server cuts them anew for its viewers.
pub const PICTURE_MTU: &str = "mtu=32000";

/// Builds the launch line of a video encoder.
pub fn video(spec: &VideoEncoder) -> String {
    let format = match spec.codec {
        // JPEG over RTP is 4:2:0 here, and JFIF is full-range BT.601; decoders do not look for anything else.
        VideoCodec::Jpeg => " ! videoconvert ! video/x-raw,format=I420,colorimetry=(string)1:4:0:0",
        VideoCodec::H264 | VideoCodec::H265 => "",
    };
    let payloader = match spec.codec {
        VideoCodec::H264 => {
            format!("rtph264pay {PAYLOADER} {PICTURE_MTU} pt=96 config-interval=-1 aggregate-mode=zero-latency")
        }
        VideoCodec::H265 => {
            format!("rtph265pay {PAYLOADER} {PICTURE_MTU} pt=96 config-interval=-1 aggregate-mode=zero-latency")
        }
        VideoCodec::Jpeg => format!("rtpjpegpay {PAYLOADER} {PICTURE_MTU} pt=26"),
    };
    format!(
        "( appsrc name=src ! videoscale method=bilinear add-borders=true ! capsfilter name=size caps={size}{format} ! videobalance name=look \
         ! queue name=before max-size-buffers=2 max-size-bytes=0 max-size-time=0 \
         ! {encoder} ! capsfilter name=profile caps={profile} ! {payloader} )",
        size = size_caps(spec),
        encoder = encoder(spec),
        profile = profile_caps(spec),
    )
}

/// The caps behind the scaler.
pub fn size_caps(spec: &VideoEncoder) -> String {
    format!("video/x-raw,width={},height={},pixel-aspect-ratio=1/1", spec.width, spec.height)
}

/// The caps behind the encoder.
pub fn profile_caps(spec: &VideoEncoder) -> &'static str {
    match spec.codec {
        VideoCodec::H264 if spec.profile == H264Profile::Baseline => {
            "video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au"
        }
        VideoCodec::H264 => "video/x-h264,profile=main,stream-format=byte-stream,alignment=au",
        VideoCodec::H265 => "video/x-h265,profile=main,stream-format=byte-stream,alignment=au",
        VideoCodec::Jpeg => "image/jpeg",
    }
}

/// The encoder element.
///
/// One slice per picture and one thread: sliced threads make decoders complain, frame threads delay (design.md, "Engine").
pub fn encoder(spec: &VideoEncoder) -> String {
    let VideoEncoder { bitrate_kbps, gop, quality, .. } = spec;
    match spec.codec {
        VideoCodec::H264 => format!(
            "x264enc name=enc tune=zerolatency sliced-threads=false threads=1 speed-preset={} bitrate={bitrate_kbps} \
             key-int-max={gop} option-string=scenecut=0",
            preset(spec)
        ),
        // Closed groups: a key frame that is not an IDR picture is no entry point for most readers.
        VideoCodec::H265 => format!(
            "x265enc name=enc tune=zerolatency speed-preset=ultrafast bitrate={bitrate_kbps} key-int-max={gop} \
             log-level=error option-string=open-gop=0:scenecut=0:min-keyint=1"
        ),
        VideoCodec::Jpeg => format!("jpegenc name=enc quality={quality}"),
    }
}

/// The effort that profile and size allow: 4K costs 38 % of a core at 15 pictures per second even with the fastest.
///
/// Ultrafast has none of the tools of the main profile, and would write baseline into its parameter sets whatever is asked.
/// An encoder of baseline keeps it at every size: it may be set to its largest again without being exchanged.
fn preset(spec: &VideoEncoder) -> &'static str {
    match (spec.profile, spec.width * spec.height) {
        (H264Profile::Baseline, _) => "ultrafast",
        (H264Profile::Main, 0..=410_000) => "veryfast",
        (H264Profile::Main, _) => "superfast",
    }
}

/// Builds the launch line of an audio encoder.
pub fn audio(spec: &AudioEncoder) -> String {
    let (encoder, payloader) = match spec.codec {
        AudioCodec::Aac => (
            format!("voaacenc name=enc bitrate={} ! aacparse", spec.bitrate_kbps * 1000),
            format!("rtpmp4gpay {PAYLOADER} pt=97"),
        ),
        AudioCodec::Pcmu => ("mulawenc name=enc".to_owned(), format!("rtppcmupay {PAYLOADER} pt=0 {SAMPLES}")),
        AudioCodec::Pcma => ("alawenc name=enc".to_owned(), format!("rtppcmapay {PAYLOADER} pt=8 {SAMPLES}")),
    };
    format!(
        "( appsrc name=src ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate={},channels=1 \
         ! {encoder} ! {payloader} )",
        spec.sample_rate
    )
}

/// Packets of 20 ms, with the times of their buffers: a payloader that counts samples would go on as if a dropped buffer had
/// never been, and every sound after it would come early.
const SAMPLES: &str = "min-ptime=20000000 max-ptime=20000000 perfect-rtptime=false";

/// Elements without which the engine cannot work, with the Debian package that brings each.
pub const REQUIRED: &[(&str, &str)] = &[
    ("appsrc", "gstreamer1.0-plugins-base"),
    ("videoscale", "gstreamer1.0-plugins-base"),
    ("videoconvert", "gstreamer1.0-plugins-base"),
    ("audioresample", "gstreamer1.0-plugins-base"),
    ("rtpbin", "gstreamer1.0-plugins-good"),
    ("rtph264pay", "gstreamer1.0-plugins-good"),
    ("videobalance", "gstreamer1.0-plugins-good"),
    ("jpegenc", "gstreamer1.0-plugins-good"),
    ("mulawenc", "gstreamer1.0-plugins-good"),
    ("aacparse", "gstreamer1.0-plugins-good"),
    ("voaacenc", "gstreamer1.0-plugins-bad"),
    ("x265enc", "gstreamer1.0-plugins-bad"),
    ("x264enc", "gstreamer1.0-plugins-ugly"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(codec: VideoCodec, width: u32, height: u32) -> VideoEncoder {
        VideoEncoder {
            codec,
            width,
            height,
            frame_rate: 15,
            bitrate_kbps: 500,
            gop: 30,
            profile: H264Profile::Main,
            quality: 75,
            label: "a ! b".into(),
        }
    }

    #[test]
    fn every_line_is_one_that_gstreamer_parses() {
        gst::init().unwrap();
        let lines = [VideoCodec::H264, VideoCodec::H265, VideoCodec::Jpeg]
            .map(|codec| video(&spec(codec, 640, 360)))
            .into_iter()
            .chain(
                [AudioCodec::Aac, AudioCodec::Pcmu, AudioCodec::Pcma]
                    .map(|codec| audio(&AudioEncoder { codec, sample_rate: 8000, bitrate_kbps: 64 })),
            );
        for line in lines {
            let inner = line.trim_start_matches('(').trim_end_matches(')').to_owned();
            gst::parse::bin_from_description(&inner, false).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(line.contains("timestamp-offset=0"), "{line}");
        }
    }

    #[test]
    fn one_slice_per_picture_and_effort_by_profile_and_size() {
        let preset_of = |profile, width, height| {
            let line = encoder(&VideoEncoder { profile, ..spec(VideoCodec::H264, width, height) });
            assert!(line.contains("sliced-threads=false threads=1"), "{line}");
            line.split("speed-preset=").nth(1).unwrap().split(' ').next().unwrap().to_owned()
        };
        assert_eq!(preset_of(H264Profile::Baseline, 3840, 2160), "ultrafast");
        assert_eq!(preset_of(H264Profile::Baseline, 640, 360), "ultrafast");
        assert_eq!(preset_of(H264Profile::Main, 1280, 720), "superfast");
        assert_eq!(preset_of(H264Profile::Main, 640, 360), "veryfast");
    }
}
