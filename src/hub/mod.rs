//! The meeting point of sources and doors.
//!
//! A [`Track`] is one encoded stream of a camera: a bounded ring of immutable, numbered [`Unit`]s that one producer
//! fills and any number of readers look at through a [`Cursor`] each. A producer never waits for a reader; a reader
//! that falls behind the ring is told how much it lost and goes on at a key frame. A [`Lease`] says that somebody wants the track:
//! sources run while there is one.
//!
//! ```text
//! source ── publish(NewUnit) ──► Track ── ring ──► Cursor ── Next::{Unit, Lagged} ──► door
//!    ▲                             │
//!    └── leases, key requests ◄────┘
//! ```

mod cursor;
mod parameters;
mod ring;
mod track;
mod unit;

#[cfg(test)]
mod tests;

pub use self::{
    cursor::{Cursor, Next},
    parameters::{Codec, G711Law, Kind, Parameters},
    ring::RingLimits,
    track::{EntryTime, KeyRequests, Lease, Packetise, SourceState, Track, TrackId, Window, WirePackets},
    unit::{CaptureTime, MediaTime, NewUnit, TimeQuality, Unit},
};
