//! H.264 (RFC 6184), packetization mode 1: single NAL unit packets, STAP-A and FU-A.

use super::nal::{Nals, Shape, fitting};
use crate::rtp::packetizer::{Head, PacketSink};

/// Length of a NAL unit header, in bytes.
const HEADER_LEN: usize = 1;
/// Section 7.4.1 of H.264 numbers the delimiter 9.
pub(super) const SHAPE: Shape = Shape { header_len: HEADER_LEN, is_delimiter: |first| first & 0x1f == 9 };

const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Lays an access unit into packets (PL-1): neighbours that fit one packet together are aggregated, a NAL unit too large
/// for a packet is fragmented into pieces of equal size with a shorter last one.
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

/// Writes a STAP-A (section 5.7.1): F is the OR and NRI the maximum over the members.
fn aggregate<'a>(nals: impl Iterator<Item = &'a [u8]> + Clone, marker: bool, sink: &mut impl PacketSink) {
    let header = nals.clone().fold(STAP_A, |header, nal| {
        let nri = (header & 0x60).max(nal[0] & 0x60);
        ((header | nal[0]) & 0x80) | nri | STAP_A
    });
    sink.begin(Head { marker, ..Head::default() });
    sink.put(&[header]);
    for nal in nals {
        // Fits a packet, hence 16 bits.
        sink.put(&(nal.len() as u16).to_be_bytes());
        sink.put(nal);
    }
}

/// Writes FU-A packets (section 5.8).
fn fragment(nal: &[u8], last: bool, max_payload: usize, sink: &mut impl PacketSink) {
    let indicator = (nal[0] & 0xe0) | FU_A;
    let body = &nal[HEADER_LEN..];
    let size = max_payload - 2;
    let count = body.len().div_ceil(size);
    for (i, piece) in body.chunks(size).enumerate() {
        let end = i + 1 == count;
        let header = (u8::from(i == 0) << 7) | (u8::from(end) << 6) | (nal[0] & 0x1f);
        sink.begin(Head { marker: last && end, ..Head::default() });
        sink.put(&[indicator, header]);
        sink.put(piece);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::PayloadFormat::H264;
    use super::super::testing::{Seen, pack_nals};
    use super::*;

    /// An independent reader of RFC 6184 packets.
    fn unpack(packets: &[Seen]) -> Vec<Vec<u8>> {
        let mut nals: Vec<Vec<u8>> = Vec::new();
        let mut open = false;
        for packet in packets.iter().map(|p| &p.payload) {
            let kind = packet[0] & 0x1f;
            assert!(kind == FU_A || !open, "fragments are not interrupted");
            match kind {
                STAP_A => {
                    let mut rest = &packet[1..];
                    while !rest.is_empty() {
                        let len = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                        nals.push(rest[2..2 + len].to_vec());
                        rest = &rest[2 + len..];
                    }
                }
                FU_A => {
                    let (start, end) = (packet[1] & 0x80 != 0, packet[1] & 0x40 != 0);
                    assert!(!(start && end), "a fragment is never the whole NAL unit");
                    assert_eq!(start, !open);
                    if start {
                        nals.push(vec![(packet[0] & 0xe0) | (packet[1] & 0x1f)]);
                    }
                    nals.last_mut().unwrap().extend_from_slice(&packet[2..]);
                    open = !end;
                }
                1..=23 => nals.push(packet.clone()),
                other => panic!("packet type {other}"),
            }
        }
        assert!(!open, "the last fragment has its end bit");
        nals
    }

    fn nal(kind: u8, len: usize) -> Vec<u8> {
        std::iter::once(0x60 | kind).chain((1..len).map(|i| (i * 7) as u8)).collect()
    }

    #[test]
    fn parameter_sets_share_a_packet_and_the_picture_is_fragmented() {
        // PL-3: parameter sets in front of the key frame.
        let nals = [nal(7, 20), nal(8, 5), nal(5, 3000)];
        let packets = pack_nals(H264, 1400, &nals, 2);
        assert_eq!(packets.len(), 4);
        assert_eq!(packets[0].payload[..4], [0x60 | STAP_A, 0, 20, 0x67]);
        assert_eq!(packets[1].payload[..2], [0x60 | FU_A, 0x85]);
        assert_eq!(packets[2].payload[..2], [0x60 | FU_A, 0x05]);
        assert_eq!(packets[3].payload[..2], [0x60 | FU_A, 0x45]);
        assert_eq!(unpack(&packets), nals);
    }

    #[test]
    fn all_fragments_but_the_last_are_of_the_largest_size() {
        let packets = pack_nals(H264, 1400, &[nal(5, 100_000)], 0);
        let (last, full) = packets.split_last().unwrap();
        assert!(full.iter().all(|p| p.payload.len() == 1388));
        assert!(last.payload.len() <= 1388 && last.marker);
    }

    #[test]
    fn a_nal_unit_that_just_fits_stays_whole() {
        for (len, count) in [(1388, 1), (1389, 2)] {
            assert_eq!(pack_nals(H264, 1400, &[nal(1, len)], 0).len(), count);
        }
    }

    #[test]
    fn aggregation_takes_the_highest_importance_and_the_forbidden_bit() {
        let packets = pack_nals(H264, 1400, &[vec![0x06, 1], vec![0xa7, 2], vec![0x61, 3]], 0);
        assert_eq!(packets[0].payload[0], 0x80 | 0x60 | STAP_A);
    }

    #[test]
    fn a_delimiter_is_not_sent() {
        let packets = pack_nals(H264, 1400, &[nal(7, 20), nal(8, 5), vec![0x09, 0xf0], nal(5, 3000)], 2);
        assert_eq!(unpack(&packets), [nal(7, 20), nal(8, 5), nal(5, 3000)]);
    }

    #[test]
    fn empty_nal_units_are_left_out() {
        let packets = pack_nals(H264, 1400, &[vec![], nal(1, 10), vec![0x09]], 0);
        assert_eq!(unpack(&packets), [nal(1, 10)]);
        assert!(packets[0].marker);
    }

    proptest! {
        #[test]
        fn any_nal_units_come_back(
            nals in prop::collection::vec((1u8..=23, 0u8..4, 1usize..4000), 1..12),
            sets in 0usize..3,
            max_packet in 64usize..2000,
        ) {
            let nals: Vec<_> = nals
                .into_iter()
                .map(|(kind, nri, len)| {
                    let mut nal = nal(kind, len + 1);
                    nal[0] = (nri << 5) | kind;
                    nal
                })
                .collect();
            // One that is sent whatever the others are: a unit of delimiters only is none.
            let nals: Vec<_> = nals.into_iter().chain([nal(1, 10)]).collect();
            let packets = pack_nals(H264, max_packet, &nals, sets.min(nals.len()));
            let sent: Vec<_> = nals.into_iter().filter(|nal| nal[0] & 0x1f != 9).collect();
            prop_assert_eq!(unpack(&packets), sent);
            let markers = packets.iter().filter(|p| p.marker).count();
            prop_assert!(markers == 1 && packets.last().unwrap().marker, "RT-8");
        }
    }
}
