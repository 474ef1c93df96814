//! The pull of one track from the engine.

use std::{sync::Arc, time::Duration};

use belvedere_engine_control::Command;
use tokio::sync::{broadcast, watch};
use tracing::{debug, warn};
use url::Url;

use super::{
    super::{
        demand::Demand,
        pull::{Patience, PullError, PullTarget, Timing, pull},
    },
    EngineSource, Run,
    retry::Retry,
};
use crate::{
    base::{clock::Clock, redact::SecretUrl},
    camera::FeedOf,
    hub::{Kind, SourceState, Track},
};

/// Pulls one track of the engine while it is leased.
pub(super) struct TrackPull {
    pub(super) name: String,
    pub(super) track: Arc<Track>,
    pub(super) makes_keys: bool,
    pub(super) runs: watch::Receiver<Option<Run>>,
    pub(super) linger: Duration,
    pub(super) patience: Patience,
    /// The track that this one is made of; without that one there is none of this.
    pub(super) made_of: Option<Arc<Track>>,
    pub(super) clock: Arc<dyn Clock>,
}

/// When a track of the engine counts as dead: max(2 s, 5 pictures) for what it captures (engine.md section 5).
///
/// What it makes of an upstream's pictures is as slow as those. A file may show one picture for long, and nothing can hang
/// there without the engine. A first picture may have to come from an upstream that has just been asked for.
pub(super) fn patience(source: &EngineSource, of: &FeedOf) -> Patience {
    let least = match (source, of) {
        (EngineSource::Pattern, _) => 2,
        (EngineSource::File(_), FeedOf::SourceVideo(_) | FeedOf::SourceAudio(_)) => 60,
        (EngineSource::File(_) | EngineSource::Upstream, _) => 5,
    };
    Patience { first: Duration::from_secs(5), least: Duration::from_secs(least) }
}

impl TrackPull {
    /// Runs until it is dropped.
    pub(super) async fn run(mut self) {
        let mut demand = Demand::of([&self.track]);
        loop {
            self.track.clear();
            self.rest();
            tokio::select! {
                () = demand.begins() => {}
                Ok(()) = self.runs.changed() => continue,
            }
            if !self.track.is_absent() {
                self.track.set_source_state(SourceState::Starting);
            }
            let linger = self.linger;
            tokio::select! {
                () = self.keep_pulling() => {}
                () = demand.ends(linger) => {}
            }
        }
    }

    async fn keep_pulling(&mut self) {
        let mut retry = Retry::default();
        loop {
            if let Some(other) = self.made_of.clone().filter(|other| other.is_absent()) {
                self.track.set_source_state(SourceState::Absent);
                becomes_absent(Some(&other), false).await;
                continue;
            }
            let run = self.current_run().await;
            if !run.tracks.contains(&self.name) {
                self.track.set_source_state(SourceState::Absent);
                self.another_run().await;
                continue;
            }
            let began = self.clock.mono();
            let mut ended = self.runs.clone();
            let mut renewed = run.renewed.subscribe();
            let error = tokio::select! {
                result = self.pull_from(&run) => result.err(),
                _ = ended.changed() => None,
                () = becomes_absent(self.made_of.as_ref(), true) => None,
                () = is_renewed(&mut renewed, &self.name) => {
                    // The old encoder must be gone before the new one is asked for (engine.md section 5).
                    tokio::time::sleep(super::retry::BUSY_WAIT).await;
                    None
                }
                () = forward_keys(&self.track, &self.name, &run, self.makes_keys) => None,
            };
            let Some(error) = error else { continue };
            debug!(track = self.name, %error, "the pull from the media engine ended");
            let failure = retry.failed(error.status(), began, self.clock.mono());
            if failure.lost {
                self.lost(&error.to_string());
            }
            // A new engine need not atone for the old one.
            match tokio::time::timeout(failure.wait, ended.changed()).await {
                Ok(_) => retry = Retry::default(),
                Err(_) if failure.lost => warn!(track = self.name, %error, "cannot pull from the media engine"),
                Err(_) => {}
            }
        }
    }

    /// Says what is known of a track that nobody wants: whether the engine has it at all.
    fn rest(&mut self) {
        match self.runs.borrow_and_update().as_ref() {
            Some(run) if !run.tracks.contains(&self.name) => self.track.set_source_state(SourceState::Absent),
            None if self.track.is_absent() => {}
            _ => self.track.set_source_state(SourceState::Idle),
        }
    }

    fn lost(&self, reason: &str) {
        self.track.set_source_state(SourceState::Lost { reason: reason.to_owned() });
    }

    async fn current_run(&mut self) -> Run {
        loop {
            if let Some(run) = self.runs.borrow_and_update().clone() {
                return run;
            }
            if tokio::time::timeout(Duration::from_secs(1), self.another_run()).await.is_err() {
                self.lost("the media engine does not run");
            }
        }
    }

    /// Waits until the engine is another one or gone. Waits for ever where nobody starts one any more.
    async fn another_run(&mut self) {
        if self.runs.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn pull_from(&self, run: &Run) -> Result<(), PullError> {
        let address = format!("rtsp://127.0.0.1:{}/{}/{}", run.port, run.secret.reveal(), self.name);
        let Ok(url) = Url::parse(&address) else { return Err(PullError::NoStream("addressable")) };
        let of_kind = |kind| (self.track.kind() == kind).then(|| Arc::clone(&self.track));
        let target = PullTarget {
            url: SecretUrl::new(url),
            credentials: None,
            video: of_kind(Kind::Video),
            audio: of_kind(Kind::Audio),
            patience: self.patience,
        };
        pull(target, Timing::Engine(run.base), &*self.clock).await
    }
}

/// Waits until a track is absent, or is not any more. Waits for ever for no track.
async fn becomes_absent(track: Option<&Arc<Track>>, absent: bool) {
    let Some(track) = track else { return std::future::pending().await };
    let changed = track.source_state().wait_for(|state| (*state == SourceState::Absent) == absent).await.is_ok();
    if !changed {
        std::future::pending::<()>().await;
    }
}

/// Hands requests for key frames to the engine. Returns when the engine takes no more.
async fn forward_keys(track: &Arc<Track>, name: &str, run: &Run, makes_keys: bool) {
    if !makes_keys {
        std::future::pending::<()>().await;
    }
    let mut requests = track.key_requests();
    loop {
        requests.next().await;
        if run.commands.send(Command::Key { id: 0, track: name.to_owned() }).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits until the track has to be pulled anew.
async fn is_renewed(renewed: &mut broadcast::Receiver<String>, name: &str) {
    loop {
        match renewed.recv().await {
            Ok(track) if track != name => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::clock::SystemClock, hub::RingLimits};

    #[tokio::test]
    async fn what_is_made_of_an_absent_track_is_absent_at_once() {
        let [made, source] = ["pcmu", "source-audio"].map(|name| Track::new(name, Kind::Audio, RingLimits::default()));
        let (_runs, runs) = watch::channel(None);
        let pull = TrackPull {
            name: "pcmu".into(),
            track: Arc::clone(&made),
            makes_keys: false,
            runs,
            linger: Duration::ZERO,
            patience: Patience { first: Duration::ZERO, least: Duration::ZERO },
            made_of: Some(Arc::clone(&source)),
            clock: Arc::new(SystemClock),
        };
        let running = tokio::spawn(pull.run());
        source.set_source_state(SourceState::Absent);
        let _lease = made.lease();
        let wait = tokio::time::timeout(Duration::from_millis(500), becomes_absent(Some(&made), true));
        wait.await.expect("nobody has to wait for it");
        source.set_source_state(SourceState::Starting);
        let mut state = made.source_state();
        let goes_on =
            tokio::time::timeout(Duration::from_secs(3), state.wait_for(|state| *state != SourceState::Absent));
        goes_on.await.expect("the sound is back").expect("the track lives");
        running.abort();
    }
}
