//! How others on the network find our cameras: WS-Discovery as ONVIF uses it (Core section 7), and DNS-SD beside it.
//!
//! [`core`] decides what is said and when; [`net`] has the sockets and the timers. Each camera is an endpoint of its own. An
//! ordinary network needs no configuration; across VLANs and out of containers multicast does not reach, but a unicast Probe
//! does, and what addresses are told is for [`core::XAddrs`] to say.

pub mod core;
pub mod net;

pub use self::{
    core::{Device, Mode, XAddrs},
    net::{Advert, AdvertKind, Discovery, Endpoint, Settings},
};
