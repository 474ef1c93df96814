//! Time as an argument.
//!
//! Two clocks are kept apart by type: [`MonoTime`] never jumps and is shared with the media engine on the same machine
//! (`CLOCK_MONOTONIC`); [`UtcTime`] is the wall clock, which may be set. Cores take either as an argument; shells read
//! them from a [`Clock`].

use std::{
    fmt,
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// An instant of `CLOCK_MONOTONIC`, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MonoTime(u64);

impl MonoTime {
    /// Wraps nanoseconds of `CLOCK_MONOTONIC`.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time since `earlier`, zero if `earlier` lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// How long it is to the next whole second of the clock. Whatever is looked after once a second is looked after then: on an
    /// idle core waking up costs more than the looking.
    pub fn to_next_second(self) -> Duration {
        const SECOND: u64 = 1_000_000_000;
        Duration::from_nanos(SECOND - self.0 % SECOND)
    }

    /// Signed distance from `other` in nanoseconds.
    pub fn nanos_from(self, other: Self) -> i64 {
        self.0.wrapping_sub(other.0) as i64
    }
}

impl Add<Duration> for MonoTime {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(nanos(rhs)))
    }
}

impl Sub<Duration> for MonoTime {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(rhs)))
    }
}

/// An instant of Coordinated Universal Time, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UtcTime(u64);

impl UtcTime {
    /// Wraps nanoseconds since 1970.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// This instant moved by a signed number of nanoseconds; stops at both ends.
    pub fn offset(self, nanos: i64) -> Self {
        Self(self.0.saturating_add_signed(nanos))
    }

    /// Signed distance from `other` in nanoseconds.
    pub fn nanos_from(self, other: Self) -> i64 {
        self.0.wrapping_sub(other.0) as i64
    }

    /// Distance from `other`, whichever is earlier.
    pub fn abs_diff(self, other: Self) -> Duration {
        Duration::from_nanos(self.0.abs_diff(other.0))
    }

    /// What a calendar and a clock show.
    pub fn civil(self) -> Civil {
        let secs = self.as_secs();
        let (year, month, day) = civil_from_days((secs / 86_400) as i64);
        let of_day = secs % 86_400;
        Civil { year, month, day, hour: of_day / 3600, minute: of_day / 60 % 60, second: of_day % 60 }
    }
}

/// A date of the Gregorian calendar and a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// The year.
    pub year: i64,
    /// The month, from 1.
    pub month: i64,
    /// The day of the month, from 1.
    pub day: i64,
    /// The hour, to 23.
    pub hour: u64,
    /// The minute.
    pub minute: u64,
    /// The second.
    pub second: u64,
}

impl fmt::Display for UtcTime {
    /// Writes ISO 8601 with milliseconds, as in `2026-11-23T08:15:30.250Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second } = self.civil();
        let millis = self.0 / 1_000_000 % 1000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Turns days since 1970 into a Gregorian date (era of 400 years, year starting in March).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A source of both times.
pub trait Clock: Send + Sync + 'static {
    /// The monotonic time now.
    fn mono(&self) -> MonoTime;
    /// The wall-clock time now.
    fn utc(&self) -> UtcTime;
}

/// The clocks of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn mono(&self) -> MonoTime {
        MonoTime(timespec(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic)))
    }

    fn utc(&self) -> UtcTime {
        UtcTime(timespec(rustix::time::clock_gettime(rustix::time::ClockId::Realtime)))
    }
}

fn timespec(ts: rustix::time::Timespec) -> u64 {
    (ts.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(ts.tv_nsec as u64)
}

/// A clock that a test moves by hand. Clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    mono: Arc<AtomicU64>,
    utc_offset: u64,
}

impl ManualClock {
    /// Starts at one monotonic second, which is the given instant of UTC.
    pub fn new(utc: UtcTime) -> Self {
        let start = 1_000_000_000;
        Self { mono: Arc::new(AtomicU64::new(start)), utc_offset: utc.0.saturating_sub(start) }
    }

    /// Moves both times forward.
    pub fn advance(&self, by: Duration) {
        self.mono.fetch_add(nanos(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn mono(&self) -> MonoTime {
        MonoTime(self.mono.load(Ordering::SeqCst))
    }

    fn utc(&self) -> UtcTime {
        UtcTime(self.mono.load(Ordering::SeqCst) + self.utc_offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_is_written_as_iso_8601() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_795_422_930, "2026-11-23T08:35:30.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"),
        ] {
            assert_eq!(UtcTime::from_nanos(secs * 1_000_000_000).to_string(), text);
        }
        assert_eq!(UtcTime::from_nanos(1_250_999_999).to_string(), "1970-01-01T00:00:01.250Z");
    }

    #[test]
    fn a_manual_clock_moves_both_times_together() {
        let clock = ManualClock::new(UtcTime::from_nanos(50_000_000_000));
        let (mono, utc) = (clock.mono(), clock.utc());
        clock.advance(Duration::from_millis(1500));
        assert_eq!(clock.mono().since(mono), Duration::from_millis(1500));
        assert_eq!(clock.utc().nanos_from(utc), 1_500_000_000);
    }
}
