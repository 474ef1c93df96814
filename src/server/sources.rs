//! What fills the tracks of the cameras: engines, and pulls of other cameras.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use tokio::task::JoinSet;

use super::addresses::loopback;
use crate::{
    auth::OneRun,
    base::{clock::Clock, listen::Listen, redact::SecretUrl},
    camera::{Camera, FeedOf, SourceKind, SourceStream},
    config::{self, CameraConfig, Checked},
    source::{DecodeAccess, EngineFeed, EngineSettings, EngineSource, Upstream, UpstreamSettings},
};

/// What all sources are started with.
pub(super) struct Sources<'a> {
    pub(super) checked: &'a Checked,
    pub(super) one_run: &'a OneRun,
    /// Where engines fetch what they decode.
    pub(super) door: Option<SocketAddr>,
    pub(super) clock: &'a Arc<dyn Clock>,
}

/// Where the engines fetch what they decode, if the RTSP listener is not on loopback.
pub(super) const INNER: Listen = Listen { address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), port: 0 };

/// The address of the RTSP listener at which engines may fetch what they decode: they go to loopback only.
pub(super) fn engine_door(listener: Option<SocketAddr>) -> Option<SocketAddr> {
    let door = loopback(listener?);
    let ours = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    ours.contains(&door.ip()).then_some(door)
}

impl Sources<'_> {
    /// Starts what fills the tracks of one camera.
    pub(super) fn start(&self, tasks: &mut JoinSet<()>, config: &CameraConfig, camera: &Arc<Camera>) {
        if let config::Source::Rtsp { main, second } = &config.source {
            let addresses = [(SourceStream::Main, Some(main)), (SourceStream::Second, second.as_ref())];
            for (stream, address) in addresses {
                if let Some(settings) = address.and_then(|url| self.upstream(camera, stream, url.reveal())) {
                    tasks.spawn(Upstream::new(settings, Arc::clone(self.clock)).run());
                }
            }
        }
        let feed = EngineFeed::new(Arc::clone(camera), self.engine(config), Arc::clone(self.clock));
        camera.controlled_by(feed.control());
        tasks.spawn(feed.run());
        if decodes(config) {
            tasks.spawn(Arc::clone(camera).follow_sources());
        }
    }

    fn engine(&self, config: &CameraConfig) -> EngineSettings {
        let source = engine_source(&config.source);
        let decode = self.door.filter(|_| decodes(config)).map(|address| DecodeAccess {
            address,
            user: self.one_run.name().to_owned(),
            password: self.one_run.password().reveal().clone(),
        });
        let (program, linger) = (self.checked.engine.program(), self.checked.limits.linger);
        EngineSettings { program, source, decode, linger }
    }

    /// One address of an upstream camera with the tracks it fills.
    fn upstream(&self, camera: &Camera, stream: SourceStream, url: &url::Url) -> Option<UpstreamSettings> {
        let fed_by =
            |of: &FeedOf| camera.feeds().iter().find(|feed| feed.of == *of).map(|feed| Arc::clone(&feed.track));
        let mut bare = url.clone();
        // Both succeed for every address that has a host, and the configuration lets no other through.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        let text = |part: &str| percent_decoded(part);
        let credentials =
            (!url.username().is_empty()).then(|| (text(url.username()), text(url.password().unwrap_or_default())));
        Some(UpstreamSettings {
            url: SecretUrl::new(bare),
            credentials,
            video: fed_by(&FeedOf::SourceVideo(stream))?,
            audio: fed_by(&FeedOf::SourceAudio(stream)),
            linger: self.checked.limits.linger,
        })
    }
}

/// What a camera's engine makes pictures of. Every camera has one; that of a camera on the network runs only while a
/// definition or a snapshot is wanted that the camera does not bring.
fn engine_source(source: &config::Source) -> EngineSource {
    match source {
        config::Source::Pattern => EngineSource::Pattern,
        config::Source::File(path) => EngineSource::File(path.clone()),
        config::Source::Rtsp { .. } => EngineSource::Upstream,
    }
}

/// Whether a camera's engine decodes what the server has: for snapshots at least, wherever pictures arrive encoded.
pub(super) fn decodes(config: &CameraConfig) -> bool {
    matches!(config.settings.source, SourceKind::Encoded { .. })
}

fn percent_decoded(text: &str) -> String {
    crate::rtsp::core::request::percent_decode(text).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_get_a_door_on_loopback() {
        for (listener, door) in [
            ("0.0.0.0:8554", Some("127.0.0.1:8554")),
            ("[::]:8554", Some("127.0.0.1:8554")),
            ("127.0.0.1:8554", Some("127.0.0.1:8554")),
            ("[::1]:8554", Some("[::1]:8554")),
            ("192.0.2.5:8554", None),
            ("127.0.0.2:8554", None),
        ] {
            let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
            assert_eq!(engine_door(Some(address(listener))), door.map(address), "{listener}");
        }
        assert_eq!(engine_door(None), None);
    }
}
