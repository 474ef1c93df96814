//! From an upstream's RTP times to the hub's.
//!
//! A track's time line never jumps, across reconnects and restarts of its source (design section 5). Two kinds of sources
//! differ in where the truth lies:
//!
//! - the engine counts from a base time that it announced, on the clock that both processes share: capture times are exact;
//! - a camera on the network counts from anywhere. Its sender reports give the wall clock; until the first one comes, the
//!   least delayed arrival does. A camera whose clock is wrong keeps its pace and loses its offset, which is looked at anew
//!   with every report: many cameras start in 1970 and are set by NTP while they stream. A report that would have a unit
//!   captured long before or after it came is not used.

use crate::{
    base::clock::{Clock, MonoTime, UtcTime},
    hub::{CaptureTime, MediaTime, TimeQuality},
};

/// Both clocks read at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    pub(super) mono: MonoTime,
    pub(super) utc: UtcTime,
}

impl Stamp {
    /// Reads both clocks, again where this thread was interrupted between them.
    pub(super) fn now(clock: &dyn Clock) -> Self {
        const TOGETHER_NANOS: u64 = 20_000;
        const ATTEMPTS: usize = 4;
        let read = |_| {
            let (before, utc, after) = (clock.mono(), clock.utc(), clock.mono());
            let apart = after.as_nanos().saturating_sub(before.as_nanos());
            (apart, Self { mono: MonoTime::from_nanos(before.as_nanos() + apart / 2), utc })
        };
        let mut reads = (0..ATTEMPTS).map(read);
        let mut best = read(0);
        while best.0 > TOGETHER_NANOS {
            let Some(next) = reads.next() else { break };
            best = if next.0 < best.0 { next } else { best };
        }
        best.1
    }

    /// What the wall clock shows now for a moment of the monotonic clock.
    fn utc_of(self, mono: MonoTime) -> UtcTime {
        self.utc.offset(mono.nanos_from(self.mono))
    }
}

/// The base time that an engine announced, on the monotonic clock.
///
/// Only that: the wall clock may be set while the engine runs, so it is looked up for each unit. The engine does the same
/// for the time that it writes into a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EngineBase(pub(super) MonoTime);

impl EngineBase {
    /// Gives the times of an engine's unit. The 32 bits of RTP time are completed with the help of the time now.
    pub(super) fn times(&self, rtp: i64, rate: u32, now: Stamp) -> (MediaTime, CaptureTime) {
        let expected = MediaTime::from_nanos(i128::from(now.mono.nanos_from(self.0)), rate).ticks;
        let wrap = 1_i64 << 32;
        let behind = (expected - rtp).rem_euclid(wrap);
        let elapsed = if behind > wrap / 2 { expected - behind + wrap } else { expected - behind };
        let nanos = MediaTime::new(elapsed, rate).as_nanos() as i64;
        let mono = MonoTime::from_nanos(self.0.as_nanos().saturating_add_signed(nanos));
        let start = MediaTime::from_nanos(i128::from(self.0.as_nanos()), rate);
        let capture = CaptureTime { mono, utc: now.utc_of(mono), quality: TimeQuality::Exact };
        (MediaTime::new(start.ticks + elapsed, rate), capture)
    }
}

/// The most that a camera's clock may differ from ours and still be believed.
const TRUSTED_SKEW_NANOS: i64 = 5_000_000_000;

/// What the streams of one connection know together about the upstream's clock.
#[derive(Debug, Default)]
pub(super) struct UpstreamClock {
    /// Ours minus the camera's in nanoseconds; 0 where the camera's is believed.
    correction: Option<i64>,
}

impl UpstreamClock {
    /// The correction to use with a report of this skew: the one in use, unless the camera's clock or ours was set meanwhile.
    fn correction(&mut self, skew: i64) -> i64 {
        match self.correction {
            Some(correction) if (skew - correction).abs() <= TRUSTED_SKEW_NANOS => correction,
            _ => *self.correction.insert(if skew.abs() <= TRUSTED_SKEW_NANOS { 0 } else { skew }),
        }
    }
}

/// What a sender report says, on our clocks.
#[derive(Debug, Clone, Copy)]
struct Report {
    rtp: i64,
    /// When the content of this RTP time was captured.
    capture: CaptureTime,
}

/// The time line of one stream of an upstream, over all its connections.
#[derive(Debug)]
pub(super) struct Timeline {
    rate: u32,
    /// Media ticks minus RTP ticks in this connection.
    offset: Option<i64>,
    /// The newest unit of all connections.
    last: Option<(i64, MonoTime)>,
    /// RTP time and arrival of the newest unit of this connection.
    newest: Option<(i64, MonoTime)>,
    report: Option<Report>,
    /// Whether a unit has come that the report agrees with.
    confirmed: bool,
    /// The smallest difference of arrival and RTP time seen, in nanoseconds on the monotonic clock.
    least_delay: Option<i128>,
}

impl Timeline {
    pub(super) fn new(rate: u32) -> Self {
        Self { rate, offset: None, last: None, newest: None, report: None, confirmed: false, least_delay: None }
    }

    /// Goes on at another clock rate, if it differs: a camera whose sound was set from 8 to 16 kHz.
    pub(super) fn set_rate(&mut self, rate: u32) {
        if rate == self.rate {
            return;
        }
        let rescaled = |(ticks, mono)| (MediaTime::new(ticks, self.rate).rescaled(rate).ticks, mono);
        *self = Self { last: self.last.map(rescaled), ..Self::new(rate) };
    }

    /// Begins a new connection: RTP times start anywhere again.
    pub(super) fn reconnect(&mut self) {
        self.offset = None;
        self.newest = None;
        self.report = None;
        self.confirmed = false;
        self.least_delay = None;
    }

    /// Takes a sender report. One with NTP time 0 says nothing, and one that does not fit the newest unit is wrong: both are
    /// ignored.
    pub(super) fn report(&mut self, clock: &mut UpstreamClock, ntp: u64, rtp: i64, now: Stamp) {
        let Some(theirs) = utc_from_ntp(ntp) else { return };
        let skew = now.utc.nanos_from(theirs);
        let correction = clock.correction(skew);
        let quality = if correction == 0 { TimeQuality::SenderReport } else { TimeQuality::Arrival };
        let utc = theirs.offset(correction);
        // From here on the monotonic clock counts, so that a wall clock that is set does not move what was captured.
        let mono = moved(now.mono, utc.nanos_from(now.utc));
        let report = Report { rtp, capture: CaptureTime { mono, utc, quality } };
        if let Some((unit, arrival)) = self.newest {
            if !is_plausible(self.reported(report, unit), arrival) {
                return;
            }
            self.confirmed = true;
        }
        self.report = Some(report);
    }

    /// Gives the times of a unit.
    pub(super) fn times(&mut self, rtp: i64, now: Stamp) -> (MediaTime, CaptureTime) {
        let capture = self.capture(rtp, now);
        self.newest = Some((rtp, now.mono));
        let offset = match self.offset {
            Some(offset) => offset,
            None => {
                let start = match self.last {
                    Some((ticks, mono)) => {
                        let gap = i128::from(capture.mono.nanos_from(mono)).max(0);
                        // At least one tick, so that two units never share a time.
                        ticks + MediaTime::from_nanos(gap, self.rate).ticks.max(1)
                    }
                    None => MediaTime::from_nanos(i128::from(capture.mono.as_nanos()), self.rate).ticks,
                };
                *self.offset.insert(start - rtp)
            }
        };
        let ticks = rtp + offset;
        if self.last.is_none_or(|(last, _)| ticks > last) {
            self.last = Some((ticks, capture.mono));
        }
        (MediaTime::new(ticks, self.rate), capture)
    }

    /// When a unit was captured by a report.
    fn reported(&self, report: Report, rtp: i64) -> CaptureTime {
        let nanos = MediaTime::new(rtp.saturating_sub(report.rtp), self.rate).as_nanos() as i64;
        let CaptureTime { mono, utc, quality } = report.capture;
        CaptureTime { mono: moved(mono, nanos), utc: utc.offset(nanos), quality }
    }

    fn capture(&mut self, rtp: i64, now: Stamp) -> CaptureTime {
        if let Some(report) = self.report {
            let capture = self.reported(report, rtp);
            self.confirmed |= is_plausible(capture, now.mono);
            if self.confirmed {
                return capture;
            }
            self.report = None;
        }
        let nanos = |ticks: i64| MediaTime::new(ticks, self.rate).as_nanos();
        let delay = i128::from(now.mono.as_nanos()) - nanos(rtp);
        let least = self.least_delay.map_or(delay, |least| least.min(delay));
        let mono = MonoTime::from_nanos(u64::try_from(nanos(rtp) + least).unwrap_or_default());
        self.least_delay = Some(least);
        CaptureTime { mono, utc: now.utc_of(mono), quality: TimeQuality::Arrival }
    }
}

/// Whether a unit that came then can have been captured there.
fn is_plausible(capture: CaptureTime, arrival: MonoTime) -> bool {
    arrival.nanos_from(capture.mono).abs() <= TRUSTED_SKEW_NANOS
}

fn moved(time: MonoTime, nanos: i64) -> MonoTime {
    MonoTime::from_nanos(time.as_nanos().saturating_add_signed(nanos))
}

/// Turns the 64-bit NTP time of a sender report (RFC 3550 section 4) into UTC; `None` for 0 and times before 1970.
fn utc_from_ntp(ntp: u64) -> Option<UtcTime> {
    const NTP_TO_UNIX_SECS: u64 = 2_208_988_800;
    let secs = (ntp >> 32).checked_sub(NTP_TO_UNIX_SECS)?;
    let nanos = ((ntp & 0xffff_ffff) * 1_000_000_000) >> 32;
    Some(UtcTime::from_nanos(secs * 1_000_000_000 + nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::SystemClock;

    const MS: u64 = 1_000_000;
    const EPOCH: u64 = 1_795_000_000_000_000_000;

    fn at(ms: u64) -> Stamp {
        Stamp { mono: MonoTime::from_nanos(ms * MS), utc: UtcTime::from_nanos(EPOCH + ms * MS) }
    }

    fn ntp(utc: UtcTime) -> u64 {
        let secs = utc.as_secs() + 2_208_988_800;
        (secs << 32) | ((u128::from(utc.as_nanos() % 1_000_000_000) << 32) / 1_000_000_000) as u64
    }

    #[test]
    fn engine_times_are_exact_and_survive_the_wrap_of_rtp_time() {
        let base = EngineBase(at(5_000).mono);
        let (media, capture) = base.times(90_000, 90_000, at(6_040));
        assert_eq!(capture.mono, at(6_000).mono);
        assert_eq!(capture.utc, at(6_000).utc);
        assert_eq!(media.ticks, 6 * 90_000);
        // 14 hours later the 32 bits have wrapped once.
        let seconds = 14 * 3600;
        let rtp = (i64::from(seconds) * 90_000) & 0xffff_ffff;
        let (later, _) = base.times(rtp, 90_000, at(5_000 + u64::from(seconds as u32) * 1000 + 30));
        assert_eq!(later.ticks, (5 + i64::from(seconds)) * 90_000);
    }

    #[test]
    fn a_restarted_engine_goes_on_on_the_same_time_line() {
        let (first, second) = (EngineBase(at(5_000).mono), EngineBase(at(9_000).mono));
        let (before, _) = first.times(3 * 90_000, 90_000, at(8_010));
        let (after, _) = second.times(90_000, 90_000, at(10_010));
        assert_eq!(after.ticks - before.ticks, 2 * 90_000, "captured two seconds apart");
    }

    #[test]
    fn the_wall_clock_of_an_engine_follows_ours() {
        let base = EngineBase(at(5_000).mono);
        let step = 3_600_000 * MS as i64;
        let set = |stamp: Stamp| Stamp { utc: stamp.utc.offset(step), ..stamp };
        let (before, earlier) = base.times(90_000, 90_000, at(6_040));
        let (after, later) = base.times(180_000, 90_000, set(at(7_040)));
        assert_eq!(later.utc.nanos_from(earlier.utc), 1_000 * MS as i64 + step, "NTP has set the clock");
        assert_eq!(later.mono.nanos_from(earlier.mono), 1_000 * MS as i64);
        assert_eq!(after.ticks - before.ticks, 90_000, "and nothing else moves");
    }

    #[test]
    fn both_clocks_are_read_together() {
        let (stamp, later) = (Stamp::now(&SystemClock), Stamp::now(&SystemClock));
        let drift = later.utc.nanos_from(stamp.utc) - later.mono.nanos_from(stamp.mono);
        assert!(drift.abs() < 1_000_000, "{drift}");
    }

    #[test]
    fn a_reconnect_keeps_the_time_base() {
        let mut line = Timeline::new(90_000);
        let (first, _) = line.times(1_000_000, at(1_000));
        let (second, _) = line.times(1_009_000, at(1_100));
        assert_eq!(second.ticks - first.ticks, 9_000);
        line.reconnect();
        let (third, _) = line.times(77, at(4_100));
        assert_eq!(third.ticks - second.ticks, 3 * 90_000);
    }

    #[test]
    fn another_clock_rate_goes_on_where_the_old_one_was() {
        let mut line = Timeline::new(8_000);
        let (before, _) = line.times(500, at(1_000));
        line.reconnect();
        line.set_rate(16_000);
        let (after, _) = line.times(7, at(3_000));
        assert_eq!(after.rate, 16_000);
        assert_eq!(after.as_nanos() - before.as_nanos(), 2_000 * i128::from(MS));
        let (next, _) = line.times(7 + 1_600, at(3_100));
        assert_eq!(next.ticks - after.ticks, 1_600);
    }

    #[test]
    fn sender_reports_give_the_wall_clock() {
        let mut line = Timeline::new(90_000);
        let mut clock = UpstreamClock::default();
        line.times(0, at(1_080));
        line.report(&mut clock, ntp(at(1_000).utc), 0, at(1_080));
        let (_, capture) = line.times(9_000, at(1_190));
        assert_eq!(capture.quality, TimeQuality::SenderReport);
        assert!(capture.utc.nanos_from(at(1_100).utc).abs() < 1000);
        assert!(capture.mono.nanos_from(at(1_100).mono).abs() < 1000);
    }

    #[test]
    fn a_camera_with_a_wrong_clock_keeps_its_streams_together() {
        let year_1980 = UtcTime::from_nanos(315_532_800_000_000_000);
        let (mut video, mut audio) = (Timeline::new(90_000), Timeline::new(8_000));
        let mut clock = UpstreamClock::default();
        video.report(&mut clock, ntp(year_1980), 0, at(1_000));
        audio.report(&mut clock, ntp(year_1980.offset(500 * MS as i64)), 8_000, at(1_700));
        let (_, picture) = video.times(90_000, at(2_000));
        let (_, sound) = audio.times(12_000, at(2_300));
        assert_eq!(picture.quality, TimeQuality::Arrival);
        assert!(picture.utc.nanos_from(sound.utc).abs() < 2000, "{:?} {:?}", picture.utc, sound.utc);
    }

    #[test]
    fn a_camera_that_sets_its_clock_is_followed_by_all_its_streams() {
        let year_1970 = UtcTime::from_nanos(20_000 * MS);
        let (mut video, mut audio) = (Timeline::new(90_000), Timeline::new(8_000));
        let mut clock = UpstreamClock::default();
        for line in [&mut video, &mut audio] {
            line.times(0, at(1_000));
            line.report(&mut clock, ntp(year_1970), 0, at(1_000));
        }
        // 20 s later NTP has set it; the report of the sound is still to come.
        video.report(&mut clock, ntp(at(21_000).utc), 20 * 90_000, at(21_030));
        let (_, picture) = video.times(20 * 90_000, at(21_030));
        let (_, sound) = audio.times(20 * 8_000, at(21_030));
        assert_eq!(picture.quality, TimeQuality::SenderReport);
        for capture in [picture, sound] {
            assert!(capture.utc.nanos_from(at(21_000).utc).abs() < 2000, "{capture:?}");
            assert!(capture.mono.nanos_from(at(21_000).mono).abs() < 2000, "{capture:?}");
        }
        audio.report(&mut clock, ntp(at(22_000).utc), 21 * 8_000, at(22_040));
        let (_, sound) = audio.times(21 * 8_000, at(22_040));
        assert_eq!(sound.quality, TimeQuality::SenderReport);
        assert!(sound.utc.nanos_from(at(22_000).utc).abs() < 2000, "{sound:?}");
    }

    #[test]
    fn a_report_with_a_wrong_rtp_time_is_not_used() {
        let mut clock = UpstreamClock::default();
        let mut line = Timeline::new(90_000);
        line.times(90_000, at(101_000));
        line.report(&mut clock, ntp(at(101_100).utc), 3_000_000_000, at(101_100));
        let (_, capture) = line.times(99_000, at(101_100));
        assert_eq!((capture.quality, capture.mono), (TimeQuality::Arrival, at(101_100).mono));
        line.report(&mut clock, ntp(at(101_150).utc), 103_500, at(101_200));
        assert_eq!(line.times(108_000, at(101_210)).1.quality, TimeQuality::SenderReport, "the next one is right");
        // The same before the first unit.
        let mut line = Timeline::new(90_000);
        line.report(&mut clock, ntp(at(101_100).utc), 3_000_000_000, at(101_100));
        assert_eq!(line.times(99_000, at(101_100)).1.mono, at(101_100).mono);
    }

    #[test]
    fn a_wall_clock_that_is_set_does_not_move_what_is_captured() {
        let mut line = Timeline::new(90_000);
        let mut clock = UpstreamClock::default();
        line.times(0, at(1_000));
        line.report(&mut clock, ntp(at(1_000).utc), 0, at(1_000));
        let set = |ms| Stamp { mono: at(ms).mono, utc: at(ms).utc.offset(-3_600_000 * MS as i64) };
        let (_, capture) = line.times(90_000, set(2_000));
        assert!(capture.mono.nanos_from(at(2_000).mono).abs() < 2000, "{capture:?}");
        line.report(&mut clock, ntp(at(3_000).utc), 180_000, set(3_000));
        let (_, capture) = line.times(180_000, set(3_000));
        assert!(capture.utc.nanos_from(set(3_000).utc).abs() < 2000, "ours is the one that viewers see: {capture:?}");
    }

    #[test]
    fn a_burst_at_the_start_is_spread_by_its_rtp_times() {
        let mut line = Timeline::new(90_000);
        for picture in 0..10 {
            line.times(picture * 9_000, at(1_000));
        }
        let (_, capture) = line.times(9 * 9_000, at(1_000));
        assert_eq!(capture.mono, at(1_000).mono, "the newest picture is the least delayed");
    }

    #[test]
    fn reports_of_ntp_time_zero_are_ignored() {
        let mut line = Timeline::new(90_000);
        line.report(&mut UpstreamClock::default(), 0, 0, at(1_000));
        assert_eq!(line.times(0, at(1_000)).1.quality, TimeQuality::Arrival);
    }
}
