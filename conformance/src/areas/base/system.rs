//! What the device is and what time it has (cases DEVICE-3-1-*, but for those that start it again).

use std::time::Duration;

use super::{
    clock::{demand_sound, put_back_afterwards, set_date_and_time, system_date_and_time},
    servers::{as_before, by_ipv4, set_servers},
};
use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    clock::{here, utc_date_time},
    soap::{Call, utc},
    test::Test,
    verdict::Outcome,
    xml::Element,
};

/// A zone with daylight saving, as the specification uses it.
const ZONE: &str = "PST8PDT,M3.2.0,M11.1.0";
/// How far from the time that it was set to a clock may be when it is read again.
const TOLERANCE: Duration = Duration::from_secs(20);
/// How far from its own time the clock is set: a device that takes no notice must be found out, and one that checks the
/// age of a UsernameToken must still take ours.
const AHEAD: Duration = Duration::from_secs(60);
/// A time server for devices that have none (RFC 5737: it stands for nobody).
const TIME_SERVER: &str = "192.0.2.123";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("DEVICE-3-1-1", Reads, date_and_time),
        case("DEVICE-3-1-4", Changes, invalid_time_zone),
        case("DEVICE-3-1-5", Changes, invalid_date),
        case("DEVICE-3-1-9", Reads, device_information),
        case("DEVICE-3-1-10", Reads, system_log),
        case("DEVICE-3-1-11", Changes, set_by_hand),
        case("DEVICE-3-1-12", Changes, set_by_ntp),
    ]
}

fn date_and_time(t: &mut Test<'_>) -> Outcome {
    t.step("3", "GetSystemDateAndTime is answered");
    let told = system_date_and_time(t)?;
    t.step("4", "it tells how the clock is set, whether there is daylight saving, and times and zones that exist");
    let kind = told.text_or_empty("DateTimeType");
    t.demand(["Manual", "NTP"].contains(&kind), "DateTimeType Manual or NTP", kind)?;
    t.some(told.bool_at("DaylightSavings"), "DaylightSavings")?;
    demand_sound(t, &told, false)?;
    let any = told.at("UTCDateTime").or(told.at("LocalDateTime")).is_some();
    t.demand(kind != "Manual" || any, "UTCDateTime or LocalDateTime of a clock set by hand", "neither")
}

fn invalid_time_zone(t: &mut Test<'_>) -> Outcome {
    let bad = "INVALIDTIMEZONE";
    let request = set_date_and_time("Manual", true, Some(bad), Some(&utc_date_time(here())));
    let told = refused_to_set(t, &request, "ter:InvalidTimeZone")?;
    t.step("9", "the device has not taken the zone");
    t.demand(told.text_at("TimeZone/TZ") != Some(bad), "another TimeZone", bad)?;
    t.step("10", "date, time and zone exist");
    demand_sound(t, &told, true).map(drop)
}

fn invalid_date(t: &mut Test<'_>) -> Outcome {
    let never = "<tds:UTCDateTime><tt:Time><tt:Hour>25</tt:Hour><tt:Minute>61</tt:Minute><tt:Second>61</tt:Second>\
                 </tt:Time><tt:Date><tt:Year>2026</tt:Year><tt:Month>13</tt:Month><tt:Day>32</tt:Day></tt:Date>\
                 </tds:UTCDateTime>";
    let request = set_date_and_time("Manual", true, Some(ZONE), Some(never));
    let told = refused_to_set(t, &request, "ter:InvalidDateTime")?;
    t.step("9", "date, time and zone exist");
    demand_sound(t, &told, true).map(drop)
}

/// The clock is not set to what does not exist; what the device tells of it afterwards.
fn refused_to_set(t: &mut Test<'_>, request: &str, subcode: &str) -> Outcome<Element> {
    t.step("4", "GetSystemDateAndTime tells how the clock is set");
    let before = system_date_and_time(t)?;
    put_back_afterwards(t, &before);
    t.step("6", "SetSystemDateAndTime is refused");
    t.refused(&Call::new(request), &[&format!("env:Sender/ter:InvalidArgVal/{subcode}")])?;
    t.step("8", "GetSystemDateAndTime is answered");
    system_date_and_time(t)
}

fn device_information(t: &mut Test<'_>) -> Outcome {
    t.step("3", "GetDeviceInformation is answered");
    let answer = t.ask("<tds:GetDeviceInformation/>")?;
    t.step("4", "nothing of what it must tell is left open");
    for name in ["Manufacturer", "Model", "FirmwareVersion", "SerialNumber", "HardwareId"] {
        t.demand(!answer.text_or_empty(name).is_empty(), format!("a {name}"), "none")?;
    }
    Ok(())
}

fn system_log(t: &mut Test<'_>) -> Outcome {
    for (step, kind, subcode) in [("4", "System", "SystemlogUnavailable"), ("6", "Access", "AccesslogUnavailable")] {
        t.step(step, &format!("GetSystemLog gives the {kind} log, or a fault that says that there is none"));
        let request = format!("<tds:GetSystemLog><tds:LogType>{kind}</tds:LogType></tds:GetSystemLog>");
        match t.attempt_by(&Call::new(request).at_length())? {
            Ok(answer) => drop(t.some(answer.at("SystemLog"), "SystemLog")?),
            Err(fault) => {
                let expected = format!("env:Sender/ter:InvalidArgs/ter:{subcode}");
                t.demand(
                    fault.codes.join("/") == expected,
                    format!("a log, or a fault {expected}"),
                    fault.to_string(),
                )?;
            }
        }
    }
    Ok(())
}

fn set_by_hand(t: &mut Test<'_>) -> Outcome {
    t.step("3", "GetSystemDateAndTime tells how the clock is set");
    let before = system_date_and_time(t)?;
    put_back_afterwards(t, &before);
    t.step("5", "SetSystemDateAndTime sets it by hand");
    let set = here() + AHEAD;
    t.ask(set_date_and_time("Manual", false, None, Some(&utc_date_time(set))))?;
    let asked = here();
    t.step("7", "GetSystemDateAndTime tells what was set");
    let told = system_date_and_time(t)?;
    // The text's step 7 expects daylight saving where its step 4 sets none; what was set is what is to be told.
    demand_set(t, &told, "Manual", false)?;
    let seen = t.some(demand_sound(t, &told, true)?, "UTCDateTime")?;
    let off = seen.abs_diff(set + (here() - asked));
    t.demand(off < TOLERANCE, format!("the time that was set, {}", utc(set)), utc(seen))
}

fn set_by_ntp(t: &mut Test<'_>) -> Outcome {
    t.step("3", "GetNTP tells the time servers");
    let answer = t.ask("<tds:GetNTP/>")?;
    let ntp = t.some(answer.at("NTPInformation"), "NTPInformation")?.clone();
    t.step("4", "GetSystemDateAndTime tells how the clock is set");
    let before = system_date_and_time(t)?;
    // What is put back last is registered first: as in the text the clock comes before the servers.
    t.afterwards(as_before("NTP", &ntp));
    put_back_afterwards(t, &before);
    t.step("5", "SetNTP names a time server");
    let known = ntp.all("NTPManual").chain(ntp.all("NTPFromDHCP")).find_map(|server| server.text_at("IPv4Address"));
    let server = known.unwrap_or(TIME_SERVER);
    t.ask(set_servers("NTP", false, &by_ipv4("NTP", server)))?;
    t.step("8", "SetSystemDateAndTime sets the clock by NTP");
    t.ask(set_date_and_time("NTP", true, Some(ZONE), None))?;
    t.step("10", "GetSystemDateAndTime tells what was set");
    let told = system_date_and_time(t)?;
    demand_set(t, &told, "NTP", true)?;
    t.same("TimeZone", Some(ZONE), told.text_at("TimeZone/TZ"))?;
    demand_sound(t, &told, true).map(drop)
}

fn demand_set(t: &Test<'_>, told: &Element, kind: &str, daylight: bool) -> Outcome {
    t.same("DateTimeType", kind, told.text_or_empty("DateTimeType"))?;
    t.same("DaylightSavings", Some(daylight), told.bool_at("DaylightSavings"))
}
