//! The camera as a device on the network: what names it for good, and what doors can change of how it is found.
//!
//! Kept in the store: `device.seed` (one for the machine), and `device.<camera>.identity`, `.scopes`, `.discoverable`.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{CameraSettings, DeviceSeed, Identity, hardware_address};
use crate::{
    host::{Interface, MacAddress},
    store::{self, Store, StoreError},
};

/// Most scopes that a client may set, and the longest of them in bytes: they must fit into datagrams of discovery.
pub const MAX_SCOPES: usize = 32;
/// Longest scope, in bytes.
pub const MAX_SCOPE: usize = 128;

/// What doors can change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Scopes that clients set, beside the fixed ones.
    pub scopes: Vec<String>,
    /// Whether the device answers to discovery.
    pub discoverable: bool,
}

impl Default for Presence {
    fn default() -> Self {
        Self { scopes: vec![format!("{SCOPE}location/")], discoverable: true }
    }
}

/// What all ONVIF scopes begin with.
const SCOPE: &str = "onvif://www.onvif.org/";

/// Why scopes cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresenceError {
    /// A scope is no URI, or too long.
    #[error("{0:?} cannot be a scope")]
    BadScope(String),
    /// A fixed scope cannot be removed or replaced.
    #[error("{0:?} is a fixed scope")]
    Fixed(String),
    /// There is no such scope.
    #[error("there is no scope {0:?}")]
    Missing(String),
    /// There would be more than [`MAX_SCOPES`].
    #[error("there can be at most {MAX_SCOPES} scopes")]
    TooMany,
    /// The change cannot be kept.
    #[error("the change cannot be kept: {0}")]
    Store(String),
}

/// One camera as a device.
pub struct Device {
    camera: String,
    name: String,
    sound: bool,
    first: bool,
    identity: Identity,
    seed: DeviceSeed,
    presence: watch::Sender<Arc<Presence>>,
    store: Option<Arc<Store>>,
    changing: Mutex<()>,
}

impl Device {
    /// Loads what names the device, made at the first start. `first` is the first camera of the machine. Blocks on the disk.
    /// Without sound, it is not said to encode any.
    ///
    /// # Errors
    /// The store fails, or the system has no random source.
    pub fn open(store: Arc<Store>, camera: &CameraSettings, first: bool) -> Result<Self, StoreError> {
        let CameraSettings { id, name, .. } = camera;
        let key = |part: &str| format!("device.{id}.{part}");
        let (identity, seed, presence) = store.write(|tx| {
            let seed = kept(tx, "device.seed", || random().map(|bytes: [u8; 16]| bytes))?;
            let identity = kept(tx, &key("identity"), || random().map(Identity::from_random))?;
            let presence = store::get_setting(tx, &key("presence"))?.unwrap_or_default();
            Ok::<_, StoreError>((identity, DeviceSeed::from_random(seed), presence))
        })?;
        Ok(Self {
            camera: id.clone(),
            name: name.clone(),
            sound: camera.has_sound(),
            first,
            identity,
            seed,
            presence: watch::Sender::new(Arc::new(presence)),
            store: Some(store),
            changing: Mutex::default(),
        })
    }

    /// What names it for good.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How it is found, as it is now.
    pub fn presence(&self) -> Arc<Presence> {
        Arc::clone(&self.presence.borrow())
    }

    /// Tells of every change of how it is found.
    pub fn watch(&self) -> watch::Receiver<Arc<Presence>> {
        self.presence.subscribe()
    }

    /// The hardware address that it reports to a client which came in at `local`, or to everybody.
    pub fn hardware_address(&self, interfaces: &[Interface], local: Option<IpAddr>) -> MacAddress {
        hardware_address(&self.seed, &self.camera, self.first, interfaces, local)
    }

    /// The scopes that cannot be changed (Core 7.3.2.2), for those who are told this hardware address.
    pub fn fixed_scopes(&self, address: MacAddress) -> Vec<String> {
        self.common_scopes().into_iter().chain([self.hardware_scope(address)]).collect()
    }

    /// The scope that tells a hardware address.
    pub fn hardware_scope(&self, address: MacAddress) -> String {
        format!("{SCOPE}MacAddress/{address}")
    }

    /// The scopes that cannot be changed and are the same for everybody: what it is, what it can do, who it is.
    pub fn common_scopes(&self) -> Vec<String> {
        let always = [
            "type/video_encoder".to_owned(),
            "type/Network_Video_Transmitter".to_owned(),
            "Profile/Streaming".to_owned(),
            "hardware/Belvedere".to_owned(),
            format!("name/{}", escape(&self.name)),
            format!("SerialNumber/{}", self.identity.serial),
        ];
        let sound = self.sound.then(|| "type/audio_encoder".to_owned());
        always.into_iter().chain(sound).map(|scope| format!("{SCOPE}{scope}")).collect()
    }

    /// Replaces the scopes that can be changed (SetScopes). Blocks on the disk.
    ///
    /// # Errors
    /// See [`PresenceError`].
    pub fn set_scopes(&self, scopes: &[String]) -> Result<(), PresenceError> {
        self.change(|presence| {
            presence.scopes = checked(scopes)?;
            Ok(())
        })
    }

    /// Adds scopes; those that are there already stay once (AddScopes). Blocks on the disk.
    ///
    /// # Errors
    /// See [`PresenceError`].
    pub fn add_scopes(&self, scopes: &[String]) -> Result<(), PresenceError> {
        self.change(|presence| {
            let all: Vec<String> = presence.scopes.iter().chain(scopes).cloned().collect();
            presence.scopes = checked(&all)?;
            Ok(())
        })
    }

    /// Removes scopes, all or none; `fixed` are those that cannot go (RemoveScopes). Blocks on the disk.
    ///
    /// # Errors
    /// See [`PresenceError`].
    pub fn remove_scopes(&self, scopes: &[String], fixed: &[String]) -> Result<(), PresenceError> {
        self.change(|presence| {
            for scope in scopes {
                match presence.scopes.iter().position(|known| known == scope) {
                    Some(place) => drop(presence.scopes.remove(place)),
                    None if fixed.contains(scope) => return Err(PresenceError::Fixed(scope.clone())),
                    None => return Err(PresenceError::Missing(scope.clone())),
                }
            }
            Ok(())
        })
    }

    /// Says whether the device answers to discovery. Blocks on the disk.
    ///
    /// # Errors
    /// See [`PresenceError`].
    pub fn set_discoverable(&self, discoverable: bool) -> Result<(), PresenceError> {
        self.change(|presence| {
            presence.discoverable = discoverable;
            Ok(())
        })
    }

    fn change(&self, change: impl FnOnce(&mut Presence) -> Result<(), PresenceError>) -> Result<(), PresenceError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.presence();
        let mut after = Presence::clone(&before);
        change(&mut after)?;
        if after == *before {
            return Ok(());
        }
        if let Some(store) = &self.store {
            let key = format!("device.{}.presence", self.camera);
            let kept = store.write(|tx| store::put_setting(tx, &key, &after));
            kept.map_err(|error: StoreError| PresenceError::Store(error.to_string()))?;
        }
        self.presence.send_replace(Arc::new(after));
        Ok(())
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("camera", &self.camera).finish_non_exhaustive()
    }
}

/// Reads a setting, or makes and keeps it.
fn kept<T: Serialize + serde::de::DeserializeOwned>(
    tx: &rusqlite::Connection,
    key: &str,
    make: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if let Some(known) = store::get_setting(tx, key)? {
        return Ok(known);
    }
    let made = make()?;
    store::put_setting(tx, key, &made)?;
    Ok(made)
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Random(error.to_string()))?;
    Ok(bytes)
}

/// Holds scopes against the rules, and leaves doubles out.
fn checked(scopes: &[String]) -> Result<Vec<String>, PresenceError> {
    let mut kept: Vec<String> = Vec::new();
    for scope in scopes {
        let printable = scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&byte));
        let has_scheme = scope.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
        if scope.len() > MAX_SCOPE || !printable || !has_scheme {
            return Err(PresenceError::BadScope(scope.clone()));
        }
        if !kept.contains(scope) {
            kept.push(scope.clone());
        }
    }
    if kept.len() > MAX_SCOPES { Err(PresenceError::TooMany) } else { Ok(kept) }
}

/// Percent-encodes what may not stand in a segment of a URI.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        camera::{SourceKind, model::tests::origin},
        store::CREATE_SETTINGS,
    };

    fn scopes(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn who_it_is_stays_and_what_was_set_too() {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&directory.path().join("test.db"), &[CREATE_SETTINGS]).unwrap());
        let open = |id: &str| {
            let mut settings = origin(SourceKind::Captured);
            settings.id = id.to_owned();
            settings.name = "Front door".to_owned();
            settings.pcmu = settings.pcmu.filter(|_| id == "cam");
            settings.aac = settings.aac.filter(|_| id == "cam");
            Device::open(Arc::clone(&store), &settings, id == "cam").unwrap()
        };
        let device = open("cam");
        let mut told = device.watch();
        device.set_scopes(&scopes(&["onvif://www.onvif.org/location/garden"])).unwrap();
        device.add_scopes(&scopes(&["urn:a", "urn:a", "onvif://www.onvif.org/location/garden"])).unwrap();
        device.set_discoverable(false).unwrap();
        assert!(told.has_changed().unwrap());
        let again = open("cam");
        assert_eq!(again.identity(), device.identity());
        assert_eq!(again.presence().scopes, scopes(&["onvif://www.onvif.org/location/garden", "urn:a"]));
        assert!(!again.presence().discoverable);
        let other = open("yard");
        assert_ne!(other.identity(), device.identity());
        assert_ne!(other.hardware_address(&[], None), device.hardware_address(&[], None));
        let fixed = device.fixed_scopes(device.hardware_address(&[], None));
        assert!(fixed.contains(&"onvif://www.onvif.org/name/Front%20door".to_owned()), "{fixed:?}");
        let sound = "onvif://www.onvif.org/type/audio_encoder".to_owned();
        assert!(fixed.contains(&sound) && !other.fixed_scopes(other.hardware_address(&[], None)).contains(&sound));
        assert_eq!(told.borrow_and_update().scopes.len(), 2);
        assert_eq!(
            device.remove_scopes(&scopes(&["urn:a", "urn:b"]), &fixed),
            Err(PresenceError::Missing("urn:b".into()))
        );
        assert_eq!(device.presence().scopes.len(), 2, "all or none");
        assert_eq!(device.remove_scopes(&fixed[3..4], &fixed), Err(PresenceError::Fixed(fixed[3].clone())));
        device.remove_scopes(&scopes(&["urn:a"]), &fixed).unwrap();
        assert_eq!(device.presence().scopes.len(), 1);
    }

    #[test]
    fn what_is_no_uri_is_no_scope() {
        for bad in ["", "garden", ":x", "x:", "onvif://a b", "urn:ä", "urn:<", &format!("urn:{}", "x".repeat(200))] {
            assert_eq!(checked(&scopes(&[bad])), Err(PresenceError::BadScope(bad.into())), "{bad}");
        }
        let many: Vec<String> = (0..33).map(|n| format!("urn:{n}")).collect();
        assert_eq!(checked(&many), Err(PresenceError::TooMany));
    }
}
