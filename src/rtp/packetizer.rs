//! Units into packets, once per track (design, "Packets"; measured: one shared buffer per unit and one write per viewer).
//!
//! A [`PacketBlock`] is one allocation in which every packet stands behind its interleaved prefix (RFC 2326, 10.12), so
//! that a viewer on channel 0 needs no copy at all, and a viewer over UDP gets the same packets as [`Datagrams`].
//!
//! The payload formats run twice over a unit with different sinks: first to measure, then to write. So the
//! allocation is made once with its exact size and payload bytes are copied once.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::packet::{Extension, HEADER_LEN, Header, PayloadType, RtpTime, SequenceNumber, Ssrc};
use super::payload::{self, PayloadFormat, jpeg::JpegError};

/// Length of the interleaved prefix: `$`, channel, 16-bit length.
pub const PREFIX_LEN: usize = 4;

/// The packet size used unless there is a reason for another, in bytes with the RTP header: leaves room for IPv6, UDP, an
/// SRTP tag and one tunnel header in an Ethernet frame.
pub const DEFAULT_MAX_PACKET: usize = 1400;

/// The smallest packet size, in bytes; smaller wishes get this.
pub const MIN_MAX_PACKET: usize = 64;

/// The largest packet size, in bytes; larger wishes get this. It is also the limit of a run of datagrams: what one send
/// with segmentation offload takes stays below the 65 507 bytes of a UDP datagram.
pub const MAX_MAX_PACKET: usize = 65_000;

/// The most segments that one send with segmentation offload takes (`UDP_MAX_SEGMENTS` of Linux before 6.9).
pub const MAX_SEGMENTS: usize = 64;

/// What of a unit goes onto the wire.
#[derive(Debug, Clone, Copy)]
pub struct UnitView<'a> {
    /// The immutable payload of the unit.
    pub payload: &'a [u8],
    /// Where in `payload` the NAL units lie, without length prefixes; unused by the other formats.
    pub nals: &'a [Range<u32>],
    /// NAL units to be sent in front: the parameter sets before a key frame (PL-3), otherwise empty.
    pub parameter_sets: &'a [&'a [u8]],
    /// The presentation time.
    pub time: RtpTime,
}

/// The reason why a unit cannot be packetized. The packetizer is unchanged and takes the next unit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PackError {
    /// There is nothing to send.
    #[error("unit has no payload")]
    Empty,
    /// A NAL unit's range does not lie within the payload.
    #[error("NAL unit {start}..{end} lies outside of the unit's {len} bytes")]
    Range {
        /// Start of the range.
        start: u32,
        /// End of the range.
        end: u32,
        /// Length of the unit's payload.
        len: usize,
    },
    /// The packets of the unit would exceed 4 GiB, or an AAC frame the 8191 bytes of RFC 3640's high bit-rate mode.
    #[error("unit of {0} bytes is too large")]
    TooLarge(usize),
    /// The picture cannot be carried as RFC 2435 and the ONVIF extension to it demand.
    #[error(transparent)]
    Jpeg(#[from] JpegError),
}

/// Turns the units of one track into packets. Sequence numbers continue from unit to unit.
#[derive(Debug)]
pub struct Packetizer {
    format: PayloadFormat,
    payload_type: PayloadType,
    ssrc: Ssrc,
    next: SequenceNumber,
    max_packet: usize,
}

impl Packetizer {
    /// Makes the packetizer of a track. `max_packet` is the size limit of a whole RTP packet with its header, in bytes, and
    /// is brought into [`MIN_MAX_PACKET`]`..=`[`MAX_MAX_PACKET`].
    pub fn new(
        format: PayloadFormat,
        payload_type: PayloadType,
        ssrc: Ssrc,
        first: SequenceNumber,
        max_packet: usize,
    ) -> Self {
        let max_packet = max_packet.clamp(MIN_MAX_PACKET, MAX_MAX_PACKET);
        Self { format, payload_type, ssrc, next: first, max_packet }
    }

    /// Returns the sequence number of the next packet.
    pub fn next_sequence(&self) -> SequenceNumber {
        self.next
    }

    /// Returns the stream's identity.
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Returns the payload type.
    pub fn payload_type(&self) -> PayloadType {
        self.payload_type
    }

    /// Packetizes one unit. After an error no sequence number is used up.
    pub fn packetize(&mut self, unit: &UnitView<'_>) -> Result<PacketBlock, PackError> {
        let plan = payload::Plan::new(self.format, unit)?;
        let max_payload = self.max_packet - HEADER_LEN;
        let mut measure = Measure::default();
        plan.run(max_payload, &mut measure)?;
        if measure.packets == 0 {
            return Err(PackError::Empty);
        }
        if u32::try_from(measure.bytes).is_err() {
            return Err(PackError::TooLarge(unit.payload.len()));
        }
        let mut writer = Writer {
            out: BytesMut::with_capacity(measure.bytes),
            ends: Vec::with_capacity(measure.packets),
            payload_type: self.payload_type,
            ssrc: self.ssrc,
            first: self.next,
            time: unit.time,
            start: 0,
        };
        plan.run(max_payload, &mut writer)?;
        let block = writer.finish();
        self.next = self.next.advanced(block.ends.len());
        Ok(block)
    }
}

/// What stands before the payload of a packet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head<'a> {
    /// The marker bit.
    pub(super) marker: bool,
    /// Ticks between the unit's time and this packet's.
    pub(super) delay: u32,
    /// The header extension; its data is a multiple of four bytes.
    pub(super) extension: Option<Extension<'a>>,
}

/// Takes the packets of a unit in order: `begin`, then the payload in any number of pieces.
pub(super) trait PacketSink {
    /// Ends the packet before and begins the next one.
    fn begin(&mut self, head: Head<'_>);
    /// Appends to the payload of the packet begun last.
    fn put(&mut self, bytes: &[u8]);
}

/// Adds up what the packets need.
#[derive(Debug, Default)]
struct Measure {
    packets: usize,
    bytes: usize,
}

impl PacketSink for Measure {
    fn begin(&mut self, head: Head<'_>) {
        self.packets += 1;
        self.bytes += PREFIX_LEN + HEADER_LEN + head.extension.map_or(0, |e| 4 + e.data.len());
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
    }
}

/// Writes the packets.
struct Writer {
    out: BytesMut,
    ends: Vec<u32>,
    payload_type: PayloadType,
    ssrc: Ssrc,
    first: SequenceNumber,
    time: RtpTime,
    /// Where the current packet's prefix begins.
    start: usize,
}

impl Writer {
    /// Fills in the length of the packet that ends here.
    fn close(&mut self) {
        if self.start < self.out.len() {
            // At most MAX_MAX_PACKET.
            let len = (self.out.len() - self.start - PREFIX_LEN) as u16;
            self.out[self.start + 2..self.start + 4].copy_from_slice(&len.to_be_bytes());
            // The whole was measured to fit 32 bits.
            self.ends.push(self.out.len() as u32);
            self.start = self.out.len();
        }
    }

    fn finish(mut self) -> PacketBlock {
        self.close();
        PacketBlock {
            interleaved: self.out.freeze(),
            ends: self.ends.into_boxed_slice(),
            first_sequence: self.first,
            time: self.time,
        }
    }
}

impl PacketSink for Writer {
    fn begin(&mut self, head: Head<'_>) {
        self.close();
        let header = Header {
            extension: head.extension.is_some(),
            marker: head.marker,
            payload_type: self.payload_type,
            sequence: self.first.advanced(self.ends.len()),
            time: self.time.advanced(head.delay),
            ssrc: self.ssrc,
        };
        self.out.put_slice(&[b'$', 0, 0, 0]);
        self.out.put_slice(&header.to_bytes());
        if let Some(extension) = head.extension {
            self.out.put_u16(extension.profile);
            // Bounded by the packet size.
            self.out.put_u16((extension.data.len() / 4) as u16);
            self.out.put_slice(extension.data);
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }
}

/// All packets of one unit, immutable and shared by every viewer.
#[derive(Debug, Clone)]
pub struct PacketBlock {
    /// Every packet behind its interleaved prefix for channel 0, back to back.
    pub interleaved: Bytes,
    /// Where in `interleaved` each packet ends.
    pub ends: Box<[u32]>,
    /// The sequence number of the first packet.
    pub first_sequence: SequenceNumber,
    /// The RTP time of the unit.
    pub time: RtpTime,
}

impl PacketBlock {
    /// Returns the number of packets, at least one.
    pub fn packet_count(&self) -> usize {
        self.ends.len()
    }

    /// Returns the bytes of all packets without their fixed headers, as sender reports count them. (A header extension
    /// counts as payload here; only JPEG pictures beyond 2040 pixels have one.)
    pub fn payload_octets(&self) -> usize {
        self.interleaved.len() - self.ends.len() * (PREFIX_LEN + HEADER_LEN)
    }

    /// Iterates over the packets without their prefixes.
    pub fn packets(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let packet = &self.interleaved[start + PREFIX_LEN..end as usize];
            start = end as usize;
            packet
        })
    }

    /// Returns the interleaved form for a channel: the shared bytes for channel 0, a patched copy for others.
    pub fn with_channel(&self, channel: u8) -> Bytes {
        if channel == 0 {
            return self.interleaved.clone();
        }
        let mut copy = BytesMut::from(&self.interleaved[..]);
        let mut start = 0;
        for &end in &self.ends {
            copy[start + 1] = channel;
            start = end as usize;
        }
        copy.freeze()
    }

    /// Returns the packets back to back without prefixes, cut into runs for segmentation offload.
    pub fn datagrams(&self) -> Datagrams {
        let mut bytes = BytesMut::with_capacity(self.interleaved.len() - self.ends.len() * PREFIX_LEN);
        let mut runs: Vec<Run> = Vec::new();
        let mut open = false;
        for packet in self.packets() {
            let len = packet.len() as u32;
            let joined = runs.last_mut().filter(|run| open && run.takes(len));
            match joined {
                Some(run) => {
                    run.len += len;
                    // Only the last segment of a run may be smaller.
                    open = len == u32::from(run.segment);
                }
                None => {
                    runs.push(Run { offset: bytes.len() as u32, len, segment: len as u16 });
                    open = true;
                }
            }
            bytes.put_slice(packet);
        }
        Datagrams { bytes: bytes.freeze(), runs: runs.into_boxed_slice() }
    }
}

/// The packets of one unit as datagrams.
#[derive(Debug, Clone)]
pub struct Datagrams {
    /// The packets back to back.
    pub bytes: Bytes,
    /// What one send with `UDP_SEGMENT` takes, in order and without gaps.
    pub runs: Box<[Run]>,
}

/// Packets of equal size, the last of which may be smaller: at most [`MAX_SEGMENTS`] of them and [`MAX_MAX_PACKET`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Where the run begins in [`Datagrams::bytes`].
    pub offset: u32,
    /// Length of the run in bytes.
    pub len: u32,
    /// Length of each packet but the last.
    pub segment: u16,
}

impl Run {
    /// Returns the bytes that the run covers.
    pub fn range(&self) -> Range<usize> {
        self.offset as usize..self.offset as usize + self.len as usize
    }

    /// Returns the number of packets in the run.
    pub fn segments(&self) -> usize {
        (self.len as usize).div_ceil(usize::from(self.segment))
    }

    fn takes(&self, len: u32) -> bool {
        len <= u32::from(self.segment) && self.segments() < MAX_SEGMENTS && (self.len + len) as usize <= MAX_MAX_PACKET
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a unit may have one NAL unit")]
mod tests {
    use super::*;
    use crate::rtp::packet::Packet;

    fn packetizer(format: PayloadFormat, max_packet: usize) -> Packetizer {
        Packetizer::new(format, PayloadType::dynamic(0), Ssrc(7), SequenceNumber(0xfffe), max_packet)
    }

    fn unit<'a>(payload: &'a [u8], nals: &'a [Range<u32>]) -> UnitView<'a> {
        UnitView { payload, nals, parameter_sets: &[], time: RtpTime(1000) }
    }

    /// One NAL unit of `len` bytes.
    fn nal(len: usize) -> Vec<u8> {
        let mut nal = vec![0x65];
        nal.extend((1..len).map(|i| i as u8));
        nal
    }

    #[test]
    fn sequence_numbers_continue_and_wrap_and_all_packets_share_the_time() {
        let mut p = packetizer(PayloadFormat::H264, 112);
        let nal = nal(250);
        let whole = [0..250];
        let first = p.packetize(&unit(&nal, &whole)).unwrap();
        let second = p.packetize(&unit(&nal, &whole)).unwrap();
        let heads: Vec<_> = first.packets().chain(second.packets()).map(|b| Packet::parse(b).unwrap().header).collect();
        let numbers: Vec<u16> = heads.iter().map(|h| h.sequence.0).collect();
        assert_eq!(numbers, [0xfffe, 0xffff, 0, 1, 2, 3]);
        assert_eq!(second.first_sequence, SequenceNumber(1));
        assert_eq!(p.next_sequence(), SequenceNumber(4));
        // RT-8: the marker stands on the last packet of the access unit.
        assert_eq!(heads.iter().map(|h| h.marker).collect::<Vec<_>>(), [false, false, true, false, false, true]);
        assert!(heads.iter().all(|h| h.time == RtpTime(1000) && h.ssrc == Ssrc(7)));
    }

    #[test]
    fn a_block_is_one_allocation_of_exact_size() {
        let nal = nal(100_000);
        let block = packetizer(PayloadFormat::H264, 1400).packetize(&unit(&nal, &[0..100_000])).unwrap();
        let len = block.interleaved.len();
        let exclusive = BytesMut::from(block.interleaved);
        assert_eq!((exclusive.len(), exclusive.capacity()), (len, len));
    }

    #[test]
    fn prefixes_carry_channel_and_length() {
        let nal = nal(3000);
        let block = packetizer(PayloadFormat::H264, 1400).packetize(&unit(&nal, &[0..3000])).unwrap();
        for channel in [0, 4] {
            let bytes = block.with_channel(channel);
            let mut rest = &bytes[..];
            for packet in block.packets() {
                let len = (packet.len() as u16).to_be_bytes();
                assert_eq!(rest[..4], [b'$', channel, len[0], len[1]]);
                assert_eq!(&rest[4..4 + packet.len()], packet);
                rest = &rest[4 + packet.len()..];
            }
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn runs_are_long_bounded_and_cover_everything() {
        let nal = nal(400_000);
        let block = packetizer(PayloadFormat::H264, 1400).packetize(&unit(&nal, &[0..10, 10..400_000])).unwrap();
        let datagrams = block.datagrams();
        let mut packets = block.packets();
        let mut at = 0;
        for run in &datagrams.runs {
            assert_eq!(run.offset, at);
            at += run.len;
            assert!(run.segments() <= MAX_SEGMENTS && run.len as usize <= MAX_MAX_PACKET);
            for piece in datagrams.bytes[run.range()].chunks(run.segment.into()) {
                assert_eq!(Some(piece), packets.next());
            }
        }
        assert_eq!((at as usize, packets.next()), (datagrams.bytes.len(), None));
        // One small packet, then 289 fragments at 46 (65 000 / 1400) a run.
        assert_eq!(datagrams.runs.len(), 1 + 289_usize.div_ceil(46));
    }

    #[test]
    fn nothing_is_used_up_by_a_refused_unit() {
        let mut p = packetizer(PayloadFormat::H264, 1400);
        assert_eq!(p.packetize(&unit(&[], &[])).unwrap_err(), PackError::Empty);
        let outside = PackError::Range { start: 0, end: 9, len: 3 };
        assert_eq!(p.packetize(&unit(&[1, 2, 3], &[0..9])).unwrap_err(), outside);
        assert_eq!(p.next_sequence(), SequenceNumber(0xfffe));
    }
}
