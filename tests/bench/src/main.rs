//! The command line of the benchmark; see the library.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use belvedere_bench::fan_out::{self, Case, Times};
use belvedere_bench::report::{self, Rounds};
use belvedere_bench::{entry, soap, subject::Kind};
use belvedere_harness::{Peer, Transport};
use clap::Parser;

/// Measures what a viewer costs and how soon it sees something, beside gst-rtsp-server, and what SOAP clients get.
#[derive(Debug, Parser)]
struct Arguments {
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds that are counted in each measurement.
    #[arg(long, default_value_t = 8)]
    window: u64,
    /// Readers over TCP; nothing leaves them out.
    #[arg(long, value_delimiter = ',', num_args = 0.., default_values_t = [50, 200, 500, 1000])]
    tcp: Vec<usize>,
    /// Readers over UDP; nothing leaves them out.
    #[arg(long, value_delimiter = ',', num_args = 0.., default_values_t = [50, 200])]
    udp: Vec<usize>,
    /// Visits to each definition that are timed; 0 leaves them out.
    #[arg(long, default_value_t = 20)]
    visits: usize,
    /// SOAP clients at once; 0 leaves them out.
    #[arg(long, default_value_t = 200)]
    soap: usize,
    /// Seconds for which they ask.
    #[arg(long, default_value_t = 60)]
    soap_window: u64,
    /// Writes the report here, too.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("bench: {error:#}"));
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("bench.mp4");
    make_file(&file)?;
    let idle = entry::idle_memory()?;
    let entries = if arguments.visits > 0 { entry::measure(arguments.visits)? } else { Vec::new() };
    let servers = Kind::available();
    let all = measure_fan_out(arguments, &servers, &file)?;
    let asked = measure_soap(arguments, &file)?;
    let soap_gates = asked.as_ref().map(|sample| report::soap_gates(arguments.soap, sample)).unwrap_or_default();
    let gates = [report::entry_gates(&entries, idle), report::fan_out_gates(&all), soap_gates].concat();
    let text = format!(
        "{}\n{}\n{}\n{}",
        report::gate_table(&gates),
        report::fan_out_table(&servers, &all),
        report::entry_table(&entries),
        asked.as_ref().map(|sample| report::soap_table(arguments.soap, sample)).unwrap_or_default(),
    );
    #[expect(clippy::print_stdout, reason = "a command line tool")]
    {
        println!("{text}");
    }
    if let Some(out) = &arguments.out {
        std::fs::write(out, text).with_context(|| out.display().to_string())?;
    }
    Ok(gates.iter().all(report::Gate::holds))
}

/// 1080p at 25 pictures a second and about 4 Mbit/s, without sound: what design section 8 was measured with.
fn make_file(file: &Path) -> Result<()> {
    let path = file.to_str().context("a path that is not Unicode")?;
    let picture = ["--width", "1920", "--height", "1080", "--fps", "25", "--gop", "50", "--bitrate", "4000"];
    Peer::run(&[&["make-file", "--out", path, "--seconds", "20", "--noise"], &picture[..]].concat())
}

/// Every server in turn, case by case and round by round, so that what the machine does meets all alike.
fn measure_fan_out(arguments: &Arguments, servers: &[Kind], file: &Path) -> Result<Vec<Rounds>> {
    let times = Times {
        fill: Duration::from_secs(10),
        settle: Duration::from_secs(2),
        window: Duration::from_secs(arguments.window),
    };
    let cases = [(Transport::Tcp, &arguments.tcp), (Transport::Udp, &arguments.udp)];
    let cases = cases
        .iter()
        .flat_map(|(transport, numbers)| numbers.iter().map(|&readers| Case { transport: *transport, readers }));
    let mut all: Vec<Rounds> = cases.map(|case| Rounds { case, rounds: Vec::new() }).collect();
    for round in 1..=arguments.rounds {
        for Rounds { case, rounds } in &mut all {
            let servers = servers.iter().filter(|server| case.transport == Transport::Tcp || server.serves_udp());
            let samples = servers.map(|server| {
                let sample = fan_out::measure_steady(*server, *case, file, times).with_context(|| server.name())?;
                say(&format!(
                    "round {round}, {}, {}: {:.4} CPU s per Gbit",
                    report::title(*case),
                    server.name(),
                    sample.cpu
                ));
                Ok(sample)
            });
            rounds.push(samples.collect::<Result<_>>()?);
        }
    }
    Ok(all)
}

/// The SOAP clients, unless they are left out.
fn measure_soap(arguments: &Arguments, file: &Path) -> Result<Option<soap::Sample>> {
    if arguments.soap == 0 {
        return Ok(None);
    }
    let case = soap::Case {
        clients: arguments.soap,
        fill: Duration::from_secs(10),
        window: Duration::from_secs(arguments.soap_window),
    };
    let sample = soap::measure(case, file).context("SOAP")?;
    say(&format!("SOAP, {} clients: {:.0} answers a second, {} errors", arguments.soap, sample.rate(), sample.errors));
    Ok(Some(sample))
}

fn say(text: &str) {
    #[expect(clippy::print_stderr, reason = "a command line tool")]
    {
        eprintln!("{text}");
    }
}
