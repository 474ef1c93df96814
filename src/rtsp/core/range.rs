//! The Range header (RFC 2326, sections 3.6, 3.7 and 12.29): `npt=` and `clock=`.

use std::fmt;

use rtsp_types::StatusCode;
use thiserror::Error;

const NANOS: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

/// An instant of UTC, as nanoseconds since 1970; written `19961108T143720.25Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcInstant(pub u64);

/// An instant of normal play time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Npt {
    /// The live edge.
    Now,
    /// Nanoseconds from the beginning.
    At(u64),
}

/// A range as a client asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Normal play time; at least one end is given.
    Npt {
        /// The beginning, if given.
        start: Option<Npt>,
        /// The end, if given.
        end: Option<Npt>,
    },
    /// UTC.
    Clock {
        /// The beginning.
        start: UtcInstant,
        /// The end, if given; before `start` in reverse replay.
        end: Option<UtcInstant>,
    },
}

/// The reason why a range is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RangeError {
    /// Not a range in a unit that we know.
    #[error("unreadable range or unknown unit")]
    Unreadable,
    /// A live stream has no end that could be asked for.
    #[error("a live stream takes open ranges only")]
    Closed,
}

impl RangeError {
    /// Returns the status to answer with.
    pub fn status(self) -> StatusCode {
        StatusCode::InvalidRange
    }
}

impl Range {
    /// Reads the value of a Range header. Parameters behind a semicolon (`;time=`) are ignored.
    pub fn parse(header: &str) -> Result<Self, RangeError> {
        let range = header.split(';').next().unwrap_or_default();
        let (unit, range) = range.split_once('=').ok_or(RangeError::Unreadable)?;
        let (start, end) = range.trim().split_once('-').ok_or(RangeError::Unreadable)?;
        let (start, end) = (start.trim(), end.trim());
        let parsed = match unit.trim().to_ascii_lowercase().as_str() {
            "npt" => npt_range(start, end),
            "clock" => clock_range(start, end),
            _ => None,
        };
        parsed.ok_or(RangeError::Unreadable)
    }

    /// Reads the Range header of a PLAY on a live stream, which begins at the live edge whatever open range is asked for.
    pub fn check_live(header: &str) -> Result<(), RangeError> {
        match Self::parse(header)? {
            Self::Npt { end: None | Some(Npt::Now), .. } | Self::Clock { end: None, .. } => Ok(()),
            _ => Err(RangeError::Closed),
        }
    }
}

/// Writes the Range of a PLAY response on a live stream: open, in UTC (RM-10).
pub fn live_answer(start: UtcInstant) -> String {
    format!("clock={start}-")
}

fn npt_range(start: &str, end: &str) -> Option<Range> {
    let time = |text: &str| if text.is_empty() { Some(None) } else { npt(text).map(Some) };
    let (start, end) = (time(start)?, time(end)?);
    (start.is_some() || end.is_some()).then_some(Range::Npt { start, end })
}

fn clock_range(start: &str, end: &str) -> Option<Range> {
    let end = if end.is_empty() { None } else { Some(UtcInstant::parse(end)?) };
    Some(Range::Clock { start: UtcInstant::parse(start)?, end })
}

/// Reads `now`, `123.45` or `1:02:03.45`.
fn npt(text: &str) -> Option<Npt> {
    if text.eq_ignore_ascii_case("now") {
        return Some(Npt::Now);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut seconds: u64 = 0;
    let mut fields = 0;
    for field in whole.split(':') {
        fields += 1;
        seconds = seconds.checked_mul(60)?.checked_add(digits(field)?)?;
    }
    if fields != 1 && fields != 3 {
        return None;
    }
    Some(Npt::At(seconds.checked_mul(NANOS)?.checked_add(nanos(fraction)?)?))
}

/// Reads a number of nothing but digits.
fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads the digits behind a decimal point as nanoseconds; more than nine are cut off.
fn nanos(fraction: &str) -> Option<u64> {
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let kept = &fraction[..fraction.len().min(9)];
    if kept.is_empty() {
        return Some(0);
    }
    // At most nine digits.
    Some(digits(kept)? * 10_u64.pow(9 - kept.len() as u32))
}

impl UtcInstant {
    /// Reads `19961108T143720.25Z` with up to nine fractional digits (RP-11), years 1970 to 2553.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix(['Z', 'z'])?;
        let (date, time) = text.split_once(['T', 't'])?;
        let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
        if date.len() != 8 || time.len() != 6 {
            return None;
        }
        let (date, time) = (digits(date)?, digits(time)?);
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
        let (hour, minute, second) = (time / 10_000, time / 100 % 100, time % 100);
        // 60 is a leap second.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let seconds = days_from_date(year, month, day)? * DAY + hour * 3600 + minute * 60 + second;
        Some(Self(seconds.checked_mul(NANOS)?.checked_add(nanos(fraction)?)?))
    }
}

impl fmt::Display for UtcInstant {
    /// Writes milliseconds, as cameras do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / NANOS;
        let (year, month, day) = date_from_days(seconds / DAY);
        let (hour, minute, second) = (seconds % DAY / 3600, seconds % 3600 / 60, seconds % 60);
        let milliseconds = self.0 % NANOS / 1_000_000;
        write!(f, "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{milliseconds:03}Z")
    }
}

/// Days of a year from March, in which the leap day is the last, before each of its months begins.
fn days_before_month(month_from_march: u64) -> u64 {
    (153 * month_from_march + 2) / 5
}

/// Days from 1 March of the year 0 to 1 January 1970.
const EPOCH: u64 = 719_468;

/// Days in 400 years.
const ERA: u64 = 146_097;

/// Returns the days from 1970 to a date of the Gregorian calendar; `None` if there is no such date or it is earlier.
fn days_from_date(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || day == 0 || !(1970..=9999).contains(&year) {
        return None;
    }
    let year_from_march = if month > 2 { year } else { year - 1 };
    let leap_days = year_from_march / 4 - year_from_march / 100 + year_from_march / 400;
    let days = year_from_march * 365 + leap_days + days_before_month((month + 9) % 12) + day - 1;
    let days = days.checked_sub(EPOCH)?;
    // Refuses the 30th of February by the way back.
    (date_from_days(days) == (year, month, day)).then_some(days)
}

/// Returns year, month and day of a number of days from 1970.
fn date_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH;
    let (era, of_era) = (days / ERA, days % ERA);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - days_before_month(month_from_march) + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn live_takes_every_open_range() {
        for header in [
            "npt=0-",
            "npt=0.000-",
            "npt=now-",
            "NPT = now -",
            "npt=-now",
            "npt=12.5-",
            "npt=0:00:07.5-",
            "clock=19961108T143720.25Z-",
            "clock=20260101T000000Z-;time=19970123T143720Z",
        ] {
            assert_eq!(Range::check_live(header), Ok(()), "{header}");
        }
    }

    #[test]
    fn other_ranges_are_answered_with_457() {
        for (header, want) in [
            ("npt=0-10", RangeError::Closed),
            ("npt=-10", RangeError::Closed),
            ("clock=19961108T143720Z-19961108T143820Z", RangeError::Closed),
            ("smpte=0:10:20-", RangeError::Unreadable),
            ("npt=-", RangeError::Unreadable),
            ("npt=1:2-", RangeError::Unreadable),
            ("npt=x-", RangeError::Unreadable),
            ("npt=1.x-", RangeError::Unreadable),
            ("npt=99999999999999999999-", RangeError::Unreadable),
            ("clock=-", RangeError::Unreadable),
            ("clock=19960230T000000Z-", RangeError::Unreadable),
            ("clock=20250229T000000Z-", RangeError::Unreadable),
            ("clock=20250228T240000Z-", RangeError::Unreadable),
            ("clock=99991231T000000Z-", RangeError::Unreadable),
            ("", RangeError::Unreadable),
        ] {
            assert_eq!(Range::check_live(header), Err(want), "{header}");
            assert_eq!(want.status(), StatusCode::InvalidRange);
        }
    }

    #[test]
    fn instants_are_read_and_written() {
        let instant = UtcInstant::parse("19961108T143720.25Z").unwrap();
        assert_eq!(instant, UtcInstant(847_463_840_250_000_000));
        assert_eq!(live_answer(instant), "clock=19961108T143720.250Z-");
        let leap_day = UtcInstant::parse("20240229T235959.123456789Z").unwrap();
        assert_eq!(leap_day, UtcInstant(1_709_251_199_123_456_789));
        assert_eq!(UtcInstant::parse("19700101T000000Z"), Some(UtcInstant(0)));
        assert_eq!(
            Range::parse("npt=1:02:03.5-"),
            Ok(Range::Npt { start: Some(Npt::At(3_723_500_000_000)), end: None })
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(milliseconds in 0u64..=18_446_744_073_709) {
            let instant = UtcInstant(milliseconds * 1_000_000);
            prop_assert_eq!(UtcInstant::parse(&instant.to_string()), Some(instant));
        }

        #[test]
        fn any_text_is_taken_or_refused(text in "(npt|clock)?=?[0-9TZ:.\\-;é]{0,40}") {
            let _ = Range::parse(&text);
        }
    }
}
