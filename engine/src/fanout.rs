//! Hands raw pictures or sound from one producer to the encoders that run, by reference.
//!
//! A consumer is the `appsrc` at the head of an encoder's pipeline. It holds at most [`MAX_BUFFERS`] buffers and drops its
//! oldest, so a stalled encoder costs three pictures and disturbs nobody (engine.md, section 1.2; the default bound of an
//! `appsrc` producer is half a second, 93 MB of 4K). The producer's thread sleeps while there are no consumers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Buffers that one consumer may hold before its encoder.
pub const MAX_BUFFERS: u64 = 3;
/// Buffers of sound that one consumer may hold: half a second of 20 ms each, 48 kB.
pub const MAX_SOUND_BUFFERS: u64 = 25;

/// One producer's consumers.
#[derive(Default)]
pub struct Fanout {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    consumers: Vec<Consumer>,
    next_id: u64,
    /// What was pushed last; a new consumer gets it at once instead of waiting for the next capture.
    last: Option<(gst::Buffer, gst::Caps)>,
    closed: bool,
}

struct Consumer {
    id: u64,
    source: gst_app::AppSrc,
    /// Pictures per second that this consumer wants; 0 for all and for sound.
    rate: Arc<AtomicU32>,
    /// Since when it has waited for its first buffer; none once it had one.
    starving: Option<Instant>,
    thinning: Thinning,
    /// The producer's caps and what this consumer was told instead.
    caps: Option<(gst::Caps, u32, gst::Caps)>,
}

/// Chooses the pictures of a lower frame rate: the first one of each interval of the target's grid.
#[derive(Debug, Default)]
struct Thinning {
    last_slot: Option<u64>,
}

impl Thinning {
    fn takes(&mut self, pts: gst::ClockTime, rate: u32) -> bool {
        // Times on the grid may be off by rounding or by an upstream's clock: 5 ms, less than any frame interval, put them
        // back into their slot.
        let slot = (pts.nseconds() + 5_000_000).saturating_mul(u64::from(rate)) / 1_000_000_000;
        let takes = self.last_slot != Some(slot);
        self.last_slot = Some(slot);
        takes
    }
}

/// A consumer's place in a [`Fanout`]; dropping it ends the supply.
pub struct Link {
    fanout: Arc<Fanout>,
    id: u64,
    rate: Arc<AtomicU32>,
}

impl Link {
    /// Changes how many pictures per second this consumer gets, from the next picture on.
    pub fn set_rate(&self, rate: u32) {
        self.rate.store(rate, Ordering::Relaxed);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let mut state = self.fanout.lock();
        state.consumers.retain(|consumer| consumer.id != self.id);
        if state.consumers.is_empty() {
            state.last = None;
        }
        self.fanout.changed.notify_all();
    }
}

impl Fanout {
    /// Adds a consumer that gets at most `rate` pictures per second; 0 for everything.
    pub fn attach(self: &Arc<Self>, source: &gst_app::AppSrc, rate: u32) -> Link {
        configure(source, if rate == 0 { MAX_SOUND_BUFFERS } else { MAX_BUFFERS });
        let rate = Arc::new(AtomicU32::new(rate));
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        let mut consumer = Consumer {
            id,
            source: source.clone(),
            rate: rate.clone(),
            starving: Some(Instant::now()),
            thinning: Thinning::default(),
            caps: None,
        };
        if let Some((buffer, caps)) = &state.last {
            consumer.push(buffer, caps);
        }
        state.consumers.push(consumer);
        self.changed.notify_all();
        Link { fanout: self.clone(), id, rate }
    }

    /// Gives a buffer to every consumer. Never waits for one.
    pub fn push(&self, buffer: &gst::Buffer, caps: &gst::Caps) {
        let mut state = self.lock();
        for consumer in &mut state.consumers {
            consumer.push(buffer, caps);
        }
        if !state.consumers.is_empty() {
            state.last = Some((buffer.clone(), caps.clone()));
        }
    }

    /// Waits until there is a consumer; false once the fan-out is closed.
    pub fn wait_for_consumers(&self) -> bool {
        let state = self.lock();
        let state = self
            .changed
            .wait_while(state, |state| state.consumers.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        !state.closed
    }

    /// Whether there is a consumer.
    pub fn is_used(&self) -> bool {
        let state = self.lock();
        !state.consumers.is_empty() && !state.closed
    }

    /// Fails the consumers that have waited so long for their first buffer: their DESCRIBE is then answered with 503.
    pub fn fail_starving(&self, patience: Duration) {
        let mut failed = Vec::new();
        for consumer in &mut self.lock().consumers {
            if consumer.starving.take_if(|since| since.elapsed() > patience).is_some() {
                failed.push(consumer.source.clone());
            }
        }
        // Without the lock: the message is handled by others before this returns.
        for source in failed {
            gst::element_error!(source, gst::ResourceError::NotFound, ["the source gives nothing"]);
        }
    }

    /// Ends the producer's thread.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consumer {
    fn push(&mut self, buffer: &gst::Buffer, caps: &gst::Caps) {
        let rate = self.rate.load(Ordering::Relaxed);
        let rate = if frame_rate(caps).is_some_and(|source| rate >= source) { 0 } else { rate };
        if rate > 0 && !buffer.pts().is_none_or(|pts| self.thinning.takes(pts, rate)) {
            return;
        }
        self.starving = None;
        let caps = self.caps_for(caps, rate);
        let sample = gst::Sample::builder().buffer(buffer).caps(&caps).build();
        // Refused only while the consumer is being torn down; its link is dropped a moment later.
        let _ = self.source.push_sample(&sample);
    }

    /// The producer's caps with the frame rate that this consumer gets: rate control and SPS go by it.
    fn caps_for(&mut self, caps: &gst::Caps, rate: u32) -> gst::Caps {
        if rate == 0 {
            return caps.clone();
        }
        match &self.caps {
            Some((from, at, told)) if from == caps && *at == rate => told.clone(),
            _ => {
                let mut told = caps.clone();
                told.make_mut().set("framerate", gst::Fraction::new(rate as i32, 1));
                self.caps = Some((caps.clone(), rate, told.clone()));
                told
            }
        }
    }
}

/// The whole pictures per second of video caps.
fn frame_rate(caps: &gst::Caps) -> Option<u32> {
    let rate = caps.structure(0)?.get::<gst::Fraction>("framerate").ok()?;
    (rate.numer() > 0 && rate.denom() > 0).then(|| (rate.numer() / rate.denom()) as u32)
}

/// The row "consumer `appsrc`" of engine.md, section 1.2.
fn configure(source: &gst_app::AppSrc, buffers: u64) {
    source.set_format(gst::Format::Time);
    source.set_is_live(true);
    source.set_latency(gst::ClockTime::ZERO, gst::ClockTime::NONE);
    source.set_leaky_type(gst_app::AppLeakyType::Downstream);
    source.set_automatic_eos(false);
    source.set_max_buffers(buffers);
    source.set_max_bytes(0);
    source.set_max_time(gst::ClockTime::ZERO);
}

#[cfg(test)]
mod tests {
    use gst::prelude::*;

    use super::*;

    fn picture(n: u64, rate: u64) -> gst::Buffer {
        let mut buffer = gst::Buffer::with_size(4).unwrap();
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_nseconds(n * 1_000_000_000 / rate));
        buffer
    }

    #[test]
    fn a_stalled_consumer_holds_three_buffers() {
        gst::init().unwrap();
        let fanout = Arc::new(Fanout::default());
        let source = gst_app::AppSrc::builder().build();
        let _link = fanout.attach(&source, 15);
        source.set_state(gst::State::Paused).unwrap();
        let caps = gst::Caps::new_empty_simple("video/x-raw");
        let buffers: Vec<_> = (0..20).map(|n| picture(n, 15)).collect();
        buffers.iter().for_each(|buffer| fanout.push(buffer, &caps));
        assert_eq!(source.current_level_buffers(), MAX_BUFFERS);
        source.set_state(gst::State::Null).unwrap();
    }

    #[test]
    fn a_lower_rate_takes_evenly_and_always_the_whole_second() {
        gst::init().unwrap();
        for (rate, expected) in
            [(5, vec![0, 3, 6, 9, 12, 15]), (1, vec![0, 15]), (10, vec![0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15])]
        {
            let mut thinning = Thinning::default();
            let taken: Vec<u64> = (0..16).filter(|n| thinning.takes(picture(*n, 15).pts().unwrap(), rate)).collect();
            assert_eq!(taken, expected, "{rate} of 15");
        }
    }

    #[test]
    fn producers_sleep_without_consumers_and_wake_on_close() {
        gst::init().unwrap();
        let fanout = Arc::new(Fanout::default());
        assert!(!fanout.is_used());
        let link = fanout.attach(&gst_app::AppSrc::builder().build(), 0);
        assert!(fanout.wait_for_consumers() && fanout.is_used());
        drop(link);
        assert!(!fanout.is_used());
        fanout.close();
        assert!(!fanout.wait_for_consumers());
    }
}
