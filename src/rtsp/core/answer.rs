//! Answers: one place turns what went wrong into a status (RFC 2326 section 11).

use bytes::Bytes;
use rtsp_types::{
    Request, Response, ResponseBuilder, StatusCode, Version,
    headers::{CSEQ, HeaderName, HeaderValue, SERVER},
};

/// The product token; the version would only help attackers.
const SERVER_NAME: &str = "Belvedere";

/// Begins the answer to a request: its CSeq goes back in every answer (RM-11).
pub fn to(request: &Request<Bytes>, status: StatusCode) -> ResponseBuilder {
    let builder = Response::builder(Version::V1_0, status).header(SERVER, SERVER_NAME);
    match request.header(&CSEQ) {
        Some(cseq) => builder.header(CSEQ, cseq.clone()),
        None => builder,
    }
}

/// The answer to something that was not readable as a request.
pub fn unreadable(status: StatusCode, cseq: Option<&str>) -> Response<Bytes> {
    let builder = Response::builder(Version::V1_0, status).header(SERVER, SERVER_NAME);
    match cseq {
        Some(cseq) => builder.header(CSEQ, HeaderValue::from(cseq)),
        None => builder,
    }
    .build(Bytes::new())
}

/// Writes an answer as it goes on the wire, in memory of just its size: a client may leave many waiting.
pub fn to_bytes(response: &Response<Bytes>) -> Bytes {
    let mut bytes = Vec::with_capacity(512 + response.body().len());
    // Writing into a vector has nothing to fail on.
    let _ = response.write(&mut bytes);
    bytes.into_boxed_slice().into()
}

/// A request that is answered with something else than success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// Headers that the status calls for.
    pub headers: Vec<(HeaderName, String)>,
}

impl Refusal {
    /// A refusal without further headers.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: Vec::new() }
    }

    /// Adds a header.
    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer to a request.
    pub fn answer(self, request: &Request<Bytes>) -> Response<Bytes> {
        let mut lines: Vec<(HeaderName, String)> = Vec::new();
        for (name, value) in self.headers {
            match lines.iter_mut().find(|(known, _)| *known == name) {
                // The message type keeps one value for each name and would join them with a comma. Clients read one
                // challenge a line (AU-5), so the further lines go into the value; all of it is our own text.
                Some((_, joined)) => joined.push_str(&format!("\r\n{}: {value}", name.as_str())),
                None => lines.push((name, value)),
            }
        }
        let builder = to(request, self.status);
        let builder = lines.into_iter().fold(builder, |builder, (name, value)| builder.header(name, value));
        builder.build(Bytes::new())
    }
}

impl From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Self {
        Self::new(status)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use rtsp_types::headers::WWW_AUTHENTICATE;
    use rtsp_types::{Method, Url};

    use super::*;

    #[test]
    fn each_challenge_stands_on_a_line_of_its_own() {
        // AU-5, RM-11
        let url = Url::parse("rtsp://192.0.2.1/cam").unwrap();
        let request =
            Request::builder(Method::Describe, Version::V1_0).request_uri(url).header(CSEQ, "7").build(Bytes::new());
        let refusal = Refusal::new(StatusCode::Unauthorized)
            .with(WWW_AUTHENTICATE, "Digest a")
            .with(WWW_AUTHENTICATE, "Digest b");
        let text = String::from_utf8(to_bytes(&refusal.answer(&request)).to_vec()).unwrap();
        assert!(text.starts_with("RTSP/1.0 401 "), "{text}");
        assert!(text.contains("\r\nWWW-Authenticate: Digest a\r\nWWW-Authenticate: Digest b\r\n"), "{text}");
        assert!(text.contains("\r\nCSeq: 7\r\n"), "{text}");
    }

    #[test]
    fn an_answer_takes_the_memory_of_its_length() {
        let answer = to_bytes(&unreadable(StatusCode::BadRequest, Some("7")));
        let len = answer.len();
        assert_eq!(BytesMut::from(answer).capacity(), len);
    }
}
