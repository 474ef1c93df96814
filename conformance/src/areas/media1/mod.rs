//! Media1 (ONVIF Media Configuration Device Test Specification).
//!
//! Much is asked of video sources, video encoders, audio sources and audio encoders alike; it is written once, for a
//! [`kind::Kind`] of configuration.
//!
//! | module | cases |
//! |---|---|
//! | [`profiles`] | profiles as they are told, and empty ones to try things on |
//! | [`filling`] | a profile is made, filled and deleted |
//! | [`consistency`] | what is told in several places is the same everywhere |
//! | [`use_counts`] | use counts follow what happens to profiles |
//! | [`video_source`] | settings of video sources |
//! | [`video_encoder`] | settings of video encoders |
//! | [`guaranteed`] | how many encoders are promised |
//! | [`audio`] | settings of audio sources and encoders |
//! | [`snapshot`] | pictures |
//! | [`faults`] | requests that must be refused |
//! | [`capabilities`] | what the service says of itself |
//! | [`kind`], [`options`], [`compare`] | what the cases share |

use crate::case::Case;

mod audio;
mod capabilities;
mod compare;
mod consistency;
mod faults;
mod filling;
mod guaranteed;
mod kind;
mod options;
mod profiles;
mod snapshot;
mod use_counts;
mod video_encoder;
mod video_source;

pub(super) use profiles::take_out;

/// The cases that are written.
pub(super) fn cases() -> Vec<Case> {
    [
        profiles::cases(),
        filling::cases(),
        video_source::cases(),
        video_encoder::cases(),
        guaranteed::cases(),
        consistency::cases(),
        use_counts::cases(),
        audio::cases(),
        snapshot::cases(),
        faults::cases(),
        capabilities::cases(),
    ]
    .concat()
}

#[cfg(test)]
mod trial {
    use crate::{device::Device, feature::Features, test::Test};

    /// Runs a piece of a case that asks nothing of a device.
    pub(super) fn trial<T>(piece: impl FnOnce(&mut Test<'_>) -> T) -> T {
        let device = Device::new(String::new(), String::new(), String::new());
        piece(&mut Test::new(&device, &Features::default()))
    }
}
