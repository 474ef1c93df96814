//! Configurations of all kinds: told, compared with profiles, set (Media 5.4 to 5.8).

use super::encoders;
use crate::{
    camera::Kind,
    onvif::{
        services::media_common::{View, set as set_configuration, sources},
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::Fault,
            names::{Ns, TRT},
            writer::Writer,
        },
        visit::Visit,
    },
};

/// Answers Get…Configurations.
pub(super) fn all(view: View, kind: Kind) -> Reply {
    Reply::new(move |w| {
        for token in view.tokens(kind) {
            write(w, (TRT, "Configurations"), &view, kind, token);
        }
    })
}

/// Answers Get…Configuration.
pub(super) fn one(view: View, call: &Call<'_, Visit>, kind: Kind) -> Outcome {
    let token: String = call.body().get(TRT, "ConfigurationToken")?;
    view.has(kind, &token)?;
    Ok(Reply::new(move |w| write(w, (TRT, "Configuration"), &view, kind, &token)))
}

/// Answers GetCompatible…Configurations: what could be added to the profile as it is.
pub(super) fn compatible(view: View, call: &Call<'_, Visit>, kind: Kind) -> Outcome {
    let profile: String = call.body().get(TRT, "ProfileToken")?;
    let fits = View::fits(view.profile(&profile)?, kind);
    Ok(if fits { all(view, kind) } else { Reply::empty() })
}

/// Answers Set…Configuration. `ForcePersistence` is not looked at: every change is kept, as Media says to assume.
pub(super) async fn set(view: View, call: &Call<'_, Visit>, kind: Kind) -> Outcome {
    let configuration = call.body().required(TRT, "Configuration")?;
    let change = match kind {
        Kind::VideoSource => sources::wanted_video(&view, configuration)?,
        Kind::AudioSource => sources::wanted_audio(&view, configuration)?,
        Kind::VideoEncoder => encoders::wanted_video(&view, configuration)?,
        Kind::AudioEncoder => encoders::wanted_audio(&view, configuration)?,
    };
    set_configuration(&view.context, &call.proof, change).await?;
    Ok(Reply::empty())
}

/// The configuration and the profile that options are asked for.
pub(super) fn context_of(call: &Call<'_, Visit>) -> Result<(Option<String>, Option<String>), Fault> {
    let body = call.body();
    Ok((body.get_optional(TRT, "ConfigurationToken")?, body.get_optional(TRT, "ProfileToken")?))
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
