//! How soon a new viewer of a running track is answered and sees something.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use belvedere_harness::server::{PASSWORD, USER};
use belvedere_harness::{Client, Options, Server, Transport, process};
use futures_util::StreamExt as _;
use retina::client::{Credentials, PlayOptions, Session, SessionOptions, SetupOptions};
use retina::codec::CodecItem;

use crate::load::Load;

/// What one definition showed.
#[derive(Debug)]
pub struct Entry {
    /// The definition.
    pub name: &'static str,
    /// From the first DESCRIBE of a connection, which is challenged, to the description.
    pub describe: Vec<Duration>,
    /// From PLAY to the first picture, which is a key frame, at retina.
    pub picture: Vec<Duration>,
}

/// The definitions of the built-in pattern.
const DEFINITIONS: [&str; 4] = ["ultra-hd", "hi-def", "standard", "jpeg"];

/// Lets `visits` clients look at each definition of the test pattern while somebody else watches it.
///
/// # Errors
/// A visit fails, or does not begin with a key frame.
pub fn measure(visits: usize) -> Result<Vec<Entry>> {
    let server = quiet()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    DEFINITIONS
        .into_iter()
        .map(|name| {
            let mut watching = Load::new(&server.url(name)?, Transport::Tcp)?;
            watching.add()?;
            std::thread::sleep(Duration::from_secs(2));
            let mut entry = Entry { name, describe: Vec::new(), picture: Vec::new() };
            for visit in 0..visits {
                // Visits fall on every part of a group of pictures.
                std::thread::sleep(Duration::from_millis(37 * (visit as u64 % 20)));
                entry.describe.push(describe(&server.url(name)?)?);
                let url = server.path(&format!("/cam/{name}"))?;
                let visit = async { tokio::time::timeout(Duration::from_secs(10), picture(&url)).await };
                entry.picture.push(runtime.block_on(visit).context("no picture came")?.context(name)?);
            }
            watching.end();
            Ok(entry)
        })
        .collect()
}

/// Private memory of a server that nobody watches, in bytes.
///
/// # Errors
/// It does not start.
pub fn idle_memory() -> Result<u64> {
    let server = quiet()?;
    std::thread::sleep(Duration::from_secs(3));
    process::rss_anon(server.pid())
}

fn quiet() -> Result<Server> {
    Server::start(&Options { environment: Vec::new(), ..Options::default() })
}

fn describe(url: &str) -> Result<Duration> {
    let mut client = Client::connect(url)?;
    let start = Instant::now();
    client.describe()?;
    Ok(start.elapsed())
}

async fn picture(url: &str) -> Result<Duration> {
    let url = url.replace(&format!("{USER}:{PASSWORD}@"), "");
    let who = Credentials { username: USER.into(), password: PASSWORD.into() };
    let mut session = Session::describe(url.parse()?, SessionOptions::default().creds(Some(who))).await?;
    for index in 0..session.streams().len() {
        session.setup(index, SetupOptions::default()).await?;
    }
    let start = Instant::now();
    let mut demuxed = session.play(PlayOptions::default()).await?.demuxed()?;
    loop {
        if let CodecItem::VideoFrame(frame) = demuxed.next().await.context("the stream ended")?? {
            ensure!(frame.is_random_access_point(), "the first picture is no key frame");
            return Ok(start.elapsed());
        }
    }
}
