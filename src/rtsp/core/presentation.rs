//! Descriptions of what an address plays.

use std::{net::IpAddr, sync::Arc};

use super::{
    sdp::{Media, MediaKind, SessionDescription},
    session::Control,
    wire::payload_type,
};
use crate::{
    hub::{Codec, G711Law, Parameters},
    rtp::sdp_params,
};

/// One of the media of an address with its description.
#[derive(Debug, Clone)]
pub struct Described {
    /// Which of the media.
    pub control: Control,
    /// Its description.
    pub parameters: Arc<Parameters>,
}

/// Describes a presentation for a client that contacted `origin` (SD-1 to SD-11).
pub fn describe(title: &str, id: u64, origin: IpAddr, media: &[Described]) -> SessionDescription {
    SessionDescription {
        id,
        // SD-8: regenerated whenever parameter sets change.
        version: 1 + media.iter().map(|described| u64::from(described.parameters.generation)).sum::<u64>(),
        origin,
        name: title.to_owned(),
        media: media.iter().map(one).collect(),
    }
}

fn one(described: &Described) -> Media {
    let parameters = &*described.parameters;
    let (encoding, channels, fmtp) = match &parameters.codec {
        Codec::H264 { sps, pps } => ("H264", None, sdp_params::h264(&[sps, pps])),
        Codec::H265 { vps, sps, pps } => ("H265", None, sdp_params::h265(&[vps, sps, pps])),
        Codec::Jpeg => ("JPEG", None, None),
        Codec::Aac { config, channels } => {
            ("MPEG4-GENERIC", Some((*channels).min(255) as u8), Some(sdp_params::aac(config)))
        }
        Codec::G711(G711Law::Mu) => ("PCMU", None, None),
        Codec::G711(G711Law::A) => ("PCMA", None, None),
    };
    let is_video = described.control == Control::Video;
    Media {
        kind: if is_video { MediaKind::Video } else { MediaKind::Audio },
        payload_type: payload_type(&parameters.codec),
        encoding: encoding.to_owned(),
        clock_rate: parameters.clock_rate,
        channels,
        fmtp,
        control: described.control.segment().to_owned(),
        direction: None,
        frame_rate: parameters.frame_rate.map(|(num, den)| f64::from(num) / f64::from(den.max(1))),
        size: parameters.size,
        bandwidth: None,
    }
}
