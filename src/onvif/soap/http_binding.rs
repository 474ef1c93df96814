//! SOAP over HTTP, as far as it can be decided without a connection (SOAP 1.2 part 2, section 7; Core, section 5.8.2.4).

/// The one method; for the Allow header.
pub const ALLOW: &str = "POST";

/// The media types of requests: that of SOAP 1.2, and the older one, which some clients send with a SOAPAction header.
///
/// Never more than these, and never none: a page in a browser can send other types, or none at all, to any address without
/// being asked, and the browser would add the credentials.
const MEDIA_TYPES: [&str; 2] = ["application/soap+xml", "text/xml"];

/// Why a request is not even read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpRefusal {
    /// Another method than POST: answer with an Allow header of [`ALLOW`].
    #[error("only POST is allowed")]
    MethodNotAllowed,
    /// Another media type or character set; also attachments (MTOM), which we do not take.
    #[error("only SOAP 1.2 in UTF-8 is accepted")]
    UnsupportedMediaType,
}

impl HttpRefusal {
    /// The HTTP status.
    pub fn http_status(self) -> u16 {
        match self {
            Self::MethodNotAllowed => 405,
            Self::UnsupportedMediaType => 415,
        }
    }
}

/// What goes back: a response or a fault in its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status. 401 wants the challenges added.
    pub status: u16,
    /// The value of Content-Type.
    pub content_type: String,
    /// The envelope.
    pub body: String,
}

impl Answer {
    /// Makes an answer; the action is that of WS-Addressing, if it was used.
    pub fn new(status: u16, action: Option<&str>, body: String) -> Self {
        Self { status, content_type: content_type(action), body }
    }
}

/// Checks whether a request can be one of SOAP.
///
/// An action in the media type or in a SOAPAction header is not looked at: operations are found by the body (X10).
///
/// # Errors
/// It cannot; see [`HttpRefusal`].
pub fn check(method: &str, content_type: Option<&str>) -> Result<(), HttpRefusal> {
    if method != ALLOW {
        return Err(HttpRefusal::MethodNotAllowed);
    }
    content_type.filter(|value| is_accepted(value)).map(|_| ()).ok_or(HttpRefusal::UnsupportedMediaType)
}

fn is_accepted(content_type: &str) -> bool {
    let mut quoted = false;
    let mut parts = content_type.split(|c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    });
    let media_type = parts.next().unwrap_or_default().trim();
    MEDIA_TYPES.iter().any(|known| media_type.eq_ignore_ascii_case(known))
        && parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
            let value = value.trim().trim_matches('"');
            !name.trim().eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8")
        })
}

/// The media type of answers, with the action if there is one.
fn content_type(action: Option<&str>) -> String {
    let plain = "application/soap+xml; charset=utf-8";
    // Actions are our own constants; whatever cannot stand in a quoted string is left out.
    match action.filter(|action| action.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')) {
        Some(action) => format!("{plain}; action=\"{action}\""),
        None => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_of_soap_are_taken() {
        for value in [
            "application/soap+xml",
            "application/soap+xml; charset=utf-8",
            "application/soap+xml;charset=\"UTF-8\"",
            "Application/SOAP+XML ; Charset = UTF-8",
            "application/soap+xml; charset=utf-8; action=\"http://www.onvif.org/ver10/device/wsdl/GetServices\"",
            "application/soap+xml; action=\"a;charset=latin1\"",
            "application/soap+xml; action",
            "text/xml",
            "text/xml; charset=utf-8",
        ] {
            assert_eq!(check("POST", Some(value)), Ok(()), "{value}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for value in [
            None,
            Some(""),
            Some("application/json"),
            Some("text/plain"),
            Some("application/soap+xmlx"),
            Some("application/soap+xml; charset=utf-16"),
            Some("text/xml; charset=iso-8859-1"),
            Some("multipart/related; type=\"application/xop+xml\""),
        ] {
            let refusal = check("POST", value).unwrap_err();
            assert_eq!((refusal, refusal.http_status()), (HttpRefusal::UnsupportedMediaType, 415), "{value:?}");
        }
        for method in ["GET", "PUT", "OPTIONS", "post"] {
            let refusal = check(method, Some("application/soap+xml")).unwrap_err();
            assert_eq!((refusal, refusal.http_status()), (HttpRefusal::MethodNotAllowed, 405), "{method}");
        }
    }

    #[test]
    fn answers_name_their_action_if_they_have_one() {
        assert_eq!(Answer::new(200, None, String::new()).content_type, "application/soap+xml; charset=utf-8");
        let answer = Answer::new(200, Some("urn:a"), String::new());
        assert_eq!(answer.content_type, "application/soap+xml; charset=utf-8; action=\"urn:a\"");
        assert!(!Answer::new(200, Some("a\"\r\nb"), String::new()).content_type.contains("action"));
    }
}
