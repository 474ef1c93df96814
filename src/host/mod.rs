//! What the machine is: its clock, its name, its network; behind one trait, so that doors need not know whether it is ours to
//! change.
//!
//! | back-end | reads | a setting |
//! |---|---|---|
//! | [`Linux`] | the real machine | changes it, if it is managed by us; else [`HostError::NotManaged`] |
//! | [`Sim`] | the real machine, except what was set | is kept beside it, and handed to the caller to be kept across restarts |
//!
//! A setting that cannot be carried out is an error, never a pretended success. Every call may read files, so none belongs
//! into a path that is taken per packet.

mod check;
mod linux;
mod list;
mod network;
mod sim;
mod time_zone;

use std::{io, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

pub use self::{
    check::MAX_ENTRIES,
    linux::{Linux, Manage},
    list::InterfaceList,
    network::{
        Address, Applied, BadMacAddress, Dns, Gateways, Hostname, Interface, InterfaceSettings, IpSettings, MacAddress,
        Ntp, NtpServer, came_in_on,
    },
    sim::{Sim, SimHooks, SimState},
    time_zone::{BadTimeZone, LocalTime, TimeZone},
};
use crate::base::clock::{Clock, MonoTime, SystemClock, UtcTime};

/// Why the machine did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The machine's settings are not ours to change.
    #[error("this machine's settings are managed by its owner")]
    NotManaged,
    /// The setting makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The machine has no way to do this, or something else on it is in charge.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The system refused.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system says.
        source: io::Error,
    },
}

impl HostError {
    /// Tells what was tried when the system refused; to be used with `map_err`.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// Who sets the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeSource {
    /// People do.
    Manual,
    /// Time servers do.
    Ntp,
}

/// A new host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewHostname {
    /// This one.
    Name(String),
    /// Whatever DHCP says.
    FromDhcp,
}

/// The machine.
pub trait Host: Send + Sync {
    /// The wall clock.
    fn utc(&self) -> UtcTime;

    /// The time zone.
    fn time_zone(&self) -> TimeZone;

    /// Who sets the clock.
    fn time_source(&self) -> TimeSource;

    /// The host name.
    fn hostname(&self) -> Result<Hostname, HostError>;

    /// All interfaces, by index.
    fn interfaces(&self) -> Result<Vec<Interface>, HostError>;

    /// Whether settings can be changed here; otherwise every one is [`HostError::NotManaged`].
    fn takes_settings(&self) -> bool {
        true
    }

    /// Name servers.
    fn dns(&self) -> Result<Dns, HostError>;

    /// Time servers.
    fn ntp(&self) -> Result<Ntp, HostError>;

    /// Default gateways.
    fn gateways(&self) -> Result<Gateways, HostError>;

    /// Sets the wall clock. Refused as invalid while time servers set it.
    fn set_utc(&self, utc: UtcTime) -> Result<(), HostError>;

    /// Sets the time zone.
    fn set_time_zone(&self, zone: &TimeZone) -> Result<(), HostError>;

    /// Says who sets the clock.
    fn set_time_source(&self, source: TimeSource) -> Result<(), HostError>;

    /// Sets the host name.
    fn set_hostname(&self, hostname: &NewHostname) -> Result<(), HostError>;

    /// Sets an interface, found by its name.
    fn set_interface(&self, name: &str, settings: &InterfaceSettings) -> Result<Applied, HostError>;

    /// Sets the name servers.
    fn set_dns(&self, dns: &Dns) -> Result<(), HostError>;

    /// Sets the time servers.
    fn set_ntp(&self, ntp: &Ntp) -> Result<(), HostError>;

    /// Sets the default gateways.
    fn set_gateways(&self, gateways: &Gateways) -> Result<(), HostError>;

    /// Restarts the machine, or what stands for it; returns before that happens.
    fn reboot(&self) -> Result<(), HostError>;

    /// Finds the interface that a client came in on, by the local address of its connection.
    fn came_in_on(&self, local: IpAddr) -> Option<Interface> {
        came_in_on(&self.interfaces().ok()?, local).cloned()
    }
}

/// The clocks of the machine, with the wall clock as the host shows it.
#[derive(Clone)]
pub struct HostClock(Arc<dyn Host>);

impl HostClock {
    /// Reads the wall clock of this host.
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self(host)
    }
}

impl Clock for HostClock {
    fn mono(&self) -> MonoTime {
        SystemClock.mono()
    }

    fn utc(&self) -> UtcTime {
        self.0.utc()
    }
}
