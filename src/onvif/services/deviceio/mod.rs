//! The device I/O service: which inputs and outputs there are. Profile T lists the video source here, and nowhere else.

mod interface;
mod service;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{interface::DeviceIo, service::Service};
use super::Listed;
use crate::onvif::{
    context::Context,
    soap::{dispatch::Endpoint, names::TMD, writer::Writer},
    visit::Visit,
};

/// How the service is listed.
pub(super) const LISTED: Listed = Listed { namespace: TMD, path: "deviceio_service", version: (22, 6), capabilities };

/// The service at its address.
pub(super) fn endpoint(context: &Arc<Context>) -> Endpoint<Visit> {
    Endpoint::new().with(Service::new(context).bind())
}

/// There is one video source, and it is the only input or output besides the audio source.
fn capabilities(context: &Context, w: &mut Writer) {
    w.tag(TMD, "Capabilities")
        .attribute("VideoSources", 1)
        .attribute("VideoOutputs", 0)
        .attribute("AudioSources", i32::from(context.camera.has_sound()))
        .attribute("AudioOutputs", 0)
        .attribute("RelayOutputs", 0)
        .attribute("SerialPorts", 0)
        .attribute("DigitalInputs", 0)
        .attribute("DigitalInputOptions", false);
}
