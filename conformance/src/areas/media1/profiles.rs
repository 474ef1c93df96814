//! Media profiles: how they are told, and empty ones to try things on.

use crate::{
    case::{Case, When::Reads, case},
    test::Test,
    verdict::Outcome,
    xml::Element,
};

use super::{
    compare::{same_parameters, same_text, unique_tokens},
    kind::{self, Kind, VIDEO_ENCODER, VIDEO_SOURCE, request},
};

/// The kinds of configurations in a profile, in an order in which they can be taken out: sources last.
const KINDS: [&str; 9] = [
    "VideoAnalytics",
    "PTZ",
    "Metadata",
    "VideoEncoder",
    "AudioEncoder",
    "AudioDecoder",
    "VideoSource",
    "AudioSource",
    "AudioOutput",
];

pub(super) fn cases() -> Vec<Case> {
    vec![case("MEDIA-1-1-1", Reads, there_are_profiles), case("MEDIA-1-1-3", Reads, one_by_one_as_together)]
}

fn there_are_profiles(t: &mut Test<'_>) -> Outcome {
    t.step("3", "GetProfiles");
    let profiles = all(t)?;
    t.step("4", "one of them has a video source and a video encoder");
    ready(t, &profiles)?;
    t.step("5", "each says whether it is fixed");
    for profile in &profiles {
        let token = profile.token();
        t.demand(profile.flag("fixed").is_some(), format!("an attribute `fixed` of profile {token}"), "none")?;
    }
    Ok(())
}

fn one_by_one_as_together(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetProfiles");
    let profiles = all(t)?;
    t.step("5", "each token is there once");
    unique_tokens(t, "the profiles", &profiles)?;
    for profile in &profiles {
        t.step("8", "GetProfile tells the same as GetProfiles");
        let one = one(t, profile.token())?;
        same_parameters(t, &format!("profile {}", profile.token()), profile, &one)?;
    }
    Ok(())
}

/// All profiles.
pub(super) fn all(t: &mut Test<'_>) -> Outcome<Vec<Element>> {
    Ok(t.ask("<trt:GetProfiles/>")?.all("Profiles").cloned().collect())
}

/// One profile.
pub(super) fn one(t: &mut Test<'_>, token: &str) -> Outcome<Element> {
    let answer = t.ask(get(token))?;
    let profile = t.some(answer.at("Profile"), "a profile")?;
    same_text(t, "the profile", token, profile.attribute("token"))?;
    Ok(profile.clone())
}

/// The first profile that has a video source and a video encoder.
pub(super) fn ready<'a>(t: &Test<'_>, profiles: &'a [Element]) -> Outcome<&'a Element> {
    let both = |profile: &&Element| VIDEO_SOURCE.within(profile).and(VIDEO_ENCODER.within(profile)).is_some();
    t.some(profiles.iter().find(both), "a profile with a video source and a video encoder")
}

/// A profile without configurations.
#[derive(Debug)]
pub(super) struct Empty {
    /// The profile; if it was not made, as it was before.
    pub(super) profile: Element,
    /// Whether it was made; else another has been emptied.
    pub(super) made: bool,
}

impl Empty {
    /// The profile's token.
    pub(super) fn token(&self) -> &str {
        self.profile.token()
    }

    /// Deletes the profile, as the last steps of many cases want it; one that was not made for the case stays.
    pub(super) fn delete(&self, t: &mut Test<'_>) -> Outcome {
        if self.made { t.ask(delete(self.token())).map(drop) } else { Ok(()) }
    }

    /// How often the profile used a configuration before it was emptied.
    pub(super) fn used(&self, kind: &Kind, token: &str) -> i64 {
        i64::from(!self.made && held(&self.profile, kind.name) == Some(token))
    }
}

/// Makes a profile, which is deleted when the case is over. If there is no room for it, empties the first that may be
/// deleted, or if there is none the first at all, and puts everything back into it when the case is over.
///
/// The specification would have a profile deleted that is in the way. Emptied it serves as well, and it keeps its token
/// in any case, which a device need not give again.
pub(super) fn empty(t: &mut Test<'_>) -> Outcome<Empty> {
    if let Some(empty) = not_fixed(t)? {
        return Ok(empty);
    }
    let profiles = all(t)?;
    let first = t.some(profiles.into_iter().next(), "a profile")?;
    emptied(t, first)
}

/// Like [`empty`], but fixed profiles stay as they are.
pub(super) fn not_fixed(t: &mut Test<'_>) -> Outcome<Option<Empty>> {
    if let Some(profile) = created(t)? {
        return Ok(Some(Empty { profile, made: true }));
    }
    let not_fixed = all(t)?.into_iter().find(|profile| profile.flag("fixed") == Some(false));
    not_fixed.map(|profile| emptied(t, profile)).transpose()
}

fn created(t: &mut Test<'_>) -> Outcome<Option<Element>> {
    match t.attempt("<trt:CreateProfile><trt:Name>conformance</trt:Name></trt:CreateProfile>")? {
        Ok(answer) => {
            let profile = t.some(answer.at("Profile"), "a profile")?.clone();
            let token = profile.token().to_owned();
            t.demand(!token.is_empty(), "a profile with a token", "one without")?;
            t.afterwards_do(move |t| deleted(t, &token));
            let content = KINDS.iter().find(|kind| held(&profile, kind).is_some());
            t.demand(content.is_none(), "an empty profile", format!("one with {}", content.unwrap_or(&"nothing")))?;
            Ok(Some(profile))
        }
        Err(fault) if fault.codes == ["env:Receiver", "ter:Action", "ter:MaxNVTProfiles"] => Ok(None),
        Err(fault) => {
            Err(t.failed("a profile, or a fault env:Receiver/ter:Action/ter:MaxNVTProfiles", fault.to_string()))
        }
    }
}

/// Deletes a profile if the case has not done so.
fn deleted(t: &mut Test<'_>, token: &str) -> Outcome {
    match t.attempt(delete(token))? {
        Err(fault) if !fault.codes.iter().any(|code| code == "ter:NoProfile") => {
            Err(t.failed("the profile is deleted", fault.to_string()))
        }
        _ => Ok(()),
    }
}

fn emptied(t: &mut Test<'_>, profile: Element) -> Outcome<Empty> {
    let token = profile.token().to_owned();
    t.note(format!("no profile can be made, so {token} is emptied for the time being"));
    take_out(t, &profile)?;
    Ok(Empty { profile, made: false })
}

/// Takes all configurations out of a profile, and puts them back when the case is over.
pub(in crate::areas) fn take_out(t: &mut Test<'_>, profile: &Element) -> Outcome {
    let token = profile.token().to_owned();
    for kind in KINDS {
        let Some(configuration) = held(profile, kind).map(str::to_owned) else { continue };
        kind::remove(t, kind, &token)?;
        let token = token.clone();
        t.afterwards_do(move |t| kind::add(t, kind, &token, &configuration));
    }
    // Later ones come first: what the case has put in goes out before the rest comes back.
    t.afterwards_do(move |t| {
        let profile = one(t, &token)?;
        KINDS.iter().filter(|kind| held(&profile, kind).is_some()).try_for_each(|kind| kind::remove(t, kind, &token))
    });
    Ok(())
}

/// The token of the configuration of a kind in a profile.
pub(super) fn held<'a>(profile: &'a Element, kind: &str) -> Option<&'a str> {
    let name = format!("{kind}Configuration");
    profile.at(&name).or_else(|| profile.at(&format!("Extension/{name}"))).map(Element::token)
}

/// The request for one profile.
pub(super) fn get(token: &str) -> String {
    request("GetProfile", &[("ProfileToken", token)])
}

/// The request that deletes a profile.
fn delete(token: &str) -> String {
    request("DeleteProfile", &[("ProfileToken", token)])
}
