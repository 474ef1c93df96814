//! What answers on the web listeners, and what goes on from there to the RTSP front.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use hyper::header::HOST;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Ours, addresses::Addresses, machine::Machine};
use crate::{
    auth::{Gate, Users},
    base::clock::SystemClock,
    camera::{Camera, Cameras, Device},
    http::{self, Conversations, Handler, HttpLimits, HttpServer, Router, TunnelHalf},
    onvif::{Authority, Context, Facts, OnvifDoor, PREFIX},
    rtsp::net::RtspServer,
    web::{self, Snapshots},
};

/// The largest request to a web service, in bytes. None that anybody sends today has a tenth of it. All that are being read
/// share [`HttpLimits::body_bytes`].
const MAX_SOAP: usize = 256 << 10;

/// What the doors of all listeners have in common.
pub(super) struct Doors {
    pub(super) addresses: Addresses,
    pub(super) gate: Arc<Gate>,
    pub(super) users: Arc<Users>,
    pub(super) machine: Machine,
    pub(super) advertised_host: Option<String>,
    pub(super) session_timeout: Duration,
    pub(super) limits: HttpLimits,
}

impl Doors {
    /// Opens the web listeners. The first camera's shows all cameras, the others their own only.
    ///
    /// # Errors
    /// A listener has no address.
    pub(super) fn open(
        &self,
        tasks: &mut JoinSet<()>,
        listeners: Vec<Option<TcpListener>>,
        ours: &[Ours],
        cameras: &Arc<Cameras>,
        front: &Arc<RtspServer>,
    ) -> io::Result<Vec<Arc<HttpServer>>> {
        let rtsp: Arc<dyn Conversations> = Arc::new(RtspOnWeb(Arc::clone(front)));
        let mut webs = Vec::new();
        for (index, (listener, (camera, device))) in listeners.into_iter().zip(ours).enumerate() {
            let Some(listener) = listener else { continue };
            let shown = match index {
                0 => Arc::clone(cameras),
                _ => Arc::new(Cameras::new([Arc::clone(camera)])),
            };
            let routes = self.routes(listener.local_addr()?, &shown, camera, device);
            let web = HttpServer::new(routes, Arc::clone(&rtsp), self.limits);
            tasks.spawn(Arc::clone(&web).listen(listener));
            webs.push(web);
        }
        Ok(webs)
    }

    /// What answers at the web listener `web`: the page and the pictures of these cameras, and the web services of one.
    fn routes(&self, web: SocketAddr, shown: &Arc<Cameras>, camera: &Arc<Camera>, device: &Arc<Device>) -> Router {
        let services = Arc::new(OnvifDoor::new(Arc::new(self.context(web, camera, device))));
        let services: Handler = Arc::new(move |ends, request| {
            let services = Arc::clone(&services);
            Box::pin(async move { services.answer(ends.peer, ends.local, &request).await })
        });
        let snapshots = Snapshots::new(Arc::clone(shown), Arc::clone(&self.gate), Arc::new(SystemClock));
        let snapshots = Arc::new(snapshots);
        let pictures: Handler = Arc::new(move |ends, request| {
            let snapshots = Arc::clone(&snapshots);
            Box::pin(async move { snapshots.answer(&request, ends.peer.ip()).await })
        });
        Router::default()
            .route("/", 0, self.page(shown))
            .route(web::SNAPSHOTS, 0, pictures)
            .route(PREFIX, MAX_SOAP, services)
    }

    fn page(&self, shown: &Arc<Cameras>) -> Handler {
        let (addresses, shown, host) = (self.addresses.clone(), Arc::clone(shown), self.advertised_host.clone());
        Arc::new(move |ends, request| {
            let header = request.headers().get(HOST).and_then(|value| value.to_str().ok());
            let authority = Authority::choose(host.as_deref(), header, ends.local);
            let page = http::status(&request, &addresses.status(&shown, &authority.host));
            Box::pin(std::future::ready(page))
        })
    }

    fn context(&self, web: SocketAddr, camera: &Arc<Camera>, device: &Arc<Device>) -> Context {
        Context {
            camera: Arc::clone(camera),
            device: Arc::clone(device),
            users: Arc::clone(&self.users),
            gate: Arc::clone(&self.gate),
            host: Arc::clone(&self.machine.host),
            interfaces: Arc::clone(&self.machine.interfaces),
            clock: Arc::clone(&self.machine.clock),
            power: Arc::clone(&self.machine.power),
            facts: facts(),
            rtsp_port: self.addresses.rtsp.map(|address| address.port()),
            http_port: web.port(),
            advertised_host: self.advertised_host.clone(),
            session_timeout: self.session_timeout,
        }
    }
}

fn facts() -> Facts {
    Facts {
        manufacturer: "Belvedere".to_owned(),
        model: "Network Video Server".to_owned(),
        firmware: env!("CARGO_PKG_VERSION").to_owned(),
        hardware: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

/// Hands RTSP that arrives on a web listener to the RTSP front.
struct RtspOnWeb(Arc<RtspServer>);

impl Conversations for RtspOnWeb {
    fn plain(&self, stream: TcpStream, head: Vec<u8>) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.0.take_over(stream, &head).await })
    }

    fn tunnel(&self, half: TunnelHalf) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match half.up {
                true => self.0.tunnel_up(half.stream, &half.cookie, half.rest, half.chunked).await,
                false => self.0.tunnel_down(half.stream, &half.cookie).await,
            }
        })
    }
}
