//! Hostile clients on the web port, while an honest viewer watches and an honest client asks: neither notices, memory stays
//! bounded, and nothing is left behind. What HTTP says to a single bad request is the business of other tests.

#![allow(clippy::print_stderr, reason = "figures for the person who runs the tests")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use belvedere_harness::digest::{Challenge, Style};
use belvedere_harness::process::{self, until};
use belvedere_harness::received::{Received, record_into};
use belvedere_harness::server::{Options, PASSWORD, USER};
use belvedere_harness::soap::{Answer, DEVICE, ENV, Request, TDS, TRT, Token};
use belvedere_harness::{Client, Server, Transport, Turn};
use socket2::{Domain, Socket, Type};

/// A pattern that costs little, and limits that end in the time of a test.
const CONFIG: &str = "[limits]\nidle-timeout = 4\nstalled-viewer = 4\n\n[[camera]]\nid = \"cam\"\n\
                      [camera.definitions.ultra-hd]\nwidth = 1280\nheight = 720\n";
/// By how much the server's private memory may grow, in bytes.
const MOST_MEMORY: u64 = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(20);
/// Where hostile clients are.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Has the honest ones at work while `attack` runs, and judges what they got and what it cost the server. What the attack
/// gives is held open until the server has let go of it.
fn besieged<T>(attack: impl FnOnce(SocketAddr) -> Result<T>) -> Result<()> {
    let _turn = Turn::alone()?;
    let config = Some(CONFIG.to_owned());
    let server = Server::start(&Options { config, environment: Vec::new(), ..Options::default() })?;
    let web: SocketAddr = server.http()?.strip_prefix("http://").context("no HTTP address")?.parse()?;
    let (over, most) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let viewer = scope.spawn(|| watch(&server, &over));
        let asker = scope.spawn(|| ask(web, &over));
        // What the stream buffers is full by now.
        thread::sleep(Duration::from_secs(7));
        let (memory, descriptors) = (process::rss_anon(server.pid())?, rest(&server)?);
        let sampler = scope.spawn(|| -> Result<()> {
            while !over.load(Relaxed) {
                most.fetch_max(process::rss_anon(server.pid())?, Relaxed);
                thread::sleep(Duration::from_millis(10));
            }
            Ok(())
        });
        let outcome = attack(web).and_then(|_held| {
            until(PATIENCE, "the descriptors are as before", || Ok(process::descriptors(server.pid())? <= descriptors))
        });
        over.store(true, Relaxed);
        let joined = [viewer.join(), asker.join(), sampler.join()];
        for (who, result) in ["the viewer", "the honest client", "the memory"].into_iter().zip(joined) {
            result.map_err(|_| anyhow::anyhow!("panicked"))?.context(who)?;
        }
        let most = most.load(Relaxed);
        eprintln!("private memory {} KiB, {} KiB at most", memory / 1024, most / 1024);
        outcome.with_context(|| server.log())?;
        ensure!(most < memory + MOST_MEMORY, "{memory} bytes before, {most} at most");
        ensure!(!server.log().contains("panicked"), "{}", server.log());
        Ok(())
    })
}

/// How many descriptors the server has open between two questions of the honest client.
fn rest(server: &Server) -> Result<usize> {
    let mut least = usize::MAX;
    for _ in 0..50 {
        least = least.min(process::descriptors(server.pid())?);
        thread::sleep(Duration::from_millis(10));
    }
    Ok(least)
}

/// The honest viewer misses nothing and holds its rate, 15 pictures a second.
fn watch(server: &Server, over: &AtomicBool) -> Result<()> {
    let mut client = Client::connect(&server.url("standard")?)?;
    let tracks = client.start(Transport::Tcp)?;
    let mut received: Vec<Received> = tracks.iter().map(|track| Received::new(track.media.clone())).collect();
    let start = Instant::now();
    while !over.load(Relaxed) {
        record_into(&mut client, &tracks, &mut received, Duration::from_millis(100))?;
    }
    let expected = start.elapsed().as_secs_f64() * 15.0;
    received.iter().try_for_each(Received::check_sequence)?;
    let pictures = received[0].units()?.len();
    ensure!(pictures as f64 > expected * 0.9 - 15.0, "{pictures} pictures, {expected:.0} expected");
    Ok(())
}

/// The honest client asks every 100 ms, on a new connection each time, and always gets the right answer.
fn ask(web: SocketAddr, over: &AtomicBool) -> Result<()> {
    let (mut answers, mut longest, start) = (0_u32, Duration::ZERO, Instant::now());
    while !over.load(Relaxed) {
        let asked = Instant::now();
        question(web, answers).with_context(|| format!("question {answers}"))?;
        answers += 1;
        longest = longest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(100));
    }
    eprintln!("{answers} right answers within {longest:?}");
    ensure!(f64::from(answers) > start.elapsed().as_secs_f64() * 2.0, "only {answers} answers");
    Ok(())
}

/// Asks one of three questions: an open one, one with a token, one with Digest.
fn question(web: SocketAddr, number: u32) -> Result<()> {
    let (request, expected) = match number % 3 {
        0 => (Request::operation(DEVICE, TDS, "GetSystemDateAndTime"), "UTCDateTime"),
        1 => {
            let request = Request::operation(DEVICE, TDS, "GetDeviceInformation");
            (request.token(&Token::new((USER, PASSWORD))?), "Manufacturer")
        }
        _ => {
            let request = Request::operation("/onvif/media_service", TRT, "GetProfiles");
            let challenge = challenge(&request.send(web)?)?;
            let answer = challenge.answer(Style::Qop, (USER, PASSWORD), "POST", "/onvif/media_service", 1);
            (request.header("Authorization", &answer), "Profiles")
        }
    };
    let answer = request.send(web)?.done()?;
    ensure!(!answer.elements(expected, |_| ())?.is_empty(), "no {expected} in {}", answer.text());
    Ok(())
}

fn challenge(answer: &Answer) -> Result<Challenge> {
    ensure!(answer.status == 401, "{}: {}", answer.status, answer.text());
    answer.challenges()?.pop().context("no challenge")
}

/// Connects from this address.
fn connect(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&to.into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one answer; none when the server hangs up without one.
fn answer(stream: &mut TcpStream) -> Result<Option<Answer>> {
    let mut received = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        if let Some(answer) = Answer::take(&mut received)? {
            return Ok(Some(answer));
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(length) => received.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(error).context("no answer, and no end"),
        }
    }
}

/// Sends pieces until the server hangs up, and gives the answer that came meanwhile.
fn pour(to: SocketAddr, head: &str, piece: &[u8], pieces: usize) -> Result<Option<Answer>> {
    let mut stream = connect(ELSEWHERE, to)?;
    stream.write_all(head.as_bytes())?;
    let mut pouring = stream.try_clone()?;
    thread::scope(|scope| {
        // It fails when the server has had enough, as it should.
        scope.spawn(move || (0..pieces).try_for_each(|_| pouring.write_all(piece)));
        let answer = answer(&mut stream);
        stream.shutdown(Shutdown::Both).or_else(|error| match error.kind() {
            ErrorKind::NotConnected => Ok(()),
            _ => Err(error),
        })?;
        answer
    })
}

/// The head of a request with SOAP in it.
fn head(framing: &str) -> String {
    format!("POST {DEVICE} HTTP/1.1\r\nHost: h\r\nContent-Type: application/soap+xml; charset=utf-8\r\n{framing}\r\n")
}

/// A request with this document.
fn request(document: &[u8]) -> Vec<u8> {
    [head(&format!("Content-Length: {}\r\n", document.len())).as_bytes(), document].concat()
}

/// An envelope with this before it and this in its body.
fn envelope(before: &str, body: &str) -> Vec<u8> {
    format!("{before}<s:Envelope xmlns:s=\"{ENV}\"><s:Body>{body}</s:Body></s:Envelope>").into_bytes()
}

/// Documents that a parser may choke on, each with the status and the fault that it is answered.
fn documents() -> Vec<(&'static str, Vec<u8>, u16, &'static str)> {
    const MALFORMED: &str = "env:Sender/ter:WellFormed";
    const TOO_MUCH: &str = "env:Receiver/ter:OutofMemory";
    let laugh = |n: u32| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10));
    let laughs: String = (1..10).map(laugh).collect();
    let operation = |attributes: &str| format!("<GetDeviceInformation xmlns=\"{TDS}\" {attributes}/>");
    let utf16: Vec<u8> = "\u{FEFF}<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let cases: [(&str, Vec<u8>, u16, &str); 16] = [
        (
            "a billion laughs",
            envelope(&format!("<!DOCTYPE l [<!ENTITY l0 \"lol\">{laughs}]>"), "<l>&l9;</l>"),
            400,
            MALFORMED,
        ),
        ("a billion laughs without the laughs", envelope("", "<l>&l9;</l>"), 400, MALFORMED),
        (
            "an external entity",
            envelope("<!DOCTYPE l [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>", "<l>&x;</l>"),
            400,
            MALFORMED,
        ),
        ("an external subset", envelope("<!DOCTYPE l SYSTEM \"http://127.0.0.1:9/x.dtd\">", "<l/>"), 400, MALFORMED),
        (
            "a parameter entity",
            envelope("<!DOCTYPE l [<!ENTITY % p SYSTEM \"file:///x\"> %p;]>", "<l/>"),
            400,
            MALFORMED,
        ),
        ("100 000 elements within each other", b"<a>".repeat(85_000), 500, TOO_MUCH),
        ("50 000 elements side by side", envelope("", &"<a/>".repeat(50_000)), 500, TOO_MUCH),
        ("20 000 attributes", envelope("", &operation(&many(20_000, &|n| format!("a{n}='' ")))), 500, TOO_MUCH),
        ("10 000 prefixes", envelope("", &operation(&many(10_000, &|n| format!("xmlns:a{n}='u' ")))), 500, TOO_MUCH),
        (
            "a prefix in each of 60 elements within each other",
            {
                let nested = many(60, &|n| format!("<a {}>", many(200, &|m| format!("xmlns:a{n}-{m}='u' "))));
                envelope("", &nested)
            },
            500,
            TOO_MUCH,
        ),
        ("an attribute of 200 KiB", envelope("", &operation(&format!("a='{}'", "x".repeat(200 << 10)))), 500, TOO_MUCH),
        ("a comment that does not end", envelope("", &format!("<!-- {}", "x".repeat(200 << 10))), 400, MALFORMED),
        (
            "no UTF-8",
            envelope("", "<l>*</l>").iter().map(|b| if *b == b'*' { 0xFF } else { *b }).collect(),
            400,
            MALFORMED,
        ),
        ("UTF-16", utf16, 400, MALFORMED),
        ("zeros", vec![0; 200 << 10], 400, MALFORMED),
        ("half a document", envelope("", "<l/>")[..60].to_vec(), 400, MALFORMED),
    ];
    cases.into()
}

/// Entity bombs, deep nesting, crowds of attributes, other encodings: each is answered with its fault, again and again.
#[test]
fn documents_that_choke_parsers_are_refused() -> Result<()> {
    besieged(|web| {
        thread::scope(|scope| {
            let threads = [0; 4].map(|_| {
                scope.spawn(|| -> Result<()> {
                    for (name, document, status, fault) in documents().into_iter().cycle().take(160) {
                        let mut stream = connect(ELSEWHERE, web)?;
                        stream.write_all(&request(&document)).context(name)?;
                        let answer = answer(&mut stream).context(name)?.context(name)?;
                        let text = answer.text();
                        ensure!(
                            answer.status == status && answer.fault()? == fault,
                            "{name}: {}: {text}",
                            answer.status
                        );
                        ensure!(!text.contains("root:"), "{name}: {text}");
                    }
                    Ok(())
                })
            });
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("panicked"))?)
        })
    })
}

/// Bodies of 100 MB, announced or in chunks without end, and heads without end: cut off with the right status.
#[test]
fn requests_without_end_are_cut_off() -> Result<()> {
    const MEGABYTES: usize = 100_000_000 / (64 << 10);
    let chunk = [&b"10000\r\n"[..], &[b' '; 64 << 10], b"\r\n"].concat();
    let blank = [b' '; 64 << 10];
    let line = b"X-Header: y\r\n".repeat(100);
    let single = [b'y'; 16 << 10];
    let get = "GET / HTTP/1.1\r\nHost: h\r\n";
    let stories: [(&str, String, &[u8], usize, u16); 7] = [
        ("an announced body", head("Content-Length: 100000000\r\n"), &blank, MEGABYTES, 413),
        ("a length that no machine has", head("Content-Length: 9223372036854775807\r\n"), &blank, MEGABYTES, 413),
        ("chunks", head("Transfer-Encoding: chunked\r\n"), &chunk, MEGABYTES, 413),
        ("one chunk", head("Transfer-Encoding: chunked\r\n") + "5F5E100\r\n", &blank, MEGABYTES, 413),
        ("header lines", get.to_owned(), &line, MEGABYTES, 431),
        ("one header", format!("{get}X-Header: "), &single, MEGABYTES, 431),
        ("a request line", "GET /".to_owned(), &single, MEGABYTES, 431),
    ];
    besieged(|web| {
        thread::scope(|scope| {
            let pouring = stories.iter().flat_map(|story| [story; 3]).map(|(name, head, piece, pieces, status)| {
                scope.spawn(move || -> Result<()> {
                    let answer = pour(web, head, piece, *pieces)
                        .context(*name)?
                        .with_context(|| format!("{name}: no answer"))?;
                    ensure!(answer.status == *status, "{name}: {}", answer.status);
                    Ok(())
                })
            });
            let pouring: Vec<_> = pouring.collect();
            pouring.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("panicked"))?)
        })
    })
}

/// Waits until the server has hung up on all of these; gives the statuses that it said before, in order.
fn dismissed(streams: &mut [TcpStream]) -> Result<Vec<Option<u16>>> {
    streams.iter_mut().map(|stream| Ok(answer(stream)?.map(|answer| answer.status))).collect()
}

/// 300 connections that say nothing, and 300 that stop in the middle of a head.
#[test]
fn idle_and_half_sent_heads_are_let_go() -> Result<()> {
    besieged(|web| {
        let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "y".repeat(12 << 10));
        let starts = [
            "",
            "P",
            "POST /onvif/device_service HT",
            "GET / HTTP/1.1\r\nHost: h\r\n",
            &long,
            "OPTIONS * RTSP/1.0\r\n",
        ];
        let mut held = Vec::new();
        for number in 0..600 {
            let start = if number < 300 { "" } else { starts[number % starts.len()] };
            let mut stream = connect(ELSEWHERE, web)?;
            stream.write_all(start.as_bytes())?;
            held.push(stream);
        }
        for status in dismissed(&mut held)?.into_iter().flatten() {
            ensure!([400, 408].contains(&status), "{status}");
        }
        Ok(())
    })
}

/// 300 requests whose bodies stop a byte before their end: together they are worth more memory than they get.
#[test]
fn half_sent_bodies_are_let_go() -> Result<()> {
    const LENGTH: usize = 256 << 10;
    besieged(|web| {
        let half = [head(&format!("Content-Length: {LENGTH}\r\n")).as_bytes(), &[b' '; LENGTH - 1]].concat();
        let mut held = Vec::new();
        for _ in 0..300 {
            let mut stream = connect(ELSEWHERE, web)?;
            // Whoever is not waited for at all may find the door closed.
            let _ = stream.write_all(&half);
            held.push(stream);
        }
        for status in dismissed(&mut held)?.into_iter().flatten() {
            ensure!([408, 503].contains(&status), "{status}");
        }
        // There is room again for a large request that is honest.
        let mut stream = connect(Ipv4Addr::LOCALHOST, web)?;
        let padded = format!("<!--{}--><GetSystemDateAndTime xmlns=\"{TDS}\"/>", "x".repeat(200 << 10));
        stream.write_all(&request(&envelope("", &padded)))?;
        let answer = answer(&mut stream)?.context("no answer")?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text());
        Ok(())
    })
}

/// Bodies in chunks of one byte each: what is kept of them is the bytes, not the chunks.
#[test]
fn tiny_chunks_take_no_more_than_their_bytes() -> Result<()> {
    besieged(|web| {
        let chunks = [head("Transfer-Encoding: chunked\r\n").as_bytes(), &b"1\r\nx\r\n".repeat(8 << 10)].concat();
        let mut held = Vec::new();
        for _ in 0..80 {
            let mut stream = connect(ELSEWHERE, web)?;
            stream.write_all(&chunks)?;
            held.push(stream);
        }
        for status in dismissed(&mut held)? {
            ensure!(status == Some(408), "{status:?}");
        }
        Ok(())
    })
}

/// A request of a user who guesses, now with a token, now with a nonce that he made up.
fn guess(realm: &str, user: &str, number: usize) -> Result<Request> {
    let request = Request::operation(DEVICE, TDS, "GetDeviceInformation");
    if number.is_multiple_of(2) {
        return Ok(request.token(&Token::new((user, "guess"))?));
    }
    let made_up = Challenge::parse(&format!("Digest realm=\"{realm}\", nonce=\"{number:064x}\", qop=\"auth\""))?;
    Ok(request.header("Authorization", &made_up.answer(Style::Qop, (user, "guess"), "POST", DEVICE, 1)))
}

/// Asks on one connection, question by question.
fn talk(stream: &mut TcpStream, to: SocketAddr, request: &Request) -> Result<Answer> {
    stream.write_all(request.wire(to).as_bytes())?;
    answer(stream)?.context("closed")
}

/// Somebody at another address tries passwords, made-up nonces and names without end: he is slowed down, and nobody else is.
#[test]
fn guessing_elsewhere_locks_nobody_out() -> Result<()> {
    besieged(|web| {
        let mut stream = connect(ELSEWHERE, web)?;
        let open = Request::operation(DEVICE, TDS, "GetDeviceInformation");
        let realm = challenge(&talk(&mut stream, web, &open)?)?.realm;
        let mut slowed = 0;
        for number in 0..3000 {
            let user = if number < 1000 { USER.to_owned() } else { format!("user {number}") };
            let answer = talk(&mut stream, web, &guess(&realm, &user, number)?)?;
            ensure!([400, 401].contains(&answer.status), "{}: {}", answer.status, answer.text());
            slowed += usize::from(answer.all("retry-after").next().is_some());
        }
        ensure!(slowed > 2800, "only {slowed} of 3000 guesses were slowed down");
        // The right password, from there: it waits as well, or guessing would tell.
        let right = open.token(&Token::new((USER, PASSWORD))?);
        ensure!(talk(&mut stream, web, &right)?.status == 400, "the right password was told from the wrong ones");
        // As many addresses as a network has, each with names of its own.
        for number in 0..6000_usize {
            let from = Ipv4Addr::new(127, 1, (number / 250) as u8, (number % 250) as u8 + 1);
            let mut stream = connect(from, web)?;
            let long = format!("{number}{}", "x".repeat(2000));
            let status = talk(&mut stream, web, &guess(&realm, &long, 0)?)?.status;
            ensure!(status == 400, "{status}");
        }
        Ok(())
    })
}

/// Challenges cost no memory, however many are asked for.
#[test]
fn challenges_without_end_cost_nothing() -> Result<()> {
    besieged(|web| {
        let request = Request::operation(DEVICE, TDS, "GetDeviceInformation").wire(web).repeat(50);
        let mut received = Vec::new();
        let mut stream = connect(ELSEWHERE, web)?;
        let mut buffer = [0; 64 << 10];
        for _ in 0..400 {
            stream.write_all(request.as_bytes())?;
            let mut answers = 0;
            while answers < 50 {
                let length = stream.read(&mut buffer)?;
                ensure!(length > 0, "closed");
                received.extend_from_slice(&buffer[..length]);
                while let Some(answer) = Answer::take(&mut received)? {
                    challenge(&answer)?;
                    answers += 1;
                }
            }
        }
        Ok(())
    })
}

/// Resets in the middle of answers, and before them.
#[test]
fn resets_leave_nothing_behind() -> Result<()> {
    besieged(|web| {
        let request = Request::operation(DEVICE, TDS, "GetWsdlUrl").wire(web).repeat(20);
        for number in 0..1500_usize {
            let mut stream = connect(ELSEWHERE, web)?;
            stream.write_all(&request.as_bytes()[..request.len() - number % 700])?;
            if number.is_multiple_of(3) {
                stream.read_exact(&mut [0; 100])?;
            }
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        }
        Ok(())
    })
}

/// 100 clients that ask and ask and take no answer: what waits for them is bounded, and so is the patience with them.
#[test]
fn whoever_takes_no_answers_is_let_go() -> Result<()> {
    besieged(|web| {
        let request = Request::operation(DEVICE, TDS, "GetServices").wire(web).repeat(20);
        let mut held = Vec::new();
        for _ in 0..100 {
            let mut stream = connect(ELSEWHERE, web)?;
            socket2::SockRef::from(&stream).set_recv_buffer_size(4096)?;
            // Until neither side takes anything more.
            stream.set_write_timeout(Some(Duration::from_millis(50)))?;
            while stream.write_all(request.as_bytes()).is_ok() {}
            held.push(stream);
        }
        Ok(held)
    })
}
