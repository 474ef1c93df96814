//! Passwords at rest: sealed with AES-256-GCM under the device key.
//!
//! ```text
//!  device.key: 32 random bytes, mode 0600, made at the first start, never in a backup or an answer
//!  sealed:     nonce (12) │ ciphertext of: kind (1), secret │ tag (16); the user's name is authenticated with it
//! ```

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};

use super::{UsersError, random};
use crate::base::redact::Redacted;

const KEY: usize = 32;
const NONCE: usize = 12;
/// The sealed secret is a password; another kind will be a pair of HA1 forms.
const KIND_PASSWORD: u8 = 1;

/// The key under which this device keeps its passwords.
pub struct DeviceKey(Aes256Gcm);

/// Why the device key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a key.
    #[error("{0}: not a device key (it must be exactly 32 bytes)")]
    NotAKey(PathBuf),
    /// The system has no random source.
    #[error("no random source: {0}")]
    Random(#[from] getrandom::Error),
}

impl DeviceKey {
    /// Uses a given key.
    pub fn from_bytes(bytes: [u8; KEY]) -> Self {
        Self(Aes256Gcm::new(&bytes.into()))
    }

    /// Reads the key file, or makes one with mode 0600 where there is none.
    ///
    /// A key file that others may read is closed to them, with a warning.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn open_or_create(path: &Path) -> Result<Self, KeyError> {
        if !path.exists() {
            Self::create(path)?;
        }
        Self::open(path)
    }

    /// Writes a new key beside its place and links it there: never half a key, and where two processes do it at once the
    /// first one's key stays.
    fn create(path: &Path) -> Result<(), KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let draft = path.with_extension(format!("new-{}", std::process::id()));
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(io)?;
        file.write_all(&random::<KEY>()?).and_then(|()| file.sync_all()).map_err(io)?;
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft).map_err(io)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io(error)),
            _ => Ok(()),
        }
    }

    fn open(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "the device key was open to other users of this machine; closing it");
            file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(io)?;
        }
        let mut bytes = Vec::with_capacity(KEY + 1);
        file.take(KEY as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        let bytes: [u8; KEY] = bytes.try_into().map_err(|_| KeyError::NotAKey(path.to_owned()))?;
        Ok(Self::from_bytes(bytes))
    }

    /// Seals a user's password; the result opens for this user's name only.
    ///
    /// # Errors
    /// The system has no random source.
    pub(super) fn seal(&self, user: &str, password: &str) -> Result<Vec<u8>, UsersError> {
        let nonce: [u8; NONCE] = random()?;
        let mut plain = vec![KIND_PASSWORD];
        plain.extend_from_slice(password.as_bytes());
        let payload = Payload { msg: &plain, aad: user.as_bytes() };
        let sealed =
            self.0.encrypt(&nonce.into(), payload).map_err(|_| UsersError::Store("cannot seal a password".into()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`DeviceKey::seal`] made; nothing where key, name or bytes are others.
    pub(super) fn unseal(&self, user: &str, sealed: &[u8]) -> Option<Redacted<String>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE>()?;
        let plain = self.0.decrypt(&(*nonce).into(), Payload { msg: text, aad: user.as_bytes() }).ok()?;
        let (&kind, secret) = plain.split_first()?;
        if kind != KIND_PASSWORD {
            return None;
        }
        String::from_utf8(secret.to_vec()).ok().map(Redacted::new)
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_password_opens_with_its_key_and_name_only() {
        let key = DeviceKey::from_bytes([1; KEY]);
        let sealed = key.seal("anna", "pässword").unwrap();
        assert_eq!(key.unseal("anna", &sealed).unwrap().reveal(), "pässword");
        assert!(key.unseal("bob", &sealed).is_none(), "moved to another row");
        assert!(DeviceKey::from_bytes([2; KEY]).unseal("anna", &sealed).is_none(), "another key");
        let mut bent = sealed.clone();
        bent[20] ^= 1;
        assert!(key.unseal("anna", &bent).is_none(), "a changed byte");
        assert!(key.unseal("anna", &sealed[..5]).is_none(), "cut short");
        assert_ne!(sealed, key.seal("anna", "pässword").unwrap(), "a fresh nonce each time");
    }

    #[test]
    fn the_key_file_is_private_and_lasts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.key");
        let sealed = DeviceKey::open_or_create(&path).unwrap().seal("anna", "secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(DeviceKey::open_or_create(&path).unwrap().unseal("anna", &sealed).is_some());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_of_another_length_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("device.key");
        for length in [0, 31, 33] {
            fs::write(&path, vec![0; length]).unwrap();
            let error = DeviceKey::open_or_create(&path).unwrap_err();
            assert!(matches!(error, KeyError::NotAKey(_)), "{error}");
        }
    }
}
