//! The control of a session: methods and headers, keep-alive, synchronization points, the extension of JPEG.

use std::time::{Duration, Instant};

use belvedere_harness::{received::Received, rtsp::Response, tunnel::Shape, units};

use super::{
    door::Door,
    judge::{self, Expected},
    matrix,
    stream::Stream,
    video::{self, Wish},
    words::{Codec, Ip, Service, Steps, Way},
};
use crate::{test::Test, verdict::Outcome};

/// The longest session timeout that is waited for; of a longer one only the keep-alive messages are judged.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);
/// How long nothing may come of a session that is alive. A device may send a picture a second and no more, or stand still for a
/// moment when it is asked something or begins a new key frame; one that has ended the session sends nothing any more.
const QUIET: Duration = Duration::from_secs(4);
/// How long a group of pictures is made for a synchronization point, in seconds.
const LONG_GROUP: f64 = 10.0;
/// How long the pictures may take that a synchronization point asks for, at most.
const SYNCHRONIZED: Duration = Duration::from_secs(3);
/// From here on the specification wants the header extension of JPEG.
const TWO_MEGAPIXELS: u64 = 2_000_000;

/// A stream of JPEG by Media1 over UDP that is ready for DESCRIBE: steps 3 to 8.
fn prepared(t: &mut Test<'_>, steps: Steps) -> Outcome<(Stream, Expected)> {
    let door = Door::open(t, Service::Media1, Ip::V4)?;
    t.step("3", "there is a profile with the codec");
    let encoder = matrix::select(t, &door, Codec::Jpeg)?;
    t.step("4", "the encoder is set");
    let setting = video::set(t, &door, &encoder, &Wish::default())?;
    t.step("6", "GetStreamUri gives an address");
    let uri = door.stream_uri(t, &encoder.profile, Way::Udp)?;
    let stream = Stream::connect(t, &uri, Way::Udp, Ip::V4, steps, Shape::default())?;
    Ok((stream, Expected::Video(setting)))
}

/// RTSS-1-1-31: every header that a session needs.
pub(super) fn headers(t: &mut Test<'_>) -> Outcome {
    let steps = Steps::own([11, 13, 14, 17, 20, 21, 23, 24]);
    let (mut stream, expected) = prepared(t, steps)?;
    t.step("9", "OPTIONS lists the methods");
    let url = stream.aggregate.clone();
    let answer = stream.request(t, "OPTIONS", &url, &[])?;
    let public = t.some(answer.header("Public"), "a Public header")?;
    let methods: Vec<&str> = public.split(',').map(str::trim).collect();
    for method in ["DESCRIBE", "SETUP", "PLAY", "TEARDOWN"] {
        t.demand(methods.contains(&method), format!("{method} in Public"), public)?;
    }
    if !methods.contains(&"SET_PARAMETER") {
        t.note("OPTIONS does not list SET_PARAMETER");
    }
    let sdp = stream.describe(t)?;
    let media = sdp.section(t, Codec::Jpeg)?;
    let answer = stream.set_up(t, &media)?;
    t.step("16", "SETUP has Transport, Session and timeout");
    let ports = t.some(answer.param("Transport", "server_port"), "server_port= in Transport")?;
    t.demand(ports.split('-').all(|port| port.parse::<u16>().is_ok()), "ports in server_port", ports)?;
    timeout(t, &answer)?;
    let answer = stream.play(t)?;
    t.step("19", "PLAY has Session and RTP-Info with url, seq and rtptime");
    let info = t.some(answer.header("RTP-Info"), "an RTP-Info header")?.to_owned();
    let field = |name: &str| {
        let fields = info.split([';', ',']).map(str::trim);
        fields
            .filter_map(|field| field.split_once('='))
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    t.some(field("url"), &format!("url= in {info}"))?;
    let sequence: u16 = t.some(field("seq").and_then(|text| text.parse().ok()), &format!("seq= in {info}"))?;
    let time: u32 = t.some(field("rtptime").and_then(|text| text.parse().ok()), &format!("rtptime= in {info}"))?;
    t.step("20", "the media come, as RTP-Info said");
    matrix::listen(&mut stream, &[expected]).map_err(|error| t.failed("valid packets", format!("{error:#}")))?;
    let first = t.some(stream.received[0].packets.first(), "an RTP packet")?;
    let (later, after) = (first.sequence.wrapping_sub(sequence), first.time.wrapping_sub(time));
    let seen = format!("sequence {} and time {} in the first packet", first.sequence, first.time);
    t.demand(later < 1000 && after < 10 * 90_000, format!("packets from {info} on"), seen)?;
    judge::judge(t, &stream, &[expected])?;
    stream.tear_down(t)
}

/// The timeout that SETUP tells.
fn timeout(t: &Test<'_>, answer: &Response) -> Outcome<Duration> {
    let text = t.some(answer.param("Session", "timeout"), "timeout= in the Session header")?;
    let seconds: Option<u64> = text.parse().ok();
    Ok(Duration::from_secs(t.some(seconds.filter(|seconds| *seconds > 0), &format!("seconds in timeout={text}"))?))
}

/// RTSS-1-1-32 and -33: a session lives on by messages of this method for longer than its timeout.
pub(super) fn keep_alive(t: &mut Test<'_>, method: &str) -> Outcome {
    // DESCRIBE, SETUP and PLAY are one step.
    let (mut stream, _) = prepared(t, Steps::own([9, 9, 9, 9, 13, 13, 13, 13]))?;
    let sdp = stream.describe(t)?;
    let media = sdp.section(t, Codec::Jpeg)?;
    let answer = stream.set_up(t, &media)?;
    t.step("10", "SETUP tells the timeout");
    let timeout = timeout(t, &answer)?;
    stream.play(t)?;
    let begun = Instant::now();
    if timeout > LONGEST_TIMEOUT {
        t.note(format!("a timeout of {timeout:?} is not waited for"));
    }
    // A device may wait somewhat longer than it said before it ends a session.
    let end = timeout.mul_f64(1.2).min(LONGEST_TIMEOUT);
    // None falls on the end: then it would not be the media that tell.
    let pause = timeout.mul_f64(0.45).min(end.mul_f64(0.4));
    t.step("11", &format!("{method} every {pause:?} keeps the session alive for {end:?}"));
    let (mut next, mut heard) = (pause, begun);
    while begun.elapsed() < end {
        let left = end.min(next).saturating_sub(begun.elapsed());
        heard = still_comes(t, &mut stream, heard, left)?;
        if begun.elapsed() >= next {
            next += pause;
            t.step("12", &format!("{method} is answered"));
            let url = stream.aggregate.clone();
            stream.request(t, method, &url, &[])?;
        }
    }
    t.step("13", "the media still come");
    forget(&mut stream);
    let over = Instant::now();
    heard = over;
    while heard == over {
        heard = still_comes(t, &mut stream, heard, QUIET)?;
    }
    stream.tear_down(t)
}

/// Listens for a second at most, and demands that not too long ago all media came. Gives when they did.
fn still_comes(t: &Test<'_>, stream: &mut Stream, heard: Instant, most: Duration) -> Outcome<Instant> {
    let time = most.clamp(Duration::from_millis(200), Duration::from_secs(1));
    stream.listen(time).map_err(|error| t.failed("valid packets", format!("{error:#}")))?;
    if stream.received.iter().all(|medium| !medium.packets.is_empty()) {
        forget(stream);
        return Ok(Instant::now());
    }
    let quiet = heard.elapsed();
    t.demand(quiet < QUIET, format!("media in every {QUIET:?}"), format!("none for {quiet:.1?}"))?;
    Ok(heard)
}

/// Forgets what came; it would be much in the end.
fn forget(stream: &mut Stream) {
    stream.received.iter_mut().for_each(|medium| *medium = Received::new(medium.media.clone()));
}

/// A synchronization point brings a key frame long before the next would come.
pub(super) fn synchronization(t: &mut Test<'_>, service: Service, codec: Codec) -> Outcome {
    let (select, set, uri, ask, key, steps) = match service {
        Service::Media1 => ("3", "4", "6", "18", "21", Steps::own([9, 10, 11, 13, 15, 16, 17, 22])),
        Service::Media2 => ("3.1", "3.3", "3.5", "13", "15", Steps::own([4, 6, 7, 9, 11, 12, 11, 16])),
    };
    let door = Door::open(t, service, Ip::V4)?;
    t.step(select, "there is a profile with the codec");
    let encoder = matrix::select(t, &door, codec)?;
    t.step(set, "the encoder is set to a long group of pictures");
    let rate = encoder.options.usual_rate().unwrap_or(25.0);
    let wish = Wish { gov: Some((LONG_GROUP * rate) as u32), ..Wish::default() };
    let setting = video::set(t, &door, &encoder, &wish)?;
    // Well before the key frame that would come by rule. Where the device does not tell the rule there is none to compare with.
    let by_rule = setting.gov.map(|gov| f64::from(gov) / setting.rate.unwrap_or(rate));
    let limit = by_rule.map_or(SYNCHRONIZED, |rule| SYNCHRONIZED.min(Duration::from_secs_f64(rule * 0.6)));
    t.step(uri, "GetStreamUri gives an address");
    let uri = door.stream_uri(t, &encoder.profile, Way::Udp)?;
    let mut stream = Stream::connect(t, &uri, Way::Udp, Ip::V4, steps, Shape::default())?;
    let expected = [Expected::Video(setting)];
    matrix::start(t, &mut stream, &expected)?;
    t.step(&stream.steps.media.clone(), "the media come, and a key frame among them");
    let begun = Instant::now();
    let mut known = 0;
    // Asked right behind a key frame, or the next by rule would pass for the one that was asked for.
    loop {
        stream.listen(Duration::from_millis(200)).map_err(|error| t.failed("valid packets", format!("{error:#}")))?;
        let before = std::mem::replace(&mut known, keys(t, &stream)?);
        if known > before && stream.received.iter().all(|medium| !medium.reports.is_empty()) {
            break;
        }
        let patience = 2 * expected[0].key_frame_due() + super::stream::PATIENCE;
        t.demand(begun.elapsed() < patience, "a key frame behind a sender report", format!("{known} key frames"))?;
    }
    t.step(ask, "SetSynchronizationPoint is answered");
    let profile = crate::xml::escape(&encoder.profile);
    door.ask(
        t,
        format!(
            "<{{p}}:SetSynchronizationPoint><{{p}}:ProfileToken>{profile}</{{p}}:ProfileToken></{{p}}:SetSynchronizationPoint>"
        ),
    )?;
    t.step(key, &format!("a key frame comes within {limit:.1?}"));
    let asked = Instant::now();
    while keys(t, &stream)? <= known {
        t.demand(asked.elapsed() < limit, "another key frame", format!("none in {limit:.1?}"))?;
        stream.listen(Duration::from_millis(100)).map_err(|error| t.failed("valid packets", format!("{error:#}")))?;
    }
    // The rest is judged of as much as in other cases.
    matrix::listen(&mut stream, &expected).map_err(|error| t.failed("valid packets", format!("{error:#}")))?;
    judge::judge(t, &stream, &expected)?;
    stream.tear_down(t)
}

/// How many key frames have come.
fn keys(t: &Test<'_>, stream: &Stream) -> Outcome<usize> {
    let medium = &stream.received[0];
    let units = judge::complete_units(medium).map_err(|error| t.failed("whole pictures", format!("{error:#}")))?;
    Ok(units.iter().filter(|unit| judge::is_key_frame(&medium.media.encoding, unit)).count())
}

/// RTSS-1-1-53: the header extension of JPEG is there if the picture needs it, and valid wherever it is.
pub(super) fn jpeg_extension(t: &mut Test<'_>) -> Outcome {
    let door = Door::open(t, Service::Media1, Ip::V4)?;
    t.step("3", "there is a profile with the codec");
    let encoder = matrix::select(t, &door, Codec::Jpeg)?;
    t.step("4", "the encoder is set, to more than two megapixels if it can");
    let pixels = |(width, height): (u32, u32)| u64::from(width) * u64::from(height);
    let large = encoder.options.by_size().into_iter().find(|size| pixels(*size) > TWO_MEGAPIXELS);
    let wish = Wish { size: large, rate: large.map(|_| 5.0), ..Wish::default() };
    let setting = video::set(t, &door, &encoder, &wish)?;
    t.step("6", "GetStreamUri gives an address");
    let uri = door.stream_uri(t, &encoder.profile, Way::Udp)?;
    let steps = Steps::own([9, 10, 11, 13, 15, 16, 17, 19]);
    let mut stream = Stream::connect(t, &uri, Way::Udp, Ip::V4, steps, Shape::default())?;
    let expected = [Expected::Video(setting)];
    matrix::start(t, &mut stream, &expected)?;
    t.step("15", "the media come");
    matrix::listen(&mut stream, &expected).map_err(|error| t.failed("valid packets", format!("{error:#}")))?;
    judge::judge(t, &stream, &expected)?;
    t.step("18", "the header extensions are valid, and there if they are needed");
    for packet in &stream.received[0].packets {
        let is_first = packet.payload.get(1..4) == Some(&[0, 0, 0]);
        let of_jpeg = packet.extension.as_ref().filter(|(kind, _)| [0xffd8, 0xffff].contains(kind));
        if let Some((kind, _)) = of_jpeg {
            let wanted = if is_first { 0xffd8 } else { 0xffff };
            t.same("the identifier of the extension", format!("{wanted:04x}"), format!("{kind:04x}"))?;
        }
        let segments = units::jpeg_segments(packet.extension.as_ref())
            .map_err(|error| t.failed("marker segments in the extension", format!("{error:#}")))?;
        if large.is_some() && is_first {
            let names: Vec<String> = segments.keys().map(|marker| format!("ff{marker:02x}")).collect();
            let seen = if names.is_empty() { "none".to_owned() } else { names.join(" ") };
            t.demand(segments.contains_key(&0xc0), "an extension with the size of the picture (ffc0)", seen)?;
        }
    }
    stream.tear_down(t)
}
