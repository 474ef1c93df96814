//! Media profiles (section 4.1 of the specification).

use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    feature::Feature,
    soap::Call,
    test::Test,
    verdict::Outcome,
    xml::Element,
};

use super::{
    common::{
        add, configurations, create_profile, delete_profile, distinct, empty_profile, get_profiles, make_room, profile,
        profiles, remove, restore_profile, video_sources,
    },
    events::Watch,
    kind::{
        ANALYTICS, AUDIO_DECODER, AUDIO_ENCODER, AUDIO_OUTPUT, AUDIO_SOURCE, Kind, METADATA, VIDEO_ENCODER,
        VIDEO_SOURCE,
    },
};

const NO_PROFILE: &str = "env:Sender/ter:InvalidArgVal/ter:NoProfile";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("MEDIA2-1-1-1", Reads, ready_for_every_source),
        case("MEDIA2-1-1-2", Changes, created_with_a_source),
        case("MEDIA2-1-1-3", Changes, configured_step_by_step),
        case("MEDIA2-1-1-4", Reads, types_choose_what_is_told),
        case("MEDIA2-1-1-5", Changes, created_with_any_source),
        case("MEDIA2-1-1-6", Changes, emptied),
        case("MEDIA2-1-1-7", Changes, fixed_are_emptied_and_filled),
        case("MEDIA2-1-1-8", Reads, |t| ready_for_every_configuration(t, &METADATA)),
        case("MEDIA2-1-1-9", Reads, |t| ready_for_every_configuration(t, &VIDEO_ENCODER)),
    ]
}

fn ready_for_every_source(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all video sources");
    let sources = video_sources(t)?;
    t.step("5", "all profiles");
    let profiles = profiles(t, &["All"])?;
    for source in sources {
        t.step("7.1", &format!("a profile for {source} with H.264 or H.265"));
        let ready = profiles.iter().any(|profile| {
            let encoder = VIDEO_ENCODER.within(profile).map(|encoder| encoder.text_or_empty("Encoding"));
            VIDEO_SOURCE.within(profile).is_some_and(|own| own.text_or_empty("SourceToken") == source)
                && encoder.is_some_and(|encoding| ["H264", "H265"].contains(&encoding))
        });
        t.demand(ready, format!("a profile for {source} with H.264 or H.265"), "none")?;
    }
    Ok(())
}

fn ready_for_every_configuration(t: &mut Test<'_>, with: &Kind) -> Outcome {
    t.step("3", "all profiles");
    let profiles = profiles(t, &["All"])?;
    t.step("5", "all video source configurations");
    for source in VIDEO_SOURCE.list(t)? {
        let wanted = format!("a profile with {} and a {} configuration", source.token(), with.name);
        t.step("6.1", &wanted);
        let ready = profiles.iter().any(|profile| {
            let own = VIDEO_SOURCE.within(profile).is_some_and(|own| own.token() == source.token());
            own && with.within(profile).is_some()
        });
        t.demand(ready, wanted, "none")?;
    }
    Ok(())
}

fn created_with_a_source(t: &mut Test<'_>) -> Outcome {
    t.step("3", "there is room for a profile");
    make_room(t)?;
    t.step("4", "all video source configurations");
    let source = VIDEO_SOURCE.list(t)?.remove(0).token().to_owned();
    t.step("5", "the device tells of changes");
    let mut watch = Watch::begin(t, "Media/ProfileChanged")?;
    t.step("6", "a profile is created with a video source");
    let token = create_profile(t, "testMedia2", &[("VideoSource", &source)])?;
    t.step("8", "the device tells of it");
    watch.expect(t, &token, None)?;
    t.step("9", "the profile is there");
    let created = profile(t, &token, &["VideoSource"])?;
    t.step("14", "it has the video source");
    has(t, &created, &[(&VIDEO_SOURCE, Some(&source))])?;
    t.step("15", "the profile is deleted");
    delete_profile(t, &token)?;
    t.step("17", "the device tells of it");
    watch.expect(t, &token, None)?;
    watch.end(t)?;
    t.step("20", "the profile is not there");
    t.refused(&Call::new(get_profiles(Some(&token), &[])), &[NO_PROFILE]).map(drop)
}

/// Demands that a profile has these configurations, or none of a kind.
fn has(t: &Test<'_>, profile: &Element, wanted: &[(&Kind, Option<&str>)]) -> Outcome {
    for (kind, token) in wanted {
        let own = kind.within(profile).map(Element::token);
        t.same(&format!("{} of profile {}", kind.name, profile.token()), *token, own)?;
    }
    Ok(())
}

/// A profile that is configured, whose changes the device tells.
struct Configured {
    token: String,
    watch: Watch,
}

impl Configured {
    fn add(&mut self, t: &mut Test<'_>, kind: &Kind, token: &str) -> Outcome {
        add(t, &self.token, &[(kind.name, token)])?;
        self.watch.expect(t, &self.token, None)
    }

    fn remove(&mut self, t: &mut Test<'_>, kind: &Kind, token: Option<&str>) -> Outcome {
        remove(t, &self.token, kind.name, token)?;
        self.watch.expect(t, &self.token, None)
    }

    /// Demands that the profile, asked for these kinds, has these configurations.
    fn has(&self, t: &mut Test<'_>, wanted: &[(&Kind, Option<&str>)]) -> Outcome {
        let types: Vec<&str> = wanted.iter().map(|(kind, _)| kind.name).collect();
        let now = profile(t, &self.token, &types)?;
        has(t, &now, wanted)
    }

    /// Adds what goes with a source and takes it out again, and says whether there is any. `number` places the steps.
    fn with_companion(
        &mut self,
        t: &mut Test<'_>,
        (source, source_token): (&Kind, &str),
        kind: &Kind,
        number: &dyn Fn(u32) -> String,
    ) -> Outcome<bool> {
        t.step(&number(1), &format!("the configurations of kind {} that the profile can take", kind.name));
        let list = kind.get(t, None, Some(&self.token))?;
        let Some(first) = list.first() else { return Ok(false) };
        t.step(&number(5), &format!("{} is added", first.token()));
        self.add(t, kind, first.token())?;
        t.step(&number(8), "the profile has both");
        self.has(t, &[(source, Some(source_token)), (kind, Some(first.token()))])?;
        t.step(&number(15), &format!("{} is removed", first.token()));
        self.remove(t, kind, None)?;
        t.step(&number(18), "the profile has the source alone");
        self.has(t, &[(source, Some(source_token)), (kind, None)])?;
        Ok(true)
    }

    /// Adds every source of sound, or every output, with what goes with it, and takes them out again.
    fn with_sound(&mut self, t: &mut Test<'_>, source: &Kind, companion: &Kind, section: u32) -> Outcome {
        t.step(&format!("{section}.1"), &format!("all configurations of kind {}", source.name));
        for own in source.list(t)? {
            let number = |step: u32| format!("{section}.2.{step}");
            t.step(&number(1), &format!("{} is added", own.token()));
            self.add(t, source, own.token())?;
            t.step(&number(4), "the profile has it");
            self.has(t, &[(source, Some(own.token()))])?;
            let found = self.with_companion(t, (source, own.token()), companion, &|step| number(step + 9))?;
            t.step(&number(12), "the profile can take one");
            t.demand(found, format!("a configuration of kind {}", companion.name), "none")?;
            t.step(&number(33), &format!("{} is removed", own.token()));
            self.remove(t, source, None)?;
            t.step(&number(36), "the profile has none");
            self.has(t, &[(source, None)])?;
        }
        Ok(())
    }

    /// Adds every video source with what goes with it, and takes them out again.
    fn with_pictures(&mut self, t: &mut Test<'_>) -> Outcome {
        t.step("5", "all video source configurations");
        let mut analytics = false;
        for own in VIDEO_SOURCE.list(t)? {
            t.step("6.1", &format!("{} is added", own.token()));
            self.add(t, &VIDEO_SOURCE, own.token())?;
            t.step("6.4", "the profile has it");
            self.has(t, &[(&VIDEO_SOURCE, Some(own.token()))])?;
            let source = (&VIDEO_SOURCE, own.token());
            if t.has(Feature::Video) {
                let found = self.with_companion(t, source, &VIDEO_ENCODER, &|step| format!("6.10.{step}"))?;
                t.step("6.10.3", "the profile can take a video encoder");
                t.demand(found, "a video encoder that the profile can take", "none")?;
            }
            if t.has(Feature::Analytics) {
                analytics |= self.with_companion(t, source, &ANALYTICS, &|step| format!("6.11.{step}"))?;
            }
            if t.has(Feature::Metadata) {
                self.with_companion(t, source, &METADATA, &|step| format!("6.12.{step}"))?;
            }
            t.step("6.13", &format!("{} is removed", own.token()));
            self.remove(t, &VIDEO_SOURCE, Some(own.token()))?;
            t.step("6.16", "the profile has none");
            self.has(t, &[(&VIDEO_SOURCE, None)])?;
        }
        t.step("7", "one of the video sources goes with analytics");
        t.demand(analytics || !t.has(Feature::Analytics), "an analytics configuration for some video source", "none")
    }
}

fn configured_step_by_step(t: &mut Test<'_>) -> Outcome {
    t.step("3", "an empty profile");
    let (token, is_new) = empty_profile(t)?;
    t.step("4", "the device tells of changes");
    let watch = Watch::begin(t, "Media/ProfileChanged")?;
    let mut configured = Configured { token, watch };
    configured.with_pictures(t)?;
    if t.has(Feature::Media2Audio) {
        configured.with_sound(t, &AUDIO_SOURCE, &AUDIO_ENCODER, 8)?;
    }
    if t.has(Feature::BackChannel) {
        configured.with_sound(t, &AUDIO_OUTPUT, &AUDIO_DECODER, 9)?;
    }
    let Configured { token, watch } = configured;
    watch.end(t)?;
    if is_new {
        t.step("10.1", "the profile is deleted");
        delete_profile(t, &token)?;
        t.step("10.4", "the profile is not there");
        t.refused(&Call::new(get_profiles(Some(&token), &[])), &[NO_PROFILE])?;
    }
    Ok(())
}

fn types_choose_what_is_told(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all profiles with all configurations, each with a token of its own");
    let complete = profiles(t, &["All"])?;
    distinct(t, &complete)?;
    t.step("6", "all profiles without configurations");
    let bare = profiles(t, &[])?;
    same_profiles(t, &complete, &bare)?;
    for profile in &bare {
        t.step("10.2", &format!("{} tells none", profile.token()));
        t.demand(configurations(profile).is_empty(), "no configurations", format!("{:?}", configurations(profile)))?;
    }
    type_is_told(t, &complete, &VIDEO_SOURCE, "11", "15")?;
    if t.has(Feature::Analytics) {
        type_is_told(t, &complete, &ANALYTICS, "16.1", "16.5")?;
    }
    if t.has(Feature::Metadata) {
        type_is_told(t, &complete, &METADATA, "17.1", "17.5")?;
    }
    Ok(())
}

/// Demands that a list has the same profiles as the complete one, each once.
fn same_profiles(t: &Test<'_>, complete: &[Element], list: &[Element]) -> Outcome {
    distinct(t, list)?;
    let tokens = |list: &[Element]| {
        let mut tokens: Vec<String> = list.iter().map(|profile| profile.token().to_owned()).collect();
        tokens.sort();
        tokens
    };
    t.same("the profiles", tokens(complete), tokens(list))
}

/// Asks for one type: it is told as it is told with all types, and nothing else is.
fn type_is_told(t: &mut Test<'_>, complete: &[Element], kind: &Kind, ask: &str, compare: &str) -> Outcome {
    t.step(ask, &format!("all profiles with their {}", kind.name));
    let list = profiles(t, &[kind.name])?;
    same_profiles(t, complete, &list)?;
    for profile in &list {
        t.step(compare, &format!("{} tells its {} and nothing else", profile.token(), kind.name));
        let others: Vec<_> = configurations(profile).into_iter().filter(|(name, _)| *name != kind.name).collect();
        t.demand(others.is_empty(), format!("{} and nothing else", kind.name), format!("{others:?}"))?;
        let whole = t.some(complete.iter().find(|whole| whole.token() == profile.token()), "the profile")?;
        match (kind.within(whole), kind.within(profile)) {
            (Some(one), Some(other)) => kind.agree(t, one, other)?,
            (one, other) => {
                t.same(&format!("{} of {}", kind.name, profile.token()), one.is_some(), other.is_some())?;
            }
        }
    }
    Ok(())
}

fn created_with_any_source(t: &mut Test<'_>) -> Outcome {
    t.step("3", "there is room for a profile");
    make_room(t)?;
    created_with(t, &VIDEO_SOURCE, ["4", "5", "7", "13"])?;
    if t.has(Feature::Media2Audio) {
        created_with(t, &AUDIO_SOURCE, ["14.1", "14.2", "14.4", "14.10"])?;
    }
    if t.has(Feature::BackChannel) {
        created_with(t, &AUDIO_OUTPUT, ["15.1", "15.2", "15.4", "15.10"])?;
    }
    Ok(())
}

fn created_with(t: &mut Test<'_>, kind: &Kind, [list, create, read, delete]: [&str; 4]) -> Outcome {
    t.step(list, &format!("all configurations of kind {}", kind.name));
    let source = kind.list(t)?.remove(0).token().to_owned();
    t.step(create, &format!("a profile is created with {source}"));
    let token = create_profile(t, "testMedia", &[(kind.name, &source)])?;
    t.step(read, "the profile has it");
    let created = profile(t, &token, &["All"])?;
    has(t, &created, &[(kind, Some(&source))])?;
    t.step(delete, "the profile is deleted");
    delete_profile(t, &token)
}

fn emptied(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all profiles");
    let list = profiles(t, &["All"])?;
    if list.is_empty() {
        return t.skip("the device has no profile");
    }
    for old in list {
        empty(t, &old)?;
        t.step("5.6", &format!("{} is as it was", old.token()));
        fill(t, &old)?;
    }
    Ok(())
}

/// Takes everything out of a profile; it is put back when the case is over, if nothing did before.
fn empty(t: &mut Test<'_>, old: &Element) -> Outcome {
    restore_profile(t, old);
    t.step("5.1", &format!("everything is removed from {}", old.token()));
    remove(t, old.token(), "All", None)?;
    t.step("5.5", "the profile is empty");
    let now = profile(t, old.token(), &["All"])?;
    t.demand(configurations(&now).is_empty(), "no configurations", format!("{:?}", configurations(&now)))
}

fn fill(t: &mut Test<'_>, old: &Element) -> Outcome {
    if configurations(old).is_empty() { Ok(()) } else { add(t, old.token(), &configurations(old)) }
}

fn fixed_are_emptied_and_filled(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all profiles");
    let fixed: Vec<Element> =
        profiles(t, &["All"])?.into_iter().filter(|profile| profile.flag("fixed") == Some(true)).collect();
    if fixed.is_empty() {
        return t.skip("the device has no fixed profile");
    }
    for old in fixed {
        empty(t, &old)?;
        t.step("5.6", &format!("everything is added to {}", old.token()));
        fill(t, &old)?;
        t.step("5.10", "the profile has everything that it had");
        let now = profile(t, old.token(), &["All"])?;
        let sorted = |profile: &Element| {
            let mut all: Vec<String> =
                configurations(profile).into_iter().map(|(kind, token)| format!("{kind} {token}")).collect();
            all.sort();
            all
        };
        t.same("configurations", sorted(&old), sorted(&now))?;
    }
    Ok(())
}
