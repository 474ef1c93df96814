//! Children that end with their owner, and what `/proc` says about a process.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Finds a program of this workspace next to the running one: `target/<profile>/`; tests run in `deps` below it.
pub fn program(name: &str) -> Result<PathBuf> {
    let running = std::env::current_exe()?;
    let mut profile = running.parent().context("a program without a directory")?;
    if profile.ends_with("deps") {
        profile = profile.parent().context("a test without a target directory")?;
    }
    let program = profile.join(name);
    if !program.exists() {
        bail!("{} is missing; `cargo build --workspace --all-targets` makes it", program.display());
    }
    Ok(program)
}

/// A child process that is killed when its owner is dropped, with everything it says.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    lines: Mutex<Receiver<String>>,
    stderr: Arc<Mutex<String>>,
    stdout: Arc<Mutex<String>>,
}

impl Running {
    /// Starts a command with both outputs captured and an input that stays open and silent: its end would end a peer.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
        let stdout = child.stdout.take().context("no stdout")?;
        let stderr = child.stderr.take().context("no stderr")?;
        let (sender, lines) = mpsc::channel();
        let heard = Arc::new(Mutex::new(String::new()));
        let said = Arc::new(Mutex::new(String::new()));
        collect(stdout, Arc::clone(&said), move |line| drop(sender.send(line)));
        collect(stderr, Arc::clone(&heard), |_| ());
        Ok(Self { child, name, lines: Mutex::new(lines), stderr: heard, stdout: said })
    }

    /// The process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the process has written to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the process has written to stdout so far.
    pub fn stdout(&self) -> String {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line on stdout. An error quotes stderr: it says why there is none.
    pub fn line(&mut self, patience: Duration) -> Result<String> {
        self.lines.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(patience).map_err(|_| {
            // The last words may still be on their way from the pipe.
            thread::sleep(Duration::from_millis(50));
            let state = self.child.try_wait().ok().flatten();
            anyhow!("{} printed no line in {patience:?} (ended: {state:?}); stderr:\n{}", self.name, self.stderr())
        })
    }

    /// Waits for the end.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} still runs after {patience:?}; stderr:\n{}", self.name, self.stderr());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends SIGTERM and waits for an end in good order: exit code 0.
    pub fn stop(&mut self, patience: Duration) -> Result<()> {
        signal(self.pid(), Signal::TERM)?;
        let status = self.wait(patience)?;
        if !status.success() {
            bail!(
                "{} ended with {:?} (signal {:?}); stderr:\n{}",
                self.name,
                status.code(),
                status.signal(),
                self.stderr()
            );
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to do about a failure: most likely it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a pipe into `all`, line by line, until it closes; a thread of its own keeps the pipe from filling up.
fn collect(pipe: impl Read + Send + 'static, all: Arc<Mutex<String>>, mut each: impl FnMut(String) + Send + 'static) {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            all.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            each(text.trim_end().to_owned());
            line.clear();
        }
    });
}

/// Sends a signal to a process.
pub fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).context("process 0")?;
    kill_process(pid, signal).with_context(|| format!("{signal:?} to {pid:?}"))
}

/// Children of a process whose program has this name.
pub fn children(parent: u32, name: &str) -> Result<Vec<u32>> {
    let runs = |child: &u32| fs::read_link(format!("/proc/{child}/exe")).is_ok_and(|path| path.ends_with(name));
    Ok(all_children(parent)?.into_iter().filter(runs).collect())
}

/// Children of a process that have ended, and that it did not wait for.
pub fn zombies(parent: u32) -> Result<Vec<u32>> {
    let stat = |child: &u32| fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    let is_zombie = |child: &u32| stat(child).rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'));
    Ok(all_children(parent)?.into_iter().filter(is_zombie).collect())
}

fn all_children(parent: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{parent}/task"))? {
        let listed = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        found.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Private resident memory of a process, in bytes.
pub fn rss_anon(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// Open file descriptors of a process.
pub fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// CPU time that a process has used, user and system.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in brackets and may hold spaces.
    let (_, rest) = stat.rsplit_once(") ").context("odd stat line")?;
    let field = |index: usize| -> Result<u64> { Ok(rest.split(' ').nth(index).context("short stat line")?.parse()?) };
    let ticks = field(11)? + field(12)?;
    // USER_HZ is 100 on every platform that Linux runs Rust on.
    Ok(Duration::from_millis(ticks * 10))
}

/// The arguments of a process, joined by spaces.
pub fn arguments(pid: u32) -> Result<String> {
    Ok(fs::read_to_string(format!("/proc/{pid}/cmdline"))?.replace('\0', " "))
}

/// The environment of a process, a variable a line.
pub fn environment(pid: u32) -> Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/environ"))?).replace('\0', "\n"))
}

/// Asks again every 20 ms until the answer is yes.
pub fn until(patience: Duration, what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + patience;
    while !condition()? {
        if Instant::now() > deadline {
            bail!("not within {patience:?}: {what}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_heard_measured_and_stopped() {
        let mut child =
            Running::start(Command::new("sh").args(["-c", "echo ready; echo why >&2; exec sleep 60"])).unwrap();
        assert_eq!(child.line(Duration::from_secs(5)).unwrap(), "ready");
        until(Duration::from_secs(5), "stderr", || Ok(child.stderr() == "why\n")).unwrap();
        let pid = child.pid();
        until(Duration::from_secs(5), "exec", || Ok(arguments(pid)?.starts_with("sleep 60"))).unwrap();
        assert!(
            children(std::process::id(), "sleep").unwrap().contains(&pid)
                || !std::path::Path::new("/bin/sleep").exists()
        );
        assert!(rss_anon(pid).unwrap() > 0 && descriptors(pid).unwrap() >= 3);
        assert!(cpu_time(pid).unwrap() < Duration::from_secs(5));
        assert!(child.stop(Duration::from_secs(5)).unwrap_err().to_string().contains("signal Some(15)"));
    }

    #[test]
    fn a_silent_child_is_an_error_that_quotes_it() {
        let mut child = Running::start(Command::new("sh").args(["-c", "echo no such file >&2; exit 3"])).unwrap();
        let error = child.line(Duration::from_secs(5)).unwrap_err().to_string();
        assert!(error.contains("no such file"), "{error}");
    }
}
