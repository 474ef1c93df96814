//! RTCP (RFC 3550, section 6; feedback of RFC 4585 and RFC 5104): writes sender reports and goodbyes, reads what viewers
//! send.
//!
//! Reading is strict on lengths and tolerant of types: a compound packet is cut by its length fields alone, and types that
//! we do not know come out as [`RtcpPacket::Other`]. A compound need not begin with a report (RFC 5506).

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::packet::{RtpTime, Ssrc};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const APPLICATION: u8 = 204;
const PAYLOAD_FEEDBACK: u8 = 206;

/// Feedback message types of payload-specific feedback.
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA: u8 = 4;

const REPORT_BLOCK_LEN: usize = 24;

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// A wall-clock time in NTP format: seconds since 1900 and fractions of 2⁻³² s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// Converts nanoseconds of UTC since 1970. The seconds wrap in 2036, as NTP's do.
    pub fn from_utc_nanos(nanos: u64) -> Self {
        let seconds = nanos / 1_000_000_000 + NTP_EPOCH;
        // Rounded, so that the error is at most half of 2⁻³² s; never reaches a whole second.
        let fraction = (((nanos % 1_000_000_000) << 32) + 500_000_000) / 1_000_000_000;
        Self((seconds << 32) | fraction)
    }

    /// Returns the middle 32 bits, the form in which receiver reports return the time of the last sender report.
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// What a sender says of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// The stream.
    pub ssrc: Ssrc,
    /// The wall clock at one instant.
    pub ntp: NtpTime,
    /// The RTP time at the same instant.
    pub time: RtpTime,
    /// Packets sent so far; wraps.
    pub packets: u32,
    /// Payload octets sent so far; wraps.
    pub octets: u32,
}

/// Writes a compound of sender report and source description (RT-3). A canonical name beyond 255 bytes is cut.
pub fn sender_report(info: &SenderInfo, cname: &str) -> Bytes {
    compound(info, cname, false)
}

/// Writes a last sender report, source description and goodbye (RT-10).
pub fn goodbye(info: &SenderInfo, cname: &str) -> Bytes {
    compound(info, cname, true)
}

fn compound(info: &SenderInfo, cname: &str, goodbye: bool) -> Bytes {
    let cname = &cname.as_bytes()[..cname.len().min(255)];
    // One chunk: source, item type 1, length, name, then at least one zero up to the next word.
    let chunk = (4 + 2 + cname.len() + 1).next_multiple_of(4);
    let mut out = BytesMut::with_capacity(28 + 4 + chunk + 8);
    put_head(&mut out, 0, SENDER_REPORT, 24);
    out.put_u32(info.ssrc.0);
    out.put_u64(info.ntp.0);
    out.put_u32(info.time.0);
    out.put_u32(info.packets);
    out.put_u32(info.octets);
    put_head(&mut out, 1, SOURCE_DESCRIPTION, chunk);
    out.put_u32(info.ssrc.0);
    // At most 255.
    out.put_slice(&[1, cname.len() as u8]);
    out.put_slice(cname);
    out.put_bytes(0, chunk - 6 - cname.len());
    if goodbye {
        put_head(&mut out, 1, GOODBYE, 4);
        out.put_u32(info.ssrc.0);
    }
    out.freeze()
}

/// Writes the four bytes in front of `len` bytes of body, a small multiple of four.
fn put_head(out: &mut BytesMut, count: u8, packet_type: u8, len: usize) {
    out.put_slice(&[0x80 | count, packet_type]);
    out.put_u16((len / 4) as u16);
}

/// One packet of a compound, borrowed from its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpPacket<'a> {
    /// A sender report.
    SenderReport {
        /// The sender and its stream.
        info: SenderInfo,
        /// What it receives.
        reports: Reports<'a>,
    },
    /// A receiver report.
    ReceiverReport {
        /// The receiver.
        ssrc: Ssrc,
        /// What it receives.
        reports: Reports<'a>,
    },
    /// A goodbye.
    Goodbye {
        /// The streams that end.
        sources: Sources<'a>,
    },
    /// An application's own packet.
    Application {
        /// Its sender.
        ssrc: Ssrc,
        /// Its subtype, 0 to 31.
        subtype: u8,
        /// Its name.
        name: [u8; 4],
        /// Its data.
        data: &'a [u8],
    },
    /// A picture was lost (RFC 4585, section 6.3.1): asks for a key frame (RT-6).
    PictureLoss {
        /// Who asks.
        sender: Ssrc,
        /// Of which stream.
        media: Ssrc,
    },
    /// Asks for key frames (RFC 5104, section 4.3.1).
    FullIntra {
        /// Who asks.
        sender: Ssrc,
        /// Of which streams.
        requests: IntraRequests<'a>,
    },
    /// A packet of another type.
    Other {
        /// Its type.
        packet_type: u8,
    },
}

impl RtcpPacket<'_> {
    /// Tells whether the packet asks for a key frame of a stream.
    pub fn asks_key_frame(&self, ssrc: Ssrc) -> bool {
        match self {
            Self::PictureLoss { media, .. } => *media == ssrc,
            Self::FullIntra { requests, .. } => requests.iter().any(|(media, _)| media == ssrc),
            _ => false,
        }
    }
}

/// The report blocks of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reports<'a>(&'a [u8]);

impl<'a> Reports<'a> {
    /// Iterates over the blocks.
    pub fn iter(self) -> impl Iterator<Item = ReportBlock> + 'a {
        self.0.as_chunks::<REPORT_BLOCK_LEN>().0.iter().map(ReportBlock::parse)
    }
}

/// How one stream is received (RFC 3550, section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: Ssrc,
    /// The part of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; negative with duplicates.
    pub lost: i32,
    /// The highest sequence number received, with the count of wraps in the upper half.
    pub highest_sequence: u32,
    /// The variation of arrival times, in RTP ticks.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's time; zero if there was none.
    pub last_sender_report: u32,
    /// Time since that report arrived, in 1/65536 s.
    pub delay: u32,
}

impl ReportBlock {
    fn parse(bytes: &[u8; REPORT_BLOCK_LEN]) -> Self {
        // Sign-extended from 24 bits.
        let lost = (word(bytes, 4) << 8) as i32 >> 8;
        Self {
            ssrc: Ssrc(word(bytes, 0)),
            fraction_lost: bytes[4],
            lost,
            highest_sequence: word(bytes, 8),
            jitter: word(bytes, 12),
            last_sender_report: word(bytes, 16),
            delay: word(bytes, 20),
        }
    }
}

/// The streams that a goodbye ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources<'a>(&'a [u8]);

impl<'a> Sources<'a> {
    /// Iterates over the streams.
    pub fn iter(self) -> impl Iterator<Item = Ssrc> + 'a {
        self.0.as_chunks::<4>().0.iter().map(|bytes| Ssrc(u32::from_be_bytes(*bytes)))
    }
}

/// The entries of a full intra request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntraRequests<'a>(&'a [u8]);

impl<'a> IntraRequests<'a> {
    /// Iterates over stream and command number; a repeated number is the same request again.
    pub fn iter(self) -> impl Iterator<Item = (Ssrc, u8)> + 'a {
        self.0.as_chunks::<8>().0.iter().map(|entry| (Ssrc(word(entry, 0)), entry[4]))
    }
}

/// The reason why bytes are not a compound packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RtcpError {
    /// The version is not 2.
    #[error("RTCP version {version} at byte {offset}")]
    Version {
        /// Where the packet begins.
        offset: usize,
        /// Its version.
        version: u8,
    },
    /// The packet at this offset is longer than what is left, or too short for what it says to contain.
    #[error("RTCP packet at byte {0} does not fit")]
    Length(usize),
    /// The padding of the packet at this offset is not a multiple of four within the last packet.
    #[error("RTCP padding at byte {0} does not fit")]
    Padding(usize),
}

/// Iterates over the packets of a compound; ends after the first error.
#[derive(Debug, Clone)]
pub struct Compound<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Compound<'a> {
    /// Begins to read a datagram or the payload of an interleaved packet.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    fn packet(&mut self) -> Result<RtcpPacket<'a>, RtcpError> {
        let offset = self.offset;
        let length = RtcpError::Length(offset);
        let rest = &self.bytes[offset..];
        let (&[first, packet_type, high, low], rest) = rest.split_first_chunk::<4>().ok_or(length)?;
        if first >> 6 != 2 {
            return Err(RtcpError::Version { offset, version: first >> 6 });
        }
        let len = 4 * usize::from(u16::from_be_bytes([high, low]));
        let (mut body, after) = rest.split_at_checked(len).ok_or(length)?;
        if first & 0x20 != 0 {
            let count = usize::from(body.last().copied().unwrap_or(0));
            let valid = after.is_empty() && count > 0 && count % 4 == 0;
            let kept = body.len().checked_sub(count).filter(|_| valid).ok_or(RtcpError::Padding(offset))?;
            body = &body[..kept];
        }
        self.offset = offset + 4 + len;
        parse_body(packet_type, first & 0x1f, body).ok_or(length)
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<RtcpPacket<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.bytes.len() {
            return None;
        }
        let packet = self.packet();
        if packet.is_err() {
            self.offset = self.bytes.len();
        }
        Some(packet)
    }
}

/// Reads what follows the head; `None` if it is too short for what it says to contain.
fn parse_body(packet_type: u8, count: u8, body: &[u8]) -> Option<RtcpPacket<'_>> {
    let entries = usize::from(count);
    Some(match packet_type {
        SENDER_REPORT => {
            let (head, rest) = body.split_first_chunk::<24>()?;
            let info = SenderInfo {
                ssrc: Ssrc(word(head, 0)),
                ntp: NtpTime((u64::from(word(head, 4)) << 32) | u64::from(word(head, 8))),
                time: RtpTime(word(head, 12)),
                packets: word(head, 16),
                octets: word(head, 20),
            };
            RtcpPacket::SenderReport { info, reports: Reports(rest.get(..entries * REPORT_BLOCK_LEN)?) }
        }
        RECEIVER_REPORT => {
            let (head, rest) = body.split_first_chunk::<4>()?;
            let reports = Reports(rest.get(..entries * REPORT_BLOCK_LEN)?);
            RtcpPacket::ReceiverReport { ssrc: Ssrc(word(head, 0)), reports }
        }
        GOODBYE => RtcpPacket::Goodbye { sources: Sources(body.get(..entries * 4)?) },
        APPLICATION => {
            let (head, data) = body.split_first_chunk::<8>()?;
            let name = [head[4], head[5], head[6], head[7]];
            RtcpPacket::Application { ssrc: Ssrc(word(head, 0)), subtype: count, name, data }
        }
        PAYLOAD_FEEDBACK => {
            let (head, control) = body.split_first_chunk::<8>()?;
            let (sender, media) = (Ssrc(word(head, 0)), Ssrc(word(head, 4)));
            match count {
                PICTURE_LOSS => RtcpPacket::PictureLoss { sender, media },
                FULL_INTRA if !control.is_empty() && control.len() % 8 == 0 => {
                    RtcpPacket::FullIntra { sender, requests: IntraRequests(control) }
                }
                FULL_INTRA => return None,
                _ => RtcpPacket::Other { packet_type },
            }
        }
        _ => RtcpPacket::Other { packet_type },
    })
}

/// Reads the big-endian word at `at` of an array that is long enough by its type.
fn word<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INFO: SenderInfo = SenderInfo {
        ssrc: Ssrc(0x0102_0304),
        ntp: NtpTime(0xe8d3_4b00_8000_0000),
        time: RtpTime(90_000),
        packets: 7,
        octets: 700,
    };

    fn read(bytes: &[u8]) -> Vec<Result<RtcpPacket<'_>, RtcpError>> {
        Compound::new(bytes).collect()
    }

    fn packet(count: u8, packet_type: u8, body: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        put_head(&mut out, count, packet_type, body.len());
        out.put_slice(body);
        out.to_vec()
    }

    #[test]
    fn ntp_time_is_exact_at_known_instants() {
        assert_eq!(NtpTime::from_utc_nanos(0), NtpTime(2_208_988_800 << 32));
        assert_eq!(NtpTime::from_utc_nanos(500_000_000).0 as u32, 0x8000_0000);
        assert_eq!(NtpTime::from_utc_nanos(999_999_999).0 >> 32, 2_208_988_800);
        // The seconds wrap on 7 February 2036, 06:28:16 UTC.
        assert_eq!(NtpTime::from_utc_nanos(2_085_978_496_000_000_000), NtpTime(0));
        assert_eq!(NtpTime(0x1122_3344_5566_7788).middle(), 0x3344_5566);
    }

    #[test]
    fn a_sender_report_carries_a_canonical_name() {
        // RT-3.
        let bytes = sender_report(&INFO, "cam@h");
        assert_eq!(
            bytes[..],
            [
                0x80, 200, 0, 6, 1, 2, 3, 4, 0xe8, 0xd3, 0x4b, 0, 0x80, 0, 0, 0, 0, 1, 0x5f, 0x90, 0, 0, 0, 7, 0, 0, 2,
                0xbc, // report
                0x81, 202, 0, 3, 1, 2, 3, 4, 1, 5, b'c', b'a', b'm', b'@', b'h', 0, // description
            ]
        );
        let want = RtcpPacket::SenderReport { info: INFO, reports: Reports(&[]) };
        assert_eq!(read(&bytes), [Ok(want), Ok(RtcpPacket::Other { packet_type: 202 })]);
    }

    #[test]
    fn canonical_names_of_every_length_end_in_zeros_at_a_word() {
        for len in 0..300 {
            let bytes = sender_report(&INFO, &"x".repeat(len));
            assert_eq!((bytes.len() % 4, bytes.last()), (0, Some(&0)), "{len}");
            assert_eq!(read(&bytes).len(), 2, "{len}");
        }
    }

    #[test]
    fn goodbye_ends_the_stream() {
        // RT-10.
        let bytes = goodbye(&INFO, "cam");
        let all = read(&bytes);
        let Some(Ok(RtcpPacket::Goodbye { sources })) = all.last() else { panic!("{all:?}") };
        assert!(sources.iter().eq([INFO.ssrc]));
    }

    #[test]
    fn a_receiver_report_gives_its_blocks() {
        let mut body = vec![0, 0, 0, 9];
        body.extend([1, 2, 3, 4, 0x40, 0xff, 0xff, 0xfe, 0, 1, 0, 5, 0, 0, 0, 6, 0x33, 0x44, 0x55, 0x66, 0, 1, 0, 0]);
        let bytes = packet(1, 201, &body);
        let Ok(RtcpPacket::ReceiverReport { ssrc: Ssrc(9), reports }) = read(&bytes)[0] else { panic!() };
        let want = ReportBlock {
            ssrc: INFO.ssrc,
            fraction_lost: 64,
            lost: -2,
            highest_sequence: 0x1_0005,
            jitter: 6,
            last_sender_report: 0x3344_5566,
            delay: 0x1_0000,
        };
        assert_eq!(reports.iter().collect::<Vec<_>>(), [want]);
    }

    #[test]
    fn key_frames_are_asked_for_in_two_ways() {
        // RT-5, RT-6.
        let loss = packet(1, 206, &[0, 0, 0, 9, 1, 2, 3, 4]);
        let intra = packet(4, 206, &[0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0, 1, 2, 3, 4, 7, 0, 0, 0]);
        for bytes in [loss, intra] {
            let all = read(&bytes);
            let packet = all[0].unwrap();
            assert!(packet.asks_key_frame(INFO.ssrc) && !packet.asks_key_frame(Ssrc(1)));
        }
        assert_eq!(read(&packet(4, 206, &[0; 12])), [Err(RtcpError::Length(0))]);
        assert_eq!(read(&packet(15, 206, &[0; 12])), [Ok(RtcpPacket::Other { packet_type: 206 })]);
    }

    #[test]
    fn unknown_types_are_passed_over_and_an_application_is_named() {
        let mut bytes = packet(3, 77, &[0; 8]);
        bytes.extend(packet(2, 204, b"\0\0\0\x09NAMEdata"));
        let app = RtcpPacket::Application { ssrc: Ssrc(9), subtype: 2, name: *b"NAME", data: b"data" };
        assert_eq!(read(&bytes), [Ok(RtcpPacket::Other { packet_type: 77 }), Ok(app)]);
    }

    #[test]
    fn lengths_and_padding_are_strict() {
        let good = packet(0, 201, &[0, 0, 0, 9]);
        for len in 1..good.len() {
            assert_eq!(read(&good[..len]), [Err(RtcpError::Length(0))]);
        }
        assert_eq!(read(&packet(1, 201, &[0, 0, 0, 9])), [Err(RtcpError::Length(0))]);
        assert_eq!(read(&packet(2, 203, &[0; 4])), [Err(RtcpError::Length(0))]);
        assert_eq!(
            read(&[good.clone(), vec![0x40, 1, 0, 0]].concat())[1],
            Err(RtcpError::Version { offset: 8, version: 1 })
        );
        let padded = |count: u8, body: &[u8]| packet(0x20 | count, 201, body);
        assert!(read(&padded(0, &[0, 0, 0, 9, 0, 0, 0, 4]))[0].is_ok());
        for tail in [[0, 0, 0, 0], [0, 0, 0, 3], [0, 0, 0, 12]] {
            let body = [&[0, 0, 0, 9][..], &tail].concat();
            assert_eq!(read(&padded(0, &body)), [Err(RtcpError::Padding(0))]);
        }
        let not_last = [padded(0, &[0, 0, 0, 9, 0, 0, 0, 4]), good].concat();
        assert_eq!(read(&not_last), [Err(RtcpError::Padding(0))]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let all = read(&bytes);
            prop_assert!(all.iter().rev().skip(1).all(Result::is_ok), "an error ends the compound");
        }

        #[test]
        fn ntp_fractions_are_within_a_nanosecond(nanos in 0u64..4_000_000_000_000_000_000) {
            let ntp = NtpTime::from_utc_nanos(nanos);
            let back = (u128::from(ntp.0 & 0xffff_ffff) * 1_000_000_000) >> 32;
            prop_assert!(u128::from(nanos % 1_000_000_000).abs_diff(back) <= 1);
        }
    }
}
