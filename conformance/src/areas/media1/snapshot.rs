//! Pictures that are fetched over HTTP.

use std::time::Instant;

use anyhow::Result;
use belvedere_harness::{
    digest::{Challenge, Style},
    http::Http,
    play,
    proxy::Message,
};

use crate::{
    case::{Case, When::Reads, case},
    device::Device,
    soap::split,
    test::{Test, is_https},
    verdict::Outcome,
};

use super::{kind::request, profiles};

pub(super) fn cases() -> Vec<Case> {
    vec![case("MEDIA-6-1-1", Reads, a_picture)]
}

fn a_picture(t: &mut Test<'_>) -> Outcome {
    t.step("4", "a profile has a video source and a video encoder");
    let profiles = profiles::all(t)?;
    let ready = profiles::ready(t, &profiles)?;
    t.step("6", "GetSnapshotUri gives an address, and tells how long it is good for");
    let answer = t.ask(request("GetSnapshotUri", &[("ProfileToken", ready.token())]))?;
    for name in ["Uri", "InvalidAfterConnect", "InvalidAfterReboot", "Timeout"] {
        t.demand(!answer.text_or_empty(&format!("MediaUri/{name}")).is_empty(), format!("a {name}"), "none")?;
    }
    let uri = answer.text_or_empty("MediaUri/Uri");
    if is_https(uri) {
        return t.skip(format!("the snapshot is at {uri}, an HTTPS address, which the judge does not follow"));
    }
    t.step("8", "the address gives 200 and something");
    let start = Instant::now();
    let got = get(t.device, uri);
    let status = match &got {
        Ok(message) => message.start.clone(),
        Err(error) => format!("{error:#}"),
    };
    t.record(uri.to_owned(), &format!("GET {uri}"), status.clone(), "", start);
    let message = got.map_err(|error| t.failed("an HTTP answer", format!("{error:#}")))?;
    t.demand(message.status() == Some(200), "200", status)?;
    t.step("9", "that is a JPEG picture");
    let size = play::picture(&message.body).map_err(|error| t.failed("a JPEG picture", format!("{error:#}")))?;
    t.demand(size.0 > 0 && size.1 > 0, "a picture that has a size", format!("{size:?}"))
}

/// Gets what is at an address, as the administrator if the device wants to know who asks.
fn get(device: &Device, uri: &str) -> Result<Message> {
    let (authority, path) = split(uri)?;
    let ask = |authorization: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{authorization}\r\n");
        Http::ask(&format!("http://{authority}"), &request)
    };
    let first = ask("")?;
    if first.status() != Some(401) {
        return Ok(first);
    }
    // Basic, and what else we do not speak, is passed over.
    let offers = first.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    let Some(challenge) = offers.filter_map(|(_, value)| Challenge::parse(value).ok()).next() else {
        return Ok(first);
    };
    let style = if challenge.qop { Style::Qop } else { Style::Old };
    let answer = challenge.answer(style, device.owner(), "GET", path, 1);
    ask(&format!("Authorization: {answer}\r\n"))
}
