//! What is fuzzed: one function per target, each of which takes any bytes.
//!
//! `run.sh` lets libFuzzer look for inputs; `tests/replay.rs` replays the committed corpora with seeded mutations in every
//! test run. A target fails by panicking, or by exceeding the limits of time and memory that `run.sh` sets.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a target reports what it finds by panicking"
)]

pub mod discovery;
pub mod media;
pub mod onvif;
pub mod scene;
pub mod soap;
pub mod text;
pub mod upstream;
pub mod web;
pub mod wire;

/// A target: its name, which is also its corpus folder, its function, and how many mutations of each corpus file a test run
/// tries (fewer for targets that open connections or databases).
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
    /// Mutations of each corpus file per test run.
    pub mutations: u32,
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run, mutations: 100 }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("rtsp_message", wire::fuzz_rtsp_message),
    target("interleaved", wire::fuzz_interleaved),
    target("transport", wire::fuzz_transport),
    target("range", wire::fuzz_range),
    target("rtcp", media::fuzz_rtcp),
    target("sps", media::fuzz_sps),
    target("jpeg", media::fuzz_jpeg),
    target("packetize", media::fuzz_packetize),
    target("digest", text::fuzz_digest),
    target("control", text::fuzz_control),
    target("discovery", discovery::fuzz_discovery),
    target("soap_xml", soap::fuzz_soap_xml),
    target("soap_envelope", soap::fuzz_soap_envelope),
    target("http_peek", web::fuzz_http_peek),
    target("tunnel", web::fuzz_tunnel),
    Target { name: "username_token", run: onvif::fuzz_username_token, mutations: 20 },
    Target { name: "onvif_body", run: onvif::fuzz_onvif_body, mutations: 10 },
    Target { name: "onvif_operation", run: onvif::fuzz_onvif_operation, mutations: 10 },
    Target { name: "onvif_all", run: onvif::fuzz_onvif_all, mutations: 3 },
    Target { name: "upstream_sdp", run: upstream::fuzz_upstream_sdp, mutations: 5 },
    Target { name: "upstream_media", run: upstream::fuzz_upstream_media, mutations: 5 },
];

/// Finds a target.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
