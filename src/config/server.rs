//! `[server]`, `[engine]` and `[host]`.

use std::path::{Path, PathBuf};

use super::{resolve, section::Section};
use crate::base::listen::Listen;

/// The engine's program, as it is called in a package.
const ENGINE: &str = "belvedere-engine";
/// Longest host name, DNS.
const MAX_HOST: usize = 253;

/// Where the server is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The HTTP listener; absent where it is switched off.
    pub http: Option<Listen>,
    /// The RTSP listener; absent where it is switched off.
    pub rtsp: Option<Listen>,
    /// The host that stream addresses name; absent where it is taken from the request.
    pub advertised_host: Option<String>,
    /// The state directory; absent where the platform's is used.
    pub state: Option<PathBuf>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            http: Some(Listen::everywhere(8080)),
            rtsp: Some(Listen::everywhere(8554)),
            advertised_host: None,
            state: None,
        }
    }
}

impl Server {
    pub(super) fn read(section: Section<'_>, base: &Path) -> Self {
        let default = Self::default();
        let server = Self {
            http: listener(&section, "http", default.http),
            rtsp: listener(&section, "rtsp", default.rtsp),
            advertised_host: host(&section),
            state: section.text("state").filter(|path| !path.is_empty()).map(|path| resolve(base, path)),
        };
        for key in ["https", "rtsps"] {
            if section.text(key).is_some_and(|text| !text.is_empty()) {
                section.mistake(key, "not yet supported: there is no TLS in this version");
            }
        }
        section.finish();
        server
    }
}

/// Reads a listener; an empty text switches it off.
pub(super) fn listener(section: &Section<'_>, key: &'static str, default: Option<Listen>) -> Option<Listen> {
    match section.text(key) {
        None => default,
        Some("") => None,
        Some(text) => match text.parse() {
            Ok(listen) => Some(listen),
            Err(error) => {
                section.mistake(key, format!("{error}"));
                None
            }
        },
    }
}

fn host(section: &Section<'_>) -> Option<String> {
    let host = section.text("advertised-host").filter(|host| !host.is_empty())?;
    if host.len() > MAX_HOST || url::Host::parse(host).is_err() {
        section.mistake("advertised-host", "must be a host name or an IP address (IPv6 in brackets), without a port");
        return None;
    }
    Some(host.to_owned())
}

/// Where the media engine is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Engine {
    /// The engine's program; absent where it is looked for.
    pub path: Option<PathBuf>,
}

impl Engine {
    pub(super) fn read(section: Section<'_>, base: &Path) -> Self {
        let path = section.text("path").filter(|path| !path.is_empty()).map(|path| resolve(base, path));
        if path.as_ref().is_some_and(|path| !path.is_file()) {
            section.mistake("path", "there is no such file");
        }
        section.finish();
        Self { path }
    }

    /// Returns what to start: the configured program, else the one beside our own, else the one on the `PATH`.
    pub fn program(&self) -> PathBuf {
        let beside =
            || std::env::current_exe().ok().map(|own| own.with_file_name(ENGINE)).filter(|path| path.is_file());
        self.path.clone().or_else(beside).unwrap_or_else(|| PathBuf::from(ENGINE))
    }
}

/// What doors tell and change of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Machine {
    /// The real machine, which somebody else manages: doors read it and change nothing.
    #[default]
    Real,
    /// The real machine, which is ours: doors change it.
    Managed,
    /// A simulated one: what doors set is kept beside the real one.
    Simulated,
}

impl Machine {
    pub(super) fn read(section: Section<'_>) -> Self {
        let (manage, simulate) = (section.switch("manage", false), section.switch("simulate", false));
        if manage && simulate {
            section.mistake("simulate", "goes without manage: a simulated machine changes nothing");
        }
        section.finish();
        match (manage, simulate) {
            (_, true) => Self::Simulated,
            (true, false) => Self::Managed,
            (false, false) => Self::Real,
        }
    }
}
