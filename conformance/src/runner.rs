//! Which cases run when: those that only read together, then the streams, then those that change things, one by one, and
//! those after which the device is not the same at the very end.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use crate::{
    areas,
    case::{Case, When},
    device::Device,
    feature::Features,
    table::{Row, State},
    test::{INTERRUPTED, Test},
    verdict::{Failed, Outcome, Report, Stop, Verdict},
};

/// How many cases that only read run at a time.
const READERS: usize = 4;
/// How many streams run at a time.
const STREAMS: usize = 3;

/// What is told while it goes on.
pub trait Progress: Sync {
    /// A case begins.
    fn begun(&self, id: &str);
    /// A case is over.
    fn over(&self, report: &Report);
}

/// What is wished of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    /// What ends with a restart of the device or the loss of its settings is left out.
    pub keep_running: bool,
    /// The device is the one that the table is about: what it lacks, though no device tells of that, is known of it.
    pub own: bool,
}

/// A row that is to be run.
struct Planned<'a> {
    row: &'a Row,
    case: Case,
}

/// Runs the cases of these rows, and says what became of each, in the order of the rows.
pub fn run(device: &Device, features: &Features, rows: &[Row], wishes: Wishes, progress: &dyn Progress) -> Vec<Report> {
    let areas = areas::cases();
    let written: BTreeMap<&str, Case> = areas.iter().map(|case| (case.id, *case)).collect();
    let reports = Mutex::new(BTreeMap::new());
    let done = |report: Report| {
        let report = report.without_userinfo();
        progress.over(&report);
        reports.lock().unwrap_or_else(PoisonError::into_inner).insert(report.id.clone(), report);
    };
    let mut planned: Vec<Planned<'_>> = Vec::new();
    for row in rows {
        match settled(row, features, written.get(row.id.as_str())) {
            Ok(case) if wishes.keep_running && case.when == When::Last => {
                done(untold(row, Verdict::Skipped { reason: "the device was to be kept running".into() }));
            }
            Ok(case) => planned.push(Planned { row, case }),
            Err(verdict) => done(untold(row, verdict)),
        }
    }
    // In the order in which they were written down: those that wait for the same encoder stand last, so that they do not keep
    // others waiting.
    let place = |id| areas.iter().position(|case| case.id == id);
    planned.sort_by_key(|planned| place(planned.case.id));
    let of = |when: When| planned.iter().filter(move |planned| planned.case.when == when).collect::<Vec<_>>();
    let judge = |planned: &Planned<'_>| {
        progress.begun(&planned.row.id);
        done(judge(device, features, planned, wishes.own));
    };
    together(&of(When::Reads), READERS, &judge);
    thread::scope(|scope| {
        for waiting in of(When::Waits) {
            scope.spawn(|| judge(waiting));
        }
        together(&of(When::Streams), STREAMS, &judge);
    });
    together(&of(When::Changes), 1, &judge);
    together(&of(When::Last), 1, &judge);
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.iter().filter_map(|row| reports.remove(&row.id)).collect()
}

/// The case that has to run, or what can be said without.
fn settled(row: &Row, features: &Features, case: Option<&Case>) -> Result<Case, Verdict> {
    for feature in &row.when {
        let finding = features.get(*feature);
        if !finding.has {
            return Err(Verdict::NotApplicable { rule: format!("needs {}: {}", feature.name(), finding.because) });
        }
    }
    match (&row.state, case) {
        (_, Some(case)) => Ok(*case),
        (State::Deferred(gap), None) => Err(Verdict::KnownGap { gap: gap.name() }),
        (State::NotImplemented(reason), None) => Err(Verdict::Skipped { reason: reason.clone() }),
        (State::Implemented, None) => Err(Verdict::Skipped { reason: "not written".into() }),
    }
}

fn untold(row: &Row, verdict: Verdict) -> Report {
    Report {
        id: row.id.clone(),
        title: row.title.clone(),
        area: row.area,
        verdict,
        steps: Vec::new(),
        notes: Vec::new(),
        messages: Vec::new(),
        took: std::time::Duration::ZERO,
    }
}

fn judge(device: &Device, features: &Features, planned: &Planned<'_>, own: bool) -> Report {
    let start = Instant::now();
    let mut test = Test::new(device, features);
    let outcome = if INTERRUPTED.load(Ordering::Relaxed) { Err(Stop::Interrupted) } else { test.run(planned.case.run) };
    let step = test.current_step().to_owned();
    let (put_back, traces) = test.finish();
    let left_changed = matches!(put_back, Err(Stop::Failed(_)));
    let verdict = match (&planned.row.state, verdict(outcome, put_back, &step)) {
        // That it fails is known, unless the device has what is missing; that it passes must be noticed.
        (State::Deferred(gap), Verdict::Failed(failed)) if gap.is_open(features, own) && !left_changed => {
            Verdict::KnownGap { gap: format!("{}: {failed}", gap.name()) }
        }
        (State::Deferred(gap), Verdict::Skipped { reason }) if gap.is_open(features, own) => {
            Verdict::KnownGap { gap: format!("{}: {reason}", gap.name()) }
        }
        (_, verdict) => verdict,
    };
    let (steps, notes, messages) = (traces.steps, traces.notes, traces.messages);
    Report { steps, notes, messages, took: start.elapsed(), ..untold(planned.row, verdict) }
}

/// What is said of a case that ended so, at this step. That something was left changed is worse than all else; how the case
/// failed before is told with it.
fn verdict(outcome: Outcome, put_back: Outcome, step: &str) -> Verdict {
    let outcome = outcome.map_err(|stop| match stop {
        Stop::Failed(failed) if failed.step.is_empty() => Stop::Failed(Failed { step: step.to_owned(), ..failed }),
        other => other,
    });
    let stop = match (put_back, outcome) {
        (Ok(()), Ok(())) => return Verdict::Passed,
        (Err(Stop::Failed(left)), Err(Stop::Failed(own))) if own != left => {
            Stop::Failed(Failed { seen: format!("{}; before that, {own}", left.seen), ..left })
        }
        (Err(Stop::Failed(left)), _) => Stop::Failed(left),
        (_, Err(own @ Stop::Failed(_))) => own,
        (Err(stop), _) | (_, Err(stop)) => stop,
    };
    match stop {
        Stop::Failed(failed) => Verdict::Failed(failed),
        Stop::Skipped(reason) => Verdict::Skipped { reason },
        Stop::Interrupted => Verdict::Skipped { reason: "interrupted".into() },
    }
}

/// Runs some at a time, the next as soon as one is over.
fn together<'a>(all: &[&'a Planned<'a>], at_a_time: usize, judge: &(impl Fn(&Planned<'a>) + Sync)) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_a_time.min(all.len()) {
            scope.spawn(|| {
                while let Some(planned) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    judge(planned);
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{case::case, gap::Gap, test::CLEAN_UP};

    /// What is said of a case for which our server lacks something.
    fn of_deferred(run: fn(&mut Test<'_>) -> Outcome) -> Verdict {
        let device = Device::new("http://192.0.2.1/".into(), String::new(), String::new());
        let state = State::Deferred(Gap::Event);
        let row = Row { id: "A-1".into(), title: String::new(), area: "Base", when: Vec::new(), state };
        let planned = Planned { row: &row, case: case("A-1", When::Changes, run) };
        judge(&device, &Features::default(), &planned, false).verdict
    }

    fn fails(t: &mut Test<'_>) -> Outcome {
        t.step("4", "it fails");
        Err(t.failed("a response", "a fault"))
    }

    fn cannot_be_put_back(t: &mut Test<'_>) {
        t.afterwards_do(|t| Err(t.failed("the old name", "the new one")));
    }

    #[test]
    fn what_was_left_changed_is_no_known_gap() {
        let left = |seen: &str| {
            let (step, expected) = (CLEAN_UP.into(), "the old name".into());
            Verdict::Failed(Failed { step, expected, seen: seen.into() })
        };
        let gap = |why: &str| Verdict::KnownGap { gap: format!("event: {why}") };
        assert_eq!(of_deferred(fails), gap("step 4: expected a response; seen: a fault"));
        let fails_twice = |t: &mut Test<'_>| {
            cannot_be_put_back(t);
            fails(t)
        };
        let told = left("the new one; before that, step 4: expected a response; seen: a fault");
        assert_eq!(of_deferred(fails_twice), told);
        let skips = |t: &mut Test<'_>| {
            cannot_be_put_back(t);
            t.skip("no room")
        };
        assert_eq!(of_deferred(skips), left("the new one"));
        // Also where a case puts back before it is over, and goes on.
        let goes_on = |t: &mut Test<'_>| {
            cannot_be_put_back(t);
            let _ = t.put_back();
            Ok(())
        };
        assert_eq!(of_deferred(goes_on), left("the new one"));
        let ends = |t: &mut Test<'_>| {
            cannot_be_put_back(t);
            t.put_back()
        };
        assert_eq!(of_deferred(ends), left("the new one"));
    }
}
