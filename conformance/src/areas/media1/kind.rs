//! The kinds of configurations, and the operations that Media1 has for each of them under a name of its own.

use super::{compare::same_text, options};
use crate::{
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

/// A kind of configuration.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its name, as it stands in the operations and in a profile: `Get{name}Configurations`, `{name}Configuration`.
    pub(super) name: &'static str,
    /// What has to be in a profile before one of this kind.
    pub(super) source: Option<&'static Kind>,
    /// Demands that a configuration is one that these options offer.
    pub(super) offered: fn(&mut Test<'_>, &Element, &Element) -> Outcome,
}

/// Video source configurations.
pub(super) static VIDEO_SOURCE: Kind = Kind { name: "VideoSource", source: None, offered: options::video_source };
/// Video encoder configurations.
pub(super) static VIDEO_ENCODER: Kind =
    Kind { name: "VideoEncoder", source: Some(&VIDEO_SOURCE), offered: options::video_encoder };
/// Audio source configurations.
pub(super) static AUDIO_SOURCE: Kind = Kind { name: "AudioSource", source: None, offered: options::audio_source };
/// Audio encoder configurations.
pub(super) static AUDIO_ENCODER: Kind =
    Kind { name: "AudioEncoder", source: Some(&AUDIO_SOURCE), offered: options::audio_encoder };

/// What the options are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct For<'a> {
    /// The configuration.
    pub(super) configuration: Option<&'a str>,
    /// The profile.
    pub(super) profile: Option<&'a str>,
}

impl<'a> For<'a> {
    /// For a configuration.
    pub(super) fn configuration(token: &'a str) -> Self {
        Self { configuration: Some(token), profile: None }
    }

    /// For a profile.
    pub(super) fn profile(token: &'a str) -> Self {
        Self { configuration: None, profile: Some(token) }
    }

    /// For a configuration in a profile.
    pub(super) fn both(configuration: &'a str, profile: &'a str) -> Self {
        Self { configuration: Some(configuration), profile: Some(profile) }
    }
}

impl Kind {
    /// All configurations: `Get…Configurations`.
    pub(super) fn all(&self, t: &mut Test<'_>) -> Outcome<Vec<Element>> {
        let answer = t.ask(format!("<trt:Get{}Configurations/>", self.name))?;
        Ok(answer.all("Configurations").cloned().collect())
    }

    /// One configuration: `Get…Configuration`. It must be the one that was asked for.
    pub(super) fn one(&self, t: &mut Test<'_>, token: &str) -> Outcome<Element> {
        let body = request(&format!("Get{}Configuration", self.name), &[("ConfigurationToken", token)]);
        let answer = t.ask(body)?;
        let one = t.some(answer.at("Configuration"), "a configuration")?;
        same_text(t, "the configuration", token, one.attribute("token"))?;
        Ok(one.clone())
    }

    /// The configurations that a profile takes: `GetCompatible…Configurations`.
    pub(super) fn compatible(&self, t: &mut Test<'_>, profile: &str) -> Outcome<Vec<Element>> {
        let body = request(&format!("GetCompatible{}Configurations", self.name), &[("ProfileToken", profile)]);
        Ok(t.ask(body)?.all("Configurations").cloned().collect())
    }

    /// The options: `Get…ConfigurationOptions`.
    pub(super) fn options(&self, t: &mut Test<'_>, of: For<'_>) -> Outcome<Element> {
        let answer = t.ask(self.options_request(of))?;
        t.some(answer.at("Options"), "options").cloned()
    }

    /// The request for the options.
    pub(super) fn options_request(&self, of: For<'_>) -> String {
        let tokens = [("ConfigurationToken", of.configuration), ("ProfileToken", of.profile)];
        let tokens: Vec<_> = tokens.into_iter().filter_map(|(name, token)| token.map(|token| (name, token))).collect();
        request(&format!("Get{}ConfigurationOptions", self.name), &tokens)
    }

    /// Puts a configuration into a profile: `Add…Configuration`.
    pub(super) fn add(&self, t: &mut Test<'_>, profile: &str, configuration: &str) -> Outcome {
        add(t, self.name, profile, configuration)
    }

    /// Takes the configuration out of a profile: `Remove…Configuration`.
    pub(super) fn remove(&self, t: &mut Test<'_>, profile: &str) -> Outcome {
        remove(t, self.name, profile)
    }

    /// Sets a configuration: `Set…Configuration`.
    pub(super) fn set(&self, t: &mut Test<'_>, configuration: &Element) -> Outcome {
        t.ask(self.set_request(&configuration.renamed("trt", "Configuration"))).map(drop)
    }

    /// The request that sets a configuration, written as `trt:Configuration`; not for good, as the cases want it.
    pub(super) fn set_request(&self, configuration: &str) -> String {
        let name = self.name;
        format!(
            "<trt:Set{name}Configuration>{configuration}<trt:ForcePersistence>false</trt:ForcePersistence>\
             </trt:Set{name}Configuration>"
        )
    }

    /// When the case is over, sets this again, which is what it found.
    pub(super) fn set_afterwards(&self, t: &mut Test<'_>, configuration: &Element) {
        // For good, as it was: what is set for a while only may be lost with the next restart.
        let name = self.name;
        let configuration = configuration.renamed("trt", "Configuration");
        t.afterwards(format!(
            "<trt:Set{name}Configuration>{configuration}<trt:ForcePersistence>true</trt:ForcePersistence>\
             </trt:Set{name}Configuration>"
        ));
    }

    /// The configuration of this kind in a profile.
    pub(super) fn within<'a>(&self, profile: &'a Element) -> Option<&'a Element> {
        profile.at(&format!("{}Configuration", self.name))
    }
}

/// `Add…Configuration`.
pub(super) fn add(t: &mut Test<'_>, kind: &str, profile: &str, configuration: &str) -> Outcome {
    t.ask(add_request(kind, profile, configuration)).map(drop)
}

/// The request that adds a configuration.
pub(super) fn add_request(kind: &str, profile: &str, configuration: &str) -> String {
    request(&format!("Add{kind}Configuration"), &[("ProfileToken", profile), ("ConfigurationToken", configuration)])
}

/// `Remove…Configuration`.
pub(super) fn remove(t: &mut Test<'_>, kind: &str, profile: &str) -> Outcome {
    t.ask(request(&format!("Remove{kind}Configuration"), &[("ProfileToken", profile)])).map(drop)
}

/// A request of the media service that consists of tokens.
pub(super) fn request(operation: &str, tokens: &[(&str, &str)]) -> String {
    let tokens: String =
        tokens.iter().map(|(name, token)| format!("<trt:{name}>{}</trt:{name}>", escape(token))).collect();
    format!("<trt:{operation}>{tokens}</trt:{operation}>")
}
