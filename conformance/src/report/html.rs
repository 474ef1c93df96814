//! The report as a page: what failed first and in full, everything else by area in a line each. One file without anything from
//! elsewhere.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Counts, Run, xml::indented};
use crate::verdict::{Exchange, Failed, Report, Verdict};

const STYLE: &str = include_str!("report.css");

/// Writes the run.
pub(super) fn page(run: &Run) -> String {
    let title = format!("Conformance of {}", run.device);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (headline(run)) }
                p.about { "ONVIF device tests of " code { (run.device) } ", " (run.date) }
                (counts(run))
                (failures(run))
                h2 { "Other cases" }
                p.about { "The messages of these cases are in the JSON report." }
                @for count in run.counts.iter().filter(|count| count.area != "all") { (area(run, count)) }
                (features(run))
            }
        }
    };
    page.into_string()
}

fn headline(run: &Run) -> String {
    let judged = |case: &&Report| matches!(case.verdict, Verdict::Passed | Verdict::Failed(_));
    let judged = run.cases.iter().filter(judged).count();
    match (run.failed(), judged) {
        (_, 0) => "No case was judged".into(),
        (0, 1) => "The case passed".into(),
        (0, _) => format!("All {judged} cases passed"),
        (failed, _) => format!("{failed} of {judged} cases failed"),
    }
}

fn counts(run: &Run) -> Markup {
    html! {
        table.counts {
            tr {
                @for head in ["area", "cases", "implemented", "deferred", "applicable", "passed", "failed", "skipped", "known gaps"] {
                    th { (head) }
                }
            }
            @for count in &run.counts {
                tr {
                    td { (count.area) }
                    @for number in [count.cases, count.implemented, count.deferred, count.applicable] { td { (number) } }
                    @for (number, class) in [(count.passed, "passed"), (count.failed, "failed"), (count.skipped, "other"), (count.known_gaps, "gap")] {
                        td class=[(number > 0).then_some(class)] { (number) }
                    }
                }
            }
        }
    }
}

fn failures(run: &Run) -> Markup {
    let failed = run.cases.iter().filter_map(|case| match &case.verdict {
        Verdict::Failed(failed) => Some((case, failed)),
        _ => None,
    });
    html! {
        @if run.failed() > 0 { h2 { "Failed" } }
        @for (case, failed) in failed { (failure(case, failed)) }
    }
}

fn failure(case: &Report, failed: &Failed) -> Markup {
    html! {
        article id=(case.id) {
            h3 { code { (case.id) } " " (case.title) }
            dl {
                dt { "step" } dd { (step_in_words(case, failed)) }
                @if !failed.expected.is_empty() { dt { "expected" } dd { (failed.expected) } }
                dt { "seen" } dd.failed { (failed.seen) }
                @for note in &case.notes { dt { "note" } dd { (note) } }
            }
            @if !case.steps.is_empty() || !case.messages.is_empty() {
                details {
                    summary { "Steps and messages, " (seconds(case)) }
                    ul.steps { @for step in &case.steps { li { (step) } } }
                    // The last ones are what the verdict is about.
                    @for message in case.messages.iter().rev() { (exchange(message)) }
                }
            }
        }
    }
}

/// The step as the case told it last: `4: GetUsers`.
fn step_in_words(case: &Report, failed: &Failed) -> String {
    let told = case.steps.iter().rev().find(|step| step.split(':').next() == Some(failed.step.as_str()));
    told.unwrap_or(&failed.step).clone()
}

fn exchange(message: &Exchange) -> Markup {
    html! {
        details.message {
            summary { "step " (message.step) ": " code { (message.to) } " → " (message.status) ", " (message.took.as_millis()) " ms" }
            @if !message.request.is_empty() { pre { (indented(&message.request)) } }
            @if !message.response.is_empty() { pre { (indented(&message.response)) } }
        }
    }
}

fn area(run: &Run, count: &Counts) -> Markup {
    let cases = || run.cases.iter().filter(|case| case.area == count.area);
    let others = cases().filter(|case| !matches!(case.verdict, Verdict::Failed(_)));
    html! {
        details.area {
            summary { h3 { (count.area) } " " (count.passed) " passed, " (cases().count() - count.passed - count.failed) " others" }
            table {
                @for case in others { (line(case)) }
            }
        }
    }
}

fn line(case: &Report) -> Markup {
    let (class, word, reason) = match &case.verdict {
        Verdict::Passed => ("passed", "passed", ""),
        Verdict::Failed(_) => ("failed", "failed", ""),
        Verdict::NotApplicable { rule } => ("other", "not applicable", rule.as_str()),
        Verdict::KnownGap { gap } => ("gap", "known gap", gap.as_str()),
        Verdict::Skipped { reason } => ("other", "skipped", reason.as_str()),
    };
    html! {
        tr {
            td class=(class) { (word) }
            td { code { (case.id) } }
            td {
                (case.title)
                @if !reason.is_empty() { div.why { (reason) } }
                @for note in &case.notes { div.why { (note) } }
            }
            td.number { @if case.verdict == Verdict::Passed { (seconds(case)) } }
        }
    }
}

fn seconds(case: &Report) -> String {
    format!("{:.1} s", case.took.as_secs_f64())
}

fn features(run: &Run) -> Markup {
    html! {
        h2 { "What was found of the device" }
        table {
            @for (name, finding) in &run.features {
                tr {
                    td { (name) }
                    td class=(if finding.has { "passed" } else { "other" }) { (if finding.has { "yes" } else { "no" }) }
                    td.why { (finding.because) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;

    #[test]
    fn what_the_device_says_is_text_and_no_markup() {
        let page = page(&run());
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"), "{page}");
        assert!(page.contains("http://***@camera/?a=1&amp;b=2"), "{page}");
    }

    #[test]
    fn what_failed_stands_first_with_its_step_and_its_messages() {
        let page = page(&run());
        assert!(page.contains("<h1>1 of 2 cases failed</h1>"), "{page}");
        let (failed, others) = page.split_once("Other cases").unwrap();
        for part in ["DEVICE-1-1-2", "2: it asks again", "a response", "step 2: "] {
            assert!(failed.contains(part), "{part} in {failed}");
        }
        for part in ["passed", "needs tls: no HTTPS", "event", "no camera"] {
            assert!(others.contains(part), "{part} in {others}");
        }
    }
}
