//! Credentials and the lines between server and engine.

use belvedere::auth::Credentials;
use belvedere_engine_control::{Command, Event, from_line, to_line};

/// Credentials are read or refused.
pub fn fuzz_digest(data: &[u8]) {
    if let Ok(header) = str::from_utf8(data) {
        let _ = Credentials::parse(header);
        let _ = Credentials::parse(&format!("Digest {header}"));
    }
}

/// A message that is read can be written, and is then read as the same.
pub fn fuzz_control(data: &[u8]) {
    if let Ok(command) = from_line::<Command>(data) {
        assert_eq!(from_line::<Command>(to_line(&command).as_bytes()).expect("what we wrote"), command);
    }
    if let Ok(event) = from_line::<Event>(data) {
        assert_eq!(from_line::<Event>(to_line(&event).as_bytes()).expect("what we wrote"), event);
    }
}
