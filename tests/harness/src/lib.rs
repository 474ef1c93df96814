//! What the black-box tests share. It imports nothing of the server's: what judges it must not share its mistakes.
//!
//! | module | what it does |
//! |---|---|
//! | [`server`] | starts `belvedere serve` with a state directory of its own, waits for the ready line, stops it |
//! | [`peers`] | the same for the independent cameras of `tests/peers` |
//! | [`process`] | children that end with their owner; what `/proc` says about a process |
//! | [`network`] | two hosts on a network of their own |
//! | [`turn`] | lets a heavy test have the machine to itself |
//! | [`play`] | real clients: ffprobe, ffmpeg, GStreamer, mpv |
//! | [`code_row`] | reads frame number and time from the picture |
//! | [`rtsp`] | an RTSP client that shows the wire and can misbehave |
//! | [`tunnel`] | the same through an HTTP tunnel, its base64 written in any shape |
//! | [`http`] | an HTTP client that shows the wire, and GET with Digest |
//! | [`digest`] | Digest as a client does it, RFC 2069, 2617 and 7616 |
//! | [`rtp`] | RTP and RTCP packets |
//! | [`units`] | access units out of RTP packets, for decoding what a raw session received |
//! | [`schema`] | judges SOAP messages by the official schemas |
//! | [`proxy`] | a recording HTTP proxy that has every response judged |
//! | [`soap`] | requests that a test composes itself, with or without a token, right or wrong |
//! | [`received`] | what a raw session received: packets, sender reports, from RTP time to wall clock |

pub mod code_row;
pub mod digest;
pub mod http;
pub mod network;
pub mod peers;
pub mod play;
pub mod process;
pub mod proxy;
pub mod received;
pub mod rtp;
pub mod rtsp;
pub mod schema;
pub mod server;
pub mod soap;
pub mod tunnel;
pub mod turn;
pub mod units;

pub use http::Http;
pub use peers::Peer;
pub use proxy::Proxy;
pub use rtsp::{Client, Transport};
pub use server::{Options, Server};
pub use turn::Turn;
