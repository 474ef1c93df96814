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
    runner::{self, Wishes},
    secret::without_userinfo,
    table,
    test::INTERRUPTED,
};

/// Judges a network video device by the ONVIF device test specifications.
///
/// Ends with 0 if no case failed, 1 if one did, 2 if there was nothing to judge or a report cannot be written, 130 if it was
/// interrupted.
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
    /// For the device that the table of cases is about: knows what it lacks though no device tells of that, and fails, too, when a
    /// gap that the table knows is not there
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
    if let Some(lost) = patterns.iter().position(|pattern| !rows.iter().any(|row| pattern.matches(&row.id))) {
        return Err(format!("no case is called {}", options.only[lost]).into());
    }
    rows.retain(|row| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&row.id)));
    let device = Device::new(options.device.clone(), options.user.clone(), options.password.clone());
    let features = match features(options, &device) {
        Err(_) if INTERRUPTED.load(Ordering::Relaxed) => return Ok(130),
        found => found?,
    };
    let progress = progress::of(rows.len(), io::stderr().is_terminal());
    let wishes = Wishes { keep_running: options.keep_running, own: options.strict };
    let reports = runner::run(&device, &features, &rows, wishes, progress.as_ref());
    drop(progress);
    let run = Run::new(&options.device, &features, &rows, reports);
    let mut out = io::stdout();
    write!(out, "{}", run.summary())?;
    let written: Vec<io::Result<()>> = options.report.iter().map(|path| report::write(path, &run)).collect();
    let unnoticed = run.unnoticed();
    if options.strict && !unnoticed.is_empty() {
        writeln!(out, "\nThe table is behind:\n{}", unnoticed.join("\n"))?;
    }
    written.into_iter().collect::<io::Result<()>>()?;
    Ok(if INTERRUPTED.load(Ordering::Relaxed) {
        130
    } else if run.failed() > 0 || options.strict && !unnoticed.is_empty() {
        1
    } else if run.passed() == 0 {
        2
    } else {
        0
    })
}

/// What the device can do.
fn features(options: &Options, device: &Device) -> Result<Features, String> {
    let profiles: Option<BTreeSet<String>> = options.profile.as_ref().map(|letters| letters.iter().cloned().collect());
    let found = feature::discover(device, profiles.as_ref());
    found.features.map_err(|stop| {
        let last = found.traces.messages.last().map(|exchange| format!(" ({}: {})", exchange.to, exchange.status));
        let told = format!("{} does not answer as a device does: {stop}{}", options.device, last.unwrap_or_default());
        without_userinfo(&told)
    })
}
