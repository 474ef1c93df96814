//! The part of the RTSP front that decides. No sockets, clocks or threads here.

pub mod agreement;
pub mod answer;
pub mod message;
pub mod presentation;
pub mod range;
pub mod reports;
pub mod request;
pub mod rtp_info;
pub mod sdp;
pub mod session;
pub mod transport;
pub mod tunnel;
pub mod wire;
