//! RTCP as this door speaks it.

use bytes::Bytes;

use crate::{
    base::clock::MonoTime,
    hub::Unit,
    rtp::{
        packet::Ssrc,
        rtcp::{self, Compound, NtpTime, SenderInfo},
    },
    rtsp::core::wire::Identity,
};

/// The canonical name in our reports: all streams of the device share one clock (RT-4).
const CNAME: &str = "belvedere";

/// Writes the sender report of a track, drawn on from its newest unit (RT-3).
pub fn sender_report(identity: &Identity, newest: &Unit, now: MonoTime) -> Bytes {
    rtcp::sender_report(&sender_info(identity, newest, now), CNAME)
}

/// Writes the last report of a track with a BYE (RT-10).
pub fn goodbye(identity: &Identity, newest: &Unit, now: MonoTime) -> Bytes {
    rtcp::goodbye(&sender_info(identity, newest, now), CNAME)
}

fn sender_info(identity: &Identity, newest: &Unit, now: MonoTime) -> SenderInfo {
    let (utc, time) = identity.report_time(newest, now);
    let (packets, octets) = identity.counts();
    SenderInfo { ssrc: identity.ssrc, ntp: NtpTime::from_utc_nanos(utc.as_nanos()), time, packets, octets }
}

/// What a client's RTCP says to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feedback {
    /// It lost pictures and asks for a key frame (RT-6).
    pub wants_key: bool,
}

/// Reads a compound packet of a client of the stream `ssrc`; `None` if it is none.
pub fn read_feedback(packet: &[u8], ssrc: Ssrc) -> Option<Feedback> {
    let mut parts = Compound::new(packet).peekable();
    parts.peek()?;
    let mut wants_key = false;
    for part in parts {
        wants_key |= part.ok()?.asks_key_frame(ssrc);
    }
    Some(Feedback { wants_key })
}

/// Puts an RTCP packet behind its interleaved prefix (RFC 2326 section 10.12).
pub fn interleave(channel: u8, packet: &[u8]) -> Bytes {
    let mut framed = Vec::with_capacity(packet.len() + 4);
    framed.extend_from_slice(&[b'$', channel]);
    framed.extend_from_slice(&(packet.len() as u16).to_be_bytes());
    framed.extend_from_slice(packet);
    framed.into()
}
