//! The story of each client: it introduces itself, makes and deletes a profile, sets an encoder, plays, and is refused what
//! its user may not; then the server loses its power, and nothing is forgotten.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use belvedere_harness::digest::Style;
use belvedere_harness::server::with_credentials;
use belvedere_harness::soap::{self, Answer, TDS, TER, TR2, TRT};
use belvedere_harness::{Proxy, Transport, Turn, play};
use serde_json::Value;

use super::driver::{Driver, Encoder, Findings, PROFILE, WANTED};
use super::site::{ADMIN, OPERATOR, Site, VIEWER};

/// Home Assistant's.
#[test]
fn onvif_zeep_async() -> Result<()> {
    story(Driver::ZeepAsync)
}

#[test]
fn onvif_python() -> Result<()> {
    story(Driver::OnvifPython)
}

/// That of Node-RED, Shinobi and Scrypted.
#[test]
fn onvif_of_npm() -> Result<()> {
    story(Driver::Agsh)
}

fn story(driver: Driver) -> Result<()> {
    // Frame rate and bit rate are measured.
    let site = Site::open(Turn::alone()?)?;
    let found = driver.run("visit", &site.proxy)?;
    check_introduction(&found, &site.proxy).context("introduction")?;
    check_profiles(&found).context("profiles")?;
    check_encoder(&found, &site.proxy).context("encoder")?;
    site.proxy.verdict()?;
    check_refusals(driver, &site)?;

    for secret in [ADMIN.1, OPERATOR.1, VIEWER.1] {
        ensure!(!site.server.log().contains(secret), "a password stands in the log");
    }

    let site = site.killed_and_restarted()?;
    let found = driver.run("look", &site.proxy)?;
    check_encoder(&found, &site.proxy).context("after a kill")?;
    site.proxy.verdict()?;
    Ok(())
}

/// The services with their addresses, and what the device says it is.
fn check_introduction(found: &Findings, proxy: &Proxy) -> Result<()> {
    let services = found.get("services")?;
    for namespace in [TDS, TRT, TR2] {
        let address = services[namespace].as_str().with_context(|| format!("no {namespace} in {services}"))?;
        ensure!(address.starts_with(&proxy.url("/onvif/")), "{address} is elsewhere");
    }
    ensure!(services[TRT] == *found.get("media")?, "GetCapabilities says otherwise than GetServices");
    let device = found.get("device")?.as_object().context("no device information")?;
    ensure!(
        device.len() == 4 && device.values().all(|value| value.as_str().is_some_and(|it| !it.is_empty())),
        "{device:?}"
    );
    let macs = found.list("macs")?;
    ensure!(macs.len() == 1 && macs[0].len() == 17 && macs[0].chars().any(|c| !"0:".contains(c)), "{macs:?}");
    let users = found.get("users")?;
    for (name, level) in [(ADMIN.0, "Administrator"), (OPERATOR.0, "Operator"), (VIEWER.0, "User")] {
        let is = |user: &Value| user[0] == name && user[1] == level;
        ensure!(users.as_array().is_some_and(|users| users.iter().any(is)), "{name} is not among {users}");
    }
    Ok(())
}

/// The fixed profiles, and one that came and went.
fn check_profiles(found: &Findings) -> Result<()> {
    let before = &found.get("profiles")?[PROFILE];
    ensure!(before["width"] == 640 && before["height"] == 360 && before["rate"].as_f64() == Some(15.0), "{before}");
    ensure!(before["kbps"].as_f64().is_some_and(|kbps| kbps > 3.0 * WANTED.kbps), "{before}");
    let made: (String, Vec<String>) = serde_json::from_value(found.get("made")?.clone())?;
    ensure!(made.1.contains(&made.0), "{made:?}");
    ensure!(found.list("deleted")? == ["ultra-hd", "hi-def", PROFILE, "jpeg"], "{:?}", found.list("deleted")?);
    let offered: Vec<(u64, u64)> = serde_json::from_value(found.get("offered")?.clone())?;
    ensure!(offered.contains(&WANTED.size), "{offered:?}");
    Ok(())
}

/// Both services say what was set, the stream is so, and there is a snapshot.
fn check_encoder(found: &Findings, proxy: &Proxy) -> Result<()> {
    let Encoder { size, rate, kbps } = WANTED;
    for service in ["media1", "media2"] {
        let told = found.get(service)?;
        ensure!(told["encoding"] == "H264" && told["width"] == size.0 && told["height"] == size.1, "{service}: {told}");
        ensure!(told["rate"].as_f64() == Some(rate) && told["kbps"].as_f64() == Some(kbps), "{service}: {told}");
    }
    let address = found.text("stream")?;
    ensure!(!address.contains('@'), "credentials in {address}");
    let probe = play::probe(&with_credentials(address)?, Transport::Tcp, 6)?;
    let video = probe.only("video")?;
    ensure!(probe.streams[video]["codec_name"] == "h264" && probe.size(video)? == size, "{}", probe.streams[video]);
    let (pictures, bits) = (probe.rate(video)?, probe.kbps(video)?);
    ensure!((pictures - rate).abs() <= 0.05 * rate, "{pictures} pictures a second, {rate} were set");
    ensure!((0.6 * kbps..1.1 * kbps).contains(&bits), "{bits} kbit/s, {kbps} were set");
    check_snapshot(found.text("snapshot")?, proxy)?;
    if let Ok(picture) = found.text("picture") {
        play::picture(&STANDARD.decode(picture)?).context("the picture that the client fetched")?;
    }
    Ok(())
}

/// SN-1, SN-2: a stranger is challenged, and whoever answers gets a JPEG picture.
fn check_snapshot(address: &str, proxy: &Proxy) -> Result<()> {
    let path = address.strip_prefix(&proxy.url("")).with_context(|| format!("{address} is elsewhere"))?;
    let refused = soap::get(proxy.address(), path, None)?;
    ensure!(refused.status == 401 && refused.challenges()?.len() == 2, "{refused:?}");
    for challenge in refused.challenges()? {
        let answer = challenge.answer(Style::Qop, ADMIN, "GET", path, 1);
        let answer = soap::get(proxy.address(), path, Some(&answer))?;
        ensure!(answer.status == 200 && answer.all("content-type").eq(["image/jpeg"]), "{}", answer.status);
        let size = play::picture(&answer.body)?;
        ensure!(size.0 >= 320 && size.1 >= 180, "{size:?}");
    }
    Ok(())
}

/// What users of lower levels and people with a wrong password are told, by what went over the wire.
fn check_refusals(driver: Driver, site: &Site) -> Result<()> {
    let proxy = Proxy::start(&site.server.http()?)?;
    let found = driver.run("refused", &proxy)?;
    // Media: reading is for all, ACTUATE for operators. Users: WRITE_SYSTEM, for administrators only (Core 5.9.4.3).
    for (user, what, operation, allowed) in [
        (OPERATOR.0, "Operator reads", "GetProfiles", true),
        (OPERATOR.0, "Operator sets", "SetVideoEncoderConfiguration", true),
        (OPERATOR.0, "Operator creates", "CreateUsers", false),
        (VIEWER.0, "User reads", "GetProfiles", true),
        (VIEWER.0, "User sets", "SetVideoEncoderConfiguration", false),
        (VIEWER.0, "User creates", "CreateUsers", false),
    ] {
        let told = answers(&proxy, operation, |signer| signer.is_some_and(|(name, _)| name == user));
        ensure!(!told.is_empty(), "{what}: nothing was asked");
        for answer in told {
            match allowed {
                true => drop(answer.done().context(what)?),
                false => not_authorized(&answer).context(what)?,
            }
        }
        ensure!(found.is_refused(what)? != allowed, "{what}: the client thinks otherwise");
    }
    check_wrong_passwords(&found, &proxy, driver != Driver::ZeepAsync)?;
    if driver == Driver::Agsh {
        ensure!(!found.list("right digest")?.is_empty(), "no profiles by Digest");
    }
    proxy.verdict()?;
    Ok(())
}

fn check_wrong_passwords(found: &Findings, proxy: &Proxy, knows_digest: bool) -> Result<()> {
    let by = |digest: bool| {
        answers(proxy, "GetDeviceInformation", move |signer| signer == Some((ADMIN.0.to_owned(), digest)))
    };
    ensure!(found.is_refused("wrong token")?, "the client got in");
    let subcodes = found.subcodes("wrong token")?;
    ensure!(
        subcodes.is_none_or(|subcodes| subcodes == [format!("{{{TER}}}NotAuthorized")]),
        "the client saw another fault"
    );
    let signed = by(false);
    ensure!(!signed.is_empty(), "no wrong token was sent");
    signed.iter().try_for_each(not_authorized).context("wrong token")?;
    if knows_digest {
        ensure!(found.is_refused("wrong digest")?, "the client got in");
        let digests = by(true);
        ensure!(!digests.is_empty(), "no wrong Digest was sent");
        digests.iter().try_for_each(challenged).context("wrong Digest")?;
    }
    Ok(())
}

/// Core 5.9.2: whoever proves with a token what does not suffice is told so in a fault, and not challenged.
fn not_authorized(answer: &Answer) -> Result<()> {
    let fault = answer.fault()?;
    ensure!(answer.status == 400 && fault == "env:Sender/ter:NotAuthorized", "{}: {fault}", answer.status);
    ensure!(answer.challenges()?.is_empty(), "challenged");
    Ok(())
}

/// Core 5.9.1: no Digest, or a wrong one, is answered with challenges.
fn challenged(answer: &Answer) -> Result<()> {
    let fault = answer.fault()?;
    ensure!(answer.status == 401 && fault == "env:Sender/ter:NotAuthorized", "{}: {fault}", answer.status);
    ensure!(answer.challenges()?.len() == 2, "{} challenges", answer.challenges()?.len());
    Ok(())
}

/// The answers to an operation that were given to those who signed so: name, and whether by Digest.
fn answers(proxy: &Proxy, operation: &str, signed: impl Fn(Option<(String, bool)>) -> bool) -> Vec<Answer> {
    let mut answers = Vec::new();
    for exchange in proxy.exchanges() {
        let body = String::from_utf8_lossy(&exchange.request.body).into_owned();
        let digest = exchange.request.header("authorization").and_then(|header| between(header, "username=\"", "\""));
        let token = || between(&body, "Username>", "<").filter(|_| body.contains("UsernameToken"));
        let signer = digest.map(|name| (name, true)).or_else(|| token().map(|name| (name, false)));
        let asked = [" ", ">", "/"].iter().any(|end| body.contains(&format!("{operation}{end}")));
        if asked && signed(signer) {
            answers.extend(exchange.response.iter().map(Answer::from));
        }
    }
    answers
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once(start)?;
    rest.split(end).next().map(str::to_owned)
}
