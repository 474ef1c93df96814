//! Each operation.

use std::sync::Arc;

use super::{capabilities, faults, interface::Imaging, settings};
use crate::{
    camera::Change,
    onvif::{
        context::Context,
        services::media_common::sources::{self, VIDEO},
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::Fault,
            names::TIMG,
        },
        visit::Visit,
    },
};

/// The imaging service of one camera.
pub(super) struct Service(Arc<Context>);

impl Service {
    pub(super) fn new(context: &Arc<Context>) -> Self {
        Self(Arc::clone(context))
    }

    /// Checks that the video source of a request exists and has settings.
    fn check_source(&self, call: &Call<'_, Visit>) -> Result<(), Fault> {
        let token: String = call.body().get(TIMG, "VideoSourceToken")?;
        match () {
            () if token != VIDEO => Err(faults::no_source(&token)),
            () if !self.0.camera.has_imaging() => Err(faults::no_imaging()),
            () => Ok(()),
        }
    }
}

impl Imaging<Visit> for Service {
    async fn get_service_capabilities(&self, _: Call<'_, Visit>) -> Outcome {
        let context = Arc::clone(&self.0);
        Ok(Reply::new(move |w| capabilities(&context, w)))
    }

    async fn get_imaging_settings(&self, call: Call<'_, Visit>) -> Outcome {
        self.check_source(&call)?;
        let now = self.0.camera.settings().imaging;
        Ok(Reply::new(move |w| w.element(TIMG, "ImagingSettings", |w| sources::write_imaging(w, now))))
    }

    /// `ForcePersistence` is deprecated (Imaging 5.1.3) and not looked at: every change is kept.
    async fn set_imaging_settings(&self, call: Call<'_, Visit>) -> Outcome {
        self.check_source(&call)?;
        let change = Change::Imaging(settings::wanted(call.body().required(TIMG, "ImagingSettings")?)?);
        self.0.camera.change(change, call.proof.principal()?).await.map_err(faults::not_set)?;
        Ok(Reply::empty())
    }

    async fn get_options(&self, call: Call<'_, Visit>) -> Outcome {
        self.check_source(&call)?;
        Ok(Reply::new(|w| w.element(TIMG, "ImagingOptions", settings::write_options)))
    }

    /// Every device with this service has this operation; where no focus moves there are no options (Imaging 5.3.2).
    async fn get_move_options(&self, call: Call<'_, Visit>) -> Outcome {
        self.check_source(&call)?;
        Ok(Reply::new(|w| w.empty(TIMG, "MoveOptions")))
    }
}
