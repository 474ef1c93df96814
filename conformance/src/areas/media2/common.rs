//! What the cases of Media2 do in the same way: they read, make and put back profiles (annex A of the specification).

use crate::{
    soap::namespace,
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

use super::kind::{Kind, optional};

/// The capabilities of the service (annex A.8).
pub(super) fn capabilities(t: &mut Test<'_>) -> Outcome<Element> {
    let answer = t.ask("<tr2:GetServiceCapabilities/>")?;
    t.some(answer.at("Capabilities").cloned(), "Capabilities")
}

/// The tokens of the video sources (annex A.22).
pub(super) fn video_sources(t: &mut Test<'_>) -> Outcome<Vec<String>> {
    if t.device.service(namespace("tmd")).is_none() {
        return t.skip("the device has no device I/O service, which tells its video sources");
    }
    let answer = t.ask("<tmd:GetVideoSources/>")?;
    let tokens: Vec<String> = answer.texts("Token").into_iter().map(str::to_owned).collect();
    t.demand(!tokens.is_empty(), "a video source", "none")?;
    Ok(tokens)
}

/// Gets all profiles with configurations of these types.
pub(super) fn profiles(t: &mut Test<'_>, types: &[&str]) -> Outcome<Vec<Element>> {
    let answer = t.ask(get_profiles(None, types))?;
    Ok(answer.all("Profiles").cloned().collect())
}

/// Gets one profile with configurations of these types; there must be this one and no other.
pub(super) fn profile(t: &mut Test<'_>, token: &str, types: &[&str]) -> Outcome<Element> {
    let answer = t.ask(get_profiles(Some(token), types))?;
    t.same("profiles", vec![token], answer.all("Profiles").map(Element::token).collect())?;
    t.some(answer.at("Profiles").cloned(), "a profile")
}

/// A request for profiles.
pub(super) fn get_profiles(token: Option<&str>, types: &[&str]) -> String {
    let types: String = types.iter().map(|name| optional("Type", Some(name))).collect();
    format!("<tr2:GetProfiles>{}{types}</tr2:GetProfiles>", optional("Token", token))
}

/// Demands that no token is there twice.
pub(super) fn distinct(t: &Test<'_>, list: &[Element]) -> Outcome {
    for (index, item) in list.iter().enumerate() {
        let again = list[..index].iter().any(|earlier| earlier.token() == item.token());
        t.demand(!again, "every token once", format!("{} twice", item.token()))?;
    }
    Ok(())
}

/// Whether a list has an item with this token.
pub(super) fn lists(list: &[Element], token: &str) -> bool {
    list.iter().any(|item| item.token() == token)
}

/// Adds configurations to a profile.
pub(super) fn add(t: &mut Test<'_>, profile: &str, configurations: &[(&str, &str)]) -> Outcome {
    let list: String = configurations.iter().map(|(kind, token)| configuration(kind, Some(token))).collect();
    let profile = optional("ProfileToken", Some(profile));
    t.ask(format!("<tr2:AddConfiguration>{profile}{list}</tr2:AddConfiguration>")).map(drop)
}

/// Removes configurations of a type from a profile.
pub(super) fn remove(t: &mut Test<'_>, profile: &str, kind: &str, token: Option<&str>) -> Outcome {
    let profile = optional("ProfileToken", Some(profile));
    let configuration = configuration(kind, token);
    t.ask(format!("<tr2:RemoveConfiguration>{profile}{configuration}</tr2:RemoveConfiguration>")).map(drop)
}

fn configuration(kind: &str, token: Option<&str>) -> String {
    let (kind, token) = (optional("Type", Some(kind)), optional("Token", token));
    format!("<tr2:Configuration>{kind}{token}</tr2:Configuration>")
}

/// The configurations of a profile: types and tokens, in the order in which they can be added.
pub(super) fn configurations(profile: &Element) -> Vec<(&str, &str)> {
    let all = profile.at("Configurations").map(|all| all.children.as_slice()).unwrap_or_default();
    all.iter().map(|one| (one.name.as_str(), one.token())).collect()
}

/// Has a profile's configurations set to what they are now when the case is over.
pub(in crate::areas) fn restore_profile(t: &mut Test<'_>, old: &Element) {
    let old = old.clone();
    t.afterwards_do(move |t| {
        let now = profile(t, old.token(), &["All"])?;
        if configurations(&now) == configurations(&old) {
            return Ok(());
        }
        remove(t, old.token(), "All", None)?;
        if configurations(&old).is_empty() { Ok(()) } else { add(t, old.token(), &configurations(&old)) }
    });
}

/// Takes all configurations out of a profile, and puts them back when the case is over.
pub(in crate::areas) fn take_out(t: &mut Test<'_>, old: &Element) -> Outcome {
    restore_profile(t, old);
    if configurations(old).is_empty() { Ok(()) } else { remove(t, old.token(), "All", None) }
}

/// Creates a profile and says its token; it is deleted when the case is over, if it is still there.
pub(super) fn create_profile(t: &mut Test<'_>, name: &str, configurations: &[(&str, &str)]) -> Outcome<String> {
    let list: String = configurations.iter().map(|(kind, token)| configuration(kind, Some(token))).collect();
    let name = escape(name);
    let answer = t.ask(format!("<tr2:CreateProfile><tr2:Name>{name}</tr2:Name>{list}</tr2:CreateProfile>"))?;
    let token = answer.text_or_empty("Token").to_owned();
    t.demand(!token.is_empty(), "the new profile's token", "none")?;
    let created = token.clone();
    t.afterwards_do(move |t| match t.attempt(delete_request(&created))? {
        Err(fault) if !fault.codes.iter().any(|code| code == "ter:NoProfile") => {
            Err(t.failed("the new profile deleted", fault.to_string()))
        }
        _ => Ok(()),
    });
    Ok(token)
}

/// Deletes a profile.
pub(super) fn delete_profile(t: &mut Test<'_>, token: &str) -> Outcome {
    t.ask(delete_request(token)).map(drop)
}

fn delete_request(token: &str) -> String {
    format!("<tr2:DeleteProfile>{}</tr2:DeleteProfile>", optional("Token", Some(token)))
}

/// Whether as many profiles are there as there can be, and one that can be deleted.
fn room(t: &mut Test<'_>) -> Outcome<(bool, Option<Element>)> {
    let most = capabilities(t)?
        .at("ProfileCapabilities")
        .and_then(|all| all.attribute("MaximumNumberOfProfiles")?.parse().ok());
    let list = profiles(t, &["All"])?;
    let full = most.is_some_and(|most: usize| list.len() >= most);
    Ok((!full, list.into_iter().find(|profile| profile.flag("fixed") != Some(true))))
}

/// Deletes a profile if there is no room for another (annex A.11).
pub(super) fn make_room(t: &mut Test<'_>) -> Outcome {
    let (room, victim) = room(t)?;
    if room {
        return Ok(());
    }
    let victim = t.some(victim, "room for a profile, or one that can be deleted")?;
    give_up(t, victim)
}

/// Deletes a profile for the time of the case. What is made in its place has its name and its configurations.
fn give_up(t: &mut Test<'_>, victim: Element) -> Outcome {
    delete_profile(t, victim.token())?;
    t.note(format!(
        "the profile {} had to give way; it is made again with a token of the device's choice",
        victim.token()
    ));
    t.afterwards_do(move |t| {
        let list: String =
            configurations(&victim).iter().map(|(kind, token)| configuration(kind, Some(token))).collect();
        let name = escape(victim.text_or_empty("Name"));
        t.ask(format!("<tr2:CreateProfile><tr2:Name>{name}</tr2:Name>{list}</tr2:CreateProfile>")).map(drop)
    });
    Ok(())
}

/// An empty profile: a new one, or a fixed one of which all is taken (annex A.1). The flag says whether it is new.
pub(super) fn empty_profile(t: &mut Test<'_>) -> Outcome<(String, bool)> {
    match room(t)? {
        (true, _) => {}
        (false, Some(victim)) => give_up(t, victim)?,
        (false, None) => {
            let all = profiles(t, &["All"])?;
            let first = t.some(all.first(), "a profile")?;
            take_out(t, first)?;
            return Ok((first.token().to_owned(), false));
        }
    }
    Ok((create_profile(t, "testMedia2", &[])?, true))
}

/// The token of a profile with configurations of these kinds. What it lacks is added for the time of the case
/// (annexes A.5, A.6, A.10, A.19, A.21).
pub(super) fn profile_with(t: &mut Test<'_>, kinds: &[&Kind]) -> Outcome<String> {
    let types: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let list = profiles(t, &types)?;
    let with = |kinds: &[&Kind]| list.iter().find(|profile| kinds.iter().all(|kind| kind.within(profile).is_some()));
    let chosen = with(kinds).or_else(|| with(&kinds[..1])).or(list.first());
    let chosen = t.some(chosen, "a profile")?;
    let lacking: Vec<&&Kind> = kinds.iter().filter(|kind| kind.within(chosen).is_none()).collect();
    if !lacking.is_empty() {
        let whole = profile(t, chosen.token(), &["All"])?;
        restore_profile(t, &whole);
    }
    for kind in lacking {
        let list = kind.get(t, None, Some(chosen.token()))?;
        let first = t.some(list.first(), &format!("a {} that the profile can take", kind.name))?;
        add(t, chosen.token(), &[(kind.name, first.token())])?;
    }
    Ok(chosen.token().to_owned())
}

/// A token that none of these has.
pub(super) fn other_token(list: &[Element]) -> String {
    let mut token = "none-such".to_owned();
    while lists(list, &token) {
        token.push('x');
    }
    token
}
