//! IP configuration, discovery, device management and security (ONVIF Base Device Test Specification).

use crate::case::Case;

mod capabilities;
mod clock;
mod discovery;
mod interfaces;
mod namespaces;
mod network;
mod restart;
mod security;
mod servers;
mod system;
mod unchanged;
mod users;

/// The cases that are written.
pub(super) fn cases() -> Vec<Case> {
    [
        capabilities::cases(),
        discovery::cases(),
        interfaces::cases(),
        network::cases(),
        system::cases(),
        restart::cases(),
        users::cases(),
        namespaces::cases(),
        security::cases(),
    ]
    .concat()
}
