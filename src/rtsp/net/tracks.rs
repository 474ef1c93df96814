//! The hub's tracks as this door knows them.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::outlet::Outlet;
use crate::{
    base::clock::{Clock, MonoTime, UtcTime},
    camera::Cameras,
    hub::{Track, TrackId},
    rtp::{
        packet::{RtpTime, SequenceNumber},
        packetizer::DEFAULT_MAX_PACKET,
    },
    rtsp::core::wire::{Identity, TrackPacketiser},
};

/// A track with what it is on the wire and where it is sent to by UDP.
pub(super) struct RtspTrack {
    pub(super) track: Arc<Track>,
    pub(super) identity: Arc<Identity>,
    /// One outlet for each local address that clients contacted; an outlet lives while it has viewers.
    outlets: Mutex<HashMap<IpAddr, Weak<Outlet>>>,
    /// When a viewer's loss last made a request for a key frame, in nanoseconds.
    key_asked: AtomicU64,
}

/// A lossy network makes many viewers ask at once, again and again, and each key frame costs all of them bits.
const KEY_INTERVAL: Duration = Duration::from_millis(500);

impl RtspTrack {
    /// Attaches the packets to a track.
    fn new(track: &Arc<Track>) -> Result<Self, getrandom::Error> {
        // RT-2: the first values are random.
        let identity = Arc::new(Identity::new(getrandom::u32()?, getrandom::u32()?));
        let first = SequenceNumber(getrandom::u32()? as u16);
        track.set_packetiser(Box::new(TrackPacketiser::new(Arc::clone(&identity), first, DEFAULT_MAX_PACKET)));
        Ok(Self { track: Arc::clone(track), identity, outlets: Mutex::default(), key_asked: AtomicU64::new(0) })
    }

    /// Asks for a key frame on behalf of a viewer that lost pictures (RT-6), unless one was just asked for.
    pub(super) fn request_key(&self, now: MonoTime) {
        let last = self.key_asked.load(Ordering::Relaxed);
        if last > 0 && now.since(MonoTime::from_nanos(last)) < KEY_INTERVAL {
            return;
        }
        // Of several at once one gets through.
        let won = self.key_asked.compare_exchange(last, now.as_nanos(), Ordering::Relaxed, Ordering::Relaxed);
        if won.is_ok() {
            self.track.request_key();
        }
    }

    /// The wall clock and RTP time for a sender report now; `None` before the first unit.
    pub(super) fn report_time(&self, now: MonoTime) -> Option<(UtcTime, RtpTime)> {
        Some(self.identity.report_time(&*self.track.newest_unit()?, now))
    }

    /// The outlet for viewers that contacted this local address; opened for the first of them.
    pub(super) fn outlet(self: &Arc<Self>, local: IpAddr, clock: &Arc<dyn Clock>) -> std::io::Result<Arc<Outlet>> {
        let mut outlets = self.outlets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outlet) = outlets.get(&local).and_then(Weak::upgrade) {
            return Ok(outlet);
        }
        outlets.retain(|_, outlet| outlet.strong_count() > 0);
        let outlet = Outlet::open(self, local, Arc::clone(clock))?;
        outlets.insert(local, Arc::downgrade(&outlet));
        Ok(outlet)
    }
}

/// All tracks of all cameras.
pub(super) struct RtspTracks {
    tracks: HashMap<TrackId, Arc<RtspTrack>>,
}

impl RtspTracks {
    pub(super) fn new(cameras: &Cameras) -> Result<Self, getrandom::Error> {
        let mut tracks = HashMap::new();
        for feed in cameras.iter().flat_map(|camera| camera.feeds()) {
            tracks.insert(feed.track.id(), Arc::new(RtspTrack::new(&feed.track)?));
        }
        Ok(Self { tracks })
    }

    pub(super) fn of(&self, track: &Arc<Track>) -> Option<&Arc<RtspTrack>> {
        self.tracks.get(&track.id())
    }
}
