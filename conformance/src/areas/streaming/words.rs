//! What the cases of the matrix differ in, and the numbers that the specifications give to their steps.

/// The service by which a case sets the device up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Media1,
    Media2,
}

impl Service {
    /// The prefix of its requests.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Media1 => "trt",
            Self::Media2 => "tr2",
        }
    }
}

/// The Internet protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ip {
    V4,
    V6,
}

impl Ip {
    /// How much later the steps of a case are numbered because it begins with looking for the address.
    pub(super) fn shift(self) -> u32 {
        u32::from(self == Self::V6)
    }

    /// `IPv4` or `IPv6`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// The way that media take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// RTP as datagrams.
    Udp,
    /// RTP in the RTSP connection.
    Tcp,
    /// RTP in RTSP in HTTP.
    Tunnel,
}

/// A codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Jpeg,
    H264,
    H265,
    G711,
    Aac,
}

impl Codec {
    /// What Media1 calls it.
    pub(super) fn media1(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::H264 => "H264",
            Self::H265 => "H265",
            Self::G711 => "G711",
            Self::Aac => "AAC",
        }
    }

    /// What Media2 and SDP call it; of several the first is preferred.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Jpeg => &["JPEG"],
            Self::H264 => &["H264"],
            Self::H265 => &["H265"],
            Self::G711 => &["PCMU"],
            Self::Aac => &["MP4A-LATM", "MPEG4-GENERIC"],
        }
    }

    /// The kind of its media section in an SDP.
    pub(super) fn kind(self) -> &'static str {
        if self.is_video() { "video" } else { "audio" }
    }

    /// Whether it is for pictures.
    pub(super) fn is_video(self) -> bool {
        matches!(self, Self::Jpeg | Self::H264 | Self::H265)
    }

    /// The codec of a video encoder configuration, by either service's name.
    pub(super) fn of_video(name: &str) -> Option<Self> {
        [Self::Jpeg, Self::H264, Self::H265].into_iter().find(|codec| codec.media1() == name)
    }
}

/// The numbers of the steps of a stream.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    prefix: String,
    /// Where the tunnel is opened.
    pub(super) tunnel: String,
    /// DESCRIBE.
    pub(super) describe: String,
    /// What the SDP has to say.
    pub(super) sdp: String,
    /// SETUP.
    pub(super) set_up: String,
    /// PLAY.
    pub(super) play: String,
    /// The media come.
    pub(super) media: String,
    /// The sender reports come.
    pub(super) reports: String,
    /// They are decoded.
    pub(super) decode: String,
    /// TEARDOWN.
    pub(super) tear_down: String,
}

impl Steps {
    /// Of a case that tells every step, GetStreamUri being this one.
    pub(super) fn told(uri: u32, way: Way) -> Self {
        let more = if way == Way::Tunnel { 2 } else { 0 };
        // Interleaved, media and reports are one step.
        let fewer = u32::from(way == Way::Tcp);
        let at = |number: u32| (uri + number + more).to_string();
        Self {
            prefix: String::new(),
            tunnel: (uri + 3).to_string(),
            describe: at(3),
            sdp: at(4),
            set_up: at(5),
            play: at(7),
            media: at(9),
            reports: at(10 - fewer),
            decode: at(11 - fewer),
            tear_down: at(12 - fewer),
        }
    }

    /// Of a case with an order of its own, over UDP: DESCRIBE, its answer, SETUP, PLAY, media, reports, decoding, TEARDOWN.
    pub(super) fn own(numbers: [u32; 8]) -> Self {
        let [describe, sdp, set_up, play, media, reports, decode, tear_down] = numbers.map(|number| number.to_string());
        let (prefix, tunnel) = (String::new(), describe.clone());
        Self { prefix, tunnel, describe, sdp, set_up, play, media, reports, decode, tear_down }
    }

    /// The same with another step for TEARDOWN.
    pub(super) fn ending_with(self, tear_down: u32) -> Self {
        Self { prefix: String::new(), tear_down: tear_down.to_string(), ..self }
    }

    /// Of a case that leaves the stream to a procedure of the annex, in this step.
    pub(super) fn left(step: u32, service: Service, way: Way) -> Self {
        Self::of_helper(&format!("{step}."), service, way)
    }

    fn of_helper(prefix: &str, service: Service, way: Way) -> Self {
        // The procedure of Media1 begins with the address.
        let first = if service == Service::Media1 { 3 } else { 1 };
        let more = if way == Way::Tunnel { 2 } else { 0 };
        let at = |number: u32| format!("{prefix}{}", first + number + more);
        Self {
            prefix: prefix.to_owned(),
            tunnel: format!("{prefix}{first}"),
            describe: at(0),
            sdp: at(2),
            set_up: at(5),
            play: at(8),
            media: at(10),
            reports: at(12),
            decode: at(10),
            tear_down: at(13),
        }
    }

    /// A step behind the last one of the stream: `1` is the next.
    pub(super) fn after(&self, more: u32) -> String {
        let last = self.tear_down.trim_start_matches(&self.prefix).parse::<u32>().unwrap_or_default();
        format!("{}{}", self.prefix, last + more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the printed steps of RTSS-1-1-34, -35, -36, of annex A.17 there and of annex A.11 of the Media2 document.
    #[test]
    fn steps_are_numbered_as_in_the_specifications() {
        let steps =
            |steps: Steps| [steps.describe, steps.set_up, steps.play, steps.media, steps.reports, steps.tear_down];
        assert_eq!(steps(Steps::told(6, Way::Udp)), ["9", "11", "13", "15", "16", "18"]);
        assert_eq!(steps(Steps::told(6, Way::Tunnel)), ["11", "13", "15", "17", "18", "20"]);
        assert_eq!(steps(Steps::told(6, Way::Tcp)), ["9", "11", "13", "15", "15", "17"]);
        let left = |service| steps(Steps::left(4, service, Way::Tunnel));
        assert_eq!(left(Service::Media1), ["4.5", "4.10", "4.13", "4.15", "4.17", "4.18"]);
        assert_eq!(left(Service::Media2), ["4.3", "4.8", "4.11", "4.13", "4.15", "4.16"]);
        assert_eq!(Steps::left(4, Service::Media2, Way::Tunnel).after(1), "4.17");
    }
}
