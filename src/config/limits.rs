//! `[limits]`.

use std::time::Duration;

use super::section::Section;
use crate::hub::RingLimits;

/// What clients may use up, and how long things wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time, per listener; bounded at the start by the files that the process may have open.
    pub connections: usize,
    /// Connections at one time from one address, per listener.
    pub connections_per_address: usize,
    /// RTSP sessions at one time.
    pub sessions: usize,
    /// Bytes of a request's head: request line and headers.
    pub head_bytes: usize,
    /// Bytes of an RTSP request's body.
    pub body_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// After how long without a request a connection that carries no session is closed.
    pub idle_timeout: Duration,
    /// After how long without a sign of life a session ends (KA-1).
    pub session_timeout: Duration,
    /// For how long a viewer may take no data before it is dropped.
    pub stalled_viewer: Duration,
    /// How much media each track keeps: seconds.
    pub ring_duration: Duration,
    /// How much media each track keeps: bytes.
    pub ring_bytes: usize,
    /// How long a source stays open after its last viewer.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            connections_per_address: 1024,
            sessions: 2048,
            head_bytes: 16 << 10,
            body_bytes: 64 << 10,
            headers: 64,
            idle_timeout: Duration::from_secs(60),
            session_timeout: Duration::from_secs(60),
            stalled_viewer: Duration::from_secs(30),
            ring_duration: Duration::from_secs(4),
            ring_bytes: 16 << 20,
            linger: Duration::from_secs(10),
        }
    }
}

impl Limits {
    pub(super) fn read(section: Section<'_>) -> Self {
        let default = Self::default();
        let count = |key, default: usize, range| section.number(key, default as u32, range) as usize;
        let seconds = |key, default: Duration, range| {
            Duration::from_secs(section.number(key, default.as_secs() as u32, range).into())
        };
        let limits = Self {
            connections: count("connections", default.connections, 1..=100_000),
            connections_per_address: count("connections-per-address", default.connections_per_address, 1..=100_000),
            sessions: count("sessions", default.sessions, 1..=100_000),
            head_bytes: count("head-bytes", default.head_bytes, 1024..=1 << 20),
            body_bytes: count("body-bytes", default.body_bytes, 0..=16 << 20),
            headers: count("headers", default.headers, 8..=1000),
            idle_timeout: seconds("idle-timeout", default.idle_timeout, 1..=3600),
            session_timeout: seconds("session-timeout", default.session_timeout, 2..=3600),
            stalled_viewer: seconds("stalled-viewer", default.stalled_viewer, 1..=3600),
            ring_duration: seconds("ring-seconds", default.ring_duration, 1..=60),
            ring_bytes: count("ring-bytes", default.ring_bytes, 1 << 20..=1 << 30),
            linger: seconds("linger", default.linger, 0..=3600),
        };
        section.finish();
        limits
    }

    /// Returns what each track keeps.
    pub fn ring(&self) -> RingLimits {
        RingLimits { duration: self.ring_duration, bytes: self.ring_bytes }
    }
}
