//! What comes up an HTTP tunnel: base64 without end, in any pieces (HT-2, HT-3, HT-4).

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Padding may be missing at the end, and the last bits may be rubbish: clients wrote their own encoders.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Something else than base64, or than chunks, came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tunnel carries {0}")]
pub struct NotATunnel(&'static str);

/// Decodes what a POST carries. Every message may be encoded by itself: padding ends a group of four, not the stream.
#[derive(Debug, Default)]
pub struct Upstream {
    chunks: Option<Chunks>,
    group: [u8; 4],
    filled: usize,
}

impl Upstream {
    /// A body as it is, or in chunks (RFC 9112, 7.1).
    pub fn new(chunked: bool) -> Self {
        Self { chunks: chunked.then(Chunks::default), ..Self::default() }
    }

    /// Decodes what was read and appends it to `into`.
    ///
    /// # Errors
    /// The tunnel is broken; nothing more can be read from it.
    pub fn take(&mut self, mut bytes: &[u8], into: &mut Vec<u8>) -> Result<(), NotATunnel> {
        let Some(mut chunks) = self.chunks.take() else { return self.decode(bytes, into) };
        while !bytes.is_empty() {
            let (data, rest) = chunks.split(bytes)?;
            self.decode(data, into)?;
            bytes = rest;
        }
        self.chunks = Some(chunks);
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> Result<(), NotATunnel> {
        for byte in bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()) {
            self.group[self.filled] = byte;
            self.filled += 1;
            if self.filled == self.group.len() {
                self.filled = 0;
                BASE64.decode_vec(self.group, into).map_err(|_| NotATunnel("no base64"))?;
            }
        }
        Ok(())
    }
}

/// Takes the framing of chunks away.
#[derive(Debug, Default)]
struct Chunks {
    /// Bytes of the present chunk that are still to come.
    left: usize,
    /// The line with the next chunk's size, as far as it came.
    line: Vec<u8>,
}

/// A size in hexadecimal digits, and perhaps an extension that nobody uses.
const LONGEST_LINE: usize = 256;

impl Chunks {
    /// Splits off the data at the front, if there are any, or takes one byte of the framing.
    fn split<'a>(&mut self, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), NotATunnel> {
        if self.left > 0 {
            let (data, rest) = bytes.split_at(self.left.min(bytes.len()));
            self.left -= data.len();
            return Ok((data, rest));
        }
        let (first, rest) = bytes.split_at(1);
        match first {
            // The line end behind a chunk is an empty line.
            b"\n" if self.line.is_empty() => {}
            b"\n" => self.begin_chunk()?,
            b"\r" => {}
            _ if self.line.len() >= LONGEST_LINE => return Err(NotATunnel("a chunk without a size")),
            byte => self.line.extend(byte),
        }
        Ok((&[], rest))
    }

    fn begin_chunk(&mut self) -> Result<(), NotATunnel> {
        let line = std::mem::take(&mut self.line);
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let size = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        match size {
            Some(0) => Err(NotATunnel("its last chunk")),
            Some(size) => {
                self.left = size;
                Ok(())
            }
            None => Err(NotATunnel("a chunk without a size")),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn decoded(chunked: bool, bytes: &[u8], pieces: usize) -> Result<Vec<u8>, NotATunnel> {
        let (mut upstream, mut into) = (Upstream::new(chunked), Vec::new());
        bytes.chunks(pieces).try_for_each(|piece| upstream.take(piece, &mut into))?;
        Ok(into)
    }

    #[test]
    fn messages_come_out_whatever_the_pieces_and_line_breaks() {
        let messages = ["OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", "$\u{1}\0\u{2}ab", "x"];
        let encoded: String = messages.iter().map(|message| BASE64_STANDARD.encode(message)).collect();
        let broken: String = encoded
            .chars()
            .enumerate()
            .flat_map(|(at, c)| [Some(c), (at % 7 == 3).then_some('\n')])
            .flatten()
            .collect();
        let crlf = broken.replace('\n', "\r\n");
        for text in [&encoded, &broken, &crlf] {
            let chunked: String = text
                .as_bytes()
                .chunks(5)
                .map(|chunk| format!("{:x};a=b\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()))
                .collect();
            for pieces in 1..40 {
                assert_eq!(decoded(false, text.as_bytes(), pieces).unwrap(), messages.concat().as_bytes());
                assert_eq!(
                    decoded(true, chunked.as_bytes(), pieces).unwrap(),
                    messages.concat().as_bytes(),
                    "{pieces}"
                );
            }
        }
    }

    #[test]
    fn rubbish_ends_the_tunnel() {
        assert!(decoded(false, b"RTSP/1.0 !!!!", 3).is_err());
        assert!(decoded(true, b"zz\r\nAAAA", 3).is_err());
        assert!(decoded(true, b"0\r\n\r\n", 3).is_err());
        assert!(decoded(true, &[b'1'; 1000], 3).is_err());
    }
}
