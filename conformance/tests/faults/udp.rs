//! RTP and RTCP in datagrams through the proxy: its own ports stand before those of the judge.
//!
//! ```text
//!   judge client_port ◄── proxy client_port ◄── device server_port
//! ```

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Result;
use belvedere_harness::{proxy::Message, rtsp::UdpPair};
use socket2::SockRef;

use crate::{
    proxy::{Shared, lock},
    rtp::Packets,
};

/// How long a socket waits at a time, so that it is seen when all is over.
const TURN: Duration = Duration::from_millis(50);
/// What the kernel is asked to keep of datagrams, in bytes: what is lost shall be lost by a rule.
const DATAGRAMS: usize = 4 << 20;

/// A pair of ports before those of the judge; it passes on until it is dropped.
#[derive(Debug)]
pub(crate) struct Ports {
    own: u16,
    judge: u16,
    over: Arc<AtomicBool>,
}

impl Ports {
    /// Takes a pair of ports for a SETUP that asks for datagrams, and has them asked for in the place of the judge's.
    pub(crate) fn open(
        request: &mut Message,
        device: SocketAddr,
        judge: SocketAddr,
        shared: &Arc<Shared>,
    ) -> Result<Option<Self>> {
        let asked = request.header("transport").and_then(|value| port(value, "client_port"));
        let Some(asked) = asked.filter(|_| request.method() == "SETUP") else { return Ok(None) };
        let pair = UdpPair::bind(device.ip())?;
        let ports = Self { own: pair.port, judge: asked, over: Arc::default() };
        let kind = shared.kinds.of_address(request.start.split(' ').nth(1).unwrap_or_default());
        let packets = Arc::new(Mutex::new(Packets::of(kind)));
        for (channel, socket) in [(0_u8, pair.rtp), (1, pair.rtcp)] {
            socket.set_read_timeout(Some(TURN))?;
            // The kernel may give less; then more may be lost on a busy machine.
            let _ = SockRef::from(&socket).set_recv_buffer_size(DATAGRAMS);
            let to = SocketAddr::new(judge.ip(), asked + u16::from(channel));
            let (over, packets, shared) = (Arc::clone(&ports.over), Arc::clone(&packets), Arc::clone(shared));
            thread::spawn(move || {
                let mut buffer = vec![0; 65_536];
                while !over.load(Ordering::Relaxed) {
                    let Ok(length) = socket.recv(&mut buffer) else { continue };
                    let packet = buffer[..length].to_vec();
                    if let Some(packet) = lock(&packets).changed(channel, packet, &shared.rules, &shared.kinds) {
                        let _ = socket.send_to(&packet, to);
                    }
                }
            });
        }
        replace(request, "client_port", ports.own);
        Ok(Some(ports))
    }

    /// Has the judge told of its own ports as the client's, and of the proxy's as the device's.
    pub(crate) fn relocate(&self, answer: &mut Message) {
        replace(answer, "client_port", self.judge);
        replace(answer, "server_port", self.own);
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// The first of a pair of ports in a Transport header.
fn port(transport: &str, name: &str) -> Option<u16> {
    let field = transport.split(';').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))?;
    field.split('-').next()?.parse().ok()
}

/// Names another pair of ports in the Transport header, if it names one.
fn replace(message: &mut Message, name: &str, port: u16) {
    let headers = message.headers.iter_mut().filter(|(own, _)| own.eq_ignore_ascii_case("transport"));
    for (_, value) in headers {
        let field = |field: &str| {
            let is_it = field.trim().strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
            if is_it { format!("{name}={port}-{}", port + 1) } else { field.to_owned() }
        };
        *value = value.split(';').map(field).collect::<Vec<_>>().join(";");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_named_in_the_place_of_others() {
        let headers =
            vec![("Transport".to_owned(), "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001".to_owned())];
        let mut message = Message { start: "SETUP rtsp://h/a RTSP/1.0".into(), headers, ..Message::default() };
        assert_eq!(port(message.header("transport").unwrap(), "client_port"), Some(5000));
        replace(&mut message, "client_port", 7000);
        replace(&mut message, "server_port", 8000);
        let expected = "RTP/AVP;unicast;client_port=7000-7001;server_port=8000-8001";
        assert_eq!(message.header("transport"), Some(expected));
        assert_eq!(port("RTP/AVP/TCP;unicast;interleaved=0-1", "client_port"), None);
    }
}
