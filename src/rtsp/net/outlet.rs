//! One track by UDP to all viewers that contacted one local address.
//!
//! ```text
//! PLAY ─► catching up (own task, own pace) ── at the head ──► live (shared fan-out) ──► gone (TEARDOWN, expiry)
//! ```
//! A viewer that starts in the past is brought to the present at a pace that its receive buffer can take; from then on one
//! `sendmmsg` serves everybody.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task::JoinHandle};

use super::{tracks::RtspTrack, udp::UdpPair};
use crate::{
    base::clock::{Clock, MonoTime},
    hub::{Cursor, MediaTime, Next, Unit},
    rtsp::core::{agreement::Agreement, reports, wire::Wire},
};

/// The sockets of one track and local address, with their viewers.
pub(super) struct Outlet {
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 3],
}

struct Shared {
    track: Arc<RtspTrack>,
    pair: UdpPair,
    clock: Arc<dyn Clock>,
    viewers: Mutex<Viewers>,
    /// The fan-out has something to do again.
    resumed: Notify,
}

#[derive(Default)]
struct Viewers {
    all: Vec<Viewer>,
    /// The number of the unit that the fan-out sends next; `None` while it rests.
    next: Option<u64>,
    last_id: u64,
}

struct Viewer {
    id: u64,
    rtp: SocketAddr,
    rtcp: SocketAddr,
    /// From which unit on the fan-out serves it; `None` before PLAY, while it catches up and after PAUSE.
    live_from: Option<u64>,
    next_report: Option<MonoTime>,
    agreement: Agreement,
    signs: Arc<Signs>,
}

/// What the outlet knows of a viewer and its registration asks for.
#[derive(Default)]
struct Signs {
    /// When the client last sent RTCP; 0 if it never did.
    last_seen: AtomicU64,
    /// The units are no longer what the client was told.
    ended: AtomicBool,
}

/// A viewer's place in an outlet. Dropping it says BYE and frees the place.
pub(super) struct Registration {
    outlet: Arc<Outlet>,
    id: u64,
    signs: Arc<Signs>,
    catching_up: Mutex<Option<JoinHandle<()>>>,
}

const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// Reports that become due so soon go with those that are due.
const REPORT_SLACK: Duration = Duration::from_millis(500);
/// What a viewer is sent within a millisecond at most (design section 5 allows twice as much): a default receive buffer holds
/// some ninety packets, and the viewer may have looked after it two milliseconds ago.
const BURST: usize = 32 << 10;
const BURST_TIME: Duration = Duration::from_millis(1);
const CATCH_UP_SPEED: u32 = 4;
const LONGEST_FRAME: Duration = Duration::from_millis(200);

impl Outlet {
    /// Opens the sockets and starts the tasks, which end with the last registration.
    pub(super) fn open(track: &Arc<RtspTrack>, local: IpAddr, clock: Arc<dyn Clock>) -> std::io::Result<Arc<Self>> {
        let shared = Arc::new(Shared {
            track: Arc::clone(track),
            pair: UdpPair::bind(local)?,
            clock,
            viewers: Mutex::default(),
            resumed: Notify::new(),
        });
        let tasks = [
            tokio::spawn(fan_out(Arc::clone(&shared))),
            tokio::spawn(receive(Arc::clone(&shared))),
            tokio::spawn(report(Arc::clone(&shared))),
        ];
        Ok(Arc::new(Self { shared, tasks }))
    }

    /// The server's ports for RTP and RTCP.
    pub(super) fn ports(&self) -> (u16, u16) {
        self.shared.pair.ports
    }

    /// Reserves a place for a client; nothing is sent before [`Registration::play`].
    ///
    /// Only one receives at an address: whoever was registered for it came again without TEARDOWN, as recorders with ports of
    /// their own choice do after a restart. The older place goes without a BYE, which the newer would take for its own; its
    /// session is no longer kept by RTCP and ends by silence.
    pub(super) fn register(self: &Arc<Self>, rtp: SocketAddr, rtcp: SocketAddr, agreement: Agreement) -> Registration {
        let signs = Arc::<Signs>::default();
        let mut viewers = self.shared.viewers();
        viewers.all.retain(|viewer| viewer.rtp != rtp);
        viewers.last_id += 1;
        let id = viewers.last_id;
        let viewer = Viewer { id, rtp, rtcp, live_from: None, next_report: None, agreement, signs: Arc::clone(&signs) };
        viewers.all.push(viewer);
        drop(viewers);
        Registration { outlet: Arc::clone(self), id, signs, catching_up: Mutex::default() }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Registration {
    /// The server's ports for RTP and RTCP.
    pub(super) fn ports(&self) -> (u16, u16) {
        self.outlet.ports()
    }

    /// Starts sending from where the cursor stands.
    pub(super) fn play(&self, cursor: Cursor) {
        let task = tokio::spawn(catch_up(Arc::clone(&self.outlet.shared), self.id, cursor));
        self.replace_task(Some(task));
    }

    /// Stops sending.
    pub(super) fn pause(&self) {
        self.replace_task(None);
        let mut viewers = self.outlet.shared.viewers();
        if let Some(viewer) = viewers.all.iter_mut().find(|viewer| viewer.id == self.id) {
            viewer.live_from = None;
            viewer.next_report = None;
        }
    }

    /// When the client last sent RTCP, if it ever did (KA-3).
    pub(super) fn last_seen(&self) -> Option<MonoTime> {
        let nanos = self.signs.last_seen.load(Ordering::Relaxed);
        (nanos > 0).then(|| MonoTime::from_nanos(nanos))
    }

    /// Whether nothing more is sent because the units are no longer what the client was told.
    pub(super) fn has_ended(&self) -> bool {
        self.signs.ended.load(Ordering::Relaxed)
    }

    fn replace_task(&self, task: Option<JoinHandle<()>>) {
        let mut slot = self.catching_up.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = std::mem::replace(&mut *slot, task) {
            old.abort();
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.replace_task(None);
        let shared = &self.outlet.shared;
        let mut viewers = shared.viewers();
        let Some(index) = viewers.all.iter().position(|viewer| viewer.id == self.id) else { return };
        let viewer = viewers.all.swap_remove(index);
        drop(viewers);
        shared.say_bye(&viewer);
    }
}

impl Shared {
    fn viewers(&self) -> MutexGuard<'_, Viewers> {
        self.viewers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a unit goes for a viewer that catches up; `None` if its place went to another or the unit ends it.
    fn destination(&self, id: u64, unit: &Unit) -> Option<SocketAddr> {
        let mut viewers = self.viewers();
        let index = viewers.all.iter().position(|viewer| viewer.id == id)?;
        let viewer = &mut viewers.all[index];
        if viewer.agreement.holds(&unit.parameters) {
            return Some(viewer.rtp);
        }
        let viewer = viewers.all.swap_remove(index);
        drop(viewers);
        self.end(&viewer);
        None
    }

    /// Ends the live viewers to whom this unit would mean something else than they were told.
    fn end_misled(&self, unit: &Unit) {
        let holds = |viewer: &mut Viewer| {
            let sees = viewer.live_from.is_some_and(|from| from <= unit.sequence);
            !sees || viewer.agreement.holds(&unit.parameters)
        };
        let mut viewers = self.viewers();
        let misled: Vec<Viewer> = viewers.all.extract_if(.., |viewer| !holds(viewer)).collect();
        drop(viewers);
        misled.iter().for_each(|viewer| self.end(viewer));
    }

    fn end(&self, viewer: &Viewer) {
        tracing::info!(viewer = %viewer.rtp, "the encoding of a track changed: its viewer must ask anew");
        viewer.signs.ended.store(true, Ordering::Relaxed);
        self.say_bye(viewer);
    }

    /// RT-10, to whoever was sent anything. A full socket buffer is no reason to wait for a client that leaves.
    fn say_bye(&self, viewer: &Viewer) {
        if viewer.next_report.is_none() {
            return;
        }
        let newest = self.track.track.newest_unit();
        let bye = newest.map(|unit| reports::goodbye(&self.track.identity, &unit, self.clock.mono()));
        let _ = bye.map(|bye| self.pair.rtcp.try_send_to(&bye, viewer.rtcp));
    }

    /// Notes a sign of life from an address; says whether any viewer sends its reports from there (KA-3).
    fn note_life(&self, from: SocketAddr) -> bool {
        let now = self.clock.mono().as_nanos();
        let mut known = false;
        for viewer in self.viewers().all.iter().filter(|viewer| viewer.rtcp == from) {
            viewer.signs.last_seen.store(now, Ordering::Relaxed);
            known = true;
        }
        known
    }

    /// Joins a viewer to the fan-out if it has read up to where that stands.
    fn join(&self, id: u64, position: u64) -> bool {
        let mut viewers = self.viewers();
        match viewers.next {
            Some(next) if next > position => return false,
            Some(_) => {}
            None => viewers.next = Some(position),
        }
        if let Some(viewer) = viewers.all.iter_mut().find(|viewer| viewer.id == id) {
            viewer.live_from = Some(position);
        }
        drop(viewers);
        self.resumed.notify_one();
        true
    }

    /// The destinations of a unit; `None` when there is nobody left, and the fan-out rests.
    fn destinations(&self, sequence: u64) -> Option<Vec<SocketAddr>> {
        let mut viewers = self.viewers();
        let live = viewers.all.iter().filter_map(|viewer| Some((viewer.live_from?, viewer.rtp)));
        let to: Vec<_> = live.collect();
        viewers.next = (!to.is_empty()).then_some(sequence + 1);
        viewers.next?;
        Some(to.into_iter().filter(|(from, _)| *from <= sequence).map(|(_, rtp)| rtp).collect())
    }

    /// Sends one unit; a large one is spread over half the time until the next (design section 5), and units that come at
    /// once, as after a stall of their source, do not leave at once.
    async fn send(&self, unit: &Unit, to: &[SocketAddr], frame: Duration, pace: &mut Pace) {
        let Some(wire) = Wire::of(unit) else { return };
        let datagrams = wire.datagrams();
        let bursts = datagrams.bytes.len().div_ceil(BURST) as u32;
        let pause = (frame / 2 / bursts.max(1)).max(BURST_TIME);
        for run in &datagrams.runs {
            if pace.is_exhausted(run.len as usize, self.clock.mono()) {
                tokio::time::sleep(pause).await;
            }
            pace.sent(run.len as usize, self.clock.mono());
            if let Err(error) = self.pair.send_run(&datagrams.bytes, *run, to).await {
                tracing::debug!(%error, "cannot send by UDP");
                return;
            }
        }
    }

    /// Sends a sender report to one client and says when the next is due.
    fn send_report(&self, to: SocketAddr, now: MonoTime) -> Option<MonoTime> {
        let report = reports::sender_report(&self.track.identity, &*self.track.track.newest_unit()?, now);
        let _ = self.pair.rtcp.try_send_to(&report, to);
        Some(now + REPORT_INTERVAL)
    }
}

/// What was sent in the present millisecond.
#[derive(Debug, Default)]
struct Pace {
    last: Option<MonoTime>,
    bytes: usize,
}

impl Pace {
    /// Whether so many bytes more would be too many at once.
    fn is_exhausted(&self, bytes: usize, now: MonoTime) -> bool {
        let at_once = self.last.is_some_and(|last| now.since(last) < BURST_TIME);
        at_once && self.bytes > 0 && self.bytes + bytes > BURST
    }

    fn sent(&mut self, bytes: usize, now: MonoTime) {
        if self.last.is_none_or(|last| now.since(last) >= BURST_TIME) {
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.last = Some(now);
    }
}

/// How long a unit lasts: the distance to the one before, within reason.
fn frame_time(previous: Option<MediaTime>, unit: &Unit) -> Duration {
    let nanos = previous.map_or(0, |previous| unit.decode_time.as_nanos() - previous.as_nanos());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)).min(LONGEST_FRAME)
}

/// Sends every unit once for all live viewers.
async fn fan_out(shared: Arc<Shared>) {
    loop {
        let start = shared.viewers().next;
        let Some(start) = start else {
            shared.resumed.notified().await;
            continue;
        };
        let mut cursor = shared.track.track.read_at(start);
        let mut previous = None;
        let mut generation = None;
        let mut pace = Pace::default();
        loop {
            let Next::Unit(unit) = cursor.next().await else { continue };
            if generation != Some(unit.parameters.generation) {
                shared.end_misled(&unit);
                generation = Some(unit.parameters.generation);
            }
            let Some(to) = shared.destinations(unit.sequence) else { break };
            shared.send(&unit, &to, frame_time(previous, &unit), &mut pace).await;
            previous = Some(unit.decode_time);
        }
    }
}

/// Brings one viewer to the present and hands it over to the fan-out.
async fn catch_up(shared: Arc<Shared>, id: u64, mut cursor: Cursor) {
    let mut previous = None;
    let mut reported = false;
    let mut pace = Pace::default();
    loop {
        if reported && cursor.peek().is_none() && shared.join(id, cursor.position()) {
            return;
        }
        let Next::Unit(unit) = cursor.next().await else { continue };
        let Some(to) = shared.destination(id, &unit) else { return };
        let frame = frame_time(previous, &unit);
        shared.send(&unit, &[to], frame / CATCH_UP_SPEED, &mut pace).await;
        previous = Some(unit.decode_time);
        if !reported {
            // RT-3: the first report goes with the first unit.
            let next = shared.viewers().all.iter().find(|viewer| viewer.id == id).map(|viewer| viewer.rtcp);
            let due = next.and_then(|rtcp| shared.send_report(rtcp, shared.clock.mono()));
            if let Some(viewer) = shared.viewers().all.iter_mut().find(|viewer| viewer.id == id) {
                viewer.next_report = due;
            }
            reported = true;
        }
        if cursor.peek().is_some() {
            tokio::time::sleep((frame / CATCH_UP_SPEED).max(Duration::from_millis(1))).await;
        }
    }
}

/// Sends the reports that are due, once a second.
async fn report(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(shared.clock.mono().to_next_second()).await;
        let now = shared.clock.mono();
        let due: Vec<_> = {
            let mut viewers = shared.viewers();
            let due = viewers
                .all
                .iter_mut()
                .filter(|viewer| viewer.next_report.is_some_and(|next| next <= now + REPORT_SLACK));
            due.map(|viewer| {
                viewer.next_report = Some(now + REPORT_INTERVAL);
                viewer.rtcp
            })
            .collect()
        };
        for to in due {
            shared.send_report(to, now);
        }
    }
}

/// Takes the clients' RTCP: signs of life, and requests for a key frame (RT-6).
async fn receive(shared: Arc<Shared>) {
    let mut buffer = vec![0; 2048];
    loop {
        let Ok((len, from)) = shared.pair.rtcp.recv_from(&mut buffer).await else {
            // An ICMP error of one client; the socket goes on.
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        };
        let Some(feedback) = reports::read_feedback(&buffer[..len], shared.track.identity.ssrc) else { continue };
        if shared.note_life(from) && feedback.wants_key {
            shared.track.request_key(shared.clock.mono());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::{net::UdpSocket, time::timeout};

    use super::{super::scene::Scene, *};

    /// Design section 5: units that come at once do not leave at once.
    #[test]
    fn no_viewer_is_sent_more_than_a_burst_in_a_millisecond() {
        let at = |micros: u64| MonoTime::from_nanos(1_000_000 + micros * 1000);
        let mut pace = Pace::default();
        assert!(!pace.is_exhausted(10 * BURST, at(0)), "the first run goes, whatever its size");
        pace.sent(BURST / 2, at(0));
        assert!(!pace.is_exhausted(BURST / 2, at(10)));
        pace.sent(BURST / 2, at(10));
        assert!(pace.is_exhausted(1, at(20)), "of another unit, too");
        assert!(!pace.is_exhausted(BURST, at(1010)));
        pace.sent(BURST, at(1010));
        assert!(pace.is_exhausted(1, at(1020)));
    }

    /// A client's sockets and an outlet of the Standard definition.
    struct Viewing {
        scene: Scene,
        rtp: UdpSocket,
        rtcp: UdpSocket,
        outlet: Arc<Outlet>,
    }

    impl Viewing {
        async fn begin() -> Self {
            let scene = Scene::new();
            let track = scene.context.tracks.of(scene.track("standard")).unwrap();
            let outlet = track.outlet(IpAddr::V4(Ipv4Addr::LOCALHOST), &scene.clock).unwrap();
            let bind = || UdpSocket::bind("127.0.0.1:0");
            Self { rtp: bind().await.unwrap(), rtcp: bind().await.unwrap(), outlet, scene }
        }

        fn register(&self) -> Registration {
            let (rtp, rtcp) = (self.rtp.local_addr().unwrap(), self.rtcp.local_addr().unwrap());
            self.outlet.register(rtp, rtcp, Agreement::on(None))
        }

        fn play(&self, registration: &Registration) {
            registration.play(self.scene.track("standard").read_from_key());
        }

        async fn packets(socket: &UdpSocket) -> usize {
            let mut count = 0;
            while timeout(Duration::from_millis(200), socket.recv(&mut [0; 2048])).await.is_ok() {
                count += 1;
            }
            count
        }
    }

    /// A client with ports of its own choice that comes again without TEARDOWN gets every packet once, and its reports keep
    /// only what it uses.
    #[tokio::test]
    async fn a_client_that_comes_again_takes_its_own_place() {
        let mut viewing = Viewing::begin().await;
        viewing.scene.picture(true, 100);
        let forgotten = viewing.register();
        viewing.play(&forgotten);
        assert_eq!(Viewing::packets(&viewing.rtp).await, 1);
        let again = viewing.register();
        viewing.play(&again);
        assert_eq!(Viewing::packets(&viewing.rtp).await, 1);
        viewing.scene.picture(false, 100);
        assert_eq!(Viewing::packets(&viewing.rtp).await, 1);

        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, viewing.outlet.ports().1));
        viewing.rtcp.send_to(&belvedere_harness::rtp::receiver_report(7), server).await.unwrap();
        while again.last_seen().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(forgotten.last_seen(), None);
        assert_eq!(Viewing::packets(&viewing.rtcp).await, 2, "a report for each PLAY");
        drop(forgotten);
        assert_eq!(Viewing::packets(&viewing.rtcp).await, 0, "no BYE to the client that goes on");
        viewing.scene.picture(false, 100);
        assert_eq!(Viewing::packets(&viewing.rtp).await, 1);
        assert_eq!(viewing.outlet.shared.viewers().all.len(), 1);
    }

    /// KA-3: clients that share one port for their reports are all kept by them.
    #[tokio::test]
    async fn a_report_keeps_every_viewer_that_it_may_come_from() {
        let viewing = Viewing::begin().await;
        let first = viewing.register();
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (rtp, rtcp) = (other.local_addr().unwrap(), viewing.rtcp.local_addr().unwrap());
        let second = viewing.outlet.register(rtp, rtcp, Agreement::on(None));
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, viewing.outlet.ports().1));
        viewing.rtcp.send_to(&belvedere_harness::rtp::receiver_report(7), server).await.unwrap();
        let both = async {
            while first.last_seen().is_none() || second.last_seen().is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(5), both).await.unwrap();
    }
}
