use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::*;
use crate::base::clock::{MonoTime, UtcTime};

const RATE: u32 = 90_000;

fn h264(generation_mark: u8) -> Parameters {
    let sps = Bytes::from(vec![0x67, generation_mark]);
    Parameters {
        generation: 0,
        codec: Codec::H264 { sps, pps: Bytes::from_static(&[0x68]) },
        size: Some((640, 360)),
        frame_rate: None,
        clock_rate: RATE,
    }
}

struct Producer {
    track: Arc<Track>,
    parameters: Arc<Parameters>,
    frame: u64,
}

impl Producer {
    fn new(limits: RingLimits) -> Self {
        let track = Track::new("hi-def", Kind::Video, limits);
        let parameters = track.describe(h264(1));
        Self { track, parameters, frame: 0 }
    }

    /// Publishes one picture of 100 ms and `size` bytes.
    fn publish(&mut self, key: bool, size: usize) -> u64 {
        let nanos = 1_000_000_000 + self.frame * 100_000_000;
        self.frame += 1;
        let time = MediaTime::from_nanos(i128::from(nanos), RATE);
        let mut payload = (size as u32).to_be_bytes().to_vec();
        payload.resize(size + 4, if key { 0x65 } else { 0x41 });
        self.track.publish(NewUnit {
            decode_time: time,
            presentation_time: time,
            capture: CaptureTime {
                mono: MonoTime::from_nanos(nanos),
                utc: UtcTime::from_nanos(nanos),
                quality: TimeQuality::Exact,
            },
            key,
            discontinuity: false,
            parameters: Arc::clone(&self.parameters),
            payload: payload.into(),
        })
    }

    fn group(&mut self, pictures: usize) {
        for picture in 0..pictures {
            self.publish(picture == 0, 10);
        }
    }
}

fn drain(cursor: &mut Cursor) -> Vec<u64> {
    std::iter::from_fn(|| cursor.try_next())
        .map(|next| match next {
            Next::Unit(unit) => unit.sequence,
            Next::Lagged { units } => panic!("lost {units}"),
        })
        .collect()
}

#[test]
fn a_reader_starts_at_the_newest_key_frame_and_misses_nothing() {
    let mut producer = Producer::new(RingLimits::default());
    producer.group(5);
    producer.group(3);
    let mut cursor = producer.track.read_from_key();
    assert_eq!(drain(&mut cursor), [5, 6, 7]);
    producer.group(2);
    assert_eq!(drain(&mut cursor), [8, 9]);
    assert!(cursor.try_next().is_none());
}

#[test]
fn a_reader_knows_whether_there_is_more() {
    let mut producer = Producer::new(RingLimits { duration: Duration::from_secs(1), bytes: 1 << 20 });
    producer.group(2);
    let mut cursor = producer.track.read_from_key();
    let more = |cursor: &mut Cursor| (cursor.try_next().is_some(), cursor.is_behind());
    assert!(cursor.is_behind(), "it has not looked yet");
    assert_eq!(more(&mut cursor), (true, true));
    assert_eq!(more(&mut cursor), (true, false));
    assert_eq!(more(&mut cursor), (false, false));
    for _ in 0..6 {
        producer.group(5);
    }
    assert!(matches!(cursor.try_next(), Some(Next::Lagged { .. })));
    assert!(cursor.is_behind(), "the key frame follows");
    let mut late = producer.track.read_from_next_key();
    producer.publish(false, 10);
    assert_eq!(more(&mut late), (false, false), "what there is has no meaning for it");
}

#[test]
fn a_reader_of_an_empty_track_starts_at_the_first_key_frame() {
    let mut producer = Producer::new(RingLimits::default());
    let mut cursor = producer.track.read_from_key();
    producer.publish(false, 10);
    assert!(cursor.try_next().is_none());
    producer.group(2);
    assert_eq!(drain(&mut cursor), [1, 2]);
}

#[test]
fn a_reader_may_wait_for_the_next_key_frame() {
    let mut producer = Producer::new(RingLimits::default());
    producer.group(3);
    let mut cursor = producer.track.read_from_next_key();
    producer.publish(false, 10);
    assert!(cursor.try_next().is_none());
    producer.group(1);
    assert_eq!(drain(&mut cursor), [4]);
}

#[test]
fn a_slow_reader_is_told_what_it_lost_and_resumes_on_a_key_frame() {
    let mut producer = Producer::new(RingLimits { duration: Duration::from_secs(1), bytes: 1 << 20 });
    producer.group(5);
    let mut cursor = producer.track.read_from_key();
    for _ in 0..6 {
        producer.group(5);
    }
    assert!(cursor.peek().is_none(), "its place is gone");
    let Some(Next::Lagged { units }) = cursor.try_next() else { panic!("no word of the loss") };
    let Some(Next::Unit(unit)) = cursor.try_next() else { panic!("no unit") };
    assert!(unit.key);
    assert_eq!(unit.sequence, units, "it had read nothing, so all before the key frame is lost");
    assert_eq!(unit.sequence, 30, "the newest key frame");
}

#[test]
fn the_newest_group_outlives_the_time_limit_but_not_the_byte_limit() {
    let limits = RingLimits { duration: Duration::from_secs(1), bytes: 100_000 };
    let mut producer = Producer::new(limits);
    producer.publish(true, 1000);
    for _ in 0..40 {
        producer.publish(false, 1000);
    }
    assert_eq!(producer.track.newest_key().map(|unit| unit.sequence), Some(0), "4 s old, but the newest");
    for _ in 0..200 {
        producer.publish(false, 1000);
    }
    assert!(producer.track.newest_key().is_none(), "entry is at the next key frame");
    assert!(producer.track.ring_bytes() <= limits.bytes);
    let mut cursor = producer.track.read_from_key();
    assert!(cursor.try_next().is_none());
    producer.publish(true, 1000);
    assert_eq!(drain(&mut cursor), [241]);
}

/// Who catches up at a pace, over UDP, is still in an old long group when the next begins.
#[test]
fn the_group_before_stays_until_the_newest_is_as_old_as_the_limit() {
    let mut producer = Producer::new(RingLimits { duration: Duration::from_secs(4), bytes: 1 << 20 });
    producer.group(100);
    let mut cursor = producer.track.read_from_key();
    assert!((0..60).all(|_| matches!(cursor.try_next(), Some(Next::Unit(_)))));
    producer.group(41);
    assert_eq!(drain(&mut cursor), (60..141).collect::<Vec<_>>());
    producer.publish(false, 10);
    let mut late = producer.track.read_at(60);
    assert!(matches!(late.try_next(), Some(Next::Lagged { .. })), "the group before stays too long");
}

#[test]
fn a_single_unit_over_the_limit_does_not_stay() {
    let mut producer = Producer::new(RingLimits { duration: Duration::from_secs(1), bytes: 10_000 });
    producer.publish(true, 20_000);
    assert_eq!(producer.track.ring_bytes(), 0);
    assert!(producer.track.newest_key().is_none());
}

#[test]
fn after_a_rest_a_new_reader_gets_nothing_of_before() {
    let mut producer = Producer::new(RingLimits::default());
    producer.group(3);
    let old = producer.track.newest_unit().map(|unit| unit.decode_time);
    producer.track.clear();
    assert_eq!(producer.track.ring_bytes(), 0);
    assert!(producer.track.newest_key().is_none());
    assert_eq!(producer.track.newest_unit().map(|unit| unit.decode_time), old, "reports go on from it");
    let mut pictures = producer.track.read_from_key();
    let mut sound = producer.track.read_from(EntryTime::From(MonoTime::default()));
    assert!(pictures.try_next().is_none() && sound.try_next().is_none());
    producer.group(2);
    assert_eq!(drain(&mut pictures), [3, 4]);
    assert_eq!(drain(&mut sound), [3, 4]);
    assert_eq!(drain(&mut producer.track.read_from_key()), [3, 4]);
}

#[test]
fn a_reader_that_waits_through_a_rest_goes_on_at_a_key_frame() {
    let mut producer = Producer::new(RingLimits::default());
    producer.group(3);
    let (mut current, mut slow) = (producer.track.read_from_key(), producer.track.read_from_key());
    assert_eq!(drain(&mut current), [0, 1, 2]);
    producer.track.clear();
    producer.publish(false, 10);
    assert!(current.try_next().is_none(), "it refers to a picture that nobody has");
    // The fan-out takes over where a reader stands, with a cursor of its own.
    let mut taken_over = producer.track.read_at(3);
    assert!(taken_over.try_next().is_none());
    producer.group(2);
    assert_eq!(drain(&mut current), [4, 5]);
    assert_eq!(drain(&mut taken_over), [4, 5]);
    assert!(matches!(slow.try_next(), Some(Next::Lagged { units: 4 })));
    assert_eq!(drain(&mut slow), [4, 5]);
}

#[test]
fn time_goes_on_after_a_rest() {
    let mut producer = Producer::new(RingLimits::default());
    producer.group(3);
    producer.track.clear();
    producer.frame = 0;
    producer.publish(true, 10);
    assert_eq!(producer.track.newest_unit().map(|unit| unit.decode_time.ticks), Some(90_000 + 2 * 9_000));
}

#[test]
fn decode_order_never_goes_back() {
    let mut producer = Producer::new(RingLimits::default());
    producer.publish(true, 10);
    producer.publish(false, 10);
    producer.frame = 0;
    producer.publish(true, 10);
    let times: Vec<i64> = {
        let mut cursor = producer.track.read_from(EntryTime::From(MonoTime::default()));
        std::iter::from_fn(|| cursor.try_next())
            .filter_map(|next| if let Next::Unit(unit) = next { Some(unit.decode_time.ticks) } else { None })
            .collect()
    };
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn decode_order_never_goes_back_at_another_clock_rate() {
    let mut producer = Producer::new(RingLimits::default());
    producer.publish(true, 10);
    let unit = producer.track.newest_unit().expect("published");
    let slower = MediaTime::new(unit.decode_time.ticks / 90 - 5, 1_000);
    producer.track.publish(NewUnit {
        decode_time: slower,
        presentation_time: slower,
        capture: unit.capture,
        key: true,
        discontinuity: true,
        parameters: Arc::clone(&unit.parameters),
        payload: unit.payload.clone(),
    });
    let held = producer.track.newest_unit().expect("published").decode_time;
    assert_eq!(held, MediaTime::new(1_000, 1_000), "held at the last one, in its own rate");
    assert_eq!(MediaTime::new(1, 3).rescaled(2), MediaTime::new(1, 2));
    assert_eq!(MediaTime::new(-1, 3).rescaled(2), MediaTime::new(0, 2));
}

#[test]
fn the_generation_rises_only_with_a_change() {
    let track = Track::new("standard", Kind::Video, RingLimits::default());
    let first = track.describe(h264(1));
    assert_eq!(track.describe(h264(1)).generation, first.generation);
    assert_eq!(track.describe(h264(2)).generation, first.generation + 1);
    assert_eq!(track.parameters().borrow().as_ref().map(|known| known.generation), Some(first.generation + 1));
}

#[test]
fn a_truncated_access_unit_gives_only_whole_nal_units() {
    let ranges = unit::nal_ranges(&[0, 0, 0, 2, 9, 9, 0, 0, 0, 0, 0, 0, 0, 9, 1]);
    assert_eq!(ranges.as_ref(), std::slice::from_ref(&(4..6)));
    assert!(unit::nal_ranges(&[0, 0]).is_empty());
    assert!(unit::nal_ranges(&[0xff; 9]).is_empty());
}

#[test]
fn leases_and_key_requests_reach_the_source() {
    let track = Track::new("ultra-hd", Kind::Video, RingLimits::default());
    let leases = track.leases();
    assert!(!track.request_key(), "no source that makes key frames yet");
    let requests = track.key_requests();
    assert!(track.request_key());
    drop(requests);
    let (one, two) = (track.lease(), track.lease());
    assert_eq!(*leases.borrow(), 2);
    drop((one, two));
    assert_eq!(*leases.borrow(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_source_is_asked_for_a_key_frame_every_half_second_at_most() {
    let track = Track::new("ultra-hd", Kind::Video, RingLimits::default());
    let start = tokio::time::Instant::now();
    let mut requests = track.key_requests();
    track.request_key();
    requests.next().await;
    assert_eq!(start.elapsed(), Duration::ZERO, "the first one at once");
    for _ in 0..50 {
        track.request_key();
    }
    let wait = Duration::from_millis(100);
    assert!(tokio::time::timeout(wait, requests.next()).await.is_err(), "too soon");
    requests.next().await;
    assert_eq!(start.elapsed().as_millis(), 500, "put off, not lost, though the wait was interrupted");
    assert!(tokio::time::timeout(wait, requests.next()).await.is_err(), "fifty were one");
    // A new connection to the source is no way around it.
    let mut requests = track.key_requests();
    track.request_key();
    requests.next().await;
    assert_eq!(start.elapsed().as_millis(), 1000);
}

#[tokio::test]
async fn waiting_readers_wake_when_a_unit_comes() {
    let mut producer = Producer::new(RingLimits::default());
    let mut cursor = producer.track.read_from_key();
    let reader = tokio::spawn(async move { cursor.next().await });
    tokio::task::yield_now().await;
    producer.group(1);
    assert!(matches!(reader.await, Ok(Next::Unit(unit)) if unit.sequence == 0));
}

#[test]
fn a_forgotten_description_is_not_confused_with_the_next() {
    let producer = Producer::new(RingLimits::default());
    let described = || producer.track.parameters().borrow().clone();
    producer.track.forget_description(|known| known.size == Some((1, 1)));
    assert_eq!(described().map(|known| known.generation), Some(0), "it is not outdated");
    producer.track.forget_description(|known| known.size == Some((640, 360)));
    assert_eq!(described(), None);
    assert_eq!(producer.track.describe(h264(1)).generation, 1);
    assert_eq!(producer.track.describe(h264(2)).generation, 2);
}
