//! Encoder configurations in the types of Media1 (Media 5.5, 5.8).

use std::time::Duration;

use super::configurations::context_of;
use crate::{
    camera::{AudioEncoderConfiguration, Change, Kind, Range, VideoCodec, VideoEncoderConfiguration, VideoSettings},
    onvif::{
        services::media_common::{
            View, audio, faults, multicast,
            video::{self, Offer, Wanted},
            write_range, write_size,
        },
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::Fault,
            names::{Ns, TRT, TT},
            tree::Element,
            writer::Writer,
        },
        visit::Visit,
    },
};

/// The names of AAC and G.711, whose laws have one name.
const AUDIO: audio::Names = ["AAC", "G711", "G711"];
/// Every picture of the frame rate is encoded.
const INTERVAL: u32 = 1;

/// Writes a video encoder configuration.
pub(super) fn write_video(w: &mut Writer, name: (Ns, &str), view: &View, encoder: &VideoEncoderConfiguration) {
    let settings = &encoder.settings;
    view.entity(Kind::VideoEncoder, &encoder.token, &encoder.name).write(w, name, &[], |w| {
        w.text(TT, "Encoding", video::name_of(settings.codec()));
        write_size(w, "Resolution", settings.size());
        let (quality, bitrate) = match settings {
            VideoSettings::Video(encoder) => (1, encoder.bitrate_kbps),
            VideoSettings::Jpeg(encoder) => (encoder.quality, 0),
        };
        w.text(TT, "Quality", quality);
        w.element(TT, "RateControl", |w| {
            w.text(TT, "FrameRateLimit", settings.frame_rate());
            w.text(TT, "EncodingInterval", INTERVAL);
            w.text(TT, "BitrateLimit", bitrate);
        });
        // The type has the profile mandatory, and there are streams that arrive encoded and do not tell it.
        if let (VideoSettings::Video(settings), Some(profile)) = (settings, video::profile(view, encoder)) {
            w.element(TT, "H264", |w| {
                w.text(TT, "GovLength", settings.gop);
                w.text(TT, "H264Profile", profile);
            });
        }
        write_end(w, view);
    });
}

/// Writes an audio encoder configuration.
pub(super) fn write_audio(w: &mut Writer, name: (Ns, &str), view: &View, encoder: &AudioEncoderConfiguration) {
    let settings = &encoder.settings;
    view.entity(Kind::AudioEncoder, &encoder.token, &encoder.name).write(w, name, &[], |w| {
        w.text(TT, "Encoding", audio::name_of(settings.codec, AUDIO));
        w.text(TT, "Bitrate", settings.bitrate_kbps);
        w.text(TT, "SampleRate", audio::kilo(settings.sample_rate));
        write_end(w, view);
    });
}

/// What both kinds end with.
fn write_end(w: &mut Writer, view: &View) {
    multicast::write(w);
    w.text(TT, "SessionTimeout", view.context.session_timeout);
}

/// Reads a video encoder configuration that is to be set.
pub(super) fn wanted_video(view: &View, configuration: &Element) -> Result<Change, Fault> {
    let size = configuration.required(TT, "Resolution")?;
    let rates = configuration.child(TT, "RateControl");
    let codec = configuration.child(TT, "H264");
    let wanted = Wanted {
        token: configuration.required_attribute("token")?,
        name: configuration.get(TT, "Name")?,
        encoding: configuration.get(TT, "Encoding")?,
        size: (size.get(TT, "Width")?, size.get(TT, "Height")?),
        frame_rate: rates.map(|rates| rates.get(TT, "FrameRateLimit")).transpose()?,
        bitrate: rates.map(|rates| rates.get(TT, "BitrateLimit")).transpose()?,
        gop: codec.map(|codec| codec.get(TT, "GovLength")).transpose()?,
        profile: codec.map(|codec| codec.get(TT, "H264Profile")).transpose()?,
        quality: Some(configuration.get(TT, "Quality")?),
    };
    let interval = rates.map(|rates| rates.get::<i64>(TT, "EncodingInterval")).transpose()?;
    let change = wanted.change(view)?;
    if interval.is_some_and(|interval| interval != i64::from(INTERVAL)) {
        return Err(faults::cannot_be_set("The encoding interval is 1"));
    }
    check_end(configuration)?;
    Ok(change)
}

/// Reads an audio encoder configuration that is to be set.
pub(super) fn wanted_audio(view: &View, configuration: &Element) -> Result<Change, Fault> {
    let change = audio::wanted(view, configuration, AUDIO)?;
    check_end(configuration)?;
    Ok(change)
}

/// Checks what cannot be changed of either kind. A client may leave it out. The session timeout is a hint, which a device may
/// adapt without an error (Media 5.5.5): recorders send one of their own, and ours is the same for all sessions.
fn check_end(configuration: &Element) -> Result<(), Fault> {
    multicast::check(configuration)?;
    configuration.get_optional::<Duration>(TT, "SessionTimeout")?;
    Ok(())
}

/// Answers GetVideoEncoderConfigurationOptions.
pub(super) fn video_options(view: &View, call: &Call<'_, Visit>) -> Outcome {
    let (configuration, profile) = context_of(call)?;
    let offers = video::offers_for(view, configuration.as_deref(), profile.as_deref())?;
    Ok(Reply::new(move |w| w.element(TRT, "Options", |w| write_video_options(w, &offers))))
}

fn write_video_options(w: &mut Writer, offers: &[Offer]) {
    let quality = offers.iter().map(|offer| offer.options.quality).reduce(video::spanned).unwrap_or(Range::only(1));
    write_range(w, "QualityRange", quality.min, quality.max);
    let of = |codec| offers.iter().find(move |offer| offer.options.codec == codec);
    if let Some(offer) = of(None) {
        w.element(TT, "JPEG", |w| {
            write_sizes(w, offer);
            write_rates(w, offer);
        });
    }
    let Some(offer) = of(Some(VideoCodec::H264)) else { return };
    w.element(TT, "H264", |w| write_h264(w, offer));
    // The bit rate came later, in a type that repeats the rest.
    w.element(TT, "Extension", |w| {
        w.element(TT, "H264", |w| {
            write_h264(w, offer);
            write_range(w, "BitrateRange", offer.options.bitrates.min, offer.options.bitrates.max);
        });
    });
}

fn write_h264(w: &mut Writer, offer: &Offer) {
    write_sizes(w, offer);
    write_range(w, "GovLengthRange", offer.options.gops.min, offer.options.gops.max);
    write_rates(w, offer);
    w.each(TT, "H264ProfilesSupported", video::h264_profiles(offer).iter().copied());
}

fn write_sizes(w: &mut Writer, offer: &Offer) {
    offer.options.sizes.iter().for_each(|size| write_size(w, "ResolutionsAvailable", *size));
}

fn write_rates(w: &mut Writer, offer: &Offer) {
    write_range(w, "FrameRateRange", offer.options.frame_rates.min, offer.options.frame_rates.max);
    write_range(w, "EncodingIntervalRange", INTERVAL, INTERVAL);
}

/// Answers GetAudioEncoderConfigurationOptions.
pub(super) fn audio_options(view: &View, call: &Call<'_, Visit>) -> Outcome {
    let (configuration, profile) = context_of(call)?;
    let offers = audio::offers_for(view, configuration.as_deref(), profile.as_deref(), AUDIO)?;
    Ok(Reply::new(move |w| {
        w.element(TRT, "Options", |w| {
            offers.iter().for_each(|options| audio::write_options(w, (TT, "Options"), options, AUDIO));
        });
    }))
}

/// Answers GetGuaranteedNumberOfVideoEncoderInstances.
pub(super) fn instances(view: &View, call: &Call<'_, Visit>) -> Outcome {
    let token: String = call.body().get(TRT, "ConfigurationToken")?;
    view.video_source(&token)?;
    let instances = video::instances(view);
    Ok(Reply::new(move |w| {
        w.text(TRT, "TotalNumber", instances.total);
        w.text(TRT, "JPEG", instances.jpeg);
        w.text(TRT, "H264", instances.h264);
    }))
}
