//! The matrix: service × codec × way × Internet protocol, for pictures, for sound, and for both.

use std::time::{Duration, Instant};

use belvedere_harness::tunnel::Shape;

use super::{
    audio,
    door::Door,
    judge::{self, Expected},
    own,
    profile::{self, Sound},
    stream::{PATIENCE, SLICE, Stream},
    video::{self, Encoder, Wish},
    words::{Codec, Ip, Service, Steps, Way},
};
use crate::{test::Test, verdict::Outcome};

/// How long a stream is listened to. Enough for the rate of 25 frames per second, or of 5.
const LISTEN: Duration = Duration::from_secs(2);

/// The numbers of the steps before a stream.
struct Numbers {
    select: String,
    set: String,
    uri: String,
    stream: Steps,
}

/// A stream of pictures.
pub(super) fn pictures(t: &mut Test<'_>, service: Service, codec: Codec, way: Way, ip: Ip) -> Outcome {
    pictures_through(t, service, codec, way, ip, Shape::default())
}

/// The same with the base64 of the tunnel in this shape.
pub(super) fn pictures_through(
    t: &mut Test<'_>,
    service: Service,
    codec: Codec,
    way: Way,
    ip: Ip,
    shape: Shape,
) -> Outcome {
    let shift = ip.shift();
    let numbers = match service {
        Service::Media1 => Numbers {
            select: (3 + shift).to_string(),
            set: (4 + shift).to_string(),
            uri: (6 + shift).to_string(),
            stream: Steps::told(6 + shift, way),
        },
        Service::Media2 => Numbers {
            select: format!("{}.1", 3 + shift),
            set: format!("{}.3", 3 + shift),
            uri: format!("{}.5", 3 + shift),
            stream: Steps::left(4 + shift, service, way),
        },
    };
    let door = Door::open(t, service, ip)?;
    t.step(&numbers.select, "there is a profile with the codec");
    let encoder = select(t, &door, codec)?;
    t.step(&numbers.set, "the encoder is set");
    let setting = video::set(t, &door, &encoder, &Wish::default())?;
    t.step(&numbers.uri, "GetStreamUri gives an address");
    let uri = door.stream_uri(t, &encoder.profile, way)?;
    play(t, &uri, way, ip, numbers.stream, shape, &[Expected::Video(setting)])
}

/// Finds and claims an encoder with this codec.
pub(super) fn select(t: &mut Test<'_>, door: &Door, codec: Codec) -> Outcome<Encoder> {
    video::claim_codec(t, codec)?;
    let found = video::encoders(t, door, codec)?;
    if found.is_empty() && door.service == Service::Media2 {
        return own::make_pictures(t, door, codec);
    }
    t.demand(!found.is_empty(), format!("a profile with video encoder that has {}", codec.media1()), "none")?;
    profile::found(t);
    video::claim(t, found)
}

/// A stream of sound from a profile that has pictures, too, if there is such a one.
pub(super) fn sound(t: &mut Test<'_>, service: Service, codec: Codec, way: Way, ip: Ip) -> Outcome {
    let first = 3 + ip.shift();
    // The procedures are HelperDeviceConfigurationForMediaAudioStreaming and HelperDeviceConfigurationForAudioStreaming.
    let (set, uri) = if service == Service::Media1 { (2, 4) } else { (3, 5) };
    let door = Door::open(t, service, ip)?;
    t.step(&format!("{first}.1"), "there is a profile with the codec");
    let wanted = |sound: &Sound| service == Service::Media2 || sound.video.is_some();
    let found: Vec<Sound> = profile::sounds(t, &door, codec)?.into_iter().filter(wanted).collect();
    let sound = if found.is_empty() {
        own::make_sound(t, &door, codec, service == Service::Media1)?
    } else {
        profile::found(t);
        claim_sound(t, found)?
    };
    t.step(&format!("{first}.{set}"), "the audio encoder is set");
    let rate = audio::set(t, &door, &sound.encoder, &sound.options)?;
    t.step(&format!("{first}.{uri}"), "GetStreamUri gives an address");
    let uri = door.stream_uri(t, &sound.profile, way)?;
    let steps = Steps::left(first + 1, service, way);
    play(t, &uri, way, ip, steps, Shape::default(), &[Expected::Audio(codec, rate)])
}

/// Claims a sound; of a profile with pictures these first, or who sets them would disturb the stream.
fn claim_sound(t: &mut Test<'_>, found: Vec<Sound>) -> Outcome<Sound> {
    let pictures: Vec<String> = found.iter().filter_map(|sound| Some(sound.video.as_ref()?.0.clone())).collect();
    if pictures.len() == found.len() {
        let claimed = t.claim(&pictures)?;
        let sound = found.into_iter().find(|sound| sound.video.as_ref().is_some_and(|(token, _)| *token == claimed));
        let sound = t.some(sound, "the encoder that was claimed")?;
        t.claim(std::slice::from_ref(&sound.encoder))?;
        return Ok(sound);
    }
    let found: Vec<Sound> = found.into_iter().filter(|sound| sound.video.is_none()).collect();
    let tokens: Vec<String> = found.iter().map(|sound| sound.encoder.clone()).collect();
    let claimed = t.claim(&tokens)?;
    t.some(found.into_iter().find(|sound| sound.encoder == claimed), "the encoder that was claimed")
}

/// A stream of sound from a profile that has nothing else.
pub(super) fn only_sound(t: &mut Test<'_>, service: Service, codec: Codec, way: Way, ip: Ip) -> Outcome {
    let shift = ip.shift();
    let numbers = match service {
        Service::Media1 => Numbers {
            select: (3 + shift).to_string(),
            set: (15 + shift).to_string(),
            uri: (17 + shift).to_string(),
            stream: Steps::told(17 + shift, way),
        },
        Service::Media2 => Numbers {
            select: format!("{}.1", 3 + shift),
            set: format!("{}.2", 3 + shift),
            uri: format!("{}.6", 3 + shift),
            stream: Steps::left(4 + shift, service, way),
        },
    };
    let door = Door::open(t, service, ip)?;
    t.step(&numbers.select, "a profile of sound alone is made");
    let sound = own::make_sound(t, &door, codec, false)?;
    t.step(&numbers.set, "the audio encoder is set");
    let rate = audio::set(t, &door, &sound.encoder, &sound.options)?;
    t.step(&numbers.uri, "GetStreamUri gives an address");
    let uri = door.stream_uri(t, &sound.profile, way)?;
    let mut stream = Stream::connect(t, &uri, way, ip, numbers.stream, Shape::default())?;
    let sdp = stream.describe(t)?;
    t.same("the number of media sections", 1, sdp.sections())?;
    let media = sdp.section(t, codec)?;
    stream.set_up(t, &media)?;
    stream.play(t)?;
    finish(t, stream, &[Expected::Audio(codec, rate)])
}

/// A stream of pictures and sound in one session.
pub(super) fn both(t: &mut Test<'_>, service: Service, codec: Codec, way: Way, ip: Ip) -> Outcome {
    let first = 3 + ip.shift();
    // The procedure is HelperDeviceConfigurationForVideoAndAudioStreaming.
    let (set_video, set_audio, uri, stream) = match service {
        Service::Media1 => ("7", "9", "11", first + 1),
        Service::Media2 => ("3", "3", "12", first + 2),
    };
    let door = Door::open(t, service, ip)?;
    t.step(&format!("{first}.1"), "there is a profile with pictures and the codec");
    let (sound, encoder) = with_pictures(t, &door, codec)?;
    t.step(&format!("{first}.{set_video}"), "the video encoder is set");
    let setting = video::set(t, &door, &encoder, &Wish::default())?;
    t.step(&format!("{first}.{set_audio}"), "the audio encoder is set");
    let rate = audio::set(t, &door, &sound.encoder, &sound.options)?;
    t.step(&format!("{first}.{uri}"), "GetStreamUri gives an address");
    let uri = door.stream_uri(t, &sound.profile, way)?;
    let steps = Steps::left(stream, service, way);
    play(t, &uri, way, ip, steps, Shape::default(), &[Expected::Video(setting), Expected::Audio(codec, rate)])
}

/// A profile with pictures and a sound of this codec, both encoders claimed.
fn with_pictures(t: &mut Test<'_>, door: &Door, codec: Codec) -> Outcome<(Sound, Encoder)> {
    // Media1 takes any pictures, Media2 those of H.264 and H.265.
    let mut found = Vec::new();
    for sound in profile::sounds(t, door, codec)? {
        let Some((token, kind)) = sound.video.clone() else { continue };
        if door.service == Service::Media2 && kind == Codec::Jpeg {
            continue;
        }
        if let Some(options) = video::options(t, door, &sound.profile, &token, kind)? {
            found.push((sound.clone(), Encoder { profile: sound.profile, token, options }));
        }
    }
    if found.is_empty() {
        let sound = own::make_sound(t, door, codec, true)?;
        let (token, kind) = t.some(sound.video.clone(), "pictures in the profile")?;
        let options = video::options(t, door, &sound.profile, &token, kind)?;
        let options = t.some(options, "what can be set of them")?;
        return Ok((sound.clone(), Encoder { profile: sound.profile, token, options }));
    }
    profile::found(t);
    let tokens: Vec<String> = found.iter().map(|(_, encoder)| encoder.token.clone()).collect();
    let claimed = t.claim(&tokens)?;
    let pair = found.into_iter().find(|(_, encoder)| encoder.token == claimed);
    let (sound, mut encoder) = t.some(pair, "the encoder that was claimed")?;
    // Another case may have set it meanwhile; now it is as it always is.
    let now = video::configuration(t, door, &encoder.token)?;
    let kind = t.some(Codec::of_video(now.text_or_empty("Encoding")), "an encoding that the judge decodes")?;
    let options = video::options(t, door, &encoder.profile, &encoder.token, kind)?;
    encoder.options = t.some(options, "what can be set of the pictures")?;
    t.claim(std::slice::from_ref(&sound.encoder))?;
    Ok((sound, encoder))
}

/// Plays an address from DESCRIBE to TEARDOWN and judges what comes. Where datagrams are missing that the network or a busy judge
/// may have lost, it is played once more; what comes twice, late or from elsewhere is the device's doing.
pub(super) fn play(
    t: &mut Test<'_>,
    uri: &str,
    way: Way,
    ip: Ip,
    steps: Steps,
    shape: Shape,
    expected: &[Expected],
) -> Outcome {
    let mut stream = Stream::connect(t, uri, way, ip, steps.clone(), shape)?;
    start(t, &mut stream, expected)?;
    hear(t, &mut stream, expected)?;
    if way == Way::Udp && judge::has_lost(&stream) {
        t.note("datagrams are missing: it is played once more");
        stream.tear_down(t)?;
        stream = Stream::connect(t, uri, way, ip, steps, shape)?;
        start(t, &mut stream, expected)?;
        hear(t, &mut stream, expected)?;
    }
    judge::judge(t, &stream, expected)?;
    stream.tear_down(t)
}

/// DESCRIBE, SETUP of each medium, PLAY.
pub(super) fn start(t: &mut Test<'_>, stream: &mut Stream, expected: &[Expected]) -> Outcome {
    let sdp = stream.describe(t)?;
    let media: Vec<_> = expected.iter().map(|medium| sdp.section(t, medium.codec())).collect::<Outcome<_>>()?;
    for medium in &media {
        stream.set_up(t, medium)?;
    }
    stream.play(t).map(drop)
}

/// Listens, judges, and ends the session.
pub(super) fn finish(t: &mut Test<'_>, mut stream: Stream, expected: &[Expected]) -> Outcome {
    hear(t, &mut stream, expected)?;
    judge::judge(t, &stream, expected)?;
    stream.tear_down(t)
}

fn hear(t: &mut Test<'_>, stream: &mut Stream, expected: &[Expected]) -> Outcome {
    t.step(&stream.steps.media.clone(), "the media come");
    listen(stream, expected).map_err(|error| t.failed("a stream of valid packets", format!("{error:#}")))
}

/// Listens for as long as the judge needs.
pub(super) fn listen(stream: &mut Stream, expected: &[Expected]) -> anyhow::Result<()> {
    let key = expected.iter().map(|medium| medium.key_frame_due()).max().unwrap_or_default();
    let begun = Instant::now();
    stream.receive(LISTEN, key)?;
    let is_steady = |stream: &Stream| judge::is_up_to_speed(stream, expected) && judge::is_in_time(stream);
    while begun.elapsed() < PATIENCE && !is_steady(stream) {
        stream.listen(SLICE)?;
    }
    Ok(())
}
