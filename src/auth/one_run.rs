//! Credentials for our own engine: random, in memory only, gone with the process.

use std::sync::Arc;

use super::{Users, UsersError, digest::Ha1, hex, random, users::Account};
use crate::base::redact::Redacted;

/// A user name and password for one run, level User, accepted from this machine only.
///
/// The engine pulls from the server with it whatever it makes from an upstream. It ends when this value is dropped.
#[derive(Debug)]
pub struct OneRun {
    name: String,
    password: Redacted<String>,
    users: Arc<Users>,
}

impl Users {
    /// Makes a credential that lives as long as the returned value.
    ///
    /// # Errors
    /// The system has no random source.
    pub fn one_run(self: &Arc<Self>) -> Result<OneRun, UsersError> {
        // A leading ~ is refused in real names, so the two kinds never meet.
        let name = format!("~engine-{}", hex(&random::<8>()?));
        let password = hex(&random::<16>()?);
        let ha1 = Ha1::derive(&name, self.realm(), &password);
        self.add_internal(Account::internal(&name, ha1));
        Ok(OneRun { name, password: Redacted::new(password), users: self.clone() })
    }
}

impl OneRun {
    /// Returns the user name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the password.
    pub fn password(&self) -> &Redacted<String> {
        &self.password
    }
}

impl Drop for OneRun {
    fn drop(&mut self) {
        self.users.remove_internal(&self.name);
    }
}
