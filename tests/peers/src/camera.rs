//! A camera: the engine's test pattern behind gst-rtsp-server with its own defaults.

use std::sync::{Arc, Mutex, PoisonError};

use belvedere_engine::fanout::{Fanout, Link};
use belvedere_engine::health::Health;
use belvedere_engine::pattern::frame::FramePool;
use belvedere_engine::pattern::{capture, sound};
use belvedere_engine::timeline::Timeline;
use clap::{Args, ValueEnum};
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPMedia, RTSPMediaFactory};

use crate::{Picture, serve};

/// Options of `camera`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    picture: Picture,
    /// Asks for this user and password, as `user:password`, by digest.
    #[arg(long)]
    digest: Option<String>,
    /// The port on loopback; 0 picks one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The sound.
    #[arg(long, value_enum, default_value = "none")]
    audio: Audio,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Audio {
    Aac,
    Pcmu,
    None,
}

/// Serves until standard input ends.
///
/// # Errors
/// A text for the person at the terminal.
pub fn run(options: &Options) -> Result<(), String> {
    let picture = &options.picture;
    let (pictures, tones) = (Arc::new(Fanout::default()), Arc::new(Fanout::default()));
    let timeline = Timeline::start();
    let pool = FramePool::new(picture.width, picture.height, picture.fps, "Camera")?;
    capture::start(pool, picture.fps, timeline.clone(), pictures.clone(), Arc::new(Health::default()))?;
    sound::start(timeline, tones.clone())?;
    let factory = RTSPMediaFactory::new();
    factory.set_launch(&launch(options));
    factory.set_shared(true);
    factory.connect_media_configure(move |_, media| {
        let links: Vec<Link> = [("src", &pictures), ("snd", &tones)]
            .iter()
            .filter_map(|(name, from)| connect(media, name, from))
            .collect();
        let links = Mutex::new(links);
        media.connect_unprepared(move |_| links.lock().unwrap_or_else(PoisonError::into_inner).clear());
    });
    serve::serve(&factory, options.port, options.digest.as_deref())
}

fn launch(options: &Options) -> String {
    let (parser, payloader) = options.picture.packer();
    let video = format!(
        "appsrc name=src ! queue ! {} ! {parser} ! {payloader} name=pay0 pt=96 config-interval=-1",
        options.picture.encoder(0)
    );
    let audio = match options.audio {
        Audio::None => "",
        Audio::Aac => {
            "appsrc name=snd ! audioresample ! audio/x-raw,rate=16000 ! voaacenc bitrate=64000 ! aacparse ! rtpmp4gpay name=pay1 pt=97"
        }
        Audio::Pcmu => "appsrc name=snd ! audioresample ! audio/x-raw,rate=8000 ! mulawenc ! rtppcmupay name=pay1 pt=0",
    };
    format!("( {video} {audio} )")
}

/// Feeds an `appsrc` of a media, with times that count from the media's own start.
fn connect(media: &RTSPMedia, name: &str, from: &Arc<Fanout>) -> Option<Link> {
    let source = media.element().downcast::<gst::Bin>().ok()?.by_name(name)?.downcast::<gst_app::AppSrc>().ok()?;
    let shift: Mutex<Option<(gst::ClockTime, gst::ClockTime)>> = Mutex::default();
    source.static_pad("src")?.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let now = pad.parent_element().and_then(|element| element.current_running_time());
        let Some((buffer, now)) = info.buffer_mut().zip(now) else { return gst::PadProbeReturn::Ok };
        let Some(pts) = buffer.pts() else { return gst::PadProbeReturn::Ok };
        let (first, start) = *shift.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((pts, now));
        buffer.make_mut().set_pts(start + pts.saturating_sub(first));
        gst::PadProbeReturn::Ok
    });
    Some(from.attach(&source, 0))
}
