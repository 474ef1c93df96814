//! The imaging service: brightness, contrast and colour saturation of what the engine encodes.
//!
//! Nothing else of a picture can be set here, so nothing else is offered, and what is not offered is refused. There is no
//! focus to move, and there are no presets.

mod faults;
mod interface;
mod service;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{interface::Imaging, service::Service};
use super::Listed;
use crate::onvif::{
    context::Context,
    soap::{dispatch::Endpoint, names::TIMG, writer::Writer},
    visit::Visit,
};

/// How the service is listed.
pub(super) const LISTED: Listed = Listed { namespace: TIMG, path: "imaging_service", version: (22, 6), capabilities };

/// The service at its address.
pub(super) fn endpoint(context: &Arc<Context>) -> Endpoint<Visit> {
    Endpoint::new().with(Service::new(context).bind())
}

fn capabilities(_context: &Context, w: &mut Writer) {
    let tag = w.tag(TIMG, "Capabilities").attribute("ImageStabilization", false);
    tag.attribute("Presets", false).attribute("AdaptablePreset", false);
}
