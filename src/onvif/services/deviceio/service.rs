//! Each operation.

use std::sync::Arc;

use super::{capabilities, interface::DeviceIo};
use crate::onvif::{
    context::Context,
    services::media_common::sources::{AUDIO, VIDEO},
    soap::{
        dispatch::{Call, Outcome, Reply},
        names::TMD,
    },
    visit::Visit,
};

/// The device I/O service of one camera.
pub(super) struct Service(Arc<Context>);

impl Service {
    pub(super) fn new(context: &Arc<Context>) -> Self {
        Self(Arc::clone(context))
    }
}

/// Sources are told by their tokens alone, not as in media (`tmd:GetResponse`).
impl DeviceIo<Visit> for Service {
    async fn get_service_capabilities(&self, _: Call<'_, Visit>) -> Outcome {
        let context = Arc::clone(&self.0);
        Ok(Reply::new(move |w| capabilities(&context, w)))
    }

    async fn get_video_sources(&self, _: Call<'_, Visit>) -> Outcome {
        Ok(Reply::new(|w| w.text(TMD, "Token", VIDEO)))
    }

    /// Without sound the list is empty: the specification has no fault here, as it has in media.
    async fn get_audio_sources(&self, _: Call<'_, Visit>) -> Outcome {
        self.0.camera.first_look().await;
        let token = self.0.camera.has_sound().then_some(AUDIO);
        Ok(Reply::new(move |w| w.optional(TMD, "Token", token)))
    }

    async fn get_serial_ports(&self, _: Call<'_, Visit>) -> Outcome {
        Ok(Reply::empty())
    }
}
