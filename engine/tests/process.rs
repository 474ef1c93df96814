//! The process and its lines: hello, heartbeat, bad input, the end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod common;

use std::io::Write;

use belvedere_engine_control::*;
use common::rtsp::Client;
use common::{Engine, PATIENCE, SECRET, exit_code, hello, pattern, spawn, video, video_track};

fn standard() -> Vec<TrackSpec> {
    vec![video_track("standard", video(VideoCodec::H264, 640, 360, 500))]
}

#[test]
fn the_end_of_standard_input_ends_the_engine_even_while_it_plays() {
    let engine = Engine::start(pattern(640, 360), standard());
    let mut client = Client::play(&engine.url("standard"));
    client.units(3);
    assert_eq!(engine.end(), 0);
}

#[test]
fn a_shutdown_ends_the_engine() {
    let mut engine = Engine::start(pattern(640, 360), standard());
    engine.send(&Command::Shutdown);
    assert_eq!(exit_code(&mut engine.child), 0);
}

#[test]
fn bad_lines_are_reported_and_survived() {
    let mut engine = Engine::start(pattern(640, 360), standard());
    let is_error = |event: &Event| matches!(event, Event::Error { fatal: false, .. });
    for line in [&b"rubbish\n"[..], b"{\"type\":\"dance\"}\n", b"\xFF\xFE\n", &[b'x'; 300_000], b"\n\n"] {
        engine.stdin.as_mut().unwrap().write_all(line).unwrap();
        if line.ends_with(b"\n") {
            engine.wait(is_error);
        }
    }
    let key = Command::Key { id: 9, track: "nothing".into() };
    assert!(matches!(engine.ask(&key), Outcome::Refused { .. }));
    engine.heartbeat(|_| true);
}

#[test]
fn a_server_of_another_version_is_refused() {
    let (mut child, mut stdin, events) = spawn();
    let Command::Hello(mut server) = hello(pattern(640, 360), standard()) else { unreachable!() };
    server.version = VERSION + 1;
    stdin.write_all(to_line(&Command::Hello(server)).as_bytes()).unwrap();
    assert!(matches!(events.recv_timeout(PATIENCE).unwrap(), Event::Error { fatal: true, .. }));
    assert_eq!(exit_code(&mut child), 2);
}

#[test]
fn what_cannot_be_done_is_said_and_the_secret_is_not() {
    let wrong = [
        hello(pattern(640, 361), standard()),
        hello(pattern(640, 360), vec![video_track("../x", video(VideoCodec::H264, 640, 360, 500))]),
        hello(pattern(640, 360), vec![video_track("jpeg", video(VideoCodec::Jpeg, 3840, 2160, 0))]),
        hello(Source::File { path: "/nonexistent.mp4".into() }, vec![]),
        Command::Shutdown,
    ];
    for command in wrong {
        let (mut child, mut stdin, events) = spawn();
        stdin.write_all(to_line(&command).as_bytes()).unwrap();
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Error { fatal: true, message, .. } => assert!(!message.contains(SECRET), "{message}"),
            other => panic!("{command:?}: {other:?}"),
        }
        assert_ne!(exit_code(&mut child), 0);
    }
}

#[test]
fn hello_names_the_tracks_and_both_clocks() {
    let engine = Engine::start(pattern(640, 360), standard());
    assert_eq!(engine.hello.version, VERSION);
    assert_eq!(engine.hello.tracks, ["standard"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    assert!(engine.hello.base_utc_ns < now && engine.hello.base_monotonic_ns > 0);
}

#[test]
fn paths_of_another_run_are_not_found() {
    let engine = Engine::start(pattern(640, 360), standard());
    let port = engine.hello.port;
    for path in ["standard", "ffffffffffffffffffffffffffffffff/standard", &format!("{SECRET}/other"), SECRET] {
        assert_eq!(Client::describe(&format!("rtsp://127.0.0.1:{port}/{path}")).err(), Some(404), "{path}");
    }
}

#[test]
fn encoders_and_capture_run_only_while_a_client_is_there() {
    let engine = Engine::start(pattern(640, 360), standard());
    assert_eq!(engine.heartbeat(|_| true).captured, 0);
    let mut client = Client::play(&engine.url("standard"));
    client.units(5);
    let beat = engine.heartbeat(|beat| beat.running == ["standard"]);
    assert!(beat.captured >= 4, "{beat:?}");
    client.teardown();
    let stopped = engine.heartbeat(|beat| beat.running.is_empty());
    // The picture under way when the last consumer left may still be counted.
    assert!(engine.heartbeat(|_| true).captured <= stopped.captured + 1);
    // A client that just hangs up counts as gone too.
    let mut client = Client::play(&engine.url("standard"));
    client.units(2);
    drop(client);
    engine.heartbeat(|beat| beat.running.is_empty());
}
