//! Sound against picture, by RTP time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod common;

use std::io::Write;
use std::process::{Command as Process, Stdio};

use belvedere_engine_control::*;
use common::rtsp::{Client, Unit};
use common::{Engine, audio_track, pattern};

/// Decodes raw AAC frames (RFC 3640, one frame a packet) with ffmpeg, as a receiver would.
fn decode_aac(units: &[Unit]) -> Vec<i16> {
    let mut adts = Vec::new();
    for frame in units.iter().flat_map(|unit| &unit.payloads).map(|payload| &payload[4..]) {
        let length = frame.len() as u32 + 7;
        // LC, 16 kHz (index 8), one channel.
        adts.extend([
            0xFF,
            0xF1,
            0x60,
            0x40 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1F,
            0xFC,
        ]);
        adts.extend(frame);
    }
    ffmpeg_samples("aac", 16000, &adts)
}

fn ffmpeg_samples(format: &str, rate: u32, input: &[u8]) -> Vec<i16> {
    let rate = rate.to_string();
    let mut process = Process::new("ffmpeg");
    process.args(["-nostdin", "-v", "error", "-f", format]);
    if format != "aac" {
        process.args(["-ar", &rate, "-ac", "1"]);
    }
    let mut child = process
        .args(["-i", "pipe:0", "-f", "s16le", "-ar", &rate, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    output.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// How far each tick lies from the whole second, in milliseconds.
fn tick_offsets(units: &[Unit], samples: &[i16], rate: u32) -> Vec<f64> {
    let first = f64::from(units[0].time) / f64::from(rate);
    let mut offsets = Vec::new();
    let mut quiet_until = 0;
    for (index, sample) in samples.iter().enumerate() {
        if sample.unsigned_abs() > 6000 && index >= quiet_until {
            let time = first + index as f64 / f64::from(rate);
            offsets.push((time - time.round()) * 1e3);
            quiet_until = index + rate as usize / 2;
        }
    }
    offsets
}

fn assert_in_step(offsets: &[f64]) {
    eprintln!("offsets of the ticks from their pictures, ms: {offsets:.1?}");
    assert!(offsets.len() >= 2, "ticks were heard: {offsets:?}");
    assert!(offsets.iter().all(|offset| offset.abs() < 10.0), "{offsets:?}");
}

#[test]
fn an_aac_tick_decodes_at_its_picture() {
    let engine = Engine::start(pattern(640, 360), vec![audio_track("aac", AudioCodec::Aac, 16000)]);
    let units = Client::play(&engine.url("aac")).units(48);
    assert_in_step(&tick_offsets(&units, &decode_aac(&units), 16000));
}

#[test]
fn a_transcoded_tick_decodes_at_its_picture() {
    let from = Engine::start(pattern(640, 360), vec![audio_track("aac", AudioCodec::Aac, 16000)]);
    let mut to = Engine::start(Source::Upstream, vec![audio_track("pcmu", AudioCodec::Pcmu, 8000)]);
    let input = DecodeInput { video: None, audio: Some(from.url("aac")), user: "u".into(), password: Secret::new("p") };
    assert_eq!(to.ask(&Command::Decode { id: 1, input }), Outcome::Applied);
    let mut client = Client::play(&to.url("pcmu"));
    // Until the first sender report has set the time right.
    client.units(50);
    let units = client.units(125);
    assert!(units.windows(2).all(|pair| pair[1].time == pair[0].time + 160), "20 ms a packet, no gap");
    let bytes: Vec<u8> = units.iter().flat_map(|unit| &unit.payloads).flatten().copied().collect();
    assert_in_step(&tick_offsets(&units, &ffmpeg_samples("mulaw", 8000, &bytes), 8000));
}

#[test]
fn a_g711_tick_decodes_at_its_picture() {
    let tracks = vec![audio_track("pcmu", AudioCodec::Pcmu, 8000), audio_track("pcma", AudioCodec::Pcma, 8000)];
    let engine = Engine::start(pattern(640, 360), tracks);
    for (name, format) in [("pcmu", "mulaw"), ("pcma", "alaw")] {
        let units = Client::play(&engine.url(name)).units(150);
        let bytes: Vec<u8> = units.iter().flat_map(|unit| &unit.payloads).flatten().copied().collect();
        assert!(units.windows(2).all(|pair| pair[1].time == pair[0].time + 160), "20 ms a packet, no gap");
        assert_in_step(&tick_offsets(&units, &ffmpeg_samples(format, 8000, &bytes), 8000));
    }
}
