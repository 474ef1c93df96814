//! The database of the state directory: one SQLite file, one writer, one ordered list of migrations.
//!
//! A table belongs to a module, which gives the [`Migration`]s that make it as constants; the composition root puts all of
//! them in one order, and that order only ever grows at its end. The number of migrations already run is the file's
//! `user_version`.
//!
//! What is visible when: a write is on the disk when [`Store::write`] returns (WAL with `synchronous=FULL`). Every call
//! blocks on the disk; asynchronous callers go through `spawn_blocking`.

mod settings;
mod users;

use std::{
    fs, io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

pub use settings::{CREATE_SETTINGS, get_setting, put_setting, remove_setting, settings_under};
pub use users::{CREATE_USERS, UserRow, all_users, replace_users};

/// Marks the file as ours: "Blvd".
const APPLICATION_ID: i32 = 0x426c_7664;
/// How long a write waits for another process, such as `belvedere users` beside a running server.
const BUSY: Duration = Duration::from_secs(5);

/// One step of the database's history.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// What it does, for error messages.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be made or read.
    #[error("{path}: {source}")]
    Io {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is damaged.
    #[error("{path}: the database is damaged ({what}); move it away to start afresh, or restore a backup")]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        what: String,
    },
    /// The file is a database of another program.
    #[error("{0}: not a database of this program")]
    Foreign(PathBuf),
    /// A later version of the program has used the file.
    #[error("{path}: the database has version {found}, this program knows versions up to {known}: use a newer program")]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The file's version.
        found: usize,
        /// The number of migrations that this program has.
        known: usize,
    },
    /// A migration fails; the file stays as it was before it.
    #[error("{path}: cannot {name}: {source}")]
    Migration {
        /// The database file.
        path: PathBuf,
        /// The migration.
        name: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A statement fails.
    #[error("database: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The system has no random source for what is made at the first start.
    #[error("no random source: {0}")]
    Random(String),
    /// A stored value is not what its reader expects.
    #[error("setting {key:?}: {source}")]
    Value {
        /// The setting.
        key: String,
        /// Where it differs.
        source: serde_json::Error,
    },
}

/// The open database.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the database, makes it where there is none (mode 0600), and brings it up to the last migration.
    ///
    /// # Errors
    /// See [`StoreError`]; all of these name the file.
    pub fn open(path: &Path, migrations: &[Migration]) -> Result<Self, StoreError> {
        make_private(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
        let mut connection = Connection::open(path)?;
        prepare(&connection, path).map_err(|error| named(error, path))?;
        migrate(&mut connection, path, migrations).map_err(|error| named(error, path))?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// Reads.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read<T, E>(&self, read: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        read(&self.lock())
    }

    /// Runs `write` within one transaction, which is committed where `write` succeeds and undone where it fails.
    ///
    /// The transaction is a writing one from its beginning, so what `write` reads stays true until the commit, whatever
    /// other processes do.
    ///
    /// # Errors
    /// Those of `write`; and the commit may fail.
    pub fn write<T, E: From<StoreError>>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut connection = self.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::Sql)?;
        let value = write(&transaction)?;
        transaction.commit().map_err(StoreError::Sql)?;
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic in between has rolled its transaction back; the connection is sound.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the file for its owner alone before SQLite opens it; the write-ahead log takes its mode from it.
fn make_private(path: &Path) -> io::Result<()> {
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn prepare(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    // The file is small (settings, users, later events): the check takes milliseconds.
    let check: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if check != "ok" {
        return Err(StoreError::Damaged { path: path.to_owned(), what: check });
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[Migration]) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let (found, known) = (found as usize, migrations.len());
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for Migration { name, sql } in &migrations[found..] {
        let failed = |source| StoreError::Migration { path: path.to_owned(), name, source };
        transaction.execute_batch(sql).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known as u32)?;
    transaction.commit()?;
    Ok(())
}

/// Puts the file's name into an error of SQLite.
fn named(error: StoreError, path: &Path) -> StoreError {
    match error {
        StoreError::Sql(source) => match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                StoreError::Damaged { path: path.to_owned(), what: source.to_string() }
            }
            _ => StoreError::Migration { path: path.to_owned(), name: "open it", source },
        },
        other => other,
    }
}

#[cfg(test)]
mod tests;
