//! The file source: as it is, looped, from the newest key frame on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::PathBuf;
use std::process::Command as Process;

use belvedere_engine_control::*;
use belvedere_peers::make_file::{self, Audio};
use belvedere_peers::{Codec, Picture};
use common::rtsp::{Client, Unit};
use common::{Engine, PATIENCE, decode_units, exit_code, hello, probe, spawn, track, video, video_track};

const RATE: u32 = 15;

/// Writes a file of the pattern into a directory that lives as long as the test.
fn file(codec: Codec, seconds: u32, gop: u32, audio: Audio) -> (tempfile::TempDir, PathBuf) {
    gst::init().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("test.mp4");
    let picture = Picture { codec, width: 640, height: 360, fps: RATE, gop, open_gop: false, bitrate: 500 };
    make_file::run(&make_file::Options { picture, bframes: 2, seconds, noise: false, audio, out: out.clone() })
        .unwrap();
    (directory, out)
}

fn source(path: &std::path::Path) -> Source {
    Source::File { path: path.to_str().unwrap().into() }
}

fn as_it_is() -> Vec<TrackSpec> {
    vec![track("main", Media::SourceVideo), track("sound", Media::SourceAudio)]
}

#[test]
fn two_loops_of_a_file_have_no_gap_and_no_time_goes_back() {
    let (_directory, path) = file(Codec::H264, 4, 20, Audio::Aac);
    let engine = Engine::start(source(&path), as_it_is());
    let units = Client::play(&engine.url("main")).units(4 * RATE as usize + 40);
    assert!(units[0].is_h264_key());
    // In order of presentation every picture stands one interval after the last one, over the loop too.
    let mut times: Vec<u32> = units.iter().map(|unit| unit.time).collect();
    let decode_order = times.clone();
    times.sort_unstable();
    assert_ne!(times, decode_order, "the file has B-frames");
    // The last pictures may wait for others before them.
    for pair in times[..times.len() - 4].windows(2) {
        assert!((pair[1] - pair[0]).abs_diff(90_000 / RATE) <= 2, "{pair:?}");
    }
    let decoded = decode_units(&units, (640, 360));
    assert_eq!(decoded.errors, "");
    let numbers: Vec<u32> = decoded.codes.iter().map(|code| code.expect("a code row").number).collect();
    for pair in numbers[..numbers.len() - 4].windows(2) {
        assert_eq!(pair[1], (pair[0] + 1) % (4 * RATE), "{numbers:?}");
    }
    // RTP time is the file's time on the running-time line.
    // A third of a second is no whole number of nanoseconds, so the nearest picture is meant.
    let picture = 90_000 / RATE;
    let first = (times[0] + picture / 2) / picture;
    assert_eq!(first % (4 * RATE), numbers[0]);
}

#[test]
fn pictures_pass_byte_for_byte() {
    let (_directory, path) = file(Codec::H264, 4, 60, Audio::None);
    let engine = Engine::start(source(&path), as_it_is());
    let units = Client::play(&engine.url("main")).units(4 * RATE as usize + 10);
    let annex_b = Process::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i", path.to_str().unwrap(), "-c", "copy", "-bsf:v", "h264_mp4toannexb"])
        .args(["-f", "h264", "-"])
        .output()
        .unwrap()
        .stdout;
    let slices = |nals: Vec<Vec<u8>>| nals.into_iter().filter(|nal| matches!(nal[0] & 0x1F, 1 | 5)).collect::<Vec<_>>();
    let expected = slices(split_annex_b(&annex_b));
    assert_eq!(expected.len(), 4 * RATE as usize);
    let got = slices(units.iter().flat_map(Unit::h264_nals).collect());
    let start = expected.iter().position(|nal| *nal == got[0]).expect("the first picture is one of the file's");
    for (got, expected) in got.iter().zip(expected.iter().cycle().skip(start)) {
        assert!(got == expected, "a picture was changed");
    }
}

fn split_annex_b(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut nals: Vec<Vec<u8>> = Vec::new();
    let mut rest = stream;
    while let Some((first, tail)) = rest.split_first() {
        if rest.starts_with(&[0, 0, 1]) {
            nals.push(Vec::new());
            rest = &rest[3..];
            continue;
        }
        if let Some(nal) = nals.last_mut() {
            nal.push(*first);
        }
        rest = tail;
    }
    // The zero in front of a four-byte start code belongs to no NAL unit.
    nals.iter_mut().for_each(|nal| nal.truncate(nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)));
    nals
}

#[test]
fn a_joiner_of_a_long_group_gets_its_key_frame_at_once_with_its_old_time() {
    let (_directory, path) = file(Codec::H264, 20, 300, Audio::None);
    let engine = Engine::start(source(&path), as_it_is());
    // Two pulls, one after the other: each gets the group that is under way.
    for _ in 0..2 {
        let units = Client::play(&engine.url("main")).units(5);
        assert!(units[0].is_h264_key());
        assert_eq!(units[0].time % (20 * 90_000), 0, "the only key frame stands at the start of the file");
    }
}

#[test]
fn h265_and_aac_play_and_a_file_without_sound_has_no_such_track() {
    let (_directory, path) = file(Codec::H265, 3, 15, Audio::Aac);
    let engine = Engine::start(source(&path), as_it_is());
    assert_eq!(probe(&engine.url("main")), ("hevc".into(), 640, 360));
    assert_eq!(probe(&engine.url("sound")).0, "aac");
    let sound = Client::play(&engine.url("sound")).units(150);
    assert!(sound.is_sorted_by(|a, b| a.time < b.time), "over three loops");
    let (_directory, path) = file(Codec::H265, 3, 15, Audio::None);
    let engine = Engine::start(source(&path), as_it_is());
    assert_eq!(engine.hello.tracks, ["main"]);
    assert_eq!(Client::describe(&engine.url("sound")).err(), Some(404));
}

#[test]
fn without_a_decode_input_a_transcoded_track_is_not_found_and_a_key_is_refused() {
    let (_directory, path) = file(Codec::H264, 3, 15, Audio::None);
    let mut tracks = as_it_is();
    tracks.push(video_track("small", video(VideoCodec::H264, 320, 180, 200)));
    let mut engine = Engine::start(source(&path), tracks);
    assert_eq!(Client::describe(&engine.url("small")).err(), Some(404));
    assert!(matches!(engine.ask(&Command::Key { id: 1, track: "main".into() }), Outcome::Refused { .. }));
}

#[test]
fn a_file_that_cannot_be_offered_is_a_clear_fatal_error() {
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str, arguments: &[&str]| {
        let path = directory.path().join(name);
        let status = Process::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"])
            .args(arguments)
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success());
        path
    };
    let text = directory.path().join("text.mp4");
    std::fs::write(&text, "no film at all").unwrap();
    let broken = directory.path().join("broken.mp4");
    std::fs::write(&broken, b"\0\0\0\x18ftypisom\0\0\0\0isomiso2 and then nothing").unwrap();
    let cases = [
        (text, "neither MP4 nor Matroska"),
        (broken, "cannot be read"),
        (directory.path().join("missing.mp4"), "cannot be read"),
        (make("mpeg4.mp4", &["testsrc=s=320x180:r=10:d=1", "-c:v", "mpeg4"]), "cannot be offered"),
        (make("sound.mp4", &["sine=d=1", "-c:a", "aac"]), "no video"),
    ];
    for (path, reason) in cases {
        let (mut child, mut stdin, events) = spawn();
        let line = to_line(&hello(source(&path), as_it_is()));
        std::io::Write::write_all(&mut stdin, line.as_bytes()).unwrap();
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Error { fatal: true, message, .. } => assert!(message.contains(reason), "{path:?}: {message}"),
            other => panic!("{path:?}: {other:?}"),
        }
        assert_eq!(exit_code(&mut child), 1, "{path:?}");
    }
}
