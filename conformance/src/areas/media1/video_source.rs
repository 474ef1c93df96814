//! Video source configurations: what is asked, set and read again.

use crate::{
    case::{Case, When::Changes, case},
    soap::Call,
    test::Test,
    verdict::Outcome,
    xml::Element,
};

use super::{
    compare::{among, same_text, unique_tokens},
    kind::{For, VIDEO_SOURCE},
    profiles,
};

pub(super) fn cases() -> Vec<Case> {
    vec![case("MEDIA-2-1-8", Changes, set_within_bounds)]
}

/// The sides of the bounds, and the ranges in the options that they must be in.
const SIDES: [(&str, &str); 4] = [("x", "XRange"), ("y", "YRange"), ("width", "WidthRange"), ("height", "HeightRange")];

fn set_within_bounds(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetProfiles");
    let profiles = profiles::all(t)?;
    let ready = profiles::ready(t, &profiles)?;
    t.step("6", "there are video sources, each once");
    let answer = t.ask("<trt:GetVideoSources/>")?;
    let sources: Vec<Element> = answer.all("VideoSources").cloned().collect();
    t.some(sources.first(), "a video source")?;
    unique_tokens(t, "the video sources", &sources)?;
    t.step("9", "there are configurations that the profile takes");
    let compatible = VIDEO_SOURCE.compatible(t, ready.token())?;
    t.some(compatible.first(), "a compatible configuration")?;
    t.step("11", "they are among all configurations");
    let all = VIDEO_SOURCE.all(t)?;
    among(t, &compatible, &all)?;
    t.step("13", "the options of a configuration");
    let first = t.some(all.first(), "a configuration")?;
    let options = VIDEO_SOURCE.options(t, For::configuration(first.token()))?;
    VIDEO_SOURCE.set_afterwards(t, first);
    t.step("16", "bounds that the options do not offer are refused");
    let outside = bounded(t, first, &options, beyond)?;
    let request = VIDEO_SOURCE.set_request(&outside.renamed("trt", "Configuration"));
    t.refused(&Call::new(request), &["env:Sender/ter:InvalidArgVal/ter:ConfigModify"])?;
    t.step("18", "bounds that the options offer are taken");
    let inside = bounded(t, first, &options, |least, _| least)?;
    VIDEO_SOURCE.set(t, &inside)?;
    t.step("20", "the configuration is as it was set");
    let seen = VIDEO_SOURCE.one(t, first.token())?;
    same_text(t, "SourceToken", inside.text_or_empty("SourceToken"), seen.text_at("SourceToken"))?;
    for (name, _) in SIDES {
        let value = |configuration: &Element| configuration.at("Bounds").and_then(|all| number(all.attribute(name)?));
        let expected = t.some(value(&inside), "a number")?;
        let told = t.some(value(&seen), &format!("a number as Bounds/@{name}"))?;
        t.same(&format!("Bounds/@{name}"), expected, told)?;
    }
    Ok(())
}

/// The configuration with bounds that are chosen from the least and the most that the options offer.
fn bounded(t: &Test<'_>, configuration: &Element, options: &Element, choose: fn(i64, i64) -> i64) -> Outcome<Element> {
    let mut changed = configuration.clone();
    let position = changed.children.iter().position(|child| child.name == "Bounds");
    let bounds = &mut changed.children[t.some(position, "bounds")?];
    for (name, range) in SIDES {
        let range = t.some(options.at(&format!("BoundsRange/{range}")), &format!("a {range}"))?;
        let ends = number(range.text_or_empty("Min")).zip(number(range.text_or_empty("Max")));
        let (least, most) = t.some(ends, "numbers")?;
        *bounds = bounds.with_attribute(name, &choose(least, most).to_string());
    }
    Ok(changed)
}

/// A number outside of a range, that still is an `xs:int`.
pub(super) fn beyond(least: i64, most: i64) -> i64 {
    if most < i64::from(i32::MAX) { most + 1 } else { least - 1 }
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}
