//! Baseline JPEG (RFC 2435) from a JFIF file, with the ONVIF header extension where the RFC does not reach (PL-4 to PL-8).
//!
//! The receiver rebuilds the file's headers from a few fields, so only what those can say may be sent: one interleaved
//! baseline scan, three components sampled 4:2:0 or 4:2:2, the Huffman tables of the JPEG standard's annex K. Everything
//! else is an error value. A picture beyond 2040 pixels has no place for its size in the RTP/JPEG header; its own headers
//! then travel in a header extension of the first packet (ONVIF Streaming, 5.1.4.1) and the two size fields are zero.
//!
//! ```text
//! every packet:      | type-specific 0 | fragment offset (24) | type | Q 255 | width / 8 | height / 8 |
//! type 64 and above: | restart interval (16) | F 1, L 1, count 0x3fff |
//! first packet:      | 0 | precision 0 | length (16) 128 | two quantization tables |
//! ```

use std::iter;

use thiserror::Error;

use super::super::packet::Extension;
use super::super::packetizer::{Head, PacketSink};
use super::jpeg_tables::{Huffman, Standard};

/// The largest width or height that the RTP/JPEG header can express, in pixels.
pub const MAX_RFC_SIDE: u16 = 2040;

/// The scan's fragments are addressed with 24 bits.
const MAX_SCAN: usize = 1 << 24;

/// More segments than any encoder writes before the scan.
const MAX_SEGMENTS: usize = 64;

/// Q: the tables are sent with every picture and may change at any time.
const Q_DYNAMIC: u8 = 255;

/// Added to the type when the scan has restart markers.
const TYPE_RESTART: u8 = 64;

/// Header extension of the first packet of a picture, and of the others (PL-6).
const EXTENSION_FIRST: u16 = 0xffd8;
const EXTENSION_OTHER: u16 = 0xffff;

mod marker {
    pub(super) const SOF0: u8 = 0xc0;
    pub(super) const DHT: u8 = 0xc4;
    pub(super) const SOI: u8 = 0xd8;
    pub(super) const EOI: u8 = 0xd9;
    pub(super) const SOS: u8 = 0xda;
    pub(super) const DQT: u8 = 0xdb;
    pub(super) const DRI: u8 = 0xdd;
}

/// The reason why a picture cannot be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JpegError {
    /// The file does not begin with a start-of-image marker.
    #[error("not a JPEG file")]
    NotJpeg,
    /// A marker or segment at this offset is damaged, or the file ends before its scan.
    #[error("JPEG damaged at byte {0}")]
    Damaged(usize),
    /// Not baseline: the frame begins with this marker.
    #[error("JPEG process {0:#04x} is not baseline")]
    Process(u8),
    /// The components are not one of luma and two of chroma at 4:2:0 or 4:2:2, or not all in one scan.
    #[error("JPEG sampling is neither 4:2:0 nor 4:2:2")]
    Sampling,
    /// Quantization tables are missing, of 16 bits, or different for the two chroma components.
    #[error("JPEG quantization tables cannot be carried")]
    Quantization,
    /// Huffman tables other than those of the standard's annex K.
    #[error("JPEG Huffman tables are not the standard ones")]
    Huffman,
    /// The scan is empty or above 16 MiB.
    #[error("JPEG scan of {0} bytes cannot be carried")]
    Scan(usize),
    /// The headers alone fill a packet.
    #[error("JPEG headers of {0} bytes do not fit a packet")]
    Headers(usize),
}

/// A picture whose headers are read and found fit to be carried.
#[derive(Debug, Clone)]
pub struct Picture<'a> {
    width: u16,
    height: u16,
    /// 0 for 4:2:2, 1 for 4:2:0.
    sampling: u8,
    restart_interval: u16,
    /// Luma and chroma, 64 bytes each, in zigzag order.
    tables: [&'a [u8]; 2],
    /// The data of the first packet's extension, for pictures beyond [`MAX_RFC_SIDE`].
    extension: Option<Vec<u8>>,
    scan: &'a [u8],
}

impl<'a> Picture<'a> {
    /// Reads the headers of a JFIF file.
    pub fn parse(file: &'a [u8]) -> Result<Self, JpegError> {
        let mut headers = Headers::default();
        let scan_start = headers.read(file)?;
        let scan = &file[scan_start..];
        // Entropy-coded data never contains the end marker; what follows it is not the picture's.
        let scan = match scan.windows(2).rposition(|w| w == [0xff, marker::EOI]) {
            Some(end) => &scan[..end],
            None => scan,
        };
        if scan.is_empty() || scan.len() > MAX_SCAN {
            return Err(JpegError::Scan(scan.len()));
        }
        headers.into_picture(scan)
    }

    /// Returns width and height in pixels.
    pub fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// Lays the picture into packets; marker on the last (RT-8).
    pub(super) fn pack(&self, max_payload: usize, sink: &mut impl PacketSink) -> Result<(), JpegError> {
        let restart = self.restart_header();
        let restart: &[u8] = restart.as_ref().map_or(&[], |header| header);
        let tables_len = 4 + self.tables.iter().map(|t| t.len()).sum::<usize>();
        let mut offset = 0;
        while offset < self.scan.len() {
            let extension = self.extension.as_ref().map(|first| match offset {
                0 => Extension { profile: EXTENSION_FIRST, data: first },
                _ => Extension { profile: EXTENSION_OTHER, data: &[] },
            });
            let headers = extension.map_or(0, |e| 4 + e.data.len())
                + 8
                + restart.len()
                + if offset == 0 { tables_len } else { 0 };
            let room = max_payload.checked_sub(headers).filter(|&room| room > 0);
            let size = room.ok_or(JpegError::Headers(headers))?.min(self.scan.len() - offset);
            let end = offset + size;
            sink.begin(Head { marker: end == self.scan.len(), extension, delay: 0 });
            sink.put(&self.main_header(offset));
            sink.put(restart);
            if offset == 0 {
                // PL-5: with the first fragment only. Two tables of 8 bits.
                sink.put(&[0, 0, 0, (tables_len - 4) as u8]);
                self.tables.iter().for_each(|table| sink.put(table));
            }
            sink.put(&self.scan[offset..end]);
            offset = end;
        }
        Ok(())
    }

    /// Returns the eight bytes of RFC 2435, section 3.1. PL-7: beyond its range both size fields are zero.
    fn main_header(&self, offset: usize) -> [u8; 8] {
        // Below MAX_SCAN.
        let [_, high, mid, low] = (offset as u32).to_be_bytes();
        let restart = if self.restart_interval > 0 { TYPE_RESTART } else { 0 };
        let blocks = |side: u16| if self.extension.is_some() { 0 } else { side.div_ceil(8) as u8 };
        [0, high, mid, low, self.sampling | restart, Q_DYNAMIC, blocks(self.width), blocks(self.height)]
    }

    /// Returns the restart marker header (section 3.1.7): fragments are not aligned to restart intervals.
    fn restart_header(&self) -> Option<[u8; 4]> {
        let [high, low] = self.restart_interval.to_be_bytes();
        (self.restart_interval > 0).then_some([high, low, 0xff, 0xff])
    }
}

/// A component as the frame header declares it.
#[derive(Debug, Clone, Copy, Default)]
struct Component {
    id: u8,
    sampling: u8,
    table: u8,
    /// Huffman table identifiers of the scan header: DC in the upper half, AC in the lower.
    entropy: u8,
}

/// What is gathered up to the scan.
#[derive(Debug, Default)]
struct Headers<'a> {
    size: Option<(u16, u16)>,
    components: [Component; 3],
    quantization: [Option<&'a [u8]>; 4],
    huffman: Huffman,
    restart_interval: u16,
    /// Segments that an extension repeats, markers included; the scan header stands last.
    segments: Vec<&'a [u8]>,
}

impl<'a> Headers<'a> {
    /// Reads segments up to and including the scan header; returns where the scan begins.
    fn read(&mut self, file: &'a [u8]) -> Result<usize, JpegError> {
        if !file.starts_with(&[0xff, marker::SOI]) {
            return Err(JpegError::NotJpeg);
        }
        let mut at = 2;
        loop {
            let damaged = JpegError::Damaged(at);
            if file.get(at) != Some(&0xff) {
                return Err(damaged);
            }
            // Any number of fill bytes may precede a marker.
            let fill = file[at..].iter().take_while(|&&b| b == 0xff).count();
            let start = at + fill - 1;
            let [_, code, high, low] = *file[start..].first_chunk::<4>().ok_or(damaged)?;
            let end = start + 2 + usize::from(u16::from_be_bytes([high, low]));
            let body = file.get(start + 4..end).ok_or(damaged)?;
            self.segment(code, body).ok_or(damaged)??;
            if matches!(code, marker::DQT | marker::DHT | marker::SOF0 | marker::DRI | marker::SOS) {
                self.segments.push(&file[start..end]);
            }
            if self.segments.len() > MAX_SEGMENTS {
                return Err(damaged);
            }
            if code == marker::SOS {
                return Ok(end);
            }
            at = end;
        }
    }

    /// Takes one segment; `None` if its contents are damaged.
    fn segment(&mut self, code: u8, body: &'a [u8]) -> Option<Result<(), JpegError>> {
        match code {
            marker::DQT => return self.quantization_tables(body),
            marker::DHT => self.huffman.read(body)?,
            marker::SOF0 => return self.frame(body),
            marker::SOS => return self.scan(body),
            marker::DRI => self.restart_interval = u16::from_be_bytes(*body.first_chunk()?),
            // Other frame types, between the tables' markers.
            0xc1..=0xcf => return Some(Err(JpegError::Process(code))),
            0x01 | 0xd0..=0xd9 => return None,
            // Application data and comments.
            _ => {}
        }
        Some(Ok(()))
    }

    fn quantization_tables(&mut self, mut body: &'a [u8]) -> Option<Result<(), JpegError>> {
        while let Some((&head, rest)) = body.split_first() {
            if head >> 4 != 0 {
                return Some(Err(JpegError::Quantization));
            }
            let (table, rest) = rest.split_at_checked(64)?;
            *self.quantization.get_mut(usize::from(head))? = Some(table);
            body = rest;
        }
        Some(Ok(()))
    }

    fn frame(&mut self, body: &[u8]) -> Option<Result<(), JpegError>> {
        let (&[precision, h1, h0, w1, w0, count], rest) = body.split_first_chunk::<6>()?;
        let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
        if precision != 8 {
            return Some(Err(JpegError::Process(marker::SOF0)));
        }
        // A height of zero would be told after the scan.
        if self.size.is_some() || width == 0 || height == 0 || rest.len() != 3 * usize::from(count) {
            return None;
        }
        if count != 3 {
            return Some(Err(JpegError::Sampling));
        }
        for (component, raw) in self.components.iter_mut().zip(rest.chunks_exact(3)) {
            *component = Component { id: raw[0], sampling: raw[1], table: raw[2], entropy: 0 };
        }
        self.size = Some((width, height));
        Some(Ok(()))
    }

    fn scan(&mut self, body: &[u8]) -> Option<Result<(), JpegError>> {
        let (&count, rest) = body.split_first()?;
        if rest.len() != 2 * usize::from(count) + 3 {
            return None;
        }
        if count != 3 {
            return Some(Err(JpegError::Sampling));
        }
        for (component, raw) in self.components.iter_mut().zip(rest.chunks_exact(2)) {
            if component.id != raw[0] {
                return Some(Err(JpegError::Sampling));
            }
            component.entropy = raw[1];
        }
        Some(Ok(()))
    }

    /// Checks that the receiver will rebuild the same headers.
    fn into_picture(self, scan: &'a [u8]) -> Result<Picture<'a>, JpegError> {
        // The scan header is only reached by way of a frame header with the same component identifiers, or with none.
        let (width, height) = self.size.ok_or(JpegError::Sampling)?;
        let [luma, blue, red] = self.components;
        let sampling = match (luma.sampling, blue.sampling, red.sampling) {
            (0x21, 0x11, 0x11) => 0,
            (0x22, 0x11, 0x11) => 1,
            _ => return Err(JpegError::Sampling),
        };
        let table = |component: Component| {
            let table = self.quantization.get(usize::from(component.table)).copied().flatten();
            table.ok_or(JpegError::Quantization)
        };
        let tables = [table(luma)?, table(blue)?];
        if table(red)? != tables[1] {
            return Err(JpegError::Quantization);
        }
        let standard = self.huffman.uses(luma.entropy, Standard::Luma)
            && self.huffman.uses(blue.entropy, Standard::Chroma)
            && self.huffman.uses(red.entropy, Standard::Chroma);
        if !standard {
            return Err(JpegError::Huffman);
        }
        let beyond = width > MAX_RFC_SIDE || height > MAX_RFC_SIDE;
        let extension = beyond.then(|| extension(&self.segments));
        Ok(Picture { width, height, sampling, restart_interval: self.restart_interval, tables, extension, scan })
    }
}

/// Joins segments into extension data. Fill bytes to a multiple of four stand before the scan header, which must be last.
fn extension(segments: &[&[u8]]) -> Vec<u8> {
    let len: usize = segments.iter().map(|s| s.len()).sum();
    let fill = len.next_multiple_of(4) - len;
    let Some((scan_header, before)) = segments.split_last() else { return Vec::new() };
    before.concat().into_iter().chain(iter::repeat_n(0xff, fill)).chain(scan_header.iter().copied()).collect()
}

#[cfg(test)]
#[path = "jpeg_tests.rs"]
mod tests;
