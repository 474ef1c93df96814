//! The faults of the imaging service (Imaging 5).

use crate::{
    camera::ChangeError,
    onvif::{
        services::media_common::faults::refused,
        soap::fault::{Fault, Generic},
    },
};

/// There is no such video source.
pub(super) fn no_source(token: &str) -> Fault {
    Fault::new(Generic::InvalidArgVal).subcode("NoSource").reason("There is no such video source").detail(token)
}

/// The video source arrives encoded, and nothing of it is encoded again.
pub(super) fn no_imaging() -> Fault {
    let reason = "This video source has no imaging settings";
    Fault::new(Generic::ActionNotSupported).subcode("NoImagingForSource").reason(reason)
}

/// The settings are not possible.
pub(super) fn settings_invalid(why: impl Into<String>) -> Fault {
    Fault::new(Generic::InvalidArgVal).subcode("SettingsInvalid").reason(why.into())
}

/// What the model says against new settings.
pub(super) fn not_set(error: ChangeError) -> Fault {
    match error {
        ChangeError::Invalid(why) => settings_invalid(why),
        error => refused(error),
    }
}
