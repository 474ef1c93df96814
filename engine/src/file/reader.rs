//! Paces one stream of the file on the running-time line.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use super::demux::{Demux, Kind, Unit};
use super::group::Group;
use crate::timeline::Timeline;

/// Units of look-ahead from which the decode times are found; H.264 and H.265 reorder at most 16 pictures.
const LOOK_AHEAD: usize = 17;
/// A shorter file is more seeking than playing.
const SHORTEST: gst::ClockTime = gst::ClockTime::from_mseconds(200);
/// Sound that is older than this is not worth sending to a listener who joins.
const OLD_SOUND: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// The shape of the file's video, to which its sound is bound too.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// From the first picture to the end of the last: the distance of two loops.
    period: gst::ClockTime,
    /// How long a picture may be decoded before it is shown.
    reordering: gst::ClockTime,
}

/// Finds the length of the video by reading its last group of pictures.
///
/// # Errors
/// When there is no picture or the file is too short to loop.
pub fn measure(video: &Demux) -> Result<Shape, String> {
    let near_end = video.duration().unwrap_or_default().saturating_sub(gst::ClockTime::from_mseconds(1));
    video.seek(near_end)?;
    let mut times = Vec::new();
    let mut end = gst::ClockTime::ZERO;
    while let Some(unit) = video.next_unit() {
        end = end.max(unit.at + unit.buffer.duration().unwrap_or_default());
        times.push(unit.at);
    }
    let decode_order = times.clone();
    times.sort_unstable();
    let last = *times.last().ok_or("there is no picture")?;
    let step = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| !step.is_zero()).min();
    // Matroska need not say how long a picture lasts.
    let period = end.max(last + step.unwrap_or_default());
    if period < SHORTEST {
        return Err(format!("the video lasts {period}, too short to be looped"));
    }
    let reordering = decode_order.iter().zip(&times).map(|(shown, decoded)| shown.saturating_sub(*decoded)).max();
    Ok(Shape { period, reordering: reordering.unwrap_or_default() })
}

/// Starts the thread that reads while there are consumers; it ends when the group is closed.
///
/// # Errors
/// When the thread cannot be started.
pub fn start(demux: Demux, shape: Shape, timeline: Timeline) -> Result<Arc<Group>, String> {
    let group = Arc::new(Group::default());
    let to = group.clone();
    let run = move || {
        while to.wait_for_consumers() {
            play(&demux, shape, &timeline, &to);
        }
    };
    std::thread::Builder::new().name("file".into()).spawn(run).map_err(|error| format!("no thread: {error}"))?;
    Ok(group)
}

/// Plays from the running time's place in the file until nobody listens.
fn play(demux: &Demux, shape: Shape, timeline: &Timeline, to: &Group) {
    let mut looped = Looped::new(demux, shape, timeline.now());
    let mut ahead = VecDeque::new();
    let mut times = BinaryHeap::new();
    let mut reordering = shape.reordering;
    let mut started = false;
    while to.is_used() {
        while ahead.len() < LOOK_AHEAD {
            let Some(unit) = looped.next() else { return pause() };
            times.push(Reverse(unit.at));
            ahead.push_back(unit);
        }
        let (Some(unit), Some(Reverse(decode))) = (ahead.pop_front(), times.pop()) else { return };
        if !started && (!unit.key || demux.kind() == Kind::Audio && unit.at + OLD_SOUND < timeline.now()) {
            continue;
        }
        started = true;
        // The n-th picture in decode order is decoded at the n-th smallest time. It is sent late enough for its own time to
        // have come: like a camera that reorders, and the server never holds it back.
        reordering = reordering.max(unit.at.saturating_sub(decode));
        timeline.sleep_until(decode + reordering);
        to.push(&stamped(&unit, demux.caps()), unit.key);
    }
}

/// The file cannot be read any more: do not spin while it is so.
fn pause() {
    tracing::warn!("the file cannot be read; trying again");
    std::thread::sleep(std::time::Duration::from_secs(1));
}

/// The unit with its time on the line. The bytes are shared.
fn stamped(unit: &Unit, caps: &gst::Caps) -> gst::Sample {
    let mut buffer = unit.buffer.clone();
    let writable = buffer.make_mut();
    writable.set_pts(unit.at);
    writable.set_dts(gst::ClockTime::NONE);
    gst::Sample::builder().buffer(&buffer).caps(caps).build()
}

/// The endless sequence of the file's units, with times on the running-time line.
struct Looped<'a> {
    demux: &'a Demux,
    period: gst::ClockTime,
    /// Where the current loop starts on the line.
    origin: gst::ClockTime,
    /// Whether the current loop had a unit at all.
    any: bool,
}

impl<'a> Looped<'a> {
    fn new(demux: &'a Demux, shape: Shape, now: gst::ClockTime) -> Self {
        let within = gst::ClockTime::from_nseconds(now.nseconds() % shape.period.nseconds());
        let any = demux.seek(within).is_ok();
        Self { demux, period: shape.period, origin: now - within, any }
    }

    fn next(&mut self) -> Option<Unit> {
        loop {
            // Sound that outlasts the pictures is cut.
            if let Some(mut unit) = self.demux.next_unit().filter(|unit| unit.at < self.period) {
                self.any = true;
                unit.at += self.origin;
                return Some(unit);
            }
            if !std::mem::take(&mut self.any) {
                return None;
            }
            self.origin += self.period;
            self.demux.seek(gst::ClockTime::ZERO).ok()?;
        }
    }
}
