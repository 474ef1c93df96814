//! Requests that must be refused.

use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    soap::Call,
    test::Test,
    verdict::Outcome,
    xml::escape,
};

use super::{
    kind::{AUDIO_SOURCE, For, request},
    profiles,
};

/// A token that no device has: it breaks RFC 952, by which the specification wants it wrong.
const NONE: &str = "-no such token-";
const NO_CONFIGURATION: &str = "env:Sender/ter:InvalidArgVal/ter:NoConfig";
const NO_PROFILE: &str = "env:Sender/ter:InvalidArgVal/ter:NoProfile";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("MEDIA-3-1-17", Reads, |t| {
            let body = request("GetAudioSourceConfiguration", &[("ConfigurationToken", NONE)]);
            refused_somehow(t, &body, &[NO_CONFIGURATION])
        }),
        case("MEDIA-3-1-18", Reads, |t| {
            refused_somehow(t, &AUDIO_SOURCE.options_request(For::profile(NONE)), &[NO_PROFILE])
        }),
        case("MEDIA-3-1-19", Reads, |t| {
            refused_somehow(t, &AUDIO_SOURCE.options_request(For::configuration(NONE)), &[NO_CONFIGURATION])
        }),
        case("MEDIA-3-1-20", Changes, configuration_that_is_not_there),
        case("MEDIA-7-1-2", Reads, transport_that_is_none),
        case("MEDIA-7-1-4", Reads, profile_that_is_none),
        case("MEDIA-7-1-5", Reads, |t| {
            let body = request("StartMulticastStreaming", &[("ProfileToken", NONE)]);
            refused_somehow(t, &body, &[NO_PROFILE, "env:Receiver/ter:ActionNotSupported"])
        }),
    ]
}

fn configuration_that_is_not_there(t: &mut Test<'_>) -> Outcome {
    t.step("3", "a configuration, to be sent under a token that is none");
    let all = AUDIO_SOURCE.all(t)?;
    let first = t.some(all.first(), "a configuration")?;
    let other = first.with_attribute("token", NONE);
    let body = AUDIO_SOURCE.set_request(&other.renamed("trt", "Configuration"));
    refused_somehow(t, &body, &[NO_CONFIGURATION])
}

fn transport_that_is_none(t: &mut Test<'_>) -> Outcome {
    t.step("3", "a profile, to be asked for over a transport that is none");
    let profiles = profiles::all(t)?;
    let profile = t.some(profiles.first(), "a profile")?;
    t.step("4", "the transport RTP is refused");
    // Which fault it is the specification leaves open: a device that reads the request by the schema gets no further.
    let call = Call::new(stream_uri("RTP", profile.token())).invalid();
    t.refused(&call, &["env:Sender"]).map(drop)
}

fn profile_that_is_none(t: &mut Test<'_>) -> Outcome {
    t.step("4", "a profile that is none is refused");
    t.refused(&Call::new(stream_uri("UDP", NONE)), &[NO_PROFILE]).map(drop)
}

fn stream_uri(protocol: &str, profile: &str) -> String {
    format!(
        "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport>\
         <tt:Protocol>{protocol}</tt:Protocol></tt:Transport></trt:StreamSetup>\
         <trt:ProfileToken>{}</trt:ProfileToken></trt:GetStreamUri>",
        escape(profile)
    )
}

/// Demands a fault. Which one the specification only recommends; another is told in the report.
fn refused_somehow(t: &mut Test<'_>, body: &str, preferred: &[&str]) -> Outcome {
    t.step("4", "the request is refused");
    let fault = t.refused(&Call::new(body), &["env:Sender", "env:Receiver"])?;
    let codes = fault.codes.join("/");
    if !preferred.contains(&codes.as_str()) {
        t.note(format!("a fault {} were better than {codes}", preferred.join(" or ")));
    }
    Ok(())
}
