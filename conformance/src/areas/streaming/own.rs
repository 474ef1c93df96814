//! Profiles of a case's own: made for it, or emptied for the time being where the device has no room for another.

use super::{
    audio,
    door::Door,
    profile::{self, Kind, OWN_NAME, Profile, Sound, add, compatible},
    video::{self, Encoder},
    words::{Codec, Service},
};
use crate::{
    areas::{media1, media2},
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

/// Makes a profile with nothing in it; it is deleted when the case is over. Where there is no room for it, one that is there is
/// emptied and put back when the case is over: one that may be deleted, or else a fixed one, but none of these.
///
/// The specification would delete the one that may be deleted. Emptied it serves as well, and it keeps its token.
pub(super) fn make(t: &mut Test<'_>, door: &Door, keep: &[String]) -> Outcome<String> {
    profile::search(t)?;
    if let Some(token) = create(t, door)? {
        profile::found(t);
        return Ok(token);
    }
    let all: Vec<Profile> = profile::profiles(t, door)?.into_iter().filter(|one| !keep.contains(&one.token)).collect();
    let chosen = all.iter().find(|one| !one.is_fixed()).or(all.first());
    let chosen = t.some(chosen, "room for a profile, or a profile that can be emptied")?;
    t.note(format!("there is no room for a profile, so {} is emptied for the time being", chosen.token));
    empty(t, chosen)?;
    Ok(chosen.token.clone())
}

/// Makes a profile with nothing in it; it is deleted when the case is over. `None`: there is no room for it.
pub(super) fn create(t: &mut Test<'_>, door: &Door) -> Outcome<Option<String>> {
    let request = format!("<{{p}}:CreateProfile><{{p}}:Name>{OWN_NAME}</{{p}}:Name></{{p}}:CreateProfile>");
    let answer = match door.attempt(t, request)? {
        Ok(answer) => answer,
        Err(fault) if fault.codes.iter().any(|code| code == "ter:MaxNVTProfiles") => return Ok(None),
        Err(fault) => return Err(t.failed("a new profile, or a fault ter:MaxNVTProfiles", fault.to_string())),
    };
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
    Ok(Some(token))
}

/// Empties a profile for the time of the case. No other case finds it meanwhile, for the search goes on until the case is over;
/// and none that has found it streams from it, for its encoders are claimed.
fn empty(t: &mut Test<'_>, profile: &Profile) -> Outcome {
    claim_encoders(t, profile)?;
    match profile.service {
        Service::Media1 => media1::take_out(t, &profile.element),
        Service::Media2 => media2::take_out(t, &profile.element),
    }
}

fn claim_encoders(t: &mut Test<'_>, profile: &Profile) -> Outcome {
    for kind in [Kind::VideoEncoder, Kind::AudioEncoder] {
        if let Some(token) = profile.token_of(kind) {
            t.claim(&[token.to_owned()])?;
        }
    }
    Ok(())
}

/// Pictures with this codec where no profile has them, by Media2 (HelperFindMediaProfileForVideoStreaming, from step 4 on): an
/// encoder that goes with a profile takes the place of its own, or all goes into a profile that is emptied.
pub(super) fn make_pictures(t: &mut Test<'_>, door: &Door, codec: Codec) -> Outcome<Encoder> {
    let all = profile::profiles(t, door)?;
    let mut tried: Vec<&str> = Vec::new();
    for own in &all {
        let Some(source) = own.token_of(Kind::VideoSource).filter(|source| !tried.contains(source)) else { continue };
        tried.push(source);
        let able = able(t, door, &own.token, codec)?;
        if !able.is_empty() {
            claim_encoders(t, own)?;
            media2::restore_profile(t, &own.element);
            return add_one(t, door, able);
        }
    }
    let first = t.some(all.first(), "a profile")?;
    empty(t, first)?;
    for source in compatible(t, door, &first.token, Kind::VideoSource)? {
        add(t, door, &first.token, Kind::VideoSource.name(), &source)?;
        let able = able(t, door, &first.token, codec)?;
        if !able.is_empty() {
            return add_one(t, door, able);
        }
    }
    Err(t.failed(format!("a video encoder that has {}", codec.media1()), "none"))
}

/// The encoders that go with a profile and have this codec.
fn able(t: &mut Test<'_>, door: &Door, profile: &str, codec: Codec) -> Outcome<Vec<Encoder>> {
    let mut able = Vec::new();
    for token in compatible(t, door, profile, Kind::VideoEncoder)? {
        if let Some(options) = video::options(t, door, profile, &token, codec)? {
            able.push(Encoder { profile: profile.to_owned(), token, options });
        }
    }
    Ok(able)
}

/// Claims one of these encoders and adds it to its profile.
fn add_one(t: &mut Test<'_>, door: &Door, able: Vec<Encoder>) -> Outcome<Encoder> {
    let encoder = video::claim(t, able)?;
    add(t, door, &encoder.profile, Kind::VideoEncoder.name(), &encoder.token)?;
    Ok(encoder)
}

/// Makes a profile with a sound that has this codec, and with pictures if they are wanted. The encoders are claimed.
pub(super) fn make_sound(t: &mut Test<'_>, door: &Door, codec: Codec, with_video: bool) -> Outcome<Sound> {
    let profile = make(t, door, &[])?;
    let video = if with_video { Some(add_video(t, door, &profile)?) } else { None };
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
fn add_video(t: &mut Test<'_>, door: &Door, profile: &str) -> Outcome<(String, Codec)> {
    for source in compatible(t, door, profile, Kind::VideoSource)? {
        add(t, door, profile, Kind::VideoSource.name(), &source)?;
        for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
            let able = able(t, door, profile, codec)?;
            if !able.is_empty() {
                return Ok((add_one(t, door, able)?.token, codec));
            }
        }
    }
    Err(t.failed("a video encoder that goes with the profile", "none"))
}
