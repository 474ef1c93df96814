//! A camera for the tests of this room: a few lines of RTSP, and media as the test wrote them down.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::Url;

/// H.264 of 640×480; the camera's video.
pub(super) const H264: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
     a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==\r\n\
     a=control:video\r\n";

/// G.711; the camera's sound.
pub(super) const PCMU: &str = "m=audio 0 RTP/AVP 0\r\na=control:audio\r\n";

/// What is sent, and how long after what was sent before.
pub(super) type Script = Vec<(Duration, Vec<u8>)>;

/// A camera that sends each connection what a test says. Gone when dropped.
pub(super) struct FakeCamera {
    pub(super) url: Url,
    task: JoinHandle<()>,
}

impl Drop for FakeCamera {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeCamera {
    /// Starts a camera with these media. `script` gets the number of the connection.
    pub(super) async fn start(media: &str, script: impl Fn(usize) -> Script + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("rtsp://{}/cam", listener.local_addr().unwrap())).unwrap();
        let description = format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{media}");
        let script = Arc::new(script);
        let task = tokio::spawn(async move {
            for number in 0.. {
                let Ok((connection, _)) = listener.accept().await else { return };
                let (description, script) = (description.clone(), Arc::clone(&script));
                tokio::spawn(async move { serve(connection, &description, script(number)).await });
            }
        });
        Self { url, task }
    }
}

async fn serve(mut connection: TcpStream, description: &str, script: Script) {
    let mut set_up = 0;
    loop {
        let Some(request) = read_request(&mut connection).await else { return };
        let cseq = request.lines().find(|line| line.to_ascii_lowercase().starts_with("cseq:")).unwrap_or("CSeq: 0");
        let (headers, body) = match request.split(' ').next() {
            Some("DESCRIBE") => ("Content-Type: application/sdp\r\n".to_owned(), description),
            Some("SETUP") => {
                let channels = format!("{}-{}", 2 * set_up, 2 * set_up + 1);
                set_up += 1;
                (format!("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved={channels}\r\n"), "")
            }
            _ => ("Session: 1\r\n".to_owned(), ""),
        };
        let length = body.len();
        let answer = format!("RTSP/1.0 200 OK\r\n{cseq}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        connection.write_all(answer.as_bytes()).await.unwrap();
        if request.starts_with("PLAY") {
            break;
        }
    }
    for (pause, bytes) in script {
        tokio::time::sleep(pause).await;
        if connection.write_all(&bytes).await.is_err() {
            return;
        }
    }
    // It hangs: the connection stays open and nothing comes any more.
    while read_request(&mut connection).await.is_some() {}
}

async fn read_request(connection: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(connection.read_u8().await.ok()?);
    }
    String::from_utf8(request).ok()
}

/// An RTP packet of the `index`-th medium, with the marker.
pub(super) fn rtp(index: u8, payload_type: u8, sequence: u16, time: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 0x80 | payload_type];
    packet.extend(sequence.to_be_bytes());
    packet.extend(time.to_be_bytes());
    packet.extend([0, 0, 0, index + 1]);
    packet.extend(payload);
    interleaved(2 * index, &packet)
}

/// A sender report of the `index`-th medium.
pub(super) fn report(index: u8, ntp: u64, time: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6, 0, 0, 0, index + 1];
    packet.extend(ntp.to_be_bytes());
    packet.extend(time.to_be_bytes());
    packet.extend([0; 8]);
    interleaved(2 * index + 1, &packet)
}

fn interleaved(channel: u8, packet: &[u8]) -> Vec<u8> {
    let mut bytes = vec![b'$', channel];
    bytes.extend((packet.len() as u16).to_be_bytes());
    bytes.extend(packet);
    bytes
}

/// A picture of H.264 that holds one byte, not zero, which could not end a NAL unit: `key` says whether it is an IDR picture.
pub(super) fn picture(sequence: u16, time: u32, key: bool, content: u8) -> Vec<u8> {
    rtp(0, 96, sequence, time, &[if key { 0x65 } else { 0x41 }, 0x88, content])
}
