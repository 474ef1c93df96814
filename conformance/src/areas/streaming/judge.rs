//! What came of a stream, judged: RTP headers, sender reports, key frames, size, rate, and that a decoder takes it.

use std::time::Duration;

use belvedere_harness::{
    play,
    received::Received,
    rtp::Packet,
    units::{self, Unit},
};

use super::{
    clock,
    stream::{PATIENCE, Stream},
    video::Setting,
    words::Codec,
};
use crate::{test::Test, verdict::Outcome};

/// How far the decoded size may be from the configured one (RTSS-1-1-24, step 21).
const SIZE_TOLERANCE: u64 = 8;
/// How long a key frame may take beyond its time.
const KEY_MARGIN: Duration = Duration::from_secs(1);
/// Samples of an AAC frame.
const AAC_SAMPLES: u32 = 1024;

/// What a medium must be like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    /// Pictures, as the encoder was set.
    Video(Setting),
    /// Sound with this sample rate, in Hz.
    Audio(Codec, u32),
}

impl Expected {
    /// The codec.
    pub(super) fn codec(self) -> Codec {
        match self {
            Self::Video(setting) => setting.codec,
            Self::Audio(codec, _) => codec,
        }
    }

    /// When the first key frame is due.
    pub(super) fn key_frame_due(self) -> Duration {
        match self {
            Self::Video(Setting { codec: Codec::H264 | Codec::H265, rate, gov, .. }) => {
                // Where the device was left to choose, nothing but our patience ends the waiting.
                let interval = gov.zip(rate).map(|(gov, rate)| f64::from(gov) / rate.max(0.1));
                interval.map_or(PATIENCE, |interval| Duration::from_secs_f64(interval) + KEY_MARGIN)
            }
            Self::Video(_) | Self::Audio(..) => Duration::ZERO,
        }
    }
}

/// Judges all media of a stream that has been received, in the order of their SETUP.
pub(super) fn judge(t: &mut Test<'_>, stream: &Stream, expected: &[Expected]) -> Outcome {
    let steps = &stream.steps;
    let time = stream.time;
    for (received, expected) in stream.received.iter().zip(expected) {
        let name = expected.codec().names().join(" or ");
        t.step(&steps.media, &format!("RTP with {name} comes, and every header is right"));
        t.demand(!received.packets.is_empty(), "RTP packets", "none")?;
        received
            .check_sequence()
            .map_err(|error| t.failed("RTP packets in sequence, of one source", format!("{error:#}")))?;
        clock::rtp(received).map_err(|seen| t.failed("RTP times that pass as fast as our clock", seen))?;
        t.step(&steps.reports, "a sender report comes, and it is about this stream");
        reports(t, received)?;
        if received.reports.len() < stream.reports_wanted() {
            t.note(format!("no second sender report of {name} came within {PATIENCE:?}: NTP time is not judged"));
        }
        t.step(&steps.decode, &format!("{name} is decoded, and is what was configured"));
        match *expected {
            Expected::Video(setting) => video(t, received, &setting, expected.key_frame_due(), time)?,
            Expected::Audio(codec, rate) => audio(t, received, codec, rate, time)?,
        }
    }
    Ok(())
}

/// Judges the sender reports of a medium (RFC 3550, section 6.4.1).
fn reports(t: &Test<'_>, received: &Received) -> Outcome {
    let reports: Vec<_> = received.reports.iter().map(|(_, report)| *report).collect();
    t.demand(!reports.is_empty(), "a sender report", "none")?;
    let first = t.some(received.packets.first(), "an RTP packet")?;
    let clock = f64::from(received.media.clock_rate);
    for report in &reports {
        t.same("the SSRC of the RTP packets", format!("{:08x}", first.ssrc), format!("{:08x}", report.ssrc))?;
        let distance = f64::from(report.time.wrapping_sub(first.time).cast_signed()).abs() / clock;
        let expected = "an RTP time in the report that is within 30 s of the packets'";
        t.demand(distance < 30.0, expected, format!("{distance:.1} s"))?;
    }
    for pair in reports.windows(2) {
        let ntp = (pair[1].utc_ms() - pair[0].utc_ms()) / 1e3;
        let rtp = f64::from(pair[1].time.wrapping_sub(pair[0].time).cast_signed()) / clock;
        let seen = format!("{ntp:.3} s by NTP, {rtp:.3} s by RTP");
        t.demand(ntp >= 0.0 && (ntp - rtp).abs() < 0.5, "reports whose NTP and RTP times agree", seen)?;
    }
    clock::ntp(received).map_err(|seen| t.failed("NTP times that pass as fast as our clock", seen))
}

/// The complete units of a medium. A stream may begin in the midst of one.
pub(super) fn complete_units(received: &Received) -> anyhow::Result<Vec<Unit>> {
    received.check_sequence()?;
    let whole = units::assemble(&received.media, &received.packets);
    let Some(end) = received.packets.iter().position(|packet| packet.marker) else { return whole };
    whole.or_else(|error| units::assemble(&received.media, &received.packets[end + 1..]).map_err(|_| error))
}

/// Whether a picture can be decoded without others: IDR for H.264, IRAP for H.265.
pub(super) fn is_key_frame(encoding: &str, unit: &Unit) -> bool {
    match encoding {
        "H264" => unit.types.contains(&5),
        "H265" => unit.types.iter().any(|kind| (16..=21).contains(kind)),
        _ => true,
    }
}

/// Whether packets are missing; a few that come twice or late are something else.
pub(super) fn has_lost(stream: &Stream) -> bool {
    let jumps = |pair: &[Packet]| (2..1000).contains(&pair[1].sequence.wrapping_sub(pair[0].sequence));
    stream.received.iter().any(|medium| medium.packets.windows(2).any(jumps))
}

/// Whether a key frame came, or none is needed.
pub(super) fn has_key_frame(received: &Received) -> bool {
    let encoding = received.media.encoding.as_str();
    !["H264", "H265"].contains(&encoding)
        || complete_units(received).is_ok_and(|units| units.iter().any(|unit| is_key_frame(encoding, unit)))
}

fn video(t: &Test<'_>, received: &Received, setting: &Setting, key_due: Duration, time: Duration) -> Outcome {
    let media = &received.media;
    t.same("the clock rate", 90_000, media.clock_rate)?;
    let units = complete_units(received).map_err(|error| t.failed("whole pictures", format!("{error:#}")))?;
    let first = t.some(units.first(), "a picture")?.time;
    rate(t, &units, setting, time)?;
    let key = units.iter().position(|unit| is_key_frame(&media.encoding, unit));
    let expected = format!("a key frame within {key_due:.1?}");
    let key = key.ok_or_else(|| t.failed(&expected, format!("none in {} pictures", units.len())))?;
    let late = f64::from(units[key].time.wrapping_sub(first)) / 90_000.0;
    t.demand(late <= key_due.as_secs_f64(), expected, format!("it came after {late:.1} s"))?;
    let decodable = &units[key..];
    let sizes = play::sizes_of_units(media, decodable)
        .map_err(|error| t.failed("pictures that ffmpeg decodes without a complaint", format!("{error:#}")))?;
    t.demand(
        sizes.len() == decodable.len(),
        format!("{} pictures from the decoder", decodable.len()),
        sizes.len().to_string(),
    )?;
    let (width, height) = (u64::from(setting.size.0), u64::from(setting.size.1));
    let fits = |(w, h): &(u64, u64)| w.abs_diff(width) <= SIZE_TOLERANCE && h.abs_diff(height) <= SIZE_TOLERANCE;
    t.demand(sizes.iter().all(fits), format!("pictures of {width}×{height}"), runs(&sizes))
}

/// Sizes as they follow each other: `5 of 1280×720, 20 of 640×360`.
fn runs(sizes: &[(u64, u64)]) -> String {
    let run = |run: &[(u64, u64)]| format!("{} of {}×{}", run.len(), run[0].0, run[0].1);
    sizes.chunk_by(|a, b| a == b).map(run).collect::<Vec<_>>().join(", ")
}

/// Whether all pictures of a stream come as fast as they must; it may take its time to get there.
pub(super) fn is_up_to_speed(stream: &Stream, expected: &[Expected]) -> bool {
    stream.received.iter().zip(expected).all(|(received, expected)| match expected {
        Expected::Video(Setting { rate: Some(limit), .. }) => {
            complete_units(received).is_ok_and(|units| speed(&units, *limit, stream.time).is_ok())
        }
        Expected::Video(_) | Expected::Audio(..) => true,
    })
}

/// Whether the RTP time of every medium passes as fast as our clock; after a burst it may take its time to show that.
pub(super) fn is_in_time(stream: &Stream) -> bool {
    stream.received.iter().all(|medium| clock::rtp(medium).is_ok())
}

fn rate(t: &Test<'_>, units: &[Unit], setting: &Setting, time: Duration) -> Outcome {
    let Some(limit) = setting.rate else { return Ok(()) };
    let expected = format!("between {} and {} frames per second", limit / 2.0, limit * 1.2);
    speed(units, limit, time).map_err(|seen| t.failed(expected, seen))
}

/// Judges the frame rate; an error says what it is. The device test tool waits for 12 of 25 frames in a second
/// (onvif/testspecs#60); so here, too, half the rate is enough, in the last second by RTP time, and on average by our own clock.
/// More than the limit with a fifth to spare is too much.
fn speed(units: &[Unit], limit: f64, time: Duration) -> Result<(), String> {
    let Some(first) = units.first().map(|unit| unit.time) else { return Err("no picture".into()) };
    let mut offsets: Vec<i32> = units.iter().map(|unit| unit.time.wrapping_sub(first).cast_signed()).collect();
    offsets.sort_unstable();
    let last = offsets[offsets.len() - 1];
    let span = last - offsets[0];
    if span <= 0 {
        return Err(format!("{} pictures of one time", units.len()));
    }
    let (least, count) = ((limit / 2.0).floor(), units.len());
    let on_average = (count - 1) as f64 * 90_000.0 / f64::from(span);
    let lately = offsets.iter().filter(|offset| last - **offset < 90_000).count() as f64;
    let by_clock = count as f64 / time.as_secs_f64().max(0.1);
    if on_average > limit * 1.2 || lately < least || by_clock < least {
        return Err(format!(
            "{on_average:.1} on average and {lately} in the last second by RTP time, {by_clock:.1} by the clock ({count} pictures)"
        ));
    }
    Ok(())
}

fn audio(t: &Test<'_>, received: &Received, codec: Codec, sample_rate: u32, time: Duration) -> Outcome {
    let media = &received.media;
    t.same("the clock rate", sample_rate, media.clock_rate)?;
    let units = complete_units(received).map_err(|error| t.failed("whole frames", format!("{error:#}")))?;
    let samples = |unit: &Unit| if codec == Codec::G711 { unit.bytes.len() as u32 } else { AAC_SAMPLES };
    let total: u32 = units.iter().map(samples).sum();
    let seconds = f64::from(total) / f64::from(sample_rate);
    let (least, seen) = (time.as_secs_f64() * 0.7 - 0.5, format!("{seconds:.2} s"));
    t.demand(seconds >= least, format!("at least {least:.2} s of sound in {:.2} s", time.as_secs_f64()), seen)?;
    for pair in units.windows(2) {
        let step = pair[1].time.wrapping_sub(pair[0].time);
        // After silence the time jumps; it never goes back. A clock of the device's own may be off by one in a hundred.
        let least = samples(&pair[0]) - samples(&pair[0]).div_ceil(100);
        t.demand(step >= least && step < 1 << 31, format!("RTP times at least {least} apart"), step.to_string())?;
    }
    let decoded = play::samples_of_units(media, &units)
        .map_err(|error| t.failed("sound that ffmpeg decodes without a complaint", format!("{error:#}")))?;
    let enough = decoded.len() as u32 + 2 * AAC_SAMPLES >= total;
    t.demand(enough, format!("about {total} samples from the decoder"), decoded.len().to_string())
}

#[cfg(test)]
mod tests {
    use belvedere_harness::{
        rtp::{Packet, SenderReport},
        rtsp::Media,
    };

    use super::*;
    use crate::{device::Device, feature::Features};

    /// Two seconds of silence in G.711, and a sender report.
    fn silence() -> Received {
        let media = Media {
            kind: "audio".into(),
            payload_type: 0,
            encoding: "PCMU".into(),
            clock_rate: 8000,
            fmtp: String::new(),
            control: String::new(),
        };
        let packet = |index: u16| Packet {
            marker: false,
            payload_type: 0,
            sequence: index,
            time: u32::from(index) * 160,
            ssrc: 7,
            extension: None,
            payload: vec![0xff; 160],
        };
        let report = SenderReport { ssrc: 7, ntp: 1 << 40, time: 800, packets: 5, octets: 800 };
        let packets = (0..100).map(packet).collect();
        Received { packets, reports: vec![(Duration::ZERO, report)], ..Received::new(media) }
    }

    /// What the judge says of it after a change.
    fn said(change: impl FnOnce(&mut Received)) -> String {
        let (device, features) = (Device::new(String::new(), String::new(), String::new()), Features::default());
        let t = Test::new(&device, &features);
        let mut received = silence();
        change(&mut received);
        let outcome =
            reports(&t, &received).and_then(|()| audio(&t, &received, Codec::G711, 8000, Duration::from_secs(2)));
        outcome.err().map(|stop| stop.to_string()).unwrap_or_default()
    }

    #[test]
    fn each_fault_of_a_stream_is_found() {
        assert_eq!(said(|_| ()), "");
        assert!(said(|it| it.reports.clear()).contains("expected a sender report"));
        assert!(said(|it| it.reports[0].1.ssrc = 8).contains("expected the SSRC"));
        assert!(said(|it| it.reports[0].1.time = 1 << 30).contains("within 30 s"));
        assert!(said(|it| it.packets[50].sequence = 49).contains("sequence 49"));
        assert!(said(|it| it.packets[50].ssrc = 9).contains("SSRC 00000009"));
        assert!(said(|it| it.packets[50].time = 0).contains("RTP times"));
        assert!(said(|it| it.packets.truncate(20)).contains("s of sound"));
        assert!(said(|it| it.media.clock_rate = 16_000).contains("the clock rate 8000"));
        let mut later = silence().reports[0];
        later.1.ntp += 10 << 32;
        assert!(said(|it| it.reports.push(later)).contains("NTP and RTP"));
    }

    #[test]
    fn a_rate_may_be_half_of_what_was_set() {
        let (device, features) = (Device::new(String::new(), String::new(), String::new()), Features::default());
        let t = Test::new(&device, &features);
        let setting = Setting { codec: Codec::Jpeg, size: (640, 360), rate: Some(25.0), gov: None };
        let holds = |step: u32, seconds: u64| {
            let unit = |index: u32| Unit { time: index.wrapping_mul(step), bytes: Vec::new(), types: Vec::new() };
            rate(&t, &(0..50).map(unit).collect::<Vec<_>>(), &setting, Duration::from_secs(seconds)).is_ok()
        };
        assert!(holds(3600, 2) && holds(7200, 4), "25 and 12.5 per second");
        assert!(!holds(9000, 2), "10 per second by RTP time");
        assert!(!holds(3600, 5), "10 per second by the clock");
        assert!(!holds(2800, 2), "32 per second");
    }

    #[test]
    fn sizes_are_told_as_they_follow() {
        assert_eq!(runs(&[(4, 2), (4, 2), (8, 6)]), "2 of 4×2, 1 of 8×6");
    }
}
