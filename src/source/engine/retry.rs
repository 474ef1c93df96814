//! When to pull again from an engine that refused or failed.

use std::time::Duration;

use crate::base::clock::MonoTime;

/// A shared media that is being torn down answers 503 for some milliseconds (engine.md section 5).
pub(super) const BUSY_WAIT: Duration = Duration::from_millis(30);
/// An engine that answers 503 for longer has nothing to send.
const BUSY_LIMIT: Duration = Duration::from_millis(500);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// A pull that lasted this long was a good one.
const GOOD: Duration = Duration::from_secs(5);

/// The failures in a row of one track's pull.
#[derive(Debug, Default)]
pub(super) struct Retry {
    busy_since: Option<MonoTime>,
    failures: u32,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// Whether it is more than a moment's hindrance.
    pub(super) lost: bool,
    /// How long to wait before the next attempt.
    pub(super) wait: Duration,
}

impl Retry {
    /// Takes the failure of a pull that began then, with the status of the engine's answer if it had one.
    pub(super) fn failed(&mut self, status: Option<u16>, began: MonoTime, now: MonoTime) -> Failure {
        if now.since(began) > GOOD && status.is_none() {
            *self = Self::default();
        }
        if status == Some(503) {
            let since = *self.busy_since.get_or_insert(began);
            if now.since(since) <= BUSY_LIMIT {
                return Failure { lost: false, wait: BUSY_WAIT };
            }
        } else {
            self.busy_since = None;
        }
        let wait = LONGEST_WAIT.min(FIRST_WAIT * 2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1).min(16);
        Failure { lost: true, wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> MonoTime {
        MonoTime::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_media_that_is_torn_down_is_no_loss() {
        let mut retry = Retry::default();
        for at in (0..500).step_by(32) {
            assert_eq!(retry.failed(Some(503), ms(at), ms(at + 2)), Failure { lost: false, wait: BUSY_WAIT }, "{at}");
        }
        assert!(retry.failed(Some(503), ms(520), ms(522)).lost);
    }

    #[test]
    fn an_engine_that_has_nothing_is_asked_ever_less_often() {
        let mut retry = Retry::default();
        // It waited 4 s for a picture before it answered.
        let waits: Vec<u128> = (0..7_u64)
            .map(|attempt| retry.failed(Some(503), ms(attempt * 6_000), ms(attempt * 6_000 + 4_000)))
            .map(|failure| if failure.lost { failure.wait.as_millis() } else { 0 })
            .collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
        let after_a_good_run = retry.failed(None, ms(100_000), ms(110_000));
        assert_eq!(after_a_good_run, Failure { lost: true, wait: FIRST_WAIT });
        assert_eq!(retry.failed(Some(503), ms(110_100), ms(110_102)).wait, BUSY_WAIT);
    }
}
