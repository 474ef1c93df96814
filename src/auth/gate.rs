//! The one way from a request to a [`Principal`].
//!
//! Repeated `nc` values are *not* refused. Clients of RTSP sign once and send the same header again with each keep-alive
//! (constant `nc` and `cnonce` are common), and whoever can record such a header can as well take over the unencrypted
//! connection that it came on; what a replay can reach is bounded by the method, the resource and the life of a nonce. A
//! door whose requests carry commands in a body, which `qop=auth` does not cover, asks [`Gate::check_once`].

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    Algorithm, Credentials, Freshness, GuessLimits, Limiter, Nonces, ParseError, Principal, Users,
    digest::{self, Ha1},
    hex,
    kept::{TokenMemory, TokenStore},
    random,
    used::UsedAnswers,
};
use crate::base::clock::MonoTime;

/// Why a request is not let in, and what to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Answer 401 with one `WWW-Authenticate` header for each value, in this order (AU-2, AU-5).
    Challenge {
        /// The header values.
        www_authenticate: Vec<String>,
    },
    /// Answer 400: the header breaks the grammar, or asks for what was not offered.
    Malformed(ParseError),
    /// Answer 503 with `Retry-After`: too many wrong passwords, or more requests than can be remembered.
    SlowDown {
        /// After how long to come again.
        retry_after: Duration,
    },
}

/// Checks requests against the users.
#[derive(Debug)]
pub struct Gate {
    pub(super) users: Arc<Users>,
    pub(super) nonces: Nonces,
    limiter: Mutex<Limiter>,
    answers: Mutex<UsedAnswers>,
    pub(super) tokens: Mutex<TokenMemory>,
    /// Locked while the disk is written.
    pub(super) keeper: Option<Mutex<Box<dyn TokenStore>>>,
    /// Hashed for names that nobody has, so that they cost the same time.
    nobody: Ha1,
}

impl Gate {
    /// Builds the gate.
    ///
    /// # Errors
    /// The system has no random source.
    pub fn new(users: Arc<Users>, limits: GuessLimits) -> Result<Self, getrandom::Error> {
        let nobody = Ha1::derive("", users.realm(), &hex(&random::<16>()?));
        let limiter = Mutex::new(Limiter::new(limits));
        let (answers, tokens) = (Mutex::default(), Mutex::default());
        Ok(Self { users, nonces: Nonces::new()?, limiter, answers, tokens, keeper: None, nobody })
    }

    /// Checks one request: its method and URI as in the request line, and its `Authorization` header if it has one.
    ///
    /// # Errors
    /// What to answer instead; see [`Refusal`].
    pub fn check(
        &self,
        authorization: Option<&str>,
        method: &str,
        uri: &str,
        peer: IpAddr,
        now: MonoTime,
    ) -> Result<Principal, Refusal> {
        let Some(header) = authorization else { return Err(self.challenge(false, now)) };
        let credentials = match Credentials::parse(header) {
            Ok(credentials) => credentials,
            Err(ParseError::OtherScheme) => return Err(self.challenge(false, now)),
            Err(error) => return Err(Refusal::Malformed(error)),
        };
        if credentials.realm != self.users.realm() {
            // Made for another device, or before a factory reset: nothing was guessed.
            return Err(self.challenge(false, now));
        }
        self.verify(&credentials, method, uri, peer, now)
    }

    fn verify(
        &self,
        credentials: &Credentials,
        method: &str,
        uri: &str,
        peer: IpAddr,
        now: MonoTime,
    ) -> Result<Principal, Refusal> {
        let user = credentials.username();
        let account = self.users.find(user);
        // Its password cannot be guessed, and strangers on this machine must not be able to lock the engine out.
        let internal = account.as_ref().is_some_and(|account| account.internal);
        if !internal && let Some(retry_after) = self.limiter().wait(peer, user, now) {
            return Err(Refusal::SlowDown { retry_after });
        }
        let ha1 = account.as_ref().map_or(&self.nobody, |account| &account.ha1);
        let matches =
            digest::response_matches(credentials, ha1, method) && digest::same_resource(&credentials.uri, uri);
        match account {
            Some(account) if matches && (!internal || peer.to_canonical().is_loopback()) => {
                if self.nonces.check(&credentials.nonce, now) != Freshness::Fresh {
                    // AU-7: the password is right, only the nonce is old or of an earlier run; the client asks nobody again.
                    return Err(self.challenge(true, now));
                }
                self.limiter().succeeded(peer, user);
                Ok(Principal::proven(account.name, account.level))
            }
            _ => {
                self.limiter().failed(peer, user, now);
                tracing::info!(user, %peer, "refused: wrong user name or password");
                Err(self.challenge(false, now))
            }
        }
    }

    pub(super) fn challenge(&self, stale: bool, now: MonoTime) -> Refusal {
        let nonce = self.nonces.make(now);
        Refusal::Challenge { www_authenticate: digest::challenges(self.users.realm(), &nonce, stale, &Algorithm::ALL) }
    }

    pub(super) fn limiter(&self) -> std::sync::MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answers(&self) -> std::sync::MutexGuard<'_, UsedAnswers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tokens(&self) -> std::sync::MutexGuard<'_, TokenMemory> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
