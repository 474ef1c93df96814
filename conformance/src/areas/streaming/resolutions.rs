//! Changing the resolution: what is set is read back, streamed, and decoded at that size.

use belvedere_harness::tunnel::Shape;

use super::{
    door::Door,
    judge::Expected,
    matrix, own,
    profile::{self, Kind, Profile},
    video::{self, Encoder, Wish},
    words::{Codec, Ip, Service, Steps, Way},
};
use crate::{test::Test, verdict::Outcome, xml::Element};

/// Every resolution of every encoder.
pub(super) fn all(t: &mut Test<'_>, codec: Codec) -> Outcome {
    over(t, codec, <[String]>::to_vec, |encoder| {
        // The steps 8 to 25 are taken again for each.
        encoder.options.sizes.iter().map(|size| (*size, 8)).collect()
    })
}

/// The largest, the smallest and the middle resolution of the first, the middle and the last encoder.
pub(super) fn some(t: &mut Test<'_>, codec: Codec) -> Outcome {
    let some_of = |all: &[String]| {
        let mut some: Vec<String> =
            [0, all.len() / 2, all.len().saturating_sub(1)].iter().filter_map(|at| all.get(*at).cloned()).collect();
        some.dedup();
        some
    };
    over(t, codec, some_of, |encoder| {
        let sizes = encoder.options.by_size();
        let picked = [(sizes.last(), 8), (sizes.first(), 26), (sizes.get(sizes.len() / 2), 44)];
        picked.into_iter().filter_map(|(size, step)| Some((*size?, step))).collect()
    })
}

/// Goes through the encoders that are picked, and through the sizes that are picked for each with the number of the step that
/// sets it.
fn over(
    t: &mut Test<'_>,
    codec: Codec,
    encoders: impl Fn(&[String]) -> Vec<String>,
    sizes: impl Fn(&Encoder) -> Vec<((u32, u32), u32)>,
) -> Outcome {
    let door = Door::open(t, Service::Media1, Ip::V4)?;
    t.step("3", "GetVideoEncoderConfigurations lists encoders");
    let answer = door.ask(t, "<trt:GetVideoEncoderConfigurations/>")?;
    let mut able = Vec::new();
    for token in answer.all("Configurations").map(Element::token) {
        if encoder(t, &door, token, codec)?.is_some() {
            able.push(token.to_owned());
        }
        t.put_back()?;
    }
    if able.is_empty() {
        return t.skip(format!("no video encoder has {}", codec.media1()));
    }
    for token in encoders(&able) {
        video::claim_codec(t, codec)?;
        let encoder = encoder(t, &door, &token, codec)?;
        let encoder = t.some(encoder, "a profile with the encoder")?;
        video::remember(t, &door, &encoder)?;
        let mut seen = Vec::new();
        for (size, step) in sizes(&encoder) {
            if !seen.contains(&size) {
                seen.push(size);
                one(t, &door, &encoder, size, step)?;
            }
        }
        t.put_back()?;
    }
    Ok(())
}

/// Claims an encoder that is in a profile, which is made if there is none; `None` if it does not have the codec.
fn encoder(t: &mut Test<'_>, door: &Door, token: &str, codec: Codec) -> Outcome<Option<Encoder>> {
    t.step("5", &format!("there is a profile with {token}"));
    // At first: while another case has set it to H.265, Media1 does not list the profiles with it.
    t.claim(&[token.to_owned()])?;
    let with_it =
        |own: &Profile| own.get(Kind::VideoSource).is_some() && own.token_of(Kind::VideoEncoder) == Some(token);
    let mut profiles: Vec<String> =
        profile::listed(t, door)?.into_iter().filter(with_it).map(|profile| profile.token).collect();
    if profiles.is_empty() {
        // The search for a profile is claimed before any encoder.
        t.release(token);
        let profile = own::make(t, door, &[])?;
        t.claim(&[token.to_owned()])?;
        profiles.extend(added(t, door, &profile, token)?.then_some(profile));
    }
    for profile in profiles {
        if let Some(options) = video::options(t, door, &profile, token, codec)? {
            return Ok(Some(Encoder { profile, token: token.to_owned(), options }));
        }
    }
    Ok(None)
}

/// Adds an encoder to an empty profile, with the first source that it goes with; `false` if there is none.
fn added(t: &mut Test<'_>, door: &Door, profile: &str, token: &str) -> Outcome<bool> {
    for source in profile::compatible(t, door, profile, Kind::VideoSource)? {
        profile::add(t, door, profile, Kind::VideoSource.name(), &source)?;
        if profile::compatible(t, door, profile, Kind::VideoEncoder)?.iter().any(|own| own == token) {
            profile::add(t, door, profile, Kind::VideoEncoder.name(), token)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sets one size, reads it back, and plays.
fn one(t: &mut Test<'_>, door: &Door, encoder: &Encoder, size: (u32, u32), step: u32) -> Outcome {
    let codec = encoder.options.codec;
    let (width, height) = size;
    t.step(&step.to_string(), &format!("{} is set to {width}×{height}", encoder.token));
    // For the largest JPEG the specification asks for a low rate.
    let largest = codec == Codec::Jpeg && encoder.options.by_size().last() == Some(&size);
    let wish = Wish { size: Some(size), rate: largest.then_some(5.0), ..Wish::default() };
    let setting = video::set_again(t, door, encoder, &wish)?;
    t.step(&(step + 2).to_string(), "the setting is read back");
    let now = video::configuration(t, door, &encoder.token)?;
    t.same("the encoding", codec.media1(), now.text_or_empty("Encoding"))?;
    let read = now.number_at("Resolution/Width").zip(now.number_at("Resolution/Height"));
    t.same("the resolution", Some(size), read)?;
    t.step(&(step + 4).to_string(), "GetStreamUri gives an address");
    let uri = door.stream_uri(t, &encoder.profile, Way::Udp)?;
    let steps = Steps::told(step + 4, Way::Udp);
    matrix::play(t, &uri, Way::Udp, Ip::V4, steps, Shape::default(), &[Expected::Video(setting)])
}
