//! Another camera's RTSP streams: one pull per address, however many viewers.

use std::{sync::Arc, time::Duration};

use retina::client::Credentials;
use tracing::{info, warn};

use super::{
    demand::Demand,
    pull::{Patience, PullTarget, Timing, UpstreamTimes, pull},
};
use crate::{
    base::{clock::Clock, redact::SecretUrl},
    hub::{SourceState, Track},
};

/// One address of an upstream camera.
#[derive(Clone)]
pub struct UpstreamSettings {
    /// The address without user information.
    pub url: SecretUrl,
    /// User and password, if the upstream asks for them.
    pub credentials: Option<(String, String)>,
    /// The track for its first video stream.
    pub video: Arc<Track>,
    /// The track for its first audio stream; without one its sound is not asked for.
    pub audio: Option<Arc<Track>>,
    /// How long the pull goes on after the last reader has left.
    pub linger: Duration,
}

/// The pull of one upstream address.
pub struct Upstream {
    settings: UpstreamSettings,
    clock: Arc<dyn Clock>,
}

const PATIENCE: Patience = Patience { first: Duration::from_secs(5), least: Duration::from_secs(5) };
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

impl Upstream {
    /// Makes the pull; [`run`](Self::run) runs it.
    pub fn new(settings: UpstreamSettings, clock: Arc<dyn Clock>) -> Self {
        Self { settings, clock }
    }

    /// Pulls whenever one of the tracks is leased, and connects again when the upstream fails. Runs until it is dropped.
    pub async fn run(self) {
        let mut demand = Demand::of(self.tracks());
        let mut times = UpstreamTimes::default();
        loop {
            self.tracks().for_each(|track| track.clear());
            self.tell(&SourceState::Idle);
            demand.begins().await;
            self.tell(&SourceState::Starting);
            tokio::select! {
                () = self.keep_pulling(&mut times) => {}
                () = demand.ends(self.settings.linger) => {}
            }
        }
    }

    /// Pulls again and again, with a growing wait between failures. Never returns.
    async fn keep_pulling(&self, times: &mut UpstreamTimes) {
        let mut wait = FIRST_WAIT;
        loop {
            info!(url = %self.settings.url, "connecting to the upstream");
            let started = self.clock.mono();
            if let Err(error) = pull(self.target(), Timing::Upstream(times), &*self.clock).await {
                warn!(url = %self.settings.url, %error, "the upstream failed");
                let lost = SourceState::Lost { reason: error.to_string() };
                self.tell(&lost);
            }
            if self.clock.mono().since(started) > 2 * LONGEST_WAIT {
                wait = FIRST_WAIT;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Tells how the pull is. A stream that the upstream did not have stays absent until a connection finds it: nobody
    /// need wait for it again.
    fn tell(&self, state: &SourceState) {
        self.tracks().filter(|track| !track.is_absent()).for_each(|track| track.set_source_state(state.clone()));
    }

    fn tracks(&self) -> impl Iterator<Item = &Arc<Track>> {
        std::iter::once(&self.settings.video).chain(&self.settings.audio)
    }

    fn target(&self) -> PullTarget {
        let settings = &self.settings;
        PullTarget {
            url: settings.url.clone(),
            credentials: settings.credentials.clone().map(|(username, password)| Credentials { username, password }),
            video: Some(Arc::clone(&settings.video)),
            audio: settings.audio.clone(),
            patience: PATIENCE,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::{
        super::fake::{FakeCamera, H264, PCMU, picture},
        *,
    };
    use crate::{
        base::clock::SystemClock,
        hub::{Kind, Next, RingLimits},
    };

    fn tracks() -> [Arc<Track>; 2] {
        [Kind::Video, Kind::Audio].map(|kind| Track::new("t", kind, RingLimits::default()))
    }

    fn settings(camera: &FakeCamera, [video, audio]: [Arc<Track>; 2]) -> UpstreamSettings {
        let linger = Duration::from_millis(50);
        let url = SecretUrl::new(camera.url.clone());
        UpstreamSettings { url, credentials: None, video, audio: Some(audio), linger }
    }

    async fn state_becomes(track: &Arc<Track>, wanted: SourceState) {
        let mut state = track.source_state();
        let reached = tokio::time::timeout(Duration::from_secs(5), state.wait_for(|state| *state == wanted)).await;
        reached.expect("in time").expect("the track lives");
    }

    /// The content of the first picture that a new reader gets.
    async fn first_picture(track: &Arc<Track>) -> Option<u8> {
        let mut reader = track.read_from_key();
        let Next::Unit(unit) = reader.next().await else { return None };
        unit.payload.last().copied()
    }

    /// The text of a log.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_secrets_of_an_address_are_not_logged() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let _guard = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
        // Nobody listens there, and what would be there answers 400.
        for path in ["user=admin&password=hunter2&channel=1", "live?token=hunter2"] {
            let [video, _] = tracks();
            let url = SecretUrl::new(url::Url::parse(&format!("rtsp://127.0.0.1:1/{path}")).unwrap());
            let settings = UpstreamSettings { url, credentials: None, video, audio: None, linger: Duration::ZERO };
            let video = Arc::clone(&settings.video);
            let _lease = video.lease();
            let upstream = Upstream::new(settings, Arc::new(SystemClock));
            tokio::select! {
                () = upstream.run() => {}
                state = lost(&video) => assert!(!state.contains("hunter2"), "{state}"),
            }
        }
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("127.0.0.1:1") && !text.contains("hunter2"), "{text}");
    }

    /// Waits until a track is lost; gives the reason.
    async fn lost(track: &Arc<Track>) -> String {
        let mut state = track.source_state();
        let state = state.wait_for(|state| matches!(state, SourceState::Lost { .. })).await;
        format!("{:?}", *state.expect("the track lives"))
    }

    #[tokio::test]
    async fn a_camera_without_sound_is_known_as_such_until_it_has_some() {
        let camera = FakeCamera::start(H264, |_| vec![(Duration::ZERO, picture(0, 0, true, 1))]).await;
        let [video, audio] = tracks();
        let mut settings = settings(&camera, [Arc::clone(&video), Arc::clone(&audio)]);
        let running = tokio::spawn(Upstream::new(settings.clone(), Arc::new(SystemClock)).run());
        let lease = video.lease();
        state_becomes(&audio, SourceState::Absent).await;
        drop(lease);
        state_becomes(&video, SourceState::Idle).await;
        assert!(audio.is_absent(), "remembered while the pull rests");
        running.abort();
        let camera = FakeCamera::start(&format!("{H264}{PCMU}"), |_| Vec::new()).await;
        settings.url = SecretUrl::new(camera.url.clone());
        let running = tokio::spawn(Upstream::new(settings, Arc::new(SystemClock)).run());
        let _lease = video.lease();
        state_becomes(&audio, SourceState::Starting).await;
        running.abort();
    }

    #[tokio::test]
    async fn a_viewer_gets_no_picture_of_the_previous_viewing() {
        let camera = FakeCamera::start(H264, |connection| {
            // The second connection joins in the middle of a group.
            let pictures = (0..40_u16).map(|n| picture(n, 3000 * u32::from(n), n == 2, connection as u8 + 1));
            pictures.map(|picture| (Duration::from_millis(10), picture)).collect()
        });
        let camera = camera.await;
        let [video, audio] = tracks();
        let upstream = Upstream::new(settings(&camera, [Arc::clone(&video), audio]), Arc::new(SystemClock));
        let running = tokio::spawn(upstream.run());
        for viewing in 1..=2 {
            let lease = video.lease();
            assert_eq!(first_picture(&video).await, Some(viewing));
            drop(lease);
            state_becomes(&video, SourceState::Idle).await;
            assert!(video.newest_key().is_none(), "an old picture is no entry point");
        }
        running.abort();
    }
}
