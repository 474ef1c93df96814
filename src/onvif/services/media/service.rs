//! Each operation, by the file that knows about it.

use std::sync::Arc;

use super::{
    capabilities,
    configurations::{self, context_of},
    encoders,
    interface::Media,
    profiles,
};
use crate::{
    camera::Kind,
    onvif::{
        context::Context,
        services::media_common::{Version, View, faults, sources, stream},
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::Fault,
            names::{TRT, TT},
            writer::Writer,
        },
        visit::Visit,
    },
};

/// Media1 of one camera.
pub(super) struct Service(Arc<Context>);

impl Service {
    pub(super) fn new(context: &Arc<Context>) -> Self {
        Self(Arc::clone(context))
    }

    /// The camera as it is.
    fn now(&self) -> View {
        View::now(&self.0, Version::One)
    }

    /// The camera, for who tells of encoders.
    async fn look(&self) -> View {
        View::look(&self.0, Version::One).await
    }
}

/// The camera, if it has sound.
fn with_sound(view: View) -> Result<View, Fault> {
    if view.settings.has_sound() { Ok(view) } else { Err(faults::no_audio()) }
}

impl Media<Visit> for Service {
    async fn get_service_capabilities(&self, _: Call<'_, Visit>) -> Outcome {
        let context = Arc::clone(&self.0);
        Ok(Reply::new(move |w| capabilities(&context, w)))
    }

    async fn get_video_sources(&self, _: Call<'_, Visit>) -> Outcome {
        let view = self.look().await;
        Ok(Reply::new(move |w| sources::write_video(w, (TRT, "VideoSources"), &view)))
    }

    async fn get_audio_sources(&self, _: Call<'_, Visit>) -> Outcome {
        with_sound(self.look().await)?;
        Ok(Reply::new(|w| sources::write_audio(w, (TRT, "AudioSources"))))
    }

    async fn create_profile(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::create(self.now(), &call).await
    }

    async fn get_profile(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::one(self.look().await, &call)
    }

    async fn get_profiles(&self, _: Call<'_, Visit>) -> Outcome {
        Ok(profiles::all(self.look().await))
    }

    async fn delete_profile(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::delete(self.now(), &call).await
    }

    async fn add_video_encoder_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::add(self.look().await, &call, Kind::VideoEncoder).await
    }

    async fn remove_video_encoder_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::remove(self.now(), &call, Kind::VideoEncoder).await
    }

    async fn add_video_source_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::add(self.now(), &call, Kind::VideoSource).await
    }

    async fn remove_video_source_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::remove(self.now(), &call, Kind::VideoSource).await
    }

    async fn add_audio_encoder_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::add(with_sound(self.look().await)?, &call, Kind::AudioEncoder).await
    }

    async fn remove_audio_encoder_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::remove(with_sound(self.look().await)?, &call, Kind::AudioEncoder).await
    }

    async fn add_audio_source_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::add(with_sound(self.look().await)?, &call, Kind::AudioSource).await
    }

    async fn remove_audio_source_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::remove(with_sound(self.look().await)?, &call, Kind::AudioSource).await
    }

    async fn get_video_source_configurations(&self, _: Call<'_, Visit>) -> Outcome {
        Ok(configurations::all(self.look().await, Kind::VideoSource))
    }

    async fn get_video_encoder_configurations(&self, _: Call<'_, Visit>) -> Outcome {
        Ok(configurations::all(self.look().await, Kind::VideoEncoder))
    }

    async fn get_audio_source_configurations(&self, _: Call<'_, Visit>) -> Outcome {
        Ok(configurations::all(with_sound(self.look().await)?, Kind::AudioSource))
    }

    async fn get_audio_encoder_configurations(&self, _: Call<'_, Visit>) -> Outcome {
        Ok(configurations::all(with_sound(self.look().await)?, Kind::AudioEncoder))
    }

    async fn get_video_source_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::one(self.look().await, &call, Kind::VideoSource)
    }

    async fn get_video_encoder_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::one(self.look().await, &call, Kind::VideoEncoder)
    }

    async fn get_audio_source_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::one(with_sound(self.look().await)?, &call, Kind::AudioSource)
    }

    async fn get_audio_encoder_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::one(with_sound(self.look().await)?, &call, Kind::AudioEncoder)
    }

    async fn get_compatible_video_encoder_configurations(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::compatible(self.look().await, &call, Kind::VideoEncoder)
    }

    async fn get_compatible_video_source_configurations(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::compatible(self.look().await, &call, Kind::VideoSource)
    }

    async fn get_compatible_audio_encoder_configurations(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::compatible(with_sound(self.look().await)?, &call, Kind::AudioEncoder)
    }

    async fn get_compatible_audio_source_configurations(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::compatible(with_sound(self.look().await)?, &call, Kind::AudioSource)
    }

    async fn set_video_source_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::set(self.look().await, &call, Kind::VideoSource).await
    }

    async fn set_video_encoder_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::set(self.look().await, &call, Kind::VideoEncoder).await
    }

    async fn set_audio_source_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::set(with_sound(self.look().await)?, &call, Kind::AudioSource).await
    }

    async fn set_audio_encoder_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::set(with_sound(self.look().await)?, &call, Kind::AudioEncoder).await
    }

    async fn get_video_source_configuration_options(&self, call: Call<'_, Visit>) -> Outcome {
        sources::options(self.look().await, Kind::VideoSource, TRT, context_of(&call)?)
    }

    async fn get_video_encoder_configuration_options(&self, call: Call<'_, Visit>) -> Outcome {
        encoders::video_options(&self.look().await, &call)
    }

    async fn get_audio_source_configuration_options(&self, call: Call<'_, Visit>) -> Outcome {
        sources::options(with_sound(self.look().await)?, Kind::AudioSource, TRT, context_of(&call)?)
    }

    async fn get_audio_encoder_configuration_options(&self, call: Call<'_, Visit>) -> Outcome {
        encoders::audio_options(&with_sound(self.look().await)?, &call)
    }

    async fn get_guaranteed_number_of_video_encoder_instances(&self, call: Call<'_, Visit>) -> Outcome {
        encoders::instances(&self.look().await, &call)
    }

    async fn get_stream_uri(&self, call: Call<'_, Visit>) -> Outcome {
        let setup = call.body().required(TRT, "StreamSetup")?;
        let kind: String = setup.get(TT, "Stream")?;
        let protocol: String = setup.required(TT, "Transport")?.get(TT, "Protocol")?;
        let profile: String = call.body().get(TRT, "ProfileToken")?;
        let view = self.now();
        view.profile(&profile)?;
        // Media 5.15.1, table "Valid setup parameter combinations"; there is no multicast yet.
        let way = match (kind.as_str(), protocol.as_str()) {
            ("RTP-Unicast", "UDP" | "RTSP") => stream::Way::Rtsp,
            ("RTP-Unicast", "HTTP") => stream::Way::Tunnel,
            _ => return Err(faults::invalid_stream_setup()),
        };
        Ok(address(stream::uri(&view, &call.proof, &profile, way)?))
    }

    async fn set_synchronization_point(&self, call: Call<'_, Visit>) -> Outcome {
        let profile: String = call.body().get(TRT, "ProfileToken")?;
        stream::synchronise(&self.now(), &profile)?;
        Ok(Reply::empty())
    }

    async fn get_snapshot_uri(&self, call: Call<'_, Visit>) -> Outcome {
        let profile: String = call.body().get(TRT, "ProfileToken")?;
        Ok(address(stream::snapshot_uri(&self.now(), &call.proof, &profile)?))
    }
}

/// An address that stays true for good (TR-15).
fn address(uri: String) -> Reply {
    Reply::new(move |w: &mut Writer| {
        w.element(TRT, "MediaUri", |w| {
            w.text(TT, "Uri", uri);
            w.text(TT, "InvalidAfterConnect", false);
            w.text(TT, "InvalidAfterReboot", false);
            w.text(TT, "Timeout", "PT0S");
        });
    })
}
