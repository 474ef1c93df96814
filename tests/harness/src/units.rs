//! Access units out of RTP packets: RFC 6184 (H.264), RFC 7798 (H.265), RFC 2435 (JPEG), RFC 3640 and 6416 (AAC), G.711.
//!
//! Written from the RFCs for judging what the server packs; each unit comes out in a form that ffmpeg reads from a file.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::rtp::Packet;
use crate::rtsp::Media;

/// One picture, or the samples of one packet of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its RTP time.
    pub time: u32,
    /// Annex B bytes, a JPEG file, an ADTS frame or G.711 samples.
    pub bytes: Vec<u8>,
    /// NAL unit types in their order, for H.264 and H.265.
    pub types: Vec<u8>,
}

/// Assembles the complete units of consecutive packets. Packets before the first start of a unit and after the last
/// end are left out.
pub fn assemble(media: &Media, packets: &[Packet]) -> Result<Vec<Unit>> {
    match media.encoding.as_str() {
        "PCMU" | "PCMA" => {
            Ok(packets.iter().map(|p| Unit { time: p.time, bytes: p.payload.clone(), types: Vec::new() }).collect())
        }
        "MPEG4-GENERIC" => {
            packets.iter().map(|packet| aac(media, packet)).collect::<Result<Vec<_>>>().map(|units| units.concat())
        }
        "MP4A-LATM" => latm(media, packets),
        "H264" => pictures(packets, nal_units_h264),
        "H265" => pictures(packets, nal_units_h265),
        "JPEG" => {
            let mut tables = BTreeMap::new();
            pictures(packets, |packets| Ok((jpeg(packets, &mut tables)?, Vec::new())))
        }
        other => bail!("no depayloader for {other}"),
    }
}

/// The parameter sets of the SDP as Annex B bytes, to stand before the first unit.
pub fn parameter_sets(media: &Media) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for name in ["sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets"] {
        for set in parameter(media, name).unwrap_or_default().split(',').filter(|set| !set.is_empty()) {
            bytes.extend([0, 0, 0, 1]);
            bytes.extend(STANDARD.decode(set).with_context(|| format!("{name}: {set}"))?);
        }
    }
    Ok(bytes)
}

/// A parameter of `a=fmtp`, its name in any case.
pub fn parameter<'a>(media: &'a Media, name: &str) -> Option<&'a str> {
    let pairs = media.fmtp.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Cuts packets into pictures at the marker bit (RT-8); a picture has one RTP time.
fn pictures(packets: &[Packet], mut unpack: impl FnMut(&[Packet]) -> Result<(Vec<u8>, Vec<u8>)>) -> Result<Vec<Unit>> {
    let first = packets.first().map(|packet| packet.time);
    // The first picture is whole only if the one before was seen to end; a session that has just begun starts with one.
    let mut units = Vec::new();
    let mut start = 0;
    for (index, packet) in packets.iter().enumerate() {
        if packet.time != packets[start].time {
            bail!("RT-8: time {} follows {} without a marker", packet.time, packets[start].time);
        }
        if packet.marker {
            let (bytes, types) = unpack(&packets[start..=index])
                .with_context(|| format!("picture {} of RTP time {} (first {first:?})", units.len(), packet.time))?;
            units.push(Unit { time: packet.time, bytes, types });
            start = (index + 1).min(packets.len() - 1);
        }
    }
    Ok(units)
}

type AnnexB = (Vec<u8>, Vec<u8>);

fn nal_units_h264(packets: &[Packet]) -> Result<AnnexB> {
    let mut out = (Vec::new(), Vec::new());
    for packet in packets {
        let payload = &packet.payload;
        ensure!(payload.len() > 1, "empty payload");
        match payload[0] & 0x1f {
            24 => aggregate(&payload[1..], &mut out, |header| header & 0x1f)?,
            28 => {
                let header = (payload[0] & 0xe0) | (payload[1] & 0x1f);
                fragment(payload[1] & 0x80 != 0, &[header], payload[1] & 0x1f, &payload[2..], &mut out)?;
            }
            kind @ 1..=23 => whole(payload, kind, &mut out),
            kind => bail!("NAL unit type {kind} is not of packetization mode 1"),
        }
    }
    Ok(out)
}

fn nal_units_h265(packets: &[Packet]) -> Result<AnnexB> {
    let mut out = (Vec::new(), Vec::new());
    for packet in packets {
        let payload = &packet.payload;
        ensure!(payload.len() > 3, "empty payload");
        match payload[0] >> 1 & 0x3f {
            48 => aggregate(&payload[2..], &mut out, |header| header >> 1 & 0x3f)?,
            49 => {
                let kind = payload[2] & 0x3f;
                let header = [(payload[0] & 0x81) | (kind << 1), payload[1]];
                fragment(payload[2] & 0x80 != 0, &header, kind, &payload[3..], &mut out)?;
            }
            kind @ 0..=47 => whole(payload, kind, &mut out),
            kind => bail!("NAL unit type {kind}"),
        }
    }
    Ok(out)
}

fn whole(unit: &[u8], kind: u8, out: &mut AnnexB) {
    out.0.extend([0, 0, 0, 1]);
    out.0.extend(unit);
    out.1.push(kind);
}

fn aggregate(mut bytes: &[u8], out: &mut AnnexB, kind: impl Fn(u8) -> u8) -> Result<()> {
    while !bytes.is_empty() {
        ensure!(bytes.len() > 2, "aggregate cut short");
        let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        ensure!(length > 0 && bytes.len() >= 2 + length, "aggregate cut short");
        whole(&bytes[2..2 + length], kind(bytes[2]), out);
        bytes = &bytes[2 + length..];
    }
    Ok(())
}

fn fragment(start: bool, header: &[u8], kind: u8, rest: &[u8], out: &mut AnnexB) -> Result<()> {
    if start {
        whole(header, kind, out);
    }
    ensure!(out.1.last() == Some(&kind), "a fragment without its start");
    out.0.extend(rest);
    Ok(())
}

/// What an AudioSpecificConfig of AAC-LC says (ISO/IEC 14496-3, section 1.6.2.1).
#[derive(Debug, Clone, Copy)]
struct AacConfig {
    rate: u16,
    channels: u16,
}

/// Samples of an AAC frame.
const AAC_SAMPLES: u32 = 1024;

impl AacConfig {
    /// Reads its first 16 bits.
    fn of(bits: u16) -> Result<Self> {
        let (object, rate, channels) = (bits >> 11, bits >> 7 & 0xf, bits >> 3 & 0xf);
        ensure!(object == 2, "AAC object type {object}, not LC");
        Ok(Self { rate, channels })
    }

    /// A frame with an ADTS header.
    fn adts(self, frame: &[u8]) -> Vec<u8> {
        let length = (frame.len() + 7) as u64;
        let fields = (0xfff1_u64 << 40) | (1 << 38) | (u64::from(self.rate) << 34) | (u64::from(self.channels) << 30);
        let fields = fields | length << 13 | 0x7ff << 2;
        [&fields.to_be_bytes()[1..], frame].concat()
    }
}

/// AAC-hbr: AU headers of 16 bits, then the frames; each gets an ADTS header.
fn aac(media: &Media, packet: &Packet) -> Result<Vec<Unit>> {
    let config = parameter(media, "config").context("no config")?;
    let config = AacConfig::of(u16::from_str_radix(config.get(..4).context("short config")?, 16)?)?;
    let payload = &packet.payload;
    let bits = usize::from(u16::from_be_bytes([*payload.first().context("empty")?, *payload.get(1).context("empty")?]));
    ensure!(bits > 0 && bits.is_multiple_of(16), "AU headers of {bits} bits");
    let mut data = payload.get(2 + bits / 8..).context("AU headers cut short")?;
    let mut units = Vec::new();
    for (index, header) in (0..).zip(payload[2..2 + bits / 8].chunks_exact(2)) {
        let size = usize::from(u16::from_be_bytes([header[0], header[1]]) >> 3);
        ensure!(size <= data.len(), "a frame of {size} bytes, {} left", data.len());
        let time = packet.time.wrapping_add(index * AAC_SAMPLES);
        units.push(Unit { time, bytes: config.adts(&data[..size]), types: Vec::new() });
        data = &data[size..];
    }
    ensure!(data.is_empty(), "{} bytes after the last frame", data.len());
    Ok(units)
}

/// LATM (RFC 6416 section 6): each element is a length and a frame; what the frames are stands in the SDP.
fn latm(media: &Media, packets: &[Packet]) -> Result<Vec<Unit>> {
    ensure!(parameter(media, "cpresent") == Some("0"), "LATM with its configuration in the stream (cpresent)");
    let config = parameter(media, "config").context("no config")?;
    let config = u64::from_str_radix(config.get(..12).unwrap_or(config), 16)? << (48 - 4 * config.len().min(12));
    // StreamMuxConfig: version 0, one time frame, one sub-frame, one program, one layer; then AudioSpecificConfig.
    ensure!(config >> 33 == 0b010_0000_0000_0000, "a LATM configuration of more than one frame or layer");
    let config = AacConfig::of((config >> 17) as u16)?;
    let mut units = Vec::new();
    let mut element = Vec::new();
    for packet in packets {
        element.extend(&packet.payload);
        if packet.marker {
            let filling = element.iter().take_while(|byte| **byte == 255).count();
            let length = 255 * filling + usize::from(*element.get(filling).context("an element without a length")?);
            let frame = element.get(filling + 1..=filling + length).context("a LATM element cut short")?;
            units.push(Unit { time: packet.time, bytes: config.adts(frame), types: Vec::new() });
            element.clear();
        }
    }
    Ok(units)
}

/// Rebuilds a JPEG file from its packets (RFC 2435 section 3 and appendix B). `known` has the quantization tables that came
/// before, by their Q.
fn jpeg(packets: &[Packet], known: &mut BTreeMap<u8, Vec<u8>>) -> Result<Vec<u8>> {
    let head = &packets[0].payload;
    ensure!(head.len() > 8, "short JPEG header");
    let (kind, q) = (head[4], head[5]);
    ensure!(kind & 0x3f <= 1 && kind < 128, "JPEG type {kind}: neither 4:2:2 nor 4:2:0");
    let restarts = kind & 0x40 != 0;
    let main = if restarts { 12 } else { 8 };
    let (tables, start) = jpeg_tables(head, main, q, known)?;
    let segments = jpeg_segments(packets[0].extension.as_ref())?;
    let mut file = vec![0xff, 0xd8];
    file.extend(segments.values().flatten());
    if !segments.contains_key(&0xdb) {
        for (index, table) in (0..).zip(tables.chunks_exact(64)) {
            file.extend([0xff, 0xdb, 0, 67, index]);
            file.extend(table);
        }
    }
    if restarts && !segments.contains_key(&0xdd) {
        file.extend([0xff, 0xdd, 0, 4, head[8], head[9]]);
    }
    if !segments.contains_key(&0xc0) {
        let (width, height) = (u16::from(head[6]) * 8, u16::from(head[7]) * 8);
        ensure!(width > 0 && height > 0, "a picture of {width}x{height} without a header extension that says more");
        let chroma = u8::from(tables.len() > 64);
        file.extend([0xff, 0xc0, 0, 17, 8]);
        file.extend(height.to_be_bytes());
        file.extend(width.to_be_bytes());
        file.extend([3, 1, if kind & 0x3f == 0 { 0x21 } else { 0x22 }, 0, 2, 0x11, chroma, 3, 0x11, chroma]);
    }
    if !segments.contains_key(&0xc4) {
        for (class, counts, values) in HUFFMAN {
            file.extend([0xff, 0xc4]);
            file.extend((19 + values.len() as u16).to_be_bytes());
            file.push(class);
            file.extend(counts);
            file.extend(values);
        }
    }
    file.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]);
    let scan = file.len();
    for packet in packets {
        let payload = &packet.payload;
        ensure!(payload.len() > main, "short JPEG header");
        let offset = u32::from_be_bytes([0, payload[1], payload[2], payload[3]]) as usize;
        ensure!(offset == file.len() - scan, "fragment offset {offset}, {} expected", file.len() - scan);
        file.extend(payload.get(if offset == 0 { start } else { main }..).context("a JPEG packet cut short")?);
    }
    if !file.ends_with(&[0xff, 0xd9]) {
        file.extend([0xff, 0xd9]);
    }
    Ok(file)
}

/// The quantization tables of a picture, and where its scan starts in the first packet (RFC 2435 sections 3.1.8 and 4.2).
fn jpeg_tables(head: &[u8], main: usize, q: u8, known: &mut BTreeMap<u8, Vec<u8>>) -> Result<(Vec<u8>, usize)> {
    if q < 128 {
        ensure!((1..=99).contains(&q), "Q {q} is reserved");
        let factor = if q < 50 { 5000 / u32::from(q) } else { 200 - 2 * u32::from(q) };
        let scaled = |value: &u8| ((u32::from(*value) * factor + 50) / 100).clamp(1, 255) as u8;
        return Ok((QUANTIZATION.iter().flatten().map(scaled).collect(), main));
    }
    ensure!(head.len() >= main + 4, "short quantization header");
    let length = usize::from(u16::from_be_bytes([head[main + 2], head[main + 3]]));
    if length == 0 {
        let tables = known.get(&q).filter(|_| q != 255);
        return Ok((tables.with_context(|| format!("no quantization tables for Q {q}"))?.clone(), main + 4));
    }
    ensure!(head[main + 1] == 0 && [64, 128].contains(&length), "quantization tables of {length} bytes");
    let tables = head.get(main + 4..main + 4 + length).context("quantization tables cut short")?.to_vec();
    known.insert(q, tables.clone());
    Ok((tables, main + 4 + length))
}

/// The marker segments in the header extension that ONVIF allows (Streaming Specification, section 5.1.4.1): each with its
/// marker and its length, by the second byte of the marker.
pub fn jpeg_segments(extension: Option<&(u16, Vec<u8>)>) -> Result<BTreeMap<u8, Vec<u8>>> {
    let mut segments: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    let Some((0xffd8, content)) = extension else { return Ok(segments) };
    let mut rest = content.as_slice();
    // Filled up with 0xff, which may stand before any marker.
    while rest.iter().any(|byte| *byte != 0xff) {
        ensure!(rest.len() >= 4 && rest[0] == 0xff, "no marker in the JPEG extension: {rest:02x?}");
        if rest[1] == 0xff {
            rest = &rest[1..];
            continue;
        }
        let end = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        let segment = rest.get(..end).filter(|_| end >= 4).context("a marker segment cut short")?;
        segments.entry(rest[1]).or_default().extend(segment);
        rest = &rest[end..];
    }
    Ok(segments)
}

/// The tables of ITU-T T.81 annex K.1 in zigzag order, which Q from 1 to 99 scales.
#[rustfmt::skip]
const QUANTIZATION: [[u8; 64]; 2] = [
    [
        16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51,
        61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77,
        113, 121, 112, 100, 120, 92, 101, 103, 99,
    ],
    [
        17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
    ],
];

/// The typical tables of ITU-T T.81 annex K.3, which RFC 2435 presupposes: class and index, counts per length, values.
const HUFFMAN: [(u8, [u8; 16], &[u8]); 4] = [
    (0x00, [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    (0x10, [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d], &AC_LUMA),
    (0x01, [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    (0x11, [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77], &AC_CHROMA),
];

#[rustfmt::skip]
const AC_LUMA: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
    0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72,
    0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37,
    0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3,
    0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

#[rustfmt::skip]
const AC_CHROMA: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22,
    0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1,
    0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36,
    0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
    0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
    0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a,
    0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
    0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time: u32, marker: bool, payload: &[u8]) -> Packet {
        Packet { marker, payload_type: 96, sequence: 0, time, ssrc: 1, extension: None, payload: payload.to_vec() }
    }

    fn media(encoding: &str, fmtp: &str) -> Media {
        let (kind, control) = ("video".to_owned(), String::new());
        Media { kind, payload_type: 96, encoding: encoding.into(), clock_rate: 90000, fmtp: fmtp.into(), control }
    }

    #[test]
    fn h264_in_all_three_forms() {
        let packets = [
            packet(1, false, &[0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 2]),
            packet(1, false, &[0x7c, 0x85, 3]),
            packet(1, false, &[0x7c, 0x05, 4]),
            packet(1, true, &[0x7c, 0x45, 5]),
            packet(2, true, &[0x41, 6]),
            packet(3, false, &[0x41, 7]),
        ];
        let units = assemble(&media("H264", ""), &packets).unwrap();
        assert_eq!(units.len(), 2, "the third has no end");
        assert_eq!(units[0].types, [7, 8, 5]);
        assert_eq!(units[0].bytes, [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 3, 4, 5]);
        assert_eq!((units[1].time, units[1].bytes.as_slice()), (2, [0, 0, 0, 1, 0x41, 6].as_slice()));
        assert!(assemble(&media("H264", ""), &packets[1..3]).unwrap().is_empty());
        assert!(assemble(&media("H264", ""), &packets[2..]).is_err(), "starts within a fragment");
        assert!(assemble(&media("H264", ""), &[packet(1, false, &[0x41, 1]), packet(2, true, &[0x41, 1])]).is_err());
    }

    #[test]
    fn h265_fragments_get_their_header_back() {
        let packets = [packet(1, false, &[0x62, 1, 0x93, 3]), packet(1, true, &[0x62, 1, 0x53, 4])];
        let units = assemble(&media("H265", ""), &packets).unwrap();
        assert_eq!(
            (units[0].types.as_slice(), units[0].bytes.as_slice()),
            ([19].as_slice(), [0, 0, 0, 1, 0x26, 1, 3, 4].as_slice())
        );
    }

    #[test]
    fn aac_gets_a_header_that_says_what_the_sdp_says() {
        let packets = [packet(1, true, &[0, 32, 0, 16, 0, 24, 1, 2, 3, 4, 5])];
        let units = assemble(&media("MPEG4-GENERIC", "config=1408; sizelength=13"), &packets).unwrap();
        assert_eq!(units[0].bytes, [0xff, 0xf1, 0x60, 0x40, 0x01, 0x3f, 0xfc, 1, 2]);
        assert_eq!((units[1].time, units[1].bytes.len()), (1025, 10));
    }

    /// A picture that ffmpeg wrote with the typical Huffman tables goes through RFC 2435's packets and comes out decodable.
    #[test]
    fn a_jpeg_is_rebuilt() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("in.jpg");
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args([
            "-loglevel",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=64x48",
            "-frames:v",
            "1",
            "-pix_fmt",
            "yuvj420p",
        ]);
        assert!(ffmpeg.args(["-huffman", "default"]).arg(&path).status().unwrap().success());
        let original = std::fs::read(&path).unwrap();
        let find = |marker: u8| original.windows(2).position(|pair| pair == [0xff, marker]).unwrap();
        let (table, scan) = (find(0xdb) + 5, find(0xda) + 14);
        let table = &original[table..table + 64];
        let mut first = vec![0, 0, 0, 0, 1, 255, 8, 6, 0, 0, 0, 128];
        first.extend(table.iter().chain(table));
        first.extend(&original[scan..scan + 100]);
        let mut second = vec![0, 0, 0, 100, 1, 255, 8, 6];
        second.extend(&original[scan + 100..]);
        let units = assemble(&media("JPEG", ""), &[packet(5, false, &first), packet(5, true, &second)]).unwrap();
        let rebuilt = directory.path().join("out.jpg");
        std::fs::write(&rebuilt, &units[0].bytes).unwrap();
        let pixels = |path| {
            let mut ffmpeg = std::process::Command::new("ffmpeg");
            ffmpeg.args(["-loglevel", "error", "-i"]).arg(path).args(["-pix_fmt", "yuv420p", "-f", "rawvideo", "-"]);
            let output = ffmpeg.output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty());
            output.stdout
        };
        assert!(pixels(&path) == pixels(&rebuilt));
    }

    #[test]
    fn latm_gets_a_header_too() {
        // 16 kHz, one channel: AudioSpecificConfig 1408 behind the 15 bits of StreamMuxConfig.
        let media = media("MP4A-LATM", "cpresent=0; config=40002810");
        let packets = [packet(1, false, &[3, 1]), packet(1, true, &[2, 3])];
        let units = assemble(&media, &packets).unwrap();
        assert_eq!(units[0].bytes, [0xff, 0xf1, 0x60, 0x40, 0x01, 0x5f, 0xfc, 1, 2, 3]);
    }

    #[test]
    fn a_jpeg_may_leave_its_tables_to_its_q() {
        let scan = |q: u8, rest: &[u8]| [&[0, 0, 0, 0, 1, q, 8, 6], rest, &[1, 2]].concat();
        let tables = |q: u8, rest: &[u8], known: &mut _| jpeg(&[packet(5, true, &scan(q, rest))], known);
        let mut known = BTreeMap::new();
        let file = tables(50, &[], &mut known).unwrap();
        assert_eq!(file[2..11], [0xff, 0xdb, 0, 67, 0, 16, 11, 12, 14]);
        assert!(tables(200, &[0, 0, 0, 0], &mut known).is_err(), "never seen");
        let sent = [&[0, 0, 0, 128][..], &[7; 128]].concat();
        assert_eq!(tables(200, &sent, &mut known).unwrap(), tables(200, &[0, 0, 0, 0], &mut known).unwrap());
        assert!(tables(0, &[], &mut known).is_err() && tables(100, &[], &mut known).is_err());
    }

    #[test]
    fn the_jpeg_extension_is_a_list_of_segments() {
        let content = vec![0xff, 0xff, 0xdd, 0, 4, 1, 2, 0xff, 0xfe, 0, 2, 0xff, 0xff];
        let segments = jpeg_segments(Some(&(0xffd8, content))).unwrap();
        assert_eq!(
            segments.into_iter().collect::<Vec<_>>(),
            [(0xdd, vec![0xff, 0xdd, 0, 4, 1, 2]), (0xfe, vec![0xff, 0xfe, 0, 2])]
        );
        assert!(jpeg_segments(Some(&(0xffd8, vec![0xff, 0xdd, 0, 9]))).is_err());
        assert!(jpeg_segments(Some(&(0xffff, vec![1]))).unwrap().is_empty());
    }

    #[test]
    fn parameter_sets_are_taken_from_the_sdp() {
        let sets = parameter_sets(&media("H264", "packetization-mode=1;sprop-parameter-sets=ZwE=,aAI=")).unwrap();
        assert_eq!(sets, [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2]);
    }
}
