//! Real clients: ffprobe, ffmpeg, GStreamer, mpv. Whatever one of them complains about is an error here.

use std::fs;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::code_row::{Band, Code};
use crate::rtsp::{Media, Transport};
use crate::units::{self, Unit};

/// Seconds after which a client that hangs is ended.
const PATIENCE_S: &str = "90";

impl Transport {
    /// What ffmpeg, mpv (which has no tunnel) and GStreamer call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Http => "http",
        }
    }
}

/// What ffprobe found in a stream.
#[derive(Debug)]
pub struct Probe {
    /// Its description of the streams.
    pub streams: Vec<Value>,
    /// The presentation times of each stream's packets, in seconds.
    pub times: Vec<Vec<f64>>,
    /// The sizes of the same packets, in bytes.
    pub sizes: Vec<Vec<u64>>,
}

impl Probe {
    /// The index of the only stream of a kind, `video` or `audio`.
    pub fn only(&self, kind: &str) -> Result<usize> {
        let found: Vec<usize> =
            (0..self.streams.len()).filter(|&index| self.streams[index]["codec_type"] == kind).collect();
        ensure!(found.len() == 1, "{} {kind} streams: {:?}", found.len(), self.streams);
        Ok(found[0])
    }

    /// Units per second of a stream by its timestamps.
    pub fn rate(&self, index: usize) -> Result<f64> {
        let times = &self.times[index];
        let (first, last) = (times.first().context("no packets")?, times.last().context("no packets")?);
        ensure!(last > first, "{} packets, all at {first} s", times.len());
        Ok((times.len() - 1) as f64 / (last - first))
    }

    /// Width and height of a stream's pictures.
    pub fn size(&self, index: usize) -> Result<(u64, u64)> {
        let side = |name: &str| self.streams[index][name].as_u64().with_context(|| format!("no {name}"));
        Ok((side("width")?, side("height")?))
    }

    /// Bits per second of a stream, in thousands.
    pub fn kbps(&self, index: usize) -> Result<f64> {
        let bytes: u64 = self.sizes[index].iter().sum();
        let units = self.sizes[index].len() as f64;
        Ok(bytes as f64 / units * self.rate(index)? * 8.0 / 1000.0)
    }
}

/// Looks at a stream for some seconds with ffprobe.
pub fn probe(url: &str, transport: Transport, seconds: u32) -> Result<Probe> {
    let interval = format!("%+{seconds}");
    let options = [
        "-show_streams",
        "-show_entries",
        "packet=stream_index,pts_time,size",
        "-of",
        "json",
        "-read_intervals",
        &interval,
    ];
    let mut command = client("ffprobe");
    command.args(["-v", "error", "-rtsp_transport", transport.name()]).args(options).arg(url);
    let output = run(&mut command)?;
    silent(&output, "ffprobe")?;
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let streams = found["streams"].as_array().context("no streams")?.clone();
    let (mut times, mut sizes) = (vec![Vec::new(); streams.len()], vec![Vec::new(); streams.len()]);
    for packet in found["packets"].as_array().context("no packets")? {
        let index = packet["stream_index"].as_u64().context("no stream index")? as usize;
        // The first packets may have no time yet: ffmpeg wants a sender report first.
        if let Some(time) = packet["pts_time"].as_str() {
            times[index].push(time.parse()?);
            sizes[index].push(packet["size"].as_str().context("no size")?.parse()?);
        }
    }
    Ok(Probe { streams, times, sizes })
}

/// Decodes pictures with ffmpeg and reads their code rows. One error line fails it.
pub fn codes(url: &str, transport: Transport, size: (usize, usize), pictures: u32) -> Result<Vec<Code>> {
    let mut command = client("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-rtsp_transport", transport.name(), "-i", url, "-map", "0:v:0"]);
    command.args(["-frames:v", &pictures.to_string()]);
    let band = Band::of(size.0, size.1);
    let output = run(grey_band(&mut command, band))?;
    silent(&output, "ffmpeg")?;
    read_bands(band, &output.stdout)
}

/// Decodes a file with ffmpeg and reads the code rows of all its pictures.
pub fn codes_of_file(path: &str) -> Result<Vec<Code>> {
    let mut command = client("ffprobe");
    command.args([
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "stream=width,height",
        "-of",
        "json",
        path,
    ]);
    let found: Value = serde_json::from_slice(&run(&mut command)?.stdout)?;
    let side = |name: &str| found["streams"][0][name].as_u64().with_context(|| format!("no {name}: {found}"));
    let band = Band::of(side("width")? as usize, side("height")? as usize);
    let mut command = client("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-i", path, "-map", "0:v:0"]);
    let output = run(grey_band(&mut command, band))?;
    silent(&output, "ffmpeg")?;
    read_bands(band, &output.stdout)
}

/// Decodes a JPEG picture and gives its width and height.
pub fn picture(bytes: &[u8]) -> Result<(u64, u64)> {
    let file = tempfile::Builder::new().suffix(".jpg").tempfile()?;
    fs::write(&file, bytes)?;
    let mut command = client("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-xerror", "-i"]).arg(file.path()).args(["-f", "null", "-"]);
    silent(&run(&mut command)?, "ffmpeg")?;
    let mut command = client("ffprobe");
    command.args(["-v", "error", "-show_streams", "-of", "json"]).arg(file.path());
    let found: Value = serde_json::from_slice(&run(&mut command)?.stdout)?;
    ensure!(found["streams"][0]["codec_name"] == "mjpeg", "no JPEG: {found}");
    let side = |name: &str| found["streams"][0][name].as_u64().with_context(|| format!("no {name}: {found}"));
    Ok((side("width")?, side("height")?))
}

/// Decodes the units that a raw session received.
pub fn codes_of_units(media: &Media, units: &[Unit]) -> Result<Vec<Code>> {
    codes_of_file(&file_of_units(media, units)?.path().to_string_lossy())
}

/// Decodes the units that a raw session received, and gives width and height of each picture. The first must be a key frame.
pub fn sizes_of_units(media: &Media, units: &[Unit]) -> Result<Vec<(u64, u64)>> {
    let file = file_of_units(media, units)?;
    let mut command = client("ffprobe");
    command.args(["-v", "error", "-select_streams", "v:0", "-show_entries", "frame=width,height", "-of", "json"]);
    let output = run(command.arg(file.path()))?;
    silent(&output, "ffprobe")?;
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let frames = found["frames"].as_array().context("no frames")?;
    let side = |frame: &Value, name: &str| frame[name].as_u64().with_context(|| format!("no {name}: {frame}"));
    frames.iter().map(|frame| Ok((side(frame, "width")?, side(frame, "height")?))).collect()
}

/// Writes units into a file that ffmpeg knows by its name.
fn file_of_units(media: &Media, units: &[Unit]) -> Result<NamedTempFile> {
    let ending = match media.encoding.as_str() {
        "H264" => ".h264",
        "H265" => ".hevc",
        "JPEG" => ".mjpeg",
        other => bail!("{other} is no video codec"),
    };
    let file = tempfile::Builder::new().suffix(ending).tempfile()?;
    let mut bytes = units::parameter_sets(media)?;
    units.iter().for_each(|unit| bytes.extend(&unit.bytes));
    fs::write(&file, bytes)?;
    Ok(file)
}

/// Decodes sound that a raw session received to samples of 16 bits at the medium's clock rate, one channel.
pub fn samples_of_units(media: &Media, units: &[Unit]) -> Result<Vec<i16>> {
    let rate = media.clock_rate.to_string();
    let format: &[&str] = match media.encoding.as_str() {
        "PCMU" => &["-f", "mulaw", "-ar", &rate, "-ac", "1"],
        "PCMA" => &["-f", "alaw", "-ar", &rate, "-ac", "1"],
        _ => &["-f", "aac"],
    };
    let file = tempfile::NamedTempFile::new()?;
    fs::write(&file, units.iter().flat_map(|unit| unit.bytes.clone()).collect::<Vec<_>>())?;
    let mut command = client("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error"]).args(format).arg("-i").arg(file.path());
    command.args(["-f", "s16le", "-ac", "1", "-ar", &rate, "-"]);
    let output = run(&mut command)?;
    silent(&output, "ffmpeg")?;
    Ok(output.stdout.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}

/// Plays pictures with GStreamer's `rtspsrc` and reads their code rows.
pub fn gstreamer(url: &str, transport: Transport, size: (usize, usize), pictures: u32) -> Result<Vec<Code>> {
    let band = Band::of(size.0, size.1);
    let file = tempfile::NamedTempFile::new()?;
    let below = size.1 - band.top - band.height;
    // dtsdec and others are of no concern: decodebin is told what it gets by the caps in front of it.
    // A tunnel is asked for by the scheme; TCP is what travels in it, and GStreamer wants to be allowed both.
    let (url, protocols) = match transport {
        Transport::Http => (url.replacen("rtsp://", "rtsph://", 1), "tcp+http"),
        Transport::Tcp | Transport::Udp => (url.to_owned(), transport.name()),
    };
    let pipeline = format!(
        "rtspsrc location={url} protocols={protocols} latency=200 ! application/x-rtp,media=video ! decodebin ! videocrop top={} bottom={below} \
         ! videoconvert ! video/x-raw,format=GRAY8 ! identity eos-after={} ! filesink location={}",
        band.top,
        pictures + 1,
        file.path().display(),
    );
    let mut command = client("gst-launch-1.0");
    command.arg("--quiet").args(pipeline.split_whitespace());
    let output = run(&mut command)?;
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let codes = read_bands(band, &fs::read(file.path())?)?;
    if codes.len() >= pictures as usize && interrupted_itself(&complaints) {
        return Ok(codes);
    }
    ensure!(output.status.success(), "gst-launch-1.0 ended with {}: {complaints}", output.status);
    ensure!(!complaints.contains("ERROR") && !complaints.contains("WARN"), "gst-launch-1.0 said: {complaints}");
    Ok(codes)
}

/// Whether all that GStreamer complains of is the PAUSE that it cancelled itself: at the end of the stream gst-launch asks
/// `rtspsrc` to pause and at once to close, the second flushes the connection, and if the first was being sent, it fails.
fn interrupted_itself(complaints: &str) -> bool {
    let errors: Vec<&str> = complaints.lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).collect();
    let places = complaints.lines().filter(|line| line.starts_with("../")).collect::<Vec<_>>();
    errors.iter().all(|line| line.ends_with("Could not write to resource."))
        && places.last().is_some_and(|line| line.contains("gst_rtspsrc_pause"))
        && places.iter().all(|line| line.contains("gst_rtspsrc_try_send") || line.contains("gst_rtspsrc_pause"))
}

/// Plays pictures with mpv.
pub fn mpv(url: &str, transport: Transport, pictures: u32) -> Result<()> {
    let mut command = client("mpv");
    command.args([
        "--no-config",
        "--vo=null",
        "--ao=null",
        "--hwdec=no",
        "--msg-level=all=warn",
        "--no-input-terminal",
    ]);
    command.arg(format!("--rtsp-transport={}", transport.name())).arg(format!("--frames={pictures}")).arg(url);
    let output = run(&mut command)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "mpv ended with {}: {said}", output.status);
    // Without a display or sound card some lines are unavoidable; what the demuxer and the decoders say is not.
    let complaint =
        said.lines().find(|line| line.contains("[ffmpeg") || line.contains("[lavf]") || line.contains("Error"));
    ensure!(complaint.is_none(), "mpv said: {said}");
    Ok(())
}

/// Demands that each picture's frame number is that of the picture before plus one.
pub fn consecutive(codes: &[Code]) -> Result<()> {
    ensure!(codes.len() > 1, "{} pictures", codes.len());
    for pair in codes.windows(2) {
        let frames = || codes.iter().map(|code| code.frame).collect::<Vec<_>>();
        ensure!(
            pair[1].frame == pair[0].frame.wrapping_add(1),
            "picture {} follows {}: {:?}",
            pair[1].frame,
            pair[0].frame,
            frames()
        );
    }
    Ok(())
}

/// The pictures after a viewer has settled: over UDP the server may let it jump once, within its first second, to a key
/// frame that was made for it.
pub fn settled(codes: &[Code]) -> &[Code] {
    let first_second = &codes[..codes.len().min(16)];
    let jump = first_second.windows(2).position(|pair| pair[1].frame != pair[0].frame.wrapping_add(1));
    &codes[jump.map_or(0, |index| index + 1)..]
}

fn client(name: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", PATIENCE_S, name]);
    command
}

fn run(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    ensure!(
        output.status.code() != Some(124),
        "{command:?} hung; it said: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output)
}

fn silent(output: &Output, name: &str) -> Result<()> {
    let complaints = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && complaints.is_empty(),
        "{name} ended with {} and said: {complaints}",
        output.status
    );
    Ok(())
}

fn grey_band(command: &mut Command, band: Band) -> &mut Command {
    let Band { top, width, height } = band;
    let crop = format!("crop={width}:{height}:0:{top},format=gray");
    command.args(["-fps_mode", "passthrough", "-vf", &crop, "-f", "rawvideo", "-pix_fmt", "gray", "-"])
}

fn read_bands(band: Band, pixels: &[u8]) -> Result<Vec<Code>> {
    pixels
        .chunks(band.width * band.height)
        .enumerate()
        .map(|(index, picture)| band.read(picture).with_context(|| format!("picture {index}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::interrupted_itself;

    const WRITE: &str = "ERROR: from element /GstPipeline:pipeline0/GstRTSPSrc:rtspsrc0: Could not write to resource.";

    fn complaint(error: &str, function: &str) -> String {
        format!("{error}\nAdditional debug info:\n../gst/rtsp/gstrtspsrc.c(1): {function} (): /GstPipeline:pipeline0\n")
    }

    #[test]
    fn only_a_cancelled_pause_is_forgiven() {
        let cancelled = complaint(WRITE, "gst_rtspsrc_try_send") + &complaint(WRITE, "gst_rtspsrc_pause");
        assert!(interrupted_itself(&cancelled));
        assert!(!interrupted_itself(""), "nothing at all explains no failure");
        assert!(!interrupted_itself(&complaint(WRITE, "gst_rtspsrc_try_send")));
        assert!(!interrupted_itself(&(complaint(WRITE, "gst_rtspsrc_play") + &cancelled)));
        let unreadable = WRITE.replace("write to", "read from");
        assert!(!interrupted_itself(&complaint(&unreadable, "gst_rtspsrc_pause")));
    }
}
