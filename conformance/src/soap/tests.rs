//! What is said to a device, and how its answers are read.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use super::*;
use crate::{
    areas,
    clock::{here, utc_date_time},
    feature::Features,
    test::Test,
    verdict::Stop,
};

/// A device of which every answer is written here; gives its address, and what it was asked.
fn device(mut answer: impl FnMut(&str) -> String + Send + 'static) -> (Device, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/onvif/device_service", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                stream.read_line(&mut request).unwrap();
            }
            let length = request.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            request += std::str::from_utf8(&body).unwrap();
            let answer = answer(&request);
            heard.lock().unwrap().push(request);
            // Who is told too much hangs up.
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    (Device::new(url, "admin".into(), "secret".into()), asked)
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn envelope(body: &str) -> String {
    let declared: String = PREFIXES.iter().map(|(prefix, uri)| format!(" xmlns:{prefix}=\"{uri}\"")).collect();
    format!("<env:Envelope{declared}><env:Body>{body}</env:Body></env:Envelope>")
}

fn good() -> String {
    http("200 OK", "", &envelope("<tds:GetUsersResponse/>"))
}

fn challenge(nonce: &str, more: &str) -> String {
    let header = format!("WWW-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"{nonce}\"{more}\r\n");
    http("401 Unauthorized", &header, "")
}

fn users() -> Call {
    Call::new("<tds:GetUsers/>")
}

/// The nonce that a request was signed with, and its count.
fn signed(request: &str) -> Option<(String, String)> {
    let field = |name: &str| Some(request.split_once(name)?.1.split(['"', ',']).next()?.to_owned());
    Some((field(" nonce=\"")?, field(" nc=")?))
}

/// A device that wants the counts of a nonce to grow by one each time, and gives everybody who asks a nonce of his own.
#[test]
fn each_thread_counts_by_itself() {
    let (mut given, mut counts) = (0, BTreeMap::<String, u32>::new());
    let (device, asked) = device(move |request| {
        let next = signed(request).filter(|(nonce, count)| {
            let last = counts.entry(nonce.clone()).or_default();
            *last += 1;
            u32::from_str_radix(count, 16) == Ok(*last)
        });
        given += 1;
        if next.is_some() { good() } else { challenge(&format!("n{given}"), "") }
    });
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(users().send(&device).unwrap().status, 200);
                }
            });
        }
    });
    // One question of each thread was without a signature, and no other was asked twice.
    assert_eq!(asked.lock().unwrap().len(), 63);
    let nonces: std::collections::BTreeSet<_> =
        asked.lock().unwrap().iter().filter_map(|request| Some(signed(request)?.0)).collect();
    assert_eq!(nonces.len(), 3, "{nonces:?}");
}

/// A device that gives everybody the same nonce, and takes no count of it twice (RFC 7616, section 3.4).
#[test]
fn threads_that_share_a_nonce_share_its_count() {
    let mut counts = std::collections::BTreeSet::new();
    let (device, asked) = device(move |request| {
        let is_new = signed(request).is_some_and(|(_, count)| counts.insert(count));
        if is_new { good() } else { challenge("same", "") }
    });
    for _ in 0..3 {
        let status = || users().send(&device).unwrap().status;
        let statuses = thread::scope(|scope| scope.spawn(|| [status(), status()]).join().unwrap());
        assert_eq!(statuses, [200, 200]);
    }
    // One question of each thread was without a signature.
    assert_eq!(asked.lock().unwrap().len(), 9);
}

#[test]
fn a_nonce_that_is_too_old_at_once_is_replaced() {
    let mut answers = [challenge("a", ""), challenge("b", ", stale=true"), good()].into_iter();
    let (device, asked) = device(move |_| answers.next().unwrap_or_else(|| challenge("x", ", stale=true")));
    assert_eq!(users().send(&device).unwrap().status, 200);
    // One that never has enough is not asked for ever.
    assert_eq!(users().send(&device).unwrap().status, 401);
    assert_eq!(asked.lock().unwrap().len(), 3 + 1 + NEW_NONCES);
}

#[test]
fn a_wrong_password_is_sent_once() {
    let mut given = 0;
    let (device, asked) = device(move |_| {
        given += 1;
        challenge(&format!("n{given}"), "")
    });
    assert_eq!(users().send(&device).unwrap().status, 401);
    assert_eq!(asked.lock().unwrap().len(), 2);
}

/// A device that has no Digest, and takes a token of its own time only; `set` moves its clock.
fn device_of_tokens(offset: &'static Mutex<i64>) -> (Device, Arc<Mutex<Vec<String>>>) {
    device(move |request| {
        let now = here().as_secs().saturating_add_signed(*offset.lock().unwrap());
        if request.contains("GetSystemDateAndTime") {
            let time = utc_date_time(Duration::from_secs(now));
            let told = format!("<tds:SystemDateAndTime>{time}</tds:SystemDateAndTime>");
            let response = format!("<tds:GetSystemDateAndTimeResponse>{told}</tds:GetSystemDateAndTimeResponse>");
            return http("200 OK", "", &envelope(&response));
        }
        let fresh = |age: u64| request.contains(&format!("<wsu:Created>{}<", utc(Duration::from_secs(now - age))));
        if (0..5).any(fresh) {
            return good();
        }
        let codes = "<env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>ter:NotAuthorized</env:Value>\
                     </env:Subcode></env:Code><env:Reason><env:Text xml:lang=\"en\">no</env:Text></env:Reason>";
        http("400 Bad Request", "", &envelope(&format!("<env:Fault>{codes}</env:Fault>")))
    })
}

#[test]
fn a_token_is_of_the_time_that_the_device_has() {
    static OFFSET: Mutex<i64> = Mutex::new(-3 * 3600);
    let (device, _) = device_of_tokens(&OFFSET);
    let status = |call: Call| call.send(&device).unwrap().status;
    let (user, password) = device.owner();
    let by_token = Who::Token(user.into(), password.into());
    assert_eq!((status(users()), status(users().by(by_token.clone()))), (200, 200));
    // Somebody else sets the clock.
    *OFFSET.lock().unwrap() = 7 * 24 * 3600;
    assert_eq!(status(users()), 200);
    // We set it ourselves.
    *OFFSET.lock().unwrap() = 60;
    assert_eq!(status(Call::new("<tds:SetSystemDateAndTime/>").by(Who::Nobody)), 400);
    assert_eq!(status(users().by(by_token)), 200);
}

/// Somebody else has asked for the time between a token and the look at the clock.
#[test]
fn a_clock_that_was_set_while_a_token_was_on_its_way_has_moved() {
    static OFFSET: Mutex<i64> = Mutex::new(0);
    let (device, _) = device_of_tokens(&OFFSET);
    let before = device.clock.ahead(&device);
    *OFFSET.lock().unwrap() = 3600;
    let time = Call::new("<tds:GetSystemDateAndTime/>").by(Who::Nobody);
    assert_eq!(time.send(&device).unwrap().status, 200);
    assert!(device.clock.has_moved(&device, before));
    assert!(!device.clock.has_moved(&device, device.clock.ahead(&device)));
}

const SOAP: &str = "Content-Type: application/soap+xml\r\n";

/// What becomes of a case that is answered so.
fn judged(status: &'static str, headers: &'static str, body: String) -> Result<u16, Stop> {
    let (device, _) = device(move |_| http(status, headers, &body));
    let features = Features::default();
    Test::new(&device, &features).exchange(&users().by(Who::Nobody)).map(|answer| answer.status)
}

#[test]
fn the_page_of_a_401_is_for_people() {
    let page = || "<html><body><h1>Unauthorized</h1></body></html>".to_owned();
    let html = "Content-Type: text/html\r\n";
    assert_eq!(judged("401 Unauthorized", html, page()), Ok(401));
    assert_eq!(judged("401 Unauthorized", "", "<Error/>".into()), Ok(401));
    assert!(judged("401 Unauthorized", SOAP, page()).is_err());
    assert!(judged("401 Unauthorized", html, envelope("<tds:GetUsersResponse/>")).is_err());
    assert!(judged("401 Unauthorized", SOAP, envelope("<tds:NoSuchResponse/>")).is_err());
    assert!(judged("200 OK", html, page()).is_err());
}

#[test]
fn a_log_may_be_long_and_nothing_else() {
    let (device, _) = device(|request| {
        let text = "x".repeat(LARGEST + 1);
        let log = format!("<tds:SystemLog><tt:String>{text}</tt:String></tds:SystemLog>");
        let operation = if request.contains("GetSystemLog") { "GetSystemLog" } else { "GetUsers" };
        http("200 OK", SOAP, &envelope(&format!("<tds:{operation}Response>{log}</tds:{operation}Response>")))
    });
    let features = Features::default();
    let mut test = Test::new(&device, &features);
    let case = areas::cases().into_iter().find(|case| case.id == "DEVICE-3-1-10").unwrap();
    assert_eq!(test.run(case.run), Ok(()));
    let Err(Stop::Failed(failed)) = test.ask("<tds:GetUsers/>") else { panic!("taken") };
    assert!(failed.seen.contains("more than 4194304"), "{failed}");
    let notes = test.finish().1.notes;
    let told = |note: &String| note.ends_with("bytes, which was not judged by the schemas");
    assert!(notes.len() == 2 && notes.iter().all(told), "{notes:?}");
}

#[test]
fn an_address_has_a_port_in_the_end() {
    assert_eq!(split("http://cam/onvif/device_service").unwrap(), ("cam:80".into(), "/onvif/device_service"));
    assert_eq!(split("http://[::1]:8080").unwrap(), ("[::1]:8080".into(), "/"));
    assert_eq!(split("http://[::1]/a").unwrap(), ("[::1]:80".into(), "/a"));
    assert!(split("https://cam/").is_err() && split("http:///x").is_err());
}

#[test]
fn a_fault_is_read_by_its_namespaces() {
    let body = format!(
        "<s:Envelope xmlns:s=\"{ENV}\" xmlns:t=\"{TER}\"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>\
         <s:Subcode><s:Value>t:InvalidArgVal</s:Value><s:Subcode><s:Value>x:Odd</s:Value></s:Subcode></s:Subcode>\
         </s:Code><s:Reason><s:Text xml:lang=\"en\">why</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
    );
    let message = Message { start: "HTTP/1.1 400 Bad".into(), body: body.into(), ..Message::default() };
    let fault = Answer::of(message).unwrap().fault().unwrap();
    assert_eq!(fault.to_string(), "fault env:Sender/ter:InvalidArgVal/Odd (why)");
}
