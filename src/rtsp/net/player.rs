//! Interleaved media of one connection.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::tracks::RtspTrack;
use crate::{
    base::clock::MonoTime,
    hub::{Cursor, Next},
    rtsp::core::{
        agreement::Agreement,
        reports::{goodbye, interleave, sender_report},
        session::SessionId,
        wire::Wire,
    },
};

/// One playing track: a cursor and the channels it goes to.
pub(super) struct Player {
    pub(super) session: SessionId,
    pub(super) track: Arc<RtspTrack>,
    pub(super) channels: (u8, u8),
    pub(super) cursor: Cursor,
    agreement: Agreement,
    next_report: Option<MonoTime>,
    lost: u64,
}

/// What a player has for its connection.
pub(super) enum Media {
    /// A unit as bytes.
    Unit(Bytes),
    /// The units are no longer what the client was told: it must ask anew.
    Changed,
}

const REPORT_INTERVAL: Duration = Duration::from_secs(5);

impl Player {
    pub(super) fn new(
        session: SessionId,
        track: Arc<RtspTrack>,
        channels: (u8, u8),
        agreement: Agreement,
        cursor: Cursor,
    ) -> Self {
        Self { session, track, channels, cursor, agreement, next_report: None, lost: 0 }
    }

    /// The next unit, if there is one.
    pub(super) fn next(&mut self) -> Option<Media> {
        loop {
            match self.cursor.try_next()? {
                Next::Lagged { units } => {
                    self.lost += units;
                    tracing::debug!(track = self.track.track.name(), units, total = self.lost, "a viewer lost units");
                }
                Next::Unit(unit) if !self.agreement.holds(&unit.parameters) => return Some(Media::Changed),
                Next::Unit(unit) => {
                    // A unit that could not be carried by RTP leaves no bytes, and the next takes its turn.
                    if let Some(wire) = Wire::of(&unit) {
                        return Some(Media::Unit(wire.interleaved(self.channels.0)));
                    }
                }
            }
        }
    }

    /// A sender report, when one is due: with the first unit and regularly after it (RT-3).
    pub(super) fn report(&mut self, now: MonoTime) -> Option<Bytes> {
        if self.next_report.is_some_and(|due| due > now) {
            return None;
        }
        let newest = self.track.track.newest_unit()?;
        self.next_report = Some(now + REPORT_INTERVAL);
        Some(interleave(self.channels.1, &sender_report(&self.track.identity, &newest, now)))
    }

    /// The farewell of the stream (RT-10).
    pub(super) fn bye(&self, now: MonoTime) -> Option<Bytes> {
        let newest = self.track.track.newest_unit()?;
        Some(interleave(self.channels.1, &goodbye(&self.track.identity, &newest, now)))
    }
}
