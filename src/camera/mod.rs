//! The single model of a camera: who it is, which profiles it has, what its encoders are set to and which tracks they fill.
//!
//! Doors translate and authorise; they keep no state of their own about a camera. A configuration is a row with a permanent
//! token; an encoder configuration is one encoder and one hub track, and profiles that share it share the track.
//!
//! ```text
//!  door ── change(Change, Principal) ──► rules (settings) ──► source (SourceControl) ──► store (kept) ──► everybody sees it
//! ```

mod configuration;
mod definition;
mod device;
mod identity;
mod kept;
mod model;
mod observed;
mod options;
mod path;
mod plan;
mod profile;
mod settings;
mod snapshot;

pub use self::{
    configuration::{AudioCodec, AudioEncoder, CodecProfile, JpegEncoder, SourceKind, VideoCodec, VideoEncoder},
    definition::Definition,
    device::{Device, MAX_SCOPE, MAX_SCOPES, Presence, PresenceError},
    identity::{BadUuid, DeviceSeed, Identity, Uuid, hardware_address},
    model::{Camera, Cameras, SourceControl, Streams},
    options::{AudioOptions, Range, VideoOptions},
    path::{StreamPath, Target},
    plan::{CameraSettings, Feed, FeedOf, SourceStream},
    profile::{Kind, Profile},
    settings::{
        AudioEncoderConfiguration, Change, ChangeError, Imaging, ImagingChange, MAX_NAME, MAX_PROFILES, Reference,
        Settings, SourceChange, SourceConfiguration, VideoChange, VideoEncoderConfiguration, VideoSettings,
    },
};
