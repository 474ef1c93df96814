//! Where decoding can start in a stream of H.264 or H.265.
//!
//! retina calls IDR pictures alone random access points. That leaves cameras and files without any entry that send open
//! groups or refresh their pictures bit by bit, so it is read from the NAL units here:
//!
//! - H.265: a picture whose slices are all of the types 16 to 21 (BLA, IDR, CRA; section 7.4.2.2). The leading pictures of a
//!   CRA picture (RASL) follow it to every reader, because the packets are the same for all. A decoder that starts
//!   there drops them by itself (section 8.1.3, `NoRaslOutputFlag`); one that lost something in between may show them damaged.
//! - H.264: an IDR picture, or one with a recovery point (section D.2.8), from which on the pictures become right. An
//!   intra picture without either is no entry: whether later pictures look back beyond it is not to be seen.

use crate::hub::Codec;

/// Whether decoding can start with this access unit: NAL units, each behind its length in four bytes.
pub(super) fn is_entry(codec: &Codec, access_unit: &[u8]) -> bool {
    match codec {
        Codec::H264 { .. } => h264(access_unit),
        Codec::H265 { .. } => h265(access_unit),
        Codec::Jpeg | Codec::Aac { .. } | Codec::G711(_) => true,
    }
}

fn h264(access_unit: &[u8]) -> bool {
    let (mut slices, mut idr, mut recovery) = (0, 0, false);
    for nal in nals(access_unit) {
        match nal[0] & 0x1f {
            5 => (slices, idr) = (slices + 1, idr + 1),
            1..=4 => slices += 1,
            6 => recovery |= has_recovery_point(&nal[1..]),
            _ => {}
        }
    }
    slices > 0 && (idr == slices || recovery)
}

fn h265(access_unit: &[u8]) -> bool {
    let mut slices = nals(access_unit).map(|nal| nal[0] >> 1 & 0x3f).filter(|kind| *kind < 32).peekable();
    slices.peek().is_some() && slices.all(|kind| (16..=21).contains(&kind))
}

/// Whether a message of a supplemental enhancement information NAL unit is a recovery point (section 7.3.2.3.1).
///
/// Emulation prevention bytes are not taken out: type and size hold none, and a message that comes after one that has some
/// is missed at worst.
fn has_recovery_point(mut messages: &[u8]) -> bool {
    const RECOVERY_POINT: usize = 6;
    while let Some((kind, rest)) = extended(messages) {
        let Some((size, rest)) = extended(rest) else { return false };
        if kind == RECOVERY_POINT && size > 0 && size <= rest.len() {
            return true;
        }
        messages = rest.get(size..).unwrap_or_default();
    }
    false
}

/// Reads a number that is the sum of its bytes, all but the last 255.
fn extended(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let full = bytes.iter().take_while(|byte| **byte == 0xff).count();
    let (last, rest) = bytes.get(full..)?.split_first()?;
    Some((255 * full + usize::from(*last), rest))
}

/// The NAL units that are not empty, up to the first length that points outside.
fn nals(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let next = move || {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (nal, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        rest = behind;
        Some(nal)
    };
    std::iter::from_fn(next).filter(|nal| !nal.is_empty())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn unit(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter().flat_map(|nal| [&(nal.len() as u32).to_be_bytes()[..], nal].concat()).collect()
    }

    fn h265_of(kinds: &[u8]) -> bool {
        let codec = Codec::H265 { vps: Bytes::new(), sps: Bytes::new(), pps: Bytes::new() };
        let nals: Vec<[u8; 3]> = kinds.iter().map(|kind| [kind << 1, 1, 0xff]).collect();
        is_entry(&codec, &unit(&nals.iter().map(|nal| &nal[..]).collect::<Vec<_>>()))
    }

    fn h264_of(nals: &[&[u8]]) -> bool {
        is_entry(&Codec::H264 { sps: Bytes::new(), pps: Bytes::new() }, &unit(nals))
    }

    #[test]
    fn open_groups_of_h265_can_be_entered() {
        for irap in 16..=21 {
            assert!(h265_of(&[irap]), "{irap}");
            assert!(h265_of(&[35, 39, irap, irap, 40]), "{irap} in slices, with a delimiter and messages");
        }
        for other in (0..16).chain(22..32) {
            assert!(!h265_of(&[other]), "{other}");
        }
        assert!(!h265_of(&[21, 1]) && !h265_of(&[39]) && !h265_of(&[]));
    }

    #[test]
    fn idr_pictures_and_recovery_points_of_h264_can_be_entered() {
        let (idr, slice): (&[u8], &[u8]) = (&[0x65, 0x88], &[0x41, 0x9a]);
        let recovery: &[u8] = &[0x06, 0x06, 0x01, 0xc4, 0x80];
        assert!(h264_of(&[idr]) && h264_of(&[&[0x09, 0x10], idr, idr]));
        assert!(!h264_of(&[slice]) && !h264_of(&[idr, slice]) && !h264_of(&[recovery]) && !h264_of(&[]));
        assert!(h264_of(&[recovery, slice]));
        // Behind a message of 257 bytes, as x264 signs its streams.
        let mut messages = vec![0x06, 0x05, 0xff, 0x02];
        messages.extend([7; 257]);
        messages.extend(&recovery[1..]);
        assert!(h264_of(&[&messages, slice]));
        let timing: &[u8] = &[0x06, 0x01, 0x02, 0x06, 0x01, 0x80];
        assert!(!h264_of(&[timing, slice]), "the content of another message");
    }

    #[test]
    fn what_is_cut_off_is_no_entry_and_no_panic() {
        let whole = unit(&[&[0x06, 0x06, 0x01, 0xc4, 0x80], &[0x41, 0x9a]]);
        for end in 0..whole.len() {
            assert!(!h264(&whole[..end]), "{end}");
        }
        assert!(!has_recovery_point(&[0xff; 9]) && !has_recovery_point(&[6, 9, 0]));
    }
}
