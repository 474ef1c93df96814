//! How long a client may take.

use std::time::Duration;

use crate::base::clock::MonoTime;

/// What a client has to show for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It never said who it is.
    Stranger,
    /// It is a user, or has the number of a session, and made no session here.
    Known,
    /// It has a session, which has a timeout of its own.
    Session,
}

/// The times that count. Bytes alone renew none that a stranger depends on: whoever sends one now and then could hold
/// connections for ever.
#[derive(Debug)]
pub(super) struct Patience {
    came: MonoTime,
    last_heard: MonoTime,
    /// Since when a message is on its way.
    message_since: Option<MonoTime>,
}

impl Patience {
    /// Begins with a connection.
    pub(super) fn new(now: MonoTime) -> Self {
        Self { came: now, last_heard: now, message_since: None }
    }

    /// Notes that something was read.
    pub(super) fn heard(&mut self, now: MonoTime) {
        self.last_heard = now;
    }

    /// Notes that a message is whole.
    pub(super) fn whole(&mut self) {
        self.message_since = None;
    }

    /// Notes whether what was read ends within a message.
    pub(super) fn ends_midway(&mut self, midway: bool, now: MonoTime) {
        self.message_since = midway.then(|| self.message_since.unwrap_or(now));
    }

    /// Says why it is over, if it is: a message takes `idle` at most, silence without a session likewise, and a stranger stays
    /// no longer than twice that.
    pub(super) fn over(&self, standing: Standing, idle: Duration, now: MonoTime) -> Option<&'static str> {
        if self.message_since.is_some_and(|since| now.since(since) > idle) {
            return Some("a message takes too long to arrive");
        }
        match standing {
            Standing::Stranger if now.since(self.came) > 2 * idle => Some("a stranger stays too long"),
            Standing::Stranger | Standing::Known if now.since(self.last_heard) > idle => Some("idle"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> MonoTime {
        MonoTime::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_message_has_its_time_whatever_comes_of_it() {
        let mut patience = Patience::new(at(0));
        for second in 10..=70 {
            patience.heard(at(second));
            patience.ends_midway(true, at(second));
            assert_eq!(patience.over(Standing::Session, IDLE, at(second)), None);
        }
        assert!(patience.over(Standing::Session, IDLE, at(71)).is_some());
        patience.whole();
        patience.ends_midway(true, at(71));
        assert_eq!(patience.over(Standing::Session, IDLE, at(130)), None, "the next one begins anew");
        patience.ends_midway(false, at(131));
        assert_eq!(patience.over(Standing::Session, IDLE, at(200)), None);
    }

    #[test]
    fn strangers_go_users_may_stay_and_sessions_end_by_themselves() {
        let mut patience = Patience::new(at(0));
        assert_eq!(patience.over(Standing::Stranger, IDLE, at(61)), Some("idle"));
        patience.heard(at(119));
        assert_eq!(patience.over(Standing::Stranger, IDLE, at(120)), None);
        assert_eq!(patience.over(Standing::Stranger, IDLE, at(121)), Some("a stranger stays too long"));
        assert_eq!(patience.over(Standing::Known, IDLE, at(121)), None);
        assert_eq!(patience.over(Standing::Known, IDLE, at(180)), Some("idle"));
        assert_eq!(patience.over(Standing::Session, IDLE, at(1000)), None);
    }
}
