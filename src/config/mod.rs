//! The configuration file: read, check.
//!
//! TOML text → [`toml::Table`] (the file's form) → [`Checked`] (the form that the program computes with). A `Checked` cannot be
//! had with a mistake in it, and [`check`] reports all mistakes at once, each with its key's path. Unknown keys are refused.
//!
//! The file holds what no door can change, and first-start values for the rest. Where the store has a value it wins; such a
//! setting is kept under `camera.<id>.<the key's path within the camera>`, which lets [`overridden`] list them.
//!
//! `examples/config/belvedere.toml` documents every key; a test holds it against the code.

mod camera;
mod limits;
mod section;
mod server;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

pub use camera::{CameraConfig, Source};
pub use limits::Limits;
pub use section::Mistake;
use section::{Findings, Section};
pub use server::{Engine, Machine, Server};
use toml::Table;

/// Largest configuration file, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// Most cameras of one server.
const MAX_CAMERAS: usize = 64;

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Listeners, host name and state directory.
    pub server: Server,
    /// What clients may use up.
    pub limits: Limits,
    /// The cameras, one at least.
    pub cameras: Vec<CameraConfig>,
    /// Where the media engine is.
    pub engine: Engine,
    /// What doors tell and change of the machine.
    pub machine: Machine,
}

impl Default for Checked {
    /// One camera `cam` with the test pattern, HTTP on 8080 and RTSP on 8554.
    fn default() -> Self {
        let limits = Limits::default();
        let cameras = vec![CameraConfig::pattern("cam", limits.ring())];
        Self { server: Server::default(), limits, cameras, engine: Engine::default(), machine: Machine::default() }
    }
}

/// Why a configuration was refused: every mistake in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Mistake::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

/// Reads and checks a configuration file.
///
/// # Errors
/// All mistakes; one that names the file where it cannot be read.
pub fn load(path: &Path) -> Result<Checked, Mistakes> {
    let text = read(path).map_err(|error| one(path.display().to_string(), error.to_string()))?;
    check(&text, path.parent().unwrap_or(Path::new("")))
}

/// Checks the text of a configuration; relative paths in it start at `base`.
///
/// # Errors
/// All mistakes. None of them quotes a value: there are passwords among them.
pub fn check(text: &str, base: &Path) -> Result<Checked, Mistakes> {
    examine(text, base).0
}

/// Lists the keys of the file that the store overrides, by their path in the file, given the keys of the store's settings.
pub fn overridden(checked: &Checked, settings: &[String]) -> Vec<String> {
    let key_of = |setting: &String| {
        let (id, rest) = setting.strip_prefix("camera.")?.split_once('.')?;
        let index = checked.cameras.iter().position(|camera| camera.settings.id == id)?;
        Some(format!("camera[{index}].{rest}"))
    };
    settings.iter().filter_map(key_of).collect()
}

/// Checks, and returns the paths of all keys that were asked for besides.
fn examine(text: &str, base: &Path) -> (Result<Checked, Mistakes>, Vec<String>) {
    let table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return (Err(syntax(&error, text)), Vec::new()),
    };
    let findings = Findings::default();
    let root = Section::root(&table, &findings);
    let server = Server::read(root.section("server"), base);
    let limits = Limits::read(root.section("limits"));
    let cameras = read_cameras(&root, base, &limits);
    let engine = Engine::read(root.section("engine"), base);
    let machine = Machine::read(root.section("host"));
    root.finish();
    let (mistakes, asked) = findings.into_parts();
    let checked = Checked { server, limits, cameras, engine, machine };
    (if mistakes.is_empty() { Ok(checked) } else { Err(Mistakes(mistakes)) }, asked)
}

fn read_cameras(root: &Section<'_>, base: &Path, limits: &Limits) -> Vec<CameraConfig> {
    let sections = root.sections("camera");
    if sections.is_empty() {
        return Checked::default().cameras.into_iter().map(|camera| camera.with_ring(limits.ring())).collect();
    }
    if sections.len() > MAX_CAMERAS {
        root.mistake("camera", format!("there can be at most {MAX_CAMERAS}"));
    }
    let mut cameras: Vec<CameraConfig> = Vec::new();
    for (index, section) in sections.into_iter().enumerate() {
        let camera = CameraConfig::read(section, base, limits.ring());
        if index == 0 && camera.http.is_some() {
            root.mistake("camera[0].http.listen", "the first camera's web listener is server.http");
        }
        if cameras.iter().any(|other| other.settings.id == camera.settings.id) {
            root.mistake(&format!("camera[{index}].id"), "another camera has the same id");
        }
        cameras.push(camera);
    }
    cameras
}

/// Makes a mistake of a syntax error: where it is and what was expected, but not the line itself, which may hold a password.
fn syntax(error: &toml::de::Error, text: &str) -> Mistakes {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let message = error.message().lines().next().unwrap_or("bad syntax");
    // The parser's messages name what it expected; where one quotes the text it read, only the place is told.
    let known =
        ["expected", "invalid", "missing", "duplicate", "unclosed", "extra", "unexpected", "unquoted", "key with"];
    let quotes = message.contains("://") || message.contains('@');
    let message = if !quotes && known.iter().any(|word| message.contains(word)) { message } else { "bad syntax" };
    one(format!("line {line}, column {column}"), message.to_owned())
}

fn read(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > MAX_FILE {
        return Err(io::Error::other("the file is larger than 1 MiB"));
    }
    fs::read_to_string(path)
}

fn one(key: String, what: String) -> Mistakes {
    Mistakes(vec![Mistake { key, what }])
}

/// Resolves a path of the file against the directory that the file is in.
fn resolve(base: &Path, path: &str) -> PathBuf {
    base.join(path)
}

#[cfg(test)]
mod tests;
