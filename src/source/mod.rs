//! How pictures come in: everything arrives as RTSP and is pulled with retina, from the media engine exactly as from a
//! camera on the network (design rule 1).
//!
//! ```text
//! engine child ◄─ control ─ EngineSupervisor ─ run ─► EnginePull (one per engine track) ─┐
//! camera on the network ◄──────────────────────────── UpstreamPull (one per address) ────┴─► hub tracks
//! ```
//! A pull runs while its tracks are leased, and a linger longer.

mod assemble;
mod demand;
mod engine;
mod entry;
#[cfg(test)]
mod fake;
mod pull;
mod reorder;
mod timeline;
mod upstream;

pub use self::{
    engine::{DecodeAccess, EngineFeed, EngineSettings, EngineSource},
    upstream::{Upstream, UpstreamSettings},
};
