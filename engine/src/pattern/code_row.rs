//! The code row: the machine-readable number and time in every picture of the pattern.
//!
//! ```text
//!   32-bit frame number | 64-bit UTC milliseconds | CRC-8          104 bits, most significant first
//!
//!   u = width / 64        cell = square of side u, white 1, black 0
//!   first cell at x = 6 u;  bits 0–51 at y = height - 4 u,  bits 52–103 at y = height - 3 u
//! ```
//! Tests read order and time from the picture, never from arrival.

/// Cells in one of the two lines.
pub const CELLS_PER_LINE: usize = 52;
/// The column of the first cell, in cells.
pub const FIRST_COLUMN: u32 = 6;
/// The top of the first line, in cells above the lower edge of the picture.
pub const FIRST_LINE: u32 = 4;
/// Luma of a 1.
pub const WHITE: u8 = 235;
/// Luma of a 0.
pub const BLACK: u8 = 16;

/// What one code row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The number of the capture tick.
    pub number: u32,
    /// The UTC of the capture, in milliseconds since 1970.
    pub utc_ms: u64,
}

impl Code {
    /// Lays the code out as cells, true for white.
    pub fn cells(&self) -> [bool; 2 * CELLS_PER_LINE] {
        let mut bytes = [0; 13];
        bytes[..4].copy_from_slice(&self.number.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.utc_ms.to_be_bytes());
        bytes[12] = crc8(&bytes[..12]);
        std::array::from_fn(|i| bytes[i / 8] & (0x80 >> (i % 8)) != 0)
    }

    /// Reads cells; none if the checksum is wrong.
    pub fn from_cells(cells: &[bool; 2 * CELLS_PER_LINE]) -> Option<Self> {
        let mut bytes = [0u8; 13];
        for (i, _) in cells.iter().enumerate().filter(|(_, cell)| **cell) {
            bytes[i / 8] |= 0x80 >> (i % 8);
        }
        if crc8(&bytes[..12]) != bytes[12] {
            return None;
        }
        let (number, utc) = bytes[..12].split_at(4);
        Some(Self {
            number: u32::from_be_bytes(number.try_into().ok()?),
            utc_ms: u64::from_be_bytes(utc.try_into().ok()?),
        })
    }

    /// Reads the code row of a grey picture without row padding; none if there is no valid one.
    pub fn read(luma: &[u8], width: usize, height: usize) -> Option<Self> {
        let mut cells = [false; 2 * CELLS_PER_LINE];
        for (i, cell) in cells.iter_mut().enumerate() {
            let (column, line) = (i % CELLS_PER_LINE, i / CELLS_PER_LINE);
            // The middle of the cell: (n + 1/2) width / 64.
            let x = (2 * (FIRST_COLUMN as usize + column) + 1) * width / 128;
            let y = height.checked_sub((2 * (FIRST_LINE as usize - line) - 1) * width / 128)?;
            *cell = *luma.get(y * width + x)? >= 128;
        }
        Self::from_cells(&cells)
    }
}

/// CRC-8 with the polynomial 0x07 and the initial value 0.
pub fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ byte, |c, _| if c & 0x80 != 0 { c << 1 ^ 0x07 } else { c << 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc8_of_the_catalogue_check_string() {
        assert_eq!(crc8(b"123456789"), 0xF4);
    }

    #[test]
    fn a_code_survives_its_cells_and_a_wrong_cell_is_noticed() {
        let code = Code { number: 0x8000_0001, utc_ms: 1_790_000_000_123 };
        let mut cells = code.cells();
        assert!(cells[0] && !cells[1] && cells[31], "most significant bit first");
        assert_eq!(Code::from_cells(&cells), Some(code));
        cells[40] = !cells[40];
        assert_eq!(Code::from_cells(&cells), None);
    }
}
