//! Encoder configurations in the types of Media2 (Media2 5.2.3, 5.2.5).

use super::configurations::context_of;
use crate::{
    camera::{AudioEncoderConfiguration, Change, Kind, VideoCodec, VideoEncoderConfiguration, VideoSettings},
    onvif::{
        services::media_common::{
            View, audio, multicast,
            video::{self, Offer, Wanted},
            write_range, write_size,
        },
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::{Fault, Generic},
            names::{Ns, TR2, TT},
            tree::Element,
            values::ToText,
            writer::Writer,
        },
        visit::Visit,
    },
};

/// The media subtypes of AAC and G.711; that of AAC as our session descriptions have it (SD-10).
const AUDIO: audio::Names = ["MPEG4-GENERIC", "PCMU", "PCMA"];

/// Writes a video encoder configuration. Multicast, which there is not, is optional here.
pub(super) fn write_video(w: &mut Writer, name: (Ns, &str), view: &View, encoder: &VideoEncoderConfiguration) {
    let settings = &encoder.settings;
    let mut attributes = Vec::new();
    if let VideoSettings::Video(settings) = settings {
        attributes.push(("GovLength", settings.gop.to_string()));
    }
    if let Some(profile) = video::profile(view, encoder) {
        attributes.push(("Profile", profile.to_owned()));
    }
    view.entity(Kind::VideoEncoder, &encoder.token, &encoder.name).write(w, name, &attributes, |w| {
        w.text(TT, "Encoding", video::name_of(settings.codec()));
        write_size(w, "Resolution", settings.size());
        let (quality, bitrate) = match settings {
            VideoSettings::Video(encoder) => (1, encoder.bitrate_kbps),
            VideoSettings::Jpeg(encoder) => (encoder.quality, 0),
        };
        let constant = video::holds_rate(view, encoder).then_some(true);
        w.tag(TT, "RateControl").optional_attribute("ConstantBitRate", constant).content(|w| {
            w.text(TT, "FrameRateLimit", settings.frame_rate());
            w.text(TT, "BitrateLimit", bitrate);
        });
        w.text(TT, "Quality", quality);
    });
}

/// Writes an audio encoder configuration.
pub(super) fn write_audio(w: &mut Writer, name: (Ns, &str), view: &View, encoder: &AudioEncoderConfiguration) {
    let settings = &encoder.settings;
    view.entity(Kind::AudioEncoder, &encoder.token, &encoder.name).write(w, name, &[], |w| {
        w.text(TT, "Encoding", audio::name_of(settings.codec, AUDIO));
        w.text(TT, "Bitrate", settings.bitrate_kbps);
        w.text(TT, "SampleRate", audio::kilo(settings.sample_rate));
    });
}

/// Reads a video encoder configuration that is to be set.
pub(super) fn wanted_video(view: &View, configuration: &Element) -> Result<Change, Fault> {
    let size = configuration.required(TT, "Resolution")?;
    let rates = configuration.child(TT, "RateControl");
    let wanted = Wanted {
        token: configuration.required_attribute("token")?,
        name: configuration.get(TT, "Name")?,
        encoding: configuration.get(TT, "Encoding")?,
        size: (size.get(TT, "Width")?, size.get(TT, "Height")?),
        frame_rate: rates.map(|rates| rates.get(TT, "FrameRateLimit")).transpose()?,
        bitrate: rates.map(|rates| rates.get(TT, "BitrateLimit")).transpose()?,
        gop: configuration.attribute_value("GovLength")?,
        profile: configuration.attribute("Profile").map(str::to_owned),
        quality: Some(configuration.get(TT, "Quality")?),
    };
    let change = wanted.change(view)?;
    multicast::check(configuration)?;
    Ok(change)
}

/// Reads an audio encoder configuration that is to be set.
pub(super) fn wanted_audio(view: &View, configuration: &Element) -> Result<Change, Fault> {
    let change = audio::wanted(view, configuration, AUDIO)?;
    multicast::check(configuration)?;
    Ok(change)
}

/// Answers GetVideoEncoderConfigurationOptions, with an element for each codec.
pub(super) fn video_options(view: &View, call: &Call<'_, Visit>) -> Outcome {
    let (configuration, profile) = context_of(call)?;
    let offers = video::offers_for(view, configuration.as_deref(), profile.as_deref())?;
    if offers.is_empty() {
        // The schema wants at least one.
        return Err(Fault::new(Generic::Action).reason("The source has not been seen yet"));
    }
    Ok(Reply::new(move |w| offers.iter().for_each(|offer| write_video_options(w, offer))))
}

fn write_video_options(w: &mut Writer, Offer { options, profiles, constant }: &Offer) {
    let is_video = options.codec.is_some();
    let gops = is_video.then(|| list([options.gops.min, options.gops.max]));
    // The highest first, as the tool wants them (MEDIA2-2-3-5).
    let rates = list((options.frame_rates.min..=options.frame_rates.max).rev());
    let profiles = (!profiles.is_empty()).then(|| profiles.join(" "));
    w.tag(TR2, "Options")
        .optional_attribute("GovLengthRange", gops)
        .attribute("FrameRatesSupported", rates)
        .optional_attribute("ProfilesSupported", profiles)
        .attribute("ConstantBitRateSupported", *constant)
        .content(|w| {
            w.text(TT, "Encoding", video::name_of(options.codec));
            write_range(w, "QualityRange", options.quality.min, options.quality.max);
            options.sizes.iter().for_each(|size| write_size(w, "ResolutionsAvailable", *size));
            write_range(w, "BitrateRange", options.bitrates.min, options.bitrates.max);
        });
}

fn list(values: impl IntoIterator<Item = u32>) -> String {
    let values: Vec<_> = values.into_iter().map(|value| value.to_text().into_owned()).collect();
    values.join(" ")
}

/// Answers GetAudioEncoderConfigurationOptions, with an element for each codec.
pub(super) fn audio_options(view: &View, call: &Call<'_, Visit>) -> Outcome {
    let (configuration, profile) = context_of(call)?;
    let offers = audio::offers_for(view, configuration.as_deref(), profile.as_deref(), AUDIO)?;
    Ok(Reply::new(move |w| {
        offers.iter().for_each(|options| audio::write_options(w, (TR2, "Options"), options, AUDIO));
    }))
}

/// Answers GetVideoEncoderInstances.
pub(super) fn instances(view: &View, call: &Call<'_, Visit>) -> Outcome {
    let token: String = call.body().get(TR2, "ConfigurationToken")?;
    view.video_source(&token)?;
    let instances = video::instances(view);
    Ok(Reply::new(move |w| {
        w.element(TR2, "Info", |w| {
            let codecs = [
                (None, instances.jpeg),
                (Some(VideoCodec::H264), instances.h264),
                (Some(VideoCodec::H265), instances.h265),
            ];
            for (codec, number) in codecs.into_iter().filter(|(_, number)| *number > 0) {
                w.element(TR2, "Codec", |w| {
                    w.text(TR2, "Encoding", video::name_of(codec));
                    w.text(TR2, "Number", number);
                });
            }
            w.text(TR2, "Total", instances.total);
        });
    }))
}
