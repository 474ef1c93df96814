use super::{super::*, *};

/// Encoders that can be set within narrow limits.
struct Narrow;

impl Bounds for Narrow {
    fn video(&self, token: &str) -> Vec<VideoOptions> {
        let of = |codec| VideoOptions {
            codec,
            sizes: vec![(1280, 720), (640, 360)],
            frame_rates: Range::new(1, 15),
            bitrates: Range::new(100, 4000),
            gops: Range::new(1, 100),
            quality: Range::new(1, 100),
        };
        match token {
            "main" => vec![of(Some(VideoCodec::H264)), of(Some(VideoCodec::H265))],
            "jpeg" => vec![VideoOptions { bitrates: Range::only(0), gops: Range::only(1), ..of(None) }],
            _ => Vec::new(),
        }
    }

    fn audio(&self, token: &str) -> Option<AudioOptions> {
        (token == "aac").then(|| AudioOptions {
            codec: AudioCodec::Aac,
            bitrates: vec![32, 64],
            sample_rates: vec![16_000],
        })
    }

    fn imaging(&self) -> bool {
        true
    }

    fn is_from_source(&self, _: &str) -> bool {
        false
    }
}

fn encoder() -> VideoEncoder {
    VideoEncoder { codec: VideoCodec::H264, width: 1280, height: 720, frame_rate: 15, bitrate_kbps: 2000, gop: 30 }
}

fn settings() -> Settings {
    let source = |token: &str| SourceConfiguration { token: token.into(), name: token.into() };
    let video = |token: &str, settings| VideoEncoderConfiguration {
        token: token.into(),
        name: token.into(),
        settings,
        profile: None,
    };
    let jpeg = JpegEncoder { width: 640, height: 360, frame_rate: 15, quality: 75 };
    let mut first = Profile::new("first", "First", true);
    first.video_source = Some("vs".into());
    first.video_encoder = Some("main".into());
    Settings {
        profiles: vec![first],
        next_profile: 1,
        video_source: source("vs"),
        audio_source: Some(source("as")),
        video_encoders: vec![video("main", VideoSettings::Video(encoder())), video("jpeg", VideoSettings::Jpeg(jpeg))],
        audio_encoders: vec![AudioEncoderConfiguration {
            token: "aac".into(),
            name: "AAC".into(),
            settings: AudioEncoder { codec: AudioCodec::Aac, sample_rate: 16_000, bitrate_kbps: 64 },
            absent: false,
        }],
        imaging: Imaging::default(),
    }
}

/// Names everything.
pub(in crate::camera) fn all_of(settings: &VideoSettings) -> VideoChange {
    let (codec, size, frame_rate) = (settings.codec(), settings.size(), Some(settings.frame_rate()));
    let (bitrate_kbps, gop, quality) = match settings {
        VideoSettings::Video(encoder) => (Some(encoder.bitrate_kbps), Some(encoder.gop), None),
        VideoSettings::Jpeg(encoder) => (None, None, Some(encoder.quality)),
    };
    VideoChange { codec, size, frame_rate, bitrate_kbps, gop, quality }
}

fn set(settings: VideoSettings) -> Change {
    Change::VideoEncoder { token: "main".into(), name: "Main".into(), change: all_of(&settings) }
}

fn create(token: Option<&str>, references: &[(Kind, Option<&str>)]) -> Change {
    let references = references.iter().map(|(kind, token)| (*kind, token.map(str::to_owned))).collect();
    Change::CreateProfile { token: token.map(str::to_owned), name: "New".into(), references }
}

fn refusal(change: &Change) -> ChangeError {
    settings().apply(change, &Narrow).unwrap_err()
}

#[test]
fn an_encoder_takes_what_its_options_hold_and_nothing_else() {
    let smaller = VideoSettings::Video(VideoEncoder { width: 640, height: 360, frame_rate: 5, ..encoder() });
    let (after, effect) = settings().apply(&set(smaller.clone()), &Narrow).unwrap();
    assert_eq!(after.video_encoder("main").unwrap().settings, smaller);
    let expected = SourceChange::Video { track: "main".into(), old: VideoSettings::Video(encoder()), new: smaller };
    assert_eq!(effect, Some(expected.clone()));
    let undo = expected.undo(&settings()).unwrap();
    assert!(matches!(undo, SourceChange::Video { new, .. } if new == VideoSettings::Video(encoder())));

    for bad in [
        VideoEncoder { width: 1920, height: 1080, ..encoder() },
        VideoEncoder { frame_rate: 16, ..encoder() },
        VideoEncoder { frame_rate: 0, ..encoder() },
        VideoEncoder { bitrate_kbps: 5000, ..encoder() },
        VideoEncoder { gop: 0, ..encoder() },
    ] {
        assert!(matches!(refusal(&set(VideoSettings::Video(bad.clone()))), ChangeError::Invalid(_)), "{bad:?}");
    }
    let jpeg = VideoSettings::Jpeg(JpegEncoder { width: 640, height: 360, frame_rate: 15, quality: 75 });
    assert!(matches!(refusal(&set(jpeg)), ChangeError::Invalid(_)), "this encoder makes no JPEG");
    let last = VideoSettings::Video(VideoEncoder { codec: VideoCodec::H265, ..encoder() });
    assert_eq!(refusal(&set(last)), ChangeError::Invalid("one encoder at least must stay H.264"));
}

#[test]
fn what_a_change_of_an_encoder_does_not_name_stays() {
    let nothing = VideoChange {
        codec: Some(VideoCodec::H265),
        size: (640, 360),
        frame_rate: None,
        bitrate_kbps: None,
        gop: None,
        quality: None,
    };
    let fast = VideoSettings::Video(VideoEncoder { bitrate_kbps: 9000, ..encoder() });
    let expected = VideoEncoder { codec: VideoCodec::H265, width: 640, height: 360, bitrate_kbps: 4000, ..encoder() };
    assert_eq!(fast.with(&nothing, &Narrow.video("main")), VideoSettings::Video(expected), "as fast as it may be");
    let slow = VideoChange { frame_rate: Some(5), gop: Some(10), ..nothing.clone() };
    let VideoSettings::Video(slow) = fast.with(&slow, &Narrow.video("main")) else { panic!("it makes no JPEG") };
    assert_eq!((slow.frame_rate, slow.gop, slow.bitrate_kbps), (5, 10, 4000));
    let still = settings().video_encoder("jpeg").unwrap().settings.clone();
    assert_eq!(still.with(&VideoChange { codec: None, ..nothing }, &Narrow.video("jpeg")), still);
}

#[test]
fn a_profile_holds_no_encoder_without_its_source() {
    let (after, _) = settings()
        .apply(&create(None, &[(Kind::VideoEncoder, Some("jpeg")), (Kind::VideoSource, None)]), &Narrow)
        .unwrap();
    let made = after.profile("profile-1").unwrap();
    assert_eq!((made.video_source.as_deref(), made.video_encoder.as_deref()), (Some("vs"), Some("jpeg")));
    assert!(!made.fixed && after.use_count(Kind::VideoSource, "vs") == 2);

    assert!(matches!(refusal(&create(None, &[(Kind::VideoEncoder, Some("jpeg"))])), ChangeError::Conflict(_)));
    let remove = |kind| Change::Remove { profile: "first".into(), kinds: vec![(kind, None)] };
    assert!(matches!(refusal(&remove(Kind::VideoSource)), ChangeError::Conflict(_)));
    let (after, _) = settings().apply(&remove(Kind::VideoEncoder), &Narrow).unwrap();
    let (after, _) = after.apply(&remove(Kind::VideoSource), &Narrow).unwrap();
    assert_eq!(after.profile("first").unwrap().video_source, None, "fixed profiles can be edited");
}

#[test]
fn a_reference_without_a_token_takes_the_least_used_configuration() {
    let (after, _) = settings()
        .apply(&create(Some("x.Y-1"), &[(Kind::VideoSource, None), (Kind::VideoEncoder, None)]), &Narrow)
        .unwrap();
    assert_eq!(after.profile("x.Y-1").unwrap().video_encoder.as_deref(), Some("jpeg"), "\"main\" is in use");
}

#[test]
fn impossible_profiles_are_refused_by_name() {
    assert_eq!(refusal(&create(Some("first"), &[])), ChangeError::ProfileExists("first".into()));
    for bad in ["", "..", "a/b", "a b", "ä", &"x".repeat(65)] {
        assert!(matches!(refusal(&create(Some(bad), &[])), ChangeError::Invalid(_)), "{bad:?}");
    }
    let unknown = create(None, &[(Kind::AudioEncoder, Some("nothing"))]);
    assert_eq!(refusal(&unknown), ChangeError::NoConfiguration("nothing".into()));
    assert_eq!(refusal(&Change::DeleteProfile { token: "first".into() }), ChangeError::FixedProfile("first".into()));
    assert_eq!(refusal(&Change::DeleteProfile { token: "gone".into() }), ChangeError::NoProfile("gone".into()));
    let mut full = settings();
    while full.profiles.len() < MAX_PROFILES {
        full = full.apply(&create(None, &[]), &Narrow).unwrap().0;
    }
    assert_eq!(full.apply(&create(None, &[]), &Narrow).unwrap_err(), ChangeError::TooManyProfiles);
}

#[test]
fn the_look_of_the_picture_has_bounds() {
    let bright = Imaging { brightness: 80.0, ..Imaging::default() };
    let brighter = Change::Imaging(ImagingChange { brightness: Some(80.0), ..ImagingChange::default() });
    let (after, effect) = settings().apply(&brighter, &Narrow).unwrap();
    assert_eq!((after.imaging, effect), (bright, Some(SourceChange::Imaging(bright))));
    assert_eq!(after.apply(&brighter, &Narrow).unwrap().1, None, "nothing to do for the source");
    let duller = Change::Imaging(ImagingChange { saturation: Some(10.0), ..ImagingChange::default() });
    assert_eq!(after.apply(&duller, &Narrow).unwrap().0.imaging, Imaging { saturation: 10.0, ..bright });
    for bad in [-1.0, 100.5, f32::NAN] {
        let change = Change::Imaging(ImagingChange { contrast: Some(bad), ..ImagingChange::default() });
        assert!(matches!(refusal(&change), ChangeError::Invalid(_)), "{bad}");
    }
}
