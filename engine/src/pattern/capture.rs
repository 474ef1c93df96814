//! The thread that paces the test picture.

use std::sync::Arc;

use super::code_row::Code;
use super::frame::FramePool;
use super::picture::Tick;
use crate::fanout::Fanout;
use crate::health::Health;
use crate::timeline::Timeline;

/// Starts the thread that captures the pattern while the fan-out has consumers; it ends when the fan-out is closed.
pub fn start(
    mut pool: FramePool,
    frame_rate: u32,
    timeline: Timeline,
    fanout: Arc<Fanout>,
    health: Arc<Health>,
) -> Result<(), String> {
    let caps = pool.caps()?;
    let run = move || {
        while fanout.wait_for_consumers() {
            let mut ticks = Ticks::new(frame_rate);
            while fanout.is_used() {
                let (number, skipped) = ticks.next(timeline.now());
                health.dropped(skipped);
                let pts = ticks.pts(number);
                timeline.sleep_until(pts);
                let code = Code { number: number as u32, utc_ms: timeline.utc_ms(pts) };
                match pool.paint(&Tick { code, frame_rate }) {
                    Some(mut buffer) => {
                        stamp(&mut buffer, pts, ticks.pts(number + 1) - pts);
                        fanout.push(&buffer, &caps);
                        health.captured(timeline.now().saturating_sub(pts));
                    }
                    None => health.dropped(1),
                }
            }
            pool.clear();
            health.idle();
        }
    };
    std::thread::Builder::new()
        .name("pattern".into())
        .spawn(run)
        .map(drop)
        .map_err(|error| format!("the capture thread cannot be started: {error}"))
}

/// Sets the times. The copy shares the picture's memory.
fn stamp(buffer: &mut gst::Buffer, pts: gst::ClockTime, duration: gst::ClockTime) {
    let buffer = buffer.make_mut();
    buffer.set_pts(pts);
    buffer.set_duration(duration);
}

/// The numbering of ticks: number n stands at n / rate seconds of running time, whenever the capture was started.
#[derive(Debug)]
pub struct Ticks {
    rate: u64,
    last: Option<u64>,
}

impl Ticks {
    /// Starts a numbering of so many ticks per second.
    pub fn new(rate: u32) -> Self {
        Self { rate: u64::from(rate.max(1)), last: None }
    }

    /// Gives the next tick and how many had to be skipped. The first is the one whose time has just come.
    pub fn next(&mut self, now: gst::ClockTime) -> (u64, u64) {
        let current = (u128::from(now.nseconds() + 1) * u128::from(self.rate) / 1_000_000_000) as u64;
        let due = self.last.map_or(current, |last| last + 1);
        let number = due.max(current);
        self.last = Some(number);
        (number, number - due)
    }

    /// The running time of a tick.
    pub fn pts(&self, number: u64) -> gst::ClockTime {
        gst::ClockTime::from_nseconds((u128::from(number) * 1_000_000_000 / u128::from(self.rate)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_running_time_and_skip_what_is_missed() {
        let at = |ms| gst::ClockTime::from_mseconds(ms);
        let mut ticks = Ticks::new(15);
        assert_eq!(ticks.next(at(1010)), (15, 0), "the first tick is the one whose time has just come");
        assert_eq!(ticks.next(at(1011)), (16, 0));
        assert_eq!(ticks.pts(16), gst::ClockTime::from_nseconds(1_066_666_666));
        assert_eq!(ticks.next(ticks.pts(17)), (17, 0), "in time");
        assert_eq!(ticks.next(at(1340)), (20, 2), "18 and 19 are dropped");
        assert_eq!(Ticks::new(15).next(at(1340)).0, 20, "another start numbers alike");
    }
}
