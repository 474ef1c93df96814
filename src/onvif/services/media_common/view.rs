//! The camera as one of the media services shows it.

use std::sync::Arc;

use super::{Entity, faults};
use crate::{
    camera::{
        AudioEncoderConfiguration, ChangeError, Definition, Kind, Profile, Settings, SourceConfiguration, SourceKind,
        VideoCodec, VideoEncoderConfiguration, VideoSettings,
    },
    onvif::{context::Context, soap::fault::Fault},
};

/// Which of the services looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Media1, whose schema has no H.265: what is set to it does not exist here (design section 4).
    One,
    /// Media2.
    Two,
}

/// The settings at one moment, and what of them a service shows.
#[derive(Clone)]
pub(crate) struct View {
    /// The camera, and what answers need besides.
    pub(crate) context: Arc<Context>,
    /// Its settings.
    pub(crate) settings: Arc<Settings>,
    version: Version,
}

impl View {
    /// Looks at the settings as they are.
    pub(crate) fn now(context: &Arc<Context>, version: Version) -> Self {
        Self { context: Arc::clone(context), settings: context.camera.settings(), version }
    }

    /// The same, for who tells of encoders: gives a stream that arrives encoded and was never seen a moment to show itself.
    pub(crate) async fn look(context: &Arc<Context>, version: Version) -> Self {
        context.camera.first_look().await;
        Self::now(context, version)
    }

    /// The same with the settings that a change has made.
    pub(crate) fn after(self, settings: Arc<Settings>) -> Self {
        Self { settings, ..self }
    }

    /// All profiles, the highest definition first.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.settings.profiles.iter().filter(|profile| self.shows_profile(profile))
    }

    /// Finds a profile.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn profile(&self, token: &str) -> Result<&Profile, Fault> {
        let found = self.settings.profile(token).filter(|profile| self.shows_profile(profile));
        found.ok_or_else(|| faults::no_profile(token))
    }

    /// All video encoder configurations.
    pub(crate) fn video_encoders(&self) -> impl Iterator<Item = &VideoEncoderConfiguration> {
        self.settings.video_encoders.iter().filter(|encoder| self.shows_encoder(encoder))
    }

    /// Finds a video encoder configuration.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn video_encoder(&self, token: &str) -> Result<&VideoEncoderConfiguration, Fault> {
        let found = self.settings.video_encoder(token).filter(|encoder| self.shows_encoder(encoder));
        found.ok_or_else(|| faults::no_config(token))
    }

    /// All audio encoder configurations. One whose source brings no sound does not exist here.
    pub(crate) fn audio_encoders(&self) -> impl Iterator<Item = &AudioEncoderConfiguration> {
        self.settings.audio_encoders.iter().filter(|encoder| !encoder.absent)
    }

    /// Finds an audio encoder configuration.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn audio_encoder(&self, token: &str) -> Result<&AudioEncoderConfiguration, Fault> {
        self.audio_encoders().find(|encoder| encoder.token == token).ok_or_else(|| faults::no_config(token))
    }

    /// The video source configuration.
    ///
    /// # Errors
    /// It has another token.
    pub(crate) fn video_source(&self, token: &str) -> Result<&SourceConfiguration, Fault> {
        let source = &self.settings.video_source;
        if source.token == token { Ok(source) } else { Err(faults::no_config(token)) }
    }

    /// The audio source configuration.
    ///
    /// # Errors
    /// There is none, or it has another token.
    pub(crate) fn audio_source(&self, token: &str) -> Result<&SourceConfiguration, Fault> {
        let source = self.settings.audio_source.as_ref().filter(|_| self.settings.has_sound());
        source.filter(|source| source.token == token).ok_or_else(|| faults::no_config(token))
    }

    /// The tokens of all configurations of a kind.
    pub(crate) fn tokens(&self, kind: Kind) -> Vec<&str> {
        let all = self.settings.tokens(kind).into_iter();
        all.filter(|token| self.has(kind, token).is_ok()).collect()
    }

    /// Checks that there is a configuration.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn has(&self, kind: Kind, token: &str) -> Result<(), Fault> {
        match kind {
            Kind::VideoSource => self.video_source(token).map(drop),
            Kind::AudioSource => self.audio_source(token).map(drop),
            Kind::VideoEncoder => self.video_encoder(token).map(drop),
            Kind::AudioEncoder => self.audio_encoder(token).map(drop),
        }
    }

    /// The token of the configuration of a kind that a profile refers to, if it is shown.
    pub(crate) fn reference<'a>(&self, profile: &'a Profile, kind: Kind) -> Option<&'a str> {
        profile.reference(kind).filter(|token| self.has(kind, token).is_ok())
    }

    /// The configuration that is to be put into a profile: the named one, or the least used one where none is named and the
    /// profile has none.
    ///
    /// # Errors
    /// There is no such configuration, or none of this kind.
    pub(crate) fn chosen(&self, kind: Kind, named: Option<String>, profile: Option<&Profile>) -> Result<String, Fault> {
        if let Some(named) = named {
            return self.has(kind, &named).map(|()| named);
        }
        let kept = profile.and_then(|profile| self.reference(profile, kind));
        let least = || self.tokens(kind).into_iter().min_by_key(|token| self.settings.use_count(kind, token));
        let none = || faults::refused(ChangeError::Conflict("there is no configuration of this kind"));
        kept.or_else(least).map(str::to_owned).ok_or_else(none)
    }

    /// Whether any configuration of a kind could be added to a profile as it is.
    pub(crate) fn fits(profile: &Profile, kind: Kind) -> bool {
        kind.needs().is_none_or(|needed| profile.reference(needed).is_some())
    }

    /// What a configuration has in common with all others.
    pub(crate) fn entity<'a>(&self, kind: Kind, token: &'a str, name: &'a str) -> Entity<'a> {
        Entity { token, name, uses: self.settings.use_count(kind, token) }
    }

    /// Width and height of the source's pictures.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.main_stream().size()
    }

    /// Pictures that the source brings in a second.
    pub(crate) fn frame_rate(&self) -> u32 {
        let origin = self.context.camera.origin();
        match origin.source {
            SourceKind::Captured => origin.capture_rate(),
            SourceKind::Encoded { .. } => self.main_stream().frame_rate(),
        }
    }

    /// What the source is like: as it is captured, or as its main stream arrives.
    fn main_stream(&self) -> VideoSettings {
        let origin = self.context.camera.origin();
        let captured = || VideoSettings::Video(origin.ultra_hd.clone());
        match origin.source {
            SourceKind::Captured => captured(),
            SourceKind::Encoded { .. } => {
                let main = self.settings.video_encoder(Definition::UltraHd.token());
                main.map_or_else(captured, |main| main.settings.clone())
            }
        }
    }

    /// Whether the service can name a codec; `None` is JPEG.
    pub(crate) fn names(&self, codec: Option<VideoCodec>) -> bool {
        self.version == Version::Two || codec != Some(VideoCodec::H265)
    }

    fn shows_encoder(&self, encoder: &VideoEncoderConfiguration) -> bool {
        self.names(encoder.settings.codec()) && self.context.camera.is_known(&encoder.token)
    }

    fn shows_profile(&self, profile: &Profile) -> bool {
        let encoder = profile.video_encoder.as_deref().and_then(|token| self.settings.video_encoder(token));
        encoder.is_none_or(|encoder| self.names(encoder.settings.codec()))
    }
}
