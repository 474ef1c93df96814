//! The devices of this server, as others discover them.
//!
//! ```text
//! receive(datagram) ─┐                               ┌─► poll(): a datagram to be sent, until there is none
//! update, set_mode ──┼─► jobs, each with its time ───┤
//! set_links, bye ────┘                               └─► deadline(): when to poll again
//! ```
//! A device in discoverable mode says Hello on every link that appears or gets other addresses, and whenever its scopes
//! change; it answers what is meant for it. A device in non-discoverable mode is silent (Core section 7.2). Announcements are
//! sent twice, as SOAP-over-UDP has it; answers once, so that nobody gains by forging a sender: who misses one asks again.

use std::{
    net::{IpAddr, SocketAddr, SocketAddrV6},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

use super::{
    envelope::{self, Content, Description, Heading},
    limiter::Limiter,
    link::{Link, may_answer},
    names::{GROUP_V4, GROUP_V6, PORT, TYPES},
    random::Random,
    request::{Name, Probe, RequestBody, Unreadable, parse},
    schedule::Schedule,
    scope::Rule,
    seen::Seen,
};
use crate::{base::clock::MonoTime, camera::Uuid};

/// The longest that a device waits before it says Hello or answers a multicast Probe (WS-Discovery section 2.4): many devices
/// hear the same Probe, and wake up after the same power cut.
const APP_MAX_DELAY: Duration = Duration::from_millis(500);
/// When an announcement is sent again (SOAP-over-UDP appendix I: `UDP_MIN_DELAY` and `UDP_MAX_DELAY`).
const REPEAT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));

/// Gives a device's addresses, since only its owner knows its ports and what name it is to be called by.
pub trait XAddrs: Send + Sync {
    /// The addresses of the device service, best first, for those who reach this machine at these addresses, best first.
    /// Without any, nothing is said of the device there.
    fn xaddrs(&self, local: &[IpAddr]) -> Vec<String>;

    /// Scopes that hold only for those who reach this machine at these addresses, beside the device's own: its hardware
    /// address there.
    fn scopes(&self, local: &[IpAddr]) -> Vec<String> {
        let _ = local;
        Vec::new()
    }
}

/// Whether a device may be discovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It announces itself and answers.
    Discoverable,
    /// It is silent.
    NonDiscoverable,
}

/// A device.
#[derive(Clone)]
pub struct Device {
    /// The camera's id.
    pub id: String,
    /// The address of its endpoint, for good.
    pub uuid: Uuid,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Counts changes of the scopes, across restarts.
    pub metadata_version: u32,
    /// Whether it may be discovered.
    pub mode: Mode,
    /// Its addresses.
    pub xaddrs: Arc<dyn XAddrs>,
}

/// A datagram that arrived.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Its content.
    pub bytes: &'a [u8],
    /// Who sent it.
    pub from: SocketAddr,
    /// To which of our addresses, to which group, or to which broadcast address.
    pub to: IpAddr,
    /// The interface on which it arrived.
    pub link: u32,
}

/// A datagram to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// The interface, where it is not for the routing table to say.
    pub link: Option<u32>,
    /// Our address, where a certain one was asked.
    pub from: Option<IpAddr>,
    /// To whom.
    pub to: SocketAddr,
    /// Its content.
    pub bytes: Bytes,
}

/// Why a datagram is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// It could not be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It is no request.
    #[error("not a request")]
    NotARequest,
    /// Its sender is no single machine, or is not near.
    #[error("the sender is not to be answered")]
    Sender,
    /// It was received before.
    #[error("a repetition")]
    Repeated,
    /// It arrived on an interface that is not in use.
    #[error("not on one of our links")]
    Link,
    /// None of our devices is meant.
    #[error("none of our devices is meant")]
    NoMatch,
    /// The rule for matching scopes is unknown, and everybody was asked.
    #[error("the matching rule is not known")]
    UnknownRule,
    /// There were too many requests.
    #[error("too many requests")]
    TooOften,
}

/// The devices of this server.
pub struct Responder {
    devices: Vec<Entry>,
    links: Vec<Link>,
    jobs: Schedule<Job>,
    seen: Seen,
    limiter: Limiter,
    random: Random,
}

struct Entry {
    device: Device,
    instance: u32,
    messages: u32,
}

enum Job {
    Hello { device: usize, link: u32, ipv6: bool },
    Match { device: usize, link: u32, asked: Asked, resolve: bool },
    Send { transmit: Transmit, again: Option<Duration> },
}

/// Where a request came from.
#[derive(Clone)]
struct Asked {
    by: SocketAddr,
    /// Our address, unless everybody was asked.
    at: Option<IpAddr>,
    message_id: String,
}

impl Responder {
    /// Speaks for these devices. The instance number must be greater than in every earlier run; the seed only spreads delays
    /// and message ids.
    pub fn new(devices: Vec<Device>, instance: u32, seed: u64) -> Self {
        Self {
            devices: devices.into_iter().map(|device| Entry { device, instance, messages: 0 }).collect(),
            links: Vec::new(),
            jobs: Schedule::default(),
            seen: Seen::default(),
            limiter: Limiter::default(),
            random: Random::new(seed),
        }
    }

    /// Takes the links that there are now. On those that are new or have other addresses, devices say Hello.
    pub fn set_links(&mut self, links: Vec<Link>, now: MonoTime) {
        let before = std::mem::replace(&mut self.links, links);
        let changed: Vec<u32> =
            self.links.iter().filter(|link| !before.contains(link)).map(|link| link.index).collect();
        for device in 0..self.devices.len() {
            self.hello(device, now, |link| changed.contains(&link.index));
        }
    }

    /// Changes a device's scopes; returns its metadata version, or nothing where there is no such device.
    pub fn update(&mut self, id: &str, scopes: Vec<String>, now: MonoTime) -> Option<u32> {
        let index = self.find(id)?;
        let device = &mut self.devices[index].device;
        if device.scopes != scopes {
            device.scopes = scopes;
            device.metadata_version = device.metadata_version.saturating_add(1);
            self.hello(index, now, |_| true);
        }
        Some(self.devices[index].device.metadata_version)
    }

    /// Lets a device be discovered or not; says whether there is such a device.
    pub fn set_mode(&mut self, id: &str, mode: Mode, now: MonoTime) -> bool {
        let Some(index) = self.find(id) else { return false };
        let before = std::mem::replace(&mut self.devices[index].device.mode, mode);
        if before != mode && mode == Mode::Discoverable {
            self.hello(index, now, |_| true);
        }
        true
    }

    /// Lets a device leave and come back, as after a reboot; says whether there is such a device.
    pub fn restart(&mut self, id: &str, now: MonoTime) -> bool {
        let Some(index) = self.find(id) else { return false };
        self.bye(index, now);
        let entry = &mut self.devices[index];
        (entry.instance, entry.messages) = (entry.instance.saturating_add(1), 0);
        self.hello(index, now + REPEAT.1, |_| true);
        true
    }

    /// Lets all devices leave. Once [`deadline`](Self::deadline) has nothing more, everything has been said.
    pub fn leave(&mut self, now: MonoTime) {
        for index in 0..self.devices.len() {
            self.bye(index, now);
            self.devices[index].device.mode = Mode::NonDiscoverable;
        }
    }

    /// Takes a datagram; says how many answers there will be.
    pub fn receive(&mut self, received: Received<'_>, now: MonoTime) -> Result<usize, Ignored> {
        let request = parse(received.bytes)?.ok_or(Ignored::NotARequest)?;
        if received.from.port() == 0 || !may_answer(received.from.ip(), &self.links) {
            return Err(Ignored::Sender);
        }
        if !self.seen.is_new(received.from, &request.message_id, now) {
            return Err(Ignored::Repeated);
        }
        // Groups and broadcast addresses are nobody's, and nothing can be sent from them.
        let at = Some(received.to.to_canonical()).filter(|to| self.links.iter().any(|link| link.owns(*to)));
        let link = self.arrived(received.link, at).ok_or(Ignored::Link)?;
        let asked = Asked { by: received.from, at, message_id: request.message_id };
        match request.body {
            RequestBody::Probe(probe) => self.probed(&probe, link, &asked, now),
            RequestBody::Resolve(address) => self.resolve(&address, link, &asked, now),
        }
    }

    /// When something is to be done next.
    pub fn deadline(&self) -> Option<MonoTime> {
        self.jobs.deadline()
    }

    /// Does what is due, up to the next datagram.
    pub fn poll(&mut self, now: MonoTime) -> Option<Transmit> {
        while let Some(job) = self.jobs.pop(now) {
            match job {
                Job::Hello { device, link, ipv6 } => {
                    if let Some(transmit) = self.write_hello(device, link, ipv6) {
                        let again = Some(self.random.between(REPEAT.0, REPEAT.1));
                        self.jobs.push(now, Job::Send { transmit, again });
                    }
                }
                Job::Match { device, link, asked, resolve } => {
                    let transmit = self.write_match(device, link, &asked, resolve);
                    if transmit.is_some() {
                        return transmit;
                    }
                }
                Job::Send { transmit, again } => {
                    if let Some(delay) = again {
                        let repetition = Job::Send { transmit: transmit.clone(), again: None };
                        self.jobs.push(now + delay, repetition);
                    }
                    return Some(transmit);
                }
            }
        }
        None
    }

    fn find(&self, id: &str) -> Option<usize> {
        self.devices.iter().position(|entry| entry.device.id == id)
    }

    fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// The link on which a request counts as arrived: a program on this machine that asks the address of our network card is
    /// heard on loopback, and means the card.
    fn arrived(&self, index: u32, at: Option<IpAddr>) -> Option<u32> {
        let owner = at.and_then(|at| self.links.iter().find(|link| link.owns(at)));
        owner.or_else(|| self.link(index)).map(|link| link.index)
    }

    fn is_discoverable(&self, index: usize) -> bool {
        self.devices.get(index).is_some_and(|entry| entry.device.mode == Mode::Discoverable)
    }

    /// Plans Hellos on some links, unless they are planned already.
    fn hello(&mut self, device: usize, now: MonoTime, on: impl Fn(&Link) -> bool) {
        if !self.is_discoverable(device) {
            return;
        }
        for link in self.told(device).into_iter().filter(|link| on(link)) {
            for ipv6 in [false, true].into_iter().filter(|ipv6| link.has(*ipv6)) {
                let planned = |job: &Job| matches!(job, Job::Hello { device: d, link: l, ipv6: v } if (*d, *l, *v) == (device, link.index, ipv6));
                if !self.jobs.any(planned) {
                    let due = now + self.random.between(Duration::ZERO, APP_MAX_DELAY);
                    self.jobs.push(due, Job::Hello { device, link: link.index, ipv6 });
                }
            }
        }
    }

    /// The links on which a device comes and goes. Loopback is told only of a device that is nowhere else: who listens there
    /// hears the others too, and should not learn an address that works for nobody else.
    fn told(&self, device: usize) -> Vec<Link> {
        let Some(entry) = self.devices.get(device) else { return Vec::new() };
        let is_there = |link: &Link| !entry.device.xaddrs.xaddrs(&link.addresses_for(false, None)).is_empty();
        let outside = self.links.iter().any(|link| !link.loopback && is_there(link));
        self.links.iter().filter(|link| link.loopback != outside).cloned().collect()
    }

    /// Says Bye at once, and forgets what else the device was about to say.
    fn bye(&mut self, device: usize, now: MonoTime) {
        let own =
            |job: &Job| matches!(job, Job::Hello { device: d, .. } | Job::Match { device: d, .. } if *d == device);
        self.jobs.retain(|job| !own(job));
        if !self.is_discoverable(device) {
            return;
        }
        let links = self.told(device);
        let uuid = self.devices[device].device.uuid;
        for link in links {
            for ipv6 in [false, true].into_iter().filter(|ipv6| link.has(*ipv6)) {
                let bytes = self.write(device, None, |_| Content::Bye(uuid));
                let again = Some(self.random.between(REPEAT.0, REPEAT.1));
                self.jobs.push(now, Job::Send { transmit: to_group(link.index, ipv6, bytes), again });
            }
        }
    }

    fn probed(&mut self, probe: &Probe, link: u32, asked: &Asked, now: MonoTime) -> Result<usize, Ignored> {
        let Some(rule) = Rule::named(probe.match_by.as_deref()) else { return self.refuse_rule(asked, now) };
        if !probe.types.iter().all(is_our_type) {
            return Err(Ignored::NoMatch);
        }
        let local = self.link(link).map(|link| link.addresses_for(asked.by.is_ipv6(), asked.at)).unwrap_or_default();
        let meant = |entry: &Entry| rule.matches(&probe.scopes, &scopes(&entry.device, &local));
        let meant: Vec<usize> = (0..self.devices.len()).filter(|index| meant(&self.devices[*index])).collect();
        self.answer(&meant, link, asked, false, now)
    }

    fn resolve(&mut self, address: &str, link: u32, asked: &Asked, now: MonoTime) -> Result<usize, Ignored> {
        let lower = address.to_ascii_lowercase();
        let uuid =
            lower.strip_prefix("urn:").unwrap_or(&lower).strip_prefix("uuid:").and_then(|text| text.parse().ok());
        let meant = self.devices.iter().position(|entry| Some(entry.device.uuid) == uuid);
        self.answer(meant.as_slice(), link, asked, true, now)
    }

    /// Plans the answers of these devices. Who was asked alone, or is the only one meant, need not wait.
    fn answer(
        &mut self,
        meant: &[usize],
        link: u32,
        asked: &Asked,
        resolve: bool,
        now: MonoTime,
    ) -> Result<usize, Ignored> {
        let discoverable: Vec<usize> = meant.iter().copied().filter(|index| self.is_discoverable(*index)).collect();
        if discoverable.is_empty() {
            return Err(Ignored::NoMatch);
        }
        let mut answers = 0;
        for device in discoverable {
            if !self.limiter.admit(asked.by.ip(), now) {
                break;
            }
            let at_once = resolve || asked.at.is_some();
            let delay = if at_once { Duration::ZERO } else { self.random.between(Duration::ZERO, APP_MAX_DELAY) };
            let job = Job::Match { device, link, asked: asked.clone(), resolve };
            answers += usize::from(self.jobs.push(now + delay, job));
        }
        if answers == 0 { Err(Ignored::TooOften) } else { Ok(answers) }
    }

    /// Only who asked us alone learns of the mistake; an answer of every device would be a storm (Core section 7.3.6).
    fn refuse_rule(&mut self, asked: &Asked, now: MonoTime) -> Result<usize, Ignored> {
        let speaker = (0..self.devices.len()).find(|index| self.is_discoverable(*index));
        let (Some(device), Some(_)) = (speaker, asked.at) else { return Err(Ignored::UnknownRule) };
        if !self.limiter.admit(asked.by.ip(), now) {
            return Err(Ignored::TooOften);
        }
        let bytes = self.write(device, Some(&asked.message_id), |_| Content::UnknownRule);
        self.jobs.push(now, Job::Send { transmit: asked.reply(bytes), again: None });
        Ok(1)
    }

    fn write_hello(&mut self, device: usize, link: u32, ipv6: bool) -> Option<Transmit> {
        let here = self.here(device, link, ipv6, None)?;
        let bytes = self.write(device, None, |device| Content::Hello(here.describe(device)));
        Some(to_group(link, ipv6, bytes))
    }

    fn write_match(&mut self, device: usize, link: u32, asked: &Asked, resolve: bool) -> Option<Transmit> {
        let ipv6 = asked.by.ip().to_canonical().is_ipv6();
        let here = self.here(device, link, ipv6, asked.at)?;
        let bytes = self.write(device, Some(&asked.message_id), |device| {
            let description = here.describe(device);
            if resolve { Content::ResolveMatch(description) } else { Content::ProbeMatch(description) }
        });
        Some(asked.reply(bytes))
    }

    /// What a device is on a link; nothing where it has no address there, or has become silent, or the link is gone.
    fn here(&self, device: usize, link: u32, ipv6: bool, asked: Option<IpAddr>) -> Option<Here> {
        let local = self.link(link)?.addresses_for(ipv6, asked);
        let device = &self.devices.get(device)?.device;
        let xaddrs = if device.mode == Mode::Discoverable { device.xaddrs.xaddrs(&local) } else { Vec::new() };
        if xaddrs.is_empty() { None } else { Some(Here { xaddrs, scopes: scopes(device, &local) }) }
    }

    fn write<'a>(
        &'a mut self,
        device: usize,
        relates_to: Option<&str>,
        content: impl FnOnce(&'a Device) -> Content<'a>,
    ) -> Bytes {
        let message_id = self.random.uuid();
        let entry = &mut self.devices[device];
        entry.messages = entry.messages.saturating_add(1);
        let heading = Heading { message_id, relates_to, sequence: (entry.instance, entry.messages) };
        envelope::write(&heading, &content(&entry.device)).into()
    }
}

impl Asked {
    fn reply(&self, bytes: Bytes) -> Transmit {
        Transmit { link: None, from: self.at, to: self.by, bytes }
    }
}

/// A device as it is on one link.
struct Here {
    xaddrs: Vec<String>,
    scopes: Vec<String>,
}

impl Here {
    fn describe<'a>(&'a self, device: &Device) -> Description<'a> {
        let Self { xaddrs, scopes } = self;
        Description { uuid: device.uuid, scopes, xaddrs, metadata_version: device.metadata_version }
    }
}

fn scopes(device: &Device, local: &[IpAddr]) -> Vec<String> {
    device.scopes.iter().cloned().chain(device.xaddrs.scopes(local)).collect()
}

fn is_our_type(asked: &Name) -> bool {
    TYPES.iter().any(|(_, namespace, local)| asked.namespace == *namespace && asked.local == *local)
}

fn to_group(link: u32, ipv6: bool, bytes: Bytes) -> Transmit {
    let to =
        if ipv6 { SocketAddrV6::new(GROUP_V6, PORT, 0, link).into() } else { SocketAddr::new(GROUP_V4.into(), PORT) };
    Transmit { link: Some(link), from: None, to, bytes }
}
