//! H.265 (RFC 7798) without decoding order numbers: single NAL unit packets, aggregation packets, fragmentation units.

use super::nal::{Nals, Shape, fitting};
use crate::rtp::packetizer::{Head, PacketSink};

/// Length of a NAL unit header, in bytes: F (1), type (6), layer (6), temporal ID plus one (3).
const HEADER_LEN: usize = 2;
/// Section 7.4.2.2 of H.265 numbers the delimiter 35.
pub(super) const SHAPE: Shape = Shape { header_len: HEADER_LEN, is_delimiter: |first| (first >> 1) & 0x3f == 35 };

const AP: u8 = 48;
const FU: u8 = 49;

/// Lays an access unit into packets (PL-2), by the rules of [`super::h264`].
pub(super) fn pack(nals: &Nals<'_>, max_payload: usize, sink: &mut impl PacketSink) {
    let mut rest = nals.iter();
    loop {
        let group = fitting(rest.clone(), HEADER_LEN, max_payload);
        let members = rest.clone().take(group);
        let Some(nal) = rest.next() else { return };
        if group > 1 {
            // `next` has taken the first already.
            rest.nth(group - 2);
            aggregate(members, rest.clone().next().is_none(), sink);
            continue;
        }
        let last = rest.clone().next().is_none();
        if nal.len() <= max_payload {
            sink.begin(Head { marker: last, ..Head::default() });
            sink.put(nal);
        } else {
            fragment(nal, last, max_payload, sink);
        }
    }
}

/// Writes an aggregation packet (section 4.4.2): F is the OR, layer and temporal ID are the minimum over the members.
fn aggregate<'a>(nals: impl Iterator<Item = &'a [u8]> + Clone, marker: bool, sink: &mut impl PacketSink) {
    let (mut forbidden, mut layer, mut temporal) = (0, 0x3f, 7);
    for nal in nals.clone() {
        let header = u16::from_be_bytes([nal[0], nal[1]]);
        forbidden |= header & 0x8000;
        layer = layer.min((header >> 3) & 0x3f);
        temporal = temporal.min(header & 7);
    }
    let header = forbidden | (u16::from(AP) << 9) | (layer << 3) | temporal;
    sink.begin(Head { marker, ..Head::default() });
    sink.put(&header.to_be_bytes());
    for nal in nals {
        // Fits a packet, hence 16 bits.
        sink.put(&(nal.len() as u16).to_be_bytes());
        sink.put(nal);
    }
}

/// Writes fragmentation units (section 4.4.3).
fn fragment(nal: &[u8], last: bool, max_payload: usize, sink: &mut impl PacketSink) {
    let kind = (nal[0] >> 1) & 0x3f;
    let payload_header = [(nal[0] & 0x81) | (FU << 1), nal[1]];
    let body = &nal[HEADER_LEN..];
    let size = max_payload - 3;
    let count = body.len().div_ceil(size);
    for (i, piece) in body.chunks(size).enumerate() {
        let end = i + 1 == count;
        let header = (u8::from(i == 0) << 7) | (u8::from(end) << 6) | kind;
        sink.begin(Head { marker: last && end, ..Head::default() });
        sink.put(&payload_header);
        sink.put(&[header]);
        sink.put(piece);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::PayloadFormat::H265;
    use super::super::testing::{Seen, pack_nals};
    use super::*;

    /// An independent reader of RFC 7798 packets.
    fn unpack(packets: &[Seen]) -> Vec<Vec<u8>> {
        let mut nals: Vec<Vec<u8>> = Vec::new();
        let mut open = false;
        for packet in packets.iter().map(|p| &p.payload) {
            let kind = (packet[0] >> 1) & 0x3f;
            assert!(kind == FU || !open, "fragments are not interrupted");
            match kind {
                AP => {
                    let mut rest = &packet[2..];
                    while !rest.is_empty() {
                        let len = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                        nals.push(rest[2..2 + len].to_vec());
                        rest = &rest[2 + len..];
                    }
                }
                FU => {
                    let (start, end) = (packet[2] & 0x80 != 0, packet[2] & 0x40 != 0);
                    assert!(!(start && end), "a fragment is never the whole NAL unit");
                    assert_eq!(start, !open);
                    if start {
                        nals.push(vec![(packet[0] & 0x81) | ((packet[2] & 0x3f) << 1), packet[1]]);
                    }
                    nals.last_mut().unwrap().extend_from_slice(&packet[3..]);
                    open = !end;
                }
                0..48 => nals.push(packet.clone()),
                other => panic!("packet type {other}"),
            }
        }
        assert!(!open, "the last fragment has its end bit");
        nals
    }

    fn nal(kind: u8, layer: u8, temporal: u8, len: usize) -> Vec<u8> {
        let mut nal = vec![(kind << 1) | (layer >> 5), (layer << 3) | temporal];
        nal.extend((2..len).map(|i| (i * 11) as u8));
        nal
    }

    #[test]
    fn parameter_sets_share_a_packet_and_the_picture_is_fragmented() {
        let nals = [nal(32, 0, 1, 24), nal(33, 0, 1, 40), nal(34, 0, 1, 8), nal(19, 0, 1, 3000)];
        let packets = pack_nals(H265, 1400, &nals, 3);
        assert_eq!(packets.len(), 4);
        assert_eq!(packets[0].payload[..4], [AP << 1, 1, 0, 24]);
        assert_eq!(packets[1].payload[..3], [FU << 1, 1, 0x80 | 19]);
        assert_eq!(packets[2].payload[..3], [FU << 1, 1, 19]);
        assert_eq!(packets[3].payload[..3], [FU << 1, 1, 0x40 | 19]);
        assert_eq!(unpack(&packets), nals);
    }

    #[test]
    fn aggregation_takes_the_lowest_layer_and_temporal_id() {
        let packets = pack_nals(H265, 1400, &[nal(1, 33, 3, 10), nal(1, 5, 2, 10)], 0);
        assert_eq!(packets[0].payload[..2], nal(AP, 5, 2, 2));
    }

    #[test]
    fn a_delimiter_is_not_sent() {
        let packets = pack_nals(H265, 1400, &[nal(33, 0, 1, 10), nal(35, 0, 1, 3), nal(19, 0, 1, 3000)], 1);
        assert_eq!(unpack(&packets), [nal(33, 0, 1, 10), nal(19, 0, 1, 3000)]);
    }

    proptest! {
        #[test]
        fn any_nal_units_come_back(
            nals in prop::collection::vec((0u8..48, 0u8..64, 1u8..8, 3usize..4000), 1..12),
            sets in 0usize..4,
            max_packet in 64usize..2000,
        ) {
            let nals: Vec<_> = nals.into_iter().map(|(kind, layer, tid, len)| nal(kind, layer, tid, len)).collect();
            // One that is sent whatever the others are: a unit of delimiters only is none.
            let nals: Vec<_> = nals.into_iter().chain([nal(1, 0, 1, 10)]).collect();
            let packets = pack_nals(H265, max_packet, &nals, sets.min(nals.len()));
            let sent: Vec<_> = nals.into_iter().filter(|nal| nal[0] >> 1 & 0x3f != 35).collect();
            prop_assert_eq!(unpack(&packets), sent);
            let markers = packets.iter().filter(|p| p.marker).count();
            prop_assert!(markers == 1 && packets.last().unwrap().marker, "RT-8");
        }
    }
}
