//! The answer to DESCRIBE, and what the specifications demand of it.

use std::net::IpAddr;

use belvedere_harness::rtsp::{self, Media, Response};

use super::{
    door::literal,
    words::{Codec, Ip},
};
use crate::{test::Test, verdict::Outcome};

/// A session description.
#[derive(Debug, Clone)]
pub(super) struct Sdp {
    text: String,
    base: String,
    media: Vec<Media>,
}

impl Sdp {
    /// Reads the answer to a DESCRIBE of this address.
    pub(super) fn read(t: &mut Test<'_>, answer: &Response, url: &str) -> Outcome<Self> {
        let kind = answer.header("Content-Type").unwrap_or_default();
        let holds = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/sdp"));
        t.demand(holds, "Content-Type: application/sdp", kind)?;
        let base =
            answer.header("Content-Base").or_else(|| answer.header("Content-Location")).unwrap_or(url).to_owned();
        let text = with_line_ends(&answer.body);
        if text != answer.body {
            t.note("lines of the session description end with LF alone, not with CRLF");
        }
        let media = rtsp::parse_sdp(&text, &base)
            .map_err(|error| t.failed("a session description", format!("{error:#}: {text}")))?;
        Ok(Self { text, base, media })
    }

    /// How many media sections it has.
    pub(super) fn sections(&self) -> usize {
        self.media.len()
    }

    /// The section with this codec, which the device sends.
    pub(super) fn section(&self, t: &Test<'_>, codec: Codec) -> Outcome<Media> {
        let texts = self.text.split("\r\nm=").skip(1);
        let found = self.media.iter().zip(texts).find(|(media, text)| {
            let from_client = text.lines().any(|line| line == "a=sendonly");
            media.kind == codec.kind() && codec.names().contains(&media.encoding.as_str()) && !from_client
        });
        let expected = format!("a section for {} in {} that is not sendonly", codec.kind(), codec.names().join(" or "));
        match found {
            Some((media, _)) => Ok(media.clone()),
            None => Err(t.failed(expected, self.text.clone())),
        }
    }

    /// The address of the whole session (RFC 2326, section C.1.1).
    pub(super) fn aggregate(&self) -> String {
        let session = self.text.split("\r\nm=").next().unwrap_or_default();
        let control = session.lines().find_map(|line| line.strip_prefix("a=control:")).unwrap_or("*");
        if control == "*" {
            self.base.clone()
        } else if control.contains("://") {
            control.to_owned()
        } else {
            format!("{}/{control}", self.base.trim_end_matches('/'))
        }
    }

    /// Demands that every address in the answer is of the protocol that the stream's address is of.
    pub(super) fn judge_addresses(&self, t: &Test<'_>, answer: &Response, ip: Ip) -> Outcome {
        let fits = |address: IpAddr| address.is_ipv6() == (ip == Ip::V6);
        let controls = self.text.lines().filter_map(|line| line.strip_prefix("a=control:"));
        let bases = answer.all("Content-Base").chain(answer.all("Content-Location"));
        for address in bases.chain(controls) {
            let holds = literal(address).is_none_or(fits) || !address.contains("://");
            t.demand(holds, format!("an {} address", ip.name()), address)?;
        }
        let kind = if ip == Ip::V6 { "IP6" } else { "IP4" };
        for line in self.text.lines().filter(|line| line.starts_with("o=") || line.starts_with("c=")) {
            let mut words = line.split_whitespace().rev();
            let (address, named) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            // A name may stand there, and of a multicast address the time to live.
            let number = address.split('/').next().unwrap_or_default().parse::<IpAddr>().ok();
            let holds = named == kind && number.is_none_or(fits);
            t.demand(holds, format!("{kind} and an {} address in {}", ip.name(), &line[..2]), line)?;
        }
        Ok(())
    }
}

/// The same with every line ended by CRLF. A line feed alone is to be read, too (RFC 4566, section 5).
fn with_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device::Device, feature::Features};

    #[test]
    fn lines_may_end_with_a_line_feed_alone() {
        let text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\na=control:rtsp://h/cam/all\r\nm=audio 0 RTP/AVP 0\r\n\
                    a=control:a\r\na=sendonly\r\nm=audio 0 RTP/AVP 0\r\na=control:b\r\n";
        let (device, features) = (Device::new(String::new(), String::new(), String::new()), Features::default());
        for body in [text.to_owned(), text.replace('\r', "")] {
            let mut t = Test::new(&device, &features);
            let headers = vec![("Content-Type".into(), "application/sdp".into())];
            let sdp = Sdp::read(&mut t, &Response { status: 200, headers, body }, "rtsp://h/cam").unwrap();
            assert_eq!((sdp.sections(), sdp.aggregate().as_str()), (2, "rtsp://h/cam/all"));
            assert_eq!(sdp.section(&t, Codec::G711).unwrap().control, "rtsp://h/cam/b");
        }
    }
}
