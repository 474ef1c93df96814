//! The running pipeline of one track's encoder, and what can be changed in it (engine.md, section 4).

use std::sync::{Arc, Mutex, PoisonError};

use belvedere_engine_control::{AudioCodec, AudioEncoder, Look, VideoCodec, VideoEncoder};
use gst::prelude::*;

use crate::fanout::{Fanout, Link};
use crate::launch;
use crate::pattern::frame::plane;
use crate::pattern::picture::Area;

/// The pattern's own size and the name that it already carries.
#[derive(Debug, Clone)]
pub struct Captured {
    /// Width of the captured picture.
    pub width: u32,
    /// Height of the captured picture.
    pub height: u32,
    /// The definition name painted into every captured picture.
    pub label: Arc<str>,
}

/// A running video encoder. Belongs to one media: two media of one track may live at once.
pub struct VideoChain {
    bin: gst::Bin,
    spec: VideoEncoder,
    label: Arc<Mutex<String>>,
    link: Link,
}

impl VideoChain {
    /// Connects a media's pipeline, built from [`launch::video`], to the pictures.
    pub fn new(
        bin: gst::Bin,
        spec: &VideoEncoder,
        look: Look,
        pictures: &Arc<Fanout>,
        captured: Option<&Captured>,
    ) -> Result<Self, String> {
        let source = find(&bin, "src")?.downcast::<gst_app::AppSrc>().map_err(|_| "src is no appsrc")?;
        let label = Arc::new(Mutex::new(spec.label.clone()));
        if let Some(captured) = captured {
            paint_labels(&pad(&find(&bin, "size")?, "src")?, captured.clone(), label.clone());
        }
        let link = pictures.attach(&source, spec.frame_rate);
        let chain = Self { bin, spec: spec.clone(), label, link };
        chain.look(look)?;
        Ok(chain)
    }

    /// Changes the look of the pictures, from the next one on.
    pub fn look(&self, look: Look) -> Result<(), String> {
        let element = find(&self.bin, "look")?;
        // 0 to 100 with 50 in the middle; the element has -1 to 1 around 0, and 0 to 2 around 1.
        element.set_property("brightness", f64::from(look.brightness) / 50.0 - 1.0);
        element.set_property("contrast", f64::from(look.contrast) / 50.0);
        element.set_property("saturation", f64::from(look.saturation) / 50.0);
        Ok(())
    }

    /// Changes what can be changed in place: bit rate, quality, size, frame rate, name.
    pub fn set(&mut self, new: &VideoEncoder) -> Result<(), String> {
        let encoder = find(&self.bin, "enc")?;
        match new.codec {
            VideoCodec::H264 | VideoCodec::H265 => encoder.set_property("bitrate", new.bitrate_kbps),
            VideoCodec::Jpeg => encoder.set_property("quality", new.quality as i32),
        }
        self.reshape(new)
    }

    /// Exchanges the encoder element while no picture is between it and its queue; none is lost.
    pub fn swap(&mut self, new: &VideoEncoder) -> Result<(), String> {
        let fresh = gst::parse::launch(&launch::encoder(new)).map_err(|error| format!("no such encoder: {error}"))?;
        let profile = caps(launch::profile_caps(new))?;
        let bin = self.bin.clone();
        let before = pad(&find(&bin, "before")?, "src")?;
        let fresh = Mutex::new(Some(fresh));
        before.add_probe(gst::PadProbeType::IDLE, move |_, _| {
            // Called once in general, but a pad may be found idle twice before the probe is gone.
            let fresh = fresh.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(Err(reason)) = fresh.map(|fresh| exchange(&bin, &fresh, &profile)) {
                gst::element_error!(bin, gst::LibraryError::Encode, ["the encoder was not exchanged: {reason}"]);
            }
            gst::PadProbeReturn::Remove
        });
        self.reshape(new)
    }

    /// Asks for a key frame with parameter sets.
    pub fn key(&self) -> Result<(), String> {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        match pad(&find(&self.bin, "enc")?, "src")?.send_event(event) {
            true => Ok(()),
            false => Err("the encoder takes no key frame request".into()),
        }
    }

    /// Applies size, frame rate and name.
    fn reshape(&mut self, new: &VideoEncoder) -> Result<(), String> {
        if (new.width, new.height) != (self.spec.width, self.spec.height) {
            find(&self.bin, "size")?.set_property("caps", caps(&launch::size_caps(new))?);
        }
        self.link.set_rate(new.frame_rate);
        self.label.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&new.label);
        self.spec = new.clone();
        Ok(())
    }
}

/// A running audio encoder.
pub struct AudioChain {
    _link: Link,
}

impl AudioChain {
    /// Connects a media's pipeline, built from [`launch::audio`], to the sound.
    pub fn new(bin: &gst::Bin, spec: &AudioEncoder, sound: &Arc<Fanout>) -> Result<Self, String> {
        let source = find(bin, "src")?.downcast::<gst_app::AppSrc>().map_err(|_| "src is no appsrc")?;
        if spec.codec == AudioCodec::Aac {
            advance(&pad(&find(bin, "enc")?, "src")?, aac_delay(spec.sample_rate));
        }
        Ok(Self { _link: sound.attach(&source, 0) })
    }
}

/// How long after its time stamp a decoder gives out what went into the AAC encoder.
///
/// The encoder looks ahead; it stamps its output with the time of what came in, and RTP has no edit list that would tell the
/// decoder. Measured by decoding the pattern's tick: see `tests/sound.rs`.
fn aac_delay(sample_rate: u32) -> gst::ClockTime {
    const SAMPLES: u64 = 1600;
    gst::ClockTime::from_nseconds(SAMPLES * 1_000_000_000 / u64::from(sample_rate.max(1)))
}

/// Moves the time stamps of what leaves a pad into the past.
fn advance(pad: &gst::Pad, by: gst::ClockTime) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            let buffer = buffer.make_mut();
            buffer.set_pts(buffer.pts().map(|pts| pts.saturating_sub(by)));
            buffer.set_dts(buffer.dts().map(|dts| dts.saturating_sub(by)));
        }
        gst::PadProbeReturn::Ok
    });
}

/// Puts another encoder between the queue and the caps filter.
fn exchange(bin: &gst::Bin, fresh: &gst::Element, profile: &gst::Caps) -> Result<(), String> {
    let (before, old, after) = (find(bin, "before")?, find(bin, "enc")?, find(bin, "profile")?);
    before.unlink(&old);
    old.unlink(&after);
    // The old one leaves the bin first: two elements of one name cannot be in it.
    bin.remove(&old).map_err(|error| error.to_string())?;
    old.set_state(gst::State::Null).map_err(|error| error.to_string())?;
    after.set_property("caps", profile);
    bin.add(fresh).map_err(|error| error.to_string())?;
    gst::Element::link_many([&before, fresh, &after]).map_err(|error| error.to_string())?;
    fresh.sync_state_with_parent().map_err(|error| error.to_string())
}

/// Paints the definition's own name into the pictures that pass a pad behind the scaler.
///
/// A picture of the captured size is the captured picture itself, shared with everybody: it carries the name already, and
/// is copied only if this definition's name is another.
fn paint_labels(pad: &gst::Pad, captured: Captured, label: Arc<Mutex<String>>) {
    let format: Mutex<Option<(gst::Caps, gst_video::VideoInfo)>> = Mutex::default();
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let label = label.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(caps) = pad.current_caps() else { return gst::PadProbeReturn::Ok };
        let mut format = format.lock().unwrap_or_else(PoisonError::into_inner);
        if format.as_ref().is_none_or(|(known, _)| *known != caps) {
            *format = gst_video::VideoInfo::from_caps(&caps).ok().map(|info| (caps, info));
        }
        let Some((_, video)) = &*format else { return gst::PadProbeReturn::Ok };
        let whole = (video.width(), video.height()) == (captured.width, captured.height);
        if whole && **label == *captured.label {
            return gst::PadProbeReturn::Ok;
        }
        let from = (captured.width as usize, captured.height as usize);
        let area = Area::fitted(from, (video.width() as usize, video.height() as usize));
        if let Some(Ok(mut map)) = info.buffer_mut().map(|buffer| buffer.make_mut().map_writable()) {
            area.paint_label(&mut plane(video, map.as_mut_slice(), 0), &label);
        }
        gst::PadProbeReturn::Ok
    });
}

fn find(bin: &gst::Bin, name: &str) -> Result<gst::Element, String> {
    bin.by_name(name).ok_or_else(|| format!("the pipeline has no {name}"))
}

fn pad(element: &gst::Element, name: &str) -> Result<gst::Pad, String> {
    element.static_pad(name).ok_or_else(|| format!("{} has no {name} pad", element.name()))
}

fn caps(text: &str) -> Result<gst::Caps, String> {
    text.parse().map_err(|error| format!("{error}: {text}"))
}
