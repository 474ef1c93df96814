//! Decoding: pictures and sound from the server's own RTSP front, for definitions that must be transcoded.
//!
//! One thread per kind sleeps until an encoder needs it, pulls while one does, and starts again after a failure. An encoder
//! that has waited for its first picture for [`PATIENCE`] is failed, so that its DESCRIBE answers 503 instead of hanging; one
//! that runs is kept, and goes on when the upstream does.
//!
//! [`times`] keeps the capture times: what leaves here has the upstream's capture time on the running-time line.

pub mod pull;
pub mod times;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use belvedere_engine_control::{DecodeInput, Event, Secret};

use crate::events::Events;
use crate::fanout::Fanout;
use crate::file::demux::Kind;
use crate::health::Health;
use crate::timeline::Timeline;
use pull::{Address, Pull};

/// How long an encoder waits for its first picture or sound.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the thread looks whether it is still needed.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(50);

/// The decoder of one kind.
pub struct Decoder {
    kind: Kind,
    address: Mutex<Option<Address>>,
    timeline: Timeline,
    to: Arc<Fanout>,
    health: Arc<Health>,
    events: Events,
}

impl Decoder {
    /// Starts the thread. It ends when the fan-out is closed.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        kind: Kind,
        timeline: Timeline,
        to: Arc<Fanout>,
        health: Arc<Health>,
        events: Events,
    ) -> Result<Arc<Self>, String> {
        let decoder = Arc::new(Self { kind, address: Mutex::default(), timeline, to, health, events });
        let run = decoder.clone();
        let thread = std::thread::Builder::new().name("decode".into()).spawn(move || run.run());
        thread.map(|_| decoder).map_err(|error| format!("the decoder's thread cannot be started: {error}"))
    }

    /// Says from where to pull. A pull from elsewhere ends.
    pub fn set_input(&self, input: &DecodeInput) {
        let url = match self.kind {
            Kind::Video => &input.video,
            Kind::Audio => &input.audio,
        };
        let address = |url: &String| Address {
            url: url.clone(),
            user: input.user.clone(),
            password: Secret::new(input.password.reveal()),
        };
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = url.as_ref().map(address);
    }

    fn address(&self) -> Option<Address> {
        self.address.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn run(&self) {
        let mut said = None;
        while self.to.wait_for_consumers() {
            let result = self.address().map_or(Ok(()), |address| self.pull(&address));
            self.report(result, &mut said);
            self.health.idle();
            let again = Instant::now() + PAUSE;
            while self.to.is_used() && Instant::now() < again {
                self.to.fail_starving(PATIENCE);
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Tells of a failure, but not again and again of the same.
    fn report(&self, result: Result<(), String>, said: &mut Option<String>) {
        let reason = result.err();
        if let Some(reason) = reason.as_ref().filter(|reason| said.as_ref() != Some(*reason)) {
            tracing::warn!(kind = ?self.kind, reason, "decoding stopped");
            let message = format!("decoding stopped: {reason}");
            self.events.send(Event::Error { track: None, fatal: false, message });
        }
        *said = reason;
    }

    /// Pulls while there are consumers and the address stays.
    fn pull(&self, address: &Address) -> Result<(), String> {
        let pull = Pull::start(self.kind, address, &self.timeline, &self.to, &self.health)?;
        while self.to.is_used() && self.address().as_ref() == Some(address) {
            pull.check(TICK)?;
            self.to.fail_starving(PATIENCE);
        }
        Ok(())
    }
}

/// Checks an input: loopback RTSP, or nothing.
///
/// # Errors
/// A reason that holds no secret.
pub fn check_input(input: &DecodeInput) -> Result<(), String> {
    for url in [&input.video, &input.audio].into_iter().flatten() {
        let rest = url.strip_prefix("rtsp://").ok_or("an input must be an rtsp:// address")?;
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err("credentials do not belong into an address".into());
        }
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        if !matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
            return Err("an input must be on loopback".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_on_loopback_and_without_credentials() {
        let check = |video: &str| {
            let video = Some(video.to_owned());
            check_input(&DecodeInput { video, audio: None, user: "u".into(), password: Secret::new("p") })
        };
        assert_eq!(check("rtsp://127.0.0.1:8554/cam/ultra-hd"), Ok(()));
        assert_eq!(check("rtsp://[::1]:8554/cam"), Ok(()));
        for bad in
            ["rtsp://example.org/x", "http://127.0.0.1/x", "rtsp://u:p@127.0.0.1/x", "rtsp://127.0.0.1.evil.org/x"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
