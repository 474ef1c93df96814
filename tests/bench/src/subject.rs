//! The servers that are measured, all serving the same file in real time.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use belvedere_harness::process::{self, Running};
use belvedere_harness::{Options, Peer, Server};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// A kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ours, with its engine as the source.
    Belvedere,
    /// gst-rtsp-server: what the gates compare with.
    Gst,
    /// go2rtc, if it is on the PATH; pulls from gst-rtsp-server.
    Go2rtc,
    /// MediaMTX, likewise.
    MediaMtx,
}

impl Kind {
    /// Those that can run here: ours, the peer, and what is on the PATH.
    pub fn available() -> Vec<Self> {
        let found = [("go2rtc", Self::Go2rtc), ("mediamtx", Self::MediaMtx)];
        let found = found.into_iter().filter(|(program, _)| on_path(program).is_some()).map(|(_, kind)| kind);
        [Self::Belvedere, Self::Gst].into_iter().chain(found).collect()
    }

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Belvedere => "belvedere",
            Self::Gst => "gst-rtsp-server",
            Self::Go2rtc => "go2rtc",
            Self::MediaMtx => "mediamtx",
        }
    }

    /// Whether it serves UDP at all.
    pub fn serves_udp(self) -> bool {
        self != Self::Go2rtc
    }
}

/// A running server.
#[derive(Debug)]
pub struct Subject {
    process: Process,
    /// Where the file plays.
    pub url: String,
}

#[derive(Debug)]
enum Process {
    Belvedere(Server),
    Gst(Peer),
    Other { server: Running, _source: Peer, _directory: tempfile::TempDir },
}

impl Subject {
    /// Starts a server on this file.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(kind: Kind, file: &Path) -> Result<Self> {
        match kind {
            Kind::Belvedere => {
                let config =
                    format!("[[camera]]\nid = \"cam\"\nsource = \"file:{}\"\ntranscode = false\n", file.display());
                let server =
                    Server::start(&Options { environment: Vec::new(), config: Some(config), ..Options::default() })?;
                Ok(Self { url: server.url("ultra-hd")?, process: Process::Belvedere(server) })
            }
            Kind::Gst => {
                let peer = gst(file)?;
                Ok(Self { url: peer.url()?.to_owned(), process: Process::Gst(peer) })
            }
            Kind::Go2rtc | Kind::MediaMtx => other(kind, gst(file)?),
        }
    }

    /// The server process.
    pub fn pid(&self) -> u32 {
        match &self.process {
            Process::Belvedere(server) => server.pid(),
            Process::Gst(peer) => peer.pid(),
            Process::Other { server, .. } => server.pid(),
        }
    }

    /// Where our server answers SOAP.
    ///
    /// # Errors
    /// It is another server, which does not.
    pub fn web(&self) -> Result<SocketAddr> {
        let Process::Belvedere(server) = &self.process else { bail!("only ours speaks ONVIF") };
        let http = server.http()?;
        Ok(http.strip_prefix("http://").context("no HTTP address")?.parse()?)
    }

    /// CPU that the server and, apart from it, its media engines have used.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu(&self) -> Result<(Duration, Duration)> {
        let engines = match &self.process {
            Process::Belvedere(server) => server.engines()?,
            _ => Vec::new(),
        };
        Ok((cpu(self.pid())?, engines.into_iter().map(cpu).sum::<Result<_>>()?))
    }

    /// Private resident memory of the server, in bytes.
    ///
    /// # Errors
    /// It has ended.
    pub fn memory(&self) -> Result<u64> {
        process::rss_anon(self.pid())
    }
}

fn gst(file: &Path) -> Result<Peer> {
    Peer::start(&["bench-serve", "--file", file.to_str().context("a path that is not Unicode")?])
}

fn other(kind: Kind, source: Peer) -> Result<Subject> {
    let directory = tempfile::tempdir()?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (program, config) = match kind {
        Kind::Go2rtc => (
            "go2rtc",
            format!(
                "api: {{listen: \"\"}}\nwebrtc: {{listen: \"\"}}\nsrtp: {{listen: \"\"}}\nrtsp: {{listen: \"127.0.0.1:{port}\"}}\nstreams: {{cam: \"{}\"}}\n",
                source.url()?
            ),
        ),
        _ => (
            "mediamtx",
            format!(
                "rtmp: no\nhls: no\nwebrtc: no\nsrt: no\nrtspAddress: 127.0.0.1:{port}\npaths: {{cam: {{source: \"{}\"}}}}\n",
                source.url()?
            ),
        ),
    };
    let path = directory.path().join("bench.yml");
    std::fs::write(&path, config)?;
    let mut command = Command::new(on_path(program).context("not on the PATH")?);
    command.args((kind == Kind::Go2rtc).then_some("-config")).arg(&path);
    let server = Running::start(&mut command)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > deadline {
            bail!("{program} does not listen: {}", server.stderr());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let process = Process::Other { server, _source: source, _directory: directory };
    Ok(Subject { process, url: format!("rtsp://127.0.0.1:{port}/cam") })
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|place| place.join(program)).find(|path| path.is_file())
}

/// CPU time of a process to the nanosecond, all threads, living and dead.
///
/// # Errors
/// There is no such process.
pub fn cpu(pid: u32) -> Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?))?;
    Ok(Duration::from(clock_gettime(clock)?))
}
