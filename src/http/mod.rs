//! The web listener: RTSP, HTTP tunnels of RTSP, and HTTP by path, all on one port.
//!
//! ```text
//! accept ─► admission ─► peek at the first head ─┬─► RTSP ───────────────┐
//!                                                ├─► tunnel GET, POST ───┴─► Conversations (the RTSP front)
//!                                                └─► HTTP ─► body, bounded ─► Router ─► handler
//! ```
//! What is handed over is declared here and implemented by the composition root: the rooms on this floor do not know each
//! other.

mod bodies;
pub mod peek;
mod prefixed;
mod router;
mod serve;
mod status;

#[cfg(test)]
mod tests;

pub use self::{
    router::{Ends, Handler, Router},
    serve::{Conversations, HttpLimits, HttpServer, TunnelHalf},
    status::{StatusCamera, status},
};
