//! Each operation, by the file that knows about it.

use std::sync::Arc;

use super::{
    capabilities,
    configurations::{self, context_of},
    encoders,
    interface::Media2,
    profiles,
};
use crate::{
    camera::Kind,
    onvif::{
        context::Context,
        services::media_common::{Version, View, faults, sources, stream},
        soap::{
            dispatch::{Call, Outcome, Reply},
            names::TR2,
        },
        visit::Visit,
    },
};

/// Media2 of one camera.
pub(super) struct Service(Arc<Context>);

impl Service {
    pub(super) fn new(context: &Arc<Context>) -> Self {
        Self(Arc::clone(context))
    }

    /// The camera as it is.
    fn now(&self) -> View {
        View::now(&self.0, Version::Two)
    }

    /// The camera, for who tells of encoders.
    async fn look(&self) -> View {
        View::look(&self.0, Version::Two).await
    }
}

impl Media2<Visit> for Service {
    async fn get_service_capabilities(&self, _: Call<'_, Visit>) -> Outcome {
        let context = Arc::clone(&self.0);
        Ok(Reply::new(move |w| capabilities(&context, w)))
    }

    async fn create_profile(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::create(self.look().await, &call).await
    }

    async fn get_profiles(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::get(self.look().await, &call)
    }

    async fn add_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::add(self.look().await, &call).await
    }

    async fn remove_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::remove(&self.0, &call).await
    }

    async fn delete_profile(&self, call: Call<'_, Visit>) -> Outcome {
        profiles::delete(&self.0, &call).await
    }

    async fn get_video_source_configurations(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::get(self.look().await, &call, Kind::VideoSource)
    }

    async fn get_video_encoder_configurations(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::get(self.look().await, &call, Kind::VideoEncoder)
    }

    async fn get_audio_source_configurations(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::get(self.look().await, &call, Kind::AudioSource)
    }

    async fn get_audio_encoder_configurations(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::get(self.look().await, &call, Kind::AudioEncoder)
    }

    async fn set_video_source_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::set(self.look().await, &call, Kind::VideoSource).await
    }

    async fn set_video_encoder_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::set(self.look().await, &call, Kind::VideoEncoder).await
    }

    async fn set_audio_source_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::set(self.look().await, &call, Kind::AudioSource).await
    }

    async fn set_audio_encoder_configuration(&self, call: Call<'_, Visit>) -> Outcome {
        configurations::set(self.look().await, &call, Kind::AudioEncoder).await
    }

    async fn get_video_source_configuration_options(&self, call: Call<'_, Visit>) -> Outcome {
        sources::options(self.look().await, Kind::VideoSource, TR2, context_of(&call)?)
    }

    async fn get_video_encoder_configuration_options(&self, call: Call<'_, Visit>) -> Outcome {
        encoders::video_options(&self.look().await, &call)
    }

    async fn get_audio_source_configuration_options(&self, call: Call<'_, Visit>) -> Outcome {
        sources::options(self.look().await, Kind::AudioSource, TR2, context_of(&call)?)
    }

    async fn get_audio_encoder_configuration_options(&self, call: Call<'_, Visit>) -> Outcome {
        encoders::audio_options(&self.look().await, &call)
    }

    async fn get_video_encoder_instances(&self, call: Call<'_, Visit>) -> Outcome {
        encoders::instances(&self.look().await, &call)
    }

    async fn get_stream_uri(&self, call: Call<'_, Visit>) -> Outcome {
        let protocol: String = call.body().get(TR2, "Protocol")?;
        let profile: String = call.body().get(TR2, "ProfileToken")?;
        let view = self.now();
        view.profile(&profile)?;
        // Media2 5.4.1; there is no multicast and no TLS yet.
        let way = match protocol.as_str() {
            "RtspUnicast" | "RTSP" => stream::Way::Rtsp,
            "RtspOverHttp" => stream::Way::Tunnel,
            _ => return Err(faults::invalid_stream_setup()),
        };
        Ok(address(stream::uri(&view, &call.proof, &profile, way)?))
    }

    async fn set_synchronization_point(&self, call: Call<'_, Visit>) -> Outcome {
        let profile: String = call.body().get(TR2, "ProfileToken")?;
        stream::synchronise(&self.now(), &profile)?;
        Ok(Reply::empty())
    }

    async fn get_snapshot_uri(&self, call: Call<'_, Visit>) -> Outcome {
        let profile: String = call.body().get(TR2, "ProfileToken")?;
        Ok(address(stream::snapshot_uri(&self.now(), &call.proof, &profile)?))
    }
}

fn address(uri: String) -> Reply {
    Reply::new(move |w| w.text(TR2, "Uri", uri))
}
