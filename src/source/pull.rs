//! One RTSP session as a client, by retina over TCP.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use retina::{
    client::{
        Credentials, Demuxed, InitialSequenceNumberPolicy, InitialTimestampPolicy, PlayOptions, Session,
        SessionOptions, SetupOptions, TcpTransportOptions, Transport, UnknownRtcpSsrcPolicy,
    },
    codec::{CodecItem, FrameFormat},
    rtcp::TypedPacketRef,
};
use tokio::time::{Instant, timeout_at};

use super::{
    assemble::{Assembler, supported},
    timeline::{EngineBase, Stamp, Timeline, UpstreamClock},
};
use crate::{
    base::{
        clock::Clock,
        redact::{self, SecretUrl},
    },
    hub::{CaptureTime, Kind, MediaTime, SourceState, Track},
};

/// Why a pull ended. The texts hold no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum PullError {
    /// retina's own report. It may quote addresses, also such as the upstream sent.
    #[error("{}", without_secrets(&.0.to_string()))]
    Rtsp(#[from] retina::Error),
    /// The upstream has no stream that the track could carry.
    #[error("no {0} stream of a supported codec")]
    NoStream(&'static str),
    /// The upstream ended the stream.
    #[error("the stream ended")]
    Ended,
    /// No unit came for longer than a living stream can be silent.
    #[error("nothing came for {0:?}")]
    Silent(Duration),
    /// The upstream did not answer.
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    /// The RTSP client panicked at what the upstream sent.
    #[error("what the upstream sends breaks the RTSP client")]
    Panicked,
}

impl PullError {
    /// The status of the upstream's answer, if it answered.
    pub(super) fn status(&self) -> Option<u16> {
        if let Self::Rtsp(error) = self { error.status_code() } else { None }
    }
}

/// Writes every address in a text as [`redact::url`] does.
fn without_secrets(text: &str) -> String {
    let redacted = |word: &str| if word.contains("://") { redact::url(word) } else { word.to_owned() };
    let is_end = |c: char| c.is_whitespace() || c.is_control() || "\"'<>`".contains(c);
    text.split_inclusive(is_end)
        .map(|piece| {
            let word = piece.trim_end_matches(is_end);
            redacted(word) + &piece[word.len()..]
        })
        .collect()
}

/// Where from and where to.
#[derive(Debug)]
pub(super) struct PullTarget {
    pub(super) url: SecretUrl,
    pub(super) credentials: Option<Credentials>,
    /// The track for the upstream's first video stream.
    pub(super) video: Option<Arc<Track>>,
    /// The track for the upstream's first audio stream.
    pub(super) audio: Option<Arc<Track>>,
    /// When a stream counts as dead.
    pub(super) patience: Patience,
}

/// How long a pull waits for the next picture: at least `least`, and five picture times if that is longer.
///
/// Only a picture counts where there are pictures: sound and reports go on when a camera's encoder hangs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For the first picture.
    pub(super) first: Duration,
    /// For every other one.
    pub(super) least: Duration,
}

impl Patience {
    fn after_a_picture_of(self, frame: Duration) -> Duration {
        self.least.max(5 * frame)
    }
}

/// The times of the pulled units.
#[derive(Debug)]
pub(super) enum Timing<'a> {
    /// They count from the base time that the engine announced.
    Engine(EngineBase),
    /// They count from anywhere.
    Upstream(&'a mut UpstreamTimes),
}

/// The time lines of an upstream's streams, which outlive its connections.
#[derive(Debug, Default)]
pub(super) struct UpstreamTimes {
    clock: UpstreamClock,
    lines: [Option<Timeline>; 2],
}

impl UpstreamTimes {
    fn line(&mut self, kind: Kind, rate: u32) -> (&mut Timeline, &mut UpstreamClock) {
        let slot = &mut self.lines[usize::from(kind == Kind::Audio)];
        let line = slot.get_or_insert_with(|| Timeline::new(rate));
        line.set_rate(rate);
        (line, &mut self.clock)
    }

    fn reconnect(&mut self) {
        self.clock = UpstreamClock::default();
        self.lines.iter_mut().flatten().for_each(Timeline::reconnect);
    }
}

const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Pulls until the stream ends or fails. Never returns `Ok`: the caller decides when it is no longer wanted.
///
/// retina 0.4.21 panics at some descriptions (found by fuzzing: a medium without payload types). Such an upstream fails
/// this attempt like any other; without the catch its task would be gone and nobody would ever connect again.
pub(super) async fn pull(target: PullTarget, timing: Timing<'_>, clock: &dyn Clock) -> Result<(), PullError> {
    // After a panic the session is dropped, and a reconnect resets the time lines.
    AssertUnwindSafe(attempt(target, timing, clock)).catch_unwind().await.unwrap_or(Err(PullError::Panicked))
}

async fn attempt(target: PullTarget, mut timing: Timing<'_>, clock: &dyn Clock) -> Result<(), PullError> {
    let patience = target.patience;
    let connected = tokio::time::timeout(ANSWER_LIMIT, connect(target));
    let (mut session, mut streams) = connected.await.map_err(|_| PullError::NoAnswer(ANSWER_LIMIT))??;
    if let Timing::Upstream(times) = &mut timing {
        times.reconnect();
    }
    // What the last connection left is not what the source shows now.
    streams.iter().flatten().for_each(|assembler| assembler.track().clear());
    let has_pictures = streams.iter().flatten().any(|assembler| assembler.track().kind() == Kind::Video);
    let mut limit = patience.first;
    let mut since = Instant::now();
    loop {
        let item = timeout_at(since + limit, session.next()).await.map_err(|_| PullError::Silent(limit))?;
        let item = item.ok_or(PullError::Ended)??;
        let now = Stamp::now(clock);
        let is_picture = matches!(item, CodecItem::VideoFrame(_));
        let frame = take(&session, &mut streams, item, &mut timing, now)?;
        if is_picture || !has_pictures {
            since = Instant::now();
            limit = patience.after_a_picture_of(frame.unwrap_or_default());
        }
    }
}

/// What fills which track, by retina's index of the stream.
type Streams = Vec<Option<Assembler>>;

async fn connect(target: PullTarget) -> Result<(Demuxed, Streams), PullError> {
    let options = SessionOptions::default().creds(target.credentials).user_agent("Belvedere".to_owned());
    let mut session = Session::describe(target.url.reveal().clone(), options).await?;
    let mut tracks = [(Kind::Video, target.video), (Kind::Audio, target.audio)];
    let mut streams: Streams = session.streams().iter().map(|_| None).collect();
    for (index, slot) in streams.iter_mut().enumerate() {
        let stream = &session.streams()[index];
        let Some(kind) = supported(stream.media(), stream.encoding_name()) else { continue };
        let wanted = tracks.iter_mut().find(|(wanted, track)| *wanted == kind && track.is_some());
        let Some(track) = wanted.and_then(|(_, track)| track.take()) else { continue };
        let mut assembler = Assembler::new(track, stream.encoding_name(), stream.clock_rate_hz());
        if let Some(parameters) = stream.parameters() {
            // An unsupported description shows itself again with the first frame.
            let _ = assembler.describe(&parameters);
        }
        let setup = SetupOptions::default()
            .transport(Transport::Tcp(TcpTransportOptions::default()))
            .frame_format(FrameFormat::MP4);
        session.setup(index, setup).await?;
        if assembler.track().is_absent() {
            assembler.track().set_source_state(SourceState::Starting);
        }
        *slot = Some(assembler);
    }
    report_missing(&tracks);
    if streams.iter().all(Option::is_none) {
        return Err(PullError::NoStream("video or audio"));
    }
    let options = PlayOptions::default()
        .initial_timestamp(InitialTimestampPolicy::Permissive)
        // A media that is already running names a sequence number of the past (engine.md section 3).
        .initial_seq(InitialSequenceNumberPolicy::Ignore)
        .unknown_rtcp_ssrc(UnknownRtcpSsrcPolicy::DropPackets);
    let session = session.play(options).await?.demuxed()?;
    Ok((session, streams))
}

/// A track that the upstream has no stream for says so to whoever waits for it.
fn report_missing(tracks: &[(Kind, Option<Arc<Track>>)]) {
    for track in tracks.iter().filter_map(|(_, track)| track.as_ref()) {
        track.set_source_state(SourceState::Absent);
    }
}

/// Passes one item on. Gives the time of a picture, if it was one.
fn take(
    session: &Demuxed,
    streams: &mut Streams,
    item: CodecItem,
    timing: &mut Timing<'_>,
    now: Stamp,
) -> Result<Option<Duration>, PullError> {
    match item {
        CodecItem::VideoFrame(frame) => {
            let index = frame.stream_id();
            let Some(Some(assembler)) = streams.get_mut(index) else { return Ok(None) };
            if frame.has_new_parameters() {
                describe(session, index, assembler)?;
            }
            if frame.loss() > 0 {
                assembler.lost();
            }
            let (time, capture) = times(timing, Kind::Video, frame.timestamp().timestamp(), assembler, now);
            assembler.publish_picture(time, capture, Bytes::from(frame.into_data()));
            return Ok(Some(assembler.longest_frame()));
        }
        CodecItem::AudioFrame(frame) => {
            let Some(Some(assembler)) = streams.get_mut(frame.stream_id()) else { return Ok(None) };
            if frame.loss() > 0 {
                assembler.lost();
            }
            let (time, capture) = times(timing, Kind::Audio, frame.timestamp().timestamp(), assembler, now);
            assembler.publish_sound(time, capture, Bytes::copy_from_slice(frame.data()));
        }
        CodecItem::Rtcp(packet) => {
            if let (Timing::Upstream(times), Some(Some(assembler))) = (timing, streams.get(packet.stream_id())) {
                sender_report(times, assembler, &packet, now);
            }
        }
        _ => {}
    }
    Ok(None)
}

fn describe(session: &Demuxed, index: usize, assembler: &mut Assembler) -> Result<(), PullError> {
    match session.streams().get(index).and_then(|stream| stream.parameters()) {
        Some(parameters) => assembler.describe(&parameters).map_err(|_| PullError::NoStream("video")),
        None => Ok(()),
    }
}

fn times(timing: &mut Timing<'_>, kind: Kind, rtp: i64, assembler: &Assembler, now: Stamp) -> (MediaTime, CaptureTime) {
    let rate = assembler.clock_rate();
    match timing {
        Timing::Engine(base) => base.times(rtp, rate, now),
        Timing::Upstream(times) => times.line(kind, rate).0.times(rtp, now),
    }
}

fn sender_report(
    times: &mut UpstreamTimes,
    assembler: &Assembler,
    packet: &retina::rtcp::ReceivedCompoundPacket,
    now: Stamp,
) {
    let Some(rtp) = packet.rtp_timestamp() else { return };
    for part in packet.pkts() {
        if let Ok(Some(TypedPacketRef::SenderReport(report))) = part.as_typed() {
            let (line, clock) = times.line(assembler.track().kind(), assembler.clock_rate());
            line.report(clock, report.ntp_timestamp().0, rtp.timestamp(), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::{
        super::fake::{FakeCamera, H264, PCMU, picture, report, rtp},
        *,
    };
    use crate::{base::clock::SystemClock, hub::RingLimits};

    const SHORT: Patience = Patience { first: Duration::from_millis(400), least: Duration::from_millis(200) };

    /// Pulls pictures and sound for at most 3 s; gives what ended the pull.
    async fn pull_both(camera: &FakeCamera) -> Option<PullError> {
        let track = |kind| Some(Track::new("t", kind, RingLimits::default()));
        let (video, audio) = (track(Kind::Video), track(Kind::Audio));
        let url = SecretUrl::new(camera.url.clone());
        let target = PullTarget { url, credentials: None, video, audio, patience: SHORT };
        let mut times = UpstreamTimes::default();
        let pulling = pull(target, Timing::Upstream(&mut times), &SystemClock);
        tokio::time::timeout(Duration::from_secs(3), pulling).await.ok()?.err()
    }

    /// Sound and reports every 20 ms, pictures as long as `more` says so.
    async fn camera(more: impl Fn(u16) -> bool + Send + Sync + 'static) -> FakeCamera {
        let medium = |n: u16| (0..3_u8).map(move |part| (n, part));
        FakeCamera::start(&format!("{H264}{PCMU}"), move |_| {
            let parts = (0..200).flat_map(medium).filter(|(n, part)| *part != 0 || more(*n));
            let part = |(n, part): (u16, u8)| match part {
                0 => (Duration::ZERO, picture(n, 1800 * u32::from(n), n == 0, 1)),
                1 => (Duration::from_millis(20), rtp(1, 0, n, 160 * u32::from(n), &[0xff; 160])),
                _ => (Duration::ZERO, report(0, 0, 0)),
            };
            parts.map(part).collect()
        })
        .await
    }

    #[tokio::test]
    async fn pictures_that_stop_are_noticed_while_sound_and_reports_go_on() {
        let never = camera(|_| false).await;
        assert!(matches!(pull_both(&never).await, Some(PullError::Silent(limit)) if limit == SHORT.first));
        let hangs = camera(|n| n < 10).await;
        assert!(matches!(pull_both(&hangs).await, Some(PullError::Silent(limit)) if limit < Duration::from_secs(1)));
        let lives = camera(|_| true).await;
        assert!(pull_both(&lives).await.is_none());
    }

    #[test]
    fn no_secret_of_an_address_survives_in_an_error() {
        assert_eq!(
            without_secrets(
                "404 at \"rtsp://10.0.0.5/user=admin&password=hunter2\", not\nrtsp://a:b@h/x?token=7 but RTSP/1.0"
            ),
            "404 at \"rtsp://10.0.0.5/…\", not\nrtsp://…@h/x?… but RTSP/1.0"
        );
        assert_eq!(without_secrets("") + &without_secrets(" \n"), " \n");
    }

    #[test]
    fn a_slow_stream_has_five_picture_times() {
        assert_eq!(SHORT.after_a_picture_of(Duration::from_millis(20)), SHORT.least);
        assert_eq!(SHORT.after_a_picture_of(Duration::from_secs(3)), Duration::from_secs(15));
    }

    /// Answers the first request of the first connection with a description.
    async fn describe_once(listener: TcpListener, description: &'static str) {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(connection.read_u8().await.unwrap());
        }
        let length = description.len();
        let answer = format!(
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{description}"
        );
        connection.write_all(answer.as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn a_description_that_breaks_the_client_fails_the_attempt_only() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url::Url::parse(&format!("rtsp://{}/", listener.local_addr().unwrap())).unwrap();
        let url = SecretUrl::new(url);
        let target = PullTarget { url, credentials: None, video: None, audio: None, patience: SHORT };
        let description = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP \r\n";
        let camera = tokio::spawn(describe_once(listener, description));
        let mut times = UpstreamTimes::default();
        let result = pull(target, Timing::Upstream(&mut times), &SystemClock).await;
        assert!(matches!(result, Err(PullError::Panicked)), "{result:?}");
        camera.await.unwrap();
    }
}
