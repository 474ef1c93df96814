//! `belvedere serve` as a child process with a state directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::network;
use crate::process::{self, Running};

/// The administrator of every server under test.
pub const USER: &str = "admin";
/// The administrator's password. Unlike anything else, so that finding it somewhere proves a leak.
pub const PASSWORD: &str = "Wc4-umbrella-87xQ";

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The text of the configuration file; without one the server serves its test pattern as camera `cam`.
    pub config: Option<String>,
    /// The RTSP listener.
    pub rtsp: String,
    /// The HTTP listener.
    pub http: String,
    /// The network namespace that it runs in; that of the test without one.
    pub namespace: Option<String>,
    /// Environment variables besides the administrator's password.
    pub environment: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        let log = ("BELVEDERE_LOG".to_owned(), "debug".to_owned());
        Self {
            config: None,
            rtsp: "127.0.0.1:0".into(),
            http: "127.0.0.1:0".into(),
            namespace: None,
            environment: vec![log],
        }
    }
}

/// A server under test. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    running: Running,
    ready: Value,
    options: Options,
    directory: TempDir,
}

impl Server {
    /// Starts a server with the test pattern.
    pub fn pattern() -> Result<Self> {
        Self::start(&Options::default())
    }

    /// Starts a server with this configuration file.
    pub fn with_config(config: &str) -> Result<Self> {
        Self::start(&Options { config: Some(config.to_owned()), ..Options::default() })
    }

    /// Starts a server and waits for its ready line.
    pub fn start(options: &Options) -> Result<Self> {
        Self::start_in(tempfile::Builder::new().prefix("belvedere-test-").tempdir()?, options)
    }

    /// The same with a directory in which a server may have run before: its state is there.
    pub fn start_in(directory: TempDir, options: &Options) -> Result<Self> {
        let program = process::program("belvedere")?;
        let mut command = match &options.namespace {
            Some(namespace) => network::inside(namespace, program),
            None => Command::new(program),
        };
        command.arg("serve").arg("--state").arg(directory.path().join("state"));
        if let Some(config) = &options.config {
            let path = directory.path().join("belvedere.toml");
            fs::write(&path, config)?;
            command.arg("--config").arg(path);
        }
        command.args(["--http", &options.http, "--rtsp", &options.rtsp]);
        command.env("BELVEDERE_ADMIN_PASSWORD", PASSWORD).env("NO_COLOR", "1");
        command.envs(options.environment.iter().map(|(name, value)| (name, value)));
        let mut running = Running::start(&mut command)?;
        let ready = ready_line(&mut running)?;
        Ok(Self { running, ready, options: options.clone(), directory })
    }

    /// Kills the server as a power cut would (SIGKILL), and starts it again on the state that it leaves. Its ports are others.
    pub fn killed_and_restarted(self) -> Result<Self> {
        let Self { running, options, directory, .. } = self;
        drop(running);
        let server = Self::start_in(directory, &options)?;
        // Tokens that were made before the server came back are refused, and ours tell whole seconds.
        std::thread::sleep(Duration::from_secs(1));
        Ok(server)
    }

    /// Waits until the server has started again, as it does when a client asks for a reboot.
    pub fn restarted(&mut self) -> Result<()> {
        self.ready = ready_line(&mut self.running)?;
        Ok(())
    }

    /// The ready line (design section 6).
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// `rtsp://host:port` of the RTSP listener, without credentials.
    pub fn rtsp(&self) -> Result<String> {
        Ok(self.ready["rtsp"].as_str().context("no rtsp in the ready line")?.to_owned())
    }

    /// `http://host:port` of the HTTP listener.
    pub fn http(&self) -> Result<String> {
        Ok(self.ready["http"].as_str().context("no http in the ready line")?.to_owned())
    }

    /// The address of a definition of the first camera as the ready line gives it, with the administrator's credentials.
    pub fn url(&self, definition: &str) -> Result<String> {
        let url = self.ready["cameras"][0]["rtsp"][definition].as_str();
        with_credentials(url.with_context(|| format!("no {definition} in the ready line"))?)
    }

    /// The address of any path on the RTSP listener, with the administrator's credentials.
    pub fn path(&self, path: &str) -> Result<String> {
        with_credentials(&format!("{}{path}", self.rtsp()?))
    }

    /// The address of a definition of the first camera on the web listener, with the administrator's credentials.
    pub fn web(&self, definition: &str) -> Result<String> {
        let (rtsp, http) = (self.rtsp()?, self.http()?);
        let host = http.strip_prefix("http://").with_context(|| format!("{http} is no HTTP address"))?;
        Ok(self.url(definition)?.replace(rtsp.trim_start_matches("rtsp://"), host))
    }

    /// The process ID of the server.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// The process IDs of the media engines that run now.
    pub fn engines(&self) -> Result<Vec<u32>> {
        process::children(self.pid(), "belvedere-engine")
    }

    /// The process ID of the only media engine; waits for it, because it starts beside the listeners.
    pub fn engine(&self) -> Result<u32> {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let mut engines = self.engines()?;
        while engines.len() != 1 && std::time::Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(20));
            engines = self.engines()?;
        }
        ensure!(engines.len() == 1, "{} engines run, not one; log:\n{}", engines.len(), self.log());
        Ok(engines[0])
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        self.running.stderr()
    }

    /// What the server has printed on stdout so far.
    pub fn stdout(&self) -> String {
        self.running.stdout()
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// A directory that lives as long as the server, for a test's own files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Stops the server as a service manager does: SIGTERM, and an end with exit code 0 within 5 s (design section 6).
    pub fn stop(mut self) -> Result<String> {
        self.running.stop(Duration::from_secs(5))?;
        Ok(self.log())
    }
}

fn ready_line(running: &mut Running) -> Result<Value> {
    let line = running.line(Duration::from_secs(20))?;
    let ready: Value = serde_json::from_str(&line).with_context(|| format!("not a ready line: {line}"))?;
    ensure!(ready["ready"] == true, "not a ready line: {line}");
    Ok(ready)
}

/// An RTSP address with the administrator's credentials.
pub fn with_credentials(url: &str) -> Result<String> {
    let rest = url.strip_prefix("rtsp://").with_context(|| format!("{url} is no RTSP address"))?;
    Ok(format!("rtsp://{USER}:{PASSWORD}@{rest}"))
}
