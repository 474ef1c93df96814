//! The RTP header (RFC 3550, section 5.1): writer and strict reader.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! |                           timestamp                           |
//! |                             SSRC                              |
//! ```

use std::fmt;

use thiserror::Error;

/// Length of the fixed header, in bytes.
pub const HEADER_LEN: usize = 12;

/// A synchronization source: the identity of a stream within its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    /// Writes eight upper-case hexadecimal digits, the form of the RTSP Transport header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)
    }
}

/// A packet's place in its stream; wraps around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SequenceNumber(pub u16);

impl SequenceNumber {
    /// Returns the sequence number `count` packets later.
    #[must_use]
    pub fn advanced(self, count: usize) -> Self {
        // Only the low 16 bits matter: the space wraps.
        Self(self.0.wrapping_add(count as u16))
    }
}

/// An RTP payload type, 0 to 127.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadType(u8);

impl PayloadType {
    /// G.711 µ-law, 8000 Hz, one channel (RFC 3551).
    pub const PCMU: Self = Self(0);
    /// G.711 A-law, 8000 Hz, one channel (RFC 3551).
    pub const PCMA: Self = Self(8);
    /// JPEG, 90 000 Hz (RFC 3551, RFC 2435).
    pub const JPEG: Self = Self(26);

    /// Makes a payload type of a number; `None` above 127.
    pub const fn new(value: u8) -> Option<Self> {
        if value < 128 { Some(Self(value)) } else { None }
    }

    /// Makes a dynamic payload type, 96 plus `index`; an index above 31 stays at 127.
    pub const fn dynamic(index: u8) -> Self {
        if index < 32 { Self(96 + index) } else { Self(127) }
    }

    /// Returns the number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for PayloadType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instant in the clock rate of a stream; wraps around.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RtpTime(pub u32);

impl RtpTime {
    /// Returns the instant `ticks` later.
    #[must_use]
    pub fn advanced(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }
}

/// The fixed header of a packet that we send: version 2, no padding, no contributing sources (RT-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// A header extension follows the fixed header.
    pub extension: bool,
    /// The marker bit; its meaning is the payload format's.
    pub marker: bool,
    /// The payload type.
    pub payload_type: PayloadType,
    /// The sequence number.
    pub sequence: SequenceNumber,
    /// The sampling instant of the first payload octet.
    pub time: RtpTime,
    /// The stream.
    pub ssrc: Ssrc,
}

impl Header {
    /// Returns the twelve bytes of the header.
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[0] = 0x80 | (u8::from(self.extension) << 4);
        out[1] = (u8::from(self.marker) << 7) | self.payload_type.0;
        out[2..4].copy_from_slice(&self.sequence.0.to_be_bytes());
        out[4..8].copy_from_slice(&self.time.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.0.to_be_bytes());
        out
    }
}

/// The reason why bytes are not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PacketError {
    /// The bytes end within the header.
    #[error("RTP packet of {len} bytes ends within its header of {need} bytes")]
    Short {
        /// Length of the packet.
        len: usize,
        /// Length that its header asks for.
        need: usize,
    },
    /// The version is not 2.
    #[error("RTP version {0} instead of 2")]
    Version(u8),
    /// The padding bit is set and the padding length is zero or beyond the payload.
    #[error("RTP padding of {0} bytes does not fit")]
    Padding(u8),
}

/// A header extension (RFC 3550, section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The 16 bits that the profile defines.
    pub profile: u16,
    /// The data, a multiple of four bytes.
    pub data: &'a [u8],
}

/// A received packet, borrowed from its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The fixed header.
    pub header: Header,
    /// The header extension, when the X bit is set.
    pub extension: Option<Extension<'a>>,
    /// The payload without padding; may be empty.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a whole packet. Contributing sources are skipped, padding is cut off.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let short = |need| PacketError::Short { len: bytes.len(), need };
        let (fixed, mut rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(short(HEADER_LEN))?;
        let version = fixed[0] >> 6;
        if version != 2 {
            return Err(PacketError::Version(version));
        }
        let header = Header {
            extension: fixed[0] & 0x10 != 0,
            marker: fixed[1] & 0x80 != 0,
            payload_type: PayloadType(fixed[1] & 0x7f),
            sequence: SequenceNumber(u16::from_be_bytes([fixed[2], fixed[3]])),
            time: RtpTime(u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]])),
            ssrc: Ssrc(u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]])),
        };
        let mut need = HEADER_LEN + 4 * usize::from(fixed[0] & 0x0f);
        rest = rest.get(need - HEADER_LEN..).ok_or(short(need))?;
        let mut extension = None;
        if header.extension {
            need += 4;
            let (head, tail) = rest.split_first_chunk::<4>().ok_or(short(need))?;
            let len = 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
            need += len;
            let (data, tail) = tail.split_at_checked(len).ok_or(short(need))?;
            extension = Some(Extension { profile: u16::from_be_bytes([head[0], head[1]]), data });
            rest = tail;
        }
        if fixed[0] & 0x20 != 0 {
            let count = rest.last().copied().unwrap_or(0);
            let len = rest.len().checked_sub(usize::from(count)).filter(|_| count > 0);
            rest = &rest[..len.ok_or(PacketError::Padding(count))?];
        }
        Ok(Self { header, extension, payload: rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        extension: false,
        marker: true,
        payload_type: PayloadType::dynamic(0),
        sequence: SequenceNumber(0x1234),
        time: RtpTime(0xdead_beef),
        ssrc: Ssrc(0x0102_0304),
    };

    #[test]
    fn header_has_the_layout_of_rfc_3550() {
        // RT-1: V=2, CC=0, valid P/X/M.
        assert_eq!(HEADER.to_bytes(), [0x80, 0xe0, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4]);
    }

    #[test]
    fn reader_returns_what_was_written() {
        let mut bytes = HEADER.to_bytes().to_vec();
        bytes.extend_from_slice(b"payload");
        assert_eq!(Packet::parse(&bytes), Ok(Packet { header: HEADER, extension: None, payload: b"payload" }));
    }

    #[test]
    fn reader_skips_sources_extension_and_padding() {
        let mut bytes = HEADER.to_bytes().to_vec();
        bytes[0] |= 0x32; // padding, extension, two contributing sources
        bytes.extend_from_slice(&[9; 8]);
        bytes.extend_from_slice(&[0xab, 0xac, 0, 1, 1, 2, 3, 4]);
        bytes.extend_from_slice(b"xyz");
        bytes.extend_from_slice(&[0, 0, 3]);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.extension, Some(Extension { profile: 0xabac, data: &[1, 2, 3, 4] }));
        assert_eq!(packet.payload, b"xyz");
    }

    #[test]
    fn reader_refuses_what_does_not_fit() {
        let whole = HEADER.to_bytes();
        for len in 0..HEADER_LEN {
            assert_eq!(Packet::parse(&whole[..len]), Err(PacketError::Short { len, need: 12 }));
        }
        let with = |first: u8, tail: &[u8]| {
            let mut bytes = whole.to_vec();
            bytes[0] = first;
            bytes.extend_from_slice(tail);
            Packet::parse(&bytes).map(|_| ()).unwrap_err()
        };
        assert_eq!(with(0x40, &[]), PacketError::Version(1));
        assert_eq!(with(0x81, &[0; 3]), PacketError::Short { len: 15, need: 16 });
        assert_eq!(with(0x90, &[0, 0, 0]), PacketError::Short { len: 15, need: 16 });
        assert_eq!(with(0x90, &[0, 0, 0, 2, 0, 0, 0, 0]), PacketError::Short { len: 20, need: 24 });
        assert_eq!(with(0xa0, &[]), PacketError::Padding(0));
        assert_eq!(with(0xa0, &[1, 0]), PacketError::Padding(0));
        assert_eq!(with(0xa0, &[1, 3]), PacketError::Padding(3));
    }
}
