//! A bounded reader of the bits of a NAL unit.

use super::SpsError;

/// Longer sets are refused: the longest legal ones, full of scaling lists, stay below 2 KiB.
const MAX_LEN: usize = 4096;

/// Reads bits, most significant first.
pub(super) struct BitReader {
    bytes: Vec<u8>,
    at: usize,
}

impl BitReader {
    /// Begins to read a NAL unit's payload behind its header. Emulation prevention bytes are left out.
    pub(super) fn new(payload: &[u8]) -> Result<Self, SpsError> {
        if payload.len() > MAX_LEN {
            return Err(SpsError::TooLong(payload.len()));
        }
        let mut bytes = Vec::with_capacity(payload.len());
        let mut zeros = 0;
        for &byte in payload {
            if zeros >= 2 && byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            bytes.push(byte);
        }
        Ok(Self { bytes, at: 0 })
    }

    /// Reads one bit.
    pub(super) fn flag(&mut self) -> Result<bool, SpsError> {
        let byte = self.bytes.get(self.at / 8).ok_or(SpsError::Truncated)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// Reads up to 32 bits.
    pub(super) fn bits(&mut self, count: u32) -> Result<u32, SpsError> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Ok(value)
    }

    /// Passes over bits.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), SpsError> {
        self.at += count;
        if self.at > self.bytes.len() * 8 { Err(SpsError::Truncated) } else { Ok(()) }
    }

    /// Reads an unsigned exponential Golomb code of at most 32 bits of value.
    pub(super) fn ue(&mut self) -> Result<u32, SpsError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(SpsError::Illegal("exponential Golomb code"));
            }
        }
        // At most 2³² − 2.
        Ok((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// Reads an unsigned exponential Golomb code that may not exceed `max`.
    pub(super) fn ue_max(&mut self, max: u32, what: &'static str) -> Result<u32, SpsError> {
        let value = self.ue()?;
        if value > max { Err(SpsError::Illegal(what)) } else { Ok(value) }
    }

    /// Reads a signed exponential Golomb code.
    pub(super) fn se(&mut self) -> Result<i64, SpsError> {
        let code = i64::from(self.ue()?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }

    /// Passes over unsigned exponential Golomb codes.
    pub(super) fn skip_ue(&mut self, count: usize) -> Result<(), SpsError> {
        (0..count).try_for_each(|_| self.ue().map(drop))
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! Sets as text, and a writer of bits for sets that no encoder at hand makes.

    /// Reads hexadecimal digits.
    pub(in crate::rtp::sps) fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16).unwrap()).collect();
        digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
    }

    /// Gathers bits.
    #[derive(Default)]
    pub(in crate::rtp::sps) struct BitWriter(Vec<bool>);

    impl BitWriter {
        pub(in crate::rtp::sps) fn bits(&mut self, count: u32, value: u64) -> &mut Self {
            self.0.extend((0..count).rev().map(|i| value >> i & 1 == 1));
            self
        }

        pub(in crate::rtp::sps) fn ue(&mut self, value: u32) -> &mut Self {
            let code = u64::from(value) + 1;
            let len = 64 - code.leading_zeros();
            self.bits(len - 1, 0).bits(len, code)
        }

        /// Returns `header` and the bits with stop bit and emulation prevention.
        pub(in crate::rtp::sps) fn finish(&mut self, header: &[u8]) -> Vec<u8> {
            self.0.push(true);
            let mut nal = header.to_vec();
            for bits in self.0.chunks(8) {
                let byte = bits.iter().enumerate().fold(0, |byte, (i, &bit)| byte | (u8::from(bit) << (7 - i)));
                if byte <= 3 && nal.ends_with(&[0, 0]) {
                    nal.push(3);
                }
                nal.push(byte);
            }
            nal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_and_emulation_prevention_is_left_out() {
        // 1 010 011 00100 00101: 0, 1, 2, 3, 4; then two zero bytes, the 3 that separates, and a one.
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000, 0, 0, 3, 1]).unwrap();
        let codes: Vec<u32> = (0..5).map(|_| bits.ue().unwrap()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        assert_eq!(bits.bits(7), Ok(0));
        assert_eq!(bits.bits(24), Ok(1));
        assert_eq!(bits.flag(), Err(SpsError::Truncated));
    }

    #[test]
    fn signed_codes_alternate() {
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]).unwrap();
        let codes: Vec<i64> = (0..5).map(|_| bits.se().unwrap()).collect();
        assert_eq!(codes, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn endless_codes_are_illegal() {
        let zeros = [0x80 >> 7, 0, 0, 0, 0, 0];
        assert_eq!(BitReader::new(&zeros[1..]).unwrap().ue(), Err(SpsError::Illegal("exponential Golomb code")));
        let largest = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(BitReader::new(&largest).unwrap().ue(), Ok(u32::MAX - 1));
        assert!(matches!(BitReader::new(&[0; 5000]), Err(SpsError::TooLong(5000))));
    }
}
