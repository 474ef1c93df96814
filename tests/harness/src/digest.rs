//! Digest as a client does it, written from RFC 2069, RFC 2617 and RFC 7616 and not from the server's code.

use anyhow::{Context, Result, bail, ensure};
use md5::{Digest as _, Md5};
use sha2::Sha256;

/// A hash algorithm of Digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `MD5`, also meant when a challenge names none.
    Md5,
    /// `SHA-256`.
    Sha256,
}

/// How an answer is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With `qop=auth`, `nc` and `cnonce` (RFC 2617, RFC 7616).
    Qop,
    /// Without (RFC 2069), as old recorders and gst-rtsp-server's clients do.
    Old,
}

/// A challenge of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The realm.
    pub realm: String,
    /// The nonce.
    pub nonce: String,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Whether `qop` offers `auth`.
    pub qop: bool,
    /// Whether the credentials were right and only the nonce too old.
    pub stale: bool,
    /// The opaque value that has to come back.
    pub opaque: Option<String>,
}

impl Challenge {
    /// Reads the value of a `WWW-Authenticate` header.
    pub fn parse(header: &str) -> Result<Self> {
        // The name of a scheme is written in any case (RFC 9110, section 11.1), and so is that of an algorithm by some.
        let (scheme, rest) = header.trim_start().split_once(' ').unwrap_or_default();
        ensure!(scheme.eq_ignore_ascii_case("Digest"), "no Digest challenge: {header}");
        let fields = fields(rest);
        let get =
            |name: &str| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        let algorithm = match get("algorithm").map(|name| name.to_ascii_uppercase()).as_deref() {
            None | Some("MD5") => Algorithm::Md5,
            Some("SHA-256") => Algorithm::Sha256,
            Some(other) => bail!("unknown algorithm {other}"),
        };
        Ok(Self {
            realm: get("realm").context("no realm")?,
            nonce: get("nonce").context("no nonce")?,
            algorithm,
            qop: get("qop").is_some_and(|value| value.split(',').any(|qop| qop.trim() == "auth")),
            stale: get("stale").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            opaque: get("opaque"),
        })
    }

    /// The value of the `Authorization` header that answers this challenge. `count` is the nonce count, from 1.
    pub fn answer(&self, style: Style, who: (&str, &str), method: &str, uri: &str, count: u32) -> String {
        let hash = |text: String| match self.algorithm {
            Algorithm::Md5 => hex(&Md5::digest(text.as_bytes())),
            Algorithm::Sha256 => hex(&Sha256::digest(text.as_bytes())),
        };
        let (user, password) = who;
        let secret = hash(format!("{user}:{}:{password}", self.realm));
        let target = hash(format!("{method}:{uri}"));
        let nonce = &self.nonce;
        let mut header =
            format!("Digest username=\"{user}\", realm=\"{}\", nonce=\"{nonce}\", uri=\"{uri}\"", self.realm);
        let response = match style {
            Style::Qop => {
                let (nc, cnonce) = (format!("{count:08x}"), "0a4f113b");
                header += &format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\"");
                hash(format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{target}"))
            }
            Style::Old => hash(format!("{secret}:{nonce}:{target}")),
        };
        header += &format!(", response=\"{response}\"");
        if self.algorithm == Algorithm::Sha256 {
            header += ", algorithm=SHA-256";
        }
        if let Some(opaque) = &self.opaque {
            header += &format!(", opaque=\"{opaque}\"");
        }
        header
    }
}

/// Splits `a="b, c", d=e` into its pairs.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        fields.push((key.trim().to_owned(), value.trim().to_owned()));
        rest = after.trim_start_matches([',', ' ']);
    }
    fields
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2617 section 3.5, with the client nonce that stands there.
    #[test]
    fn the_example_of_rfc_2617() {
        let header = r#"Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        let challenge = Challenge::parse(header).unwrap();
        assert!(challenge.qop && !challenge.stale);
        let answer = challenge.answer(Style::Qop, ("Mufasa", "Circle Of Life"), "GET", "/dir/index.html", 1);
        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
        assert!(answer.ends_with("opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""));
    }

    #[test]
    fn names_are_written_in_any_case() {
        let challenge = Challenge::parse(r#"digest realm="r", nonce="n", algorithm=md5, stale=TRUE"#).unwrap();
        assert_eq!((challenge.algorithm, challenge.stale), (Algorithm::Md5, true));
        let sha = Challenge::parse(r#"DIGEST Realm="r",NONCE="n",algorithm="sha-256",qop="auth""#).unwrap();
        assert_eq!((sha.algorithm, sha.qop), (Algorithm::Sha256, true));
        for other in
            ["Basic realm=\"r\"", "Digest", "Digest realm=\"r\"", "Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess"]
        {
            assert!(Challenge::parse(other).is_err(), "{other}");
        }
    }

    /// The same by RFC 2069; the value was computed with md5sum.
    #[test]
    fn an_old_client_hashes_without_qop() {
        let challenge = Challenge::parse(r#"Digest realm="r", nonce="n""#).unwrap();
        let answer = challenge.answer(Style::Old, ("u", "p"), "DESCRIBE", "rtsp://h/", 1);
        assert!(answer.contains("response=\"6231f339632dca5d8dc9df283162399c\""), "{answer}");
        assert!(!answer.contains("qop"));
    }

    /// The same with SHA-256; the value was computed with sha256sum.
    #[test]
    fn sha_256_is_named_in_the_answer() {
        let challenge =
            Challenge::parse(r#"Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth", stale=TRUE"#).unwrap();
        assert!(challenge.stale);
        let answer = challenge.answer(Style::Qop, ("u", "p"), "PLAY", "rtsp://h/", 2);
        assert!(
            answer.contains("response=\"29b9a48989711a8163e4cdc9c55feb40774f65c449de9fd207c2d5594990d039\""),
            "{answer}"
        );
        assert!(answer.contains("algorithm=SHA-256") && answer.contains("nc=00000002"));
    }
}
