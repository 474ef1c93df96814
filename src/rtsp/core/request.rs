//! Requests, decoded once.

use bytes::Bytes;
use rtsp_types::{
    Method, Request, StatusCode,
    headers::{ACCEPT, ALLOW, CSEQ, HeaderName, RANGE, REQUIRE, SESSION, TRANSPORT, UNSUPPORTED},
};

use super::{answer::Refusal, range::Range, session::SessionId};

/// The methods of this server, as OPTIONS lists them (RM-5).
pub const PUBLIC: &str = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER";

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Which methods there are.
    Options,
    /// The session description.
    Describe,
    /// A transport for a track.
    SetUp,
    /// Start.
    Play,
    /// Stop for a while.
    Pause,
    /// End.
    TearDown,
    /// Read a parameter, or just a sign of life.
    GetParameter,
    /// Set a parameter, or just a sign of life.
    SetParameter,
}

/// A request with the parts that matter read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// What the client wants.
    pub action: Action,
    /// The decoded path of the address; empty for `*`.
    pub path: String,
    /// The session it belongs to, if it names one.
    pub session: Option<SessionId>,
    /// The Transport header.
    pub transport: Option<&'a str>,
}

/// Reads a request. The refusal is what to answer instead: 400 without CSeq, 405 and 501 for methods, 551 for `Require`.
pub fn decode(request: &Request<Bytes>) -> Result<Wanted<'_>, Refusal> {
    if request.header(&CSEQ).is_none_or(|value| value.as_str().trim().parse::<u32>().is_err()) {
        return Err(StatusCode::BadRequest.into());
    }
    let action = action(request.method())?;
    if let Some(required) = request.header(&REQUIRE) {
        // RM-12: no feature tag is supported yet.
        return Err(Refusal::new(StatusCode::OptionNotSupported).with(UNSUPPORTED, required.as_str()));
    }
    let path = match request.request_uri() {
        Some(uri) => percent_decode(uri.path()).ok_or(StatusCode::BadRequest)?,
        None if action == Action::Describe || action == Action::SetUp => return Err(StatusCode::BadRequest.into()),
        None => String::new(),
    };
    let session = text(request, &SESSION).map(SessionId::from_header);
    if let (Action::Play, Some(range)) = (action, text(request, &RANGE)) {
        Range::check_live(range).map_err(|error| Refusal::new(error.status()))?;
    }
    Ok(Wanted { action, path, session, transport: text(request, &TRANSPORT) })
}

fn action(method: &Method) -> Result<Action, Refusal> {
    Ok(match method {
        Method::Options => Action::Options,
        Method::Describe => Action::Describe,
        Method::Setup => Action::SetUp,
        Method::Play => Action::Play,
        Method::Pause => Action::Pause,
        Method::Teardown => Action::TearDown,
        Method::GetParameter => Action::GetParameter,
        Method::SetParameter => Action::SetParameter,
        // RM-4: known to the protocol, not to this server.
        Method::Announce | Method::Record | Method::Redirect => {
            return Err(Refusal::new(StatusCode::MethodNotAllowed).with(ALLOW, PUBLIC));
        }
        _ => return Err(StatusCode::NotImplemented.into()),
    })
}

/// Whether the client takes a session description (SD-12). Without an Accept header it does.
pub fn accepts_sdp(request: &Request<Bytes>) -> bool {
    let Some(accepted) = text(request, &ACCEPT) else { return true };
    let mut types = accepted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
    types.any(|name| ["application/sdp", "application/*", "*/*"].iter().any(|ours| name.eq_ignore_ascii_case(ours)))
}

fn text<'a>(request: &'a Request<Bytes>, name: &HeaderName) -> Option<&'a str> {
    request.header(name).map(|value| value.as_str())
}

/// Undoes percent-encoding; `None` where the result is not text.
pub fn percent_decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else { return None };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}
