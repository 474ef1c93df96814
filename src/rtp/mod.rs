//! RTP and RTCP: packets, payload formats and what a session description says of them. No I/O, no clock.
//!
//! A track owns one [`packetizer::Packetizer`]; it turns each unit into one [`packetizer::PacketBlock`] that all viewers
//! share. [`payload`] knows the payload formats, [`sps`] reads sequence parameter sets, [`sdp_params`] writes format
//! parameters, [`rtcp`] writes and reads reports.

pub mod packet;
pub mod packetizer;
pub mod payload;
pub mod rtcp;
pub mod sdp_params;
pub mod sps;
