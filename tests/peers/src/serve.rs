//! What the two RTSP peers share: a server on loopback, its ready line, and its end.

use std::io::{Read, Write};

use gst::glib;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPAuth, RTSPMediaFactory, RTSPServer, RTSPToken};

/// Serves one factory at `/cam` until standard input ends.
pub(crate) fn serve(factory: &RTSPMediaFactory, port: u16, digest: Option<&str>) -> Result<(), String> {
    let server = RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&port.to_string());
    if let Some(credential) = digest {
        require_digest(&server, factory, credential)?;
    }
    let mounts = server.mount_points().ok_or("a server without mount points")?;
    mounts.add_factory("/cam", factory.clone());
    let _source = server.attach(None).map_err(|error| format!("port {port} cannot be served: {error}"))?;
    let main_loop = glib::MainLoop::new(None, false);
    let quit = main_loop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        quit.quit();
    });
    let line = format!("{{\"ready\":true,\"url\":\"rtsp://127.0.0.1:{}/cam\"}}\n", server.bound_port());
    let mut stdout = std::io::stdout();
    stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| error.to_string())?;
    main_loop.run();
    Ok(())
}

/// Lets only one user in, by digest.
fn require_digest(server: &RTSPServer, factory: &RTSPMediaFactory, credential: &str) -> Result<(), String> {
    let (user, password) = credential.split_once(':').ok_or("a credential is user:password")?;
    let auth = RTSPAuth::new();
    auth.set_supported_methods(gst_rtsp::RTSPAuthMethod::Digest);
    let token = RTSPToken::builder().field("media.factory.role", "viewer").build();
    auth.add_digest(user, password, &token);
    let role = gst::Structure::builder("viewer")
        .field("media.factory.access", true)
        .field("media.factory.construct", true)
        .build();
    factory.add_role_from_structure(&role);
    server.set_auth(Some(&auth));
    Ok(())
}
