//! The users of the device: rules, sealed rows, and a snapshot in memory for look-ups.
//!
//! A change reads the rows, applies the whole batch, checks the rules and writes, all within one transaction of the
//! [`UserStore`]; only then the snapshot is replaced. So a batch happens as a whole or not at all, and two processes (the
//! server and `belvedere users`) never overwrite each other's work. A change made by another process is seen after
//! [`Users::refresh`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use super::{DeviceKey, Level, digest::Ha1, hex, random};
use crate::base::redact::Redacted;

/// Most users of one device (ONVIF capability `MaxUsers`).
pub const MAX_USERS: usize = 64;
/// Longest user name in bytes (ONVIF capability `MaxUserNameLength`).
pub const MAX_NAME_BYTES: usize = 32;
/// Longest password in bytes (ONVIF capability `MaxPasswordLength`).
pub const MAX_PASSWORD_BYTES: usize = 64;

/// What went wrong in a store, in the store's own words.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// A user as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedUser {
    /// The name.
    pub name: String,
    /// The level.
    pub level: Level,
    /// The password, sealed under the device key.
    pub sealed: Vec<u8>,
}

/// Where users are kept; declared here, implemented over the state directory's database.
pub trait UserStore: Send + Sync {
    /// Returns the realm; `first` becomes the realm where there is none yet, once and for all.
    ///
    /// # Errors
    /// The store fails.
    fn realm(&self, first: &str) -> Result<String, StoreError>;

    /// Returns all users, ordered by name.
    ///
    /// # Errors
    /// The store fails.
    fn load(&self) -> Result<Vec<SealedUser>, StoreError>;

    /// Replaces all users by what `change` makes of the present ones, within one transaction; nothing happens where
    /// `change` fails. Returns what is stored now.
    ///
    /// # Errors
    /// The error of `change`, or [`UsersError::Store`].
    fn update(&self, change: &mut Change<'_>) -> Result<Vec<SealedUser>, UsersError>;
}

/// Makes new rows of the present ones; see [`UserStore::update`].
pub type Change<'a> = dyn FnMut(Vec<SealedUser>) -> Result<Vec<SealedUser>, UsersError> + 'a;

/// Why users could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// A user of that name exists, or the batch names it twice.
    #[error("user {0:?} exists already")]
    Clash(String),
    /// There is no such user.
    #[error("there is no user {0:?}")]
    Missing(String),
    /// The change would leave no administrator.
    #[error("at least one administrator must stay")]
    LastAdministrator,
    /// There would be more than [`MAX_USERS`].
    #[error("there can be at most {MAX_USERS} users")]
    TooMany,
    /// The name breaks the rules.
    #[error("bad user name: {0}")]
    BadName(&'static str),
    /// The password breaks the rules.
    #[error("bad password: {0}")]
    BadPassword(&'static str),
    /// A stored password does not open with the device key.
    #[error("the password of user {0:?} does not open with this device key: is device.key of another device?")]
    WrongKey(String),
    /// The system has no random source.
    #[error("no random source: {0}")]
    Random(#[from] getrandom::Error),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The name: 1 to [`MAX_NAME_BYTES`] bytes; no control characters, `:`, `"`, `\`; not starting with `~`.
    pub name: String,
    /// The password: 1 to [`MAX_PASSWORD_BYTES`] bytes, no control characters.
    pub password: Redacted<String>,
    /// The level.
    pub level: Level,
}

/// A change of an existing user; what is absent stays.
#[derive(Debug, Clone)]
pub struct UserChange {
    /// Whose.
    pub name: String,
    /// The new password, with the rules of [`NewUser::password`].
    pub password: Option<Redacted<String>>,
    /// The new level.
    pub level: Option<Level>,
}

/// What may be told about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// The name.
    pub name: String,
    /// The level.
    pub level: Level,
}

/// A user as a check needs it.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: Arc<str>,
    pub(super) level: Level,
    pub(super) ha1: Ha1,
    /// The password under the device key, which [`Users::password`] opens; nothing where there is none.
    sealed: Option<Arc<[u8]>>,
    /// A credential of this run for our own engine: works from this machine alone.
    pub(super) internal: bool,
}

impl Account {
    /// An account of this run, for our own engine.
    pub(super) fn internal(name: &str, ha1: Ha1) -> Self {
        Self { name: name.into(), level: Level::User, ha1, sealed: None, internal: true }
    }
}

/// The users of the device.
pub struct Users {
    store: Box<dyn UserStore>,
    key: DeviceKey,
    realm: String,
    /// Held during every change, disk and all, so that snapshots replace each other in the order of the transactions.
    /// Requests are checked on workers that all share, so checks read [`Users::accounts`] alone.
    rows: Mutex<Vec<SealedUser>>,
    /// Locked for the moment of taking or replacing it.
    accounts: RwLock<Arc<HashMap<Arc<str>, Account>>>,
    password_changed: Option<PasswordHook>,
}

/// Is told the name whose password was changed, or whose user was deleted.
type PasswordHook = Box<dyn Fn(&str) + Send + Sync>;

impl Users {
    /// Loads the users; fixes the realm where this is the first start.
    ///
    /// # Errors
    /// The store fails, or the key opens not every password.
    pub fn open(store: Box<dyn UserStore>, key: DeviceKey) -> Result<Self, UsersError> {
        let realm = store.realm(&format!("belvedere-{}", hex(&random::<4>()?)))?;
        let rows = store.load()?;
        let accounts = accounts(&rows, &key, &realm)?;
        let (rows, accounts) = (Mutex::new(rows), RwLock::new(Arc::new(accounts)));
        Ok(Self { store, key, realm, rows, accounts, password_changed: None })
    }

    /// Has `hook` told each name whose password changes or whose user goes.
    #[must_use]
    pub fn on_password_change(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.password_changed = Some(Box::new(hook));
        self
    }

    /// Returns the realm, the same for the life of the state directory.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Lists the users by name, without internal ones; never waits for the disk.
    pub fn list(&self) -> Vec<UserInfo> {
        let accounts = self.snapshot();
        let real = accounts.values().filter(|account| !account.internal);
        let mut list: Vec<_> =
            real.map(|account| UserInfo { name: account.name.to_string(), level: account.level }).collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// Creates users, all or none. Blocks on the disk.
    ///
    /// # Errors
    /// See [`UsersError`].
    pub fn create(&self, new: &[NewUser]) -> Result<(), UsersError> {
        for user in new {
            check_name(&user.name)?;
            check_password(user.password.reveal())?;
        }
        self.change(&mut |mut rows| {
            for user in new {
                if rows.iter().any(|row| row.name == user.name) {
                    return Err(UsersError::Clash(user.name.clone()));
                }
                let sealed = self.key.seal(&user.name, user.password.reveal())?;
                rows.push(SealedUser { name: user.name.clone(), level: user.level, sealed });
            }
            Ok(rows)
        })
    }

    /// Deletes users, all or none. Blocks on the disk.
    ///
    /// # Errors
    /// See [`UsersError`].
    pub fn delete(&self, names: &[&str]) -> Result<(), UsersError> {
        self.change(&mut |mut rows| {
            for name in names {
                let at = position(&rows, name)?;
                rows.remove(at);
            }
            Ok(rows)
        })?;
        names.iter().for_each(|name| self.tell(name));
        Ok(())
    }

    /// Changes passwords and levels, all or none. Blocks on the disk.
    ///
    /// # Errors
    /// See [`UsersError`].
    pub fn set(&self, changes: &[UserChange]) -> Result<(), UsersError> {
        for password in changes.iter().filter_map(|change| change.password.as_ref()) {
            check_password(password.reveal())?;
        }
        self.change(&mut |mut rows| {
            for change in changes {
                let at = position(&rows, &change.name)?;
                let row = &mut rows[at];
                row.level = change.level.unwrap_or(row.level);
                if let Some(password) = &change.password {
                    row.sealed = self.key.seal(&row.name, password.reveal())?;
                }
            }
            Ok(rows)
        })?;
        changes.iter().filter(|change| change.password.is_some()).for_each(|change| self.tell(&change.name));
        Ok(())
    }

    /// Takes over what another process changed in the store; tells whether it did. Blocks on the disk.
    ///
    /// # Errors
    /// See [`UsersError`]; the users stay as they were.
    pub fn refresh(&self) -> Result<bool, UsersError> {
        let mut rows = self.lock_rows();
        let stored = self.store.load()?;
        if *rows == stored {
            return Ok(false);
        }
        self.replace(&mut rows, stored)?;
        Ok(true)
    }

    /// Looks a user up; never waits for the disk.
    pub(super) fn find(&self, name: &str) -> Option<Account> {
        self.snapshot().get(name).cloned()
    }

    /// Opens the password of a user, for a check that needs it itself; never waits for the disk.
    pub(super) fn password(&self, account: &Account) -> Option<Redacted<String>> {
        self.key.unseal(&account.name, account.sealed.as_deref()?)
    }

    /// Adds an account that lives in memory only.
    pub(super) fn add_internal(&self, account: Account) {
        let _order = self.lock_rows();
        self.edit(|accounts| drop(accounts.insert(account.name.clone(), account.clone())));
    }

    /// Removes what [`Users::add_internal`] added.
    pub(super) fn remove_internal(&self, name: &str) {
        let _order = self.lock_rows();
        self.edit(|accounts| accounts.retain(|key, account| !(account.internal && &**key == name)));
    }

    fn change(&self, change: &mut Change<'_>) -> Result<(), UsersError> {
        let mut rows = self.lock_rows();
        let stored = self.store.update(&mut |present| {
            let had_administrator = has_administrator(&present);
            let mut next = change(present)?;
            if next.len() > MAX_USERS {
                return Err(UsersError::TooMany);
            }
            if had_administrator && !has_administrator(&next) {
                return Err(UsersError::LastAdministrator);
            }
            next.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(next)
        })?;
        self.replace(&mut rows, stored)
    }

    fn replace(&self, rows: &mut Vec<SealedUser>, stored: Vec<SealedUser>) -> Result<(), UsersError> {
        let fresh = accounts(&stored, &self.key, &self.realm)?;
        self.edit(|accounts| {
            accounts.retain(|_, account| account.internal);
            accounts.extend(fresh.clone());
        });
        *rows = stored;
        Ok(())
    }

    fn edit(&self, edit: impl Fn(&mut HashMap<Arc<str>, Account>)) {
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        edit(Arc::make_mut(&mut accounts));
    }

    fn snapshot(&self) -> Arc<HashMap<Arc<str>, Account>> {
        Arc::clone(&self.accounts.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, name: &str) {
        if let Some(hook) = &self.password_changed {
            hook(name);
        }
    }

    fn lock_rows(&self) -> MutexGuard<'_, Vec<SealedUser>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("realm", &self.realm).finish_non_exhaustive()
    }
}

fn accounts(rows: &[SealedUser], key: &DeviceKey, realm: &str) -> Result<HashMap<Arc<str>, Account>, UsersError> {
    rows.iter()
        .map(|row| {
            let password = key.unseal(&row.name, &row.sealed).ok_or_else(|| UsersError::WrongKey(row.name.clone()))?;
            let name: Arc<str> = row.name.as_str().into();
            let ha1 = Ha1::derive(&name, realm, password.reveal());
            Ok((
                name.clone(),
                Account { name, level: row.level, ha1, sealed: Some(row.sealed.as_slice().into()), internal: false },
            ))
        })
        .collect()
}

fn has_administrator(rows: &[SealedUser]) -> bool {
    rows.iter().any(|row| row.level == Level::Administrator)
}

fn position(rows: &[SealedUser], name: &str) -> Result<usize, UsersError> {
    rows.iter().position(|row| row.name == name).ok_or_else(|| UsersError::Missing(name.to_owned()))
}

/// Holds a name against the rules: `:` separates the parts of HA1, quotes and backslashes are escaped differently by every
/// client, and a leading `~` marks internal credentials.
fn check_name(name: &str) -> Result<(), UsersError> {
    let why = match name {
        "" => "it is empty",
        _ if name.len() > MAX_NAME_BYTES => "it has more than 32 bytes",
        _ if name.chars().any(char::is_control) => "it holds a control character",
        _ if name.contains([':', '"', '\\']) => "it holds a colon, a quote or a backslash",
        _ if name.starts_with('~') => "it starts with ~, which is reserved",
        _ if name.trim() != name => "it starts or ends with a blank",
        _ => return Ok(()),
    };
    Err(UsersError::BadName(why))
}

fn check_password(password: &str) -> Result<(), UsersError> {
    let why = match password {
        "" => "it is empty",
        _ if password.len() > MAX_PASSWORD_BYTES => "it has more than 64 bytes",
        _ if password.chars().any(char::is_control) => "it holds a control character",
        _ => return Ok(()),
    };
    Err(UsersError::BadPassword(why))
}

/// Users without a disk, for tests and tools.
#[derive(Debug, Default)]
pub struct InMemory {
    rows: Mutex<Vec<SealedUser>>,
    realm: Mutex<Option<String>>,
}

impl UserStore for InMemory {
    fn realm(&self, first: &str) -> Result<String, StoreError> {
        let mut realm = self.realm.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(realm.get_or_insert_with(|| first.to_owned()).clone())
    }

    fn load(&self) -> Result<Vec<SealedUser>, StoreError> {
        Ok(self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn update(&self, change: &mut Change<'_>) -> Result<Vec<SealedUser>, UsersError> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        *rows = change(rows.clone())?;
        Ok(rows.clone())
    }
}

#[cfg(test)]
mod tests;
