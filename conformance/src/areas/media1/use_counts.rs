//! Use counts: in how many profiles a configuration is.
//!
//! The steps of encoders are those of sources with eight more before them, which bring the source into the profile.

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
    kind::{AUDIO_ENCODER, AUDIO_SOURCE, Kind, VIDEO_ENCODER, VIDEO_SOURCE},
    profiles::{self, Empty},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("MEDIA-2-2-6", Reads, |t| now(t, &VIDEO_SOURCE)),
        case("MEDIA-2-2-12", Changes, |t| added_twice(t, &VIDEO_SOURCE)),
        case("MEDIA-2-2-13", Changes, |t| replaced(t, &VIDEO_SOURCE)),
        case("MEDIA-2-2-14", Changes, |t| removed(t, &VIDEO_SOURCE, ["16", "18", "20"])),
        case("MEDIA-2-2-15", Changes, |t| deleted(t, &VIDEO_SOURCE, ["16", "19"])),
        case("MEDIA-2-2-16", Changes, |t| set(t, &VIDEO_SOURCE)),
        case("MEDIA-2-3-5", Reads, |t| now(t, &VIDEO_ENCODER)),
        case("MEDIA-2-3-13", Changes, |t| added_twice(t, &VIDEO_ENCODER)),
        case("MEDIA-2-3-14", Changes, |t| replaced(t, &VIDEO_ENCODER)),
        case("MEDIA-2-3-15", Changes, |t| removed(t, &VIDEO_ENCODER, ["24", "27", "28"])),
        case("MEDIA-2-3-16", Changes, |t| deleted(t, &VIDEO_ENCODER, ["24", "27"])),
        case("MEDIA-2-3-17", Changes, |t| set(t, &VIDEO_ENCODER)),
        case("MEDIA-3-2-6", Reads, |t| now(t, &AUDIO_SOURCE)),
        case("MEDIA-3-2-12", Changes, |t| added_twice(t, &AUDIO_SOURCE)),
        case("MEDIA-3-2-13", Changes, |t| replaced(t, &AUDIO_SOURCE)),
        case("MEDIA-3-2-14", Changes, |t| removed(t, &AUDIO_SOURCE, ["16", "19", "21"])),
        case("MEDIA-3-2-15", Changes, |t| deleted(t, &AUDIO_SOURCE, ["16", "19"])),
        case("MEDIA-3-2-16", Changes, |t| set(t, &AUDIO_SOURCE)),
        case("MEDIA-3-3-5", Reads, |t| now(t, &AUDIO_ENCODER)),
        case("MEDIA-3-3-12", Changes, |t| added_twice(t, &AUDIO_ENCODER)),
        case("MEDIA-3-3-13", Changes, |t| replaced(t, &AUDIO_ENCODER)),
        case("MEDIA-3-3-14", Changes, |t| removed(t, &AUDIO_ENCODER, ["23", "26", "27"])),
        case("MEDIA-3-3-15", Changes, |t| deleted(t, &AUDIO_ENCODER, ["23", "26"])),
        case("MEDIA-3-3-16", Changes, |t| set(t, &AUDIO_ENCODER)),
    ]
}

/// A use count is no less than the number of profiles, and told alike everywhere.
fn now(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    t.step("4", "the list of configurations");
    let all = kind.all(t)?;
    t.step("6", "GetProfiles");
    let profiles = profiles::all(t)?;
    for configuration in &all {
        let token = configuration.token();
        t.step("7", "the configuration has a use count");
        let count = count(t, configuration)?;
        t.step("8", "no more profiles have the configuration than it counts");
        let within = profiles.iter().filter_map(|profile| kind.within(profile)).filter(|own| own.token() == token);
        let profiles = within.clone().count() as i64;
        t.demand(profiles <= count, format!("a use count of {token} of {profiles} or more"), count.to_string())?;
        t.step("9", "every profile tells the same use count");
        for own in within {
            let told = self::count(t, own)?;
            t.same(&format!("in a profile a use count of {token} of"), count, told)?;
        }
        t.step("12", "by itself it tells the same use count");
        counts(t, kind, token, count)?;
    }
    Ok(())
}

/// Adding what is there already changes nothing.
fn added_twice(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    let ground = Ground::prepare(t, kind, 1)?;
    let (token, before) = ground.first(t)?;
    ground.step(t, 14, "the configuration is added");
    kind.add(t, ground.profile.token(), token)?;
    ground.step(t, 17, "its use count is one more");
    counts(t, kind, token, before + 1)?;
    ground.step(t, 19, "the configuration is added again");
    kind.add(t, ground.profile.token(), token)?;
    ground.step(t, 22, "its use count is as before");
    counts(t, kind, token, before + 1)?;
    ground.step(t, 23, "the profile is deleted");
    ground.profile.delete(t)
}

/// A configuration that takes the place of another also takes over the use.
fn replaced(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    let ground = Ground::prepare(t, kind, 2)?;
    let (token, before) = ground.first(t)?;
    let (other, before_other) = ground.nth(t, 1)?;
    ground.step(t, 14, "the configuration is added");
    kind.add(t, ground.profile.token(), token)?;
    ground.step(t, 17, "its use count is one more");
    counts(t, kind, token, before + 1)?;
    ground.step(t, 19, "another is added in its place");
    kind.add(t, ground.profile.token(), other)?;
    ground.step(t, 22, "the first is used as often as in the beginning");
    counts(t, kind, token, before)?;
    ground.step(t, 25, "the other is used once more");
    counts(t, kind, other, before_other + 1)?;
    ground.step(t, 26, "the profile is deleted");
    ground.profile.delete(t)
}

/// What is removed is no longer counted. The steps are those of removing, of the demand and of deleting.
fn removed(t: &mut Test<'_>, kind: &Kind, steps: [&str; 3]) -> Outcome {
    let ground = Ground::prepare(t, kind, 1)?;
    let (token, before) = ground.first(t)?;
    ground.step(t, 14, "the configuration is added");
    kind.add(t, ground.profile.token(), token)?;
    counts(t, kind, token, before + 1)?;
    t.step(steps[0], "the configuration is removed");
    kind.remove(t, ground.profile.token())?;
    t.step(steps[1], "it is used as often as in the beginning");
    counts(t, kind, token, before)?;
    t.step(steps[2], "the profile is deleted");
    ground.profile.delete(t)
}

/// What was in a profile that is deleted is no longer counted. The steps are those of deleting and of the demand.
fn deleted(t: &mut Test<'_>, kind: &Kind, steps: [&str; 2]) -> Outcome {
    let ground = Ground::prepare(t, kind, 1)?;
    let (token, before) = ground.first(t)?;
    if !ground.profile.made {
        return t.skip("there is no room for a profile that could be deleted");
    }
    ground.step(t, 14, "the configuration is added");
    kind.add(t, ground.profile.token(), token)?;
    counts(t, kind, token, before + 1)?;
    t.step(steps[0], "the profile is deleted");
    ground.profile.delete(t)?;
    t.step(steps[1], "the configuration is used as often as in the beginning");
    counts(t, kind, token, before)
}

/// A use count cannot be set.
fn set(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    t.step("4", "the list of configurations");
    let all = kind.all(t)?;
    let first = t.some(all.first(), "a configuration")?;
    let before = count(t, first)?;
    t.step("6", "the configuration is set, with another use count");
    kind.set_afterwards(t, first);
    kind.set(t, &first.with("UseCount", &(before + 1).to_string()))?;
    t.step("9", "the use count is as before");
    counts(t, kind, first.token(), before)
}

/// Where a configuration can be added: a profile that has nothing but what must be there before.
struct Ground<'a> {
    kind: &'a Kind,
    profile: Empty,
    /// All configurations, as they were in the beginning.
    all: Vec<Element>,
    /// Tokens of those that can be added.
    fitting: Vec<String>,
    /// By how much the steps are later: by one where two configurations are needed, which is a step of its own.
    later: u32,
}

impl<'a> Ground<'a> {
    /// Makes a profile that takes at least so many of the configurations.
    fn prepare(t: &mut Test<'_>, kind: &'a Kind, least: usize) -> Outcome<Self> {
        t.step("4", "the list of configurations");
        let all = kind.all(t)?;
        let first = t.some(all.first(), "a configuration")?.token();
        if all.len() < least {
            return t.skip(format!("there is only one {} configuration, {first}", kind.name));
        }
        let later = u32::from(least > 1);
        if let Some(source) = kind.source {
            t.step(&(6 + later).to_string(), "the list of sources");
            source.all(t)?;
        }
        t.step(&(later + if kind.source.is_some() { 14 } else { 12 }).to_string(), "a profile is made");
        let Some(profile) = profiles::not_fixed(t)? else {
            return t.skip("no profile can be made, and all profiles are fixed");
        };
        let fitting = match kind.source {
            None => all.iter().map(|configuration| configuration.token().to_owned()).collect(),
            Some(source) => with_a_source(t, kind, source, &profile, least, later)?,
        };
        Ok(Self { kind, profile, all, fitting, later })
    }

    /// Begins a step, which has the number that it has for sources.
    fn step(&self, t: &mut Test<'_>, number: u32, what: &str) {
        let number = number + self.later + if self.kind.source.is_some() { 8 } else { 0 };
        t.step(&number.to_string(), what);
    }

    fn first(&self, t: &Test<'_>) -> Outcome<(&str, i64)> {
        self.nth(t, 0)
    }

    /// The token of a configuration that can be added, and how often it is used without the profile.
    fn nth(&self, t: &Test<'_>, index: usize) -> Outcome<(&str, i64)> {
        let token = t.some(self.fitting.get(index), "a compatible configuration")?;
        let listed = self.all.iter().find(|configuration| configuration.token() == token);
        let listed = t.some(listed, &format!("{token}, which is compatible, in the list of all"))?;
        Ok((token, count(t, listed)? - self.profile.used(self.kind, token)))
    }
}

/// Adds a source with which so many configurations go, and gives their tokens.
fn with_a_source(
    t: &mut Test<'_>,
    kind: &Kind,
    source: &Kind,
    profile: &Empty,
    least: usize,
    later: u32,
) -> Outcome<Vec<String>> {
    t.step(&(16 + later).to_string(), "the sources that the profile takes");
    for own in source.compatible(t, profile.token())? {
        t.step(&(18 + later).to_string(), "the source is added");
        source.add(t, profile.token(), own.token())?;
        t.step(&(20 + later).to_string(), "the configurations that go with it");
        let fitting = kind.compatible(t, profile.token())?;
        if fitting.len() >= least {
            return Ok(fitting.iter().map(|configuration| configuration.token().to_owned()).collect());
        }
    }
    t.skip(format!("with no source go {least} {} configurations or more", kind.name))
}

/// The use count of a configuration.
fn count(t: &Test<'_>, configuration: &Element) -> Outcome<i64> {
    t.some(configuration.number_at("UseCount"), "a use count")
}

/// Demands that a configuration, asked for by itself, is used so often.
fn counts(t: &mut Test<'_>, kind: &Kind, token: &str, expected: i64) -> Outcome {
    let configuration = kind.one(t, token)?;
    let seen = count(t, &configuration)?;
    t.same(&format!("a use count of {token} of"), expected, seen)
}
