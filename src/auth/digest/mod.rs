//! Digest access authentication, RFC 7616 with RFC 2617 and RFC 2069 clients tolerated (AU-4 to AU-8); no I/O.
//!
//! What the field needs and we therefore do:
//! - One challenge per algorithm, each in a `WWW-Authenticate` header of its own, SHA-256 first and MD5 last (AU-5): old
//!   clients know MD5 only and several of them take the last challenge that they see.
//! - `algorithm` is written out for MD5 too: GStreamer gathers the parameters of all challenges in one table.
//! - Responses without `qop` are accepted (AU-6); `-sess` and `auth-int` are neither offered nor accepted.

mod credentials;
mod nonce;

use std::fmt;

use ctutils::CtEq as _;
use md5::Md5;
use sha2::{Digest as _, Sha256};

pub use credentials::{Credentials, ParseError};
pub use nonce::{Freshness, Nonces};

use super::hex;

/// A hash algorithm of Digest authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256, RFC 7616.
    Sha256,
    /// MD5, RFC 2617: the default where a client names none (AU-4).
    Md5,
}

impl Algorithm {
    /// Every algorithm, in the order of the challenges (AU-5).
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Md5];

    /// Returns the token of the `algorithm` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// Lets tests play the client.
    #[cfg(test)]
    pub(super) fn hash_for_tests(self, parts: &[&str]) -> String {
        self.hash(parts)
    }

    /// Hashes parts joined by colons and returns lower-case hexadecimal digits: the `H(a ":" b …)` of the RFCs.
    fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Sha256 => hex(&Sha256::digest(text.as_bytes())),
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
        }
    }
}

/// The HA1 forms of one password: `H(user ":" realm ":" password)` per algorithm.
///
/// They stand for the password within one realm, so they are a secret like it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Ha1 {
    sha256: String,
    md5: String,
}

impl Ha1 {
    /// Derives the forms.
    pub(super) fn derive(user: &str, realm: &str, password: &str) -> Self {
        let parts = [user, realm, password];
        Self { sha256: Algorithm::Sha256.hash(&parts), md5: Algorithm::Md5.hash(&parts) }
    }

    fn form(&self, algorithm: Algorithm) -> &str {
        match algorithm {
            Algorithm::Sha256 => &self.sha256,
            Algorithm::Md5 => &self.md5,
        }
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(…)")
    }
}

/// Writes the values of the `WWW-Authenticate` headers, in the order in which they must be sent (AU-5, AU-7).
///
/// The challenges share one nonce, as in the example of RFC 7616, section 3.9.1.
pub(super) fn challenges(realm: &str, nonce: &str, stale: bool, algorithms: &[Algorithm]) -> Vec<String> {
    let stale = if stale { ", stale=true" } else { "" };
    algorithms
        .iter()
        .map(|a| format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", algorithm={}{stale}", a.as_str()))
        .collect()
}

/// Tells whether the response in the credentials is the one that the holder of the password would give.
///
/// Compares in constant time. The digest-uri is hashed as the client wrote it; whether it means the requested resource is
/// the question of [`same_resource`].
pub(super) fn response_matches(credentials: &Credentials, ha1: &Ha1, method: &str) -> bool {
    let algorithm = credentials.algorithm();
    let ha1 = ha1.form(algorithm);
    let ha2 = algorithm.hash(&[method, &credentials.uri]);
    let expected = match &credentials.qop_auth {
        // RFC 7616, section 3.4.1, with qop.
        Some(qop) => algorithm.hash(&[ha1, &credentials.nonce, &qop.nc, &qop.cnonce, "auth", &ha2]),
        // RFC 2069, section 2.1.2.
        None => algorithm.hash(&[ha1, &credentials.nonce, &ha2]),
    };
    expected.as_bytes().ct_eq(credentials.response.as_bytes()).to_bool()
}

/// Tells whether a digest-uri may stand for the request URI (AU-8).
///
/// Clients sign the absolute URL or its path, with or without a trailing slash or the query, and the aggregate URL where
/// they request a track of it (live555, GStreamer) or the reverse. So authority and query are left aside, and the paths may
/// differ by one last segment. `*` stands for itself alone.
pub(super) fn same_resource(signed: &str, requested: &str) -> bool {
    if signed == requested || signed == "*" || requested == "*" {
        return signed == requested;
    }
    let (a, b) = (segments(signed), segments(requested));
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    long.len() - short.len() <= 1 && long.starts_with(&short)
}

/// Returns the path segments of a URI, without authority, query and empty segments.
fn segments(uri: &str) -> Vec<&str> {
    let path = match uri.find("://") {
        Some(at) => {
            let rest = &uri[at + 3..];
            &rest[rest.find('/').unwrap_or(rest.len())..]
        }
        None => uri,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks credentials against a password, as the gate does it.
    fn matches(header: &str, user: &str, realm: &str, password: &str, method: &str) -> bool {
        let credentials = Credentials::parse(header).unwrap();
        response_matches(&credentials, &Ha1::derive(user, realm, password), method)
    }

    /// RFC 7616, section 3.9.1: both algorithms.
    #[test]
    fn rfc_7616_example() {
        let common = r#"Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html",
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth,
            opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;
        let md5 = format!(r#"{common}, algorithm=MD5, response="8ca523f5e9506fed4657c9700eebdbec""#);
        let sha = format!(
            r#"{common}, algorithm=SHA-256, response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1""#
        );
        for header in [md5, sha] {
            assert!(matches(&header, "Mufasa", "http-auth@example.org", "Circle of Life", "GET"));
            assert!(!matches(&header, "Mufasa", "http-auth@example.org", "Circle of life", "GET"));
            assert!(!matches(&header, "Mufasa", "http-auth@example.org", "Circle of Life", "POST"));
        }
    }

    /// RFC 2617, section 3.5.
    #[test]
    fn rfc_2617_example() {
        let header = r#"Digest username="Mufasa", realm="testrealm@host.com",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001,
            cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        assert!(matches(header, "Mufasa", "testrealm@host.com", "Circle Of Life", "GET"));
    }

    /// RFC 2069, section 2.4, with the response of its erratum 749: no qop (AU-6).
    #[test]
    fn rfc_2069_example() {
        let header = r#"Digest username="Mufasa", realm="testrealm@host.com",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html",
            response="1949323746fe6a43ef61f9606e7febea", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        assert!(matches(header, "Mufasa", "testrealm@host.com", "CircleOfLife", "GET"));
    }

    /// AU-5, AU-7.
    #[test]
    fn strongest_challenge_first_and_md5_last() {
        let lines = challenges("belvedere-1", "abc", true, &Algorithm::ALL);
        assert_eq!(
            lines,
            [
                r#"Digest realm="belvedere-1", nonce="abc", qop="auth", algorithm=SHA-256, stale=true"#,
                r#"Digest realm="belvedere-1", nonce="abc", qop="auth", algorithm=MD5, stale=true"#,
            ]
        );
        assert!(!challenges("r", "n", false, &Algorithm::ALL)[0].contains("stale"));
    }

    /// AU-8.
    #[test]
    fn uris_are_compared_leniently_but_not_blindly() {
        let base = "rtsp://10.0.0.2:8554/cam/hi-def";
        for signed in [
            "rtsp://10.0.0.2:8554/cam/hi-def",
            "rtsp://10.0.0.2:8554/cam/hi-def/",
            "rtsp://belvedere.local/cam/hi-def",
            "/cam/hi-def",
            "/cam/hi-def/",
            "/cam/hi-def?transport=tcp",
            "rtsp://10.0.0.2:8554/cam/hi-def/trackID=0",
        ] {
            assert!(same_resource(signed, base), "{signed}");
            assert!(same_resource(base, signed), "{signed} the other way");
        }
        for signed in ["/cam/standard", "/other/hi-def", "/cam/hi-definition", "/cam/hi-def/a/b", "/", "*", ""] {
            assert!(!same_resource(signed, base), "{signed}");
        }
        assert!(same_resource("*", "*"));
    }

    #[test]
    fn ha1_is_never_printed() {
        let ha1 = Ha1::derive("u", "r", "p");
        assert_eq!(format!("{ha1:?}"), "Ha1(…)");
    }
}
