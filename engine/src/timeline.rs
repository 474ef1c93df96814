//! The one clock and the one base time that every pipeline of the engine shares (engine.md, section 1.2).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gst::prelude::*;

/// The shared clock with its base time: maps running time to UTC and back.
///
/// Running time 0 is RTP time 0 of every track. It lies on a whole UTC second one to two seconds before the start, so that
/// times a little in the past (the delay of an audio encoder, the frames since a key frame) have room, and so that the
/// pattern's whole seconds are whole seconds of the day.
///
/// Running time follows the monotonic clock and never jumps. What UTC it stands for is looked up on every use, because the
/// wall clock may be set while the engine runs; the server does the same for its sender reports.
#[derive(Debug, Clone)]
pub struct Timeline {
    clock: gst::Clock,
    base: gst::ClockTime,
    /// The base time in UTC as last seen.
    base_utc_ns: Arc<AtomicU64>,
}

impl Timeline {
    /// Reads both clocks together and fixes the base time.
    pub fn start() -> Self {
        let clock = gst::SystemClock::obtain();
        let (_, monotonic, utc_ns) = read_together(&clock);
        let back = gst::ClockTime::from_nseconds(1_000_000_000 + utc_ns % 1_000_000_000);
        let back = back.min(monotonic);
        Self { clock, base: monotonic - back, base_utc_ns: Arc::new(AtomicU64::new(utc_ns - back.nseconds())) }
    }

    /// Reads the running time: what has passed since the base time.
    pub fn now(&self) -> gst::ClockTime {
        self.clock.time().saturating_sub(self.base)
    }

    /// The base time on `CLOCK_MONOTONIC`, in nanoseconds.
    pub fn base_monotonic_ns(&self) -> u64 {
        self.base.nseconds()
    }

    /// The base time in UTC by the wall clock as it is now, in nanoseconds since 1970.
    pub fn base_utc_ns(&self) -> u64 {
        let (apart, monotonic, utc_ns) = read_together(&self.clock);
        let held = self.base_utc_ns.load(Ordering::Relaxed);
        let seen = utc_ns.saturating_sub(monotonic.saturating_sub(self.base).nseconds());
        let now = followed(held, seen, apart);
        self.base_utc_ns.store(now, Ordering::Relaxed);
        now
    }

    /// The UTC of a running time by the wall clock as it is now, in milliseconds since 1970.
    pub fn utc_ms(&self, running: gst::ClockTime) -> u64 {
        (self.base_utc_ns() + running.nseconds()) / 1_000_000
    }

    /// Sleeps until the running time; returns at once if it is past.
    pub fn sleep_until(&self, running: gst::ClockTime) {
        if let Some(left) = running.checked_sub(self.now()) {
            std::thread::sleep(Duration::from_nanos(left.nseconds()));
        }
    }

    /// Puts a pipeline on this clock and this base time, for good.
    pub fn apply(&self, pipeline: &gst::Pipeline) {
        pipeline.use_clock(Some(&self.clock));
        pipeline.set_start_time(gst::ClockTime::NONE);
        pipeline.set_base_time(self.base);
    }
}

/// Differences below this are our own reading and the slew of a moment: the time in the pictures need not tremble.
const STEADY_NS: u64 = 200_000;
/// Two clocks that were read further apart than this say nothing about each other.
const TOGETHER: gst::ClockTime = gst::ClockTime::from_useconds(50);

/// The base time in UTC after a look at the clocks: the one held, unless they were read together and say something else.
fn followed(held: u64, seen: u64, apart: gst::ClockTime) -> u64 {
    if apart > TOGETHER || seen.abs_diff(held) < STEADY_NS { held } else { seen }
}

/// Reads the monotonic clock and UTC as close together as a few attempts allow: well under a microsecond apart. Gives how far
/// apart they were, and both.
fn read_together(clock: &gst::Clock) -> (gst::ClockTime, gst::ClockTime, u64) {
    let read = || {
        let before = clock.time();
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let after = clock.time();
        (after.saturating_sub(before), before + after.saturating_sub(before) / 2, utc.as_nanos() as u64)
    };
    let mut best = read();
    for _ in 0..7 {
        let next = read();
        if next.0 < best.0 {
            best = next;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_is_a_whole_second_shortly_before_the_start() {
        gst::init().unwrap();
        let timeline = Timeline::start();
        assert_eq!(timeline.base_utc_ns() % 1_000_000_000, 0);
        assert!(timeline.now() >= gst::ClockTime::from_seconds(1));
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        assert!(timeline.utc_ms(timeline.now()).abs_diff(utc) < 1000, "both clocks were read together");
    }

    #[test]
    fn the_wall_clock_is_followed_but_not_its_trembling() {
        let (held, soon) = (1_790_000_000_000_000_000, gst::ClockTime::from_useconds(1));
        assert_eq!(followed(held, held + 150_000, soon), held);
        assert_eq!(followed(held, held + 250_000, soon), held + 250_000, "a slew, bit by bit");
        assert_eq!(followed(held, held - 3_600_000_000_000, soon), held - 3_600_000_000_000, "the clock was set");
        assert_eq!(followed(held, held + 400_000, gst::ClockTime::from_mseconds(1)), held, "interrupted between");
    }
}
