//! Audio encoder configurations: what they can be set to, and what a client wants of one.

use super::{View, faults};
use crate::{
    camera::{AudioCodec, AudioEncoder, AudioEncoderConfiguration, AudioOptions, Change, Kind},
    onvif::soap::{
        fault::Fault,
        names::{Ns, TT},
        tree::Element,
        writer::Writer,
    },
};

/// The names that a service has for the codecs: AAC, and G.711 with the one law and the other.
pub(crate) type Names = [&'static str; 3];

/// What encoders can be set to: one, that of a profile, or any. One entry for each codec.
///
/// # Errors
/// The profile or the configuration does not exist, or there is no sound at all.
pub(crate) fn offers_for(
    view: &View,
    configuration: Option<&str>,
    profile: Option<&str>,
    names: Names,
) -> Result<Vec<AudioOptions>, Fault> {
    let profile = profile.map(|token| view.profile(token)).transpose()?;
    if let Some(token) = configuration {
        return Ok(vec![options(view, view.audio_encoder(token)?)]);
    }
    if let Some(token) = profile.and_then(|profile| view.reference(profile, Kind::AudioEncoder)) {
        return Ok(vec![options(view, view.audio_encoder(token)?)]);
    }
    let all = merged(view.audio_encoders().map(|encoder| options(view, encoder)), names);
    if all.is_empty() { Err(faults::no_audio()) } else { Ok(all) }
}

/// Reads an audio encoder configuration that is to be set.
///
/// # Errors
/// There is none of this token, or it asks for what cannot be.
pub(crate) fn wanted(view: &View, configuration: &Element, names: Names) -> Result<Change, Fault> {
    let token: String = configuration.required_attribute("token")?;
    let encoder = view.audio_encoder(&token)?;
    let name = configuration.get(TT, "Name")?;
    let encoding: String = configuration.get(TT, "Encoding")?;
    let bitrate: i64 = configuration.get(TT, "Bitrate")?;
    let kilohertz: i64 = configuration.get(TT, "SampleRate")?;
    let options = options(view, encoder);
    // A media subtype has no case (RFC 6838, section 4.2).
    if !name_of(options.codec, names).eq_ignore_ascii_case(&encoding) {
        return Err(faults::cannot_be_set("This encoder does not make this codec"));
    }
    let bitrate = options.bitrates.iter().find(|known| i64::from(**known) == bitrate);
    let bitrate = bitrate.ok_or_else(|| faults::cannot_be_set("The bit rate is not among the options"))?;
    let rate = options.sample_rates.iter().find(|known| i64::from(kilo(**known)) == kilohertz);
    let rate = rate.ok_or_else(|| faults::cannot_be_set("The sample rate is not among the options"))?;
    let settings = AudioEncoder { codec: options.codec, sample_rate: *rate, bitrate_kbps: *bitrate };
    Ok(Change::AudioEncoder { token, name, settings })
}

/// The name of a codec.
pub(crate) fn name_of(codec: AudioCodec, names: Names) -> &'static str {
    match codec {
        AudioCodec::Aac => names[0],
        AudioCodec::Pcmu => names[1],
        AudioCodec::Pcma => names[2],
    }
}

/// Samples per second in the unit of the schema.
pub(crate) fn kilo(sample_rate: u32) -> u32 {
    sample_rate / 1000
}

/// Writes what an encoder can be set to with one codec.
pub(crate) fn write_options(w: &mut Writer, name: (Ns, &str), options: &AudioOptions, names: Names) {
    w.element(name.0, name.1, |w| {
        w.text(TT, "Encoding", name_of(options.codec, names));
        w.element(TT, "BitrateList", |w| w.each(TT, "Items", options.bitrates.iter().copied()));
        let rates = options.sample_rates.iter().map(|rate| kilo(*rate));
        w.element(TT, "SampleRateList", |w| w.each(TT, "Items", rates));
    });
}

/// What an encoder can be set to. A stream that arrives encoded is what it is.
fn options(view: &View, encoder: &AudioEncoderConfiguration) -> AudioOptions {
    let AudioEncoder { codec, sample_rate, bitrate_kbps } = encoder.settings;
    let own = view.context.camera.audio_options(&encoder.token);
    own.unwrap_or_else(|| AudioOptions { codec, bitrates: vec![bitrate_kbps], sample_rates: vec![sample_rate] })
}

/// Puts the options of several encoders together, one entry for each name of a codec.
fn merged(options: impl Iterator<Item = AudioOptions>, names: Names) -> Vec<AudioOptions> {
    let mut all: Vec<AudioOptions> = Vec::new();
    for options in options {
        let name = name_of(options.codec, names);
        let Some(known) = all.iter_mut().find(|known| name_of(known.codec, names) == name) else {
            all.push(options);
            continue;
        };
        for (mine, theirs) in [(&mut known.bitrates, options.bitrates), (&mut known.sample_rates, options.sample_rates)]
        {
            mine.extend(theirs);
            mine.sort_unstable();
            mine.dedup();
        }
    }
    all
}
