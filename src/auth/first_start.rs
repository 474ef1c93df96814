//! The first administrator: there is no default password.

use super::{Level, NewUser, Users, UsersError, random};
use crate::base::redact::Redacted;

/// Name of the administrator that the first start creates.
pub const ADMIN: &str = "admin";

/// Characters of a made-up password: letters and digits that are not mistaken for each other on paper.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// 20 characters of 57 carry 116 bits.
const LENGTH: usize = 20;

/// What a first start found or chose; see [`first_start`].
#[derive(Debug)]
pub enum FirstAdmin {
    /// There are users already.
    Exists,
    /// The administrator was created with the password that the caller gave.
    Chosen,
    /// The administrator was created with this made-up password; `publish` was called with it before.
    MadeUp(Redacted<String>),
}

/// Creates the administrator [`ADMIN`] where there are no users yet.
///
/// `publish` is called with a made-up password *before* the user is created, so that a crash in between cannot leave a device
/// whose password nobody knows. Blocks on the disk.
///
/// # Errors
/// The store, the random source or `publish` fails, or the chosen password breaks the rules; then nothing was created.
pub fn first_start(
    users: &Users,
    chosen: Option<Redacted<String>>,
    publish: impl FnOnce(&Redacted<String>) -> std::io::Result<()>,
) -> Result<FirstAdmin, UsersError> {
    if !users.list().is_empty() {
        return Ok(FirstAdmin::Exists);
    }
    let create = |password| users.create(&[NewUser { name: ADMIN.to_owned(), password, level: Level::Administrator }]);
    if let Some(password) = chosen {
        create(password)?;
        return Ok(FirstAdmin::Chosen);
    }
    let password = make_up()?;
    publish(&password).map_err(|error| UsersError::Store(Box::new(error)))?;
    create(password.clone())?;
    Ok(FirstAdmin::MadeUp(password))
}

/// Makes up a password, every character of the alphabet being equally likely.
fn make_up() -> Result<Redacted<String>, UsersError> {
    let fair = 256 - 256 % ALPHABET.len();
    let mut password = String::with_capacity(LENGTH);
    while password.len() < LENGTH {
        for byte in random::<32>()?.into_iter().map(usize::from).filter(|byte| *byte < fair) {
            if password.len() < LENGTH {
                password.push(char::from(ALPHABET[byte % ALPHABET.len()]));
            }
        }
    }
    Ok(Redacted::new(password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{DeviceKey, InMemory};

    fn users() -> Users {
        Users::open(Box::new(InMemory::default()), DeviceKey::from_bytes([1; 32])).unwrap()
    }

    #[test]
    fn a_first_start_makes_up_a_password_once() {
        let users = users();
        let mut published = None;
        let admin = first_start(&users, None, |password| {
            assert!(users.list().is_empty(), "published before it counts");
            published = Some(password.clone());
            Ok(())
        });
        let FirstAdmin::MadeUp(password) = admin.unwrap() else { panic!("not made up") };
        assert_eq!(password.reveal().len(), LENGTH);
        assert_eq!(Some(password), published);
        assert_eq!(users.list()[0].name, ADMIN);
        let again = first_start(&users, Some("other".into()), |_| panic!("nothing to publish"));
        assert!(matches!(again.unwrap(), FirstAdmin::Exists));
    }

    #[test]
    fn a_chosen_password_is_taken_and_not_published() {
        let users = users();
        let admin = first_start(&users, Some("chosen".into()), |_| panic!("nothing to publish")).unwrap();
        assert!(matches!(admin, FirstAdmin::Chosen));
    }

    #[test]
    fn a_password_that_cannot_be_published_creates_nobody() {
        let users = users();
        let full = |_: &Redacted<String>| Err(std::io::Error::other("disk full"));
        assert!(first_start(&users, None, full).is_err());
        assert!(users.list().is_empty());
    }

    #[test]
    fn made_up_passwords_differ() {
        assert_ne!(make_up().unwrap(), make_up().unwrap());
    }
}
