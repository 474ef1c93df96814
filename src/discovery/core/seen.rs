//! Which messages have been seen already: requests are sent several times, and may arrive on several links.

use std::{
    collections::{HashSet, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use crate::base::clock::MonoTime;

/// For how long a message is remembered: repetitions arrive within 1.75 s (SOAP-over-UDP appendix I, four times at most). Not
/// longer, since there are scripts that use the same id for every Probe.
const MEMORY: Duration = Duration::from_secs(2);
/// Most messages remembered.
const ENTRIES: usize = 256;

type Message = (SocketAddr, String);

/// A bounded memory of messages.
#[derive(Debug, Default)]
pub(super) struct Seen {
    order: VecDeque<(MonoTime, Message)>,
    known: HashSet<Message>,
}

impl Seen {
    /// Remembers a message; says whether it is new.
    pub(super) fn is_new(&mut self, from: SocketAddr, message_id: &str, now: MonoTime) -> bool {
        while let Some((at, _)) = self.order.front() {
            if now.since(*at) < MEMORY && self.order.len() < ENTRIES {
                break;
            }
            if let Some((_, oldest)) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        let message = (from, message_id.to_owned());
        let new = self.known.insert(message.clone());
        if new {
            self.order.push_back((now, message));
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_is_known_for_two_seconds() {
        let mut seen = Seen::default();
        let (one, two) = ("192.0.2.1:5000".parse().unwrap(), "192.0.2.1:5001".parse().unwrap());
        let now = MonoTime::from_nanos(0);
        assert!(seen.is_new(one, "uuid:1", now));
        assert!(!seen.is_new(one, "uuid:1", now + Duration::from_millis(1900)));
        assert!(seen.is_new(two, "uuid:1", now), "another client may use the same id");
        assert!(seen.is_new(one, "uuid:1", now + Duration::from_secs(2)));
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut seen = Seen::default();
        let now = MonoTime::from_nanos(0);
        for id in 0..10_000 {
            seen.is_new("192.0.2.1:5000".parse().unwrap(), &id.to_string(), now);
        }
        assert_eq!((seen.order.len(), seen.known.len()), (ENTRIES, ENTRIES));
    }
}
