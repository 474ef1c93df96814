//! Hands out an encoded stream: everything since the newest key frame at once, then what follows.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The most that is kept since a key frame. Beyond it, a new consumer waits for the next one.
const KEPT_BYTES: usize = 32 << 20;
/// The most that may wait in a stalled consumer before it loses everything up to the next key frame.
const WAITING_BYTES: u64 = 2 * KEPT_BYTES as u64;

/// One encoded stream's consumers and its newest group of pictures.
#[derive(Default)]
pub struct Group {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    consumers: Vec<Consumer>,
    next_id: u64,
    /// Everything since the newest key frame; empty if that is too much or not known.
    kept: Vec<gst::Sample>,
    kept_bytes: usize,
    closed: bool,
}

struct Consumer {
    id: u64,
    source: gst_app::AppSrc,
    waits_for_key: bool,
}

/// A consumer's place; dropping it ends the supply.
pub struct GroupLink {
    group: Arc<Group>,
    id: u64,
}

impl Drop for GroupLink {
    fn drop(&mut self) {
        let mut state = self.group.lock();
        state.consumers.retain(|consumer| consumer.id != self.id);
        if state.consumers.is_empty() {
            state.forget();
        }
        self.group.changed.notify_all();
    }
}

impl Group {
    /// Adds a consumer and gives it everything since the newest key frame, with the times that it had.
    pub fn attach(self: &Arc<Self>, source: &gst_app::AppSrc) -> GroupLink {
        source.set_format(gst::Format::Time);
        source.set_is_live(true);
        source.set_latency(gst::ClockTime::ZERO, gst::ClockTime::NONE);
        source.set_automatic_eos(false);
        source.set_max_bytes(0);
        source.set_max_buffers(0);
        source.set_max_time(gst::ClockTime::ZERO);
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        for sample in &state.kept {
            // Refused only while the consumer is being torn down.
            let _ = source.push_sample(sample);
        }
        let waits_for_key = state.kept.is_empty();
        state.consumers.push(Consumer { id, source: source.clone(), waits_for_key });
        self.changed.notify_all();
        GroupLink { group: self.clone(), id }
    }

    /// Gives a unit to every consumer. Never waits for one.
    pub fn push(&self, sample: &gst::Sample, key: bool) {
        let mut state = self.lock();
        let size = sample.buffer().map_or(0, gst::BufferRef::size);
        if key {
            state.forget();
        }
        if key || !state.kept.is_empty() {
            state.kept.push(sample.clone());
            state.kept_bytes += size;
            if state.kept_bytes > KEPT_BYTES {
                state.forget();
            }
        }
        for consumer in &mut state.consumers {
            consumer.push(sample, key);
        }
    }

    /// Waits until there is a consumer; false once the stream is closed.
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

    /// Ends the reader's thread.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget(&mut self) {
        self.kept.clear();
        self.kept_bytes = 0;
    }
}

impl Consumer {
    fn push(&mut self, sample: &gst::Sample, key: bool) {
        if self.source.current_level_bytes() > WAITING_BYTES {
            self.waits_for_key = true;
        } else if key {
            self.waits_for_key = false;
        }
        if !self.waits_for_key {
            let _ = self.source.push_sample(sample);
        }
    }
}

#[cfg(test)]
mod tests {
    use gst::prelude::*;

    use super::*;

    fn sample(bytes: usize) -> gst::Sample {
        let buffer = gst::Buffer::with_size(bytes).unwrap();
        gst::Sample::builder().buffer(&buffer).caps(&gst::Caps::new_empty_simple("video/x-h264")).build()
    }

    fn join(group: &Arc<Group>) -> (gst_app::AppSrc, GroupLink) {
        let source = gst_app::AppSrc::builder().build();
        let link = group.attach(&source);
        (source, link)
    }

    #[test]
    fn a_joiner_gets_everything_since_the_newest_key_frame() {
        gst::init().unwrap();
        let group = Arc::new(Group::default());
        let (first, _first) = join(&group);
        group.push(&sample(10), false);
        assert_eq!(first.current_level_buffers(), 0, "nothing before a key frame");
        for n in 0..6 {
            group.push(&sample(10), n % 4 == 0);
        }
        assert_eq!(first.current_level_buffers(), 6);
        let (second, _second) = join(&group);
        assert_eq!(second.current_level_buffers(), 2);
    }

    #[test]
    fn what_is_kept_and_what_waits_is_bounded() {
        gst::init().unwrap();
        let group = Arc::new(Group::default());
        let (stalled, _stalled) = join(&group);
        group.push(&sample(1 << 20), true);
        for _ in 0..200 {
            group.push(&sample(1 << 20), false);
        }
        assert!(stalled.current_level_bytes() <= WAITING_BYTES + (1 << 20));
        let (joiner, _joiner) = join(&group);
        assert_eq!(joiner.current_level_buffers(), 0, "the group is too big to keep");
        group.push(&sample(5), true);
        assert_eq!(joiner.current_level_buffers(), 1);
        joiner.set_state(gst::State::Null).unwrap();
    }
}
