//! Time zone and time servers.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use super::{
    super::{HostError, Ntp, NtpServer, TimeSource, TimeZone},
    files::Files,
    run,
};

const LOCALTIME: &str = "etc/localtime";
const CHRONY: &str = "etc/chrony/chrony.conf";
/// Drop-ins are read in the order of their names; ours has the last word.
const OUR_DROP_IN: &str = "etc/systemd/timesyncd.conf.d/zz-belvedere.conf";
const TIMESYNCD: [&str; 2] = ["usr/lib/systemd/systemd-timesyncd", "lib/systemd/systemd-timesyncd"];
/// What exists while a program keeps the clock: systemd-timesyncd, chrony, ntpd, ntpsec.
const KEEPERS: [&str; 4] = ["run/systemd/timesync", "run/chrony/chronyd.pid", "run/ntpd.pid", "run/ntpsec/ntpd.pid"];

/// How long systemd may take to start or stop the keeper of the clock.
const SWITCH_LIMIT: Duration = Duration::from_secs(2);
const SWITCH_PAUSE: Duration = Duration::from_millis(20);

/// The present rules of a compiled time zone stand in its last line, in POSIX syntax (RFC 8536 section 3.3).
pub(super) fn zone(files: &Files) -> TimeZone {
    let footer = |bytes: Vec<u8>| {
        let text = bytes.strip_suffix(b"\n")?;
        let line = text.rsplit(|byte| *byte == b'\n').next()?;
        str::from_utf8(line).ok()?.parse().ok()
    };
    files.bytes(LOCALTIME).and_then(footer).unwrap_or_else(TimeZone::utc)
}

/// Puts a time zone that knows no past in the place of the system's.
///
/// A POSIX text names no entry of the database, so the link to one cannot be kept.
pub(super) fn set_zone(files: &Files, zone: &TimeZone) -> Result<(), HostError> {
    files.replace(LOCALTIME, &compiled(zone))
}

pub(super) fn source(files: &Files) -> TimeSource {
    if KEEPERS.iter().any(|keeper| files.exists(keeper)) { TimeSource::Ntp } else { TimeSource::Manual }
}

pub(super) fn set_source(files: &Files, source: TimeSource) -> Result<(), HostError> {
    if self::source(files) == source {
        return Ok(());
    }
    if !files.exists("run/systemd/system") {
        return Err(HostError::Unsupported("without systemd nothing on this machine switches time servers on or off"));
    }
    let wanted = if source == TimeSource::Ntp { "true" } else { "false" };
    run(Command::new("timedatectl").args(["set-ntp", wanted]), "switch time servers on or off")?;
    // The command asks systemd and does not wait for it; the clock cannot be set, nor the answer be read back, before.
    let deadline = Instant::now() + SWITCH_LIMIT;
    while self::source(files) != source {
        if Instant::now() > deadline {
            let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
            return Err(HostError::io("switch time servers on or off")(late));
        }
        std::thread::sleep(SWITCH_PAUSE);
    }
    Ok(())
}

pub(super) fn servers(files: &Files) -> Ntp {
    let names = match files.text(CHRONY) {
        Some(text) => chrony(files, &text),
        None => timesyncd(files),
    };
    let server = |name: String| name.parse().map_or(NtpServer::Name(name), NtpServer::Address);
    Ntp { from_dhcp: false, servers: names.into_iter().map(server).collect() }
}

pub(super) fn set_servers(files: &Files, ntp: &Ntp) -> Result<(), HostError> {
    if ntp.from_dhcp {
        return Err(HostError::Unsupported("the DHCP client of this machine is not ours to instruct"));
    }
    if files.exists(CHRONY) || !TIMESYNCD.iter().any(|program| files.exists(program)) {
        return Err(HostError::Unsupported("time servers can be set for systemd-timesyncd only"));
    }
    let names: Vec<String> = ntp.servers.iter().map(ToString::to_string).collect();
    // An empty value forgets the servers of earlier files.
    let text = format!("# Written by Belvedere.\n[Time]\nNTP=\nNTP={}\n", names.join(" "));
    files.replace(OUR_DROP_IN, text.as_bytes())?;
    if files.exists("run/systemd/system") {
        run(Command::new("systemctl").args(["try-restart", "systemd-timesyncd.service"]), "restart systemd-timesyncd")?;
    }
    Ok(())
}

impl std::fmt::Display for NtpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The servers of timesyncd.conf(5) and its drop-ins.
fn timesyncd(files: &Files) -> Vec<String> {
    let mut servers = Vec::new();
    let drop_ins = files.list("etc/systemd/timesyncd.conf.d", ".conf");
    for text in ["etc/systemd/timesyncd.conf".to_owned()].iter().chain(&drop_ins).filter_map(|path| files.text(path)) {
        for value in text.lines().filter_map(|line| line.trim().strip_prefix("NTP=")) {
            if value.trim().is_empty() {
                servers.clear();
            }
            servers.extend(value.split_whitespace().map(str::to_owned));
        }
    }
    servers
}

/// The servers of chrony.conf(5) and its source files.
fn chrony(files: &Files, text: &str) -> Vec<String> {
    let sources = files.list("etc/chrony/sources.d", ".sources").into_iter().filter_map(|path| files.text(&path));
    let texts: Vec<String> = [text.to_owned()].into_iter().chain(sources).collect();
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| ["server", "pool", "peer"].contains(word))?;
        words.next().map(str::to_owned)
    };
    texts.iter().flat_map(|text| text.lines()).filter_map(server).collect()
}

/// A time zone file of version 2: what counts is the footer (RFC 8536 section 3).
///
/// ```text
/// header, counts, one change, its type, one type, its name   for readers of version 1, with times of four octets
/// header, counts, one change, its type, one type, its name   version 2, with times of eight
/// \n POSIX text \n                                            for every moment after the last change
/// ```
/// The change lies in 1901 and changes nothing: the GNU C library ignores the footer of a file without changes.
fn compiled(zone: &TimeZone) -> Vec<u8> {
    let past = i64::from(i32::MIN);
    let block = |time: &[u8]| {
        let mut block = b"TZif2".to_vec();
        block.extend([0; 15]);
        // Universal-time and standard-time marks, leap seconds: none. One change, one type, four characters of names.
        for count in [0_u32, 0, 0, 1, 1, 4] {
            block.extend(count.to_be_bytes());
        }
        block.extend(time);
        // The change's type; the type: UTC, no summer time, the first name.
        block.extend([0; 7]);
        block.extend(b"UTC\0");
        block
    };
    let footer = format!("\n{}\n", zone.in_force()).into_bytes();
    [block(&i32::MIN.to_be_bytes()), block(&past.to_be_bytes()), footer].concat()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn files(content: &[(&str, &[u8])]) -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::below(folder.path().to_owned());
        for (path, bytes) in content {
            files.replace(path, bytes).unwrap();
        }
        (folder, files)
    }

    #[test]
    fn the_zone_is_the_footer_of_its_file() {
        let (_folder, files) = files(&[(LOCALTIME, b"TZif2...\nCET-1CEST,M3.5.0,M10.5.0/3\n")]);
        assert_eq!(zone(&files).as_str(), "CET-1CEST,M3.5.0,M10.5.0/3");
        let new: TimeZone = "<+0545>-5:45".parse().unwrap();
        set_zone(&files, &new).unwrap();
        assert_eq!(zone(&files), new);
        files.replace(LOCALTIME, b"rubbish").unwrap();
        assert_eq!(zone(&files), TimeZone::utc());
        fs::remove_file(files.path(LOCALTIME)).unwrap();
        assert_eq!(zone(&files), TimeZone::utc());
    }

    #[test]
    fn a_link_into_the_database_is_replaced_and_the_database_is_not() {
        let (_folder, files) = files(&[("usr/share/zoneinfo/X", b"\nUTC0\n"), ("etc/x", b"")]);
        std::os::unix::fs::symlink(files.path("usr/share/zoneinfo/X"), files.path(LOCALTIME)).unwrap();
        set_zone(&files, &"EST5".parse().unwrap()).unwrap();
        assert_eq!(zone(&files).as_str(), "EST5");
        assert_eq!(files.bytes("usr/share/zoneinfo/X").unwrap(), b"\nUTC0\n");
    }

    #[test]
    fn a_written_zone_is_what_the_system_makes_of_it() {
        // The C library must agree, so ask a program that uses it.
        let (_folder, files) = files(&[(LOCALTIME, &compiled(&"<+0545>-5:45".parse().unwrap()))]);
        let date = |zone: &std::ffi::OsStr| {
            Command::new("date").args(["-d", "@0", "+%H:%M %z"]).env("TZ", zone).output().unwrap()
        };
        let shown = date(files.path(LOCALTIME).as_os_str());
        assert_eq!(String::from_utf8_lossy(&shown.stdout).trim(), "05:45 +0545");
    }

    #[test]
    fn time_servers_are_set_for_timesyncd_only() {
        let program = (TIMESYNCD[0], b"".as_slice());
        let (_folder, machine) =
            files(&[("etc/systemd/timesyncd.conf", b"[Time]\n#NTP=no\nNTP=a.example 192.0.2.9\n"), program]);
        let named = |name: &str| NtpServer::Name(name.into());
        let address = NtpServer::Address("192.0.2.9".parse().unwrap());
        assert_eq!(servers(&machine).servers, [named("a.example"), address]);
        let new = Ntp { from_dhcp: false, servers: vec![named("b.example")] };
        set_servers(&machine, &new).unwrap();
        assert_eq!(servers(&machine), new);

        let text = b"pool 2.pool.example iburst\nserver 192.0.2.9\n# server no\ndriftfile /var\n".as_slice();
        let (_folder, machine) = files(&[(CHRONY, text), program]);
        assert_eq!(servers(&machine).servers.len(), 2);
        assert!(matches!(set_servers(&machine, &new), Err(HostError::Unsupported(_))));
        let (_folder, bare) = files(&[]);
        assert!(matches!(set_servers(&bare, &new), Err(HostError::Unsupported(_))));
    }

    #[test]
    fn somebody_keeps_the_clock_or_nobody() {
        let (_folder, machine) = files(&[]);
        assert_eq!(source(&machine), TimeSource::Manual);
        assert!(set_source(&machine, TimeSource::Manual).is_ok());
        assert!(matches!(set_source(&machine, TimeSource::Ntp), Err(HostError::Unsupported(_))));
        machine.replace("run/chrony/chronyd.pid", b"1").unwrap();
        assert_eq!(source(&machine), TimeSource::Ntp);
    }
}
