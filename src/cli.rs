//! The command line (design section 6).

use std::{
    io::{self, IsTerminal, Write},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};
use rustix::process::{WaitOptions, wait};
use tracing_subscriber::EnvFilter;

use crate::{
    base::listen::Listen,
    config::{self, Checked, Machine},
    server::{self, Ended, FIRST_ADMIN, Options},
    state,
};

/// Turns any video source into a camera that every standards-speaking recorder accepts.
#[derive(Debug, Parser)]
#[command(name = "belvedere", version, disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the cameras (what happens without a command, too)
    Serve(Serve),
    /// Checks a configuration file and reports every mistake
    Check(Check),
}

#[derive(Debug, Default, Args)]
struct Serve {
    /// The configuration file; without it one camera shows the test pattern
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The state directory
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where HTTP listens: 8080, 127.0.0.1:8080, [::]:8080; port 0 picks a free one
    #[arg(long, value_name = "ADDR")]
    http: Option<Listen>,
    /// Where HTTPS listens
    #[arg(long, value_name = "ADDR")]
    https: Option<Listen>,
    /// Where RTSP listens
    #[arg(long, value_name = "ADDR")]
    rtsp: Option<Listen>,
    /// Where RTSPS listens
    #[arg(long, value_name = "ADDR")]
    rtsps: Option<Listen>,
    /// Where the second and every further camera's HTTP listens; given by a restart, so that ports stay
    #[arg(long, value_name = "ADDR", hide = true)]
    camera_http: Vec<String>,
}

#[derive(Debug, Args)]
struct Check {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the program; what it returns is its exit code.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    let result = match line.command.unwrap_or(Command::Serve(line.serve)) {
        Command::Serve(serve) => run(serve),
        Command::Check(check) => check_file(&check),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "belvedere: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How long a restart waits for the engines to be gone: a second.
const REAP_TRIES: u32 = 100;
const REAP_PAUSE: Duration = Duration::from_millis(10);

type Failure = Box<dyn std::error::Error>;

fn run(serve: Serve) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_env("BELVEDERE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    let checked = configuration(&serve)?;
    let dir = match serve.state.clone().or_else(|| checked.server.state.clone()) {
        Some(dir) => dir,
        None => state::default_dir()?,
    };
    let show = io::stderr().is_terminal().then(|| Box::new(show_password) as Box<state::Show<'static>>);
    // Asked for now: once the file is replaced by a newer one, the system names it no more.
    let program = std::env::current_exe()?;
    let options = Options { state: dir.clone(), first_password: server::first_password_from_environment(), show };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build()?;
    let ended = runtime.block_on(server::run(options, checked))?;
    drop(runtime);
    match ended {
        Ended::Stopped => Ok(()),
        Ended::Restart { web, rtsp } => {
            reap();
            Err(again(&program, serve.config.as_deref(), &dir, &web, rtsp).into())
        }
    }
}

/// How many threads carry the connections: one for two cores. A unit wakes all its viewers at once, and a thread that must be
/// woken on an idle core costs more than what it would send; the other cores are for the media engine.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}

/// Starts the program anew in this process's place. Returns only if that fails.
fn again(
    program: &Path,
    config: Option<&Path>,
    state: &Path,
    web: &[Option<Listen>],
    rtsp: Option<Listen>,
) -> io::Error {
    let mut command = std::process::Command::new(program);
    command.arg("serve").arg("--state").arg(state);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    let (first, further) = web.split_first().unwrap_or((&None, &[]));
    for (option, listener) in [("--http", *first), ("--rtsp", rtsp)] {
        if let Some(listener) = listener {
            command.arg(option).arg(listener.to_string());
        }
    }
    // An empty one stands for a camera without a listener.
    let further = further.iter().map(|listener| listener.map_or_else(String::new, |listener| listener.to_string()));
    command.args(further.map(|listener| format!("--camera-http={listener}")));
    command.exec()
}

/// Waits for the engines, which were killed: the program that comes after us would have them as children that it knows
/// nothing of.
fn reap() {
    for _ in 0..REAP_TRIES {
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => std::thread::sleep(REAP_PAUSE),
            Err(_) => return,
        }
    }
}

fn configuration(serve: &Serve) -> Result<Checked, Failure> {
    for (option, given) in [("--https", &serve.https), ("--rtsps", &serve.rtsps)] {
        if given.is_some() {
            return Err(format!("{option} is not yet supported: there is no TLS in this version").into());
        }
    }
    let mut checked = match &serve.config {
        Some(path) => config::load(path)?,
        // Nobody has said that the machine may be changed, nor that this is more than a trial.
        None => Checked { machine: Machine::Simulated, ..Checked::default() },
    };
    checked.server.http = serve.http.or(checked.server.http);
    checked.server.rtsp = serve.rtsp.or(checked.server.rtsp);
    for (camera, listener) in checked.cameras.iter_mut().skip(1).zip(&serve.camera_http) {
        camera.http = if listener.is_empty() { None } else { Some(listener.parse()?) };
    }
    Ok(checked)
}

fn check_file(check: &Check) -> Result<(), Failure> {
    config::load(&check.config)?;
    writeln!(io::stdout(), "{}: no mistakes", check.config.display())?;
    Ok(())
}

fn show_password(password: &crate::base::redact::Redacted<String>) -> io::Result<()> {
    writeln!(io::stderr(), "\n  user {FIRST_ADMIN}, password {}\n", password.reveal())
}
