//! Real time streaming (ONVIF Real Time Streaming Device Test Specification).

use crate::case::Case;

/// The cases that are written.
pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
