use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use std::{net::SocketAddr, time::Duration};

const LIMITS: HttpLimits = HttpLimits {
    connections: 3,
    connections_per_address: 2,
    head: Duration::from_millis(500),
    body: Duration::from_millis(500),
    stalled: Duration::from_secs(1),
    head_bytes: 8192,
    headers: 16,
    body_bytes: 64 << 10,
};

/// Notes what is handed over, and says so to the client.
#[derive(Default)]
struct Handed(Mutex<Vec<String>>);

impl Conversations for Handed {
    fn plain(&self, mut stream: TcpStream, head: Vec<u8>) -> BoxFuture<'_, ()> {
        self.0.lock().unwrap().push(format!("RTSP {}", String::from_utf8_lossy(&head)));
        Box::pin(async move { stream.write_all(b"handed over").await.unwrap() })
    }

    fn tunnel(&self, mut half: TunnelHalf) -> BoxFuture<'_, ()> {
        let rest = String::from_utf8_lossy(&half.rest).into_owned();
        self.0.lock().unwrap().push(format!("{} {} {rest}", if half.up { "POST" } else { "GET" }, half.cookie));
        Box::pin(async move { half.stream.write_all(b"handed over").await.unwrap() })
    }
}

struct Running {
    port: u16,
    handed: Arc<Handed>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn running() -> Running {
    within(LIMITS).await
}

async fn within(limits: HttpLimits) -> Running {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let streams = vec![("Hi-Def".to_owned(), "rtsp://192.0.2.1:8554/cam/hi-def".to_owned())];
    let cameras = [StatusCamera { name: "<Door>".to_owned(), streams }];
    let page: Handler = Arc::new(move |_, request| Box::pin(std::future::ready(status(&request, &cameras))));
    let echo: Handler = Arc::new(|ends, request| {
        let text = format!("{} from {}: {}", request.method(), ends.peer.ip(), String::from_utf8_lossy(request.body()));
        Box::pin(std::future::ready(hyper::Response::new(Bytes::from(text))))
    });
    let router = Router::default().route("/", 0, page).route("/echo", 10, echo.clone()).route("/large", 64 << 10, echo);
    let handed = Arc::new(Handed::default());
    let server = HttpServer::new(router, Arc::clone(&handed) as Arc<dyn Conversations>, limits);
    Running { port, handed, task: tokio::spawn(server.listen(listener)) }
}

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap()
}

async fn ask(text: &str) -> String {
    let server = running().await;
    let mut client = connect(server.port).await;
    client.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn the_page_lists_the_addresses_and_escapes_names() {
    let answer = ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("rtsp://192.0.2.1:8554/cam/hi-def"), "{answer}");
    assert!(answer.contains("&lt;Door&gt;") && !answer.contains("<Door>"), "{answer}");
    let head = ask("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn other_paths_methods_and_sizes_are_refused() {
    let close = "Host: x\r\nConnection: close\r\n";
    let many = "X: y\r\n".repeat(17);
    let long = format!("X: {}\r\n", "y".repeat(9000));
    let cases = [
        (format!("GET /x HTTP/1.1\r\n{close}\r\n"), "404"),
        (format!("DELETE / HTTP/1.1\r\n{close}\r\n"), "405"),
        (format!("GET / HTTP/1.1\r\n{close}{many}\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\n{close}{long}\r\n"), "431"),
        (format!("POST /echo HTTP/1.1\r\n{close}Content-Length: 11\r\n\r\n"), "413"),
        (
            format!("POST /echo HTTP/1.1\r\n{close}Transfer-Encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n"),
            "413",
        ),
        (format!("POST /echo HTTP/1.1\r\n{close}Content-Length: 10\r\n\r\nshort"), "408"),
        ("hello\r\n\r\n".to_owned(), "400"),
    ];
    for (request, status) in cases {
        let answer = ask(&request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer:?}");
    }
    let answer = ask(&format!("POST /echo HTTP/1.1\r\n{close}Content-Length: 4\r\n\r\nbody")).await;
    assert!(answer.ends_with("POST from 127.0.0.1: body"), "{answer}");
}

/// HT-6, and design section 4.
#[tokio::test]
async fn what_is_rtsp_is_handed_over_with_what_was_read() {
    let server = running().await;
    let requests = [
        ("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", "RTSP OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        ("GET /cam HTTP/1.0\r\nx-sessioncookie: abc\r\n\r\n", "GET abc "),
        ("POST /cam HTTP/1.0\r\nX-Sessioncookie: abc\r\nContent-Length: 32767\r\n\r\nT1BU", "POST abc T1BU"),
    ];
    for (request, expected) in requests {
        let mut client = connect(server.port).await;
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "handed over");
        assert_eq!(server.handed.0.lock().unwrap().pop().as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn whoever_dawdles_is_let_go() {
    let server = running().await;
    for start in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let mut client = connect(server.port).await;
        client.write_all(start.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), client.read_to_string(&mut answer)).await;
        assert!(ended.is_ok(), "{start:?} is waited for");
    }
}

/// Strangers who send large bodies, and not their ends, use up the budget; requests of the usual size are answered still.
#[tokio::test]
async fn bodies_share_a_budget() {
    let limits = HttpLimits { connections: 9, connections_per_address: 9, body: Duration::from_secs(10), ..LIMITS };
    let server = within(limits).await;
    let post = |length: usize| {
        format!("POST /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
    };
    let mut holder = connect(server.port).await;
    holder.write_all((post(60_000) + &"x".repeat(59_999)).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ask = async |length: usize| {
        let mut client = connect(server.port).await;
        client.write_all((post(length) + &"x".repeat(length)).as_bytes()).await.unwrap();
        let mut answer = [0; 1024];
        let length = client.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    let refused = ask(30_000).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 5\r\n"), "{refused}");
    let usual = ask(3000).await;
    assert!(usual.starts_with("HTTP/1.1 200 "), "{usual}");
    holder.write_all(b"x").await.unwrap();
    let mut answer = Vec::new();
    holder.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    let room = ask(30_000).await;
    assert!(room.starts_with("HTTP/1.1 200 "), "given back: {room}");
}

/// What was announced and does not come costs nothing.
#[tokio::test]
async fn an_announced_body_takes_no_memory() {
    let server = running().await;
    let head = "POST /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n";
    let mut silent = connect(server.port).await;
    silent.write_all(head.as_bytes()).await.unwrap();
    let mut client = connect(server.port).await;
    client.write_all((head.to_owned() + &"x".repeat(60_000)).as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

/// One host that holds connections open keeps nobody else out, and is told that it has enough.
#[tokio::test]
async fn a_host_with_many_connections_is_told_503() {
    let server = running().await;
    let mut held = Vec::new();
    for _ in 0..LIMITS.connections_per_address {
        held.push(connect(server.port).await);
    }
    let mut refused = connect(server.port).await;
    refused.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    refused.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");

    // Another address of this machine.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    let mut other = socket.connect(SocketAddr::from(([127, 0, 0, 1], server.port))).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
