//! The RTP-Info header of a PLAY response (RFC 2326, section 12.33).

use std::fmt;

use crate::rtp::packet::{RtpTime, SequenceNumber};

/// Where one stream begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamStart {
    /// The absolute control URI of the stream.
    pub url: String,
    /// The sequence number of its first packet.
    pub sequence: SequenceNumber,
    /// The RTP time that corresponds to the start of the Range in the same response (RM-10).
    pub time: RtpTime,
}

/// The header's value: every stream of the session, in the order of their SETUP (RM-9).
#[derive(Debug, Clone, Copy)]
pub struct RtpInfo<'a>(pub &'a [StreamStart]);

impl fmt::Display for RtpInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, StreamStart { url, sequence, time }) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}url={url};seq={};rtptime={}", sequence.0, time.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_listed_with_url_sequence_and_time() {
        let start = |name: &str, sequence, time| StreamStart {
            url: format!("rtsp://192.0.2.1:8554/cam/{name}"),
            sequence: SequenceNumber(sequence),
            time: RtpTime(time),
        };
        let streams = [start("trackID=0", 65535, 4_294_967_295), start("trackID=1", 0, 7)];
        // RM-9.
        assert_eq!(
            RtpInfo(&streams).to_string(),
            "url=rtsp://192.0.2.1:8554/cam/trackID=0;seq=65535;rtptime=4294967295,\
             url=rtsp://192.0.2.1:8554/cam/trackID=1;seq=0;rtptime=7"
        );
    }
}
