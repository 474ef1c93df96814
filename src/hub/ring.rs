//! The bounded window of a track's newest units.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::Unit;

/// How much a track keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingLimits {
    /// Older units go, except those since the newest key frame; and while that one is not so old itself, those since the key
    /// frame before it, so that who is still catching up when a new group begins can go on.
    pub duration: Duration,
    /// Units go, oldest first, while there are more bytes than this.
    pub bytes: usize,
}

impl Default for RingLimits {
    /// 4 seconds and 16 MiB: two groups of pictures of the default settings, and the 4K group fits several times.
    fn default() -> Self {
        Self { duration: Duration::from_secs(4), bytes: 16 << 20 }
    }
}

/// The newest units, oldest first, numbered without a hole.
#[derive(Debug)]
pub(super) struct Ring {
    limits: RingLimits,
    units: VecDeque<Arc<Unit>>,
    bytes: usize,
    newest_key: Option<u64>,
    /// The key frame before the newest.
    former_key: Option<u64>,
    begins: u64,
}

impl Ring {
    pub(super) fn new(limits: RingLimits) -> Self {
        Self { limits, units: VecDeque::new(), bytes: 0, newest_key: None, former_key: None, begins: 0 }
    }

    /// Appends a unit and lets go of what the limits no longer allow.
    pub(super) fn push(&mut self, unit: Arc<Unit>) {
        if unit.key {
            self.former_key = self.newest_key.replace(unit.sequence);
        }
        self.bytes += unit.memory();
        self.units.push_back(unit);
        while self.bytes > self.limits.bytes || self.front_is_old() {
            let Some(unit) = self.units.pop_front() else { break };
            self.bytes -= unit.memory();
            if self.newest_key == Some(unit.sequence) {
                self.newest_key = None;
            }
        }
    }

    /// Lets go of all units. The next one, of this number, does not follow from what was before it.
    pub(super) fn clear(&mut self, next: u64) {
        self.units.clear();
        self.bytes = 0;
        (self.newest_key, self.former_key) = (None, None);
        self.begins = next;
    }

    /// The number of the first unit since the ring was last cleared: a reader that comes there needs a key frame.
    pub(super) fn begins(&self) -> u64 {
        self.begins
    }

    fn front_is_old(&self) -> bool {
        let (Some(front), Some(back)) = (self.units.front(), self.units.back()) else { return false };
        let age = |unit: &Unit| back.capture.mono.since(unit.capture.mono);
        let group_is_new = self.newest_key().is_some_and(|key| age(key) <= self.limits.duration);
        let kept_from = if group_is_new { self.former_key.or(self.newest_key) } else { self.newest_key };
        age(front) > self.limits.duration && kept_from.is_none_or(|key| front.sequence < key)
    }

    /// The unit of this number, if the ring holds it.
    pub(super) fn get(&self, sequence: u64) -> Option<&Arc<Unit>> {
        let front = self.units.front()?.sequence;
        self.units.get(usize::try_from(sequence.checked_sub(front)?).ok()?)
    }

    /// The number of the oldest unit.
    pub(super) fn front(&self) -> Option<u64> {
        self.units.front().map(|unit| unit.sequence)
    }

    /// The newest unit.
    pub(super) fn back(&self) -> Option<&Arc<Unit>> {
        self.units.back()
    }

    /// The newest key frame, if the ring still holds it.
    pub(super) fn newest_key(&self) -> Option<&Arc<Unit>> {
        self.get(self.newest_key?)
    }

    /// All units, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Unit>> {
        self.units.iter()
    }

    /// Bytes that the units keep.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
