//! Writes an MP4 file whose pictures carry the code row.

use std::path::PathBuf;

use belvedere_engine::pattern::code_row::Code;
use belvedere_engine::pattern::frame::{FramePool, plane};
use belvedere_engine::pattern::picture::Tick;
use belvedere_engine::pattern::sound;
use clap::{Args, ValueEnum};
use gst::prelude::*;

use crate::Picture;

/// The UTC of the first picture, in milliseconds: 2026-01-01T00:00:00Z.
pub const START_UTC_MS: u64 = 1_767_225_600_000;

/// Options of `make-file`.
#[derive(Debug, Args)]
pub struct Options {
    /// The pictures.
    #[command(flatten)]
    pub picture: Picture,
    /// B-frames between two others.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=4))]
    pub bframes: u32,
    /// Length in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: u32,
    /// Fills the upper tenth of the pictures with noise, so that they need the bit rate they are given.
    #[arg(long)]
    pub noise: bool,
    /// The sound: a tick in each whole second.
    #[arg(long, value_enum, default_value = "none")]
    pub audio: Audio,
    /// The file to write.
    #[arg(long)]
    pub out: PathBuf,
}

/// The sound of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Audio {
    /// MPEG-4 AAC-LC, 16 kHz.
    Aac,
    /// No sound.
    None,
}

/// Writes the file.
///
/// # Errors
/// A text for the person at the terminal.
pub fn run(options: &Options) -> Result<(), String> {
    let pipeline = gst::parse::launch(&line(options)).map_err(|error| error.to_string())?;
    let pipeline = pipeline.downcast::<gst::Pipeline>().map_err(|_| "no pipeline")?;
    let find = |name: &str| pipeline.by_name(name).and_downcast::<gst_app::AppSrc>();
    let location = options.out.to_str().ok_or("a path that is not Unicode")?;
    pipeline.by_name("out").ok_or("no file sink")?.set_property("location", location);
    pipeline.set_state(gst::State::Playing).map_err(|error| format!("{location}: {error}"))?;
    let pictures = find("src").ok_or("no picture source")?;
    let (picture, seconds, noise) = (options.picture.clone(), options.seconds, options.noise);
    let drawer = std::thread::spawn(move || draw(&pictures, &picture, seconds, noise.then(Noise::default)));
    if let Some(tones) = find("snd") {
        tick(&tones, seconds);
    }
    drawer.join().map_err(|_| "drawing failed")??;
    let bus = pipeline.bus().ok_or("no bus")?;
    let end = bus.timed_pop_filtered(gst::ClockTime::NONE, &[gst::MessageType::Eos, gst::MessageType::Error]);
    let _ = pipeline.set_state(gst::State::Null);
    match end.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().to_string()),
        _ => Ok(()),
    }
}

fn line(options: &Options) -> String {
    let source = "appsrc format=time block=true max-buffers=4 max-bytes=0";
    let video = format!(
        "{source} name=src ! {} ! {} ! queue ! mp4mux name=mux ! filesink name=out",
        options.picture.encoder(options.bframes),
        options.picture.packer().0
    );
    match options.audio {
        Audio::None => video,
        Audio::Aac => format!(
            "{video} {source} name=snd ! audioresample ! audio/x-raw,rate=16000 ! voaacenc bitrate=64000 ! aacparse ! queue max-size-time=0 max-size-buffers=0 ! mux."
        ),
    }
}

/// Draws all pictures as fast as the encoder takes them.
fn draw(to: &gst_app::AppSrc, picture: &Picture, seconds: u32, mut noise: Option<Noise>) -> Result<(), String> {
    let mut pool = FramePool::new(picture.width, picture.height, picture.fps, "File")?;
    let caps = pool.caps()?;
    to.set_caps(Some(&caps));
    let pts = |number: u64| gst::ClockTime::from_nseconds(number * 1_000_000_000 / u64::from(picture.fps));
    for number in 0..u64::from(picture.fps * seconds) {
        let code = Code { number: number as u32, utc_ms: START_UTC_MS + pts(number).mseconds() };
        let tick = Tick { code, frame_rate: picture.fps };
        let mut buffer = loop {
            match pool.paint(&tick) {
                Some(buffer) => break buffer,
                // The encoder looks ahead further than the pool reaches.
                None => pool.clear(),
            }
        };
        if let Some(noise) = &mut noise {
            buffer = noise.over(&buffer, &caps)?;
        }
        let writable = buffer.make_mut();
        writable.set_pts(pts(number));
        writable.set_duration(pts(number + 1) - pts(number));
        to.push_buffer(buffer).map_err(|error| format!("the encoder failed: {error}"))?;
    }
    to.end_of_stream().map(drop).map_err(|error| error.to_string())
}

/// Noise that is the same in every run.
struct Noise(u64);

impl Default for Noise {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Noise {
    /// Copies a picture and fills the upper tenth of its luma.
    fn over(&mut self, picture: &gst::BufferRef, caps: &gst::CapsRef) -> Result<gst::Buffer, String> {
        let info = gst_video::VideoInfo::from_caps(caps).map_err(|error| error.to_string())?;
        let mut copy = picture.copy_deep().map_err(|error| error.to_string())?;
        if let Some(buffer) = copy.get_mut() {
            let mut map = buffer.map_writable().map_err(|error| error.to_string())?;
            let mut canvas = plane(&info, map.as_mut_slice(), 0);
            let width = info.width() as usize;
            for y in 0..info.height() as usize / 10 {
                canvas.row(y, 0, width).fill_with(|| self.next());
            }
        }
        Ok(copy)
    }

    /// Marsaglia's xorshift.
    fn next(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        16 + (self.0 >> 32) as u8 % 220
    }
}

/// Makes the sound.
fn tick(to: &gst_app::AppSrc, seconds: u32) {
    to.set_caps(Some(&sound::caps()));
    for number in 0..u64::from(seconds) * 50 {
        let mut buffer = gst::Buffer::from_slice(sound::samples(number));
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_mseconds(20 * number));
            buffer.set_duration(gst::ClockTime::from_mseconds(20));
        }
        if to.push_buffer(buffer).is_err() {
            return;
        }
    }
    let _ = to.end_of_stream();
}
