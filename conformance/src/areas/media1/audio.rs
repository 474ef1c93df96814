//! Audio source and audio encoder configurations: what is asked, set and read again.

use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    soap::Call,
    test::Test,
    verdict::Outcome,
    xml::Element,
};

use super::{
    compare::same_text,
    kind::{AUDIO_ENCODER, AUDIO_SOURCE, For},
    options::rates,
    profiles,
};

/// The fault for a value that the options do not offer.
const REFUSED: [&str; 1] = ["env:Sender/ter:InvalidArgVal/ter:ConfigModify"];

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("MEDIA-3-1-7", Reads, source_options),
        case("MEDIA-3-1-14", Changes, |t| encoding_set(t, "G711")),
        case("MEDIA-3-1-16", Changes, |t| encoding_set(t, "AAC")),
        case("MEDIA-3-1-21", Changes, encoder_of_a_profile_set),
        case("MEDIA-3-1-22", Changes, source_set),
        case("MEDIA-3-1-23", Changes, encoder_in_a_profile),
        case("MEDIA-3-3-11", Reads, rates_in_thousands),
    ]
}

fn source_options(t: &mut Test<'_>) -> Outcome {
    t.step("5", "the options of all");
    sources_offered(t, For::default())?;
    t.step("7", "GetProfiles");
    for profile in &profiles::all(t)? {
        t.step("8.2", "a configuration that a profile takes");
        let compatible = AUDIO_SOURCE.compatible(t, profile.token())?;
        let Some(configuration) = compatible.first() else { continue };
        let (configuration, profile) = (configuration.token(), profile.token());
        t.step("11", "the options of the configuration");
        sources_offered(t, For::configuration(configuration))?;
        t.step("14", "the options in the profile");
        sources_offered(t, For::profile(profile))?;
        t.step("17", "the options of the configuration in the profile");
        return sources_offered(t, For::both(configuration, profile));
    }
    Err(t.failed("a profile that takes an audio source configuration", "none"))
}

/// Demands options that offer an audio source.
fn sources_offered(t: &mut Test<'_>, of: For<'_>) -> Outcome {
    let options = AUDIO_SOURCE.options(t, of)?;
    t.some(options.at("InputTokensAvailable"), "a token of an audio source").map(drop)
}

fn encoding_set(t: &mut Test<'_>, encoding: &str) -> Outcome {
    t.step("4", "the list of configurations");
    let mut found = None;
    for configuration in AUDIO_ENCODER.all(t)? {
        t.step("6", "the options of each, until there is one for the encoding");
        let options = AUDIO_ENCODER.options(t, For::configuration(configuration.token()))?;
        let option = options.all("Options").find(|option| option.text_or_empty("Encoding") == encoding).cloned();
        if let Some(option) = option {
            found = Some((configuration, options, option));
            break;
        }
    }
    let (configuration, options, option) = t.some(found, &format!("a configuration with options for {encoding}"))?;
    AUDIO_ENCODER.set_afterwards(t, &configuration);
    t.step("10", "rates that the options do not offer are refused");
    let outside =
        encoded(&configuration, encoding, &beyond(&options, "BitrateList"), &beyond(&options, "SampleRateList"));
    let request = AUDIO_ENCODER.set_request(&outside.renamed("trt", "Configuration"));
    t.refused(&Call::new(request), &REFUSED)?;
    t.step("12", "rates that the options offer are taken");
    let inside = with_other_rates(t, &configuration, &option)?;
    AUDIO_ENCODER.set(t, &inside)?;
    t.step("14", "the configuration is as it was set");
    encoder_is_seen(t, &inside)
}

fn encoder_of_a_profile_set(t: &mut Test<'_>) -> Outcome {
    t.step("4", "a profile is made");
    let profile = profiles::empty(t)?;
    t.step("6", "the sources that the profile takes");
    let sources = AUDIO_SOURCE.compatible(t, profile.token())?;
    let source = t.some(sources.first(), "a compatible source")?;
    t.step("8", "the source is added");
    AUDIO_SOURCE.add(t, profile.token(), source.token())?;
    t.step("10", "the encoders that the profile takes");
    let encoders = AUDIO_ENCODER.compatible(t, profile.token())?;
    let encoder = t.some(encoders.first(), "a compatible encoder")?;
    t.step("12", "the encoder is added");
    AUDIO_ENCODER.add(t, profile.token(), encoder.token())?;
    t.step("14", "the options in the profile");
    let options = AUDIO_ENCODER.options(t, For::profile(profile.token()))?;
    AUDIO_ENCODER.set_afterwards(t, encoder);
    t.step("16", "another encoding, if there is one, and other rates are taken");
    let is_other = |option: &&Element| option.text_at("Encoding") != encoder.text_at("Encoding");
    let option = options.all("Options").find(is_other).or_else(|| options.at("Options"));
    let other = with_other_rates(t, encoder, t.some(option, "options")?)?;
    AUDIO_ENCODER.set(t, &other)?;
    t.step("19", "the configuration is as it was set");
    encoder_is_seen(t, &other)?;
    t.step("21", "the profile is deleted");
    profile.delete(t)
}

fn source_set(t: &mut Test<'_>) -> Outcome {
    t.step("4", "a profile is made");
    let profile = profiles::empty(t)?;
    t.step("6", "there are audio sources");
    let sources = t.ask("<trt:GetAudioSources/>")?;
    t.some(sources.at("AudioSources"), "an audio source")?;
    t.step("8", "there are configurations of them");
    let all = AUDIO_SOURCE.all(t)?;
    t.some(all.first(), "a configuration")?;
    t.step("10", "the configurations that the profile takes");
    let compatible = AUDIO_SOURCE.compatible(t, profile.token())?;
    let configuration = t.some(compatible.first(), "a compatible configuration")?;
    t.step("12", "the configuration is added");
    AUDIO_SOURCE.add(t, profile.token(), configuration.token())?;
    t.step("14", "the options of the configuration");
    let options = AUDIO_SOURCE.options(t, For::configuration(configuration.token()))?;
    let tokens = options.texts("InputTokensAvailable");
    AUDIO_SOURCE.set_afterwards(t, configuration);
    t.step("17", "a source that the options do not offer is refused");
    let outside = configuration.with("SourceToken", &unlisted(&tokens));
    let request = AUDIO_SOURCE.set_request(&outside.renamed("trt", "Configuration"));
    t.refused(&Call::new(request), &REFUSED)?;
    t.step("19", "a source that the options offer is taken");
    let current = configuration.text_or_empty("SourceToken");
    let source = *t.some(other(&tokens, current), "a source in the options")?;
    AUDIO_SOURCE.set(t, &configuration.with("SourceToken", source))?;
    t.step("21", "the configuration is as it was set");
    let seen = AUDIO_SOURCE.one(t, configuration.token())?;
    same_text(t, "SourceToken", source, seen.text_at("SourceToken"))?;
    t.step("23", "the configuration is removed");
    AUDIO_SOURCE.remove(t, profile.token())?;
    t.step("25", "the profile is deleted");
    profile.delete(t)
}

fn encoder_in_a_profile(t: &mut Test<'_>) -> Outcome {
    t.step("4", "a profile is made");
    let profile = profiles::empty(t)?;
    let token = profile.token();
    t.step("6", "there are audio source configurations");
    let sources = AUDIO_SOURCE.all(t)?;
    let source = t.some(sources.first(), "a configuration")?;
    t.step("8", "the source is added");
    AUDIO_SOURCE.add(t, token, source.token())?;
    t.step("10", "there are audio encoder configurations");
    let all = AUDIO_ENCODER.all(t)?;
    t.some(all.first(), "a configuration")?;
    t.step("12", "the encoders that the profile takes");
    let compatible = AUDIO_ENCODER.compatible(t, token)?;
    let encoder = t.some(compatible.first(), "a compatible configuration")?;
    t.step("14", "the encoder is added");
    AUDIO_ENCODER.add(t, token, encoder.token())?;
    t.step("16", "the encoder is removed");
    AUDIO_ENCODER.remove(t, token)?;
    t.step("18", "the source is removed");
    AUDIO_SOURCE.remove(t, token)?;
    t.step("20", "the profile is deleted");
    profile.delete(t)
}

fn rates_in_thousands(t: &mut Test<'_>) -> Outcome {
    t.step("4", "bit rates are in kbit/s, sample rates in kHz");
    let general = AUDIO_ENCODER.options(t, For::default())?;
    plausible(t, &general)?;
    t.step("6", "the list of configurations");
    for configuration in AUDIO_ENCODER.all(t)? {
        t.step("8", "the rates of each configuration are among those of all");
        let options = AUDIO_ENCODER.options(t, For::configuration(configuration.token()))?;
        plausible(t, &options)?;
        for list in ["BitrateList", "SampleRateList"] {
            let known: Vec<_> = general.all("Options").flat_map(|option| rates(option, list)).collect();
            let unknown =
                options.all("Options").flat_map(|option| rates(option, list)).find(|rate| !known.contains(rate));
            t.demand(unknown.is_none(), format!("a {list} out of {known:?}"), unknown.unwrap_or_default())?;
        }
    }
    Ok(())
}

/// Demands rates that can be meant as kbit/s and kHz.
fn plausible(t: &Test<'_>, options: &Element) -> Outcome {
    for (list, limit) in [("BitrateList", 10_000), ("SampleRateList", 1_000)] {
        for rate in options.all("Options").flat_map(|option| rates(option, list)) {
            let holds = rate.parse::<i64>().is_ok_and(|rate| rate < limit);
            t.demand(holds, format!("a {list} of numbers below {limit}"), rate)?;
        }
    }
    Ok(())
}

/// The configuration with an encoding and its rates.
fn encoded(configuration: &Element, encoding: &str, bitrate: &str, sample_rate: &str) -> Element {
    configuration.with("Encoding", encoding).with("Bitrate", bitrate).with("SampleRate", sample_rate)
}

/// The configuration with the encoding of an option, and with rates that are others than now if there are any.
fn with_other_rates(t: &Test<'_>, configuration: &Element, option: &Element) -> Outcome<Element> {
    let rate = |name: &str, list: &str| {
        let listed = rates(option, list);
        t.some(other(&listed, configuration.text_or_empty(name)).copied(), &format!("a rate in the {list}"))
    };
    let (bitrate, sample_rate) = (rate("Bitrate", "BitrateList")?, rate("SampleRate", "SampleRateList")?);
    Ok(encoded(configuration, option.text_or_empty("Encoding"), bitrate, sample_rate))
}

/// Demands that the configuration that is read has the encoding and the rates of this one.
fn encoder_is_seen(t: &mut Test<'_>, expected: &Element) -> Outcome {
    let seen = AUDIO_ENCODER.one(t, expected.token())?;
    for name in ["Encoding", "Bitrate", "SampleRate"] {
        same_text(t, name, expected.text_or_empty(name), seen.text_at(name))?;
    }
    Ok(())
}

/// One that is not the current one, or that if there is no other.
fn other<'a, 'b>(listed: &'a [&'b str], current: &str) -> Option<&'a &'b str> {
    listed.iter().find(|one| **one != current).or_else(|| listed.first())
}

/// A number above all that a list of any encoding has.
fn beyond(options: &Element, list: &str) -> String {
    let all = options.all("Options").flat_map(|option| rates(option, list));
    let most: Option<i64> = all.filter_map(|rate| rate.parse().ok()).max();
    (most.unwrap_or_default() + 1).to_string()
}

/// A token that is not listed.
fn unlisted(tokens: &[&str]) -> String {
    let mut token = "none".to_owned();
    while tokens.contains(&token.as_str()) {
        token.push('-');
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::areas::media1::trial::trial;

    #[test]
    fn rates_in_single_units_are_found() {
        let options = |bitrate: u32, sample_rate: u32| {
            let xml = format!(
                "<o><Options><BitrateList><Items>64</Items><Items>{bitrate}</Items></BitrateList>\
                 <SampleRateList><Items>8</Items><Items>{sample_rate}</Items></SampleRateList></Options></o>"
            );
            trial(|t| plausible(t, &Element::parse(xml.as_bytes()).unwrap())).is_ok()
        };
        assert!(options(128, 48));
        assert!(!options(64_000, 48) && !options(128, 8_000));
    }

    #[test]
    fn another_is_taken_where_there_is_one() {
        assert_eq!(other(&["8", "16"], "8"), Some(&"16"));
        assert_eq!(other(&["8"], "8"), Some(&"8"));
        assert_eq!(other(&[], "8"), None);
        assert_eq!(unlisted(&["none", "x"]), "none-");
    }
}
