//! The memory of proofs that were used, so that each is good once.
//!
//! Every user has a share of his own, so nobody fills the memory of another. A share that is full refuses, rather than forget
//! what could be used again; it forgets only what is of no use at this moment.
//!
//! A Digest client that counts its requests (`nc`, RFC 7616 section 3.4) costs one place for each nonce, however much it asks:
//! the highest count, and which of those just below it were used, because requests on several connections overtake each
//! other. Everything else costs a place for each request.
//!
//! A token is of use while its time is near our wall clock, and that may be set. So tokens are kept beyond their time as long
//! as there is room, and the stretches of time from which some were forgotten are remembered: what was made then is refused,
//! should the clock come to stand there again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{MAX_USERS, TOKEN_LIFE};
use crate::base::clock::{MonoTime, UtcTime};

/// Most proofs of one user: 109 a second, for as long as one is of use.
pub(super) const SHARE: usize = 32_768;
/// Most names; some may be of users that are gone.
const MOST_NAMES: usize = 2 * MAX_USERS;
/// Most stretches of time from which tokens were forgotten.
const MOST_STRETCHES: usize = 64;
/// Stretches at most this far apart become one; so those on both sides of the time in which tokens are good never do.
const GAP: Duration = Duration::from_secs(TOKEN_LIFE.as_secs() * 2);

/// A short form of a proof.
pub(super) type Key = u128;

/// What becomes of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was not used before, and is from now on.
    New,
    /// It was used before, or that cannot be ruled out.
    Used,
    /// There is no room to remember it.
    Full {
        /// After how long there will be.
        retry_after: Duration,
    },
}

/// Proofs by user, ordered by a time that belongs to each.
#[derive(Debug)]
struct Shares<T>(HashMap<Arc<str>, BTreeSet<(T, Key)>>);

impl<T> Default for Shares<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Ord + Copy> Shares<T> {
    fn contains(&self, user: &str, proof: &(T, Key)) -> bool {
        self.0.get(user).is_some_and(|share| share.contains(proof))
    }

    fn is_full(&self, user: &str) -> bool {
        self.0.get(user).map_or(self.0.len() >= MOST_NAMES, |share| share.len() >= SHARE)
    }

    fn insert(&mut self, user: &str, proof: (T, Key)) {
        match self.0.get_mut(user) {
            Some(share) => drop(share.insert(proof)),
            None => drop(self.0.insert(user.into(), BTreeSet::from([proof]))),
        }
    }

    /// Forgets the proofs at both ends of each share whose time is of no use; tells `forgotten` each of these times.
    fn forget(&mut self, useless: impl Fn(T) -> bool, mut forgotten: impl FnMut(T)) {
        for share in self.0.values_mut() {
            while let Some((time, _)) = share.first().copied().filter(|(time, _)| useless(*time)) {
                share.pop_first();
                forgotten(time);
            }
            while let Some((time, _)) = share.last().copied().filter(|(time, _)| useless(*time)) {
                share.pop_last();
                forgotten(time);
            }
        }
        self.0.retain(|_, share| !share.is_empty());
    }

    fn first(&self, user: &str) -> Option<T> {
        self.0.get(user)?.first().map(|(time, _)| *time)
    }
}

/// Digest answers, each kept until its nonce ends.
#[derive(Debug, Default)]
pub(super) struct UsedAnswers {
    whole: Shares<MonoTime>,
    /// By user, then by the end of a nonce and its short form.
    counted: HashMap<Arc<str>, BTreeMap<(MonoTime, Key), Counts>>,
}

/// Which counts of a nonce were used.
#[derive(Debug, Default)]
struct Counts {
    highest: u32,
    /// Bit n: whether `highest - 1 - n` was used.
    below: u64,
}

impl UsedAnswers {
    /// Takes an answer to a nonce that is of use until `end`.
    pub(super) fn take(&mut self, user: &str, end: MonoTime, key: Key, now: MonoTime) -> Verdict {
        if self.whole.contains(user, &(end, key)) {
            return Verdict::Used;
        }
        if self.whole.is_full(user) {
            self.whole.forget(|end| end <= now, drop);
        }
        if self.whole.is_full(user) {
            let room = self.whole.first(user).unwrap_or(end);
            return Verdict::Full { retry_after: room.since(now) };
        }
        self.whole.insert(user, (end, key));
        Verdict::New
    }

    /// Takes a count of a nonce, of which it knows the end and a short form. One too far behind the highest counts as used.
    pub(super) fn count(&mut self, user: &str, nonce: (MonoTime, Key), count: u32, now: MonoTime) -> Verdict {
        if let Some(counts) = self.counted.get_mut(user).and_then(|share| share.get_mut(&nonce)) {
            return if counts.take(count) { Verdict::New } else { Verdict::Used };
        }
        if self.counts_are_full(user) {
            self.counted.values_mut().for_each(|share| share.retain(|(end, _), _| *end > now));
            self.counted.retain(|_, share| !share.is_empty());
        }
        if self.counts_are_full(user) {
            let room = self.counted.get(user).and_then(|share| share.first_key_value());
            return Verdict::Full { retry_after: room.map_or(nonce.0, |((end, _), _)| *end).since(now) };
        }
        let share = self.counted.entry(user.into()).or_default();
        if share.entry(nonce).or_default().take(count) { Verdict::New } else { Verdict::Used }
    }

    fn counts_are_full(&self, user: &str) -> bool {
        self.counted.get(user).map_or(self.counted.len() >= MOST_NAMES, |share| share.len() >= SHARE)
    }
}

impl Counts {
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let step = count - self.highest;
            let before = 1_u64.checked_shl(step - 1).unwrap_or(0);
            self.below = self.below.checked_shl(step).unwrap_or(0) | before;
            self.highest = count;
            return true;
        }
        let bit = (self.highest - count).checked_sub(1).and_then(|back| 1_u64.checked_shl(back)).unwrap_or(0);
        let unused = bit != 0 && self.below & bit == 0;
        self.below |= bit;
        unused
    }
}

/// Tokens, by when they were made.
#[derive(Debug, Default)]
pub(super) struct UsedTokens {
    used: Shares<UtcTime>,
    forgotten: Forgotten,
    /// No more are taken: what is here was written down for the next run.
    closed: bool,
}

impl UsedTokens {
    /// Takes a token that was made near `utc`.
    pub(super) fn take(&mut self, user: &str, created: UtcTime, key: Key, utc: UtcTime) -> Verdict {
        if self.includes(user, created, key) {
            return Verdict::Used;
        }
        if self.closed {
            return Verdict::Full { retry_after: Duration::from_secs(5) };
        }
        if self.used.is_full(user) {
            self.forget(utc);
        }
        if self.used.is_full(user) {
            let room = self.used.first(user).unwrap_or(utc).offset(nanos(TOKEN_LIFE));
            return Verdict::Full { retry_after: utc.abs_diff(room) };
        }
        self.insert(user, created, key);
        Verdict::New
    }

    /// Whether a token was used before, or that cannot be ruled out.
    pub(super) fn includes(&self, user: &str, created: UtcTime, key: Key) -> bool {
        self.forgotten.includes(created) || self.used.contains(user, &(created, key))
    }

    /// Takes over a token that an earlier run took.
    pub(super) fn insert(&mut self, user: &str, created: UtcTime, key: Key) {
        self.used.insert(user, (created, key));
    }

    /// Refuses from now on whatever was made in a stretch of time.
    pub(super) fn refuse(&mut self, from: UtcTime, to: UtcTime) {
        self.forgotten.add(from, to);
    }

    /// Takes no more, and forgets what is of no use at this moment.
    pub(super) fn close(&mut self, utc: UtcTime) {
        self.closed = true;
        self.forget(utc);
    }

    /// Whether no more are taken.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The stretches of time from which everything is refused.
    pub(super) fn stretches(&self) -> &[(UtcTime, UtcTime)] {
        &self.forgotten.0
    }

    /// Every token that is remembered.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, UtcTime, Key)> {
        self.used.0.iter().flat_map(|(user, share)| share.iter().map(move |(created, key)| (&**user, *created, *key)))
    }

    fn forget(&mut self, utc: UtcTime) {
        let useless = |created: UtcTime| utc.abs_diff(created) > TOKEN_LIFE;
        self.used.forget(useless, |created| self.forgotten.add(created, created));
    }
}

/// Stretches of time from which tokens were forgotten; where there are many, the oldest goes.
#[derive(Debug, Default)]
struct Forgotten(Vec<(UtcTime, UtcTime)>);

impl Forgotten {
    fn includes(&self, created: UtcTime) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&created))
    }

    fn add(&mut self, mut from: UtcTime, mut to: UtcTime) {
        self.0.retain(|(first, last)| {
            let apart = first.offset(-nanos(GAP)) > to || last.offset(nanos(GAP)) < from;
            if !apart {
                (from, to) = (from.min(*first), to.max(*last));
            }
            apart
        });
        self.0.push((from, to));
        self.0.sort_unstable_by_key(|(_, last)| *last);
        if self.0.len() > MOST_STRETCHES {
            self.0.remove(0);
        }
    }
}

/// A duration as a signed number of nanoseconds.
pub(super) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
