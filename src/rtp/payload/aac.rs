//! AAC in high bit-rate mode (RFC 3640, section 3.3.6): 13 bits of size, 3 bits of index.

use crate::rtp::packetizer::{Head, PackError, PacketSink};

/// The largest frame, in bytes: its size has 13 bits.
pub const MAX_FRAME: usize = 0x1fff;

/// Length of the AU header section: 16 bits that say its length in bits, then one header.
const SECTION_LEN: usize = 4;

/// Lays one frame into a packet of its own, or into fragments that each repeat the size of the whole frame (PL-12).
pub(super) fn pack(frame: &[u8], max_payload: usize, sink: &mut impl PacketSink) -> Result<(), PackError> {
    if frame.len() > MAX_FRAME {
        return Err(PackError::TooLarge(frame.len()));
    }
    let size = max_payload - SECTION_LEN;
    let count = frame.len().div_ceil(size);
    // Checked above to fit 13 bits; the index is zero.
    let au_header = ((frame.len() as u16) << 3).to_be_bytes();
    for (i, piece) in frame.chunks(size).enumerate() {
        sink.begin(Head { marker: i + 1 == count, ..Head::default() });
        sink.put(&[0, 16, au_header[0], au_header[1]]);
        sink.put(piece);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::PayloadFormat::Aac;
    use super::super::testing::{Seen, pack_plain, packetize, plain};
    use super::*;

    /// An independent reader of one frame per packet or several packets per frame.
    fn unpack(packets: &[Seen]) -> Vec<u8> {
        let mut frame = Vec::new();
        let mut size = 0;
        for packet in packets {
            assert_eq!(packet.payload[..2], [0, 16], "one AU header of 16 bits");
            let header = u16::from_be_bytes([packet.payload[2], packet.payload[3]]);
            assert_eq!(header & 7, 0, "index");
            size = usize::from(header >> 3);
            frame.extend_from_slice(&packet.payload[4..]);
            assert_eq!(packet.marker, frame.len() == size, "marker on the packet that completes the frame");
        }
        assert_eq!(frame.len(), size);
        frame
    }

    #[test]
    fn a_frame_is_one_packet() {
        let packets = pack_plain(Aac, 1400, &[0x21, 0x10, 0x05]);
        assert_eq!(packets.len(), 1);
        assert_eq!(packets[0].payload, [0, 16, 0, 24, 0x21, 0x10, 0x05]);
    }

    #[test]
    fn a_frame_that_13_bits_cannot_count_is_refused() {
        assert_eq!(packetize(Aac, 1400, &plain(&[0; 8192])).unwrap_err(), PackError::TooLarge(8192));
        assert_eq!(unpack(&pack_plain(Aac, 1400, &[7; 8191])), [7; 8191]);
    }

    proptest! {
        #[test]
        fn any_frame_comes_back(frame in prop::collection::vec(any::<u8>(), 1..=MAX_FRAME), max in 64usize..2000) {
            prop_assert_eq!(unpack(&pack_plain(Aac, max, &frame)), frame);
        }
    }
}
