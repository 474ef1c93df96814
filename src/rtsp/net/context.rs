//! What all connections of the RTSP front share.

use std::{sync::Arc, time::Duration};

use super::{registry::Registry, tracks::RtspTracks};
use crate::{auth::Gate, base::clock::Clock, camera::Cameras, rtsp::core::message};

/// The bounds of the RTSP front.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; more are answered 503.
    pub connections: usize,
    /// Connections at once from one address.
    pub connections_per_address: usize,
    /// Sessions at once; more are answered 453.
    pub sessions: usize,
    /// Sizes of messages.
    pub message: message::Limits,
    /// How long a connection without a session may be silent, and a message may take to arrive; a stranger may stay twice as
    /// long.
    pub idle: Duration,
    /// The announced session timeout.
    pub session_timeout: Duration,
    /// How long a viewer may take nothing at all before it is dropped.
    pub stalled: Duration,
    /// The kernel's send buffer for each viewer, in bytes.
    pub send_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            connections_per_address: 2048,
            sessions: 2048,
            message: message::Limits::default(),
            idle: Duration::from_secs(60),
            session_timeout: Duration::from_secs(60),
            stalled: Duration::from_secs(30),
            send_buffer: 256 << 10,
        }
    }
}

/// What all connections share.
pub struct RtspContext {
    pub(super) cameras: Arc<Cameras>,
    pub(super) gate: Arc<Gate>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    internal_user: Option<String>,
    pub(super) tracks: RtspTracks,
    pub(super) registry: Registry,
}

impl RtspContext {
    /// Attaches packets to every track of every camera.
    ///
    /// # Errors
    /// The system has no random source.
    pub fn new(
        cameras: Arc<Cameras>,
        gate: Arc<Gate>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        internal_user: Option<String>,
    ) -> Result<Arc<Self>, getrandom::Error> {
        let tracks = RtspTracks::new(&cameras)?;
        let registry = Registry::new(limits.sessions);
        Ok(Arc::new(Self { cameras, gate, clock, limits, internal_user, tracks, registry }))
    }

    /// Whether this is the user of the engine's one-run credential, who may see single tracks and nothing else.
    pub(super) fn is_internal(&self, user: &str) -> bool {
        self.internal_user.as_deref() == Some(user)
    }
}
