//! How often one may ask. The source of a datagram is easily forged, so answers are what an attacker would have us send to
//! somebody else: a bucket per source and one for all of them bound how much that can be.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use crate::base::clock::MonoTime;

/// Answers in a row to one source, and how long each counts: a search tool asks for several types at once.
const SOURCE_BURST: u32 = 20;
const SOURCE_FORGET: Duration = Duration::from_millis(200);
/// The same for all sources together.
const TOTAL_BURST: u32 = 200;
const TOTAL_FORGET: Duration = Duration::from_millis(10);
/// Most sources in the table.
const ENTRIES: usize = 1024;

/// Leaky buckets, each known by the moment when it will be empty.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    sources: HashMap<IpAddr, MonoTime>,
    total: MonoTime,
}

impl Limiter {
    /// Counts one answer to a source, unless that is too much.
    pub(super) fn admit(&mut self, source: IpAddr, now: MonoTime) -> bool {
        let source = network(source);
        let own = self.sources.get(&source).copied().unwrap_or_default();
        let filled = (fill(own, SOURCE_BURST, SOURCE_FORGET, now), fill(self.total, TOTAL_BURST, TOTAL_FORGET, now));
        let (Some(own), Some(total)) = filled else { return false };
        self.make_room(now);
        self.sources.insert(source, own);
        self.total = total;
        true
    }

    /// Forgets empty buckets, and if there are none, the one that would be empty first.
    fn make_room(&mut self, now: MonoTime) {
        if self.sources.len() < ENTRIES {
            return;
        }
        self.sources.retain(|_, empty_at| *empty_at > now);
        if self.sources.len() >= ENTRIES {
            let first = self.sources.iter().min_by_key(|(_, empty_at)| **empty_at).map(|(source, _)| *source);
            first.map(|source| self.sources.remove(&source));
        }
    }
}

/// Adds one to a bucket, if there is room.
fn fill(empty_at: MonoTime, burst: u32, forget: Duration, now: MonoTime) -> Option<MonoTime> {
    let filled = empty_at.max(now) + forget;
    if filled.since(now) <= forget * burst { Some(filled) } else { None }
}

/// Whoever has one IPv6 address has its whole network.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(source) if !source.is_unicast_link_local() => {
            IpAddr::V6(Ipv6Addr::from(u128::from(source) >> 64 << 64))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_answered_so_often_and_then_slowly() {
        let mut limiter = Limiter::default();
        let start = MonoTime::from_nanos(1_000_000_000);
        let admitted = |limiter: &mut Limiter, source: &str, now| {
            (0..1000).filter(|_| limiter.admit(source.parse().unwrap(), now)).count()
        };
        assert_eq!(admitted(&mut limiter, "192.0.2.1", start), 20);
        assert_eq!(admitted(&mut limiter, "192.0.2.2", start), 20, "others are not affected");
        assert_eq!(admitted(&mut limiter, "192.0.2.1", start + Duration::from_secs(1)), 5);
        assert_eq!(admitted(&mut limiter, "2001:db8::1", start), 20);
        assert_eq!(admitted(&mut limiter, "2001:db8::2", start), 0, "the same network");
    }

    #[test]
    fn all_sources_together_are_bounded() {
        let mut limiter = Limiter::default();
        let now = MonoTime::from_nanos(1_000_000_000);
        let total = (0..5000_u32).filter(|source| limiter.admit(IpAddr::V4((*source).into()), now)).count();
        assert_eq!(total, 200);
        let mut now = now;
        for source in 0..5000_u32 {
            now = now + Duration::from_millis(10);
            limiter.admit(IpAddr::V4(source.into()), now);
        }
        assert!(limiter.sources.len() <= ENTRIES);
    }
}
