//! What arrives on the web port: the first head of a connection, and what comes up an HTTP tunnel.

use belvedere::http::peek::{Speaks, look};
use belvedere::rtsp::core::tunnel::Upstream;

/// Small enough that the fuzzer reaches it.
const MOST: usize = 300;

/// Once it is told what a connection speaks, nothing that follows changes it; and it is always told in the end.
pub fn fuzz_http_peek(data: &[u8]) {
    let whole = look(data, MOST);
    assert!(whole.is_some() || data.len() <= MOST);
    if let Some(Speaks::TunnelGet { head, .. } | Speaks::TunnelPost { head, .. }) = &whole {
        let head = &data[..*head];
        assert!(head.ends_with(b"\n") && head.len() <= MOST);
        assert_eq!(look(head, MOST), whole, "the head alone tells it");
        assert_eq!(look(&head[..head.len() - 1], MOST), None, "and no less than the head");
    }
    let mut told = None;
    for length in 0..=data.len().min(MOST + 1) {
        let verdict = look(&data[..length], MOST);
        assert!(told.is_none() || verdict == told, "{told:?} became {verdict:?} at {length}");
        told = verdict;
    }
    assert!(told.is_none() || told == whole, "{told:?} became {whole:?}");
}

/// What was decoded of a POST, and whether all of it could be.
fn decoded<'a>(chunked: bool, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, bool) {
    let (mut upstream, mut into) = (Upstream::new(chunked), Vec::new());
    let good = pieces.into_iter().all(|piece| upstream.take(piece, &mut into).is_ok());
    (into, good)
}

/// The same comes out of a POST wherever it is cut, and what a client encodes, however badly, comes out as it was. The first
/// byte says how: bit 0 in chunks, the rest how long lines, groups and pieces are.
pub fn fuzz_tunnel(data: &[u8]) {
    let Some((&how, body)) = data.split_first() else { return };
    let whole = decoded(how & 1 != 0, [body]);
    assert!(whole.0.len() <= body.len(), "base64 becomes shorter");
    assert_eq!(decoded(how & 1 != 0, body.chunks(1)), whole, "byte by byte");
    for at in 0..body.len().min(64) {
        let (a, b) = body.split_at(at);
        assert_eq!(decoded(how & 1 != 0, [a, b]), whole, "split at {at}");
    }
    let sent = encode(how, body);
    for piece in [1, 2, 3, 5, 1 + usize::from(how), sent.len().max(1)] {
        assert_eq!(decoded(how & 1 != 0, sent.chunks(piece)), (body.to_vec(), true), "in pieces of {piece}");
    }
}

/// Encodes as a client of little care might: groups by themselves, broken into lines, in chunks.
fn encode(how: u8, body: &[u8]) -> Vec<u8> {
    let (group, line) = (1 + usize::from(how >> 1) % 37, 1 + usize::from(how >> 3));
    let text: Vec<u8> = body.chunks(group).flat_map(base64).collect();
    let end: &[u8] = [&b"\r\n"[..], b"\n", b"", b" \t"][usize::from(how >> 1) % 4];
    let lines = text.chunks(line).map(|line| [line, end].concat());
    match how & 1 {
        0 => lines.flatten().collect(),
        _ => lines
            .flat_map(|line| [format!("{:X};x=\"y\"\r\n", line.len()).as_bytes(), &line, b"\r\n"].concat())
            .collect(),
    }
}

/// Base64 by RFC 4648, section 4, with padding.
pub(crate) fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = (0..3).fold(0, |bits, index| bits << 8 | u32::from(three.get(index).copied().unwrap_or_default()));
        let character = |index: usize| match index <= three.len() {
            true => ALPHABET[(bits >> (18 - 6 * index)) as usize & 63],
            false => b'=',
        };
        [0, 1, 2, 3].map(character)
    };
    bytes.chunks(3).flat_map(group).collect()
}
