//! The sessions of this server.
//!
//! A UDP session lives by requests and RTCP and may go on over another connection. An interleaved one belongs to its connection:
//! it lives by what that carries in either direction, and ends with it (KA-6).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{outlet::Registration, tracks::RtspTrack};
use crate::{
    base::clock::MonoTime,
    hub::Lease,
    rtsp::core::{
        agreement::Agreement,
        session::{Session, SessionId},
    },
};

/// Tells connections apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ConnectionId(pub(super) u64);

/// A track as one session has it set up. Holds the track's lease.
pub(super) struct SetUpTrack {
    pub(super) track: Arc<RtspTrack>,
    pub(super) delivery: Delivery,
    /// What the client was told of it.
    pub(super) agreement: Agreement,
    pub(super) _lease: Lease,
}

/// How a track reaches the client.
pub(super) enum Delivery {
    /// On the connection of the session: channels for RTP and RTCP.
    Interleaved(u8, u8),
    /// By datagrams.
    Udp(Registration),
}

/// A session and the connection that it is bound to, if it is.
pub(super) struct Entry {
    pub(super) session: Session<SetUpTrack>,
    pub(super) bound_to: Option<ConnectionId>,
}

impl Entry {
    /// Whether the session is not bound to another connection.
    pub(super) fn usable_on(&self, connection: ConnectionId) -> bool {
        self.bound_to.is_none_or(|bound| bound == connection)
    }

    /// Whether a track ended, or there has been no sign of life for too long. That holds for a session bound to a connection as well: a client
    /// that lost its power leaves a connection that nobody closes.
    fn expired(&self, now: MonoTime) -> bool {
        let registrations = self.session.tracks().iter().filter_map(|(_, track)| match &track.delivery {
            Delivery::Udp(registration) => Some(registration),
            Delivery::Interleaved(..) => None,
        });
        if registrations.clone().any(Registration::has_ended) {
            return true;
        }
        let rtcp = registrations.filter_map(Registration::last_seen).max();
        let alive_by_rtcp = rtcp.is_some_and(|seen| !self.session.expired_since(seen, now));
        self.session.expired(now) && !alive_by_rtcp
    }
}

/// All sessions by their id.
pub(super) struct Registry {
    most: usize,
    sessions: Mutex<HashMap<SessionId, Arc<Mutex<Entry>>>>,
}

/// There are as many sessions as there may be (453).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

impl Registry {
    pub(super) fn new(most: usize) -> Self {
        Self { most, sessions: Mutex::default() }
    }

    /// Adds a session.
    pub(super) fn insert(&self, entry: Entry) -> Result<(), Full> {
        let mut sessions = self.lock();
        if sessions.len() >= self.most {
            return Err(Full);
        }
        sessions.insert(entry.session.id().clone(), Arc::new(Mutex::new(entry)));
        Ok(())
    }

    /// Finds the session that this user may use on this connection.
    pub(super) fn find(&self, id: &SessionId, user: &str, connection: ConnectionId) -> Option<Arc<Mutex<Entry>>> {
        let entry = Arc::clone(self.lock().get(id)?);
        let usable = {
            let locked = lock(&entry);
            locked.session.belongs_to(user) && locked.usable_on(connection)
        };
        usable.then_some(entry)
    }

    /// Whether the session lives.
    pub(super) fn contains(&self, id: &SessionId) -> bool {
        self.lock().contains_key(id)
    }

    /// The session of this id, whoever it belongs to.
    pub(super) fn get(&self, id: &SessionId) -> Option<Arc<Mutex<Entry>>> {
        self.lock().get(id).cloned()
    }

    /// Removes a session if it is bound to this connection.
    pub(super) fn remove_bound(&self, id: &SessionId, connection: ConnectionId) {
        if self.get(id).is_some_and(|entry| lock(&entry).bound_to == Some(connection)) {
            self.remove(id);
        }
    }

    /// Removes a session; what it holds is freed with the last reference.
    pub(super) fn remove(&self, id: &SessionId) -> Option<Arc<Mutex<Entry>>> {
        self.lock().remove(id)
    }

    /// Removes the sessions that expired, and says which.
    pub(super) fn sweep(&self, now: MonoTime) -> Vec<SessionId> {
        let all: Vec<_> = self.lock().values().cloned().collect();
        let expired = all.iter().map(|entry| lock(entry)).filter(|entry| entry.expired(now));
        let expired: Vec<_> = expired.map(|entry| entry.session.id().clone()).collect();
        for id in &expired {
            self.remove(id);
        }
        expired
    }

    /// Removes all sessions: the server stops.
    pub(super) fn clear(&self) {
        let sessions = std::mem::take(&mut *self.lock());
        drop(sessions);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Mutex<Entry>>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Locks an entry. Lock order: never while holding the registry's own lock.
pub(super) fn lock(entry: &Mutex<Entry>) -> MutexGuard<'_, Entry> {
    entry.lock().unwrap_or_else(PoisonError::into_inner)
}
