//! What the two media services share. They are two views of one model: the same tokens, the same persistence.
//!
//! [`View`] is what of the camera a service shows; a client's wish becomes a [`Change`](crate::camera::Change) of the model in
//! `video`, `audio` and `sources`, and what the model says against it becomes a fault in `faults`.

pub(crate) mod audio;
pub(crate) mod faults;
pub(crate) mod multicast;
pub(crate) mod sources;
pub(crate) mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod video;
mod view;

use std::sync::Arc;

use crate::{
    camera::{Change, Settings},
    onvif::{
        context::Context,
        soap::{
            fault::Fault,
            names::{Ns, TT},
            writer::Writer,
        },
        visit::Visit,
    },
};

pub(crate) use self::view::{Version, View};

/// Makes a change of profiles.
///
/// # Errors
/// The fault that says why it is not made.
pub(crate) async fn change(context: &Context, visit: &Visit, change: Change) -> Result<Arc<Settings>, Fault> {
    context.camera.change(change, visit.principal()?).await.map_err(faults::refused)
}

/// Sets a configuration.
///
/// # Errors
/// The fault that says why it is not set.
pub(crate) async fn set(context: &Context, visit: &Visit, change: Change) -> Result<(), Fault> {
    context.camera.change(change, visit.principal()?).await.map_err(faults::not_set)?;
    Ok(())
}

/// A configuration with what all kinds have in common: token, name and how many profiles use it.
pub(crate) struct Entity<'a> {
    /// The permanent token.
    pub(crate) token: &'a str,
    /// The name that people see.
    pub(crate) name: &'a str,
    /// `UseCount`.
    pub(crate) uses: usize,
}

impl Entity<'_> {
    /// Writes the configuration as an element of that name, with attributes and content of its own kind.
    pub(crate) fn write(
        &self,
        w: &mut Writer,
        name: (Ns, &str),
        attributes: &[(&str, String)],
        content: impl FnOnce(&mut Writer),
    ) {
        let tag = w.tag(name.0, name.1).attribute("token", self.token);
        let tag = attributes.iter().fold(tag, |tag, (name, value)| tag.attribute(name, value));
        tag.content(|w| {
            w.text(TT, "Name", self.name);
            w.text(TT, "UseCount", u32::try_from(self.uses).unwrap_or(u32::MAX));
            content(w);
        });
    }
}

/// Writes a range.
pub(crate) fn write_range(w: &mut Writer, local: &str, min: u32, max: u32) {
    w.element(TT, local, |w| {
        w.text(TT, "Min", min);
        w.text(TT, "Max", max);
    });
}

/// Writes width and height.
pub(crate) fn write_size(w: &mut Writer, local: &str, (width, height): (u32, u32)) {
    w.element(TT, local, |w| {
        w.text(TT, "Width", width);
        w.text(TT, "Height", height);
    });
}
