//! The device under test: where it is, who we are there, and which of its encoders are in use by a case.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    thread::{self, ThreadId},
    time::Duration,
};

use belvedere_harness::digest::Challenge;

use crate::{clock::Clock, soap, test::INTERRUPTED};

/// How often somebody who waits looks whether to stop.
const LOOK: Duration = Duration::from_millis(200);

/// How many nonces are counted; those that were not used for the longest time are forgotten first.
const NONCES: usize = 1024;

/// The challenges that a thread answers, by user and authority.
type Challenges = BTreeMap<(String, String), Challenge>;
/// A nonce of an authority as a user has it.
type Nonce = (String, String, String);

/// The device under test.
#[derive(Debug)]
pub struct Device {
    /// Its clock.
    pub clock: Clock,
    url: String,
    user: String,
    password: String,
    services: Mutex<BTreeMap<String, String>>,
    challenges: Mutex<HashMap<ThreadId, Challenges>>,
    counts: Mutex<VecDeque<(Nonce, u32)>>,
    claimed: Mutex<BTreeSet<String>>,
    released: Condvar,
}

impl Device {
    /// Takes the address of the device service and the credentials of an administrator.
    pub fn new(url: String, user: String, password: String) -> Self {
        Self {
            clock: Clock::default(),
            url,
            user,
            password,
            services: Mutex::default(),
            challenges: Mutex::default(),
            counts: Mutex::default(),
            claimed: Mutex::default(),
            released: Condvar::new(),
        }
    }

    /// The address of the device service.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// User and password of the administrator.
    pub fn owner(&self) -> (&str, &str) {
        (&self.user, &self.password)
    }

    /// Where a service is, by its namespace. The device service is where the judge was told.
    pub fn service(&self, namespace: &str) -> Option<String> {
        if namespace == soap::namespace("tds") {
            return Some(self.url.clone());
        }
        lock(&self.services).get(namespace).cloned()
    }

    /// Remembers where the services are.
    pub fn set_services(&self, services: BTreeMap<String, String>) {
        *lock(&self.services) = services;
    }

    /// The challenge that this thread answers next time, with its count. Each thread has its own: a device may want the
    /// counts of a nonce one after the other, and requests of two threads overtake each other.
    pub fn challenge(&self, user: &str, authority: &str) -> Option<(Challenge, u32)> {
        let who = (user.to_owned(), authority.to_owned());
        let challenge = lock(&self.challenges).get(&thread::current().id())?.get(&who)?.clone();
        let count = self.count((who.0, who.1, challenge.nonce.clone()));
        Some((challenge, count))
    }

    /// Remembers a challenge for this thread.
    pub fn challenged(&self, user: &str, authority: &str, challenge: Challenge) {
        let mut challenges = lock(&self.challenges);
        let own = challenges.entry(thread::current().id()).or_default();
        own.insert((user.to_owned(), authority.to_owned()), challenge);
    }

    /// The next count of a nonce, whoever has it: a device may give several threads the same, and a count that comes again is
    /// a replay (RFC 7616, section 3.4).
    fn count(&self, nonce: Nonce) -> u32 {
        let mut counts = lock(&self.counts);
        let known = counts.iter().rposition(|(known, _)| *known == nonce);
        let count = known.and_then(|place| counts.remove(place)).map_or(1, |(_, count)| count + 1);
        counts.push_back((nonce, count));
        if counts.len() > NONCES {
            counts.pop_front();
        }
        count
    }

    /// Waits until one of these is free, and takes it. `None`: there are none, or somebody wants to stop.
    pub fn claim(&self, wanted: &[String]) -> Option<Claim<'_>> {
        let mut claimed = lock(&self.claimed);
        if wanted.is_empty() {
            return None;
        }
        loop {
            if let Some(free) = wanted.iter().find(|token| !claimed.contains(*token)) {
                claimed.insert(free.clone());
                return Some(Claim { device: self, token: free.clone() });
            }
            if INTERRUPTED.load(Ordering::Relaxed) {
                return None;
            }
            let waited = self.released.wait_timeout(claimed, LOOK);
            claimed = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether some case has it.
    pub fn is_claimed(&self, token: &str) -> bool {
        lock(&self.claimed).contains(token)
    }
}

/// What a case has taken for itself; whoever drops it lets others have it, however that comes.
#[derive(Debug)]
pub struct Claim<'a> {
    device: &'a Device,
    token: String,
}

impl Claim<'_> {
    /// What was taken.
    pub fn token(&self) -> &str {
        &self.token
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        lock(&self.device.claimed).remove(&self.token);
        self.device.released.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
