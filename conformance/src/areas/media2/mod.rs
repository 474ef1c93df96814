//! Media2 (ONVIF Media2 Configuration Device Test Specification).

use crate::case::Case;

mod audio;
mod capabilities;
mod common;
mod configurations;
mod events;
mod kind;
mod metadata;
mod profiles;
mod range;
mod streaming;
mod told;
mod video_encoder;
mod video_source;

pub(super) use common::{restore_profile, take_out};

/// The cases that are written.
pub(super) fn cases() -> Vec<Case> {
    [
        profiles::cases(),
        video_source::cases(),
        video_encoder::cases(),
        audio::cases(),
        streaming::cases(),
        capabilities::cases(),
        metadata::cases(),
    ]
    .concat()
}
