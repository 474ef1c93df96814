//! The device's clock: what a date, a time and a time zone must be like, and how the clock is put back.

use std::time::Duration;

use crate::{
    clock::{here, since_1970, utc_date_time},
    test::Test,
    verdict::Outcome,
    xml::Element,
};

/// How many seconds a clock set by hand may go wrong while a device restarts.
const DRIFT: i64 = 5;

/// Asks for the system date and time.
pub(super) fn system_date_and_time(t: &mut Test<'_>) -> Outcome<Element> {
    let answer = t.ask("<tds:GetSystemDateAndTime/>")?;
    t.some(answer.at("SystemDateAndTime"), "SystemDateAndTime").cloned()
}

/// SetSystemDateAndTime. The zone and the time may be left out.
pub(super) fn set_date_and_time(kind: &str, daylight: bool, zone: Option<&str>, utc: Option<&str>) -> String {
    let zone = zone.map(|zone| format!("<tds:TimeZone><tt:TZ>{}</tt:TZ></tds:TimeZone>", crate::xml::escape(zone)));
    format!(
        "<tds:SetSystemDateAndTime><tds:DateTimeType>{kind}</tds:DateTimeType>\
         <tds:DaylightSavings>{daylight}</tds:DaylightSavings>{}{}</tds:SetSystemDateAndTime>",
        zone.unwrap_or_default(),
        utc.unwrap_or_default()
    )
}

/// Puts the clock back when the case is over. What was told of it must have come just now.
pub(super) fn put_back_afterwards(t: &mut Test<'_>, before: &Element) {
    let before = Setting::of(before, here());
    t.afterwards_do(move |t| t.ask(before.request(here())).map(drop));
}

/// How a clock was set, and how far it was from ours: one set by hand need not be right, and time passes until it is put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    kind: String,
    daylight: bool,
    zone: Option<String>,
    /// How many seconds it was ahead of us; nothing, if it told no time.
    ahead: i64,
}

impl Setting {
    /// What the device tells at this time here.
    pub(super) fn of(told: &Element, now: Duration) -> Self {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let time = told.at("UTCDateTime").and_then(since_1970);
        Self {
            kind: told.text_or_empty("DateTimeType").to_owned(),
            daylight: told.bool_at("DaylightSavings").unwrap_or(false),
            zone: told.text_at("TimeZone/TZ").map(str::to_owned),
            ahead: time.map_or(0, |time| seconds(time) - seconds(now)),
        }
    }

    /// Whether the clock is set like this. That by NTP it shows another time is for its servers to mend.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let set = |one: &Self| (one.kind.clone(), one.daylight, one.zone.clone());
        set(self) == set(other) && (self.kind != "Manual" || (self.ahead - other.ahead).abs() <= DRIFT)
    }

    /// The request that sets the clock like this, sent at this time here.
    pub(super) fn request(&self, now: Duration) -> String {
        let by = Duration::from_secs(self.ahead.unsigned_abs());
        let time = if self.ahead < 0 { now.saturating_sub(by) } else { now + by };
        let time = (self.kind == "Manual").then(|| utc_date_time(time));
        set_date_and_time(&self.kind, self.daylight, self.zone.as_deref(), time.as_deref())
    }
}

/// Demands a sound answer of GetSystemDateAndTime; the time in UTC, which it must tell if `with_utc`, since 1970.
pub(super) fn demand_sound(t: &Test<'_>, told: &Element, with_utc: bool) -> Outcome<Option<Duration>> {
    if let Some(zone) = told.text_at("TimeZone/TZ") {
        t.demand(is_posix_time_zone(zone), "a TimeZone by POSIX 1003.1", zone)?;
    }
    for name in ["UTCDateTime", "LocalDateTime"] {
        if let Some(time) = told.at(name) {
            t.demand(since_1970(time).is_some(), format!("a {name} that exists"), time.to_xml())?;
        }
    }
    t.demand(!with_utc || told.at("UTCDateTime").is_some(), "UTCDateTime", "none")?;
    Ok(told.at("UTCDateTime").and_then(since_1970))
}

/// Whether it is a time zone by POSIX 1003.1, section 8.3: `CET-1CEST,M3.5.0/2,M10.5.0/3`.
pub(super) fn is_posix_time_zone(text: &str) -> bool {
    // What follows a colon is for the system to define.
    if let Some(own) = text.strip_prefix(':') {
        return !own.is_empty();
    }
    let Some(rest) = after_name(text).and_then(after_offset) else { return false };
    if rest.is_empty() {
        return true;
    }
    // Daylight saving is an hour, unless an offset says otherwise.
    let Some(rest) = after_name(rest) else { return false };
    let rest = after_offset(rest).unwrap_or(rest);
    let Some(rules) = rest.strip_prefix(',') else { return rest.is_empty() };
    matches!(rules.split_once(','), Some((start, end)) if is_rule(start) && is_rule(end))
}

/// Behind a name: three letters or more, or anything in `<>`.
fn after_name(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('<') {
        let (name, rest) = quoted.split_once('>')?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '-';
        return (name.len() >= 3 && name.chars().all(allowed)).then_some(rest);
    }
    let length = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    (length >= 3).then(|| &text[length..])
}

/// Behind an offset: `[+-]hh[:mm[:ss]]`, up to a day.
fn after_offset(text: &str) -> Option<&str> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let length = digits.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(digits.len());
    is_time(&digits[..length], 24).then(|| &digits[length..])
}

fn is_time(text: &str, most_hours: u32) -> bool {
    let parts: Vec<Option<u32>> = text.split(':').map(|part| part.parse().ok().filter(|_| part.len() <= 3)).collect();
    let within =
        |(index, part): (usize, &Option<u32>)| part.is_some_and(|n| n <= if index == 0 { most_hours } else { 59 });
    parts.len() <= 3 && parts.iter().enumerate().all(within)
}

/// `Jn`, `n` or `Mm.w.d`, with a time behind a slash.
fn is_rule(text: &str) -> bool {
    let (date, time) = text.split_once('/').map_or((text, None), |(date, time)| (date, Some(time)));
    let within = |text: &str, from: u32, to: u32| text.parse().is_ok_and(|n: u32| (from..=to).contains(&n));
    let is_date = if let Some(day) = date.strip_prefix('J') {
        within(day, 1, 365)
    } else if let Some(month) = date.strip_prefix('M') {
        let parts: Vec<&str> = month.split('.').collect();
        matches!(parts[..], [month, week, day] if within(month, 1, 12) && within(week, 1, 5) && within(day, 0, 6))
    } else {
        within(date, 0, 365)
    };
    // Later editions of POSIX let the hours of a rule be up to a week, and before midnight.
    is_date && time.is_none_or(|time| is_time(time.strip_prefix(['+', '-']).unwrap_or(time), 167))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_put_back_to_its_own_time_and_not_to_ours() {
        let told = |kind: &str, utc: u64| {
            let time = utc_date_time(Duration::from_secs(utc)).replace("tds:", "").replace("tt:", "");
            let xml =
                format!("<S><DateTimeType>{kind}</DateTimeType><DaylightSavings>true</DaylightSavings>{time}</S>");
            Element::parse(xml.as_bytes()).unwrap()
        };
        let at = |seconds: u64| Duration::from_secs(1_798_761_600 + seconds);
        // An hour slow, and put back five minutes later.
        let before = Setting::of(&told("Manual", 1_798_758_000), at(0));
        let expected =
            set_date_and_time("Manual", true, None, Some(&utc_date_time(Duration::from_secs(1_798_758_300))));
        assert_eq!(before.request(at(300)), expected);
        assert!(before.is_like(&Setting::of(&told("Manual", 1_798_758_301), at(300))), "it went on meanwhile");
        assert!(!before.is_like(&Setting::of(&told("Manual", 946_684_800), at(300))), "it began anew");
        let by_ntp = Setting::of(&told("NTP", 1_798_761_600), at(0));
        assert!(!before.is_like(&by_ntp) && by_ntp.is_like(&Setting::of(&told("NTP", 946_684_800), at(300))));
        assert_eq!(by_ntp.request(at(300)), set_date_and_time("NTP", true, None, None));
    }

    #[test]
    fn time_zones_are_those_of_posix() {
        for good in [
            "UTC0",
            "GMT+00:00",
            "CET-1CEST,M3.5.0/2,M10.5.0/3",
            "PST8PDT,M3.2.0,M11.1.0",
            "EST5EDT",
            "<+0330>-3:30",
            "IST-5:30",
            "NZST-12:00:00NZDT-13:00:00,M10.1.0,M3.3.0",
            "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
            "AAA1BBB,J60/24,300",
            ":Europe/Paris",
        ] {
            assert!(is_posix_time_zone(good), "{good}");
        }
        for bad in [
            "",
            "INVALIDTIMEZONE",
            "UTC",
            "Europe/Paris",
            "CE1",
            "CET25",
            "CET-1CEST,M3.5.0",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,M3.5.0/2,M10.5.0/3,",
            "CET-1 CEST",
            ":",
        ] {
            assert!(!is_posix_time_zone(bad), "{bad}");
        }
    }
}
