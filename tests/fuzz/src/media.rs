//! Media and RTCP: what an encoder or a camera hands us, and what viewers report.

use std::ops::Range;

use belvedere::rtp::packet::{HEADER_LEN, Packet, PayloadType, RtpTime, SequenceNumber, Ssrc};
use belvedere::rtp::packetizer::{MAX_MAX_PACKET, MAX_SEGMENTS, MIN_MAX_PACKET, PacketBlock, Packetizer, UnitView};
use belvedere::rtp::payload::PayloadFormat;
use belvedere::rtp::payload::jpeg::Picture;
use belvedere::rtp::rtcp::{Compound, RtcpPacket};
use belvedere::rtp::{sdp_params, sps};

/// A compound is cut into packets whose entries can all be read.
pub fn fuzz_rtcp(data: &[u8]) {
    for packet in Compound::new(data).flatten() {
        let entries = match packet {
            RtcpPacket::SenderReport { reports, .. } | RtcpPacket::ReceiverReport { reports, .. } => {
                reports.iter().count()
            }
            RtcpPacket::Goodbye { sources } => sources.iter().count(),
            RtcpPacket::FullIntra { requests, .. } => requests.iter().count(),
            _ => 0,
        };
        assert!(entries * 4 <= data.len());
        packet.asks_key_frame(Ssrc(0));
    }
    let _ = Packet::parse(data);
}

/// Parameter sets and configurations of any content are read or refused.
pub fn fuzz_sps(data: &[u8]) {
    for info in [sps::h264::parse(data), sps::h265::parse(data)].into_iter().flatten() {
        assert!(info.width > 0 && info.height > 0 && (1..=16).contains(&info.max_dpb_frames));
        assert!(info.reorder_frames.is_none_or(|frames| frames <= 16));
        assert!(info.frame_rate.is_none_or(|(numerator, denominator)| numerator > 0 && denominator > 0));
    }
    let sets: Vec<&[u8]> = data.split(|&b| b == 0xff).collect();
    let _ = (sdp_params::h264(&sets), sdp_params::h265(&sets));
    sdp_params::aac(data);
    if let Some(config) = sdp_params::AacConfig::parse(data) {
        assert!(config.sample_rate > 0 && config.channels > 0);
    }
}

/// A JPEG file is carried or refused.
pub fn fuzz_jpeg(data: &[u8]) {
    let Ok(picture) = Picture::parse(data) else { return };
    assert!(picture.size().0 > 0 && picture.size().1 > 0);
    for max_packet in [256, 1400] {
        pack(PayloadFormat::Jpeg, max_packet, &unit(data, &[], &[]));
    }
}

/// A unit of any content in any format at any packet size becomes valid packets. The first bytes are: format, packet size
/// (2), count of parameter sets and NAL units, then the length of each (2).
pub fn fuzz_packetize(data: &[u8]) {
    let Some((&[format, high, low, count], mut rest)) = data.split_first_chunk::<4>() else { return };
    let format = match format % 5 {
        0 => PayloadFormat::H264,
        1 => PayloadFormat::H265,
        2 => PayloadFormat::Jpeg,
        3 => PayloadFormat::Aac,
        _ => PayloadFormat::G711,
    };
    let mut lengths = Vec::new();
    for _ in 0..count % 16 {
        let Some((&length, tail)) = rest.split_first_chunk::<2>() else { break };
        lengths.push(u32::from(u16::from_be_bytes(length)));
        rest = tail;
    }
    let mut start: u32 = 0;
    let ranges = lengths.iter().map(|len| {
        let range = start..start + len % 5000;
        start = range.end;
        range
    });
    let ranges: Vec<Range<u32>> = ranges.collect();
    let set = &rest[..rest.len().min(30)];
    let sets: &[&[u8]] = if count & 0x80 != 0 { &[set, set] } else { &[] };
    pack(format, u16::from_be_bytes([high, low]).into(), &unit(rest, &ranges, sets));
}

fn unit<'a>(payload: &'a [u8], nals: &'a [Range<u32>], parameter_sets: &'a [&'a [u8]]) -> UnitView<'a> {
    UnitView { payload, nals, parameter_sets, time: RtpTime(0xffff_fff0) }
}

/// Packetizes one unit and looks at everything that the block promises.
fn pack(format: PayloadFormat, max_packet: usize, unit: &UnitView<'_>) {
    let first = SequenceNumber(0xfffa);
    let mut packetizer = Packetizer::new(format, PayloadType::dynamic(3), Ssrc(1), first, max_packet);
    let Ok(block) = packetizer.packetize(unit) else {
        assert_eq!(packetizer.next_sequence(), first);
        return;
    };
    let limit = max_packet.clamp(MIN_MAX_PACKET, MAX_MAX_PACKET);
    for (i, bytes) in block.packets().enumerate() {
        let packet = Packet::parse(bytes).expect("a valid packet");
        assert!(bytes.len() <= limit && bytes.len() > HEADER_LEN && !packet.payload.is_empty());
        assert_eq!(packet.header.sequence, first.advanced(i));
        let last = i + 1 == block.packet_count();
        assert_eq!(packet.header.marker, last && format != PayloadFormat::G711, "RT-8");
    }
    assert_eq!(packetizer.next_sequence(), first.advanced(block.packet_count()));
    check_datagrams(&block);
    assert_eq!(block.with_channel(9).len(), block.interleaved.len());
}

fn check_datagrams(block: &PacketBlock) {
    let datagrams = block.datagrams();
    let pieces = datagrams.runs.iter().flat_map(|run| {
        assert!(run.segments() <= MAX_SEGMENTS && run.range().len() <= MAX_MAX_PACKET);
        datagrams.bytes[run.range()].chunks(run.segment.into())
    });
    assert!(pieces.eq(block.packets()));
}
