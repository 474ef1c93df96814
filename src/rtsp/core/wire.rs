//! Units as packets, made once per track and shared by every viewer.
//!
//! SSRC, sequence numbers and payload type belong to the track and go on across restarts of its source (design section 5).

use std::{
    any::Any,
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use crate::{
    base::clock::{MonoTime, UtcTime},
    hub::{Codec, G711Law, MediaTime, Packetise, Unit, WirePackets},
    rtp::{
        packet::{PayloadType, RtpTime, SequenceNumber, Ssrc},
        packetizer::{Datagrams, PacketBlock, Packetizer, UnitView},
        payload::PayloadFormat,
    },
};

/// How many channel numbers get their own copy of a unit; beyond that each viewer's copy is its own (no amplification).
const MAX_VARIANTS: usize = 4;

/// The newest units of a track keep the copies that were made of them: nearly all viewers are there. The ring bounds what its
/// units keep for as long as they stay; copies come on top, so that they must not stay as long. Whoever reads further back
/// makes its own.
const UNITS_WITH_COPIES: usize = 4;

/// The packets of one unit.
#[derive(Debug)]
pub struct Wire {
    block: PacketBlock,
    /// `None` once the unit is no longer among the newest.
    copies: Mutex<Option<Copies>>,
}

/// The packets of one unit in further forms, made when somebody first needs them.
#[derive(Debug, Default)]
struct Copies {
    variants: Vec<(u8, Bytes)>,
    datagrams: Option<Arc<Datagrams>>,
}

impl Wire {
    /// The packets of a unit, if this door made any.
    pub fn of(unit: &Unit) -> Option<&Self> {
        unit.packets.as_ref()?.as_any().downcast_ref()
    }

    /// The sequence number of the first packet.
    pub fn first_sequence(&self) -> SequenceNumber {
        self.block.first_sequence
    }

    /// The RTP time of the unit.
    pub fn time(&self) -> RtpTime {
        self.block.time
    }

    /// All packets with their interleaved framing for this channel, in one piece (RFC 2326 section 10.12).
    pub fn interleaved(&self, channel: u8) -> Bytes {
        if channel == 0 {
            return self.block.interleaved.clone();
        }
        let mut copies = self.copies();
        let variants = copies.as_mut().map(|copies| &mut copies.variants);
        if let Some((_, bytes)) = variants.iter().flat_map(|known| known.iter()).find(|(known, _)| *known == channel) {
            return bytes.clone();
        }
        let bytes = self.block.with_channel(channel);
        if let Some(variants) = variants.filter(|variants| variants.len() < MAX_VARIANTS) {
            variants.push((channel, bytes.clone()));
        }
        bytes
    }

    /// All packets without framing, with the runs that one send can carry.
    pub fn datagrams(&self) -> Arc<Datagrams> {
        let make = || Arc::new(self.block.datagrams());
        match &mut *self.copies() {
            Some(copies) => Arc::clone(copies.datagrams.get_or_insert_with(make)),
            None => make(),
        }
    }

    fn drop_copies(&self) {
        *self.copies() = None;
    }

    fn copies(&self) -> MutexGuard<'_, Option<Copies>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WirePackets for Wire {
    /// What stays as long as the unit: the copies come and go, see `UNITS_WITH_COPIES`.
    fn memory(&self) -> usize {
        self.block.interleaved.len() + self.block.ends.len() * 4 + size_of::<Self>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What a track is on the wire, for as long as the server runs.
#[derive(Debug)]
pub struct Identity {
    /// The synchronisation source of all its packets.
    pub ssrc: Ssrc,
    /// RTP time minus the ticks of the track's time line.
    offset: u32,
    packets: AtomicU64,
    octets: AtomicU64,
}

impl Identity {
    /// Makes an identity from random bytes (RT-2).
    pub fn new(ssrc: u32, offset: u32) -> Self {
        Self { ssrc: Ssrc(ssrc), offset, packets: AtomicU64::new(0), octets: AtomicU64::new(0) }
    }

    /// The RTP time of an instant of the track.
    pub fn rtp_time(&self, time: MediaTime) -> RtpTime {
        RtpTime((time.ticks as u32).wrapping_add(self.offset))
    }

    /// The wall clock and the RTP time at one moment, drawn on from a unit of the track (RT-3).
    pub fn report_time(&self, unit: &Unit, now: MonoTime) -> (UtcTime, RtpTime) {
        let age = now.nanos_from(unit.capture.mono);
        let rate = unit.presentation_time.rate;
        let ticks = unit.presentation_time.ticks + MediaTime::from_nanos(i128::from(age), rate).ticks;
        (unit.capture.utc.offset(age), self.rtp_time(MediaTime::new(ticks, rate)))
    }

    /// Packets and payload octets made so far, as sender reports count them (modulo 2³²).
    pub fn counts(&self) -> (u32, u32) {
        (self.packets.load(Ordering::Relaxed) as u32, self.octets.load(Ordering::Relaxed) as u32)
    }
}

/// Makes the packets of one track.
pub struct TrackPacketiser {
    identity: Arc<Identity>,
    packetizer: Option<(PayloadFormat, PayloadType, Packetizer)>,
    /// The newest units, which may keep copies.
    newest: VecDeque<Weak<Wire>>,
    next: SequenceNumber,
    max_packet: usize,
}

impl TrackPacketiser {
    /// Starts at the given sequence number with packets of at most `max_packet` bytes.
    pub fn new(identity: Arc<Identity>, first: SequenceNumber, max_packet: usize) -> Self {
        Self { identity, packetizer: None, newest: VecDeque::new(), next: first, max_packet }
    }

    /// Lets a unit keep copies in the place of the one that was among the newest for the longest time.
    fn keep_copies_of(&mut self, wire: &Arc<Wire>) {
        if self.newest.len() >= UNITS_WITH_COPIES
            && let Some(old) = self.newest.pop_front().and_then(|old| old.upgrade())
        {
            old.drop_copies();
        }
        self.newest.push_back(Arc::downgrade(wire));
    }

    fn packetizer(&mut self, codec: &Codec) -> &mut Packetizer {
        let (format, payload_type) = (payload_format(codec), payload_type(codec));
        let known = self.packetizer.take().filter(|(f, p, _)| (*f, *p) == (format, payload_type));
        let entry = known.unwrap_or_else(|| {
            let packetizer = Packetizer::new(format, payload_type, self.identity.ssrc, self.next, self.max_packet);
            (format, payload_type, packetizer)
        });
        &mut self.packetizer.insert(entry).2
    }
}

impl Packetise for TrackPacketiser {
    fn packetise(&mut self, unit: &Unit) -> Option<Arc<dyn WirePackets>> {
        let codec = &unit.parameters.codec;
        let sets: Vec<&[u8]> = match codec {
            // PL-3: parameter sets before each key frame, and so whenever they change.
            Codec::H264 { sps, pps } if unit.key => vec![sps, pps],
            Codec::H265 { vps, sps, pps } if unit.key => vec![vps, sps, pps],
            _ => Vec::new(),
        };
        let time = self.identity.rtp_time(unit.presentation_time);
        let view = UnitView { payload: &unit.payload, nals: &unit.nals, parameter_sets: &sets, time };
        let packetizer = self.packetizer(codec);
        let result = packetizer.packetize(&view);
        self.next = packetizer.next_sequence();
        let block = result
            .inspect_err(|error| tracing::debug!(%error, sequence = unit.sequence, "a unit cannot be carried by RTP"))
            .ok()?;
        self.identity.packets.fetch_add(block.packet_count() as u64, Ordering::Relaxed);
        self.identity.octets.fetch_add(block.payload_octets() as u64, Ordering::Relaxed);
        let wire = Arc::new(Wire { block, copies: Mutex::new(Some(Copies::default())) });
        self.keep_copies_of(&wire);
        Some(wire)
    }

    fn next_sequence(&self) -> u16 {
        self.next.0
    }
}

/// How units of a codec are laid into packets.
pub fn payload_format(codec: &Codec) -> PayloadFormat {
    match codec {
        Codec::H264 { .. } => PayloadFormat::H264,
        Codec::H265 { .. } => PayloadFormat::H265,
        Codec::Jpeg => PayloadFormat::Jpeg,
        Codec::Aac { .. } => PayloadFormat::Aac,
        Codec::G711(_) => PayloadFormat::G711,
    }
}

/// The payload type of a codec: static where RFC 3551 assigns one, else one for video and one for audio.
pub fn payload_type(codec: &Codec) -> PayloadType {
    match codec {
        Codec::H264 { .. } | Codec::H265 { .. } => PayloadType::dynamic(0),
        Codec::Aac { .. } => PayloadType::dynamic(1),
        Codec::Jpeg => PayloadType::JPEG,
        Codec::G711(G711Law::Mu) => PayloadType::PCMU,
        Codec::G711(G711Law::A) => PayloadType::PCMA,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{CaptureTime, Kind, NewUnit, Parameters, RingLimits, TimeQuality, Track};

    /// A track whose units are packetised, with `count` units of 10 kB.
    fn track(count: u64) -> Arc<Track> {
        let track = Track::new("pcmu", Kind::Audio, RingLimits::default());
        let identity = Arc::new(Identity::new(7, 0));
        track.set_packetiser(Box::new(TrackPacketiser::new(identity, SequenceNumber(1), 1400)));
        let codec = Codec::G711(G711Law::Mu);
        let parameters =
            track.describe(Parameters { generation: 0, codec, size: None, frame_rate: None, clock_rate: 8000 });
        for number in 0..count {
            let time = MediaTime::new(number as i64 * 80, 8000);
            let capture = CaptureTime {
                mono: MonoTime::from_nanos(number * 10_000_000),
                utc: UtcTime::from_nanos(number * 10_000_000),
                quality: TimeQuality::Exact,
            };
            track.publish(NewUnit {
                decode_time: time,
                presentation_time: time,
                capture,
                key: true,
                discontinuity: false,
                parameters: Arc::clone(&parameters),
                payload: vec![number as u8; 10_000].into(),
            });
        }
        track
    }

    fn units(track: &Arc<Track>) -> Vec<Arc<Unit>> {
        let mut cursor = track.read_at(0);
        std::iter::from_fn(|| cursor.try_next())
            .filter_map(|next| if let crate::hub::Next::Unit(unit) = next { Some(unit) } else { None })
            .collect()
    }

    impl Wire {
        fn memory_of_copies(&self) -> usize {
            self.copies().as_ref().map_or(0, |copies| {
                let datagrams = copies.datagrams.as_ref().map_or(0, |datagrams| datagrams.bytes.len());
                copies.variants.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() + datagrams
            })
        }
    }

    #[test]
    fn what_the_ring_does_not_count_belongs_to_few_units() {
        let track = track(50);
        let read = |units: &[Arc<Unit>]| {
            for wire in units.iter().filter_map(|unit| Wire::of(unit)) {
                (0..20).for_each(|channel| drop(wire.interleaved(channel)));
                wire.datagrams();
            }
        };
        let units = units(&track);
        assert_eq!(units.len(), 50);
        read(&units);
        let copies: Vec<usize> = units
            .iter()
            .map(|unit| Wire::of(unit).map_or(0, Wire::memory_of_copies))
            .filter(|bytes| *bytes > 0)
            .collect();
        assert_eq!(copies.len(), UNITS_WITH_COPIES);
        let most = units[0].memory() * (MAX_VARIANTS + 1);
        assert!(copies.iter().all(|bytes| *bytes <= most), "{copies:?}, {most} at most");
        assert!(units[..46].iter().all(|unit| Wire::of(unit).is_some_and(|wire| wire.memory_of_copies() == 0)));
    }

    #[test]
    fn a_unit_is_the_same_with_and_without_copies() {
        let track = track(50);
        let units = units(&track);
        for unit in [&units[0], &units[49]] {
            let wire = Wire::of(unit).unwrap();
            for _ in 0..2 {
                let bytes = wire.interleaved(6);
                assert_eq!((bytes[1], bytes.len()), (6, wire.interleaved(0).len()));
                assert_eq!(bytes, wire.block.with_channel(6));
                let sent: usize = wire.datagrams().runs.iter().map(|run| run.len as usize).sum();
                assert_eq!(sent, wire.datagrams().bytes.len());
            }
        }
    }
}
