//! Media2 (ONVIF Media2 Configuration Device Test Specification).

use crate::case::Case;

/// The cases that are written.
pub(super) fn cases() -> Vec<Case> {
    Vec::new()
}
