//! Belvedere's media engine: a small private RTSP camera on GStreamer.
//!
//! The only code of the project that links GStreamer. The server starts it as a child, speaks
//! [`belvedere_engine_control`] with it over standard input and output, and pulls its tracks by RTSP over loopback.
//!
//! From outside to inside: [`shell`] (process, lines, main loop) → [`engine`] (one run put together) → [`tracks`] (paths and
//! commands) → [`encoder`] (one running pipeline, from a [`launch`] line, fed by a [`fanout`]) ← sources ([`pattern`], [`mod@file`], [`decode`]).
//! [`settings`] lists the defaults of gst-rtsp-server that must be changed; [`timeline`] is the one clock.

pub mod accept;
pub mod decode;
pub mod encoder;
pub mod engine;
pub mod events;
pub mod fanout;
pub mod file;
pub mod health;
pub mod launch;
pub mod lines;
pub mod pattern;
pub mod settings;
pub mod shell;
pub mod spec;
pub mod timeline;
pub mod tracks;
