//! WS-Security UsernameToken (UsernameToken Profile 1.0), read and compared.
//!
//! Whether the token is fresh and its nonce new is a question of time and memory, and so not asked here.

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::PAD},
};
use ctutils::CtEq as _;
use sha1::{Digest as _, Sha1};
use thiserror::Error;

use super::{
    names::{WSSE, WSU},
    tree::Element,
    values::{FromText as _, trimmed},
};
use crate::{
    auth::{MAX_NAME_BYTES, MAX_PASSWORD_BYTES},
    base::{clock::UtcTime, redact::Redacted},
};

/// What the type of a password ends with; clients write the whole URI of the profile, or this alone.
const DIGEST_TYPE: &str = "PasswordDigest";
const TEXT_TYPE: &str = "PasswordText";
/// Bytes of a nonce; clients send 16 to 20, gSOAP 20.
const MAX_NONCE_BYTES: usize = 128;
/// Bytes of the time of creation.
const MAX_CREATED_BYTES: usize = 64;

/// Clients leave out or add padding.
const LENIENT: GeneralPurposeConfig =
    PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// Says who sends a request, and proves it if [`UsernameToken::matches`].
#[derive(Clone, PartialEq, Eq)]
pub struct UsernameToken {
    username: String,
    password: Password,
    nonce: Vec<u8>,
    created: String,
}

#[derive(Clone, PartialEq, Eq)]
enum Password {
    Digest([u8; 20]),
    Text(Redacted<String>),
}

/// Why a token cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// A part that must be there is not.
    #[error("the UsernameToken has no {0}")]
    Missing(&'static str),
    /// A part is there twice, too long, or not what it should be.
    #[error("the UsernameToken has a bad {0}")]
    Bad(&'static str),
}

impl UsernameToken {
    /// Reads the token out of Security headers; `None` if none of them holds one.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn read<'a>(security: impl Iterator<Item = &'a Element>) -> Result<Option<Self>, TokenError> {
        let mut tokens = security.flat_map(|header| header.children(WSSE, "UsernameToken"));
        match (tokens.next(), tokens.next()) {
            (None, _) => Ok(None),
            (Some(token), None) => Self::read_token(token).map(Some),
            (Some(_), Some(_)) => Err(TokenError::Bad("second UsernameToken beside it")),
        }
    }

    fn read_token(token: &Element) -> Result<Self, TokenError> {
        let username = text(token, WSSE, "Username", MAX_NAME_BYTES)?.ok_or(TokenError::Missing("Username"))?;
        let nonce = text(token, WSSE, "Nonce", 2 * MAX_NONCE_BYTES)?;
        let created = text(token, WSU, "Created", MAX_CREATED_BYTES)?;
        let nonce = nonce.map(|nonce| decode(&nonce, "Nonce")).transpose()?;
        if nonce.as_ref().is_some_and(|nonce| nonce.len() > MAX_NONCE_BYTES) {
            return Err(TokenError::Bad("Nonce"));
        }
        let element = token.child(WSSE, "Password").ok_or(TokenError::Missing("Password"))?;
        let value = element.text();
        // Section 3.1: a type that is not named is PasswordText.
        let password = match element.attribute("Type").map_or(TEXT_TYPE, kind) {
            DIGEST_TYPE if nonce.is_none() => return Err(TokenError::Missing("Nonce")),
            DIGEST_TYPE if created.is_none() => return Err(TokenError::Missing("Created")),
            DIGEST_TYPE if value.len() > MAX_PASSWORD_BYTES => return Err(TokenError::Bad("Password")),
            DIGEST_TYPE => Password::Digest(digest(&value)?),
            TEXT_TYPE if value.len() > MAX_PASSWORD_BYTES => return Err(TokenError::Bad("Password")),
            TEXT_TYPE => Password::Text(Redacted::new(value.into_owned())),
            _ => return Err(TokenError::Bad("Password Type")),
        };
        Ok(Self { username, password, nonce: nonce.unwrap_or_default(), created: created.unwrap_or_default() })
    }

    /// The name that the client gives.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Tells whether the password came as a digest; only then are there a nonce and a time.
    pub fn is_digest(&self) -> bool {
        matches!(self.password, Password::Digest(_))
    }

    /// The nonce, decoded.
    pub fn nonce(&self) -> &[u8] {
        &self.nonce
    }

    /// The time of creation as the client wrote it.
    pub fn created(&self) -> &str {
        &self.created
    }

    /// The time of creation; `None` if there is none or it is no time.
    pub fn created_at(&self) -> Option<UtcTime> {
        UtcTime::from_text(&self.created)
    }

    /// Tells whether the token is one that the holder of the password made. Compares in constant time.
    pub fn matches(&self, password: &str) -> bool {
        match &self.password {
            Password::Digest(digest) => {
                password_digest(&self.nonce, &self.created, password).as_slice().ct_eq(digest.as_slice()).to_bool()
            }
            Password::Text(text) => text.reveal().as_bytes().ct_eq(password.as_bytes()).to_bool(),
        }
    }
}

/// Shows whose token it is and nothing that helps to guess a password.
impl fmt::Debug for UsernameToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("UsernameToken");
        shown.field("username", &self.username).field("digest", &self.is_digest()).finish_non_exhaustive()
    }
}

/// Computes `SHA-1(nonce + created + password)`, the bytes that stand in Base64 in a token (UsernameToken Profile 1.0,
/// section 3.1).
pub fn password_digest(nonce: &[u8], created: &str, password: &str) -> [u8; 20] {
    Sha1::new().chain_update(nonce).chain_update(created).chain_update(password).finalize().into()
}

/// The text of a part, which may be there once.
fn text(
    token: &Element,
    namespace: super::names::Ns,
    local: &'static str,
    longest: usize,
) -> Result<Option<String>, TokenError> {
    let mut parts = token.children(namespace, local);
    let Some(part) = parts.next() else { return Ok(None) };
    let text = part.text();
    let text = trimmed(&text);
    if text.len() > longest || parts.next().is_some() || part.elements().next().is_some() {
        return Err(TokenError::Bad(local));
    }
    Ok(Some(text.to_owned()))
}

/// The last part of a type's URI.
fn kind(uri: &str) -> &str {
    let uri = trimmed(uri);
    uri.rsplit_once('#').map_or(uri, |(_, kind)| kind)
}

fn digest(text: &str) -> Result<[u8; 20], TokenError> {
    decode(text, "Password")?.try_into().map_err(|_| TokenError::Bad("Password"))
}

/// Decodes Base64, in which clients may break lines.
fn decode(text: &str, part: &'static str) -> Result<Vec<u8>, TokenError> {
    let text: String = text.split([' ', '\t', '\n', '\r']).collect();
    BASE64.decode(text).map_err(|_| TokenError::Bad(part))
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
