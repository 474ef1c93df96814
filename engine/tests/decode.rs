//! Transcoding from what another RTSP server sends; here that server is a second engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod common;

use belvedere_engine_control::*;
use common::rtsp::Client;
use common::{Engine, assert_consecutive, audio_track, decode, decode_units, pattern, probe, video, video_track};

fn upstream() -> Engine {
    let tracks =
        vec![video_track("main", video(VideoCodec::H264, 1280, 720, 2000)), audio_track("aac", AudioCodec::Aac, 16000)];
    Engine::start(pattern(1280, 720), tracks)
}

fn transcoder() -> Engine {
    let tracks = vec![
        video_track("small", video(VideoCodec::H264, 640, 360, 500)),
        video_track("qvga", VideoEncoder { frame_rate: 5, ..video(VideoCodec::Jpeg, 320, 240, 0) }),
        audio_track("pcmu", AudioCodec::Pcmu, 8000),
    ];
    Engine::start(Source::Upstream, tracks)
}

fn input(video: Option<String>, audio: Option<String>) -> Command {
    Command::Decode { id: 1, input: DecodeInput { video, audio, user: "u".into(), password: Secret::new("p") } }
}

#[test]
fn pictures_keep_their_order_and_their_capture_time() {
    let (from, mut to) = (upstream(), transcoder());
    assert_eq!(to.ask(&input(Some(from.url("main")), None)), Outcome::Applied);
    let units = Client::play(&to.url("small")).units(45);
    let decoded = decode_units(&units, (640, 360));
    assert_eq!(decoded.errors, "");
    assert_consecutive(&decoded.codes);
    // The first pictures may come before the first sender report and carry the time of their arrival.
    let errors: Vec<f64> = units
        .iter()
        .zip(&decoded.codes)
        .map(|(unit, code)| to.utc_ms(f64::from(unit.time) / 90_000.0) - code.unwrap().utc_ms as f64)
        .collect();
    eprintln!("RTP time against the code row's time, ms: {errors:.1?}");
    assert!(errors[20..].iter().all(|error| error.abs() < 2.0), "{errors:?}");
    assert!(units.is_sorted_by(|a, b| a.time < b.time));
}

#[test]
fn size_and_rate_are_the_target_s_and_the_aspect_ratio_is_kept() {
    let (from, mut to) = (upstream(), transcoder());
    to.ask(&input(Some(from.url("main")), Some(from.url("aac"))));
    let decoded = decode(&to.url("qvga"), (320, 240), Some((0, 30, 320, 180)), 15);
    assert_eq!(decoded.errors, "");
    let numbers: Vec<u32> = decoded.codes.iter().map(|code| code.expect("a code row").number).collect();
    assert!(numbers[5..].windows(2).all(|pair| pair[1] - pair[0] == 3), "5 of 15 pictures: {numbers:?}");
    let sound = Client::play(&to.url("pcmu")).units(20);
    assert!(sound.is_sorted_by(|a, b| a.time < b.time));
    // With its last reader the pull ends too.
    to.heartbeat(|beat| beat.running.is_empty());
    from.heartbeat(|beat| beat.running.is_empty());
}

#[test]
fn an_input_that_is_unknown_dead_or_foreign_does_not_hang() {
    let mut to = transcoder();
    assert_eq!(Client::describe(&to.url("small")).err(), Some(404));
    let foreign = to.ask(&input(Some("rtsp://192.0.2.1/x".into()), None));
    assert!(matches!(foreign, Outcome::Refused { .. }));
    to.ask(&input(Some("rtsp://127.0.0.1:1/x".into()), None));
    assert_eq!(Client::describe(&to.url("small")).err(), Some(503));
    to.wait(|event| matches!(event, Event::Error { fatal: false, track: None, .. }));
    let from = upstream();
    to.heartbeat(|beat| beat.running.is_empty());
    to.ask(&input(Some(from.url("main")), None));
    assert_eq!(probe(&to.url("small")), ("h264".into(), 640, 360));
    assert_eq!(Client::describe(&to.url("pcmu")).err(), Some(404), "no sound was named");
}

#[test]
fn a_source_with_its_own_pictures_refuses_an_input() {
    let mut from = upstream();
    let command = input(Some(from.url("main")), None);
    assert!(matches!(from.ask(&command), Outcome::Refused { .. }));
}
