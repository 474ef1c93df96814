//! DNS-SD beside WS-Discovery, for browsers and players: a camera as `_onvif._tcp`, `_rtsp._tcp` and `_http._tcp`.
//!
//! The library runs a thread of its own and shares port 5353 with avahi. Trouble is logged once and costs nothing else.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use mdns_sd::{DaemonEvent, Receiver, ServiceDaemon, ServiceInfo};

use super::Advert;
use crate::camera::Uuid;

/// Longest name of an instance (RFC 6763 section 4.1.1).
const MAX_NAME: usize = 63;
/// How long the last words may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// What is published.
pub(super) struct DnsSd {
    running: Option<(ServiceDaemon, Receiver<DaemonEvent>)>,
    /// Full names by camera.
    published: HashMap<String, Vec<String>>,
    complained: bool,
}

impl DnsSd {
    /// Starts with nothing published; or does nothing at all, if it is switched off or cannot be started.
    pub(super) fn start(enabled: bool) -> Self {
        let mut this = Self { running: None, published: HashMap::new(), complained: false };
        if enabled {
            match ServiceDaemon::new().and_then(|daemon| Ok((daemon.monitor()?, daemon))) {
                Ok((events, daemon)) => this.running = Some((daemon, events)),
                Err(error) => this.complain(&error),
            }
        }
        this
    }

    /// Publishes a camera.
    pub(super) fn publish(&mut self, id: &str, name: &str, uuid: Uuid, adverts: &[Advert]) {
        let Some((daemon, _)) = &self.running else { return };
        let mut names = Vec::new();
        let mut failed = None;
        for advert in adverts {
            let published = service(name, uuid, advert).and_then(|service| {
                let full_name = service.get_fullname().to_owned();
                daemon.register(service).map(|()| full_name)
            });
            match published {
                Ok(full_name) => names.push(full_name),
                Err(error) => failed = Some(error),
            }
        }
        self.published.insert(id.to_owned(), names);
        if let Some(error) = failed {
            self.complain(&error);
        }
    }

    /// Takes a camera back.
    pub(super) fn withdraw(&mut self, id: &str) {
        let names = self.published.remove(id).unwrap_or_default();
        let Some((daemon, _)) = &self.running else { return };
        for name in names {
            if let Err(error) = daemon.unregister(&name) {
                tracing::debug!(%error, name, "cannot withdraw a service");
            }
        }
    }

    /// Looks at what happened since the last time.
    pub(super) fn check(&mut self) {
        let Some((_, events)) = &self.running else { return };
        let errors: Vec<_> = events
            .try_iter()
            .filter_map(|event| match event {
                DaemonEvent::Error(error) => Some(error),
                DaemonEvent::NameChange(change) => {
                    tracing::info!(from = change.original, to = change.new_name, "the name is taken on this network");
                    None
                }
                _ => None,
            })
            .collect();
        if let Some(error) = errors.first() {
            self.complain(error);
        }
    }

    /// Takes everything back; returns what waits, for half a second at most and blocking, until that has been said.
    pub(super) fn stop(&mut self) -> impl FnOnce() + Send + 'static {
        self.published.clear();
        let status = self.running.take().and_then(|(daemon, _)| daemon.shutdown().ok());
        move || {
            let _ = status.map(|status| status.recv_timeout(GOODBYE));
        }
    }

    fn complain(&mut self, error: &mdns_sd::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(%error, "DNS-SD does not work on this machine, or not on every network");
        }
    }
}

/// Describes one service. The host has a name of its own, since the machine's is avahi's to publish.
fn service(name: &str, uuid: Uuid, advert: &Advert) -> mdns_sd::Result<ServiceInfo> {
    let uuid = uuid.to_string();
    let host = format!("belvedere-{}.local.", &uuid[..8]);
    let kind = format!("_{}._tcp.local.", advert.kind.name());
    let text = [("txtvers", "1"), ("path", advert.path.as_str()), ("uuid", uuid.as_str())];
    Ok(ServiceInfo::new(&kind, cut(name, MAX_NAME), &host, "", advert.port, &text[..])?.enable_addr_auto())
}

/// Names for cameras, given as (id, name), that differ from each other: an instance takes the place of another of its name.
/// Where a name is taken, the id is added; DNS does not tell apart large and small letters.
pub(super) fn instances<'a>(cameras: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut instance = |(id, name): (&str, &str)| {
        let suffix = format!(" ({id})");
        let long = format!("{}{suffix}", cut(name, MAX_NAME.saturating_sub(suffix.len())));
        // The last is that of a camera whose name is another's with its id.
        let choices = [name.to_owned(), long, id.to_owned()].map(|choice| cut(&choice, MAX_NAME).to_owned());
        let free = choices.iter().find(|choice| taken.insert(choice.to_lowercase()));
        free.cloned().unwrap_or_else(|| id.to_owned())
    };
    cameras.map(&mut instance).collect()
}

/// As much of a name as fits, in whole characters.
fn cut(name: &str, most: usize) -> &str {
    &name[..name.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::{super::AdvertKind, *};

    #[test]
    fn a_camera_is_described_by_kind_path_and_uuid() {
        let advert = Advert { kind: AdvertKind::Rtsp, port: 8554, path: "/cam/ultra-hd".into() };
        let service = service("Front door", Uuid::from_random([1; 16]), &advert).unwrap();
        assert_eq!(service.get_fullname(), "Front door._rtsp._tcp.local.");
        assert_eq!((service.get_hostname(), service.get_port()), ("belvedere-01010101.local.", 8554));
        assert_eq!(service.get_property_val_str("path"), Some("/cam/ultra-hd"));
        assert_eq!(service.get_property_val_str("uuid"), Some("01010101-0101-4101-8101-010101010101"));
        assert!(service.is_addr_auto());
        assert_eq!(cut(&"ä".repeat(40), MAX_NAME).len(), 62);
    }

    #[test]
    fn cameras_of_one_name_do_not_shadow_each_other() {
        let names = |cameras: &[(&str, &str)]| instances(cameras.iter().copied());
        assert_eq!(names(&[("a", "Camera"), ("b", "camera"), ("c", "Door")]), ["Camera", "camera (b)", "Door"]);
        assert_eq!(names(&[("a", "Camera (c)"), ("b", "Camera"), ("c", "Camera")]), ["Camera (c)", "Camera", "c"]);
        let long = "ä".repeat(40);
        let [first, second] = names(&[("a", &long), ("b", &long)]).try_into().unwrap();
        assert!(first != second && second.ends_with(" (b)") && second.len() <= MAX_NAME, "{second}");
    }

    #[test]
    fn switched_off_it_does_nothing() {
        let mut off = DnsSd::start(false);
        off.publish("cam", "Front door", Uuid::from_random([1; 16]), &[]);
        off.check();
        off.withdraw("cam");
        off.stop()();
        assert!(off.running.is_none());
    }
}
