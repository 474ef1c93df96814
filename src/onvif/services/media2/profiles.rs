//! Profiles (Media2 5.1).

use super::configurations;
use crate::{
    camera::{Change, Kind, Profile, Reference},
    onvif::{
        context::Context,
        services::media_common::{View, change, faults},
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::{Fault, Generic},
            names::TR2,
            tree::Element,
            writer::Writer,
        },
        visit::Visit,
    },
};

/// The kinds that we have, as Media2 names them and in the order of its schema.
const KINDS: [(Kind, &str); 4] = [
    (Kind::VideoSource, "VideoSource"),
    (Kind::AudioSource, "AudioSource"),
    (Kind::VideoEncoder, "VideoEncoder"),
    (Kind::AudioEncoder, "AudioEncoder"),
];
/// The kinds that we do not have.
const OTHERS: [&str; 6] = ["AudioOutput", "AudioDecoder", "Metadata", "Analytics", "PTZ", "Receiver"];
/// All kinds at once.
const ALL: &str = "All";

/// Answers GetProfiles: all or one, with the configurations of the kinds that are asked for.
pub(super) fn get(view: View, call: &Call<'_, Visit>) -> Outcome {
    let token: Option<String> = call.body().get_optional(TR2, "Token")?;
    let types: Vec<String> = call.body().get_all(TR2, "Type")?;
    let asked = |name: &str| types.iter().any(|kind| kind == ALL || kind == name);
    let kinds: Vec<_> = KINDS.into_iter().filter(|(_, name)| asked(name)).collect();
    let profiles: Vec<Profile> = match token {
        Some(token) => vec![view.profile(&token)?.clone()],
        None => view.profiles().cloned().collect(),
    };
    Ok(Reply::new(move |w| profiles.iter().for_each(|profile| write(w, &view, profile, &kinds))))
}

fn write(w: &mut Writer, view: &View, profile: &Profile, kinds: &[(Kind, &str)]) {
    let tag = w.tag(TR2, "Profiles").attribute("token", &profile.token).attribute("fixed", profile.fixed);
    tag.content(|w| {
        w.text(TR2, "Name", &profile.name);
        if kinds.is_empty() {
            return;
        }
        w.element(TR2, "Configurations", |w| {
            for (kind, name) in kinds {
                if let Some(token) = view.reference(profile, *kind) {
                    configurations::write(w, (TR2, name), view, *kind, token);
                }
            }
        });
    });
}

/// Answers CreateProfile.
pub(super) async fn create(view: View, call: &Call<'_, Visit>) -> Outcome {
    let name = call.body().get(TR2, "Name")?;
    let references = wanted(&view, None, call.body())?;
    let wish = Change::CreateProfile { token: None, name, references };
    let settings = change(&view.context, &call.proof, wish).await?;
    // A new profile is the last one.
    let token = settings.profiles.last().map(|profile| profile.token.clone());
    Ok(Reply::new(move |w| w.optional(TR2, "Token", token)))
}

/// Answers DeleteProfile.
pub(super) async fn delete(context: &Context, call: &Call<'_, Visit>) -> Outcome {
    let token = call.body().get(TR2, "Token")?;
    change(context, &call.proof, Change::DeleteProfile { token }).await?;
    Ok(Reply::empty())
}

/// Answers AddConfiguration.
pub(super) async fn add(view: View, call: &Call<'_, Visit>) -> Outcome {
    let profile: String = call.body().get(TR2, "ProfileToken")?;
    let name = call.body().get_optional(TR2, "Name")?;
    let references = wanted(&view, Some(view.profile(&profile)?), call.body())?;
    change(&view.context, &call.proof, Change::Add { profile, name, references }).await?;
    Ok(Reply::empty())
}

/// Answers RemoveConfiguration. Tokens are not looked at, and what is not there is not missed.
pub(super) async fn remove(context: &Context, call: &Call<'_, Visit>) -> Outcome {
    let profile = call.body().get(TR2, "ProfileToken")?;
    let mut kinds = Vec::new();
    for reference in call.body().children(TR2, "Configuration") {
        match Type::read(reference)? {
            Type::All => kinds.extend(KINDS.map(|(kind, _)| (kind, None))),
            Type::One(kind) => kinds.push((kind, None)),
            Type::NotOurs => (),
        }
    }
    change(context, &call.proof, Change::Remove { profile, kinds }).await?;
    Ok(Reply::empty())
}

/// The kind that a reference names.
enum Type {
    All,
    One(Kind),
    NotOurs,
}

impl Type {
    fn read(reference: &Element) -> Result<Self, Fault> {
        let name: String = reference.get(TR2, "Type")?;
        match KINDS.into_iter().find(|(_, known)| *known == name) {
            Some((kind, _)) => Ok(Self::One(kind)),
            None if name == ALL => Ok(Self::All),
            None if OTHERS.contains(&name.as_str()) => Ok(Self::NotOurs),
            None => {
                Err(Fault::new(Generic::InvalidArgVal).reason("There is no such kind of configuration").detail(name))
            }
        }
    }
}

/// The references that are to be put into a profile; without a token the camera chooses. `All` says nothing here.
fn wanted(view: &View, profile: Option<&Profile>, body: &Element) -> Result<Vec<Reference>, Fault> {
    let mut wanted = Vec::new();
    for reference in body.children(TR2, "Configuration") {
        let token: Option<String> = reference.get_optional(TR2, "Token")?;
        match Type::read(reference)? {
            Type::All => (),
            Type::One(kind) => wanted.push((kind, Some(view.chosen(kind, token, profile)?))),
            Type::NotOurs => return Err(faults::no_config(token.as_deref().unwrap_or_default())),
        }
    }
    Ok(wanted)
}
