use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::auth::{DeviceKey, InMemory, Level, NewUser};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const LOCAL: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const URI: &str = "rtsp://192.0.2.1:8554/cam/hi-def";

/// A gate with the viewer `anna`, her password `secret`, and a clock of its own.
struct Scene {
    gate: Gate,
    users: Arc<Users>,
    now: MonoTime,
}

impl Scene {
    fn new() -> Self {
        let users = Arc::new(Users::open(Box::new(InMemory::default()), DeviceKey::from_bytes([1; 32])).unwrap());
        let user = |name: &str, level| NewUser { name: name.into(), password: "secret".into(), level };
        users.create(&[user("admin", Level::Administrator), user("anna", Level::User)]).unwrap();
        let now = MonoTime::from_nanos(1_000_000_000);
        Self { gate: Gate::new(users.clone(), GuessLimits::default()).unwrap(), users, now }
    }

    fn check(&self, header: Option<&str>, peer: IpAddr) -> Result<Principal, Refusal> {
        self.gate.check(header, "DESCRIBE", URI, peer, self.now)
    }

    fn challenges(&self) -> Vec<String> {
        challenges(self.check(None, PEER))
    }

    /// Answers a challenge as a client does.
    fn answer(&self, challenge: &str, user: &str, password: &str, qop: bool) -> String {
        self.counted(challenge, (user, password), qop.then_some(("00000001", "c0ffee")))
    }

    /// The same with these `nc` and `cnonce`.
    fn counted(&self, challenge: &str, (user, password): (&str, &str), qop: Option<(&str, &str)>) -> String {
        let algorithm = if challenge.contains("SHA-256") { Algorithm::Sha256 } else { Algorithm::Md5 };
        let nonce = challenge.split("nonce=\"").nth(1).unwrap().split('"').next().unwrap();
        let ha1 = algorithm.hash_for_tests(&[user, self.users.realm(), password]);
        let ha2 = algorithm.hash_for_tests(&["DESCRIBE", URI]);
        let (response, extra) = match qop {
            Some((nc, cnonce)) => {
                let parts = [&ha1, nonce, nc, cnonce, "auth", &ha2];
                (algorithm.hash_for_tests(&parts), format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""))
            }
            None => (algorithm.hash_for_tests(&[&ha1, nonce, &ha2]), String::new()),
        };
        format!(
            "Digest username=\"{user}\", realm=\"{}\", nonce=\"{nonce}\", uri=\"{URI}\", response=\"{response}\", algorithm={}{extra}",
            self.users.realm(),
            algorithm.as_str(),
        )
    }
}

fn challenges(result: Result<Principal, Refusal>) -> Vec<String> {
    match result {
        Err(Refusal::Challenge { www_authenticate }) => www_authenticate,
        other => panic!("expected a challenge, got {other:?}"),
    }
}

/// AU-2, AU-5, AU-6: both algorithms, with and without qop, and a keep-alive that repeats the header word for word.
#[test]
fn every_kind_of_client_gets_in() {
    let scene = Scene::new();
    let offered = scene.challenges();
    assert!(offered[0].contains("algorithm=SHA-256") && offered[1].contains("algorithm=MD5"));
    for challenge in &offered {
        for qop in [true, false] {
            let header = scene.answer(challenge, "anna", "secret", qop);
            for _ in 0..2 {
                let principal = scene.check(Some(&header), PEER).unwrap();
                assert_eq!((principal.user(), principal.level()), ("anna", Level::User));
            }
        }
    }
}

#[test]
fn wrong_password_and_unknown_user_look_the_same() {
    let scene = Scene::new();
    for (user, password) in [("anna", "wrong"), ("nobody", "secret"), ("", "secret")] {
        let header = scene.answer(&scene.challenges()[0], user, password, true);
        let lines = challenges(scene.check(Some(&header), PEER));
        assert!(lines.iter().all(|line| !line.contains("stale")), "{lines:?}");
    }
}

/// Requests with commands in them: every client that signs each anew gets on, and whoever repeats one is challenged.
#[test]
fn a_signature_for_a_command_is_good_once() {
    let scene = Scene::new();
    let challenge = scene.challenges().remove(0);
    let signed = |nc: &str, cnonce: &str| scene.counted(&challenge, ("anna", "secret"), Some((nc, cnonce)));
    let once = |header: &str| scene.gate.check_once(Some(header), "DESCRIBE", URI, PEER, scene.now);
    let counting = ["00000001", "00000002", "00000004", "00000003"].map(|nc| signed(nc, "a"));
    // There are clients that never count further.
    let constant = ["b", "c", "d"].map(|cnonce| signed("00000001", cnonce));
    let old = scene.answer(&scene.challenges()[1], "anna", "secret", false);
    let all: Vec<&String> = counting.iter().chain(&constant).chain([&old]).collect();
    for header in &all {
        assert!(once(header).is_ok(), "{header}");
    }
    for header in &all {
        assert!(challenges(once(header))[0].ends_with("stale=true"), "{header}");
    }
    assert!(once(&signed("00000004", "e")).is_err(), "a count that was used, signed anew");
}

/// However much a client asks that counts, it uses nothing up: neither its own next answer nor anybody else's.
#[test]
fn a_client_that_counts_may_ask_for_ever() {
    let scene = Scene::new();
    let challenge = scene.challenges().remove(0);
    for count in 1..=70_000 {
        let header = scene.counted(&challenge, ("anna", "secret"), Some((&format!("{count:08x}"), "a")));
        assert!(scene.gate.check_once(Some(&header), "DESCRIBE", URI, PEER, scene.now).is_ok(), "request {count}");
    }
}

/// AU-7: stale only where the password is right; a nonce of an earlier run counts as old.
#[test]
fn an_old_nonce_is_stale_and_no_failure() {
    let mut scene = Scene::new();
    let challenge = scene.challenges().remove(0);
    let (right, wrong) =
        (scene.answer(&challenge, "anna", "secret", true), scene.answer(&challenge, "anna", "x", true));
    scene.now = scene.now + Nonces::LIFETIME + Duration::from_secs(1);
    for _ in 0..100 {
        assert!(challenges(scene.check(Some(&right), PEER))[0].ends_with("stale=true"));
    }
    assert!(!challenges(scene.check(Some(&wrong), PEER))[0].contains("stale"));
    let foreign = Nonces::new().unwrap().make(scene.now);
    let restarted = scene.answer(&format!("algorithm=SHA-256 nonce=\"{foreign}\""), "anna", "secret", true);
    assert!(challenges(scene.check(Some(&restarted), PEER))[0].ends_with("stale=true"));
}

/// AU-8, and its limit: a header for one stream opens no other, and none for another method.
#[test]
fn credentials_are_for_their_resource_and_method() {
    let scene = Scene::new();
    let header = scene.answer(&scene.challenges()[0], "anna", "secret", true);
    let check = |method, uri: &str| scene.gate.check(Some(&header), method, uri, PEER, scene.now);
    assert!(check("DESCRIBE", &format!("{URI}/")).is_ok());
    assert!(check("DESCRIBE", &format!("{URI}/trackID=1")).is_ok());
    assert!(check("DESCRIBE", "rtsp://192.0.2.1:8554/cam/ultra-hd").is_err());
    assert!(check("SETUP", URI).is_err());
}

#[test]
fn guessing_is_slowed_down_and_the_right_password_waits_too() {
    let mut scene = Scene::new();
    let challenge = scene.challenges().remove(0);
    let (right, wrong) =
        (scene.answer(&challenge, "anna", "secret", true), scene.answer(&challenge, "anna", "x", true));
    for _ in 0..GuessLimits::default().pair_burst {
        challenges(scene.check(Some(&wrong), PEER));
    }
    let Err(Refusal::SlowDown { retry_after }) = scene.check(Some(&right), PEER) else { panic!("not slowed") };
    assert!(scene.check(Some(&right), LOCAL).is_ok(), "another address is not concerned");
    scene.now = scene.now + retry_after;
    assert!(scene.check(Some(&right), PEER).is_ok());
}

/// A fresh nonce would not help a client whose answers there is no room to remember, so it is not sent round and round.
#[test]
fn one_user_with_too_many_answers_is_slowed_down_alone() {
    let mut scene = Scene::new();
    let send = |scene: &Scene, user: &str| {
        let header = scene.answer(&scene.challenges()[0], user, "secret", true);
        scene.gate.check_once(Some(&header), "DESCRIBE", URI, PEER, scene.now)
    };
    let Some(refused) = (0..70_000).find_map(|_| send(&scene, "anna").err()) else { panic!("never full") };
    let Refusal::SlowDown { retry_after } = refused else { panic!("{refused:?}") };
    assert!(send(&scene, "admin").is_ok());
    scene.now = scene.now + retry_after;
    assert!(send(&scene, "anna").is_ok(), "the nonces have ended");
}

#[test]
fn other_schemes_are_challenged_and_broken_headers_are_bad_requests() {
    let scene = Scene::new();
    challenges(scene.check(Some("Basic YW5uYTpzZWNyZXQ="), PEER));
    challenges(scene.check(Some("Digest username=anna, realm=other, nonce=n, uri=u, response=r"), PEER));
    let broken = scene.check(Some("Digest username=\"anna"), PEER);
    assert!(matches!(broken, Err(Refusal::Malformed(ParseError::Malformed(_)))));
    let session = scene.check(Some("Digest username=anna, algorithm=MD5-sess"), PEER);
    assert!(matches!(session, Err(Refusal::Malformed(ParseError::NotOffered(_)))));
}

/// The engine's credential: from this machine, while it is held, whatever others do to the limiter.
#[test]
fn the_one_run_credential_is_local_and_ends_with_its_holder() {
    let scene = Scene::new();
    let challenge = scene.challenges().remove(0);
    let pass = scene.users.one_run().unwrap();
    let header = scene.answer(&challenge, pass.name(), pass.password().reveal(), true);
    for i in 0..200 {
        let wrong = scene.answer(&challenge, &format!("guess{i}"), "x", true);
        assert!(scene.check(Some(&wrong), LOCAL).is_err());
    }
    assert_eq!(scene.check(Some(&header), LOCAL).unwrap().level(), Level::User);
    assert!(scene.check(Some(&header), PEER).is_err(), "from another machine");
    assert_eq!(scene.users.list().len(), 2, "it is listed nowhere");
    scene.users.set(&[]).unwrap();
    assert!(scene.check(Some(&header), LOCAL).is_ok(), "it outlives changes of the users");
    drop(pass);
    assert!(scene.check(Some(&header), LOCAL).is_err());
}
