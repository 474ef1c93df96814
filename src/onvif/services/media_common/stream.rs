//! The addresses of streams and snapshots, and key frames on request.

use super::{View, faults};
use crate::{
    camera::Profile,
    onvif::{soap::fault::Fault, visit::Visit},
};

/// How a client wants to be streamed to, as far as the address differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// RTSP, with RTP over UDP or in between.
    Rtsp,
    /// Both through HTTP.
    Tunnel,
}

/// The address of a profile's stream, which stays the same for good (TR-13).
///
/// # Errors
/// There is no such profile, or it has nothing to stream, or there is no listener for this way.
pub(crate) fn uri(view: &View, visit: &Visit, profile: &str, way: Way) -> Result<String, Fault> {
    let Profile { token, .. } = view.profile(profile)?;
    let context = &view.context;
    context.camera.streams(token).ok_or_else(faults::incomplete)?;
    match way {
        Way::Rtsp => context.stream_uri(visit, token).ok_or_else(faults::invalid_stream_setup),
        Way::Tunnel => Ok(context.tunnel_uri(visit, token)),
    }
}

/// The address of a profile's snapshot (SN-2).
///
/// # Errors
/// There is no such profile, or it has no pictures.
pub(crate) fn snapshot_uri(view: &View, visit: &Visit, profile: &str) -> Result<String, Fault> {
    let profile = view.profile(profile)?;
    profile.video_source.as_ref().ok_or_else(faults::incomplete)?;
    Ok(view.context.snapshot_uri(visit, &profile.token))
}

/// Asks for a key frame of a profile's pictures. A source that cannot make one sends the next when it is due.
///
/// # Errors
/// There is no such profile.
pub(crate) fn synchronise(view: &View, profile: &str) -> Result<(), Fault> {
    let profile = view.profile(profile)?;
    if let Some(track) = profile.video_encoder.as_deref().and_then(|token| view.context.camera.track(token)) {
        track.request_key();
    }
    Ok(())
}
