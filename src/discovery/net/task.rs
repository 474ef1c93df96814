//! The loop that drives the responder: read the interfaces, receive, send, sleep until something is due.

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::{
    Settings, Shared,
    sockets::{Buffer, GroupSocket},
};
use crate::{
    discovery::core::{Link, MAX_DATAGRAM, Received, Transmit},
    host::{HostError, Interface},
};

/// Reads the list of interfaces.
type Interfaces = Arc<dyn Fn() -> Result<Vec<Interface>, HostError> + Send + Sync>;

/// Most datagrams taken before others get their turn.
const BATCH: usize = 32;
/// How long a broken socket is left alone.
const PAUSE: Duration = Duration::from_millis(100);

/// What the loop holds.
pub(super) struct Task {
    shared: Arc<Shared>,
    interfaces: Interfaces,
    refresh: Interval,
    port: u16,
    ipv4: Option<GroupSocket>,
    ipv6: Option<GroupSocket>,
    /// What was complained of already.
    complaints: BTreeSet<String>,
}

/// What happened.
enum Woken {
    Refresh,
    Readable { ipv6: bool },
    Due,
}

impl Task {
    pub(super) fn new(shared: Arc<Shared>, settings: &Settings, interfaces: Interfaces) -> Self {
        let mut refresh = interval(settings.refresh);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let complaints = BTreeSet::new();
        Self { shared, interfaces, refresh, port: settings.port, ipv4: None, ipv6: None, complaints }
    }

    /// Runs until it is aborted.
    pub(super) async fn run(mut self) {
        let mut buffer: Box<Buffer> = Box::new([0; MAX_DATAGRAM + 1]);
        loop {
            match self.wait().await {
                Woken::Refresh => self.read_interfaces().await,
                Woken::Readable { ipv6 } => self.receive(ipv6, &mut buffer).await,
                Woken::Due => (),
            }
            self.send().await;
        }
    }

    async fn wait(&mut self) -> Woken {
        let now = self.shared.clock.mono();
        let deadline = self.shared.responder().deadline().map(|deadline| deadline.since(now));
        let due = async {
            match deadline {
                Some(delay) => sleep(delay).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.refresh.tick() => Woken::Refresh,
            () = readable(self.ipv4.as_ref()) => Woken::Readable { ipv6: false },
            () = readable(self.ipv6.as_ref()) => Woken::Readable { ipv6: true },
            () = due => Woken::Due,
            () = self.shared.wake.notified() => Woken::Due,
        }
    }

    async fn read_interfaces(&mut self) {
        let interfaces = Arc::clone(&self.interfaces);
        let links: Vec<Link> = match tokio::task::spawn_blocking(move || interfaces()).await {
            Ok(Ok(interfaces)) => interfaces.iter().filter_map(Link::of).collect(),
            Ok(Err(error)) => return self.complain("interfaces", &error),
            Err(error) => return self.complain("interfaces", &error),
        };
        self.join(&links, false);
        self.join(&links, true);
        self.shared.responder().set_links(links, self.shared.clock.mono());
        self.shared.dns_sd().check();
    }

    /// Opens the socket of a family once a link has it, and joins the group where it is not joined.
    fn join(&mut self, links: &[Link], ipv6: bool) {
        let family = if ipv6 { "IPv6" } else { "IPv4" };
        let slot = if ipv6 { &mut self.ipv6 } else { &mut self.ipv4 };
        if slot.is_none() && links.iter().any(|link| link.has(ipv6)) {
            match GroupSocket::open(ipv6, self.port) {
                Ok(socket) => *slot = Some(socket),
                Err(error) => return self.complain(&format!("port {} in {family}", self.port), &error),
            }
        }
        let failed = slot.as_mut().map(|socket| socket.join(links)).unwrap_or_default();
        for (link, error) in failed {
            self.complain(&format!("multicast on {link} in {family}"), &error);
        }
    }

    async fn receive(&mut self, ipv6: bool, buffer: &mut Buffer) {
        let Some(socket) = self.socket(ipv6) else { return };
        for _ in 0..BATCH {
            let arrival = match socket.receive(buffer) {
                Ok(Some(arrival)) => arrival,
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "cannot receive");
                    return sleep(PAUSE).await;
                }
            };
            let bytes = &buffer[..arrival.len];
            let received = Received { bytes, from: arrival.from, to: arrival.to, link: arrival.link };
            match self.shared.responder().receive(received, self.shared.clock.mono()) {
                Ok(answers) => tracing::debug!(from = %arrival.from, to = %arrival.to, answers, "asked"),
                Err(reason) => tracing::trace!(from = %arrival.from, to = %arrival.to, %reason, "not answered"),
            }
        }
    }

    async fn send(&mut self) {
        loop {
            let transmit = self.shared.responder().poll(self.shared.clock.mono());
            let Some(transmit) = transmit else { return };
            if let Err(error) = self.transmit(&transmit).await {
                // Interfaces come and go, and so do those who asked.
                tracing::debug!(%error, to = %transmit.to, "cannot send");
            }
        }
    }

    async fn transmit(&self, transmit: &Transmit) -> io::Result<()> {
        match self.socket(transmit.to.is_ipv6()) {
            Some(socket) => socket.send(transmit).await,
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn socket(&self, ipv6: bool) -> Option<&GroupSocket> {
        if ipv6 { self.ipv6.as_ref() } else { self.ipv4.as_ref() }
    }

    /// Logs trouble once; it is tried again at every turn.
    fn complain(&mut self, what: &str, error: &dyn std::fmt::Display) {
        if self.complaints.insert(what.to_owned()) {
            tracing::warn!(%error, what, "cameras cannot be discovered there");
        }
    }
}

async fn readable(socket: Option<&GroupSocket>) {
    match socket {
        Some(socket) if socket.readable().await.is_err() => sleep(PAUSE).await,
        Some(_) => (),
        None => std::future::pending().await,
    }
}
