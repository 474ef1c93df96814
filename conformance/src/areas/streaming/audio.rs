//! Audio encoders: which profile has one for a codec, and setting it.

use super::{
    door::Door,
    words::{Codec, Service},
};
use crate::{
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

/// What an audio encoder can do with one codec.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// The name under which the service knows it.
    name: String,
    bitrates: Vec<u32>,
    rates: Vec<u32>,
}

/// What an encoder in a profile can do with a codec; `None` if it does not have it.
pub(super) fn options(
    t: &mut Test<'_>,
    door: &Door,
    profile: &str,
    encoder: &str,
    codec: Codec,
) -> Outcome<Option<Options>> {
    let answer = door.encoder_options(t, "Audio", profile, encoder)?;
    let all: Vec<&Element> = match door.service {
        Service::Media1 => answer.at("Options").map(|all| all.all("Options").collect()).unwrap_or_default(),
        Service::Media2 => answer.all("Options").collect(),
    };
    let names = if door.service == Service::Media1 { vec![codec.media1()] } else { codec.names().to_vec() };
    // Of several names the first is preferred.
    let found = names.iter().find_map(|name| all.iter().find(|one| one.text_or_empty("Encoding") == *name));
    Ok(found.map(|one| {
        let items = |list: &str| {
            let texts = one.at(list).map(|list| list.texts("Items")).unwrap_or_default();
            texts.iter().filter_map(|text| text.parse().ok()).collect()
        };
        let name = one.text_or_empty("Encoding").to_owned();
        Options { name, bitrates: items("BitrateList"), rates: items("SampleRateList") }
    }))
}

/// Sets an encoder that was claimed, and sees to it that it is put back. Gives the sample rate in Hz.
pub(super) fn set(t: &mut Test<'_>, door: &Door, token: &str, options: &Options) -> Outcome<u32> {
    let now = configuration(t, door, token)?;
    t.afterwards(request(door.service, &now.renamed(door.service.prefix(), "Configuration")));
    let nearest = |list: &[u32], path: &str| {
        let own: u32 = now.number_at(path).unwrap_or_default();
        list.iter().copied().min_by_key(|value| value.abs_diff(own)).unwrap_or(own)
    };
    let rate = nearest(&options.rates, "SampleRate");
    let changed = now
        .with("Encoding", &options.name)
        .with("Bitrate", &nearest(&options.bitrates, "Bitrate").to_string())
        .with("SampleRate", &rate.to_string());
    door.ask(t, request(door.service, &changed.renamed(door.service.prefix(), "Configuration")))?;
    Ok(rate * 1000)
}

fn configuration(t: &mut Test<'_>, door: &Door, token: &str) -> Outcome<Element> {
    let token = escape(token);
    let (body, path) = match door.service {
        Service::Media1 => ("GetAudioEncoderConfiguration", "Configuration"),
        Service::Media2 => ("GetAudioEncoderConfigurations", "Configurations"),
    };
    let answer = door
        .ask(t, format!("<{{p}}:{body}><{{p}}:ConfigurationToken>{token}</{{p}}:ConfigurationToken></{{p}}:{body}>"))?;
    t.some(answer.at(path).cloned(), path)
}

/// SetAudioEncoderConfiguration.
fn request(service: Service, configuration: &str) -> String {
    let p = service.prefix();
    let persistence = match service {
        Service::Media1 => "<trt:ForcePersistence>false</trt:ForcePersistence>",
        Service::Media2 => "",
    };
    format!("<{p}:SetAudioEncoderConfiguration>{configuration}{persistence}</{p}:SetAudioEncoderConfiguration>")
}
