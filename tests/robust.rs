//! What must not hurt: viewers that stall, an engine that dies or hangs, thousands of short visits, curious neighbours.

#![allow(clippy::print_stderr, reason = "figures for the person who runs the tests")]

use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use belvedere_harness::process::{self, signal};
use belvedere_harness::received::{Received, record, record_into};
use belvedere_harness::server::{Options, PASSWORD};
use belvedere_harness::{Client, Server, Transport, Turn};
use rustix::process::Signal;

/// Three viewers, over TCP and UDP, watch while something is done to the engine; their sessions stay, the picture comes
/// back within 5 s, and neither numbering nor time base breaks.
fn survive(harm: impl FnOnce(u32) -> Result<()>) -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    let visits = [("standard", Transport::Tcp), ("hi-def", Transport::Tcp), ("standard", Transport::Udp)];
    let engine = thread::scope(|scope| {
        let viewers = visits.map(|(name, transport)| {
            let server = &server;
            scope.spawn(move || -> Result<()> {
                watch(server, name, transport).with_context(|| format!("{name} over {transport:?}"))
            })
        });
        // All three are set up and have seen pictures.
        thread::sleep(Duration::from_secs(4));
        let engine = server.engine()?;
        harm(engine)?;
        for viewer in viewers {
            viewer.join().map_err(|_| anyhow::anyhow!("panicked"))??;
        }
        anyhow::Ok(engine)
    })?;
    ensure!(server.engine()? != engine, "the engine was not replaced");
    Ok(())
}

/// Watches for 14 s in which the source fails once.
fn watch(server: &Server, name: &str, transport: Transport) -> Result<()> {
    let mut client = Client::connect(&server.url(name)?)?;
    let tracks = client.start(transport)?;
    let mut received: Vec<Received> = tracks.iter().map(|track| Received::new(track.media.clone())).collect();
    let (mut arrivals, mut longest, mut last) = (0, Duration::ZERO, Instant::now());
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(14) {
        record_into(&mut client, &tracks, &mut received, Duration::from_millis(10))?;
        if received[0].packets.len() > arrivals {
            (arrivals, last) = (received[0].packets.len(), Instant::now());
        }
        longest = longest.max(last.elapsed());
    }
    // That the source failed meanwhile shows in the engine's process ID; how briefly, there is no lower bound to.
    ensure!(longest < Duration::from_secs(5), "no picture for {longest:?}");
    let url = client.url.clone();
    client.request("GET_PARAMETER", &url, &[])?.expect_status(200)?;
    let video = &received[0];
    let units = video.units()?;
    ensure!(units.len() > 60, "{} pictures", units.len());
    // The time base: RTP time and the clock in the picture advance alike, before and after.
    let codes = belvedere_harness::play::codes_of_units(&video.media, &units)?;
    ensure!(codes.len() == units.len(), "{} pictures out of {} units", codes.len(), units.len());
    for (unit, code) in units.iter().zip(&codes) {
        let by_rtp = f64::from(unit.time.wrapping_sub(units[0].time)) / 90.0;
        let by_picture = code.utc_ms as f64 - codes[0].utc_ms as f64;
        ensure!(
            (by_rtp - by_picture).abs() < 20.0,
            "RTP time says {by_rtp} ms since the start, the picture {by_picture}"
        );
    }
    Ok(())
}

#[test]
fn a_killed_engine_is_replaced_under_its_viewers() -> Result<()> {
    survive(|engine| signal(engine, Signal::KILL))
}

#[test]
fn a_hung_engine_is_replaced_under_its_viewers() -> Result<()> {
    survive(|engine| signal(engine, Signal::STOP))
}

/// Reads `readers` sessions for some time while `stalled` others do not read at all; gives the server's private memory at
/// the end.
fn memory_with(readers: usize, stalled: usize) -> Result<u64> {
    let server = Server::pattern()?;
    let mut idlers = Vec::new();
    for _ in 0..stalled {
        let mut client = Client::connect(&server.url("hi-def")?)?;
        client.start(Transport::Tcp)?;
        idlers.push(client);
    }
    thread::scope(|scope| {
        let viewers: Vec<_> = (0..readers)
            .map(|_| {
                scope.spawn(|| -> Result<Received> {
                    let mut client = Client::connect(&server.url("hi-def")?)?;
                    let tracks = client.start(Transport::Tcp)?;
                    Ok(record(&mut client, &tracks, Duration::from_secs(20))?.remove(0))
                })
            })
            .collect();
        for viewer in viewers {
            let received = viewer.join().map_err(|_| anyhow::anyhow!("panicked"))??;
            let pictures = received.units()?.len();
            ensure!(pictures >= 20 * 15 - 15, "a viewer saw only {pictures} pictures");
        }
        anyhow::Ok(())
    })?;
    process::rss_anon(server.pid())
}

/// Two of 22 viewers stop reading for 20 s: the others miss nothing, and the server holds no more memory for it.
#[test]
fn stalled_viewers_cost_nobody_anything() -> Result<()> {
    let _turn = Turn::alone()?;
    let without = memory_with(22, 0)?;
    let with = memory_with(20, 2)?;
    eprintln!("private memory with 22 readers {} KiB, with 2 of them stalled {} KiB", without / 1024, with / 1024);
    ensure!(with < without + 4 * 1024 * 1024, "{with} bytes with stalled viewers, {without} without");
    Ok(())
}

/// A viewer that stalled for a while and reads on gets whole pictures again, from a key frame on.
#[test]
fn a_viewer_that_reads_on_resumes_at_a_key_frame() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    let mut client = Client::connect(&server.url("ultra-hd")?)?;
    // The kernel would take in megabytes for us: longer than a test should last.
    client.narrow(16 * 1024)?;
    let tracks = client.start(Transport::Tcp)?;
    let mut received: Vec<Received> = tracks.iter().map(|track| Received::new(track.media.clone())).collect();
    record_into(&mut client, &tracks, &mut received, Duration::from_secs(2))?;
    let before = received[0].packets.len();
    thread::sleep(Duration::from_secs(12));
    record_into(&mut client, &tracks, &mut received, Duration::from_secs(6))?;
    let packets = &received[0].packets;
    ensure!(packets.len() > before + 100, "{before} packets before the stall, {} after", packets.len());
    let gap = packets.windows(2).position(|pair| pair[0].sequence.wrapping_add(1) != pair[1].sequence);
    let gap = gap.context("nothing was dropped: the stall was too short to show anything")?;
    ensure!(packets[gap].marker, "a picture was cut in its middle");
    let mut after = received[0].clone();
    after.packets.drain(..=gap);
    let units = after.units()?;
    ensure!(units[0].types.contains(&5), "the first picture after the gap is no key frame: {:?}", units[0].types);
    Ok(())
}

/// 10 000 visits leave neither memory nor descriptors behind.
#[test]
fn ten_thousand_short_sessions_leave_nothing_behind() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::start(&Options { environment: Vec::new(), ..Options::default() })?;
    let url = server.url("standard")?;
    // One viewer stays, so that the source runs all the time.
    let mut stays = Client::connect(&url)?;
    stays.start(Transport::Udp)?;
    let visit = |number: u32| -> Result<()> {
        let mut client = Client::connect(&url)?;
        client.start(if number.is_multiple_of(2) { Transport::Tcp } else { Transport::Udp })?;
        // Some hang up without a word. One that plays over UDP may not: its session lives on until it times out.
        if !number.is_multiple_of(6) {
            client.teardown()?;
        }
        Ok(())
    };
    let settle = || {
        thread::sleep(Duration::from_secs(2));
        anyhow::Ok((process::rss_anon(server.pid())?, process::descriptors(server.pid())?))
    };
    (0..1000).try_for_each(visit)?;
    let (memory, descriptors) = settle()?;
    for number in 1000..10_000 {
        visit(number).with_context(|| format!("visit {number}"))?;
        if number.is_multiple_of(500) {
            let url = stays.url.clone();
            stays.request("GET_PARAMETER", &url, &[])?.expect_status(200)?;
        }
    }
    let (memory_after, descriptors_after) = settle()?;
    eprintln!(
        "private memory {} → {} KiB, descriptors {descriptors} → {descriptors_after}",
        memory / 1024,
        memory_after / 1024
    );
    ensure!(memory_after < memory + 2 * 1024 * 1024, "{memory} → {memory_after} bytes");
    ensure!(descriptors_after == descriptors, "{descriptors} → {descriptors_after} descriptors");
    Ok(())
}

/// The longest run of hexadecimal digits that is allowed in a log: longer ones may be keys.
fn holds_key(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_hexdigit()).any(|run| run.len() >= 32)
}

/// A whole visit, right and wrong, at the most talkative log level: no password and no secret comes out anywhere.
#[test]
fn secrets_stay_inside() -> Result<()> {
    const UPSTREAM: &str = "Upstr3am-9-Secret";
    let _turn = Turn::shared()?;
    let config = format!(
        "[[camera]]\nid = \"cam\"\nsource = \"pattern\"\n\n[[camera]]\nid = \"far\"\nsource = \"rtsp://joe:{UPSTREAM}@127.0.0.1:9/x\"\n"
    );
    let trace = vec![("BELVEDERE_LOG".to_owned(), "trace".to_owned())];
    let server = Server::start(&Options { config: Some(config), environment: trace, ..Options::default() })?;
    let mut client = Client::connect(&server.url("standard")?)?;
    let tracks = client.start(Transport::Tcp)?;
    ensure!(!record(&mut client, &tracks, Duration::from_secs(2))?[0].packets.is_empty());
    client.teardown()?;
    let mut wrong = Client::connect(&server.path("/cam/standard")?)?;
    wrong.credentials = Some(("admin".into(), format!("{PASSWORD}x")));
    let url = wrong.url.clone();
    wrong.request("DESCRIBE", &url, &[])?.expect_status(401)?;
    let mut far = Client::connect(&server.path("/far/ultra-hd")?)?;
    let url = far.url.clone();
    far.request("DESCRIBE", &url, &[])?.expect_status(503)?;

    let engine = server.engine()?;
    let mut places = vec![("the log", server.log()), ("stdout", server.stdout())];
    places.push(("the server's arguments", process::arguments(server.pid())?));
    places.push(("the engine's arguments", process::arguments(engine)?));
    places.push(("the engine's environment", process::environment(engine)?));
    ensure!(places[0].1.len() > 100, "the log is empty: {}", places[0].1);
    for (place, text) in &places {
        for secret in [PASSWORD, UPSTREAM] {
            ensure!(!text.contains(secret), "{secret} stands in {place}: {text}");
        }
    }
    for (place, text) in &places[2..] {
        ensure!(!holds_key(text), "something like a key stands in {place}: {text}");
    }
    let written = fs::read_dir(server.state())?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    for path in written.iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path)?;
        let found = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
        ensure!(!found, "the password stands in {}", path.display());
    }
    Ok(())
}

/// The port at which a process listens on 127.0.0.1, from `/proc`.
fn listening_port(pid: u32) -> Result<u16> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let target = fs::read_link(entry?.path()).unwrap_or_default().to_string_lossy().into_owned();
        sockets.extend(target.strip_prefix("socket:[").map(|inode| inode.trim_end_matches(']').to_owned()));
    }
    const LISTEN: &str = "0A";
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp"))?;
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields[3] == LISTEN && sockets.iter().any(|inode| inode == fields[9]) {
            let (address, port) = fields[1].split_once(':').context("no port")?;
            ensure!(address == "0100007F", "the engine listens on {address}, not on loopback alone");
            return Ok(u16::from_str_radix(port, 16)?);
        }
    }
    bail!("process {pid} listens nowhere")
}

/// Another local user gets nothing from the engine: no path answers to a guess, and what is needed to know the path
/// cannot be read.
#[test]
fn a_neighbour_cannot_watch_the_engine() -> Result<()> {
    let _turn = Turn::shared()?;
    let server = Server::pattern()?;
    let mut client = Client::connect(&server.url("standard")?)?;
    client.start(Transport::Tcp)?;
    let engine = server.engine()?;
    let port = listening_port(engine)?;
    TcpStream::connect(("127.0.0.1", port)).context("the engine's port")?;

    // As root the neighbour is `nobody`; anyone else is a neighbour already.
    let mut as_neighbour = vec!["env"];
    if rustix::process::geteuid().is_root() {
        as_neighbour = vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    }
    for path in ["", "standard", "hi-def", "cam/standard", "video", "00000000000000000000000000000000/standard"] {
        let request = format!("DESCRIBE rtsp://127.0.0.1:{port}/{path} RTSP/1.0\\r\\nCSeq: 1\\r\\n\\r\\n");
        let script =
            format!("exec 3<>/dev/tcp/127.0.0.1/{port}; printf '{request}' >&3; timeout 3 head -n 1 <&3; true");
        let output = Command::new(as_neighbour[0]).args(&as_neighbour[1..]).args(["bash", "-c", &script]).output()?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{output:?}");
        ensure!(!answer.contains(" 200 "), "/{path}: {answer}");
    }
    if rustix::process::geteuid().is_root() {
        let environ = format!("/proc/{engine}/environ");
        let output = Command::new(as_neighbour[0]).args(&as_neighbour[1..]).args(["cat", &environ]).output()?;
        ensure!(!output.status.success(), "nobody reads {environ}");
    }
    Ok(())
}

/// Design section 6: the password that was made at the first start stands in a file that only its owner reads.
#[test]
fn the_state_directory_is_private() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let _turn = Turn::shared()?;
    let server = Server::pattern()?;
    let key = server.state().join("device.key");
    ensure!(fs::metadata(&key)?.permissions().mode() & 0o077 == 0, "{} is open to others", key.display());
    server.stop()?;
    Ok(())
}
