//! What the two media services can do.

use super::{
    Feature, Features,
    discover::{Asked, capabilities_of, flag, unanswered},
};
use crate::{
    verdict::Outcome,
    xml::{Element, escape},
};

/// The first media service.
pub(super) fn media1(asked: &mut dyn Asked, features: &mut Features, capabilities: Option<&Element>) {
    if !features.get(Feature::Media1).has {
        return;
    }
    asked.step("media", "the options and capabilities of the media service");
    let options = asked.ask("<trt:GetVideoEncoderConfigurationOptions/>");
    let h264 = |answer: &Element| answer.at("Options/H264").is_some();
    features.put_or_open(Feature::Media1H264, &options, h264, "GetVideoEncoderConfigurationOptions has H264");
    let audio = asked.attempt("<trt:GetAudioEncoderConfigurationOptions/>");
    let because = "GetAudioEncoderConfigurationOptions is no fault";
    features.put_or_open(Feature::Media1Audio, &audio, Result::is_ok, because);
    let aac = |answer: &Result<Element, _>| {
        let options = answer.as_ref().ok().and_then(|answer| answer.at("Options"));
        options.is_some_and(|all| all.all("Options").any(|option| option.text_or_empty("Encoding") == "AAC"))
    };
    features.put_or_open(Feature::Media1Aac, &audio, aac, "GetAudioEncoderConfigurationOptions has AAC");
    streaming1(asked, features, capabilities);
    snapshot1(asked, features);
    audio_output1(asked, features);
    // The specification has no such feature of this service; its configurations are a part of other features.
    let metadata = asked.attempt("<trt:GetMetadataConfigurations/>");
    let any = |answer: &Result<Element, _>| answer.as_ref().is_ok_and(|answer| answer.at("Configurations").is_some());
    features.put_or_open(Feature::Media1Metadata, &metadata, any, "GetMetadataConfigurations lists one");
}

fn streaming1(asked: &mut dyn Asked, features: &mut Features, capabilities: Option<&Element>) {
    let ways = [(Feature::Media1Multicast, "RTPMulticast"), (Feature::Media1RtpRtspTcp, "RTP_RTSP_TCP")];
    if features.get(Feature::GetServices).has {
        let answer = capabilities_of(asked, "trt");
        let streams = |all: &Element| !flag(Some(all), "StreamingCapabilities", "NoRTSPStreaming");
        features.put_or_open(Feature::Media1Streaming, &answer, streams, "@NoRTSPStreaming is not true");
        for (feature, name) in ways {
            let has = |all: &Element| flag(Some(all), "StreamingCapabilities", name);
            features.put_or_open(feature, &answer, has, &format!("StreamingCapabilities/@{name} is true"));
        }
    } else {
        features.put(Feature::Media1Streaming, true, "a device without GetServices has it");
        for (feature, name) in ways {
            let path = format!("Media/StreamingCapabilities/{name}");
            let has = capabilities.and_then(|all| all.bool_at(&path)).unwrap_or(false);
            features.put(feature, has, format!("GetCapabilities and {path}"));
        }
    }
    for (feature, _) in ways {
        features.put_only_with(feature, Feature::Media1Streaming);
    }
}

/// Whether the device gives a snapshot of a profile that has what a stream needs.
fn snapshot1(asked: &mut dyn Asked, features: &mut Features) {
    let answer = asked.ask("<trt:GetProfiles/>").and_then(|answer| {
        let mut profiles = answer.all("Profiles");
        let ready = |profile: &&Element| {
            profile.at("VideoSourceConfiguration").is_some() && profile.at("VideoEncoderConfiguration").is_some()
        };
        let profile = profiles.find(ready).ok_or_else(|| unanswered("no profile that is ready to use"))?;
        let token = escape(profile.token());
        asked.attempt(&format!("<trt:GetSnapshotUri><trt:ProfileToken>{token}</trt:ProfileToken></trt:GetSnapshotUri>"))
    });
    features.put_or_open(Feature::Media1Snapshot, &answer, Result::is_ok, "GetSnapshotUri is no fault");
}

fn audio_output1(asked: &mut dyn Asked, features: &mut Features) {
    let outputs = asked.attempt("<trt:GetAudioOutputs/>");
    let any = |answer: &Result<Element, _>| answer.as_ref().is_ok_and(|answer| answer.at("AudioOutputs").is_some());
    features.put_or_open(Feature::Media1AudioOutput, &outputs, any, "GetAudioOutputs lists one");
    let codecs = [(Feature::Media1AudioOutputG711, "G711DecOptions"), (Feature::Media1AudioOutputAac, "AACDecOptions")];
    if features.get(Feature::Media1AudioOutput).has {
        let options = asked.ask("<trt:GetAudioDecoderConfigurationOptions/>");
        for (feature, name) in codecs {
            let has = |answer: &Element| answer.at("Options").is_some_and(|options| options.at(name).is_some());
            let because = format!("GetAudioDecoderConfigurationOptions has {name}");
            features.put_or_open(feature, &options, has, &because);
        }
    }
    for (feature, _) in codecs {
        features.put_only_with(feature, Feature::Media1AudioOutput);
    }
}

/// The second media service.
pub(super) fn media2(asked: &mut dyn Asked, features: &mut Features) {
    if !features.get(Feature::Media2).has {
        return;
    }
    asked.step("media2", "the options and capabilities of the media2 service");
    let capabilities = capabilities_of(asked, "tr2");
    configurations2(features, &capabilities);
    streaming2(features, &capabilities);
    let flags = [
        (Feature::Media2Snapshot, "SnapshotUri"),
        (Feature::Osd, "OSD"),
        (Feature::Mask, "Mask"),
        (Feature::VideoSourceMode, "VideoSourceMode"),
    ];
    for (feature, name) in flags {
        features.put_or_open(feature, &capabilities, |all| flag(Some(all), "", name), &format!("@{name} is true"));
    }
    let codecs: [(Feature, Feature, &str, &[&str]); 6] = [
        (Feature::Media2H264, Feature::Video, "VideoEncoder", &["H264"]),
        (Feature::Media2H265, Feature::Video, "VideoEncoder", &["H265"]),
        (Feature::Media2G711, Feature::Media2Audio, "AudioEncoder", &["PCMU"]),
        (Feature::Media2Aac, Feature::Media2Audio, "AudioEncoder", &["MP4A-LATM", "MPEG4-GENERIC"]),
        (Feature::Media2AudioOutputG711, Feature::Media2AudioOutput, "AudioDecoder", &["PCMU"]),
        (Feature::Media2AudioOutputAac, Feature::Media2AudioOutput, "AudioDecoder", &["MP4A-LATM", "MPEG4-GENERIC"]),
    ];
    for (feature, whole, kind, names) in codecs {
        if features.get(whole).has {
            let options = asked.ask(&format!("<tr2:Get{kind}ConfigurationOptions/>"));
            let has = |answer: &Element| {
                answer.all("Options").any(|option| names.contains(&option.text_or_empty("Encoding")))
            };
            features.put_or_open(feature, &options, has, &format!("the {kind} options have {}", names.join(" or ")));
        }
        features.put_only_with(feature, whole);
    }
    osd_image(asked, features);
}

fn configurations2(features: &mut Features, capabilities: &Outcome<Element>) {
    let words = [
        (Feature::Video, "VideoEncoder"),
        (Feature::Media2Audio, "AudioEncoder"),
        (Feature::Media2AudioOutput, "AudioOutput"),
        (Feature::Media2Metadata, "Metadata"),
        (Feature::Media2Analytics, "Analytics"),
    ];
    for (feature, word) in words {
        let names = |all: &Element| {
            let list = all.at("ProfileCapabilities").and_then(|part| part.attribute("ConfigurationsSupported"));
            list.unwrap_or_default().split_whitespace().any(|own| own == word)
        };
        features.put_or_open(feature, capabilities, names, &format!("@ConfigurationsSupported names {word}"));
    }
}

fn streaming2(features: &mut Features, capabilities: &Outcome<Element>) {
    let ways = [
        (Feature::Media2Streaming, "RTSPStreaming"),
        (Feature::Media2Multicast, "RTPMulticast"),
        (Feature::Media2RtpRtspTcp, "RTP_RTSP_TCP"),
    ];
    for (feature, name) in ways {
        let has = |all: &Element| flag(Some(all), "StreamingCapabilities", name);
        features.put_or_open(feature, capabilities, has, &format!("StreamingCapabilities/@{name} is true"));
        features.put_only_with(feature, Feature::Media2Streaming);
    }
    let websocket =
        |all: &Element| all.at("StreamingCapabilities").and_then(|part| part.attribute("RTSPWebSocketUri")).is_some();
    features.put_or_open(Feature::Websocket, capabilities, websocket, "@RTSPWebSocketUri is there");
}

/// Whether a picture can be put over the video.
fn osd_image(asked: &mut dyn Asked, features: &mut Features) {
    if features.get(Feature::Osd).has {
        let answer = asked.ask("<tr2:GetVideoSourceConfigurations/>").and_then(|sources| {
            let mut has = false;
            for source in sources.all("Configurations") {
                let token = escape(source.token());
                let options = asked.ask(&format!(
                    "<tr2:GetOSDOptions><tr2:ConfigurationToken>{token}</tr2:ConfigurationToken></tr2:GetOSDOptions>"
                ))?;
                has |= options.all("OSDOptions").any(takes_images);
            }
            Ok(has)
        });
        features.put_or_open(Feature::OsdImage, &answer, |has| *has, "GetOSDOptions has Image");
    }
    features.put_only_with(Feature::OsdImage, Feature::Osd);
}

fn takes_images(options: &Element) -> bool {
    let total = options.at("MaximumNumberOfOSDs").and_then(|most| most.attribute("Total")?.parse::<u32>().ok());
    options.all("Type").any(|kind| kind.text == "Image") && total.is_some_and(|total| total > 0)
}

/// What is asked of a device as a whole: whether one of its media services has it.
pub(super) fn either(features: &mut Features) {
    for (feature, of) in [
        (Feature::BackChannel, [Feature::Media1AudioOutput, Feature::Media2AudioOutput].as_slice()),
        (Feature::Metadata, &[Feature::Media1Metadata, Feature::Media2Metadata]),
        (Feature::Multicast, &[Feature::Media1Multicast, Feature::Media2Multicast]),
        (Feature::RtpRtspTcp, &[Feature::Media1RtpRtspTcp, Feature::Media2RtpRtspTcp]),
        (Feature::Snapshot, &[Feature::Media1Snapshot, Feature::Media2Snapshot]),
    ] {
        features.put_any(feature, of);
    }
}
