//! What came from one client and waits to be handled.

use bytes::{Buf, Bytes};

use crate::rtsp::core::message::{Incoming, Limits, MessageReader, ReadError};

/// The last bytes that were read, taken apart one message at a time: however small the messages, they wait as bytes.
#[derive(Debug)]
pub(super) struct Inbox {
    reader: MessageReader,
    unread: Bytes,
}

impl Inbox {
    /// Begins with what was read elsewhere.
    pub(super) fn new(limits: Limits, head: &[u8]) -> Self {
        Self { reader: MessageReader::new(limits), unread: Bytes::copy_from_slice(head) }
    }

    /// Whether all that was read has been taken, so that more may be read.
    pub(super) fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }

    /// Whether what was taken ends within a message.
    pub(super) fn is_midway(&self) -> bool {
        !self.reader.is_idle()
    }

    /// Takes what was read into the empty inbox.
    pub(super) fn fill(&mut self, bytes: &[u8]) {
        self.unread = Bytes::copy_from_slice(bytes);
    }

    /// Takes the next message; `None` when what was read holds no more that is whole.
    pub(super) fn next(&mut self) -> Option<Result<Incoming, ReadError>> {
        let mut rest = &self.unread[..];
        let result = self.reader.next(&mut rest);
        let used = self.unread.len() - rest.len();
        self.unread.advance(used);
        if self.unread.is_empty() {
            self.unread = Bytes::new();
        }
        result.transpose()
    }
}
