//! Snapshots (SN-1, SN-2): a JPEG picture by HTTP GET, at most a second and a frame interval old.

use std::{net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{
    auth::{Gate, Principal, Refusal},
    base::clock::{Clock, MonoTime},
    camera::Cameras,
    hub::{Cursor, Next, SourceState, Track, Unit},
};

/// Serves `/snapshot/<camera>/<profile>`.
pub struct Snapshots {
    cameras: Arc<Cameras>,
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
}

/// The first segment of the address.
pub const PREFIX: &str = "/snapshot/";
/// A second, besides the time to the next picture; a tenth of it is for cameras whose reports name the time of sending.
const MOST_AGE: Duration = Duration::from_millis(900);
/// Younger than this, a picture need not get better,
const CURRENT: Duration = Duration::from_millis(300);
/// and for so long an older one may.
const BETTER_WITHIN: Duration = Duration::from_millis(300);
/// How long a client waits for a source that has to start first: a camera may send a key frame every ten seconds only.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits for a source that has lost its signal (design section 5 has as much for DESCRIBE).
const LOSS_PATIENCE: Duration = Duration::from_secs(2);

impl Snapshots {
    /// Makes the door.
    pub fn new(cameras: Arc<Cameras>, gate: Arc<Gate>, clock: Arc<dyn Clock>) -> Self {
        Self { cameras, gate, clock }
    }

    /// Answers a request.
    pub async fn answer(&self, request: &Request<Bytes>, peer: IpAddr) -> Response<Bytes> {
        match self.picture(request, peer).await {
            Ok(unit) => {
                let mut response = Response::new(unit.payload.clone());
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            Err(refusal) => *refusal,
        }
    }

    async fn picture(&self, request: &Request<Bytes>, peer: IpAddr) -> Result<Arc<Unit>, Box<Response<Bytes>>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(refusal(StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD".to_owned())]));
        }
        self.authorise(request, peer)?;
        let path = request.uri().path().strip_prefix(PREFIX).and_then(|path| path.split_once('/'));
        let found = path.and_then(|(camera, profile)| {
            let camera = self.cameras.get(camera)?;
            camera.settings().profile(profile)?;
            Some((Arc::clone(camera.snapshot_track()?), camera.decoded_track().cloned()))
        });
        let (track, made_of) = found.ok_or_else(|| refusal(StatusCode::NOT_FOUND, []))?;
        let fresh = patient(&track, made_of.as_ref(), &*self.clock).await;
        fresh.ok_or_else(|| refusal(StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5".to_owned())]))
    }

    /// Every level may look (READ_MEDIA).
    fn authorise(&self, request: &Request<Bytes>, peer: IpAddr) -> Result<Principal, Box<Response<Bytes>>> {
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let uri = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let checked = self.gate.check(header, request.method().as_str(), uri, peer, self.clock.mono());
        checked.map_err(|error| match error {
            Refusal::Challenge { www_authenticate } => {
                let challenges = www_authenticate.into_iter().map(|challenge| (WWW_AUTHENTICATE, challenge));
                refusal(StatusCode::UNAUTHORIZED, challenges)
            }
            Refusal::Malformed(_) => refusal(StatusCode::BAD_REQUEST, []),
            Refusal::SlowDown { retry_after } => {
                let seconds = retry_after.as_secs().max(1).to_string();
                refusal(StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, seconds)])
            }
        })
    }
}

fn refusal(
    status: StatusCode,
    headers: impl IntoIterator<Item = (hyper::header::HeaderName, String)>,
) -> Box<Response<Bytes>> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    for (name, value) in headers {
        // Our own texts; none of them holds what a header may not.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(name, value);
        }
    }
    Box::new(response)
}

/// A young picture; `None` if there is none in time. A track that it is made of starts at once, not only when the engine that
/// makes it asks for that one.
async fn patient(track: &Arc<Track>, made_of: Option<&Arc<Track>>, clock: &dyn Clock) -> Option<Arc<Unit>> {
    let _lease = made_of.map(Track::lease);
    let fresh = fresh(track, clock);
    tokio::select! {
        biased;
        unit = fresh => Some(unit),
        () = is_lost(track) => None,
        () = is_lost(made_of.unwrap_or(track)) => None,
        () = tokio::time::sleep(PATIENCE) => None,
    }
}

/// Waits until a source has been lost for as long as anybody waits for it.
async fn is_lost(track: &Track) {
    let is_lost = |state: &SourceState| matches!(state, SourceState::Lost { .. });
    let mut state = track.source_state();
    loop {
        if state.wait_for(is_lost).await.is_err() {
            return std::future::pending().await;
        }
        if tokio::time::timeout(LOSS_PATIENCE, state.wait_for(|state| !is_lost(state))).await.is_err() {
            return;
        }
    }
}

/// The newest picture if it is young enough, else the next one that is. The lease goes when the client is served; the source
/// lingers.
///
/// A decoder that has just started comes from the newest key frame to the present at its own pace: the first of its pictures
/// that is young enough is not yet what the camera sees, and a moment later there is a better one.
async fn fresh(track: &Arc<Track>, clock: &dyn Clock) -> Arc<Unit> {
    let _lease = track.lease();
    let mut cursor = track.read_from_next_key();
    let newest = |most: Duration| track.newest_unit().filter(|unit| is_younger(unit, most, clock.mono()));
    loop {
        if newest(MOST_AGE).is_none() {
            next(&mut cursor, MOST_AGE, clock).await;
        }
        if let Some(current) = newest(CURRENT) {
            return current;
        }
        let better = tokio::time::timeout(BETTER_WITHIN, next(&mut cursor, CURRENT, clock)).await;
        if let Some(unit) = better.ok().or_else(|| newest(MOST_AGE)) {
            return unit;
        }
    }
}

/// The next picture of at most this age. A backlog after a stall is not what the camera sees now.
async fn next(cursor: &mut Cursor, most: Duration, clock: &dyn Clock) -> Arc<Unit> {
    loop {
        if let Next::Unit(unit) = cursor.next().await
            && is_younger(&unit, most, clock.mono())
        {
            return unit;
        }
    }
}

fn is_younger(unit: &Unit, most: Duration, now: MonoTime) -> bool {
    now.since(unit.capture.mono) <= most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        base::clock::{SystemClock, UtcTime},
        hub::{CaptureTime, Codec, Kind, MediaTime, NewUnit, Parameters, RingLimits, TimeQuality},
    };

    fn publish(track: &Track, captured: MonoTime, name: &'static [u8]) {
        let codec = Codec::Jpeg;
        let parameters = Parameters { generation: 0, codec, size: None, frame_rate: None, clock_rate: 90_000 };
        let time = MediaTime::from_nanos(i128::from(captured.as_nanos()), 90_000);
        track.publish(NewUnit {
            decode_time: time,
            presentation_time: time,
            capture: CaptureTime { mono: captured, utc: UtcTime::from_nanos(0), quality: TimeQuality::Exact },
            key: true,
            discontinuity: false,
            parameters: track.describe(parameters),
            payload: Bytes::from_static(name),
        });
    }

    #[tokio::test]
    async fn an_old_picture_is_not_given_out() {
        let clock = SystemClock;
        let track = Track::new("jpeg", Kind::Video, RingLimits::default());
        let now = clock.mono();
        publish(&track, MonoTime::from_nanos(now.as_nanos().saturating_sub(1_500_000_000)), b"old");
        let waiting = tokio::time::timeout(Duration::from_millis(100), fresh(&track, &clock)).await;
        assert!(waiting.is_err() && *track.leases().borrow() == 0);
        let give = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert_eq!(*track.leases().borrow(), 1, "the source is asked for a new one");
            publish(&track, clock.mono(), b"new");
        };
        let (unit, ()) = tokio::join!(fresh(&track, &clock), give);
        assert_eq!(&unit.payload[..], b"new");
        assert_eq!(&fresh(&track, &clock).await.payload[..], b"new", "young enough for the next");
    }

    #[tokio::test]
    async fn a_decoder_may_come_to_the_present_first() {
        let clock = SystemClock;
        let track = Track::new("jpeg", Kind::Video, RingLimits::default());
        let ago = |ms: u64| MonoTime::from_nanos(clock.mono().as_nanos().saturating_sub(ms * 1_000_000));
        let catch_up = async {
            for (age, name) in [(5000, b"key frame"), (900, b"young one"), (500, b"next one.")] {
                publish(&track, ago(age), name);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            publish(&track, ago(50), b"now");
        };
        let (unit, ()) = tokio::join!(fresh(&track, &clock), catch_up);
        assert_eq!(&unit.payload[..], b"now");
        let slow = Track::new("jpeg", Kind::Video, RingLimits::default());
        publish(&slow, ago(400), b"late");
        assert_eq!(&fresh(&slow, &clock).await.payload[..], b"late", "a slow source has nothing better");
    }

    /// How long a client is kept who gets nothing, in milliseconds.
    async fn kept(track: &Arc<Track>, made_of: Option<&Arc<Track>>) -> u128 {
        let begin = tokio::time::Instant::now();
        assert!(patient(track, made_of, &SystemClock).await.is_none());
        begin.elapsed().as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_for_a_source_that_is_lost() {
        let [track, source] = ["snapshot", "ultra-hd"].map(|name| Track::new(name, Kind::Video, RingLimits::default()));
        assert_eq!(kept(&track, Some(&source)).await, PATIENCE.as_millis(), "it may be about to start");
        let lost = || SourceState::Lost { reason: "gone".into() };
        source.set_source_state(lost());
        assert_eq!(kept(&track, Some(&source)).await, LOSS_PATIENCE.as_millis());
        let returns = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert_eq!(*source.leases().borrow(), 1, "it starts beside what is made of it");
            source.set_source_state(SourceState::Live);
            tokio::time::sleep(Duration::from_secs(3)).await;
            publish(&track, SystemClock.mono(), b"new");
        };
        let (unit, ()) = tokio::join!(patient(&track, Some(&source), &SystemClock), returns);
        assert_eq!(unit.map(|unit| unit.payload.to_vec()), Some(b"new".to_vec()), "it came back in time");
        publish(&track, MonoTime::from_nanos(SystemClock.mono().as_nanos().saturating_sub(2_000_000_000)), b"old");
        track.set_source_state(lost());
        assert_eq!(kept(&track, None).await, LOSS_PATIENCE.as_millis(), "what was seen last is too old");
    }
}
