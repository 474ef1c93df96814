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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::tests::run, xml::Element};

    #[test]
    fn every_case_is_counted_once_in_the_suite_of_its_area() {
        let document = Element::parse(document(&run()).unwrap().as_bytes()).unwrap();
        let told = |element: &Element, name: &str| element.attribute(name).unwrap_or_default().to_owned();
        assert_eq!([told(&document, "tests"), told(&document, "failures")], ["5", "1"]);
        let suites: Vec<_> = document.all("testsuite").collect();
        let counts: Vec<_> = suites
            .iter()
            .map(|suite| ["name", "tests", "failures", "errors", "disabled"].map(|name| told(suite, name)))
            .collect();
        assert_eq!(counts, [["Base", "4", "1", "0", "2"], ["Media1", "1", "0", "0", "1"]]);
        let cases: Vec<_> = suites.iter().flat_map(|suite| suite.all("testcase")).collect();
        let failed: Vec<_> = cases.iter().filter_map(|case| case.at("failure").map(|why| (case, why))).collect();
        assert_eq!(told(failed[0].0, "name"), "DEVICE-1-1-2");
        assert!(told(failed[0].1, "message").contains("<script>alert(1)</script>"), "{failed:?}");
        let skipped = cases.iter().filter_map(|case| case.at("skipped")).map(|why| told(why, "message"));
        assert_eq!(
            skipped.collect::<Vec<_>>(),
            ["not applicable: needs tls: no HTTPS", "known gap: event", "no camera"]
        );
    }
}
