//! The services, each with its address.

mod device;
mod deviceio;
mod imaging;
mod media;
mod media2;
mod media_common;
#[cfg(test)]
mod story;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{
    context::Context,
    soap::{dispatch::Endpoint, names::Ns, writer::Writer},
    visit::Visit,
};

/// A service as GetServices tells of it.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    /// Its namespace.
    pub(super) namespace: Ns,
    /// The last segment of its address, below [`PREFIX`](super::PREFIX).
    pub(super) path: &'static str,
    /// Major and minor version of the specification that it follows.
    pub(super) version: (u8, u8),
    /// Writes its `Capabilities` element, the same that its GetServiceCapabilities answers.
    pub(super) capabilities: fn(&Context, &mut Writer),
}

/// All services, in the order in which they are told.
pub(super) const ALL: [Listed; 5] = [device::LISTED, media::LISTED, media2::LISTED, imaging::LISTED, deviceio::LISTED];

/// The endpoints by the last segment of their address.
pub(super) fn endpoints(context: &Arc<Context>) -> Vec<(&'static str, Endpoint<Visit>)> {
    vec![
        (device::LISTED.path, device::endpoint(context)),
        (media::LISTED.path, media::endpoint(context)),
        (media2::LISTED.path, media2::endpoint(context)),
        (imaging::LISTED.path, imaging::endpoint(context)),
        (deviceio::LISTED.path, deviceio::endpoint(context)),
    ]
}

impl Listed {
    /// The address that a client is given.
    pub(super) fn xaddr(&self, visit: &Visit) -> String {
        format!("{}{}{}", visit.http(), super::PREFIX, self.path)
    }
}
