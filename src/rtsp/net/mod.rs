//! The part of the RTSP front that owns sockets and timers.
//!
//! ```text
//! listener ─► Connection (one task each) ── requests ──► Handler ──► Registry of sessions
//!                 │ interleaved media: Player = cursor + channel             │ UDP media
//!                 └── Outbox ─► ByteChannel                                  └──► Outlet (one task per track and local address)
//! ```

mod channel;
mod connection;
mod context;
mod entry;
mod handler;
mod inbox;
mod outbox;
mod outlet;
mod patience;
mod player;
mod registry;
#[cfg(test)]
mod scene;
mod server;
#[cfg(test)]
mod tests;
mod tracks;
mod tunnel;
mod udp;

pub use self::{
    channel::ByteChannel,
    context::{Limits, RtspContext},
    server::RtspServer,
};
