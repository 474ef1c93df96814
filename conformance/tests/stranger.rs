//! The judge on a device that we did not write: IPyCam (PyPI `ipycam`), whose answers are text templates and whose RTSP is
//! its own. It has to come to an end with it, and to name what is wrong in words that help whoever wrote it.
//!
//! Root only: camera and judge are two hosts on a network of their own, so that the camera has its usual ports and nobody
//! else is found.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use belvedere_harness::{
    network::{self, HERE, Network},
    process::Running,
    schema,
    server::{PASSWORD, USER},
};
use serde_json::{Value, json};

/// What is wrong with the camera (version 1.3.0), as a person finds it in its source: the case that must tell, and a part of
/// what it must say.
const KNOWN: [(&str, &str, &str); 10] = [
    // GetCapabilities leaves out what the schema demands.
    ("DEVICE-1-1-3", "the official schemas allow", "Tag 'tt:RemoteDiscovery' expected"),
    // GetServices never tells capabilities, whatever it is asked.
    ("DEVICE-1-1-13", "Capabilities", "none"),
    // GetServiceCapabilities is answered by its PTZ service, whichever service was asked.
    ("DEVICE-1-1-18", "Capabilities with Network", "none"),
    ("MEDIA-8-1-1", "ProfileCapabilities", "none"),
    // Nothing can be restarted, and the fault is none of ONVIF.
    ("DEVICE-3-1-8", "a response", "fault env:Receiver (Action not supported:)"),
    // It has no scope for its place, and its ProbeMatch does not stand in ProbeMatches.
    ("DISCOVERY-1-1-3", "onvif://www.onvif.org/location/", "onvif://www.onvif.org/type/video_encoder"),
    ("DISCOVERY-1-1-4", "a ProbeMatch of the device", "none"),
    // Configurations are told without what the schema demands.
    ("MEDIA-2-2-6", "the official schemas allow", "Tag 'tt:UseCount' expected"),
    ("MEDIA-2-3-2", "the official schemas allow", "Tag 'tt:Multicast' expected"),
    // There is a stream for any profile, be there such a profile or not.
    ("MEDIA-7-1-4", "a fault env:Sender/ter:InvalidArgVal/ter:NoProfile", "GetStreamUriResponse"),
];

/// How long the judge may take.
const PATIENCE: Duration = Duration::from_secs(900);

#[test]
fn the_faults_of_a_camera_of_others_are_named() -> Result<()> {
    let Some(network) = Network::new()? else {
        say_skipped();
        return Ok(());
    };
    let directory = tempfile::tempdir()?;
    let camera = camera(&network, &directory)?;
    let report = directory.path().join("report.json");
    let mut judge = network::inside(&network.there, env!("CARGO_BIN_EXE_conformance"));
    judge.args(["--device", &format!("http://{HERE}:8080/onvif/device_service"), "--user", USER]);
    judge.env("CONFORMANCE_PASSWORD", PASSWORD).arg("--report").arg(&report);
    let start = Instant::now();
    let status = Running::start(&mut judge)?.wait(PATIENCE)?;
    // Its own exit code for "something failed": it got to the end, and was not interrupted.
    ensure!(status.code() == Some(1), "{status} after {:?}", start.elapsed());
    let report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let cases = report["cases"].as_array().context("no cases")?;
    ensure!(cases.len() == 484, "{} cases", cases.len());
    for case in cases {
        readable(case)?;
    }
    for (id, expected, seen) in KNOWN {
        let case = cases.iter().find(|case| case["id"] == id).context("no such case")?;
        let says = |what: &str, part: &str| case[what].as_str().is_some_and(|text| text.contains(part));
        ensure!(says("expected", expected) && says("seen", seen), "{id}: {}, {}", case["expected"], case["seen"]);
    }
    drop(camera);
    Ok(())
}

/// Starts the camera with a film of ours in a loop, and waits until it listens.
fn camera(network: &Network, directory: &tempfile::TempDir) -> Result<Running> {
    let film = directory.path().join("film.mp4");
    let pattern = ["-f", "lavfi", "-i", "testsrc=size=640x360:rate=10", "-t", "20", "-pix_fmt", "yuv420p"];
    let made = Command::new("ffmpeg").args(["-v", "error"]).args(pattern).arg(&film).status()?;
    ensure!(made.success(), "ffmpeg: {made}");
    let settings = json!({
        "local_ip": HERE, "username": USER, "password": PASSWORD, "hw_accel": "cpu",
        "main_width": 640, "main_height": 360, "main_fps": 10, "main_bitrate": "1M",
        "sub_width": 320, "sub_height": 180, "sub_fps": 10, "sub_bitrate": "512K",
    });
    std::fs::write(directory.path().join("camera.json"), settings.to_string())?;
    let mut command = network::inside(&network.here, schema::python()?);
    command.args(["-m", "ipycam", "--config", "camera.json", "--source", "film.mp4"]).current_dir(directory.path());
    let camera = Running::start(&mut command)?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while !answers(network)? {
        ensure!(Instant::now() < deadline, "no camera:\n{}", camera.stderr());
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(camera)
}

/// Whether somebody listens where the camera is to be.
fn answers(network: &Network) -> Result<bool> {
    let there = SocketAddr::new(HERE.parse::<Ipv4Addr>()?.into(), 8080);
    let mut curl = network::inside(&network.there, "curl");
    curl.args(["--silent", "--output", "/dev/null", "--max-time", "2", &format!("http://{there}/")]);
    Ok(curl.status()?.success())
}

/// A case that failed says at which step, what should have been and what was; nothing failed for a mistake of the judge's.
fn readable(case: &Value) -> Result<()> {
    let text = |name: &str| case[name].as_str().unwrap_or_default();
    if text("verdict") == "failed" {
        for part in ["step", "seen"] {
            ensure!(!text(part).is_empty(), "{} fails without its {part}: {case}", text("id"));
        }
        if text("seen").contains("the judge itself failed") || text("seen").len() > 2000 {
            bail!("{}: {}", text("id"), text("seen"));
        }
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests without root shall know what was not run")]
fn say_skipped() {
    eprintln!("the judge on a camera of others: skipped, it needs root (network namespaces)");
}
