//! The addresses of the listeners as they were bound, and what people and programs are told of them.

use std::{
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use serde_json::json;

use crate::{
    camera::{Camera, Cameras},
    http::StatusCamera,
};

/// Where the listeners are.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    pub(super) rtsp: Option<SocketAddr>,
    /// The web listener of each camera, in the order of the configuration; the first is the server's.
    pub(super) web: Vec<Option<SocketAddr>>,
}

/// Where this machine reaches its own listener.
pub(super) fn loopback(listener: SocketAddr) -> SocketAddr {
    match listener.ip() {
        ip if !ip.is_unspecified() => SocketAddr::new(ip, listener.port()),
        _ => SocketAddr::new(IpAddr::from([127, 0, 0, 1]), listener.port()),
    }
}

fn base(scheme: &str, address: Option<SocketAddr>) -> Option<String> {
    Some(format!("{scheme}://{}", loopback(address?)))
}

impl Addresses {
    /// The server's web listener.
    pub(super) fn first_web(&self) -> Option<SocketAddr> {
        self.web.first().copied().flatten()
    }

    /// Prints the one line on standard output that scripts wait for (design section 6).
    ///
    /// # Errors
    /// Standard output is closed.
    pub(super) fn announce(&self, cameras: &[Arc<Camera>]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", self.ready_line(cameras))?;
        out.flush()
    }

    fn ready_line(&self, cameras: &[Arc<Camera>]) -> serde_json::Value {
        let rtsp = base("rtsp", self.rtsp);
        let http = base("http", self.first_web());
        let shown = cameras.iter().zip(&self.web).map(|(camera, web)| {
            let settings = camera.settings();
            let streams = settings.profiles.iter().filter(|profile| profile.fixed).filter_map(|profile| {
                let address = format!("{}/{}/{}", rtsp.as_ref()?, camera.id(), profile.token);
                Some((profile.token.clone(), json!(address)))
            });
            json!({
                "id": camera.id(),
                "xaddr": base("http", *web).map(|http| format!("{http}/onvif/device_service")),
                "rtsp": streams.collect::<serde_json::Map<_, _>>(),
            })
        });
        let cameras: Vec<_> = shown.collect();
        json!({ "ready": true, "http": http, "https": null, "rtsp": rtsp, "rtsps": null, "cameras": cameras })
    }

    /// What the status page shows now to somebody who came to this host: the definitions, not what clients have made.
    pub(super) fn status(&self, cameras: &Cameras, host: &str) -> Vec<StatusCamera> {
        let Some(rtsp) = self.rtsp.map(|rtsp| format!("rtsp://{host}:{}", rtsp.port())) else { return Vec::new() };
        let streams = |camera: &Camera| {
            let settings = camera.settings();
            let address = |token: &str| format!("{rtsp}/{}/{token}", camera.id());
            let fixed = settings.profiles.iter().filter(|profile| profile.fixed);
            fixed.map(|profile| (profile.name.clone(), address(&profile.token))).collect()
        };
        cameras.iter().map(|camera| StatusCamera { name: camera.name().to_owned(), streams: streams(camera) }).collect()
    }
}
