//! The real machine.
//!
//! Read from the kernel and from the files of a plain Debian; several programs may own a setting, and the one in charge is
//! asked. Changed only if the machine is ours to manage, and only where the change lasts beyond a reboot.

mod files;
mod interfaces;
mod names;
mod routes;
mod time;

use std::{path::PathBuf, process::Command};

use rustix::time::{ClockId, Timespec, clock_settime};

use self::files::Files;
use super::{
    Applied, Dns, Gateways, Host, HostError, Hostname, Interface, InterfaceSettings, NewHostname, Ntp, TimeSource,
    TimeZone, check,
};
use crate::base::clock::{Clock, SystemClock, UtcTime};

/// Whether the machine's settings are ours to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manage {
    /// They are: a setting changes the machine.
    Yes,
    /// They are somebody else's: every setting is [`HostError::NotManaged`].
    No,
}

/// The real machine.
#[derive(Debug)]
pub struct Linux {
    files: Files,
    manage: Manage,
}

impl Linux {
    /// Speaks for the machine that we run on.
    pub fn new(manage: Manage) -> Self {
        Self { files: Files::below(PathBuf::from("/")), manage }
    }

    fn managed(&self) -> Result<(), HostError> {
        match self.manage {
            Manage::Yes => Ok(()),
            Manage::No => Err(HostError::NotManaged),
        }
    }
}

impl Host for Linux {
    fn takes_settings(&self) -> bool {
        self.managed().is_ok()
    }

    fn utc(&self) -> UtcTime {
        SystemClock.utc()
    }

    fn time_zone(&self) -> TimeZone {
        time::zone(&self.files)
    }

    fn time_source(&self) -> TimeSource {
        time::source(&self.files)
    }

    fn hostname(&self) -> Result<Hostname, HostError> {
        names::hostname(&self.files)
    }

    fn interfaces(&self) -> Result<Vec<Interface>, HostError> {
        interfaces::all(&self.files)
    }

    fn dns(&self) -> Result<Dns, HostError> {
        names::dns(&self.files)
    }

    fn ntp(&self) -> Result<Ntp, HostError> {
        Ok(time::servers(&self.files))
    }

    fn gateways(&self) -> Result<Gateways, HostError> {
        Ok(routes::gateways(&self.files))
    }

    fn set_utc(&self, utc: UtcTime) -> Result<(), HostError> {
        self.managed()?;
        if self.time_source() == TimeSource::Ntp {
            return Err(HostError::Invalid("the clock is set by time servers".into()));
        }
        let nanos = utc.as_nanos();
        let time = Timespec { tv_sec: (nanos / 1_000_000_000) as i64, tv_nsec: (nanos % 1_000_000_000) as i64 };
        clock_settime(ClockId::Realtime, time).map_err(|errno| HostError::io("set the clock")(errno.into()))
    }

    fn set_time_zone(&self, zone: &TimeZone) -> Result<(), HostError> {
        self.managed()?;
        time::set_zone(&self.files, zone)
    }

    fn set_time_source(&self, source: TimeSource) -> Result<(), HostError> {
        self.managed()?;
        time::set_source(&self.files, source)
    }

    fn set_hostname(&self, hostname: &NewHostname) -> Result<(), HostError> {
        self.managed()?;
        match hostname {
            NewHostname::Name(name) => {
                check::name(name)?;
                names::set_hostname(&self.files, name)
            }
            NewHostname::FromDhcp => {
                Err(HostError::Unsupported("the DHCP client of this machine is not ours to instruct"))
            }
        }
    }

    /// Addresses belong to whatever configures the network at boot (ifupdown, systemd-networkd, NetworkManager); one set
    /// past it would be gone with the next lease or reboot.
    fn set_interface(&self, _: &str, settings: &InterfaceSettings) -> Result<Applied, HostError> {
        self.managed()?;
        check::interface(settings)?;
        Err(HostError::Unsupported("addresses are set by the network manager of this machine"))
    }

    fn set_dns(&self, dns: &Dns) -> Result<(), HostError> {
        self.managed()?;
        check::dns(dns)?;
        names::set_dns(&self.files, dns)
    }

    fn set_ntp(&self, ntp: &Ntp) -> Result<(), HostError> {
        self.managed()?;
        check::ntp(ntp)?;
        time::set_servers(&self.files, ntp)
    }

    /// See [`set_interface`](Self::set_interface).
    fn set_gateways(&self, gateways: &Gateways) -> Result<(), HostError> {
        self.managed()?;
        check::gateways(gateways)?;
        Err(HostError::Unsupported("gateways are set by the network manager of this machine"))
    }

    fn reboot(&self) -> Result<(), HostError> {
        self.managed()?;
        let program = if self.files.exists("run/systemd/system") { "systemctl" } else { "shutdown" };
        let arguments: &[&str] = if program == "systemctl" { &["reboot"] } else { &["-r", "now"] };
        run(Command::new(program).args(arguments), "reboot")
    }
}

/// Runs a program to its end.
fn run(command: &mut Command, doing: &str) -> Result<(), HostError> {
    let output = command.output().map_err(HostError::io(doing))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().next().unwrap_or("it failed and did not say why").to_owned();
    Err(HostError::io(doing)(std::io::Error::other(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_read() {
        let host = Linux::new(Manage::No);
        let interfaces = host.interfaces().unwrap();
        let loopback = interfaces.iter().find(|interface| interface.loopback).unwrap();
        assert!(loopback.index > 0 && loopback.mac.is_none());
        if loopback.up {
            assert!(host.came_in_on("127.0.0.1".parse().unwrap()).is_some_and(|found| found.loopback));
        }
        assert!(!host.hostname().unwrap().name.is_empty());
        assert!(host.time_zone().as_str().len() >= 4);
        assert!(host.utc() > UtcTime::from_nanos(1_700_000_000_000_000_000));
        host.ntp().unwrap();
        host.gateways().unwrap();
    }

    #[test]
    fn a_machine_that_is_not_ours_refuses_every_setting() {
        let host = Linux::new(Manage::No);
        let settings = host.interfaces().unwrap()[0].settings.clone();
        let refused = [
            host.set_utc(UtcTime::from_nanos(0)),
            host.set_time_zone(&TimeZone::utc()),
            host.set_time_source(TimeSource::Manual),
            host.set_hostname(&NewHostname::Name("a".into())),
            host.set_interface("lo", &settings).map(drop),
            host.set_dns(&Dns::default()),
            host.set_ntp(&Ntp::default()),
            host.set_gateways(&Gateways::default()),
            host.reboot(),
        ];
        for result in refused {
            assert!(matches!(result, Err(HostError::NotManaged)), "{result:?}");
        }
    }
}
