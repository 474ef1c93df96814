//! The code row: what the pattern and the test files carry so that a test can read time and order from the picture.
//!
//! ```text
//!   ┌──────────────── W ────────────────┐      a cell is W/64 wide and high
//!   │                                   │
//!   │      ▓░▓▓░ … 52 cells             │  y = H - 4 cells, x = 6 cells   frame number (32 bits), then the upper
//!   │      ░▓▓░▓ … 52 cells             │  y = H - 3 cells                UTC ms (64 bits), CRC-8; most significant first
//!   │                                   │
//!   └───────────────────────────────────┘      white = 1
//! ```
//!
//! The CRC (polynomial 0x07, start 0) covers the twelve big-endian bytes before it.

use anyhow::{Result, ensure};

/// Cells in a line of the code.
const PER_LINE: usize = 52;
/// Cells across the picture.
const ACROSS: usize = 64;

/// What one picture says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Counts capture ticks.
    pub frame: u32,
    /// The instant of capture, in milliseconds of UTC since 1970.
    pub utc_ms: u64,
}

/// Where the code stands in a picture: the band of rows that a decoder may crop to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// First row of the band.
    pub top: usize,
    /// Width of the picture, in pixels.
    pub width: usize,
    /// Rows of the band.
    pub height: usize,
}

impl Band {
    /// Finds the band in a picture of this size. A 16:9 picture that was letterboxed (320×240) is looked for in its middle.
    pub fn of(width: usize, height: usize) -> Self {
        let proper = if width * 3 == height * 4 { width * 9 / 16 } else { height };
        let bottom = (height + proper) / 2;
        let first = bottom - 4 * width / ACROSS;
        let end = bottom - 2 * width / ACROSS;
        Self { top: first, width, height: end - first }
    }

    /// Cuts the band out of a whole grey picture.
    pub fn cut(self, picture: &[u8]) -> Vec<u8> {
        (self.top..self.top + self.height)
            .flat_map(|row| picture[row * self.width..(row + 1) * self.width].iter().copied())
            .collect()
    }

    /// Reads the code from the grey pixels of the band (`width` × `height` bytes).
    pub fn read(self, pixels: &[u8]) -> Result<Code> {
        ensure!(pixels.len() == self.width * self.height, "{} bytes are not a band of {self:?}", pixels.len());
        let mut bytes = [0_u8; 13];
        for bit in 0..2 * PER_LINE {
            if self.cell(pixels, bit / PER_LINE, 6 + bit % PER_LINE) > 126 {
                bytes[bit / 8] |= 0x80 >> (bit % 8);
            }
        }
        let crc = crc8(&bytes[..12]);
        ensure!(crc == bytes[12], "code row {bytes:02x?}: CRC {crc:02x} expected");
        let (frame, utc) = (bytes[..4].try_into()?, bytes[4..12].try_into()?);
        Ok(Code { frame: u32::from_be_bytes(frame), utc_ms: u64::from_be_bytes(utc) })
    }

    /// The mean of the middle half of a cell: its edges suffer from compression.
    fn cell(self, pixels: &[u8], line: usize, column: usize) -> u32 {
        let side = self.width as f64 / ACROSS as f64;
        let span = |index: usize| {
            let start = (index as f64 + 0.25) * side;
            start as usize..((start + side / 2.0) as usize).max(start as usize + 1)
        };
        let (mut sum, mut count) = (0_u32, 0_u32);
        for y in span(line) {
            for x in span(column) {
                sum += u32::from(pixels[y * self.width + x]);
                count += 1;
            }
        }
        sum / count.max(1)
    }
}

/// CRC-8 with polynomial 0x07, start value 0, no reflection.
pub fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { (crc << 1) ^ 0x07 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws as the engine is meant to, but in the plainest way there is: pixel by pixel, from the definition above.
    fn picture(width: usize, height: usize, code: Code) -> Vec<u8> {
        let mut message = [0_u8; 13];
        message[..4].copy_from_slice(&code.frame.to_be_bytes());
        message[4..12].copy_from_slice(&code.utc_ms.to_be_bytes());
        message[12] = crc8(&message[..12]);
        let mut pixels = vec![90; width * height];
        let bottom = if width * 3 == height * 4 { height / 2 + width * 9 / 32 } else { height };
        let side = width / 64;
        for bit in 0..104 {
            let (line, column) = (bit / 52, bit % 52);
            let grey = if message[bit / 8] >> (7 - bit % 8) & 1 == 1 { 235 } else { 16 };
            for y in 0..side {
                for x in 0..side {
                    pixels[(bottom - (4 - line) * side + y) * width + (6 + column) * side + x] = grey;
                }
            }
        }
        pixels
    }

    #[test]
    fn the_code_is_read_at_every_size() {
        let code = Code { frame: 0xdead_beef, utc_ms: 1_789_012_345_678 };
        for (width, height) in [(3840, 2160), (1920, 1080), (1280, 720), (640, 360), (320, 240)] {
            let band = Band::of(width, height);
            let pixels = band.cut(&picture(width, height, code));
            assert_eq!(band.read(&pixels).unwrap(), code, "{width}x{height}");
        }
    }

    #[test]
    fn a_wrong_bit_is_noticed() {
        let band = Band::of(640, 360);
        let mut pixels = band.cut(&picture(640, 360, Code { frame: 7, utc_ms: 8 }));
        for row in pixels.chunks_mut(640) {
            row[60..70].iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
        }
        assert!(band.read(&pixels).is_err());
        assert!(band.read(&pixels[1..]).is_err());
    }

    #[test]
    fn crc_8_has_the_published_check_value() {
        assert_eq!(crc8(b"123456789"), 0xf4);
    }
}
