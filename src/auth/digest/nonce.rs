//! Nonces that need no memory: a time, a count and a keyed MAC over both.
//!
//! ```text
//!  0        8        16               32
//!  │ ms (BE) │ count  │ HMAC-SHA256/128 │   as 64 hexadecimal digits
//! ```
//!
//! A nonce is not tied to a connection, since the GET and the POST of an HTTP tunnel share one (AU-7).

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::super::{hex, random};
use crate::base::clock::MonoTime;

const BODY: usize = 16;
const MAC: usize = 16;

/// How a nonce stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Ours, and young enough.
    Fresh,
    /// Ours once, but too old now.
    Expired,
    /// Not made by this run of the program.
    Foreign,
}

/// Makes and checks nonces.
pub struct Nonces {
    mac: Hmac<Sha256>,
    count: AtomicU64,
    lifetime: Duration,
}

impl Nonces {
    /// How long a nonce lasts: long enough that a client signs its keep-alives for a while, short enough to bound a replay.
    pub const LIFETIME: Duration = Duration::from_secs(300);

    /// Starts with a random key of its own.
    ///
    /// # Errors
    /// The system has no random source.
    pub fn new() -> Result<Self, getrandom::Error> {
        Ok(Self::with_key(random()?))
    }

    /// Starts with a given key.
    pub fn with_key(key: [u8; 64]) -> Self {
        Self { mac: Hmac::new(&key.into()), count: AtomicU64::new(0), lifetime: Self::LIFETIME }
    }

    /// Makes a nonce; no two are equal.
    pub fn make(&self, now: MonoTime) -> String {
        let mut bytes = [0; BODY + MAC];
        bytes[..8].copy_from_slice(&millis(now).to_be_bytes());
        bytes[8..BODY].copy_from_slice(&self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let mac = self.mac.clone().chain_update(&bytes[..BODY]).finalize().into_bytes();
        bytes[BODY..].copy_from_slice(&mac[..MAC]);
        hex(&bytes)
    }

    /// Tells how a nonce stands.
    pub fn check(&self, nonce: &str, now: MonoTime) -> Freshness {
        let Some(bytes) = unhex(nonce) else { return Freshness::Foreign };
        let (body, mac) = bytes.split_at(BODY);
        if self.mac.clone().chain_update(body).verify_truncated_left(mac).is_err() {
            return Freshness::Foreign;
        }
        let age = millis(now).saturating_sub(made(body));
        if u128::from(age) > self.lifetime.as_millis() { Freshness::Expired } else { Freshness::Fresh }
    }

    /// Tells from when on a nonce of ours counts as old; nothing where it is no nonce.
    pub(in crate::auth) fn end(&self, nonce: &str) -> Option<MonoTime> {
        let bytes = unhex(nonce)?;
        let last = Duration::from_millis(made(&bytes)) + self.lifetime;
        Some(MonoTime::default() + last + Duration::from_millis(1))
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces(…)")
    }
}

/// When a nonce was made, in milliseconds.
fn made(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |made| u64::from_be_bytes(*made))
}

fn millis(now: MonoTime) -> u64 {
    now.as_nanos() / 1_000_000
}

/// Reads exactly as many hexadecimal digits as a nonce has.
fn unhex(text: &str) -> Option<[u8; BODY + MAC]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * (BODY + MAC) {
        return None;
    }
    let mut bytes = [0; BODY + MAC];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_lasts_its_lifetime_and_no_longer() {
        let nonces = Nonces::with_key([7; 64]);
        let made_at = MonoTime::from_nanos(10_000_000_000);
        let nonce = nonces.make(made_at);
        assert_eq!(nonces.check(&nonce, made_at), Freshness::Fresh);
        assert_eq!(nonces.check(&nonce, made_at + Nonces::LIFETIME), Freshness::Fresh);
        assert_eq!(nonces.check(&nonce, made_at + Nonces::LIFETIME + Duration::from_millis(1)), Freshness::Expired);
        assert_eq!(nonces.end(&nonce), Some(made_at + Nonces::LIFETIME + Duration::from_millis(1)));
    }

    #[test]
    fn nonces_differ_and_cannot_be_forged() {
        let now = MonoTime::from_nanos(5);
        let nonces = Nonces::with_key([7; 64]);
        let nonce = nonces.make(now);
        assert_ne!(nonce, nonces.make(now));
        assert_eq!(Nonces::with_key([8; 64]).check(&nonce, now), Freshness::Foreign);
        for at in 0..nonce.len() {
            let mut digits = nonce.clone().into_bytes();
            digits[at] = if digits[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(nonces.check(std::str::from_utf8(&digits).unwrap(), now), Freshness::Foreign, "digit {at}");
        }
        for odd in ["", "zz", &nonce[1..], &format!("{nonce}00"), &"é".repeat(32)] {
            assert_eq!(nonces.check(odd, now), Freshness::Foreign);
        }
    }

    /// RFC 4231, test case 2: our use of the MAC is the standard one.
    #[test]
    fn hmac_vector() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        assert_eq!(
            hex(&mac.finalize().into_bytes()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
