//! What a viewer sends over RTSP.

use belvedere::rtp::packet::Ssrc;
use belvedere::rtsp::core::message::{Incoming, Limits, MessageReader, ReadError, interleaved};
use belvedere::rtsp::core::range::{Range, UtcInstant};
use belvedere::rtsp::core::transport::{ClientTransport, TransportAnswer, choose};

/// Small enough that the fuzzer reaches them.
const LIMITS: Limits = Limits { max_head: 512, max_headers: 8, max_body: 64, max_interleaved: 300 };

type Read = Vec<Result<Incoming, ReadError>>;

fn read<'a>(limits: Limits, slices: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut reader = MessageReader::new(limits);
    let mut all = Vec::new();
    for mut input in slices {
        while !input.is_empty() {
            let before = input.len();
            match reader.next(&mut input) {
                Ok(Some(incoming)) => all.push(Ok(incoming)),
                Ok(None) => assert!(input.is_empty()),
                Err(error) => all.push(Err(error)),
            }
            assert!(input.len() < before, "every call takes something");
        }
    }
    all
}

/// The same messages come out wherever the stream is split, and what is written again is read again.
pub fn fuzz_rtsp_message(data: &[u8]) {
    let whole = read(LIMITS, [data]);
    assert_eq!(read(LIMITS, data.chunks(1)), whole, "byte by byte");
    for at in 0..data.len().min(64) {
        let (a, b) = data.split_at(at);
        assert_eq!(read(LIMITS, [a, b]), whole, "split at {at}");
    }
    for incoming in whole.into_iter().flatten() {
        let mut bytes = Vec::new();
        match &incoming {
            Incoming::Request(request) => request.write(&mut bytes).expect("a request is written"),
            Incoming::Response(response) => response.write(&mut bytes).expect("a response is written"),
            Incoming::Interleaved { .. } => continue,
        }
        // Written, a message may be larger: bytes that are no UTF-8 become three.
        let limits = Limits { max_head: 8192, ..LIMITS };
        assert_eq!(read(limits, [&bytes[..]]), [Ok(incoming)], "{}", String::from_utf8_lossy(&bytes));
    }
}

/// Frames come back in order with their channels, with rubbish that begins no message between them.
pub fn fuzz_interleaved(data: &[u8]) {
    let mut stream = Vec::new();
    let mut want = Vec::new();
    let mut rest = data;
    while let Some((&[channel, len], tail)) = rest.split_first_chunk::<2>() {
        let (payload, tail) = tail.split_at(tail.len().min(len.into()));
        stream.extend_from_slice(&interleaved(channel, payload).expect("a short packet"));
        want.push((channel, payload));
        if channel % 3 == 0 {
            stream.extend_from_slice(b"\r\n\0");
        }
        rest = tail;
    }
    let slice = 1 + want.len() % 7;
    let got = read(LIMITS, stream.chunks(slice));
    assert_eq!(got.len(), want.len());
    for (got, (channel, payload)) in got.into_iter().zip(want) {
        assert_eq!(got, Ok(Incoming::Interleaved { channel, payload: payload.to_vec().into() }));
    }
    // And as it is, behind the mark of a frame.
    read(LIMITS, [b"$", data]);
}

/// What is chosen from a Transport header can be answered, and the answer names the same ports or channels.
pub fn fuzz_transport(data: &[u8]) {
    let Ok(header) = str::from_utf8(data) else { return };
    let Ok(chosen) = choose(header, |_| true) else { return };
    let ssrc = Ssrc(7);
    let (answer, want) = match chosen {
        ClientTransport::Udp { rtp, rtcp } => {
            let source = [192, 0, 2, 1].into();
            (TransportAnswer::Udp { client: (rtp, rtcp), server: (6000, 6001), source, ssrc }, chosen)
        }
        ClientTransport::Interleaved { channels } => {
            let channels = channels.unwrap_or((0, 1));
            (TransportAnswer::Interleaved { channels, ssrc }, ClientTransport::Interleaved { channels: Some(channels) })
        }
    };
    assert_eq!(choose(&answer.to_string(), |_| true), Ok(want));
}

/// A range is read or refused, and an instant survives being written, to the millisecond.
pub fn fuzz_range(data: &[u8]) {
    let Ok(header) = str::from_utf8(data) else { return };
    let _ = Range::check_live(header);
    if let Ok(Range::Clock { start: UtcInstant(nanos), .. }) = Range::parse(header) {
        let written = UtcInstant(nanos).to_string();
        assert_eq!(UtcInstant::parse(&written), Some(UtcInstant(nanos / 1_000_000 * 1_000_000)), "{written}");
    }
}
