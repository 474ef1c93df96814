//! Audio sources, encoders, outputs and decoders (section 4.3 of the specification).

use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    test::Test,
    verdict::Outcome,
    xml::Element,
};

use super::{
    common::profiles,
    configurations::{Steps, copies_agree, lists_agree, options_are_told, unknown_token_is_refused},
    events::Watch,
    kind::{AUDIO_DECODER, AUDIO_ENCODER, AUDIO_OUTPUT, AUDIO_SOURCE, Kind},
    range::{Range, inside, is_one_of},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("MEDIA2-3-1-1", Changes, |t| options_are_told(t, &AUDIO_SOURCE, &[&AUDIO_SOURCE], Steps(5))),
        case("MEDIA2-3-1-2", Reads, |t| lists_agree(t, &AUDIO_SOURCE, Steps(7))),
        case("MEDIA2-3-1-3", Reads, sources_keep_to_their_options),
        case("MEDIA2-3-1-4", Reads, |t| copies_agree(t, &AUDIO_SOURCE)),
        case("MEDIA2-3-1-5", Changes, all_options_of_sources_can_be_set),
        case("MEDIA2-3-1-6", Reads, |t| unknown_token_is_refused(t, &AUDIO_SOURCE)),
        case("MEDIA2-3-2-1", Changes, |t| encoding_can_be_set(t, &["PCMU"])),
        case("MEDIA2-3-2-2", Changes, |t| encoding_can_be_set(t, &["MP4A-LATM", "MPEG4-GENERIC"])),
        case("MEDIA2-3-2-3", Reads, encoder_options_are_told),
        case("MEDIA2-3-2-4", Reads, encoders_keep_to_their_options),
        case("MEDIA2-3-3-1", Changes, output_options_are_told),
        case("MEDIA2-3-3-2", Reads, |t| lists_agree(t, &AUDIO_OUTPUT, Steps(7))),
        case("MEDIA2-3-3-3", Reads, outputs_keep_to_their_options),
        case("MEDIA2-3-3-4", Reads, |t| copies_agree(t, &AUDIO_OUTPUT)),
        case("MEDIA2-3-3-6", Reads, |t| unknown_token_is_refused(t, &AUDIO_OUTPUT)),
        case("MEDIA2-3-4-1", Changes, |t| {
            options_are_told(t, &AUDIO_DECODER, &[&AUDIO_OUTPUT, &AUDIO_DECODER], Steps(5))
        }),
        case("MEDIA2-3-4-2", Reads, |t| lists_agree(t, &AUDIO_DECODER, Steps(7))),
        case("MEDIA2-3-4-3", Reads, |t| copies_agree(t, &AUDIO_DECODER)),
        case("MEDIA2-3-4-4", Changes, decoders_can_be_renamed),
        case("MEDIA2-3-4-5", Reads, |t| unknown_token_is_refused(t, &AUDIO_DECODER)),
    ]
}

/// Options; there is one set of them for sources and outputs.
fn options(t: &mut Test<'_>, kind: &Kind, token: &str) -> Outcome<Element> {
    let options = kind.options(t, Some(token), None)?;
    t.some(options.into_iter().next(), "options")
}

fn sources_keep_to_their_options(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all configurations");
    for configuration in AUDIO_SOURCE.list(t)? {
        t.step("5.1", &format!("the options of {}", configuration.token()));
        let options = options(t, &AUDIO_SOURCE, configuration.token())?;
        t.step("5.3", "the source is one of the options");
        is_one_of(t, configuration.text_or_empty("SourceToken"), &options.texts("InputTokensAvailable"), "a source")?;
    }
    Ok(())
}

fn all_options_of_sources_can_be_set(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all configurations");
    let list = AUDIO_SOURCE.list(t)?;
    t.step("4", "the device tells of changes");
    let mut watch = Watch::begin(t, "Media/ConfigurationChanged")?;
    for old in &list {
        t.step("5.1", &format!("the options of {}", old.token()));
        let options = options(t, &AUDIO_SOURCE, old.token())?;
        let source = old.text_or_empty("SourceToken");
        let another = options.texts("InputTokensAvailable").into_iter().find(|token| *token != source);
        let wanted = old.with("Name", "TestName1").with("SourceToken", another.unwrap_or(source));
        AUDIO_SOURCE.restore(t, old);
        t.step("5.3", "the configuration is set");
        set(t, &AUDIO_SOURCE, &wanted)?;
        t.step("5.5", "the device tells of it");
        watch.expect(t, old.token(), Some(AUDIO_SOURCE.name))?;
        t.step("5.8", "it is what was set");
        let now = AUDIO_SOURCE.one(t, old.token())?;
        AUDIO_SOURCE.agree(t, &wanted, &now)?;
    }
    watch.end(t)
}

fn set(t: &mut Test<'_>, kind: &Kind, wanted: &Element) -> Outcome {
    let operation = format!("tr2:Set{}Configuration", kind.name);
    t.ask(format!("<{operation}>{}</{operation}>", wanted.renamed("tr2", "Configuration"))).map(drop)
}

/// The least and the greatest rates of an encoding can be set, wherever it is offered.
fn encoding_can_be_set(t: &mut Test<'_>, encodings: &[&str]) -> Outcome {
    t.step("3", "all configurations");
    let list = AUDIO_ENCODER.list(t)?;
    t.step("4", "the device tells of changes");
    let mut watch = Watch::begin(t, "Media/ConfigurationChanged")?;
    let mut offered = false;
    for old in &list {
        t.step("5.1", &format!("the options of {}", old.token()));
        let options = AUDIO_ENCODER.options(t, Some(old.token()), None)?;
        let option = options.iter().find(|option| encodings.contains(&option.text_or_empty("Encoding")));
        let Some(option) = option else { continue };
        offered = true;
        AUDIO_ENCODER.restore(t, old);
        let name = old.text_or_empty("Name");
        let other_name = if name == "TestName1" { "TestName2" } else { "TestName1" };
        for (step, name, greatest) in [(2, other_name, false), (9, name, true)] {
            t.step(&format!("5.3.{step}"), &format!("{} is set to one end of the rates", old.token()));
            let wanted = at_one_end(old, option, greatest).with("Name", name);
            set(t, &AUDIO_ENCODER, &wanted)?;
            t.step(&format!("5.3.{}", step + 2), "the device tells of it");
            watch.expect(t, old.token(), Some(AUDIO_ENCODER.name))?;
            t.step(&format!("5.3.{}", step + 6), "it is what was set, and there once");
            let now = AUDIO_ENCODER.one(t, old.token())?;
            AUDIO_ENCODER.agree(t, &wanted, &now)?;
        }
    }
    watch.end(t)?;
    if offered { Ok(()) } else { t.skip(format!("no configuration can be set to {}", encodings.join(" or "))) }
}

/// A configuration with an option's encoding and its least or greatest rates. Where none are listed, those it has stay.
fn at_one_end(old: &Element, option: &Element, greatest: bool) -> Element {
    let mut wanted = old.with("Encoding", option.text_or_empty("Encoding"));
    for (list, field) in [("BitrateList", "Bitrate"), ("SampleRateList", "SampleRate")] {
        let items = option.at(list).map(|list| list.texts("Items")).unwrap_or_default();
        let numbers = || items.iter().filter_map(|item| item.parse::<u32>().ok());
        if let Some(number) = if greatest { numbers().max() } else { numbers().min() } {
            wanted = wanted.with(field, &number.to_string());
        }
    }
    wanted
}

fn encoder_options_are_told(t: &mut Test<'_>) -> Outcome {
    t.step("3", "the options of the device");
    AUDIO_ENCODER.options(t, None, None)?;
    t.step("5", "all configurations");
    for configuration in AUDIO_ENCODER.list(t)? {
        t.step("6.1", &format!("the options of {}", configuration.token()));
        AUDIO_ENCODER.options(t, Some(configuration.token()), None)?;
    }
    t.step("7", "all profiles");
    for profile in profiles(t, &[AUDIO_SOURCE.name])? {
        if AUDIO_SOURCE.within(&profile).is_some() {
            t.step("9.1", &format!("the options of profile {}", profile.token()));
            AUDIO_ENCODER.options(t, None, Some(profile.token()))?;
        }
    }
    Ok(())
}

fn encoders_keep_to_their_options(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all configurations");
    for configuration in AUDIO_ENCODER.list(t)? {
        t.step("4.1", &format!("the options of {}", configuration.token()));
        let options = AUDIO_ENCODER.options(t, Some(configuration.token()), None)?;
        let encoding = configuration.text_or_empty("Encoding");
        t.step("4.3", "the encoding is one of the options");
        let own: Vec<&Element> = options.iter().filter(|one| one.text_or_empty("Encoding") == encoding).collect();
        t.demand(!own.is_empty(), format!("options for {encoding}"), "none")?;
        for (step, list, field) in [("4.4", "BitrateList", "Bitrate"), ("4.5", "SampleRateList", "SampleRate")] {
            t.step(step, &format!("{field} is one of the options"));
            let offered: Vec<&str> =
                own.iter().filter_map(|one| one.at(list)).flat_map(|list| list.texts("Items")).collect();
            is_one_of(t, configuration.text_or_empty(field), &offered, field)?;
        }
    }
    Ok(())
}

fn output_options_are_told(t: &mut Test<'_>) -> Outcome {
    t.step("5", "the range of the level is in order");
    let all = AUDIO_OUTPUT.options(t, None, None)?;
    let range = Range::at(t, t.some(all.first(), "options")?, "OutputLevelRange")?;
    t.demand(range.min <= range.max, "a range of the level, lesser end first", range.to_string())?;
    options_are_told(t, &AUDIO_OUTPUT, &[&AUDIO_OUTPUT], Steps(6))
}

fn outputs_keep_to_their_options(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all configurations");
    for configuration in AUDIO_OUTPUT.list(t)? {
        t.step("5.1", &format!("the options of {}", configuration.token()));
        let options = options(t, &AUDIO_OUTPUT, configuration.token())?;
        t.step("5.3", "the output is one of the options");
        is_one_of(t, configuration.text_or_empty("OutputToken"), &options.texts("OutputTokensAvailable"), "an output")?;
        if let Some(primacy) = configuration.text_at("SendPrimacy") {
            t.step("5.4", "who may speak first is one of the options");
            is_one_of(t, primacy, &options.texts("SendPrimacyOptions"), "a primacy")?;
        }
        t.step("5.5", "the level is within its range");
        let range = Range::at(t, &options, "OutputLevelRange")?;
        inside(t, configuration.text_or_empty("OutputLevel"), &range, "OutputLevel")?;
    }
    Ok(())
}

fn decoders_can_be_renamed(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all configurations");
    for old in AUDIO_DECODER.list(t)? {
        AUDIO_DECODER.restore(t, &old);
        t.step("4.1", &format!("{} is renamed", old.token()));
        let wanted = old.with("Name", "TestName1");
        set(t, &AUDIO_DECODER, &wanted)?;
        t.step("4.5", "it has the new name");
        let now = AUDIO_DECODER.one(t, old.token())?;
        AUDIO_DECODER.agree(t, &wanted, &now)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_at_the_ends_are_the_least_and_the_greatest() {
        let parse = |text: &str| Element::parse(text.as_bytes()).unwrap();
        let old = parse("<c><Encoding>PCMU</Encoding><Bitrate>64</Bitrate><SampleRate>8</SampleRate></c>");
        let option = parse(
            "<o><Encoding>MPEG4-GENERIC</Encoding><BitrateList><Items>32</Items><Items>128</Items><Items>64</Items>\
             </BitrateList><SampleRateList/></o>",
        );
        let told =
            |wanted: &Element| ["Encoding", "Bitrate", "SampleRate"].map(|at| wanted.text_or_empty(at).to_owned());
        assert_eq!(told(&at_one_end(&old, &option, false)), ["MPEG4-GENERIC", "32", "8"]);
        assert_eq!(told(&at_one_end(&old, &option, true)), ["MPEG4-GENERIC", "128", "8"]);
    }
}
