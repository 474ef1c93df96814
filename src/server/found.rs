//! How the cameras are found on the network: discovery with what it needs to know of listeners, devices and the store.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::future::select_all;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Ours, ServerError, addresses::Addresses, machine::Machine};
use crate::{
    camera::{Camera, Device, Presence},
    discovery::{self, Advert, AdvertKind, Discovery, Endpoint, Mode, Settings, XAddrs},
    host::InterfaceList,
    onvif::PREFIX,
    store::{self, Store, StoreError},
};

/// The setting that holds the instance number of the last run.
const INSTANCE: &str = "discovery.instance";

/// What clients may have remembered of a camera. Its version grows whenever the rest changes (WS-Discovery section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Metadata {
    version: u32,
    scopes: Vec<String>,
    port: u16,
}

/// The cameras on the network.
pub(super) struct Found {
    discovery: Discovery,
    cameras: Vec<FoundCamera>,
}

struct FoundCamera {
    device: Arc<Device>,
    presence: watch::Receiver<Arc<Presence>>,
    /// The scopes that nobody can change, but for the hardware address.
    fixed: Vec<String>,
    port: u16,
    id: String,
    store: Arc<Store>,
}

impl Found {
    /// Announces the cameras that have a web listener. Blocks on the disk.
    ///
    /// # Errors
    /// The store fails, or there is no random source.
    pub(super) fn start(
        cameras: &[Ours],
        addresses: &Addresses,
        advertised_host: Option<&str>,
        machine: &Machine,
        store: &Arc<Store>,
    ) -> Result<Self, ServerError> {
        let mut found = Vec::new();
        let mut endpoints = Vec::new();
        for ((camera, device), web) in cameras.iter().zip(&addresses.web) {
            let Some(web) = *web else { continue };
            let this = FoundCamera {
                device: Arc::clone(device),
                presence: device.watch(),
                fixed: device.common_scopes(),
                port: web.port(),
                id: camera.id().to_owned(),
                store: Arc::clone(store),
            };
            let xaddrs = Arc::new(DeviceService {
                listener: web,
                host: advertised_host.map(str::to_owned),
                device: Arc::clone(device),
                interfaces: Arc::clone(&machine.interfaces),
            });
            endpoints.push(this.endpoint(camera, xaddrs, adverts(camera, addresses.rtsp, web))?);
            found.push(this);
        }
        let mut seed = [0; 8];
        getrandom::fill(&mut seed)?;
        let now = u32::try_from(machine.host.utc().as_nanos() / 1_000_000_000).unwrap_or(0);
        let settings = Settings {
            dns_sd: endpoints.iter().any(|endpoint| !endpoint.adverts.is_empty()),
            ..Settings::new(instance(store, now)?, u64::from_ne_bytes(seed))
        };
        let interfaces = Arc::clone(&machine.interfaces);
        let clock = Arc::clone(&machine.clock);
        let discovery = Discovery::start(&settings, endpoints, clock, move || interfaces.refresh());
        Ok(Self { discovery, cameras: found })
    }

    /// Tells the network of every change. Never ends.
    pub(super) async fn follow(&mut self) {
        if self.cameras.is_empty() {
            return std::future::pending().await;
        }
        loop {
            let changes = self.cameras.iter_mut().map(|camera| Box::pin(camera.presence.changed()));
            let (_, index, _) = select_all(changes).await;
            if let Some(camera) = self.cameras.get(index) {
                camera.tell(&self.discovery).await;
            }
        }
    }

    /// Lets all cameras take their leave; takes a second at most.
    pub(super) async fn leave(self) {
        self.discovery.shutdown().await;
    }
}

impl FoundCamera {
    fn scopes(&self) -> Vec<String> {
        self.fixed.iter().chain(&self.device.presence().scopes).cloned().collect()
    }

    fn mode(&self) -> Mode {
        if self.device.presence().discoverable { Mode::Discoverable } else { Mode::NonDiscoverable }
    }

    fn key(&self) -> String {
        format!("device.{}.metadata", self.id)
    }

    fn endpoint(&self, camera: &Camera, xaddrs: Arc<dyn XAddrs>, adverts: Vec<Advert>) -> Result<Endpoint, StoreError> {
        let scopes = self.scopes();
        let metadata_version = self.store.write(|tx| {
            let last: Option<Metadata> = store::get_setting(tx, &self.key())?;
            let version = last.as_ref().map_or(0, |last| last.version);
            let now = Metadata { version, scopes: scopes.clone(), port: self.port };
            if last.as_ref() == Some(&now) {
                return Ok(version);
            }
            store::put_setting(tx, &self.key(), &Metadata { version: version + 1, ..now })?;
            Ok::<_, StoreError>(version + 1)
        })?;
        let device = discovery::Device {
            id: self.id.clone(),
            uuid: self.device.identity().uuid,
            scopes,
            metadata_version,
            mode: self.mode(),
            xaddrs,
        };
        Ok(Endpoint { device, name: camera.name().to_owned(), adverts })
    }

    async fn tell(&self, discovery: &Discovery) {
        let scopes = self.scopes();
        discovery.set_mode(&self.id, self.mode());
        let Some(version) = discovery.update(&self.id, scopes.clone()) else { return };
        let (store, key) = (Arc::clone(&self.store), self.key());
        let metadata = Metadata { version, scopes, port: self.port };
        let kept = tokio::task::spawn_blocking(move || store.write(|tx| store::put_setting(tx, &key, &metadata))).await;
        let error: Option<StoreError> = kept.map_or(None, Result::err);
        if let Some(error) = error {
            tracing::warn!(camera = self.id, %error, "the version of what discovery tells cannot be kept");
        }
    }
}

/// A number greater than in every earlier run (WS-Discovery, `AppSequence`), whatever happened to the clock.
fn instance(store: &Store, now: u32) -> Result<u32, StoreError> {
    store.write(|tx| {
        let last: Option<u32> = store::get_setting(tx, INSTANCE)?;
        let instance = last.map_or(now, |last| now.max(last.saturating_add(1)));
        store::put_setting(tx, INSTANCE, &instance)?;
        Ok(instance)
    })
}

/// What DNS-SD says of a camera: whatever others can reach.
fn adverts(camera: &Camera, rtsp: Option<SocketAddr>, web: SocketAddr) -> Vec<Advert> {
    let advert = |kind, listener: SocketAddr, path: String| {
        (!listener.ip().is_loopback()).then(|| Advert { kind, port: listener.port(), path })
    };
    let settings = camera.settings();
    let first = settings.profiles.first().map_or("", |profile| &profile.token);
    [
        advert(AdvertKind::Onvif, web, format!("{PREFIX}device_service")),
        advert(AdvertKind::Http, web, "/".to_owned()),
        rtsp.and_then(|rtsp| advert(AdvertKind::Rtsp, rtsp, format!("/{}/{first}", camera.id()))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The addresses of a camera's device service.
struct DeviceService {
    listener: SocketAddr,
    host: Option<String>,
    device: Arc<Device>,
    interfaces: Arc<InterfaceList>,
}

impl XAddrs for DeviceService {
    fn xaddrs(&self, local: &[IpAddr]) -> Vec<String> {
        addresses_of(self.listener, self.host.as_deref(), local)
    }

    fn scopes(&self, local: &[IpAddr]) -> Vec<String> {
        let address = self.device.hardware_address(&self.interfaces.last(), local.first().copied());
        vec![self.device.hardware_scope(address)]
    }
}

fn addresses_of(listener: SocketAddr, host: Option<&str>, local: &[IpAddr]) -> Vec<String> {
    let address = |host: &str| match listener.port() {
        80 => format!("http://{host}{PREFIX}device_service"),
        port => format!("http://{host}:{port}{PREFIX}device_service"),
    };
    let reached: Vec<IpAddr> = local.iter().copied().filter(|ip| listens_at(listener.ip(), *ip)).collect();
    match host {
        Some(host) if !reached.is_empty() => vec![address(host)],
        _ => reached.into_iter().map(|ip| address(&literal(ip))).collect(),
    }
}

/// A link-local address of IPv6 leads nowhere without the name of a link, which differs from machine to machine.
fn listens_at(listener: IpAddr, ip: IpAddr) -> bool {
    match ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => false,
        IpAddr::V6(_) if listener.is_unspecified() => listener.is_ipv6(),
        _ => listener.is_unspecified() || listener == ip,
    }
}

fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::MIGRATIONS;

    #[test]
    fn a_camera_is_told_where_it_is_reached() {
        let local: Vec<IpAddr> =
            ["192.0.2.1", "2001:db8::1", "fe80::1", "127.0.0.1"].map(|ip| ip.parse().unwrap()).to_vec();
        let told = |listener: &str, host: Option<&str>| addresses_of(listener.parse().unwrap(), host, &local);
        assert_eq!(
            told("[::]:80", None),
            [
                "http://192.0.2.1/onvif/device_service",
                "http://[2001:db8::1]/onvif/device_service",
                "http://127.0.0.1/onvif/device_service"
            ]
        );
        assert_eq!(told("0.0.0.0:8080", None).len(), 2);
        assert_eq!(told("192.0.2.1:8080", None), ["http://192.0.2.1:8080/onvif/device_service"]);
        assert_eq!(told("192.0.2.7:8080", None), Vec::<String>::new());
        assert_eq!(told("[::]:8080", Some("door.example")), ["http://door.example:8080/onvif/device_service"]);
        assert_eq!(told("192.0.2.7:8080", Some("door.example")), Vec::<String>::new());
    }

    #[test]
    fn the_instance_grows_even_if_the_clock_goes_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("test.db"), MIGRATIONS).unwrap();
        let instances = [1000, 1000, 5, 2000].map(|now| instance(&store, now).unwrap());
        assert_eq!(instances, [1000, 1001, 1002, 2000]);
    }
}
