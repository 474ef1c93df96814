//! A run with a case of each kind, and what is told of it to machines.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::{Run, format, write};
use crate::{
    feature::Features,
    gap::Gap,
    table::{Row, State},
    verdict::{Exchange, Failed, Report, Verdict},
};

const BASE: &str = "Base";
const MEDIA: &str = "Media1";

/// A case of each kind.
pub(super) fn run() -> Run {
    let bad = Failed { step: "2".into(), expected: "a response".into(), seen: "<script>alert(1)</script>".into() };
    let told = [
        ("DEVICE-1-1-1", BASE, State::Implemented, Verdict::Passed),
        ("DEVICE-1-1-2", BASE, State::Implemented, Verdict::Failed(bad)),
        ("DEVICE-1-1-3", BASE, State::Implemented, Verdict::NotApplicable { rule: "needs tls: no HTTPS".into() }),
        ("DEVICE-1-1-4", BASE, State::Deferred(Gap::Event), Verdict::KnownGap { gap: "event".into() }),
        ("MEDIA-1-1-1", MEDIA, State::Implemented, Verdict::Skipped { reason: "no camera".into() }),
    ];
    let rows: Vec<Row> = told
        .iter()
        .map(|(id, area, state, _)| Row {
            id: (*id).into(),
            title: format!("TITLE OF {id}"),
            area,
            when: Vec::new(),
            state: state.clone(),
        })
        .collect();
    let reports = told.into_iter().map(|(id, area, _, verdict)| Report {
        id: id.into(),
        title: format!("TITLE OF {id}"),
        area,
        verdict,
        steps: vec!["1: it asks".into(), "2: it asks again".into()],
        notes: Vec::new(),
        messages: vec![exchange()],
        took: Duration::from_millis(1500),
    });
    let reports = reports.collect();
    Run::new("http://admin:secret@camera/?a=1&b=2", &Features::default(), &rows, reports)
}

fn exchange() -> Exchange {
    Exchange {
        step: "2".into(),
        to: "http://camera/".into(),
        request: "<a/>".into(),
        status: "200".into(),
        response: "<b/>".into(),
        took: Duration::from_millis(20),
    }
}

#[test]
fn the_counts_are_those_of_the_verdicts() {
    let run = run();
    assert_eq!(run.failed(), 1);
    assert_eq!(
        run.table().lines().skip(2).collect::<Vec<_>>(),
        [
            "| Base | 4 | 3 | 1 | 2 | 1 | 1 | 0 | 1 |",
            "| Media1 | 1 | 1 | 0 | 1 | 0 | 0 | 1 | 0 |",
            "| all | 5 | 4 | 1 | 3 | 1 | 1 | 1 | 1 |"
        ]
    );
    let summary = run.summary();
    let failed =
        "FAILED DEVICE-1-1-2 TITLE OF DEVICE-1-1-2\n    step 2: expected a response; seen: <script>alert(1)</script>\n";
    assert!(summary.starts_with(failed), "{summary}");
}

/// Programs read it: these names and shapes are a promise.
#[test]
fn the_json_has_a_flat_verdict_for_each_case() {
    let run: Value = serde_json::to_value(run()).unwrap();
    let keys: Vec<_> = run.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["cases", "counts", "date", "device", "features"]);
    let failed = &run["cases"][1];
    let expected = json!({
        "id": "DEVICE-1-1-2", "title": "TITLE OF DEVICE-1-1-2", "area": "Base",
        "verdict": "failed", "step": "2", "expected": "a response", "seen": "<script>alert(1)</script>",
        "steps": ["1: it asks", "2: it asks again"], "notes": [], "took": 1500,
        "messages": [{
            "step": "2", "to": "http://camera/", "request": "<a/>", "status": "200", "response": "<b/>", "took": 20,
        }],
    });
    assert_eq!(failed, &expected);
    let verdicts: Vec<_> =
        run["cases"].as_array().unwrap().iter().map(|case| case["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["passed", "failed", "not-applicable", "known-gap", "skipped"]);
    assert_eq!((&run["cases"][2]["rule"], &run["cases"][3]["gap"]), (&json!("needs tls: no HTTPS"), &json!("event")));
}

#[test]
fn a_report_is_written_as_its_name_ends() {
    let directory = tempfile::tempdir().unwrap();
    for (name, start) in [("a.html", "<!DOCTYPE html>"), ("a.json", "{"), ("a.xml", "<?xml"), ("a.md", "| area |")] {
        let path = directory.path().join(name);
        write(&path, &run()).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().starts_with(start), "{name}");
    }
    assert!(format(Path::new("a.txt")).is_err() && format(Path::new("html")).is_err());
}
