//! Requests of one connection: authorise, find, change, answer.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use rtsp_types::{
    Request, Response, StatusCode,
    headers::{
        AUTHORIZATION, CONTENT_BASE, CONTENT_TYPE, PUBLIC, RANGE, RETRY_AFTER, RTP_INFO, SESSION, TRANSPORT,
        WWW_AUTHENTICATE,
    },
};

use super::{
    context::RtspContext,
    entry::{self, Start},
    patience::Standing,
    player::Player,
    registry::{ConnectionId, Delivery, Entry, SetUpTrack, lock},
};
use crate::{
    auth::{self, Principal},
    camera::{StreamPath, Streams, Target},
    hub::{Cursor, Track},
    rtsp::core::{
        agreement::Agreement,
        answer::{self, Refusal},
        presentation,
        range::{UtcInstant, live_answer},
        request::{self, Action, Wanted},
        rtp_info::RtpInfo,
        session::{Control, Misfit, Session, SessionId, State},
        transport::{self, ClientTransport, TransportAnswer},
    },
};

/// What an answer brings with it for the connection.
pub(super) enum Effect {
    /// These tracks play on this connection from now on.
    Start(Vec<Player>),
    /// These tracks of a session go by UDP from now on.
    StartDatagrams { entry: Arc<Mutex<Entry>>, cursors: Vec<(Control, Cursor)> },
    /// The tracks of this session stop.
    Stop { session: SessionId, bye: bool },
}

/// Handles the requests of one connection.
pub(super) struct Handler {
    context: Arc<RtspContext>,
    connection: ConnectionId,
    peer: SocketAddr,
    local: SocketAddr,
    /// Sessions that were made or extended on this connection.
    sessions: Vec<SessionId>,
    /// A request was authorised, or named a session that lives.
    is_known: bool,
}

/// Sessions of one connection. Clients have one; a gateway may have one for each stream that it takes.
const MOST_SESSIONS: usize = 16;

type Answer = Result<(Response<Bytes>, Vec<Effect>), Refusal>;

impl Handler {
    pub(super) fn new(
        context: Arc<RtspContext>,
        connection: ConnectionId,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Self {
        Self { context, connection, peer, local, sessions: Vec::new(), is_known: false }
    }

    /// Answers a request.
    pub(super) async fn handle(&mut self, request: &Request<Bytes>) -> (Response<Bytes>, Vec<Effect>) {
        let (response, effects) = match self.answer(request).await {
            Ok(answered) => answered,
            Err(refusal) => (refusal.answer(request), Vec::new()),
        };
        tracing::debug!(peer = %self.peer, method = <&str>::from(request.method()), status = u16::from(response.status()), "RTSP");
        (response, effects)
    }

    /// Whether a session that was made or extended here still lives.
    pub(super) fn has_sessions(&mut self) -> bool {
        let registry = &self.context.registry;
        self.sessions.retain(|id| registry.contains(id));
        !self.sessions.is_empty()
    }

    /// What the client has to show for itself.
    pub(super) fn standing(&mut self) -> Standing {
        match (self.has_sessions(), self.is_known) {
            (true, _) => Standing::Session,
            (false, true) => Standing::Known,
            (false, false) => Standing::Stranger,
        }
    }

    /// Notes what keeps the sessions that are bound to this connection: anything that the client sent on it, with or without
    /// their number, and for one that plays that the client took data (RM-18).
    pub(super) fn note_life(&self, heard: bool, took: bool) {
        let now = self.context.clock.mono();
        for entry in self.sessions.iter().filter_map(|id| self.context.registry.get(id)) {
            let mut entry = lock(&entry);
            let alive = heard || (took && entry.session.state() == State::Playing);
            if alive && entry.bound_to == Some(self.connection) {
                entry.session.touch(now);
            }
        }
    }

    /// Ends the sessions that are bound to this connection (KA-6); those over UDP live on until they expire.
    pub(super) fn close(&mut self) {
        for id in std::mem::take(&mut self.sessions) {
            self.context.registry.remove_bound(&id, self.connection);
        }
    }

    async fn answer(&mut self, request: &Request<Bytes>) -> Answer {
        let wanted = request::decode(request)?;
        if wanted.action == Action::Options {
            return self.options(request, &wanted);
        }
        let principal = self.authorise(request)?;
        self.permit(&principal, &wanted)?;
        match wanted.action {
            Action::Describe => self.describe(request, &wanted).await,
            Action::SetUp => self.set_up(request, &wanted, &principal),
            Action::Play => self.play(request, &wanted, &principal).await,
            Action::Pause => self.pause(request, &wanted, &principal),
            Action::TearDown => self.tear_down(request, &wanted, &principal),
            Action::Options | Action::GetParameter | Action::SetParameter => {
                self.parameters(request, &wanted, &principal)
            }
        }
    }

    /// AU-1, AU-2: Digest with the users of the device, for every method but OPTIONS.
    fn authorise(&mut self, request: &Request<Bytes>) -> Result<Principal, Refusal> {
        let credentials = request.header(&AUTHORIZATION).map(|value| value.as_str());
        let uri = request.request_uri().map_or("*", |uri| uri.as_str());
        let method = <&str>::from(request.method());
        let now = self.context.clock.mono();
        let checked = self.context.gate.check(credentials, method, uri, self.peer.ip(), now);
        self.is_known |= checked.is_ok();
        checked.map_err(|refusal| match refusal {
            auth::Refusal::Challenge { www_authenticate } => {
                www_authenticate.into_iter().fold(Refusal::new(StatusCode::Unauthorized), |refusal, challenge| {
                    refusal.with(WWW_AUTHENTICATE, challenge)
                })
            }
            auth::Refusal::Malformed(_) => Refusal::new(StatusCode::BadRequest),
            auth::Refusal::SlowDown { retry_after } => {
                Refusal::new(StatusCode::ServiceUnavailable).with(RETRY_AFTER, retry_after.as_secs().max(1).to_string())
            }
        })
    }

    /// AU-9: every level may play. The engine's own credential opens single tracks only.
    fn permit(&self, principal: &Principal, wanted: &Wanted<'_>) -> Result<(), Refusal> {
        if !self.context.is_internal(principal.user()) {
            return Ok(());
        }
        let base = Control::split(&wanted.path).map_or(wanted.path.as_str(), |(base, _)| base);
        match StreamPath::decode(base).map(|path| path.target) {
            Some(Target::Track(_)) => Ok(()),
            _ => Err(StatusCode::Forbidden.into()),
        }
    }

    fn options(&mut self, request: &Request<Bytes>, wanted: &Wanted<'_>) -> Answer {
        if let Some(id) = &wanted.session {
            // KA-5: OPTIONS is a keep-alive too. Whoever signs it is told when the nonce is old; a 200 would leave the client
            // content and its session to end. Many sign nothing but what they were challenged for, and for those the number
            // of the session, 128 random bits, is proof enough: all that it can do here is to keep the session for its owner.
            if request.header(&AUTHORIZATION).is_some() {
                self.authorise(request)?;
            }
            if let Some(entry) = self.context.registry.get(id) {
                self.is_known = true;
                lock(&entry).session.touch(self.context.clock.mono());
            }
        }
        let response = answer::to(request, StatusCode::Ok).header(PUBLIC, request::PUBLIC).build(Bytes::new());
        Ok((response, Vec::new()))
    }

    async fn describe(&self, request: &Request<Bytes>, wanted: &Wanted<'_>) -> Answer {
        let path = wanted.path.trim_end_matches('/');
        let streams = self.streams(path)?;
        if !request::accepts_sdp(request) {
            return Err(StatusCode::NotAcceptable.into());
        }
        let media = entry::described(&streams).await.ok_or(StatusCode::ServiceUnavailable)?;
        let id = streams.video.iter().chain(&streams.audio).map(|track| self.ssrc(track)).next().unwrap_or(0);
        let description = presentation::describe(&streams.title, u64::from(id), self.local.ip(), &media);
        let response = answer::to(request, StatusCode::Ok)
            .header(CONTENT_TYPE, "application/sdp")
            .header(CONTENT_BASE, base_uri(request))
            .build(Bytes::from(description.to_string()));
        Ok((response, Vec::new()))
    }

    fn set_up(&mut self, request: &Request<Bytes>, wanted: &Wanted<'_>, principal: &Principal) -> Answer {
        let (base, control) = self.media_of(&wanted.path)?;
        let streams = self.streams(&base)?;
        let track = match control {
            Control::Video => streams.video,
            Control::Audio => streams.audio,
        };
        let track = track.ok_or(StatusCode::NotFound)?;
        let offered = wanted.transport.ok_or(StatusCode::BadRequest)?;
        let chosen = transport::choose(offered, |transport| !matches!(transport, ClientTransport::Udp { rtp: 0, .. }))
            .map_err(|error| Refusal::new(error.status()))?;
        let existing = match &wanted.session {
            Some(id) => Some(self.find(id, principal)?),
            None => None,
        };
        if let Some(entry) = &existing {
            let mut entry = lock(entry);
            entry.session.touch(self.context.clock.mono());
            entry.session.may_set_up(&base).map_err(|misfit| Refusal::new(status(misfit)))?;
        }
        self.check_room(wanted.session.as_ref())?;
        let (track, answer) = self.deliver(&track, chosen)?;
        let id = match existing {
            Some(entry) => {
                let mut entry = lock(&entry);
                if !entry.usable_on(self.connection) {
                    // Another connection has bound it in this very moment.
                    return Err(StatusCode::SessionNotFound.into());
                }
                self.extend(&mut entry, control, track)
            }
            None => self.open(principal, &base, control, track)?,
        };
        let response = answer::to(request, StatusCode::Ok)
            .header(TRANSPORT, answer.to_string())
            .header(SESSION, self.session_header(&id))
            .build(Bytes::new());
        Ok((response, Vec::new()))
    }

    /// Opens the way for a track's media. Taking the lease here starts a cold source before PLAY.
    fn deliver(&self, track: &Arc<Track>, chosen: ClientTransport) -> Result<(SetUpTrack, TransportAnswer), Refusal> {
        let rtsp_track = self.context.tracks.of(track).ok_or(StatusCode::NotFound)?;
        let ssrc = rtsp_track.identity.ssrc;
        let agreement = Agreement::on(track.parameters().borrow().as_deref());
        let (delivery, answer) = match chosen {
            ClientTransport::Interleaved { channels } => {
                let channels = transport::free_channels(channels, &self.taken_channels());
                let channels = channels.ok_or(StatusCode::UnsupportedTransport)?;
                (Delivery::Interleaved(channels.0, channels.1), TransportAnswer::Interleaved { channels, ssrc })
            }
            ClientTransport::Udp { rtp, rtcp } => {
                let outlet = rtsp_track.outlet(self.local.ip(), &self.context.clock).map_err(|error| {
                    tracing::warn!(%error, "no UDP ports for a viewer");
                    StatusCode::ServiceUnavailable
                })?;
                let address = |port| SocketAddr::new(self.peer.ip(), port);
                let registration = outlet.register(address(rtp), address(rtcp), agreement.clone());
                let (source, server) = (self.local.ip(), registration.ports());
                let answer = TransportAnswer::Udp { client: (rtp, rtcp), server, source, ssrc };
                (Delivery::Udp(registration), answer)
            }
        };
        Ok((SetUpTrack { track: Arc::clone(rtsp_track), delivery, agreement, _lease: track.lease() }, answer))
    }

    /// Refuses one session more than a connection may hold (453).
    fn check_room(&mut self, id: Option<&SessionId>) -> Result<(), Refusal> {
        let known = id.is_some_and(|id| self.sessions.contains(id));
        if !known && self.has_sessions() && self.sessions.len() >= MOST_SESSIONS {
            return Err(StatusCode::NotEnoughBandwidth.into());
        }
        Ok(())
    }

    /// The channels that the tracks of this connection use.
    fn taken_channels(&self) -> Vec<u8> {
        let mut taken = Vec::new();
        for entry in self.sessions.iter().filter_map(|id| self.context.registry.get(id)) {
            for (_, track) in lock(&entry).session.tracks() {
                if let Delivery::Interleaved(rtp, rtcp) = track.delivery {
                    taken.extend([rtp, rtcp]);
                }
            }
        }
        taken
    }

    fn open(
        &mut self,
        principal: &Principal,
        base: &str,
        control: Control,
        track: SetUpTrack,
    ) -> Result<SessionId, Refusal> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| StatusCode::InternalServerError)?;
        let id = SessionId::from_random(random);
        let timeout = self.context.limits.session_timeout;
        let session = Session::new(id.clone(), principal.user(), base, timeout, self.context.clock.mono());
        let mut entry = Entry { session, bound_to: None };
        self.extend(&mut entry, control, track);
        if self.context.registry.insert(entry).is_err() {
            self.sessions.retain(|known| *known != id);
            return Err(StatusCode::NotEnoughBandwidth.into());
        }
        Ok(id)
    }

    /// Adds a track. One that is interleaved binds the session to this connection, which has to end it then, even if another
    /// made it.
    fn extend(&mut self, entry: &mut Entry, control: Control, track: SetUpTrack) -> SessionId {
        if matches!(track.delivery, Delivery::Interleaved(..)) {
            entry.bound_to = Some(self.connection);
        }
        entry.session.set_up(control, track);
        let id = entry.session.id();
        if !self.sessions.contains(id) {
            self.sessions.push(id.clone());
        }
        id.clone()
    }

    async fn play(&self, request: &Request<Bytes>, wanted: &Wanted<'_>, principal: &Principal) -> Answer {
        let id = wanted.session.as_ref().ok_or(StatusCode::SessionNotFound)?;
        let entry = self.find(id, principal)?;
        let (started, tracks) = {
            let mut entry = lock(&entry);
            entry.session.touch(self.context.clock.mono());
            entry.session.may_control(&wanted.path).map_err(|misfit| Refusal::new(status(misfit)))?;
            let started = entry.session.play();
            let tracks = entry.session.tracks().iter().map(|(control, set_up)| Start {
                control: *control,
                track: Arc::clone(&set_up.track),
                channels: match set_up.delivery {
                    Delivery::Interleaved(rtp, rtcp) => Some((rtp, rtcp)),
                    Delivery::Udp(_) => None,
                },
                agreement: set_up.agreement.clone(),
            });
            (started, tracks.collect::<Vec<_>>())
        };
        let answer = answer::to(request, StatusCode::Ok).header(SESSION, self.session_header(id));
        if !started {
            return Ok((answer.build(Bytes::new()), Vec::new()));
        }
        let base = base_uri(request);
        let entries = entry::enter(tracks, &self.context.clock).await;
        let starts = entry::stream_starts(&entries, base.trim_end_matches('/'), self.context.clock.mono());
        let begin = entries.iter().find_map(|entered| entered.begin).unwrap_or_else(|| self.context.clock.utc());
        let mut answer = answer.header(RANGE, live_answer(UtcInstant(begin.as_nanos())));
        if !starts.is_empty() {
            answer = answer.header(RTP_INFO, RtpInfo(&starts).to_string());
        }
        let response = answer.build(Bytes::new());
        let mut players = Vec::new();
        let mut cursors = Vec::new();
        for entered in entries {
            match entered.start.channels {
                Some(channels) => {
                    let Start { track, agreement, .. } = entered.start;
                    players.push(Player::new(id.clone(), track, channels, agreement, entered.cursor));
                }
                None => cursors.push((entered.start.control, entered.cursor)),
            }
        }
        Ok((response, vec![Effect::Start(players), Effect::StartDatagrams { entry, cursors }]))
    }

    fn pause(&self, request: &Request<Bytes>, wanted: &Wanted<'_>, principal: &Principal) -> Answer {
        let id = wanted.session.as_ref().ok_or(StatusCode::SessionNotFound)?;
        let entry = self.find(id, principal)?;
        let mut entry = lock(&entry);
        entry.session.touch(self.context.clock.mono());
        entry.session.may_control(&wanted.path).map_err(|misfit| Refusal::new(status(misfit)))?;
        entry.session.pause();
        for (_, track) in entry.session.tracks() {
            if let Delivery::Udp(registration) = &track.delivery {
                registration.pause();
            }
        }
        let response = answer::to(request, StatusCode::Ok).header(SESSION, self.session_header(id)).build(Bytes::new());
        Ok((response, vec![Effect::Stop { session: id.clone(), bye: false }]))
    }

    fn tear_down(&mut self, request: &Request<Bytes>, wanted: &Wanted<'_>, principal: &Principal) -> Answer {
        let id = wanted.session.as_ref().ok_or(StatusCode::SessionNotFound)?;
        let entry = self.find(id, principal)?;
        // RM-7: control is aggregate; one track of several is not ended alone (460).
        lock(&entry).session.may_control(&wanted.path).map_err(|misfit| Refusal::new(status(misfit)))?;
        self.context.registry.remove(id);
        self.sessions.retain(|known| known != id);
        let response = answer::to(request, StatusCode::Ok).build(Bytes::new());
        Ok((response, vec![Effect::Stop { session: id.clone(), bye: true }]))
    }

    /// RM-3: without a parameter both are signs of life; no parameter is known.
    fn parameters(&self, request: &Request<Bytes>, wanted: &Wanted<'_>, principal: &Principal) -> Answer {
        let mut answer = answer::to(request, StatusCode::Ok);
        if let Some(id) = &wanted.session {
            let entry = self.find(id, principal)?;
            lock(&entry).session.touch(self.context.clock.mono());
            answer = answer.header(SESSION, self.session_header(id));
        }
        if request.body().iter().any(|byte| !byte.is_ascii_whitespace()) {
            return Err(StatusCode::ParameterNotUnderstood.into());
        }
        Ok((answer.build(Bytes::new()), Vec::new()))
    }

    fn streams(&self, path: &str) -> Result<Streams, Refusal> {
        self.context.cameras.streams(path).ok_or_else(|| StatusCode::NotFound.into())
    }

    /// The presentation and the media that a SETUP names. The address of a presentation with a single media will do.
    fn media_of(&self, path: &str) -> Result<(String, Control), Refusal> {
        if let Some((base, control)) = Control::split(path) {
            return Ok((base.to_owned(), control));
        }
        let base = path.trim_end_matches('/');
        let streams = self.streams(base)?;
        match (streams.video.is_some(), streams.audio.is_some()) {
            (true, false) => Ok((base.to_owned(), Control::Video)),
            (false, true) => Ok((base.to_owned(), Control::Audio)),
            _ => Err(StatusCode::AggregateOperationNotAllowed.into()),
        }
    }

    fn find(&self, id: &SessionId, principal: &Principal) -> Result<Arc<Mutex<Entry>>, Refusal> {
        let found = self.context.registry.find(id, principal.user(), self.connection);
        found.ok_or_else(|| StatusCode::SessionNotFound.into())
    }

    fn ssrc(&self, track: &Arc<Track>) -> u32 {
        self.context.tracks.of(track).map_or(0, |track| track.identity.ssrc.0)
    }

    /// KA-1: the timeout stands in every answer that names the session.
    fn session_header(&self, id: &SessionId) -> String {
        format!("{};timeout={}", id.as_str(), self.context.limits.session_timeout.as_secs())
    }
}

/// The address of the request without query, ending in a slash, so that relative control addresses join on.
fn base_uri(request: &Request<Bytes>) -> String {
    let Some(uri) = request.request_uri() else { return String::new() };
    let mut uri = uri.clone();
    uri.set_query(None);
    uri.set_fragment(None);
    // The user information is the client's business and does not come back.
    let _ = uri.set_username("");
    let _ = uri.set_password(None);
    let base = Control::split(uri.path()).map_or(uri.path().trim_end_matches('/'), |(base, _)| base).to_owned();
    uri.set_path(&format!("{base}/"));
    uri.to_string()
}

fn status(misfit: Misfit) -> StatusCode {
    match misfit {
        Misfit::WhilePlaying => StatusCode::MethodNotValidInThisState,
        Misfit::OtherPresentation => StatusCode::AggregateOperationNotAllowed,
        Misfit::OnlyAggregate => StatusCode::OnlyAggregateOperationAllowed,
    }
}
