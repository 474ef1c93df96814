//! What was answered is kept, whatever happens next; and what was begun is finished.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use belvedere_harness::soap::{DEVICE, Request, TDS, TR2, TRT, Token};
use belvedere_harness::{Turn, process};

use super::site::{ADMIN, OPERATOR, Site};

const TT: &str = "http://www.onvif.org/ver10/schema";

/// The power goes as soon as the answers are there: users, profiles, scopes and encoders are as they were answered.
#[test]
fn what_was_answered_is_kept() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    let profile = format!("<CreateProfile xmlns=\"{TRT}\"><Name>Kept</Name><Token>kept</Token></CreateProfile>");
    let scope = "onvif://www.onvif.org/location/gate";
    let scopes = format!("<AddScopes xmlns=\"{TDS}\"><ScopeItem>{scope}</ScopeItem></AddScopes>");
    site.create_users()?;
    for body in [profile, scopes, with_rate(7)] {
        site.ask(Request::body(DEVICE, &body))?.done()?;
    }
    let site = site.killed_and_restarted()?;
    let question = Request::operation(DEVICE, TDS, "GetScopes");
    let scopes = site.send(&question.token(&Token::new(OPERATOR)?))?.done()?.texts("ScopeItem")?;
    ensure!(scopes.contains(&scope.to_owned()), "{scopes:?}");
    let profiles = site.ask(Request::operation(DEVICE, TRT, "GetProfiles"))?.done()?.attributes("Profiles", "token")?;
    ensure!(profiles.contains(&"kept".to_owned()), "{profiles:?}");
    ensure!(rate(&site)? == "7", "{} pictures a second", rate(&site)?);
    site.proxy.verdict()?;
    Ok(())
}

/// Recorders hang up when they run into a time limit of their own, in the middle of a change: what the services tell then is
/// what is kept.
#[test]
fn a_change_is_whole_though_its_client_hangs_up() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    // The engine has to be there, or it has no part in the change.
    site.server.engine()?;
    for number in 0..12 {
        let request = Request::body(DEVICE, &with_rate(3 + number)).token(&Token::new(ADMIN)?);
        // Not through the proxy, which would wait for the answer.
        let device = site.server.http()?.trim_start_matches("http://").parse()?;
        request.send_and_leave(device, Duration::from_micros(u64::from(number) * 500))?;
        thread::sleep(Duration::from_millis(50));
    }
    let mut told = String::new();
    process::until(Duration::from_secs(5), "the last change is told", || {
        let now = rate(&site)?;
        thread::sleep(Duration::from_millis(200));
        Ok(std::mem::replace(&mut told, now) == told)
    })?;
    ensure!(told != "15", "no change was made at all");
    let site = site.killed_and_restarted()?;
    ensure!(rate(&site)? == told, "{} pictures a second, {told} were told before the restart", rate(&site)?);
    site.proxy.verdict()?;
    Ok(())
}

/// The request to set the frame rate of an encoder.
fn with_rate(rate: u32) -> String {
    let tt = |name: &str, content: &str| format!("<{name} xmlns=\"{TT}\">{content}</{name}>");
    let parts = [
        tt("Name", "Kept"),
        tt("UseCount", "1"),
        tt("Encoding", "H264"),
        tt("Resolution", "<Width>640</Width><Height>360</Height>"),
        tt("RateControl", &format!("<FrameRateLimit>{rate}</FrameRateLimit><BitrateLimit>500</BitrateLimit>")),
        tt("Quality", "1"),
    ];
    let configuration = format!("<Configuration token=\"standard\">{}</Configuration>", parts.concat());
    format!("<SetVideoEncoderConfiguration xmlns=\"{TR2}\">{configuration}</SetVideoEncoderConfiguration>")
}

/// The frame rate of that encoder as it is told.
fn rate(site: &Site) -> Result<String> {
    let body = format!(
        "<GetVideoEncoderConfigurations xmlns=\"{TR2}\"><ConfigurationToken>standard</ConfigurationToken>\
         </GetVideoEncoderConfigurations>"
    );
    Ok(site.ask(Request::body(DEVICE, &body))?.done()?.texts("FrameRateLimit")?.remove(0))
}
