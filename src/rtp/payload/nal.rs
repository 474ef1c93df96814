//! What H.264 and H.265 have in common: the NAL units of a unit in sending order, and how small ones are grouped.

use std::ops::Range;

use crate::rtp::packetizer::{PackError, UnitView};

/// What a codec's NAL units look like.
#[derive(Clone, Copy)]
pub(in crate::rtp) struct Shape {
    /// Length of their header, in bytes.
    pub(super) header_len: usize,
    /// Whether a NAL unit with this first byte is an access unit delimiter.
    pub(super) is_delimiter: fn(u8) -> bool,
}

/// The NAL units of a unit: parameter sets first, then the access unit, each longer than its header and none a delimiter.
#[derive(Clone, Copy)]
pub(in crate::rtp) struct Nals<'a> {
    parameter_sets: &'a [&'a [u8]],
    payload: &'a [u8],
    ranges: &'a [Range<u32>],
    shape: Shape,
}

impl<'a> Nals<'a> {
    /// Checks the ranges. NAL units that are no longer than their header are left out: they say nothing, and a fragment of
    /// one could not be told from damage. So are access unit delimiters: the marker bit says the same (RFC 6184, 5.1), behind
    /// the parameter sets they would stand in the wrong place, and a packet of two bytes in front of each picture would cost
    /// every viewer by UDP a datagram that travels alone.
    pub(super) fn new(unit: &UnitView<'a>, shape: Shape) -> Result<Self, PackError> {
        let len = unit.payload.len();
        if let Some(bad) = unit.nals.iter().find(|r| unit.payload.get(r.start as usize..r.end as usize).is_none()) {
            return Err(PackError::Range { start: bad.start, end: bad.end, len });
        }
        Ok(Self { parameter_sets: unit.parameter_sets, payload: unit.payload, ranges: unit.nals, shape })
    }

    /// Iterates over the NAL units in sending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let Self { parameter_sets, payload, ranges, shape } = *self;
        let slices = ranges.iter().filter_map(move |r| payload.get(r.start as usize..r.end as usize));
        let all = parameter_sets.iter().copied().chain(slices);
        all.filter(move |nal| nal.len() > shape.header_len && !(shape.is_delimiter)(nal[0]))
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
