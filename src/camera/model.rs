//! Cameras: their tracks, their settings as they are now, and the one way to change them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{sync::watch, time::Instant};

use super::{
    AudioOptions, CameraSettings, Change, ChangeError, Feed, FeedOf, Profile, Settings, SourceChange, SourceKind,
    SourceStream, StreamPath, VideoCodec, VideoOptions, VideoSettings,
    kept::Kept,
    observed::{self, Sight},
    options,
    path::Target,
    plan::{Plan, SNAPSHOT},
    settings::Bounds,
};
use crate::{
    auth::Principal,
    hub::{Codec, Kind as TrackKind, Parameters, SourceState, Track},
    store::{Store, StoreError},
};

/// Applies changes to whatever makes the pictures.
pub trait SourceControl: Send + Sync {
    /// Applies a change. A source that does not run takes it over when it starts, which is no error.
    ///
    /// # Errors
    /// Why the source refuses; nothing was changed then.
    fn apply<'a>(&'a self, change: &'a SourceChange) -> BoxFuture<'a, Result<(), String>>;
}

/// One camera.
pub struct Camera {
    origin: CameraSettings,
    feeds: Vec<Feed>,
    settings: watch::Sender<Arc<Settings>>,
    kept: Option<Kept>,
    control: OnceLock<Arc<dyn SourceControl>>,
    /// Held during a change: they happen one after the other.
    changing: tokio::sync::Mutex<()>,
    /// What was seen of the streams that arrive encoded, by their encoder configurations.
    sights: Mutex<BTreeMap<String, Sight>>,
    /// When doors last waited in vain for those; held while one waits.
    waited: tokio::sync::Mutex<Option<Instant>>,
}

/// How long a door waits for a stream that was never seen.
const FIRST_LOOK: Duration = Duration::from_millis(2500);
/// After it has waited in vain, how long doors tell at once what is known: a source that is away costs one wait, not one for
/// each request of each client.
const NEXT_WAIT: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// How long a change may take to show in a track that runs. The next picture is a key frame.
const SHOWN: Duration = Duration::from_secs(2);

impl Camera {
    /// Builds a camera whose changes are forgotten with it. Its tracks are empty until a source fills them.
    pub fn new(origin: CameraSettings) -> Self {
        let Plan { feeds, settings } = Plan::new(&origin);
        Self::build(origin, feeds, settings, None)
    }

    /// Builds a camera with what the store keeps of it. Blocks on the disk.
    ///
    /// # Errors
    /// The store fails.
    pub fn open(origin: CameraSettings, store: Arc<Store>) -> Result<Self, StoreError> {
        let Plan { feeds, mut settings } = Plan::new(&origin);
        let kept = Kept::new(store, &origin.id, &settings.profiles);
        kept.load(&mut settings, &Limits { origin: &origin, feeds: &feeds })?;
        Ok(Self::build(origin, feeds, settings, Some(kept)))
    }

    fn build(origin: CameraSettings, feeds: Vec<Feed>, mut settings: Settings, kept: Option<Kept>) -> Self {
        // What is kept may be of another source.
        silence(&feeds, &mut settings);
        let from_source = feeds.iter().filter(|feed| matches!(feed.of, FeedOf::SourceVideo(_)));
        let first = Plan::new(&origin).settings;
        let never = |token: &str| settings.video_encoder(token) == first.video_encoder(token);
        let sight = |token: &str| if never(token) { Sight::never() } else { Sight::kept() };
        let sights = from_source.map(|feed| (feed.name.clone(), sight(&feed.name))).collect();
        Self {
            origin,
            feeds,
            settings: watch::Sender::new(Arc::new(settings)),
            kept,
            control: OnceLock::new(),
            changing: tokio::sync::Mutex::default(),
            sights: Mutex::new(sights),
            waited: tokio::sync::Mutex::default(),
        }
    }

    /// Names what applies changes to the source; once, before doors open. Without it every change of an encoder is refused.
    pub fn controlled_by(&self, control: Arc<dyn SourceControl>) {
        // A second one would be a mistake of the composition root; the first stays.
        let _ = self.control.set(control);
    }

    /// The camera's id.
    pub fn id(&self) -> &str {
        &self.origin.id
    }

    /// The name that people see.
    pub fn name(&self) -> &str {
        &self.origin.name
    }

    /// What the camera was made from.
    pub fn origin(&self) -> &CameraSettings {
        &self.origin
    }

    /// The settings as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    /// Tells of every change of the settings.
    pub fn watch(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.subscribe()
    }

    /// Every track with what fills it.
    pub fn feeds(&self) -> &[Feed] {
        &self.feeds
    }

    /// Finds a track by its name.
    pub fn track(&self, name: &str) -> Option<&Arc<Track>> {
        self.feeds.iter().find(|feed| feed.name == name).map(|feed| &feed.track)
    }

    /// The JPEG track that snapshots are taken from.
    pub fn snapshot_track(&self) -> Option<&Arc<Track>> {
        self.track(super::Definition::Jpeg.token()).or_else(|| self.track(SNAPSHOT))
    }

    /// What a profile streams; `None` if there is no such profile or it has nothing to stream.
    pub fn streams(&self, profile: &str) -> Option<Streams> {
        let settings = self.settings();
        let profile = settings.profile(profile)?;
        let video = profile.video_encoder.as_deref().and_then(|token| self.track(token)).cloned();
        let audio = profile.audio_encoder.as_deref().and_then(|token| self.track(token)).cloned();
        (video.is_some() || audio.is_some()).then(|| Streams { title: self.title(profile), video, audio })
    }

    fn title(&self, profile: &Profile) -> String {
        format!("{} {}", self.name(), profile.name)
    }

    /// What a video encoder can be set to, one entry for each codec; empty if there is no such encoder.
    pub fn video_options(&self, token: &str) -> Vec<VideoOptions> {
        let settings = self.settings();
        match self.feed(token).map(|feed| feed.of) {
            Some(FeedOf::SourceVideo(_)) => match settings.video_encoder(token).map(|encoder| &encoder.settings) {
                Some(VideoSettings::Video(encoder)) => vec![options::fixed_video(encoder)],
                _ => Vec::new(),
            },
            _ => {
                let mut options = self.limits().video(token);
                // One encoder stays H.264; what the rule would refuse is not offered.
                let is_last = |settings: &Settings| {
                    let mut h264 = settings.video_encoders.iter().filter(|encoder| encoder.settings.is_h264());
                    h264.next().is_some_and(|last| last.token == token) && h264.next().is_none()
                };
                if is_last(&settings) {
                    options.retain(|options| options.codec != Some(VideoCodec::H265));
                }
                options
            }
        }
    }

    /// What an audio encoder can be set to; `None` for what is not ours to set.
    pub fn audio_options(&self, token: &str) -> Option<AudioOptions> {
        self.limits().audio(token)
    }

    /// Whether the look of the picture can be changed: where the engine encodes. A stream of the source that is passed through
    /// beside that stays as it is.
    pub fn has_imaging(&self) -> bool {
        self.limits().imaging()
    }

    /// Whether there is sound, as far as that was seen.
    pub fn has_sound(&self) -> bool {
        self.settings().has_sound()
    }

    /// Whether it is known what this encoder delivers. It is, but for a stream that arrives encoded and was never seen.
    pub fn is_known(&self, video_encoder: &str) -> bool {
        self.sights().get(video_encoder).is_none_or(Sight::is_known)
    }

    /// Changes the settings: checks them, has the source apply them, keeps them, tells everybody (design section 5).
    ///
    /// A change that the source refuses leaves everything as it was. If it cannot be kept, the source is set back. After a
    /// crash between the two the settings of the store are applied again when the source starts.
    ///
    /// A change once begun goes on to its end, even if nobody waits for it any more: a client may hang up at any moment, and
    /// source, store and everybody must not differ then.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn change(self: &Arc<Self>, change: Change, principal: &Principal) -> Result<Arc<Settings>, ChangeError> {
        let (camera, user) = (Arc::clone(self), principal.user().to_owned());
        let made = tokio::spawn(async move {
            let (after, effect) = camera.make(change, &user).await?;
            camera.show(effect.as_ref()).await;
            Ok(after)
        })
        .await;
        // It ends early where the whole server does.
        made.map_err(|error| ChangeError::Store(error.to_string()))?
    }

    async fn make(&self, change: Change, user: &str) -> Result<(Arc<Settings>, Option<SourceChange>), ChangeError> {
        let _one_at_a_time = self.changing.lock().await;
        let before = self.settings();
        let (after, effect) = before.apply(&change, &self.limits())?;
        if let Some(effect) = &effect {
            self.apply(effect).await?;
        }
        if let Err(error) = self.keep(&before, &after).await {
            if let Some(undo) = effect.and_then(|effect| effect.undo(&before)) {
                self.apply(&undo).await?;
            }
            return Err(error);
        }
        tracing::info!(camera = self.id(), user, "settings changed");
        let after = Arc::new(after);
        self.settings.send_replace(Arc::clone(&after));
        Ok((after, effect))
    }

    /// Waits until a picture in a running track shows what was changed (PL-14): who asks for the stream once the change is
    /// answered must not begin with what was encoded before.
    async fn show(&self, effect: Option<&SourceChange>) {
        let Some(SourceChange::Video { track: name, new, .. }) = effect else { return };
        // What arrives encoded is as it is.
        let Some(feed) = self.feeds.iter().find(|feed| feed.name == *name && !is_source(feed.of)) else { return };
        let is_wanted = || self.settings().video_encoder(name).is_some_and(|encoder| encoder.settings == *new);
        let shows = async {
            let (mut units, mut source, mut settings) =
                (feed.track.read_from_key(), feed.track.source_state(), self.watch());
            let is_seen = || feed.track.newest_key().is_some_and(|unit| is_shown(new, &unit.parameters));
            loop {
                let runs = matches!(*source.borrow_and_update(), SourceState::Live | SourceState::Starting);
                if !runs || !is_wanted() || is_seen() {
                    return;
                }
                tokio::select! {
                    () = units.changed() => {}
                    _ = source.changed() => {}
                    _ = settings.changed() => {}
                }
            }
        };
        if tokio::time::timeout(SHOWN, shows).await.is_err() {
            tracing::debug!(camera = self.id(), track = name, "the change does not show yet");
        }
        // Of a track that rests, or whose encoder is being exchanged, nothing must be told that is not so any more. While no
        // other change is under way: what that brings must not be forgotten.
        let _one_at_a_time = self.changing.lock().await;
        if is_wanted() {
            feed.track.forget_description(|known| !is_shown(new, known));
        }
    }

    async fn apply(&self, effect: &SourceChange) -> Result<(), ChangeError> {
        let control = self.control.get().ok_or_else(|| ChangeError::Refused("there is nothing to set".into()))?;
        control.apply(effect).await.map_err(ChangeError::Refused)
    }

    async fn keep(&self, before: &Arc<Settings>, after: &Settings) -> Result<(), ChangeError> {
        let Some(kept) = self.kept.clone() else { return Ok(()) };
        let (before, after) = (Arc::clone(before), after.clone());
        let kept = tokio::task::spawn_blocking(move || kept.save(&before, &after)).await;
        kept.map_err(|error| ChangeError::Store(error.to_string()))?
            .map_err(|error| ChangeError::Store(error.to_string()))
    }

    /// Waits, not for long and not often, until every stream that arrives encoded was seen once. Doors call it before they
    /// tell what there is; from then on the answer is known at once, after a restart too.
    pub async fn first_look(self: &Arc<Self>) {
        if self.all_seen() {
            return;
        }
        // Who comes while somebody waits waits for the same.
        let mut waited = self.waited.lock().await;
        self.look(true).await;
        if self.all_seen() || waited.is_some_and(|last| last.elapsed() < NEXT_WAIT) {
            return;
        }
        let sources = || self.feeds.iter().filter(|feed| is_source(feed.of));
        let leases: Vec<_> = sources().map(|feed| feed.track.lease()).collect();
        let seen = async {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let is_sound = |feed: &&Feed| matches!(feed.of, FeedOf::SourceAudio(_));
                let heard = sources().filter(is_sound).all(|feed| observed::absence(&feed.track).is_some());
                self.look(true).await;
                if heard && self.all_seen() {
                    return;
                }
            }
        };
        // Who waited in vain is told what is known.
        let _ = tokio::time::timeout(FIRST_LOOK, seen).await;
        drop(leases);
        *waited = Some(Instant::now());
    }

    /// Follows what streams that arrive encoded turn out to be. Runs until it is dropped.
    pub async fn follow_sources(self: Arc<Self>) {
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            self.look(false).await;
        }
    }

    /// Looks at the streams that arrive encoded, to the end like a change; `first` passes over those that were seen before.
    async fn look(self: &Arc<Self>, first: bool) {
        let camera = Arc::clone(self);
        // It ends early where the whole server does.
        let _ = tokio::spawn(async move { camera.look_at_sources(first).await }).await;
    }

    async fn look_at_sources(&self, first: bool) {
        let _one_at_a_time = self.changing.lock().await;
        let before = self.settings();
        let mut after = Settings::clone(&before);
        for feed in self.feeds.iter().filter(|feed| is_source(feed.of)) {
            if let Some(place) = after.video_encoders.iter_mut().find(|encoder| encoder.token == feed.name)
                && let Some(sight) = self.sights().get_mut(&feed.name).filter(|sight| !(first && sight.is_known()))
                && let Some(observed) = sight.video(&feed.track, place)
            {
                *place = observed;
            }
            if let Some(place) = after.audio_encoders.iter_mut().find(|encoder| encoder.token == feed.name) {
                place.absent = observed::absence(&feed.track).unwrap_or(place.absent);
                place.settings =
                    observed::audio(&feed.track, &place.settings).unwrap_or_else(|| place.settings.clone());
            }
        }
        silence(&self.feeds, &mut after);
        if after == *before {
            return;
        }
        if let Err(error) = self.keep(&before, &after).await {
            tracing::warn!(camera = self.id(), %error, "what the source turned out to be cannot be kept");
        }
        self.settings.send_replace(Arc::new(after));
    }

    fn feed(&self, name: &str) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.name == name)
    }

    fn limits(&self) -> Limits<'_> {
        Limits { origin: &self.origin, feeds: &self.feeds }
    }

    fn sights(&self) -> MutexGuard<'_, BTreeMap<String, Sight>> {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_seen(&self) -> bool {
        self.sights().values().all(Sight::is_known)
    }
}

/// Without the sound of the main stream there is none that is made of it; what the engine captures is there.
fn silence(feeds: &[Feed], settings: &mut Settings) {
    let named = |name: &str| feeds.iter().find(|feed| feed.name == name).map(|feed| feed.of);
    let is_main = |token: &str| named(token) == Some(FeedOf::SourceAudio(SourceStream::Main));
    let absent = settings.audio_encoders.iter().any(|encoder| encoder.absent && is_main(&encoder.token));
    let made = |token: &str| matches!(named(token), Some(FeedOf::Audio(_)));
    settings.audio_encoders.iter_mut().filter(|encoder| made(&encoder.token)).for_each(|made| made.absent = absent);
}

/// Whether a picture with these parameters can have been made with these settings.
fn is_shown(settings: &VideoSettings, parameters: &Parameters) -> bool {
    let (same_codec, size) = match settings {
        VideoSettings::Video(encoder) => {
            let same = match encoder.codec {
                VideoCodec::H264 => matches!(parameters.codec, Codec::H264 { .. }),
                VideoCodec::H265 => matches!(parameters.codec, Codec::H265 { .. }),
            };
            (same, (encoder.width, encoder.height))
        }
        VideoSettings::Jpeg(encoder) => (matches!(parameters.codec, Codec::Jpeg), (encoder.width, encoder.height)),
    };
    same_codec && parameters.size.is_none_or(|seen| seen == size)
}

/// Whether it arrives encoded.
fn is_source(of: FeedOf) -> bool {
    matches!(of, FeedOf::SourceVideo(_) | FeedOf::SourceAudio(_))
}

impl std::fmt::Debug for Camera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Camera").field("id", &self.origin.id).finish_non_exhaustive()
    }
}

/// What a camera's encoders can be set to.
struct Limits<'a> {
    origin: &'a CameraSettings,
    feeds: &'a [Feed],
}

impl Bounds for Limits<'_> {
    fn video(&self, token: &str) -> Vec<VideoOptions> {
        let Some(feed) = self.feeds.iter().find(|feed| feed.name == token) else { return Vec::new() };
        let rate = self.origin.capture_rate();
        let capture = match self.origin.source {
            SourceKind::Captured => (self.origin.ultra_hd.width, self.origin.ultra_hd.height),
            // The source's size is told elsewhere; a definition made from it is as large as it was configured.
            SourceKind::Encoded { .. } => (u32::MAX, u32::MAX),
        };
        match feed.of {
            FeedOf::Video(definition) => {
                let default = match definition {
                    super::Definition::UltraHd => &self.origin.ultra_hd,
                    super::Definition::HiDef => &self.origin.hi_def,
                    super::Definition::Standard | super::Definition::Jpeg => &self.origin.standard,
                };
                options::video(default, capture, rate)
            }
            FeedOf::Jpeg => vec![options::jpeg(rate)],
            FeedOf::Audio(_) | FeedOf::SourceVideo(_) | FeedOf::SourceAudio(_) => Vec::new(),
        }
    }

    fn audio(&self, token: &str) -> Option<AudioOptions> {
        let feed = self.feeds.iter().find(|feed| feed.name == token)?;
        match feed.of {
            FeedOf::Audio(super::AudioCodec::Aac) => self.origin.aac.as_ref().map(options::audio),
            FeedOf::Audio(super::AudioCodec::Pcmu) => self.origin.pcmu.as_ref().map(options::audio),
            _ => None,
        }
    }

    fn imaging(&self) -> bool {
        self.feeds.iter().any(|feed| matches!(feed.of, FeedOf::Video(_)))
    }

    fn is_from_source(&self, token: &str) -> bool {
        let feed = self.feeds.iter().find(|feed| feed.name == token);
        feed.is_some_and(|feed| matches!(feed.of, FeedOf::SourceVideo(_) | FeedOf::SourceAudio(_)))
    }
}

/// The tracks behind one address: pictures and sound of a profile, or one track alone.
#[derive(Debug, Clone)]
pub struct Streams {
    /// The camera's name and the profile's, for people.
    pub title: String,
    /// The pictures.
    pub video: Option<Arc<Track>>,
    /// The sound.
    pub audio: Option<Arc<Track>>,
}

/// All cameras of this server.
#[derive(Debug, Default)]
pub struct Cameras {
    by_id: BTreeMap<String, Arc<Camera>>,
    first: Option<String>,
}

impl Cameras {
    /// Takes the cameras in the order of the configuration.
    pub fn new(cameras: impl IntoIterator<Item = Arc<Camera>>) -> Self {
        let mut all = Self::default();
        for camera in cameras {
            all.first.get_or_insert_with(|| camera.id().to_owned());
            all.by_id.insert(camera.id().to_owned(), camera);
        }
        all
    }

    /// Finds a camera by its id.
    pub fn get(&self, id: &str) -> Option<&Arc<Camera>> {
        self.by_id.get(id)
    }

    /// The first camera of the configuration.
    pub fn first(&self) -> Option<&Arc<Camera>> {
        self.by_id.get(self.first.as_ref()?)
    }

    /// All cameras, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Camera>> {
        self.by_id.values()
    }

    /// Finds what an RTSP path names. Without a camera's id it answers only where there is one camera.
    pub fn streams(&self, path: &str) -> Option<Streams> {
        let path = StreamPath::decode(path)?;
        let camera = match path.camera {
            Some(id) => self.by_id.get(id)?,
            None if self.by_id.len() == 1 => self.first()?,
            None => return None,
        };
        match path.target {
            Target::Profile(token) => camera.streams(token),
            Target::Track(name) => {
                let track = Arc::clone(camera.track(name)?);
                let title = format!("{} {name}", camera.name());
                Some(match track.kind() {
                    TrackKind::Video => Streams { title, video: Some(track), audio: None },
                    TrackKind::Audio | TrackKind::Metadata => Streams { title, video: None, audio: Some(track) },
                })
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
