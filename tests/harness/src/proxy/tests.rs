//! The proxy between a client that is a socket and a device that reads from a script.

use std::io::{Read, Write};
use std::thread::JoinHandle;

use super::*;

const RIGHT: &str = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>
    <SetHostnameResponse xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>"#;

/// A device that waits for each request (to its last bytes) and then answers it, on one connection after the other.
struct Device {
    address: SocketAddr,
    thread: JoinHandle<Vec<String>>,
}

impl Device {
    /// Every connection is a list of (end of a request, answer) and is closed after the last.
    fn start(connections: Vec<Vec<(&'static str, String)>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serve = move |script: Vec<(&str, String)>| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut all = String::new();
            for (end, answer) in script {
                all += &receive(&mut stream, end);
                stream.write_all(answer.as_bytes()).unwrap();
            }
            all
        };
        Self { address, thread: thread::spawn(move || connections.into_iter().map(serve).collect()) }
    }

    /// What each connection received.
    fn received(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// Reads until the text ends so, or the connection does.
fn receive(stream: &mut TcpStream, end: &str) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !all.ends_with(end.as_bytes()) || end.is_empty() {
        if stream.read(&mut byte).unwrap() == 0 {
            break;
        }
        all.push(byte[0]);
    }
    String::from_utf8(all).unwrap()
}

fn soap(body: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml; charset=utf-8\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Plays one connection through a proxy; what the client received equals what the device sent.
fn play(script: &[(&'static str, &'static str, String)]) -> Proxy {
    let turns = script.iter().map(|(_, end, answer)| (*end, answer.clone())).collect();
    let device = Device::start(vec![turns]);
    let proxy = Proxy::start(&format!("http://{}/onvif/device_service", device.address)).unwrap();
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    let mut sent = String::new();
    for (request, _, answer) in script {
        client.write_all(request.as_bytes()).unwrap();
        sent += request;
        assert_eq!(&receive(&mut client, answer), answer);
    }
    assert_eq!(receive(&mut client, ""), "", "the device has closed, and so has the proxy");
    assert_eq!(device.received(), [sent], "every byte, in order");
    proxy
}

#[test]
fn a_conversation_passes_unchanged_and_is_judged() {
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/soap+xml\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &RIGHT[..9],
        RIGHT.len() - 9,
        &RIGHT[9..]
    );
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
    let proxy = play(&[
        ("POST /a HTTP/1.1\r\nHost: own.example:81\r\nContent-Length: 4\r\n\r\nbody", "body", challenge.into()),
        ("POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "0\r\n\r\n", chunked),
        ("HEAD /c HTTP/1.1\r\n\r\n", "\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".into()),
        ("OPTIONS * HTTP/1.1\r\n\r\n", "\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n".into()),
        ("POST /d HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "x", soap(RIGHT)),
        ("GET /e.jpg HTTP/1.1\r\n\r\n", "\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\nJPEG".into()),
    ]);
    assert_eq!(proxy.verdict().unwrap(), 2);
    let exchanges = proxy.exchanges();
    let statuses: Vec<_> = exchanges.iter().map(|it| it.response.as_ref().and_then(Message::status)).collect();
    assert_eq!(statuses, [401, 200, 200, 204, 200, 200].map(Some));
    assert_eq!(exchanges[1].request.body, b"body");
    assert_eq!(exchanges[1].response.as_ref().unwrap().body, RIGHT.as_bytes());
    assert_eq!(exchanges[0].request.header("host"), Some("own.example:81"));
    assert_eq!(exchanges[5].response.as_ref().unwrap().body, b"JPEG");
    assert!(exchanges.iter().all(|it| it.request.whole && it.response.as_ref().unwrap().whole));
}

#[test]
fn a_wrong_message_is_quoted() {
    let wrong = RIGHT.replace("SetHostnameResponse", "SetHostnameAnswer");
    let request = "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
    let proxy = play(&[(request, "body", soap(RIGHT)), (request, "body", soap(&wrong))]);
    let error = proxy.verdict().unwrap_err().to_string();
    let expected = ["1 of 2 exchanges", "SetHostnameAnswer is not declared", "POST /a", "<SetHostnameAnswer xmlns"];
    assert!(expected.iter().all(|text| error.contains(text)), "{error}");
}

#[test]
fn soap_under_another_type_and_silence_are_errors() {
    let request = "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
    let proxy = play(&[(request, "body", soap(RIGHT).replace("application/soap+xml", "text/plain"))]);
    assert!(proxy.verdict().unwrap_err().to_string().contains("a SOAP 1.2 message with Content-Type \"text/plain\""));
    let proxy = play(&[(request, "body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into())]);
    assert!(proxy.verdict().unwrap_err().to_string().contains("no SOAP message among 1"));
}

#[test]
fn a_response_cut_short_is_an_error() {
    let request = "POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
    let short = soap(RIGHT).split_at(200).0.to_owned();
    let proxy = play(&[(request, "body", short)]);
    assert!(proxy.verdict().unwrap_err().to_string().contains("bytes early"));
}

/// The client waits for permission to send its body, and gets it.
#[test]
fn a_client_that_waits_for_100_continue_is_let_go_on() {
    let proxy = play(&[
        (
            "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
            "\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n".into(),
        ),
        ("body", "body", soap(RIGHT)),
    ]);
    assert_eq!(proxy.verdict().unwrap(), 1);
    assert_eq!(proxy.exchanges()[0].request.body, b"body");
}

/// What follows is not HTTP, and passes.
#[test]
fn tunnels_websockets_and_rtsp_pass() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    let tunnel = "HTTP/1.0 200 OK\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n";
    let get = "GET /t HTTP/1.0\r\nx-sessioncookie: 1\r\nAccept: application/x-rtsp-tunnelled\r\n\r\n";
    let raw = ("\x01\x02 no HTTP", "HTTP", "$\x01 nor this".to_owned());
    play(&[("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "\r\n\r\n", switch.into()), raw.clone()]);
    play(&[(get, "\r\n\r\n", tunnel.into()), raw.clone()]);
    play(&[
        ("OPTIONS rtsp://a/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", "\r\n\r\n", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n".into()),
        raw,
    ]);
    let declined = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno";
    let next = ("POST /b HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "x", soap(RIGHT));
    let proxy = play(&[("GET /ws HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", "\r\n\r\n", declined.into()), next]);
    assert_eq!(proxy.verdict().unwrap(), 1);
}

#[test]
fn connections_are_apart() {
    let device = Device::start(vec![vec![("a", soap(RIGHT))], vec![("b", soap(RIGHT))]]);
    let proxy = Proxy::start(&device.address.to_string()).unwrap();
    for body in ["a", "b"] {
        let mut client = TcpStream::connect(proxy.address()).unwrap();
        write!(client, "POST /{body} HTTP/1.1\r\nContent-Length: 1\r\n\r\n{body}").unwrap();
        assert_eq!(receive(&mut client, ""), soap(RIGHT));
    }
    assert_eq!(proxy.verdict().unwrap(), 2);
    assert_eq!(device.received().len(), 2);
    let url = proxy.url("/a");
    assert_eq!(url, format!("http://{}/a", proxy.address()));
    let address = proxy.address();
    drop(proxy);
    crate::process::until(Duration::from_secs(5), "closed", || Ok(TcpStream::connect(address).is_err())).unwrap();
}
