//! Users, their levels, and the check that a request comes from one of them.
//!
//! ```text
//!  UserStore (trait; the state directory implements it) ──► Users ──► snapshot in memory: name → level, HA1 forms
//!                                                                         │
//!  Authorization header ──► Credentials ──► Gate: limiter, nonce, response ┴──► Principal (proof) | Refusal
//! ```
//!
//! [`Gate::check`] is the one way from a request to a [`Principal`], and a `Principal` is what everything that needs
//! authorisation takes: whoever holds one was checked.

mod digest;
mod first_start;
mod gate;
mod kept;
mod limiter;
mod one_run;
mod seal;
mod token;
mod used;
mod users;

use std::{fmt, str::FromStr, sync::Arc};

pub use digest::{Algorithm, Credentials, Freshness, Nonces, ParseError};
pub use first_start::{ADMIN, FirstAdmin, first_start};
pub use gate::{Gate, Refusal};
pub use kept::{KeptTokens, TokenStore};
pub use limiter::{GuessLimits, Limiter};
pub use one_run::OneRun;
pub use seal::{DeviceKey, KeyError};
pub use token::{TOKEN_LIFE, TokenClaim, TokenRefusal};
pub use users::{
    Change, InMemory, MAX_NAME_BYTES, MAX_PASSWORD_BYTES, MAX_USERS, NewUser, SealedUser, StoreError, UserChange,
    UserInfo, UserStore, Users, UsersError,
};

/// What a user may do, in rising order (ONVIF Core, user levels).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Watches.
    User,
    /// Watches and operates: relays, talk-back, imaging.
    Operator,
    /// Everything, users included.
    Administrator,
}

impl Level {
    /// Returns the name that ONVIF, the store and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Operator => "Operator",
            Self::Administrator => "Administrator",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Tells that a text names no [`Level`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be Administrator, Operator or User")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        [Self::User, Self::Operator, Self::Administrator]
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownLevel)
    }
}

/// Proves that a request was authenticated; only this module can make one.
///
/// ```compile_fail,E0451
/// # use belvedere::auth::{Level, Principal};
/// let forged = Principal { user: "admin".into(), level: Level::Administrator };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    user: Arc<str>,
    level: Level,
}

impl Principal {
    /// Makes the proof; called where a check has just succeeded and nowhere else.
    fn proven(user: Arc<str>, level: Level) -> Self {
        Self { user, level }
    }

    /// Returns the name of the user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Returns the user's level; streams (access class READ_MEDIA, AU-9) are open to every level.
    pub fn level(&self) -> Level {
        self.level
    }
}

/// A proof without a check, for the tests of other rooms.
#[cfg(test)]
pub(crate) fn principal_for_tests(user: &str) -> Principal {
    Principal::proven(user.into(), Level::Administrator)
}

/// Writes bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

/// Fills an array from the system's random source.
///
/// # Errors
/// The system has no random source.
fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
