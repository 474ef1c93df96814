//! Finds gaps in what a reader gets, without keeping any of it.

/// RTP packets of one stream, as far as their numbers tell.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    last: Option<u16>,
    /// Packets seen.
    pub packets: u64,
    /// Places where the sequence number was not the one before plus one.
    pub gaps: u64,
}

impl Sequence {
    /// Takes the first four bytes of a packet.
    pub fn take(&mut self, head: [u8; 4]) {
        let number = u16::from_be_bytes([head[2], head[3]]);
        if self.last.is_some_and(|last| last.wrapping_add(1) != number) {
            self.gaps += 1;
        }
        self.last = Some(number);
        self.packets += 1;
    }
}

/// Interleaved frames (RFC 2326 section 10.12) that arrive in any pieces. Channel 0 is the video.
#[derive(Debug, Default)]
pub struct Frames {
    /// `$`, channel, length, and the first four bytes of the packet, as far as they came.
    head: [u8; 8],
    filled: usize,
    /// What is left of the frame after its head.
    skip: usize,
    /// The packets of channel 0.
    pub video: Sequence,
}

/// Something else than a frame came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoFrame(pub u8);

impl Frames {
    /// Takes what was read.
    ///
    /// # Errors
    /// A byte stands where `$` should.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), NoFrame> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let wanted = (self.head.len() - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + wanted].copy_from_slice(&bytes[..wanted]);
            self.filled += wanted;
            bytes = &bytes[wanted..];
            if self.head[0] != b'$' {
                return Err(NoFrame(self.head[0]));
            }
            if self.filled == self.head.len() {
                self.finish_head();
            }
        }
        Ok(())
    }

    /// Every frame has at least four bytes: the shortest RTCP packet.
    fn finish_head(&mut self) {
        let [_, channel, upper, lower, packet @ ..] = self.head;
        if channel == 0 {
            self.video.take(packet);
        }
        self.skip = usize::from(u16::from_be_bytes([upper, lower])).saturating_sub(4);
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(channel: u8, sequence: u16) -> Vec<u8> {
        let mut bytes = vec![b'$', channel, 0, 7, 0x80, 96];
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([1, 2, b'$']);
        bytes
    }

    #[test]
    fn gaps_are_found_however_the_bytes_are_cut() {
        let stream = [frame(0, 65_535), frame(1, 7), frame(0, 0), frame(0, 2), frame(0, 3)].concat();
        for size in 1..=stream.len() {
            let mut frames = Frames::default();
            for piece in stream.chunks(size) {
                frames.take(piece).unwrap();
            }
            assert_eq!((frames.video.packets, frames.video.gaps), (4, 1), "pieces of {size}");
        }
        assert_eq!(Frames::default().take(b"RTSP"), Err(NoFrame(b'R')));
    }
}
