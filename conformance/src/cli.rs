//! The command line.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::atomic::Ordering,
};

use clap::Parser;
use wildmatch::WildMatch;

use crate::{
    device::Device,
    feature::{self, Features},
    report::{self, Run, progress},
    runner, table,
    test::INTERRUPTED,
};

/// Judges a network video device by the ONVIF device test specifications.
///
/// Ends with 0 if every case that applies passed, 1 if one failed, 2 if there was nothing to judge, 130 if it was interrupted.
#[derive(Debug, Parser)]
#[command(name = "conformance", version)]
struct Options {
    /// The address of the device service: http://host:port/onvif/device_service
    #[arg(long, value_name = "URL")]
    device: String,
    /// An administrator of the device
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The administrator's password
    #[arg(long, value_name = "TEXT", env = "CONFORMANCE_PASSWORD", hide_env_values = true)]
    password: String,
    /// The profiles to judge by; without, those that the device claims
    #[arg(long, value_name = "LETTERS", value_delimiter = ',', value_parser = ["S", "T", "G", "M"])]
    profile: Option<Vec<String>>,
    /// Only cases with such an identifier: 'MEDIA2-*'; several with commas
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    only: Vec<String>,
    /// Not the cases that end with a restart of the device or the loss of its settings
    #[arg(long)]
    keep_running: bool,
    /// A report, by its ending: .html, .json, .xml (JUnit) or .md; may be given several times
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
    /// Fails, too, when a gap that the table knows is not there on this device; for the device that the table is about
    #[arg(long)]
    strict: bool,
}

/// Runs the program; what it returns is its exit code.
pub fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(io::stderr(), "conformance: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<u8, Box<dyn std::error::Error>> {
    for path in &options.report {
        report::format(path)?;
    }
    ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })?;
    let patterns: Vec<WildMatch> = options.only.iter().map(|pattern| WildMatch::new(pattern.trim())).collect();
    let mut rows = table::rows()?;
    rows.retain(|row| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&row.id)));
    if rows.is_empty() {
        return Err(format!("no case is called {}", options.only.join(", ")).into());
    }
    let device = Device::new(options.device.clone(), options.user.clone(), options.password.clone());
    let features = features(options, &device)?;
    let progress = progress::of(rows.len(), io::stderr().is_terminal());
    let reports = runner::run(&device, &features, &rows, options.keep_running, progress.as_ref());
    drop(progress);
    let run = Run::new(&options.device, &features, &rows, reports);
    for path in &options.report {
        report::write(path, &run)?;
    }
    let mut out = io::stdout();
    write!(out, "{}", run.summary())?;
    let unnoticed = run.unnoticed();
    if options.strict && !unnoticed.is_empty() {
        writeln!(out, "\nThe table is behind:\n{}", unnoticed.join("\n"))?;
    }
    Ok(match (INTERRUPTED.load(Ordering::Relaxed), run.failed() > 0 || options.strict && !unnoticed.is_empty()) {
        (true, _) => 130,
        (false, failed) => u8::from(failed),
    })
}

fn features(options: &Options, device: &Device) -> Result<Features, String> {
    let profiles: Option<BTreeSet<String>> = options.profile.as_ref().map(|letters| letters.iter().cloned().collect());
    let (found, traces) = feature::discover(device, profiles.as_ref());
    found.map_err(|stop| {
        let last = traces.messages.last().map(|exchange| format!(" ({}: {})", exchange.to, exchange.status));
        format!("{} does not answer as a device does: {stop}{}", options.device, last.unwrap_or_default())
    })
}
