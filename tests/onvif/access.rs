//! Tokens and Digest that are right, wrong, old, or used before (Core 5.9).

use anyhow::{Context, Result, ensure};
use belvedere_harness::Turn;
use belvedere_harness::digest::{Algorithm, Style};
use belvedere_harness::soap::{Answer, DEVICE, Request, Spelling, TDS, Token};

use super::site::{ADMIN, Site};

/// An operation that every user may call, and nobody else.
fn question() -> Request {
    Request::operation(DEVICE, TDS, "GetDeviceInformation")
}

/// Demands the fault of a token that does not suffice.
fn not_authorized(answer: &Answer) -> Result<()> {
    let fault = answer.fault()?;
    ensure!(answer.status == 400 && fault == "env:Sender/ter:NotAuthorized", "{}: {fault}", answer.status);
    ensure!(answer.challenges()?.is_empty(), "a token was answered with challenges");
    Ok(())
}

/// Demands challenges, strongest first, with the fault; gives whether they call the nonce stale.
fn challenged(answer: &Answer) -> Result<bool> {
    let fault = answer.fault()?;
    ensure!(answer.status == 401 && fault == "env:Sender/ter:NotAuthorized", "{}: {fault}", answer.status);
    let challenges = answer.challenges()?;
    let algorithms: Vec<_> = challenges.iter().map(|challenge| challenge.algorithm).collect();
    ensure!(algorithms == [Algorithm::Sha256, Algorithm::Md5], "{algorithms:?}");
    ensure!(challenges.iter().all(|challenge| challenge.qop), "no qop: {challenges:?}");
    Ok(challenges[0].stale)
}

/// A token is good within five minutes of the device's clock, either way, however its elements are spelt.
#[test]
fn tokens_are_good_for_five_minutes() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    for spelling in [Spelling::Prefixes, Spelling::Defaults] {
        for age in [0, 280, -280] {
            let answer = site.send(&question().token(&Token::aged(ADMIN, age)?).spelt(spelling))?;
            answer.done().with_context(|| format!("{age} s old, {spelling:?}"))?;
        }
        for age in [320, -320, 3600, -36_000] {
            let answer = site.send(&question().token(&Token::aged(ADMIN, age)?).spelt(spelling))?;
            not_authorized(&answer).with_context(|| format!("{age} s old, {spelling:?}"))?;
        }
    }
    site.proxy.verdict()?;
    Ok(())
}

/// A token that somebody has copied is of no use: neither for the same request nor for another.
#[test]
fn a_token_is_good_once() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    let token = Token::new(ADMIN)?;
    site.send(&question().token(&token))?.done()?;
    for replay in [question(), Request::operation(DEVICE, TDS, "GetUsers")] {
        not_authorized(&site.send(&replay.token(&token))?)?;
        not_authorized(&site.send(&question().token(&token).spelt(Spelling::Defaults))?)?;
    }
    // Its owner is not locked out.
    site.device("GetUsers")?;
    site.proxy.verdict()?;
    Ok(())
}

/// A wrong password and an unknown user are told the same; what is open to everybody is open to them, too, for it may be
/// their clock that is wrong.
#[test]
fn wrong_tokens_are_not_authorized() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    let wrong = [(ADMIN.0, "wrong"), ("nobody", ADMIN.1), (ADMIN.0, "")];
    let mut bodies = Vec::new();
    for who in wrong {
        let answer = site.send(&question().token(&Token::new(who)?))?;
        not_authorized(&answer).with_context(|| format!("{who:?}"))?;
        bodies.push(answer.body);
        let time = Request::operation(DEVICE, TDS, "GetSystemDateAndTime").token(&Token::new(who)?);
        site.send(&time)?.done()?;
    }
    ensure!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "the answers tell who exists");
    site.proxy.verdict()?;
    Ok(())
}

/// Without credentials, and with wrong ones of Digest, there are challenges; each algorithm gets in, in both manners.
#[test]
fn digest_is_offered_and_taken() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    let first = site.send(&question())?;
    ensure!(!challenged(&first)?, "nothing was stale");
    let answer = |authorization: String| site.send(&question().header("Authorization", &authorization));
    for (count, challenge) in (1..).zip(first.challenges()?) {
        for style in [Style::Qop, Style::Old] {
            answer(challenge.answer(style, ADMIN, "POST", DEVICE, count))?.done()?;
        }
        for who in [(ADMIN.0, "wrong"), ("nobody", ADMIN.1)] {
            let refused = answer(challenge.answer(Style::Qop, who, "POST", DEVICE, count))?;
            ensure!(!challenged(&refused)?, "{who:?}: wrong, not stale");
        }
    }
    site.proxy.verdict()?;
    Ok(())
}

/// `qop=auth` does not cover the body: a header that somebody has copied would carry any command. A nonce that is not ours,
/// used with the right password, is stale.
#[test]
fn a_digest_is_good_once() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    let mut challenge = site.send(&question())?.challenges()?.remove(0);
    let header = challenge.answer(Style::Qop, ADMIN, "POST", DEVICE, 1);
    site.send(&question().header("Authorization", &header))?.done()?;
    let replay = Request::operation(DEVICE, TDS, "GetUsers").header("Authorization", &header);
    ensure!(challenged(&site.send(&replay)?)?, "a replay is answered with a new nonce");
    let next = challenge.answer(Style::Qop, ADMIN, "POST", DEVICE, 2);
    site.send(&question().header("Authorization", &next))?.done()?;
    challenge.nonce = "00".repeat(24);
    let unknown = challenge.answer(Style::Qop, ADMIN, "POST", DEVICE, 1);
    ensure!(challenged(&site.send(&question().header("Authorization", &unknown))?)?, "an unknown nonce is stale");
    site.proxy.verdict()?;
    Ok(())
}

/// If both kinds come, both must hold, Digest first (Core 5.9).
#[test]
fn both_kinds_together_must_hold() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    let challenge = site.send(&question())?.challenges()?.remove(0);
    let both = |count, password: &str, token: (&str, &str)| -> Result<Answer> {
        let header = challenge.answer(Style::Qop, (ADMIN.0, password), "POST", DEVICE, count);
        site.send(&question().header("Authorization", &header).token(&Token::new(token)?))
    };
    both(1, ADMIN.1, ADMIN)?.done()?;
    challenged(&both(2, "wrong", ADMIN)?)?;
    not_authorized(&both(3, ADMIN.1, (ADMIN.0, "wrong"))?)?;
    site.proxy.verdict()?;
    Ok(())
}
