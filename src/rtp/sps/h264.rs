//! The sequence parameter set of H.264 (ITU-T H.264, sections 7.3.2.1.1 and E.1.1).

use super::bits::BitReader;
use super::{SpsError, SpsInfo, cropped};

const NAL_TYPE: u8 = 7;

/// Profiles whose sets have the chroma format and scaling lists.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Profiles that code every picture alone when constraint flag 3 is set.
const INTRA_PROFILES: [u32; 6] = [44, 86, 100, 110, 122, 244];

const BASELINE: u32 = 66;

/// Reads a sequence parameter set, NAL unit header included.
pub fn parse(nal: &[u8]) -> Result<SpsInfo, SpsError> {
    let (&header, payload) = nal.split_first().ok_or(SpsError::Truncated)?;
    if header & 0x1f != NAL_TYPE {
        return Err(SpsError::Type);
    }
    let bits = &mut BitReader::new(payload)?;
    let profile = bits.bits(8)?;
    let constraints = bits.bits(8)?;
    let level = bits.bits(8)?;
    bits.ue_max(31, "identifier")?;
    let chroma = if HIGH_PROFILES.contains(&profile) { chroma_format(bits)? } else { Chroma::from_format(1, false) };
    bits.ue_max(12, "frame number length")?;
    let order_type = picture_order(bits)?;
    bits.ue_max(16, "number of reference frames")?;
    bits.skip(1)?;
    let width_mbs = u64::from(bits.ue_max(1055, "width")?) + 1;
    let height_units = u64::from(bits.ue_max(1055, "height")?) + 1;
    let frames_only = bits.flag()?;
    let fields = if frames_only { 1 } else { 2 };
    if !frames_only {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let crop = crop_offsets(bits)?;
    let height_mbs = height_units * fields;
    let (width, height) =
        cropped(width_mbs * 16, height_mbs * 16, crop.0 * chroma.unit_width, crop.1 * chroma.unit_height * fields)?;
    // Some cameras cut the set off within its last, optional part; the picture's size is good all the same.
    let usability = if bits.flag()? { usability(bits).unwrap_or_default() } else { Usability::default() };
    let intra_only = INTRA_PROFILES.contains(&profile) && constraints & 0x10 != 0;
    let in_order = order_type == 2 || profile == BASELINE || intra_only;
    let max_dpb_frames = max_dpb_frames(level, constraints, width_mbs * height_mbs);
    let reorder_frames = usability.reorder_frames.filter(|n| *n <= 16).or(in_order.then_some(0));
    Ok(SpsInfo { width, height, frame_rate: usability.frame_rate, reorder_frames, max_dpb_frames })
}

/// The unit in which cropping is counted, in pixels of a frame's field.
struct Chroma {
    unit_width: u64,
    unit_height: u64,
}

impl Chroma {
    fn from_format(format: u32, separate_planes: bool) -> Self {
        let (unit_width, unit_height) = match format {
            1 if !separate_planes => (2, 2),
            2 if !separate_planes => (2, 1),
            _ => (1, 1),
        };
        Self { unit_width, unit_height }
    }
}

fn chroma_format(bits: &mut BitReader) -> Result<Chroma, SpsError> {
    let format = bits.ue_max(3, "chroma format")?;
    let separate_planes = format == 3 && bits.flag()?;
    bits.ue_max(6, "luma depth")?;
    bits.ue_max(6, "chroma depth")?;
    bits.skip(1)?;
    if bits.flag()? {
        for i in 0..if format == 3 { 12 } else { 8 } {
            if bits.flag()? {
                scaling_list(bits, if i < 6 { 16 } else { 64 })?;
            }
        }
    }
    Ok(Chroma::from_format(format, separate_planes))
}

/// Passes over a scaling list, which ends early where the next scale is zero.
fn scaling_list(bits: &mut BitReader, size: u32) -> Result<(), SpsError> {
    let mut last: i64 = 8;
    for _ in 0..size {
        let next = (last + bits.se()?).rem_euclid(256);
        if next == 0 {
            break;
        }
        last = next;
    }
    Ok(())
}

/// Passes over the picture order count's parameters and returns its type.
fn picture_order(bits: &mut BitReader) -> Result<u32, SpsError> {
    let order_type = bits.ue_max(2, "picture order type")?;
    match order_type {
        0 => bits.skip_ue(1)?,
        1 => {
            bits.skip(1)?;
            bits.skip_ue(2)?;
            let cycle = bits.ue_max(255, "picture order cycle")?;
            bits.skip_ue(cycle as usize)?;
        }
        _ => {}
    }
    Ok(order_type)
}

/// Reads the sums of left and right and of top and bottom, in cropping units.
fn crop_offsets(bits: &mut BitReader) -> Result<(u64, u64), SpsError> {
    if !bits.flag()? {
        return Ok((0, 0));
    }
    let mut sum = || Ok::<u64, SpsError>(u64::from(bits.ue()?) + u64::from(bits.ue()?));
    Ok((sum()?, sum()?))
}

/// What we want of the video usability information.
#[derive(Default)]
struct Usability {
    frame_rate: Option<(u32, u32)>,
    reorder_frames: Option<u32>,
}

fn usability(bits: &mut BitReader) -> Result<Usability, SpsError> {
    let mut found = Usability::default();
    picture_description(bits)?;
    if bits.flag()? {
        let (units, scale) = (bits.bits(32)?, bits.bits(32)?);
        bits.skip(1)?;
        // A tick is a field.
        let ticks = units.checked_mul(2).filter(|ticks| *ticks > 0 && scale > 0);
        found.frame_rate = ticks.map(|ticks| reduced(scale, ticks));
    }
    match restriction(bits) {
        Ok(reorder) => found.reorder_frames = reorder,
        Err(_) => found.reorder_frames = None,
    }
    Ok(found)
}

/// Passes over aspect ratio, overscan, signal type and chroma location, which H.265 has in the same form.
pub(super) fn picture_description(bits: &mut BitReader) -> Result<(), SpsError> {
    const EXTENDED_RATIO: u32 = 255;
    if bits.flag()? && bits.bits(8)? == EXTENDED_RATIO {
        bits.skip(32)?;
    }
    if bits.flag()? {
        bits.skip(1)?;
    }
    if bits.flag()? {
        bits.skip(4)?;
        if bits.flag()? {
            bits.skip(24)?;
        }
    }
    if bits.flag()? {
        bits.skip_ue(2)?;
    }
    Ok(())
}

/// Reads on behind the timing; returns the number of frames for reordering.
fn restriction(bits: &mut BitReader) -> Result<Option<u32>, SpsError> {
    let mut reference_decoder = false;
    for _ in 0..2 {
        if bits.flag()? {
            reference_decoder = true;
            let count = bits.ue_max(31, "decoder buffer count")? + 1;
            bits.skip(8)?;
            for _ in 0..count {
                bits.skip_ue(2)?;
                bits.skip(1)?;
            }
            bits.skip(20)?;
        }
    }
    if reference_decoder {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    if !bits.flag()? {
        return Ok(None);
    }
    bits.skip(1)?;
    bits.skip_ue(4)?;
    bits.ue().map(Some)
}

/// Shortens a fraction of two positive numbers.
pub(super) fn reduced(numerator: u32, denominator: u32) -> (u32, u32) {
    let (mut a, mut b) = (numerator, denominator);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    (numerator / a, denominator / a)
}

/// Returns how many frames the decoded picture buffer of a level holds (table A-1), at most 16.
fn max_dpb_frames(level: u32, constraints: u32, frame_mbs: u64) -> u32 {
    let level_1b = level == 11 && constraints & 0x10 != 0;
    let macroblocks = match level {
        0..=10 => 396,
        11 if level_1b => 396,
        11 => 900,
        12..=20 => 2376,
        21 => 4752,
        22..=30 => 8100,
        31 => 18_000,
        32 => 20_480,
        33..=41 => 32_768,
        42 => 34_816,
        43..=50 => 110_400,
        51..=52 => 184_320,
        _ => 696_320,
    };
    // At most 16; streams beyond their level still need one.
    (macroblocks / frame_mbs).clamp(1, 16) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rtp::sps::bits::testing::{BitWriter, hex};

    fn info(
        width: u32,
        height: u32,
        rate: Option<(u32, u32)>,
        reorder: Option<u32>,
        dpb: u32,
    ) -> Result<SpsInfo, SpsError> {
        Ok(SpsInfo { width, height, frame_rate: rate, reorder_frames: reorder, max_dpb_frames: dpb })
    }

    #[test]
    fn sets_of_known_encoders_are_read() {
        for (encoder, set, want) in [
            (
                "x264, 1080p of 1088 coded lines, B-frames",
                "67640028acd940780227e5c04400000fa40003a9803c60c658",
                info(1920, 1080, Some((30_000, 1001)), Some(2), 4),
            ),
            (
                "x264, baseline",
                "6742c016da0280bfe5c044000003000400000300783c58ba80",
                info(640, 360, Some((15, 1)), Some(0), 8),
            ),
            (
                "x264, interlaced",
                "67640028acd94078044fde0220000003002000000643e2c5b2c0",
                info(1920, 1080, Some((25, 1)), Some(2), 4),
            ),
            (
                "x264, 4K at level 5.1 without B-frames",
                "67640033acb200780087d80880000003008000000f078c1924",
                info(3840, 2160, Some((15, 1)), Some(0), 5),
            ),
            (
                "x264, scaling lists and reference decoder",
                "6764001facd9405005bb0110000003001000000301e626000f424001e84a4b28078c18cb",
                info(1280, 720, Some((15, 1)), Some(2), 5),
            ),
            (
                "OpenH264, no usability information",
                "6742c00c8c8d40a842c444403c2211a8",
                info(322, 242, None, Some(0), 7),
            ),
        ] {
            assert_eq!(parse(&hex(set)), want, "{encoder}");
        }
    }

    /// A main profile set of 320×240 up to the flag of the usability information.
    fn plain(order_type: u32) -> BitWriter {
        let mut bits = BitWriter::default();
        bits.bits(24, 0x4d_40_1e).ue(0).ue(0).ue(order_type);
        if order_type == 0 {
            bits.ue(0);
        }
        bits.ue(1).bits(1, 0).ue(19).ue(14).bits(3, 0b110);
        bits
    }

    #[test]
    fn without_a_restriction_only_the_order_type_tells() {
        assert_eq!(parse(&plain(0).bits(1, 0).finish(&[0x67])), info(320, 240, None, None, 16));
        assert_eq!(parse(&plain(2).bits(1, 0).finish(&[0x67])), info(320, 240, None, Some(0), 16));
    }

    #[test]
    fn usability_information_that_ends_early_costs_only_itself() {
        assert_eq!(parse(&plain(0).bits(1, 1).bits(4, 0).finish(&[0x67])), info(320, 240, None, None, 16));
        // Timing is complete, what follows is not.
        let set = plain(0).bits(1, 1).bits(4, 0).bits(1, 1).bits(32, 1).bits(32, 50).bits(1, 1).finish(&[0x67]);
        assert_eq!(parse(&set), info(320, 240, Some((25, 1)), None, 16));
    }

    #[test]
    fn illegal_sets_are_refused() {
        assert_eq!(parse(&[]), Err(SpsError::Truncated));
        assert_eq!(parse(&[0x68, 1, 2]), Err(SpsError::Type));
        assert_eq!(parse(&[0x67, 77, 0, 30]), Err(SpsError::Truncated));
        let mut all_cropped = BitWriter::default();
        all_cropped.bits(24, 0x4d_40_1e).ue(0).ue(0).ue(2).ue(1).bits(1, 0).ue(0).ue(0).bits(3, 0b111);
        let set = all_cropped.ue(4).ue(4).ue(0).ue(0).bits(1, 0).finish(&[0x67]);
        assert_eq!(parse(&set), Err(SpsError::Illegal("size")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse(&bytes);
            bytes.splice(0..0, [0x67, 100, 0, 40]);
            let _ = parse(&bytes);
        }
    }
}
