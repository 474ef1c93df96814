//! The sequence parameter set of H.265 (ITU-T H.265, sections 7.3.2.2, 7.3.7 and E.2.1).

use super::bits::BitReader;
use super::h264::{picture_description, reduced};
use super::{SpsError, SpsInfo, cropped};

const NAL_TYPE: u8 = 33;

/// Reads a sequence parameter set, NAL unit header included.
pub fn parse(nal: &[u8]) -> Result<SpsInfo, SpsError> {
    let (header, payload) = nal.split_first_chunk::<2>().ok_or(SpsError::Truncated)?;
    if header[0] >> 1 & 0x3f != NAL_TYPE {
        return Err(SpsError::Type);
    }
    let bits = &mut BitReader::new(payload)?;
    bits.skip(4)?;
    let sub_layers = bits.bits(3)?;
    bits.skip(1)?;
    if sub_layers > 6 {
        return Err(SpsError::Illegal("number of sub-layers"));
    }
    profile_tier_level(bits, sub_layers)?;
    bits.ue_max(15, "identifier")?;
    let chroma = bits.ue_max(3, "chroma format")?;
    let separate_planes = chroma == 3 && bits.flag()?;
    let (unit_width, unit_height) = match chroma {
        1 => (2, 2),
        2 if !separate_planes => (2, 1),
        _ => (1, 1),
    };
    let (coded_width, coded_height) = (u64::from(bits.ue()?), u64::from(bits.ue()?));
    let (crop_width, crop_height) = window(bits)?;
    let (width, height) = cropped(coded_width, coded_height, crop_width * unit_width, crop_height * unit_height)?;
    bits.ue_max(8, "luma depth")?;
    bits.ue_max(8, "chroma depth")?;
    let order_bits = bits.ue_max(12, "picture order length")? + 4;
    let (buffering, reorder) = ordering(bits, sub_layers)?;
    // Frame rate is a courtesy: what stands before it is long, and a set damaged there still tells the size.
    let frame_rate = frame_rate(bits, order_bits).unwrap_or(None);
    Ok(SpsInfo { width, height, frame_rate, reorder_frames: Some(reorder), max_dpb_frames: buffering })
}

/// Passes over profile, tier and level (section 7.3.3): 96 bits, then what is present of each sub-layer.
fn profile_tier_level(bits: &mut BitReader, sub_layers: u32) -> Result<(), SpsError> {
    bits.skip(96)?;
    if sub_layers == 0 {
        return Ok(());
    }
    let flags = bits.bits(16)?;
    for i in 0..sub_layers {
        let (profile, level) = (flags >> (15 - 2 * i) & 1, flags >> (14 - 2 * i) & 1);
        bits.skip(88 * profile as usize + 8 * level as usize)?;
    }
    Ok(())
}

/// Reads a window's sums of left and right and of top and bottom, in chroma units.
fn window(bits: &mut BitReader) -> Result<(u64, u64), SpsError> {
    if !bits.flag()? {
        return Ok((0, 0));
    }
    let mut sum = || Ok::<u64, SpsError>(u64::from(bits.ue()?) + u64::from(bits.ue()?));
    Ok((sum()?, sum()?))
}

/// Reads the size of the picture buffer and the number of pictures for reordering, of the highest sub-layer.
fn ordering(bits: &mut BitReader, sub_layers: u32) -> Result<(u32, u32), SpsError> {
    let all = bits.flag()?;
    let mut last = (1, 0);
    for _ in 0..if all { sub_layers + 1 } else { 1 } {
        let buffering = bits.ue_max(15, "picture buffer")? + 1;
        last = (buffering, bits.ue_max(buffering - 1, "number of pictures for reordering")?);
        bits.skip_ue(1)?;
    }
    Ok(last)
}

/// Reads on to the timing in the usability information.
fn frame_rate(bits: &mut BitReader, order_bits: u32) -> Result<Option<(u32, u32)>, SpsError> {
    bits.skip_ue(6)?;
    if bits.flag()? && bits.flag()? {
        scaling_lists(bits)?;
    }
    bits.skip(2)?;
    if bits.flag()? {
        bits.skip(8)?;
        bits.skip_ue(2)?;
        bits.skip(1)?;
    }
    reference_picture_sets(bits)?;
    if bits.flag()? {
        let count = bits.ue_max(32, "number of long-term pictures")? as usize;
        bits.skip(count * (order_bits as usize + 1))?;
    }
    bits.skip(2)?;
    if !bits.flag()? {
        return Ok(None);
    }
    picture_description(bits)?;
    bits.skip(3)?;
    window(bits)?;
    if !bits.flag()? {
        return Ok(None);
    }
    let (units, scale) = (bits.bits(32)?, bits.bits(32)?);
    Ok((units > 0 && scale > 0).then(|| reduced(scale, units)))
}

/// Passes over scaling lists (section 7.3.4).
fn scaling_lists(bits: &mut BitReader) -> Result<(), SpsError> {
    for size in 0..4 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.skip_ue(1)?;
            } else {
                let coefficients = 64.min(1 << (4 + 2 * size));
                bits.skip_ue(coefficients + usize::from(size > 1))?;
            }
        }
    }
    Ok(())
}

/// Passes over the short-term reference picture sets (section 7.3.7). A set may be coded as a change of the one before, so
/// each one's pictures have to be known: how many there are decides how many bits follow.
fn reference_picture_sets(bits: &mut BitReader) -> Result<(), SpsError> {
    let count = bits.ue_max(64, "number of reference picture sets")?;
    let mut before: Vec<i64> = Vec::new();
    for i in 0..count {
        before = if i > 0 && bits.flag()? { predicted_set(bits, &before)? } else { explicit_set(bits)? };
        if before.len() > 16 {
            return Err(SpsError::Illegal("reference picture set"));
        }
    }
    Ok(())
}

/// Reads a set as distances from the current picture: the earlier ones from near to far, then the later ones likewise.
fn explicit_set(bits: &mut BitReader) -> Result<Vec<i64>, SpsError> {
    let earlier = bits.ue_max(16, "reference picture set")?;
    let later = bits.ue_max(16, "reference picture set")?;
    let mut set = Vec::new();
    for (count, sign) in [(earlier, -1), (later, 1)] {
        let mut distance = 0;
        for _ in 0..count {
            distance += sign * (i64::from(bits.ue_max(0x7fff, "picture distance")?) + 1);
            bits.skip(1)?;
            set.push(distance);
        }
    }
    Ok(set)
}

/// Reads a set as a shift of the one before, of which some pictures are dropped (equations 7-61 and 7-62).
fn predicted_set(bits: &mut BitReader, before: &[i64]) -> Result<Vec<i64>, SpsError> {
    let negative = bits.flag()?;
    let shift = i64::from(bits.ue_max(0x7fff, "picture distance")?) + 1;
    let shift = if negative { -shift } else { shift };
    let mut set = Vec::new();
    // The last one stands for the reference picture itself.
    for distance in before.iter().copied().chain([0]) {
        let used = bits.flag()?;
        let kept = used || bits.flag()?;
        if kept && distance + shift != 0 {
            set.push(distance + shift);
        }
    }
    set.sort_unstable_by_key(|distance| (*distance > 0, distance.abs()));
    Ok(set)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rtp::sps::bits::testing::{BitWriter, hex};

    fn info(width: u32, height: u32, rate: Option<(u32, u32)>, reorder: u32, dpb: u32) -> Result<SpsInfo, SpsError> {
        Ok(SpsInfo { width, height, frame_rate: rate, reorder_frames: Some(reorder), max_dpb_frames: dpb })
    }

    #[test]
    fn sets_of_known_encoders_are_read() {
        for (encoder, set, want) in [
            (
                "x265, B-frames",
                "42010101600000030090000003000003005da00280802d165959a4932bc05a020000030002000003001e10",
                info(1280, 720, Some((15, 1)), 2, 5),
            ),
            (
                "x265, cropped, scaling list, reference decoder",
                "42010101600000030090000003000003003fa00a880407111196e929385e02d01000003e900007530609c965e000f424001e8488",
                info(322, 242, Some((30_000, 1001)), 0, 3),
            ),
            (
                "x265 in GStreamer",
                "42010101600000030090000003000003003fa00a080f165959a4932bffc00040005a830303020000030002000003001410",
                info(320, 240, Some((10, 1)), 2, 5),
            ),
        ] {
            assert_eq!(parse(&hex(set)), want, "{encoder}");
        }
    }

    /// A set of 640×360 with two sub-layers up to the scaling lists' flag.
    fn start() -> BitWriter {
        let mut bits = BitWriter::default();
        bits.bits(8, 0b0000_0011);
        // Profile, tier, level, all of sub-layer 0 present.
        bits.bits(64, 0x0160_0000_0300_9000).bits(32, 93).bits(16, 0xc000).bits(64, 5).bits(32, 93);
        bits.ue(0).ue(1).ue(640).ue(368).bits(1, 1).ue(0).ue(0).ue(0).ue(4).ue(0).ue(0).ue(4);
        bits.bits(1, 1).ue(1).ue(0).ue(0).ue(4).ue(2).ue(0);
        bits.ue(0).ue(1).ue(0).ue(3).ue(0).ue(0);
        bits
    }

    /// What follows the reference picture sets, with 25 pictures per second.
    fn end(bits: &mut BitWriter) -> Vec<u8> {
        bits.bits(1, 1).ue(2).bits(9, 0x101).bits(9, 0x011);
        bits.bits(2, 3).bits(1, 1).bits(4, 0).bits(3, 0).bits(1, 0);
        bits.bits(1, 1).bits(32, 1).bits(32, 25).finish(&[0x42, 0x01])
    }

    #[test]
    fn predicted_reference_picture_sets_are_passed_over() {
        let mut bits = start();
        // Explicit scaling lists: predicted, then one with coefficients for each size.
        bits.bits(2, 3);
        for size in 0..4 {
            let lists = if size == 3 { 2 } else { 6 };
            bits.bits(1, 1);
            for _ in 0..64.min(1 << (4 + 2 * size)) + usize::from(size > 1) {
                bits.ue(0);
            }
            for _ in 1..lists {
                bits.bits(1, 0).ue(0);
            }
        }
        bits.bits(2, 0).bits(1, 1).bits(8, 0x77).ue(0).ue(0).bits(1, 1);
        // {-1, -3, +2}; shifted by -2 without +2, which would fall on the picture itself: {-2, -3, -5}; then all of that
        // shifted by +2, of which the first falls on the picture itself: {-1, -3, +2}; and once more all by -1.
        bits.ue(4).ue(2).ue(1).ue(0).bits(1, 1).ue(1).bits(1, 1).ue(1).bits(1, 1);
        bits.bits(1, 1).bits(1, 1).ue(1).bits(4, 0b1111);
        bits.bits(1, 1).bits(1, 0).ue(1).bits(4, 0b1111);
        bits.bits(1, 1).bits(1, 1).ue(0).bits(4, 0b1111);
        assert_eq!(parse(&end(&mut bits)), info(640, 360, Some((25, 1)), 2, 5));
    }

    #[test]
    fn predicted_sets_follow_the_standard() {
        let mut bits = BitWriter::default();
        // Sign and distance -2, then used, unused but kept, dropped, used.
        let bytes = bits.bits(1, 1).ue(1).bits(6, 0b10_1001).finish(&[]);
        let set = predicted_set(&mut BitReader::new(&bytes).unwrap(), &[-1, -3, 2]).unwrap();
        assert_eq!(set, [-2, -3, -5]);
    }

    #[test]
    fn damage_before_the_timing_leaves_the_size() {
        let set = start().bits(2, 0).bits(3, 0).ue(65).finish(&[0x42, 0x01]);
        assert_eq!(parse(&set), info(640, 360, None, 2, 5));
    }

    #[test]
    fn illegal_sets_are_refused() {
        assert_eq!(parse(&[0x42]), Err(SpsError::Truncated));
        assert_eq!(parse(&[0x44, 1, 2]), Err(SpsError::Type));
        assert_eq!(parse(&[0x42, 1, 0x0e]), Err(SpsError::Illegal("number of sub-layers")));
        assert_eq!(parse(&[0x42, 1, 1, 0, 0]), Err(SpsError::Truncated));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let start = hex("42010101600000030090000003000003003fa00a880407");
            bytes.splice(0..0, start);
            let _ = parse(&bytes);
        }
    }
}
