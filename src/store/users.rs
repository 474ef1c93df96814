//! Users as rows; what a level or a sealed password means is not known here.

use rusqlite::{Connection, params};

use super::{Migration, StoreError};

/// Makes the table of users.
pub const CREATE_USERS: Migration = Migration {
    name: "create the table of users",
    sql: "CREATE TABLE users (
        name TEXT NOT NULL PRIMARY KEY,
        level TEXT NOT NULL,
        sealed BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;",
};

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The name.
    pub name: String,
    /// The level's name.
    pub level: String,
    /// The sealed password.
    pub sealed: Vec<u8>,
}

/// Reads all users, by name.
///
/// # Errors
/// The database fails.
pub fn all_users(connection: &Connection) -> Result<Vec<UserRow>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT name, level, sealed FROM users ORDER BY name")?;
    let rows =
        statement.query_map([], |row| Ok(UserRow { name: row.get(0)?, level: row.get(1)?, sealed: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Replaces all users; to be called within a transaction.
///
/// # Errors
/// The database fails.
pub fn replace_users(connection: &Connection, users: &[UserRow]) -> Result<(), StoreError> {
    connection.execute("DELETE FROM users", [])?;
    let mut statement = connection.prepare_cached("INSERT INTO users (name, level, sealed) VALUES (?1, ?2, ?3)")?;
    for user in users {
        statement.execute(params![user.name, user.level, user.sealed])?;
    }
    Ok(())
}
