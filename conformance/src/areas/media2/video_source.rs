//! Video source configurations (sections 4.2.2 and 4.2.4 of the specification).

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    test::Test,
    verdict::{Outcome, Stop},
    xml::{Element, escape},
};

use super::{
    common::{capabilities, distinct, profile_with, video_sources},
    configurations::{Steps, copies_agree, lists_agree, profiles_with, unknown_token_is_refused},
    events::Watch,
    kind::VIDEO_SOURCE,
    range::{Range, inside, is_one_of},
    told::expect,
};

/// How long a device may take to be back after a restart.
const RESTART: Duration = Duration::from_secs(240);

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("MEDIA2-2-2-1", Changes, options_are_told),
        case("MEDIA2-2-2-2", Reads, |t| lists_agree(t, &VIDEO_SOURCE, Steps(7))),
        case("MEDIA2-2-2-3", Reads, configurations_keep_to_their_options),
        case("MEDIA2-2-2-4", Reads, |t| copies_agree(t, &VIDEO_SOURCE)),
        case("MEDIA2-2-2-5", Changes, all_options_can_be_set),
        case("MEDIA2-2-2-6", Reads, |t| unknown_token_is_refused(t, &VIDEO_SOURCE)),
        case("MEDIA2-2-2-7", Reads, profiles_keep_to_their_options),
        case("MEDIA2-2-4-1", Reads, modes_are_told),
    ]
}

/// The sides of the bounds: the attribute, and where its range is.
const SIDES: [(&str, &str); 4] = [
    ("x", "BoundsRange/XRange"),
    ("y", "BoundsRange/YRange"),
    ("width", "BoundsRange/WidthRange"),
    ("height", "BoundsRange/HeightRange"),
];

/// Options; there is one set of them for this kind.
fn options(t: &mut Test<'_>, token: Option<&str>, profile: Option<&str>) -> Outcome<Element> {
    let options = VIDEO_SOURCE.options(t, token, profile)?;
    t.some(options.into_iter().next(), "options")
}

fn options_are_told(t: &mut Test<'_>) -> Outcome {
    t.step("3", "the capabilities tell whether the picture can be turned");
    let rotation = capabilities(t)?.flag("Rotation") == Some(true);
    t.step("4", "the options of the device");
    let all = options(t, None, None)?;
    for (index, (side, path)) in SIDES.iter().enumerate() {
        t.step(&(6 + index).to_string(), &format!("the range of {side} is in order"));
        let range = Range::at(t, &all, path)?;
        t.demand(range.min <= range.max, format!("a range of {side}, lesser end first"), range.to_string())?;
    }
    if rotation {
        t.step("10.1", "a device that says so can turn the picture");
        t.some(all.at("Extension/Rotate"), "Extension/Rotate")?;
    }
    t.step("11", "all configurations");
    let list = VIDEO_SOURCE.list(t)?;
    t.step("12", "the options of a configuration");
    let first = t.some(list.first(), "a configuration")?;
    options(t, Some(first.token()), None)?;
    t.step("14", "a profile with a video source");
    let profile = profile_with(t, &[&VIDEO_SOURCE])?;
    t.step("15", "the options of a profile");
    options(t, None, Some(&profile)).map(drop)
}

/// The source and the bounds of a configuration are among its options; the first step is that of the source.
fn keeps_to(t: &mut Test<'_>, configuration: &Element, options: &Element, first: u32) -> Outcome {
    t.step(&format!("5.{first}"), "the source is one of the options");
    is_one_of(t, configuration.text_or_empty("SourceToken"), &options.texts("VideoSourceTokensAvailable"), "a source")?;
    for (index, (side, path)) in SIDES.iter().enumerate() {
        t.step(&format!("5.{}", first as usize + 1 + 2 * index), &format!("{side} is within its range"));
        let value = configuration.at("Bounds").and_then(|bounds| bounds.attribute(side)).unwrap_or_default();
        inside(t, value, &Range::at(t, options, path)?, side)?;
    }
    Ok(())
}

fn configurations_keep_to_their_options(t: &mut Test<'_>) -> Outcome {
    t.step("3", "the capabilities tell whether the picture can be turned");
    let rotation = capabilities(t)?.flag("Rotation") == Some(true);
    t.step("4", "all configurations");
    for configuration in VIDEO_SOURCE.list(t)? {
        t.step("5.1", &format!("the options of {}", configuration.token()));
        let options = options(t, Some(configuration.token()), None)?;
        keeps_to(t, &configuration, &options, 3)?;
        if rotation {
            t.step("5.12", "how it is turned is one of the options");
            let offered = t.some(options.at("Extension/Rotate"), "Extension/Rotate in the options")?;
            let own = t.some(configuration.at("Extension/Rotate"), "Extension/Rotate in the configuration")?;
            is_turned_as_offered(t, own, offered, false)?;
        }
    }
    Ok(())
}

/// Mode and degree are among what is offered. Where no degrees are listed, all are good unless `listed` says otherwise.
fn is_turned_as_offered(t: &Test<'_>, own: &Element, offered: &Element, listed: bool) -> Outcome {
    is_one_of(t, own.text_or_empty("Mode"), &offered.texts("Mode"), "a mode of turning")?;
    let degrees = offered.at("DegreeList").map(|list| list.texts("Items")).unwrap_or_default();
    match own.text_at("Degree") {
        Some(degree) if listed || !degrees.is_empty() => is_one_of(t, degree, &degrees, "a degree"),
        _ => Ok(()),
    }
}

fn profiles_keep_to_their_options(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all profiles");
    for profile in profiles_with(t, &VIDEO_SOURCE)? {
        let Some(own) = VIDEO_SOURCE.within(&profile) else { continue };
        t.step("5.1", &format!("the options of {} in profile {}", own.token(), profile.token()));
        let options = options(t, Some(own.token()), Some(profile.token()))?;
        keeps_to(t, own, &options, 3)?;
        if let Some(turned) = own.at("Extension/Rotate") {
            t.step("5.12.1", "how it is turned is one of the options");
            let offered = t.some(options.at("Extension/Rotate"), "Extension/Rotate in the options")?;
            is_turned_as_offered(t, turned, offered, true)?;
        }
        if let Some(mode) = own.text_at("Extension/Extension/SceneOrientation/Mode") {
            t.step("5.12.2", "how the scene lies is one of the options");
            let offered = options.at("Extension/Extension").map(|all| all.texts("SceneOrientationMode"));
            is_one_of(t, mode, &offered.unwrap_or_default(), "an orientation of the scene")?;
        }
    }
    Ok(())
}

/// Which end of every option is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

impl End {
    fn of<'a>(self, all: &[&'a str]) -> Option<&'a str> {
        if self == Self::First { all.first().copied() } else { all.last().copied() }
    }
}

fn all_options_can_be_set(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all configurations");
    let list = VIDEO_SOURCE.list(t)?;
    t.step("4", "the device tells of changes");
    let mut watch = Watch::begin(t, "Media/ConfigurationChanged")?;
    for old in &list {
        t.step("5.1", &format!("the options of {}", old.token()));
        let options = options(t, Some(old.token()), None)?;
        VIDEO_SOURCE.restore(t, old);
        for (step, end, name) in [(3, End::First, "TestName1"), (9, End::Last, "TestName2")] {
            t.step(&format!("5.{step}"), "the configuration is set");
            let (content, wanted) = written(t, old, &options, end, name, false)?;
            t.ask(VIDEO_SOURCE.setter(&token(old), &content))?;
            t.step(&format!("5.{}", step + 2), "the device tells of it");
            watch.expect(t, old.token(), Some(VIDEO_SOURCE.name))?;
            t.step(&format!("5.{}", step + 5), "it is what was set");
            let now = VIDEO_SOURCE.one(t, old.token())?;
            expect(t, &now, &wanted)?;
        }
    }
    watch.end(t)?;
    for old in &list {
        t.step("7.1", &format!("the options of {}", old.token()));
        let options = options(t, Some(old.token()), None)?;
        if options.at("Extension/Rotate").and_then(|rotate| rotate.flag("Reboot")) == Some(true) {
            turned_by_a_restart(t, old, &options)?;
        }
    }
    Ok(())
}

fn token(configuration: &Element) -> String {
    format!(" token=\"{}\"", escape(configuration.token()))
}

/// What has to be found afterwards: where, and what.
type Wanted = Vec<(&'static str, String)>;

/// A configuration at one end of all options, and what has to be found afterwards. The picture is turned only if what
/// `restarts` says is so: that turning it restarts the device, or does not.
fn written(
    t: &Test<'_>,
    old: &Element,
    options: &Element,
    end: End,
    name: &str,
    restarts: bool,
) -> Outcome<(String, Wanted)> {
    let source = t.some(end.of(&options.texts("VideoSourceTokensAvailable")), "a source in the options")?;
    let [x, y, width, height] = bounds(t, options, end)?;
    let uses = old.text_or_empty("UseCount");
    let mut wanted: Wanted = vec![
        ("Name", name.into()),
        ("SourceToken", source.into()),
        ("Bounds@x", x.to_string()),
        ("Bounds@y", y.to_string()),
        ("Bounds@width", width.to_string()),
        ("Bounds@height", height.to_string()),
    ];
    let mut content = format!(
        "<tt:Name>{name}</tt:Name><tt:UseCount>{uses}</tt:UseCount><tt:SourceToken>{}</tt:SourceToken>\
         <tt:Bounds x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>",
        escape(source)
    );
    let rotate = options.at("Extension/Rotate").filter(|rotate| (rotate.flag("Reboot") == Some(true)) == restarts);
    if let Some(rotate) = rotate {
        let mode = t.some(end.of(&rotate.texts("Mode")), "a mode of turning in the options")?;
        content.push_str(&format!("<tt:Extension><tt:Rotate><tt:Mode>{mode}</tt:Mode>"));
        wanted.push(("Extension/Rotate/Mode", mode.into()));
        if mode == "ON" {
            let degrees = rotate.at("DegreeList").map(|list| list.texts("Items")).unwrap_or_default();
            let degree = end.of(&degrees).unwrap_or(if end == End::First { "-180" } else { "180" });
            content.push_str(&format!("<tt:Degree>{degree}</tt:Degree>"));
            wanted.push(("Extension/Rotate/Degree", degree.into()));
        }
        content.push_str("</tt:Rotate></tt:Extension>");
    }
    Ok((content, wanted))
}

/// The bounds at one end: the least ones, or as much of the middle as there is.
fn bounds(t: &Test<'_>, options: &Element, end: End) -> Outcome<[i64; 4]> {
    let mut ranges = Vec::new();
    for (_, path) in SIDES {
        let range = Range::at(t, options, path)?;
        ranges.push((range.min as i64, range.max as i64));
    }
    let least = [ranges[0].0, ranges[1].0, ranges[2].0, ranges[3].0];
    if end == End::First || ranges.iter().all(|(min, max)| min == max) {
        return Ok(least);
    }
    let [(x_min, x_max), (y_min, y_max), (width_min, width_max), (height_min, height_max)] =
        [ranges[0], ranges[1], ranges[2], ranges[3]];
    let (x, y) = ((x_max + x_min - width_min) / 2, (y_max + y_min - height_min) / 2);
    Ok([x, y, width_max.min(x_max - x), height_max.min(y_max - y)])
}

/// A device that restarts to turn its picture, and does.
fn turned_by_a_restart(t: &mut Test<'_>, old: &Element, options: &Element) -> Outcome {
    t.step("7.3.1", "the picture is turned, for which the device restarts");
    let (content, wanted) = written(t, old, options, End::First, "TestName1", true)?;
    let back = format!(
        "<tr2:SetVideoSourceConfiguration>{}</tr2:SetVideoSourceConfiguration>",
        old.renamed("tr2", "Configuration")
    );
    t.afterwards_do(move |t| {
        t.ask(back)?;
        wait_for_a_restart(t)
    });
    t.ask(VIDEO_SOURCE.setter(&token(old), &content))?;
    t.step("7.3.2", "the device is there again");
    wait_for_a_restart(t)?;
    t.step("7.3.6", "the picture is turned as was set");
    let wanted: Wanted = wanted.into_iter().filter(|(path, _)| path.starts_with("Extension")).collect();
    let now = VIDEO_SOURCE.one(t, old.token())?;
    expect(t, &now, &wanted)
}

/// Waits until the device answers again. One that restarts may still answer for some seconds, which pass first.
fn wait_for_a_restart(t: &mut Test<'_>) -> Outcome {
    thread::sleep(Duration::from_secs(10));
    let deadline = Instant::now() + RESTART;
    loop {
        match t.ask("<tds:GetSystemDateAndTime/>") {
            Err(Stop::Failed(_)) if Instant::now() < deadline => thread::sleep(Duration::from_secs(2)),
            answer => return answer.map(drop),
        }
    }
}

fn modes_are_told(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all video sources");
    for source in video_sources(t)? {
        t.step("4.1", &format!("the modes of {source}"));
        let source = escape(&source);
        let answer = t.ask(format!(
            "<tr2:GetVideoSourceModes><tr2:VideoSourceToken>{source}</tr2:VideoSourceToken></tr2:GetVideoSourceModes>"
        ))?;
        let modes: Vec<Element> = answer.all("VideoSourceModes").cloned().collect();
        t.step("4.3", "each mode has a token of its own");
        distinct(t, &modes)?;
        t.step("4.4", "one mode is enabled");
        let enabled = modes.iter().filter(|mode| mode.flag("Enabled") == Some(true)).count();
        t.same("enabled modes:", 1, enabled)?;
        t.step("4.6", "every mode has encodings");
        let empty = modes.iter().find(|mode| mode.text_or_empty("Encodings").is_empty());
        t.demand(empty.is_none(), "encodings in every mode", empty.map(Element::token).unwrap_or_default())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use belvedere_harness::schema;

    use super::*;
    use crate::{device::Device, feature::Features, soap::Call};

    fn options(rotate: &str) -> Element {
        let range = |name: &str, min: i64, max: i64| format!("<{name}><Min>{min}</Min><Max>{max}</Max></{name}>");
        let ranges = range("XRange", 0, 1000) + &range("YRange", 0, 800);
        let ranges = ranges + &range("WidthRange", 200, 1000) + &range("HeightRange", 100, 800);
        let text = format!(
            "<o><BoundsRange>{ranges}</BoundsRange><VideoSourceTokensAvailable>a</VideoSourceTokensAvailable>\
             <VideoSourceTokensAvailable>b</VideoSourceTokensAvailable><Extension>{rotate}</Extension></o>"
        );
        Element::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn both_ends_are_written_and_wanted() {
        let (device, features) = (Device::new(String::new(), String::new(), String::new()), Features::default());
        let t = Test::new(&device, &features);
        let old = Element::parse(b"<c token=\"v\"><UseCount>2</UseCount></c>").unwrap();
        let options = options(
            "<Rotate><Mode>OFF</Mode><Mode>ON</Mode>\
             <DegreeList><Items>90</Items><Items>180</Items></DegreeList></Rotate>",
        );
        let (first, wanted) = written(&t, &old, &options, End::First, "n", false).unwrap();
        assert!(first.contains("x=\"0\" y=\"0\" width=\"200\" height=\"100\"") && first.contains(">OFF<"));
        assert!(!wanted.iter().any(|(path, _)| path.ends_with("Degree")));
        let (last, wanted) = written(&t, &old, &options, End::Last, "n", false).unwrap();
        // The middle, and what is left of it: (1000 - 200) / 2, (800 - 100) / 2.
        assert!(last.contains("x=\"400\" y=\"350\" width=\"600\" height=\"450\""), "{last}");
        assert!(
            wanted.contains(&("SourceToken", "b".into()))
                && wanted.contains(&("Extension/Rotate/Degree", "180".into()))
        );
        for content in [first, last] {
            let call = Call::new(VIDEO_SOURCE.setter(&token(&old), &content));
            assert_eq!(schema::check(call.text().as_bytes()), Ok(()));
        }
    }

    #[test]
    fn what_restarts_the_device_is_left_for_later() {
        let (device, features) = (Device::new(String::new(), String::new(), String::new()), Features::default());
        let t = Test::new(&device, &features);
        let options = options("<Rotate Reboot=\"true\"><Mode>ON</Mode></Rotate>");
        let turned = |restarts| {
            let (content, _) = written(&t, &Element::default(), &options, End::First, "n", restarts).unwrap();
            content.contains("<tt:Degree>-180</tt:Degree>")
        };
        assert!(turned(true) && !turned(false));
    }
}
