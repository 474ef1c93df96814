//! Settings: a key and a JSON value.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Serialize, de::DeserializeOwned};

use super::{Migration, StoreError};

/// Makes the table of settings.
pub const CREATE_SETTINGS: Migration = Migration {
    name: "create the table of settings",
    sql: "CREATE TABLE settings (
        key TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL CHECK (json_valid(value))
    ) STRICT, WITHOUT ROWID;",
};

/// Reads a setting; nothing where there is none.
///
/// # Errors
/// The database fails, or the value is not a `T`.
pub fn get_setting<T: DeserializeOwned>(connection: &Connection, key: &str) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM settings WHERE key = ?1")?;
    let text: Option<String> = statement.query_row([key], |row| row.get(0)).optional()?;
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(|source| value_error(key, source))
}

/// Writes a setting, in the place of an earlier one.
///
/// # Errors
/// The database fails, or the value has no JSON form.
pub fn put_setting<T: Serialize + ?Sized>(connection: &Connection, key: &str, value: &T) -> Result<(), StoreError> {
    let text = serde_json::to_string(value).map_err(|source| value_error(key, source))?;
    let sql =
        "INSERT INTO settings (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(sql)?.execute(params![key, text])?;
    Ok(())
}

/// Removes a setting; tells whether there was one.
///
/// # Errors
/// The database fails.
pub fn remove_setting(connection: &Connection, key: &str) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached("DELETE FROM settings WHERE key = ?1")?.execute([key])? > 0)
}

/// Lists the keys that start with `prefix`, in order.
///
/// # Errors
/// The database fails.
pub fn settings_under(connection: &Connection, prefix: &str) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT key FROM settings WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key";
    let mut statement = connection.prepare_cached(sql)?;
    let keys = statement.query_map([prefix], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

fn value_error(key: &str, source: serde_json::Error) -> StoreError {
    StoreError::Value { key: key.to_owned(), source }
}
