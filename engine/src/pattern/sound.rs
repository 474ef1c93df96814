//! The sound of the pattern: silence with a short tone at each whole second of running time.

use std::sync::Arc;

use super::capture::Ticks;
use crate::fanout::Fanout;
use crate::timeline::Timeline;

/// Samples per second.
pub const RATE: u32 = 48_000;
/// Buffers per second, 20 ms each.
const BUFFERS: u32 = 50;
const SAMPLES: usize = (RATE / BUFFERS) as usize;
/// 5 ms.
const BURST: usize = 240;

/// The format of the sound: 48 kHz, one channel, 16 bits.
pub fn caps() -> gst::Caps {
    gst::Caps::builder("audio/x-raw")
        .field("format", "S16LE")
        .field("layout", "interleaved")
        .field("rate", RATE as i32)
        .field("channels", 1i32)
        .build()
}

/// How long so many bytes of it last.
pub fn length(bytes: usize) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(bytes as u64 / 2 * 1_000_000_000 / u64::from(RATE))
}

/// Makes the `number`-th buffer of 20 ms, without times.
pub fn samples(number: u64) -> Vec<u8> {
    let mut bytes = vec![0; 2 * SAMPLES];
    if number.is_multiple_of(u64::from(BUFFERS)) {
        for (i, sample) in bytes.chunks_exact_mut(2).take(BURST).enumerate() {
            // 1 kHz: 48 samples a period. It starts at a crest, so that its beginning is sharp.
            let value = (20_000.0 * (i as f64 * std::f64::consts::TAU / 48.0).cos()) as i16;
            sample.copy_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

/// Starts the thread that makes the sound while the fan-out has consumers; it ends when the fan-out is closed.
pub fn start(timeline: Timeline, fanout: Arc<Fanout>) -> Result<(), String> {
    let caps = caps();
    let run = move || {
        while fanout.wait_for_consumers() {
            let mut ticks = Ticks::new(BUFFERS);
            let mut first = true;
            while fanout.is_used() {
                let (number, skipped) = ticks.next(timeline.now());
                let pts = ticks.pts(number);
                timeline.sleep_until(pts);
                let mut buffer = gst::Buffer::from_slice(samples(number));
                if let Some(buffer) = buffer.get_mut() {
                    buffer.set_pts(pts);
                    buffer.set_duration(gst::ClockTime::from_mseconds(1000 / u64::from(BUFFERS)));
                    if first || skipped > 0 {
                        buffer.set_flags(gst::BufferFlags::DISCONT);
                    }
                }
                first = false;
                fanout.push(&buffer, &caps);
            }
        }
    };
    std::thread::Builder::new()
        .name("sound".into())
        .spawn(run)
        .map(drop)
        .map_err(|error| format!("the sound thread cannot be started: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tone_starts_with_the_second_and_lasts_5_ms() {
        let loud = |number| samples(number).chunks_exact(2).rposition(|s| s != [0, 0]).map(|last| last + 1);
        assert!(loud(50).is_some_and(|length| (BURST - 13..=BURST).contains(&length)));
        assert_ne!(samples(100)[..2], [0, 0], "from the first sample on");
        assert_eq!(loud(51), None);
    }
}
