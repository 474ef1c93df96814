//! The ONVIF front: the door of recorders and of the device test tool.
//!
//! [`soap`] is the codec, [`OnvifDoor`] the way from an HTTP request past the check of users to a service; a service is a
//! trait with a method for each operation, in `services/`. None of them keeps anything about the camera.

mod context;
mod door;
#[cfg(test)]
mod scene;
mod services;
pub mod soap;
mod visit;

pub use self::{
    context::{Context, Facts, Power},
    door::{OnvifDoor, PREFIX},
    visit::{Authority, Visit},
};
