//! The state of one RTSP session (RFC 2326 appendix A).
//!
//! ```text
//!            SETUP            PLAY               TEARDOWN, expiry, loss of its socket
//! (none) ─────────► Ready ◄──────────► Playing ─────────────────────────────────────► (none)
//!                   │  ▲      PAUSE
//!                   └──┘ SETUP of another track, or again of the same
//! ```
//! PLAY while playing is a keep-alive; SETUP while playing is 455; SETUP for another presentation is 459; PLAY, PAUSE and TEARDOWN
//! of one track of several are 460. A session knows its user: no other may use it, and to them it does not exist (454).

use std::time::Duration;

use crate::base::clock::MonoTime;

/// A session id: 128 random bits in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// Makes an id from random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02X}")).collect())
    }

    /// Takes what a client sent; parameters behind a semicolon do not belong to the id.
    pub fn from_header(value: &str) -> Self {
        Self(value.split(';').next().unwrap_or_default().trim().to_owned())
    }

    /// The id as it goes into the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One of the media of a presentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Control {
    /// The pictures.
    Video,
    /// The sound.
    Audio,
}

impl Control {
    /// The last segment of the media's control address.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
        }
    }

    /// Splits a media's control segment off a path.
    pub fn split(path: &str) -> Option<(&str, Self)> {
        let (base, last) = path.trim_end_matches('/').rsplit_once('/')?;
        [Self::Video, Self::Audio].into_iter().find(|control| control.segment() == last).map(|control| (base, control))
    }
}

/// Whether media flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Set up, silent.
    Ready,
    /// Media flow.
    Playing,
}

/// Why a request does not fit the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// 455 Method Not Valid in This State.
    #[error("not valid while the session plays")]
    WhilePlaying,
    /// 459 Aggregate Operation Not Allowed: a track of another presentation.
    #[error("the track belongs to another presentation")]
    OtherPresentation,
    /// 460 Only Aggregate Operation Allowed.
    #[error("the session has several tracks: use its own address")]
    OnlyAggregate,
}

/// One session with its tracks; `T` is what the shell keeps for each.
#[derive(Debug)]
pub struct Session<T> {
    id: SessionId,
    user: String,
    base: String,
    state: State,
    tracks: Vec<(Control, T)>,
    last_seen: MonoTime,
    timeout: Duration,
}

impl<T> Session<T> {
    /// Makes a session without tracks for the presentation at a path.
    pub fn new(id: SessionId, user: &str, base: &str, timeout: Duration, now: MonoTime) -> Self {
        Self {
            id,
            user: user.to_owned(),
            base: base.to_owned(),
            state: State::Ready,
            tracks: Vec::new(),
            last_seen: now,
            timeout,
        }
    }

    /// The id.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whether this user may use the session.
    pub fn belongs_to(&self, user: &str) -> bool {
        self.user == user
    }

    /// The path of the presentation.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether media flow.
    pub fn state(&self) -> State {
        self.state
    }

    /// The tracks in the order of their SETUP.
    pub fn tracks(&self) -> &[(Control, T)] {
        &self.tracks
    }

    /// Notes a sign of life of the client (KA-2, KA-3).
    pub fn touch(&mut self, now: MonoTime) {
        self.last_seen = now;
    }

    /// Whether the client has been silent for too long.
    ///
    /// A little more than announced: clients send their keep-alive at the very end of the time (RM-18).
    pub fn expired(&self, now: MonoTime) -> bool {
        self.expired_since(self.last_seen, now)
    }

    /// The same, counted from a sign of life that was noted elsewhere.
    pub fn expired_since(&self, seen: MonoTime, now: MonoTime) -> bool {
        now.since(seen) > self.timeout + self.timeout / 10 + Duration::from_secs(1)
    }

    /// Checks a SETUP of a track of the presentation at `base`, before anything is opened for it.
    pub fn may_set_up(&self, base: &str) -> Result<(), Misfit> {
        match self.state {
            State::Playing => Err(Misfit::WhilePlaying),
            State::Ready if self.base != base => Err(Misfit::OtherPresentation),
            State::Ready => Ok(()),
        }
    }

    /// Adds a track, or puts it in the place of the same track's earlier SETUP.
    pub fn set_up(&mut self, control: Control, track: T) {
        match self.tracks.iter_mut().find(|(known, _)| *known == control) {
            Some(slot) => slot.1 = track,
            None => self.tracks.push((control, track)),
        }
    }

    /// Checks the address of PLAY, PAUSE or TEARDOWN: the presentation's own, or the only track's.
    pub fn may_control(&self, path: &str) -> Result<(), Misfit> {
        let path = path.trim_end_matches('/');
        if path == self.base {
            return Ok(());
        }
        match Control::split(path) {
            Some((base, control)) if base == self.base => {
                let only = self.tracks.len() == 1 && self.tracks.iter().any(|(known, _)| *known == control);
                if only { Ok(()) } else { Err(Misfit::OnlyAggregate) }
            }
            _ => Err(Misfit::OtherPresentation),
        }
    }

    /// Starts; says whether that changed anything.
    pub fn play(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Playing) == State::Ready
    }

    /// Stops; says whether that changed anything.
    pub fn pause(&mut self) -> bool {
        std::mem::replace(&mut self.state, State::Ready) == State::Playing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: MonoTime = MonoTime::from_nanos(0);

    fn session() -> Session<u8> {
        let id = SessionId::from_random([0xab; 16]);
        Session::new(id, "admin", "/cam/hi-def", Duration::from_secs(60), NOW)
    }

    #[test]
    fn tracks_are_added_until_it_plays() {
        let mut session = session();
        assert_eq!(session.may_set_up("/cam/hi-def"), Ok(()));
        session.set_up(Control::Video, 0);
        session.set_up(Control::Audio, 2);
        session.set_up(Control::Video, 4);
        assert_eq!(session.tracks(), [(Control::Video, 4), (Control::Audio, 2)]);
        assert_eq!(session.may_set_up("/cam/standard"), Err(Misfit::OtherPresentation));
        assert!(session.play());
        assert!(!session.play(), "PLAY while playing is a keep-alive");
        assert_eq!(session.may_set_up("/cam/hi-def"), Err(Misfit::WhilePlaying));
        assert!(session.pause());
        assert_eq!(session.may_set_up("/cam/hi-def"), Ok(()));
    }

    #[test]
    fn control_is_aggregate_unless_there_is_one_track() {
        // RM-6, RM-7
        let mut session = session();
        session.set_up(Control::Video, 0);
        assert_eq!(session.may_control("/cam/hi-def/"), Ok(()));
        assert_eq!(session.may_control("/cam/hi-def/video"), Ok(()));
        session.set_up(Control::Audio, 2);
        assert_eq!(session.may_control("/cam/hi-def/video"), Err(Misfit::OnlyAggregate));
        assert_eq!(session.may_control("/cam/standard"), Err(Misfit::OtherPresentation));
    }

    #[test]
    fn silence_ends_it_and_any_sign_of_life_keeps_it() {
        // KA-2, KA-3, RM-18
        let mut session = session();
        assert!(!session.expired(NOW + Duration::from_secs(60)));
        assert!(session.expired(NOW + Duration::from_secs(68)));
        session.touch(NOW + Duration::from_secs(60));
        assert!(!session.expired(NOW + Duration::from_secs(120)));
    }

    #[test]
    fn ids_are_read_without_their_parameters() {
        assert_eq!(SessionId::from_header(" ABC ;timeout=60").as_str(), "ABC");
        assert_eq!(Control::split("/cam/hi-def/audio/"), Some(("/cam/hi-def", Control::Audio)));
        assert_eq!(Control::split("/cam/hi-def"), None);
    }
}
