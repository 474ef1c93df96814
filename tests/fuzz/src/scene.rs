//! A camera with its web services and no network, the same for every input.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use belvedere::auth::{DeviceKey, Gate, GuessLimits, InMemory, Level, NewUser, Users};
use belvedere::base::clock::{Clock, MonoTime, UtcTime};
use belvedere::base::redact::Redacted;
use belvedere::camera::{Camera, CameraSettings, Device, SourceChange, SourceControl};
use belvedere::config::CameraConfig;
use belvedere::host::{Host, HostError, InterfaceList, Linux, Manage, Sim, SimHooks, SimState};
use belvedere::hub::RingLimits;
use belvedere::onvif::{Context, Facts, OnvifDoor, Power};
use belvedere::store::{CREATE_SETTINGS, Store};
use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use hyper::Request;
use tokio::runtime::{Builder, Runtime};

/// The users, whose passwords are [`PASSWORD`] behind their names.
pub const USERS: [(&str, Level); 3] =
    [("admin", Level::Administrator), ("operator", Level::Operator), ("user", Level::User)];
/// What no input can know.
pub const PASSWORD: &str = "-9f1c0de-of-the-scene";
/// The time, which stands still: 2026-01-01.
pub const NOW: u64 = 1_767_225_600;

/// The services of a test pattern camera on a simulated machine.
pub struct Scene {
    door: OnvifDoor,
    _directory: tempfile::TempDir,
}

/// Everything that is done to the machine and to the source succeeds and changes nothing.
struct Nothing;

impl Clock for Nothing {
    fn mono(&self) -> MonoTime {
        MonoTime::from_nanos(NOW)
    }

    fn utc(&self) -> UtcTime {
        UtcTime::from_nanos(NOW * 1_000_000_000)
    }
}

impl SourceControl for Nothing {
    fn apply<'a>(&'a self, _: &'a SourceChange) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(ready(Ok(())))
    }
}

impl Power for Nothing {
    fn reboot(&self) -> Result<(), HostError> {
        Ok(())
    }

    fn factory_default(&self, _: bool) -> Result<(), HostError> {
        Ok(())
    }
}

impl SimHooks for Nothing {
    fn persist(&self, _: &SimState) -> std::io::Result<()> {
        Ok(())
    }

    fn reboot(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The camera that there is without a configuration.
fn settings() -> CameraSettings {
    CameraConfig::pattern("cam", RingLimits::default()).settings
}

/// Where a database costs little: in memory, if there is a file system there.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let builder = tempfile::Builder::new();
    let found = if fs::metadata(memory).is_ok() { builder.tempdir_in(memory) } else { builder.tempdir() };
    found.expect("a directory")
}

impl Scene {
    /// As every input finds it.
    pub fn new() -> Self {
        let directory = directory();
        let store = Store::open(&directory.path().join("test.db"), &[CREATE_SETTINGS]).expect("a database");
        let store = Arc::new(store);
        let users = Users::open(Box::new(InMemory::default()), DeviceKey::from_bytes([1; 32])).expect("users");
        let new = USERS.map(|(name, level)| {
            let password = Redacted::new(format!("{name}{PASSWORD}"));
            NewUser { name: name.into(), password, level }
        });
        users.create(&new).expect("users");
        let users = Arc::new(users);
        let camera = Camera::open(settings(), Arc::clone(&store)).expect("a camera");
        camera.controlled_by(Arc::new(Nothing));
        let host: Arc<dyn Host> = Arc::new(Sim::new(Arc::new(Linux::new(Manage::No)), SimState::default(), Nothing));
        let context = Context {
            device: Arc::new(Device::open(store, &settings(), true).expect("a device")),
            gate: Arc::new(Gate::new(Arc::clone(&users), GuessLimits::default()).expect("a gate")),
            clock: Arc::new(Nothing),
            power: Arc::new(Nothing),
            facts: Facts {
                manufacturer: "Belvedere".into(),
                model: "Test".into(),
                firmware: "1.2.3".into(),
                hardware: "Linux".into(),
            },
            interfaces: Arc::new(InterfaceList::new(Arc::clone(&host))),
            rtsp_port: Some(8554),
            http_port: 8080,
            advertised_host: None,
            session_timeout: Duration::from_secs(60),
            camera: Arc::new(camera),
            users,
            host,
        };
        Self { door: OnvifDoor::new(Arc::new(context)), _directory: directory }
    }

    /// Posts an envelope to a service; gives the HTTP status and the answer.
    pub fn post(&self, path: &str, envelope: &[u8]) -> (u16, String) {
        static RUNTIME: LazyLock<Runtime> =
            LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
        let peer = SocketAddr::from(([192, 0, 2, 9], 4000));
        let local = SocketAddr::from(([192, 0, 2, 1], 8080));
        let request = Request::post(format!("/onvif/{path}"))
            .header("host", "camera.example:8080")
            .header("content-type", "application/soap+xml; charset=utf-8")
            .body(Bytes::copy_from_slice(envelope))
            .expect("a request");
        let response = RUNTIME.block_on(self.door.answer(peer, local, &request));
        let text = String::from_utf8(response.body().to_vec()).expect("UTF-8");
        (response.status().as_u16(), text)
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}
