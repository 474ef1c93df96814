//! The composition root: build in order, run, drain. The only place that knows two siblings.

mod addresses;
mod doors;
mod files;
mod found;
mod machine;
mod reset;
mod sources;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};

use self::{
    addresses::Addresses,
    doors::Doors,
    found::Found,
    machine::{Machine, Restart},
    sources::{INNER, Sources, decodes, engine_door},
};
use crate::{
    auth::{self, FirstAdmin, Gate, GuessLimits, UsersError},
    base::{
        clock::{Clock, SystemClock},
        listen::Listen,
        redact::Redacted,
    },
    camera::{Camera, Cameras, Device},
    config::{self, Checked},
    http::HttpLimits,
    rtsp::{
        core::message,
        net::{self, RtspContext, RtspServer},
    },
    state::{self, Purpose, State, StateError},
    store::StoreError,
};

/// How the server is started, beside its configuration.
pub struct Options {
    /// The state directory.
    pub state: PathBuf,
    /// The first administrator's password, if the environment chose one.
    pub first_password: Option<Redacted<String>>,
    /// Shows a made-up first password on the terminal, if there is one.
    pub show: Option<Box<state::Show<'static>>>,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The users cannot be used.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// A listener cannot be opened.
    #[error("cannot listen on {listen} for {what}: {source}")]
    Listen {
        /// RTSP or HTTP.
        what: &'static str,
        /// Where.
        listen: Listen,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no random source.
    #[error("no random source: {0}")]
    Random(#[from] getrandom::Error),
    /// Something else that the system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// All that ends must have ended within 5 s (design section 6); the process needs a moment of its own.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);

/// Why the server ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// It shall start again, and listen where it did.
    Restart {
        /// The web listener of each camera as it was bound; the first is the server's.
        web: Vec<Option<Listen>>,
        /// The RTSP listener as it was bound.
        rtsp: Option<Listen>,
    },
}

/// Runs the server until SIGTERM or SIGINT, or until a restart is asked for. SIGHUP does not end it.
///
/// # Errors
/// It cannot start; see [`ServerError`].
pub async fn run(mut options: Options, mut checked: Checked) -> Result<Ended, ServerError> {
    let mut signals = Signals::new()?;
    let listeners = 1 + web_listeners(&checked).flatten().count();
    files::bound(&mut checked.limits, files::raise_limit(), checked.cameras.len(), listeners);
    let state = open_state(&mut options)?;
    let one_run = state.users().one_run()?;
    let restart = Restart::default();
    let machine = Machine::open(checked.machine, state.store(), &restart)?;
    let listeners = Listeners::open(&checked)?;
    let addresses = listeners.addresses()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ours = open_cameras(&checked, &state)?;
    let cameras = Arc::new(Cameras::new(ours.iter().map(|(camera, _)| Arc::clone(camera))));
    let gate = Gate::new(Arc::clone(state.users()), GuessLimits::default())?;
    let gate = Arc::new(gate.remembering(state.tokens(), machine.clock.utc()).map_err(UsersError::Store)?);
    let internal = Some(one_run.name().to_owned());
    let limits = rtsp_limits(&checked.limits);
    let context = RtspContext::new(Arc::clone(&cameras), Arc::clone(&gate), Arc::clone(&clock), limits, internal)?;
    let front = RtspServer::new(context);

    let mut tasks = JoinSet::new();
    let door = engine_door(addresses.rtsp).or(address(listeners.inner.as_ref())?);
    let sources = Sources { checked: &checked, one_run: &one_run, door, clock: &clock };
    for (config, (camera, _)) in checked.cameras.iter().zip(&ours) {
        sources.start(&mut tasks, config, camera);
    }
    tasks.spawn(Arc::clone(&front).sweep());
    for listener in listeners.rtsp.into_iter().chain(listeners.inner) {
        tasks.spawn(Arc::clone(&front).listen(listener));
    }
    let host = checked.server.advertised_host.as_deref();
    let mut found = Found::start(&ours, &addresses, host, &machine, state.store())?;
    let doors = Doors {
        addresses: addresses.clone(),
        gate,
        users: Arc::clone(state.users()),
        machine,
        advertised_host: checked.server.advertised_host.clone(),
        session_timeout: checked.limits.session_timeout,
        limits: http_limits(&checked.limits),
    };
    let webs = doors.open(&mut tasks, listeners.web, &ours, &cameras, &front)?;
    addresses.announce(&ours.iter().map(|(camera, _)| Arc::clone(camera)).collect::<Vec<_>>())?;
    let again = tokio::select! {
        () = signals.stop() => false,
        () = restart.asked() => true,
        () = found.follow() => false,
    };
    tracing::info!(again, "stopping");
    let ended = if again { listeners_again(&checked, &addresses) } else { Ended::Stopped };
    // Together: conversations in tunnels are the front's to end, and connections of the web listeners.
    let webs = futures_util::future::join_all(webs.iter().map(|web| web.stop(DRAIN_LIMIT)));
    tokio::join!(found.leave(), front.stop(DRAIN_LIMIT), webs);
    doors.gate.keep_tokens(doors.machine.clock.utc());
    // Dropping the sources ends the engines, too.
    tasks.shutdown().await;
    Ok(ended)
}

/// Opens the state directory, carries out a factory default that was asked for, and sees to it that somebody can log in.
fn open_state(options: &mut Options) -> Result<State, ServerError> {
    let state = State::open(&options.state, Purpose::Serve)?;
    if let Some(reset) = reset::carry_out(state.store())? {
        tracing::warn!(?reset, "the factory default was restored");
        state.users().refresh()?;
    }
    match state.first_start(options.first_password.take(), options.show.as_deref_mut())? {
        FirstAdmin::MadeUp(_) if options.show.is_none() => {
            let file = state.first_password_file();
            tracing::info!(file = %file.display(), "the password of the first administrator, admin, stands in this file");
        }
        _ => {}
    }
    Ok(state)
}

/// A camera, and the same as a device on the network.
type Ours = (Arc<Camera>, Arc<Device>);

/// The cameras with what the store keeps of them, in the order of the configuration.
fn open_cameras(checked: &Checked, state: &State) -> Result<Vec<Ours>, StoreError> {
    let open = |(index, config): (usize, &config::CameraConfig)| {
        let settings = &config.settings;
        let camera = Camera::open(settings.clone(), Arc::clone(state.store()))?;
        let device = Device::open(Arc::clone(state.store()), settings, index == 0)?;
        Ok((Arc::new(camera), Arc::new(device)))
    };
    checked.cameras.iter().enumerate().map(open).collect()
}

/// What the service manager wants.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the server shall stop. SIGHUP, which asks to read the configuration again (design section 6), changes
    /// nothing yet; by default it would kill without a farewell.
    async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    tracing::warn!("SIGHUP: reading the configuration again is not supported yet; restart to apply a change");
                }
            }
        }
    }
}

/// The open listeners.
struct Listeners {
    rtsp: Option<TcpListener>,
    /// Where engines fetch what they decode, if the RTSP listener is not on loopback.
    inner: Option<TcpListener>,
    /// The web listener of each camera; the first is the server's.
    web: Vec<Option<TcpListener>>,
}

impl Listeners {
    fn open(checked: &Checked) -> Result<Self, ServerError> {
        let rtsp = listen("RTSP", checked.server.rtsp)?;
        let web = web_listeners(checked).map(|at| listen("HTTP", at)).collect::<Result<_, _>>()?;
        let door = engine_door(address(rtsp.as_ref())?);
        let inner = match checked.cameras.iter().any(decodes) && door.is_none() {
            true => listen("RTSP", Some(INNER))?,
            false => None,
        };
        Ok(Self { rtsp, inner, web })
    }

    fn addresses(&self) -> io::Result<Addresses> {
        let web = self.web.iter().map(|listener| address(listener.as_ref())).collect::<io::Result<_>>()?;
        Ok(Addresses { rtsp: address(self.rtsp.as_ref())?, web })
    }
}

/// Where each camera's web listener is to be; the first camera's is the server's.
fn web_listeners(checked: &Checked) -> impl Iterator<Item = Option<Listen>> {
    let further = checked.cameras.iter().skip(1).map(|camera| camera.http);
    std::iter::once(checked.server.http).chain(further)
}

/// The listeners of the next run: where a free port was picked, clients find the same again.
fn listeners_again(checked: &Checked, addresses: &Addresses) -> Ended {
    let again = |configured: Option<Listen>, bound: Option<SocketAddr>| {
        Some(Listen { address: configured?.address, port: bound?.port() })
    };
    let web = web_listeners(checked).zip(&addresses.web).map(|(configured, bound)| again(configured, *bound));
    Ended::Restart { web: web.collect(), rtsp: again(checked.server.rtsp, addresses.rtsp) }
}

fn listen(what: &'static str, at: Option<Listen>) -> Result<Option<TcpListener>, ServerError> {
    let Some(listen) = at else { return Ok(None) };
    let open = || TcpListener::from_std(listen.bind()?);
    open().map(Some).map_err(|source| ServerError::Listen { what, listen, source })
}

fn address(listener: Option<&TcpListener>) -> io::Result<Option<SocketAddr>> {
    listener.map(TcpListener::local_addr).transpose()
}

fn rtsp_limits(limits: &config::Limits) -> net::Limits {
    net::Limits {
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        sessions: limits.sessions,
        message: message::Limits {
            max_head: limits.head_bytes,
            max_headers: limits.headers,
            max_body: limits.body_bytes,
            ..message::Limits::default()
        },
        idle: limits.idle_timeout,
        session_timeout: limits.session_timeout,
        stalled: limits.stalled_viewer,
        ..net::Limits::default()
    }
}

fn http_limits(limits: &config::Limits) -> HttpLimits {
    HttpLimits {
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        head: limits.idle_timeout.min(Duration::from_secs(10)),
        body: limits.idle_timeout.min(Duration::from_secs(20)),
        stalled: limits.stalled_viewer,
        head_bytes: limits.head_bytes,
        headers: limits.headers,
        body_bytes: 4 << 20,
    }
}

/// The environment variable that chooses the first administrator's password.
pub const FIRST_PASSWORD: &str = "BELVEDERE_ADMIN_PASSWORD";

/// Reads [`FIRST_PASSWORD`]; an empty one counts as none.
pub fn first_password_from_environment() -> Option<Redacted<String>> {
    std::env::var(FIRST_PASSWORD).ok().filter(|password| !password.is_empty()).map(Redacted::new)
}

/// The name of the first administrator.
pub const FIRST_ADMIN: &str = auth::ADMIN;
