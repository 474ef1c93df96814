//! What a case is: its number, when it may run, and its steps.

use crate::{test::Test, verdict::Outcome};

/// When a case may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Beside all others that only read: it changes nothing.
    Reads,
    /// Beside other streams; it claims the encoder whose configuration it changes ([`Test::claim`]).
    Streams,
    /// Like a stream, but most of its time is spent waiting: it takes no place from others.
    Waits,
    /// By itself: it changes what others read.
    Changes,
    /// By itself, after all others: the device restarts or loses its users or its settings.
    Last,
}

/// A case.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The official identifier.
    pub id: &'static str,
    /// When it may run.
    pub when: When,
    /// Its steps.
    pub run: fn(&mut Test<'_>) -> Outcome,
}

/// Makes a case.
pub const fn case(id: &'static str, when: When, run: fn(&mut Test<'_>) -> Outcome) -> Case {
    Case { id, when, run }
}
