//! A camera with its services and no network, for tests.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use belvedere_harness::schema;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::{Request, Response};

use super::*;
use crate::{
    auth::{DeviceKey, Gate, GuessLimits, InMemory, Level, NewUser, Users},
    base::redact::Redacted,
    camera::{
        AudioCodec, AudioEncoder, Camera, CameraSettings, Device, JpegEncoder, SourceChange, SourceControl, SourceKind,
        VideoCodec, VideoEncoder,
    },
    host::{Host, HostClock, HostError, InterfaceList, Linux, Manage, Sim, SimHooks, SimState},
    hub::RingLimits,
    store::{CREATE_SETTINGS, Store},
};

/// The services of a test pattern camera on a simulated machine, with the users admin, operator and user, whose passwords
/// are their names.
pub(super) struct Scene {
    pub(super) context: Arc<Context>,
    pub(super) door: OnvifDoor,
    /// What the camera's settings are kept in.
    pub(super) store: Arc<Store>,
    /// What the source was told.
    pub(super) told: Arc<Told>,
    /// Restarts and factory defaults (`Some(hard)`).
    pub(super) power: Arc<Switch>,
    _directory: tempfile::TempDir,
}

#[derive(Default)]
pub(super) struct Told(pub(super) Mutex<Vec<SourceChange>>);

impl SourceControl for Told {
    fn apply<'a>(&'a self, change: &'a SourceChange) -> BoxFuture<'a, Result<(), String>> {
        self.0.lock().unwrap().push(change.clone());
        Box::pin(std::future::ready(Ok(())))
    }
}

#[derive(Default)]
pub(super) struct Switch(pub(super) Mutex<Vec<Option<bool>>>);

impl Power for Switch {
    fn reboot(&self) -> Result<(), HostError> {
        self.0.lock().unwrap().push(None);
        Ok(())
    }

    fn factory_default(&self, hard: bool) -> Result<(), HostError> {
        self.0.lock().unwrap().push(Some(hard));
        Ok(())
    }
}

struct Forgetful;

impl SimHooks for Forgetful {
    fn persist(&self, _: &SimState) -> std::io::Result<()> {
        Ok(())
    }

    fn reboot(&self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The camera of [`Scene::new`].
pub(super) fn settings() -> CameraSettings {
    let encoder = |width, height, bitrate_kbps| VideoEncoder {
        codec: VideoCodec::H264,
        width,
        height,
        frame_rate: 15,
        bitrate_kbps,
        gop: 30,
    };
    CameraSettings {
        id: "cam".into(),
        name: "Front door".into(),
        source: SourceKind::Captured,
        ultra_hd: encoder(3840, 2160, 8000),
        hi_def: encoder(1280, 720, 2000),
        standard: encoder(640, 360, 500),
        jpeg: JpegEncoder { width: 640, height: 360, frame_rate: 15, quality: 75 },
        aac: Some(AudioEncoder { codec: AudioCodec::Aac, sample_rate: 16_000, bitrate_kbps: 32 }),
        pcmu: Some(AudioEncoder { codec: AudioCodec::Pcmu, sample_rate: 8000, bitrate_kbps: 64 }),
        ring: RingLimits::default(),
    }
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(settings())
    }

    /// The same with another camera.
    pub(super) fn with(settings: CameraSettings) -> Self {
        let real: Arc<dyn Host> = Arc::new(Linux::new(Manage::No));
        Self::of(settings, Arc::new(Sim::new(real, SimState::default(), Forgetful)))
    }

    /// The same on another machine.
    pub(super) fn on(host: Arc<dyn Host>) -> Self {
        Self::of(settings(), host)
    }

    fn of(settings: CameraSettings, host: Arc<dyn Host>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&directory.path().join("test.db"), &[CREATE_SETTINGS]).unwrap());
        let key = DeviceKey::open_or_create(&directory.path().join("key")).unwrap();
        let users = Arc::new(Users::open(Box::new(InMemory::default()), key).unwrap());
        let levels = [("admin", Level::Administrator), ("operator", Level::Operator), ("user", Level::User)];
        let new =
            levels.map(|(name, level)| NewUser { name: name.into(), password: Redacted::new(name.into()), level });
        users.create(&new).unwrap();
        let device = Device::open(Arc::clone(&store), &settings, true).unwrap();
        let camera = Arc::new(Camera::open(settings, Arc::clone(&store)).unwrap());
        let (told, power) = (Arc::new(Told::default()), Arc::new(Switch::default()));
        camera.controlled_by(Arc::clone(&told) as Arc<dyn SourceControl>);
        let context = Arc::new(Context {
            device: Arc::new(device),
            gate: Arc::new(Gate::new(Arc::clone(&users), GuessLimits::default()).unwrap()),
            clock: Arc::new(HostClock::new(Arc::clone(&host))),
            power: Arc::clone(&power) as Arc<dyn Power>,
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
            camera,
            users,
            host,
        });
        Self { door: OnvifDoor::new(Arc::clone(&context)), context, store, told, power, _directory: directory }
    }

    /// Asks as one of the users, by a token; as nobody without a name. `body` is the element in the body, in whose text the
    /// prefixes of `soap::names` stand for their namespaces. Gives the HTTP status and the answer, which the official schemas
    /// must allow.
    pub(super) async fn ask(&self, user: Option<&str>, path: &str, body: &str) -> (u16, String) {
        let response = self.send(path, &self.envelope(user, body)).await;
        assert_eq!(schema::check(response.body()), Ok(()), "{body}:\n{}", String::from_utf8_lossy(response.body()));
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    }

    /// Sends an envelope.
    pub(super) async fn send(&self, path: &str, envelope: &str) -> Response<Bytes> {
        let (peer, local): (SocketAddr, SocketAddr) =
            ("192.0.2.9:4000".parse().unwrap(), "192.0.2.1:8080".parse().unwrap());
        let request = Request::post(format!("/onvif/{path}"))
            .header("host", "camera.example:8080")
            .header("content-type", "application/soap+xml; charset=utf-8")
            .body(Bytes::from(envelope.to_owned()))
            .unwrap();
        self.door.answer(peer, local, &request).await
    }

    /// An envelope, with a token if a user is named.
    pub(super) fn envelope(&self, user: Option<&str>, body: &str) -> String {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let declarations: String =
            soap::names::ALL.iter().map(|ns| format!(" xmlns:{}='{}'", ns.prefix(), ns.uri())).collect();
        let declarations = declarations.replace(" xmlns:xml='http://www.w3.org/XML/1998/namespace'", "");
        let header = user.map_or_else(String::new, |user| {
            let nonce: [u8; 16] = { let mut nonce = [0; 16]; getrandom::fill(&mut nonce).unwrap(); nonce };
            let created = self.context.clock.utc().to_string();
            let digest = soap::token::password_digest(&nonce, &created, user);
            format!(
                "<wsse:Security><wsse:UsernameToken><wsse:Username>{user}</wsse:Username><wsse:Password Type='http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest'>{}</wsse:Password><wsse:Nonce>{}</wsse:Nonce><wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>",
                BASE64_STANDARD.encode(digest),
                BASE64_STANDARD.encode(nonce),
            )
        });
        format!(
            "<env:Envelope{declarations}><env:Header>{header}</env:Header><env:Body>{body}</env:Body></env:Envelope>"
        )
    }
}
