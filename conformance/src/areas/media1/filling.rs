//! A profile is made, filled with configurations of every kind, and deleted.
//!
//! Metadata configurations are asked of every device: the specification knows no device of Media1 without.

use crate::{
    case::{Case, When::Changes, case},
    feature::Feature,
    soap::Call,
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

use super::{
    kind::{self, AUDIO_ENCODER, AUDIO_SOURCE, Kind, VIDEO_ENCODER, VIDEO_SOURCE},
    profiles::{self, held},
};

pub(super) fn cases() -> Vec<Case> {
    vec![case("MEDIA-1-1-5", Changes, made_filled_and_deleted)]
}

/// Audio outputs and decoders, as far as they are parts of profiles.
static AUDIO_OUTPUT: Kind = Kind { name: "AudioOutput", source: None, offered: |_, _, _| Ok(()) };
static AUDIO_DECODER: Kind = Kind { name: "AudioDecoder", source: Some(&AUDIO_OUTPUT), offered: |_, _, _| Ok(()) };

fn made_filled_and_deleted(t: &mut Test<'_>) -> Outcome {
    t.step("5", "a profile has a video source and a video encoder");
    let profiles = profiles::all(t)?;
    profiles::ready(t, &profiles)?;
    t.step("7", "CreateProfile makes an empty profile");
    let empty = profiles::empty(t)?;
    t.step("8", "a profile that was made is not fixed");
    t.demand(!empty.made || empty.profile.flag("fixed") != Some(true), "a profile that is not fixed", "a fixed one")?;
    let token = empty.token();
    filled(t, token, "11", &VIDEO_SOURCE, &VIDEO_ENCODER)?;
    metadata_added(t, token)?;
    if t.has(Feature::Media1Audio) {
        filled(t, token, "14.2", &AUDIO_SOURCE, &AUDIO_ENCODER)?;
    }
    if t.has(Feature::Media1AudioOutput) {
        filled(t, token, "15.2", &AUDIO_OUTPUT, &AUDIO_DECODER)?;
    }
    if empty.made {
        t.step("16.2", "DeleteProfile");
        empty.delete(t)?;
        t.step("16.4", "the profile is gone");
        t.refused(&Call::new(profiles::get(token)), &["env:Sender/ter:InvalidArgVal/ter:NoProfile"])?;
    }
    Ok(())
}

/// Puts each source and an encoder that goes with it into the profile and takes both out again; `step` is where.
fn filled(t: &mut Test<'_>, profile: &str, step: &str, source: &Kind, encoder: &Kind) -> Outcome {
    let at = |t: &mut Test<'_>, number: u32, what: &str| t.step(&format!("{step}.{number}"), what);
    // With video comes a step about PTZ.
    let later = u32::from(source.name == VIDEO_SOURCE.name);
    at(t, 1, &format!("there are {} configurations", source.name));
    let sources = source.all(t)?;
    t.demand(!sources.is_empty(), format!("{} configurations", source.name), "none")?;
    for own in &sources {
        at(t, 2, "the source is added");
        source.add(t, profile, own.token())?;
        at(t, 6, "it is in the profile");
        let with_source = (source.name, Some(own.token()));
        holds(t, profile, &[with_source])?;
        at(t, 9, "there is an encoder that goes with it");
        let encoders = encoder.compatible(t, profile)?;
        let first = t.some(encoders.first(), "a compatible configuration")?.token();
        at(t, 12, "the encoder is added");
        encoder.add(t, profile, first)?;
        at(t, 17, "both are in the profile");
        holds(t, profile, &[with_source, (encoder.name, Some(first))])?;
        at(t, 19, "the encoder is removed");
        encoder.remove(t, profile)?;
        at(t, 24, "the source is in the profile without it");
        holds(t, profile, &[with_source, (encoder.name, None)])?;
        if later > 0 && t.has(Feature::Ptz) {
            ptz_added(t, profile, own.token())?;
        }
        at(t, 26 + later, "the source is removed");
        source.remove(t, profile)?;
        at(t, 30 + later, "it is no longer in the profile");
        holds(t, profile, &[(source.name, None)])?;
    }
    Ok(())
}

/// Puts each metadata configuration into the profile and takes it out again.
fn metadata_added(t: &mut Test<'_>, profile: &str) -> Outcome {
    t.step("12", "GetMetadataConfigurations");
    let answer = t.ask("<trt:GetMetadataConfigurations/>")?;
    for configuration in answer.all("Configurations") {
        t.step("13.2", "a metadata configuration is added");
        kind::add(t, "Metadata", profile, configuration.token())?;
        t.step("13.6", "it is in the profile");
        holds(t, profile, &[("Metadata", Some(configuration.token()))])?;
        t.step("13.8", "it is removed");
        kind::remove(t, "Metadata", profile)?;
        t.step("13.12", "it is no longer in the profile");
        holds(t, profile, &[("Metadata", None)])?;
    }
    Ok(())
}

/// Puts a PTZ configuration that goes with the source into the profile, if there is one, and takes it out again.
fn ptz_added(t: &mut Test<'_>, profile: &str, source: &str) -> Outcome {
    let Some(token) = ptz_chosen(t, profile)? else { return Ok(()) };
    let with_source = (VIDEO_SOURCE.name, Some(source));
    t.step("11.25.7", "the PTZ configuration is in the profile, and the source");
    holds(t, profile, &[with_source, ("PTZ", Some(&token))])?;
    t.step("11.25.9", "the PTZ configuration is removed");
    kind::remove(t, "PTZ", profile)?;
    t.step("11.25.14", "it is no longer in the profile, and the source is");
    holds(t, profile, &[with_source, ("PTZ", None)])
}

/// Adds a PTZ configuration to the profile. A device that cannot tell which go with the source is asked for each, until
/// it takes one.
fn ptz_chosen(t: &mut Test<'_>, profile: &str) -> Outcome<Option<String>> {
    t.step("11.25", "the capabilities of the PTZ service");
    let capabilities = t.ask("<tptz:GetServiceCapabilities/>")?;
    let tells = capabilities.at("Capabilities").and_then(|all| all.flag("GetCompatibleConfigurations")) == Some(true);
    let tokens = |answer: &Element| -> Vec<String> {
        answer.all("PTZConfiguration").map(|configuration| configuration.token().to_owned()).collect()
    };
    if tells {
        t.step("11.25.1.2", "the PTZ configurations that go with the source");
        let profile_token = escape(profile);
        let answer = t.ask(format!(
            "<tptz:GetCompatibleConfigurations><tptz:ProfileToken>{profile_token}</tptz:ProfileToken>\
             </tptz:GetCompatibleConfigurations>"
        ))?;
        let Some(first) = tokens(&answer).into_iter().next() else { return Ok(None) };
        t.step("11.25.1.6", "the first is added");
        kind::add(t, "PTZ", profile, &first)?;
        return Ok(Some(first));
    }
    t.step("11.25.2.2", "the PTZ configurations");
    let answer = t.ask("<tptz:GetConfigurations/>")?;
    for token in tokens(&answer) {
        t.step("11.25.2.4.3", "one is added, or refused");
        if t.attempt(kind::add_request("PTZ", profile, &token))?.is_ok() {
            return Ok(Some(token));
        }
    }
    Ok(None)
}

/// Demands of GetProfile that it gives this profile, and that it has these configurations, or none of the kind.
fn holds(t: &mut Test<'_>, profile: &str, expected: &[(&str, Option<&str>)]) -> Outcome {
    let seen = profiles::one(t, profile)?;
    for (kind, token) in expected {
        let name = |token: Option<&str>| token.unwrap_or("none").to_owned();
        let own = held(&seen, kind);
        t.demand(own == *token, format!("in the profile as {kind} configuration: {}", name(*token)), name(own))?;
    }
    Ok(())
}
