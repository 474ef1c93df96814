//! The table of the official cases: what each is called, whom it concerns and whether it is written yet.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{feature::Feature, gap::Gap};

/// The areas, in the order of the specifications, with their tables.
const AREAS: [(&str, &str); 5] = [
    ("Base", include_str!("../cases/base.toml")),
    ("Media1", include_str!("../cases/media1.toml")),
    ("Media2", include_str!("../cases/media2.toml")),
    ("Streaming (Media1)", include_str!("../cases/rtss.toml")),
    ("Streaming (Media2)", include_str!("../cases/media2_rtss.toml")),
];

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The official identifier.
    pub id: String,
    /// The official title.
    pub title: String,
    /// The area.
    pub area: &'static str,
    /// The features that the device must all have for the case to apply.
    pub when: Vec<Feature>,
    /// Whether it is written.
    pub state: State,
}

/// Whether a case is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is.
    Implemented,
    /// Our own server lacks what it is about; it comes with that.
    Deferred(Gap),
    /// It is not, for this reason.
    NotImplemented(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    title: String,
    when: Vec<Feature>,
    #[serde(default)]
    implemented: bool,
    deferred: Option<Gap>,
    left: Option<String>,
}

/// Reads the table.
///
/// # Errors
/// It is not as it should be.
pub fn rows() -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (area, text) in AREAS {
        let entries: BTreeMap<Number, Entry> = toml::from_str(text).map_err(|error| format!("{area}: {error}"))?;
        for (number, entry) in entries {
            let state = match (entry.implemented, entry.deferred, entry.left) {
                (true, None, None) => State::Implemented,
                (false, Some(gap), None) => State::Deferred(gap),
                (false, None, Some(reason)) if !reason.is_empty() => State::NotImplemented(reason),
                _ => return Err(format!("{}: exactly one of implemented, deferred and left", number.id)),
            };
            rows.push(Row { id: number.id, title: entry.title, area, when: entry.when, state });
        }
    }
    Ok(rows)
}

/// An identifier that is ordered as its numbers are: `MEDIA-2-3-4` before `MEDIA-2-3-12`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
struct Number {
    name: String,
    numbers: Vec<u32>,
    id: String,
}

impl From<String> for Number {
    fn from(id: String) -> Self {
        let mut parts = id.split('-');
        let name = parts.next().unwrap_or_default().to_owned();
        Self { name, numbers: parts.filter_map(|part| part.parse().ok()).collect(), id }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::areas;

    #[test]
    fn there_are_484_and_each_once() {
        let rows = rows().unwrap();
        let ids: BTreeSet<_> = rows.iter().map(|row| &row.id).collect();
        assert_eq!((rows.len(), ids.len()), (484, 484));
        assert!(
            rows.iter().position(|row| row.id == "MEDIA-2-3-4") < rows.iter().position(|row| row.id == "MEDIA-2-3-12")
        );
    }

    #[test]
    fn the_table_and_the_code_agree() {
        let rows = rows().unwrap();
        let written: BTreeSet<_> = areas::cases().iter().map(|case| case.id).collect();
        let told: BTreeSet<_> =
            rows.iter().filter(|row| row.state == State::Implemented).map(|row| row.id.as_str()).collect();
        // A deferred case may be written: it is run and must fail.
        let deferred: BTreeSet<_> =
            rows.iter().filter(|row| matches!(row.state, State::Deferred(_))).map(|row| row.id.as_str()).collect();
        assert_eq!(told.difference(&written).collect::<Vec<_>>(), Vec::<&&str>::new(), "told to be written");
        let untold = written.difference(&told).filter(|id| !deferred.contains(*id)).collect::<Vec<_>>();
        assert_eq!(untold, Vec::<&&str>::new(), "written and not told");
        assert_eq!(written.len(), areas::cases().len(), "a case is there twice");
    }

    #[test]
    fn fewer_than_one_in_ten_are_left() {
        let rows = rows().unwrap();
        let not_deferred = rows.iter().filter(|row| !matches!(row.state, State::Deferred(_))).count();
        let left = rows.iter().filter(|row| matches!(row.state, State::NotImplemented(_))).count();
        assert!(left * 10 < not_deferred, "{left} of {not_deferred}");
    }
}
