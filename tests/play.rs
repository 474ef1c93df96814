//! Acceptance: every definition of the test pattern, with ffmpeg and a raw client, over TCP and UDP.

#![allow(clippy::print_stderr, reason = "figures for the person who runs the tests")]

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use belvedere_harness::received::{Received, record};
use belvedere_harness::{Client, Server, Transport, Turn, play, process};

struct Definition {
    name: &'static str,
    codec: &'static str,
    size: (usize, usize),
    audio: &'static str,
}

/// The defaults of the pattern: 15 pictures a second everywhere.
const DEFINITIONS: [Definition; 4] = [
    Definition { name: "ultra-hd", codec: "h264", size: (3840, 2160), audio: "aac" },
    Definition { name: "hi-def", codec: "h264", size: (1280, 720), audio: "aac" },
    Definition { name: "standard", codec: "h264", size: (640, 360), audio: "pcm_mulaw" },
    Definition { name: "jpeg", codec: "mjpeg", size: (640, 360), audio: "pcm_mulaw" },
];
const RATE: f64 = 15.0;
const TRANSPORTS: [Transport; 2] = [Transport::Tcp, Transport::Udp];

/// Runs `story` for every definition and transport, those of one definition at the same time.
fn everywhere(story: impl Fn(&Definition, Transport) -> Result<()> + Sync) -> Result<()> {
    for definition in &DEFINITIONS {
        thread::scope(|scope| {
            let story = &story;
            let stories = TRANSPORTS.map(|transport| scope.spawn(move || story(definition, transport)));
            for (transport, story) in TRANSPORTS.iter().zip(stories) {
                let outcome = story.join().map_err(|_| anyhow::anyhow!("panicked"))?;
                outcome.with_context(|| format!("{} over {}", definition.name, transport.name()))?;
            }
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

fn within(value: f64, expected: f64, tolerance: f64, what: &str) -> Result<()> {
    ensure!((value - expected).abs() <= tolerance, "{what}: {value}, {expected} ± {tolerance} expected");
    Ok(())
}

/// TR-1, TR-4, RT-7: size, codec and frame rate are what the definition promises, and there is sound.
#[test]
fn each_definition_is_what_it_announces() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    everywhere(|definition, transport| {
        let probe = play::probe(&server.url(definition.name)?, transport, 10)?;
        let (video, audio) = (probe.only("video")?, probe.only("audio")?);
        let stream = &probe.streams[video];
        ensure!(stream["codec_name"] == definition.codec, "{stream}");
        ensure!(stream["width"] == definition.size.0 && stream["height"] == definition.size.1, "{stream}");
        ensure!(probe.streams[audio]["codec_name"] == definition.audio, "{:?}", probe.streams[audio]);
        ensure!(probe.times[audio].len() > 50, "{} packets of sound", probe.times[audio].len());
        within(probe.rate(video)?, RATE, 0.05 * RATE, "pictures a second")
    })
}

/// RT-1, RT-8, PL-1, PL-4: 300 pictures, none missing, and no client says a word about them.
#[test]
fn three_hundred_pictures_in_a_row() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    everywhere(|definition, transport| {
        let codes = play::codes(&server.url(definition.name)?, transport, definition.size, 300)?;
        ensure!(codes.len() == 300, "{} pictures", codes.len());
        play::consecutive(&codes)
    })
}

/// Plays a definition with a raw client.
fn listen(server: &Server, definition: &str, transport: Transport, seconds: u64) -> Result<(Received, Received)> {
    let mut client = Client::connect(&server.url(definition)?)?;
    let tracks = client.start(transport)?;
    let mut received = record(&mut client, &tracks, Duration::from_secs(seconds))?;
    ensure!(received.len() == 2, "{} media, video and sound expected", received.len());
    let audio = received.remove(1);
    Ok((received.remove(0), audio))
}

/// RT-3, RT-4, RT-7: a sender report comes soon, and with it each picture's RTP time is the UTC that stands in the
/// picture, within 2 ms.
#[test]
fn sender_reports_lead_to_the_time_in_the_picture() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    everywhere(|definition, transport| {
        let (video, audio) = listen(&server, definition.name, transport, 6)?;
        for (kind, medium) in [("video", &video), ("sound", &audio)] {
            let (soon, _) = medium.reports.first().with_context(|| format!("RT-3: no report for {kind}"))?;
            ensure!(*soon < Duration::from_secs(2), "the first report for {kind} came after {soon:?}");
        }
        let clocks = video.clocks()?;
        ensure!(clocks.len() > 50, "{} pictures", clocks.len());
        clocks.iter().try_for_each(|(report, picture)| within(*report, *picture as f64, 2.0, "ms of UTC"))
    })
}

/// RT-4: the tone starts with the picture whose number is a whole number of seconds, within 10 ms.
#[test]
fn the_tone_is_in_step_with_the_picture() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    everywhere(|definition, transport| {
        let (video, audio) = listen(&server, definition.name, transport, 6)?;
        let codes = play::codes_of_units(&video.media, &video.units()?)?;
        let flashes: Vec<f64> =
            codes.iter().filter(|code| code.frame % 15 == 0).map(|code| code.utc_ms as f64).collect();
        let tones = tones(&audio)?;
        ensure!(tones.len() >= 4 && flashes.len() >= 4, "{} tones, {} flashes", tones.len(), flashes.len());
        // The first tone and the last may have no picture beside them.
        for tone in &tones[1..tones.len() - 1] {
            let nearest = flashes.iter().copied().min_by_key(|flash| (flash - tone).abs() as u64).unwrap_or_default();
            within(*tone, nearest, 10.0, "ms of UTC")?;
        }
        Ok(())
    })
}

/// The instants at which a tone starts, in milliseconds of UTC, each by the RTP time of the unit that it is in: a machine
/// that is too busy drops sound, and the units say where.
fn tones(audio: &Received) -> Result<Vec<f64>> {
    let units = audio.units()?;
    ensure!(!units.is_empty(), "no sound");
    let samples = play::samples_of_units(&audio.media, &units)?;
    let in_unit = samples.len() / units.len();
    ensure!(
        in_unit > 0 && in_unit * units.len() == samples.len(),
        "{} samples of {} units",
        samples.len(),
        units.len()
    );
    let quiet = audio.media.clock_rate as usize / 10;
    let mut tones = Vec::new();
    let mut silence = 0;
    for (index, sample) in samples.iter().enumerate() {
        if sample.unsigned_abs() < 4000 {
            silence += 1;
            continue;
        }
        if silence > quiet {
            let time = units[index / in_unit].time.wrapping_add((index % in_unit) as u32);
            tones.push(audio.utc_ms(time)?);
        }
        silence = 0;
    }
    Ok(tones)
}

/// RM-19 and acceptance 3: five viewers of each definition, all at once, and each one gets every picture.
#[test]
fn five_viewers_of_everything_at_once() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    let (started, server_cpu) = (Instant::now(), process::cpu_time(server.pid())?);
    let engine = server.engine()?;
    let engine_cpu = process::cpu_time(engine)?;
    thread::scope(|scope| {
        let viewers: Vec<_> = (0..20_usize)
            .map(|number| {
                let name = DEFINITIONS[number % 4].name;
                let transport = TRANSPORTS[number / 4 % 2];
                let story = scope.spawn({
                    let server = &server;
                    move || listen(server, name, transport, 12)
                });
                (name, transport, story)
            })
            .collect();
        for (name, transport, viewer) in viewers {
            let (video, _) = viewer.join().map_err(|_| anyhow::anyhow!("panicked"))?.context(name)?;
            let units = video.units().with_context(|| format!("{name} over {}", transport.name()))?;
            let (first, last) = (units.first().context("no picture")?, units.last().context("no picture")?);
            let seconds = f64::from(last.time.wrapping_sub(first.time)) / 90_000.0;
            ensure!(seconds > 8.0, "{name} over {}: {seconds} s of pictures", transport.name());
            within((units.len() - 1) as f64 / seconds, RATE, 0.05 * RATE, name)?;
        }
        anyhow::Ok(())
    })?;
    let share = |spent: Duration| 100.0 * spent.as_secs_f64() / started.elapsed().as_secs_f64();
    eprintln!(
        "20 viewers of all definitions: server {:.1} %, engine {:.1} % of a core",
        share(process::cpu_time(server.pid())? - server_cpu),
        share(process::cpu_time(engine)? - engine_cpu),
    );
    Ok(())
}
