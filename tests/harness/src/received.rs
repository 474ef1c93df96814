//! What a raw session received: packets, sender reports, and from RTP time to wall clock.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::play;
use crate::rtp::{self, Control, Packet, SenderReport};
use crate::rtsp::{Client, Media, SetUp};
use crate::units::{self, Unit};

/// What came for one medium.
#[derive(Debug, Clone)]
pub struct Received {
    /// The medium.
    pub media: Media,
    /// Its packets, in order of arrival.
    pub packets: Vec<Packet>,
    /// When each of them came, counted from the start.
    pub arrivals: Vec<Duration>,
    /// Its sender reports, with the time of arrival counted from the start.
    pub reports: Vec<(Duration, SenderReport)>,
    /// Whether a BYE came.
    pub bye: bool,
    /// The start: when it was first listened for.
    pub since: Option<Instant>,
}

impl Received {
    /// Nothing so far.
    pub fn new(media: Media) -> Self {
        let (packets, arrivals, reports) = (Vec::new(), Vec::new(), Vec::new());
        Self { media, packets, arrivals, reports, bye: false, since: None }
    }

    /// Takes a packet from the wire; one that is malformed or of another payload type is an error (RT-1).
    fn take(&mut self, control: bool, data: &[u8]) -> Result<()> {
        let at = self.since.map(|since| since.elapsed()).unwrap_or_default();
        if control {
            for part in rtp::parse_control(data)? {
                match part {
                    Control::Sender(report) => self.reports.push((at, report)),
                    Control::Bye(_) => self.bye = true,
                    Control::Description(_) | Control::Other(_) => (),
                }
            }
            return Ok(());
        }
        let packet = Packet::parse(data)?;
        let expected = self.media.payload_type;
        ensure!(packet.payload_type == expected, "payload type {}, {expected} announced", packet.payload_type);
        self.packets.push(packet);
        self.arrivals.push(at);
        Ok(())
    }

    /// Demands that no packet is missing, doubled or out of order, and that all are of one source.
    pub fn check_sequence(&self) -> Result<()> {
        for pair in self.packets.windows(2) {
            let (one, next) = (&pair[0], &pair[1]);
            ensure!(one.sequence.wrapping_add(1) == next.sequence, "sequence {} after {}", next.sequence, one.sequence);
            ensure!(one.ssrc == next.ssrc, "SSRC {:08x} after {:08x}", next.ssrc, one.ssrc);
        }
        Ok(())
    }

    /// The complete access units.
    pub fn units(&self) -> Result<Vec<Unit>> {
        self.check_sequence()?;
        units::assemble(&self.media, &self.packets)
    }

    /// The wall clock at an RTP time, in milliseconds since 1970, by the sender report nearest to it.
    pub fn utc_ms(&self, time: u32) -> Result<f64> {
        let distance = |report: &SenderReport| time.wrapping_sub(report.time) as i32;
        let nearest =
            self.reports.iter().map(|(_, report)| report).min_by_key(|report| distance(report).unsigned_abs());
        let report = nearest.context("RT-3: no sender report came")?;
        ensure!(Some(report.ssrc) == self.packets.first().map(|packet| packet.ssrc), "a report of another source");
        Ok(report.utc_ms() + f64::from(distance(report)) * 1e3 / f64::from(self.media.clock_rate))
    }

    /// Decodes the units and gives, picture by picture, the wall clock that the sender reports say and the one in the
    /// code row, both in milliseconds since 1970.
    pub fn clocks(&self) -> Result<Vec<(f64, u64)>> {
        let units = self.units()?;
        let mut times: Vec<u32> = units.iter().map(|unit| unit.time).collect();
        // Pictures leave the decoder in order of presentation, which is what RTP time is.
        let first = times.first().copied().context("no picture came")?;
        times.sort_by_key(|time| time.wrapping_sub(first) as i32);
        let codes = play::codes_of_units(&self.media, &units)?;
        ensure!(codes.len() == times.len(), "{} pictures out of {} units", codes.len(), times.len());
        times.iter().zip(codes).map(|(time, code)| Ok((self.utc_ms(*time)?, code.utc_ms))).collect()
    }
}

/// Listens to a playing session for some time. The client's keep-alive is the caller's business.
pub fn record(client: &mut Client, tracks: &[SetUp], duration: Duration) -> Result<Vec<Received>> {
    let mut received: Vec<Received> = tracks.iter().map(|track| Received::new(track.media.clone())).collect();
    record_into(client, tracks, &mut received, duration)?;
    Ok(received)
}

/// Like [`record`], continuing what was received before.
pub fn record_into(client: &mut Client, tracks: &[SetUp], received: &mut [Received], duration: Duration) -> Result<()> {
    let start = Instant::now();
    for medium in &mut *received {
        medium.since.get_or_insert(start);
    }
    if tracks.iter().all(|track| track.ports.is_none()) {
        while let Some(frame) = client.frame(start + duration)? {
            let index = tracks.iter().position(|track| track.channel == frame.channel & !1);
            let index = index.with_context(|| format!("a frame on channel {} that was not set up", frame.channel))?;
            received[index].take(frame.channel & 1 == 1, &frame.data)?;
        }
        return Ok(());
    }
    for track in tracks {
        let pair = track.ports.as_ref().context("a session with two kinds of transport")?;
        pair.rtp.set_nonblocking(true)?;
        pair.rtcp.set_nonblocking(true)?;
    }
    while start.elapsed() < duration {
        let mut idle = true;
        for (track, received) in tracks.iter().zip(&mut *received) {
            let Some(pair) = &track.ports else { continue };
            while let Some(data) = datagram(&pair.rtp)? {
                received.take(false, &data)?;
                idle = false;
            }
            while let Some(data) = datagram(&pair.rtcp)? {
                received.take(true, &data)?;
            }
        }
        if idle {
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

fn datagram(socket: &UdpSocket) -> Result<Option<Vec<u8>>> {
    let mut buffer = [0; 65536];
    match socket.recv(&mut buffer) {
        Ok(length) => Ok(Some(buffer[..length].to_vec())),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => bail!("receiving: {error}"),
    }
}
