//! Stream addresses.

use super::Definition;

/// What the path of an RTSP address names, decoded once.
///
/// | path | meaning |
/// |---|---|
/// | `/<camera>/ultra-hd`, `/hi-def`, `/standard`, `/jpeg` | a fixed profile |
/// | `/<camera>/p/<token>` | a profile by its token: the permanent address (TR-13) |
/// | `/<camera>/t/<track>` | one track alone |
/// | `/ultra-hd` … | the same without the camera's id |
/// | `/h264_stream`, `/Streaming/Channels/101`, `/ch1/main` | Ultra HD, as presets of recorders spell it |
/// | `/Streaming/Channels/102`, `/ch1/sub` | Standard, likewise |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPath<'a> {
    /// The camera's id; absent where the address leaves it out.
    pub camera: Option<&'a str>,
    /// The profile or track.
    pub target: Target<'a>,
}

/// What is asked of the camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<'a> {
    /// A profile by its token.
    Profile(&'a str),
    /// One track alone, by its name.
    Track(&'a str),
}

impl<'a> StreamPath<'a> {
    /// Decodes a path without query; one slash at the end is forgiven.
    pub fn decode(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        if let Some(definition) = vendor_alias(path) {
            return Some(Self { camera: None, target: Target::Profile(definition.token()) });
        }
        let segments: Vec<&str> = path.split('/').collect();
        let (camera, target) = match segments.as_slice() {
            [token] => (None, Target::Profile(Definition::from_token(token)?.token())),
            ["p", token] => (None, Target::Profile(token)),
            ["t", track] => (None, Target::Track(track)),
            [camera, "p", token] => (Some(*camera), Target::Profile(token)),
            [camera, "t", track] => (Some(*camera), Target::Track(track)),
            [camera, token] => (Some(*camera), Target::Profile(Definition::from_token(token)?.token())),
            _ => return None,
        };
        Some(Self { camera, target })
    }
}

/// The spellings of well-known makers, so that a recorder's preset for them works (design section 6).
fn vendor_alias(path: &str) -> Option<Definition> {
    let lower = path.to_ascii_lowercase();
    match lower.as_str() {
        "h264_stream" | "streaming/channels/101" | "streaming/channels/1" | "ch1/main" => Some(Definition::UltraHd),
        "streaming/channels/102" | "ch1/sub" => Some(Definition::Standard),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded() {
        let profile = |camera, token| Some(StreamPath { camera, target: Target::Profile(token) });
        let track = |camera, name| Some(StreamPath { camera, target: Target::Track(name) });
        for (path, expected) in [
            ("/cam/ultra-hd", profile(Some("cam"), "ultra-hd")),
            ("/cam/ultra-hd/", profile(Some("cam"), "ultra-hd")),
            ("/hi-def", profile(None, "hi-def")),
            ("/cam/p/own-7", profile(Some("cam"), "own-7")),
            ("/p/own-7", profile(None, "own-7")),
            ("/cam/t/pcmu", track(Some("cam"), "pcmu")),
            ("/h264_stream", profile(None, "ultra-hd")),
            ("/Streaming/Channels/101", profile(None, "ultra-hd")),
            ("/Streaming/Channels/102", profile(None, "standard")),
            ("/ch1/main", profile(None, "ultra-hd")),
            ("/ch1/sub", profile(None, "standard")),
            ("/cam/other", None),
            ("/cam", None),
            ("/", None),
            ("", None),
            ("cam/hi-def", None),
            ("/a/b/c/d", None),
        ] {
            assert_eq!(StreamPath::decode(path), expected, "{path}");
        }
    }
}
