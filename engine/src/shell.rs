//! The process: standard input, standard output, the main loop, and the way to an end.

use std::io::{self, BufReader};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use belvedere_engine_control::{Command, Event, HEARTBEAT_MS, ServerHello, VERSION, from_line};
use gst::glib;

use crate::engine::Engine;
use crate::events::Events;
use crate::lines::Lines;

/// The server's hello was not one, or of another version.
const EXIT_HELLO: u8 = 2;
/// What the server asked for cannot be done.
const EXIT_SOURCE: u8 = 1;

/// Runs the engine on the process's own standard input and output until either ends or a shutdown is commanded.
pub fn run() -> ExitCode {
    let main_loop = glib::MainLoop::new(None, false);
    let quit = main_loop.clone();
    let writer = match Events::start(io::stdout(), move || quit.quit()) {
        Ok(writer) => writer,
        Err(error) => {
            tracing::error!(%error, "no thread can be started");
            return ExitCode::from(EXIT_SOURCE);
        }
    };
    let code = serve(&main_loop, &writer.events());
    writer.finish();
    code
}

fn serve(main_loop: &glib::MainLoop, events: &Events) -> ExitCode {
    let fail = |code: u8, message: String| {
        tracing::error!("{message}");
        events.send(Event::Error { track: None, fatal: true, message });
        ExitCode::from(code)
    };
    let mut lines = Lines::new(BufReader::new(io::stdin()));
    let hello = match read_hello(&mut lines) {
        Ok(hello) => hello,
        Err(message) => return fail(EXIT_HELLO, message),
    };
    let engine = match Engine::start(hello, events.clone()) {
        Ok((engine, hello)) => {
            tracing::info!(port = hello.port, tracks = ?hello.tracks, "ready");
            events.send(Event::Hello(hello));
            Arc::new(engine)
        }
        Err(message) => return fail(EXIT_SOURCE, message),
    };
    let beating = engine.clone();
    // On the main loop, so that a hung loop stops it.
    glib::timeout_add_local(Duration::from_millis(HEARTBEAT_MS), move || {
        beating.beat();
        glib::ControlFlow::Continue
    });
    let (reading, quit, reader_events) = (engine.clone(), main_loop.clone(), events.clone());
    let reader = std::thread::Builder::new().name("commands".into()).spawn(move || {
        read_commands(&mut lines, &reading, &reader_events);
        quit.quit();
    });
    if let Err(error) = reader {
        return fail(EXIT_SOURCE, format!("no thread can be started: {error}"));
    }
    main_loop.run();
    tracing::info!("ending");
    engine.stop();
    ExitCode::SUCCESS
}

/// Reads the first line, which must be a hello of this version.
fn read_hello<R: io::BufRead>(lines: &mut Lines<R>) -> Result<ServerHello, String> {
    let line = lines.read().map_err(|error| format!("standard input broke: {error}"))?;
    let line = line.ok_or("standard input ended before the hello")?.map_err(|error| error.to_string())?;
    match from_line(&line) {
        Ok(Command::Hello(hello)) if hello.version == VERSION => Ok(hello),
        Ok(Command::Hello(hello)) => Err(format!("the server speaks version {}, this engine {VERSION}", hello.version)),
        Ok(_) => Err("the first line must be a hello".into()),
        Err(error) => Err(format!("the first line must be a hello: {error}")),
    }
}

/// Hands commands to the main loop, one at a time, until the input ends or a shutdown is commanded.
fn read_commands<R: io::BufRead>(lines: &mut Lines<R>, engine: &Arc<Engine>, events: &Events) {
    while let Ok(Some(line)) = lines.read() {
        let command = match line.and_then(|line| from_line::<Command>(&line)) {
            Ok(command) => command,
            Err(error) => {
                tracing::warn!(%error, "bad line");
                events.send(Event::Error { track: None, fatal: false, message: error.to_string() });
                continue;
            }
        };
        let (done, is_done) = sync_channel(1);
        let engine = engine.clone();
        glib::MainContext::default().invoke(move || {
            let _ = done.send(engine.handle(command));
        });
        if !is_done.recv().unwrap_or(false) {
            return;
        }
    }
}
