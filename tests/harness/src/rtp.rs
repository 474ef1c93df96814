//! RTP (RFC 3550 section 5) and RTCP (section 6) as they stand on the wire.

use anyhow::{Result, ensure};

/// An RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The marker bit.
    pub marker: bool,
    /// The payload type.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The RTP time.
    pub time: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// Header extension: its profile-defined word and its content.
    pub extension: Option<(u16, Vec<u8>)>,
    /// The payload without padding.
    pub payload: Vec<u8>,
}

impl Packet {
    /// Reads a packet; strict, for this is the judge (RT-1).
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        ensure!(bytes.len() >= 12, "RTP packet of {} bytes", bytes.len());
        ensure!(bytes[0] >> 6 == 2, "RTP version {}", bytes[0] >> 6);
        ensure!(bytes[0] & 0x0f == 0, "{} contributing sources, none expected", bytes[0] & 0x0f);
        let mut start = 12;
        let mut extension = None;
        if bytes[0] & 0x10 != 0 {
            ensure!(bytes.len() >= 16, "extension cut short");
            let length = 4 * usize::from(u16_at(bytes, 14));
            ensure!(bytes.len() >= 16 + length, "extension cut short");
            extension = Some((u16_at(bytes, 12), bytes[16..16 + length].to_vec()));
            start = 16 + length;
        }
        let padding = if bytes[0] & 0x20 != 0 { usize::from(bytes[bytes.len() - 1]) } else { 0 };
        ensure!(start + padding <= bytes.len(), "padding of {padding} bytes");
        Ok(Self {
            marker: bytes[1] & 0x80 != 0,
            payload_type: bytes[1] & 0x7f,
            sequence: u16_at(bytes, 2),
            time: u32_at(bytes, 4),
            ssrc: u32_at(bytes, 8),
            extension,
            payload: bytes[start..bytes.len() - padding].to_vec(),
        })
    }
}

/// A sender report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// The source it speaks of.
    pub ssrc: u32,
    /// NTP time: seconds since 1900 in the upper half, the fraction in the lower.
    pub ntp: u64,
    /// The same instant as RTP time.
    pub time: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far.
    pub octets: u32,
}

impl SenderReport {
    /// The wall clock in milliseconds since 1970.
    pub fn utc_ms(&self) -> f64 {
        const FROM_1900_TO_1970_S: f64 = 2_208_988_800.0;
        ((self.ntp >> 32) as f64 - FROM_1900_TO_1970_S) * 1e3 + (self.ntp & 0xffff_ffff) as f64 * 1e3 / 4_294_967_296.0
    }
}

/// One part of a compound RTCP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// A sender report.
    Sender(SenderReport),
    /// A source description; the text of its CNAME.
    Description(Option<String>),
    /// The end of these sources.
    Bye(Vec<u32>),
    /// A packet type that no test asks about.
    Other(u8),
}

/// Reads a compound RTCP packet.
pub fn parse_control(mut bytes: &[u8]) -> Result<Vec<Control>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        ensure!(bytes.len() >= 4 && bytes[0] >> 6 == 2, "no RTCP header in {bytes:02x?}");
        let length = 4 + 4 * usize::from(u16_at(bytes, 2));
        ensure!(bytes.len() >= length, "RTCP part of {length} bytes in {}", bytes.len());
        let (part, rest) = bytes.split_at(length);
        let count = usize::from(part[0] & 0x1f);
        parts.push(match part[1] {
            200 => {
                ensure!(length >= 28, "short sender report");
                let ntp = u64::from(u32_at(part, 8)) << 32 | u64::from(u32_at(part, 12));
                let (ssrc, time) = (u32_at(part, 4), u32_at(part, 16));
                Control::Sender(SenderReport { ssrc, ntp, time, packets: u32_at(part, 20), octets: u32_at(part, 24) })
            }
            202 => Control::Description(cname(&part[4..])),
            203 => {
                ensure!(length >= 4 + 4 * count, "short BYE");
                Control::Bye((0..count).map(|index| u32_at(part, 4 + 4 * index)).collect())
            }
            other => Control::Other(other),
        });
        bytes = rest;
    }
    Ok(parts)
}

/// An empty receiver report with a CNAME, as a client that keeps its session alive sends it.
pub fn receiver_report(ssrc: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, 201, 0, 1];
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([0x81, 202, 0, 3]);
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([1, 4, b't', b'e', b's', b't', 0, 0]);
    bytes
}

fn cname(chunk: &[u8]) -> Option<String> {
    let length = usize::from(*chunk.get(5)?);
    (chunk[4] == 1).then(|| String::from_utf8_lossy(chunk.get(6..6 + length).unwrap_or_default()).into_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_with_extension_and_padding() {
        let bytes = [0xb0, 0xe0, 0, 5, 0, 0, 0, 9, 1, 2, 3, 4, 0xab, 0xac, 0, 1, 6, 7, 8, 9, 0x65, 0, 2];
        let packet = Packet::parse(&bytes).unwrap();
        assert!(packet.marker);
        assert_eq!((packet.payload_type, packet.sequence, packet.time, packet.ssrc), (96, 5, 9, 0x0102_0304));
        assert_eq!(packet.extension, Some((0xabac, vec![6, 7, 8, 9])));
        assert_eq!(packet.payload, [0x65]);
        for cut in 0..18 {
            assert!(Packet::parse(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_report_and_a_bye() {
        let mut bytes = vec![0x80, 200, 0, 6, 0, 0, 0, 1];
        bytes.extend(((2_208_988_800_u64 + 1000) << 32 | 0x8000_0000).to_be_bytes());
        bytes.extend([0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9]);
        bytes.extend(&receiver_report(1)[8..]);
        bytes.extend([0x81, 203, 0, 1, 0, 0, 0, 1]);
        let parts = parse_control(&bytes).unwrap();
        let Control::Sender(report) = &parts[0] else { panic!("{parts:?}") };
        assert_eq!(report.utc_ms(), 1_000_500.0);
        assert_eq!((report.time, report.packets, report.octets), (7, 8, 9));
        assert_eq!(parts[1..], [Control::Description(Some("test".into())), Control::Bye(vec![1])]);
        assert!(parse_control(&bytes[..bytes.len() - 1]).is_err());
    }
}
