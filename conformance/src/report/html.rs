//! The report as a page: what failed first, everything else folded away. One file without anything from elsewhere.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Run;
use crate::verdict::{Report, Verdict};

const STYLE: &str = include_str!("report.css");

/// Writes the run.
pub(super) fn page(run: &Run) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Conformance of " (run.device) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Conformance" }
                p { "of " code { (run.device) } }
                (counts(run))
                @for case in run.cases.iter().filter(|case| matches!(case.verdict, Verdict::Failed(_))) { (told(case)) }
                h2 { "All cases" }
                @for case in run.cases.iter().filter(|case| !matches!(case.verdict, Verdict::Failed(_))) { (told(case)) }
                (features(run))
            }
        }
    };
    page.into_string()
}

fn counts(run: &Run) -> Markup {
    html! {
        table {
            tr {
                @for head in ["area", "cases", "implemented", "deferred", "applicable", "passed", "failed", "skipped", "known gaps"] {
                    th { (head) }
                }
            }
            @for count in &run.counts {
                tr {
                    td { (count.area) }
                    @for number in [count.cases, count.implemented, count.deferred, count.applicable, count.passed, count.failed, count.skipped, count.known_gaps] {
                        td.number { (number) }
                    }
                }
            }
        }
    }
}

fn told(case: &Report) -> Markup {
    let (class, word, more) = match &case.verdict {
        Verdict::Passed => ("passed", "passed", String::new()),
        Verdict::Failed(failed) => ("failed", "failed", failed.to_string()),
        Verdict::NotApplicable { rule } => ("other", "not applicable", rule.clone()),
        Verdict::KnownGap { gap } => ("gap", "known gap", gap.clone()),
        Verdict::Skipped { reason } => ("other", "skipped", reason.clone()),
    };
    html! {
        details open[class == "failed"] {
            summary { span class=(class) { (word) } " " code { (case.id) } " " (case.title) }
            @if !more.is_empty() { p.why { (more) } }
            @for note in &case.notes { p.note { (note) } }
            ol { @for step in &case.steps { li { (step) } } }
            @for message in &case.messages {
                details {
                    summary { "step " (message.step) ": " (message.to) " → " (message.status) ", " (message.took.as_millis()) " ms" }
                    pre { (message.request) }
                    pre { (message.response) }
                }
            }
        }
    }
}

fn features(run: &Run) -> Markup {
    html! {
        h2 { "What was found of the device" }
        table {
            @for (name, finding) in &run.features {
                tr { td { (name) } td { @if finding.has { "yes" } @else { "no" } } td { (finding.because) } }
            }
        }
    }
}
