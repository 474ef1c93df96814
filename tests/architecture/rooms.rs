//! Who may import what.

use std::collections::BTreeSet;

use crate::tree::Tree;

/// The rooms of `src/`, floor by floor. A room may import the floors below its own; never a sibling on its floor, never
/// upwards. `lib.rs`, `main.rs` and `server.rs` stand above them all.
const FLOORS: [&[&str]; 4] = [
    &["base"],
    &["hub", "rtp", "auth", "store", "tls", "host"],
    &["camera"],
    // What the configuration yields, checked, is the camera model's own settings.
    &["source", "rtsp", "http", "web", "onvif", "discovery", "config"],
];
/// What may import every room: the map, the thin binary with its command line, the composition root and its state directory.
const ROOF: [&str; 5] = ["lib", "main", "cli", "server", "state"];

/// Where decisions are made: no sockets, no clocks, no threads.
const CORES: [&str; 4] = ["src/rtsp/core/", "src/rtp/", "src/onvif/soap/", "src/discovery/core/"];
/// Words that give a socket, a clock or a thread away.
const IMPURE: [&str; 11] = [
    "tokio",
    "socket2",
    "rustix",
    "nix",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "Instant",
    "SystemTime",
    "thread",
];

/// Only these packages may link GStreamer: the engine, and the peers that the tests play against.
const GSTREAMER_PACKAGES: [&str; 2] = ["engine/Cargo.toml", "tests/peers/Cargo.toml"];

/// The direction of imports, and that every room has its place in the table.
pub(crate) fn imports(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.matching("src/", ".rs") {
        let modules = modules(path);
        let room = modules.first().copied().unwrap_or_default();
        if ROOF.contains(&room) {
            continue;
        }
        let Some(floor) = floor(room) else {
            complaints.push(format!("{path}: room `{room}` is not in the table of tests/architecture/rooms.rs"));
            continue;
        };
        for imported in imported_rooms(text, &modules) {
            let allowed = imported == room || self::floor(&imported).is_some_and(|below| below < floor);
            if !allowed {
                complaints.push(format!("{path}: `{room}` may not import `{imported}`"));
            }
        }
    }
    complaints
}

/// The cores take `now` and input and return output.
pub(crate) fn pure_cores(tree: &Tree) -> Vec<String> {
    let files = CORES.iter().flat_map(|core| tree.matching(core, ".rs"));
    let mut complaints = Vec::new();
    for (path, text) in files {
        for (number, line) in (1..).zip(text.lines()) {
            for word in words(code(line)).filter(|word| IMPURE.contains(word)) {
                complaints.push(format!("{path}:{number}: `{word}` in a core"));
            }
        }
    }
    complaints
}

/// Only the engine and the tests' peers name GStreamer, and nothing the server depends on does.
pub(crate) fn gstreamer(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.matching("", "Cargo.toml").filter(|(path, _)| !GSTREAMER_PACKAGES.contains(path)) {
        let names = text.lines().filter(|line| is_gstreamer(line.trim_start()));
        complaints.extend(names.map(|line| format!("{path}: {line}")));
    }
    let lock = tree.text("Cargo.lock").unwrap_or_default();
    let reached = dependencies(lock, "belvedere").into_iter().filter(|name| is_gstreamer(name));
    complaints.extend(reached.map(|name| format!("Cargo.lock: belvedere depends on {name}")));
    complaints
}

fn is_gstreamer(name: &str) -> bool {
    ["gstreamer", "gst-", "glib", "gio-sys", "gobject"].iter().any(|prefix| name.starts_with(prefix))
}

/// Everything that a package depends on by the lock file, directly or not.
fn dependencies(lock: &str, package: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![package.to_owned()];
    while let Some(name) = open.pop() {
        let quoted = format!("name = \"{name}\"");
        for entry in lock.split("[[package]]").filter(|entry| entry.lines().any(|line| line == quoted)) {
            let listed = entry.split_once("dependencies = [").map_or("", |(_, list)| list);
            for line in listed.lines().filter_map(|line| line.trim().strip_prefix('"')) {
                let dependency = line.split(['"', ' ']).next().unwrap_or_default().to_owned();
                if reached.insert(dependency.clone()) {
                    open.push(dependency);
                }
            }
        }
    }
    reached
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

/// The module path of a file: `src/rtsp/core/sdp.rs` is `rtsp`, `core`, `sdp`.
fn modules(path: &str) -> Vec<&str> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    path.trim_end_matches("/mod").split('/').collect()
}

/// The rooms that a file names after `crate::`, or after as many `super::` as lead to the root.
fn imported_rooms(text: &str, modules: &[&str]) -> BTreeSet<String> {
    let text: String = text.lines().map(|line| format!("{}\n", code(line))).collect();
    let mut rooms = BTreeSet::new();
    for (start, _) in text.match_indices("crate::") {
        rooms.extend(first_names(&text[start + "crate::".len()..]));
    }
    let escape = "super::".repeat(modules.len());
    for (start, _) in text.match_indices(&escape) {
        let after = text[start + escape.len()..].trim_start_matches("super::");
        rooms.extend(first_names(after).into_iter().filter(|name| floor(name).is_some() && name != modules[0]));
    }
    rooms
}

/// The first names of a path: one, or those of the outermost braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut names, mut depth, mut fresh) = (Vec::new(), 1, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                names.push(name(&group[at..]));
                fresh = false;
            }
            _ => (),
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[test]
fn a_sibling_or_an_upper_floor_may_not_be_imported() {
    let bad = [
        ("src/rtp/a.rs", "use crate::hub::Ring;"),
        ("src/hub/a.rs", "use crate::{\n    base::clock::{Clock, Mono},\n    camera::Camera,\n};"),
        ("src/base/a.rs", "fn f() { crate::auth::g() }"),
        ("src/rtsp/core/a.rs", "use super::super::super::http::X;"),
        ("src/camera/mod.rs", "pub(crate) use super::source;"),
        ("src/attic/mod.rs", ""),
    ];
    for (path, text) in bad {
        assert_eq!(imports(&Tree::of(&[(path, text)])).len(), 1, "{path}: {text}");
    }
    let good = [
        ("src/rtsp/core/a.rs", "use crate::{camera::Camera, hub::{Ring, Unit}, rtsp::net};\nuse super::super::net;"),
        ("src/base/mod.rs", "//! Nothing of [`crate::hub`].\n#[cfg(test)]\nmod tests { use super::*; }"),
        ("src/server.rs", "use crate::{http, rtsp};"),
        ("src/camera/mod.rs", "pub(crate) fn f(id: crate::base::Id) {}"),
    ];
    assert_eq!(imports(&Tree::of(&good)), Vec::<String>::new());
}

#[test]
fn a_core_with_a_clock_or_a_socket_is_found() {
    let bad = [
        ("src/rtp/a.rs", "use std::time::{Duration, Instant};"),
        ("src/rtsp/core/a.rs", "use tokio::time;"),
        ("src/rtsp/core/b.rs", "std::thread::sleep(d);"),
    ];
    for file in bad {
        assert_eq!(pure_cores(&Tree::of(&[file])).len(), 1, "{file:?}");
    }
    let good = [("src/rtsp/net/a.rs", "use tokio::net::TcpStream;"), ("src/rtp/a.rs", "// An Instant is passed in.")];
    assert_eq!(pure_cores(&Tree::of(&good)), Vec::<String>::new());
}

#[test]
fn gstreamer_is_found_in_manifests_and_behind_dependencies() {
    assert_eq!(gstreamer(&Tree::of(&[("Cargo.toml", "[dependencies]\ngstreamer = \"0.25\"")])).len(), 1);
    assert!(gstreamer(&Tree::of(&[("engine/Cargo.toml", "gstreamer = \"0.25\"")])).is_empty());
    let lock = "[[package]]\nname = \"belvedere\"\ndependencies = [\n \"a 1.0.0\",\n]\n\n[[package]]\nname = \"a\"\nversion = \"1\"\n\
                dependencies = [\n \"gstreamer\",\n]\n\n[[package]]\nname = \"gstreamer\"\n";
    assert_eq!(gstreamer(&Tree::of(&[("Cargo.lock", lock)])).len(), 1);
    let apart = lock.replace("\"a 1.0.0\"", "\"b\"");
    assert!(gstreamer(&Tree::of(&[("Cargo.lock", &apart)])).is_empty());
}
