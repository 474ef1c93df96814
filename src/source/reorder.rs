//! Decode times for streams that carry presentation times only.

use std::collections::BinaryHeap;

/// Derives decode times from presentation times.
///
/// RTP carries presentation times in decode order. With a reorder depth of `d` pictures, the decode time of a picture is the
/// smallest presentation time among it and the `d` pictures decoded before it that has not been given out yet: the times are
/// the same set, given out in order, `d` pictures later.
#[derive(Debug)]
pub(super) struct DecodeTimes {
    depth: usize,
    waiting: BinaryHeap<std::cmp::Reverse<i64>>,
    last: Option<i64>,
    newest: Option<i64>,
}

/// H.264 and H.265 allow at most 16 pictures (annex A of both).
const MAX_DEPTH: usize = 16;

impl DecodeTimes {
    /// Starts with the depth that the stream declares, or 0 where it declares none.
    pub(super) fn new(depth: usize) -> Self {
        Self { depth: depth.min(MAX_DEPTH), waiting: BinaryHeap::new(), last: None, newest: None }
    }

    /// Forgets the pictures seen, for a new start of the stream.
    pub(super) fn restart(&mut self) {
        self.waiting.clear();
        self.newest = None;
    }

    /// Takes the presentation time of the next picture in decode order and gives its decode time, in ticks.
    ///
    /// Never later than the presentation time once the depth is known, and never earlier than the one before.
    pub(super) fn next(&mut self, presentation: i64, frame: i64) -> i64 {
        if self.newest.is_some_and(|newest| presentation < newest) && self.depth == 0 {
            // The stream reorders although it did not say so.
            self.depth = 1;
        }
        self.newest = Some(self.newest.map_or(presentation, |newest| newest.max(presentation)));
        self.waiting.push(std::cmp::Reverse(presentation));
        let candidate = if self.waiting.len() > self.depth {
            self.waiting.pop().map_or(presentation, |std::cmp::Reverse(time)| time)
        } else {
            // The first pictures: step back from the presentation time by what the depth will take.
            let missing = (self.depth + 1 - self.waiting.len()) as i64;
            self.waiting.peek().map_or(presentation, |std::cmp::Reverse(time)| *time) - missing * frame
        };
        if candidate > presentation && self.depth < MAX_DEPTH {
            self.depth += 1;
        }
        let time = self
            .last
            .map_or(candidate, |last| candidate.max(last))
            .min(presentation.max(self.last.unwrap_or(i64::MIN)));
        self.last = Some(time);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(depth: usize, presentation: &[i64]) -> Vec<i64> {
        let mut times = DecodeTimes::new(depth);
        presentation.iter().map(|time| times.next(*time, 10)).collect()
    }

    #[test]
    fn without_reordering_both_times_are_the_same() {
        assert_eq!(times(0, &[0, 10, 20, 30]), [0, 10, 20, 30]);
    }

    #[test]
    fn two_b_frames_in_a_row_are_unfolded() {
        // Decode order I P B B P B B; presentation 0 30 10 20 60 40 50.
        assert_eq!(times(1, &[0, 30, 10, 20, 60, 40, 50]), [-10, 0, 10, 20, 30, 40, 50]);
    }

    #[test]
    fn an_undeclared_reordering_is_learned_and_order_holds() {
        let got = times(0, &[0, 30, 10, 20, 60, 40, 50, 90, 70, 80]);
        assert!(got.is_sorted(), "{got:?}");
        let late: Vec<_> = [60, 40, 50, 90, 70, 80].iter().zip(&got[4..]).filter(|(pts, dts)| dts > pts).collect();
        assert!(late.is_empty(), "{got:?}");
    }

    #[test]
    fn a_pyramid_of_depth_two_is_unfolded() {
        // I0 P4 B2 b1 b3 P8 B6 b5 b7
        let got = times(2, &[0, 40, 20, 10, 30, 80, 60, 50, 70]);
        assert_eq!(got, [-20, -10, 0, 10, 20, 30, 40, 50, 60]);
    }
}
