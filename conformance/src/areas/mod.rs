//! The cases, area by area.

use crate::case::Case;

mod base;
mod media1;
mod media2;
mod streaming;

/// Every case that is written.
pub fn cases() -> Vec<Case> {
    [base::cases(), media1::cases(), media2::cases(), streaming::cases()].concat()
}
