//! The machine that doors speak of, and how it starts again.

use std::{io, sync::Arc};

use tokio::sync::Notify;

use super::{reset, reset::Reset};
use crate::{
    base::clock::Clock,
    config,
    host::{Host, HostClock, HostError, InterfaceList, Linux, Manage, Sim, SimHooks, SimState},
    onvif::Power,
    store::{self, Store, StoreError},
};

/// The setting that holds what was set of a simulated machine.
pub(super) const SIMULATED: &str = "host.simulated";

/// The machine with its clock and its switch.
pub(super) struct Machine {
    pub(super) host: Arc<dyn Host>,
    pub(super) interfaces: Arc<InterfaceList>,
    /// The wall clock that clients see and set.
    pub(super) clock: Arc<dyn Clock>,
    pub(super) power: Arc<dyn Power>,
}

/// Asks the server to end in good order and to start again.
#[derive(Debug, Clone, Default)]
pub(super) struct Restart(Arc<Notify>);

impl Restart {
    fn ask(&self) {
        self.0.notify_one();
    }

    /// Waits until somebody asks.
    pub(super) async fn asked(&self) {
        self.0.notified().await;
    }
}

impl Machine {
    /// Takes the machine that the configuration names. Blocks on the disk.
    ///
    /// # Errors
    /// What was set of a simulated machine cannot be read.
    pub(super) fn open(machine: config::Machine, store: &Arc<Store>, restart: &Restart) -> Result<Self, StoreError> {
        let host: Arc<dyn Host> = match machine {
            config::Machine::Real => Arc::new(Linux::new(Manage::No)),
            config::Machine::Managed => Arc::new(Linux::new(Manage::Yes)),
            config::Machine::Simulated => {
                let set = store.read(|connection| store::get_setting(connection, SIMULATED))?;
                let hooks = Hooks { store: Arc::clone(store), restart: restart.clone() };
                Arc::new(Sim::new(Arc::new(Linux::new(Manage::No)), set.unwrap_or_default(), hooks))
            }
        };
        let power = Switch { host: Arc::clone(&host), store: Arc::clone(store), restart: restart.clone() };
        Ok(Self {
            interfaces: Arc::new(InterfaceList::new(Arc::clone(&host))),
            clock: Arc::new(HostClock::new(Arc::clone(&host))),
            power: Arc::new(power),
            host,
        })
    }
}

/// What the server does for a simulated machine.
struct Hooks {
    store: Arc<Store>,
    restart: Restart,
}

impl SimHooks for Hooks {
    fn persist(&self, state: &SimState) -> io::Result<()> {
        let kept = self.store.write(|tx| store::put_setting(tx, SIMULATED, state));
        kept.map_err(|error: StoreError| io::Error::other(error.to_string()))
    }

    fn reboot(&self) -> io::Result<()> {
        self.restart.ask();
        Ok(())
    }
}

struct Switch {
    host: Arc<dyn Host>,
    store: Arc<Store>,
    restart: Restart,
}

impl Power for Switch {
    fn reboot(&self) -> Result<(), HostError> {
        self.host.reboot()
    }

    /// Only what this server keeps is reset, so only this server has to start again, on whatever machine.
    fn factory_default(&self, hard: bool) -> Result<(), HostError> {
        let reset = if hard { Reset::Hard } else { Reset::Soft };
        let asked = reset::ask(&self.store, reset).map_err(|error| io::Error::other(error.to_string()));
        asked.map_err(HostError::io("keep the request for factory defaults"))?;
        self.restart.ask();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::clock::UtcTime, host::NewHostname, state::MIGRATIONS};

    #[tokio::test]
    async fn a_simulated_machine_remembers_and_restarts_the_server() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&directory.path().join("test.db"), MIGRATIONS).unwrap());
        let restart = Restart::default();
        let open = || Machine::open(config::Machine::Simulated, &store, &restart).unwrap();
        let machine = open();
        machine.host.set_hostname(&NewHostname::Name("door-1".into())).unwrap();
        machine.host.set_time_source(crate::host::TimeSource::Manual).unwrap();
        machine.host.set_utc(UtcTime::from_nanos(1_000_000_000)).unwrap();
        let machine = open();
        assert_eq!(machine.host.hostname().unwrap().name, "door-1");
        assert!(machine.clock.utc().nanos_from(UtcTime::from_nanos(1_000_000_000)) < 60_000_000_000);
        machine.power.reboot().unwrap();
        restart.asked().await;
    }

    #[test]
    fn a_machine_that_is_not_ours_is_not_restarted() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&directory.path().join("test.db"), MIGRATIONS).unwrap());
        let machine = Machine::open(config::Machine::Real, &store, &Restart::default()).unwrap();
        assert!(matches!(machine.power.reboot(), Err(HostError::NotManaged)));
    }
}
