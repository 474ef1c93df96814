//! The report as JUnit writes it: a suite for each area.

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::Run;
use crate::verdict::Verdict;

/// Writes the run.
pub(super) fn document(run: &Run) -> Result<String, SerializeError> {
    let mut report = Report::new("conformance");
    let mut areas: Vec<&str> = run.cases.iter().map(|case| case.area).collect();
    areas.dedup();
    for area in areas {
        let mut suite = TestSuite::new(area);
        for case in run.cases.iter().filter(|case| case.area == area) {
            let mut told = TestCase::new(case.id.as_str(), status(&case.verdict));
            told.set_classname(area).set_time(case.took);
            suite.add_test_case(told);
        }
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn status(verdict: &Verdict) -> TestCaseStatus {
    let skipped = |message: String| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(message);
        status
    };
    match verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Failed(failed) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(failed.to_string());
            status
        }
        Verdict::NotApplicable { rule } => skipped(format!("not applicable: {rule}")),
        Verdict::KnownGap { gap } => skipped(format!("known gap: {gap}")),
        Verdict::Skipped { reason } => skipped(reason.clone()),
    }
}
