//! From a stream's own times to capture times on the running-time line.

use std::collections::VecDeque;

/// Packets that are remembered: more than any decoder holds back.
const KEPT: usize = 4096;
/// The distance at which picture times are kept apart when the mapping jumps.
const LEAST_STEP: gst::ClockTime = gst::ClockTime::from_mseconds(1);
/// How far sound may be from its capture time before its line is broken.
const TOLERANCE: gst::ClockTime = gst::ClockTime::from_mseconds(5);
/// How long is waited for the first sender report.
const REPORT_PATIENCE: gst::ClockTime = gst::ClockTime::from_mseconds(1500);
/// How far a capture time may lie before the arrival of its packet, or behind it, and be believed. A wall clock that was set
/// after the server's last sender report takes the two apart until the next one.
const BELIEVED: (gst::ClockTime, gst::ClockTime) = (gst::ClockTime::from_seconds(10), gst::ClockTime::from_seconds(1));
/// How far apart the distances of capture time and stream time may be and still be of the same sender report or the next one.
const SAME_CLOCK: gst::ClockTime = gst::ClockTime::from_seconds(1);
/// Seconds from 1900, where NTP starts, to 1970.
const NTP_TO_UNIX: gst::ClockTime = gst::ClockTime::from_seconds(2_208_988_800);

/// What the packets said about time: pairs of stream time and capture time, by stream time.
///
/// Before the first sender report the capture time is not known. The time of arrival stands in for it only if none comes: a
/// reader who joins is sent everything since the newest key frame at once, which may be many seconds old, and a picture of
/// then must not pass for one of now.
#[derive(Debug, Default)]
pub struct Times {
    pairs: VecDeque<(gst::ClockTime, gst::ClockTime)>,
    last: Option<gst::ClockTime>,
    /// When the first packet arrived.
    since: Option<gst::ClockTime>,
    /// Stream time and capture time of the newest packet whose capture time was believed.
    reported: Option<(gst::ClockTime, gst::ClockTime)>,
}

impl Times {
    /// Notes a packet: its stream time, its capture time if a sender report tells one, and when it arrived.
    pub fn note(&mut self, stream: gst::ClockTime, captured: Option<gst::ClockTime>, now: gst::ClockTime) {
        self.since.get_or_insert(now);
        match captured.filter(|captured| self.believes(stream, *captured, now)) {
            Some(captured) => {
                if self.reported.replace((stream, captured)).is_none() {
                    // What came before the report is as old as the report says, too.
                    self.pairs.clear();
                }
                self.insert(stream, captured);
            }
            None => self.insert(stream, now),
        }
    }

    /// Whether a capture time can be. What a reader is sent when it joins may be of any age; what follows is as far from its
    /// stream time, unless a clock was set.
    fn believes(&self, stream: gst::ClockTime, captured: gst::ClockTime, now: gst::ClockTime) -> bool {
        let is_late = captured > now + BELIEVED.1;
        let is_old = captured + BELIEVED.0 < now;
        let goes_on = self.reported.is_none_or(|(noted, at)| (captured + noted).absdiff(at + stream) <= SAME_CLOCK);
        !is_late && (!is_old || goes_on)
    }

    /// Whether capture times are known, or it has become unlikely that they will be.
    pub fn are_settled(&self, now: gst::ClockTime) -> bool {
        self.reported.is_some() || self.since.is_some_and(|since| now.saturating_sub(since) > REPORT_PATIENCE)
    }

    fn insert(&mut self, stream: gst::ClockTime, running: gst::ClockTime) {
        if self.pairs.back().is_some_and(|(last, _)| *last == stream) {
            return;
        }
        if self.pairs.len() == KEPT {
            self.pairs.pop_front();
        }
        self.pairs.push_back((stream, running));
    }

    /// The running time of what was decoded from a stream time: that of its packet, or counted on from the one before it.
    /// None if nothing is known yet.
    pub fn captured(&self, stream: gst::ClockTime) -> Option<gst::ClockTime> {
        let before = self.pairs.iter().filter(|(noted, _)| *noted <= stream).max_by_key(|(noted, _)| *noted);
        let (noted, running) = before.or(self.pairs.front())?;
        Some((*running + stream.saturating_sub(*noted)).saturating_sub(noted.saturating_sub(stream)))
    }

    /// As [`Times::captured`], but it never goes back: for pictures.
    pub fn running(&mut self, stream: gst::ClockTime) -> Option<gst::ClockTime> {
        let exact = self.captured(stream)?;
        let forward = self.last.map_or(exact, |last| exact.max(last + LEAST_STEP));
        self.last = Some(forward);
        Some(forward)
    }
}

/// Keeps sound on a line of samples: buffers follow one another without a gap while the capture times agree roughly.
#[derive(Debug, Default)]
pub struct Unbroken {
    next: Option<gst::ClockTime>,
}

impl Unbroken {
    /// The time at which a buffer starts, and whether the line was broken for it. None if the buffer must be dropped,
    /// because its time has been filled already.
    pub fn place(&mut self, captured: gst::ClockTime, length: gst::ClockTime) -> Option<(gst::ClockTime, bool)> {
        let (start, broken) = match self.next {
            Some(next) if captured.absdiff(next) <= TOLERANCE => (next, false),
            Some(next) if captured < next => return None,
            _ => (captured, true),
        };
        self.next = Some(start + length);
        Some((start, broken))
    }
}

/// The running time of an NTP time, in nanoseconds since 1900.
pub fn from_ntp(ntp: gst::ClockTime, base_utc_ns: u64) -> Option<gst::ClockTime> {
    ntp.checked_sub(NTP_TO_UNIX)?.checked_sub(gst::ClockTime::from_nseconds(base_utc_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> gst::ClockTime {
        gst::ClockTime::from_mseconds(ms)
    }

    #[test]
    fn pictures_get_the_time_of_their_packet_in_any_order() {
        let mut times = Times::default();
        assert_eq!(times.running(ms(5)), None);
        // Decode order with a B-frame: 0, 80, 40.
        for stream in [0, 80, 40] {
            times.note(ms(stream), Some(ms(stream + 1000)), ms(stream + 1100));
        }
        assert_eq!([0, 40, 80].map(|stream| times.running(ms(stream)).unwrap()), [ms(1000), ms(1040), ms(1080)]);
        assert_eq!(times.running(ms(90)), Some(ms(1090)), "sound is cut anew by its decoder");
    }

    #[test]
    fn what_came_before_the_first_sender_report_is_as_old_as_that_says() {
        let mut times = Times::default();
        times.note(ms(0), None, ms(20_000));
        assert!(!times.are_settled(ms(20_100)), "the arrival of a key frame says nothing of its age");
        times.note(ms(40), Some(ms(8_040)), ms(20_001));
        assert!(times.are_settled(ms(20_001)));
        assert_eq!([0, 40].map(|stream| times.running(ms(stream)).unwrap()), [ms(8_000), ms(8_040)]);
        times.note(ms(12_100), Some(ms(20_100)), ms(20_110));
        assert_eq!(times.running(ms(12_100)), Some(ms(20_100)));
    }

    #[test]
    fn without_a_sender_report_the_arrival_counts_after_a_while() {
        let mut times = Times::default();
        times.note(ms(0), None, ms(1300));
        assert!(!times.are_settled(ms(2800)) && times.are_settled(ms(2801)));
        assert_eq!(times.running(ms(0)), Some(ms(1300)));
        times.note(ms(2000), Some(ms(2900)), ms(3000));
        assert_eq!(times.running(ms(2000)), Some(ms(2900)), "exact as soon as it can be");
        assert_eq!(times.running(ms(10)), Some(ms(2901)), "and never back");
    }

    #[test]
    fn a_capture_time_that_cannot_be_is_not_believed() {
        let mut times = Times::default();
        times.note(ms(0), Some(ms(20_000)), ms(20_300));
        assert_eq!(times.captured(ms(0)), Some(ms(20_000)));
        times.note(ms(40), Some(ms(3_620_040)), ms(20_340));
        assert_eq!(times.captured(ms(40)), Some(ms(20_340)), "an hour ahead: our clock was set back");
        times.note(ms(80), Some(ms(80)), ms(20_380));
        assert_eq!(times.captured(ms(80)), Some(ms(20_380)), "20 s ago: it was set forward");
        times.note(ms(15_000), Some(ms(30_000)), ms(35_300));
        assert_eq!(times.captured(ms(15_000)), Some(ms(30_000)), "another report, which can be");
    }

    #[test]
    fn sound_has_no_gap_for_small_errors_and_no_overlap_for_large_ones() {
        let mut line = Unbroken::default();
        assert_eq!(line.place(ms(100), ms(20)), Some((ms(100), true)));
        assert_eq!(line.place(ms(122), ms(20)), Some((ms(120), false)));
        assert_eq!(line.place(ms(137), ms(20)), Some((ms(140), false)));
        assert_eq!(line.place(ms(60), ms(20)), None, "a sender report set the time back: wait until it is reached");
        assert_eq!(line.place(ms(157), ms(20)), Some((ms(160), false)));
        assert_eq!(line.place(ms(400), ms(20)), Some((ms(400), true)));
    }

    #[test]
    fn ntp_counts_from_1900() {
        let utc = 1_790_000_000 * 1_000_000_000;
        let ntp = gst::ClockTime::from_nseconds(utc) + NTP_TO_UNIX + ms(7);
        assert_eq!(from_ntp(ntp, utc), Some(ms(7)));
        assert_eq!(from_ntp(ms(7), utc), None, "an NTP time of 0 is none");
    }
}
