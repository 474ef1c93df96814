//! The Transport header (RFC 2326, section 12.39): what a client offers in SETUP, and our answer.

use std::fmt;
use std::net::IpAddr;

use rtsp_types::StatusCode;
use thiserror::Error;

use crate::rtp::packet::Ssrc;

/// A way of delivery that a client offers and we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientTransport {
    /// RTP over UDP to the client's two ports.
    Udp {
        /// Where the client receives RTP.
        rtp: u16,
        /// Where the client receives RTCP.
        rtcp: u16,
    },
    /// RTP interleaved with RTSP.
    Interleaved {
        /// The channels for RTP and RTCP, if the client chose.
        channels: Option<(u8, u8)>,
    },
}

/// The reason why no alternative is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TransportError {
    /// The header offers nothing.
    #[error("empty Transport header")]
    Empty,
    /// None of the alternatives is supported here: multicast, another profile, recording, or no ports.
    #[error("no supported transport among the alternatives")]
    Unsupported,
}

impl TransportError {
    /// Returns the status to answer with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Empty => StatusCode::BadRequest,
            Self::Unsupported => StatusCode::UnsupportedTransport,
        }
    }
}

/// Takes the first alternative that we know and `accepts` approves (RM-14).
pub fn choose(header: &str, accepts: impl Fn(&ClientTransport) -> bool) -> Result<ClientTransport, TransportError> {
    let mut alternatives = split(header, ',').map(str::trim).filter(|part| !part.is_empty()).peekable();
    alternatives.peek().ok_or(TransportError::Empty)?;
    alternatives.filter_map(parse).find(accepts).ok_or(TransportError::Unsupported)
}

/// The interleaved channels for one more track of a connection: those that the client chose, or the first free pair where it
/// chose none or taken ones. `None` when every channel is taken (461).
pub fn free_channels(chosen: Option<(u8, u8)>, taken: &[u8]) -> Option<(u8, u8)> {
    let free = |pair: &(u8, u8)| !taken.contains(&pair.0) && !taken.contains(&pair.1);
    let mut pairs = (0..=127_u8).map(|half| (half * 2, half * 2 + 1));
    chosen.filter(free).or_else(|| pairs.find(free))
}

/// Reads one alternative; `None` if it is malformed or not supported.
///
/// Field practice: the lower transport is left out though `interleaved` is there; neither `unicast` nor `multicast` is said
/// (the RFC's default is multicast, but whoever names a client port means unicast); one port instead of a pair.
/// `destination` is ignored: media goes where the request came from.
fn parse(alternative: &str) -> Option<ClientTransport> {
    let mut parameters = split(alternative, ';').map(str::trim);
    let protocol = parameters.next()?;
    let mut parts = protocol.split('/').map(str::trim);
    let is = |part: Option<&str>, name: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(name));
    if !is(parts.next(), "RTP") || !is(parts.next(), "AVP") {
        return None;
    }
    let mut tcp = match parts.next() {
        None => false,
        lower if is(lower, "UDP") => false,
        lower if is(lower, "TCP") => true,
        Some(_) => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    let (mut ports, mut channels) = (None, None);
    for parameter in parameters {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "multicast" => return None,
            "client_port" => ports = Some(pair::<u16>(value)?),
            "interleaved" => channels = Some(pair::<u8>(value)?),
            "mode" if !plays(value) => return None,
            _ => {}
        }
    }
    tcp |= channels.is_some() && ports.is_none();
    if tcp {
        return Some(ClientTransport::Interleaved { channels });
    }
    let (rtp, rtcp) = ports.filter(|(rtp, rtcp)| *rtp > 0 && *rtcp > 0)?;
    Some(ClientTransport::Udp { rtp, rtcp })
}

/// Reads `a-b` or `a`, which means `a` and the number after it. RTP and RTCP must differ.
fn pair<N: TryFrom<u32> + PartialEq>(value: &str) -> Option<(N, N)> {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let (first, second) = match value.split_once('-') {
        Some((first, second)) => (number(first)?, number(second)?),
        None => (number(value)?, number(value)?.checked_add(1)?),
    };
    let pair = (N::try_from(first).ok()?, N::try_from(second).ok()?);
    (pair.0 != pair.1).then_some(pair)
}

/// Tells whether a mode list is empty or names PLAY.
fn plays(value: &str) -> bool {
    value.is_empty() || value.split([',', ' ']).any(|mode| mode.trim().eq_ignore_ascii_case("PLAY"))
}

/// Splits at a separator that does not stand within quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

/// The Transport header of a SETUP response (RM-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportAnswer {
    /// RTP over UDP.
    Udp {
        /// The client's ports for RTP and RTCP, as it named them.
        client: (u16, u16),
        /// Our ports for RTP and RTCP.
        server: (u16, u16),
        /// Where the packets come from: the address that the client contacted (RT-11).
        source: IpAddr,
        /// The stream.
        ssrc: Ssrc,
    },
    /// RTP interleaved with RTSP.
    Interleaved {
        /// The channels for RTP and RTCP.
        channels: (u8, u8),
        /// The stream.
        ssrc: Ssrc,
    },
}

impl fmt::Display for TransportAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp { client, server, source, ssrc } => write!(
                f,
                "RTP/AVP;unicast;client_port={}-{};server_port={}-{};source={source};ssrc={ssrc};mode=\"PLAY\"",
                client.0, client.1, server.0, server.1
            ),
            Self::Interleaved { channels: (rtp, rtcp), ssrc } => {
                write!(f, "RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp};ssrc={ssrc};mode=\"PLAY\"")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(header: &str) -> Result<ClientTransport, TransportError> {
        choose(header, |_| true)
    }

    const fn udp(rtp: u16, rtcp: u16) -> Result<ClientTransport, TransportError> {
        Ok(ClientTransport::Udp { rtp, rtcp })
    }

    const fn tcp(channels: Option<(u8, u8)>) -> Result<ClientTransport, TransportError> {
        Ok(ClientTransport::Interleaved { channels })
    }

    const UNSUPPORTED: Result<ClientTransport, TransportError> = Err(TransportError::Unsupported);

    #[test]
    fn every_form_met_in_the_field_is_understood() {
        for (header, want) in [
            // ffmpeg, live555
            ("RTP/AVP/UDP;unicast;client_port=19586-19587", udp(19586, 19587)),
            ("RTP/AVP;unicast;client_port=50000-50001", udp(50000, 50001)),
            ("RTP/AVP/TCP;unicast;interleaved=0-1", tcp(Some((0, 1)))),
            // GStreamer offers UDP and TCP one after the other, or all in one header
            (r#"RTP/AVP/UDP;unicast;client_port=6000-6001;mode="PLAY""#, udp(6000, 6001)),
            ("RTP/AVP/UDP;unicast;client_port=1-2,RTP/AVP/TCP;unicast;interleaved=2-3", udp(1, 2)),
            ("RTP/AVP/UDP;multicast,RTP/AVP/TCP;unicast;interleaved=0-1", tcp(Some((0, 1)))),
            // Names in any case, blanks, quotes
            ("rtp/avp/tcp;UNICAST;Interleaved=4-5;MODE=play", tcp(Some((4, 5)))),
            ("RTP/AVP; unicast; client_port = 5000 - 5001", udp(5000, 5001)),
            (r#" RTP/AVP;unicast;client_port="5000-5001";mode="play" "#, udp(5000, 5001)),
            (r#"RTP/AVP;mode="PLAY,RECORD";unicast;client_port=5000-5001"#, udp(5000, 5001)),
            // One number instead of a pair
            ("RTP/AVP;unicast;client_port=5000", udp(5000, 5001)),
            ("RTP/AVP/TCP;interleaved=6", tcp(Some((6, 7)))),
            // Channels left to the server; the lower transport left out; unicast not said
            ("RTP/AVP/TCP;unicast", tcp(None)),
            ("RTP/AVP;unicast;interleaved=0-1", tcp(Some((0, 1)))),
            ("RTP/AVP;client_port=5000-5001", udp(5000, 5001)),
            // A destination is ignored, and so is whatever else a client says
            ("RTP/AVP;unicast;destination=10.0.0.1;client_port=5000-5001;ttl=3;ssrc=AB;x;;", udp(5000, 5001)),
            (",,RTP/AVP/TCP;unicast;interleaved=0-1,", tcp(Some((0, 1)))),
            // Not supported
            ("RTP/AVP;multicast", UNSUPPORTED),
            ("RTP/AVP/UDP;multicast;destination=239.0.0.1;port=5000-5001;ttl=1", UNSUPPORTED),
            ("RTP/SAVP;unicast;client_port=5000-5001", UNSUPPORTED),
            ("RTP/AVPF;unicast;client_port=5000-5001", UNSUPPORTED),
            ("RTP/AVP/SCTP;unicast", UNSUPPORTED),
            ("RTP/AVP/TCP/x;unicast", UNSUPPORTED),
            ("RAW/RAW/UDP;unicast;client_port=5000-5001", UNSUPPORTED),
            (r#"RTP/AVP;unicast;client_port=5000-5001;mode="RECORD""#, UNSUPPORTED),
            // Not usable
            ("RTP/AVP;unicast", UNSUPPORTED),
            ("RTP/AVP;unicast;client_port=", UNSUPPORTED),
            ("RTP/AVP;unicast;client_port=0-1", UNSUPPORTED),
            ("RTP/AVP;unicast;client_port=65535", UNSUPPORTED),
            ("RTP/AVP;unicast;client_port=5000-5000", UNSUPPORTED),
            ("RTP/AVP;unicast;client_port=4294967295", UNSUPPORTED),
            ("RTP/AVP;unicast;client_port=99999999999", UNSUPPORTED),
            ("RTP/AVP/TCP;interleaved=255", UNSUPPORTED),
            ("RTP/AVP/TCP;interleaved=256-257", UNSUPPORTED),
            ("rubbish", UNSUPPORTED),
            ("", Err(TransportError::Empty)),
            (" , ", Err(TransportError::Empty)),
        ] {
            assert_eq!(chosen(header), want, "{header}");
        }
    }

    #[test]
    fn an_alternative_that_the_caller_refuses_is_passed_over() {
        let header = "RTP/AVP;unicast;client_port=5000-5001,RTP/AVP/TCP;unicast;interleaved=0-1";
        let over_tls = |t: &ClientTransport| matches!(t, ClientTransport::Interleaved { .. });
        assert_eq!(choose(header, over_tls), tcp(Some((0, 1))));
        assert_eq!(chosen("RTP/AVP;multicast").unwrap_err().status(), StatusCode::UnsupportedTransport);
    }

    #[test]
    fn channels_are_the_clients_unless_they_are_taken() {
        assert_eq!(free_channels(Some((5, 4)), &[0, 1]), Some((5, 4)));
        assert_eq!(free_channels(Some((1, 2)), &[0, 1]), Some((2, 3)));
        assert_eq!(free_channels(None, &[0, 1, 3]), Some((4, 5)));
        let all_but_two: Vec<u8> = (0..254).collect();
        assert_eq!(free_channels(None, &all_but_two), Some((254, 255)));
        let odd: Vec<u8> = (0..128).map(|half| half * 2 + 1).collect();
        assert_eq!(free_channels(Some((0, 1)), &odd), None, "a pair is no good when one of it is taken");
    }

    #[test]
    fn answers_say_what_rm_8_asks_for() {
        let source = "192.0.2.7".parse().unwrap();
        let answer = TransportAnswer::Udp { client: (5000, 5001), server: (6000, 6001), source, ssrc: Ssrc(0xab) };
        assert_eq!(
            answer.to_string(),
            r#"RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;source=192.0.2.7;ssrc=000000AB;mode="PLAY""#
        );
        assert_eq!(
            TransportAnswer::Interleaved { channels: (2, 3), ssrc: Ssrc(0x1234_5678) }.to_string(),
            r#"RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=12345678;mode="PLAY""#
        );
    }
}
