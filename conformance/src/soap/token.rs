//! A WS-UsernameToken, as it has to be or with something amiss.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha1::{Digest as _, Sha1};

use super::utc;
use crate::clock;

const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
/// The type of a password that is a digest.
pub const PASSWORD_DIGEST: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";

/// A WS-UsernameToken (UsernameToken Profile 1.0, section 3.1).
#[derive(Debug, Clone)]
pub struct Token {
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// What makes it unlike any other; `None` to leave it out.
    pub nonce: Option<Vec<u8>>,
    /// When it was made; `None` to leave it out.
    pub created: Option<String>,
    /// The type of the password; `None` to leave it out.
    pub kind: Option<&'static str>,
    /// Whether the password stands there as it is, and not as a digest.
    pub plain: bool,
}

impl Token {
    /// A token as it has to be, made at this time since 1970: now, by the clock of the device.
    pub fn of((user, password): (&str, &str), created: Duration) -> Self {
        // Unlike any before it: the clock's nanoseconds and the address of a value on this stack.
        let now = clock::here();
        let nonce = Sha1::digest(format!("{} {:p}", now.as_nanos(), &now))[..16].to_vec();
        Self {
            user: user.into(),
            password: password.into(),
            nonce: Some(nonce),
            created: Some(utc(created)),
            kind: Some(PASSWORD_DIGEST),
            plain: false,
        }
    }

    /// The header with it. The digest is over what is there, as the profile has it.
    pub fn header(&self) -> String {
        let escape = crate::xml::escape;
        let nonce = self.nonce.as_deref().unwrap_or_default();
        let created = self.created.as_deref().unwrap_or_default();
        let digest = Sha1::new().chain_update(nonce).chain_update(created).chain_update(&self.password).finalize();
        let password = if self.plain { escape(&self.password) } else { STANDARD.encode(digest) };
        let kind = self.kind.map(|kind| format!(" Type=\"{kind}\"")).unwrap_or_default();
        let nonce = self.nonce.as_ref().map(|nonce| format!("<wsse:Nonce>{}</wsse:Nonce>", STANDARD.encode(nonce)));
        let created = self.created.as_ref().map(|created| format!("<wsu:Created>{created}</wsu:Created>"));
        format!(
            "<wsse:Security xmlns:wsse=\"{WSSE}\" xmlns:wsu=\"{WSU}\"><wsse:UsernameToken>\
             <wsse:Username>{}</wsse:Username><wsse:Password{kind}>{password}</wsse:Password>{}{}\
             </wsse:UsernameToken></wsse:Security>",
            escape(&self.user),
            nonce.unwrap_or_default(),
            created.unwrap_or_default()
        )
    }
}
