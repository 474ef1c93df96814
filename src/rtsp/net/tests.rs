//! Stories of whole connections, with pipes for sockets and a clock that stands still. IDs are those of
//! `docs/rtsp-streaming.md`.

use std::time::Duration;

use belvedere_harness::rtp::Control;
use rtsp_types::headers::{CSEQ, RTP_INFO, TRANSPORT, WWW_AUTHENTICATE};
use tokio::{io::AsyncWriteExt, net::UdpSocket, time::timeout};

use super::{
    registry::lock,
    scene::{Scene, TCP, h264, h265, header},
};
use crate::{
    hub::{Codec, Parameters},
    rtsp::core::session::{SessionId, State},
};

/// Requests pile up in front of a client that reads no answers, not their answers behind it; none is lost.
#[tokio::test(start_paused = true)]
async fn a_stranger_that_reads_no_answers_is_read_no_further() {
    let scene = Scene::new();
    let mut stranger = scene.visit(4096);
    let (mut asked, mut bytes) = (0, 0);
    loop {
        let request = format!("OPTIONS * RTSP/1.0\r\nCSeq: {}\r\n\r\n", asked + 1);
        let mut rest = request.as_bytes();
        while !rest.is_empty() {
            match timeout(Duration::from_secs(1), stranger.stream.write(rest)).await {
                Ok(written) => rest = &rest[written.unwrap()..],
                Err(_) => break,
            }
        }
        bytes += request.len() - rest.len();
        assert!(bytes < 32 << 10, "the server has taken {bytes} bytes of requests whose answers nobody reads");
        if !rest.is_empty() {
            stranger.stream.write_all(&[]).await.unwrap();
            break;
        }
        asked += 1;
    }
    for cseq in 1..=asked {
        assert_eq!(header(&stranger.response().await, &CSEQ), Some(cseq.to_string().as_str()));
    }
}

/// A viewer that is behind with its pictures is heard all the same.
#[tokio::test(start_paused = true)]
async fn pictures_that_wait_keep_no_request_waiting() {
    let mut scene = Scene::new();
    scene.picture(true, 200_000);
    let mut viewer = scene.visit(4096);
    viewer.play().await;
    let id = SessionId::from_header(viewer.session.as_ref().unwrap());
    viewer.send("PAUSE", "/cam/standard", &[]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let entry = scene.context.registry.get(&id).unwrap();
    assert_eq!(lock(&entry).session.state(), State::Ready);
}

/// KA-4: whoever set up tracks over TCP, or paused, and went silent without a word holds neither session nor source.
#[tokio::test(start_paused = true)]
async fn an_interleaved_session_without_life_ends() {
    let mut scene = Scene::new();
    let leases = scene.track("standard").leases();
    let mut ready = scene.visit(1 << 20);
    ready.set_up("video", TCP).await;
    scene.picture(true, 100);
    // One picture, and then its source is dead: this session stays and keeps its sender reports (design section 5).
    let mut waiting = scene.visit(1 << 20);
    waiting.play().await;
    let mut paused = scene.visit(1 << 20);
    paused.play().await;
    paused.get("PAUSE", "/cam/standard", &[]).await;
    assert_eq!(*leases.borrow(), 3);
    scene.pass(Duration::from_secs(60)).await;
    assert_eq!(*leases.borrow(), 3, "RM-18: not before the timeout");
    scene.pass(Duration::from_secs(10)).await;
    assert_eq!(*leases.borrow(), 1, "the two that play nothing are gone");
    assert!(ready.is_closed(Duration::from_secs(90)).await && paused.is_closed(Duration::from_secs(90)).await);
}

/// KA-4: a session that plays a track without units, to a client that says nothing.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_sent_nothing_ends_by_silence() {
    let scene = Scene::new();
    let mut cold = scene.visit(1 << 20);
    cold.play().await;
    scene.pass(Duration::from_secs(60)).await;
    assert_eq!(*scene.track("standard").leases().borrow(), 1);
    scene.pass(Duration::from_secs(12)).await;
    assert_eq!(*scene.track("standard").leases().borrow(), 0);
    assert!(cold.is_closed(Duration::from_secs(90)).await);
}

/// RM-18, KA-2: data that the socket takes, requests without the session and bare line ends keep an interleaved session.
#[tokio::test(start_paused = true)]
async fn an_interleaved_session_lives_by_what_its_connection_carries() {
    let mut scene = Scene::new();
    scene.picture(true, 100);
    let mut playing = scene.visit(1 << 20);
    playing.play().await;
    let mut asking = scene.visit(1 << 20);
    asking.set_up("video", TCP).await;
    let session = asking.session.take();
    let mut blank = scene.visit(1 << 20);
    blank.set_up("video", TCP).await;
    for _ in 0..10 {
        scene.pass(Duration::from_secs(20)).await;
        scene.picture(false, 100);
        asking.get("OPTIONS", "*", &[]).await;
        blank.stream.write_all(b"\r\n").await.unwrap();
    }
    asking.session = session;
    for viewer in [&mut playing, &mut asking, &mut blank] {
        viewer.get("GET_PARAMETER", "/cam/standard", &[]).await;
    }
}

const UDP: &str = "RTP/AVP;unicast;client_port=5000-5001";

/// KA-5, RM-18, AU-7: a keep-alive whose nonce grew old is told so, and the next one keeps the session.
#[tokio::test(start_paused = true)]
async fn a_signed_keep_alive_learns_that_its_nonce_is_old() {
    let scene = Scene::new();
    let mut client = scene.visit(1 << 20);
    client.set_up("video", UDP).await;
    let mut challenged = 0;
    for _ in 0..20 {
        scene.pass(Duration::from_secs(50)).await;
        client.send("OPTIONS", "/cam/standard", &[]).await;
        let response = client.response().await;
        if u16::from(response.status()) == 401 {
            assert!(header(&response, &WWW_AUTHENTICATE).unwrap().contains("stale=true"), "{response:?}");
            client.take_challenge(&response);
            client.get("OPTIONS", "/cam/standard", &[]).await;
            challenged += 1;
        }
    }
    assert!(challenged >= 2, "{challenged} in 1000 s, with nonces that last 300 s");
    client.get("GET_PARAMETER", "/cam/standard", &[]).await;
}

/// KA-5: clients that sign nothing but what was challenged keep their session by its number; a wrong number keeps nothing.
#[tokio::test(start_paused = true)]
async fn an_unsigned_keep_alive_keeps_its_session() {
    let scene = Scene::new();
    let mut client = scene.visit(1 << 20);
    client.set_up("video", UDP).await;
    let session = client.session.clone();
    let mut other = scene.visit(1 << 20);
    other.set_up("video", "RTP/AVP;unicast;client_port=6000-6001").await;
    let mut stranger = scene.visit(1 << 20);
    for _ in 0..10 {
        scene.pass(Duration::from_secs(50)).await;
        stranger.session.clone_from(&session);
        stranger.send("OPTIONS", "/cam/standard", &[]).await;
        assert_eq!(u16::from(stranger.response().await.status()), 200);
        stranger.session = Some("0123456789ABCDEF0123456789ABCDEF".into());
        stranger.send("OPTIONS", "/cam/standard", &[]).await;
        assert_eq!(u16::from(stranger.response().await.status()), 200);
    }
    client.get("GET_PARAMETER", "/cam/standard", &[]).await;
    assert!(other.is_closed(Duration::ZERO).await, "nothing kept its session, nor its connection");
}

/// KA-6: a UDP session that another connection binds to itself by a track over TCP ends with that one, whoever made it.
#[tokio::test(start_paused = true)]
async fn a_session_ends_with_the_connection_that_it_was_bound_to() {
    let scene = Scene::new();
    let (video, audio) = (scene.track("standard").leases(), scene.track("pcmu").leases());
    let mut maker = scene.visit(1 << 20);
    maker.set_up("video", UDP).await;
    let mut binder = scene.visit(1 << 20);
    binder.session.clone_from(&maker.session);
    binder.set_up("audio", TCP).await;
    assert_eq!((*video.borrow(), *audio.borrow()), (1, 1));
    let foreign = maker.ask("SETUP", "/cam/standard/audio", &[("Transport", TCP)]).await;
    assert_eq!(u16::from(foreign.status()), 454, "it is bound to the other connection");
    // Its channels are known where it is bound.
    binder.session = None;
    let response = binder.set_up("video", TCP).await;
    assert!(header(&response, &TRANSPORT).unwrap().contains("interleaved=2-3"), "{response:?}");
    drop(binder);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((*video.borrow(), *audio.borrow()), (0, 0));
}

/// One connection holds so many sessions and no more (453); one that ended makes room.
#[tokio::test(start_paused = true)]
async fn a_connection_holds_a_few_sessions() {
    let scene = Scene::new();
    let mut client = scene.visit(1 << 20);
    for _ in 0..16 {
        client.session = None;
        client.set_up("video", TCP).await;
    }
    let last = client.session.take();
    let refused = client.ask("SETUP", "/cam/standard/video", &[("Transport", TCP)]).await;
    assert_eq!(u16::from(refused.status()), 453);
    client.session = last;
    client.set_up("audio", "RTP/AVP/TCP;interleaved=100-101").await;
    client.get("TEARDOWN", "/cam/standard", &[]).await;
    client.session = None;
    client.set_up("video", TCP).await;
}

/// RM-7: TEARDOWN is for whole sessions: 460 for one track of several, 459 for another presentation.
#[tokio::test(start_paused = true)]
async fn teardown_heeds_its_address() {
    let scene = Scene::new();
    let mut client = scene.visit(1 << 20);
    client.set_up("video", TCP).await;
    client.set_up("audio", TCP).await;
    for (path, status) in [("/cam/standard/audio", 460), ("/cam/hi-def", 459), ("/cam/hi-def/video", 459)] {
        assert_eq!(u16::from(client.ask("TEARDOWN", path, &[]).await.status()), status, "{path}");
    }
    client.get("PLAY", "/cam/standard", &[]).await;
    client.get("TEARDOWN", "/cam/standard/", &[]).await;
    client.session = None;
    client.set_up("video", TCP).await;
    assert_eq!(u16::from(client.ask("TEARDOWN", "/cam/standard/audio", &[]).await.status()), 460);
    client.get("TEARDOWN", "/cam/standard/video", &[]).await;
    assert_eq!(*scene.track("standard").leases().borrow(), 0);
}

/// RM-9: RTP-Info names the streams of which something is known, and is left out where nothing is.
#[tokio::test(start_paused = true)]
async fn rtp_info_says_something_or_is_not_there() {
    let mut scene = Scene::new();
    let mut client = scene.visit(1 << 20);
    assert_eq!(header(&client.play().await, &RTP_INFO), None);
    scene.picture(true, 100);
    client.session = None;
    client.set_up("audio", TCP).await;
    client.set_up("video", TCP).await;
    let response = client.get("PLAY", "/cam/standard", &[]).await;
    let info = header(&response, &RTP_INFO).unwrap();
    assert!(info.starts_with("url=rtsp://192.0.2.1:8554/cam/standard/video;seq=") && !info.contains(','), "{info}");
}

/// Whether a packet says BYE.
fn is_bye(packet: &[u8]) -> bool {
    let controls = belvedere_harness::rtp::parse_control(packet).unwrap_or_default();
    controls.iter().any(|control| matches!(control, Control::Bye { .. }))
}

/// A payload type that means something else from now on: the stream says BYE and its connection closes. New parameter sets are
/// no such thing (PL-3).
#[tokio::test(start_paused = true)]
async fn another_codec_ends_an_interleaved_session() {
    let mut scene = Scene::new();
    scene.picture(true, 100);
    let mut viewer = scene.visit(1 << 20);
    viewer.play().await;
    let Codec::H264 { pps, .. } = h264().codec else { panic!() };
    let larger = Parameters { codec: Codec::H264 { sps: vec![0x67, 0x64, 0, 0x28].into(), pps }, ..h264() };
    scene.publish("standard", larger, true, 100);
    let mut pictures = 0;
    while let Some((channel, _)) = viewer.frame(Duration::from_secs(1)).await {
        pictures += usize::from(channel == 0);
    }
    assert_eq!(pictures, 2);
    scene.publish("standard", h265(), true, 100);
    let mut last = None;
    while let Some(frame) = viewer.frame(Duration::from_secs(1)).await {
        last = Some(frame);
    }
    let (channel, packet) = last.unwrap();
    assert!(channel == 1 && is_bye(&packet), "{packet:?} on channel {channel}");
    assert!(viewer.is_closed(Duration::from_secs(5)).await);
    assert_eq!(*scene.track("standard").leases().borrow(), 0);
}

/// The same over UDP, where the session ends and its connection goes on.
#[tokio::test]
async fn another_codec_ends_a_datagram_session() {
    let mut scene = Scene::new();
    scene.picture(true, 100);
    let (rtp, rtcp) = (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let ports = (rtp.local_addr().unwrap().port(), rtcp.local_addr().unwrap().port());
    let mut viewer = scene.visit(1 << 20);
    viewer.set_up("video", &format!("RTP/AVP;unicast;client_port={}-{}", ports.0, ports.1)).await;
    viewer.get("PLAY", "/cam/standard", &[]).await;
    let mut buffer = [0; 2048];
    let within = Duration::from_secs(5);
    for key in [false, false] {
        timeout(within, rtp.recv(&mut buffer)).await.unwrap().unwrap();
        scene.picture(key, 100);
    }
    timeout(within, rtp.recv(&mut buffer)).await.unwrap().unwrap();
    scene.publish("standard", h265(), true, 100);
    let mut said_bye = false;
    while !said_bye {
        let len = timeout(within, rtcp.recv(&mut buffer)).await.unwrap().unwrap();
        said_bye = is_bye(&buffer[..len]);
    }
    assert!(timeout(Duration::from_millis(200), rtp.recv(&mut buffer)).await.is_err(), "a packet after BYE");
    scene.context.registry.sweep(scene.clock.mono());
    assert_eq!(u16::from(viewer.ask("GET_PARAMETER", "/cam/standard", &[]).await.status()), 454);
}

/// Over TCP the newest key frame is sent at once whatever its age, so no other is asked for: every viewer of the encoder would
/// pay for it. Over UDP a fresh one is worth it.
#[tokio::test(start_paused = true)]
async fn only_a_viewer_that_waits_for_a_key_frame_asks_for_one() {
    let mut scene = Scene::new();
    let mut requests = scene.track("standard").key_requests();
    let soon = Duration::from_millis(10);
    scene.picture(true, 100);
    scene.pass(Duration::from_secs(1)).await;
    let mut viewer = scene.visit(1 << 20);
    viewer.play().await;
    assert!(matches!(viewer.frame(soon).await, Some((0, _))), "the old key frame");
    assert!(timeout(soon, requests.next()).await.is_err());
    let mut viewer = scene.visit(1 << 20);
    viewer.set_up("video", UDP).await;
    viewer.get("PLAY", "/cam/standard", &[]).await;
    assert!(timeout(soon, requests.next()).await.is_ok());
}

/// RT-6: pictures lost by any number of viewers cost one key frame in half a second.
#[tokio::test(start_paused = true)]
async fn lost_pictures_ask_for_few_key_frames() {
    let mut scene = Scene::new();
    let mut requests = scene.track("standard").key_requests();
    scene.picture(true, 100);
    let mut viewer = scene.visit(1 << 20);
    viewer.play().await;
    let ssrc = scene.context.tracks.of(scene.track("standard")).unwrap().identity.ssrc;
    let mut loss = belvedere_harness::rtp::receiver_report(7);
    loss.extend([0x81, 206, 0, 2, 0, 0, 0, 7]);
    loss.extend(ssrc.0.to_be_bytes());
    let framed = [&[b'$', 1, 0, loss.len() as u8], &loss[..]].concat();
    let soon = Duration::from_millis(10);
    for asks in [true, false, true, false] {
        viewer.stream.write_all(&framed).await.unwrap();
        assert_eq!(timeout(soon, requests.next()).await.is_ok(), asks);
        if !asks {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// A stranger can hold no connection: not by sending a request a byte at a time, nor by asking what needs no password.
#[tokio::test(start_paused = true)]
async fn a_stranger_does_not_stay() {
    let scene = Scene::new();
    let (mut slow, mut curious, mut user) = (scene.visit(1 << 20), scene.visit(1 << 20), scene.visit(1 << 20));
    user.ask("GET_PARAMETER", "/cam/standard", &[]).await;
    for second in 0..300 {
        scene.pass(Duration::from_secs(1)).await;
        assert!(second < 64 || slow.connection.is_finished(), "a request may take a minute");
        assert!(second < 124 || curious.connection.is_finished(), "a stranger may stay two");
        let _ = slow.stream.write_all(b"O").await;
        if second % 10 == 0 && second < 120 {
            curious.get("OPTIONS", "*", &[]).await;
        }
        if second % 10 == 0 {
            user.get("OPTIONS", "*", &[]).await;
        }
    }
}

#[tokio::test]
async fn a_conversation_takes_little_memory() {
    let size = Scene::new().size_of_conversation();
    assert!(size <= 1024, "{size} bytes, which every picture makes a core fetch for every viewer");
}
