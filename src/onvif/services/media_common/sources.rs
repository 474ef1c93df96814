//! Sources and their configurations: the whole picture, all of the sound.

use super::{View, faults, write_range, write_size};
use crate::{
    camera::{Change, Imaging, Kind, SourceConfiguration},
    onvif::soap::{
        dispatch::{Outcome, Reply},
        fault::Fault,
        names::{Ns, TT},
        tree::Element,
        writer::Writer,
    },
};

/// The token of the video source.
pub(crate) const VIDEO: &str = "video";
/// The token of the audio source.
pub(crate) const AUDIO: &str = "audio";

/// Writes the video source (`tt:VideoSource`).
pub(crate) fn write_video(w: &mut Writer, name: (Ns, &str), view: &View) {
    w.tag(name.0, name.1).attribute("token", VIDEO).content(|w| {
        w.text(TT, "Framerate", view.frame_rate());
        write_size(w, "Resolution", view.size());
        if view.context.camera.has_imaging() {
            // Twice: the type of the first imaging service, and that of the second, which is ours.
            let imaging = |w: &mut Writer| w.element(TT, "Imaging", |w| write_imaging(w, view.settings.imaging));
            imaging(w);
            w.element(TT, "Extension", imaging);
        }
    });
}

/// Writes the look of the picture: what `tt:ImagingSettings` and `tt:ImagingSettings20` hold.
pub(crate) fn write_imaging(w: &mut Writer, imaging: Imaging) {
    w.text(TT, "Brightness", imaging.brightness);
    w.text(TT, "ColorSaturation", imaging.saturation);
    w.text(TT, "Contrast", imaging.contrast);
}

/// Writes the audio source (`tt:AudioSource`).
pub(crate) fn write_audio(w: &mut Writer, name: (Ns, &str)) {
    w.tag(name.0, name.1).attribute("token", AUDIO).content(|w| w.text(TT, "Channels", 1));
}

/// Writes the configuration of a source, of the kind that is named.
pub(crate) fn write_configuration(w: &mut Writer, name: (Ns, &str), view: &View, kind: Kind) {
    let settings = &view.settings;
    if kind == Kind::VideoSource {
        let (width, height) = view.size();
        let SourceConfiguration { token, name: label } = &settings.video_source;
        view.entity(kind, token, label).write(w, name, &[], |w| {
            w.text(TT, "SourceToken", VIDEO);
            let bounds = w.tag(TT, "Bounds").attribute("x", 0).attribute("y", 0);
            bounds.attribute("width", width).attribute("height", height);
        });
    } else if let Some(SourceConfiguration { token, name: label }) = &settings.audio_source {
        view.entity(kind, token, label).write(w, name, &[], |w| w.text(TT, "SourceToken", AUDIO));
    }
}

/// Answers Get…SourceConfigurationOptions. The picture cannot be cut, and there is one source of each kind.
///
/// # Errors
/// The profile or the configuration does not exist, or there is no sound.
pub(crate) fn options(
    view: View,
    kind: Kind,
    service: Ns,
    (configuration, profile): (Option<String>, Option<String>),
) -> Outcome {
    configuration.map_or(Ok(()), |token| view.has(kind, &token))?;
    profile.map_or(Ok(()), |token| view.profile(&token).map(drop))?;
    if view.tokens(kind).is_empty() {
        return Err(faults::no_audio());
    }
    Ok(Reply::new(move |w| {
        w.element(service, "Options", |w| match kind {
            Kind::AudioSource => w.text(TT, "InputTokensAvailable", AUDIO),
            _ => write_video_options(w, view.size()),
        });
    }))
}

fn write_video_options(w: &mut Writer, (width, height): (u32, u32)) {
    w.element(TT, "BoundsRange", |w| {
        write_range(w, "XRange", 0, 0);
        write_range(w, "YRange", 0, 0);
        write_range(w, "WidthRange", width, width);
        write_range(w, "HeightRange", height, height);
    });
    w.text(TT, "VideoSourceTokensAvailable", VIDEO);
}

/// Reads a video source configuration that is to be set. Its name is all that can be changed.
///
/// # Errors
/// There is none of this token, or it asks for another source, a part of the picture, or a rotation.
pub(crate) fn wanted_video(view: &View, configuration: &Element) -> Result<Change, Fault> {
    let token: String = configuration.required_attribute("token")?;
    view.video_source(&token)?;
    let name = configuration.get(TT, "Name")?;
    check_source(configuration, VIDEO)?;
    if let Some(bounds) = configuration.child(TT, "Bounds") {
        let (width, height) = view.size();
        for (edge, value) in [("x", 0), ("y", 0), ("width", width), ("height", height)] {
            if bounds.required_attribute::<i64>(edge)? != i64::from(value) {
                return Err(faults::cannot_be_set("The bounds are those of the whole picture"));
            }
        }
    }
    let rotate = configuration.child(TT, "Extension").and_then(|extension| extension.child(TT, "Rotate"));
    if let Some(rotate) = rotate
        && rotate.get::<String>(TT, "Mode")? != "OFF"
    {
        return Err(faults::cannot_be_set("Rotation is not supported"));
    }
    Ok(Change::Source { kind: Kind::VideoSource, token, name })
}

/// Reads an audio source configuration that is to be set. Its name is all that can be changed.
///
/// # Errors
/// There is none of this token, or it asks for another source.
pub(crate) fn wanted_audio(view: &View, configuration: &Element) -> Result<Change, Fault> {
    let token: String = configuration.required_attribute("token")?;
    view.audio_source(&token)?;
    let name = configuration.get(TT, "Name")?;
    check_source(configuration, AUDIO)?;
    Ok(Change::Source { kind: Kind::AudioSource, token, name })
}

fn check_source(configuration: &Element, known: &str) -> Result<(), Fault> {
    let source: String = configuration.get(TT, "SourceToken")?;
    if source == known { Ok(()) } else { Err(faults::cannot_be_set("There is no such source")) }
}
