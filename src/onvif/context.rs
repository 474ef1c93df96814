//! What all services of one camera share.

use std::{sync::Arc, time::Duration};

use super::{
    soap::fault::{Code, Fault, Generic},
    visit::Visit,
};
use crate::{
    auth::{Gate, Users},
    base::clock::Clock,
    camera::{Camera, Device},
    host::{Host, HostError, Interface, InterfaceList, MacAddress},
};

/// What is made of the machine's end: declared here, implemented by the composition root.
pub trait Power: Send + Sync {
    /// Leaves the network, and starts the device again. Returns before that happens.
    ///
    /// # Errors
    /// The machine is not ours to restart.
    fn reboot(&self) -> Result<(), HostError>;

    /// Forgets what doors have set, and starts again; `hard` forgets users and network settings too.
    ///
    /// # Errors
    /// What cannot be forgotten, or the machine is not ours to restart.
    fn factory_default(&self, hard: bool) -> Result<(), HostError>;
}

/// What the program says it is.
#[derive(Debug, Clone)]
pub struct Facts {
    /// `Manufacturer`.
    pub manufacturer: String,
    /// `Model`.
    pub model: String,
    /// `FirmwareVersion`.
    pub firmware: String,
    /// `HardwareId`.
    pub hardware: String,
}

/// One camera with all that its services need.
pub struct Context {
    /// The camera.
    pub camera: Arc<Camera>,
    /// The camera as a device on the network.
    pub device: Arc<Device>,
    /// The users of the machine.
    pub users: Arc<Users>,
    /// The check of users.
    pub gate: Arc<Gate>,
    /// The machine.
    pub host: Arc<dyn Host>,
    /// Its network interfaces, as somebody reads them every few seconds.
    pub interfaces: Arc<InterfaceList>,
    /// Its clocks; the wall clock is the one that clients see and set.
    pub clock: Arc<dyn Clock>,
    /// Restarting it.
    pub power: Arc<dyn Power>,
    /// What the program says it is.
    pub facts: Facts,
    /// The port of the RTSP listener, if there is one.
    pub rtsp_port: Option<u16>,
    /// The port of the web listener.
    pub http_port: u16,
    /// The host that addresses name, if the configuration fixes it.
    pub advertised_host: Option<String>,
    /// The announced session timeout of RTSP.
    pub session_timeout: Duration,
}

impl Context {
    /// The hardware address that this client is told, everywhere the same.
    pub fn hardware_address(&self, interfaces: &[Interface], visit: &Visit) -> MacAddress {
        self.device.hardware_address(interfaces, Some(visit.local.ip()))
    }

    /// The permanent address of a profile's stream (TR-13).
    pub fn stream_uri(&self, visit: &Visit, profile: &str) -> Option<String> {
        Some(format!("{}/{}/p/{profile}", visit.rtsp(self.rtsp_port?), self.camera.id()))
    }

    /// The same through a tunnel on the web port (TR-14).
    pub fn tunnel_uri(&self, visit: &Visit, profile: &str) -> String {
        format!("{}/{}/p/{profile}", visit.http(), self.camera.id())
    }

    /// The address of a profile's snapshot (SN-2).
    pub fn snapshot_uri(&self, visit: &Visit, profile: &str) -> String {
        format!("{}/snapshot/{}/{profile}", visit.http(), self.camera.id())
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("camera", &self.camera.id()).finish_non_exhaustive()
    }
}

/// What a client is told of a machine that did not do as it was told.
pub(super) fn host_fault(error: &HostError) -> Fault {
    match error {
        HostError::NotManaged | HostError::Unsupported(_) => {
            Fault::new(Generic::ActionNotSupported).reason(error.to_string())
        }
        HostError::Invalid(_) => Fault::new(Generic::InvalidArgVal).reason(error.to_string()),
        HostError::Io { .. } => {
            tracing::warn!(%error, "the machine refused a setting");
            Fault::new(Generic::Action).with_code(Code::Receiver).reason("the machine refused the setting")
        }
    }
}
