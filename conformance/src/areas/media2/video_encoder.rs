//! Video encoder configurations (section 4.2.3 of the specification).

use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

use super::{
    common::{distinct, profiles},
    configurations::{compatible, profiles_with},
    events::Watch,
    kind::VIDEO_ENCODER,
    range::{Range, same_value},
    told::expect,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("MEDIA2-2-3-1", Reads, lists_agree),
        case("MEDIA2-2-3-2", Reads, configurations_keep_to_their_options),
        case("MEDIA2-2-3-3", Reads, profiles_keep_to_their_options),
        case("MEDIA2-2-3-4", Changes, all_options_can_be_set),
        case("MEDIA2-2-3-5", Reads, options_are_in_order),
    ]
}

fn lists_agree(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all configurations, each with a token of its own");
    let all = VIDEO_ENCODER.list(t)?;
    t.step("5", "each with a token of its own");
    distinct(t, &all)?;
    t.step("6", "all profiles");
    // Without types a profile has no configurations, and nothing could be said of its own; so they are asked for.
    for profile in profiles(t, &[VIDEO_ENCODER.name])? {
        compatible(t, &VIDEO_ENCODER, &profile, &all, "8")?;
    }
    for configuration in &all {
        t.step("9", "a configuration by its token, and nothing else");
        VIDEO_ENCODER.one(t, configuration.token())?;
    }
    Ok(())
}

fn configurations_keep_to_their_options(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all configurations");
    for configuration in VIDEO_ENCODER.list(t)? {
        t.step("6.1", &format!("the options of {}", configuration.token()));
        let options = VIDEO_ENCODER.options(t, Some(configuration.token()), None)?;
        t.step("6.3", "the configuration keeps to one of them");
        keeps_to_one(t, &configuration, &options)?;
    }
    Ok(())
}

fn profiles_keep_to_their_options(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all profiles");
    for profile in profiles_with(t, &VIDEO_ENCODER)? {
        let Some(own) = VIDEO_ENCODER.within(&profile) else { continue };
        t.step("5.1", &format!("the options of {} in profile {}", own.token(), profile.token()));
        let options = VIDEO_ENCODER.options(t, Some(own.token()), Some(profile.token()))?;
        t.step("5.3", "the configuration keeps to one of them");
        keeps_to_one(t, own, &options)?;
    }
    Ok(())
}

/// Demands that a configuration keeps to all of at least one option (annex A.3).
fn keeps_to_one(t: &Test<'_>, configuration: &Element, options: &[Element]) -> Outcome {
    let mut misfits = Vec::new();
    for option in options {
        match misfit(configuration, option) {
            None => return Ok(()),
            Some(what) => misfits.push(format!("{}: {what}", option.text_or_empty("Encoding"))),
        }
    }
    Err(t.failed(format!("{} within one of its options", configuration.token()), misfits.join("; ")))
}

/// What of a configuration does not keep to an option. What the option does not restrict is good.
fn misfit(configuration: &Element, option: &Element) -> Option<String> {
    let encoding = configuration.text_or_empty("Encoding");
    if option.text_or_empty("Encoding") != encoding {
        return Some(format!("the encoding is {encoding}"));
    }
    let size = configuration.at("Resolution").map(resolution).unwrap_or_default();
    if !option.all("ResolutionsAvailable").any(|offered| resolution(offered) == size) {
        return Some(format!("no resolution {}x{}", size.0, size.1));
    }
    let ranges = [
        ("Quality", configuration.text_at("Quality"), range(option.at("QualityRange"))),
        ("GovLength", configuration.attribute("GovLength"), pair(option.attribute("GovLengthRange"))),
        ("BitrateLimit", configuration.text_at("RateControl/BitrateLimit"), range(option.at("BitrateRange"))),
    ];
    for (name, value, range) in ranges {
        if let (Some(value), Some(range)) = (value, range)
            && !range.has(value)
        {
            return Some(format!("{name} {value} is not in {range}"));
        }
    }
    let lists = [
        ("FrameRateLimit", configuration.text_at("RateControl/FrameRateLimit"), "FrameRatesSupported"),
        ("Profile", configuration.attribute("Profile"), "ProfilesSupported"),
    ];
    for (name, value, list) in lists {
        if let (Some(value), Some(list)) = (value, option.attribute(list))
            && !list.split_whitespace().any(|item| same_value(item, value))
        {
            return Some(format!("{name} {value} is not one of {list}"));
        }
    }
    None
}

fn resolution(element: &Element) -> (&str, &str) {
    (element.text_or_empty("Width"), element.text_or_empty("Height"))
}

fn range(element: Option<&Element>) -> Option<Range> {
    let element = element?;
    Some(Range { min: element.number_at("Min")?, max: element.number_at("Max")? })
}

fn pair(list: Option<&str>) -> Option<Range> {
    let mut numbers = list?.split_whitespace().map(str::parse);
    Some(Range { min: numbers.next()?.ok()?, max: numbers.next()?.ok()? })
}

fn options_are_in_order(t: &mut Test<'_>) -> Outcome {
    t.step("3", "the options of the device");
    let options = VIDEO_ENCODER.options(t, None, None)?;
    are_in_order(t, &options, "5")?;
    t.step("6", "all configurations");
    for configuration in VIDEO_ENCODER.list(t)? {
        t.step("9.1", &format!("the options of {}", configuration.token()));
        let options = VIDEO_ENCODER.options(t, Some(configuration.token()), None)?;
        are_in_order(t, &options, "9.3")?;
    }
    Ok(())
}

/// Lists of options that have an order keep to it.
fn are_in_order(t: &mut Test<'_>, options: &[Element], step: &str) -> Outcome {
    t.demand(!options.is_empty(), "options", "none")?;
    for option in options {
        if let Some(list) = option.attribute("GovLengthRange") {
            t.step(&format!("{step}.1"), "GovLengthRange is two numbers, the lesser first");
            let numbers = numbers(t, list)?;
            let holds = matches!(numbers[..], [first, second] if first <= second);
            t.demand(holds, "two numbers, the lesser first", list)?;
        }
        if let Some(list) = option.attribute("FrameRatesSupported") {
            t.step(&format!("{step}.2"), "FrameRatesSupported goes from the highest to the lowest");
            let numbers = numbers(t, list)?;
            t.demand(numbers.is_sorted_by(|first, second| first >= second), "the highest first", list)?;
        }
    }
    Ok(())
}

fn numbers(t: &Test<'_>, list: &str) -> Outcome<Vec<f64>> {
    let parsed: Result<Vec<f64>, _> = list.split_whitespace().map(str::parse).collect();
    parsed.map_err(|_| t.failed("numbers", list))
}

/// Which end of every option is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Least,
    Most,
}

fn all_options_can_be_set(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all configurations");
    let list = VIDEO_ENCODER.list(t)?;
    t.step("4", "the device tells of changes");
    let mut watch = Watch::begin(t, "Media/ConfigurationChanged")?;
    for old in &list {
        t.step("5.1", &format!("the options of {}", old.token()));
        let options = VIDEO_ENCODER.options(t, Some(old.token()), None)?;
        VIDEO_ENCODER.restore(t, old);
        for option in &options {
            for (step, end, name) in [(1, End::Least, "TestName1"), (7, End::Most, "TestName2")] {
                let encoding = option.text_or_empty("Encoding");
                t.step(&format!("5.3.{step}"), &format!("{} is set to {encoding}, {name}", old.token()));
                let (setter, wanted) = written(t, old, option, end, name)?;
                t.ask(setter)?;
                t.step(&format!("5.3.{}", step + 2), "the device tells of it");
                watch.expect(t, old.token(), Some(VIDEO_ENCODER.name))?;
                t.step(&format!("5.3.{}", step + 5), "it is what was set");
                let now = VIDEO_ENCODER.one(t, old.token())?;
                expect(t, &now, &wanted)?;
            }
        }
    }
    watch.end(t)
}

/// A request that sets a configuration to one end of an option, and what has to be found afterwards.
fn written(
    t: &Test<'_>,
    old: &Element,
    option: &Element,
    end: End,
    name: &str,
) -> Outcome<(String, Vec<(&'static str, String)>)> {
    let bound = if end == End::Least { "Min" } else { "Max" };
    let encoding = option.text_or_empty("Encoding");
    let sizes: Vec<_> = option.all("ResolutionsAvailable").map(resolution).collect();
    let (width, height) = *t.some(if end == End::Least { sizes.first() } else { sizes.last() }, "a resolution")?;
    let mut wanted = vec![
        ("Name", name.to_owned()),
        ("Encoding", encoding.to_owned()),
        ("Resolution/Width", width.to_owned()),
        ("Resolution/Height", height.to_owned()),
    ];
    let mut attributes = format!(" token=\"{}\"", escape(old.token()));
    if let Some(range) = option.attribute("GovLengthRange") {
        let (least, most) = ends(t, range)?;
        let length = if end == End::Least { least } else { most };
        attributes.push_str(&format!(" GovLength=\"{length}\""));
        wanted.push(("@GovLength", length.to_string()));
    }
    let profiles: Vec<&str> =
        option.attribute("ProfilesSupported").map(|list| list.split_whitespace().collect()).unwrap_or_default();
    let profile = if end == End::Least { profiles.first() } else { profiles.last() };
    if let (Some(profile), Some(_)) = (profile, old.attribute("Profile")) {
        attributes.push_str(&format!(" Profile=\"{profile}\""));
    }
    let multicast = old.at("Multicast").map(Element::to_xml).unwrap_or_default();
    let content = format!(
        "<tt:Name>{name}</tt:Name><tt:UseCount>{uses}</tt:UseCount><tt:Encoding>{encoding}</tt:Encoding>\
         <tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>{rate}{multicast}\
         <tt:Quality>{quality}</tt:Quality>",
        uses = old.text_or_empty("UseCount"),
        rate = rate_control(t, old, option, end)?,
        quality = option.text_or_empty(&format!("QualityRange/{bound}")),
    );
    Ok((VIDEO_ENCODER.setter(&attributes, &content), wanted))
}

/// Frame rate and bit rate at one end; without a list of frame rates, the one there is.
fn rate_control(t: &Test<'_>, old: &Element, option: &Element, end: End) -> Outcome<String> {
    let bound = if end == End::Least { "Min" } else { "Max" };
    let rate = match option.attribute("FrameRatesSupported") {
        Some(list) => {
            let (least, most) = ends(t, list)?;
            (if end == End::Least { least } else { most }).to_string()
        }
        None => match old.text_at("RateControl/FrameRateLimit") {
            Some(rate) => rate.to_owned(),
            None => return Ok(String::new()),
        },
    };
    let bits = option.text_or_empty(&format!("BitrateRange/{bound}"));
    Ok(format!(
        "<tt:RateControl><tt:FrameRateLimit>{rate}</tt:FrameRateLimit><tt:BitrateLimit>{bits}</tt:BitrateLimit>\
         </tt:RateControl>"
    ))
}

/// The least and the greatest of a list of numbers.
fn ends(t: &Test<'_>, list: &str) -> Outcome<(f64, f64)> {
    let numbers = numbers(t, list)?;
    t.demand(!numbers.is_empty(), "a number", "none")?;
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    Ok((least, numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTION: &str = "<o GovLengthRange=\"1 60\" FrameRatesSupported=\"30 15 1\" ProfilesSupported=\"Main High\">\
        <Encoding>H264</Encoding><QualityRange><Min>1</Min><Max>5</Max></QualityRange>\
        <ResolutionsAvailable><Width>640</Width><Height>360</Height></ResolutionsAvailable>\
        <BitrateRange><Min>64</Min><Max>4000</Max></BitrateRange></o>";
    const GOOD: &str = "<c GovLength=\"30\" Profile=\"Main\"><Encoding>H264</Encoding>\
        <Resolution><Width>640</Width><Height>360</Height></Resolution>\
        <RateControl><FrameRateLimit>15.0</FrameRateLimit><BitrateLimit>500</BitrateLimit></RateControl>\
        <Quality>3</Quality></c>";

    fn misfit_of(configuration: &str) -> Option<String> {
        misfit(&Element::parse(configuration.as_bytes()).unwrap(), &Element::parse(OPTION.as_bytes()).unwrap())
    }

    #[test]
    fn every_part_of_an_option_restricts() {
        assert_eq!(misfit_of(GOOD), None);
        let broken = [
            ("H264", "H265"),
            ("Resolution>", "Size>"),
            (">360<", ">480<"),
            ("\"30\"", "\"61\""),
            ("Main", "Baseline"),
            (">15.0<", ">14<"),
            (">500<", ">5000<"),
            (">3<", ">6<"),
        ];
        for (good, bad) in broken {
            assert!(misfit_of(&GOOD.replace(good, bad)).is_some(), "{bad}");
        }
    }
}
