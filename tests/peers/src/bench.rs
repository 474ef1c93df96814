//! The other side of a fan-out benchmark: gst-rtsp-server serving a pre-encoded H.264 stream in real time.
//!
//! Fed through `appsrc` from memory: a seekable `filesrc` in a shared media freezes when many readers play at once.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use gst::prelude::*;
use gst_rtsp_server::RTSPMediaFactory;
use gst_rtsp_server::prelude::*;

use crate::serve;

/// The most that is kept of a file.
const MOST_BYTES: usize = 512 << 20;

/// Options of `bench-serve`.
#[derive(Debug, Args)]
pub struct Options {
    /// An H.264 byte stream or an MP4 file, without B-frames.
    #[arg(long)]
    file: PathBuf,
    /// The port on loopback; 0 picks one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Pictures per second, if the file does not say.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: u32,
}

/// A stream in memory.
struct Stream {
    caps: gst::Caps,
    pictures: Vec<gst::Buffer>,
    interval: gst::ClockTime,
}

/// Serves until standard input ends.
///
/// # Errors
/// A text for the person at the terminal.
pub fn run(options: &Options) -> Result<(), String> {
    let stream = Arc::new(read(options)?);
    let factory = RTSPMediaFactory::new();
    factory.set_shared(true);
    factory.set_launch(
        "( appsrc name=src is-live=true format=time max-bytes=0 ! rtph264pay name=pay0 pt=96 config-interval=-1 )",
    );
    factory.connect_media_configure(move |_, media| {
        let source = media.element().downcast::<gst::Bin>().ok().and_then(|bin| bin.by_name("src"));
        let Some(source) = source.and_downcast::<gst_app::AppSrc>() else { return };
        let gone = Arc::new(AtomicBool::new(false));
        let (stream, flag) = (stream.clone(), gone.clone());
        std::thread::spawn(move || feed(&source, &stream, &flag));
        media.connect_unprepared(move |_| gone.store(true, Ordering::Relaxed));
    });
    serve::serve(&factory, options.port, None)
}

/// Reads all pictures of the file.
fn read(options: &Options) -> Result<Stream, String> {
    let line = "filesrc name=in ! parsebin ! h264parse config-interval=-1 \
                ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false";
    let pipeline = gst::parse::launch(line).map_err(|error| error.to_string())?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "no pipeline")?;
    let path = options.file.to_str().ok_or("a path that is not Unicode")?;
    pipeline.by_name("in").ok_or("no source")?.set_property("location", path);
    let sink = pipeline.by_name("out").and_downcast::<gst_app::AppSink>().ok_or("no sink")?;
    pipeline.set_state(gst::State::Playing).map_err(|error| format!("{path}: {error}"))?;
    let (mut pictures, mut bytes, mut caps) = (Vec::new(), 0, None);
    // An error ends the stream for the sink only when the pipeline is stopped: do not wait for ever.
    while let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_seconds(5)) {
        caps = sample.caps_owned().or(caps);
        let Some(buffer) = sample.buffer_owned() else { continue };
        bytes += buffer.size();
        pictures.push(buffer);
        if bytes > MOST_BYTES {
            return Err(format!("{path} is longer than {MOST_BYTES} bytes"));
        }
    }
    let _ = pipeline.set_state(gst::State::Null);
    let caps = caps.ok_or_else(|| format!("{path} holds no H.264 pictures"))?;
    let rate = caps.structure(0).and_then(|s| s.get::<gst::Fraction>("framerate").ok()).filter(|rate| rate.numer() > 0);
    let rate = rate.unwrap_or(gst::Fraction::new(options.fps as i32, 1));
    let interval = gst::ClockTime::SECOND.mul_div_floor(rate.denom() as u64, rate.numer() as u64);
    Ok(Stream { caps, pictures, interval: interval.ok_or("an impossible frame rate")? })
}

/// Pushes the pictures in real time, over and over.
fn feed(source: &gst_app::AppSrc, stream: &Stream, gone: &AtomicBool) {
    source.set_caps(Some(&stream.caps));
    while source.current_running_time().is_none() && !gone.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut next = source.current_running_time().unwrap_or_default();
    for picture in stream.pictures.iter().cycle() {
        if let Some(left) = source.current_running_time().and_then(|now| next.checked_sub(now)) {
            std::thread::sleep(Duration::from_nanos(left.nseconds()));
        }
        let mut picture = picture.clone();
        let writable = picture.make_mut();
        writable.set_pts(next);
        writable.set_dts(gst::ClockTime::NONE);
        writable.set_duration(stream.interval);
        if gone.load(Ordering::Relaxed) || source.push_buffer(picture).is_err() {
            return;
        }
        next += stream.interval;
    }
}
