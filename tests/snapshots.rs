//! Snapshots by HTTP (SN-1, SN-2): young, from whatever stream there is, and no older picture when there is none.

#![allow(clippy::print_stderr, reason = "figures for the person who runs the tests")]

use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use belvedere_harness::code_row::Code;
use belvedere_harness::http;
use belvedere_harness::process::{signal, until};
use belvedere_harness::proxy::Message;
use belvedere_harness::received::record;
use belvedere_harness::server::{PASSWORD, USER};
use belvedere_harness::{Client, Peer, Server, Transport, Turn, play};
use rustix::process::Signal;

const PATH: &str = "/snapshot/cam/ultra-hd";
/// A second and a frame at 15 pictures per second.
const MOST_AGE: Duration = Duration::from_millis(1067);
/// A camera of another make that sends a key frame every ten seconds.
const CAMERA: [&str; 5] = ["camera", "--digest", "joe:s3cret", "--gop", "150"];

/// The camera passed through; what nobody wants stops after a second.
fn server_for(peer: &Peer) -> Result<Server> {
    let source = peer.url()?.replacen("rtsp://", "rtsp://joe:s3cret@", 1);
    Server::with_config(&format!(
        "[limits]\nlinger = 1\n[[camera]]\nid = \"cam\"\nsource = \"{source}\"\ntranscode = false\n"
    ))
}

fn snapshot(server: &Server) -> Result<Message> {
    http::get_as(&server.http()?, PATH, (USER, PASSWORD))
}

/// Demands a picture and reads its code row.
fn code(server: &Server, answer: &Message) -> Result<Code> {
    ensure!(answer.status() == Some(200), "{:?} instead of a picture; log:\n{}", answer.status(), server.log());
    ensure!(answer.header("content-type") == Some("image/jpeg"), "{:?}", answer.headers);
    let path = server.directory().join("snapshot.jpg");
    fs::write(&path, &answer.body)?;
    let codes = play::codes_of_file(path.to_str().context("path")?)?;
    ensure!(codes.len() == 1, "{} pictures", codes.len());
    Ok(codes[0])
}

/// Demands a picture and gives its age at the moment at which the answer was there.
fn age(server: &Server) -> Result<Duration> {
    let answer = snapshot(server)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(now.saturating_sub(Duration::from_millis(code(server, &answer)?.utc_ms)))
}

/// Looks again and again for so long; gives the greatest age.
fn oldest(server: &Server, time: Duration) -> Result<Duration> {
    let (begin, mut oldest) = (Instant::now(), Duration::ZERO);
    while begin.elapsed() < time {
        let age = age(server)?;
        ensure!(
            age <= MOST_AGE,
            "a picture of {age:?} ago, {:?} after the first; log:\n{}",
            begin.elapsed(),
            server.log()
        );
        oldest = oldest.max(age);
        thread::sleep(Duration::from_millis(130));
    }
    Ok(oldest)
}

fn engine_is_gone(server: &Server) -> Result<()> {
    until(Duration::from_secs(5), "the engine ends when nobody wants a snapshot", || Ok(server.engines()?.is_empty()))
}

/// From the first look, which starts source and engine, to the last, after which the engine goes; and with a viewer beside,
/// who has let the key frame become old before anybody asks for a snapshot.
fn look_at(codec: &str) -> Result<()> {
    let _turn = Turn::alone()?;
    let peer = Peer::start(&[&CAMERA[..], &["--codec", codec]].concat())?;
    let server = server_for(&peer)?;
    ensure!(server.engines()?.is_empty(), "an engine runs though nobody looks");
    let begin = Instant::now();
    let first = age(&server)?;
    eprintln!("{codec}: the first snapshot took {:?} and is of {first:?} ago", begin.elapsed());
    ensure!(first <= MOST_AGE, "the first snapshot is of {first:?} ago");
    ensure!(server.engines()?.len() == 1, "one engine decodes");
    engine_is_gone(&server)?;

    let mut viewer = Client::connect(&server.url("ultra-hd")?)?;
    let tracks = viewer.start(Transport::Tcp)?;
    record(&mut viewer, &tracks, Duration::from_secs(7))?;
    ensure!(server.engines()?.is_empty(), "an engine runs for who only watches");
    let begin = Instant::now();
    let late = age(&server)?;
    eprintln!("{codec}: 7 s behind a key frame a snapshot took {:?} and is of {late:?} ago", begin.elapsed());
    ensure!(late <= MOST_AGE, "the key frame instead of the newest picture: {late:?}");
    // Over the next key frame and the one after it.
    let oldest = oldest(&server, Duration::from_secs(15))?;
    eprintln!("{codec}: the oldest of many is of {oldest:?} ago");
    drop(viewer);
    engine_is_gone(&server)
}

#[test]
fn snapshots_of_a_camera_of_h264_with_long_groups() -> Result<()> {
    look_at("h264")
}

#[test]
fn snapshots_of_a_camera_of_h265_with_long_groups() -> Result<()> {
    look_at("h265")
}

/// Width and height in a JPEG file: of the first frame header, which has no other code before it that looks like one.
fn size(jpeg: &[u8]) -> Option<(u16, u16)> {
    let header = jpeg.windows(9).find(|bytes| bytes[..2] == [0xff, 0xc0])?;
    let side = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    Some((side(7), side(5)))
}

/// A snapshot has the shape of its source as soon as that was seen.
#[test]
fn a_snapshot_has_the_shape_of_its_source() -> Result<()> {
    let _turn = Turn::alone()?;
    let peer = Peer::start(&[&CAMERA[..], &["--width", "1280", "--height", "960"]].concat())?;
    let server = server_for(&peer)?;
    until(Duration::from_secs(15), "a snapshot of 4:3", || Ok(size(&snapshot(&server)?.body) == Some((640, 480))))
}

/// A camera that hangs and keeps its connection: what it sends when it goes on is old.
#[test]
fn a_camera_that_hangs_has_no_snapshot() -> Result<()> {
    let _turn = Turn::alone()?;
    let peer = Peer::start(&CAMERA)?;
    let server = server_for(&peer)?;
    ensure!(age(&server)? <= MOST_AGE, "an old picture");
    signal(peer.pid(), Signal::STOP)?;
    thread::sleep(MOST_AGE);
    let begin = Instant::now();
    let answer = snapshot(&server)?;
    let took = begin.elapsed();
    signal(peer.pid(), Signal::CONT)?;
    ensure!(answer.status() == Some(503), "{:?} though the camera hangs", answer.status());
    eprintln!("503 of a camera that hangs took {took:?}");
    let begin = Instant::now();
    until(Duration::from_secs(15), "a picture again", || Ok(snapshot(&server)?.status() == Some(200)))?;
    eprintln!("a picture {:?} after the camera went on", begin.elapsed());
    oldest(&server, Duration::from_secs(3)).map(drop)
}

/// Of a camera with two streams the smaller one is decoded, and the larger one is left alone.
#[test]
fn the_second_stream_is_enough_for_a_snapshot() -> Result<()> {
    let _turn = Turn::alone()?;
    let main = Peer::start(&CAMERA)?;
    let second = Peer::start(&[&CAMERA[..], &["--width", "640", "--height", "360"]].concat())?;
    let [main, second] =
        [&main, &second].map(|peer| peer.url().map(|url| url.replacen("rtsp://", "rtsp://joe:s3cret@", 1)));
    let (main, second) = (main?, second?);
    let server =
        Server::with_config(&format!("[[camera]]\nid = \"cam\"\nsource = \"{main}\"\nsecond = \"{second}\"\n"))?;
    ensure!(age(&server)? <= MOST_AGE, "an old picture");
    let host = |url: &str| url.rsplit('@').next().and_then(|rest| rest.split('/').next()).map(str::to_owned);
    let [main, second] = [host(&main), host(&second)].map(|host| host.context("no host"));
    let connections = |host: &str| {
        let log = server.log();
        log.lines().filter(|line| line.contains("connecting to the upstream") && line.contains(host)).count()
    };
    let (main, second) = (connections(&main?), connections(&second?));
    ensure!((main, second) == (0, 1), "{main} pulls of the main stream, {second} of the second");
    Ok(())
}

/// A camera that dies: no old picture for long, and a new one when it is back.
#[test]
fn a_camera_that_is_away_has_no_snapshot() -> Result<()> {
    let _turn = Turn::alone()?;
    let peer = Peer::start(&CAMERA)?;
    let port = peer.url()?.rsplit(':').next().and_then(|rest| rest.split('/').next()).context("no port")?.to_owned();
    let server = server_for(&peer)?;
    ensure!(age(&server)? <= MOST_AGE, "an old picture");
    signal(peer.pid(), Signal::KILL)?;
    drop(peer);
    thread::sleep(MOST_AGE);
    for times in 1..=2 {
        let begin = Instant::now();
        let answer = snapshot(&server)?;
        ensure!(answer.status() == Some(503), "{:?} though the camera is away", answer.status());
        ensure!(answer.header("retry-after").is_some(), "{:?}", answer.headers);
        let took = begin.elapsed();
        eprintln!("503 number {times} took {took:?}");
        ensure!(took < Duration::from_secs(4), "a client was kept for {took:?}");
    }
    let _back = Peer::start(&[&CAMERA[..], &["--port", &port]].concat())?;
    let begin = Instant::now();
    until(Duration::from_secs(10), "a picture again", || Ok(snapshot(&server)?.status() == Some(200)))?;
    eprintln!("a picture {:?} after the camera came back", begin.elapsed());
    oldest(&server, Duration::from_secs(2)).map(drop)
}

/// A file that is passed through has snapshots, too.
#[test]
fn a_file_that_is_not_transcoded_has_a_snapshot() -> Result<()> {
    let _turn = Turn::alone()?;
    let directory = tempfile::tempdir()?;
    let film = directory.path().join("film.mp4");
    let film = film.to_str().context("path")?;
    Peer::run(&["make-file", "--out", film, "--seconds", "4"])?;
    let config = format!("[[camera]]\nid = \"cam\"\nsource = \"file:{film}\"\ntranscode = false\n");
    let server = Server::with_config(&config)?;
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.push(code(&server, &snapshot(&server)?)?.frame);
        thread::sleep(Duration::from_millis(1100));
    }
    // Four seconds of fifteen pictures, looped.
    let steps: Vec<u32> = numbers.windows(2).map(|pair| (pair[1] + 60 - pair[0]) % 60).collect();
    ensure!(steps.iter().all(|step| (8..=30).contains(step)), "{numbers:?} do not go on with the time");
    Ok(())
}

/// SN-1: Digest, and who may not look hears nothing else.
#[test]
fn who_is_nobody_gets_no_snapshot() -> Result<()> {
    let _turn = Turn::shared()?;
    let server = Server::with_config("[[camera]]\nid = \"cam\"\nsource = \"rtsp://127.0.0.1:9/none\"\n")?;
    let nobody = http::get(&server.http()?, PATH)?;
    ensure!(nobody.status() == Some(401) && nobody.body.is_empty(), "{nobody:?}");
    ensure!(
        nobody.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate")).count() == 2,
        "{nobody:?}"
    );
    let wrong = http::get_as(&server.http()?, PATH, (USER, "wrong"))?;
    ensure!(wrong.status() == Some(401), "{wrong:?}");
    let unknown = http::get_as(&server.http()?, "/snapshot/cam/none", (USER, PASSWORD))?;
    ensure!(unknown.status() == Some(404), "{unknown:?}");
    ensure!(server.engines()?.is_empty(), "an engine was started for who may not look");
    Ok(())
}
