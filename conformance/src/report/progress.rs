//! What is told while it goes on: a bar on a terminal, a line for each failure elsewhere.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    runner::Progress,
    verdict::{Report, Verdict},
};

/// The way to tell that suits where it is told.
pub fn of(cases: usize, terminal: bool) -> Box<dyn Progress> {
    if !terminal {
        return Box::new(Lines);
    }
    let bar = ProgressBar::new(cases as u64);
    if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    Box::new(Bar(bar))
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn begun(&self, id: &str) {
        self.0.set_message(id.to_owned());
    }

    fn over(&self, report: &Report) {
        if let Verdict::Failed(failed) = &report.verdict {
            self.0.println(format!("FAILED {} {}: {failed}", report.id, report.title));
        }
        self.0.inc(1);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

struct Lines;

impl Progress for Lines {
    fn begun(&self, _: &str) {}

    fn over(&self, report: &Report) {
        if let Verdict::Failed(failed) = &report.verdict {
            // Nobody may be listening.
            let _ = writeln!(io::stderr(), "FAILED {}: {failed}", report.id);
        }
    }
}
