//! Profiles (Media 5.2).

use super::configurations;
use crate::{
    camera::{Change, Kind, Profile},
    onvif::{
        services::media_common::{View, change},
        soap::{
            dispatch::{Call, Outcome, Reply},
            names::{TRT, TT},
            writer::Writer,
        },
        visit::Visit,
    },
};

/// Answers GetProfiles.
pub(super) fn all(view: View) -> Reply {
    Reply::new(move |w| view.profiles().for_each(|profile| write(w, "Profiles", &view, profile)))
}

/// Answers GetProfile.
pub(super) fn one(view: View, call: &Call<'_, Visit>) -> Outcome {
    let token: String = call.body().get(TRT, "ProfileToken")?;
    let profile = view.profile(&token)?.clone();
    Ok(Reply::new(move |w| write(w, "Profile", &view, &profile)))
}

/// Answers CreateProfile. A token that is there and empty is taken for none.
pub(super) async fn create(view: View, call: &Call<'_, Visit>) -> Outcome {
    let name = call.body().get(TRT, "Name")?;
    let token: Option<String> = call.body().get_optional(TRT, "Token")?;
    let token = token.filter(|token| !token.is_empty());
    let wish = Change::CreateProfile { token, name, references: Vec::new() };
    let settings = change(&view.context, &call.proof, wish).await?;
    let view = view.after(settings);
    Ok(Reply::new(move |w| {
        // A new profile is the last one.
        if let Some(profile) = view.settings.profiles.last() {
            write(w, "Profile", &view, profile);
        }
    }))
}

/// Answers DeleteProfile.
pub(super) async fn delete(view: View, call: &Call<'_, Visit>) -> Outcome {
    let token: String = call.body().get(TRT, "ProfileToken")?;
    view.profile(&token)?;
    change(&view.context, &call.proof, Change::DeleteProfile { token }).await?;
    Ok(Reply::empty())
}

/// Answers Add…Configuration.
pub(super) async fn add(view: View, call: &Call<'_, Visit>, kind: Kind) -> Outcome {
    let profile: String = call.body().get(TRT, "ProfileToken")?;
    let token: String = call.body().get(TRT, "ConfigurationToken")?;
    view.profile(&profile)?;
    view.has(kind, &token)?;
    let wish = Change::Add { profile, name: None, references: vec![(kind, Some(token))] };
    change(&view.context, &call.proof, wish).await?;
    Ok(Reply::empty())
}

/// Answers Remove…Configuration. What is not there is not missed.
pub(super) async fn remove(view: View, call: &Call<'_, Visit>, kind: Kind) -> Outcome {
    let profile: String = call.body().get(TRT, "ProfileToken")?;
    view.profile(&profile)?;
    change(&view.context, &call.proof, Change::Remove { profile, kinds: vec![(kind, None)] }).await?;
    Ok(Reply::empty())
}

fn write(w: &mut Writer, local: &str, view: &View, profile: &Profile) {
    w.tag(TRT, local).attribute("token", &profile.token).attribute("fixed", profile.fixed).content(|w| {
        w.text(TT, "Name", &profile.name);
        for (kind, local) in [
            (Kind::VideoSource, "VideoSourceConfiguration"),
            (Kind::AudioSource, "AudioSourceConfiguration"),
            (Kind::VideoEncoder, "VideoEncoderConfiguration"),
            (Kind::AudioEncoder, "AudioEncoderConfiguration"),
        ] {
            if let Some(token) = view.reference(profile, kind) {
                configurations::write(w, (TT, local), view, kind, token);
            }
        }
    });
}
