//! The device's clock, by which a WS-UsernameToken has to be made: a device refuses one of another time, and its clock may be
//! far from ours.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    device::Device,
    soap::{Answer, Call, Who, utc},
    xml::Element,
};

/// How far a device's clock may be from where it was before that is another time; it tells seconds only.
const SAME: i64 = 2;

/// How far the device's clock is from ours, as it said last.
#[derive(Debug, Default)]
pub struct Clock(Mutex<Option<i64>>);

impl Clock {
    /// The device's time since 1970. It is asked, if it has not told yet; one that does not tell has ours.
    pub fn now(&self, device: &Device) -> Duration {
        there(self.ahead(device))
    }

    /// How many seconds the device is ahead of us. It is asked, if it has not told yet; one that does not tell is not.
    pub fn ahead(&self, device: &Device) -> i64 {
        if self.told().is_none() {
            ask(device);
        }
        self.told().unwrap_or(0)
    }

    fn told(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the device once more; whether it is not as far ahead of us any more as it was before. What it was is the caller's
    /// to say: others may have asked meanwhile.
    pub fn has_moved(&self, device: &Device, before: i64) -> bool {
        ask(device);
        (self.told().unwrap_or(0) - before).abs() > SAME
    }

    /// Learns from an answer, if it tells the time.
    pub fn heard(&self, answer: &Answer) {
        let told = answer.body().filter(|body| body.name == "GetSystemDateAndTimeResponse");
        let told = told.and_then(|body| since_1970(body.at("SystemDateAndTime/UTCDateTime")?));
        if let Some(told) = told {
            let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            self.set(Some(seconds(told) - seconds(here())));
        }
    }

    /// Forgets what the device has told: its clock may be another by now.
    pub fn forget(&self) {
        self.set(None);
    }

    fn set(&self, offset: Option<i64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = offset;
    }
}

/// Everybody may ask for the time. What comes back is heard where all answers are.
fn ask(device: &Device) {
    let _ = Call::new("<tds:GetSystemDateAndTime/>").by(Who::Nobody).send(device);
}

/// The time of a device that is so many seconds ahead of us, as time since 1970.
pub fn there(seconds: i64) -> Duration {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { here().saturating_sub(by) } else { here() + by }
}

/// The time here, as time since 1970.
pub fn here() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A `tt:DateTime` as time since 1970, if there is such a date and time.
pub fn since_1970(time: &Element) -> Option<Duration> {
    let number = |path: &str| time.number_at::<u64>(path);
    let (year, month, day) = (number("Date/Year")?, number("Date/Month")?, number("Date/Day")?);
    let (hour, minute, second) = (number("Time/Hour")?, number("Time/Minute")?, number("Time/Second")?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *months.get(usize::try_from(month).ok()?.checked_sub(1)?)?;
    // A minute may have a leap second.
    if !(1970..=9999).contains(&year) || day == 0 || day > length || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let years = (1970..year).map(|year| if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 });
    let days = years.sum::<u64>() + months.iter().take(usize::try_from(month - 1).ok()?).sum::<u64>() + day - 1;
    Some(Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

/// `tds:UTCDateTime` for a time since 1970.
pub fn utc_date_time(since_1970: Duration) -> String {
    let text = utc(since_1970);
    let number = |from: usize, to: usize| text[from..to].trim_start_matches('0').parse::<u32>().unwrap_or(0);
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    format!(
        "<tds:UTCDateTime><tt:Time><tt:Hour>{hour}</tt:Hour><tt:Minute>{minute}</tt:Minute>\
         <tt:Second>{second}</tt:Second></tt:Time><tt:Date><tt:Year>{year}</tt:Year><tt:Month>{month}</tt:Month>\
         <tt:Day>{day}</tt:Day></tt:Date></tds:UTCDateTime>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_and_read() {
        for seconds in [0, 951_782_400, 1_798_761_599, 4_107_542_400] {
            let time = Duration::from_secs(seconds);
            let xml = utc_date_time(time).replace("tds:", "").replace("tt:", "");
            assert_eq!(since_1970(&Element::parse(xml.as_bytes()).unwrap()), Some(time));
        }
        let of = |day: u32, hour: u32| {
            let xml = format!(
                "<U><Time><Hour>{hour}</Hour><Minute>0</Minute><Second>0</Second></Time>\
                 <Date><Year>2026</Year><Month>2</Month><Day>{day}</Day></Date></U>"
            );
            since_1970(&Element::parse(xml.as_bytes()).unwrap()).is_some()
        };
        assert!(of(28, 23) && !of(29, 0) && !of(1, 24) && !of(0, 0));
    }
}
