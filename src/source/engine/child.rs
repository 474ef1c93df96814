//! The engine's process and its control pipes.

use std::{ffi::OsString, fmt, path::Path, process::Stdio, time::Duration};

use belvedere_engine_control::{
    Command, EngineHello, Event, MAX_LINE, Outcome, ServerHello, VERSION, from_line, to_line,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::mpsc,
    time::timeout,
};
use tracing::{debug, info, warn};

use super::{capture::CaptureWatch, control::Answers};
use crate::base::clock::Clock;

/// How a run of the engine came to its end.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nobody wanted it any more.
    Unwanted,
    /// The program could not be started or did not greet.
    NotStarted(String),
    /// The process exited.
    Exited(String),
    /// It said that it must end.
    Fatal(String),
    /// It was killed because it had sent nothing for this long.
    Hung(Duration),
    /// It was killed because it had captured no picture for this long.
    Stuck(Duration),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwanted => f.write_str("nobody wants it"),
            Self::NotStarted(reason) => write!(f, "not started: {reason}"),
            Self::Exited(status) => write!(f, "exited: {status}"),
            Self::Fatal(message) => write!(f, "gave up: {message}"),
            Self::Hung(limit) => write!(f, "hung: no heartbeat for {limit:?}"),
            Self::Stuck(silence) => write!(f, "stuck: no picture captured for {silence:?}"),
        }
    }
}

/// A running engine. Dropping it kills the process.
pub(super) struct Child {
    process: tokio::process::Child,
    events: Events,
    commands: mpsc::Sender<Command>,
}

const GREETING_LIMIT: Duration = Duration::from_secs(10);
/// How long an engine may take to end in good order. Whoever wants another one meanwhile has to wait.
const FAREWELL_LIMIT: Duration = Duration::from_millis(500);
/// What GStreamer and the C library need of our environment; nothing else is passed on, secrets least of all.
const PASSED_ON: [&str; 8] =
    ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "GST_DEBUG", "GST_PLUGIN_PATH"];
/// What the engine shall log, which is chosen apart from our own log, and under what name it reads that.
const LOG: (&str, &str) = ("BELVEDERE_ENGINE_LOG", "BELVEDERE_LOG");

/// The engine's environment, made from ours.
fn environment(ours: impl Fn(&str) -> Option<OsString>) -> Vec<(&'static str, OsString)> {
    let names = PASSED_ON.map(|name| (name, name)).into_iter().chain([LOG]);
    names.filter_map(|(name, theirs)| Some((theirs, ours(name)?))).collect()
}

impl Child {
    /// Starts the program and exchanges the hellos.
    pub(super) async fn start(program: &Path, hello: ServerHello) -> Result<(Self, EngineHello), Ended> {
        let not_started = |error: std::io::Error| Ended::NotStarted(format!("{}: {error}", program.display()));
        let mut process = tokio::process::Command::new(program)
            .env_clear()
            .envs(environment(|name| std::env::var_os(name)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(not_started)?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(Ended::NotStarted("no pipes".to_owned()));
        };
        let (commands, queue) = mpsc::channel(64);
        tokio::spawn(write_commands(stdin, Command::Hello(hello), queue));
        tokio::spawn(log_lines(stderr));
        let mut events = Events::new(stdout);
        let greeting = match timeout(GREETING_LIMIT, events.next()).await {
            Ok(Some(Event::Hello(greeting))) if greeting.version == VERSION => greeting,
            Ok(Some(Event::Hello(greeting))) => {
                return Err(Ended::NotStarted(format!("speaks version {}, not {VERSION}", greeting.version)));
            }
            Ok(Some(Event::Error { message, .. })) => return Err(Ended::Fatal(message)),
            Ok(Some(_)) => return Err(Ended::NotStarted("did not greet first".to_owned())),
            Ok(None) => return Err(Ended::NotStarted("ended before its greeting".to_owned())),
            Err(_) => return Err(Ended::Hung(GREETING_LIMIT)),
        };
        Ok((Self { process, events, commands }, greeting))
    }

    /// The process id.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Where commands go.
    pub(super) fn commands(&self) -> mpsc::Sender<Command> {
        self.commands.clone()
    }

    /// Reads events until the engine exits, gives up, falls silent or captures no more; then makes sure that it is gone.
    /// Answers go to whoever waits for them.
    pub(super) async fn follow(
        &mut self,
        camera: &str,
        silence: Duration,
        mut capture: Option<CaptureWatch>,
        clock: &dyn Clock,
        answers: &Answers,
    ) -> Ended {
        let ended = loop {
            match timeout(silence, self.events.next()).await {
                Err(_) => break Ended::Hung(silence),
                Ok(None) => break Ended::Exited(String::new()),
                Ok(Some(Event::Error { fatal: true, message, .. })) => break Ended::Fatal(message),
                Ok(Some(Event::Heartbeat(beat))) => {
                    if let Some(silence) = capture.as_mut().and_then(|capture| capture.beat(&beat, clock.mono())) {
                        break Ended::Stuck(silence);
                    }
                }
                Ok(Some(Event::Answer { id, outcome })) if answers.has(id) => answers.give(id, outcome),
                Ok(Some(event)) => log_event(camera, &event),
            }
        };
        // A stopped process does not end by itself, so the kill comes first and the wait is short.
        let _ = self.process.start_kill();
        match (ended, self.process.wait().await) {
            (Ended::Exited(_), Ok(status)) => Ended::Exited(status.to_string()),
            (ended, _) => ended,
        }
    }

    /// Ends an engine that is not wanted any more, and makes sure that it is gone.
    pub(super) async fn part(mut self) {
        let farewell = async {
            // Who takes no commands has ended or hangs; both show below.
            let _ = self.commands.send(Command::Shutdown).await;
            while self.events.next().await.is_some() {}
            self.process.wait().await
        };
        if timeout(FAREWELL_LIMIT, farewell).await.is_err() {
            warn!("the media engine does not end by itself");
            let _ = self.process.start_kill();
            let _ = self.process.wait().await;
        }
    }
}

fn log_event(camera: &str, event: &Event) {
    match event {
        Event::Answer { outcome: Outcome::Refused { reason }, id } => {
            warn!(camera, id, reason, "the media engine refused a command");
        }
        Event::Error { track, message, .. } => warn!(camera, track, message, "the media engine reports an error"),
        Event::Heartbeat(_) | Event::Answer { .. } => {}
        Event::Hello(_) => warn!(camera, "the media engine greeted twice"),
    }
}

/// Writes the hello and then every command. Ends when the engine's input is closed or nobody can send any more.
async fn write_commands(mut stdin: ChildStdin, hello: Command, mut queue: mpsc::Receiver<Command>) {
    let mut next = Some(hello);
    while let Some(command) = next {
        if let Err(error) = stdin.write_all(to_line(&command).as_bytes()).await {
            debug!(%error, "the media engine's input is closed");
            return;
        }
        next = queue.recv().await;
    }
}

/// The events on the engine's standard output.
struct Events {
    output: BufReader<ChildStdout>,
    line: Vec<u8>,
}

impl Events {
    fn new(stdout: ChildStdout) -> Self {
        Self { output: BufReader::with_capacity(4096, stdout), line: Vec::new() }
    }

    /// The next event that can be read; `None` at the end. Lines that are no event are logged and skipped.
    ///
    /// Cancel safe: a line begun stays in the buffer.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let room = (MAX_LINE + 1).saturating_sub(self.line.len()) as u64;
            let read = (&mut self.output).take(room).read_until(b'\n', &mut self.line).await;
            match read {
                Ok(read) if read > 0 || !self.line.is_empty() => {}
                _ => return None,
            }
            if !self.line.ends_with(b"\n") && self.line.len() <= MAX_LINE {
                return None;
            }
            let event = from_line::<Event>(&self.line);
            self.line.clear();
            match event {
                Ok(event) => return Some(event),
                Err(error) => warn!(%error, "the media engine sent something else than an event"),
            }
        }
    }
}

/// Passes the engine's own log on to ours, line by line, bounded.
async fn log_lines(stderr: ChildStderr) {
    const LONGEST: u64 = 2048;
    let mut input = BufReader::with_capacity(1024, stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut input).take(LONGEST).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => info!(target: "engine", "{}", String::from_utf8_lossy(&line).trim_end()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_gets_its_own_log_setting_and_no_secret() {
        let ours = |name: &str| (name != "LANG").then(|| OsString::from(format!("value of {name}")));
        let environment = environment(ours);
        let value = |name| environment.iter().find(|(theirs, _)| *theirs == name).and_then(|(_, value)| value.to_str());
        assert_eq!(value("BELVEDERE_LOG"), Some("value of BELVEDERE_ENGINE_LOG"));
        assert_eq!(value("PATH"), Some("value of PATH"));
        assert_eq!(value("LANG"), None, "unset stays unset");
        assert_eq!(value("BELVEDERE_ADMIN_PASSWORD"), None);
    }
}
