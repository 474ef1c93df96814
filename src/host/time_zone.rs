//! Time zones as POSIX 1003.1 writes them (`CET-1CEST,M3.5.0,M10.5.0/3`): the form that ONVIF uses, and the one that says all
//! there is to know about the present rules without a database.
//!
//! ```text
//! CET -1 CEST [-2] , M3.5.0 [/2] , M10.5.0 /3
//! name offset name offset  start  time  end   time      offsets count westwards from Greenwich
//! ```

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::base::clock::UtcTime;

const DAY: i64 = 86_400;
const HOUR: i64 = 3600;
/// Longest text that is looked at; real ones have less than sixty characters.
const MAX_LEN: usize = 128;
/// Hours of an offset from Greenwich, POSIX.
const MAX_OFFSET_HOURS: i64 = 24;
/// Hours of a rule's time: a week, which the footer of a time zone file may use (RFC 8536 section 3.3.1).
const MAX_TIME_HOURS: i64 = 167;
/// The rule where a text names summer time and leaves out when it is.
const DEFAULT_RULE: &str = "M3.2.0,M11.1.0";

/// A time zone in POSIX syntax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZone {
    text: String,
    /// Seconds to add to UTC.
    standard: i64,
    summer: Option<Summer>,
    /// How much of the text is left if there is no summer time.
    standard_len: usize,
    /// Whether summer time is kept where the text has one.
    daylight_saving: bool,
}

/// What clocks show at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Seconds to add to UTC.
    pub offset: i64,
    /// Whether it is summer time.
    pub daylight: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Summer {
    offset: i64,
    start: Change,
    end: Change,
}

/// When clocks change: a day of the year, and seconds from its local midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    day: Day,
    time: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    /// `Jn`: 1 to 365, 29 February is never counted.
    Julian(i64),
    /// `n`: 0 to 365, 29 February is counted.
    OfYear(i64),
    /// `Mm.w.d`: weekday `d` (0 is Sunday) of week `w` of month `m`; week 5 is the last one.
    OfMonth { month: i64, week: i64, weekday: i64 },
}

/// Tells that a text is no time zone in POSIX syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no time zone in POSIX syntax, such as UTC0 or CET-1CEST,M3.5.0,M10.5.0/3")]
pub struct BadTimeZone;

impl TimeZone {
    /// Coordinated Universal Time. `UTC` alone would be no POSIX time zone.
    pub fn utc() -> Self {
        Self { text: "UTC0".into(), standard: 0, summer: None, standard_len: 4, daylight_saving: false }
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether clocks change if the text says so; where it was not set, whether it does.
    pub fn has_daylight_saving(&self) -> bool {
        self.daylight_saving
    }

    /// The same zone with the summer time of its text kept or ignored.
    #[must_use]
    pub fn with_daylight_saving(self, daylight_saving: bool) -> Self {
        Self { daylight_saving, ..self }
    }

    /// The text without a summer time that is ignored, for those who know the text alone.
    pub fn in_force(&self) -> &str {
        if self.daylight_saving { &self.text } else { &self.text[..self.standard_len] }
    }

    /// What clocks show at this moment.
    pub fn local(&self, utc: UtcTime) -> LocalTime {
        let standard = LocalTime { offset: self.standard, daylight: false };
        let Some(summer) = self.summer.as_ref().filter(|_| self.daylight_saving) else { return standard };
        let now = utc.as_secs() as i64;
        let year = year_of((now + self.standard).div_euclid(DAY));
        // Each change is given in the time that is shown until then.
        let start = summer.start.seconds(year) - self.standard;
        let end = summer.end.seconds(year) - summer.offset;
        let daylight = if start <= end { start <= now && now < end } else { now < end || start <= now };
        if daylight { LocalTime { offset: summer.offset, daylight } } else { standard }
    }
}

impl FromStr for TimeZone {
    type Err = BadTimeZone;

    fn from_str(text: &str) -> Result<Self, BadTimeZone> {
        parse(text).ok_or(BadTimeZone)
    }
}

impl TryFrom<String> for TimeZone {
    type Error = BadTimeZone;

    fn try_from(text: String) -> Result<Self, BadTimeZone> {
        text.parse()
    }
}

impl From<TimeZone> for String {
    fn from(zone: TimeZone) -> Self {
        zone.text
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Change {
    /// Local seconds since 1970 in a year.
    fn seconds(self, year: i64) -> i64 {
        let new_year = days_to(year, 1, 1);
        let day = match self.day {
            Day::Julian(day) => new_year + day - 1 + i64::from(is_leap(year) && day > 59),
            Day::OfYear(day) => new_year + day,
            Day::OfMonth { month, week, weekday } => {
                let first = days_to(year, month, 1);
                let next = if month == 12 { days_to(year + 1, 1, 1) } else { days_to(year, month + 1, 1) };
                let day = first + (weekday - weekday_of(first)).rem_euclid(7) + 7 * (week - 1);
                if day < next { day } else { day - 7 }
            }
        };
        day * DAY + self.time
    }
}

fn parse(text: &str) -> Option<TimeZone> {
    if text.len() > MAX_LEN {
        return None;
    }
    let mut rest = Rest(text);
    rest.name()?;
    let standard = -rest.time(MAX_OFFSET_HOURS)?;
    let standard_len = text.len() - rest.0.len();
    let summer = if rest.0.is_empty() { None } else { Some(rest.summer(standard)?) };
    let daylight_saving = summer.is_some();
    rest.0.is_empty().then(|| TimeZone { text: text.to_owned(), standard, summer, standard_len, daylight_saving })
}

/// What is left to be read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn take(&mut self, c: char) -> bool {
        let rest = self.0.strip_prefix(c);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Three letters or more, or anything of letters, digits and signs in `<>`.
    fn name(&mut self) -> Option<()> {
        let quoted = self.take('<');
        let fits = |c: char| c.is_ascii_alphabetic() || (quoted && (c.is_ascii_digit() || c == '+' || c == '-'));
        let len = self.0.find(|c| !fits(c)).unwrap_or(self.0.len());
        self.0 = &self.0[len..];
        (len >= 3 && (!quoted || self.take('>'))).then_some(())
    }

    fn number(&mut self, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let len = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        if len > 3 {
            return None;
        }
        digits.parse().ok().filter(|number| range.contains(number))
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    fn time(&mut self, max_hours: i64) -> Option<i64> {
        let negative = self.take('-');
        if !negative {
            self.take('+');
        }
        let mut seconds = self.number(0..=max_hours)? * HOUR;
        if self.take(':') {
            seconds += self.number(0..=59)? * 60;
            if self.take(':') {
                seconds += self.number(0..=59)?;
            }
        }
        Some(if negative { -seconds } else { seconds })
    }

    fn summer(&mut self, standard: i64) -> Option<Summer> {
        self.name()?;
        let has_offset = !self.0.is_empty() && !self.0.starts_with(',');
        let offset = if has_offset { -self.time(MAX_OFFSET_HOURS)? } else { standard + HOUR };
        if self.0.is_empty() {
            self.0 = DEFAULT_RULE;
        } else if !self.take(',') {
            return None;
        }
        let start = self.change()?;
        let end = if self.take(',') { self.change()? } else { return None };
        Some(Summer { offset, start, end })
    }

    fn change(&mut self) -> Option<Change> {
        let day = if self.take('J') {
            Day::Julian(self.number(1..=365)?)
        } else if self.take('M') {
            let month = self.number(1..=12)?;
            let week = self.take('.').then(|| self.number(1..=5))??;
            let weekday = self.take('.').then(|| self.number(0..=6))??;
            Day::OfMonth { month, week, weekday }
        } else {
            Day::OfYear(self.number(0..=365)?)
        };
        let time = if self.take('/') { self.time(MAX_TIME_HOURS)? } else { 2 * HOUR };
        Some(Change { day, time })
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from 1970 to a date (years that start in March put the leap day last).
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + day_of_year - 719_468
}

/// The year of a day counted from 1970.
fn year_of(day: i64) -> i64 {
    let guess = 1970 + day.div_euclid(366);
    (guess..).take_while(|year| days_to(*year, 1, 1) <= day).last().unwrap_or(guess)
}

/// 0 is Sunday; 1970 began on a Thursday.
fn weekday_of(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, secs: u64) -> (i64, bool) {
        let local = text.parse::<TimeZone>().unwrap().local(UtcTime::from_nanos(secs * 1_000_000_000));
        (local.offset, local.daylight)
    }

    #[test]
    fn posix_syntax_is_taken_and_nothing_else() {
        // X7
        for text in [
            "UTC0",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "EST5EDT",
            "<+0330>-3:30",
            "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
            "PST8PDT,J60/2:30:15,300/-1",
            "GMT+0",
        ] {
            assert_eq!(text.parse::<TimeZone>().map(String::from), Ok(text.to_owned()));
        }
        let long = format!("{}0", "A".repeat(MAX_LEN));
        for text in [
            "",
            "UTC",
            "0",
            "UT0",
            "Europe/Berlin",
            "CET-1CEST,",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-25",
            "CET-1CEST,M3.5.0,M10.5.0/3 ",
            "CET-1:60",
            "<+03-3",
            "CET-1CEST,J0,J5",
            "UTC0000000000000000000",
            "ÜTC0",
            &long,
        ] {
            assert_eq!(text.parse::<TimeZone>(), Err(BadTimeZone), "{text:?}");
        }
    }

    #[test]
    fn summer_time_begins_and_ends_at_its_second() {
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        // 2026-03-29T01:00:00Z and 2026-10-25T01:00:00Z
        assert_eq!(at(berlin, 1_774_746_000 - 1), (3600, false));
        assert_eq!(at(berlin, 1_774_746_000), (7200, true));
        assert_eq!(at(berlin, 1_792_890_000 - 1), (7200, true));
        assert_eq!(at(berlin, 1_792_890_000), (3600, false));
        // 2026-03-08T10:00:00Z: the default rule, two in the morning in Los Angeles.
        assert_eq!(at("PST8PDT", 1_772_964_000 - 1), (-28_800, false));
        assert_eq!(at("PST8PDT", 1_772_964_000), (-25_200, true));
    }

    #[test]
    fn summer_time_can_be_ignored_and_kept_again() {
        let zone: TimeZone = "CET-1CEST,M3.5.0,M10.5.0/3".parse().unwrap();
        let july = UtcTime::from_nanos(1_782_864_000_000_000_000);
        assert_eq!((zone.has_daylight_saving(), zone.in_force()), (true, zone.as_str()));
        let ignored = zone.clone().with_daylight_saving(false);
        assert_eq!(ignored.local(july), LocalTime { offset: 3600, daylight: false });
        assert_eq!((ignored.as_str(), ignored.in_force()), (zone.as_str(), "CET-1"));
        assert_eq!(ignored.with_daylight_saving(true).local(july).offset, 7200);
        assert_eq!(TimeZone::utc(), "UTC0".parse().unwrap());
        assert_eq!(TimeZone::utc().with_daylight_saving(true).in_force(), "UTC0");
    }

    #[test]
    fn summer_spans_the_new_year_in_the_south() {
        let sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
        assert_eq!(at(sydney, 1_767_225_600), (39_600, true), "2026-01-01");
        assert_eq!(at(sydney, 1_782_864_000), (36_000, false), "2026-07-01");
        assert_eq!(at(sydney, 1_798_675_200), (39_600, true), "2026-12-31");
    }

    #[test]
    fn days_are_counted_with_and_without_the_leap_day() {
        let start = |rule: &str, year| Rest(rule).change().unwrap().seconds(year) / DAY;
        assert_eq!(start("J60", 2024), days_to(2024, 3, 1));
        assert_eq!(start("J60", 2025), days_to(2025, 3, 1));
        assert_eq!(start("60", 2024), days_to(2024, 3, 1));
        assert_eq!(start("59", 2024), days_to(2024, 2, 29));
        assert_eq!(start("M12.5.4", 2026), days_to(2026, 12, 31));
        assert_eq!(year_of(days_to(2024, 12, 31)), 2024);
        assert_eq!(year_of(days_to(2400, 1, 1)), 2400);
        assert_eq!(days_to(2000, 2, 29), 11_016);
    }
}
