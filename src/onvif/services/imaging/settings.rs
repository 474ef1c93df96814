//! Settings and their options, written and read.

use super::faults;
use crate::{
    camera::{Imaging, ImagingChange},
    onvif::{
        services::media_common::write_range,
        soap::{fault::Fault, names::TT, tree::Element, writer::Writer},
    },
};

/// The elements of what can be set.
const OFFERED: [&str; 3] = ["Brightness", "ColorSaturation", "Contrast"];

/// Writes what `tt:ImagingOptions20` holds.
pub(super) fn write_options(w: &mut Writer) {
    for name in OFFERED {
        write_range(w, name, Imaging::RANGE.min, Imaging::RANGE.max);
    }
}

/// Reads settings that are to be set (`tt:ImagingSettings20`).
///
/// # Errors
/// Something is to be set that is not offered, or a value is no number.
pub(super) fn wanted(settings: &Element) -> Result<ImagingChange, Fault> {
    let is_offered = |element: &Element| OFFERED.iter().any(|name| element.is(TT, name));
    if let Some(other) = settings.elements().find(|element| !is_offered(element) && !is_silent(element)) {
        return Err(faults::settings_invalid("Only what GetOptions names can be set").detail(other.path()));
    }
    Ok(ImagingChange {
        brightness: settings.get_optional(TT, "Brightness")?,
        contrast: settings.get_optional(TT, "Contrast")?,
        saturation: settings.get_optional(TT, "ColorSaturation")?,
    })
}

/// Whether an element asks for nothing: clients with generated types send empty extensions.
fn is_silent(element: &Element) -> bool {
    element.is_nil() || element.is(TT, "Extension") && element.elements().all(is_silent)
}
