//! What doors can change of a camera, and the rules of it. Pure: a change makes new settings of old ones, or says why not.
//!
//! ```text
//!  Settings + Change ── apply ──► Settings' + what the source must do about it | ChangeError
//! ```

use serde::{Deserialize, Serialize};

use super::{
    AudioEncoder, CodecProfile, JpegEncoder, Kind, Profile, VideoCodec, VideoEncoder,
    options::{AudioOptions, Range, VideoOptions},
};

/// Most profiles of a camera (Media2 capability `MaximumNumberOfProfiles`).
pub const MAX_PROFILES: usize = 32;
/// Longest token or name, in bytes (`tt:ReferenceToken`, `tt:Name`).
pub const MAX_NAME: usize = 64;

/// All that doors can change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Fixed profiles first, highest definition first: recorders take the first one.
    pub profiles: Vec<Profile>,
    /// The number that the next profile without a token of its own gets.
    pub next_profile: u32,
    /// The video source configuration; there is one source.
    pub video_source: SourceConfiguration,
    /// The audio source configuration, where there is sound.
    pub audio_source: Option<SourceConfiguration>,
    /// The video encoder configurations.
    pub video_encoders: Vec<VideoEncoderConfiguration>,
    /// The audio encoder configurations.
    pub audio_encoders: Vec<AudioEncoderConfiguration>,
    /// The picture's look.
    pub imaging: Imaging,
}

/// A configuration that says which source is used; the whole picture, all of the sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceConfiguration {
    /// The permanent token.
    pub token: String,
    /// The name that people see.
    pub name: String,
}

/// An encoder configuration: one encoder and one track of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoEncoderConfiguration {
    /// The permanent token; the track's name, too.
    pub token: String,
    /// The name that people see.
    pub name: String,
    /// What it is set to, or, for a stream that arrives encoded, what it was last seen to be.
    pub settings: VideoSettings,
    /// The profile of a stream that arrives encoded, as it was last seen. What ours are, the definition says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<CodecProfile>,
}

/// The settings of a video encoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VideoSettings {
    /// H.264 or H.265.
    Video(VideoEncoder),
    /// JPEG.
    Jpeg(JpegEncoder),
}

/// An audio encoder configuration: one encoder and one track of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioEncoderConfiguration {
    /// The permanent token; the track's name, too.
    pub token: String,
    /// The name that people see.
    pub name: String,
    /// What it is set to.
    pub settings: AudioEncoder,
    /// The source was last seen to bring no such sound: there is no track, and doors do not tell of it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub absent: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The look of the picture, each 0 to 100; 50 changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Imaging {
    /// Brightness.
    pub brightness: f32,
    /// Contrast.
    pub contrast: f32,
    /// Colour saturation.
    pub saturation: f32,
}

impl Imaging {
    /// What each of them can be set to.
    pub const RANGE: Range = Range::new(0, 100);

    /// Whether all of them lie in the range; what is no number does not.
    fn is_possible(&self) -> bool {
        let range = Self::RANGE.min as f32..=Self::RANGE.max as f32;
        [self.brightness, self.contrast, self.saturation].iter().all(|value| range.contains(value))
    }

    fn with(self, change: ImagingChange) -> Self {
        Self {
            brightness: change.brightness.unwrap_or(self.brightness),
            contrast: change.contrast.unwrap_or(self.contrast),
            saturation: change.saturation.unwrap_or(self.saturation),
        }
    }
}

impl Default for Imaging {
    fn default() -> Self {
        Self { brightness: 50.0, contrast: 50.0, saturation: 50.0 }
    }
}

/// A change of the look; what is not named stays as it is, whoever else changes it meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ImagingChange {
    /// Brightness.
    pub brightness: Option<f32>,
    /// Contrast.
    pub contrast: Option<f32>,
    /// Colour saturation.
    pub saturation: Option<f32>,
}

/// A change of a video encoder; what is not named stays as it is, whoever else changes it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoChange {
    /// The codec; `None` is JPEG.
    pub codec: Option<VideoCodec>,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Pictures per second.
    pub frame_rate: Option<u32>,
    /// Bit rate in kbit/s. JPEG has none.
    pub bitrate_kbps: Option<u32>,
    /// Distance of key frames in pictures. JPEG has none.
    pub gop: Option<u32>,
    /// Quality; JPEG only.
    pub quality: Option<u32>,
}

/// A reference to be put into a profile; without a token the camera chooses.
pub type Reference = (Kind, Option<String>);

/// What a door asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Sets a video encoder.
    VideoEncoder {
        /// Which one.
        token: String,
        /// Its new name.
        name: String,
        /// What of it changes.
        change: VideoChange,
    },
    /// Sets an audio encoder.
    AudioEncoder {
        /// Which one.
        token: String,
        /// Its new name.
        name: String,
        /// All of its settings.
        settings: AudioEncoder,
    },
    /// Renames a video or audio source configuration.
    Source {
        /// Which kind.
        kind: Kind,
        /// Which one.
        token: String,
        /// Its new name.
        name: String,
    },
    /// Changes the look of the picture.
    Imaging(ImagingChange),
    /// Makes a profile.
    CreateProfile {
        /// Its token, if the client chooses one.
        token: Option<String>,
        /// Its name.
        name: String,
        /// What it refers to.
        references: Vec<Reference>,
    },
    /// Removes a profile.
    DeleteProfile {
        /// Which one.
        token: String,
    },
    /// Puts references into a profile, in place of those of the same kind.
    Add {
        /// Which profile.
        profile: String,
        /// Its new name, if it gets one.
        name: Option<String>,
        /// The references.
        references: Vec<Reference>,
    },
    /// Takes references out of a profile.
    Remove {
        /// Which profile.
        profile: String,
        /// The kinds, with the token that must be there, if one is named. Kinds that the profile does not have are passed over.
        kinds: Vec<Reference>,
    },
}

/// What the source must do about a change.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceChange {
    /// Set an encoder.
    Video {
        /// The track's name.
        track: String,
        /// From this.
        old: VideoSettings,
        /// To this.
        new: VideoSettings,
    },
    /// Set an audio encoder.
    Audio {
        /// The track's name.
        track: String,
        /// To this.
        new: AudioEncoder,
    },
    /// Change the look of the picture.
    Imaging(Imaging),
}

impl SourceChange {
    /// What undoes it, given the settings before it.
    pub(super) fn undo(&self, before: &Settings) -> Option<Self> {
        match self {
            Self::Video { track, old, new } => {
                Some(Self::Video { track: track.clone(), old: new.clone(), new: old.clone() })
            }
            Self::Audio { track, .. } => {
                let old = before.audio_encoders.iter().find(|encoder| encoder.token == *track)?;
                Some(Self::Audio { track: track.clone(), new: old.settings.clone() })
            }
            Self::Imaging(_) => Some(Self::Imaging(before.imaging)),
        }
    }
}

/// Why a change is not made. The settings stay as they were.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such profile.
    #[error("there is no profile {0:?}")]
    NoProfile(String),
    /// There is no such configuration.
    #[error("there is no such configuration: {0:?}")]
    NoConfiguration(String),
    /// A profile of this token exists.
    #[error("a profile {0:?} exists already")]
    ProfileExists(String),
    /// The profile is fixed.
    #[error("profile {0:?} is fixed and cannot be deleted")]
    FixedProfile(String),
    /// There are as many profiles as there may be.
    #[error("there can be at most {MAX_PROFILES} profiles")]
    TooManyProfiles,
    /// The profile would have an encoder without its source, or a source still needed would go.
    #[error("{0}")]
    Conflict(&'static str),
    /// A value is not possible.
    #[error("{0}")]
    Invalid(&'static str),
    /// The source does not do it.
    #[error("the source refuses: {0}")]
    Refused(String),
    /// The change cannot be kept.
    #[error("the change cannot be kept: {0}")]
    Store(String),
}

/// What encoders can be set to, by their tokens.
pub(super) trait Bounds {
    /// The options of a video encoder, one for each codec.
    fn video(&self, token: &str) -> Vec<VideoOptions>;
    /// The options of an audio encoder.
    fn audio(&self, token: &str) -> Option<AudioOptions>;
    /// Whether the look of the picture can be changed.
    fn imaging(&self) -> bool;
    /// Whether an encoder stands for a stream that arrives encoded: it is what it is.
    fn is_from_source(&self, token: &str) -> bool;
}

impl Settings {
    /// Finds a profile.
    pub fn profile(&self, token: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.token == token)
    }

    /// Finds a video encoder configuration.
    pub fn video_encoder(&self, token: &str) -> Option<&VideoEncoderConfiguration> {
        self.video_encoders.iter().find(|encoder| encoder.token == token)
    }

    /// Finds an audio encoder configuration.
    pub fn audio_encoder(&self, token: &str) -> Option<&AudioEncoderConfiguration> {
        self.audio_encoders.iter().find(|encoder| encoder.token == token)
    }

    /// Whether there is any sound: a source of it, and one that brings some.
    pub fn has_sound(&self) -> bool {
        self.audio_source.is_some() && self.audio_encoders.iter().any(|encoder| !encoder.absent)
    }

    /// How many profiles refer to a configuration (`UseCount`).
    pub fn use_count(&self, kind: Kind, token: &str) -> usize {
        self.profiles.iter().filter(|profile| profile.reference(kind) == Some(token)).count()
    }

    /// The tokens of all configurations of a kind.
    pub fn tokens(&self, kind: Kind) -> Vec<&str> {
        match kind {
            Kind::VideoSource => vec![&self.video_source.token],
            Kind::AudioSource => self.audio_source.iter().map(|source| source.token.as_str()).collect(),
            Kind::VideoEncoder => self.video_encoders.iter().map(|encoder| encoder.token.as_str()).collect(),
            Kind::AudioEncoder => self.audio_encoders.iter().map(|encoder| encoder.token.as_str()).collect(),
        }
    }

    /// Makes a change on a copy.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub(super) fn apply(
        &self,
        change: &Change,
        bounds: &dyn Bounds,
    ) -> Result<(Self, Option<SourceChange>), ChangeError> {
        let mut next = self.clone();
        let effect = match change {
            Change::VideoEncoder { token, name, change } => next.set_video(token, name, change, bounds)?,
            Change::AudioEncoder { token, name, settings } => next.set_audio(token, name, settings, bounds)?,
            Change::Source { kind, token, name } => next.rename_source(*kind, token, name)?,
            Change::Imaging(change) => next.set_imaging(*change, bounds)?,
            Change::CreateProfile { token, name, references } => next.create(token.as_deref(), name, references)?,
            Change::DeleteProfile { token } => next.delete(token)?,
            Change::Add { profile, name, references } => next.add(profile, name.as_deref(), references)?,
            Change::Remove { profile, kinds } => next.remove(profile, kinds)?,
        };
        Ok((next, effect))
    }

    fn set_video(
        &mut self,
        token: &str,
        name: &str,
        change: &VideoChange,
        bounds: &dyn Bounds,
    ) -> Result<Option<SourceChange>, ChangeError> {
        check_name(name)?;
        let options = bounds.video(token);
        let encoder = self.video_encoders.iter_mut().find(|encoder| encoder.token == token);
        let encoder = encoder.ok_or_else(|| ChangeError::NoConfiguration(token.to_owned()))?;
        let settings = encoder.settings.with(change, &options);
        if settings != encoder.settings {
            check_video(&settings, &options).map_err(ChangeError::Invalid)?;
        }
        name.clone_into(&mut encoder.name);
        let old = std::mem::replace(&mut encoder.settings, settings.clone());
        let change = SourceChange::Video { track: token.to_owned(), old: old.clone(), new: settings.clone() };
        if self.video_encoders.iter().all(|encoder| !encoder.settings.is_h264()) && old.is_h264() {
            return Err(ChangeError::Invalid("one encoder at least must stay H.264"));
        }
        Ok((old != settings).then_some(change))
    }

    fn set_audio(
        &mut self,
        token: &str,
        name: &str,
        settings: &AudioEncoder,
        bounds: &dyn Bounds,
    ) -> Result<Option<SourceChange>, ChangeError> {
        check_name(name)?;
        let options = bounds.audio(token);
        let encoder = self.audio_encoders.iter_mut().find(|encoder| encoder.token == token);
        let encoder = encoder.ok_or_else(|| ChangeError::NoConfiguration(token.to_owned()))?;
        let changes = encoder.settings != *settings;
        if changes {
            let options = options.ok_or(ChangeError::Invalid("this encoder cannot be set"))?;
            options.check(settings).map_err(ChangeError::Invalid)?;
        }
        name.clone_into(&mut encoder.name);
        encoder.settings = settings.clone();
        Ok(changes.then(|| SourceChange::Audio { track: token.to_owned(), new: settings.clone() }))
    }

    fn rename_source(&mut self, kind: Kind, token: &str, name: &str) -> Result<Option<SourceChange>, ChangeError> {
        check_name(name)?;
        let source = match kind {
            Kind::VideoSource => Some(&mut self.video_source),
            Kind::AudioSource => self.audio_source.as_mut(),
            Kind::VideoEncoder | Kind::AudioEncoder => None,
        };
        let source = source.filter(|source| source.token == token);
        let source = source.ok_or_else(|| ChangeError::NoConfiguration(token.to_owned()))?;
        name.clone_into(&mut source.name);
        Ok(None)
    }

    fn set_imaging(&mut self, change: ImagingChange, bounds: &dyn Bounds) -> Result<Option<SourceChange>, ChangeError> {
        let new = self.imaging.with(change);
        if !new.is_possible() {
            return Err(ChangeError::Invalid("brightness, contrast and saturation are 0 to 100"));
        }
        if new == self.imaging {
            return Ok(None);
        }
        if !bounds.imaging() {
            return Err(ChangeError::Invalid("the look of this source cannot be changed"));
        }
        self.imaging = new;
        Ok(Some(SourceChange::Imaging(new)))
    }

    fn create(
        &mut self,
        token: Option<&str>,
        name: &str,
        references: &[Reference],
    ) -> Result<Option<SourceChange>, ChangeError> {
        check_name(name)?;
        if let Some(token) = token {
            check_token(token)?;
            if self.profile(token).is_some() {
                return Err(ChangeError::ProfileExists(token.to_owned()));
            }
        }
        if self.profiles.len() >= MAX_PROFILES {
            return Err(ChangeError::TooManyProfiles);
        }
        let token = token.map_or_else(|| self.fresh_token(), str::to_owned);
        self.profiles.push(Profile::new(&token, name, false));
        self.add(&token, None, references)
    }

    /// A token that no profile ever had: a recorder may still ask for one that was deleted.
    fn fresh_token(&mut self) -> String {
        loop {
            let token = format!("profile-{}", self.next_profile);
            self.next_profile += 1;
            if self.profile(&token).is_none() {
                return token;
            }
        }
    }

    fn delete(&mut self, token: &str) -> Result<Option<SourceChange>, ChangeError> {
        let place = self.profiles.iter().position(|profile| profile.token == token);
        let place = place.ok_or_else(|| ChangeError::NoProfile(token.to_owned()))?;
        if self.profiles[place].fixed {
            return Err(ChangeError::FixedProfile(token.to_owned()));
        }
        self.profiles.remove(place);
        Ok(None)
    }

    fn add(
        &mut self,
        token: &str,
        name: Option<&str>,
        references: &[Reference],
    ) -> Result<Option<SourceChange>, ChangeError> {
        let mut profile = self.profile(token).cloned().ok_or_else(|| ChangeError::NoProfile(token.to_owned()))?;
        if let Some(name) = name {
            check_name(name)?;
            name.clone_into(&mut profile.name);
        }
        for (kind, reference) in references {
            let chosen = self.choose(*kind, reference.as_deref(), &profile)?;
            profile.refer(*kind, Some(chosen));
        }
        self.put(profile)
    }

    /// The configuration that is meant, or the least used one where none is named.
    fn choose(&self, kind: Kind, named: Option<&str>, profile: &Profile) -> Result<String, ChangeError> {
        let tokens = self.tokens(kind);
        match named {
            Some(named) if tokens.contains(&named) => Ok(named.to_owned()),
            Some(named) => Err(ChangeError::NoConfiguration(named.to_owned())),
            None => {
                let kept = profile.reference(kind);
                let least = || tokens.iter().copied().min_by_key(|token| self.use_count(kind, token));
                let chosen = kept.or_else(least);
                chosen.map(str::to_owned).ok_or(ChangeError::Conflict("there is no configuration of this kind"))
            }
        }
    }

    fn remove(&mut self, token: &str, kinds: &[Reference]) -> Result<Option<SourceChange>, ChangeError> {
        let mut profile = self.profile(token).cloned().ok_or_else(|| ChangeError::NoProfile(token.to_owned()))?;
        for (kind, named) in kinds {
            if let Some(named) = named
                && !self.tokens(*kind).contains(&named.as_str())
            {
                return Err(ChangeError::NoConfiguration(named.clone()));
            }
            let matches = named.as_deref().is_none_or(|named| profile.reference(*kind) == Some(named));
            if matches {
                profile.refer(*kind, None);
            }
        }
        self.put(profile)
    }

    /// Puts a changed profile back, if it is consistent.
    fn put(&mut self, profile: Profile) -> Result<Option<SourceChange>, ChangeError> {
        for kind in Kind::ALL {
            let alone = |needed| profile.reference(kind).is_some() && profile.reference(needed).is_none();
            if kind.needs().is_some_and(alone) {
                return Err(ChangeError::Conflict("an encoder needs its source configuration in the same profile"));
            }
        }
        if let Some(place) = self.profiles.iter_mut().find(|known| known.token == profile.token) {
            *place = profile;
        }
        Ok(None)
    }
}

impl VideoEncoderConfiguration {
    /// Whether this, which was kept, can take the place of what the file gives; the other encoders do not matter.
    pub(super) fn fits(&self, planned: &Self, bounds: &dyn Bounds) -> bool {
        let is_possible = || check_video(&self.settings, &bounds.video(&self.token)).is_ok();
        // A stream that arrives encoded is taken as it was last seen.
        let same = self.settings == planned.settings || bounds.is_from_source(&self.token);
        self.token == planned.token && check_name(&self.name).is_ok() && (same || is_possible())
    }
}

impl AudioEncoderConfiguration {
    /// Whether this, which was kept, can take the place of what the file gives.
    pub(super) fn fits(&self, planned: &Self, bounds: &dyn Bounds) -> bool {
        let is_possible = || bounds.audio(&self.token).is_some_and(|options| options.check(&self.settings).is_ok());
        let same = self.settings == planned.settings || bounds.is_from_source(&self.token);
        self.token == planned.token && check_name(&self.name).is_ok() && (same || is_possible())
    }
}

impl VideoSettings {
    /// What a change makes of this. A bit rate that stays is brought into the range: the file may give one outside.
    fn with(&self, change: &VideoChange, options: &[VideoOptions]) -> Self {
        let VideoChange { codec, size: (width, height), .. } = *change;
        let frame_rate = change.frame_rate.unwrap_or(self.frame_rate());
        let (old_bitrate, old_gop, old_quality) = match self {
            Self::Video(now) => (now.bitrate_kbps, now.gop, 0),
            Self::Jpeg(now) => (0, 1, now.quality),
        };
        let Some(codec) = codec else {
            let quality = change.quality.unwrap_or(old_quality);
            return Self::Jpeg(JpegEncoder { width, height, frame_rate, quality });
        };
        let range = options.iter().find(|options| options.codec == Some(codec)).map(|options| options.bitrates);
        let old_bitrate = range.map_or(old_bitrate, |range| old_bitrate.clamp(range.min, range.max));
        Self::Video(VideoEncoder {
            codec,
            width,
            height,
            frame_rate,
            bitrate_kbps: change.bitrate_kbps.unwrap_or(old_bitrate),
            gop: change.gop.unwrap_or(old_gop),
        })
    }

    /// The codec; `None` is JPEG.
    pub fn codec(&self) -> Option<VideoCodec> {
        match self {
            Self::Video(encoder) => Some(encoder.codec),
            Self::Jpeg(_) => None,
        }
    }

    /// Whether it is H.264.
    pub fn is_h264(&self) -> bool {
        self.codec() == Some(VideoCodec::H264)
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        match self {
            Self::Video(encoder) => (encoder.width, encoder.height),
            Self::Jpeg(encoder) => (encoder.width, encoder.height),
        }
    }

    /// Pictures per second.
    pub fn frame_rate(&self) -> u32 {
        match self {
            Self::Video(encoder) => encoder.frame_rate,
            Self::Jpeg(encoder) => encoder.frame_rate,
        }
    }
}

fn check_video(settings: &VideoSettings, options: &[VideoOptions]) -> Result<(), &'static str> {
    let options = options.iter().find(|options| options.codec == settings.codec());
    let options = options.ok_or("this encoder does not make this codec")?;
    match settings {
        VideoSettings::Video(encoder) => options.check(encoder),
        VideoSettings::Jpeg(encoder) => options.check_jpeg(encoder),
    }
}

/// Names may hold anything that people read.
fn check_name(name: &str) -> Result<(), ChangeError> {
    match name {
        _ if name.len() > MAX_NAME => Err(ChangeError::Invalid("a name has at most 64 bytes")),
        _ if name.chars().any(char::is_control) => Err(ChangeError::Invalid("a name holds no control characters")),
        _ => Ok(()),
    }
}

/// Tokens stand in stream addresses, which have at most 128 octets (TR-13): the characters that Media 5.2.1 promises, and `_`.
fn check_token(token: &str) -> Result<(), ChangeError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match token {
        "" | "." | ".." => Err(ChangeError::Invalid("this is no token")),
        _ if token.len() > MAX_NAME => Err(ChangeError::Invalid("a token has at most 64 characters")),
        _ if !token.bytes().all(legal) => {
            Err(ChangeError::Invalid("a token holds letters, digits, hyphens, dots and underscores"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests;
