//! The pipeline that pulls and decodes one stream.

use std::sync::{Arc, Mutex, PoisonError};

use belvedere_engine_control::Secret;
use gst::prelude::*;

use super::times::{Times, Unbroken, from_ntp};
use crate::fanout::Fanout;
use crate::file::demux::Kind;
use crate::health::Health;
use crate::pattern::sound;
use crate::timeline::Timeline;

/// Where to pull, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// RTSP address on loopback, without credentials.
    pub url: String,
    /// User of the one-run credential.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// A running pull; dropping it ends it.
pub struct Pull {
    pipeline: gst::Pipeline,
    pictures: Option<Arc<Pictures>>,
}

impl Pull {
    /// Starts to pull and decode into a fan-out.
    ///
    /// # Errors
    /// When the pipeline cannot be built or started.
    pub fn start(
        kind: Kind,
        address: &Address,
        timeline: &Timeline,
        to: &Arc<Fanout>,
        health: &Arc<Health>,
    ) -> Result<Self, String> {
        let pipeline = gst::parse::launch(line(kind)).map_err(|error| error.to_string())?;
        let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "no pipeline")?;
        let times = Arc::new(Mutex::new(Times::default()));
        let pictures = (kind == Kind::Video).then(|| Arc::new(Pictures::new(timeline, &times, to, health)));
        let pull = Self { pipeline, pictures: pictures.clone() };
        let (source, decoder) = (pull.find("in")?, pull.find("decoder")?);
        source.set_property("location", &address.url);
        source.set_property("user-id", &address.user);
        source.set_property("user-pw", address.password.reveal());
        link_when_added(&source, &decoder, kind, note_times(timeline, &times));
        let converter = pull.find("converter")?;
        decoder.connect_pad_added(move |_, pad| {
            if let Some(sink) = converter.static_pad("sink").filter(|sink| !sink.is_linked()) {
                let _ = pad.link(&sink);
            }
        });
        let sink = pull.find("sink")?.downcast::<gst_app::AppSink>().map_err(|_| "no appsink")?;
        let new_sample = match pictures {
            Some(pictures) => give_pictures(pictures),
            None => give_sound(timeline, &times, to),
        };
        sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(new_sample).build());
        pull.pipeline.set_state(gst::State::Playing).map_err(|error| error.to_string())?;
        Ok(pull)
    }

    /// Waits a moment; fails when the pull has ended. A picture that no other follows is given out here.
    ///
    /// # Errors
    /// What the pipeline said, or that the stream ended.
    pub fn check(&self, moment: gst::ClockTime) -> Result<(), String> {
        if let Some(pictures) = &self.pictures {
            pictures.give(None);
        }
        let bus = self.pipeline.bus().ok_or("no bus")?;
        let types = [gst::MessageType::Error, gst::MessageType::Eos];
        match bus.timed_pop_filtered(moment, &types).as_ref().map(|message| message.view()) {
            None => Ok(()),
            Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
            Some(_) => Err("the stream ended".into()),
        }
    }

    fn find(&self, name: &str) -> Result<gst::Element, String> {
        self.pipeline.by_name(name).ok_or_else(|| format!("the pipeline has no {name}"))
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Over TCP nothing comes out of order: no jitter buffer delay is needed. Nothing is synchronised here; times are set by hand.
fn line(kind: Kind) -> &'static str {
    match kind {
        Kind::Video => {
            "rtspsrc name=in protocols=tcp latency=0 buffer-mode=none add-reference-timestamp-meta=true \
             decodebin name=decoder \
             videoconvert name=converter ! video/x-raw,format=I420 ! appsink name=sink sync=false max-buffers=2"
        }
        Kind::Audio => {
            "rtspsrc name=in protocols=tcp latency=0 buffer-mode=none add-reference-timestamp-meta=true \
             decodebin name=decoder \
             audioconvert name=converter ! audioresample ! audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=1 \
             ! appsink name=sink sync=false max-buffers=8"
        }
    }
}

type Note = Box<dyn Fn(&gst::BufferRef) + Send + Sync>;

/// Links the first stream of the kind to the decoder and has its packets noted.
fn link_when_added(source: &gst::Element, decoder: &gst::Element, kind: Kind, note: Note) {
    let (decoder, note) = (decoder.clone(), Arc::new(note));
    let wanted = match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
    };
    source.connect_pad_added(move |_, pad| {
        let media = pad.current_caps().or_else(|| Some(pad.query_caps(None)));
        let media = media.and_then(|caps| caps.structure(0)?.get::<String>("media").ok());
        let sink = decoder.static_pad("sink").filter(|sink| !sink.is_linked());
        let (Some(sink), Some(wanted)) = (sink, media.filter(|media| media == wanted)) else { return };
        let note = note.clone();
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => note(buffer),
                Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(|buffer| note(buffer)),
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
        if let Err(error) = pad.link(&sink) {
            tracing::warn!(%error, wanted, "the stream cannot be decoded");
        }
    });
}

fn note_times(timeline: &Timeline, times: &Arc<Mutex<Times>>) -> Note {
    let (timeline, times) = (timeline.clone(), times.clone());
    Box::new(move |buffer| {
        let Some(stream) = buffer.pts() else { return };
        let ntp = buffer.iter_meta::<gst::ReferenceTimestampMeta>().find_map(|meta| {
            let is_ntp = meta.reference().structure(0)?.name() == "timestamp/x-ntp";
            is_ntp.then(|| from_ntp(meta.timestamp(), timeline.base_utc_ns())).flatten()
        });
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        times.note(stream, ntp, timeline.now());
    })
}

type NewSample = Box<dyn FnMut(&gst_app::AppSink) -> Result<gst::FlowSuccess, gst::FlowError> + Send>;

/// Gives decoded pictures to the encoders.
fn give_pictures(pictures: Arc<Pictures>) -> NewSample {
    Box::new(move |sink| {
        pictures.give(Some(sink.pull_sample().map_err(|_| gst::FlowError::Eos)?));
        Ok(gst::FlowSuccess::Ok)
    })
}

/// Gives decoded sound to the encoders. What comes before its capture time is known is left out: unlike pictures it cannot be
/// moved without a gap.
fn give_sound(timeline: &Timeline, times: &Arc<Mutex<Times>>, to: &Arc<Fanout>) -> NewSample {
    let (timeline, times, to) = (timeline.clone(), times.clone(), to.clone());
    let mut line = Unbroken::default();
    Box::new(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let Some((buffer, caps)) = sample.buffer_owned().zip(sample.caps_owned()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        let placed = {
            let times = times.lock().unwrap_or_else(PoisonError::into_inner);
            let captured =
                buffer.pts().filter(|_| times.are_settled(timeline.now())).and_then(|pts| times.captured(pts));
            captured.and_then(|captured| line.place(captured, sound::length(buffer.size())))
        };
        if let Some((running, broken)) = placed {
            to.push(&stamped(buffer, running, broken), &caps);
        }
        Ok(gst::FlowSuccess::Ok)
    })
}

/// Where decoded pictures go, each with its capture time. The bytes are shared.
struct Pictures {
    timeline: Timeline,
    times: Arc<Mutex<Times>>,
    to: Arc<Fanout>,
    health: Arc<Health>,
    /// The newest picture, while its capture time is not known. Those before it are left out, as any encoder that is late would.
    waiting: Mutex<Option<gst::Sample>>,
}

impl Pictures {
    fn new(timeline: &Timeline, times: &Arc<Mutex<Times>>, to: &Arc<Fanout>, health: &Arc<Health>) -> Self {
        let (timeline, times) = (timeline.clone(), times.clone());
        Self { timeline, times, to: to.clone(), health: health.clone(), waiting: Mutex::default() }
    }

    /// Gives out what waits and then what has just been decoded, as far as their capture times are known.
    fn give(&self, decoded: Option<gst::Sample>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.timeline.now();
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if !times.are_settled(now) {
            *waiting = decoded.or(waiting.take());
            return;
        }
        for sample in waiting.take().into_iter().chain(decoded) {
            let Some((buffer, caps)) = sample.buffer_owned().zip(sample.caps_owned()) else { continue };
            let Some(running) = buffer.pts().and_then(|pts| times.running(pts)) else { continue };
            self.to.push(&stamped(buffer, running, false), &caps);
            self.health.captured(now.saturating_sub(running));
        }
    }
}

fn stamped(mut buffer: gst::Buffer, running: gst::ClockTime, broken: bool) -> gst::Buffer {
    let writable = buffer.make_mut();
    writable.set_pts(running);
    writable.set_dts(gst::ClockTime::NONE);
    if broken {
        writable.set_flags(gst::BufferFlags::DISCONT);
    } else {
        writable.unset_flags(gst::BufferFlags::DISCONT);
    }
    buffer
}
