//! A machine whose settings are kept beside it: what is set is remembered and shown, and nothing is changed.
//!
//! What was not set is read from the machine below. Addresses stay those of the real interfaces, because that is where the
//! server answers; an interface's new settings are said to take hold at the next reboot, which never gives the machine others.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use super::{
    Applied, Dns, Gateways, Host, HostError, Hostname, Interface, InterfaceSettings, NewHostname, Ntp, TimeSource,
    TimeZone, check,
};
use crate::base::clock::UtcTime;

/// Everything that was set. What is absent was not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SimState {
    /// Nanoseconds to add to the machine's wall clock.
    pub clock_offset: i64,
    /// The time zone.
    pub time_zone: Option<TimeZone>,
    /// Whether the summer time of that time zone is kept.
    pub daylight_saving: Option<bool>,
    /// Who sets the clock.
    pub time_source: Option<TimeSource>,
    /// The host name.
    pub hostname: Option<String>,
    /// Settings of interfaces, by name.
    pub interfaces: BTreeMap<String, InterfaceSettings>,
    /// Name servers.
    pub dns: Option<Dns>,
    /// Time servers.
    pub ntp: Option<Ntp>,
    /// Default gateways.
    pub gateways: Option<Gateways>,
}

/// What the caller does for a [`Sim`].
pub trait SimHooks: Send + Sync {
    /// Keeps the state across restarts. Where it fails, the setting is refused and nothing changes. It may not call the host.
    fn persist(&self, state: &SimState) -> io::Result<()>;

    /// Stands for a reboot; returns before that happens.
    fn reboot(&self) -> io::Result<()>;
}

/// The machine below, except what was set.
pub struct Sim {
    real: Arc<dyn Host>,
    hooks: Box<dyn SimHooks>,
    state: Mutex<SimState>,
    /// The state's offset, for those who read the clock often.
    clock_offset: AtomicI64,
}

impl Sim {
    /// Starts from the machine's readings and what was set in earlier runs.
    pub fn new(real: Arc<dyn Host>, state: SimState, hooks: impl SimHooks + 'static) -> Self {
        let clock_offset = AtomicI64::new(state.clock_offset);
        Self { real, hooks: Box::new(hooks), state: Mutex::new(state), clock_offset }
    }

    /// Everything that was set.
    pub fn state(&self) -> SimState {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, SimState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a copy, has it kept, and takes it.
    fn change(&self, change: impl FnOnce(&mut SimState)) -> Result<(), HostError> {
        let mut state = self.lock();
        let mut changed = state.clone();
        change(&mut changed);
        self.hooks.persist(&changed).map_err(HostError::io("keep the setting"))?;
        self.clock_offset.store(changed.clock_offset, Ordering::Relaxed);
        *state = changed;
        Ok(())
    }
}

impl Host for Sim {
    fn utc(&self) -> UtcTime {
        self.real.utc().offset(self.clock_offset.load(Ordering::Relaxed))
    }

    fn time_zone(&self) -> TimeZone {
        let (zone, daylight_saving) = {
            let state = self.lock();
            (state.time_zone.clone(), state.daylight_saving)
        };
        let zone = zone.unwrap_or_else(|| self.real.time_zone());
        let kept = daylight_saving.unwrap_or(zone.has_daylight_saving());
        zone.with_daylight_saving(kept)
    }

    fn time_source(&self) -> TimeSource {
        let set = self.lock().time_source;
        set.unwrap_or_else(|| self.real.time_source())
    }

    fn hostname(&self) -> Result<Hostname, HostError> {
        match self.lock().hostname.clone() {
            Some(name) => Ok(Hostname { name, from_dhcp: false }),
            None => self.real.hostname(),
        }
    }

    fn interfaces(&self) -> Result<Vec<Interface>, HostError> {
        let mut interfaces = self.real.interfaces()?;
        let state = self.lock();
        for interface in &mut interfaces {
            if let Some(settings) = state.interfaces.get(&interface.name) {
                interface.settings.clone_from(settings);
            }
        }
        Ok(interfaces)
    }

    fn dns(&self) -> Result<Dns, HostError> {
        let set = self.lock().dns.clone();
        set.map_or_else(|| self.real.dns(), Ok)
    }

    fn ntp(&self) -> Result<Ntp, HostError> {
        let set = self.lock().ntp.clone();
        set.map_or_else(|| self.real.ntp(), Ok)
    }

    fn gateways(&self) -> Result<Gateways, HostError> {
        let set = self.lock().gateways.clone();
        set.map_or_else(|| self.real.gateways(), Ok)
    }

    fn set_utc(&self, utc: UtcTime) -> Result<(), HostError> {
        if self.time_source() == TimeSource::Ntp {
            return Err(HostError::Invalid("the clock is set by time servers".into()));
        }
        let offset = utc.nanos_from(self.real.utc());
        self.change(|state| state.clock_offset = offset)
    }

    fn set_time_zone(&self, zone: &TimeZone) -> Result<(), HostError> {
        self.change(|state| {
            state.time_zone = Some(zone.clone());
            state.daylight_saving = Some(zone.has_daylight_saving());
        })
    }

    /// Time servers bring the clock back to the machine's.
    fn set_time_source(&self, source: TimeSource) -> Result<(), HostError> {
        self.change(|state| {
            state.time_source = Some(source);
            if source == TimeSource::Ntp {
                state.clock_offset = 0;
            }
        })
    }

    /// The name that DHCP gave is the machine's own.
    fn set_hostname(&self, hostname: &NewHostname) -> Result<(), HostError> {
        match hostname {
            NewHostname::Name(name) => {
                check::name(name)?;
                self.change(|state| state.hostname = Some(name.clone()))
            }
            NewHostname::FromDhcp if self.real.hostname()?.from_dhcp => self.change(|state| state.hostname = None),
            NewHostname::FromDhcp => Err(HostError::Unsupported("DHCP gives this machine no host name")),
        }
    }

    fn set_interface(&self, name: &str, settings: &InterfaceSettings) -> Result<Applied, HostError> {
        check::interface(settings)?;
        if !self.real.interfaces()?.iter().any(|interface| interface.name == name) {
            return Err(HostError::Invalid(format!("there is no interface {name:?}")));
        }
        self.change(|state| drop(state.interfaces.insert(name.to_owned(), settings.clone())))?;
        Ok(Applied::AtReboot)
    }

    /// Servers that DHCP gives are the machine's own.
    fn set_dns(&self, dns: &Dns) -> Result<(), HostError> {
        check::dns(dns)?;
        let mut set = dns.clone();
        if dns.from_dhcp {
            set.servers = self.real.dns()?.servers;
        }
        self.change(|state| state.dns = Some(set))
    }

    fn set_ntp(&self, ntp: &Ntp) -> Result<(), HostError> {
        check::ntp(ntp)?;
        let mut set = ntp.clone();
        if ntp.from_dhcp {
            set.servers = self.real.ntp()?.servers;
        }
        self.change(|state| state.ntp = Some(set))
    }

    fn set_gateways(&self, gateways: &Gateways) -> Result<(), HostError> {
        check::gateways(gateways)?;
        self.change(|state| state.gateways = Some(gateways.clone()))
    }

    fn reboot(&self) -> Result<(), HostError> {
        self.hooks.reboot().map_err(HostError::io("restart"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::{super::network::tests::interface, *};

    /// A machine with one interface, at rest.
    struct Still;

    impl Host for Still {
        fn utc(&self) -> UtcTime {
            UtcTime::from_nanos(1_000_000_000_000)
        }
        fn time_zone(&self) -> TimeZone {
            TimeZone::utc()
        }
        fn time_source(&self) -> TimeSource {
            TimeSource::Ntp
        }
        fn hostname(&self) -> Result<Hostname, HostError> {
            Ok(Hostname { name: "still".into(), from_dhcp: true })
        }
        fn interfaces(&self) -> Result<Vec<Interface>, HostError> {
            Ok(vec![interface("eth0", 2, Some([2, 0, 0, 0, 0, 1]), &[("192.0.2.2", 24)])])
        }
        fn dns(&self) -> Result<Dns, HostError> {
            Ok(Dns { from_dhcp: true, servers: vec!["192.0.2.53".parse().unwrap()], search: Vec::new() })
        }
        fn ntp(&self) -> Result<Ntp, HostError> {
            Ok(Ntp::default())
        }
        fn gateways(&self) -> Result<Gateways, HostError> {
            Ok(Gateways::default())
        }
        fn set_utc(&self, _: UtcTime) -> Result<(), HostError> {
            Err(HostError::NotManaged)
        }
        fn set_time_zone(&self, _: &TimeZone) -> Result<(), HostError> {
            Err(HostError::NotManaged)
        }
        fn set_time_source(&self, _: TimeSource) -> Result<(), HostError> {
            Err(HostError::NotManaged)
        }
        fn set_hostname(&self, _: &NewHostname) -> Result<(), HostError> {
            Err(HostError::NotManaged)
        }
        fn set_interface(&self, _: &str, _: &InterfaceSettings) -> Result<Applied, HostError> {
            Err(HostError::NotManaged)
        }
        fn set_dns(&self, _: &Dns) -> Result<(), HostError> {
            Err(HostError::NotManaged)
        }
        fn set_ntp(&self, _: &Ntp) -> Result<(), HostError> {
            Err(HostError::NotManaged)
        }
        fn set_gateways(&self, _: &Gateways) -> Result<(), HostError> {
            Err(HostError::NotManaged)
        }
        fn reboot(&self) -> Result<(), HostError> {
            Err(HostError::NotManaged)
        }
    }

    /// Keeps the state in memory, or has no room for it.
    #[derive(Clone, Default)]
    struct Memory {
        kept: Arc<Mutex<SimState>>,
        full: bool,
        calls: Arc<AtomicUsize>,
    }

    impl SimHooks for Memory {
        fn persist(&self, state: &SimState) -> io::Result<()> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            if self.full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            *self.kept.lock().unwrap() = state.clone();
            Ok(())
        }

        fn reboot(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sim(state: SimState) -> (Sim, Memory) {
        let memory = Memory::default();
        (Sim::new(Arc::new(Still), state, memory.clone()), memory)
    }

    #[test]
    fn what_is_set_is_shown_and_survives_a_restart() {
        // X11
        let (host, memory) = sim(SimState::default());
        assert_eq!(host.hostname().unwrap().name, "still");
        host.set_time_source(TimeSource::Manual).unwrap();
        host.set_utc(UtcTime::from_nanos(5_000_000_000)).unwrap();
        let zone: TimeZone = "CET-1CEST,M3.5.0,M10.5.0/3".parse().unwrap();
        host.set_time_zone(&zone.with_daylight_saving(false)).unwrap();
        host.set_hostname(&NewHostname::Name("camera-1".into())).unwrap();
        let dns = Dns { from_dhcp: false, servers: vec!["::1".parse().unwrap()], search: vec!["example".into()] };
        host.set_dns(&dns).unwrap();
        let mut settings = host.interfaces().unwrap()[0].settings.clone();
        settings.mtu = Some(1400);
        assert_eq!(host.set_interface("eth0", &settings).unwrap(), Applied::AtReboot);

        let text = serde_json::to_string(&*memory.kept.lock().unwrap()).unwrap();
        let (host, _) = sim(serde_json::from_str(&text).unwrap());
        assert_eq!(host.utc(), UtcTime::from_nanos(5_000_000_000));
        assert_eq!(host.time_zone().as_str(), "CET-1CEST,M3.5.0,M10.5.0/3");
        assert!(!host.time_zone().has_daylight_saving());
        assert_eq!(host.hostname().unwrap(), Hostname { name: "camera-1".into(), from_dhcp: false });
        assert_eq!(host.dns().unwrap(), dns);
        let interface = host.came_in_on("192.0.2.2".parse().unwrap()).unwrap();
        assert_eq!(interface.settings, settings);
        assert_eq!(interface.addresses.len(), 1, "the real address stays");
    }

    #[test]
    fn time_servers_bring_the_clock_back() {
        let (host, _) = sim(SimState { time_source: Some(TimeSource::Manual), ..SimState::default() });
        host.set_utc(UtcTime::from_nanos(5)).unwrap();
        host.set_time_source(TimeSource::Ntp).unwrap();
        assert_eq!(host.utc(), Still.utc());
        assert!(matches!(host.set_utc(UtcTime::from_nanos(5)), Err(HostError::Invalid(_))));
    }

    #[test]
    fn a_setting_that_cannot_be_kept_or_makes_no_sense_changes_nothing() {
        let memory = Memory { full: true, ..Memory::default() };
        let host = Sim::new(Arc::new(Still), SimState::default(), memory.clone());
        let named = |name: &str| host.set_hostname(&NewHostname::Name(name.into()));
        assert!(matches!(named("bad name"), Err(HostError::Invalid(_))));
        assert_eq!(memory.calls.load(Ordering::Relaxed), 0);
        assert!(matches!(named("good"), Err(HostError::Io { .. })));
        assert_eq!(host.state(), SimState::default());
        let settings = host.interfaces().unwrap()[0].settings.clone();
        assert!(matches!(host.set_interface("eth9", &settings), Err(HostError::Invalid(_))));
    }
}
