//! Configurations of all kinds: told and set (Media2 5.3).

use super::encoders;
use crate::{
    camera::Kind,
    onvif::{
        services::media_common::{View, set as set_configuration, sources},
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::Fault,
            names::{Ns, TR2},
            writer::Writer,
        },
        visit::Visit,
    },
};

/// Answers Get…Configurations: one by its token, those that could be added to a profile, or all.
pub(super) fn get(view: View, call: &Call<'_, Visit>, kind: Kind) -> Outcome {
    let (configuration, profile) = context_of(call)?;
    let profile = profile.map(|token| view.profile(&token)).transpose()?;
    let tokens: Vec<String> = match configuration {
        Some(token) => {
            view.has(kind, &token)?;
            vec![token]
        }
        None if profile.is_some_and(|profile| !View::fits(profile, kind)) => Vec::new(),
        None => view.tokens(kind).into_iter().map(str::to_owned).collect(),
    };
    Ok(Reply::new(move |w| {
        tokens.iter().for_each(|token| write(w, (TR2, "Configurations"), &view, kind, token));
    }))
}

/// Answers Set…Configuration.
pub(super) async fn set(view: View, call: &Call<'_, Visit>, kind: Kind) -> Outcome {
    let configuration = call.body().required(TR2, "Configuration")?;
    let change = match kind {
        Kind::VideoSource => sources::wanted_video(&view, configuration)?,
        Kind::AudioSource => sources::wanted_audio(&view, configuration)?,
        Kind::VideoEncoder => encoders::wanted_video(&view, configuration)?,
        Kind::AudioEncoder => encoders::wanted_audio(&view, configuration)?,
    };
    set_configuration(&view.context, &call.proof, change).await?;
    Ok(Reply::empty())
}

/// The configuration and the profile that are asked for.
pub(super) fn context_of(call: &Call<'_, Visit>) -> Result<(Option<String>, Option<String>), Fault> {
    let body = call.body();
    Ok((body.get_optional(TR2, "ConfigurationToken")?, body.get_optional(TR2, "ProfileToken")?))
}

/// Writes a configuration, if the service shows it.
pub(super) fn write(w: &mut Writer, name: (Ns, &str), view: &View, kind: Kind, token: &str) {
    match kind {
        Kind::VideoSource | Kind::AudioSource => sources::write_configuration(w, name, view, kind),
        Kind::VideoEncoder => {
            if let Ok(encoder) = view.video_encoder(token) {
                encoders::write_video(w, name, view, encoder);
            }
        }
        Kind::AudioEncoder => {
            if let Ok(encoder) = view.audio_encoder(token) {
                encoders::write_audio(w, name, view, encoder);
            }
        }
    }
}
