//! The tracks of the pattern as receivers see them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod common;

use belvedere_engine_control::*;
use common::rtsp::{Client, Packet};
use common::{Engine, Inner, assert_consecutive, audio_track, decode, pattern, probe, video, video_track};

/// The tracks that the server asks for by default, and the two other forms of JPEG and H.265.
fn tracks() -> Vec<TrackSpec> {
    vec![
        video_track("ultra-hd", video(VideoCodec::H264, 3840, 2160, 8000)),
        video_track("hi-def", video(VideoCodec::H264, 1280, 720, 2000)),
        video_track("standard", video(VideoCodec::H264, 640, 360, 500)),
        video_track("jpeg", video(VideoCodec::Jpeg, 640, 360, 0)),
        video_track("qvga", video(VideoCodec::Jpeg, 320, 240, 0)),
        video_track("h265", video(VideoCodec::H265, 640, 360, 500)),
        audio_track("aac", AudioCodec::Aac, 16000),
        audio_track("pcmu", AudioCodec::Pcmu, 8000),
    ]
}

#[test]
fn every_track_decodes_without_an_error_and_shows_its_code_row() {
    let engine = Engine::start(pattern(3840, 2160), tracks());
    let sizes: [(&str, (usize, usize), Option<Inner>); 6] = [
        ("ultra-hd", (3840, 2160), None),
        ("hi-def", (1280, 720), None),
        ("standard", (640, 360), None),
        ("jpeg", (640, 360), None),
        ("qvga", (320, 240), Some((0, 30, 320, 180))),
        ("h265", (640, 360), None),
    ];
    for (name, size, inner) in sizes {
        let decoded = decode(&engine.url(name), size, inner, 101);
        assert_eq!(decoded.errors, "", "{name}");
        assert_eq!(decoded.codes.len(), 101, "{name}");
        // A busy machine may drop pictures of this size before they are encoded; order and validity stay.
        let numbers: Vec<u32> = decoded.codes.iter().map(|code| code.expect("a code row").number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{name}: {numbers:?}");
    }
}

#[test]
fn pictures_are_numbered_without_a_gap_and_carry_the_time_of_their_number() {
    let engine = Engine::start(pattern(640, 360), vec![video_track("t", video(VideoCodec::H264, 640, 360, 500))]);
    let decoded = decode(&engine.url("t"), (640, 360), None, 60);
    assert_consecutive(&decoded.codes);
    for code in decoded.codes.iter().flatten() {
        let expected = engine.hello.base_utc_ns / 1_000_000 + u64::from(code.number) * 1000 / 15;
        assert!(code.utc_ms.abs_diff(expected) <= 1, "{code:?} {expected}");
    }
}

#[test]
fn ffprobe_sees_size_and_codec_at_once_for_two_readers() {
    let engine = Engine::start(pattern(1280, 720), tracks().split_off(1));
    let mut other = Client::play(&engine.url("standard"));
    other.units(2);
    assert_eq!(probe(&engine.url("standard")), ("h264".into(), 640, 360));
    assert_eq!(probe(&engine.url("h265")), ("hevc".into(), 640, 360));
    assert_eq!(probe(&engine.url("qvga")), ("mjpeg".into(), 320, 240));
    other.units(2);
}

/// Engine.md, section 7: sender reports map RTP time to the capture's UTC within 2 ms, on every track.
#[test]
fn sender_reports_agree_with_the_hello() {
    let engine = Engine::start(pattern(640, 360), tracks().split_off(2));
    for (name, clock) in
        [("standard", 90_000.0), ("jpeg", 90_000.0), ("h265", 90_000.0), ("aac", 16_000.0), ("pcmu", 8000.0)]
    {
        let mut client = Client::play(&engine.url(name));
        let mut seen = 0;
        while seen < 2 {
            if let Packet::SenderReport { utc, time } = client.packet() {
                let error = utc * 1e3 - engine.utc_ms(f64::from(time) / clock);
                eprintln!("{name}: sender report off by {error:.3} ms");
                assert!(error.abs() < 2.0, "{name}: {error} ms");
                seen += 1;
            }
        }
    }
}

#[test]
fn rtp_time_is_the_running_time_of_the_picture() {
    let engine = Engine::start(pattern(640, 360), vec![video_track("t", video(VideoCodec::H264, 640, 360, 500))]);
    for unit in Client::play(&engine.url("t")).units(10) {
        let number = f64::from(unit.time) / 6000.0;
        assert!((number - number.round()).abs() < 0.01, "{number} is a tick of 1/15 s");
    }
}
