//! Profiles: those that there are, and those that a case makes for itself.

use super::{
    audio,
    door::Door,
    video,
    words::{Codec, Service},
};
use crate::{
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

/// The name of the profiles that cases make; other cases pass them over.
const OWN_NAME: &str = "testprofileX";

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
    service: Service,
    element: Element,
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

/// All profiles but those that cases make.
pub(super) fn profiles(t: &mut Test<'_>, door: &Door) -> Outcome<Vec<Profile>> {
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

/// Makes a profile with nothing in it; it is deleted when the case is over.
pub(super) fn make(t: &mut Test<'_>, door: &Door) -> Outcome<String> {
    let answer =
        door.ask(t, format!("<{{p}}:CreateProfile><{{p}}:Name>{OWN_NAME}</{{p}}:Name></{{p}}:CreateProfile>"))?;
    let token = match door.service {
        Service::Media1 => answer.at("Profile").map(Element::token),
        Service::Media2 => answer.text_at("Token"),
    };
    let token = t.some(token.filter(|token| !token.is_empty()), "the token of the new profile")?.to_owned();
    let escaped = escape(&token);
    t.afterwards(match door.service {
        Service::Media1 => {
            format!("<trt:DeleteProfile><trt:ProfileToken>{escaped}</trt:ProfileToken></trt:DeleteProfile>")
        }
        Service::Media2 => format!("<tr2:DeleteProfile><tr2:Token>{escaped}</tr2:Token></tr2:DeleteProfile>"),
    });
    Ok(token)
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

/// Makes a profile with a sound that has this codec, and with pictures if they are wanted. The encoders are claimed.
pub(super) fn make_sound(t: &mut Test<'_>, door: &Door, codec: Codec, with_video: bool) -> Outcome<Sound> {
    let profile = make(t, door)?;
    let video = if with_video { add_video(t, door, &profile)? } else { None };
    for source in compatible(t, door, &profile, Kind::AudioSource)? {
        add(t, door, &profile, Kind::AudioSource.name(), &source)?;
        let mut found = Vec::new();
        for encoder in compatible(t, door, &profile, Kind::AudioEncoder)? {
            if let Some(options) = audio::options(t, door, &profile, &encoder, codec)? {
                found.push((encoder, options));
            }
        }
        let tokens: Vec<String> = found.iter().map(|(token, _)| token.clone()).collect();
        if tokens.is_empty() {
            continue;
        }
        let encoder = t.claim(&tokens)?;
        add(t, door, &profile, Kind::AudioEncoder.name(), &encoder)?;
        let options = found.into_iter().find(|(token, _)| *token == encoder).map(|(_, options)| options);
        let options = t.some(options, "the options of the encoder that was claimed")?;
        return Ok(Sound { profile, encoder, options, video });
    }
    Err(t.failed(format!("an audio encoder that has {}", codec.media1()), "none"))
}

/// Adds the first pictures that go with a profile, H.264 and H.265 before JPEG, and claims their encoder.
fn add_video(t: &mut Test<'_>, door: &Door, profile: &str) -> Outcome<Option<(String, Codec)>> {
    for source in compatible(t, door, profile, Kind::VideoSource)? {
        add(t, door, profile, Kind::VideoSource.name(), &source)?;
        let encoders = compatible(t, door, profile, Kind::VideoEncoder)?;
        for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
            let mut able = Vec::new();
            for encoder in &encoders {
                if video::options(t, door, profile, encoder, codec)?.is_some() {
                    able.push(encoder.clone());
                }
            }
            if !able.is_empty() {
                let encoder = t.claim(&able)?;
                add(t, door, profile, Kind::VideoEncoder.name(), &encoder)?;
                return Ok(Some((encoder, codec)));
            }
        }
    }
    Err(t.failed("a video encoder that goes with the profile", "none"))
}
