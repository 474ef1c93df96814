//! What is to be done when, in order and bounded.

use std::collections::BTreeMap;

use crate::base::clock::MonoTime;

/// Most jobs that wait: a few per device and link, and the answers of half a second.
const ENTRIES: usize = 1024;

/// Jobs by the time when they are due; those of the same time keep their order.
#[derive(Debug)]
pub(super) struct Schedule<T> {
    jobs: BTreeMap<(MonoTime, u64), T>,
    last: u64,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { jobs: BTreeMap::new(), last: 0 }
    }
}

impl<T> Schedule<T> {
    /// Adds a job; says whether there was room.
    pub(super) fn push(&mut self, due: MonoTime, job: T) -> bool {
        let room = self.jobs.len() < ENTRIES;
        if room {
            self.last += 1;
            self.jobs.insert((due, self.last), job);
        }
        room
    }

    /// When the first job is due.
    pub(super) fn deadline(&self) -> Option<MonoTime> {
        self.jobs.keys().next().map(|(due, _)| *due)
    }

    /// Takes the first job, if it is due.
    pub(super) fn pop(&mut self, now: MonoTime) -> Option<T> {
        let first = self.jobs.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.jobs.retain(|_, job| keep(job));
    }

    pub(super) fn any(&self, is: impl FnMut(&T) -> bool) -> bool {
        self.jobs.values().any(is)
    }
}
