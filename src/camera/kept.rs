//! What of a camera's settings is kept in the store: whatever differs from what the configuration file gives.
//!
//! | setting | holds |
//! |---|---|
//! | `camera.<id>.definitions.<token>` | a video encoder configuration |
//! | `camera.<id>.audio.<token>` | an audio encoder configuration |
//! | `camera.<id>.profiles` | what clients made and what they changed of the fixed ones, and the number of the next one |
//! | `camera.<id>.sources` | the source configurations |
//! | `camera.<id>.imaging` | the look of the picture |
//!
//! A stored part that no longer fits (the file has changed: less sound, a smaller capture) is left out and said in the log.

use std::sync::Arc;

use rusqlite::Connection;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    AudioEncoderConfiguration, Imaging, Kind, Profile, Reference, Settings, SourceConfiguration,
    VideoEncoderConfiguration, settings::Bounds,
};
use crate::store::{self, Store, StoreError};

/// The place of one camera's settings in the store.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    store: Arc<Store>,
    prefix: String,
    /// The fixed profiles as the configuration file has them.
    planned: Arc<[Profile]>,
}

#[derive(Serialize, Deserialize)]
struct Profiles {
    next: u32,
    /// Those that clients made.
    profiles: Vec<Profile>,
    #[serde(default)]
    fixed: Vec<Difference>,
}

/// What clients changed of a fixed profile. The rest follows the file: sound that is switched on later, another source.
#[derive(Serialize, Deserialize)]
struct Difference {
    token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Without a token: taken out.
    #[serde(default)]
    references: Vec<Reference>,
}

#[derive(Serialize, Deserialize)]
struct Sources {
    video: SourceConfiguration,
    audio: Option<SourceConfiguration>,
}

impl Kept {
    /// `planned` are the camera's profiles as the configuration file has them.
    pub(super) fn new(store: Arc<Store>, camera: &str, planned: &[Profile]) -> Self {
        Self { store, prefix: format!("camera.{camera}."), planned: planned.into() }
    }

    /// Puts what is kept over the settings of the file.
    pub(super) fn load(&self, settings: &mut Settings, bounds: &dyn Bounds) -> Result<(), StoreError> {
        self.store.read(|connection| {
            let planned = settings.video_encoders.clone();
            for place in &mut settings.video_encoders {
                let key = format!("definitions.{}", place.token);
                let kept: Option<VideoEncoderConfiguration> = self.get(connection, &key)?;
                self.take(&key, place, kept, |kept, planned| kept.fits(planned, bounds));
            }
            self.keep_one_h264(settings, &planned, bounds);
            for place in &mut settings.audio_encoders {
                let key = format!("audio.{}", place.token);
                let kept: Option<AudioEncoderConfiguration> = self.get(connection, &key)?;
                self.take(&key, place, kept, |kept, planned| kept.fits(planned, bounds));
            }
            let imaging: Option<Imaging> = self.get(connection, "imaging")?;
            settings.imaging = imaging.unwrap_or(settings.imaging);
            if let Some(kept) = self.get::<Sources>(connection, "sources")? {
                settings.video_source.name = kept.video.name;
                if let (Some(source), Some(kept)) = (&mut settings.audio_source, kept.audio) {
                    source.name = kept.name;
                }
            }
            if let Some(kept) = self.get::<Profiles>(connection, "profiles")? {
                take_profiles(settings, kept);
            }
            Ok(())
        })
    }

    fn take<T>(&self, key: &str, place: &mut T, kept: Option<T>, fits: impl FnOnce(&T, &T) -> bool) {
        match kept {
            Some(kept) if fits(&kept, place) => *place = kept,
            Some(_) => self.warn_of(key),
            None => {}
        }
    }

    /// One encoder stays H.264 (docs/decisions/h264-always.md), even if the file has changed since the others were set: the
    /// smallest of those that the file gives so, and that are ours to set.
    fn keep_one_h264(&self, settings: &mut Settings, planned: &[VideoEncoderConfiguration], bounds: &dyn Bounds) {
        if settings.video_encoders.iter().any(|encoder| encoder.settings.is_h264()) {
            return;
        }
        let mut smallest_first = settings.video_encoders.iter_mut().zip(planned).rev();
        let could =
            |planned: &VideoEncoderConfiguration| planned.settings.is_h264() && !bounds.is_from_source(&planned.token);
        if let Some((place, planned)) = smallest_first.find(|(_, planned)| could(planned)) {
            self.warn_of(&format!("definitions.{}", planned.token));
            place.settings = planned.settings.clone();
        }
    }

    fn warn_of(&self, key: &str) {
        tracing::warn!(setting = format!("{}{key}", self.prefix), "a stored setting does not fit this camera any more");
    }

    /// Keeps what a change made different. Blocks on the disk.
    pub(super) fn save(&self, before: &Settings, after: &Settings) -> Result<(), StoreError> {
        self.store.write(|tx| {
            for (old, new) in before.video_encoders.iter().zip(&after.video_encoders).filter(|(old, new)| old != new) {
                self.put(tx, &format!("definitions.{}", old.token), new)?;
            }
            for (old, new) in before.audio_encoders.iter().zip(&after.audio_encoders).filter(|(old, new)| old != new) {
                self.put(tx, &format!("audio.{}", old.token), new)?;
            }
            if before.imaging != after.imaging {
                self.put(tx, "imaging", &after.imaging)?;
            }
            let sources = |settings: &Settings| (settings.video_source.clone(), settings.audio_source.clone());
            if sources(before) != sources(after) {
                let (video, audio) = sources(after);
                self.put(tx, "sources", &Sources { video, audio })?;
            }
            if before.profiles != after.profiles || before.next_profile != after.next_profile {
                self.put(tx, "profiles", &Profiles::of(after, &self.planned))?;
            }
            Ok(())
        })
    }

    fn get<T: DeserializeOwned>(&self, connection: &Connection, key: &str) -> Result<Option<T>, StoreError> {
        store::get_setting(connection, &format!("{}{key}", self.prefix))
    }

    fn put<T: Serialize>(&self, connection: &Connection, key: &str, value: &T) -> Result<(), StoreError> {
        store::put_setting(connection, &format!("{}{key}", self.prefix), value)
    }
}

impl Profiles {
    fn of(settings: &Settings, planned: &[Profile]) -> Self {
        let made = settings.profiles.iter().filter(|profile| !profile.fixed);
        let fixed = planned.iter().filter_map(|planned| Difference::of(planned, settings.profile(&planned.token)?));
        Self { next: settings.next_profile, profiles: made.cloned().collect(), fixed: fixed.collect() }
    }
}

impl Difference {
    fn of(planned: &Profile, now: &Profile) -> Option<Self> {
        let differs = |kind: &Kind| now.reference(*kind) != planned.reference(*kind);
        let references = Kind::ALL.into_iter().filter(differs);
        (now != planned).then(|| Self {
            token: planned.token.clone(),
            name: (now.name != planned.name).then(|| now.name.clone()),
            references: references.map(|kind| (kind, now.reference(kind).map(str::to_owned))).collect(),
        })
    }

    /// The planned profile with what was changed of it, as far as the camera still has that.
    fn on(self, planned: &Profile, settings: &Settings) -> Profile {
        let mut profile = planned.clone();
        profile.name = self.name.unwrap_or(profile.name);
        for (kind, token) in self.references {
            if token.as_deref().is_none_or(|token| settings.tokens(kind).contains(&token)) {
                profile.refer(kind, token);
            }
        }
        without_what_is_gone(profile, settings)
    }
}

/// Takes the kept profiles over: what was changed of fixed ones, as far as the camera still has them; the others all, without
/// references to what is gone.
fn take_profiles(settings: &mut Settings, kept: Profiles) {
    settings.next_profile = settings.next_profile.max(kept.next);
    for difference in kept.fixed {
        if let Some(planned) = settings.profile(&difference.token) {
            let changed = difference.on(planned, settings);
            put_profile(settings, changed);
        }
    }
    for profile in kept.profiles.into_iter().filter(|profile| !profile.fixed) {
        let profile = without_what_is_gone(profile, settings);
        put_profile(settings, profile);
    }
}

fn without_what_is_gone(mut profile: Profile, settings: &Settings) -> Profile {
    for kind in Kind::ALL {
        let known = profile.reference(kind).is_some_and(|token| settings.tokens(kind).contains(&token));
        if !known || kind.needs().is_some_and(|needed| profile.reference(needed).is_none()) {
            profile.refer(kind, None);
        }
    }
    profile
}

/// A client's profile whose token the file uses now for a fixed one takes that one's place.
fn put_profile(settings: &mut Settings, profile: Profile) {
    match settings.profiles.iter_mut().find(|known| known.token == profile.token) {
        Some(known) => *known = Profile { fixed: known.fixed, ..profile },
        None => settings.profiles.push(profile),
    }
}
