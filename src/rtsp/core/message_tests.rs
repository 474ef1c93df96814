//! Tests of the message reader: whole conversations, split at every byte, and a table of what is refused.

use rtsp_types::headers;

use super::*;

/// Feeds slices and gathers all that comes out.
fn read_in(limits: Limits, slices: &[&[u8]]) -> Vec<Result<Incoming, ReadError>> {
    let mut reader = MessageReader::new(limits);
    let mut out = Vec::new();
    for slice in slices {
        let mut input = *slice;
        loop {
            match reader.next(&mut input) {
                Ok(None) => break,
                Ok(Some(incoming)) => out.push(Ok(incoming)),
                Err(error) => out.push(Err(error)),
            }
        }
        assert!(input.is_empty());
    }
    out
}

fn read(bytes: &[u8]) -> Vec<Result<Incoming, ReadError>> {
    read_in(Limits::default(), &[bytes])
}

fn request(bytes: &[u8]) -> Request<Bytes> {
    match read(bytes).pop() {
        Some(Ok(Incoming::Request(request))) => request,
        other => panic!("{other:?}"),
    }
}

fn error(bytes: &[u8]) -> ReadError {
    read(bytes).remove(0).unwrap_err()
}

const CONVERSATION: &[u8] = b"\r\n\r\nOPTIONS rtsp://h/cam RTSP/1.0\r\nCseq: 1\r\nUser-Agent: a\r\n b\r\n\r\n\
    $\x00\x00\x03abc$\x01\x00\x00\
    SET_PARAMETER rtsp://h/cam RTSP/1.0\nCSeq: 2\nContent-Length: 5\n\nx: y\n\
    RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n\
    PLAY rtsp://h/cam RTSP/2.0\r\nCSeq: 3\r\nContent-Length: 2\r\n\r\n$$\
    TEARDOWN * RTSP/1.0\r\nCSeq: 4\r\n\r\n";

#[test]
fn a_conversation_is_read_message_by_message() {
    let all = read(CONVERSATION);
    let [
        Ok(Incoming::Request(options)),
        rtp,
        rtcp,
        Ok(Incoming::Request(set)),
        Ok(Incoming::Response(response)),
        Err(play),
        Ok(Incoming::Request(teardown)),
    ] = &all[..]
    else {
        panic!("{all:?}");
    };
    assert_eq!(options.method(), &Method::Options);
    assert_eq!(options.request_uri().unwrap().as_str(), "rtsp://h/cam");
    // RM-15: ONVIF's examples spell `Cseq`.
    assert_eq!(options.header(&headers::CSEQ).unwrap().as_str(), "1");
    assert_eq!(options.header(&headers::USER_AGENT).unwrap().as_str(), "a b");
    assert_eq!(rtp, &Ok(Incoming::Interleaved { channel: 0, payload: Bytes::from_static(b"abc") }));
    assert_eq!(rtcp, &Ok(Incoming::Interleaved { channel: 1, payload: Bytes::new() }));
    assert_eq!(&set.body()[..], b"x: y\n");
    assert_eq!(response.status(), StatusCode::Ok);
    assert_eq!((play.kind, play.cseq.as_deref(), play.fatal), (ReadErrorKind::Version, Some("3"), false));
    assert_eq!((teardown.method(), teardown.request_uri()), (&Method::Teardown, None));
}

#[test]
fn it_does_not_matter_where_the_stream_is_split() {
    let whole = read(CONVERSATION);
    for at in 0..CONVERSATION.len() {
        let (a, b) = CONVERSATION.split_at(at);
        assert_eq!(read_in(Limits::default(), &[a, b]), whole, "split at {at}");
    }
    let bytes: Vec<&[u8]> = CONVERSATION.chunks(1).collect();
    assert_eq!(read_in(Limits::default(), &bytes), whole);
}

#[test]
fn between_messages_the_reader_owns_no_memory() {
    let mut reader = MessageReader::new(Limits::default());
    let (mut first, mut rest) = CONVERSATION.split_at(10);
    assert_eq!(reader.next(&mut first), Ok(None));
    assert!(!reader.is_idle());
    while reader.next(&mut rest) != Ok(None) {}
    assert!(reader.is_idle());
}

#[test]
fn what_is_read_stays_within_the_message() {
    let mut reader = MessageReader::new(Limits::default());
    let mut input = CONVERSATION;
    reader.next(&mut input).unwrap().unwrap();
    assert!(input.starts_with(b"$\x00\x00\x03abc"), "the rest is left to the caller");
}

#[test]
fn odd_forms_of_requests_are_understood() {
    for line in ["OPTIONS  rtsp://h/cam  RTSP/1.0", "OPTIONS rtsp://h/cam RTSP/1.0 ", "OPTIONS\trtsp://h/cam RTSP/1.0"]
    {
        let request = request(format!("{line}\r\nCSeq : 7\r\nX:\r\n\r\n").as_bytes());
        assert_eq!(request.header(&headers::CSEQ).unwrap().as_str(), "7");
    }
    let credentials = request(b"DESCRIBE rtsp://u:p@[::1]:8554/cam?x=1 RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    assert_eq!(credentials.request_uri().unwrap().path(), "/cam");
    let extension = request(b"FLY rtsp://h/ RTSP/1.0\r\n\r\n");
    assert_eq!(extension.method(), &Method::Extension("FLY".into()));
    let latin1 = request(b"OPTIONS * RTSP/1.0\r\nUser-Agent: Kamera-\xfcberwachung\r\n\r\n");
    assert!(latin1.header(&headers::USER_AGENT).unwrap().as_str().ends_with("berwachung"));
}

#[test]
fn continuation_lines_leave_no_blanks_at_the_ends() {
    for (lines, want) in [("X: a\r\n  b ", "a b"), ("X: a\r\n ", "a"), ("X:\r\n\tb", "b"), ("X:\r\n ", "")] {
        let request = request(format!("OPTIONS * RTSP/1.0\r\n{lines}\r\n\r\n").as_bytes());
        assert_eq!(request.headers().next().unwrap().1.as_str(), want, "{lines:?}");
    }
}

#[test]
fn repeated_headers_are_joined_except_where_one_counts() {
    let request = request(b"OPTIONS * RTSP/1.0\r\nRequire: a\r\nCSeq: 1\r\nREQUIRE: b\r\ncseq: 2\r\n\r\n");
    assert_eq!(request.header(&headers::REQUIRE).unwrap().as_str(), "a, b");
    assert_eq!(request.header(&headers::CSEQ).unwrap().as_str(), "1");
}

#[test]
fn a_continuation_belongs_to_its_own_line() {
    let request = request(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: a\r\nCSeq: 2\r\n 3\r\nX:\r\n \xa0 \r\n b\r\n\r\n");
    let headers: Vec<_> = request.headers().map(|(_, value)| value.as_str()).collect();
    assert_eq!(headers, ["1", "a, \u{fffd} b"]);
}

#[test]
fn a_header_is_not_taken_for_one_whose_name_begins_alike() {
    let alone = request(b"DESCRIBE * RTSP/1.0\r\nCSeq: 1\r\nAccept-Language: en\r\nSess: 2\r\n\r\n");
    assert_eq!((alone.header(&headers::ACCEPT), alone.header(&headers::SESSION)), (None, None));
    for lines in ["Accept-Language: en\r\naccept: application/sdp", "accept: application/sdp\r\nAccept-Language: en"] {
        let both = request(format!("DESCRIBE * RTSP/1.0\r\n{lines}\r\n\r\n").as_bytes());
        assert_eq!(both.header(&headers::ACCEPT).unwrap().as_str(), "application/sdp", "{lines:?}");
    }
    let unknown = request(b"DESCRIBE * RTSP/1.0\r\nX-A: 1\r\nX-AB: 2\r\n\r\n");
    assert_eq!(unknown.headers().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["1"]);
}

#[test]
fn empty_values_add_nothing_to_repeated_headers() {
    for lines in ["X: a\r\nX:", "X:\r\nX: a", "X:\r\nX:\r\nX: a\r\nX:"] {
        let request = request(format!("OPTIONS * RTSP/1.0\r\n{lines}\r\n\r\n").as_bytes());
        assert_eq!(request.headers().next().unwrap().1.as_str(), "a", "{lines:?}");
    }
}

#[test]
fn a_fatal_violation_uses_the_input_up() {
    let rubbish = [0; 9000];
    let mut input = &rubbish[..];
    let mut reader = MessageReader::new(Limits::default());
    assert!(reader.next(&mut input).unwrap_err().fatal);
    assert!(input.is_empty());
}

#[test]
fn malformed_requests_are_answered_with_their_cseq_and_the_connection_goes_on() {
    // RM-11, RM-13.
    use ReadErrorKind as K;
    for (request, kind, status) in [
        ("OPTIONS * RTSP/2.0\r\nCSeq: 5\r\n\r\n", K::Version, 505),
        ("GET / HTTP/1.1\r\nCSeq: 5\r\n\r\n", K::Version, 505),
        ("OPTIONS *\r\nCSeq: 5\r\n\r\n", K::StartLine, 400),
        ("OPTIONS a b c RTSP/1.0\r\nCSeq: 5\r\n\r\n", K::StartLine, 400),
        ("OPT{} * RTSP/1.0\r\nCSeq: 5\r\n\r\n", K::StartLine, 400),
        ("OPTIONS /cam RTSP/1.0\r\nCSeq: 5\r\n\r\n", K::Uri, 400),
        ("OPTIONS rtsp://[::1/cam RTSP/1.0\r\nCSeq: 5\r\n\r\n", K::Uri, 400),
        ("OPTIONS * RTSP/1.0\r\nCSeq: 5\r\nnonsense\r\n\r\n", K::Header(2), 400),
        ("OPTIONS * RTSP/1.0\r\nCSeq: 5\r\n: x\r\n\r\n", K::Header(2), 400),
        ("OPTIONS * RTSP/1.0\r\nCSeq: 5\r\nX: a\rb\r\n\r\n", K::Header(2), 400),
        ("OPTIONS * RTSP/1.0\r\n continued\r\nCSeq: 5\r\n\r\n", K::Header(1), 400),
    ] {
        let then = "OPTIONS * RTSP/1.0\r\nCSeq: 6\r\n\r\n";
        let all = read(format!("{request}{then}").as_bytes());
        let want = ReadError { kind, answer: Some(status.into()), cseq: Some("5".into()), fatal: false };
        assert_eq!(all[0], Err(want), "{request:?}");
        assert!(matches!(&all[1..], [Ok(Incoming::Request(_))]), "{request:?}");
    }
}

#[test]
fn a_malformed_response_is_not_answered() {
    let error = error(b"RTSP/1.0 abc\r\nCSeq: 1\r\n\r\n");
    assert_eq!((error.kind, error.answer, error.fatal), (ReadErrorKind::StartLine, None, false));
}

#[test]
fn every_limit_has_its_status() {
    use ReadErrorKind as K;
    let limits = Limits { max_head: 100, max_headers: 3, max_body: 10, max_interleaved: 4 };
    let long = "x".repeat(100);
    for (bytes, kind, status, fatal) in [
        (format!("OPTIONS rtsp://{long}"), K::LineTooLong(100), 414, true),
        (format!("OPTIONS * RTSP/1.0\r\nCSeq: 5\r\nX: {long}"), K::HeadTooLarge(100), 413, true),
        ("OPTIONS * RTSP/1.0\r\nCSeq: 5\r\nA:\r\nB:\r\nC:\r\n\r\n".into(), K::TooManyHeaders(3), 400, false),
        ("OPTIONS * RTSP/1.0\r\nCSeq: 5\r\nContent-Length: 11\r\n\r\n".into(), K::BodyTooLarge(10), 413, true),
        ("OPTIONS * RTSP/1.0\r\nContent-Length: 99999999999999999999\r\n\r\n".into(), K::BodyTooLarge(10), 413, true),
        ("OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n".into(), K::ContentLength, 400, true),
        ("OPTIONS * RTSP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".into(), K::ContentLength, 400, true),
        ("\r\n\0".repeat(101), K::Rubbish(100), 400, true),
    ] {
        let all = read_in(limits, &[bytes.as_bytes(), b"OPTIONS * RTSP/1.0\r\n\r\n"]);
        let Err(error) = &all[0] else { panic!("{bytes:?}") };
        assert_eq!((error.kind, error.answer, error.fatal), (kind, Some(status.into()), fatal), "{bytes:?}");
        assert_eq!(error.cseq.is_some(), bytes.contains("CSeq"), "{bytes:?}");
        assert_eq!(all.len(), if fatal { 1 } else { 2 }, "{bytes:?}");
    }
}

#[test]
fn an_interleaved_packet_beyond_the_limit_is_skipped() {
    let limits = Limits { max_interleaved: 2, ..Limits::default() };
    let all = read_in(limits, &[b"$\x00\x00\x03abc$\x07\x00\x02de"]);
    assert_eq!(all[0].as_ref().unwrap_err().kind, ReadErrorKind::InterleavedTooLarge(3));
    assert_eq!(all[0].as_ref().unwrap_err().answer, None);
    assert_eq!(all[1], Ok(Incoming::Interleaved { channel: 7, payload: Bytes::from_static(b"de") }));
}

#[test]
fn rubbish_before_a_message_is_skipped() {
    let all = read(b"\0\x01\xff \r\nOPTIONS * RTSP/1.0\r\n\r\n");
    assert!(matches!(&all[..], [Ok(Incoming::Request(_))]));
}

#[test]
fn a_framed_packet_is_read_back() {
    let framed = interleaved(3, b"report").unwrap();
    assert_eq!(read(&framed), [Ok(Incoming::Interleaved { channel: 3, payload: Bytes::from_static(b"report") })]);
    assert_eq!(interleaved(3, &[0; 65_536]), None);
}
