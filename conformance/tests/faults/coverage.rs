//! Which of the implemented cases no fault proves able to fail. `unproved.toml` lists them, and may not become longer. Deferred
//! cases that are written already have no fault: our own server lacks what they are about, so there is nothing to break.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow, ensure};
use belvedere_conformance::table::{self, Row, State};
use serde::Deserialize;

use crate::rule;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    unproved: BTreeMap<String, BTreeSet<String>>,
}

/// How many cases may be listed: those over IPv6, which the proxy does not speak. Whoever takes one out makes this smaller.
const LISTED: usize = 42;

/// A case that is listed and proved must be taken out, or nobody would see that it is unproved again.
#[test]
fn every_case_is_proved_able_to_fail_but_those_of_the_list() -> Result<()> {
    let list: List = toml::from_str(include_str!("unproved.toml"))?;
    let listed: BTreeSet<String> = list.unproved.into_values().flatten().collect();
    ensure!(listed.len() == LISTED, "unproved.toml lists {} cases, and {LISTED} is what it may be", listed.len());
    let proved: BTreeSet<String> = rule::table()?.into_values().flat_map(|fault| fault.fails.into_keys()).collect();
    let mut rows = table::rows().map_err(|error| anyhow!(error))?;
    rows.retain(|row| row.state == State::Implemented);
    say_how_many(&rows, &proved);
    let told = |row: &Row| match (proved.contains(&row.id), listed.contains(&row.id)) {
        (false, false) => Some(format!("no fault proves that {} can fail: {}", row.id, row.title)),
        (true, true) => Some(format!("{} is proved now: take it out", row.id)),
        _ => None,
    };
    let mut complaints: Vec<String> = rows.iter().filter_map(told).collect();
    let strange = listed.iter().filter(|id| !rows.iter().any(|row| row.id == **id));
    complaints.extend(strange.map(|id| format!("{id} is no case that is written")));
    ensure!(complaints.is_empty(), "unproved.toml:\n{}", complaints.join("\n"));
    Ok(())
}

#[expect(clippy::print_stderr, reason = "who asks for the output of this test wants to see how far the proof goes")]
fn say_how_many(rows: &[Row], proved: &BTreeSet<String>) {
    let mut areas: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        areas.entry(row.area).or_default().push(row);
    }
    for (area, rows) in areas {
        let left: Vec<&str> = rows.iter().map(|row| row.id.as_str()).filter(|id| !proved.contains(*id)).collect();
        eprintln!("{area}: {} of {} proved; left: {}", rows.len() - left.len(), rows.len(), left.join(" "));
    }
}
