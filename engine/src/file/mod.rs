//! The file source: an MP4 or Matroska file, looped on the running-time line, offered as it is.
//!
//! The file plays as if it had always been playing: loop `k` of it stands at `k` times its period on the line. So a track that
//! was idle goes on where it would be, video and sound agree whenever each is started, and RTP time never goes back.
//! [`demux`] reads one stream, [`reader`] paces it, [`group`] hands it out from the newest key frame on.

pub mod demux;
pub mod group;
pub mod reader;

use std::path::Path;
use std::sync::Arc;

use demux::{Demux, Kind};
use group::Group;

use crate::launch::PICTURE_MTU;
use crate::timeline::Timeline;

/// One stream of the file that can be offered.
pub struct SourceStream {
    /// Hands out the stream.
    pub group: Arc<Group>,
    /// The launch line of its tracks.
    pub launch: String,
}

/// What the file has.
pub struct FileSource {
    /// The first video stream.
    pub video: SourceStream,
    /// The first audio stream, if there is one; an error if its codec cannot be offered.
    pub audio: Option<Result<SourceStream, String>>,
}

/// Opens a file and starts its readers, which sleep until they are needed.
///
/// # Errors
/// When the file cannot be read, has no video, or video of a codec that cannot be offered.
pub fn open(path: &str, timeline: &Timeline) -> Result<FileSource, String> {
    let path = Path::new(path);
    let video = Demux::open(path, Kind::Video)?.ok_or_else(|| format!("{} has no video stream", path.display()))?;
    let launch = launch(video.caps()).map_err(|reason| format!("{}: {reason}", path.display()))?;
    let shape = reader::measure(&video).map_err(|reason| format!("{}: {reason}", path.display()))?;
    let video = SourceStream { group: reader::start(video, shape, timeline.clone())?, launch };
    let audio = match Demux::open(path, Kind::Audio)? {
        Some(audio) => Some(match self::launch(audio.caps()) {
            Ok(launch) => Ok(SourceStream { group: reader::start(audio, shape, timeline.clone())?, launch }),
            Err(reason) => Err(format!("{}: {reason}", path.display())),
        }),
        None => None,
    };
    Ok(FileSource { video, audio })
}

/// The launch line for a stream of the file. Nothing but packing: the pictures stay byte for byte what they are.
fn launch(caps: &gst::Caps) -> Result<String, String> {
    let structure = caps.structure(0).ok_or("a stream without a format")?;
    let mpeg_version = structure.get::<i32>("mpegversion").ok();
    let name = structure.name().as_str();
    let payloader = match (name, mpeg_version) {
        ("video/x-h264", _) => format!("rtph264pay {PICTURE_MTU} pt=96 config-interval=-1 aggregate-mode=zero-latency"),
        ("video/x-h265", _) => format!("rtph265pay {PICTURE_MTU} pt=96 config-interval=-1 aggregate-mode=zero-latency"),
        ("audio/mpeg", Some(2 | 4)) => "rtpmp4gpay pt=97".to_owned(),
        ("audio/x-mulaw", _) => "rtppcmupay pt=0".to_owned(),
        ("audio/x-alaw", _) => "rtppcmapay pt=8".to_owned(),
        _ => return Err(format!("a stream of {name} cannot be offered: H.264, H.265, AAC and G.711 can")),
    };
    Ok(format!("( appsrc name=src ! {payloader} name=pay0 timestamp-offset=0 )"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cameras_send_is_offered() {
        gst::init().unwrap();
        let launch = |text: &str| launch(&text.parse().unwrap());
        assert!(launch("video/x-h265,stream-format=hvc1").unwrap().contains("rtph265pay"));
        assert!(launch("audio/mpeg,mpegversion=4").unwrap().contains("rtpmp4gpay"));
        assert!(launch("audio/mpeg,mpegversion=1,layer=3").unwrap_err().contains("audio/mpeg"));
        assert!(launch("video/x-vp9").unwrap_err().contains("video/x-vp9"));
    }
}
