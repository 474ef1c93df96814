//! The clocks of a stream against ours: RTP time by its packets, NTP time by its sender reports.

use std::time::Duration;

use belvedere_harness::{received::Received, rtp::Packet};

/// How far a clock may be off in however short a time, in seconds: packets come in bursts, and machines are busy.
const SLACK: f64 = 0.4;
/// How far it may be off beyond that, as a part of the time. A clock of twice or half the speed is far off; one that is
/// somewhat off shows in nothing that is listened to for a few seconds.
const DRIFT: f64 = 0.15;

/// Compares the RTP time of the packets with the time in which they came; an error says both.
///
/// A device may begin with what it kept from the newest key frame on. That comes in a burst, and its times are past. So the later
/// half of the time is judged; of whom that finds wrong more is listened to, until the burst is well past.
pub(super) fn rtp(received: &Received) -> Result<(), String> {
    let Some((start, end)) = received.arrivals.first().zip(received.arrivals.last()) else { return Ok(()) };
    let middle = *start + (*end - *start) / 2;
    let later = received.arrivals.partition_point(|at| *at < middle);
    let (theirs, ours) = passed(received, later);
    let tells = || format!("{theirs:.2} s by RTP in {ours:.2} s");
    if (theirs - ours).abs() <= allowed(ours) { Ok(()) } else { Err(tells()) }
}

/// Compares NTP time from the first sender report to the last with the time between them; an error says both.
///
/// A report may speak of the packet before it, and if that is of a burst, its time is past by as much as the burst is long.
pub(super) fn ntp(received: &Received) -> Result<(), String> {
    let Some(((from, first), (to, last))) = received.reports.first().zip(received.reports.last()) else {
        return Ok(());
    };
    let theirs = (last.utc_ms() - first.utc_ms()) / 1e3;
    let ours = (*to - *from).as_secs_f64();
    let (all, time) = passed(received, 0);
    let burst = (all - time).max(0.0);
    let holds = (ours - allowed(ours)..=ours + allowed(ours) + burst).contains(&theirs);
    if holds { Ok(()) } else { Err(format!("{theirs:.2} s by NTP in {ours:.2} s")) }
}

fn allowed(time: f64) -> f64 {
    SLACK + DRIFT * time
}

/// From this packet on: the RTP time that passed, and the time by our clock, in seconds. Pictures need not come in the order of
/// their times.
fn passed(received: &Received, from: usize) -> (f64, f64) {
    let (packets, arrivals) = (&received.packets[from..], &received.arrivals[from..]);
    let Some(first) = packets.first() else { return (0.0, 0.0) };
    let offset = |packet: &Packet| packet.time.wrapping_sub(first.time).cast_signed();
    let earliest = packets.iter().map(offset).min().unwrap_or_default();
    let latest = packets.iter().map(offset).max().unwrap_or_default();
    let theirs = (f64::from(latest) - f64::from(earliest)) / f64::from(received.media.clock_rate);
    let ours = arrivals.first().zip(arrivals.last()).map_or(Duration::ZERO, |(first, last)| *last - *first);
    (theirs, ours.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use belvedere_harness::{rtp::SenderReport, rtsp::Media};

    use super::*;

    /// Pictures, 25 a second: RTP times and times of arrival in seconds.
    fn pictures(times: impl Iterator<Item = (f64, f64)>) -> Received {
        let media = Media {
            kind: "video".into(),
            payload_type: 26,
            encoding: "JPEG".into(),
            clock_rate: 90_000,
            fmtp: String::new(),
            control: String::new(),
        };
        let mut received = Received::new(media);
        for (time, at) in times {
            // The RTP time passes zero in the midst.
            let time = ((time * 90_000.0) as u32).wrapping_sub(100_000);
            let (payload, extension) = (Vec::new(), None);
            received.packets.push(Packet {
                marker: true,
                payload_type: 26,
                sequence: 0,
                time,
                ssrc: 7,
                extension,
                payload,
            });
            received.arrivals.push(Duration::from_secs_f64(at));
        }
        received
    }

    /// So many seconds of pictures whose clock has this speed, the first of them `burst` seconds ago.
    fn at_speed(speed: f64, seconds: f64, burst: f64) -> Received {
        let count = ((seconds + burst) * 25.0) as u32;
        let made = |index: u32| f64::from(index) / 25.0;
        pictures((0..count).map(|index| (made(index) * speed, (made(index) - burst).max(0.0))))
    }

    #[test]
    fn rtp_time_passes_as_our_clock_does() {
        assert_eq!(rtp(&at_speed(1.0, 2.0, 0.0)), Ok(()));
        assert_eq!(rtp(&at_speed(2.0, 2.0, 0.0)).unwrap_err(), "1.92 s by RTP in 0.96 s");
        assert_eq!(rtp(&at_speed(0.5, 5.0, 0.0)).unwrap_err(), "1.24 s by RTP in 2.48 s");
        assert!(rtp(&at_speed(0.0, 2.0, 0.0)).is_err(), "time that stands still");
        assert_eq!(rtp(&pictures([].into_iter())), Ok(()));
    }

    #[test]
    fn a_burst_and_a_stall_are_no_fault() {
        assert_eq!(rtp(&at_speed(1.0, 2.0, 10.0)), Ok(()));
        assert!(rtp(&at_speed(2.0, 2.0, 10.0)).is_err());
        // Nothing for 0.4 s, and then all of it.
        let late = |at: f64| if (1.0..1.4).contains(&at) { 1.4 } else { at };
        assert_eq!(rtp(&pictures((0..50).map(|index| f64::from(index) / 25.0).map(|at| (at, late(at))))), Ok(()));
    }

    #[test]
    fn ntp_time_passes_as_our_clock_does() {
        let reported = |speed: f64, burst: f64, about: f64| {
            let report = |ntp: f64| SenderReport {
                ssrc: 7,
                ntp: (ntp * 4_294_967_296.0) as u64,
                time: 0,
                packets: 0,
                octets: 0,
            };
            let mut received = at_speed(1.0, 6.0, burst);
            received.reports.push((Duration::ZERO, report(1000.0 - about)));
            received.reports.push((Duration::from_secs(5), report(1000.0 + 5.0 * speed)));
            ntp(&received)
        };
        assert_eq!(reported(1.0, 0.0, 0.0), Ok(()));
        assert_eq!(reported(1.0, 4.0, 4.0), Ok(()), "a report about the first packet of a burst");
        assert_eq!(reported(2.0, 0.0, 0.0).unwrap_err(), "10.00 s by NTP in 5.00 s");
        assert_eq!(reported(2.0, 2.0, 0.0).unwrap_err(), "10.00 s by NTP in 5.00 s");
        assert_eq!(reported(0.5, 0.0, 0.0).unwrap_err(), "2.50 s by NTP in 5.00 s");
        assert_eq!(ntp(&at_speed(1.0, 2.0, 0.0)), Ok(()));
    }
}
