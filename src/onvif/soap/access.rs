//! Access classes: what each kind of operation asks of a user (Core, section 5.9.4.3).

use std::fmt;

use crate::auth::Level;

/// How much harm an operation could do, and so who may call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessClass {
    /// Needs no user.
    PreAuth,
    /// Reads the configuration of the system.
    ReadSystem,
    /// Reads sensitive configuration that is not confidential.
    ReadSystemSensitive,
    /// Reads confidential configuration.
    ReadSystemSecret,
    /// Changes the configuration of the system.
    WriteSystem,
    /// Changes the system in a way that cannot be undone.
    Unrecoverable,
    /// Reads media and what belongs to them.
    ReadMedia,
    /// Changes how the system runs.
    Actuate,
}

impl AccessClass {
    /// All of them, in the order of the standard.
    pub const ALL: [Self; 8] = [
        Self::PreAuth,
        Self::ReadSystem,
        Self::ReadSystemSensitive,
        Self::ReadSystemSecret,
        Self::WriteSystem,
        Self::Unrecoverable,
        Self::ReadMedia,
        Self::Actuate,
    ];

    /// The name in the standard.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreAuth => "PRE_AUTH",
            Self::ReadSystem => "READ_SYSTEM",
            Self::ReadSystemSensitive => "READ_SYSTEM_SENSITIVE",
            Self::ReadSystemSecret => "READ_SYSTEM_SECRET",
            Self::WriteSystem => "WRITE_SYSTEM",
            Self::Unrecoverable => "UNRECOVERABLE",
            Self::ReadMedia => "READ_MEDIA",
            Self::Actuate => "ACTUATE",
        }
    }

    /// The lowest level that may call the operation by the default access policy; `None` if anybody may.
    pub fn lowest_level(self) -> Option<Level> {
        match self {
            Self::PreAuth => None,
            Self::ReadSystem | Self::ReadMedia => Some(Level::User),
            Self::ReadSystemSensitive | Self::Actuate => Some(Level::Operator),
            Self::ReadSystemSecret | Self::WriteSystem | Self::Unrecoverable => Some(Level::Administrator),
        }
    }

    /// Tells whether the default access policy lets a user of that level call the operation; `None` is nobody we know.
    pub fn allows(self, level: Option<Level>) -> bool {
        self.lowest_level().is_none_or(|lowest| level.is_some_and(|level| level >= lowest))
    }
}

impl fmt::Display for AccessClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_is_that_of_the_standard() {
        // Core, table "Default Access Policy Definition": administrator, operator, user, anonymous.
        let table = ["xxxx", "xxx ", "xx  ", "x   ", "x   ", "x   ", "xxx ", "xx  "];
        let levels = [Some(Level::Administrator), Some(Level::Operator), Some(Level::User), None];
        for (class, row) in AccessClass::ALL.into_iter().zip(table) {
            let allowed: String = levels.iter().map(|level| if class.allows(*level) { 'x' } else { ' ' }).collect();
            assert_eq!(allowed, row, "{class}");
        }
    }
}
