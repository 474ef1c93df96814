//! WS-UsernameToken and the memory that makes a proof good once (ONVIF Core 5.9.2; OASIS WSS UsernameToken Profile 1.0).
//!
//! A token is signed for a moment and may be used once: within [`TOKEN_LIFE`] of our clock, either way, its (user, nonce,
//! created) is remembered, across restarts too ([`TokenStore`](super::TokenStore)). The memory of each user is bounded and
//! refuses when it is full, rather than forget.

use std::{net::IpAddr, time::Duration};

use super::{
    Credentials, Gate, Principal, Refusal,
    used::{Key, Verdict},
};
use crate::base::clock::{MonoTime, UtcTime};

/// How far a token's time may be from ours.
pub const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// What a client says in a token.
pub struct TokenClaim<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The nonce, decoded.
    pub nonce: &'a [u8],
    /// When it was made, as it is written.
    pub created: &'a str,
    /// The same as a time; `None` if it is none.
    pub created_at: Option<UtcTime>,
    /// Whether the token was made with this password.
    pub matches: &'a dyn Fn(&str) -> bool,
}

/// Why a token is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefusal {
    /// It is wrong, stale, or was used before. Which one is nobody's business.
    NotAuthorized,
    /// Too many wrong passwords came, or more requests than can be remembered.
    SlowDown {
        /// After how long to come again.
        retry_after: Duration,
    },
}

impl Gate {
    /// Checks a token against our wall clock, `utc`.
    ///
    /// # Errors
    /// See [`TokenRefusal`].
    pub fn check_token(
        &self,
        claim: &TokenClaim<'_>,
        peer: IpAddr,
        utc: UtcTime,
        now: MonoTime,
    ) -> Result<Principal, TokenRefusal> {
        if let Some(retry_after) = self.limiter().wait(peer, claim.user, now) {
            return Err(TokenRefusal::SlowDown { retry_after });
        }
        let account = self.users.find(claim.user).filter(|account| !account.internal);
        let password = account.as_ref().and_then(|account| self.users.password(account));
        // An unknown name costs as much as a known one.
        let matches = (claim.matches)(password.as_ref().map_or("", |password| password.reveal()));
        let Some(account) = account.filter(|_| matches && password.is_some()) else {
            self.limiter().failed(peer, claim.user, now);
            tracing::info!(user = claim.user, %peer, "refused: wrong user name or password in a token");
            return Err(TokenRefusal::NotAuthorized);
        };
        // The password is right: a wrong clock is no guess, and locks nobody out.
        let Some(created) = claim.created_at.filter(|created| utc.abs_diff(*created) <= TOKEN_LIFE) else {
            tracing::info!(user = claim.user, %peer, "refused: a token of another time; is the client's clock right?");
            return Err(TokenRefusal::NotAuthorized);
        };
        let key = key(&[b"token", claim.user.as_bytes(), claim.nonce, claim.created.as_bytes()]);
        match self.take_token(claim.user, created, key, utc) {
            Verdict::New => {}
            Verdict::Used => {
                tracing::info!(user = claim.user, %peer, "refused: a token that was used before");
                return Err(TokenRefusal::NotAuthorized);
            }
            Verdict::Full { retry_after } => {
                tracing::warn!(user = claim.user, %peer, "refused: this user sends more tokens than can be remembered");
                return Err(TokenRefusal::SlowDown { retry_after });
            }
        }
        self.limiter().succeeded(peer, claim.user);
        Ok(Principal::proven(account.name, account.level))
    }

    /// Like [`Gate::check`], and each proof is good once: for requests that carry commands in a body, which Digest with
    /// `qop=auth` does not cover. A client that sends the same proof again is challenged with a new nonce.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn check_once(
        &self,
        authorization: Option<&str>,
        method: &str,
        uri: &str,
        peer: IpAddr,
        now: MonoTime,
    ) -> Result<Principal, Refusal> {
        let principal = self.check(authorization, method, uri, peer, now)?;
        let Some(Ok(credentials)) = authorization.map(Credentials::parse) else {
            return Err(self.challenge(false, now));
        };
        let Some(end) = self.nonces.end(&credentials.nonce) else { return Err(self.challenge(true, now)) };
        let (user, nonce) = (principal.user(), credentials.nonce.as_bytes());
        let verdict = match credentials.count() {
            Some(count) if count > 1 => self.answers().count(user, (end, key(&[b"nonce", nonce])), count, now),
            // There are clients that never count further, and change `cnonce` alone.
            _ => {
                let key = key(&[b"digest", nonce, credentials.response.as_bytes()]);
                self.answers().take(user, end, key, now)
            }
        };
        match verdict {
            Verdict::New => Ok(principal),
            Verdict::Used => Err(self.challenge(true, now)),
            Verdict::Full { retry_after } => {
                tracing::warn!(user = principal.user(), %peer, "refused: this user sends more requests than can be remembered");
                Err(Refusal::SlowDown { retry_after })
            }
        }
    }
}

fn key(parts: &[&[u8]]) -> Key {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    hash.first_chunk().map_or(0, |first| Key::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::*, *};
    use crate::base::redact::Redacted;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn gate() -> Gate {
        let directory = tempfile::tempdir().unwrap();
        let key = DeviceKey::open_or_create(&directory.path().join("key")).unwrap();
        let users = Arc::new(Users::open(Box::new(InMemory::default()), key).unwrap());
        let joe = NewUser { name: "joe".into(), password: Redacted::new("secret".into()), level: Level::Operator };
        users.create(&[joe]).unwrap();
        Gate::new(users, GuessLimits::default()).unwrap()
    }

    fn at(seconds: u64) -> (UtcTime, MonoTime) {
        (UtcTime::from_nanos((1_800_000_000 + seconds) * 1_000_000_000), MonoTime::from_nanos(seconds * 1_000_000_000))
    }

    fn check(
        gate: &Gate,
        user: &str,
        password: &str,
        nonce: &[u8],
        made: u64,
        now: u64,
    ) -> Result<Principal, TokenRefusal> {
        let created = made.to_string();
        let matches = |given: &str| given == password;
        let claim = TokenClaim { user, nonce, created: &created, created_at: Some(at(made).0), matches: &matches };
        let (utc, mono) = at(now);
        gate.check_token(&claim, PEER, utc, mono)
    }

    #[test]
    fn a_token_is_good_once_and_near_our_time() {
        let gate = gate();
        let principal = check(&gate, "joe", "secret", b"1", 1000, 1000).unwrap();
        assert_eq!((principal.user(), principal.level()), ("joe", Level::Operator));
        let refused = Err(TokenRefusal::NotAuthorized);
        assert_eq!(check(&gate, "joe", "secret", b"1", 1000, 1001), refused, "replayed");
        assert!(check(&gate, "joe", "secret", b"2", 1000, 1300).is_ok());
        assert_eq!(check(&gate, "joe", "secret", b"3", 1000, 1301), refused, "stale");
        assert!(check(&gate, "joe", "secret", b"4", 1600, 1300).is_ok(), "ahead");
        assert_eq!(check(&gate, "joe", "secret", b"4", 1600, 1890), refused, "replayed at its very end");
        assert_eq!(check(&gate, "joe", "secret", b"5", 1601, 1300), refused, "too far ahead");
        assert_eq!(check(&gate, "joe", "wrong", b"6", 1300, 1300), refused);
        assert_eq!(check(&gate, "nobody", "", b"7", 1300, 1300), refused);
    }

    #[test]
    fn guessing_is_slowed_down_and_wrong_clocks_are_not_guesses() {
        let gate = gate();
        for nonce in 0..100_u8 {
            assert_eq!(check(&gate, "joe", "secret", &[nonce], 0, 1000), Err(TokenRefusal::NotAuthorized));
        }
        assert!(check(&gate, "joe", "secret", b"x", 1000, 1000).is_ok());
        let slowed = (0..100_u8).map(|nonce| check(&gate, "joe", "guess", &[nonce, 0], 1000, 1000));
        assert!(slowed.into_iter().any(|refused| matches!(refused, Err(TokenRefusal::SlowDown { .. }))));
    }

    /// Whoever may only watch keeps no administrator out.
    #[test]
    fn one_user_who_sends_too_much_is_slowed_down_alone() {
        let gate = gate();
        let eve = NewUser { name: "eve".into(), password: Redacted::new("secret".into()), level: Level::User };
        gate.users.create(&[eve]).unwrap();
        let eve = |number: u32, now| check(&gate, "eve", "secret", &number.to_be_bytes(), 1000, now);
        let refused = (0..70_000).find_map(|number| eve(number, 1000).err());
        assert_eq!(refused, Some(TokenRefusal::SlowDown { retry_after: TOKEN_LIFE }));
        assert!(check(&gate, "joe", "secret", b"1", 1000, 1000).is_ok());
        assert!(check(&gate, "eve", "secret", b"later", 1301, 1301).is_ok());
    }
}
