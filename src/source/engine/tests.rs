//! When an engine runs. The engine here is a script that greets, beats and notes when it starts and ends.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::*;
use crate::{
    base::clock::SystemClock,
    camera::{CameraSettings, Change, ChangeError, JpegEncoder, SourceKind, VideoChange, VideoCodec, VideoEncoder},
    hub::RingLimits,
};

const LINGER: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(5);

/// Writes the script. Its port is one at which nobody answers: there are no pictures in these stories.
fn engine(directory: &Path) -> PathBuf {
    let (program, journal) = (directory.join("engine"), directory.join("journal"));
    let script = format!(
        r#"#!/bin/sh
journal={}
read -r hello
echo start >> $journal
echo '{{"type":"hello","version":{},"base_monotonic_ns":0,"base_utc_ns":0,"port":9,"tracks":["snapshot"]}}'
while sleep 0.2; do echo '{{"type":"heartbeat","lateness_us":0,"dropped":0,"captured":0,"running":[]}}'; done &
beat=$!
while read -r line; do
    case $line in *shutdown*) echo shutdown >> $journal; break ;; esac
done
kill $beat
"#,
        journal.display(),
        belvedere_engine_control::VERSION,
    );
    write_program(&program, &script);
    program
}

/// An engine that dies of the first command that any of its runs gets, and does all that comes after.
fn fragile_engine(directory: &Path) -> PathBuf {
    let (program, journal) = (directory.join("engine"), directory.join("journal"));
    let script = format!(
        r#"#!/bin/sh
journal={}
read -r hello
echo '{{"type":"hello","version":{},"base_monotonic_ns":0,"base_utc_ns":0,"port":9,"tracks":["hi-def"]}}'
read -r line
[ -e $journal ] || {{ echo died > $journal; exit 3; }}
echo '{{"type":"answer","id":1,"outcome":{{"result":"applied"}}}}'
read -r line
"#,
        journal.display(),
        belvedere_engine_control::VERSION,
    );
    write_program(&program, &script);
    program
}

fn write_program(program: &Path, script: &str) {
    fs::write(program, script).unwrap();
    fs::set_permissions(program, fs::Permissions::from_mode(0o700)).unwrap();
}

fn journal(directory: &Path) -> String {
    fs::read_to_string(directory.join("journal")).unwrap_or_default().replace('\n', " ")
}

/// A camera without transcoding.
fn camera(source: SourceKind) -> Arc<Camera> {
    let encoder = |width, height| VideoEncoder {
        codec: VideoCodec::H264,
        width,
        height,
        frame_rate: 15,
        bitrate_kbps: 500,
        gop: 30,
    };
    Arc::new(Camera::new(CameraSettings {
        id: "cam".into(),
        name: "Camera".into(),
        source,
        ultra_hd: encoder(3840, 2160),
        hi_def: encoder(1280, 720),
        standard: encoder(640, 360),
        jpeg: JpegEncoder { width: 640, height: 360, frame_rate: 15, quality: 75 },
        aac: None,
        pcmu: None,
        ring: RingLimits::default(),
    }))
}

const PASSED_THROUGH: SourceKind = SourceKind::Encoded { second: true, transcode: false };

fn feed(camera: &Arc<Camera>, program: PathBuf, source: EngineSource) -> EngineFeed {
    let settings = EngineSettings { program, source, decode: None, linger: LINGER };
    EngineFeed::new(Arc::clone(camera), settings, Arc::new(SystemClock))
}

async fn becomes(runs: &mut watch::Receiver<Option<Run>>, running: bool) {
    let changed = tokio::time::timeout(LONG, runs.wait_for(|run| run.is_some() == running)).await;
    assert!(changed.expect("in time").is_ok(), "the feed lives");
}

#[tokio::test]
async fn an_engine_that_only_decodes_runs_while_it_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let camera = camera(PASSED_THROUGH);
    let feed = feed(&camera, engine(directory.path()), EngineSource::Upstream);
    let mut runs = feed.runs.subscribe();
    let running = tokio::spawn(feed.run());
    let through = camera.track("ultra-hd").unwrap().lease();
    tokio::time::sleep(2 * LINGER).await;
    assert_eq!(journal(directory.path()), "", "what is passed through needs no engine");
    for times in 1..=2 {
        let snapshot = camera.snapshot_track().unwrap().lease();
        becomes(&mut runs, true).await;
        tokio::time::sleep(2 * LINGER).await;
        assert!(runs.borrow().is_some(), "wanted all the time");
        drop(snapshot);
        tokio::time::sleep(LINGER / 2).await;
        assert!(runs.borrow().is_some(), "it lingers");
        becomes(&mut runs, false).await;
        tokio::time::sleep(LINGER).await;
        assert_eq!(journal(directory.path()), "start shutdown ".repeat(times));
    }
    let state = camera.snapshot_track().unwrap().source_state();
    assert_eq!(*state.borrow(), SourceState::Idle, "no loss that people need hear of");
    drop(through);
    running.abort();
}

#[tokio::test]
async fn an_engine_that_captures_runs_all_the_time() {
    let directory = tempfile::tempdir().unwrap();
    let camera = camera(SourceKind::Captured);
    let feed = feed(&camera, engine(directory.path()), EngineSource::Pattern);
    let mut runs = feed.runs.subscribe();
    let running = tokio::spawn(feed.run());
    becomes(&mut runs, true).await;
    tokio::time::sleep(3 * LINGER).await;
    assert!(runs.borrow().is_some());
    assert_eq!(journal(directory.path()), "start ");
    running.abort();
}

#[tokio::test]
async fn settings_change_at_once_while_the_engine_rests() {
    let directory = tempfile::tempdir().unwrap();
    let camera = camera(PASSED_THROUGH);
    let feed = feed(&camera, engine(directory.path()), EngineSource::Upstream);
    let control = feed.control();
    let mut runs = feed.runs.subscribe();
    let running = tokio::spawn(feed.run());
    let change = crate::camera::SourceChange::Imaging(crate::camera::Imaging::default());
    assert_eq!(control.apply(&change).await, Ok(()), "it will be greeted with them");
    let lease = camera.snapshot_track().unwrap().lease();
    becomes(&mut runs, true).await;
    drop(lease);
    // This engine answers nothing; that it ends is an answer.
    let applied = tokio::time::timeout(Duration::from_secs(2), control.apply(&change)).await;
    assert_eq!(applied.expect("long before the patience with an engine that runs"), Ok(()));
    running.abort();
}

#[tokio::test]
async fn a_change_that_an_engine_dies_of_is_refused_at_once_and_may_be_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let camera = camera(SourceKind::Captured);
    let feed = feed(&camera, fragile_engine(directory.path()), EngineSource::Pattern);
    camera.controlled_by(feed.control());
    let mut runs = feed.runs.subscribe();
    let running = tokio::spawn(feed.run());
    let change = VideoChange {
        codec: Some(VideoCodec::H264),
        size: (1280, 720),
        frame_rate: None,
        bitrate_kbps: Some(900),
        gop: None,
        quality: None,
    };
    let change = Change::VideoEncoder { token: "hi-def".into(), name: "Hi-Def".into(), change };
    let principal = crate::auth::principal_for_tests("admin");
    becomes(&mut runs, true).await;
    let before = camera.settings();
    let refused = tokio::time::timeout(Duration::from_secs(1), camera.change(change.clone(), &principal)).await;
    let refused = refused.expect("long before the patience with an engine that runs");
    assert!(matches!(refused, Err(ChangeError::Refused(_))), "{refused:?}");
    assert_eq!((journal(directory.path()).as_str(), camera.settings()), ("died ", before), "it may be to blame");
    becomes(&mut runs, true).await;
    let after = camera.change(change, &principal).await.unwrap();
    assert_eq!(camera.settings(), after);
    running.abort();
}

#[test]
fn snapshots_are_decoded_from_the_smaller_stream() {
    let addressed = |source| {
        let camera = camera(source);
        camera.decoded_track().map(|track| track.name().to_owned())
    };
    let encoded = |second, transcode| addressed(SourceKind::Encoded { second, transcode }).unwrap();
    assert_eq!(encoded(true, false), "standard");
    assert_eq!(encoded(false, false), "ultra-hd");
    assert_eq!(encoded(true, true), "ultra-hd", "other definitions are made of the whole picture");
    assert_eq!(addressed(SourceKind::Captured), None);
}
