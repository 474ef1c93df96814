//! An upstream camera that says anything: the pull's RTSP client reads its session description and its packets.
//!
//! The client's parsers are reached by a real connection over loopback. The camera ends it with a reset, so that thousands
//! of connections a second leave no port waiting.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::LazyLock;
use std::time::Duration;

use futures_util::StreamExt;
use retina::client::{
    InitialSequenceNumberPolicy, InitialTimestampPolicy, PlayOptions, Session, SessionOptions, SetupOptions,
    UnknownRtcpSsrcPolicy,
};
use retina::codec::FrameFormat;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// The client hangs longer than this only if it is wrong.
const PATIENCE: Duration = Duration::from_secs(3);

/// Descriptions of one medium each; the first byte of an input to [`fuzz_upstream_media`] chooses.
const DESCRIPTIONS: [&str; 6] = [
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=42C016;\
     sprop-parameter-sets=Z0LAFtoCgL/lwEQAAAMABAAAAwB4PFi6gA==,aM4PyA==\r\n",
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n",
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\n",
    "m=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\n",
    "m=audio 0 RTP/AVP 96\r\na=rtpmap:96 mpeg4-generic/16000/1\r\na=fmtp:96 streamtype=5;profile-level-id=1;\
     mode=AAC-hbr;config=1408;sizelength=13;indexlength=3;indexdeltalength=3\r\n",
    "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
];

/// Describes whatever an upstream may say of itself.
pub fn fuzz_upstream_sdp(data: &[u8]) {
    block_on(async {
        let Some((session, _)) = connect(data, &[]).await else { return };
        for stream in session.streams() {
            let _ = (stream.media(), stream.encoding_name(), stream.parameters(), stream.framerate());
        }
    });
}

/// Plays whatever an upstream may send. Behind the description's byte, an input is a row of packets: flags (bit 0 marker,
/// bit 1 RTCP, bit 2 a gap, bit 3 a later time), length, payload.
pub fn fuzz_upstream_media(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let description = DESCRIPTIONS[usize::from(choice) % DESCRIPTIONS.len()];
    let payload_type = if description.contains(" 96\r") {
        96
    } else if description.contains(" 26\r") {
        26
    } else {
        0
    };
    let packets = packets(rest, payload_type);
    let session = format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{description}a=control:t\r\n");
    block_on(async {
        let Some((mut session, _camera)) = connect(session.as_bytes(), &packets).await else { return };
        if session.setup(0, SetupOptions::default().frame_format(FrameFormat::MP4)).await.is_err() {
            return;
        }
        // As the pull does.
        let options = PlayOptions::default()
            .initial_timestamp(InitialTimestampPolicy::Permissive)
            .initial_seq(InitialSequenceNumberPolicy::Ignore)
            .unknown_rtcp_ssrc(UnknownRtcpSsrcPolicy::DropPackets);
        let Ok(playing) = session.play(options).await else { return };
        let Ok(mut frames) = playing.demuxed() else { return };
        while let Some(Ok(_)) = frames.next().await {}
    });
}

/// Frames packets for the two interleaved channels.
fn packets(mut rest: &[u8], payload_type: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut sequence, mut time): (u16, u32) = (0, 0);
    while let Some((&[flags, len], tail)) = rest.split_first_chunk::<2>() {
        let (payload, tail) = tail.split_at(tail.len().min(len.into()));
        rest = tail;
        if flags & 2 != 0 {
            out.extend_from_slice(&[b'$', 1, 0, payload.len() as u8]);
            out.extend_from_slice(payload);
            continue;
        }
        sequence = sequence.wrapping_add(if flags & 4 != 0 { 3 } else { 1 });
        time = time.wrapping_add(if flags & 8 != 0 { 3000 } else { 0 });
        out.extend_from_slice(&[b'$', 0]);
        out.extend_from_slice(&(12 + payload.len() as u16).to_be_bytes());
        out.extend_from_slice(&[0x80, payload_type | (flags & 1) << 7]);
        out.extend_from_slice(&sequence.to_be_bytes());
        out.extend_from_slice(&time.to_be_bytes());
        out.extend_from_slice(&[0, 0, 0, 7]);
        out.extend_from_slice(payload);
    }
    out
}

/// Panics of the client's parsers that are known, by file and line. The pull catches them (`source::pull`), so an upstream
/// costs itself its connection and nothing else. One that is not listed fails the target.
const KNOWN: [(&str, u32); 2] = [
    // A medium without payload types.
    ("/retina-0.4.21/src/client/parse.rs", 249),
    // A line between the attributes of the session and the first medium that is neither.
    ("/sdp-types-0.1.8/src/parser.rs", 374),
];

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    static KNOWN_PANIC: Cell<bool> = const { Cell::new(false) };
}

/// Keeps known panics from the hook before, which ends the process under libFuzzer.
static HOOK: LazyLock<()> = LazyLock::new(|| {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let at = info.location();
        let known = at.is_some_and(|at| KNOWN.iter().any(|(f, line)| at.file().ends_with(f) && at.line() == *line));
        KNOWN_PANIC.set(known);
        if !known {
            before(info);
        }
    }));
});

/// Runs a client to its end, which a known panic may be.
fn block_on(future: impl Future<Output = ()>) {
    LazyLock::force(&HOOK);
    KNOWN_PANIC.set(false);
    let run = || {
        RUNTIME.with(|runtime| {
            runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("the client does not hang") });
        });
    };
    if let Err(cause) = panic::catch_unwind(AssertUnwindSafe(run))
        && !KNOWN_PANIC.get()
    {
        panic::resume_unwind(cause);
    }
}

type Described = (Session<retina::client::Described>, tokio::task::JoinHandle<()>);

/// Describes a camera that answers with `description` and after PLAY sends `media`.
async fn connect(description: &[u8], media: &[u8]) -> Option<Described> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("rtsp://{}/", listener.local_addr().expect("an address"));
    let (description, media) = (description.to_vec(), media.to_vec());
    let camera = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("the client comes");
        connection.set_zero_linger().expect("an option");
        connection.set_nodelay(true).expect("an option");
        // The client may hang up at any point.
        let _ = serve(&mut connection, &description, &media).await;
    });
    let url = url::Url::parse(&url).expect("a URL");
    let session = Session::describe(url, SessionOptions::default()).await;
    // Nothing to hold against a client that refuses a description.
    session.ok().map(|session| (session, camera))
}

/// Answers requests until the client goes; sends the media behind the answer to PLAY.
async fn serve(connection: &mut TcpStream, description: &[u8], media: &[u8]) -> std::io::Result<()> {
    let mut request = Vec::new();
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(connection.read_u8().await?);
        }
        let text = String::from_utf8_lossy(&request);
        let cseq = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or_default();
        let (headers, body): (&str, &[u8]) = match text.split(' ').next() {
            Some("DESCRIBE") => ("Content-Type: application/sdp\r\n", description),
            Some("SETUP") => ("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", b""),
            _ => ("Session: 1\r\nRange: npt=now-\r\n", b""),
        };
        let length = body.len();
        let head = format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{headers}Content-Length: {length}\r\n\r\n");
        connection.write_all(&[head.as_bytes(), body].concat()).await?;
        if text.starts_with("PLAY") {
            // The client hangs up at a line that means nothing. A reset before that would throw away what it has not read.
            connection.write_all(&[media, b"RTSP/9\r\n\r\n"].concat()).await?;
        }
    }
}
