//! One encoded stream of a camera.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{Cursor, Kind, NewUnit, Parameters, RingLimits, Unit, ring::Ring, unit::nal_ranges};
use crate::base::{
    bell::{Bell, Listener},
    clock::MonoTime,
};

/// A unit as it goes on the wire. What is inside is the business of the door that makes and sends it.
pub trait WirePackets: fmt::Debug + Send + Sync {
    /// Bytes that the packets keep in memory.
    fn memory(&self) -> usize;
    /// Lets the door that made the packets find its own type again.
    fn as_any(&self) -> &dyn Any;
}

/// Makes the packets of each unit once, in decode order, for all readers of a track.
pub trait Packetise: Send {
    /// Makes the packets of one unit; `None` for a unit that cannot be carried.
    fn packetise(&mut self, unit: &Unit) -> Option<Arc<dyn WirePackets>>;
    /// A value that any door may show for units that do not exist yet, such as the next sequence number.
    fn next_sequence(&self) -> u16;
}

/// What a source says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SourceState {
    /// Nobody wants the track; it can start at any time.
    #[default]
    Idle,
    /// Somebody wants it and its first unit is awaited.
    Starting,
    /// Units come.
    Live,
    /// The source runs and has no such stream, for example no sound.
    Absent,
    /// It should run and does not; for the log and for people.
    Lost {
        /// Why, without secrets.
        reason: String,
    },
}

/// Where a reader of an audio or metadata track starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryTime {
    /// With the next unit.
    Next,
    /// With the first unit captured at this time or later.
    From(MonoTime),
}

/// What a ring holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Units.
    pub units: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// From the capture of the oldest to that of the newest.
    pub span: std::time::Duration,
    /// Units from the last key frame but one to the last, if both are there.
    pub key_distance: Option<u64>,
}

/// Tells the tracks of a process apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrackId(u64);

/// One encoded stream of a camera: one producer, any number of readers.
///
/// Locks: `state` and the bell's, one at a time, never held across an await or a call into a source.
pub struct Track {
    id: TrackId,
    name: String,
    kind: Kind,
    state: Mutex<State>,
    /// Rings for each unit.
    published: Arc<Bell>,
    leases: watch::Sender<usize>,
    key_requests: watch::Sender<u64>,
    /// Before this moment the source is not asked for another key frame.
    next_key_request: Arc<Mutex<Option<Instant>>>,
    parameters: watch::Sender<Option<Arc<Parameters>>>,
    /// The generation of the next description that differs from the one in force.
    next_generation: AtomicU32,
    source: watch::Sender<SourceState>,
}

struct State {
    ring: Ring,
    next_sequence: u64,
    /// The newest unit, which outlives the ring: the time line and the sender reports go on from it.
    newest: Option<Arc<Unit>>,
    packetiser: Option<Box<dyn Packetise>>,
    makes_keys: bool,
}

impl Track {
    /// Makes an empty track. The name appears in logs and addresses.
    pub fn new(name: impl Into<String>, kind: Kind, limits: RingLimits) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: TrackId(NEXT.fetch_add(1, Ordering::Relaxed)),
            name: name.into(),
            kind,
            state: Mutex::new(State::new(limits)),
            published: Arc::default(),
            leases: watch::Sender::new(0),
            key_requests: watch::Sender::new(0),
            next_key_request: Arc::default(),
            parameters: watch::Sender::new(None),
            next_generation: AtomicU32::new(0),
            source: watch::Sender::new(SourceState::Idle),
        })
    }

    /// What tells this track from all others of the process.
    pub fn id(&self) -> TrackId {
        self.id
    }

    /// The name given at creation.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind given at creation.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    // ---- for doors ----

    /// Says that somebody wants the track, until the lease is dropped.
    pub fn lease(self: &Arc<Self>) -> Lease {
        self.leases.send_modify(|count| *count += 1);
        Lease { track: Arc::clone(self) }
    }

    /// Starts reading at the newest key frame in the ring, or at the next one if there is none.
    pub fn read_from_key(self: &Arc<Self>) -> Cursor {
        let state = self.lock();
        match state.ring.newest_key() {
            Some(unit) => Cursor::at(self, unit.sequence),
            None => Cursor::at_next_key(self, state.next_sequence),
        }
    }

    /// Starts reading at the first key frame that is published from now on.
    pub fn read_from_next_key(self: &Arc<Self>) -> Cursor {
        Cursor::at_next_key(self, self.lock().next_sequence)
    }

    /// Starts reading an audio or metadata track, in which every unit is an entry point.
    pub fn read_from(self: &Arc<Self>, entry: EntryTime) -> Cursor {
        let state = self.lock();
        let found = match entry {
            EntryTime::Next => None,
            EntryTime::From(mono) => state.ring.iter().find(|unit| unit.capture.mono >= mono),
        };
        Cursor::at(self, found.map_or(state.next_sequence, |unit| unit.sequence))
    }

    /// Starts reading at a unit of this number, if the ring holds it or it is still to come; otherwise the reader lags.
    pub fn read_at(self: &Arc<Self>, sequence: u64) -> Cursor {
        Cursor::at(self, sequence)
    }

    /// The newest key frame in the ring.
    pub fn newest_key(&self) -> Option<Arc<Unit>> {
        self.lock().ring.newest_key().cloned()
    }

    /// The newest unit, even if the ring no longer holds it: what reports draw on from.
    pub fn newest_unit(&self) -> Option<Arc<Unit>> {
        self.lock().newest.clone()
    }

    /// Asks the source for a key frame as soon as it can. Answers whether the source is one that can.
    pub fn request_key(&self) -> bool {
        let able = self.lock().makes_keys;
        if able {
            self.key_requests.send_modify(|count| *count += 1);
        }
        able
    }

    /// The description in force, as soon as it is known. Kept while the source rests.
    pub fn parameters(&self) -> watch::Receiver<Option<Arc<Parameters>>> {
        self.parameters.subscribe()
    }

    /// What the source says of itself.
    pub fn source_state(&self) -> watch::Receiver<SourceState> {
        self.source.subscribe()
    }

    /// Sets who makes the packets. Done once, before the first unit.
    pub fn set_packetiser(&self, packetiser: Box<dyn Packetise>) {
        self.lock().packetiser = Some(packetiser);
    }

    /// The RTP sequence number of the next packet, if packets are made.
    pub fn next_packet_sequence(&self) -> Option<u16> {
        self.lock().packetiser.as_ref().map(|packetiser| packetiser.next_sequence())
    }

    /// Looks at what the ring holds, for who wants to know what a stream that nobody set up is like.
    pub fn window(&self) -> Window {
        let state = self.lock();
        let ends = state.ring.front().zip(state.ring.back().map(|unit| unit.sequence));
        let front = ends.and_then(|(front, _)| state.ring.get(front));
        let span = front.zip(state.ring.back()).map(|(front, back)| back.capture.mono.since(front.capture.mono));
        let mut keys = state.ring.iter().rev().filter(|unit| unit.key).map(|unit| unit.sequence);
        let key_distance = keys.next().zip(keys.next()).map(|(last, before)| last - before);
        Window {
            units: ends.map_or(0, |(front, back)| back - front + 1),
            payload_bytes: state.ring.iter().map(|unit| unit.payload.len() as u64).sum(),
            span: span.unwrap_or_default(),
            key_distance,
        }
    }

    /// Bytes that the ring keeps.
    pub fn ring_bytes(&self) -> usize {
        self.lock().ring.bytes()
    }

    // ---- for sources ----

    /// How many leases there are; sources run while there is one.
    pub fn leases(&self) -> watch::Receiver<usize> {
        self.leases.subscribe()
    }

    /// Requests for key frames, for a source that can make them.
    pub fn key_requests(&self) -> KeyRequests {
        self.lock().makes_keys = true;
        let wishes = self.key_requests.subscribe();
        KeyRequests { wishes, wanted: false, next: Arc::clone(&self.next_key_request) }
    }

    /// Whether the source last said that it has no such stream.
    pub fn is_absent(&self) -> bool {
        *self.source.borrow() == SourceState::Absent
    }

    /// Tells doors how the source is.
    pub fn set_source_state(&self, state: SourceState) {
        self.source.send_if_modified(|current| {
            let changed = *current != state;
            *current = state;
            changed
        });
    }

    /// Lets go of all units, because what comes next is not their continuation: an old one is no entry point any more.
    ///
    /// Readers that wait go on at the next key frame. Numbers and times go on from the newest unit.
    pub fn clear(&self) {
        let mut state = self.lock();
        let next = state.next_sequence;
        state.ring.clear(next);
    }

    /// Makes a description known, before or without a unit. Returns it with its generation.
    ///
    /// The generation rises only if the description differs from the one in force.
    pub fn describe(&self, mut parameters: Parameters) -> Arc<Parameters> {
        let mut result = None;
        self.parameters.send_if_modified(|current| {
            if let Some(known) = current {
                parameters.generation = known.generation;
                if **known == parameters {
                    result = Some(Arc::clone(known));
                    return false;
                }
            }
            parameters.generation = self.next_generation.fetch_add(1, Ordering::Relaxed);
            let fresh = Arc::new(parameters.clone());
            result = Some(Arc::clone(&fresh));
            *current = Some(fresh);
            true
        });
        // The closure above always runs, so the fallback is never taken.
        result.unwrap_or_else(|| Arc::new(parameters))
    }

    /// Forgets the description if it is outdated: who wants one waits for the next, whose generation is another.
    pub fn forget_description(&self, is_outdated: impl FnOnce(&Parameters) -> bool) {
        self.parameters.send_if_modified(|current| current.take_if(|known| is_outdated(known)).is_some());
    }

    /// Appends a unit and wakes the readers. Returns the unit's number.
    ///
    /// Never waits. A decode time that goes back is held at the last one, so that the order readers see is monotonic.
    pub fn publish(&self, new: NewUnit) -> u64 {
        let sequence = {
            let mut state = self.lock();
            let unit = state.number(new);
            let (sequence, unit) = (unit.sequence, Arc::new(unit));
            state.newest = Some(Arc::clone(&unit));
            state.ring.push(unit);
            sequence
        };
        self.set_source_state(SourceState::Live);
        self.published.ring();
        sequence
    }

    // ---- for cursors ----

    pub(super) fn published(&self) -> Listener {
        self.published.listen()
    }

    pub(super) fn with_ring<R>(&self, look: impl FnOnce(&Ring) -> R) -> R {
        look(&self.lock().ring)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent between any two statements that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(limits: RingLimits) -> Self {
        Self { ring: Ring::new(limits), next_sequence: 0, newest: None, packetiser: None, makes_keys: false }
    }

    fn number(&mut self, new: NewUnit) -> Unit {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let last = self.newest.as_ref().map(|unit| unit.decode_time.rescaled(new.decode_time.rate));
        let decode_time = last.filter(|last| last.ticks > new.decode_time.ticks).unwrap_or(new.decode_time);
        let nals = match new.parameters.codec {
            super::Codec::H264 { .. } | super::Codec::H265 { .. } => nal_ranges(&new.payload),
            _ => Box::default(),
        };
        let mut unit = Unit {
            sequence,
            decode_time,
            presentation_time: new.presentation_time,
            capture: new.capture,
            key: new.key,
            discontinuity: new.discontinuity,
            parameters: new.parameters,
            payload: new.payload,
            nals,
            packets: None,
        };
        unit.packets = self.packetiser.as_mut().and_then(|packetiser| packetiser.packetise(&unit));
        unit
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Track").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The wish for a track. Dropping it takes the wish back.
#[derive(Debug)]
pub struct Lease {
    track: Arc<Track>,
}

impl Lease {
    /// The track that is leased.
    pub fn track(&self) -> &Arc<Track> {
        &self.track
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.track.leases.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// A source is asked for a key frame this often at most: each one costs as much as many other pictures, for every viewer.
const KEY_REQUEST_INTERVAL: Duration = Duration::from_millis(500);

/// Requests for key frames, merged: however many came, the source sees one every half second at most. One that comes too
/// early is put off, not lost.
#[derive(Debug)]
pub struct KeyRequests {
    wishes: watch::Receiver<u64>,
    /// A wish has been taken and not been handed out yet.
    wanted: bool,
    /// Shared by all that ever serve the track, so that a new connection to the source is no way around it.
    next: Arc<Mutex<Option<Instant>>>,
}

impl KeyRequests {
    /// Waits for the next request. Waits for ever once the track is gone. Cancel safe.
    pub async fn next(&mut self) {
        if !self.wanted && self.wishes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.wanted = true;
        let due = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(due) = due {
            tokio::time::sleep_until(due).await;
        }
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + KEY_REQUEST_INTERVAL);
        // What was wished meanwhile is answered by the same key frame.
        self.wishes.mark_unchanged();
        self.wanted = false;
    }
}
