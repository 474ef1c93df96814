//! What one run leaves to the next of the tokens that it took, so that a restart does not make them good again.
//!
//! ```text
//!  start ──► reach on disk ──► tokens are taken, in memory ──► end in good order ──► the tokens on disk
//!                 ▲                        │              └──► crash: only the reach is there
//!                 └─ a token beyond it: first written, then taken
//! ```
//! After an end in good order the next run knows every token, and no client notices. After a crash it knows between which
//! times the tokens of the last run were made, and refuses what was made then: a client whose clock is behind ours by some
//! seconds is refused for as long. The end of the reach is told relative to our clock, which goes on by itself, and not
//! written for each token. A machine without a battery for its clock starts in the past, so there is an end besides that holds
//! whatever the clock says, some minutes ahead.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    Gate, StoreError, TOKEN_LIFE,
    used::{Key, UsedTokens, Verdict},
};
use crate::base::{blocking::blocking, clock::UtcTime};

/// How far the reach goes below a token that was made before all others: the clock went back, and more will follow.
const BELOW: Duration = Duration::from_secs(3600);
/// How far the end that holds whatever the clock says is put ahead: the disk is written once in this time.
const BEYOND: Duration = Duration::from_secs(600);
/// Most stretches before the clock went back.
const MOST_EARLIER: usize = 16;
const SECOND: u64 = 1_000_000_000;

/// Where used tokens are kept from one run to the next; declared here, implemented over the state directory's database.
pub trait TokenStore: Send + std::fmt::Debug {
    /// Returns what was kept last, if anything.
    ///
    /// # Errors
    /// The store fails.
    fn load(&self) -> Result<Option<KeptTokens>, StoreError>;

    /// Keeps this in the place of what was kept before; it is on the disk when this returns.
    ///
    /// # Errors
    /// The store fails.
    fn keep(&self, tokens: &KeptTokens) -> Result<(), StoreError>;
}

/// What is kept of used tokens. Times are in nanoseconds of UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptTokens {
    /// Where the tokens of the run lie; nothing where it has ended in good order, and they are listed.
    unlisted: Option<Reach>,
    /// From which stretches of time tokens were forgotten.
    forgotten: Vec<(u64, u64)>,
    /// User, time and key of each token.
    used: Vec<(String, u64, String)>,
}

/// Between which times the tokens were made that a run has taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Reach {
    /// None was made before, since the clock went back last.
    from: u64,
    /// None was made further ahead of our clock, in seconds.
    ahead: u64,
    /// None was made later, wherever our clock stood.
    until: u64,
    /// Our clock when this was written.
    written: u64,
    /// The stretches before the clock went back.
    earlier: Vec<(u64, u64)>,
}

impl Reach {
    /// The end, if the run ended now and the clock went on.
    fn end(&self, now: u64) -> u64 {
        now.saturating_add(self.ahead.saturating_mul(SECOND))
    }

    /// The end, for a run that starts now.
    fn end_at_start(&self, now: u64) -> u64 {
        if now < self.written { self.until } else { self.end(now) }
    }

    /// Goes further ahead, in powers of two of seconds.
    fn extend(&mut self, created: u64, now: u64) {
        if created > self.end(now) {
            let seconds = created.saturating_sub(now).div_ceil(SECOND).next_power_of_two();
            self.ahead = seconds.min(TOKEN_LIFE.as_secs());
        }
        self.until = self.until.max(created.max(now).saturating_add(nanos(BEYOND)));
        self.written = now;
    }
}

/// The tokens of this run and of earlier ones, with the reach that is on the disk.
#[derive(Debug, Default)]
pub(super) struct TokenMemory {
    used: UsedTokens,
    reach: Reach,
    /// When the latest token was made since the clock went back last.
    latest: u64,
}

impl TokenMemory {
    /// Starts with what the last run left.
    fn of(kept: Option<KeptTokens>, utc: UtcTime) -> Self {
        let (mut this, kept) = (Self::default(), kept.unwrap_or_default());
        let now = utc.as_nanos();
        this.reach.from = now.saturating_sub(nanos(TOKEN_LIFE));
        this.reach.extend(now, now);
        for (user, created, key) in &kept.used {
            let time = UtcTime::from_nanos(*created);
            match Key::from_str_radix(key, 16) {
                Ok(key) if time.abs_diff(utc) <= TOKEN_LIFE => this.load(user, time, key, now),
                _ => this.used.refuse(time, time),
            }
        }
        let unlisted = kept.unlisted.map(|reach| (reach.from, reach.end_at_start(now), reach.earlier));
        let unlisted = unlisted.into_iter().flat_map(|(from, end, earlier)| earlier.into_iter().chain([(from, end)]));
        for (from, to) in kept.forgotten.into_iter().chain(unlisted) {
            this.used.refuse(UtcTime::from_nanos(from), UtcTime::from_nanos(to));
        }
        this
    }

    fn load(&mut self, user: &str, created: UtcTime, key: Key, now: u64) {
        self.used.insert(user, created, key);
        let created = created.as_nanos();
        self.reach.from = self.reach.from.min(created);
        self.reach.extend(created, now);
        self.latest = self.latest.max(created);
    }

    /// Whether the reach would tell of this token, and still of all others, if the run ended now; or all is written already.
    fn is_covered(&self, created: u64, now: u64) -> bool {
        if self.used.is_closed() {
            return true;
        }
        self.reach.from <= created && self.latest.max(created) <= self.reach.end(now).min(self.reach.until)
    }

    /// The reach that covers a token, and whether the clock has gone back.
    fn widened(&self, created: u64, now: u64) -> (Reach, bool) {
        let (mut reach, mut latest) = (self.reach.clone(), self.latest.max(created));
        let below = created.saturating_sub(nanos(BELOW));
        let back = latest.saturating_sub(now) > nanos(TOKEN_LIFE);
        if back {
            // What lies between the two is nobody's, and may come yet.
            reach.earlier.push((reach.from, latest));
            reach.earlier.drain(..reach.earlier.len().saturating_sub(MOST_EARLIER));
            (reach.from, reach.until, latest) = (below, 0, created);
        } else if created < reach.from {
            reach.from = below;
        }
        reach.extend(latest, now);
        (reach, back)
    }

    fn take(&mut self, user: &str, created: UtcTime, key: Key, utc: UtcTime) -> Verdict {
        let verdict = self.used.take(user, created, key, utc);
        if verdict == Verdict::New {
            self.latest = self.latest.max(created.as_nanos());
        }
        verdict
    }

    /// What the next run is to know if this one ends without a word.
    fn in_danger(&self, reach: &Reach) -> KeptTokens {
        KeptTokens { unlisted: Some(reach.clone()), forgotten: self.forgotten(), used: Vec::new() }
    }

    /// What the next run is to know; this one takes no more.
    fn close(&mut self, utc: UtcTime) -> KeptTokens {
        self.used.close(utc);
        let token =
            |(user, created, key): (&str, UtcTime, Key)| (user.to_owned(), created.as_nanos(), format!("{key:x}"));
        KeptTokens { unlisted: None, forgotten: self.forgotten(), used: self.used.all().map(token).collect() }
    }

    fn forgotten(&self) -> Vec<(u64, u64)> {
        self.used.stretches().iter().map(|(from, to)| (from.as_nanos(), to.as_nanos())).collect()
    }
}

impl Gate {
    /// Remembers the tokens that earlier runs took, and leaves its own to later ones; `utc` is the time. Blocks on the disk.
    ///
    /// # Errors
    /// The store fails.
    pub fn remembering(mut self, store: Box<dyn TokenStore>, utc: UtcTime) -> Result<Self, StoreError> {
        let kept = store.load()?;
        if kept.as_ref().is_some_and(|kept| kept.unlisted.is_some()) {
            tracing::warn!("the last run was cut off: UsernameTokens that were made before now are refused");
        }
        let memory = TokenMemory::of(kept, utc);
        store.keep(&memory.in_danger(&memory.reach))?;
        self.tokens = Mutex::new(memory);
        self.keeper = Some(Mutex::new(store));
        Ok(self)
    }

    /// Takes no more tokens, and leaves those that it took to the next run; the run ends. Blocks on the disk.
    pub fn keep_tokens(&self, utc: UtcTime) {
        let Some(keeper) = &self.keeper else { return };
        let kept = self.tokens().close(utc);
        // Without it the next run believes that this one was cut off, and is the stricter.
        if let Err(error) = keeper.lock().unwrap_or_else(PoisonError::into_inner).keep(&kept) {
            tracing::warn!(%error, "the tokens that were used cannot be kept for the next run");
        }
    }

    /// Takes a token that proves who its user is, and was made near `utc`.
    pub(super) fn take_token(&self, user: &str, created: UtcTime, key: Key, utc: UtcTime) -> Verdict {
        // Somebody who replays shall not widen the reach.
        if self.tokens().used.includes(user, created, key) {
            return Verdict::Used;
        }
        self.cover(created.as_nanos(), utc.as_nanos());
        self.tokens().take(user, created, key, utc)
    }

    /// Sees to it that a crash makes no token good again, before it is taken. Once in minutes there is something to do; then
    /// this waits for the disk, and so does who comes with another token beyond the reach, but nobody else.
    fn cover(&self, created: u64, now: u64) {
        let Some(keeper) = &self.keeper else { return };
        if self.tokens().is_covered(created, now) {
            return;
        }
        blocking(|| self.widen(keeper, created, now));
    }

    fn widen(&self, keeper: &Mutex<Box<dyn TokenStore>>, created: u64, now: u64) {
        let keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let (reach, back, kept) = {
            let tokens = self.tokens();
            // Somebody else may have written meanwhile.
            if tokens.is_covered(created, now) {
                return;
            }
            let (reach, back) = tokens.widened(created, now);
            let kept = tokens.in_danger(&reach);
            (reach, back, kept)
        };
        // A full disk is no reason to let nobody in.
        if let Err(error) = keeper.keep(&kept) {
            tracing::warn!(%error, "a UsernameToken could be used again after a crash");
        }
        let mut tokens = self.tokens();
        tokens.reach = reach;
        if back {
            tokens.latest = created;
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
