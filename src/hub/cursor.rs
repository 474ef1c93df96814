//! A reader's place in a track.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::{Track, Unit, ring::Ring};
use crate::base::bell::Listener;

/// What a reader meets next.
#[derive(Debug, Clone)]
pub enum Next {
    /// The next unit in decode order.
    Unit(Arc<Unit>),
    /// The reader was slower than the ring. It goes on at a key frame, which follows.
    Lagged {
        /// How many units it lost, including those skipped up to the key frame as far as they exist now.
        units: u64,
    },
}

/// A reader's place in a track. Holds no unit and no lease.
#[derive(Debug)]
pub struct Cursor {
    track: Arc<Track>,
    published: Listener,
    place: Place,
}

/// Where a reader is; moved with the ring in hand, which is locked once for each step.
#[derive(Debug)]
struct Place {
    next: u64,
    awaits_key: bool,
    /// There was more when a unit was last taken.
    behind: bool,
}

impl Cursor {
    pub(super) fn at(track: &Arc<Track>, sequence: u64) -> Self {
        Self::new(track, Place { next: sequence, awaits_key: false, behind: true })
    }

    pub(super) fn at_next_key(track: &Arc<Track>, sequence: u64) -> Self {
        Self::new(track, Place { next: sequence, awaits_key: true, behind: true })
    }

    fn new(track: &Arc<Track>, place: Place) -> Self {
        Self { track: Arc::clone(track), published: track.published(), place }
    }

    /// The track being read.
    pub fn track(&self) -> &Arc<Track> {
        &self.track
    }

    /// The number of the unit that comes next, if nothing is lost.
    pub fn position(&self) -> u64 {
        self.place.next
    }

    /// Whether there may be a next unit before something is published.
    pub fn is_behind(&self) -> bool {
        self.place.behind
    }

    /// Looks at the next unit without moving; `None` if it does not exist yet or the reader lags.
    pub fn peek(&mut self) -> Option<Arc<Unit>> {
        let place = &mut self.place;
        self.track.with_ring(|ring| place.peek(ring))
    }

    /// Takes the next unit; `None` if it does not exist yet.
    pub fn try_next(&mut self) -> Option<Next> {
        let place = &mut self.place;
        self.track.with_ring(|ring| {
            if let Some(units) = place.lag(ring) {
                place.behind = true;
                return Some(Next::Lagged { units });
            }
            let next = place.peek(ring);
            place.next = next.as_ref().map_or(place.next, |unit| unit.sequence + 1);
            place.behind = ring.back().is_some_and(|newest| newest.sequence >= place.next);
            next.map(Next::Unit)
        })
    }

    /// Waits for the next unit. Cancel safe.
    pub async fn next(&mut self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.changed().await;
        }
    }

    /// Waits until something was published since this was last said. Cancel safe.
    pub async fn changed(&mut self) {
        self.published.rung().await;
    }

    /// Ready if something was published since this was last said; otherwise the task is woken once something is.
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.published.poll_rung(cx)
    }
}

impl Place {
    fn peek(&mut self, ring: &Ring) -> Option<Arc<Unit>> {
        self.skip_to_key(ring);
        if self.awaits_key { None } else { ring.get(self.next).cloned() }
    }

    /// Moves on if the ring no longer holds this place, and says how many units were lost.
    fn lag(&mut self, ring: &Ring) -> Option<u64> {
        let (front, end) = (ring.front()?, ring.back()?.sequence + 1);
        if self.awaits_key || self.next >= front {
            return None;
        }
        let newest_key = ring.newest_key().map(|unit| unit.sequence);
        let resume = newest_key.unwrap_or(end);
        let units = resume - self.next;
        self.next = resume;
        self.awaits_key = newest_key.is_none();
        Some(units)
    }

    fn skip_to_key(&mut self, ring: &Ring) {
        // Even a reader that missed nothing cannot go on with a unit that refers to one of before.
        self.awaits_key |= ring.begins() == self.next && ring.get(self.next).is_some_and(|unit| !unit.key);
        if !self.awaits_key {
            return;
        }
        let found = ring.iter().find(|unit| unit.key && unit.sequence >= self.next).map(|unit| unit.sequence);
        match found {
            Some(sequence) => {
                self.next = sequence;
                self.awaits_key = false;
            }
            None => self.next = self.next.max(ring.back().map_or(self.next, |unit| unit.sequence + 1)),
        }
    }
}
