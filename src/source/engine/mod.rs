//! The media engine as a child process: started, watched, restarted.
//!
//! ```text
//!            spawn            hello                exit, silence, refusal
//! resting ─────────► starting ─────► running ──────────────────────────► waiting ──► starting …
//!    ▲ no track leased                 │ │ heartbeat every 500 ms           at most 2 s
//!    │                                 │ └ none for 2 s, or no picture captured: kill
//!    └─── no track leased for a linger ┘
//! ```
//! Only the engine of an upstream camera ever rests: one that captures keeps its source open.
//! A run is published to the track pulls; when it is gone they wait for the next. The secret and everything else travels
//! on standard input; the child's environment is cleared but for what GStreamer needs.

mod capture;
mod child;
mod control;
mod retry;
mod specs;
#[cfg(test)]
mod tests;
mod track;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use belvedere_engine_control::{Command, DecodeInput, Secret};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};
use tracing::{error, info, warn};

use self::{
    capture::CaptureWatch,
    child::{Child, Ended},
    control::{Answers, Applied, EngineControl},
    track::{TrackPull, patience},
};
use super::{demand::Demand, timeline::EngineBase};
use crate::{
    base::clock::{Clock, MonoTime},
    camera::{Camera, CameraSettings, FeedOf, SourceControl},
    hub::{SourceState, Track},
};

/// What the engine captures by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineSource {
    /// The test pattern, in the size and rate of the Ultra HD definition.
    Pattern,
    /// A file, looped.
    File(PathBuf),
    /// Nothing: it only decodes what the server has, for other definitions and for snapshots.
    Upstream,
}

impl EngineSource {
    /// Whether an engine runs only while one of its tracks is wanted, and a linger longer. One that only decodes has nothing
    /// to keep open for people who never ask for it.
    fn is_on_demand(&self) -> bool {
        match self {
            Self::Upstream => true,
            Self::Pattern | Self::File(_) => false,
        }
    }
}

/// Where a decoding engine finds the server's own tracks.
#[derive(Clone)]
pub struct DecodeAccess {
    /// Where this machine reaches the server's RTSP listener.
    pub address: SocketAddr,
    /// The user of the one-run credential.
    pub user: String,
    /// The password of the one-run credential.
    pub password: String,
}

/// What an engine is started with.
#[derive(Clone)]
pub struct EngineSettings {
    /// The program.
    pub program: PathBuf,
    /// What it captures.
    pub source: EngineSource,
    /// Where it finds encoded tracks to make others from.
    pub decode: Option<DecodeAccess>,
    /// How long a pull goes on after the last reader has left.
    pub linger: Duration,
}

/// A running engine, as the track pulls see it.
#[derive(Debug, Clone)]
struct Run {
    base: EngineBase,
    port: u16,
    secret: Secret,
    tracks: Vec<String>,
    /// What the camera was made from. Not the camera itself, which knows the runs.
    origin: Arc<CameraSettings>,
    commands: mpsc::Sender<Command>,
    answers: Arc<Answers>,
    applied: Arc<Applied>,
    /// Names of tracks that have to be pulled anew: their codec changes.
    renewed: broadcast::Sender<String>,
}

/// The engine of one camera with the pulls of its tracks.
pub struct EngineFeed {
    camera: Arc<Camera>,
    settings: EngineSettings,
    clock: Arc<dyn Clock>,
    runs: watch::Sender<Option<Run>>,
}

/// The longest silence of a living engine: four heartbeats.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(2);
/// The track of the sound that arrives encoded.
const SOURCE_AUDIO: &str = "source-audio";
/// Renewals that a pull may have missed before it renews without asking which.
const RENEWALS: usize = 16;
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
const GOOD_RUN: Duration = Duration::from_secs(10);

impl EngineFeed {
    /// Makes the feed; [`run`](Self::run) runs it.
    pub fn new(camera: Arc<Camera>, settings: EngineSettings, clock: Arc<dyn Clock>) -> Self {
        Self { camera, settings, clock, runs: watch::Sender::new(None) }
    }

    /// What applies changes of the camera's settings to the engine.
    pub fn control(&self) -> Arc<dyn SourceControl> {
        Arc::new(EngineControl::new(self.runs.subscribe()))
    }

    /// Keeps an engine running and pulls its tracks while they are leased. Runs until it is dropped, which ends the engine.
    pub async fn run(self) {
        // A task for each, so that a picture wakes one of them. They are told to end when this set goes.
        let pulls: JoinSet<()> = self.pulls(&self.runs.subscribe()).into_iter().map(TrackPull::run).collect();
        tokio::select! {
            () = self.supervise(&self.runs) => {}
            _ = pulls.join_all() => {}
        }
    }

    fn pulls(&self, runs: &watch::Receiver<Option<Run>>) -> Vec<TrackPull> {
        let feeds = self.camera.feeds().iter().filter(|feed| self.is_ours(feed.of));
        feeds
            .map(|feed| TrackPull {
                name: feed.name.clone(),
                track: Arc::clone(&feed.track),
                makes_keys: matches!(feed.of, FeedOf::Video(_)),
                runs: runs.clone(),
                linger: self.settings.linger,
                patience: patience(&self.settings.source, &feed.of),
                made_of: self.decoded_sound().filter(|_| matches!(feed.of, FeedOf::Audio(_))).cloned(),
                clock: Arc::clone(&self.clock),
            })
            .collect()
    }

    fn is_ours(&self, of: FeedOf) -> bool {
        match of {
            FeedOf::SourceVideo(_) | FeedOf::SourceAudio(_) => matches!(self.settings.source, EngineSource::File(_)),
            FeedOf::Video(_) | FeedOf::Jpeg | FeedOf::Audio(_) => true,
        }
    }

    /// Starts an engine, follows it to its end, waits, and again. Never returns.
    async fn supervise(&self, runs: &watch::Sender<Option<Run>>) {
        let tracks = self.camera.feeds().iter().filter(|feed| self.is_ours(feed.of)).map(|feed| &feed.track);
        let mut demand = Demand::of(tracks);
        let mut wait = FIRST_WAIT;
        loop {
            if self.settings.source.is_on_demand() {
                demand.begins().await;
            }
            let started = self.clock.mono();
            let ended = self.one_run(runs, &mut demand).await;
            if matches!(ended, Ended::Unwanted) {
                info!(camera = self.camera.id(), "the media engine rests");
                wait = FIRST_WAIT;
                continue;
            }
            warn!(camera = self.camera.id(), reason = %ended, "the media engine ended; starting it again");
            if self.clock.mono().since(started) > GOOD_RUN {
                wait = FIRST_WAIT;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn one_run(&self, runs: &watch::Sender<Option<Run>>, demand: &mut Demand) -> Ended {
        let secret = match random_secret() {
            Ok(secret) => secret,
            Err(error) => return Ended::NotStarted(error.to_string()),
        };
        let told = self.camera.settings();
        let hello = specs::hello(&self.camera, &self.settings.source, secret.clone());
        let capture = CaptureWatch::new(&hello);
        let (mut child, greeting) = match Child::start(&self.settings.program, hello).await {
            Ok(started) => started,
            Err(ended) => return ended,
        };
        info!(camera = self.camera.id(), pid = child.pid(), port = greeting.port, "the media engine runs");
        let commands = child.commands();
        self.tell_of_decode(&commands).await;
        let answers = Arc::new(Answers::default());
        let run = Run {
            base: EngineBase(MonoTime::from_nanos(greeting.base_monotonic_ns)),
            port: greeting.port,
            secret,
            tracks: greeting.tracks,
            origin: Arc::new(self.camera.origin().clone()),
            commands: commands.clone(),
            answers: Arc::clone(&answers),
            applied: Arc::default(),
            renewed: broadcast::Sender::new(RENEWALS),
        };
        runs.send_replace(Some(run.clone()));
        let ended = tokio::select! {
            ended = child.follow(self.camera.id(), HEARTBEAT_LIMIT, capture, &*self.clock, &answers) => ended,
            never = control::follow(&self.camera, &run, told) => match never {},
            () = self.follow_sound(&commands) => Ended::Exited("nobody commands it".to_owned()),
            () = self.is_unwanted(demand) => Ended::Unwanted,
        };
        // Pulls and changes turn away from it before it goes.
        runs.send_replace(None);
        if matches!(ended, Ended::Unwanted) {
            answers.end();
            child.part().await;
        } else {
            answers.fail();
        }
        ended
    }

    /// Waits until an engine that runs on demand is wanted no more; never ends for another.
    async fn is_unwanted(&self, demand: &mut Demand) {
        match self.settings.source.is_on_demand() {
            true => demand.ends(self.settings.linger).await,
            false => std::future::pending().await,
        }
    }

    /// Tells the engine from where to decode, if it may.
    async fn tell_of_decode(&self, commands: &mpsc::Sender<Command>) {
        let Some(access) = &self.settings.decode else { return };
        let command = Command::Decode { id: 0, input: self.decode_input(access) };
        if commands.send(command).await.is_err() {
            error!(camera = self.camera.id(), "the media engine takes no commands");
        }
    }

    /// Tells the engine again from where to decode whenever the source loses its sound or gets some. Never returns.
    async fn follow_sound(&self, commands: &mpsc::Sender<Command>) {
        let Some(sound) = self.decoded_sound() else { return std::future::pending().await };
        let (mut state, mut absent) = (sound.source_state(), sound.is_absent());
        loop {
            if state.wait_for(|state| (*state == SourceState::Absent) != absent).await.is_err() {
                return std::future::pending().await;
            }
            absent = !absent;
            self.tell_of_decode(commands).await;
        }
    }

    /// The sound that arrives encoded, from which other sound is made.
    fn decoded_sound(&self) -> Option<&Arc<Track>> {
        self.settings.decode.as_ref().and_then(|_| self.camera.track(SOURCE_AUDIO))
    }

    fn decode_input(&self, access: &DecodeAccess) -> DecodeInput {
        let address = |track: &str| format!("rtsp://{}/{}/t/{track}", access.address, self.camera.id());
        let named = |name: &str| self.camera.track(name).map(|_| address(name));
        DecodeInput {
            video: self.camera.decoded_track().map(|track| address(track.name())),
            audio: named(SOURCE_AUDIO).filter(|_| self.decoded_sound().is_some_and(|sound| !sound.is_absent())),
            user: access.user.clone(),
            password: Secret::new(access.password.clone()),
        }
    }
}

/// 128 random bits in hexadecimal: the first segment of the engine's paths in one run.
fn random_secret() -> Result<Secret, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}
