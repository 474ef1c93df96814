//! The number of encoders that a device promises for each video source: as many streams at once.

use std::{sync::Mutex, thread};

use belvedere_harness::tunnel::Shape;

use super::{
    door::Door,
    judge::{self, Expected},
    matrix, own,
    profile::{self, Kind},
    stream::Stream,
    video::{self, Encoder, Wish},
    words::{Codec, Ip, Service, Steps, Way},
};
use crate::{
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

/// A stream that is to run beside others.
struct Planned {
    profile: String,
    expected: Expected,
    way: Way,
}

/// Of Media1: the total for the first, the last and a middle source, or for all of them. The ways are taken in turn.
pub(super) fn guaranteed(t: &mut Test<'_>, ways: &[Way], all_sources: bool) -> Outcome {
    let door = Door::open(t, Service::Media1, Ip::V4)?;
    t.step("3", "GetVideoSourceConfigurations lists video sources");
    let answer = door.ask(t, "<trt:GetVideoSourceConfigurations/>")?;
    let all: Vec<String> = answer.all("Configurations").map(|one| one.token().to_owned()).collect();
    let mut sources = all.clone();
    if !all_sources {
        sources =
            [0, all.len().saturating_sub(1), all.len() / 2].iter().filter_map(|at| all.get(*at).cloned()).collect();
        sources.dedup();
    }
    t.demand(!sources.is_empty(), "a video source configuration", "none")?;
    for source in sources {
        t.step("5", &format!("GetGuaranteedNumberOfVideoEncoderInstances of {source}"));
        let answer = door.ask(
            t,
            format!(
                "<trt:GetGuaranteedNumberOfVideoEncoderInstances><trt:ConfigurationToken>{}</trt:ConfigurationToken>\
                 </trt:GetGuaranteedNumberOfVideoEncoderInstances>",
                escape(&source)
            ),
        )?;
        let total: Option<usize> = answer.number_at("TotalNumber");
        let total = t.some(total, "TotalNumber")?;
        t.demand(total > 0, "at least one encoder", "0")?;
        t.step("7", &format!("there are {total} profiles with encoders of their own"));
        let encoders = encoders_of(t, &door, &source, total)?;
        let mut planned = Vec::new();
        for ((encoder, profile), way) in encoders.into_iter().zip(ways.iter().cycle()) {
            planned.push(as_it_is(t, &door, profile, encoder, *way)?);
        }
        // The mixed ways are left to the procedures of the annex; the others are spelled out.
        together(t, &door, &planned, |way| match (ways.len(), way) {
            (1, Way::Udp) => Steps::told(8, way).ending_with(21),
            (1, Way::Tunnel) => Steps::told(8, way).ending_with(23),
            (1, Way::Tcp) => Steps::told(8, way).ending_with(20),
            _ => Steps::left(9, Service::Media1, way).ending_with(11),
        })?;
        t.put_back()?;
    }
    Ok(())
}

/// As many encoders of a source as are wanted, each with a profile of its own; what is missing is made.
fn encoders_of(t: &mut Test<'_>, door: &Door, source: &str, total: usize) -> Outcome<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    for profile in profile::profiles(t, door)? {
        let Some(encoder) = profile.token_of(Kind::VideoEncoder) else { continue };
        let is_new = found.iter().all(|(known, _)| known != encoder);
        if profile.token_of(Kind::VideoSource) == Some(source) && is_new && found.len() < total {
            found.push((encoder.to_owned(), profile.token.clone()));
        }
    }
    while found.len() < total {
        let keep: Vec<String> = found.iter().map(|(_, profile)| profile.clone()).collect();
        let profile = own::make(t, door, &keep)?;
        profile::add(t, door, &profile, Kind::VideoSource.name(), source)?;
        let compatible = profile::compatible(t, door, &profile, Kind::VideoEncoder)?;
        let unused = compatible.into_iter().find(|token| found.iter().all(|(known, _)| known != token));
        let encoder = t.some(unused, &format!("{total} encoders for {source}; of them there are {}", found.len()))?;
        profile::add(t, door, &profile, Kind::VideoEncoder.name(), &encoder)?;
        found.push((encoder, profile));
    }
    Ok(found)
}

/// An encoder with the codec that it has, at the usual size and rate.
fn as_it_is(t: &mut Test<'_>, door: &Door, profile: String, encoder: String, way: Way) -> Outcome<Planned> {
    let now = video::configuration(t, door, &encoder)?;
    let codec = now.text_or_empty("Encoding");
    let codec = t.some(Codec::of_video(codec), "an encoding that the judge decodes")?;
    let options = video::options(t, door, &profile, &encoder, codec)?;
    let options = t.some(options, "options for the encoding that is set")?;
    let encoder = Encoder { profile: profile.clone(), token: encoder, options };
    let setting = video::set(t, door, &encoder, &Wish::default())?;
    Ok(Planned { profile, expected: Expected::Video(setting), way })
}

/// Of Media2: the total for every source, or the number for one codec.
pub(super) fn promised(t: &mut Test<'_>, codec: Option<Codec>) -> Outcome {
    let door = Door::open(t, Service::Media2, Ip::V4)?;
    t.step("3", "GetProfiles, capabilities and video sources");
    let profiles = profile::profiles(t, &door)?;
    let capabilities = door.ask(t, "<tr2:GetServiceCapabilities/>")?;
    let most =
        capabilities.at("Capabilities/ProfileCapabilities").and_then(|all| all.attribute("MaximumNumberOfProfiles"));
    let most: Option<usize> = most.and_then(|text| text.parse().ok());
    let sources = door.ask(t, "<tr2:GetVideoSourceConfigurations/>")?;
    let sources: Vec<String> = sources.all("Configurations").map(|one| one.token().to_owned()).collect();
    t.demand(!sources.is_empty(), "a video source configuration", "none")?;
    t.step("7", "GetVideoEncoderInstances for each source");
    let mut promises = Vec::new();
    for source in &sources {
        let info = instances(t, &door, source)?;
        let number = number_for(&info, codec);
        promises.push((source.clone(), t.some(number, "a number of instances")?, info));
    }
    let total: usize = promises.iter().map(|(_, number, _)| number).sum();
    t.step("8", "GetVideoEncoderConfigurations");
    let encoders = door.ask(t, "<tr2:GetVideoEncoderConfigurations/>")?.all("Configurations").count();
    t.step("13", "there is room for as many profiles");
    let most = t.some(most, "@MaximumNumberOfProfiles")?;
    let room = most.saturating_sub(profiles.iter().filter(|profile| profile.is_fixed()).count());
    t.demand(total <= room, format!("room for {total} profiles"), format!("for {room}"))?;
    t.step("14", "there are as many encoders");
    t.demand(total <= encoders, format!("{total} encoders"), encoders.to_string())?;
    t.step("15", "the profiles that there are give their configurations away");
    clear(t, &door, &profiles, most.saturating_sub(total))?;
    let mut planned = Vec::new();
    let mut used = Vec::new();
    for (source, number, info) in &promises {
        t.step("16.1", &format!("{number} profiles are made for {source}"));
        let mut of_source = Vec::new();
        while of_source.len() < *number {
            let (encoder, chosen, expected) = make(t, &door, source, info, codec, &used, &of_source)?;
            used.push(encoder);
            of_source.push(chosen);
            planned.push(expected);
        }
    }
    together(t, &door, &planned, |way| Steps::left(17, Service::Media2, way))
}

fn instances(t: &mut Test<'_>, door: &Door, source: &str) -> Outcome<Element> {
    let token = escape(source);
    let answer = door.ask(
        t,
        format!(
            "<tr2:GetVideoEncoderInstances><tr2:ConfigurationToken>{token}</tr2:ConfigurationToken>\
             </tr2:GetVideoEncoderInstances>"
        ),
    )?;
    t.some(answer.at("Info").cloned(), "Info")
}

/// The number that is promised for a codec, or in all (HelperNumberOfInstansesForEncoding).
fn number_for(info: &Element, codec: Option<Codec>) -> Option<usize> {
    let total = info.number_at("Total");
    let Some(codec) = codec else { return total };
    let own = info.all("Codec").find(|one| codec.names().contains(&one.text_or_empty("Encoding")));
    own.map_or(total, |own| own.number_at("Number"))
}

/// Takes all configurations out of the profiles, and puts them back when the case is over. So many profiles may stay; a profile
/// that is deleted for more room comes back under another token.
fn clear(t: &mut Test<'_>, door: &Door, profiles: &[profile::Profile], may_stay: usize) -> Outcome {
    let mut too_many = profiles.len().saturating_sub(may_stay);
    for profile in profiles {
        let token = escape(&profile.token);
        if too_many > 0 && !profile.is_fixed() {
            too_many -= 1;
            door.ask(t, format!("<tr2:DeleteProfile><tr2:Token>{token}</tr2:Token></tr2:DeleteProfile>"))?;
            t.afterwards(profile.creating());
            continue;
        }
        for (kind, configuration) in profile.all().into_iter().rev() {
            // Undone in the opposite order: sources before encoders.
            t.afterwards(profile::adding(Service::Media2, &profile.token, &kind, &configuration));
        }
        door.ask(
            t,
            format!(
                "<tr2:RemoveConfiguration><tr2:ProfileToken>{token}</tr2:ProfileToken><tr2:Configuration>\
                 <tr2:Type>All</tr2:Type></tr2:Configuration></tr2:RemoveConfiguration>"
            ),
        )?;
    }
    Ok(())
}

/// Makes a profile for a source, with an encoder that none of ours uses yet, and sets it to a codec of which not all have been
/// used that were promised.
fn make(
    t: &mut Test<'_>,
    door: &Door,
    source: &str,
    info: &Element,
    codec: Option<Codec>,
    used: &[String],
    chosen: &[Codec],
) -> Outcome<(String, Codec, Planned)> {
    let profile = own::create(t, door)?;
    let profile = t.some(profile, "room for another profile")?;
    let sources = profile::compatible(t, door, &profile, Kind::VideoSource)?;
    t.demand(sources.iter().any(|own| own == source), format!("{source} among the sources"), sources.join(", "))?;
    profile::add(t, door, &profile, Kind::VideoSource.name(), source)?;
    let encoders = profile::compatible(t, door, &profile, Kind::VideoEncoder)?;
    for token in encoders.iter().filter(|token| !used.contains(token)) {
        for option in [Codec::H264, Codec::H265, Codec::Jpeg] {
            let promised = number_for(info, Some(option)).unwrap_or(usize::MAX);
            let is_left = chosen.iter().filter(|codec| **codec == option).count() < promised;
            if codec.is_some_and(|codec| codec != option) || !is_left {
                continue;
            }
            let Some(options) = video::options(t, door, &profile, token, option)? else { continue };
            let size = options.sizes.first().copied();
            let encoder = Encoder { profile: profile.clone(), token: token.clone(), options };
            let setting = video::set(t, door, &encoder, &Wish { size, plain: true, ..Wish::default() })?;
            profile::add(t, door, &profile, Kind::VideoEncoder.name(), token)?;
            let planned = Planned { profile, expected: Expected::Video(setting), way: Way::Udp };
            return Ok((token.clone(), option, planned));
        }
    }
    Err(t.failed("an encoder that is not used yet", format!("{} used, of {}", used.len(), encoders.len())))
}

/// Starts the streams one after the other, listens to all at once, judges each, and ends them.
fn together(t: &mut Test<'_>, door: &Door, planned: &[Planned], steps: impl Fn(Way) -> Steps) -> Outcome {
    let mut streams = Vec::new();
    for one in planned {
        t.note(format!("{}: {:?} by {:?}", one.profile, one.expected, one.way));
        let uri = door.stream_uri(t, &one.profile, one.way)?;
        let mut stream = Stream::connect(t, &uri, one.way, Ip::V4, steps(one.way), Shape::default())?;
        matrix::start(t, &mut stream, std::slice::from_ref(&one.expected))?;
        streams.push(stream);
    }
    let troubles = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (stream, one) in streams.iter_mut().zip(planned) {
            let troubles = &troubles;
            scope.spawn(move || {
                if let Err(error) = matrix::listen(stream, std::slice::from_ref(&one.expected)) {
                    let mut troubles = troubles.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    troubles.push(format!("{}: {error:#}", one.profile));
                }
            });
        }
    });
    let troubles = troubles.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    for (stream, one) in streams.iter().zip(planned) {
        t.step(&stream.steps.media.clone(), &format!("{} streams beside the others", one.profile));
        t.demand(troubles.is_empty(), "streams of valid packets", troubles.join("; "))?;
        judge::judge(t, stream, std::slice::from_ref(&one.expected))?;
    }
    streams.into_iter().try_for_each(|stream| stream.tear_down(t))
}
