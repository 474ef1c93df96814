//! One elementary stream of a file, read in decode order.

use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gst::prelude::*;

/// How long opening a file may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Units that are read ahead.
const AHEAD: u32 = 32;

/// Which stream of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first video stream.
    Video,
    /// The first audio stream.
    Audio,
}

/// A coded picture or a piece of sound.
pub struct Unit {
    /// The bytes.
    pub buffer: gst::Buffer,
    /// Presentation time from the start of the file.
    pub at: gst::ClockTime,
    /// Whether decoding can start here.
    pub key: bool,
}

/// An open file, of which one stream is read.
pub struct Demux {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
    kind: Kind,
    caps: gst::Caps,
}

/// What the demuxer says while it opens.
enum Found {
    Stream,
    NoMore,
}

impl Demux {
    /// Opens a file; none if it has no stream of the kind.
    ///
    /// # Errors
    /// When the file cannot be read or is neither MP4 nor Matroska.
    pub fn open(path: &Path, kind: Kind) -> Result<Option<Self>, String> {
        let text = path.to_str().ok_or("a path that is not Unicode")?;
        let element = |name: &str| gst::ElementFactory::make(name).build().map_err(|error| error.to_string());
        let source = element("filesrc")?;
        source.set_property("location", text);
        let demuxer = element(demuxer_for(path)?)?;
        let pipeline = gst::Pipeline::new();
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(AHEAD).build();
        let add = || -> Result<(), gst::glib::BoolError> {
            pipeline.add_many([&source, &demuxer, sink.upcast_ref()])?;
            source.link(&demuxer)
        };
        add().map_err(|error| error.to_string())?;
        let found = link_first(&demuxer, &sink, kind);
        // From here on a drop stops the pipeline.
        let mut demux = Self { pipeline, sink, kind, caps: gst::Caps::new_any() };
        // A failure is told on the bus, with a better text.
        let _ = demux.pipeline.set_state(gst::State::Paused);
        if !demux.wait_for_stream(path, &found)? {
            return Ok(None);
        }
        // The first unit waits in the sink; its format came before it.
        let patience = gst::ClockTime::from_nseconds(PATIENCE.as_nanos() as u64);
        let first = demux.sink.try_pull_preroll(patience).and_then(|sample| sample.caps_owned());
        demux.caps = first.ok_or_else(|| format!("{} cannot be read: an empty stream", path.display()))?;
        demux.pipeline.set_state(gst::State::Playing).map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(bus) = demux.pipeline.bus() {
            // Nobody reads it any more; it must not fill.
            bus.set_flushing(true);
        }
        Ok(Some(demux))
    }

    /// The format of the stream.
    pub fn caps(&self) -> &gst::Caps {
        &self.caps
    }

    /// Which stream this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The length that the file claims, if it does.
    pub fn duration(&self) -> Option<gst::ClockTime> {
        self.pipeline.query_duration::<gst::ClockTime>()
    }

    /// Goes to the newest key frame at or before a time.
    ///
    /// # Errors
    /// When the file cannot be read there.
    pub fn seek(&self, to: gst::ClockTime) -> Result<(), String> {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT | gst::SeekFlags::SNAP_BEFORE;
        self.pipeline.seek_simple(flags, to).map_err(|error| error.to_string())
    }

    /// Reads the next unit; none at the end of the file, or where it breaks.
    pub fn next_unit(&self) -> Option<Unit> {
        let sample = self.sink.pull_sample().ok()?;
        let buffer = sample.buffer_owned()?;
        let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
        let at = segment.to_stream_time(buffer.pts()?).unwrap_or_default();
        let key = self.kind == Kind::Audio || !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        Some(Unit { buffer, at, key })
    }

    /// Waits until the stream is linked; false if there is none of the kind.
    fn wait_for_stream(&self, path: &Path, found: &Receiver<Found>) -> Result<bool, String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match found.recv_timeout(Duration::from_millis(20)) {
                Ok(Found::Stream) => return Ok(true),
                Ok(Found::NoMore) => return Ok(false),
                Err(_) => self.check(path)?,
            }
        }
        Err(format!("{} could not be opened within {PATIENCE:?}", path.display()))
    }

    /// Fails if the pipeline has failed.
    fn check(&self, path: &Path) -> Result<(), String> {
        let types = [gst::MessageType::Error, gst::MessageType::Eos];
        let message = self.pipeline.bus().and_then(|bus| bus.pop_filtered(&types));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => {
                Err(format!("{} cannot be read: {}", path.display(), error.error()))
            }
            Some(_) => Err(format!("{} has no streams", path.display())),
            None => Ok(()),
        }
    }
}

impl Drop for Demux {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Chooses the demuxer by the first bytes of the file.
fn demuxer_for(path: &Path) -> Result<&'static str, String> {
    let mut head = [0; 8];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    match head {
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Ok("matroskademux"),
        [_, _, _, _, b'f', b't', b'y', b'p'] => Ok("qtdemux"),
        _ => Err(format!("{} is neither MP4 nor Matroska", path.display())),
    }
}

/// Links the first stream of the kind when it appears.
fn link_first(demuxer: &gst::Element, sink: &gst_app::AppSink, kind: Kind) -> Receiver<Found> {
    let (sender, found) = channel();
    let prefix = match kind {
        Kind::Video => "video",
        Kind::Audio => "audio",
    };
    let (pad_sender, sink) = (sender.clone(), sink.clone());
    demuxer.connect_pad_added(move |_, pad| {
        let target = sink.static_pad("sink").filter(|target| !target.is_linked());
        if let Some(target) = target.filter(|_| pad.name().starts_with(prefix))
            && pad.link(&target).is_ok()
        {
            let _ = pad_sender.send(Found::Stream);
        }
    });
    demuxer.connect_no_more_pads(move |_| {
        let _ = sender.send(Found::NoMore);
    });
    found
}
