//! Belvedere, a network video server: the map of the house.
//!
//! | room | what lives there |
//! |---|---|
//! | [`base`] | clock, errors, redaction; imports nothing of ours |
//! | [`hub`] | one numbered, bounded ring of units per track; readers are cursors |
//! | [`rtp`] | packets, RTCP and payload formats; no I/O |
//! | [`auth`] | users, levels, Digest |
//! | [`store`] | the SQLite file and its migrations |
//! | [`host`] | the machine: clock, network, reboot; real or simulated |
//! | [`config`] | the configuration file: read, check |
//! | [`camera`] | the model of a camera: identity, profiles, configurations |
//! | [`source`] | how pictures come in: engine child, pull |
//! | [`rtsp`] | the RTSP front |
//! | [`http`] | the web listener: peek, routing by path |
//! | [`web`] | snapshots |
//! | [`onvif`] | the ONVIF front: SOAP |
//! | [`discovery`] | how cameras are found: WS-Discovery, DNS-SD |
//! | [`cli`] | the command line |
//! | [`server`] | the composition root |
//! | [`state`] | the state directory: database, device key and users put together |
//!
//! `base ← hub, rtp, auth, store, host ← camera ← doors and sources ← server`. Siblings never import each other;
//! `tests/architecture/` holds the code against this.

pub mod auth;
pub mod base;
pub mod camera;
pub mod cli;
pub mod config;
pub mod discovery;
pub mod host;
pub mod http;
pub mod hub;
pub mod onvif;
pub mod rtp;
pub mod rtsp;
pub mod server;
pub mod source;
pub mod state;
pub mod store;
pub mod web;
