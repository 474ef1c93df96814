//! The simple types of XML Schema, read and written.
//!
//! White space around a value goes, as the schema says of every type but `xs:string`.

use std::{borrow::Cow, time::Duration};

use crate::base::clock::UtcTime;

/// A type that can be read from the text of an element or attribute.
pub trait FromText: Sized {
    /// What the schema calls the type, for messages.
    const TYPE: &'static str;

    /// Reads a value; `None` if the text is none.
    fn from_text(text: &str) -> Option<Self>;
}

/// A value that can be written as the text of an element or attribute.
pub trait ToText {
    /// The text, not escaped.
    fn to_text(&self) -> Cow<'_, str>;
}

/// Removes XML's white space at both ends.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

impl FromText for String {
    const TYPE: &'static str = "xs:string";

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl FromText for bool {
    const TYPE: &'static str = "xs:boolean";

    fn from_text(text: &str) -> Option<Self> {
        match trimmed(text) {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }
}

macro_rules! integers {
    ($($integer:ty = $name:literal),*) => {$(
        impl FromText for $integer {
            const TYPE: &'static str = $name;

            fn from_text(text: &str) -> Option<Self> {
                // The widest type takes `+5` and `-0`, which the schema allows of unsigned types too.
                trimmed(text).parse::<i128>().ok()?.try_into().ok()
            }
        }

        impl ToText for $integer {
            fn to_text(&self) -> Cow<'_, str> {
                self.to_string().into()
            }
        }
    )*};
}

integers!(
    u8 = "xs:unsignedByte",
    u16 = "xs:unsignedShort",
    u32 = "xs:unsignedInt",
    u64 = "xs:unsignedLong",
    i32 = "xs:int",
    i64 = "xs:long"
);

macro_rules! floats {
    ($($float:ty = $name:literal),*) => {$(
        impl FromText for $float {
            const TYPE: &'static str = $name;

            fn from_text(text: &str) -> Option<Self> {
                match trimmed(text) {
                    "INF" | "+INF" => Some(Self::INFINITY),
                    "-INF" => Some(Self::NEG_INFINITY),
                    "NaN" => Some(Self::NAN),
                    // Rust's own reader takes `inf` and `nan` in any case.
                    text if text.contains(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E')) => None,
                    text => text.parse().ok(),
                }
            }
        }

        impl ToText for $float {
            fn to_text(&self) -> Cow<'_, str> {
                match *self {
                    Self::INFINITY => "INF".into(),
                    Self::NEG_INFINITY => "-INF".into(),
                    number if number.is_nan() => "NaN".into(),
                    number => number.to_string().into(),
                }
            }
        }
    )*};
}

floats!(f32 = "xs:float", f64 = "xs:double");

impl FromText for Duration {
    const TYPE: &'static str = "xs:duration";

    /// Reads a duration that is not negative. A year counts as 365 days and a month as 30; what is longer than the type
    /// can hold stops at its end, for that is how clients say "for ever".
    fn from_text(text: &str) -> Option<Self> {
        let text = trimmed(text).strip_prefix('P')?;
        let (days, time) = match text.split_once('T') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (text, ""),
        };
        if days.is_empty() && time.is_empty() {
            return None;
        }
        let day = 24 * 3600;
        let days = components(days, &[('Y', 365 * day), ('M', 30 * day), ('D', day)])?;
        let time = components(time, &[('H', 3600), ('M', 60), ('S', 1)])?;
        Some(days.saturating_add(time))
    }
}

/// Reads numbers, each with its letter; the letters must come in the order of `units` (in seconds). Only S takes a fraction.
fn components(mut text: &str, units: &[(char, u64)]) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    for &(letter, seconds) in units {
        let Some((number, rest)) = text.split_once(letter) else { continue };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if letter == 'S' => (whole, nanoseconds(fraction)?),
            _ => (number, 0),
        };
        let count = saturating_digits(whole)?;
        sum = sum.saturating_add(Duration::new(count.saturating_mul(seconds), fraction));
        text = rest;
    }
    text.is_empty().then_some(sum)
}

/// Reads digits; what does not fit is the greatest number.
fn saturating_digits(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Reads the digits after the point of a number of seconds; what is finer than a nanosecond is cut off.
fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().map(|b| u32::from(b - b'0')).chain(std::iter::repeat(0));
    Some(digits.take(9).fold(0, |sum, digit| sum * 10 + digit))
}

impl ToText for Duration {
    /// Writes seconds alone, as in `PT60S` or `PT0.5S`.
    fn to_text(&self) -> Cow<'_, str> {
        match self.subsec_nanos() {
            0 => format!("PT{}S", self.as_secs()).into(),
            nanos => format!("PT{}.{}S", self.as_secs(), format!("{nanos:09}").trim_end_matches('0')).into(),
        }
    }
}

impl FromText for UtcTime {
    const TYPE: &'static str = "xs:dateTime";

    /// Reads an instant with any offset; without one it is taken as UTC (X1).
    ///
    /// Instants beyond what the type holds stop at its ends: .NET clients send the years 1 and 9999 for "no limit".
    fn from_text(text: &str) -> Option<Self> {
        let (text, sign) = match trimmed(text) {
            text if text.starts_with('-') => (&text[1..], -1),
            text => (text, 1),
        };
        let (date, time) = text.split_once('T')?;
        let (time, offset) = offset(time)?;
        let days = days(date, sign)?;
        let (seconds, nanos) = second_of_day(time)?;
        let seconds = i128::from(days) * 86_400 + i128::from(seconds) - i128::from(offset);
        let total = (seconds * 1_000_000_000 + i128::from(nanos)).clamp(0, i128::from(u64::MAX));
        u64::try_from(total).ok().map(Self::from_nanos)
    }
}

/// Splits a time of day from its offset, in seconds east of UTC.
fn offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (hours, minutes) = time[at + 1..].split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    if minutes > 59 || hours * 60 + minutes > 14 * 60 {
        return None;
    }
    let east = (hours * 60 + minutes) * 60;
    Some((&time[..at], if time[at..].starts_with('-') { -east } else { east }))
}

/// Days from 1970-01-01 to a date.
fn days(date: &str, sign: i64) -> Option<i64> {
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (parts.next()?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    // Nine digits are enough for every year that is not cut off anyway.
    let year = if (4..=9).contains(&year.len()) { sign * digits(year, year.len())? } else { return None };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=length).contains(&day).then(|| days_from_civil(year, month, day))
}

/// Counts the days of the Gregorian calendar (eras of 400 years, years that begin in March).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Reads `hh:mm:ss` with an optional fraction, as seconds and nanoseconds; 24:00:00 ends the day.
fn second_of_day(time: &str) -> Option<(i64, u32)> {
    let (time, nanos) = match time.split_once('.') {
        Some((time, fraction)) => (time, nanoseconds(fraction)?),
        None => (time, 0),
    };
    let mut parts = time.splitn(3, ':');
    let (hour, minute, second) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let midnight = hour == 24 && minute == 0 && second == 0 && nanos == 0;
    ((hour <= 23 || midnight) && minute <= 59 && second <= 59).then_some((hour * 3600 + minute * 60 + second, nanos))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

impl ToText for UtcTime {
    /// Writes the instant in UTC with milliseconds.
    fn to_text(&self) -> Cow<'_, str> {
        self.to_string().into()
    }
}

impl ToText for bool {
    fn to_text(&self) -> Cow<'_, str> {
        if *self { "true".into() } else { "false".into() }
    }
}

impl ToText for str {
    fn to_text(&self) -> Cow<'_, str> {
        self.into()
    }
}

impl ToText for String {
    fn to_text(&self) -> Cow<'_, str> {
        self.into()
    }
}

impl<T: ToText + ?Sized> ToText for &T {
    fn to_text(&self) -> Cow<'_, str> {
        (**self).to_text()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<T: FromText>(text: &str) -> Option<T> {
        T::from_text(text)
    }

    #[test]
    fn booleans_and_numbers_are_read_as_the_schema_says() {
        for (text, want) in [
            ("true", Some(true)),
            (" 1\n", Some(true)),
            ("false", Some(false)),
            ("0", Some(false)),
            ("True", None),
            ("", None),
        ] {
            assert_eq!(read::<bool>(text), want, "{text}");
        }
        for (text, want) in [
            ("+5", Some(5)),
            (" 7 ", Some(7)),
            ("-0", Some(0)),
            ("007", Some(7)),
            ("-1", None),
            ("256", None),
            ("5.0", None),
            ("", None),
        ] {
            assert_eq!(read::<u8>(text), want, "{text}");
        }
        assert_eq!(read::<i32>("-2147483648"), Some(i32::MIN));
        assert_eq!(read::<i32>("- 1"), None);
        for (text, want) in [("1.5e-3", Some(0.0015)), ("INF", Some(f64::INFINITY)), ("-INF", Some(f64::NEG_INFINITY))]
        {
            assert_eq!(read::<f64>(text), want, "{text}");
        }
        assert!(read::<f32>("NaN").is_some_and(f32::is_nan));
        for text in ["inf", "nan", "Infinity", "1,5", "0x10", ""] {
            assert_eq!(read::<f32>(text), None, "{text}");
        }
        assert_eq!((f32::INFINITY.to_text(), 0.1f32.to_text()), ("INF".into(), "0.1".into()));
    }

    #[test]
    fn durations_are_read_and_written() {
        let day = 86_400;
        for (text, want) in [
            ("PT60S", Some(Duration::from_secs(60))),
            ("PT1M", Some(Duration::from_secs(60))),
            (" PT1H1M1.5S ", Some(Duration::from_millis(3_661_500))),
            ("P1Y2M3DT4H", Some(Duration::from_secs((365 + 60 + 3) * day + 4 * 3600))),
            ("PT0.0000000019S", Some(Duration::from_nanos(1))),
            ("P1M", Some(Duration::from_secs(30 * day))),
            ("PT99999999999999999999999S", Some(Duration::from_secs(u64::MAX))),
            ("P99999999999999999999999DT59M59.999S", Some(Duration::from_secs(u64::MAX))),
        ] {
            let got = read::<Duration>(text);
            assert_eq!(got.map(|d| d.as_secs()), want.map(|d| d.as_secs()), "{text}");
            assert!(got == want || got > Some(Duration::from_secs(u64::MAX)), "{text}: {got:?}");
        }
        for text in [
            "", "P", "PT", "P1DT", "60", "PT1S1M", "PT1.5M", "PT.5S", "PT5.S", "-PT5S", "PT-5S", "P1S", "PT+5S",
            "1PT5S",
        ] {
            assert_eq!(read::<Duration>(text), None, "{text}");
        }
        assert_eq!(Duration::from_secs(60).to_text(), "PT60S");
        assert_eq!(Duration::from_millis(500).to_text(), "PT0.5S");
    }

    #[test]
    fn instants_are_read_with_any_offset() {
        let at = |secs: u64| Some(UtcTime::from_nanos(secs * 1_000_000_000));
        for (text, want) in [
            ("1970-01-01T00:00:00Z", at(0)),
            ("2000-02-29T00:00:00Z", at(951_782_400)),
            ("2026-11-23T08:35:30", at(1_795_422_930)),
            ("2026-11-23T09:35:30+01:00", at(1_795_422_930)),
            ("2026-11-22T22:35:30.000-10:00", at(1_795_422_930)),
            ("2026-11-22T24:00:00Z", read("2026-11-23T00:00:00Z")),
            (" 1970-01-01T00:00:00.25Z ", Some(UtcTime::from_nanos(250_000_000))),
            // .NET's least and greatest dates
            ("0001-01-01T00:00:00Z", at(0)),
            ("-0044-03-15T12:00:00Z", at(0)),
            ("9999-12-31T23:59:59.9999999Z", Some(UtcTime::from_nanos(u64::MAX))),
        ] {
            assert_eq!(read::<UtcTime>(text), want, "{text}");
        }
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T08:35Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-1-1T00:00:00Z",
            "26-01-01T00:00:00Z",
            "2026-01-01T24:00:01Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00+15:00",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "+2026-01-01T00:00:00Z",
        ] {
            assert_eq!(read::<UtcTime>(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn instants_survive(millis in 0u64..18_000_000_000_000) {
            let time = UtcTime::from_nanos(millis * 1_000_000);
            prop_assert_eq!(read::<UtcTime>(&time.to_text()), Some(time));
        }

        #[test]
        fn durations_survive(secs: u64, nanos in 0u32..1_000_000_000) {
            let duration = Duration::new(secs, nanos);
            prop_assert_eq!(read::<Duration>(&duration.to_text()), Some(duration));
        }

        #[test]
        fn numbers_survive(int: i64, float: f64) {
            prop_assert_eq!(read::<i64>(&int.to_text()), Some(int));
            prop_assert!(read::<f64>(&float.to_text()).is_some_and(|read| read == float || read.is_nan()));
        }

        #[test]
        fn no_text_makes_a_reader_panic(text in "(?s).{0,40}", shaped in "[-+PTYMDHSZ:.0-9é]{0,30}") {
            for text in [text, shaped] {
                let _ = (read::<UtcTime>(&text), read::<Duration>(&text), read::<f32>(&text), read::<i64>(&text));
            }
        }
    }
}
