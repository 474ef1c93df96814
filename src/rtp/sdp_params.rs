//! Format parameters (`a=fmtp`) from what is in use now, and the reader of AAC's configuration.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Returns the parameters of H.264 (RFC 6184, section 8.1; SD-8); `None` without sequence and picture parameter set. The
/// sets may come in any order.
pub fn h264(parameter_sets: &[impl AsRef<[u8]>]) -> Option<String> {
    const SPS: u8 = 7;
    const PPS: u8 = 8;
    let of = |kind| of_type(parameter_sets, move |nal| nal.first().is_some_and(|b| b & 0x1f == kind));
    let (sequence, picture) = (of(SPS), of(PPS));
    let [_, profile, constraints, level] = *sequence.first()?.first_chunk::<4>()?;
    if picture.is_empty() {
        return None;
    }
    let sets = list([sequence, picture].concat());
    Some(format!(
        "packetization-mode=1;profile-level-id={profile:02X}{constraints:02X}{level:02X};sprop-parameter-sets={sets}"
    ))
}

/// Returns the parameters of H.265 (RFC 7798, section 7.1; SD-9); `None` unless there is a set of each of the three types.
/// The sets may come in any order.
pub fn h265(parameter_sets: &[impl AsRef<[u8]>]) -> Option<String> {
    let mut out = String::new();
    for (name, kind) in [("vps", 32), ("sps", 33), ("pps", 34)] {
        let sets = of_type(parameter_sets, |nal| nal.len() > 2 && nal[0] >> 1 & 0x3f == kind);
        if sets.is_empty() {
            return None;
        }
        let separator = if out.is_empty() { "" } else { ";" };
        write!(out, "{separator}sprop-{name}={}", list(sets)).ok()?;
    }
    Some(out)
}

/// Returns the parameters of AAC in high bit-rate mode (RFC 3640, section 4.1; SD-10) for an AudioSpecificConfig.
pub fn aac(config: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * config.len());
    for byte in config {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02X}");
    }
    format!("streamtype=5;profile-level-id=1;mode=AAC-hbr;config={hex};sizelength=13;indexlength=3;indexdeltalength=3")
}

fn of_type(sets: &[impl AsRef<[u8]>], is: impl Fn(&[u8]) -> bool) -> Vec<&[u8]> {
    sets.iter().map(AsRef::as_ref).filter(|nal| is(nal)).collect()
}

fn list(sets: Vec<&[u8]>) -> String {
    sets.into_iter().map(|nal| STANDARD.encode(nal)).collect::<Vec<_>>().join(",")
}

/// What an AudioSpecificConfig says (ISO 14496-3, section 1.6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AacConfig {
    /// Samples per second, which is the clock rate of the stream.
    pub sample_rate: u32,
    /// The number of channels, 1 to 8.
    pub channels: u8,
}

impl AacConfig {
    /// Reads a configuration; `None` if it is cut off, reserved, or leaves the channels to a program element.
    pub fn parse(config: &[u8]) -> Option<Self> {
        const RATES: [u32; 13] =
            [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];
        const CHANNELS: [u8; 7] = [1, 2, 3, 4, 5, 6, 8];
        const EXTENDED_TYPE: u64 = 31;
        const EXPLICIT_RATE: u64 = 15;
        // All fields stand within the first eight bytes: 5 + 6 + 4 + 24 + 4 bits.
        let mut word = [0; 8];
        let len = config.len().min(8);
        word[..len].copy_from_slice(&config[..len]);
        let word = u64::from_be_bytes(word);
        let mut at = 0;
        let mut field = |bits: u32| {
            at += bits;
            (at as usize <= 8 * len).then(|| word >> (64 - at) & ((1 << bits) - 1))
        };
        if field(5)? == EXTENDED_TYPE {
            field(6)?;
        }
        let sample_rate = match field(4)? {
            // 24 bits.
            EXPLICIT_RATE => field(24)? as u32,
            index => *RATES.get(index as usize)?,
        };
        let channels = *CHANNELS.get((field(4)? as usize).checked_sub(1)?)?;
        (sample_rate > 0).then_some(Self { sample_rate, channels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 0x64, 0x00, 0x1f, 0xac];
    const PPS: &[u8] = &[0x68, 0xeb];

    #[test]
    fn h264_names_profile_and_sets() {
        // SD-8. An SEI among them is left out.
        let want = "packetization-mode=1;profile-level-id=64001F;sprop-parameter-sets=Z2QAH6w=,aOs=";
        assert_eq!(h264(&[PPS, &[0x06, 1], SPS]).as_deref(), Some(want));
        assert_eq!(h264(&[SPS]), None);
        assert_eq!(h264(&[&SPS[..3], PPS]), None);
        assert_eq!(h264(&[] as &[&[u8]]), None);
    }

    #[test]
    fn h265_names_each_kind_of_set() {
        // SD-9.
        let (vps, sps, pps) = ([0x40, 1, 12], [0x42, 1, 1], [0x44, 1, 2]);
        let want = "sprop-vps=QAEM;sprop-sps=QgEB;sprop-pps=RAEC,RAEC";
        assert_eq!(h265(&[pps, vps, sps, pps]).as_deref(), Some(want));
        assert_eq!(h265(&[sps, pps]), None);
    }

    #[test]
    fn aac_tells_its_mode_and_configuration() {
        // SD-10.
        let want =
            "streamtype=5;profile-level-id=1;mode=AAC-hbr;config=1408;sizelength=13;indexlength=3;indexdeltalength=3";
        assert_eq!(aac(&[0x14, 0x08]), want);
    }

    #[test]
    fn audio_configurations_are_read() {
        let config = |sample_rate, channels| Some(AacConfig { sample_rate, channels });
        for (bytes, want) in [
            (&[0x14, 0x08][..], config(16_000, 1)),
            (&[0x12, 0x10], config(44_100, 2)),
            (&[0x11, 0xb8, 0x00], config(48_000, 8)),
            // An explicit rate of 12 345, one channel; an extended object type.
            (&[0x17, 0x80, 0x18, 0x1c, 0x88], config(12_345, 1)),
            (&[0xf8, 0x05, 0x10, 0x00], None),
            (&[0xf8, 0x06, 0x20, 0x00], config(48_000, 1)),
            (&[0x14], None),
            (&[], None),
            // Reserved rate; channels in a program element; reserved channels.
            (&[0x16, 0x88], None),
            (&[0x14, 0x00], None),
            (&[0x14, 0x40], None),
        ] {
            assert_eq!(AacConfig::parse(bytes), want, "{bytes:02x?}");
        }
    }
}
