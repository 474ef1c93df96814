//! What a reader costs: CPU per delivered gigabit, memory per reader.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use belvedere_harness::Transport;

use crate::load::Load;
use crate::subject::{Kind, Subject};

/// A number of readers over a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Over what.
    pub transport: Transport,
    /// How many.
    pub readers: usize,
}

/// The times of one measurement.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// With one reader, until whatever the server buffers is full.
    pub fill: Duration,
    /// With all readers, before anything is counted.
    pub settle: Duration,
    /// While it is counted.
    pub window: Duration,
}

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Gigabits that readers got in the window.
    pub gigabits: f64,
    /// Megabits a second that each reader got.
    pub rate: f64,
    /// CPU seconds of the server, per gigabit.
    pub cpu: f64,
    /// CPU seconds of its media engines, per gigabit; not part of `cpu`.
    pub engine: f64,
    /// Private memory with one reader, in bytes.
    pub memory_of_one: u64,
    /// Private memory with all readers, in bytes.
    pub memory_of_all: u64,
    /// Gaps in the numbering, of all readers.
    pub gaps: u64,
    /// Readers that did not stay to the end.
    pub ended: u64,
}

impl Sample {
    /// Private memory that each further reader takes, in KiB.
    pub fn memory_per_reader(&self, case: Case) -> f64 {
        (self.memory_of_all as f64 - self.memory_of_one as f64) / 1024.0 / (case.readers.max(2) - 1) as f64
    }
}

/// Starts a server, lets the readers in, and counts.
///
/// # Errors
/// The server does not start, or refuses a reader.
pub fn measure(kind: Kind, case: Case, file: &Path, times: Times) -> Result<Sample> {
    let subject = Subject::start(kind, file)?;
    let mut load = Load::new(&subject.url, case.transport)?;
    load.add().context("the first reader")?;
    thread::sleep(times.fill);
    let memory_of_one = subject.memory()?;
    for number in 1..case.readers {
        load.add().with_context(|| format!("reader {number}"))?;
    }
    thread::sleep(times.settle);
    let (start, bytes, cpu) = (Instant::now(), load.totals().bytes.load(Relaxed), subject.cpu()?);
    thread::sleep(times.window);
    let (end, bytes_after, cpu_after) = (Instant::now(), load.totals().bytes.load(Relaxed), subject.cpu()?);
    let gigabits = (bytes_after - bytes) as f64 * 8e-9;
    let sample = Sample {
        gigabits,
        rate: gigabits * 1e3 / (end - start).as_secs_f64() / case.readers as f64,
        cpu: (cpu_after.0 - cpu.0).as_secs_f64() / gigabits,
        engine: (cpu_after.1 - cpu.1).as_secs_f64() / gigabits,
        memory_of_one,
        memory_of_all: subject.memory()?,
        gaps: load.totals().gaps.load(Relaxed),
        ended: load.totals().ended.load(Relaxed),
    };
    load.end();
    Ok(sample)
}

/// What a reader gets at least where nothing is wrong, in megabits a second.
const STALLED_BELOW: f64 = 0.05;
const MOST_STALLS: usize = 3;

/// Like [`measure`]; but a peer that stalls, as gst-rtsp-server does now and then over TCP, tells nothing of what a viewer costs and
/// makes us look good: it is measured again. Our own stalls count.
///
/// # Errors
/// As there, or it stalls every time.
pub fn measure_steady(kind: Kind, case: Case, file: &Path, times: Times) -> Result<Sample> {
    for _ in 0..MOST_STALLS {
        let sample = measure(kind, case, file, times)?;
        if kind == Kind::Belvedere || sample.rate >= STALLED_BELOW {
            return Ok(sample);
        }
    }
    bail!("{} stalled {MOST_STALLS} times", kind.name())
}
