//! Cameras, files and a benchmark peer for the black-box tests.
//!
//! The cameras are gst-rtsp-server with its own defaults and its own digest: what Belvedere must be able to pull, made by
//! others. They print one JSON line when they listen, `{"ready":true,"url":"rtsp://127.0.0.1:PORT/cam"}`, and end with
//! their standard input or on a signal.

pub mod bench;
pub mod camera;
pub mod make_file;
mod serve;

use clap::{Args, ValueEnum};

/// A video codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Codec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

/// The pictures of a peer.
#[derive(Debug, Clone, Args)]
pub struct Picture {
    /// The video codec.
    #[arg(long, value_enum, default_value = "h264")]
    pub codec: Codec,
    /// Width in pixels.
    #[arg(long, default_value_t = 1280)]
    pub width: u32,
    /// Height in pixels.
    #[arg(long, default_value_t = 720)]
    pub height: u32,
    /// Pictures per second.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: u32,
    /// Distance of key frames, in pictures.
    #[arg(long, default_value_t = 30)]
    pub gop: u32,
    /// H.265 with B-frames: key frames are CRA pictures, whose leading pictures look back beyond them.
    #[arg(long)]
    pub open_gop: bool,
    /// Target bit rate, in kbit/s.
    #[arg(long, default_value_t = 1000)]
    pub bitrate: u32,
}

impl Picture {
    /// The encoder as launch text, with so many B-frames.
    fn encoder(&self, bframes: u32) -> String {
        let Self { codec, gop, bitrate, .. } = self;
        let open = u8::from(self.open_gop);
        match (codec, bframes) {
            (Codec::H264, 0) => format!(
                "x264enc tune=zerolatency speed-preset=superfast sliced-threads=false threads=1 key-int-max={gop} bitrate={bitrate} ! video/x-h264,profile=main"
            ),
            (Codec::H264, _) => format!(
                "x264enc speed-preset=superfast threads=2 bframes={bframes} b-adapt=false key-int-max={gop} bitrate={bitrate} option-string=scenecut=0 ! video/x-h264,profile=high"
            ),
            // Without B-frames it is a camera that is watched live: no look-ahead of half a second.
            (Codec::H265, 0) => format!(
                "x265enc tune=zerolatency speed-preset=ultrafast key-int-max={gop} bitrate={bitrate} log-level=error option-string=open-gop={open}:scenecut=0"
            ),
            (Codec::H265, _) => format!(
                "x265enc speed-preset=ultrafast key-int-max={gop} bitrate={bitrate} log-level=error option-string=open-gop={open}:scenecut=0:b-adapt=0:bframes={bframes}"
            ),
        }
    }

    /// The parser and the RTP payloader of the codec.
    fn packer(&self) -> (&'static str, &'static str) {
        match self.codec {
            Codec::H264 => ("h264parse", "rtph264pay"),
            Codec::H265 => ("h265parse", "rtph265pay"),
        }
    }
}
