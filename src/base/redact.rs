//! Wrappers that keep secrets out of logs, error texts and `Debug` output.

use std::fmt;

use url::Url;

/// What stands in the place of a secret.
const MASK: &str = "…";

/// Holds a secret; `Debug` and `Display` print `…`.
///
/// The value comes out through [`Redacted::reveal`] alone, so a search for that word finds every place that handles a secret.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Wraps a secret.
    pub fn new(secret: T) -> Self {
        Self(secret)
    }

    /// Lends the secret itself; never to be formatted.
    pub fn reveal(&self) -> &T {
        &self.0
    }

    /// Gives the secret itself away.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl From<&str> for Redacted<String> {
    fn from(secret: &str) -> Self {
        Self(secret.to_owned())
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// A URL that may carry a user name and a password; `Debug` and `Display` print it as [`url()`] does.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Wraps a parsed URL.
    pub fn new(url: Url) -> Self {
        Self(url)
    }

    /// Lends the whole URL, user name and password included; never to be formatted.
    pub fn reveal(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&url(self.0.as_str()))
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&url(self.0.as_str()))
    }
}

/// Renders a URL for people: without user name, password and query.
///
/// It works on any text, since what failed to parse as a URL is what ends up in an error message: everything up to the
/// *last* `@` is taken for user information (a password may hold an unescaped `/` or `@`), and a path that mentions a
/// password (`/user=admin&password=x&channel=1`, seen on XM cameras) is dropped.
///
/// ```
/// use belvedere::base::redact;
/// assert_eq!(redact::url("rtsp://admin:s3cret@10.0.0.5:554/ch1?token=x"), "rtsp://…@10.0.0.5:554/ch1?…");
/// ```
pub fn url(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + 3),
        None => ("", text),
    };
    let (user, rest) = match rest.rfind('@') {
        Some(at) => ("…@", &rest[at + 1..]),
        None => ("", rest),
    };
    let (rest, query) = match rest.find(['?', '#']) {
        Some(at) => (&rest[..at], "?…"),
        None => (rest, ""),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let lower = path.to_ascii_lowercase();
    let path = if lower.contains("pass") || lower.contains("pwd") { "/…" } else { path };
    format!("{scheme}{user}{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_a_dot_line() {
        let secret = Redacted::new("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?}"), "… …");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn no_part_of_a_password_survives_in_a_url() {
        for (full, shown) in [
            ("rtsp://host/path", "rtsp://host/path"),
            ("rtsp://user:hunter2@host:554/path", "rtsp://…@host:554/path"),
            ("rtsp://user:hunter2@[::1]:554/path", "rtsp://…@[::1]:554/path"),
            ("rtsp://user:hun/ter2@host/path", "rtsp://…@host/path"),
            ("rtsp://user:hun@ter2@host/path", "rtsp://…@host/path"),
            ("rtsp://host/user=a&password=hunter2&channel=1.sdp", "rtsp://host/…"),
            ("rtsp://host/live?pwd=hunter2", "rtsp://host/live?…"),
            ("user:hunter2@host", "…@host"),
        ] {
            assert_eq!(url(full), shown);
        }
        let parsed = SecretUrl::new(Url::parse("rtsp://user:hunter2@host/path").unwrap());
        assert_eq!(format!("{parsed} {parsed:?}"), "rtsp://…@host/path rtsp://…@host/path");
        assert_eq!(parsed.reveal().password(), Some("hunter2"));
    }
}
