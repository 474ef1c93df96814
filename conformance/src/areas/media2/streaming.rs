//! Snapshots and encoder instances (section 4.5 of the specification).

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::Context;
use belvedere_harness::http;

use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    feature::Feature,
    soap,
    test::{Test, is_https},
    verdict::Outcome,
};

use super::{
    common::{profile_with, video_sources},
    kind::{Kind, VIDEO_ENCODER, VIDEO_SOURCE, optional},
};

pub(super) fn cases() -> Vec<Case> {
    vec![case("MEDIA2-5-1-1", Changes, snapshot), case("MEDIA2-5-1-2", Reads, every_source_has_an_encoder)]
}

fn snapshot(t: &mut Test<'_>) -> Outcome {
    t.step("3", "a profile with pictures");
    let kinds: &[&Kind] = if t.has(Feature::Video) { &[&VIDEO_SOURCE, &VIDEO_ENCODER] } else { &[&VIDEO_SOURCE] };
    let profile = profile_with(t, kinds)?;
    t.step("5", "the address of its snapshot");
    let token = optional("ProfileToken", Some(&profile));
    let answer = t.ask(format!("<tr2:GetSnapshotUri>{token}</tr2:GetSnapshotUri>"))?;
    let uri = answer.text_or_empty("Uri").to_owned();
    t.demand(!uri.is_empty(), "an address", "none")?;
    if is_https(&uri) {
        return t.skip(format!("the snapshot is at {uri}, an HTTPS address, which the judge does not follow"));
    }
    t.step("8", "the snapshot is given with 200");
    let picture = get(t, &uri)?;
    t.step("9", "it is a JPEG picture");
    t.demand(picture.starts_with(&[0xff, 0xd8]), "a JPEG file", format!("{} other bytes", picture.len()))?;
    let complaint = decode(&picture)?;
    t.demand(complaint.is_empty(), "a picture that can be decoded", complaint)
}

/// Gets a page by HTTP, as the administrator.
fn get(t: &mut Test<'_>, uri: &str) -> Outcome<Vec<u8>> {
    let (authority, path) = soap::split(uri)?;
    let start = Instant::now();
    let result = http::get_as(&format!("http://{authority}"), path, t.device.owner());
    let (status, told) = match &result {
        Ok(message) => (message.start.clone(), format!("{}: {} bytes", message.content_type(), message.body.len())),
        Err(error) => (format!("{error:#}"), String::new()),
    };
    t.record(uri.to_owned(), &format!("GET {path}"), status, &told, start);
    let message = result?;
    t.same("status", Some(200), message.status())?;
    Ok(message.body)
}

/// What ffmpeg has to complain of a picture.
fn decode(picture: &[u8]) -> anyhow::Result<String> {
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "image2pipe", "-c:v", "mjpeg", "-i", "-", "-f", "null", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting ffmpeg, which decodes the picture")?;
    if let Some(mut input) = ffmpeg.stdin.take() {
        // One that has seen enough closes its end; then it says why.
        let _ = input.write_all(picture);
    }
    let output = ffmpeg.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(if said.is_empty() && !output.status.success() { output.status.to_string() } else { said })
}

fn every_source_has_an_encoder(t: &mut Test<'_>) -> Outcome {
    t.step("3", "all video source configurations");
    let configurations = VIDEO_SOURCE.list(t)?;
    t.step("4", "all video sources");
    for source in video_sources(t)? {
        let mut found = false;
        for own in configurations.iter().filter(|own| own.text_or_empty("SourceToken") == source) {
            t.step("5.2.1", &format!("the encoder instances of {}", own.token()));
            let token = optional("ConfigurationToken", Some(own.token()));
            let answer = t.ask(format!("<tr2:GetVideoEncoderInstances>{token}</tr2:GetVideoEncoderInstances>"))?;
            found |= answer.number_at::<u32>("Info/Total").is_some_and(|total| total > 0);
            if found {
                break;
            }
        }
        t.step("5.3", &format!("a configuration of {source} has an encoder"));
        t.demand(found, format!("more than 0 encoders for a configuration of {source}"), "none")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_complained_of() {
        assert_ne!(decode(&[0xff, 0xd8, 1, 2, 3]).unwrap(), "");
        assert_ne!(decode(b"").unwrap(), "");
    }
}
