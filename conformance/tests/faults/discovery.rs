//! WS-Discovery through the proxy: between two networks it passes on what is asked and what is said, changed by the rules.
//!
//! ```text
//!   network of the judge                      network of the device
//!   judge 10.77.0.2 ──── 10.77.0.1 relay 10.77.0.2 ──── 10.77.0.1 device
//! ```
//!
//! Both networks have the same addresses, so the device is where the judge looks for it.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use belvedere_harness::{
    network::{HERE, THERE},
    proxy::Message,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    proxy::{Shared, change},
    rule::Action,
    soap,
};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
const PORT: u16 = 3702;
/// How long answers to a question are waited for: longer than the judge does.
const ANSWERS: Duration = Duration::from_secs(6);
/// How long a socket waits at a time, so that it is seen when all is over.
const TURN: Duration = Duration::from_millis(50);

/// Does something on a host of a network: a socket that is made there stays there.
pub(crate) fn on<T: Send>(host: &str, run: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let enter = || -> Result<T> {
        let namespace = File::open(format!("/run/netns/{host}")).with_context(|| host.to_owned())?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        run()
    };
    // A thread of its own, and those that it makes, are there; all others stay where they are.
    thread::scope(|scope| scope.spawn(enter).join()).map_err(|_| anyhow!("a panic on {host}"))?
}

/// The relay; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Relay(Arc<AtomicBool>);

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The sockets towards the judge.
#[derive(Debug)]
pub(crate) struct Front {
    group: UdpSocket,
    alone: UdpSocket,
}

impl Front {
    /// Takes the place of the device, on the host that the judge sees.
    pub(crate) fn new() -> Result<Self> {
        let here: Ipv4Addr = HERE.parse()?;
        let alone = bound(here)?;
        alone.set_multicast_if_v4(&here)?;
        // The relay must not hear itself, or it would pass that on, too.
        alone.set_multicast_loop_v4(false)?;
        Ok(Self { group: group(here)?, alone: alone.into() })
    }
}

impl Relay {
    /// Starts, on the host that the device sees.
    pub(crate) fn start(front: Front, shared: &Arc<Shared>) -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let said = group(THERE.parse()?)?;
        let alone = Arc::new(front.alone);
        let device = SocketAddr::new(HERE.parse()?, PORT);
        for (socket, to) in [(front.group, (GROUP, PORT).into()), (alone.try_clone()?, device)] {
            let (over, alone, shared) = (Arc::clone(&over), Arc::clone(&alone), Arc::clone(shared));
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let Some((text, from)) = heard(&socket) else { continue };
                    let (alone, shared) = (Arc::clone(&alone), Arc::clone(&shared));
                    thread::spawn(move || pass(&text, to, &shared, |answer| alone.send_to(answer.as_bytes(), from)));
                }
            });
        }
        let (ended, shared) = (Arc::clone(&over), Arc::clone(shared));
        thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let changed = heard(&said).and_then(|(text, _)| changed(&text, &shared));
                if let Some(text) = changed {
                    let _ = alone.send_to(text.as_bytes(), (GROUP, PORT));
                }
            }
        });
        Ok(Self(over))
    }
}

/// Asks the device, and hands over what it answers.
fn pass(text: &str, to: SocketAddr, shared: &Shared, answer: impl Fn(&str) -> io::Result<usize>) -> Result<()> {
    let Some(text) = asked(text, shared) else { return Ok(()) };
    let there: Ipv4Addr = THERE.parse()?;
    let socket = UdpSocket::bind((there, 0))?;
    socket2::SockRef::from(&socket).set_multicast_if_v4(&there)?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_read_timeout(Some(TURN))?;
    socket.send_to(text.as_bytes(), to)?;
    let start = Instant::now();
    while start.elapsed() < ANSWERS {
        if let Some(text) = heard(&socket).and_then(|(text, _)| changed(&text, shared)) {
            answer(&text)?;
        }
    }
    Ok(())
}

/// What the rules make of a question; nothing if the device does not hear it.
fn asked(text: &str, shared: &Shared) -> Option<String> {
    let name = soap::operation(text)?;
    let mut question = text.to_owned();
    for rule in shared.rules.iter().filter(|rule| rule.concerns(&name, text, false, |name| shared.has_seen(name))) {
        if matches!(rule.action, Action::Silence) {
            return None;
        }
        question = rule.asked_instead(question);
    }
    Some(question)
}

/// What the rules make of a message; nothing if it is not passed on.
fn changed(text: &str, shared: &Shared) -> Option<String> {
    let name = soap::operation(text)?;
    let mut message = Message { body: shared.here(text).into_bytes(), ..Message::default() };
    for rule in shared.rules.iter().filter(|rule| rule.concerns(&name, text, false, |name| shared.has_seen(name))) {
        match &rule.action {
            Action::Silence => return None,
            action => change(&mut message, action).ok()?,
        }
    }
    String::from_utf8(message.body).ok()
}

fn heard(socket: &UdpSocket) -> Option<(String, SocketAddr)> {
    let mut buffer = vec![0; 65_536];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    buffer.truncate(length);
    Some((String::from_utf8(buffer).ok()?, from))
}

/// A socket that hears the group on an interface.
fn group(interface: Ipv4Addr) -> Result<UdpSocket> {
    let socket = bound(GROUP)?;
    socket.join_multicast_v4(&GROUP, &interface)?;
    Ok(socket.into())
}

fn bound(address: Ipv4Addr) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from((address, PORT)).into())?;
    socket.set_read_timeout(Some(TURN))?;
    Ok(socket)
}
