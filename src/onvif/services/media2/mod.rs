//! The media service, second version (Media2): what recorders of Profiles T and M speak. It has H.265.

mod configurations;
mod encoders;
mod interface;
mod profiles;
mod service;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{interface::Media2, service::Service};
use super::Listed;
use crate::{
    camera::MAX_PROFILES,
    onvif::{
        context::Context,
        soap::{dispatch::Endpoint, names::TR2, writer::Writer},
        visit::Visit,
    },
};

/// How the service is listed.
pub(super) const LISTED: Listed = Listed { namespace: TR2, path: "media2_service", version: (26, 6), capabilities };

/// The service at its address.
pub(super) fn endpoint(context: &Arc<Context>) -> Endpoint<Visit> {
    Endpoint::new().with(Service::new(context).bind())
}

fn capabilities(context: &Context, w: &mut Writer) {
    let has_sound = context.camera.has_sound();
    let kinds =
        if has_sound { "VideoSource VideoEncoder AudioSource AudioEncoder" } else { "VideoSource VideoEncoder" };
    let tag = w.tag(TR2, "Capabilities").attribute("SnapshotUri", true).attribute("Rotation", false);
    let tag = tag.attribute("VideoSourceMode", false).attribute("OSD", false).attribute("Mask", false);
    tag.content(|w| {
        let most = u32::try_from(MAX_PROFILES).unwrap_or(u32::MAX);
        w.tag(TR2, "ProfileCapabilities")
            .attribute("MaximumNumberOfProfiles", most)
            .attribute("ConfigurationsSupported", kinds);
        w.tag(TR2, "StreamingCapabilities")
            .attribute("RTSPStreaming", true)
            .attribute("RTPMulticast", false)
            .attribute("RTP_RTSP_TCP", true)
            .attribute("NonAggregateControl", false)
            .attribute("AutoStartMulticast", false);
    });
}
