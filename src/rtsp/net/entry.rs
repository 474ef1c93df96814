//! Where a viewer starts, and what it is told about that.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::tracks::RtspTrack;
use crate::{
    base::clock::{Clock, MonoTime, UtcTime},
    camera::Streams,
    hub::{Cursor, EntryTime, Lease, Parameters, SourceState, Track, Unit},
    rtp::packet::SequenceNumber,
    rtsp::core::{agreement::Agreement, presentation::Described, rtp_info::StreamStart, session::Control, wire::Wire},
};

/// A track that is about to play.
pub(super) struct Start {
    pub(super) control: Control,
    pub(super) track: Arc<RtspTrack>,
    /// The interleaved channels; `None` for UDP.
    pub(super) channels: Option<(u8, u8)>,
    /// What the client was told of it.
    pub(super) agreement: Agreement,
}

/// A track with the place where it starts.
pub(super) struct Entered {
    pub(super) start: Start,
    pub(super) cursor: Cursor,
    /// The first unit, if it exists already.
    pub(super) first: Option<Arc<Unit>>,
    /// When that was captured.
    pub(super) begin: Option<UtcTime>,
}

/// How long DESCRIBE may wait for a source (design section 5: 503 within 2 s).
const DESCRIBE_LIMIT: Duration = Duration::from_millis(1800);
/// How long PLAY may wait for the first unit of a cold track, so that RTP-Info tells the truth.
const PLAY_LIMIT: Duration = Duration::from_millis(1500);
/// How long a viewer over UDP waits for a fresh key frame rather than being sent an old group.
const FRESH_KEY_LIMIT: Duration = Duration::from_millis(250);
/// A key frame younger than this is fresh.
const FRESH: Duration = Duration::from_millis(500);

/// Waits until all media of an address are described; `None` if none is in time. Holds leases meanwhile.
pub(super) async fn described(streams: &Streams) -> Option<Vec<Described>> {
    let deadline = Instant::now() + DESCRIBE_LIMIT;
    let tracks = [(Control::Video, &streams.video), (Control::Audio, &streams.audio)];
    let leases: Vec<Lease> = tracks.iter().filter_map(|(_, track)| Some(track.as_ref()?.lease())).collect();
    let mut media = Vec::new();
    for (control, track) in tracks {
        let Some(track) = track else { continue };
        match timeout_at(deadline, known(track)).await {
            Ok(Some(parameters)) => media.push(Described { control, parameters }),
            // The source has no such stream.
            Ok(None) => {}
            Err(_) if control == Control::Video => return None,
            Err(_) => tracing::debug!(track = track.name(), "described without this track: its source is not ready"),
        }
    }
    drop(leases);
    (!media.is_empty()).then_some(media)
}

/// Waits for the description of a track whose source is not known to be dead; `None` if the source has no such stream.
async fn known(track: &Arc<Track>) -> Option<Arc<Parameters>> {
    let (mut source, mut parameters) = (track.source_state(), track.parameters());
    loop {
        let state = source.borrow_and_update().clone();
        let current = parameters.borrow_and_update().clone();
        match (state, current) {
            (SourceState::Absent, _) => return None,
            (SourceState::Lost { .. }, _) | (_, None) => {}
            (_, Some(parameters)) => return Some(parameters),
        }
        tokio::select! {
            _ = source.changed() => {}
            _ = parameters.changed() => {}
        }
    }
}

/// Finds where each track starts: pictures at a key frame, sound where the pictures start.
pub(super) async fn enter(starts: Vec<Start>, clock: &Arc<dyn Clock>) -> Vec<Entered> {
    let deadline = Instant::now() + PLAY_LIMIT;
    let mut entered = Vec::with_capacity(starts.len());
    let (video, audio): (Vec<_>, Vec<_>) = starts.into_iter().partition(|start| start.control == Control::Video);
    let mut from = EntryTime::Next;
    for start in video {
        let cursor = video_cursor(&start, clock.mono()).await;
        let place = wait_for(start, cursor, deadline).await;
        if let Some(unit) = &place.first {
            from = EntryTime::From(unit.capture.mono);
        }
        entered.push(place);
    }
    for start in audio {
        let cursor = start.track.track.read_from(from);
        entered.push(wait_for(start, cursor, deadline).await);
    }
    entered
}

/// Over TCP the newest key frame in the ring, whatever its age: the first picture is immediate, and the rest of its group
/// follows as fast as the client takes it, so none is asked for (docs/decisions/first-picture.md). Over UDP such a burst must
/// be paced, and a fresh key frame is sooner there than the end of an old group, where the source can make one.
async fn video_cursor(start: &Start, now: MonoTime) -> Cursor {
    let track = &start.track.track;
    let is_fresh = |newest: Arc<Unit>| now.since(newest.capture.mono) <= FRESH;
    if start.channels.is_some() || track.newest_key().is_none_or(is_fresh) {
        return track.read_from_key();
    }
    let mut fresh = track.read_from_next_key();
    if track.request_key() {
        let deadline = Instant::now() + FRESH_KEY_LIMIT;
        while fresh.peek().is_none() {
            if timeout_at(deadline, fresh.changed()).await.is_err() {
                return track.read_from_key();
            }
        }
        return fresh;
    }
    track.read_from_key()
}

async fn wait_for(start: Start, mut cursor: Cursor, deadline: Instant) -> Entered {
    let dead = matches!(*start.track.track.source_state().borrow(), SourceState::Lost { .. } | SourceState::Absent);
    let mut first = cursor.peek();
    while first.is_none() && !dead {
        if timeout_at(deadline, cursor.changed()).await.is_err() {
            break;
        }
        first = cursor.peek();
    }
    let begin = first.as_ref().map(|unit| unit.capture.utc);
    Entered { start, cursor, first, begin }
}

/// RTP-Info (RM-9): the first packet of each track, or where the time line stands while its source is silent. A track that
/// never had a unit has no time line yet, and nothing is said of it.
pub(super) fn stream_starts(entries: &[Entered], base: &str, now: MonoTime) -> Vec<StreamStart> {
    let starts = entries.iter().filter_map(|entered| {
        let url = format!("{base}/{}", entered.start.control.segment());
        if let Some(wire) = entered.first.as_ref().and_then(|unit| Wire::of(unit)) {
            return Some(StreamStart { url, sequence: wire.first_sequence(), time: wire.time() });
        }
        let sequence = SequenceNumber(entered.start.track.track.next_packet_sequence()?);
        let (_, time) = entered.start.track.report_time(now)?;
        Some(StreamStart { url, sequence, time })
    });
    starts.collect()
}
