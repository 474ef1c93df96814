//! G.711 (RFC 3551, section 4.5.14): samples as they are, one byte each.

use crate::rtp::packetizer::{Head, PacketSink};

/// Cuts samples into packets; each carries the time of its first sample (PL-11). The marker stays clear: it would mean the
/// beginning of a talkspurt, and there is no silence suppression.
pub(super) fn pack(samples: &[u8], max_payload: usize, sink: &mut impl PacketSink) {
    let mut delay: u32 = 0;
    for piece in samples.chunks(max_payload) {
        sink.begin(Head { delay, ..Head::default() });
        sink.put(piece);
        // A packet is at most 65 000 bytes; RTP time wraps.
        delay = delay.wrapping_add(piece.len() as u32);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::PayloadFormat::G711;
    use super::super::testing::pack_plain;

    proptest! {
        #[test]
        fn samples_come_back_at_their_times(samples in prop::collection::vec(any::<u8>(), 1..5000), max in 64usize..2000) {
            let packets = pack_plain(G711, max, &samples);
            let mut back = Vec::new();
            for packet in &packets {
                // RT-7: one tick per sample.
                prop_assert_eq!(packet.time as usize, back.len());
                prop_assert!(!packet.marker);
                back.extend_from_slice(&packet.payload);
            }
            prop_assert_eq!(back, samples);
        }
    }
}
