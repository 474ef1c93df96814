//! Sources that arrive encoded: files, and cameras of another make. They are passed through as they are.

#![allow(clippy::print_stderr, reason = "figures for the person who runs the tests")]

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use belvedere_harness::code_row::Code;
use belvedere_harness::process::{self, signal};
use belvedere_harness::received::{Received, record, record_into};
use belvedere_harness::{Client, Options, Peer, Server, Transport, Turn, play};
use rustix::process::Signal;

/// The picture of all peers here.
const SIZE: (usize, usize) = (1280, 720);

fn server_with(source: &str) -> Result<Server> {
    Server::with_config(&format!("[[camera]]\nid = \"cam\"\nsource = \"{source}\"\ntranscode = false\n"))
}

/// Demands codec and size of `ultra-hd` as the source has them.
fn check_announced(server: &Server, codec: &str) -> Result<()> {
    let probe = play::probe(&server.url("ultra-hd")?, Transport::Tcp, 4)?;
    let video = &probe.streams[probe.only("video")?];
    ensure!(video["codec_name"] == codec && video["width"] == SIZE.0 && video["height"] == SIZE.1, "{video}");
    Ok(())
}

/// CPU of server and engines while one viewer watches for 10 s, as a share of a core.
fn share_of_a_core(server: &Server) -> Result<f64> {
    let mut client = Client::connect(&server.url("ultra-hd")?)?;
    let tracks = client.start(Transport::Tcp)?;
    record(&mut client, &tracks, Duration::from_secs(1))?;
    let spent = || -> Result<Duration> {
        let mut processes = server.engines()?;
        processes.push(server.pid());
        processes.into_iter().map(process::cpu_time).sum()
    };
    let (before, start) = (spent()?, Instant::now());
    let received = record(&mut client, &tracks, Duration::from_secs(10))?;
    let share = (spent()? - before).as_secs_f64() / start.elapsed().as_secs_f64();
    ensure!(received[0].units()?.len() > 130, "{} pictures in 10 s", received[0].units()?.len());
    Ok(share)
}

/// Plays a file in a loop: every picture comes, and after the last one the first.
fn play_file(make: &[&str], codec: &str, pictures_in_file: u32) -> Result<()> {
    let _turn = Turn::alone()?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("film.mp4");
    let path = path.to_str().context("path")?;
    Peer::run(&[&["make-file", "--out", path], make].concat())?;
    let server = server_with(&format!("file:{path}"))?;
    check_announced(&server, codec)?;
    for transport in [Transport::Tcp, Transport::Udp] {
        let codes = play::codes(&server.url("ultra-hd")?, transport, SIZE, 300)?;
        let numbers: Vec<u32> = codes.iter().map(|Code { frame, .. }| frame % pictures_in_file).collect();
        let jump = numbers.windows(2).find(|pair| pair[1] != (pair[0] + 1) % pictures_in_file);
        ensure!(jump.is_none(), "{transport:?}: {jump:?} in {numbers:?}");
        ensure!(codes.len() == 300, "{} pictures", codes.len());
    }
    let share = share_of_a_core(&server)?;
    eprintln!("file of {codec} passed through: {:.1} % of a core", 100.0 * share);
    ensure!(share < 0.05, "passing a file through takes {share} of a core");
    Ok(())
}

/// H.264 with B-frames and a key frame every 10 s, and AAC.
#[test]
fn a_file_with_b_frames_and_long_groups() -> Result<()> {
    play_file(&["--codec", "h264", "--bframes", "2", "--gop", "150", "--seconds", "12", "--audio", "aac"], "h264", 180)
}

#[test]
fn a_file_of_h265() -> Result<()> {
    play_file(&["--codec", "h265", "--gop", "30", "--seconds", "10"], "hevc", 150)
}

/// Key frames of open groups, as x265 makes them by default: all but the first are CRA pictures.
#[test]
fn a_file_of_h265_with_open_groups() -> Result<()> {
    play_file(&["--codec", "h265", "--gop", "30", "--bframes", "2", "--open-gop", "--seconds", "10"], "hevc", 150)
}

/// Pulls a camera of another make that wants Digest.
fn play_camera(make: &[&str], codec: &str) -> Result<()> {
    let _turn = Turn::alone()?;
    let peer = Peer::start(&[&["camera", "--digest", "joe:s3cret"], make].concat())?;
    let server = server_with(&with_user(peer.url()?))?;
    check_announced(&server, codec)?;
    for transport in [Transport::Tcp, Transport::Udp] {
        play::consecutive(&play::codes(&server.url("ultra-hd")?, transport, SIZE, 100)?).context(transport.name())?;
    }
    let share = share_of_a_core(&server)?;
    eprintln!("camera of {codec} passed through: {:.1} % of a core", 100.0 * share);
    ensure!(share < 0.05, "passing a camera through takes {share} of a core");
    ensure!(server.engines()?.is_empty(), "an engine runs though nothing is decoded");
    Ok(())
}

/// The camera's address with the credentials that the peers here are started with, once.
fn with_user(url: &str) -> String {
    if url.contains('@') { url.to_owned() } else { url.replacen("rtsp://", "rtsp://joe:s3cret@", 1) }
}

#[test]
fn a_camera_of_h264_with_aac() -> Result<()> {
    play_camera(&["--codec", "h264", "--audio", "aac"], "h264")
}

#[test]
fn a_camera_of_h265_with_g711() -> Result<()> {
    play_camera(&["--codec", "h265", "--audio", "pcmu"], "hevc")
}

/// A listener on one address that is not the loopback of engines: what they transcode they fetch elsewhere.
#[test]
fn a_listener_on_one_address_does_not_end_transcoding() -> Result<()> {
    let _turn = Turn::alone()?;
    let peer = Peer::start(&["camera", "--digest", "joe:s3cret"])?;
    let config = format!("[[camera]]\nid = \"cam\"\nsource = \"{}\"\ntranscode = true\n", with_user(peer.url()?));
    let options = Options { config: Some(config), rtsp: "127.0.0.2:0".to_owned(), ..Options::default() };
    let server = Server::start(&options)?;
    play::consecutive(&play::codes(&server.url("standard")?, Transport::Tcp, (640, 360), 30)?)
}

/// Nobody waits for sound that a camera or a file does not have.
#[test]
fn a_source_without_sound_is_described_at_once() -> Result<()> {
    let _turn = Turn::alone()?;
    let peer = Peer::start(&["camera", "--digest", "joe:s3cret"])?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("film.mp4");
    let path = path.to_str().context("path")?;
    Peer::run(&["make-file", "--out", path, "--seconds", "4"])?;
    for source in [with_user(peer.url()?), format!("file:{path}")] {
        let server =
            Server::with_config(&format!("[[camera]]\nid = \"cam\"\nsource = \"{source}\"\ntranscode = true\n"))?;
        // The engine and the source start with the first one.
        let mut client = Client::connect(&server.url("jpeg")?)?;
        let _ = client.describe();
        for definition in ["jpeg", "standard", "jpeg"] {
            let mut client = Client::connect(&server.url(definition)?)?;
            let start = Instant::now();
            let media = client.describe()?;
            let took = start.elapsed();
            eprintln!("DESCRIBE of {definition} without sound: {took:?}");
            ensure!(took < Duration::from_millis(1500), "{source}: DESCRIBE of {definition} took {took:?}");
            ensure!(media.len() == 1, "{} media", media.len());
        }
    }
    Ok(())
}

/// One pull however many viewers: the camera dies and comes back; nobody is disconnected, the numbering has no hole, the
/// time base none either.
#[test]
fn a_camera_that_dies_comes_back_to_its_viewers() -> Result<()> {
    let _turn = Turn::alone()?;
    let camera = ["camera", "--digest", "joe:s3cret"];
    let peer = Peer::start(&camera)?;
    let address = peer.url()?.to_owned();
    let port = address.rsplit(':').next().and_then(|rest| rest.split('/').next()).context("no port")?.to_owned();
    let server = server_with(&with_user(&address))?;
    thread::scope(|scope| {
        let viewers: Vec<_> = [Transport::Tcp, Transport::Udp, Transport::Tcp]
            .map(|transport| {
                let server = &server;
                scope.spawn(move || watch(server, transport).with_context(|| transport.name()))
            })
            .into_iter()
            .collect();
        thread::sleep(Duration::from_secs(4));
        signal(peer.pid(), Signal::KILL)?;
        drop(peer);
        thread::sleep(Duration::from_secs(2));
        let _back = Peer::start(&[&camera[..], &["--port", &port]].concat())?;
        viewers.into_iter().try_for_each(|viewer| viewer.join().map_err(|_| anyhow::anyhow!("panicked"))?)
    })
}

/// Watches for 16 s, in which the camera is away for 2 s.
fn watch(server: &Server, transport: Transport) -> Result<()> {
    let mut client = Client::connect(&server.url("ultra-hd")?)?;
    let tracks = client.start(transport)?;
    let mut received: Vec<Received> = tracks.iter().map(|track| Received::new(track.media.clone())).collect();
    let (mut seen, mut last, mut longest) = (0, Instant::now(), Duration::ZERO);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(16) {
        record_into(&mut client, &tracks, &mut received, Duration::from_millis(100))?;
        if received[0].packets.len() > seen {
            (seen, last) = (received[0].packets.len(), Instant::now());
        }
        longest = longest.max(last.elapsed());
    }
    ensure!(longest > Duration::from_secs(1), "the camera was not away");
    ensure!(longest < Duration::from_secs(2 + 5), "no picture for {longest:?}");
    let units = received[0].units()?;
    let steps = units.windows(2).map(|pair| pair[1].time.wrapping_sub(pair[0].time) as i32);
    let (least, most) = steps.fold((i32::MAX, 0), |(least, most), step| (least.min(step), most.max(step)));
    ensure!(least > 0, "RTP time goes back by {least}");
    ensure!(most < 8 * 90_000, "RTP time jumps by {most}");
    let away = f64::from(most) / 90_000.0;
    ensure!(
        (away - longest.as_secs_f64()).abs() < 1.5,
        "RTP time says {away} s without pictures, the clock {longest:?}"
    );
    Ok(())
}
