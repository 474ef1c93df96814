//! The benchmark measures something: a short run of each part, whose figures nobody judges.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use belvedere_bench::fan_out::{Case, Sample, Times, measure_steady};
use belvedere_bench::{entry, soap, subject::Kind};
use belvedere_harness::{Peer, Transport, Turn};

#[test]
fn readers_are_counted_on_every_server() -> Result<()> {
    let _turn = Turn::alone()?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("bench.mp4");
    let path = file.to_str().context("path")?;
    Peer::run(&["make-file", "--out", path, "--seconds", "4", "--width", "640", "--height", "360", "--noise"])?;
    let times =
        Times { fill: Duration::from_secs(1), settle: Duration::from_millis(500), window: Duration::from_secs(2) };
    for kind in [Kind::Belvedere, Kind::Gst] {
        for transport in [Transport::Tcp, Transport::Udp] {
            let case = Case { transport, readers: 5 };
            let sample @ Sample { gaps, ended, cpu, gigabits, .. } = measure_steady(kind, case, &file, times)?;
            let what = || format!("{} over {}: {sample:?}", kind.name(), transport.name());
            ensure!(gigabits > 0.001 && cpu > 0.0, what());
            // Over UDP a busy machine's readers lose what their buffers do not hold.
            ensure!((gaps == 0 || transport == Transport::Udp) && ended == 0, what());
            ensure!(sample.memory_of_all > 1 << 20, what());
            ensure!((sample.engine > 0.0) == (kind == Kind::Belvedere), what());
        }
    }
    Ok(())
}

#[test]
fn visits_are_timed() -> Result<()> {
    let _turn = Turn::alone()?;
    let entries = entry::measure(1)?;
    ensure!(entries.len() == 4, "{entries:?}");
    ensure!(
        entries.iter().all(|entry| entry.describe[0] > Duration::ZERO && entry.picture[0] > Duration::ZERO),
        "{entries:?}"
    );
    Ok(())
}

#[test]
fn questions_are_answered_and_counted() -> Result<()> {
    let _turn = Turn::alone()?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("bench.mp4");
    let path = file.to_str().context("path")?;
    Peer::run(&["make-file", "--out", path, "--seconds", "4", "--width", "640", "--height", "360", "--noise"])?;
    let case = soap::Case { clients: 10, fill: Duration::from_secs(1), window: Duration::from_secs(2) };
    let sample = soap::measure(case, &file)?;
    ensure!(sample.errors == 0 && sample.gaps == 0, "{:?}", sample.first_error);
    ensure!(sample.times.len() > 10 * 7 && sample.cpu > 0.0, "{} answers", sample.times.len());
    ensure!(sample.within(0.5) <= sample.within(0.99) && sample.within(0.5) > Duration::ZERO);
    ensure!(sample.memory.iter().all(|bytes| *bytes > 1 << 19), "{:?}", sample.memory);
    Ok(())
}
