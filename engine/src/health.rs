//! Figures that the heartbeat reports.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of the capture, written by its thread and read by the heartbeat.
#[derive(Debug, Default)]
pub struct Health {
    captured: AtomicU64,
    dropped: AtomicU64,
    lateness_us: AtomicU64,
}

impl Health {
    /// Counts a captured picture that came so late after its time.
    pub fn captured(&self, lateness: gst::ClockTime) {
        self.captured.fetch_add(1, Ordering::Relaxed);
        self.lateness_us.store(lateness.useconds(), Ordering::Relaxed);
    }

    /// Counts captured pictures that were dropped before the fan-out.
    pub fn dropped(&self, pictures: u64) {
        self.dropped.fetch_add(pictures, Ordering::Relaxed);
    }

    /// Says that nothing is captured any more.
    pub fn idle(&self) {
        self.lateness_us.store(0, Ordering::Relaxed);
    }

    /// Reads the counters; the running tracks are not known here.
    pub fn read(&self) -> belvedere_engine_control::Heartbeat {
        belvedere_engine_control::Heartbeat {
            lateness_us: self.lateness_us.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            captured: self.captured.load(Ordering::Relaxed),
            running: Vec::new(),
        }
    }
}
