//! The engine put together: source, tracks and RTSP server of one run.

use std::sync::Arc;

use belvedere_engine_control::{
    Command, DecodeInput, EngineHello, Event, Media, Outcome, ServerHello, Source, TrackSpec, VERSION, VideoEncoder,
};
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPFilterResult, RTSPServer};

use crate::decode::Decoder;
use crate::encoder::Captured;
use crate::events::Events;
use crate::fanout::Fanout;
use crate::file::demux::Kind;
use crate::file::group::Group;
use crate::health::Health;
use crate::pattern::{capture, frame::FramePool, sound};
use crate::timeline::Timeline;
use crate::tracks::{Feeds, Tracks};
use crate::{accept, decode, file, launch, settings, spec};

/// A running engine.
pub struct Engine {
    tracks: Arc<Tracks>,
    server: RTSPServer,
    events: Events,
    health: Arc<Health>,
    pictures: Arc<Fanout>,
    sound: Arc<Fanout>,
    groups: Vec<Arc<Group>>,
    /// For pictures and for sound; none if the source captures its own.
    decoders: Option<(Arc<Decoder>, Arc<Decoder>)>,
}

impl Engine {
    /// Builds what the hello asks for and listens. Gives the engine's half of the hello.
    ///
    /// # Errors
    /// A text for the log when the hello cannot be fulfilled; it holds no secret.
    pub fn start(hello: ServerHello, events: Events) -> Result<(Self, EngineHello), String> {
        spec::check_hello(&hello)?;
        gst::init().map_err(|error| format!("GStreamer cannot be started: {error}"))?;
        check_plugins()?;
        let timeline = Timeline::start();
        let health = Arc::new(Health::default());
        let feeds = feeds(&hello, &timeline, &health)?;
        let (pictures, sound) = (feeds.pictures.clone(), feeds.sound.clone());
        let groups =
            [&feeds.source_video, &feeds.source_audio].into_iter().flatten().map(|s| s.group.clone()).collect();
        let decoders = match feeds.captured {
            Some(_) => None,
            None => {
                let start = |kind, to: &Arc<Fanout>| {
                    Decoder::start(kind, timeline.clone(), to.clone(), health.clone(), events.clone())
                };
                Some((start(Kind::Video, &pictures)?, start(Kind::Audio, &sound)?))
            }
        };
        let server = RTSPServer::new();
        settings::on_server(&server);
        let mounts = server.mount_points().unwrap_or_default();
        server.set_mount_points(Some(&mounts));
        let ServerHello { secret, source, tracks, look, .. } = hello;
        let tracks = Tracks::new(source, feeds, timeline.clone(), secret, mounts, events.clone(), tracks);
        tracks.look(look)?;
        let port = accept::start(server.clone()).map_err(|error| format!("no port can be bound: {error}"))?;
        let hello = EngineHello {
            version: VERSION,
            base_monotonic_ns: timeline.base_monotonic_ns(),
            base_utc_ns: timeline.base_utc_ns(),
            port,
            tracks: tracks.names(),
        };
        Ok((Self { tracks, server, events, health, pictures, sound, groups, decoders }, hello))
    }

    /// Carries out a command and answers it. False for the one that ends the engine.
    pub fn handle(&self, command: Command) -> bool {
        let (id, result) = match command {
            Command::Hello(_) => {
                let message = "a second hello was ignored".to_owned();
                self.events.send(Event::Error { track: None, fatal: false, message });
                return true;
            }
            Command::Shutdown => return false,
            Command::Set { id, track, encoder } => (id, self.tracks.set(&track, encoder)),
            Command::Swap { id, track, encoder } => (id, self.tracks.swap(&track, encoder)),
            Command::Relaunch { id, track } => (id, self.tracks.relaunch(track)),
            Command::Key { id, track } => (id, self.tracks.key(&track)),
            Command::Decode { id, input } => (id, self.decode(&input)),
            Command::Look { id, look } => (id, self.tracks.look(look)),
        };
        let outcome = result.unwrap_or_else(|reason| Outcome::Refused { reason });
        tracing::debug!(id, ?outcome, "answer");
        self.events.send(Event::Answer { id, outcome });
        true
    }

    /// [`Command::Decode`].
    fn decode(&self, input: &DecodeInput) -> Result<Outcome, String> {
        let Some((video, audio)) = &self.decoders else { return Err("this source has its own pictures".into()) };
        decode::check_input(input)?;
        video.set_input(input);
        audio.set_input(input);
        self.tracks.set_available(input.video.is_some(), input.audio.is_some());
        Ok(Outcome::Applied)
    }

    /// Sends a heartbeat, and ends RTSP sessions whose time is up.
    pub fn beat(&self) {
        let running = self.tracks.running();
        self.events.send(Event::Heartbeat(belvedere_engine_control::Heartbeat { running, ..self.health.read() }));
        if let Some(sessions) = self.server.session_pool() {
            sessions.cleanup();
        }
    }

    /// Closes all connections and stops the source.
    pub fn stop(&self) {
        self.server.client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        self.pictures.close();
        self.sound.close();
        self.groups.iter().for_each(|group| group.close());
        // Media are torn down in their own threads; encoders should not be at work while the process ends.
        for _ in 0..100 {
            if self.tracks.running().is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// Builds the source.
fn feeds(hello: &ServerHello, timeline: &Timeline, health: &Arc<Health>) -> Result<Feeds, String> {
    let (pictures, sound) = (Arc::new(Fanout::default()), Arc::new(Fanout::default()));
    let mut feeds = Feeds { pictures, sound, captured: None, source_video: None, source_audio: None };
    match &hello.source {
        Source::Pattern { width, height, frame_rate } => {
            let label: Arc<str> = full_size_label(&hello.tracks, *width, *height).into();
            let pool = FramePool::new(*width, *height, *frame_rate, &label)?;
            capture::start(pool, *frame_rate, timeline.clone(), feeds.pictures.clone(), health.clone())?;
            sound::start(timeline.clone(), feeds.sound.clone())?;
            feeds.captured = Some(Captured { width: *width, height: *height, label });
        }
        Source::File { path } => {
            let file = file::open(path, timeline)?;
            feeds.source_video = Some(file.video);
            let wants_sound = hello.tracks.iter().any(|track| track.media == Media::SourceAudio);
            // Sound that cannot be offered hurts only if it is asked for.
            feeds.source_audio = file.audio.filter(|_| wants_sound).transpose()?;
        }
        Source::Upstream => {}
    }
    Ok(feeds)
}

/// The name that the captured picture itself carries: that of the definition which is not scaled.
fn full_size_label(tracks: &[TrackSpec], width: u32, height: u32) -> String {
    let label = |track: &TrackSpec| match &track.media {
        Media::Video(VideoEncoder { width: w, height: h, label, .. }) if (*w, *h) == (width, height) => {
            Some(label.clone())
        }
        _ => None,
    };
    tracks.iter().find_map(label).unwrap_or_default()
}

fn check_plugins() -> Result<(), String> {
    let missing: Vec<String> = launch::REQUIRED
        .iter()
        .filter(|(element, _)| gst::ElementFactory::find(element).is_none())
        .map(|(element, package)| format!("{element} (package {package})"))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("GStreamer elements are missing: {}", missing.join(", "))) }
}
