//! What a new connection speaks, by its first request head (design section 4).
//!
//! ffmpeg and GStreamer declare a length in the POST of an HTTP tunnel and then send without end, and RTSP is no HTTP at all:
//! both must be known before an HTTP library sees them. Pure: bytes in, a verdict out.

/// What the connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP, or something that an HTTP library is to refuse.
    Http,
    /// Another major version of HTTP than 1.
    OtherHttp,
    /// RTSP without any tunnel.
    Rtsp,
    /// The downward half of a tunnel (HT-1). The head is this long.
    TunnelGet {
        /// Length of the head in bytes.
        head: usize,
        /// `x-sessioncookie`.
        cookie: String,
    },
    /// The upward half of a tunnel.
    TunnelPost {
        /// Length of the head in bytes.
        head: usize,
        /// `x-sessioncookie`.
        cookie: String,
        /// Whether the body comes in chunks.
        chunked: bool,
    },
}

/// Looks at what has come so far; `None` while it does not tell. Once told, it stays so whatever follows. A head longer than
/// `most` is left to the HTTP library, which answers 431.
pub fn look(bytes: &[u8], most: usize) -> Option<Speaks> {
    let found = by_head(&bytes[..bytes.len().min(most)]);
    if bytes.len() > most { found.or(Some(Speaks::Http)) } else { found }
}

fn by_head(bytes: &[u8]) -> Option<Speaks> {
    // Blank lines in front are forgiven, as HTTP does it.
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let text = &bytes[blank..];
    let line_end = text.iter().position(|byte| *byte == b'\n');
    let line = &text[..line_end.unwrap_or(text.len())];
    if !may_be_a_method(line) {
        return Some(Speaks::Http);
    }
    let (line_end, line) = (line_end?, line.trim_ascii_end());
    let version = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    if version.starts_with(b"RTSP/") {
        return Some(Speaks::Rtsp);
    }
    if let Some([major @ b'0'..=b'9', b'.', b'0'..=b'9']) = version.strip_prefix(b"HTTP/")
        && *major != b'1'
    {
        return Some(Speaks::OtherHttp);
    }
    let get = line.starts_with(b"GET ");
    if !get && !line.starts_with(b"POST ") {
        return Some(Speaks::Http);
    }
    let length = head_length(text)?;
    let head = blank + length;
    let fields = text[line_end + 1..length].split(|byte| *byte == b'\n');
    let field = |name: &str| fields.clone().find_map(|field| value(field, name));
    let Some(cookie) = field("x-sessioncookie") else { return Some(Speaks::Http) };
    Some(match get {
        true => Speaks::TunnelGet { head, cookie },
        false => {
            let chunked = field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
            Speaks::TunnelPost { head, cookie, chunked }
        }
    })
}

/// Whether this can be the beginning of a request line of HTTP or RTSP: upper-case letters, `_` and what follows a blank.
fn may_be_a_method(line: &[u8]) -> bool {
    let method = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    method.len() <= 32 && method.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-'))
}

/// The length of a head with its empty line; lines may end with a bare line feed.
fn head_length(text: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(at) = text[start..].iter().position(|byte| *byte == b'\n') {
        let line = text[start..start + at].trim_ascii_end();
        start += at + 1;
        if line.is_empty() {
            return Some(start);
        }
    }
    None
}

fn value(field: &[u8], name: &str) -> Option<String> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    let (key, value) = (&field[..colon], &field[colon + 1..]);
    if !key.eq_ignore_ascii_case(name.as_bytes()) {
        return None;
    }
    std::str::from_utf8(value.trim_ascii()).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET /cam HTTP/1.0\r\nX-SessionCookie: abc\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n";
    const POST: &str =
        "POST /cam HTTP/1.0\r\nx-sessioncookie: abc\r\nContent-Length: 32767\r\nTransfer-Encoding: Chunked\r\n\r\nT1BU";

    #[test]
    fn every_kind_is_told_by_its_head_and_not_before() {
        let cookie = "abc".to_owned();
        let cases = [
            (GET, Speaks::TunnelGet { head: GET.len(), cookie: cookie.clone() }),
            (POST, Speaks::TunnelPost { head: POST.len() - 4, cookie, chunked: true }),
            ("OPTIONS rtsp://h/cam RTSP/1.0\r\n", Speaks::Rtsp),
            ("\r\nGET_PARAMETER * RTSP/1.0\n", Speaks::Rtsp),
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", Speaks::Http),
            ("PUT / HTTP/1.1\r\n", Speaks::Http),
            ("PRI * HTTP/2.0\r\n", Speaks::OtherHttp),
            ("GET / HTTP/3\r\n\r\n", Speaks::Http),
            ("\u{16}\u{3}\u{1}", Speaks::Http),
            ("hello", Speaks::Http),
        ];
        for (text, expected) in cases {
            let first = (0..=text.len()).find_map(|length| Some((length, look(&text.as_bytes()[..length], 8192)?)));
            let (length, found) = first.unwrap();
            assert_eq!(found, expected, "{text:?}");
            if let Speaks::TunnelGet { head, .. } | Speaks::TunnelPost { head, .. } = found {
                assert_eq!(length, head, "the whole head is needed, and no more");
            }
        }
    }

    /// Found by the fuzz target: what came in one piece was RTSP, and byte by byte it was HTTP.
    #[test]
    fn a_verdict_is_the_same_in_any_pieces() {
        let long = format!("OPTIONS {} RTSP/1.0\r\n", "x".repeat(200));
        for text in ["options * RTSP/1.0\r\n\r\n", "RTSP/1.0\r\n", "\r\nGET", &long, GET, POST] {
            let verdicts = (0..=text.len()).map(|length| look(&text.as_bytes()[..length], 150));
            let told: Vec<_> = verdicts.skip_while(Option::is_none).collect();
            assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{text:?}: {told:?}");
        }
    }

    #[test]
    fn an_endless_head_is_left_to_http() {
        let long = format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(100));
        assert_eq!(look(long.as_bytes(), 100), Some(Speaks::Http));
        assert_eq!(look(long.as_bytes(), 8192), None);
        assert_eq!(look(&[b'A'; 200], 100), Some(Speaks::Http));
    }
}
