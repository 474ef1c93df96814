//! The RTSP front: the door through which players and recorders get their pictures.
//!
//! [`core`] decides (messages, sessions, descriptions, packets; no I/O, no clock), [`net`] moves the bytes.

pub mod core;
pub mod net;
