//! Profiles that there are, and what is put into one.

use super::{
    audio,
    door::Door,
    words::{Codec, Service},
};
use crate::{
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

/// The name of the profiles that cases make; other cases pass them over.
pub(super) const OWN_NAME: &str = "testprofileX";
/// What a case claims while it looks for a profile.
const SEARCH: &str = "the search for a profile";

/// The kinds of configurations that make up a stream, in the order in which they are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    VideoSource,
    VideoEncoder,
    AudioSource,
    AudioEncoder,
}

impl Kind {
    /// Its name in requests.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::VideoSource => "VideoSource",
            Self::VideoEncoder => "VideoEncoder",
            Self::AudioSource => "AudioSource",
            Self::AudioEncoder => "AudioEncoder",
        }
    }
}

/// A profile as GetProfiles lists it.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    /// Its token.
    pub(super) token: String,
    /// The service that told of it.
    pub(super) service: Service,
    /// All of it.
    pub(super) element: Element,
}

impl Profile {
    /// The configuration of a kind in it.
    pub(super) fn get(&self, kind: Kind) -> Option<&Element> {
        match self.service {
            Service::Media1 => self.element.at(&format!("{}Configuration", kind.name())),
            Service::Media2 => self.element.at(&format!("Configurations/{}", kind.name())),
        }
    }

    /// The token of the configuration of a kind in it.
    pub(super) fn token_of(&self, kind: Kind) -> Option<&str> {
        self.get(kind).map(Element::token)
    }

    /// Whether it cannot be deleted.
    pub(super) fn is_fixed(&self) -> bool {
        self.element.flag("fixed").unwrap_or(false)
    }

    /// CreateProfile of the same, for Media2.
    pub(super) fn creating(&self) -> String {
        let configurations: String = self
            .all()
            .iter()
            .map(|(kind, token)| {
                let token = escape(token);
                format!(
                    "<tr2:Configuration><tr2:Type>{kind}</tr2:Type><tr2:Token>{token}</tr2:Token></tr2:Configuration>"
                )
            })
            .collect();
        let name = escape(self.element.text_or_empty("Name"));
        format!("<tr2:CreateProfile><tr2:Name>{name}</tr2:Name>{configurations}</tr2:CreateProfile>")
    }

    /// All configurations in it: kind and token.
    pub(super) fn all(&self) -> Vec<(String, String)> {
        let children = self.element.at("Configurations").map(|all| all.children.as_slice()).unwrap_or_default();
        children.iter().map(|child| (child.name.clone(), child.token().to_owned())).collect()
    }
}

/// Begins to look for a profile. One case does so at a time: where there is no room for a profile of its own, a case empties
/// one for as long as it lasts, and what others saw of that would not hold.
pub(super) fn search(t: &mut Test<'_>) -> Outcome {
    t.claim(&[SEARCH.to_owned()]).map(drop)
}

/// Ends that, before an encoder is waited for, if all profiles are as they were found.
pub(super) fn found(t: &mut Test<'_>) {
    t.release(SEARCH);
}

/// All profiles but those that cases make. It begins a [search].
pub(super) fn profiles(t: &mut Test<'_>, door: &Door) -> Outcome<Vec<Profile>> {
    search(t)?;
    listed(t, door)
}

/// The same without a search: it holds of the profiles whose encoder is claimed.
pub(super) fn listed(t: &mut Test<'_>, door: &Door) -> Outcome<Vec<Profile>> {
    let service = door.service;
    let answer = match service {
        Service::Media1 => door.ask(t, "<trt:GetProfiles/>")?,
        Service::Media2 => door.ask(t, "<tr2:GetProfiles><tr2:Type>All</tr2:Type></tr2:GetProfiles>")?,
    };
    let others = answer.all("Profiles").filter(|one| one.text_or_empty("Name") != OWN_NAME);
    Ok(others.map(|one| Profile { token: one.token().to_owned(), service, element: one.clone() }).collect())
}

/// The profiles with a video source and a video encoder, and the token of the encoder.
pub(super) fn pictures(t: &mut Test<'_>, door: &Door) -> Outcome<Vec<(String, String)>> {
    let with_both = |profile: Profile| {
        profile.get(Kind::VideoSource)?;
        let encoder = profile.token_of(Kind::VideoEncoder)?.to_owned();
        Some((profile.token, encoder))
    };
    Ok(profiles(t, door)?.into_iter().filter_map(with_both).collect())
}

/// A profile with sound.
#[derive(Debug, Clone)]
pub(super) struct Sound {
    /// The profile.
    pub(super) profile: String,
    /// The audio encoder configuration.
    pub(super) encoder: String,
    /// What can be set with the codec.
    pub(super) options: audio::Options,
    /// What there is of pictures in it.
    pub(super) video: Option<(String, Codec)>,
}

/// The profiles with an audio source and an audio encoder that has this codec.
pub(super) fn sounds(t: &mut Test<'_>, door: &Door, codec: Codec) -> Outcome<Vec<Sound>> {
    let mut found = Vec::new();
    for profile in profiles(t, door)? {
        let Some(encoder) = profile.get(Kind::AudioSource).and(profile.token_of(Kind::AudioEncoder)) else { continue };
        if let Some(options) = audio::options(t, door, &profile.token, encoder, codec)? {
            let video = profile.get(Kind::VideoSource).and(profile.get(Kind::VideoEncoder));
            let video = video.and_then(|encoder| {
                Some((encoder.token().to_owned(), Codec::of_video(encoder.text_or_empty("Encoding"))?))
            });
            let encoder = encoder.to_owned();
            found.push(Sound { profile: profile.token, encoder, options, video });
        }
    }
    Ok(found)
}

/// Adds a configuration to a profile.
pub(super) fn add(t: &mut Test<'_>, door: &Door, profile: &str, kind: &str, token: &str) -> Outcome {
    door.ask(t, adding(door.service, profile, kind, token)).map(drop)
}

/// The request for that.
pub(super) fn adding(service: Service, profile: &str, kind: &str, token: &str) -> String {
    let (profile, token) = (escape(profile), escape(token));
    match service {
        Service::Media1 => format!(
            "<trt:Add{kind}Configuration><trt:ProfileToken>{profile}</trt:ProfileToken>\
             <trt:ConfigurationToken>{token}</trt:ConfigurationToken></trt:Add{kind}Configuration>"
        ),
        Service::Media2 => format!(
            "<tr2:AddConfiguration><tr2:ProfileToken>{profile}</tr2:ProfileToken><tr2:Configuration>\
             <tr2:Type>{kind}</tr2:Type><tr2:Token>{token}</tr2:Token></tr2:Configuration></tr2:AddConfiguration>"
        ),
    }
}

/// The tokens of the configurations of a kind that go with a profile.
pub(super) fn compatible(t: &mut Test<'_>, door: &Door, profile: &str, kind: Kind) -> Outcome<Vec<String>> {
    let (name, profile) = (kind.name(), escape(profile));
    let request = match door.service {
        Service::Media1 => format!("GetCompatible{name}Configurations"),
        Service::Media2 => format!("Get{name}Configurations"),
    };
    let answer =
        door.ask(t, format!("<{{p}}:{request}><{{p}}:ProfileToken>{profile}</{{p}}:ProfileToken></{{p}}:{request}>"))?;
    Ok(answer.all("Configurations").map(|one| one.token().to_owned()).collect())
}
