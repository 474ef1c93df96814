use std::{net::IpAddr, sync::Arc};

use super::{super::*, *};
use crate::base::clock::MonoTime;

/// A disk that outlives the runs, and counts what is written.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<(Option<KeptTokens>, usize)>>);

impl TokenStore for Disk {
    fn load(&self) -> Result<Option<KeptTokens>, StoreError> {
        Ok(self.0.lock().unwrap().0.clone())
    }

    fn keep(&self, tokens: &KeptTokens) -> Result<(), StoreError> {
        let mut disk = self.0.lock().unwrap();
        // As it will be read.
        let text = serde_json::to_string(tokens)?;
        *disk = (serde_json::from_str(&text)?, disk.1 + 1);
        Ok(())
    }
}

/// The runs of a device with the user `joe`; times are in seconds.
struct Device {
    disk: Disk,
    gate: Gate,
}

impl Device {
    fn new(now: u64) -> Self {
        let disk = Disk::default();
        Self { gate: Self::run(&disk, now), disk }
    }

    fn run(disk: &Disk, now: u64) -> Gate {
        let users = Users::open(Box::new(InMemory::default()), DeviceKey::from_bytes([1; 32])).unwrap();
        users.create(&[NewUser { name: "joe".into(), password: "secret".into(), level: Level::Operator }]).unwrap();
        let gate = Gate::new(Arc::new(users), GuessLimits::default()).unwrap();
        gate.remembering(Box::new(disk.clone()), utc(now)).unwrap()
    }

    fn restart(&mut self, end: u64, start: u64) {
        self.gate.keep_tokens(utc(end));
        self.crash(start);
    }

    fn crash(&mut self, start: u64) {
        self.gate = Self::run(&self.disk, start);
    }

    /// Sends the token that was made at `created`; tells whether it is taken.
    fn send(&self, created: u64, now: u64) -> bool {
        let text = created.to_string();
        let matches = |given: &str| given == "secret";
        let claim = TokenClaim {
            user: "joe",
            nonce: b"nonce",
            created: &text,
            created_at: Some(utc(created)),
            matches: &matches,
        };
        let peer = IpAddr::from([192, 0, 2, 9]);
        self.gate.check_token(&claim, peer, utc(now), MonoTime::from_nanos(1_000_000_000)).is_ok()
    }

    fn writes(&self) -> usize {
        self.disk.0.lock().unwrap().1
    }
}

fn utc(seconds: u64) -> UtcTime {
    UtcTime::from_nanos((1_800_000_000 + seconds) * SECOND)
}

/// A recorded SystemReboot must not reboot the device again, nor a client be refused whose clock is two minutes behind.
#[test]
fn after_an_orderly_restart_used_tokens_are_refused_and_no_other() {
    let mut device = Device::new(0);
    assert!(device.send(1000, 1000) && device.send(1200, 1001), "one of them by a clock ahead of ours");
    device.restart(1001, 1002);
    assert!(!device.send(1000, 1002) && !device.send(1200, 1002));
    assert!(device.send(882, 1002) && device.send(1003, 1003));
    device.restart(1004, 1005);
    for used in [1000, 1200, 882, 1003] {
        assert!(!device.send(used, 1005), "{used}, two restarts ago or one");
    }
}

#[test]
fn a_run_that_ends_takes_no_more() {
    let mut device = Device::new(0);
    device.gate.keep_tokens(utc(1000));
    assert!(!device.send(1000, 1000), "it would be good again after the restart");
    device.crash(1001);
    assert!(device.send(1000, 1001));
}

/// A crash leaves no list. What was made before it is refused; and so is what was made ahead, as far as anybody's clock was.
#[test]
fn after_a_crash_what_could_have_been_used_is_refused() {
    let mut device = Device::new(0);
    assert!(device.send(1000, 1000) && device.send(1003, 1000));
    device.crash(1001);
    assert!(!device.send(1000, 1001) && !device.send(1003, 1001));
    assert!(!device.send(990, 1002), "a clock behind ours waits");
    assert!(device.send(1006, 1006));
    device.crash(1010);
    assert!(!device.send(1006, 1010) && !device.send(1003, 1010));
    device.restart(1011, 1012);
    assert!(!device.send(1006, 1012), "nor does it come back with an orderly restart");
    assert!(device.send(1012, 1012));
}

/// Tokens that were loaded and then lost with a crash.
#[test]
fn a_crash_after_an_orderly_restart_forgets_nothing() {
    let mut device = Device::new(0);
    assert!(device.send(1200, 1000));
    device.restart(1001, 1002);
    device.crash(1003);
    assert!(!device.send(1200, 1003));
}

#[test]
fn the_clock_may_be_set_back_before_a_crash() {
    let mut device = Device::new(40_000);
    assert!(device.send(40_010, 40_010));
    assert!(device.send(1000, 1000), "ten hours back");
    device.crash(1001);
    assert!(!device.send(1000, 1001));
    assert!(device.send(1002, 1002), "ten hours ahead something was used, but not now");
    assert!(!device.send(40_010, 40_011), "and forward again");
}

/// The network's time steps our clock back by seconds.
#[test]
fn a_small_step_back_before_a_crash_is_like_a_clock_ahead() {
    let mut device = Device::new(0);
    assert!(device.send(1000, 1000) && device.send(995, 995));
    device.crash(996);
    assert!(!device.send(1000, 996) && !device.send(1000, 1002));
    assert!(device.send(1005, 1005));
}

/// No battery keeps the time of a small board: it starts in the past, and the network sets it right.
#[test]
fn the_clock_may_start_in_the_past_after_a_crash() {
    let mut device = Device::new(10_000);
    assert!(device.send(10_300, 10_300));
    device.crash(0);
    assert!(!device.send(10_300, 10_310));
    assert!(device.send(10_910, 10_910), "refused no longer than ten minutes");
    device.crash(0);
    assert!(!device.send(10_910, 10_920));
    device.restart(20_000, 0);
    assert!(!device.send(10_910, 10_920) && device.send(20_001, 20_001));
}

/// An fsync for each token would be felt.
#[test]
fn the_disk_is_hardly_ever_written() {
    let device = Device::new(0);
    for second in 0..3000 {
        assert!(device.send(second, second / 10 * 10), "made up to nine seconds ahead");
    }
    assert!((2..=11).contains(&device.writes()), "{}", device.writes());
}
