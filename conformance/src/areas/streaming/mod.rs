//! Real time streaming (ONVIF Real Time Streaming Device Test Specification, and the one for Media2).
//!
//! | module | what it does |
//! |---|---|
//! | [`words`] | what the cases differ in, and the numbers of their steps |
//! | [`door`] | the way to a media service, over IPv4 or IPv6 |
//! | [`profile`], [`own`], [`video`], [`audio`] | setting the device up, and putting it back |
//! | [`stream`], [`sdp`] | a session from DESCRIBE to TEARDOWN |
//! | [`judge`], [`clock`] | what came, judged and decoded |
//! | [`matrix`] | service × codec × way × Internet protocol |
//! | [`resolutions`], [`instances`], [`control`] | what is not in the matrix |

use belvedere_harness::tunnel::Shape;

use crate::case::{
    Case,
    When::{Changes, Streams, Waits},
    case,
};

mod audio;
mod clock;
mod control;
mod door;
mod instances;
mod judge;
mod matrix;
mod own;
mod profile;
mod resolutions;
mod sdp;
mod stream;
mod video;
mod words;

use matrix::{both, only_sound, pictures, pictures_through, sound};
use words::{
    Codec::{Aac, G711, H264, H265, Jpeg},
    Ip::{V4, V6},
    Service::{Media1, Media2},
    Way::{Tcp, Tunnel, Udp},
};

/// Base64 in lines, as many encoders write it (RFC 2045, section 6.8).
const LINES: Shape = Shape { group: 0, line: Some((76, "\r\n")), write: 0, chunked: false };

/// The cases that are written. They run in this order: those that most devices have but one encoder for stand last.
pub(super) fn cases() -> Vec<Case> {
    [waiting(), resolutions_first(), media2(), media1(), jpeg(), alone()].concat()
}

fn waiting() -> Vec<Case> {
    vec![
        case("RTSS-1-1-32", Waits, |t| control::keep_alive(t, "SET_PARAMETER")),
        case("RTSS-1-1-33", Waits, |t| control::keep_alive(t, "OPTIONS")),
    ]
}

/// Those that take longest.
fn resolutions_first() -> Vec<Case> {
    vec![
        case("RTSS-1-1-26", Streams, |t| resolutions::all(t, H264)),
        case("RTSS-1-1-48", Streams, |t| resolutions::some(t, H264)),
    ]
}

fn media2() -> Vec<Case> {
    vec![
        case("MEDIA2_RTSS-1-1-1", Streams, |t| pictures(t, Media2, H264, Udp, V4)),
        case("MEDIA2_RTSS-1-1-2", Streams, |t| pictures(t, Media2, H264, Tunnel, V4)),
        case("MEDIA2_RTSS-1-1-3", Streams, |t| pictures(t, Media2, H264, Tcp, V4)),
        case("MEDIA2_RTSS-1-1-4", Streams, |t| control::synchronization(t, Media2, H264)),
        case("MEDIA2_RTSS-1-1-5", Streams, |t| pictures(t, Media2, H264, Udp, V6)),
        case("MEDIA2_RTSS-1-1-6", Streams, |t| pictures(t, Media2, H264, Tunnel, V6)),
        case("MEDIA2_RTSS-1-1-7", Streams, |t| pictures(t, Media2, H264, Tcp, V6)),
        case("MEDIA2_RTSS-1-1-8", Streams, |t| pictures(t, Media2, H265, Udp, V4)),
        case("MEDIA2_RTSS-1-1-9", Streams, |t| pictures(t, Media2, H265, Tunnel, V4)),
        case("MEDIA2_RTSS-1-1-10", Streams, |t| pictures(t, Media2, H265, Tcp, V4)),
        case("MEDIA2_RTSS-1-1-11", Streams, |t| control::synchronization(t, Media2, H265)),
        case("MEDIA2_RTSS-1-1-12", Streams, |t| pictures(t, Media2, H265, Udp, V6)),
        case("MEDIA2_RTSS-1-1-13", Streams, |t| pictures(t, Media2, H265, Tunnel, V6)),
        case("MEDIA2_RTSS-1-1-14", Streams, |t| pictures(t, Media2, H265, Tcp, V6)),
        case("MEDIA2_RTSS-2-1-1", Streams, |t| sound(t, Media2, G711, Udp, V4)),
        case("MEDIA2_RTSS-2-1-2", Streams, |t| sound(t, Media2, G711, Tunnel, V4)),
        case("MEDIA2_RTSS-2-1-3", Streams, |t| sound(t, Media2, G711, Tcp, V4)),
        case("MEDIA2_RTSS-2-1-4", Streams, |t| sound(t, Media2, G711, Udp, V6)),
        case("MEDIA2_RTSS-2-1-5", Streams, |t| sound(t, Media2, G711, Tunnel, V6)),
        case("MEDIA2_RTSS-2-1-6", Streams, |t| sound(t, Media2, G711, Tcp, V6)),
        case("MEDIA2_RTSS-2-1-7", Streams, |t| sound(t, Media2, Aac, Udp, V4)),
        case("MEDIA2_RTSS-2-1-8", Streams, |t| sound(t, Media2, Aac, Tunnel, V4)),
        case("MEDIA2_RTSS-2-1-9", Streams, |t| sound(t, Media2, Aac, Tcp, V4)),
        case("MEDIA2_RTSS-2-1-10", Streams, |t| sound(t, Media2, Aac, Udp, V6)),
        case("MEDIA2_RTSS-2-1-11", Streams, |t| sound(t, Media2, Aac, Tunnel, V6)),
        case("MEDIA2_RTSS-2-1-12", Streams, |t| sound(t, Media2, Aac, Tcp, V6)),
        case("MEDIA2_RTSS-2-1-21", Streams, |t| only_sound(t, Media2, G711, Udp, V4)),
        case("MEDIA2_RTSS-5-1-1", Streams, |t| both(t, Media2, G711, Udp, V4)),
        case("MEDIA2_RTSS-5-1-2", Streams, |t| both(t, Media2, G711, Tunnel, V4)),
        case("MEDIA2_RTSS-5-1-3", Streams, |t| both(t, Media2, G711, Tcp, V4)),
        case("MEDIA2_RTSS-5-1-4", Streams, |t| both(t, Media2, G711, Udp, V6)),
        case("MEDIA2_RTSS-5-1-5", Streams, |t| both(t, Media2, G711, Tunnel, V6)),
        case("MEDIA2_RTSS-5-1-6", Streams, |t| both(t, Media2, G711, Tcp, V6)),
        case("MEDIA2_RTSS-5-1-7", Streams, |t| both(t, Media2, Aac, Udp, V4)),
        case("MEDIA2_RTSS-5-1-8", Streams, |t| both(t, Media2, Aac, Tunnel, V4)),
        case("MEDIA2_RTSS-5-1-9", Streams, |t| both(t, Media2, Aac, Tcp, V4)),
        case("MEDIA2_RTSS-5-1-10", Streams, |t| both(t, Media2, Aac, Udp, V6)),
        case("MEDIA2_RTSS-5-1-11", Streams, |t| both(t, Media2, Aac, Tunnel, V6)),
        case("MEDIA2_RTSS-5-1-12", Streams, |t| both(t, Media2, Aac, Tcp, V6)),
    ]
}

fn media1() -> Vec<Case> {
    vec![
        case("RTSS-1-1-41", Streams, |t| pictures(t, Media1, H264, Udp, V4)),
        case("RTSS-1-1-42", Streams, |t| pictures(t, Media1, H264, Tunnel, V4)),
        case("RTSS-1-1-43", Streams, |t| pictures(t, Media1, H264, Tcp, V4)),
        case("RTSS-1-1-44", Streams, |t| control::synchronization(t, Media1, H264)),
        case("RTSS-1-1-60", Streams, |t| pictures(t, Media1, H264, Udp, V6)),
        case("RTSS-1-1-61", Streams, |t| pictures(t, Media1, H264, Tunnel, V6)),
        case("RTSS-1-1-62", Streams, |t| pictures(t, Media1, H264, Tcp, V6)),
        case("RTSS-2-1-19", Streams, |t| sound(t, Media1, G711, Udp, V4)),
        case("RTSS-2-1-20", Streams, |t| sound(t, Media1, G711, Tunnel, V4)),
        case("RTSS-2-1-21", Streams, |t| sound(t, Media1, G711, Tcp, V4)),
        case("RTSS-2-1-25", Streams, |t| sound(t, Media1, Aac, Udp, V4)),
        case("RTSS-2-1-26", Streams, |t| sound(t, Media1, Aac, Tunnel, V4)),
        case("RTSS-2-1-27", Streams, |t| sound(t, Media1, Aac, Tcp, V4)),
        case("RTSS-2-1-28", Streams, |t| only_sound(t, Media1, G711, Udp, V4)),
        case("RTSS-2-1-29", Streams, |t| only_sound(t, Media1, G711, Tunnel, V4)),
        case("RTSS-2-1-30", Streams, |t| only_sound(t, Media1, G711, Tcp, V4)),
        case("RTSS-2-1-34", Streams, |t| only_sound(t, Media1, Aac, Udp, V4)),
        case("RTSS-2-1-35", Streams, |t| only_sound(t, Media1, Aac, Tunnel, V4)),
        case("RTSS-2-1-36", Streams, |t| only_sound(t, Media1, Aac, Tcp, V4)),
        case("RTSS-2-1-37", Streams, |t| sound(t, Media1, G711, Udp, V6)),
        case("RTSS-2-1-38", Streams, |t| sound(t, Media1, G711, Tunnel, V6)),
        case("RTSS-2-1-39", Streams, |t| sound(t, Media1, G711, Tcp, V6)),
        case("RTSS-2-1-43", Streams, |t| sound(t, Media1, Aac, Udp, V6)),
        case("RTSS-2-1-44", Streams, |t| sound(t, Media1, Aac, Tunnel, V6)),
        case("RTSS-2-1-45", Streams, |t| sound(t, Media1, Aac, Tcp, V6)),
        case("RTSS-2-1-46", Streams, |t| only_sound(t, Media1, G711, Udp, V6)),
        case("RTSS-2-1-47", Streams, |t| only_sound(t, Media1, G711, Tunnel, V6)),
        case("RTSS-2-1-48", Streams, |t| only_sound(t, Media1, G711, Tcp, V6)),
        case("RTSS-2-1-52", Streams, |t| only_sound(t, Media1, Aac, Udp, V6)),
        case("RTSS-2-1-53", Streams, |t| only_sound(t, Media1, Aac, Tunnel, V6)),
        case("RTSS-2-1-54", Streams, |t| only_sound(t, Media1, Aac, Tcp, V6)),
        case("RTSS-3-1-10", Streams, |t| both(t, Media1, G711, Udp, V4)),
        case("RTSS-3-1-11", Streams, |t| both(t, Media1, G711, Tunnel, V4)),
        case("RTSS-3-1-12", Streams, |t| both(t, Media1, G711, Tcp, V4)),
        case("RTSS-3-1-16", Streams, |t| both(t, Media1, Aac, Udp, V4)),
        case("RTSS-3-1-17", Streams, |t| both(t, Media1, Aac, Tunnel, V4)),
        case("RTSS-3-1-18", Streams, |t| both(t, Media1, Aac, Tcp, V4)),
        case("RTSS-3-1-19", Streams, |t| both(t, Media1, G711, Udp, V6)),
        case("RTSS-3-1-20", Streams, |t| both(t, Media1, G711, Tunnel, V6)),
        case("RTSS-3-1-21", Streams, |t| both(t, Media1, G711, Tcp, V6)),
        case("RTSS-3-1-25", Streams, |t| both(t, Media1, Aac, Udp, V6)),
        case("RTSS-3-1-26", Streams, |t| both(t, Media1, Aac, Tunnel, V6)),
        case("RTSS-3-1-27", Streams, |t| both(t, Media1, Aac, Tcp, V6)),
    ]
}

fn jpeg() -> Vec<Case> {
    vec![
        case("RTSS-1-1-24", Streams, |t| resolutions::all(t, Jpeg)),
        case("RTSS-1-1-31", Streams, control::headers),
        case("RTSS-1-1-34", Streams, |t| pictures(t, Media1, Jpeg, Udp, V4)),
        case("RTSS-1-1-35", Streams, |t| pictures(t, Media1, Jpeg, Tunnel, V4)),
        case("RTSS-1-1-36", Streams, |t| pictures(t, Media1, Jpeg, Tcp, V4)),
        case("RTSS-1-1-45", Streams, |t| pictures_through(t, Media1, Jpeg, Tunnel, V4, LINES)),
        case("RTSS-1-1-46", Streams, |t| resolutions::some(t, Jpeg)),
        case("RTSS-1-1-53", Streams, control::jpeg_extension),
        case("RTSS-1-1-54", Streams, |t| pictures(t, Media1, Jpeg, Udp, V6)),
        case("RTSS-1-1-55", Streams, |t| pictures(t, Media1, Jpeg, Tunnel, V6)),
        case("RTSS-1-1-56", Streams, |t| pictures(t, Media1, Jpeg, Tcp, V6)),
    ]
}

/// Those that need every encoder.
fn alone() -> Vec<Case> {
    vec![
        case("RTSS-1-1-27", Changes, |t| instances::guaranteed(t, &[Udp], false)),
        case("RTSS-1-1-28", Changes, |t| instances::guaranteed(t, &[Tunnel], false)),
        case("RTSS-1-1-29", Changes, |t| instances::guaranteed(t, &[Tcp], false)),
        case("RTSS-1-1-30", Changes, |t| instances::guaranteed(t, &[Udp, Tunnel, Tcp], false)),
        case("RTSS-1-1-49", Changes, |t| instances::guaranteed(t, &[Udp], true)),
        case("RTSS-1-1-50", Changes, |t| instances::guaranteed(t, &[Tunnel], true)),
        case("RTSS-1-1-51", Changes, |t| instances::guaranteed(t, &[Tcp], true)),
        case("RTSS-1-1-52", Changes, |t| instances::guaranteed(t, &[Udp, Tunnel, Tcp], true)),
        case("MEDIA2_RTSS-1-1-23", Changes, |t| instances::promised(t, None)),
        case("MEDIA2_RTSS-1-1-24", Changes, |t| instances::promised(t, Some(H264))),
        case("MEDIA2_RTSS-1-1-25", Changes, |t| instances::promised(t, Some(H265))),
    ]
}
