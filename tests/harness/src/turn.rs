//! Turns: a heavy test (4K encoding, benchmarks) has the machine to itself, light ones share it.
//!
//! A file lock, so it also holds between test programs and under runners that give every test a process of its own.

use std::fs::File;

use anyhow::{Context, Result};

/// The right to run, given back when dropped.
#[derive(Debug)]
pub struct Turn(#[allow(dead_code, reason = "held for its lock")] File);

impl Turn {
    /// Waits until nobody else runs, and keeps others waiting.
    pub fn alone() -> Result<Self> {
        let file = lock_file()?;
        file.lock().context("locking")?;
        Ok(Self(file))
    }

    /// Runs beside others that share, never beside one that is alone.
    pub fn shared() -> Result<Self> {
        let file = lock_file()?;
        file.lock_shared().context("locking")?;
        Ok(Self(file))
    }
}

fn lock_file() -> Result<File> {
    let test = std::env::current_exe()?;
    let path = test.with_file_name(".belvedere-turn");
    File::options().create(true).append(true).open(&path).with_context(|| format!("opening {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sharers_share_and_a_loner_waits() {
        let first = Turn::shared().unwrap();
        let second = Turn::shared().unwrap();
        let probe = lock_file().unwrap();
        assert!(probe.try_lock().is_err());
        drop((first, second));
        // Another test program may hold its turn just now; that a lock is had at all is what matters.
        probe.lock().unwrap();
        assert!(lock_file().unwrap().try_lock_shared().is_err());
    }
}
