use super::*;

const ZONE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

/// A time of day and a date as the schema orders them.
fn date_time([hour, minute, second]: [i32; 3], [year, month, day]: [i32; 3]) -> String {
    format!(
        "<tds:UTCDateTime><tt:Time><tt:Hour>{hour}</tt:Hour><tt:Minute>{minute}</tt:Minute><tt:Second>{second}</tt:Second></tt:Time>\
         <tt:Date><tt:Year>{year}</tt:Year><tt:Month>{month}</tt:Month><tt:Day>{day}</tt:Day></tt:Date></tds:UTCDateTime>"
    )
}

fn set(source: &str, daylight: &str, zone: &str, date_time: &str) -> String {
    let zone =
        if zone.is_empty() { String::new() } else { format!("<tds:TimeZone><tt:TZ>{zone}</tt:TZ></tds:TimeZone>") };
    format!(
        "<tds:SetSystemDateAndTime><tds:DateTimeType>{source}</tds:DateTimeType>\
         <tds:DaylightSavings>{daylight}</tds:DaylightSavings>{zone}{date_time}</tds:SetSystemDateAndTime>"
    )
}

fn ntp(servers: &str) -> String {
    format!("<tds:SetNTP><tds:FromDHCP>false</tds:FromDHCP>{servers}</tds:SetNTP>")
}

#[tokio::test]
async fn the_device_says_what_it_is() {
    let scene = Scene::new();
    let answer = told(&scene, "<tds:GetDeviceInformation/>").await;
    let inner: Vec<String> =
        answer.elements().map(|child| format!("{}={}", child.name().local(), child.text())).collect();
    let serial = &scene.context.device.identity().serial;
    assert_eq!(
        inner.join(" "),
        format!("Manufacturer=Belvedere Model=Test FirmwareVersion=1.2.3 SerialNumber={serial} HardwareId=Linux")
    );
}

#[tokio::test]
async fn a_log_that_is_not_there_has_a_fault_of_its_own() {
    // DEVICE-3-1-10
    let scene = Scene::new();
    let log = |kind: &str| format!("<tds:GetSystemLog><tds:LogType>{kind}</tds:LogType></tds:GetSystemLog>");
    for (kind, expected) in [
        ("System", "400 Sender/InvalidArgs/SystemlogUnavailable"),
        ("Access", "400 Sender/InvalidArgs/AccesslogUnavailable"),
        ("Other", "400 Sender/InvalidArgVal"),
    ] {
        assert_eq!(refused(&scene, ADMIN, &log(kind)).await, expected, "{kind}");
    }
}

#[tokio::test]
async fn the_clock_is_set_and_read_without_a_user() {
    // DEVICE-3-1-1, DEVICE-3-1-11
    let scene = Scene::new();
    for (daylight, hour) in [("true", "14"), ("false", "13")] {
        told(&scene, &set("Manual", daylight, ZONE, &date_time([12, 30, 15], [2027, 7, 1]))).await;
        let (status, answer) = ask(&scene, None, "<tds:GetSystemDateAndTime/>").await;
        assert_eq!(status, 200);
        let told = answer.elements().next().unwrap();
        assert_eq!(
            outline(told),
            "SystemDateAndTime(DateTimeType DaylightSavings TimeZone(TZ) \
             UTCDateTime(Time(Hour Minute Second) Date(Year Month Day)) \
             LocalDateTime(Time(Hour Minute Second) Date(Year Month Day)))"
        );
        let first = |path: &str| at(told, path)[0].clone();
        assert_eq!((first("DateTimeType"), first("DaylightSavings")), ("Manual".into(), daylight.into()));
        assert_eq!(first("TimeZone/TZ"), ZONE, "what was set is told, though its summer time may be ignored");
        assert_eq!((first("UTCDateTime/Time/Hour"), first("LocalDateTime/Time/Hour")), ("12".into(), hour.into()));
        assert_eq!(
            ["Year", "Month", "Day"].map(|part| first(&format!("UTCDateTime/Date/{part}"))).join("-"),
            "2027-7-1"
        );
    }
    // Neither a zone nor a time: they stay.
    told(&scene, &set("Manual", "true", "", "")).await;
    let answer = told(&scene, "<tds:GetSystemDateAndTime/>").await;
    assert_eq!(at(&answer, "SystemDateAndTime/TimeZone/TZ"), [ZONE]);
    assert_eq!(at(&answer, "SystemDateAndTime/LocalDateTime/Time/Hour"), ["14"]);
}

#[tokio::test]
async fn what_is_no_time_changes_nothing() {
    // X7, DEVICE-3-1-4, DEVICE-3-1-5
    let scene = Scene::new();
    let good = date_time([12, 0, 0], [2027, 7, 1]);
    told(&scene, &set("Manual", "true", "UTC0", &good)).await;
    let late = date_time([23, 59, 59], [2028, 12, 31]);
    for zone in ["INVALIDTIMEZONE", "UTC", "Europe/Berlin"] {
        let fault = refused(&scene, ADMIN, &set("Manual", "false", zone, &late)).await;
        assert_eq!(fault, "400 Sender/InvalidArgVal/InvalidTimeZone", "{zone}");
    }
    for (time, date) in [
        ([12, 0, 0], [2027, 13, 1]),
        ([12, 0, 0], [2027, 2, 29]),
        ([12, 0, 0], [2027, 0, 1]),
        ([12, 0, 0], [2027, 1, -1]),
        ([12, 0, 0], [1969, 1, 1]),
        ([12, 0, 0], [2500, 1, 1]),
        ([24, 0, 0], [2027, 7, 1]),
        ([12, 60, 0], [2027, 7, 1]),
        ([12, 0, 60], [2027, 7, 1]),
        ([-1, 0, 0], [2027, 7, 1]),
    ] {
        let fault = refused(&scene, ADMIN, &set("Manual", "false", ZONE, &date_time(time, date))).await;
        assert_eq!(fault, "400 Sender/InvalidArgVal/InvalidDateTime", "{time:?} {date:?}");
    }
    for (body, expected) in [
        (set("Sundial", "true", "", ""), "400 Sender/InvalidArgVal"),
        (set("Manual", "maybe", "", ""), "400 Sender/InvalidArgs"),
        (set("Manual", "true", "", "<tds:UTCDateTime/>"), "400 Sender/InvalidArgs"),
    ] {
        assert_eq!(refused(&scene, ADMIN, &body).await, expected, "{body}");
    }
    let answer = told(&scene, "<tds:GetSystemDateAndTime/>").await;
    assert_eq!(at(&answer, "SystemDateAndTime/UTCDateTime/Date/Month"), ["7"]);
    assert_eq!(at(&answer, "SystemDateAndTime/TimeZone/TZ"), ["UTC0"]);
}

#[tokio::test]
async fn time_servers_set_the_clock_if_there_are_any() {
    // DEVICE-3-1-12
    let scene = Scene::new();
    told(&scene, &set("Manual", "false", "UTC0", "")).await;
    told(&scene, &ntp("")).await;
    let by_ntp = set("NTP", "false", "UTC0", "<tds:UTCDateTime/>");
    assert_eq!(refused(&scene, ADMIN, &by_ntp).await, "400 Sender/InvalidArgVal/NtpServerUndefined");
    let server = "<tds:NTPManual><tt:Type>DNS</tt:Type><tt:DNSname>time.example</tt:DNSname></tds:NTPManual>";
    told(&scene, &ntp(server)).await;
    told(&scene, &by_ntp).await;
    let answer = told(&scene, "<tds:GetSystemDateAndTime/>").await;
    assert_eq!(at(&answer, "SystemDateAndTime/DateTimeType"), ["NTP"]);
    assert_eq!(refused(&scene, ADMIN, &ntp("")).await, "400 Sender/InvalidArgVal/TimeSyncedToNtp");
}

#[tokio::test]
async fn the_device_is_started_again() {
    let scene = Scene::new();
    let answer = told(&scene, "<tds:SystemReboot/>").await;
    assert!(!at(&answer, "Message")[0].is_empty());
    let set = |kind: &str| {
        format!(
            "<tds:SetSystemFactoryDefault><tds:FactoryDefault>{kind}</tds:FactoryDefault></tds:SetSystemFactoryDefault>"
        )
    };
    told(&scene, &set("Hard")).await;
    told(&scene, &set("Soft")).await;
    assert_eq!(refused(&scene, ADMIN, &set("Half")).await, "400 Sender/InvalidArgVal");
    assert_eq!(*scene.power.0.lock().unwrap(), [None, Some(true), Some(false)]);
}
