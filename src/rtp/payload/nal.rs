//! What H.264 and H.265 have in common: the NAL units of a unit in sending order, and how small ones are grouped.

use std::ops::Range;

use crate::rtp::packetizer::{PackError, UnitView};

/// The NAL units of a unit: parameter sets first, then the access unit, each at least as long as its header.
#[derive(Clone, Copy)]
pub(in crate::rtp) struct Nals<'a> {
    parameter_sets: &'a [&'a [u8]],
    payload: &'a [u8],
    ranges: &'a [Range<u32>],
    header_len: usize,
}

impl<'a> Nals<'a> {
    /// Checks the ranges. NAL units that are no longer than their header are left out: they say nothing, and a fragment of
    /// one could not be told from damage.
    pub(super) fn new(unit: &UnitView<'a>, header_len: usize) -> Result<Self, PackError> {
        let len = unit.payload.len();
        if let Some(bad) = unit.nals.iter().find(|r| unit.payload.get(r.start as usize..r.end as usize).is_none()) {
            return Err(PackError::Range { start: bad.start, end: bad.end, len });
        }
        Ok(Self { parameter_sets: unit.parameter_sets, payload: unit.payload, ranges: unit.nals, header_len })
    }

    /// Iterates over the NAL units in sending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let Self { parameter_sets, payload, ranges, header_len } = *self;
        let slices = ranges.iter().filter_map(move |r| payload.get(r.start as usize..r.end as usize));
        parameter_sets.iter().copied().chain(slices).filter(move |nal| nal.len() > header_len)
    }
}

/// Counts how many NAL units from the front fit together into one aggregation packet, behind a header of `header_len` bytes
/// and with 16 bits of length each.
pub(super) fn fitting<'a>(nals: impl Iterator<Item = &'a [u8]>, header_len: usize, max_payload: usize) -> usize {
    let mut total = header_len;
    nals.take_while(|nal| {
        total = total.saturating_add(2 + nal.len());
        total <= max_payload
    })
    .count()
}
