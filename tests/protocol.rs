//! RTSP as it stands on the wire, seen by a client of the harness's own. IDs are those of `docs/rtsp-streaming.md`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use belvedere_harness::digest::{Algorithm, Style};
use belvedere_harness::received::record;
use belvedere_harness::server::{Options, PASSWORD, USER};
use belvedere_harness::{Client, Server, Transport, Turn, rtp};

/// What most stories need: a server, and a client at its small definition.
fn visit() -> Result<(Turn, Server, Client)> {
    let turn = Turn::shared()?;
    let server = Server::with_config(SMALL)?;
    let client = Client::connect(&server.url("standard")?)?;
    Ok((turn, server, client))
}

/// A pattern that costs little: what these stories are about does not depend on its size.
const SMALL: &str = "[[camera]]\nid = \"cam\"\n[camera.definitions.ultra-hd]\nwidth = 1280\nheight = 720\n";

const TCP: (&str, &str) = ("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1");

/// RM-1, RM-2, RM-5: what OPTIONS lists.
#[test]
fn options_lists_the_methods() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let url = client.url.clone();
    let response = client.request("OPTIONS", &url, &[])?.expect_status(200)?;
    let public = response.header("Public").context("RM-5: no Public")?;
    let methods: Vec<&str> = public.split(',').map(str::trim).collect();
    for method in ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER"] {
        ensure!(methods.contains(&method), "{method} is not in {public}");
    }
    for method in ["ANNOUNCE", "RECORD", "REDIRECT"] {
        ensure!(!methods.contains(&method), "{method} is in {public}");
    }
    client.request("OPTIONS", "*", &[])?.expect_status(200)?;
    Ok(())
}

/// RM-4: what we do not do is refused, and the connection goes on.
#[test]
fn methods_that_are_not_ours_are_refused() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let url = client.url.clone();
    client.describe()?;
    for method in ["ANNOUNCE", "RECORD", "REDIRECT", "DANCE"] {
        let response = client.request(method, &url, &[])?;
        ensure!([405, 501].contains(&response.status), "{method}: {response:?}");
    }
    client.describe()?;
    Ok(())
}

/// AU-2, AU-4, AU-5: a stranger is challenged with SHA-256 first and MD5 last.
#[test]
fn a_stranger_is_challenged_strongest_first() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let url = client.url.clone();
    for method in ["DESCRIBE", "SETUP", "PLAY"] {
        let response = client.exchange(method, &url, &[TCP])?.expect_status(401)?;
        let challenges = response.challenges()?;
        let algorithms: Vec<Algorithm> = challenges.iter().map(|challenge| challenge.algorithm).collect();
        ensure!(algorithms == [Algorithm::Sha256, Algorithm::Md5], "{method}: {challenges:?}");
        ensure!(challenges.iter().all(|challenge| challenge.qop && !challenge.stale), "{method}: {challenges:?}");
    }
    Ok(())
}

/// AU-1, AU-4, AU-6: both algorithms, with qop and in the manner of RFC 2069.
#[test]
fn every_kind_of_digest_gets_in() -> Result<()> {
    let (_turn, server, _) = visit()?;
    for style in [
        (Algorithm::Md5, Style::Qop),
        (Algorithm::Md5, Style::Old),
        (Algorithm::Sha256, Style::Qop),
        (Algorithm::Sha256, Style::Old),
    ] {
        let mut client = Client::connect(&server.url("standard")?)?;
        client.style = style;
        client.describe().with_context(|| format!("{style:?}"))?;
    }
    Ok(())
}

/// AU-2: a wrong password and an unknown user are told the same, and no body.
#[test]
fn wrong_credentials_stay_out() -> Result<()> {
    let (_turn, server, _) = visit()?;
    for (user, password) in [(USER, "guess"), ("nobody", PASSWORD), (USER, ""), ("", "")] {
        let mut client = Client::connect(&server.url("standard")?)?;
        client.credentials = Some((user.into(), password.into()));
        let url = client.url.clone();
        let response = client.request("DESCRIBE", &url, &[])?.expect_status(401)?;
        ensure!(response.body.is_empty() && !response.challenges()?.is_empty(), "{user}: {response:?}");
    }
    let mut client = Client::connect(&server.url("standard")?)?;
    let url = client.url.clone();
    for header in
        ["Digest", "Digest username", "Basic YWRtaW46", "Digest username=\"admin\", response=\"\"", "Bearer x"]
    {
        let response = client.exchange("DESCRIBE", &url, &[("Authorization", header)])?;
        ensure!([400, 401].contains(&response.status), "{header}: {response:?}");
    }
    Ok(())
}

/// AU-7: a nonce that is not (or no longer) known, used with the right password, is called stale; a nonce is good on
/// another connection.
#[test]
fn a_nonce_outlives_its_connection_and_an_unknown_one_is_stale() -> Result<()> {
    let (_turn, server, mut first) = visit()?;
    first.describe()?;
    let challenge = first.challenge().context("no challenge")?.clone();
    let mut second = Client::connect(&server.url("standard")?)?;
    let url = second.url.clone();
    second.answer_with(challenge.clone());
    // The count goes on where the first client left it.
    let who = (USER, PASSWORD);
    let answer = challenge.answer(Style::Qop, who, "DESCRIBE", &url, 7);
    second.exchange("DESCRIBE", &url, &[("Authorization", &answer)])?.expect_status(200)?;

    let mut invented = challenge;
    invented.nonce = "0123456789abcdef0123456789abcdef".into();
    let answer = invented.answer(Style::Qop, who, "DESCRIBE", &url, 1);
    let response = second.exchange("DESCRIBE", &url, &[("Authorization", &answer)])?.expect_status(401)?;
    ensure!(response.challenges()?.iter().all(|challenge| challenge.stale), "{response:?}");
    Ok(())
}

/// RM-16: what does not exist is not found, whoever asks properly.
#[test]
fn unknown_paths_are_not_found() -> Result<()> {
    let (_turn, server, mut client) = visit()?;
    for path in ["/cam/full-hd", "/other/standard", "/", "/cam/p/none", "/cam/standard/extra"] {
        let url = format!("{}{path}", server.rtsp()?);
        client.request("DESCRIBE", &url, &[])?.expect_status(404).context(path)?;
    }
    Ok(())
}

/// TR-13 and design section 6: permanent address, short form and the spellings of recorders' presets.
#[test]
fn one_definition_has_many_addresses() -> Result<()> {
    let (_turn, server, mut client) = visit()?;
    for path in ["/cam/standard", "/standard", "/cam/p/standard", "/Streaming/Channels/102", "/ch1/sub"] {
        client.url = format!("{}{path}", server.rtsp()?);
        let media = client.describe().context(path)?;
        ensure!(media.len() == 2 && media[0].encoding == "H264", "{path}: {media:?}");
    }
    Ok(())
}

/// RM-13: requests that are no RTSP get 400 and no more: where the next one begins is known, so it is answered.
#[test]
fn nonsense_is_a_bad_request() -> Result<()> {
    let (_turn, server, _) = visit()?;
    for text in ["HELLO\r\n\r\n", "DESCRIBE rtsp://h/ RTSP/1.0\r\nno colon\r\n\r\n", "DESCRIBE\0 x RTSP/1.0\r\n\r\n"] {
        let mut client = Client::connect(&server.url("standard")?)?;
        client.send_raw(text.as_bytes())?;
        client.response().and_then(|response| response.expect_status(400)).with_context(|| format!("{text:?}"))?;
        client.exchange("OPTIONS", "*", &[])?.expect_status(200).with_context(|| format!("after {text:?}"))?;
    }
    let mut client = Client::connect(&server.url("standard")?)?;
    client.send_raw(format!("OPTIONS {} RTSP/1.0\r\n\r\n", client.url).as_bytes())?;
    client.response()?.expect_status(400).context("a request without CSeq")?;
    let mut client = Client::connect(&server.url("standard")?)?;
    client.send_raw(b"OPTIONS * RTSP/3.0\r\nCSeq: 1\r\n\r\n")?;
    let response = client.response()?;
    ensure!([400, 505].contains(&response.status), "{response:?}");
    Ok(())
}

/// RM-12: an unknown feature is named in the refusal. SD-5: no back channel unless asked for; BC-2: and none there is.
#[test]
fn unknown_features_are_refused_by_name() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let url = client.url.clone();
    for tag in ["teleport", "www.onvif.org/ver20/backchannel"] {
        let response = client.request("DESCRIBE", &url, &[("Require", tag)])?.expect_status(551)?;
        ensure!(response.header("Unsupported") == Some(tag), "{response:?}");
    }
    ensure!(client.describe()?.iter().all(|media| media.kind == "video" || media.kind == "audio"));
    Ok(())
}

/// RM-14: the first transport that we can do is taken; if there is none, 461.
#[test]
fn the_first_possible_transport_is_taken() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let media = client.describe()?;
    for offer in
        ["RTP/SAVP;unicast;client_port=5000-5001", "RAW/RAW/UDP;unicast", "RTP/AVP/TCP;multicast;interleaved=0-1"]
    {
        client.request("SETUP", &media[0].control, &[("Transport", offer)])?.expect_status(461).context(offer)?;
    }
    let offers = "RTP/SAVP;unicast;client_port=5000-5001,RTP/AVP/TCP;unicast;interleaved=6-7,RTP/AVP;unicast;client_port=5000-5001";
    let response = client.request("SETUP", &media[0].control, &[("Transport", offers)])?.expect_status(200)?;
    ensure!(response.param("Transport", "interleaved") == Some("6-7"), "{response:?}");
    Ok(())
}

/// RM-8, KA-1, RT-9: the answer to SETUP says all that the client has to know.
#[test]
fn setup_tells_ports_source_and_timeout() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let media = client.describe()?;
    let udp = client.setup(&media[0], 0, Transport::Udp)?;
    let ports = udp.response.param("Transport", "server_port").context("no server_port")?;
    let (rtp, rtcp) = ports.split_once('-').context("one port")?;
    let (rtp, rtcp): (u16, u16) = (rtp.parse()?, rtcp.parse()?);
    ensure!(rtp.is_multiple_of(2) && rtcp == rtp + 1, "RT-9: {ports}");
    let timeout: u32 = udp.response.param("Session", "timeout").context("KA-1: no timeout")?.parse()?;
    ensure!(timeout >= 10, "{timeout}");
    let second = client.setup(&media[1], 1, Transport::Udp)?;
    ensure!(second.response.param("Session", "timeout").is_some(), "KA-1: {:?}", second.response);

    client.play()?;
    let announced = u32::from_str_radix(udp.response.param("Transport", "ssrc").context("no ssrc")?, 16)?;
    let received = record(&mut client, &[udp, second], Duration::from_secs(1))?;
    ensure!(received[0].packets.first().context("no packet")?.ssrc == announced, "ssrc {announced:08x} was announced");
    Ok(())
}

/// RT-9, RT-11: packets come from the announced ports of the address that was asked.
#[test]
fn datagrams_come_from_where_setup_says() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let tracks = client.start(Transport::Udp)?;
    for track in &tracks {
        let pair = track.ports.as_ref().context("no ports")?;
        let announced: u16 = track
            .response
            .param("Transport", "server_port")
            .and_then(|p| p.split('-').next())
            .context("none")?
            .parse()?;
        for (socket, port) in [(&pair.rtp, announced), (&pair.rtcp, announced + 1)] {
            socket.set_read_timeout(Some(Duration::from_secs(5)))?;
            let (_, from) = socket.recv_from(&mut [0; 2048])?;
            ensure!(from.port() == port && from.ip() == client.stream().peer_addr()?.ip(), "{from}, not {port}");
        }
    }
    Ok(())
}

/// RM-9: RTP-Info names each stream with the sequence number and time of its first packet. RM-6: one PLAY for all.
#[test]
fn rtp_info_is_about_the_first_packet() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let media = client.describe()?;
    let tracks = [client.setup(&media[0], 0, Transport::Tcp)?, client.setup(&media[1], 1, Transport::Tcp)?];
    let response = client.play()?;
    let info = response.header("RTP-Info").context("RM-9: no RTP-Info")?.to_owned();
    let received = record(&mut client, &tracks, Duration::from_secs(2))?;
    let entries: Vec<&str> = info.split(',').collect();
    ensure!(entries.len() == 2, "{info}");
    for (track, received) in tracks.iter().zip(&received) {
        let entry = entries.iter().find(|entry| entry.contains(&track.media.control));
        let entry = entry.with_context(|| format!("{} is not in {info}", track.media.control))?;
        let field = |name: &str| entry.split(';').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        let first = received.packets.first().context("no packet")?;
        ensure!(field("seq") == Some(first.sequence.to_string().as_str()), "{} in {info}", first.sequence);
        ensure!(field("rtptime") == Some(first.time.to_string().as_str()), "{} in {info}", first.time);
    }
    Ok(())
}

/// SY-2, SD-8, PL-3: the first picture is a key frame, with parameter sets that are those of the SDP.
#[test]
fn playing_starts_with_a_key_frame() -> Result<()> {
    let (_turn, server, mut first) = visit()?;
    first.start(Transport::Tcp)?;
    for transport in [Transport::Tcp, Transport::Udp] {
        let mut client = Client::connect(&server.url("standard")?)?;
        let tracks = client.start(transport)?;
        let received = record(&mut client, &tracks, Duration::from_secs(1))?;
        let units = received[0].units()?;
        let picture = units.first().context("no picture")?;
        ensure!(picture.types.contains(&5), "{transport:?}: {:?}", picture.types);
        ensure!(picture.types.contains(&7) && picture.types.contains(&8), "PL-3: {:?}", picture.types);
        let sets = belvedere_harness::units::parameter_sets(&tracks[0].media)?;
        ensure!(
            !sets.is_empty() && picture.bytes.windows(sets.len()).any(|window| window == sets),
            "SD-8: {sets:02x?}"
        );
    }
    Ok(())
}

/// SD-1, SD-2, SD-8, SD-10, SD-11, SD-12, RM-17: what the SDP says.
#[test]
fn the_sdp_is_complete() -> Result<()> {
    let (_turn, server, mut client) = visit()?;
    let url = client.url.clone();
    let response = client.request("DESCRIBE", &url, &[("Accept", "application/sdp")])?.expect_status(200)?;
    for line in ["v=0\r\n", "\r\no=", "\r\ns=", "\r\nt=0 0", "\r\na=control:", "IN IP4 "] {
        ensure!(response.body.contains(line), "{line:?} is not in {}", response.body);
    }
    ensure!(response.body.split('\n').all(|line| line.is_empty() || line.ends_with('\r')), "SD-1: {:?}", response.body);
    let base = response.header("Content-Base").context("RM-17: no Content-Base")?;
    ensure!(base.starts_with(&server.rtsp()?), "RM-17: {base}");
    let media = client.describe()?;
    let fmtp = &media[0].fmtp;
    ensure!(fmtp.contains("packetization-mode=1") && fmtp.contains("profile-level-id="), "SD-8: {fmtp}");
    ensure!((media[1].payload_type, media[1].encoding.as_str(), media[1].clock_rate) == (0, "PCMU", 8000), "SD-11");
    client.url = server.url("hi-def")?.replace(&format!("{USER}:{PASSWORD}@"), "");
    let media = client.describe()?;
    ensure!(media[1].encoding == "MPEG4-GENERIC" && media[1].fmtp.contains("config="), "SD-10: {:?}", media[1]);
    client.request("DESCRIBE", &url, &[("Accept", "text/html")])?.expect_status(406)?;
    Ok(())
}

/// RM-15: header names in any case; requests in one write and requests in single bytes.
#[test]
fn requests_may_come_in_any_pieces() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let url = client.url.clone();
    client.send_raw(
        format!("OPTIONS {url} RTSP/1.0\r\ncseq: 31\r\n\r\nOPTIONS {url} RTSP/1.0\r\nCSEQ: 32\r\n\r\n").as_bytes(),
    )?;
    for cseq in ["31", "32"] {
        ensure!(client.response()?.expect_status(200)?.header("CSeq") == Some(cseq));
    }
    for byte in format!("OPTIONS {url} RTSP/1.0\r\nCSeq: 33\r\nContent-Length: 3\r\n\r\nabc").as_bytes() {
        client.send_raw(std::slice::from_ref(byte))?;
    }
    ensure!(client.response()?.expect_status(200)?.header("CSeq") == Some("33"));
    Ok(())
}

/// RM-13: requests that do not fit the state of the session.
#[test]
fn requests_out_of_order_are_told_so() -> Result<()> {
    let (_turn, server, mut client) = visit()?;
    let url = client.url.clone();
    let media = client.describe()?;
    for method in ["PLAY", "PAUSE", "TEARDOWN"] {
        let response = client.request(method, &url, &[("Session", "12345678")])?;
        ensure!(response.status == 454, "{method}: {response:?}");
        let response = client.request(method, &url, &[])?;
        ensure!([454, 455].contains(&response.status), "{method} without a session: {response:?}");
    }
    client.setup(&media[0], 0, Transport::Tcp)?;
    // The channels of the first track cannot be those of the second: the answer names others.
    let response = client.request("SETUP", &media[1].control, &[TCP])?.expect_status(200)?;
    ensure!(response.param("Transport", "interleaved").is_some_and(|channels| channels != "0-1"), "{response:?}");
    for range in ["npt=10-20", "clock=20200101T000000Z-20200101T000100Z", "furlongs=1-"] {
        client.request("PLAY", &url, &[("Range", range)])?.expect_status(457).context(range)?;
    }
    client.play()?;
    client
        .request("SETUP", &media[1].control, &[("Transport", "RTP/AVP/TCP;unicast;interleaved=2-3")])?
        .expect_status(455)?;

    // A session belongs to whom made it: knowing its number is not enough.
    let mut other = Client::connect(&server.url("standard")?)?;
    other.credentials = None;
    let session = client.session.clone().context("no session")?;
    other.exchange("TEARDOWN", &url, &[("Session", &session)])?.expect_status(401)?;
    Ok(())
}

/// RM-2, RT-10: PAUSE stops the packets, PLAY brings them back in sequence, TEARDOWN ends with BYE.
#[test]
fn pause_play_and_bye() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let tracks = client.start(Transport::Udp)?;
    let url = client.url.clone();
    ensure!(record(&mut client, &tracks, Duration::from_secs(1))?.iter().all(|medium| medium.packets.len() > 5));
    client.request("PAUSE", &url, &[])?.expect_status(200)?;
    record(&mut client, &tracks, Duration::from_millis(300))?;
    let pause = record(&mut client, &tracks, Duration::from_secs(1))?;
    ensure!(pause.iter().all(|medium| medium.packets.is_empty()), "packets during the pause");
    client.play()?;
    let again = record(&mut client, &tracks, Duration::from_secs(1))?;
    ensure!(again.iter().all(|medium| medium.packets.len() > 5), "no packets after the pause");
    client.teardown()?;
    let end = record(&mut client, &tracks, Duration::from_millis(500))?;
    ensure!(end.iter().all(|medium| medium.bye), "RT-10: no BYE");
    Ok(())
}

/// TR-4, RT-9: over TCP the client chooses the channels, RTCP travels on the next one, and TEARDOWN leaves the
/// connection usable.
#[test]
fn interleaved_channels_are_the_clients() -> Result<()> {
    let (_turn, _server, mut client) = visit()?;
    let media = client.describe()?;
    let tracks = [client.setup(&media[0], 5, Transport::Tcp)?, client.setup(&media[1], 2, Transport::Tcp)?];
    client.play()?;
    let received = record(&mut client, &tracks, Duration::from_secs(3))?;
    for medium in &received {
        medium.check_sequence()?;
        ensure!(medium.packets.len() > 10 && !medium.reports.is_empty(), "{} packets", medium.packets.len());
    }
    client.teardown()?;
    client.describe()?;
    Ok(())
}

fn with_limits(limits: &str) -> Result<Server> {
    Server::with_config(&format!("[limits]\n{limits}\n\n{SMALL}"))
}

/// KA-2, KA-3, KA-5, RM-3, RM-18: requests and receiver reports keep a UDP session; KA-4: without them it ends.
#[test]
fn a_datagram_session_lives_by_requests_and_reports() -> Result<()> {
    let _turn = Turn::shared()?;
    let server = with_limits("session-timeout = 3")?;
    let mut client = Client::connect(&server.url("standard")?)?;
    let tracks = client.start(Transport::Udp)?;
    let url = client.url.clone();
    let timeout = tracks[0].response.param("Session", "timeout");
    ensure!(timeout == Some("3"), "{timeout:?}");
    for method in ["OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "OPTIONS", "GET_PARAMETER"] {
        let received = record(&mut client, &tracks, Duration::from_secs(1))?;
        ensure!(!received[0].packets.is_empty(), "before {method}");
        client.request(method, &url, &[])?.expect_status(200)?;
    }
    let rtcp = &tracks[0].ports.as_ref().context("no ports")?.rtcp;
    let port: u16 = tracks[0]
        .response
        .param("Transport", "server_port")
        .and_then(|p| p.split('-').nth(1))
        .context("none")?
        .parse()?;
    for _ in 0..5 {
        rtcp.send_to(&rtp::receiver_report(7), (client.stream().peer_addr()?.ip(), port))?;
        let received = record(&mut client, &tracks, Duration::from_secs(1))?;
        ensure!(!received[0].packets.is_empty(), "KA-3: receiver reports do not keep the session");
    }
    record(&mut client, &tracks, Duration::from_secs(5))?;
    let end = record(&mut client, &tracks, Duration::from_secs(1))?;
    ensure!(end.iter().all(|medium| medium.packets.is_empty()), "KA-4: packets after the session's end");
    let mut other = Client::connect(&server.url("standard")?)?;
    other.session = client.session.clone();
    other.request("GET_PARAMETER", &url, &[])?.expect_status(454)?;
    Ok(())
}

/// KA-6: a UDP session outlives its connection and goes on over another one; an interleaved one ends with it.
#[test]
fn a_datagram_session_outlives_its_connection() -> Result<()> {
    let (_turn, server, mut client) = visit()?;
    let tracks = client.start(Transport::Udp)?;
    let session = client.session.clone();
    let mut other = Client::connect(&server.url("standard")?)?;
    other.session = session;
    drop(client);
    record(&mut other, &tracks, Duration::from_millis(500))?;
    let received = record(&mut other, &tracks, Duration::from_secs(1))?;
    ensure!(received[0].packets.len() > 5, "KA-6: the session ended with its connection");
    other.teardown()?;

    let mut client = Client::connect(&server.url("standard")?)?;
    client.start(Transport::Tcp)?;
    let session = client.session.clone();
    drop(client);
    let mut other = Client::connect(&server.url("standard")?)?;
    other.session = session;
    let url = other.url.clone();
    belvedere_harness::process::until(Duration::from_secs(5), "the end of the session", || {
        Ok(other.request("GET_PARAMETER", &url, &[])?.status == 454)
    })
}

/// RM-18: an interleaved session lives while its connection takes data, without a request.
#[test]
fn an_interleaved_session_lives_by_its_connection() -> Result<()> {
    let _turn = Turn::shared()?;
    let server = with_limits("session-timeout = 3")?;
    let mut client = Client::connect(&server.url("standard")?)?;
    let tracks = client.start(Transport::Tcp)?;
    record(&mut client, &tracks, Duration::from_secs(8))?;
    let received = record(&mut client, &tracks, Duration::from_secs(1))?;
    ensure!(received[0].packets.len() > 5, "the session ended");
    Ok(())
}

/// A connection that is answered. The place of an earlier one is free a moment after its client sees that it was closed.
fn admitted(url: &str) -> Result<Client> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let mut client = Client::connect(url)?;
        client.send("OPTIONS", "*", &[])?;
        let response = client.response()?;
        if response.status != 503 || Instant::now() > deadline {
            response.expect_status(200)?;
            return Ok(client);
        }
    }
}

/// Requests beyond the limits are refused, and a connection that says nothing is closed.
#[test]
fn limits_hold() -> Result<()> {
    let _turn = Turn::shared()?;
    let server = with_limits("connections = 3\nidle-timeout = 2")?;
    let url = server.url("standard")?;

    let mut client = Client::connect(&url)?;
    let long = "x".repeat(128 * 1024);
    // The refusal comes before all is written, and is not lost by that. Where the next request begins is not known.
    client.exchange("OPTIONS", "*", &[("X-Long", &long)])?.expect_status(413)?;
    ensure!(client.is_closed(Duration::from_secs(5))?, "a connection that cannot be read goes on");
    let mut client = Client::connect(&url)?;
    client.send("OPTIONS", &format!("rtsp://host/{long}"), &[])?;
    client.response()?.expect_status(414)?;
    drop(client);

    let mut client = Client::connect(&url)?;
    client.send_raw(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 999999999\r\n\r\n")?;
    client.response()?.expect_status(413)?;
    drop(client);

    let mut idle = Client::connect(&url)?;
    ensure!(idle.is_closed(Duration::from_secs(6))?, "a silent connection stays");

    let _clients = (0..3).map(|_| admitted(&url)).collect::<Result<Vec<_>>>()?;
    let mut fourth = Client::connect(&url)?;
    fourth.send("OPTIONS", "*", &[])?;
    fourth.response()?.expect_status(503)?;
    ensure!(fourth.is_closed(Duration::from_secs(5))?, "a connection too many goes on");
    Ok(())
}

/// RM-17: the same over IPv6, TCP and UDP.
#[test]
fn everything_works_over_ipv6() -> Result<()> {
    let _turn = Turn::shared()?;
    let server = Server::start(&Options { rtsp: "[::1]:0".into(), config: Some(SMALL.into()), ..Options::default() })?;
    for transport in [Transport::Tcp, Transport::Udp] {
        let mut client = Client::connect(&server.url("standard")?)?;
        let url = client.url.clone();
        let response = client.request("DESCRIBE", &url, &[])?.expect_status(200)?;
        ensure!(response.body.contains("IN IP6 "), "RM-17: {}", response.body);
        let tracks = client.start(transport)?;
        let received = record(&mut client, &tracks, Duration::from_secs(2))?;
        ensure!(received.iter().all(|medium| medium.packets.len() > 10), "{transport:?}");
        received[0].check_sequence()?;
    }
    Ok(())
}

/// RM-16: a source that is not there is 503 within 2 s.
#[test]
fn a_dead_source_is_unavailable() -> Result<()> {
    let _turn = Turn::shared()?;
    let server = Server::with_config("[[camera]]\nid = \"cam\"\nsource = \"rtsp://127.0.0.1:9/none\"\n")?;
    let mut client = Client::connect(&server.url("ultra-hd")?)?;
    let url = client.url.clone();
    let start = Instant::now();
    client.request("DESCRIBE", &url, &[])?.expect_status(503)?;
    ensure!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    Ok(())
}

/// RM-19: sessions in any mix of transports get the same packets: one source, one numbering.
#[test]
fn viewers_share_one_numbering() -> Result<()> {
    let (_turn, server, mut tcp) = visit()?;
    let mut udp = Client::connect(&server.url("standard")?)?;
    let (over_tcp, over_udp) = (tcp.start(Transport::Tcp)?, udp.start(Transport::Udp)?);
    let by_datagram = record(&mut udp, &over_udp, Duration::from_secs(3))?;
    let by_stream = record(&mut tcp, &over_tcp, Duration::from_millis(500))?;
    let common = by_datagram[0].packets.iter().filter(|packet| by_stream[0].packets.contains(packet)).count();
    ensure!(common > 20, "{common} packets in common");
    Ok(())
}
