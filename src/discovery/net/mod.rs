//! The shell around the responder: sockets, timers, and the list of interfaces.

mod dns_sd;
mod sockets;
mod task;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, task::JoinHandle};

use self::{dns_sd::DnsSd, task::Task};
use crate::{
    base::clock::Clock,
    camera::Uuid,
    discovery::core::{Device, Mode, PORT, Responder},
    host::{HostError, Interface},
};

/// How often the list of interfaces is read again.
const REFRESH: Duration = Duration::from_secs(3);
/// How long leaving may take: an announcement is repeated within a quarter of a second.
const LEAVE: Duration = Duration::from_secs(1);

/// How discovery is to run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The port; tests take another than the standard's.
    pub port: u16,
    /// Greater than in every earlier run, such as the seconds of UTC at the start.
    pub instance: u32,
    /// Spreads delays and message ids.
    pub seed: u64,
    /// How often the list of interfaces is read again.
    pub refresh: Duration,
    /// Whether cameras are published over DNS-SD too.
    pub dns_sd: bool,
}

/// A camera to be found.
#[derive(Clone)]
pub struct Endpoint {
    /// What WS-Discovery says of it.
    pub device: Device,
    /// The name that people see; where cameras of this server share one, DNS-SD adds the id to all but the first.
    pub name: String,
    /// What DNS-SD says of it.
    pub adverts: Vec<Advert>,
}

/// A service of a camera in DNS-SD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// What is spoken there.
    pub kind: AdvertKind,
    /// The port.
    pub port: u16,
    /// The path, told in the record's text.
    pub path: String,
}

/// What a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdvertKind {
    /// RTSP.
    Rtsp,
    /// A web page.
    Http,
    /// The device service of ONVIF.
    Onvif,
}

/// Lets the cameras of this server be found. Dropping it ends that without a word.
pub struct Discovery {
    shared: Arc<Shared>,
    endpoints: Vec<Endpoint>,
    task: JoinHandle<()>,
}

/// What the handle and the task have in common.
struct Shared {
    responder: Mutex<Responder>,
    /// The responder has something new to do.
    wake: Notify,
    clock: Arc<dyn Clock>,
    dns_sd: Mutex<DnsSd>,
}

impl Settings {
    /// The standard's port and both protocols.
    pub fn new(instance: u32, seed: u64) -> Self {
        Self { port: PORT, instance, seed, refresh: REFRESH, dns_sd: true }
    }
}

impl AdvertKind {
    /// The name of the service.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rtsp => "rtsp",
            Self::Http => "http",
            Self::Onvif => "onvif",
        }
    }
}

impl Discovery {
    /// Announces cameras and answers for them, on the interfaces that there are from time to time.
    ///
    /// It never fails: what does not work (no multicast, the port taken by a program that does not share it) is logged once
    /// and tried again. Needs a tokio runtime.
    pub fn start(
        settings: &Settings,
        mut endpoints: Vec<Endpoint>,
        clock: Arc<dyn Clock>,
        interfaces: impl Fn() -> Result<Vec<Interface>, HostError> + Send + Sync + 'static,
    ) -> Self {
        let names = dns_sd::instances(endpoints.iter().map(|it| (it.device.id.as_str(), it.name.as_str())));
        endpoints.iter_mut().zip(names).for_each(|(endpoint, name)| endpoint.name = name);
        let devices = endpoints.iter().map(|endpoint| endpoint.device.clone()).collect();
        let shared = Arc::new(Shared {
            responder: Mutex::new(Responder::new(devices, settings.instance, settings.seed)),
            wake: Notify::new(),
            clock,
            dns_sd: Mutex::new(DnsSd::start(settings.dns_sd)),
        });
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.device.mode == Mode::Discoverable) {
            shared.publish(endpoint);
        }
        let task = Task::new(Arc::clone(&shared), settings, Arc::new(interfaces));
        Self { shared, endpoints, task: tokio::spawn(task.run()) }
    }

    /// Changes a camera's scopes. Returns its metadata version, to be kept by the caller; nothing where there is no such
    /// camera.
    pub fn update(&self, id: &str, scopes: Vec<String>) -> Option<u32> {
        let version = self.shared.responder().update(id, scopes, self.shared.clock.mono());
        self.shared.wake.notify_one();
        version
    }

    /// Lets a camera be found or not, by either protocol; says whether there is such a camera.
    pub fn set_mode(&self, id: &str, mode: Mode) -> bool {
        let Some(endpoint) = self.endpoints.iter().find(|endpoint| endpoint.device.id == id) else { return false };
        self.shared.responder().set_mode(id, mode, self.shared.clock.mono());
        match mode {
            Mode::Discoverable => self.shared.publish(endpoint),
            Mode::NonDiscoverable => self.shared.dns_sd().withdraw(id),
        }
        self.shared.wake.notify_one();
        true
    }

    /// Lets a camera leave and come back, where it restarts and the server does not; says whether there is such a camera.
    pub fn restart(&self, id: &str) -> bool {
        let known = self.shared.responder().restart(id, self.shared.clock.mono());
        self.shared.wake.notify_one();
        known
    }

    /// Lets all cameras leave, and returns when that has been said, after a second at most.
    pub async fn shutdown(self) {
        self.shared.responder().leave(self.shared.clock.mono());
        self.shared.wake.notify_one();
        let withdraw = self.shared.dns_sd().stop();
        let withdrawn = tokio::task::spawn_blocking(withdraw);
        let said = async {
            while self.shared.responder().deadline().is_some() && !self.task.is_finished() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(LEAVE, said).await.is_err() {
            tracing::warn!("the cameras left the network without having said so everywhere");
        }
        if let Err(error) = withdrawn.await {
            tracing::warn!(%error, "cannot end DNS-SD");
        }
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn responder(&self) -> MutexGuard<'_, Responder> {
        self.responder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dns_sd(&self) -> MutexGuard<'_, DnsSd> {
        self.dns_sd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, endpoint: &Endpoint) {
        let uuid: Uuid = endpoint.device.uuid;
        self.dns_sd().publish(&endpoint.device.id, &endpoint.name, uuid, &endpoint.adverts);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

    use socket2::SockRef;

    use super::*;
    use crate::{
        base::clock::SystemClock,
        discovery::core::{GROUP_V4, GROUP_V6, XAddrs},
        host::{Host, Linux, Manage},
    };

    struct Http;

    impl XAddrs for Http {
        fn xaddrs(&self, local: &[IpAddr]) -> Vec<String> {
            local.iter().filter(|ip| ip.is_ipv4()).map(|ip| format!("http://{ip}:8080/onvif/device_service")).collect()
        }
    }

    fn endpoint() -> Endpoint {
        let device = Device {
            id: "cam".into(),
            uuid: Uuid::from_random([1; 16]),
            scopes: vec!["onvif://www.onvif.org/name/a".into()],
            metadata_version: 1,
            mode: Mode::Discoverable,
            xaddrs: Arc::new(Http),
        };
        Endpoint { device, name: "Camera".into(), adverts: Vec::new() }
    }

    /// Discovery on loopback, on a port of its own.
    fn start(port: u16) -> Discovery {
        let settings = Settings { port, dns_sd: false, ..Settings::new(1, 1) };
        let host = Linux::new(Manage::No);
        let loopback = move || Ok(host.interfaces()?.into_iter().filter(|interface| interface.loopback).collect());
        Discovery::start(&settings, vec![endpoint()], Arc::new(SystemClock), loopback)
    }

    /// A client on loopback.
    fn client() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        SockRef::from(&socket).set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        socket
    }

    /// Waits for a datagram that says this.
    async fn hear(socket: &UdpSocket, what: &str) -> String {
        for _ in 0..60 {
            let mut buffer = [0; 4096];
            match socket.recv(&mut buffer) {
                Ok(len) if String::from_utf8_lossy(&buffer[..len]).contains(what) => {
                    return String::from_utf8_lossy(&buffer[..len]).into_owned();
                }
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("did not hear {what}");
    }

    fn probe(id: &str) -> String {
        format!(
            r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
            ><s:Header><a:MessageID>{id}</a:MessageID></s:Header><s:Body><Probe xmlns="http://schemas.xmlsoap.org/ws/2005/04/discovery"
            /></s:Body></s:Envelope>"#
        )
    }

    fn free_port() -> u16 {
        UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_is_heard_and_answers_on_loopback_and_takes_its_leave() {
        let port = free_port();
        // Another program on the same port, which hears the group as well.
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
        listener.set_reuse_address(true).unwrap();
        listener.set_reuse_port(true).unwrap();
        listener.bind(&SocketAddr::new(GROUP_V4.into(), port).into()).unwrap();
        listener.join_multicast_v4(&GROUP_V4, &Ipv4Addr::LOCALHOST).unwrap();
        let listener = UdpSocket::from(listener);
        listener.set_read_timeout(Some(Duration::from_millis(100))).unwrap();

        let discovery = start(port);
        let hello = hear(&listener, "<d:Hello>").await;
        assert!(hello.contains("<d:XAddrs>http://127.0.0.1:8080/onvif/device_service</d:XAddrs>"), "{hello}");
        let client = client();
        for (id, to) in [("uuid:1", IpAddr::V4(GROUP_V4)), ("uuid:2", Ipv4Addr::LOCALHOST.into())] {
            client.send_to(probe(id).as_bytes(), (to, port)).unwrap();
            hear(&client, &format!("<wsa:RelatesTo>{id}</wsa:RelatesTo>")).await;
        }
        assert_eq!(discovery.update("cam", vec!["onvif://www.onvif.org/name/b".into()]), Some(2));
        hear(&listener, "<d:Scopes>onvif://www.onvif.org/name/b</d:Scopes>").await;
        assert!(discovery.restart("cam") && !discovery.restart("other"));
        hear(&listener, "<d:Bye>").await;
        discovery.shutdown().await;
        hear(&listener, "<d:Bye>").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_answers_in_ipv6_where_the_machine_has_it() {
        let Ok(client) = UdpSocket::bind("[::1]:0") else { return };
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let interfaces = Linux::new(Manage::No).interfaces().unwrap();
        let loopback = interfaces.iter().find(|interface| interface.loopback).unwrap().index;
        SockRef::from(&client).set_multicast_if_v6(loopback).unwrap();
        let port = free_port();
        let discovery = start(port);
        for (id, to) in [("uuid:1", IpAddr::V6(Ipv6Addr::LOCALHOST)), ("uuid:2", GROUP_V6.into())] {
            // Until the socket is open, the datagram is refused or lost.
            tokio::time::sleep(Duration::from_millis(300)).await;
            // Linux has no route for IPv6 multicast on loopback unless somebody makes one.
            if client.send_to(probe(id).as_bytes(), (to, port)).is_ok() {
                hear(&client, &format!("<wsa:RelatesTo>{id}</wsa:RelatesTo>")).await;
            }
        }
        drop(discovery);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_port_that_is_taken_is_borne_and_tried_again() {
        let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let settings = Settings { port, dns_sd: false, refresh: Duration::from_millis(50), ..Settings::new(1, 1) };
        let interfaces = || Linux::new(Manage::No).interfaces();
        let discovery = Discovery::start(&settings, vec![endpoint()], Arc::new(SystemClock), interfaces);
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(taken);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let client = client();
        client.send_to(probe("uuid:1").as_bytes(), (Ipv4Addr::LOCALHOST, port)).unwrap();
        hear(&client, "<wsa:RelatesTo>uuid:1</wsa:RelatesTo>").await;
        assert!(discovery.set_mode("cam", Mode::NonDiscoverable) && !discovery.set_mode("other", Mode::Discoverable));
    }
}
