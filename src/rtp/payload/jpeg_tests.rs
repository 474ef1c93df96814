//! Tests of the JPEG payload format against small synthetic files.

use proptest::prelude::*;

use super::super::PayloadFormat::Jpeg;
use super::super::jpeg_tables::standard_segment;
use super::super::testing::{Seen, pack_plain};
use super::*;

/// What a test varies about a file.
#[derive(Clone)]
struct File {
    width: u16,
    height: u16,
    sampling: u8,
    restart: u16,
    dht: Option<Vec<u8>>,
    scan: Vec<u8>,
    tail: Vec<u8>,
}

const GOOD: File =
    File { width: 640, height: 360, sampling: 0x22, restart: 0, dht: None, scan: Vec::new(), tail: Vec::new() };

fn luma() -> [u8; 64] {
    std::array::from_fn(|i| i as u8 + 1)
}

fn chroma() -> [u8; 64] {
    std::array::from_fn(|i| 200 - i as u8)
}

fn segment(code: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff, code];
    out.extend_from_slice(&((body.len() + 2) as u16).to_be_bytes());
    out.extend_from_slice(body);
    out
}

impl File {
    fn with_scan(len: usize) -> Self {
        Self { scan: (0..len).map(|i| (i % 251) as u8).collect(), ..GOOD }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0xff, 0xd8];
        out.extend(segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"));
        let tables: Vec<u8> = [&[0][..], &luma(), &[1], &chroma()].concat();
        out.extend(segment(0xdb, &tables));
        if self.restart > 0 {
            out.extend(segment(0xdd, &self.restart.to_be_bytes()));
        }
        let ([h1, h0], [w1, w0]) = (self.height.to_be_bytes(), self.width.to_be_bytes());
        out.extend(segment(0xc0, &[8, h1, h0, w1, w0, 3, 1, self.sampling, 0, 2, 0x11, 1, 3, 0x11, 1]));
        out.extend(segment(0xc4, &self.dht.clone().unwrap_or_else(standard_segment)));
        out.extend(segment(0xda, &[3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0]));
        out.extend_from_slice(&self.scan);
        out.extend_from_slice(&[0xff, 0xd9]);
        out.extend_from_slice(&self.tail);
        out
    }
}

/// What an independent reader of RFC 2435 packets gets.
#[derive(Debug, PartialEq)]
struct Received {
    kind: u8,
    width: u16,
    height: u16,
    restart: Option<u16>,
    tables: Vec<u8>,
    scan: Vec<u8>,
}

fn unpack(packets: &[Seen]) -> Received {
    let mut received = Received { kind: 0, width: 0, height: 0, restart: None, tables: vec![], scan: vec![] };
    for (i, packet) in packets.iter().enumerate() {
        let p = &packet.payload;
        let offset = u32::from_be_bytes([0, p[1], p[2], p[3]]) as usize;
        assert_eq!((p[0], offset), (0, received.scan.len()));
        assert_eq!(p[5], 255);
        received.kind = p[4];
        received.width = 8 * u16::from(p[6]);
        received.height = 8 * u16::from(p[7]);
        let mut rest = &p[8..];
        if p[4] >= 64 {
            received.restart = Some(u16::from_be_bytes([rest[0], rest[1]]));
            assert_eq!(rest[2..4], [0xff, 0xff], "reassemble the whole picture before decoding");
            rest = &rest[4..];
        }
        if offset == 0 {
            // PL-5: in the packet with fragment offset 0, and only there.
            assert_eq!(i, 0);
            let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            assert_eq!(rest[..2], [0, 0]);
            received.tables = rest[4..4 + len].to_vec();
            rest = &rest[4 + len..];
        }
        assert!(!rest.is_empty());
        received.scan.extend_from_slice(rest);
        assert_eq!(packet.marker, i + 1 == packets.len(), "RT-8");
    }
    received
}

#[test]
fn a_picture_comes_back_with_its_tables_and_size() {
    let file = File::with_scan(10_000);
    let packets = pack_plain(Jpeg, 1400, &file.bytes());
    assert!(packets.iter().all(|p| p.extension.is_none()));
    let tables = [luma(), chroma()].concat();
    let want = Received { kind: 1, width: 640, height: 360, restart: None, tables, scan: file.scan };
    assert_eq!(unpack(&packets), want);
}

#[test]
fn restart_intervals_and_422_show_in_the_type() {
    let file = File { restart: 40, sampling: 0x21, ..File::with_scan(3000) };
    let received = unpack(&pack_plain(Jpeg, 1400, &file.bytes()));
    assert_eq!((received.kind, received.restart, received.scan), (64, Some(40), file.scan));
}

#[test]
fn sides_are_rounded_up_to_blocks() {
    let file = File { width: 100, height: 2040, ..File::with_scan(10) };
    let received = unpack(&pack_plain(Jpeg, 1400, &file.bytes()));
    assert_eq!((received.width, received.height), (104, 2040));
}

#[test]
fn a_picture_beyond_2040_pixels_carries_its_headers_in_an_extension() {
    // PL-6, PL-7, PL-8.
    let file = File { width: 2048, height: 1536, restart: 8, ..File::with_scan(5000) };
    let bytes = file.bytes();
    let packets = pack_plain(Jpeg, 1400, &bytes);
    let (id, data) = packets[0].extension.as_ref().unwrap();
    assert_eq!((*id, data.len() % 4), (0xffd8, 0));
    // Everything between the application data and the scan, fill bytes before the scan header.
    let headers = &bytes[2 + 18..bytes.len() - 5000 - 2];
    let (before, scan_header) = headers.split_at(headers.len() - 14);
    assert!(data.starts_with(before) && data.ends_with(scan_header));
    assert!(data[before.len()..data.len() - 14].iter().all(|&b| b == 0xff));
    for packet in &packets[1..] {
        assert_eq!(packet.extension, Some((0xffff, vec![])));
    }
    let received = unpack(&packets);
    assert_eq!((received.width, received.height, received.kind), (0, 0, 65));
    assert_eq!(received.scan, file.scan);
}

#[test]
fn bytes_after_the_end_marker_are_not_sent() {
    let file = File { tail: vec![0; 100], ..File::with_scan(50) };
    assert_eq!(unpack(&pack_plain(Jpeg, 1400, &file.bytes())).scan, file.scan);
}

#[test]
fn a_file_without_huffman_tables_means_the_standard_ones() {
    let with = File::with_scan(50).bytes();
    let dht = segment(0xc4, &standard_segment());
    let at = with.windows(dht.len()).position(|w| w == dht).unwrap();
    let without = [&with[..at], &with[at + dht.len()..]].concat();
    assert_eq!(Picture::parse(&without).map(|p| p.size()), Ok((640, 360)));
}

#[test]
fn what_the_receiver_could_not_rebuild_is_refused() {
    let refused = |change: fn(&mut Vec<u8>)| {
        let mut bytes = File::with_scan(50).bytes();
        change(&mut bytes);
        Picture::parse(&bytes).map(|p| p.size()).unwrap_err()
    };
    fn at(bytes: &[u8], code: u8) -> usize {
        bytes.windows(2).position(|w| w == [0xff, code]).unwrap()
    }
    assert_eq!(refused(|b| b[0] = 0), JpegError::NotJpeg);
    assert_eq!(refused(|b| b.truncate(30)), JpegError::Damaged(20));
    assert_eq!(
        refused(|b| {
            let i = at(b, 0xc0);
            b[i + 1] = 0xc2
        }),
        JpegError::Process(0xc2)
    );
    assert_eq!(
        refused(|b| {
            let i = at(b, 0xc0);
            b[i + 11] = 0x11
        }),
        JpegError::Sampling
    );
    assert_eq!(
        refused(|b| {
            let i = at(b, 0xc0);
            b[i + 18] = 0
        }),
        JpegError::Quantization
    );
    assert_eq!(
        refused(|b| {
            let i = at(b, 0xdb);
            b[i + 4] = 0x10
        }),
        JpegError::Quantization
    );
    assert_eq!(
        refused(|b| {
            let i = at(b, 0xc4);
            b[i + 21] ^= 1
        }),
        JpegError::Huffman
    );
    assert_eq!(
        refused(|b| {
            let i = at(b, 0xda);
            b[i + 6] = 0x11
        }),
        JpegError::Huffman
    );
    assert_eq!(
        refused(|b| {
            let i = at(b, 0xc0);
            b[i + 1] = 0xfe
        }),
        JpegError::Sampling
    );
    assert_eq!(
        refused(|b| {
            let i = b.len() - 52;
            b.drain(i..i + 50);
        }),
        JpegError::Scan(0)
    );
}

#[test]
fn headers_that_fill_a_packet_are_an_error_value() {
    use super::super::super::packetizer::PackError;
    use super::super::testing::{packetize, plain};
    let bytes = File::with_scan(50).bytes();
    assert_eq!(packetize(Jpeg, 64, &plain(&bytes)).unwrap_err(), PackError::Jpeg(JpegError::Headers(140)));
}

proptest! {
    #[test]
    fn any_scan_comes_back(len in 1usize..40_000, max in 200usize..2000, restart in 0u16..3) {
        let file = File { restart, ..File::with_scan(len) };
        let received = unpack(&pack_plain(Jpeg, max, &file.bytes()));
        prop_assert_eq!(received.scan, file.scan);
        prop_assert_eq!(received.restart, (restart > 0).then_some(restart));
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..700, with: u8) {
        let _ = Picture::parse(&bytes);
        let mut file = File::with_scan(20).bytes();
        let at = at % file.len();
        file[at] = with;
        let _ = Picture::parse(&file);
        bytes.splice(0..0, [0xff, 0xd8, 0xff]);
        let _ = Picture::parse(&bytes);
    }
}
