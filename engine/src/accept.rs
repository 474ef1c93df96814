//! Accepts the server's connections: loopback, any free port, Nagle off (engine.md, section 1.2).

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPServer, gio};

/// Binds 127.0.0.1 at a free port and hands every connection over to the server. Gives the port.
///
/// # Errors
/// When the port cannot be bound or the thread cannot be started.
pub fn start(server: RTSPServer) -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    std::thread::Builder::new().name("accept".into()).spawn(move || run(&listener, &server))?;
    Ok(port)
}

fn run(listener: &TcpListener, server: &RTSPServer) {
    loop {
        let handed_over = listener.accept().map_err(|error| error.to_string()).and_then(|(stream, peer)| {
            tracing::debug!(%peer, "connection");
            hand_over(stream, peer, server)
        });
        if let Err(error) = handed_over {
            tracing::warn!(%error, "a connection was not accepted");
            // Out of descriptors, most likely: do not spin on it.
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

fn hand_over(stream: TcpStream, peer: SocketAddr, server: &RTSPServer) -> Result<(), String> {
    // Row 5 of the list in `settings`: Nagle holds the first picture of a small track back by 40 ms.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let socket = gio::Socket::from_fd(OwnedFd::from(stream)).map_err(|error| error.to_string())?;
    let ip = peer.ip().to_string();
    server.transfer_connection(socket, &ip, i32::from(peer.port()), None).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_5_nagle_is_off_on_the_socket_that_the_server_gets() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        let kept = stream.try_clone().unwrap();
        gst::init().unwrap();
        hand_over(stream, peer, &RTSPServer::new()).unwrap();
        assert!(kept.nodelay().unwrap(), "the option belongs to the socket, not to the descriptor");
    }
}
