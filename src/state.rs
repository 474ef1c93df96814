//! The state directory, where the rooms that keep something meet: database, device key, users.
//!
//! ```text
//!  <state>/                 0700
//!    belvedere.db           settings and users (SQLite, with its -wal and -shm beside it)
//!    device.key             the key that passwords are sealed under
//!    admin-password         the made-up password of the first start, until it is changed
//!    lock                   held by the server that uses the directory
//! ```
//!
//! Part of the composition: it knows `store` and `auth`, which do not know each other.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    auth::{
        self, ADMIN, Change, DeviceKey, FirstAdmin, KeptTokens, KeyError, SealedUser, TokenStore, UserStore, Users,
        UsersError,
    },
    base::redact::Redacted,
    store::{self, Migration, Store, StoreError, UserRow},
};

/// The history of the database; it grows at its end and nowhere else.
pub const MIGRATIONS: &[Migration] = &[store::CREATE_SETTINGS, store::CREATE_USERS];

/// The setting that holds the Digest realm.
const REALM: &str = "auth.realm";
/// The setting that holds what is kept of used tokens.
const TOKENS: &str = "auth.tokens";

/// Who opens a state directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The server: one at a time.
    Serve,
    /// A command beside it: always.
    Tool,
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file or directory cannot be made or read.
    #[error("{path}: {source}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server uses the directory.
    #[error("{0}: another server is running on this state directory")]
    InUse(PathBuf),
    /// There are users whose passwords nothing can open.
    #[error(
        "{0} is missing, but there are users whose passwords were sealed with it; restore it, or move the database away"
    )]
    KeyLost(PathBuf),
    /// The device key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The users cannot be used.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// Neither an argument nor the environment says where the state directory is.
    #[error("no place for the state: give --state, or set XDG_STATE_HOME or HOME")]
    NoPlace,
}

/// Shows a made-up password to whoever sits before the terminal.
pub type Show<'a> = dyn FnMut(&Redacted<String>) -> io::Result<()> + 'a;

/// An open state directory.
#[derive(Debug)]
pub struct State {
    dir: PathBuf,
    store: Arc<Store>,
    users: Arc<Users>,
    /// Locked while it is open.
    _lock: Option<File>,
}

impl State {
    /// Opens a state directory, made where there is none. Blocks on the disk.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn open(dir: &Path, purpose: Purpose) -> Result<Self, StateError> {
        make_dir(dir).map_err(at(dir))?;
        let lock = match purpose {
            Purpose::Serve => Some(lock(dir)?),
            Purpose::Tool => None,
        };
        let store = Arc::new(Store::open(&dir.join("belvedere.db"), MIGRATIONS)?);
        let key = dir.join("device.key");
        if !key.exists() && !store.read(store::all_users)?.is_empty() {
            return Err(StateError::KeyLost(key));
        }
        let key = DeviceKey::open_or_create(&key)?;
        let first_password = dir.join("admin-password");
        let users = Users::open(Box::new(KeptUsers(store.clone())), key)?.on_password_change(move |name| {
            if name == ADMIN {
                forget(&first_password);
            }
        });
        Ok(Self { dir: dir.to_owned(), store, users: Arc::new(users), _lock: lock })
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the database.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Returns the users.
    pub fn users(&self) -> &Arc<Users> {
        &self.users
    }

    /// Returns where used tokens are kept.
    pub fn tokens(&self) -> Box<dyn TokenStore> {
        Box::new(TokensInStore(Arc::clone(&self.store)))
    }

    /// Returns the file that holds a made-up password until it is changed.
    pub fn first_password_file(&self) -> PathBuf {
        self.dir.join("admin-password")
    }

    /// Creates the first administrator where there are no users; see [`auth::first_start`].
    ///
    /// A made-up password goes to `show` where there is one (somebody sits before the terminal), else to
    /// [`State::first_password_file`]. Blocks on the disk.
    ///
    /// # Errors
    /// Nothing was created; see [`UsersError`].
    pub fn first_start(
        &self,
        chosen: Option<Redacted<String>>,
        show: Option<&mut Show<'_>>,
    ) -> Result<FirstAdmin, UsersError> {
        let file = self.first_password_file();
        auth::first_start(&self.users, chosen, |password| match show {
            Some(show) => show(password),
            None => write_private(&file, password.reveal()),
        })
    }
}

/// Finds the state directory of whoever runs the program: `/var/lib/belvedere` for root, else `$XDG_STATE_HOME/belvedere`
/// or `~/.local/state/belvedere`.
///
/// # Errors
/// Neither variable is set.
pub fn default_dir() -> Result<PathBuf, StateError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/belvedere"));
    }
    let base = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    Ok(base.ok_or(StateError::NoPlace)?.join("belvedere"))
}

fn at(path: &Path) -> impl Fn(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io { path: path.clone(), source }
}

/// Makes the directory for its owner alone. One that is there already keeps its mode: it may be anybody's, and the files in
/// it are private anyway.
fn make_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    if fs::metadata(dir)?.permissions().mode() & 0o077 != 0 {
        tracing::debug!(dir = %dir.display(), "the state directory is open to other users of this machine");
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, StateError> {
    let path = dir.join("lock");
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(at(&path))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::InUse(dir.to_owned())),
        Err(error) => Err(at(&path)(error.into())),
    }
}

fn write_private(path: &Path, secret: &str) -> io::Result<()> {
    forget(path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}

fn forget(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot remove the file with the first password");
        }
        _ => {}
    }
}

/// The users in the database.
struct KeptUsers(Arc<Store>);

impl UserStore for KeptUsers {
    fn realm(&self, first: &str) -> Result<String, auth::StoreError> {
        Ok(self.0.write(|tx| match store::get_setting(tx, REALM)? {
            Some(realm) => Ok::<_, StoreError>(realm),
            None => store::put_setting(tx, REALM, first).map(|()| first.to_owned()),
        })?)
    }

    fn load(&self) -> Result<Vec<SealedUser>, auth::StoreError> {
        sealed(self.0.read(store::all_users)?)
    }

    fn update(&self, change: &mut Change<'_>) -> Result<Vec<SealedUser>, UsersError> {
        let changed: Result<_, Failed> = self.0.write(|tx| {
            let next = change(sealed(store::all_users(tx)?).map_err(UsersError::Store)?)?;
            let rows = |user: &SealedUser| UserRow {
                name: user.name.clone(),
                level: user.level.to_string(),
                sealed: user.sealed.clone(),
            };
            store::replace_users(tx, &next.iter().map(rows).collect::<Vec<_>>())?;
            Ok(next)
        });
        changed.map_err(|Failed(error)| error)
    }
}

/// The used tokens in the database.
#[derive(Debug)]
struct TokensInStore(Arc<Store>);

impl TokenStore for TokensInStore {
    fn load(&self) -> Result<Option<KeptTokens>, auth::StoreError> {
        Ok(self.0.read(|db| store::get_setting(db, TOKENS))?)
    }

    fn keep(&self, tokens: &KeptTokens) -> Result<(), auth::StoreError> {
        Ok(self.0.write(|tx| store::put_setting(tx, TOKENS, tokens))?)
    }
}

/// An error of `auth` made of one of `store`.
struct Failed(UsersError);

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self(UsersError::Store(Box::new(error)))
    }
}

impl From<UsersError> for Failed {
    fn from(error: UsersError) -> Self {
        Self(error)
    }
}

fn sealed(rows: Vec<UserRow>) -> Result<Vec<SealedUser>, auth::StoreError> {
    rows.into_iter()
        .map(|row| {
            let level =
                row.level.parse().map_err(|error| format!("user {:?} in the database: level {error}", row.name))?;
            Ok(SealedUser { name: row.name, level, sealed: row.sealed })
        })
        .collect()
}

#[cfg(test)]
mod tests;
