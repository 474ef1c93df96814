//! Payload formats: how a unit of each codec is laid into packets.

pub mod aac;
pub mod g711;
pub mod h264;
pub mod h265;
pub mod jpeg;
mod jpeg_tables;
mod nal;

use super::packetizer::{PackError, PacketSink, UnitView};

/// The payload format of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadFormat {
    /// H.264 in packetization mode 1 (RFC 6184).
    H264,
    /// H.265 without decoding order numbers (RFC 7798).
    H265,
    /// Baseline JPEG (RFC 2435) with the ONVIF extension where it is needed.
    Jpeg,
    /// AAC in high bit-rate mode, one frame per packet (RFC 3640).
    Aac,
    /// G.711 of either law, one channel: one byte is one tick (RFC 3551).
    G711,
}

/// A checked unit that can be run over a sink more than once with the same result.
pub(super) enum Plan<'a> {
    H264(nal::Nals<'a>),
    H265(nal::Nals<'a>),
    Jpeg(Box<jpeg::Picture<'a>>),
    Aac(&'a [u8]),
    G711(&'a [u8]),
}

impl<'a> Plan<'a> {
    /// Checks a unit.
    pub(super) fn new(format: PayloadFormat, unit: &UnitView<'a>) -> Result<Self, PackError> {
        Ok(match format {
            PayloadFormat::H264 => Self::H264(nal::Nals::new(unit, h264::SHAPE)?),
            PayloadFormat::H265 => Self::H265(nal::Nals::new(unit, h265::SHAPE)?),
            PayloadFormat::Jpeg => Self::Jpeg(Box::new(jpeg::Picture::parse(unit.payload)?)),
            PayloadFormat::Aac => Self::Aac(unit.payload),
            PayloadFormat::G711 => Self::G711(unit.payload),
        })
    }

    /// Lays the unit into packets whose payload, header extension included, is at most `max_payload` bytes.
    pub(super) fn run(&self, max_payload: usize, sink: &mut impl PacketSink) -> Result<(), PackError> {
        match self {
            Self::H264(nals) => h264::pack(nals, max_payload, sink),
            Self::H265(nals) => h265::pack(nals, max_payload, sink),
            Self::Jpeg(picture) => picture.pack(max_payload, sink)?,
            Self::Aac(frame) => aac::pack(frame, max_payload, sink)?,
            Self::G711(samples) => g711::pack(samples, max_payload, sink),
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! What the tests of the formats share: a packetizer on demand and a strict look at every packet.

    use super::*;
    use crate::rtp::packet::{Packet, PayloadType, RtpTime, SequenceNumber, Ssrc};
    use crate::rtp::packetizer::{PacketBlock, Packetizer};

    /// A packet's payload and what of its header the tests look at.
    #[derive(Debug, PartialEq)]
    pub(in crate::rtp) struct Seen {
        pub(in crate::rtp) marker: bool,
        pub(in crate::rtp) time: u32,
        pub(in crate::rtp) extension: Option<(u16, Vec<u8>)>,
        pub(in crate::rtp) payload: Vec<u8>,
    }

    /// Packetizes one unit at time 0.
    pub(in crate::rtp) fn packetize(
        format: PayloadFormat,
        max_packet: usize,
        unit: &UnitView<'_>,
    ) -> Result<PacketBlock, PackError> {
        let payload_type = PayloadType::dynamic(0);
        Packetizer::new(format, payload_type, Ssrc(1), SequenceNumber(0), max_packet).packetize(unit)
    }

    /// Packetizes one unit and reads every packet, which must be valid and within the limit.
    pub(in crate::rtp) fn pack(format: PayloadFormat, max_packet: usize, unit: &UnitView<'_>) -> Vec<Seen> {
        let block = packetize(format, max_packet, unit).unwrap();
        block
            .packets()
            .map(|bytes| {
                assert!(bytes.len() <= max_packet, "{} > {max_packet}", bytes.len());
                let packet = Packet::parse(bytes).unwrap();
                Seen {
                    marker: packet.header.marker,
                    time: packet.header.time.0,
                    extension: packet.extension.map(|e| (e.profile, e.data.to_vec())),
                    payload: packet.payload.to_vec(),
                }
            })
            .collect()
    }

    /// Packetizes NAL units, the first `sets` of them as parameter sets.
    pub(in crate::rtp) fn pack_nals(
        format: PayloadFormat,
        max_packet: usize,
        nals: &[Vec<u8>],
        sets: usize,
    ) -> Vec<Seen> {
        let parameter_sets: Vec<&[u8]> = nals[..sets].iter().map(Vec::as_slice).collect();
        let mut payload = Vec::new();
        let mut ranges = Vec::new();
        for nal in &nals[sets..] {
            payload.extend_from_slice(&(nal.len() as u32).to_be_bytes());
            let start = payload.len() as u32;
            payload.extend_from_slice(nal);
            ranges.push(start..payload.len() as u32);
        }
        let unit = UnitView { payload: &payload, nals: &ranges, parameter_sets: &parameter_sets, time: RtpTime(0) };
        pack(format, max_packet, &unit)
    }

    /// Packetizes a plain payload.
    pub(in crate::rtp) fn pack_plain(format: PayloadFormat, max_packet: usize, payload: &[u8]) -> Vec<Seen> {
        pack(format, max_packet, &plain(payload))
    }

    /// A unit without NAL units.
    pub(in crate::rtp) fn plain(payload: &[u8]) -> UnitView<'_> {
        UnitView { payload, nals: &[], parameter_sets: &[], time: RtpTime(0) }
    }
}
