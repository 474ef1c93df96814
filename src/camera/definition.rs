//! The fixed profiles of a camera.

use std::fmt;

/// One of the four fixed profiles, highest first: recorders take the first profile for the main stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Definition {
    /// The source's full size.
    UltraHd,
    /// The middle size.
    HiDef,
    /// The small size, for many pictures at once and for thin lines.
    Standard,
    /// JPEG pictures, which Profile S makes mandatory.
    Jpeg,
}

impl Definition {
    /// All definitions, highest first.
    pub const ALL: [Self; 4] = [Self::UltraHd, Self::HiDef, Self::Standard, Self::Jpeg];

    /// The last segment of the definition's address, which is also the profile's token.
    pub const fn token(self) -> &'static str {
        match self {
            Self::UltraHd => "ultra-hd",
            Self::HiDef => "hi-def",
            Self::Standard => "standard",
            Self::Jpeg => "jpeg",
        }
    }

    /// The name that people see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UltraHd => "Ultra HD",
            Self::HiDef => "Hi-Def",
            Self::Standard => "Standard",
            Self::Jpeg => "JPEG",
        }
    }

    /// Finds a definition by its token.
    pub fn from_token(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|definition| definition.token() == token)
    }
}

impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
