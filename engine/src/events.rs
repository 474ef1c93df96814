//! Standard output: events as lines, written by one thread so that no reader can stop the main loop.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use belvedere_engine_control::{Event, to_line};

/// Events that may wait for a server that does not read; more are dropped.
const WAITING: usize = 256;

/// Sends events. Cheap to clone, never blocks.
#[derive(Debug, Clone)]
pub struct Events {
    sender: SyncSender<Option<Event>>,
}

/// The thread that writes.
pub struct Writer {
    events: Events,
    thread: JoinHandle<()>,
}

impl Events {
    /// Starts the thread that writes events to `output` until it breaks; `broken` is then called once.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        output: impl Write + Send + 'static,
        broken: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Writer> {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("events".into()).spawn(move || {
            if write_all(output, &receiver).is_err() {
                broken();
            }
        })?;
        Ok(Writer { events: Self { sender }, thread })
    }

    /// Sends an event; drops it if far too many wait already.
    pub fn send(&self, event: Event) {
        if self.sender.try_send(Some(event)).is_err() {
            tracing::warn!("an event was dropped: nobody reads them");
        }
    }
}

impl Writer {
    /// A sender for this writer.
    pub fn events(&self) -> Events {
        self.events.clone()
    }

    /// Writes what waits, then ends the thread.
    pub fn finish(self) {
        // A reader that stalls would make this wait for ever; then what is left is lost with the process.
        if self.events.sender.try_send(None).is_ok() {
            let _ = self.thread.join();
        }
    }
}

fn write_all(mut output: impl Write, receiver: &Receiver<Option<Event>>) -> std::io::Result<()> {
    while let Ok(Some(event)) = receiver.recv() {
        output.write_all(to_line(&event).as_bytes())?;
        output.flush()?;
    }
    Ok(())
}
