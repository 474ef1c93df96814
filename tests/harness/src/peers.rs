//! The independent cameras of `tests/peers`: gstreamer-rtsp-server with nothing of ours on top.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::{self, Running};

/// A peer process. Killed when dropped.
#[derive(Debug)]
pub struct Peer {
    running: Running,
    ready: Value,
}

impl Peer {
    /// Starts `belvedere-peers` with these arguments and waits for its ready line.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let mut running = Running::start(Command::new(process::program("belvedere-peers")?).args(arguments))?;
        let line = running.line(Duration::from_secs(20))?;
        let ready = serde_json::from_str(&line).with_context(|| format!("not a ready line: {line}"))?;
        Ok(Self { running, ready })
    }

    /// Runs `belvedere-peers` to its end, for what it makes rather than serves.
    pub fn run(arguments: &[&str]) -> Result<()> {
        let mut running = Running::start(Command::new(process::program("belvedere-peers")?).args(arguments))?;
        let status = running.wait(Duration::from_secs(120))?;
        ensure!(status.success(), "belvedere-peers {arguments:?} ended with {status}:\n{}", running.stderr());
        Ok(())
    }

    /// The address of the camera's stream, with credentials if it wants some.
    pub fn url(&self) -> Result<&str> {
        self.ready["url"].as_str().context("no url in the peer's ready line")
    }

    /// The ready line.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// The process ID.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }
}
