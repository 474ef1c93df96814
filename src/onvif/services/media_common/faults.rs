//! The faults that both media services have (Media 5, Media2 5).

use crate::{
    camera::ChangeError,
    onvif::soap::fault::{Code, Fault, Generic},
};

/// There is no such profile, or none that this service shows.
pub(crate) fn no_profile(token: &str) -> Fault {
    Fault::new(Generic::InvalidArgVal).subcode("NoProfile").reason("There is no such profile").detail(token)
}

/// There is no such configuration, or none that this service shows.
pub(crate) fn no_config(token: &str) -> Fault {
    Fault::new(Generic::InvalidArgVal).subcode("NoConfig").reason("There is no such configuration").detail(token)
}

/// The values of a configuration are not possible.
pub(crate) fn cannot_be_set(why: impl Into<String>) -> Fault {
    Fault::new(Generic::InvalidArgVal).subcode("ConfigModify").reason(why.into())
}

/// The profile has nothing to stream, or nothing to take a snapshot of.
pub(crate) fn incomplete() -> Fault {
    let reason = "The profile lacks a source configuration or an encoder configuration";
    Fault::new(Generic::Action).subcode("IncompleteConfiguration").reason(reason)
}

/// The way of streaming is not one of ours.
pub(crate) fn invalid_stream_setup() -> Fault {
    let reason = "This way of streaming is not supported";
    Fault::new(Generic::InvalidArgVal).subcode("InvalidStreamSetup").reason(reason)
}

/// The camera has no sound.
pub(crate) fn no_audio() -> Fault {
    Fault::new(Generic::ActionNotSupported).subcode("AudioNotSupported").reason("This camera has no sound")
}

/// What the model says against a change of profiles.
pub(crate) fn refused(error: ChangeError) -> Fault {
    let reason = error.to_string();
    let fault = match &error {
        ChangeError::NoProfile(token) => return no_profile(token),
        ChangeError::NoConfiguration(token) => return no_config(token),
        ChangeError::ProfileExists(_) => Fault::new(Generic::InvalidArgVal).subcode("ProfileExists"),
        ChangeError::FixedProfile(_) => {
            Fault::new(Generic::Action).with_code(Code::Sender).subcode("DeletionOfFixedProfile")
        }
        ChangeError::TooManyProfiles => Fault::new(Generic::Action).subcode("MaxNVTProfiles"),
        ChangeError::Conflict(_) => Fault::new(Generic::Action).subcode("ConfigurationConflict"),
        ChangeError::Invalid(_) => Fault::new(Generic::InvalidArgVal),
        ChangeError::Refused(_) | ChangeError::Store(_) => {
            // What went wrong inside is for the log.
            tracing::warn!(%error, "a change of the camera failed");
            return Fault::new(Generic::Action).reason("The change could not be made");
        }
    };
    fault.reason(reason)
}

/// What the model says against new values of a configuration.
pub(crate) fn not_set(error: ChangeError) -> Fault {
    match error {
        ChangeError::Invalid(why) => cannot_be_set(why),
        error => refused(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_model_says_has_the_fault_that_the_specification_names() {
        for (error, expected) in [
            (ChangeError::NoProfile("p".into()), "env:Sender/ter:InvalidArgVal/ter:NoProfile"),
            (ChangeError::NoConfiguration("c".into()), "env:Sender/ter:InvalidArgVal/ter:NoConfig"),
            (ChangeError::ProfileExists("p".into()), "env:Sender/ter:InvalidArgVal/ter:ProfileExists"),
            (ChangeError::FixedProfile("p".into()), "env:Sender/ter:Action/ter:DeletionOfFixedProfile"),
            (ChangeError::TooManyProfiles, "env:Receiver/ter:Action/ter:MaxNVTProfiles"),
            (ChangeError::Conflict("c"), "env:Receiver/ter:Action/ter:ConfigurationConflict"),
            (ChangeError::Invalid("i"), "env:Sender/ter:InvalidArgVal/ter:ConfigModify"),
            (ChangeError::Refused("secret".into()), "env:Receiver/ter:Action"),
            (ChangeError::Store("secret".into()), "env:Receiver/ter:Action"),
        ] {
            let fault = not_set(error).to_string();
            assert_eq!(fault.split(": ").next(), Some(expected));
            assert!(!fault.contains("secret"));
        }
        assert!(refused(ChangeError::Invalid("i")).to_string().starts_with("env:Sender/ter:InvalidArgVal: "));
    }
}
