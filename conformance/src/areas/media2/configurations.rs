//! What every kind of configuration is asked in the same way: for its list, its options, its copies in profiles.

use crate::{soap::Call, test::Test, verdict::Outcome, xml::Element};

use super::{
    common::{distinct, lists, other_token, profile_with, profiles},
    kind::Kind,
};

/// Where the steps of a case begin that is written down for several kinds of configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps(pub(super) u32);

impl Steps {
    fn at(self, offset: u32) -> String {
        (self.0 + offset).to_string()
    }
}

/// All configurations, each by its token, and those that a profile can take. The steps begin with the loop over all.
pub(super) fn lists_agree(t: &mut Test<'_>, kind: &Kind, steps: Steps) -> Outcome {
    t.step("3", "all configurations, each with a token of its own");
    let all = kind.list(t)?;
    distinct(t, &all)?;
    for configuration in &all {
        t.step(&steps.at(0), "a configuration by its token, and nothing else");
        kind.one(t, configuration.token())?;
    }
    t.step(&steps.at(1), "all profiles");
    for profile in profiles(t, &[kind.name])? {
        compatible(t, kind, &profile, &all, &steps.at(3))?;
    }
    Ok(())
}

/// What a profile can take: each once, all of them known, its own among them.
pub(super) fn compatible(t: &mut Test<'_>, kind: &Kind, profile: &Element, all: &[Element], step: &str) -> Outcome {
    t.step(step, &format!("what profile {} can take: each once, all known, its own among them", profile.token()));
    let list = kind.get(t, None, Some(profile.token()))?;
    distinct(t, &list)?;
    for configuration in &list {
        let token = configuration.token();
        t.demand(lists(all, token), "only configurations of the complete list", format!("{token} besides"))?;
    }
    if let Some(own) = kind.within(profile) {
        t.demand(lists(&list, own.token()), format!("{} among what it can take", own.token()), "not there")?;
    }
    Ok(())
}

/// Options of the device, of a configuration and of a profile; the kinds of `with` make a profile that can tell. The
/// steps begin with the list of all configurations.
pub(super) fn options_are_told(t: &mut Test<'_>, kind: &Kind, with: &[&Kind], steps: Steps) -> Outcome {
    t.step("3", "the options of the device");
    let options = kind.options(t, None, None)?;
    t.demand(!options.is_empty(), "options", "none")?;
    t.step(&steps.at(0), "all configurations");
    let all = kind.list(t)?;
    t.step(&steps.at(1), "the options of a configuration");
    let first = t.some(all.first(), "a configuration")?;
    kind.options(t, Some(first.token()), None)?;
    t.step(&steps.at(3), "a profile that has such a configuration");
    let profile = profile_with(t, with)?;
    t.step(&steps.at(4), "the options of a profile");
    kind.options(t, None, Some(&profile))?;
    Ok(())
}

/// What profiles tell of their configurations is what the configurations tell of themselves.
pub(super) fn copies_agree(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    t.step("3", "all profiles");
    for profile in profiles_with(t, kind)? {
        let Some(copy) = kind.within(&profile) else { continue };
        t.step("5.1", &format!("the configuration {} of profile {}", copy.token(), profile.token()));
        let list = kind.get(t, Some(copy.token()), None)?;
        t.step("5.3", "it is the same in both places");
        let own = t.some(list.first(), "the configuration that the profile has")?;
        kind.agree(t, own, copy)?;
    }
    Ok(())
}

/// The profiles that have a configuration of a kind. Where none has, there is nothing to judge.
pub(super) fn profiles_with(t: &mut Test<'_>, kind: &Kind) -> Outcome<Vec<Element>> {
    let mut list = profiles(t, &[kind.name])?;
    list.retain(|profile| kind.within(profile).is_some());
    if list.is_empty() { t.skip(format!("no profile has a {} configuration", kind.name)) } else { Ok(list) }
}

/// A token that there is not is refused.
pub(super) fn unknown_token_is_refused(t: &mut Test<'_>, kind: &Kind) -> Outcome {
    t.step("3", "all configurations");
    let token = other_token(&kind.list(t)?);
    t.step("4", "the configuration of an unknown token");
    let call = Call::new(kind.about("Configurations", Some(&token), None));
    t.step("5", "a fault");
    t.refused(&call, &["env:Sender/ter:InvalidArgVal/ter:NoConfig"]).map(drop)
}
