//! What a device tells in several places is the same everywhere.

use crate::{
    case::{Case, When::Reads, case},
    test::Test,
    verdict::Outcome,
    xml::Element,
};

use super::{
    compare::{same_parameters, unique_tokens},
    kind::{AUDIO_ENCODER, AUDIO_SOURCE, For, Kind, VIDEO_ENCODER, VIDEO_SOURCE},
    profiles,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("MEDIA-2-2-1", Reads, |t| in_profiles(t, &VIDEO_SOURCE)),
        case("MEDIA-2-2-2", Reads, |t| one_by_one(t, &VIDEO_SOURCE)),
        case("MEDIA-2-2-3", Reads, |t| as_offered(t, &VIDEO_SOURCE)),
        case("MEDIA-2-2-4", Reads, |t| as_offered_to_profiles(t, &VIDEO_SOURCE)),
        case("MEDIA-2-2-5", Reads, |t| of_a_source(t, &VIDEO_SOURCE)),
        case("MEDIA-2-3-1", Reads, |t| in_profiles(t, &VIDEO_ENCODER)),
        case("MEDIA-2-3-2", Reads, |t| one_by_one(t, &VIDEO_ENCODER)),
        case("MEDIA-2-3-3", Reads, |t| as_offered(t, &VIDEO_ENCODER)),
        case("MEDIA-2-3-4", Reads, |t| as_offered_to_profiles(t, &VIDEO_ENCODER)),
        case("MEDIA-3-2-1", Reads, |t| in_profiles(t, &AUDIO_SOURCE)),
        case("MEDIA-3-2-2", Reads, |t| one_by_one(t, &AUDIO_SOURCE)),
        case("MEDIA-3-2-3", Reads, |t| as_offered(t, &AUDIO_SOURCE)),
        case("MEDIA-3-2-4", Reads, |t| as_offered_to_profiles(t, &AUDIO_SOURCE)),
        case("MEDIA-3-2-5", Reads, |t| of_a_source(t, &AUDIO_SOURCE)),
        case("MEDIA-3-3-1", Reads, |t| in_profiles(t, &AUDIO_ENCODER)),
        case("MEDIA-3-3-2", Reads, |t| one_by_one(t, &AUDIO_ENCODER)),
        case("MEDIA-3-3-3", Reads, |t| as_offered(t, &AUDIO_ENCODER)),
        case("MEDIA-3-3-4", Reads, |t| as_offered_to_profiles(t, &AUDIO_ENCODER)),
    ]
}

/// The configurations in the profiles are those of the list.
fn in_profiles(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    t.step("4", "GetProfiles");
    let profiles = profiles::all(t)?;
    t.step("6", "the list of configurations");
    let all = kind.all(t)?;
    t.step("7", "each token is there once");
    unique_tokens(t, "the configurations", &all)?;
    for own in profiles.iter().filter_map(|profile| kind.within(profile)) {
        let token = own.token();
        t.step("8", "the list has the configurations of all profiles");
        let listed = all.iter().find(|configuration| configuration.token() == token);
        let listed = t.some(listed, &format!("configuration {token}, which is in a profile, in the list"))?;
        t.step("9", "the profile and the list tell the same of it");
        same_parameters(t, &format!("configuration {token} as in the list"), listed, own)?;
    }
    Ok(())
}

/// One configuration is asked for and told as in the list.
fn one_by_one(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    t.step("4", "the list of configurations");
    for listed in &kind.all(t)? {
        t.step("6", "each is there by itself");
        let one = kind.one(t, listed.token())?;
        t.step("7", "that tells the same as the list");
        same_parameters(t, &format!("configuration {} as in the list", listed.token()), listed, &one)?;
    }
    Ok(())
}

/// Every configuration is one that its options offer.
fn as_offered(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    t.step("4", "the list of configurations");
    for configuration in &kind.all(t)? {
        t.step("6", "the options of each configuration");
        let options = kind.options(t, For::configuration(configuration.token()))?;
        (kind.offered)(t, configuration, &options)?;
    }
    Ok(())
}

/// Every configuration in a profile is one that its options in this profile offer.
fn as_offered_to_profiles(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    t.step("4", "GetProfiles");
    for profile in &profiles::all(t)? {
        let Some(configuration) = kind.within(profile) else { continue };
        t.step("6", "the options of the configuration in this profile");
        let options = kind.options(t, For::both(configuration.token(), profile.token()))?;
        (kind.offered)(t, configuration, &options)?;
    }
    Ok(())
}

/// Every configuration is of a source that is there.
fn of_a_source(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    t.step("4", "the list of configurations");
    let all = kind.all(t)?;
    t.step("6", "the list of sources");
    let name = format!("{}s", kind.name);
    let answer = t.ask(format!("<trt:Get{name}/>"))?;
    let sources: Vec<Element> = answer.all(&name).cloned().collect();
    t.step("7", "each source is there once");
    unique_tokens(t, "the sources", &sources)?;
    t.step("8", "the source of each configuration is there");
    for configuration in &all {
        let token = configuration.text_or_empty("SourceToken");
        let there = sources.iter().any(|source| source.token() == token);
        t.demand(there, format!("source {token} of configuration {}", configuration.token()), "none")?;
    }
    Ok(())
}
