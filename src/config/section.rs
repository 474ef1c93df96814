//! Reads a TOML table key by key and collects every mistake on the way, each with the path of its key.
//!
//! Not serde's derive: it stops at the first mistake, and its messages quote the offending value, which may be a URL with a
//! password. Here no message holds a value from the file.

use std::{
    cell::{Cell, RefCell},
    fmt,
    ops::RangeInclusive,
};

use toml::{Table, Value};

/// One mistake in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: the key's path, or the line of a syntax error.
    pub key: String,
    /// What is wrong, to be read after the key and a colon.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// Collects what a reading finds.
#[derive(Debug, Default)]
pub(super) struct Findings {
    mistakes: RefCell<Vec<Mistake>>,
    /// The path of every key that was asked for: what the sample has to document.
    asked: RefCell<Vec<String>>,
}

impl Findings {
    /// Returns the mistakes, and the keys that were asked for.
    pub(super) fn into_parts(self) -> (Vec<Mistake>, Vec<String>) {
        (self.mistakes.into_inner(), self.asked.into_inner())
    }
}

/// One table of the file; an absent one reads as empty.
pub(super) struct Section<'a> {
    path: String,
    table: Option<&'a Table>,
    known: RefCell<Vec<&'static str>>,
    findings: &'a Findings,
    sound: Cell<bool>,
}

impl<'a> Section<'a> {
    /// Starts with the whole file.
    pub(super) fn root(table: &'a Table, findings: &'a Findings) -> Self {
        Self::new(String::new(), Some(table), findings)
    }

    fn new(path: String, table: Option<&'a Table>, findings: &'a Findings) -> Self {
        Self { path, table, known: RefCell::default(), findings, sound: Cell::new(true) }
    }

    /// Tells whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Tells whether no mistake was noted in this section itself so far.
    pub(super) fn is_sound(&self) -> bool {
        self.sound.get()
    }

    /// Notes a mistake.
    pub(super) fn mistake(&self, key: &str, what: impl Into<String>) {
        self.sound.set(false);
        let mistake = Mistake { key: self.path_of(key), what: what.into() };
        self.findings.mistakes.borrow_mut().push(mistake);
    }

    /// Reads a text.
    pub(super) fn text(&self, key: &'static str) -> Option<&'a str> {
        match self.value(key)? {
            Value::String(text) => Some(text),
            _ => self.wrong(key, "must be a text in quotes"),
        }
    }

    /// Reads a whole number within limits.
    pub(super) fn number(&self, key: &'static str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let (low, high) = (*range.start(), *range.end());
        let read = match self.value(key) {
            None => return default,
            Some(Value::Integer(number)) => u32::try_from(*number).ok().filter(|number| range.contains(number)),
            Some(_) => None,
        };
        read.or_else(|| self.wrong(key, &format!("must be a whole number from {low} to {high}"))).unwrap_or(default)
    }

    /// Reads `true` or `false`.
    pub(super) fn switch(&self, key: &'static str, default: bool) -> bool {
        match self.value(key) {
            None => default,
            Some(Value::Boolean(value)) => *value,
            Some(_) => self.wrong(key, "must be true or false").unwrap_or(default),
        }
    }

    /// Reads one of several words.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, default: T, choices: &[(&str, T)]) -> T {
        let Some(value) = self.value(key) else { return default };
        let chosen = choices.iter().find(|(word, _)| value.as_str() == Some(word)).map(|(_, choice)| *choice);
        let words = || choices.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(" or ");
        chosen.or_else(|| self.wrong(key, &format!("must be {}", words()))).unwrap_or(default)
    }

    /// Enters a table.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        let table = match self.value(key) {
            None => None,
            Some(Value::Table(table)) => Some(table),
            Some(_) => self.wrong(key, "must be a table"),
        };
        Section::new(self.path_of(key), table, self.findings)
    }

    /// Enters each table of an array of tables.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        let entries: &[Value] = match self.value(key) {
            None => &[],
            Some(Value::Array(entries)) => entries,
            Some(_) => self.wrong(key, &format!("must be written [[{key}]]")).unwrap_or_default(),
        };
        let enter = |(index, entry): (usize, &'a Value)| {
            let path = format!("{}[{index}]", self.path_of(key));
            if !entry.is_table() {
                self.mistake(&format!("{key}[{index}]"), "must be a table");
            }
            Section::new(path, entry.as_table(), self.findings)
        };
        entries.iter().enumerate().map(enter).collect()
    }

    /// Ends the section: every key that was not asked for is a mistake.
    pub(super) fn finish(self) {
        let known = self.known.borrow().join(", ");
        let keys = self.table.into_iter().flat_map(Table::keys);
        for key in keys.filter(|key| !self.known.borrow().contains(&key.as_str())) {
            // What stands on the left may be a misplaced secret as well.
            let plain =
                key.len() <= 40 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            self.mistake(if plain { key } else { "…" }, format!("unknown key (known here: {known})"));
        }
    }

    fn value(&self, key: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().push(key);
        self.findings.asked.borrow_mut().push(self.path_of(key));
        self.table?.get(key)
    }

    fn wrong<T>(&self, key: &'static str, what: &str) -> Option<T> {
        self.mistake(key, what);
        None
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
