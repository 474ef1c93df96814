//! Slows down those who guess passwords: a leaky bucket per (address, user) and one per address; no clock of its own.
//!
//! A failure adds one to both buckets, time empties them, and a full bucket means "not now". A recorder that has the wrong
//! password fills its own bucket and is refused there, unverified and uncounted, so it hardly touches the bucket of the
//! address and does not lock out others behind the same router. Somebody who tries many names fills the bucket of the address,
//! which for IPv6 is that of the whole /64: a host owns all of it, and so does a house, so a pair is told apart by full address.
//! Success empties the pair's bucket. The table is bounded: when it is full, the entry that would be empty first goes.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use crate::base::clock::MonoTime;

/// How much failure is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuessLimits {
    /// Failures in a row that one user name from one address is allowed.
    pub pair_burst: u32,
    /// After how long one of them is forgotten.
    pub pair_forget: Duration,
    /// Failures in a row that one address is allowed.
    pub address_burst: u32,
    /// After how long one of them is forgotten.
    pub address_forget: Duration,
    /// Most entries in the table.
    pub entries: usize,
}

impl Default for GuessLimits {
    /// Ten slips are free; then four guesses a minute for one name, thirty for one address.
    fn default() -> Self {
        Self {
            pair_burst: 10,
            pair_forget: Duration::from_secs(15),
            address_burst: 60,
            address_forget: Duration::from_secs(2),
            entries: 4096,
        }
    }
}

/// Counts failures; see the module's text.
#[derive(Debug)]
pub struct Limiter {
    limits: GuessLimits,
    /// For each bucket the moment when it will be empty.
    empty_at: HashMap<Key, MonoTime>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(IpAddr, String),
    Address(IpAddr),
}

impl Limiter {
    /// Starts with an empty table.
    pub fn new(limits: GuessLimits) -> Self {
        Self { limits, empty_at: HashMap::new() }
    }

    /// Returns how long this user at this address has to wait before the next attempt is looked at; nothing where it may go on.
    pub fn wait(&self, peer: IpAddr, user: &str, now: MonoTime) -> Option<Duration> {
        keys(peer, user).iter().filter_map(|key| self.wait_for(key, now)).max()
    }

    /// Counts a failure.
    pub fn failed(&mut self, peer: IpAddr, user: &str, now: MonoTime) {
        for key in keys(peer, user) {
            let (_, forget) = self.bucket(&key);
            let from = self.empty_at.get(&key).copied().unwrap_or(now).max(now);
            self.make_room(&key, now);
            self.empty_at.insert(key, from + forget);
        }
    }

    /// Forgets the failures of this user at this address.
    pub fn succeeded(&mut self, peer: IpAddr, user: &str) {
        let [pair, _] = keys(peer, user);
        self.empty_at.remove(&pair);
    }

    fn wait_for(&self, key: &Key, now: MonoTime) -> Option<Duration> {
        let (burst, forget) = self.bucket(key);
        let fill = self.empty_at.get(key)?.since(now);
        // One more must fit: the bucket may hold at most burst - 1 before the attempt.
        let room_at = forget * burst.saturating_sub(1);
        (fill > room_at).then(|| fill - room_at)
    }

    fn bucket(&self, key: &Key) -> (u32, Duration) {
        match key {
            Key::Pair(..) => (self.limits.pair_burst, self.limits.pair_forget),
            Key::Address(_) => (self.limits.address_burst, self.limits.address_forget),
        }
    }

    /// Drops what is empty, and if that is not enough the one nearest to it.
    fn make_room(&mut self, key: &Key, now: MonoTime) {
        if self.empty_at.len() < self.limits.entries || self.empty_at.contains_key(key) {
            return;
        }
        self.empty_at.retain(|_, at| *at > now);
        if self.empty_at.len() >= self.limits.entries
            && let Some(first) = self.empty_at.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone())
        {
            self.empty_at.remove(&first);
        }
    }
}

/// Returns the pair's key and the address's; the latter is the /64 of an IPv6 host, which owns all of it.
fn keys(peer: IpAddr, user: &str) -> [Key; 2] {
    let peer = peer.to_canonical();
    let owner = match peer {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    };
    // A name longer than any user's is not worth its memory.
    let user: String = user.chars().take(super::MAX_NAME_BYTES).collect();
    [Key::Pair(peer, user), Key::Address(owner)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limiter() -> (Limiter, MonoTime) {
        let limits = GuessLimits {
            pair_burst: 3,
            pair_forget: 10 * SECOND,
            address_burst: 6,
            address_forget: 2 * SECOND,
            entries: 8,
        };
        (Limiter::new(limits), MonoTime::from_nanos(0))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn after_a_burst_one_guess_per_interval() {
        let (mut limiter, mut now) = limiter();
        for _ in 0..3 {
            assert_eq!(limiter.wait(ip("10.0.0.1"), "anna", now), None);
            limiter.failed(ip("10.0.0.1"), "anna", now);
        }
        assert_eq!(limiter.wait(ip("10.0.0.1"), "anna", now), Some(10 * SECOND));
        assert_eq!(limiter.wait(ip("10.0.0.1"), "bob", now), None, "another user behind the same router");
        assert_eq!(limiter.wait(ip("10.0.0.2"), "anna", now), None, "anna elsewhere");
        now = now + 10 * SECOND;
        assert_eq!(limiter.wait(ip("10.0.0.1"), "anna", now), None);
        limiter.failed(ip("10.0.0.1"), "anna", now);
        assert_eq!(limiter.wait(ip("10.0.0.1"), "anna", now), Some(10 * SECOND));
        limiter.succeeded(ip("10.0.0.1"), "anna");
        assert_eq!(limiter.wait(ip("10.0.0.1"), "anna", now), None);
    }

    #[test]
    fn many_names_from_one_address_are_slowed_too() {
        let (mut limiter, now) = limiter();
        for i in 0..6 {
            limiter.failed(ip("10.0.0.1"), &format!("user{i}"), now);
        }
        assert_eq!(limiter.wait(ip("10.0.0.1"), "new", now), Some(2 * SECOND));
        assert_eq!(limiter.wait(ip("10.0.0.2"), "new", now), None);
    }

    #[test]
    fn an_ipv6_host_cannot_hide_in_its_prefix_nor_ipv4_in_ipv6() {
        let (mut v6, now) = limiter();
        for i in 0..6 {
            v6.failed(ip(&format!("2001:db8:1:1::{i}")), "anna", now);
        }
        assert!(v6.wait(ip("2001:db8:1:1:ffff::9"), "anna", now).is_some());
        assert!(v6.wait(ip("2001:db8:1:2::9"), "anna", now).is_none());
        let (mut v4, now) = limiter();
        for _ in 0..3 {
            v4.failed(ip("::ffff:10.0.0.1"), "anna", now);
        }
        assert!(v4.wait(ip("10.0.0.1"), "anna", now).is_some());
    }

    /// All of a house may be in one /64: a recorder there with a wrong password locks out itself.
    #[test]
    fn an_ipv6_neighbour_is_not_locked_out() {
        let (mut limiter, now) = limiter();
        for _ in 0..3 {
            limiter.failed(ip("2001:db8:1:1::1"), "anna", now);
        }
        assert!(limiter.wait(ip("2001:db8:1:1::1"), "anna", now).is_some());
        assert_eq!(limiter.wait(ip("2001:db8:1:1::2"), "anna", now), None);
    }

    #[test]
    fn the_table_stays_bounded_and_keeps_the_worst() {
        let (mut limiter, now) = limiter();
        for _ in 0..3 {
            limiter.failed(ip("10.0.0.1"), "anna", now);
        }
        for i in 0..100 {
            limiter.failed(ip(&format!("10.1.0.{i}")), "anna", now);
            assert!(limiter.empty_at.len() <= 8);
        }
        assert!(limiter.wait(ip("10.0.0.1"), "anna", now).is_some());
    }
}
