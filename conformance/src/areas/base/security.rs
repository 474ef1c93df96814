//! Who is let in (cases SECURITY-1-1-*).

use super::users::with_administrator;
use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    feature::Feature,
    soap::{Call, Token, Who},
    test::Test,
    verdict::Outcome,
};

const PASSWORD_TEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";

pub(super) fn cases() -> Vec<Case> {
    vec![case("SECURITY-1-1-1", Changes, username_token), case("SECURITY-1-1-2", Reads, digest)]
}

/// A request that nobody may make without saying who he is.
fn secret(t: &Test<'_>) -> &'static str {
    if t.has(Feature::UserConfiguration) { "<tds:GetUsers/>" } else { "<tds:GetDeviceInformation/>" }
}

fn username_token(t: &mut Test<'_>) -> Outcome {
    // Each its own nonce: that one was there before must not be the reason.
    let good = |t: &Test<'_>| Token::of(t.device.owner(), t.device.clock.now(t.device));
    t.step("4", "tokens that lack something are refused");
    // Each has the digest that belongs to what is left in it, so that nothing but the lack can be the reason.
    demand_refused(t, "a token without nonce", &Token { nonce: None, ..good(t) })?;
    demand_refused(t, "a token without time", &Token { created: None, ..good(t) })?;
    demand_refused(t, "a token without type of the password", &Token { kind: None, ..good(t) })?;
    let text = Token { kind: Some(PASSWORD_TEXT), ..good(t) };
    demand_refused(t, "a token whose type is that of a plain password", &text)?;
    plain_password(t)?;
    t.step("6", "a token with all that belongs to it is taken");
    let (user, password) = t.device.owner();
    t.ask_by(&Call::new(secret(t)).by(Who::Token(user.into(), password.into()))).map(drop)
}

/// A password is sent as it is only if it is nobody's.
fn plain_password(t: &mut Test<'_>) -> Outcome {
    let refuse = |t: &mut Test<'_>, who: (&str, &str)| {
        let token = Token { kind: Some(PASSWORD_TEXT), plain: true, ..Token::of(who, t.device.clock.now(t.device)) };
        demand_refused(t, "a token with a plain password", &token)
    };
    if !t.has(Feature::UserConfiguration) || with_administrator(t, refuse)?.is_none() {
        t.note("a plain password was not tried: no user can be made for it");
    }
    Ok(())
}

fn demand_refused(t: &mut Test<'_>, what: &str, token: &Token) -> Outcome {
    let answer = t.exchange(&Call::new(secret(t)).by(Who::Header(token.header())))?;
    let refused = answer.status != 200 || answer.fault().is_some();
    t.demand(refused, format!("{what} is refused"), format!("{}: it is taken", answer.status))
}

fn digest(t: &mut Test<'_>) -> Outcome {
    t.step("4", "a request without authentication gets 401");
    let answer = t.exchange(&Call::new(secret(t)).by(Who::Nobody))?;
    t.same("HTTP status", 401, answer.status)?;
    t.step("5", "a challenge tells what is needed for an answer");
    let all = answer.message.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    let all: Vec<&str> = all.map(|(_, value)| value.as_str()).collect();
    let complete = |value: &&str| {
        let lower = value.to_ascii_lowercase();
        lower.starts_with("digest ") && lower.contains("realm=") && lower.contains("nonce=")
    };
    let expected = "WWW-Authenticate with Digest, realm and nonce";
    t.demand(
        all.iter().any(complete),
        expected,
        if all.is_empty() { "no such header".into() } else { all.join("; ") },
    )?;
    t.step("7", "a request with the answer to it is taken");
    let (user, password) = t.device.owner();
    t.ask_by(&Call::new(secret(t)).by(Who::Digest(user.into(), password.into()))).map(drop)
}
