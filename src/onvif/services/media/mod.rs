//! The media service, first version (Media1): what recorders of Profiles S and G speak.
//!
//! Its schema has no H.265, so what is set to that does not exist here; [`View`](super::media_common::View) leaves it out.

mod configurations;
mod encoders;
mod interface;
mod profiles;
mod service;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::{interface::Media, service::Service};
use super::Listed;
use crate::{
    camera::MAX_PROFILES,
    onvif::{
        context::Context,
        soap::{dispatch::Endpoint, names::TRT, writer::Writer},
        visit::Visit,
    },
};

/// How the service is listed.
pub(super) const LISTED: Listed = Listed { namespace: TRT, path: "media_service", version: (24, 12), capabilities };

/// The service at its address.
pub(super) fn endpoint(context: &Arc<Context>) -> Endpoint<Visit> {
    Endpoint::new().with(Service::new(context).bind())
}

fn capabilities(_context: &Context, w: &mut Writer) {
    let tag = w.tag(TRT, "Capabilities").attribute("SnapshotUri", true).attribute("Rotation", false);
    tag.attribute("VideoSourceMode", false).attribute("OSD", false).content(|w| {
        let most = u32::try_from(MAX_PROFILES).unwrap_or(u32::MAX);
        w.tag(TRT, "ProfileCapabilities").attribute("MaximumNumberOfProfiles", most);
        w.tag(TRT, "StreamingCapabilities")
            .attribute("RTPMulticast", false)
            .attribute("RTP_TCP", false)
            .attribute("RTP_RTSP_TCP", true)
            .attribute("NonAggregateControl", false);
    });
}
