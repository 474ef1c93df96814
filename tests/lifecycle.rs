//! The process as a service manager sees it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use belvedere_harness::process::signal;
use belvedere_harness::received::record;
use belvedere_harness::{Client, Server, Transport, Turn};
use rustix::process::Signal;

/// Design section 6: SIGHUP is no reason to end, and viewers go on.
#[test]
fn a_hangup_ends_nothing() -> Result<()> {
    let _turn = Turn::shared()?;
    let server = Server::pattern()?;
    let mut client = Client::connect(&server.url("standard")?)?;
    let tracks = client.start(Transport::Tcp)?;
    record(&mut client, &tracks, Duration::from_secs(1))?;
    signal(server.pid(), Signal::HUP)?;
    let received = record(&mut client, &tracks, Duration::from_secs(2))?;
    ensure!(received[0].units()?.len() > 20, "{} pictures in 2 s", received[0].units()?.len());
    ensure!(server.log().contains("SIGHUP"), "nothing in the log");
    server.stop().map(drop)
}

/// Two thousand viewers need more than the 1024 files that a shell allows by custom.
#[test]
fn as_many_files_may_be_open_as_the_system_allows() -> Result<()> {
    let _turn = Turn::shared()?;
    let server = Server::pattern()?;
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid()))?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).context("no such limit")?;
    let mut fields = line.split_whitespace().skip(3);
    let (soft, hard) = (fields.next().context("no soft limit")?, fields.next().context("no hard limit")?);
    ensure!(soft == hard || soft == (1 << 20).to_string(), "{line}");
    server.stop().map(drop)
}
