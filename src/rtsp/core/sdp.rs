//! The writer of session descriptions (RFC 4566; SD-1 to SD-12).

use std::fmt;
use std::net::IpAddr;

use crate::rtp::packet::PayloadType;

/// The kind of a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// Video.
    Video,
    /// Audio.
    Audio,
    /// Metadata.
    Application,
}

impl MediaKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Application => "application",
        }
    }
}

/// The direction of a medium, seen from the client (SD-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the camera to the client.
    ReceiveOnly,
    /// From the client to the camera: the back channel.
    SendOnly,
}

/// One medium of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// The kind.
    pub kind: MediaKind,
    /// The payload type.
    pub payload_type: PayloadType,
    /// The encoding's name in `a=rtpmap`, e.g. `H264`.
    pub encoding: String,
    /// Ticks of RTP time per second.
    pub clock_rate: u32,
    /// The number of channels, for audio of more than one and where the format demands it.
    pub channels: Option<u8>,
    /// The format's parameters in `a=fmtp`.
    pub fmtp: Option<String>,
    /// The control URI, relative to the session's or absolute (SD-2).
    pub control: String,
    /// The direction; left out, the client takes it for receiving.
    pub direction: Option<Direction>,
    /// Pictures per second.
    pub frame_rate: Option<f64>,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// The expected bit rate, in kbit/s.
    pub bandwidth: Option<u32>,
}

/// A session that a client may set up, delivered by unicast.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionDescription {
    /// The session's identity; the same for every description of the same stream.
    pub id: u64,
    /// Raised whenever the description changes.
    pub version: u64,
    /// Our address as the client knows it; decides between IP4 and IP6 (RM-17).
    pub origin: IpAddr,
    /// The name shown to people.
    pub name: String,
    /// The media.
    pub media: Vec<Media>,
}

/// Writes one line with its CRLF.
macro_rules! line {
    ($f:expr, $($arg:tt)*) => {{
        write!($f, $($arg)*)?;
        $f.write_str("\r\n")?;
    }};
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (family, any) = match self.origin {
            IpAddr::V4(_) => ("IP4", "0.0.0.0"),
            IpAddr::V6(_) => ("IP6", "::"),
        };
        let name = one_line(&self.name);
        line!(f, "v=0");
        line!(f, "o=- {} {} IN {family} {}", self.id, self.version, self.origin);
        // SD-1: the name is never left out; a dash stands for none.
        line!(f, "s={}", if name.is_empty() { "-" } else { &name });
        line!(f, "c=IN {family} {any}");
        line!(f, "t=0 0");
        // SD-2: the aggregate control.
        line!(f, "a=control:*");
        line!(f, "a=range:npt=now-");
        self.media.iter().try_for_each(|media| write!(f, "{media}"))
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pt = self.payload_type;
        line!(f, "m={} 0 RTP/AVP {pt}", self.kind.as_str());
        if let Some(kbit) = self.bandwidth {
            line!(f, "b=AS:{kbit}");
        }
        // Static payload types have their rtpmap too: some clients know no table.
        write!(f, "a=rtpmap:{pt} {}/{}", one_line(&self.encoding), self.clock_rate)?;
        match self.channels {
            Some(channels) => line!(f, "/{channels}"),
            None => line!(f, ""),
        }
        if let Some(fmtp) = &self.fmtp {
            line!(f, "a=fmtp:{pt} {}", one_line(fmtp));
        }
        if let Some(rate) = self.frame_rate.filter(|rate| rate.is_finite() && *rate > 0.0) {
            // Three decimals tell 29.97 from 30.
            line!(f, "a=framerate:{}", (rate * 1000.0).round() / 1000.0);
        }
        if let Some((width, height)) = self.size {
            line!(f, "a=framesize:{pt} {width}-{height}");
            // GStreamer takes the size of large JPEG pictures from here.
            line!(f, "a=x-dimensions:{width},{height}");
        }
        match self.direction {
            Some(Direction::ReceiveOnly) => line!(f, "a=recvonly"),
            Some(Direction::SendOnly) => line!(f, "a=sendonly"),
            None => {}
        }
        line!(f, "a=control:{}", one_line(&self.control));
        Ok(())
    }
}

/// Keeps a value from adding lines of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video() -> Media {
        Media {
            kind: MediaKind::Video,
            payload_type: PayloadType::dynamic(0),
            encoding: "H264".into(),
            clock_rate: 90_000,
            channels: None,
            fmtp: Some("packetization-mode=1".into()),
            control: "trackID=0".into(),
            direction: None,
            frame_rate: Some(15.0),
            size: Some((1280, 720)),
            bandwidth: Some(2000),
        }
    }

    fn g711() -> Media {
        Media {
            kind: MediaKind::Audio,
            payload_type: PayloadType::PCMU,
            encoding: "PCMU".into(),
            clock_rate: 8000,
            fmtp: None,
            control: "trackID=1".into(),
            direction: Some(Direction::ReceiveOnly),
            frame_rate: None,
            size: None,
            bandwidth: None,
            ..video()
        }
    }

    fn session(origin: &str, media: Vec<Media>) -> SessionDescription {
        let origin = origin.parse().unwrap();
        SessionDescription { id: 7, version: 2, origin, name: "Front door".into(), media }
    }

    #[test]
    fn a_session_is_described_line_by_line() {
        // SD-1, SD-2, SD-11.
        assert_eq!(
            session("192.0.2.1", vec![video(), g711()]).to_string(),
            "v=0\r\n\
             o=- 7 2 IN IP4 192.0.2.1\r\n\
             s=Front door\r\n\
             c=IN IP4 0.0.0.0\r\n\
             t=0 0\r\n\
             a=control:*\r\n\
             a=range:npt=now-\r\n\
             m=video 0 RTP/AVP 96\r\n\
             b=AS:2000\r\n\
             a=rtpmap:96 H264/90000\r\n\
             a=fmtp:96 packetization-mode=1\r\n\
             a=framerate:15\r\n\
             a=framesize:96 1280-720\r\n\
             a=x-dimensions:1280,720\r\n\
             a=control:trackID=0\r\n\
             m=audio 0 RTP/AVP 0\r\n\
             a=rtpmap:0 PCMU/8000\r\n\
             a=recvonly\r\n\
             a=control:trackID=1\r\n"
        );
    }

    #[test]
    fn an_ipv6_client_sees_ipv6_only() {
        // RM-17.
        let text = session("2001:db8::1", vec![]).to_string();
        assert!(text.contains("o=- 7 2 IN IP6 2001:db8::1\r\n") && text.contains("c=IN IP6 ::\r\n"));
        assert!(!text.contains("IP4"));
    }

    #[test]
    fn static_payload_types_and_channels_are_written() {
        let jpeg = Media { payload_type: PayloadType::JPEG, encoding: "JPEG".into(), fmtp: None, ..video() };
        assert!(jpeg.to_string().starts_with("m=video 0 RTP/AVP 26\r\nb=AS:2000\r\na=rtpmap:26 JPEG/90000\r\n"));
        let pcma = Media { payload_type: PayloadType::PCMA, encoding: "PCMA".into(), ..g711() };
        assert!(pcma.to_string().starts_with("m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"));
        let aac = Media { channels: Some(2), encoding: "mpeg4-generic".into(), clock_rate: 16_000, ..g711() };
        assert!(aac.to_string().contains("mpeg4-generic/16000/2\r\n"));
    }

    #[test]
    fn frame_rates_are_written_as_short_as_possible() {
        for (rate, want) in [(30_000.0 / 1001.0, Some("29.97")), (12.5, Some("12.5")), (0.0, None), (f64::NAN, None)] {
            let text = Media { frame_rate: Some(rate), ..video() }.to_string();
            match want {
                Some(want) => assert!(text.contains(&format!("a=framerate:{want}\r\n"))),
                None => assert!(!text.contains("framerate")),
            }
        }
    }

    #[test]
    fn a_name_cannot_add_lines() {
        let mut session = session("::1", vec![]);
        session.name = "x\r\na=evil:1".into();
        assert!(session.to_string().contains("s=x  a=evil:1\r\n"));
        session.name = "\n".into();
        assert!(session.to_string().contains("s=-\r\n"));
    }
}
