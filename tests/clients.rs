//! Players and recorders' libraries that are not ffmpeg: GStreamer's `rtspsrc`, mpv, retina.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use belvedere_harness::server::{PASSWORD, USER};
use belvedere_harness::{Server, Transport, Turn, play};
use futures_util::StreamExt;
use retina::client::{Credentials, PlayOptions, Session, SessionOptions, SetupOptions};
use retina::codec::CodecItem;

const DEFINITIONS: [(&str, (usize, usize)); 4] =
    [("ultra-hd", (3840, 2160)), ("hi-def", (1280, 720)), ("standard", (640, 360)), ("jpeg", (640, 360))];

/// GStreamer over one transport: pictures in sequence, no warning.
fn gstreamer(transport: Transport) -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    for (name, size) in DEFINITIONS {
        let codes = play::gstreamer(&server.url(name)?, transport, size, 76).context(name)?;
        let settled = if transport == Transport::Udp { play::settled(&codes) } else { &codes };
        ensure!(settled.len() >= 60, "{name}: {} pictures", settled.len());
        play::consecutive(settled).context(name)?;
    }
    Ok(())
}

#[test]
fn gstreamer_plays_over_tcp() -> Result<()> {
    gstreamer(Transport::Tcp)
}

#[test]
fn gstreamer_plays_over_udp() -> Result<()> {
    gstreamer(Transport::Udp)
}

#[test]
fn mpv_plays() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    for (name, _) in DEFINITIONS {
        for transport in [Transport::Tcp, Transport::Udp] {
            play::mpv(&server.url(name)?, transport, 45).with_context(|| format!("{name} over {transport:?}"))?;
        }
    }
    Ok(())
}

/// retina, which recorders in Rust use: video from a key frame on, and sound, without a lost packet.
#[test]
fn retina_plays() -> Result<()> {
    let _turn = Turn::alone()?;
    let server = Server::pattern()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (name, size) in DEFINITIONS {
        let url = server.url(name)?.replace(&format!("{USER}:{PASSWORD}@"), "");
        let story = retina_story(&url, size);
        let outcome = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), story).await });
        outcome.map_err(|_| anyhow!("{name}: hung"))?.context(name)?;
    }
    Ok(())
}

async fn retina_story(url: &str, size: (usize, usize)) -> Result<()> {
    let who = Credentials { username: USER.into(), password: PASSWORD.into() };
    let mut session = Session::describe(url.parse()?, SessionOptions::default().creds(Some(who))).await?;
    ensure!(session.streams().len() == 2, "{} streams", session.streams().len());
    for index in 0..2 {
        session.setup(index, SetupOptions::default()).await?;
    }
    let mut demuxed = session.play(PlayOptions::default()).await?.demuxed()?;
    let (mut pictures, mut sounds) = (0, 0);
    while pictures < 45 || sounds < 20 {
        match demuxed.next().await.context("the stream ended")?? {
            CodecItem::VideoFrame(frame) => {
                ensure!(pictures > 0 || frame.is_random_access_point(), "SY-2: the first picture is no key frame");
                ensure!(frame.loss() == 0, "{} packets lost", frame.loss());
                pictures += 1;
                let parameters = demuxed.streams()[0].parameters();
                if let Some(retina::codec::ParametersRef::Video(video)) = parameters {
                    let (width, height) = video.pixel_dimensions();
                    ensure!((width as usize, height as usize) == size, "{width}x{height}");
                }
            }
            CodecItem::AudioFrame(_) => sounds += 1,
            _ => (),
        }
    }
    Ok(())
}
