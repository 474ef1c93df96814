//! Checks what the server asks for before a pipeline is built from it.

use std::collections::BTreeSet;

use belvedere_engine_control::{
    AudioCodec, AudioEncoder, Look, Media, PATTERN_LEAST, PATTERN_MOST, ServerHello, Source, TrackSpec, VideoCodec,
    VideoEncoder, pattern_is_tall_enough,
};

/// Checks the whole hello. The error is for the log and holds no secret.
pub fn check_hello(hello: &ServerHello) -> Result<(), String> {
    let secret = hello.secret.reveal();
    if secret.len() < 16 || !secret.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("the secret must be at least 16 letters and digits".into());
    }
    if let Source::Pattern { width, height, frame_rate } = &hello.source {
        check_size(*width, *height, PATTERN_LEAST, PATTERN_MOST)?;
        if !pattern_is_tall_enough(*width, *height) {
            return Err(format!("a pattern of {width}x{height} is too flat for the code row"));
        }
        if !(1..=60).contains(frame_rate) {
            return Err(format!("a pattern of {frame_rate} pictures per second: 1 to 60 are possible"));
        }
    }
    check_look(hello.look)?;
    let mut names = BTreeSet::new();
    for track in &hello.tracks {
        check_track(track, &hello.source)?;
        if !names.insert(track.name.as_str()) {
            return Err(format!("two tracks are called {}", track.name));
        }
    }
    Ok(())
}

/// Checks one track against its source.
pub fn check_track(track: &TrackSpec, source: &Source) -> Result<(), String> {
    let name = &track.name;
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
        return Err("a track's name must be 1 to 64 lower-case letters, digits and '-'".into());
    }
    let checked = match &track.media {
        Media::Video(encoder) => check_video(encoder),
        Media::Audio(encoder) => check_audio(encoder),
        Media::SourceVideo | Media::SourceAudio if matches!(source, Source::File { .. }) => Ok(()),
        Media::SourceVideo | Media::SourceAudio => Err("only a file can be offered as it is".into()),
    };
    checked.map_err(|reason| format!("track {name}: {reason}"))
}

fn check_size(width: u32, height: u32, least: (u32, u32), most: (u32, u32)) -> Result<(), String> {
    if !(least.0..=most.0).contains(&width) || !(least.1..=most.1).contains(&height) {
        return Err(format!("{width}x{height} is not between {}x{} and {}x{}", least.0, least.1, most.0, most.1));
    }
    if !width.is_multiple_of(2) || !height.is_multiple_of(2) {
        return Err(format!("{width}x{height}: width and height must be even"));
    }
    Ok(())
}

/// Checks the settings of a video encoder.
pub fn check_video(encoder: &VideoEncoder) -> Result<(), String> {
    let VideoEncoder { codec, width, height, frame_rate, bitrate_kbps, gop, quality, .. } = encoder;
    if !(1..=60).contains(frame_rate) {
        return Err(format!("frame rate {frame_rate} is not between 1 and 60"));
    }
    match codec {
        VideoCodec::Jpeg => {
            check_size(*width, *height, (16, 16), (2040, 2040))?;
            if !width.is_multiple_of(8) || !height.is_multiple_of(8) {
                return Err(format!("{width}x{height}: JPEG over RTP needs multiples of 8 (RFC 2435, section 3.1.5)"));
            }
            if !(1..=100).contains(quality) {
                return Err(format!("quality {quality} is not between 1 and 100"));
            }
        }
        VideoCodec::H264 | VideoCodec::H265 => {
            check_size(*width, *height, (64, 64), (7680, 4320))?;
            if !(1..=100_000).contains(bitrate_kbps) {
                return Err(format!("bit rate {bitrate_kbps} kbit/s is not between 1 and 100000"));
            }
            if !(1..=3600).contains(gop) {
                return Err(format!("a group of {gop} pictures is not between 1 and 3600"));
            }
        }
    }
    Ok(())
}

/// Checks a look.
pub fn check_look(look: Look) -> Result<(), String> {
    let Look { brightness, contrast, saturation } = look;
    match [brightness, contrast, saturation].iter().all(|value| (0.0..=100.0).contains(value)) {
        true => Ok(()),
        false => Err(format!("a look of {brightness}, {contrast}, {saturation} is not between 0 and 100")),
    }
}

/// Checks the settings of an audio encoder.
pub fn check_audio(encoder: &AudioEncoder) -> Result<(), String> {
    let AudioEncoder { codec, sample_rate, bitrate_kbps } = encoder;
    match codec {
        AudioCodec::Pcmu | AudioCodec::Pcma if *sample_rate != 8000 => {
            Err(format!("G.711 at {sample_rate} Hz: 8000 it is"))
        }
        AudioCodec::Aac if ![8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000].contains(sample_rate) => {
            Err(format!("AAC at {sample_rate} Hz is not possible"))
        }
        AudioCodec::Aac if !(8..=320).contains(bitrate_kbps) => {
            Err(format!("AAC at {bitrate_kbps} kbit/s is not possible"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use belvedere_engine_control::H264Profile;

    use super::*;

    fn jpeg(width: u32, height: u32) -> VideoEncoder {
        VideoEncoder {
            codec: VideoCodec::Jpeg,
            width,
            height,
            frame_rate: 15,
            bitrate_kbps: 0,
            gop: 0,
            profile: H264Profile::Main,
            quality: 75,
            label: String::new(),
        }
    }

    #[test]
    fn what_no_pipeline_can_make_is_refused_with_a_reason() {
        assert_eq!(check_video(&jpeg(640, 360)), Ok(()));
        assert!(check_video(&jpeg(3840, 2160)).unwrap_err().contains("2040"));
        assert!(check_video(&jpeg(644, 360)).unwrap_err().contains("multiples of 8"));
        let h264 = VideoEncoder { codec: VideoCodec::H264, ..jpeg(640, 360) };
        assert!(check_video(&h264).unwrap_err().contains("bit rate"));
        let g711 = AudioEncoder { codec: AudioCodec::Pcmu, sample_rate: 16000, bitrate_kbps: 0 };
        assert!(check_audio(&g711).is_err());
    }

    #[test]
    fn names_are_path_segments_and_files_alone_are_offered_as_they_are() {
        let track = |name: &str, media| TrackSpec { name: name.into(), media };
        assert!(check_track(&track("hi-def", Media::Video(jpeg(640, 360))), &Source::Upstream).is_ok());
        for name in ["", "a/b", "Ä", "A", "a b"] {
            assert!(check_track(&track(name, Media::Video(jpeg(640, 360))), &Source::Upstream).is_err(), "{name}");
        }
        assert!(check_track(&track("main", Media::SourceVideo), &Source::Upstream).is_err());
        assert!(check_track(&track("main", Media::SourceVideo), &Source::File { path: "/x".into() }).is_ok());
    }
}
