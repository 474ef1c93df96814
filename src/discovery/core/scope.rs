//! When a scope that is asked for matches one that a device has (WS-Discovery section 5.1, Core section 7.3.3).

use super::names::DISCOVERY;

/// A rule for matching scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Scheme and authority are the same but for case, and the path of the one asked for is, segment by segment, the
    /// beginning of the other. Query and fragment do not count, and a `.` or `..` segment matches nothing.
    Rfc3986,
    /// The same, character by character.
    Strcmp0,
    /// Only a device without scopes is meant.
    None,
}

impl Rule {
    /// The rules that we know, by name; the first is what a Probe without a name means.
    pub const SUPPORTED: [&str; 4] = [
        "http://schemas.xmlsoap.org/ws/2005/04/discovery/rfc3986",
        "http://schemas.xmlsoap.org/ws/2005/04/discovery/rfc2396",
        "http://schemas.xmlsoap.org/ws/2005/04/discovery/strcmp0",
        "http://schemas.xmlsoap.org/ws/2005/04/discovery/none",
    ];

    /// Finds a rule by its name.
    pub fn named(name: Option<&str>) -> Option<Self> {
        let Some(name) = name else { return Some(Self::Rfc3986) };
        match name.strip_prefix(DISCOVERY)? {
            // ONVIF put the present RFC in the place of the one that the paper of 2005 names.
            "/rfc3986" | "/rfc2396" => Some(Self::Rfc3986),
            "/strcmp0" => Some(Self::Strcmp0),
            "/none" => Some(Self::None),
            _ => None,
        }
    }

    /// Whether a device with these scopes is meant: each that is asked for must match one of its own.
    pub fn matches(self, asked: &[String], own: &[String]) -> bool {
        match self {
            Self::Rfc3986 => asked.iter().all(|asked| own.iter().any(|own| begins(asked, own))),
            Self::Strcmp0 => asked.iter().all(|asked| own.contains(asked)),
            Self::None => asked.is_empty() && own.is_empty(),
        }
    }
}

/// A URI taken apart.
struct Uri<'a> {
    scheme: &'a str,
    authority: &'a str,
    /// Segments of the path, decoded; without an empty one at the end.
    segments: Vec<Vec<u8>>,
}

fn begins(asked: &str, own: &str) -> bool {
    let (Some(asked), Some(own)) = (Uri::new(asked), Uri::new(own)) else { return false };
    asked.scheme.eq_ignore_ascii_case(own.scheme)
        && asked.authority.eq_ignore_ascii_case(own.authority)
        && own.segments.starts_with(&asked.segments)
}

impl<'a> Uri<'a> {
    /// Nothing for a text that is no absolute URI, and for one with a segment that matches nothing.
    fn new(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let mut letters = scheme.bytes();
        let begins_well = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if !begins_well || !letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
            return None;
        }
        let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
            None => ("", rest),
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        // `onvif://www.onvif.org/` asks for no more than `onvif://www.onvif.org` does.
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<_> = if path.is_empty() { Vec::new() } else { path.split('/').map(decode).collect() };
        let relative = segments.iter().any(|segment| segment == b"." || segment == b"..");
        if relative { None } else { Some(Self { scheme, authority, segments }) }
    }
}

/// Undoes percent-encoding; what is no encoding stays as it is.
fn decode(segment: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(digit(*high) << 4 | digit(*low));
                rest = after;
            }
            _ => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    decoded
}

fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        _ => (hex | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(scopes: &[&str]) -> Vec<String> {
        scopes.iter().map(|scope| (*scope).to_owned()).collect()
    }

    #[test]
    fn the_example_of_the_specification() {
        let own = owned(&[
            "onvif://www.onvif.org/Profile/Streaming",
            "onvif://www.onvif.org/hardware/D1-566",
            "onvif://www.onvif.org/location/country/china",
            "onvif://www.onvif.org/name/ARV-453",
        ]);
        let asked = |scopes: &[&str]| Rule::Rfc3986.matches(&owned(scopes), &own);
        assert!(asked(&["onvif://www.onvif.org"]));
        assert!(asked(&["onvif://www.onvif.org/location/country/china"]));
        assert!(!asked(&["onvif://www.onvif.org/hardware/D1"]));
        assert!(asked(&["onvif://www.onvif.org/location", "onvif://www.onvif.org/Profile/Streaming"]));
        assert!(!asked(&["onvif://www.onvif.org/location", "onvif://www.onvif.org/Profile/T"]), "all must match");
        assert!(asked(&[]));
    }

    #[test]
    fn segments_are_compared_decoded_and_by_case() {
        for (asked, own, expected) in [
            ("ONVIF://WWW.onvif.org/name", "onvif://www.onvif.org/name/a", true),
            ("onvif://www.onvif.org/Name", "onvif://www.onvif.org/name/a", false),
            ("onvif://www.onvif.org/", "onvif://www.onvif.org/name/a", true),
            ("onvif://www.onvif.org/name/front%20door", "onvif://www.onvif.org/name/front%20door/left", true),
            ("onvif://www.onvif.org/name/%66ront", "onvif://www.onvif.org/name/front", true),
            ("onvif://www.onvif.org/name%2Ffront", "onvif://www.onvif.org/name/front", false),
            ("onvif://www.onvif.org/name/front/door", "onvif://www.onvif.org/name/front", false),
            ("onvif://www.onvif.org/name?x=1#y", "onvif://www.onvif.org/name/front", true),
            ("onvif://www.onvif.org/name/./front", "onvif://www.onvif.org/name/./front", false),
            ("onvif://www.onvif.org/name/%2e%2E", "onvif://www.onvif.org/name/%2e%2E", false),
            ("onvif://www.onvif.org/%zz%4", "onvif://www.onvif.org/%zz%4", true),
            ("http://www.onvif.org", "onvif://www.onvif.org/name", false),
            ("onvif://other/name", "onvif://www.onvif.org/name", false),
            ("urn:uuid:1", "urn:uuid:1", true),
            ("name", "name", false),
            ("", "onvif://www.onvif.org", false),
        ] {
            assert_eq!(begins(asked, own), expected, "{asked} and {own}");
        }
    }

    #[test]
    fn rules_are_found_by_name() {
        assert_eq!(Rule::named(None), Some(Rule::Rfc3986));
        for name in Rule::SUPPORTED {
            assert!(Rule::named(Some(name)).is_some(), "{name}");
        }
        assert_eq!(Rule::named(Some("http://schemas.xmlsoap.org/ws/2005/04/discovery/ldap")), None);
        assert_eq!(Rule::named(Some("rfc3986")), None);
        let own = owned(&["onvif://www.onvif.org/name/a"]);
        assert!(Rule::Strcmp0.matches(&own, &own));
        assert!(!Rule::Strcmp0.matches(&owned(&["onvif://www.onvif.org/name"]), &own));
        assert!(!Rule::None.matches(&[], &own) && Rule::None.matches(&[], &[]));
    }
}
