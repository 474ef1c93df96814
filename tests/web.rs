//! The web listener from outside: RTSP, RTSP in HTTP tunnels, and HTTP, all on one port. IDs are those of
//! `docs/rtsp-streaming.md`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use belvedere_harness::http::expect_status;
use belvedere_harness::process::until;
use belvedere_harness::received::{Received, record, record_into};
use belvedere_harness::server::{PASSWORD, USER};
use belvedere_harness::soap::{self, Request, Token};
use belvedere_harness::tunnel::{self, Post, Shape};
use belvedere_harness::{Client, Http, Server, Transport, Turn, play, rtp};

/// A pattern that costs little.
const SMALL: &str = "[[camera]]\nid = \"cam\"\n[camera.definitions.ultra-hd]\nwidth = 1280\nheight = 720\n";
/// A camera that costs nothing: nobody is there.
const NONE: &str = "[[camera]]\nid = \"cam\"\nsource = \"rtsp://127.0.0.1:9/none\"\n";
const SIZE: (usize, usize) = (640, 360);

fn pattern(limits: &str) -> Result<(Turn, Server)> {
    Ok((Turn::shared()?, Server::with_config(&format!("[limits]\n{limits}\n\n{SMALL}"))?))
}

fn pages(limits: &str) -> Result<(Turn, Server)> {
    Ok((Turn::shared()?, Server::with_config(&format!("[limits]\n{limits}\n\n{NONE}"))?))
}

/// Demands that a session plays: pictures and sound come, and none is missing.
fn plays(client: &mut Client, transport: Transport) -> Result<()> {
    let tracks = client.start(transport)?;
    for medium in record(client, &tracks, Duration::from_secs(2))? {
        medium.check_sequence()?;
        ensure!(medium.packets.len() > 10, "{} packets of {}", medium.packets.len(), medium.media.kind);
    }
    Ok(())
}

/// Design section 4: RTSP without any tunnel on the web port, over TCP and UDP, with addresses that lead there.
#[test]
fn plain_rtsp_is_served_on_the_web_port() -> Result<()> {
    let (_turn, server) = pattern("")?;
    for transport in [Transport::Tcp, Transport::Udp] {
        let mut client = Client::connect(&server.web("standard")?)?;
        let url = client.url.clone();
        let response = client.request("DESCRIBE", &url, &[])?.expect_status(200)?;
        let base = response.header("Content-Base").context("RM-17: no Content-Base")?;
        ensure!(base.starts_with(&url), "{base} is not at {url}");
        plays(&mut client, transport).with_context(|| format!("{transport:?}"))?;
        client.teardown()?;
    }
    Ok(())
}

/// HT-1, HT-5, HT-6, HT-7: ffmpeg misses no picture, says nothing about them, and gets as many a second as there are.
#[test]
fn ffmpeg_plays_through_a_tunnel() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    for (name, size) in [("standard", SIZE), ("hi-def", (1280, 720))] {
        let url = server.web(name)?;
        let codes = besides(&server, || play::codes(&url, Transport::Http, size, 90)).context(name)?;
        ensure!(codes.len() == 90, "{name}: {} pictures", codes.len());
        play::consecutive(&codes).context(name)?;
    }
    let probe = play::probe(&server.web("standard")?, Transport::Http, 8)?;
    let rate = probe.rate(probe.only("video")?)?;
    ensure!((rate - 15.0).abs() < 0.75, "HT-7: {rate} pictures a second");
    ensure!(probe.times[probe.only("audio")?].len() > 50, "no sound");
    was_tunnelled(&server, 3)
}

/// The same with GStreamer.
#[test]
fn gstreamer_plays_through_a_tunnel() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    for (name, size) in [("standard", SIZE), ("jpeg", SIZE)] {
        let url = server.web(name)?;
        let codes = besides(&server, || play::gstreamer(&url, Transport::Http, size, 76)).context(name)?;
        ensure!(codes.len() >= 76, "{name}: {} pictures", codes.len());
        play::consecutive(&codes).context(name)?;
    }
    was_tunnelled(&server, 2)
}

/// Plays while clients of the web services ask at the same port; every one of their answers must be right.
fn besides<T>(server: &Server, play: impl FnOnce() -> Result<T>) -> Result<T> {
    const CLIENTS: usize = 4;
    let web: SocketAddr = server.http()?.strip_prefix("http://").context("no address")?.parse()?;
    let playing = AtomicBool::new(true);
    let ask = || -> Result<usize> {
        let mut answers = 0;
        while playing.load(Ordering::Relaxed) {
            let request = Request::operation("/onvif/media_service", soap::TRT, "GetProfiles");
            let answer = request.token(&Token::new((USER, PASSWORD))?).send(web)?.done()?;
            ensure!(answer.attributes("Profiles", "token")?.len() == 4, "{}", answer.text());
            answers += 1;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(answers)
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
        let played = play();
        playing.store(false, Ordering::Relaxed);
        for client in clients {
            let answers = client.join().map_err(|_| anyhow!("a client of the web services panicked"))??;
            ensure!(answers >= 20, "{answers} answers while it played");
        }
        played
    })
}

/// Demands that so many tunnels were opened: a client that went another way has shown nothing.
fn was_tunnelled(server: &Server, tunnels: usize) -> Result<()> {
    let found = server.log().matches("an HTTP tunnel begins").count();
    ensure!(found >= tunnels, "{found} tunnels, {tunnels} expected");
    Ok(())
}

/// HT-1, HT-2, HT-5: a conversation with pictures, reports up the POST, and an orderly end.
#[test]
fn a_conversation_goes_through_a_tunnel() -> Result<()> {
    let (_turn, server) = pattern("")?;
    let mut client = Client::tunnel(&server.web("standard")?, Shape::default())?;
    let tracks = client.start(Transport::Tcp)?;
    let url = client.url.clone();
    for round in 0..5_u8 {
        let report = rtp::receiver_report(7);
        client.send_raw(&[&[b'$', tracks[0].channel + 1, 0, report.len() as u8], &report[..]].concat())?;
        let received = record(&mut client, &tracks, Duration::from_millis(400))?;
        ensure!(received.iter().all(|medium| !medium.packets.is_empty()), "round {round}");
        client.request("GET_PARAMETER", &url, &[])?.expect_status(200).context("HT-2: behind a report")?;
    }
    client.teardown()?;
    let end = record(&mut client, &tracks, Duration::from_millis(500))?;
    ensure!(end.iter().all(|medium| medium.bye), "RT-10: no BYE");
    client.describe().context("TEARDOWN ends the session, not the tunnel")?;
    Ok(())
}

/// HT-3: line breaks in the base64 and writes of any length, down to single characters.
#[test]
fn base64_may_be_cut_anywhere() -> Result<()> {
    let (_turn, server) = pages("")?;
    let url = server.web("ultra-hd")?;
    let mut client = Client::tunnel(&url, Shape::default())?;
    let mut chunked = Client::tunnel(&url, Shape { chunked: true, ..Shape::default() })?;
    let breaks = [None, Some((76, "\r\n")), Some((64, "\n")), Some((1, "\n")), Some((7, "\r\n")), Some((5, "\r"))];
    for line in breaks {
        for write in 1..=40 {
            for client in [&mut client, &mut chunked] {
                let post = client.post.as_mut().context("no POST")?;
                post.shape = Shape { line, write, ..post.shape };
                let response = client.exchange("OPTIONS", "*", &[]).with_context(|| format!("{:?}", client.post))?;
                response.expect_status(200)?;
            }
        }
    }
    Ok(())
}

/// HT-3: a client may encode every piece of a request by itself, with padding in the midst of it.
#[test]
fn padding_may_stand_at_the_end_of_every_piece() -> Result<()> {
    let (_turn, server) = pages("")?;
    for group in 1..=24 {
        for write in [0, 1, 5] {
            let mut client = Client::tunnel(&server.web("ultra-hd")?, Shape { group, write, ..Shape::default() })?;
            client.exchange("OPTIONS", "*", &[]).with_context(|| format!("{group}, {write}"))?.expect_status(200)?;
            client.exchange("OPTIONS", "*", &[])?.expect_status(200)?;
        }
    }
    Ok(())
}

/// HT-3: requests in one run of base64 begin anywhere in a group of four characters.
#[test]
fn requests_may_share_a_group_of_base64() -> Result<()> {
    let (_turn, server) = pages("")?;
    let mut client = Client::tunnel(&server.web("ultra-hd")?, Shape { write: 11, ..Shape::default() })?;
    let request = |number: u32| format!("OPTIONS * RTSP/1.0\r\nCSeq: {}\r\n\r\n", 10_u64.pow(number));
    let all: String = (0..6).map(request).collect();
    ensure!((0..6).map(|number| request(number).len() % 3).any(|length| length != 0), "all begin with a group");
    client.send_raw(all.as_bytes())?;
    for number in 0..6 {
        let response = client.response()?.expect_status(200)?;
        ensure!(response.header("CSeq") == Some(&10_u64.pow(number).to_string()), "{response:?}");
    }
    Ok(())
}

/// HT-4: the length that clients write into the head of the POST, 32767, is no limit.
#[test]
fn a_post_has_no_end() -> Result<()> {
    let (_turn, server) = pages("")?;
    let mut client = Client::tunnel(&server.web("ultra-hd")?, Shape { line: Some((76, "\r\n")), ..Shape::default() })?;
    let body = " ".repeat(1000);
    for number in 1..=100 {
        client.send_raw(
            format!("OPTIONS * RTSP/1.0\r\nCSeq: {number}\r\nContent-Length: 1000\r\n\r\n{body}").as_bytes(),
        )?;
        let response = client.response().with_context(|| format!("request {number}"))?.expect_status(200)?;
        ensure!(response.header("CSeq") == Some(&number.to_string()), "{response:?}");
    }
    Ok(())
}

/// HT-4: when a POST has ended, another one goes on where it was, in the same session and in another shape.
#[test]
fn a_post_may_follow_another() -> Result<()> {
    let (_turn, server) = pattern("")?;
    let cookie = tunnel::cookie();
    let mut client = Client::down(&server.web("standard")?, &cookie)?;
    let url = server.web("standard")?;
    client.post = Some(Post::open(&url, &cookie, Shape::default())?);
    let tracks = client.start(Transport::Tcp)?;
    let address = client.url.clone();
    for shape in [Shape { chunked: true, write: 9, ..Shape::default() }, Shape { group: 4, ..Shape::default() }] {
        client.post = None;
        client.post = Some(Post::open(&url, &cookie, shape)?);
        client.request("GET_PARAMETER", &address, &[])?.expect_status(200)?;
        let received = record(&mut client, &tracks, Duration::from_millis(500))?;
        ensure!(!received[0].packets.is_empty(), "the pictures ended with the POST");
    }
    client.teardown()?;
    Ok(())
}

/// AU-3, HT-8: the tunnel itself is open to everybody, and the requests in it are challenged as any others.
#[test]
fn a_tunnel_is_challenged_inside_only() -> Result<()> {
    let (_turn, server) = pages("")?;
    let url = server.web("ultra-hd")?;
    let cookie = tunnel::cookie();
    let (stream, _, head) = tunnel::get(&url, &cookie)?;
    ensure!(head.content_type() == "application/x-rtsp-tunnelled", "HT-1: {head:?}");
    for unwanted in ["Content-Length", "Transfer-Encoding", "WWW-Authenticate"] {
        ensure!(head.header(unwanted).is_none(), "HT-1: {head:?}");
    }
    ensure!(head.header("Cache-Control") == Some("no-store"), "{head:?}");
    drop(stream);
    let mut client = Client::tunnel(&url, Shape::default())?;
    let address = client.url.clone();
    let response = client.exchange("DESCRIBE", &address, &[])?.expect_status(401)?;
    ensure!(response.challenges()?.len() == 2, "{response:?}");
    // Who has the password gets further than the door: the source is what is not there.
    client.request("DESCRIBE", &address, &[])?.expect_status(503)?;
    client.credentials = Some(("admin".into(), "guess".into()));
    client.request("DESCRIBE", &address, &[])?.expect_status(401)?;
    Ok(())
}

/// HT-1: a POST belongs to the GET of its cookie; one GET to a cookie.
#[test]
fn a_cookie_is_one_tunnel() -> Result<()> {
    let (_turn, server) = pages("")?;
    let url = server.web("ultra-hd")?;
    let mut first = Client::tunnel(&url, Shape::default())?;
    let mut second = Client::tunnel(&url, Shape::default())?;
    first.exchange("OPTIONS", "*", &[("CSeq", "101")])?;
    second.exchange("OPTIONS", "*", &[("CSeq", "202")])?;

    let cookie = tunnel::cookie();
    let mut client = Client::down(&url, &cookie)?;
    for taken in [&cookie, "", &"x".repeat(300)] {
        let mut again = tunnel::ask(&url, taken)?;
        expect_status(again.head()?, 400).with_context(|| format!("{taken:?}"))?;
        ensure!(again.is_closed(Duration::from_secs(5))?, "{taken:?}");
    }
    client.post = Some(Post::open(&url, &cookie, Shape::default())?);
    client.exchange("OPTIONS", "*", &[])?.expect_status(200)?;
    drop(client);
    // As soon as the GET is gone the cookie may be used again.
    until(Duration::from_secs(5), "the cookie is free", || Ok(tunnel::get(&url, &cookie).is_ok()))
}

/// A POST of which nobody knows the cookie is refused, however much it says, and lets its place go.
#[test]
fn a_post_without_a_get_is_refused() -> Result<()> {
    let (_turn, server) = pages("connections = 1")?;
    let start = Instant::now();
    let mut post = Post::open(&server.web("ultra-hd")?, "nobody", Shape::default())?;
    // The only place is taken meanwhile.
    expect_status(Http::ask(&server.http()?, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")?, 503)?;
    post.send(&[b' '; 100_000])?;
    let mut post = Http::over(post.stream)?;
    expect_status(post.head()?, 400)?;
    ensure!(post.is_closed(Duration::from_secs(5))?, "the POST goes on");
    ensure!(start.elapsed() > Duration::from_secs(2), "a GET that comes a little later would have been too late");
    a_place_is_free(&server, Duration::from_secs(3))
}

/// A GET whose POST never comes ends by itself, and lets its place go.
#[test]
fn a_get_without_a_post_ends() -> Result<()> {
    let (_turn, server) = pages("connections = 1\nidle-timeout = 2")?;
    let mut client = Client::down(&server.web("ultra-hd")?, "alone")?;
    ensure!(client.is_closed(Duration::from_secs(8))?, "the GET goes on");
    a_place_is_free(&server, Duration::from_secs(3))
}

/// Demands that the listener takes another connection within some time.
fn a_place_is_free(server: &Server, patience: Duration) -> Result<()> {
    until(patience, "a free place", || {
        let answer = Http::ask(&server.http()?, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
        Ok(answer.status() == Some(200))
    })
}

/// A tunnel is two connections, and counted so; when it ends, both places are free.
#[test]
fn both_halves_of_a_tunnel_are_counted() -> Result<()> {
    let (_turn, server) = pages("connections = 2")?;
    let mut client = Client::tunnel(&server.web("ultra-hd")?, Shape::default())?;
    client.exchange("OPTIONS", "*", &[])?.expect_status(200)?;
    let answer = Http::ask(&server.http()?, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    ensure!(expect_status(answer, 503)?.header("Retry-After").is_some(), "no Retry-After");
    // The POST goes, the GET stays: one place is free.
    client.post = None;
    a_place_is_free(&server, Duration::from_secs(5))?;
    drop(client);
    let mut two = (0..2).map(|_| Http::connect(&server.http()?)).collect::<Result<Vec<_>>>()?;
    until(Duration::from_secs(5), "two free places", || {
        two = (0..2).map(|_| Http::connect(&server.http()?)).collect::<Result<Vec<_>>>()?;
        let mut answers = two.iter_mut().map(|http| {
            http.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
            http.answer("GET")
        });
        answers.try_fold(true, |all, answer| Ok(all && answer?.status() == Some(200)))
    })
}

/// One session is all that this server has: whoever gets it knows that the one before has ended.
fn ends_with(end: impl FnOnce(&mut Client) -> Result<()>, patience: Duration) -> Result<()> {
    let (_turn, server) = pattern("sessions = 1\nsession-timeout = 3")?;
    let mut client = Client::tunnel(&server.web("standard")?, Shape::default())?;
    let tracks = client.start(Transport::Tcp)?;
    ensure!(!record(&mut client, &tracks, Duration::from_secs(1))?[0].packets.is_empty());
    let mut other = Client::connect(&server.url("standard")?)?;
    let media = other.describe()?;
    let offer = [("Transport", "RTP/AVP/TCP;unicast;interleaved=0-1")];
    other.request("SETUP", &media[0].control, &offer)?.expect_status(453)?;
    end(&mut client)?;
    let free = until(patience, "the end of the session", || {
        Ok(other.request("SETUP", &media[0].control, &offer)?.status == 200)
    });
    drop(client);
    free
}

/// HT-1, KA-6: TEARDOWN ends the session at once.
#[test]
fn teardown_ends_the_session() -> Result<()> {
    ends_with(|client| client.teardown().map(drop), Duration::from_millis(500))
}

/// HT-1, KA-6: the session ends with the GET, though the POST is still there.
#[test]
fn the_end_of_the_get_ends_the_session() -> Result<()> {
    ends_with(|client| Ok(client.stream().shutdown(std::net::Shutdown::Both)?), Duration::from_secs(1))
}

/// HT-4: the session outlives its POST, but not for longer than its timeout.
#[test]
fn a_session_without_a_post_ends_with_its_timeout() -> Result<()> {
    ends_with(
        |client| {
            client.post = None;
            thread::sleep(Duration::from_millis(1500));
            let frame = client.frame(Instant::now() + Duration::from_secs(1))?;
            ensure!(frame.is_some(), "the pictures ended with the POST");
            // Whatever takes the pictures from now on does not keep the session.
            let mut taken = client.stream().try_clone()?;
            thread::spawn(move || std::io::copy(&mut taken, &mut std::io::sink()));
            Ok(())
        },
        Duration::from_secs(6),
    )
}

/// A server that stops says BYE in its tunnels, and waits neither for them nor for idle connections and lonely halves.
#[test]
fn a_server_that_stops_ends_its_tunnels() -> Result<()> {
    let (_turn, server) = pattern("")?;
    let url = server.web("standard")?;
    let mut client = Client::tunnel(&url, Shape::default())?;
    let tracks = client.start(Transport::Tcp)?;
    ensure!(!record(&mut client, &tracks, Duration::from_secs(1))?[0].packets.is_empty());
    let mut idle = Http::connect(&server.http()?)?;
    idle.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    expect_status(idle.answer("GET")?, 200)?;
    let _silent = Http::connect(&server.http()?)?;
    let _lonely = (Post::open(&url, "nobody", Shape::default())?, tunnel::get(&url, "somebody")?);
    let listener = thread::spawn(move || {
        let mut received: Vec<_> = tracks.iter().map(|track| Received::new(track.media.clone())).collect();
        // It ends with an error: the server closes the connection.
        let ended = record_into(&mut client, &tracks, &mut received, Duration::from_secs(10)).is_err();
        ended && received.iter().all(|medium| medium.bye)
    });
    server.stop()?;
    ensure!(listener.join().is_ok_and(|heard| heard), "RT-10: no BYE, or no end");
    Ok(())
}

/// What is no base64 ends the tunnel, and nothing else.
#[test]
fn rubbish_in_a_post_ends_its_tunnel() -> Result<()> {
    let (_turn, server) = pages("")?;
    let url = server.web("ultra-hd")?;
    let mut good = Client::tunnel(&url, Shape::default())?;
    for (chunked, rubbish) in [(false, &b"OPTIONS * RTSP/1.0\r\n\r\n"[..]), (true, b"zz\r\n"), (true, b"0\r\n\r\n")] {
        let mut bad = Client::tunnel(&url, Shape { chunked, ..Shape::default() })?;
        bad.exchange("OPTIONS", "*", &[])?.expect_status(200)?;
        std::io::Write::write_all(&mut bad.post.as_mut().context("no POST")?.stream, rubbish)?;
        ensure!(bad.is_closed(Duration::from_secs(5))?, "{rubbish:?}");
    }
    good.exchange("OPTIONS", "*", &[])?.expect_status(200)?;
    Ok(())
}

/// What HTTP says about requests that cannot be met.
#[test]
fn requests_that_cannot_be_met_are_told_why() -> Result<()> {
    let (_turn, server) = pages("")?;
    let host = "Host: h\r\n";
    let cases = [
        (format!("GET /nothing HTTP/1.1\r\n{host}\r\n"), 404),
        (format!("HEAD /nothing HTTP/1.1\r\n{host}\r\n"), 404),
        (format!("PUT /nothing HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"), 404),
        (format!("DELETE / HTTP/1.1\r\n{host}\r\n"), 405),
        // Without a length there is no body (RFC 9112, 6.3), so none that would need 411.
        (format!("POST / HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("POST /snapshot/cam/jpeg HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 5\r\n\r\nhello"), 413),
        (format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), 413),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: many\r\n\r\n"), 400),
        (format!("POST / HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}no colon\r\n\r\n"), 400),
        (format!("GET /\0 HTTP/1.1\r\n{host}\r\n"), 400),
        ("GET / HTTP/2.0\r\n\r\n".to_owned(), 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        ("GET / HTTP/0.9\r\n\r\n".to_owned(), 505),
        (format!("GET /cam HTTP/1.1\r\n{host}\r\n"), 404),
        (format!("GET /snapshot/cam/jpeg HTTP/1.1\r\n{host}\r\n"), 401),
    ];
    for (request, status) in cases {
        let answer = Http::ask(&server.http()?, &request).with_context(|| request.clone())?;
        let answer = expect_status(answer, status).with_context(|| request.clone())?;
        ensure!((status == 405) == (answer.header("Allow") == Some("GET, HEAD")), "{request}: {answer:?}");
        ensure!((status == 401) == answer.header("WWW-Authenticate").is_some(), "{request}: {answer:?}");
    }
    Ok(())
}

/// A first head that is no head at all is refused or dropped, at once.
#[test]
fn garbage_is_no_request() -> Result<()> {
    let (_turn, server) = pages("")?;
    let long = "x".repeat(200_000);
    let cases: [&[u8]; 9] = [
        b"hello\r\n\r\n",
        b"\r\n\r\n\r\nhello you\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"$\0\0\x04abcd\r\n\r\n",
        b"SSH-2.0-x\r\n",
        long.as_bytes(),
    ];
    for garbage in cases {
        let shown = String::from_utf8_lossy(&garbage[..garbage.len().min(40)]).into_owned();
        let mut client = Http::connect(&server.http()?)?;
        client.send(garbage).with_context(|| shown.clone())?;
        let answer = client.head().with_context(|| shown.clone())?;
        ensure!([Some(400), Some(431)].contains(&answer.status()), "{shown:?}: {answer:?}");
        ensure!(client.is_closed(Duration::from_secs(5))?, "{shown:?} goes on");
    }
    a_place_is_free(&server, Duration::ZERO)
}

/// A head that is too long, or of too many headers, is answered 431, and the answer arrives though the client still writes.
#[test]
fn heads_are_bounded() -> Result<()> {
    let (_turn, server) = pages("head-bytes = 8192\nheaders = 20")?;
    let http = server.http()?;
    let headers = |count: usize| "X: y\r\n".repeat(count);
    for (start, within, beyond) in [
        ("GET / HTTP/1.1\r\nHost: h\r\n", headers(18), headers(20)),
        (
            "GET / HTTP/1.1\r\nHost: h\r\n",
            format!("X: {}\r\n", "y".repeat(7000)),
            format!("X: {}\r\n", "y".repeat(9000)),
        ),
        ("GET / HTTP/1.1\r\nHost: h\r\n", headers(1), format!("X: {}\r\n", "y".repeat(900_000))),
        ("POST / HTTP/1.1\r\nx-sessioncookie: a\r\n", headers(1), headers(100_000)),
    ] {
        expect_status(Http::ask(&http, &format!("GET / HTTP/1.1\r\nHost: h\r\n{within}\r\n"))?, 200)?;
        let mut client = Http::connect(&http)?;
        client.send(format!("{start}{beyond}\r\n").as_bytes())?;
        expect_status(client.head()?, 431)?;
        ensure!(client.is_closed(Duration::from_secs(5))?, "{start} goes on");
    }
    // Also behind a request that was good.
    let mut client = Http::connect(&http)?;
    client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    expect_status(client.answer("GET")?, 200)?;
    client.send(format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", headers(50)).as_bytes())?;
    expect_status(client.answer("GET")?, 431)?;
    Ok(())
}

/// Whoever sends a head or a body byte by byte, or nothing at all, is let go, and so is who takes no answer.
#[test]
fn whoever_dawdles_is_let_go() -> Result<()> {
    let (_turn, server) = pages("idle-timeout = 2\nstalled-viewer = 2")?;
    let http = server.http()?;
    let stories = [
        ("", ""),
        ("", "GET / HTTP/1.1\r\nHost: h\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", ""),
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nX: yyyyyyyyyyyyyyyyyyyyyyyy"),
        ("", "OPTIONS rtsp://h/yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
    ];
    thread::scope(|scope| {
        let dawdlers = stories.map(|(first, then)| {
            let http = &http;
            scope.spawn(move || -> Result<()> {
                let mut client = Http::connect(http)?;
                if !first.is_empty() {
                    client.send(first.as_bytes())?;
                    expect_status(client.answer("GET")?, 200)?;
                }
                let start = Instant::now();
                let mut then = then.bytes();
                while !client.is_closed(Duration::from_millis(100))? {
                    ensure!(start.elapsed() < Duration::from_secs(6), "{first:?} goes on");
                    if let Some(byte) = then.next() {
                        // It may have been closed just now.
                        let _ = client.send(&[byte]);
                    }
                }
                ensure!(start.elapsed() > Duration::from_secs(1), "{first:?}: let go after {:?}", start.elapsed());
                Ok(())
            })
        });
        dawdlers.into_iter().try_for_each(|dawdler| dawdler.join().map_err(|_| anyhow::anyhow!("panicked"))?)
    })
}

/// A client that asks and asks and reads no answer is cut off.
#[test]
fn whoever_takes_no_answer_is_let_go() -> Result<()> {
    let (_turn, server) = pages("connections = 1\nidle-timeout = 2\nstalled-viewer = 2")?;
    let mut client = Http::connect(&server.http()?)?;
    client.stream().set_write_timeout(Some(Duration::from_millis(500)))?;
    let many = "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1000);
    let start = Instant::now();
    // Until neither side's buffers take anything more.
    while client.send(many.as_bytes()).is_ok() {
        ensure!(start.elapsed() < Duration::from_secs(20), "everything is read and nothing of the answers");
    }
    a_place_is_free(&server, Duration::from_secs(6))
}

/// There are only so many connections, for all and for each address; who is one too many hears so.
#[test]
fn connections_are_bounded() -> Result<()> {
    for limit in ["connections = 3", "connections-per-address = 3"] {
        let (_turn, server) = pages(limit)?;
        let (http, url) = (server.http()?, server.web("ultra-hd")?);
        let mut held = (0..2).map(|_| Http::connect(&http)).collect::<Result<Vec<_>>>()?;
        let mut get = tunnel::ask(&url, "first")?;
        expect_status(get.head()?, 200)?;
        expect_status(Http::ask(&http, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")?, 503).context(limit)?;
        expect_status(tunnel::ask(&url, "second")?.head()?, 503).context(limit)?;
        // Those who were there before are served all the same.
        held[0].send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
        expect_status(held[0].answer("GET")?, 200)?;
        drop(held);
        a_place_is_free(&server, Duration::from_secs(5))?;
    }
    Ok(())
}

/// RFC 9110, 9.3.2: HEAD is answered as GET is, without the body.
#[test]
fn head_is_get_without_its_body() -> Result<()> {
    let (_turn, server) = pages("")?;
    let mut client = Http::connect(&server.http()?)?;
    client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let get = expect_status(client.answer("GET")?, 200)?;
    ensure!(get.content_type() == "text/html" && get.body.starts_with(b"<!doctype html>"), "{get:?}");
    client.send(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /nothing HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let head = expect_status(client.answer("HEAD")?, 200)?;
    for name in ["Content-Type", "Content-Length"] {
        ensure!(head.header(name) == get.header(name), "{name}: {head:?}");
    }
    expect_status(client.answer("GET")?, 404).context("a body came, or the connection ended")?;
    Ok(())
}

/// A connection serves request after request, in their order, however they are cut.
#[test]
fn requests_may_share_a_connection() -> Result<()> {
    let (_turn, server) = pages("")?;
    let mut client = Http::connect(&server.http()?)?;
    let three = "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /nothing HTTP/1.1\r\nHost: h\r\n\r\nPUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    client.send(three.as_bytes())?;
    for status in [200, 404, 405] {
        expect_status(client.answer("GET")?, status).context("all in one write")?;
    }
    for byte in three.as_bytes() {
        client.send(std::slice::from_ref(byte))?;
    }
    for status in [200, 404, 405] {
        expect_status(client.answer("GET")?, status).context("byte by byte")?;
    }
    client.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
    expect_status(client.answer("GET")?, 200)?;
    ensure!(client.is_closed(Duration::from_secs(2))?, "it asked for the end");
    let mut old = Http::connect(&server.http()?)?;
    old.send(b"GET / HTTP/1.0\r\n\r\n")?;
    expect_status(old.answer("GET")?, 200)?;
    ensure!(old.is_closed(Duration::from_secs(2))?, "HTTP/1.0 ends after one answer");
    Ok(())
}
