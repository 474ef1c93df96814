//! What is told of a run: to people as a page and a few lines, to machines as JSON and JUnit.

use std::{
    fmt::Write as _,
    fs, io,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

use crate::{
    feature::{Features, Finding},
    secret::without_userinfo,
    soap,
    table::{Row, State},
    verdict::{Report, Verdict},
};

mod html;
mod junit;
pub mod progress;
#[cfg(test)]
mod tests;
mod xml;

/// A run with all its cases.
#[derive(Debug, Serialize)]
pub struct Run {
    device: String,
    date: String,
    features: Vec<(String, Finding)>,
    counts: Vec<Counts>,
    cases: Vec<Report>,
    #[serde(skip)]
    unnoticed: Vec<String>,
}

/// The counts of an area.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    area: String,
    /// All official cases.
    cases: usize,
    /// Those that are written.
    implemented: usize,
    /// Those that are not, since our own server lacks what they are about.
    deferred: usize,
    /// Those that are written and for this device.
    applicable: usize,
    passed: usize,
    failed: usize,
    skipped: usize,
    known_gaps: usize,
}

impl Run {
    /// Puts together what is told.
    pub fn new(device: &str, features: &Features, rows: &[Row], cases: Vec<Report>) -> Self {
        let mut areas: Vec<&str> = rows.iter().map(|row| row.area).collect();
        areas.dedup();
        let mut counts: Vec<Counts> = areas.into_iter().map(|area| count(area, rows, &cases)).collect();
        if counts.len() > 1 {
            counts.push(counts.iter().fold(Counts { area: "all".into(), ..Counts::default() }, sum));
        }
        let told = |finding: &Finding| Finding { because: without_userinfo(&finding.because), ..finding.clone() };
        let findings = features.all().iter().map(|(feature, finding)| (feature.name(), told(finding)));
        Self {
            device: without_userinfo(device),
            date: soap::utc(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            features: findings.collect(),
            counts,
            unnoticed: unnoticed(features, rows, &cases),
            cases,
        }
    }

    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| matches!(case.verdict, Verdict::Failed(_))).count()
    }

    /// How many cases passed.
    pub fn passed(&self) -> usize {
        self.cases.iter().filter(|case| case.verdict == Verdict::Passed).count()
    }

    /// The gaps of the table that are none on this device.
    pub fn unnoticed(&self) -> &[String] {
        &self.unnoticed
    }

    /// A few lines for a terminal.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for case in &self.cases {
            if let Verdict::Failed(failed) = &case.verdict {
                let _ = writeln!(text, "FAILED {} {}\n    {failed}", case.id, case.title);
            }
        }
        text + &self.table()
    }

    /// The counts by area, as a table in Markdown.
    pub fn table(&self) -> String {
        let mut text = String::from(
            "| area | cases | implemented | deferred | applicable | passed | failed | skipped | known gaps |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for count in &self.counts {
            let Counts { area, cases, implemented, deferred, applicable, passed, failed, skipped, known_gaps } = count;
            let _ = writeln!(
                text,
                "| {area} | {cases} | {implemented} | {deferred} | {applicable} | {passed} | {failed} | {skipped} | {known_gaps} |"
            );
        }
        text
    }
}

fn count(area: &str, rows: &[Row], cases: &[Report]) -> Counts {
    let rows = || rows.iter().filter(|row| row.area == area);
    let cases = || cases.iter().filter(|case| case.area == area);
    let implemented = |row: &&Row| row.state == State::Implemented;
    let told = |wanted: fn(&Verdict) -> bool| cases().filter(|case| wanted(&case.verdict)).count();
    let (passed, failed) = (told(|v| *v == Verdict::Passed), told(|v| matches!(v, Verdict::Failed(_))));
    let applies = |case: &&Report| !matches!(case.verdict, Verdict::NotApplicable { .. });
    let written = |case: &&Report| rows().filter(implemented).any(|row| row.id == case.id);
    Counts {
        area: area.to_owned(),
        cases: rows().count(),
        implemented: rows().filter(implemented).count(),
        deferred: rows().filter(|row| matches!(row.state, State::Deferred(_))).count(),
        applicable: cases().filter(applies).filter(written).count(),
        passed,
        failed,
        skipped: told(|v| matches!(v, Verdict::Skipped { .. })),
        known_gaps: told(|v| matches!(v, Verdict::KnownGap { .. })),
    }
}

fn sum(all: Counts, one: &Counts) -> Counts {
    Counts {
        area: all.area,
        cases: all.cases + one.cases,
        implemented: all.implemented + one.implemented,
        deferred: all.deferred + one.deferred,
        applicable: all.applicable + one.applicable,
        passed: all.passed + one.passed,
        failed: all.failed + one.failed,
        skipped: all.skipped + one.skipped,
        known_gaps: all.known_gaps + one.known_gaps,
    }
}

/// Deferred cases that pass, and gaps that the device shows not to have.
fn unnoticed(features: &Features, rows: &[Row], cases: &[Report]) -> Vec<String> {
    let mut found = Vec::new();
    for (row, case) in rows.iter().filter_map(|row| Some((row, cases.iter().find(|case| case.id == row.id)?))) {
        let State::Deferred(gap) = &row.state else { continue };
        if case.verdict == Verdict::Passed {
            found.push(format!("{} is deferred for {}, and passes", row.id, gap.name()));
        } else if let Some(because) = gap.closed_by(features) {
            found.push(format!("{} is deferred for {}, which the device has: {because}", row.id, gap.name()));
        }
    }
    found
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A page.
    Html,
    /// Everything, for programs.
    Json,
    /// JUnit, for what runs tests.
    Junit,
    /// The counts, for a document.
    Markdown,
}

/// The format of a report, by the ending of its name.
///
/// # Errors
/// It has another.
pub fn format(path: &Path) -> Result<Format, String> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html") => Ok(Format::Html),
        Some("json") => Ok(Format::Json),
        Some("xml") => Ok(Format::Junit),
        Some("md") => Ok(Format::Markdown),
        _ => Err(format!("{}: a report ends in .html, .json, .xml or .md", path.display())),
    }
}

/// Writes a report.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, run: &Run) -> io::Result<()> {
    let text = match format(path).map_err(io::Error::other)? {
        Format::Html => html::page(run),
        Format::Json => serde_json::to_string_pretty(run)?,
        Format::Junit => junit::document(run).map_err(io::Error::other)?,
        Format::Markdown => run.table(),
    };
    fs::write(path, text)
}
