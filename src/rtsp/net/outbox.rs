//! What waits to be written to one client.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::base::clock::MonoTime;

/// Whole messages and whole units, in order. What is left of a partial write stays as a slice of the shared bytes.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Piece>,
    /// Bytes of answers among them.
    answers: usize,
    /// Since when nothing at all could be written.
    blocked_since: Option<MonoTime>,
    /// Something was written since somebody asked.
    moved: bool,
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    is_answer: bool,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes of answers that wait. Media are not counted: they are shared, and a viewer has one unit waiting at most.
    pub(super) fn answers(&self) -> usize {
        self.answers
    }

    /// Appends media.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.append(Piece { bytes, is_answer: false });
    }

    /// Appends an answer.
    pub(super) fn push_answer(&mut self, bytes: Bytes) {
        self.answers += bytes.len();
        self.append(Piece { bytes, is_answer: true });
    }

    fn append(&mut self, piece: Piece) {
        if !piece.bytes.is_empty() {
            self.waiting.push_back(piece);
        }
    }

    /// Since when the client takes nothing; `None` while it does or nothing waits.
    pub(super) fn blocked_since(&self) -> Option<MonoTime> {
        self.blocked_since
    }

    /// Whether the client took anything since the last call.
    pub(super) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Writes as much as the channel takes, one call for each piece. Ready once everything is written.
    pub(super) fn poll_write(
        &mut self,
        channel: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
        now: MonoTime,
    ) -> Poll<io::Result<()>> {
        while let Some(front) = self.waiting.front_mut() {
            match Pin::new(&mut *channel).poll_write(cx, &front.bytes) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.blocked_since = None;
                    self.moved = true;
                    front.bytes.advance(written);
                    if front.is_answer {
                        self.answers -= written;
                    }
                    if front.bytes.is_empty() {
                        self.waiting.pop_front();
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.blocked_since.get_or_insert(now);
                    return Poll::Pending;
                }
            }
        }
        // An empty queue gives its memory back: most of the time a viewer has nothing waiting.
        if self.waiting.capacity() > 4 {
            self.waiting.shrink_to(4);
        }
        Poll::Ready(Ok(()))
    }
}
