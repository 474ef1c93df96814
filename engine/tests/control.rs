//! Commands on running tracks, seen in the stream (engine.md, section 4).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod common;

use belvedere_engine_control::*;
use common::rtsp::{Client, Unit};
use common::{Engine, audio_track, pattern, probe, probe_profile, video, video_track};

fn h264() -> VideoEncoder {
    VideoEncoder { gop: 300, ..video(VideoCodec::H264, 640, 360, 2000) }
}

fn start(encoder: VideoEncoder) -> (Engine, Client) {
    let engine = Engine::start(pattern(640, 360), vec![video_track("t", encoder)]);
    let mut client = Client::play(&engine.url("t"));
    assert!(client.units(5)[0].is_h264_key(), "a cold track starts with a key frame");
    (engine, client)
}

fn set(encoder: VideoEncoder) -> Command {
    Command::Set { id: 1, track: "t".into(), encoder }
}

/// Reads on until a picture fulfils a condition.
fn until(client: &mut Client, what: &str, is_it: impl Fn(&Unit) -> bool) -> Unit {
    (0..100).find_map(|_| client.units(1).pop().filter(&is_it)).unwrap_or_else(|| panic!("not seen: {what}"))
}

fn is_refused(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Refused { reason } if !reason.is_empty())
}

#[test]
fn a_key_frame_comes_on_demand_with_its_parameter_sets() {
    let (mut engine, mut client) = start(h264());
    assert!(!client.units(20).iter().any(Unit::is_h264_key));
    assert_eq!(engine.ask(&Command::Key { id: 2, track: "t".into() }), Outcome::AppliedAtKeyFrame);
    let key = until(&mut client, "a key frame", Unit::is_h264_key);
    assert!(key.h264_types().contains(&7) && key.h264_types().contains(&8), "{:?}", key.h264_types());
}

#[test]
fn the_bit_rate_follows() {
    let (mut engine, mut client) = start(h264());
    let mean = |units: &[Unit]| units.iter().map(Unit::bytes).sum::<usize>() / units.len();
    let before = mean(&client.units(45)[15..]);
    assert_eq!(engine.ask(&set(VideoEncoder { bitrate_kbps: 30, ..h264() })), Outcome::Applied);
    let after = client.units(75);
    assert!(!after.iter().any(Unit::is_h264_key), "no key frame is spent on it");
    let after = mean(&after[30..]);
    assert!(after * 2 < before, "{before} bytes a picture before, {after} after");
}

#[test]
fn the_size_follows_on_a_key_frame_and_no_picture_is_lost() {
    let (mut engine, mut client) = start(h264());
    let smaller = VideoEncoder { width: 320, height: 180, ..h264() };
    assert_eq!(engine.ask(&set(smaller)), Outcome::AppliedAtKeyFrame);
    let units = client.units(30);
    assert!(units.iter().any(|unit| unit.is_h264_key() && unit.h264_types().contains(&7)));
    assert!(units.windows(2).all(|pair| pair[1].time - pair[0].time <= 6001), "no gap");
    assert_eq!(probe(&engine.url("t")), ("h264".into(), 320, 180));
}

/// `profile_idc` of the last sequence parameter set, 66 for baseline and 77 for main (ITU-T H.264, section A.2).
fn profile_idc(units: &[Unit]) -> u8 {
    let mut nals = units.iter().flat_map(Unit::h264_nals);
    nals.rfind(|nal| nal[0] & 0x1F == 7).expect("a sequence parameter set")[1]
}

/// The server tells one profile of an encoder, whatever size it is set to and however.
#[test]
fn the_profile_is_the_one_that_was_asked_for_at_every_size() {
    for (profile, idc, name) in [(H264Profile::Baseline, 66, "Constrained Baseline"), (H264Profile::Main, 77, "Main")] {
        let spec = |width, height| VideoEncoder { width, height, profile, ..h264() };
        let mut engine = Engine::start(pattern(640, 360), vec![video_track("t", spec(640, 360))]);
        let mut client = Client::play(&engine.url("t"));
        assert_eq!(profile_idc(&client.units(3)), idc);
        for (width, height) in [(320, 180), (1280, 720), (1920, 1080)] {
            assert_eq!(engine.ask(&set(spec(width, height))), Outcome::AppliedAtKeyFrame);
            assert_eq!(profile_idc(&client.units(10)), idc, "{width}x{height}");
        }
        let swap = Command::Swap { id: 3, track: "t".into(), encoder: VideoEncoder { gop: 5, ..spec(320, 180) } };
        assert_eq!(engine.ask(&swap), Outcome::AppliedAtKeyFrame);
        assert_eq!(profile_idc(&client.units(10)), idc, "swapped");
        let other = if idc == 77 { H264Profile::Baseline } else { H264Profile::Main };
        assert!(is_refused(engine.ask(&set(VideoEncoder { profile: other, gop: 5, ..spec(320, 180) }))));
        client.teardown();
        engine.heartbeat(|beat| beat.running.is_empty());
        assert_eq!(probe_profile(&engine.url("t")), name, "a cold start at a size that was set");
    }
}

#[test]
fn the_frame_rate_follows() {
    let (mut engine, mut client) = start(h264());
    assert_eq!(engine.ask(&set(VideoEncoder { frame_rate: 5, ..h264() })), Outcome::AppliedAtKeyFrame);
    let units = client.units(20);
    let distances: Vec<u32> = units.windows(2).map(|pair| pair[1].time - pair[0].time).skip(10).collect();
    assert!(distances.iter().all(|distance| distance.abs_diff(18_000) <= 2), "{distances:?}");
}

#[test]
fn a_swap_changes_the_distance_of_key_frames_and_loses_no_picture() {
    let (mut engine, mut client) = start(h264());
    let swap = Command::Swap { id: 3, track: "t".into(), encoder: VideoEncoder { gop: 5, ..h264() } };
    assert_eq!(engine.ask(&swap), Outcome::AppliedAtKeyFrame);
    let units = client.units(60);
    assert!(units.windows(2).all(|pair| pair[1].time - pair[0].time <= 6001), "no gap");
    let keys: Vec<usize> = (20..60).filter(|n| units[*n].is_h264_key()).collect();
    assert!(keys.len() >= 7 && keys.windows(2).all(|pair| pair[1] - pair[0] == 5), "{keys:?}");
    // Once more: the handles lead to the new element.
    let swap = Command::Swap { id: 4, track: "t".into(), encoder: VideoEncoder { gop: 300, ..h264() } };
    assert_eq!(engine.ask(&swap), Outcome::AppliedAtKeyFrame);
    client.units(10);
    assert!(!client.units(20).iter().any(Unit::is_h264_key));
    engine.ask(&Command::Key { id: 5, track: "t".into() });
    until(&mut client, "a key frame of the swapped encoder", Unit::is_h264_key);
}

#[test]
fn a_relaunch_changes_the_codec_of_the_next_pull() {
    let (mut engine, client) = start(h264());
    let relaunch = Command::Relaunch { id: 6, track: video_track("t", video(VideoCodec::H265, 640, 360, 500)) };
    assert_eq!(engine.ask(&relaunch), Outcome::NeedsNewPull);
    client.teardown();
    engine.heartbeat(|beat| beat.running.is_empty());
    assert_eq!(probe(&engine.url("t")), ("hevc".into(), 640, 360));
    let back = Command::Relaunch { id: 7, track: video_track("t", video(VideoCodec::Jpeg, 640, 360, 0)) };
    engine.heartbeat(|beat| beat.running.is_empty());
    assert_eq!(engine.ask(&back), Outcome::Applied);
    assert_eq!(probe(&engine.url("t")), ("mjpeg".into(), 640, 360));
}

/// IDR_W_RADL or IDR_N_LP (19, 20): alone, in an aggregation packet or as the first fragment (RFC 7798, section 4.4).
fn is_h265_idr(payload: &[u8]) -> bool {
    let kind = |header: u8| header >> 1 & 0x3F;
    let is_idr = |kind: u8| matches!(kind, 19 | 20);
    match kind(payload[0]) {
        48 => {
            let mut rest = &payload[2..];
            while let [high, low, header, ..] = *rest {
                if is_idr(kind(header)) {
                    return true;
                }
                rest = rest.get(2 + usize::from(u16::from_be_bytes([high, low]))..).unwrap_or_default();
            }
            false
        }
        49 => payload[2] & 0x80 != 0 && is_idr(payload[2] & 0x3F),
        single => is_idr(single),
    }
}

#[test]
fn h265_too_takes_bit_rate_size_key_and_swap() {
    let encoder = video(VideoCodec::H265, 640, 360, 500);
    let mut engine = Engine::start(pattern(640, 360), vec![video_track("t", encoder.clone())]);
    let mut client = Client::play(&engine.url("t"));
    client.units(5);
    let smaller = VideoEncoder { width: 320, height: 180, bitrate_kbps: 200, ..encoder };
    assert_eq!(engine.ask(&set(smaller.clone())), Outcome::AppliedAtKeyFrame);
    client.units(10);
    let swap = Command::Swap { id: 3, track: "t".into(), encoder: VideoEncoder { gop: 300, ..smaller } };
    assert_eq!(engine.ask(&swap), Outcome::AppliedAtKeyFrame);
    client.units(30);
    let is_key = |unit: &Unit| unit.payloads.iter().any(|payload| is_h265_idr(payload));
    assert!(!client.units(15).iter().any(is_key));
    assert_eq!(engine.ask(&Command::Key { id: 4, track: "t".into() }), Outcome::AppliedAtKeyFrame);
    until(&mut client, "an IDR picture", is_key);
    assert_eq!(probe(&engine.url("t")), ("hevc".into(), 320, 180));
}

#[test]
fn a_change_of_a_track_that_does_not_run_is_kept_for_its_next_start() {
    let mut engine = Engine::start(pattern(640, 360), vec![video_track("t", h264())]);
    assert_eq!(engine.ask(&set(VideoEncoder { width: 320, height: 180, ..h264() })), Outcome::Applied);
    assert_eq!(probe(&engine.url("t")), ("h264".into(), 320, 180));
}

#[test]
fn what_is_not_of_the_command_s_kind_is_refused_and_changes_nothing() {
    let tracks = vec![video_track("t", h264()), audio_track("a", AudioCodec::Pcmu, 8000)];
    let mut engine = Engine::start(pattern(640, 360), tracks);
    let h265 = VideoEncoder { codec: VideoCodec::H265, ..h264() };
    let wrong = [
        set(VideoEncoder { gop: 5, ..h264() }),
        set(VideoEncoder { width: 321, ..h264() }),
        set(h265.clone()),
        Command::Swap { id: 1, track: "t".into(), encoder: h265 },
        Command::Set { id: 1, track: "nothing".into(), encoder: h264() },
        Command::Set { id: 1, track: "a".into(), encoder: h264() },
        Command::Key { id: 1, track: "t".into() },
        Command::Key { id: 1, track: "a".into() },
        Command::Relaunch { id: 1, track: audio_track("t", AudioCodec::Pcmu, 8000) },
        Command::Relaunch { id: 1, track: video_track("nothing", h264()) },
    ];
    for command in wrong {
        assert!(is_refused(engine.ask(&command)), "{command:?}");
    }
    assert_eq!(probe(&engine.url("t")), ("h264".into(), 640, 360));
}

/// The mean brightness of a picture of the track, 0 to 255.
fn mean_luma(engine: &Engine) -> f64 {
    let url = engine.url("t");
    let options = ["-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", &url, "-frames:v", "1"];
    let output = std::process::Command::new("ffmpeg")
        .args(options)
        .args(["-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .output()
        .unwrap();
    output.stdout.iter().map(|luma| f64::from(*luma)).sum::<f64>() / output.stdout.len().max(1) as f64
}

#[test]
fn the_look_of_running_and_of_later_pictures_changes() {
    let (mut engine, client) = start(VideoEncoder { gop: 1, ..h264() });
    let normal = mean_luma(&engine);
    let bright = Look { brightness: 80.0, ..Look::default() };
    assert_eq!(engine.ask(&Command::Look { id: 1, look: bright }), Outcome::Applied);
    let running = mean_luma(&engine);
    assert!(running > normal + 30.0, "{normal} before, {running} after");
    client.teardown();
    engine.heartbeat(|beat| beat.running.is_empty());
    let later = mean_luma(&engine);
    assert!((later - running).abs() < 10.0, "{running} while it ran, {later} anew");
    let impossible = Look { contrast: 101.0, ..Look::default() };
    assert!(is_refused(engine.ask(&Command::Look { id: 2, look: impossible })));
}
