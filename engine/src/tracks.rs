//! The tracks: what is mounted at which path, which media of it live, and the commands that change them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use belvedere_engine_control::{Event, Look, Media, Outcome, Secret, Source, TrackSpec, VideoCodec, VideoEncoder};
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPMedia, RTSPMediaFactory, RTSPMountPoints};

use crate::encoder::{AudioChain, Captured, VideoChain};
use crate::events::Events;
use crate::fanout::Fanout;
use crate::file::SourceStream;
use crate::file::group::GroupLink;
use crate::timeline::Timeline;
use crate::{launch, settings, spec};

/// From where the tracks get what they send.
pub struct Feeds {
    /// Raw pictures, captured or decoded.
    pub pictures: Arc<Fanout>,
    /// Raw sound, captured or decoded.
    pub sound: Arc<Fanout>,
    /// Set if the pictures are those of the pattern, which carry names.
    pub captured: Option<Captured>,
    /// The video stream of a file.
    pub source_video: Option<SourceStream>,
    /// The audio stream of a file.
    pub source_audio: Option<SourceStream>,
}

/// All tracks of one run.
pub struct Tracks {
    source: Source,
    feeds: Feeds,
    timeline: Timeline,
    secret: Secret,
    mounts: RTSPMountPoints,
    events: Events,
    media_ids: AtomicU64,
    look: Mutex<Look>,
    state: Mutex<BTreeMap<String, Track>>,
}

struct Track {
    spec: TrackSpec,
    factory: RTSPMediaFactory,
    mounted: bool,
    /// The living media, newest last. The next one may be built while the last is being torn down.
    running: Vec<(u64, Chain)>,
}

/// What a media needs while it lives. Dropping it stops the supply.
enum Chain {
    Video(VideoChain),
    /// Held for its drop.
    #[expect(dead_code, reason = "dropping it ends the supply")]
    Audio(AudioChain),
    /// Held for its drop.
    #[expect(dead_code, reason = "dropping it ends the supply")]
    Source(GroupLink),
}

impl Tracks {
    /// Builds and mounts the tracks of a checked hello.
    pub fn new(
        source: Source,
        feeds: Feeds,
        timeline: Timeline,
        secret: Secret,
        mounts: RTSPMountPoints,
        events: Events,
        specs: Vec<TrackSpec>,
    ) -> Arc<Self> {
        let (media_ids, look) = (AtomicU64::new(0), Mutex::default());
        let state = Mutex::default();
        let tracks = Arc::new(Self { source, feeds, timeline, secret, mounts, events, media_ids, look, state });
        for spec in specs {
            let name = spec.name.clone();
            // A file without sound has no source audio: then there is no such track.
            let Some(track) = tracks.build(spec) else { continue };
            tracks.lock().insert(name, track);
        }
        let captures = tracks.feeds.captured.is_some();
        tracks.set_available(captures, captures);
        tracks
    }

    /// Mounts the tracks that can be served, now that raw pictures and sound are there or are not. A path that is not
    /// mounted answers 404 instead of waiting for a picture that will not come.
    pub fn set_available(&self, pictures: bool, sound: bool) {
        for (name, track) in &mut *self.lock() {
            let available = match track.spec.media {
                Media::Video(_) => pictures,
                Media::Audio(_) => sound,
                Media::SourceVideo | Media::SourceAudio => true,
            };
            match (available, std::mem::replace(&mut track.mounted, available)) {
                (true, false) => self.mounts.add_factory(&self.path(name), track.factory.clone()),
                (false, true) => self.mounts.remove_factory(&self.path(name)),
                _ => {}
            }
        }
    }

    /// The names of the tracks that exist.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// The names of the tracks whose encoder runs.
    pub fn running(&self) -> Vec<String> {
        self.lock().iter().filter(|(_, track)| !track.running.is_empty()).map(|(name, _)| name.clone()).collect()
    }

    /// [`belvedere_engine_control::Command::Set`].
    pub fn set(&self, name: &str, new: VideoEncoder) -> Result<Outcome, String> {
        self.change(name, new, may_set, VideoChain::set)
    }

    /// [`belvedere_engine_control::Command::Swap`].
    pub fn swap(&self, name: &str, new: VideoEncoder) -> Result<Outcome, String> {
        // A JPEG encoder has nothing that could not be changed in place.
        let apply = if new.codec == VideoCodec::Jpeg { VideoChain::set } else { VideoChain::swap };
        self.change(name, new, may_swap, apply)
    }

    /// Checks a change of a video encoder, notes it for later media and applies it to those that live.
    fn change(
        &self,
        name: &str,
        new: VideoEncoder,
        may: fn(&VideoEncoder, &VideoEncoder) -> Result<Change, String>,
        apply: fn(&mut VideoChain, &VideoEncoder) -> Result<(), String>,
    ) -> Result<Outcome, String> {
        let mut state = self.lock();
        let track = state.get_mut(name).ok_or("there is no such track")?;
        let Media::Video(old) = &track.spec.media else { return Err("not a video encoder".into()) };
        spec::check_video(&new)?;
        let change = may(old, &new)?;
        for (_, chain) in &mut track.running {
            if let Chain::Video(chain) = chain {
                apply(chain, &new)?;
            }
        }
        track.factory.set_launch(&launch::video(&new));
        track.spec.media = Media::Video(new);
        match change {
            Change::WithKeyFrame if !track.running.is_empty() => Ok(Outcome::AppliedAtKeyFrame),
            _ => Ok(Outcome::Applied),
        }
    }

    /// [`belvedere_engine_control::Command::Relaunch`].
    pub fn relaunch(&self, new: TrackSpec) -> Result<Outcome, String> {
        spec::check_track(&new, &self.source)?;
        let mut state = self.lock();
        let track = state.get_mut(&new.name).ok_or("there is no such track")?;
        if std::mem::discriminant(&track.spec.media) != std::mem::discriminant(&new.media) {
            return Err("a track cannot become one of another kind".into());
        }
        track.factory.set_launch(&self.launch_line(&new.media).ok_or("the source has no such stream")?);
        track.spec = new;
        Ok(if track.running.is_empty() { Outcome::Applied } else { Outcome::NeedsNewPull })
    }

    /// [`belvedere_engine_control::Command::Look`].
    pub fn look(&self, look: Look) -> Result<Outcome, String> {
        spec::check_look(look)?;
        let state = self.lock();
        *self.look.lock().unwrap_or_else(PoisonError::into_inner) = look;
        for (_, chain) in state.values().flat_map(|track| &track.running) {
            if let Chain::Video(chain) = chain {
                chain.look(look)?;
            }
        }
        Ok(Outcome::Applied)
    }

    /// [`belvedere_engine_control::Command::Key`].
    pub fn key(&self, name: &str) -> Result<Outcome, String> {
        let state = self.lock();
        let track = state.get(name).ok_or("there is no such track")?;
        match (&track.spec.media, track.running.last()) {
            (Media::Video(encoder), Some(_)) if encoder.codec == VideoCodec::Jpeg => Ok(Outcome::Applied),
            (_, Some((_, Chain::Video(chain)))) => chain.key().map(|()| Outcome::AppliedAtKeyFrame),
            (Media::Video(_), None) => Err("the track does not run".into()),
            _ => Err("not a video encoder".into()),
        }
    }

    fn build(self: &Arc<Self>, spec: TrackSpec) -> Option<Track> {
        let factory = RTSPMediaFactory::new();
        settings::on_factory(&factory, &self.timeline);
        // A stream as it is costs a reader nothing but its payloader, and each must start at a key frame: one that joined a
        // running media, such as a pull that comes back while its last one is being torn down, would wait for the next.
        factory.set_shared(matches!(spec.media, Media::Video(_) | Media::Audio(_)));
        factory.set_launch(&self.launch_line(&spec.media)?);
        let (weak, name) = (Arc::downgrade(self), spec.name.clone());
        factory.connect_media_configure(move |_, media| {
            if let Some(tracks) = weak.upgrade() {
                tracks.on_configure(&name, media);
            }
        });
        Some(Track { spec, factory, mounted: false, running: Vec::new() })
    }

    /// A media was built, in a client's thread: connects it and remembers it until it is torn down.
    fn on_configure(self: &Arc<Self>, name: &str, media: &RTSPMedia) {
        let id = self.media_ids.fetch_add(1, Ordering::Relaxed);
        self.report_errors(name, media);
        let mut state = self.lock();
        let Some(track) = state.get_mut(name) else { return };
        match self.connect(&track.spec.media, media) {
            Ok(chain) => {
                track.running.push((id, chain));
                let (weak, name) = (Arc::downgrade(self), name.to_owned());
                media.connect_unprepared(move |_| forget(&weak, &name, id));
                tracing::debug!(track = track.spec.name, media = id, "started");
            }
            Err(reason) => {
                let message = format!("the track cannot be started: {reason}");
                self.events.send(Event::Error { track: Some(name.to_owned()), fatal: false, message });
            }
        }
    }

    fn connect(&self, spec: &Media, media: &RTSPMedia) -> Result<Chain, String> {
        let bin = media.element().downcast::<gst::Bin>().map_err(|_| "the media is no bin")?;
        match spec {
            Media::Video(encoder) => {
                let look = *self.look.lock().unwrap_or_else(PoisonError::into_inner);
                let captured = self.feeds.captured.as_ref();
                VideoChain::new(bin, encoder, look, &self.feeds.pictures, captured).map(Chain::Video)
            }
            Media::Audio(encoder) => AudioChain::new(&bin, encoder, &self.feeds.sound).map(Chain::Audio),
            Media::SourceVideo | Media::SourceAudio => {
                let stream = self.source_stream(spec).ok_or("the source has no such stream")?;
                let source = bin.by_name("src").and_downcast::<gst_app::AppSrc>().ok_or("the pipeline has no src")?;
                Ok(Chain::Source(stream.group.attach(&source)))
            }
        }
    }

    fn source_stream(&self, media: &Media) -> Option<&SourceStream> {
        match media {
            Media::SourceVideo => self.feeds.source_video.as_ref(),
            Media::SourceAudio => self.feeds.source_audio.as_ref(),
            Media::Video(_) | Media::Audio(_) => None,
        }
    }

    /// The launch line of a track; none if the source has no such stream.
    fn launch_line(&self, media: &Media) -> Option<String> {
        match media {
            Media::Video(encoder) => Some(launch::video(encoder)),
            Media::Audio(encoder) => Some(launch::audio(encoder)),
            Media::SourceVideo | Media::SourceAudio => self.source_stream(media).map(|stream| stream.launch.clone()),
        }
    }

    /// Tells the server of errors inside a media's pipeline; the media itself ends by gst-rtsp-server's own watch.
    fn report_errors(&self, name: &str, media: &RTSPMedia) {
        let bus = media.element().parent().and_downcast::<gst::Pipeline>().and_then(|pipeline| pipeline.bus());
        let Some(bus) = bus else { return };
        let (events, name) = (self.events.clone(), name.to_owned());
        bus.enable_sync_message_emission();
        bus.connect_sync_message(Some("error"), move |_, message| {
            if let gst::MessageView::Error(error) = message.view() {
                let message = error.error().to_string();
                tracing::warn!(track = name, error = message, debug = ?error.debug(), "media");
                events.send(Event::Error { track: Some(name.clone()), fatal: false, message });
            }
        });
    }

    fn path(&self, name: &str) -> String {
        format!("/{}/{name}", self.secret.reveal())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Track>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A media was torn down.
fn forget(tracks: &Weak<Tracks>, name: &str, id: u64) {
    let Some(tracks) = tracks.upgrade() else { return };
    let gone: Vec<(u64, Chain)> = match tracks.lock().get_mut(name) {
        Some(track) => track.running.extract_if(.., |(running, _)| *running == id).collect(),
        None => Vec::new(),
    };
    tracing::debug!(track = name, media = id, "stopped");
    // Dropped without the lock: it waits for the producer, which may be handing out a picture.
    drop(gone);
}

/// Whether a change shows at once or from a key frame on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    AtOnce,
    WithKeyFrame,
}

/// What can be changed in place: everything but the codec, its profile and the distance of key frames.
fn may_set(old: &VideoEncoder, new: &VideoEncoder) -> Result<Change, String> {
    may_swap(old, new)?;
    if old.codec != VideoCodec::Jpeg && old.gop != new.gop {
        return Err("the distance of key frames cannot be changed in place: swap".into());
    }
    if old.codec == VideoCodec::H264 && old.profile != new.profile {
        return Err("the profile cannot be changed in place: swap".into());
    }
    let shape = |spec: &VideoEncoder| (spec.width, spec.height, spec.frame_rate);
    Ok(if shape(old) == shape(new) || old.codec == VideoCodec::Jpeg { Change::AtOnce } else { Change::WithKeyFrame })
}

fn may_swap(old: &VideoEncoder, new: &VideoEncoder) -> Result<Change, String> {
    match old.codec == new.codec {
        true => Ok(Change::WithKeyFrame),
        false => Err("the codec cannot be changed while the track runs: relaunch".into()),
    }
}
