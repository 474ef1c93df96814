use super::{
    super::{observed::tests::Upstream, *},
    *,
};
use crate::{
    camera::settings::tests::all_of,
    hub::{Codec, Parameters, RingLimits, SourceState, Track},
    store::{CREATE_SETTINGS, Store},
};

pub(in crate::camera) fn origin(source: SourceKind) -> CameraSettings {
    let encoder = |width, height, bitrate_kbps| VideoEncoder {
        codec: VideoCodec::H264,
        width,
        height,
        frame_rate: 15,
        bitrate_kbps,
        gop: 30,
    };
    CameraSettings {
        id: "cam".into(),
        name: "Camera".into(),
        source,
        ultra_hd: encoder(3840, 2160, 8000),
        hi_def: encoder(1280, 720, 2000),
        standard: encoder(640, 360, 500),
        jpeg: JpegEncoder { width: 640, height: 360, frame_rate: 15, quality: 75 },
        aac: Some(AudioEncoder { codec: AudioCodec::Aac, sample_rate: 16_000, bitrate_kbps: 64 }),
        pcmu: Some(AudioEncoder { codec: AudioCodec::Pcmu, sample_rate: 8000, bitrate_kbps: 64 }),
        ring: RingLimits::default(),
    }
}

fn audio_of(camera: &Camera) -> Vec<(String, Option<String>)> {
    camera.settings().profiles.iter().map(|profile| (profile.token.clone(), profile.audio_encoder.clone())).collect()
}

fn pairs(expected: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    expected.iter().map(|(token, audio)| ((*token).to_owned(), audio.map(str::to_owned))).collect()
}

#[test]
fn a_captured_camera_has_four_profiles_highest_first() {
    let camera = Camera::new(origin(SourceKind::Captured));
    let expected =
        [("ultra-hd", Some("aac")), ("hi-def", Some("aac")), ("standard", Some("pcmu")), ("jpeg", Some("pcmu"))];
    assert_eq!(audio_of(&camera), pairs(&expected));
    assert_eq!(camera.snapshot_track().map(|track| track.name()), Some("jpeg"));
}

#[test]
fn an_upstream_with_a_second_stream_needs_no_transcoding() {
    let camera = Camera::new(origin(SourceKind::Encoded { second: true, transcode: false }));
    let expected = [("ultra-hd", Some("source-audio")), ("standard", Some("second-audio"))];
    assert_eq!(audio_of(&camera), pairs(&expected));
    assert_eq!(camera.snapshot_track().map(|track| track.name()), Some("snapshot"), "for snapshots alone");
    assert!(!camera.has_imaging() && !camera.is_known("ultra-hd"));
}

#[test]
fn what_an_upstream_does_not_bring_is_made_if_allowed() {
    let camera = Camera::new(origin(SourceKind::Encoded { second: false, transcode: true }));
    let expected = [
        ("ultra-hd", Some("source-audio")),
        ("hi-def", Some("source-audio")),
        ("standard", Some("pcmu")),
        ("jpeg", Some("pcmu")),
    ];
    assert_eq!(audio_of(&camera), pairs(&expected));
}

#[test]
fn sound_that_is_switched_off_is_not_passed_through_either() {
    for source in [SourceKind::Captured, SourceKind::Encoded { second: true, transcode: true }] {
        let camera = Camera::new(CameraSettings { aac: None, pcmu: None, ..origin(source) });
        assert!(audio_of(&camera).iter().all(|(_, audio)| audio.is_none()));
        assert!(camera.feeds().iter().all(|feed| feed.track.kind() != TrackKind::Audio));
        assert!(camera.settings().audio_source.is_none());
    }
}

#[test]
fn addresses_without_an_id_work_only_for_a_single_camera() {
    let one = Arc::new(Camera::new(origin(SourceKind::Captured)));
    let two = Arc::new(Camera::new(CameraSettings { id: "two".into(), ..origin(SourceKind::Captured) }));
    let single = Cameras::new([Arc::clone(&one)]);
    let video = |streams: Option<Streams>| streams.and_then(|streams| streams.video).map(|track| track.id());
    assert_eq!(video(single.streams("/hi-def")), one.track("hi-def").map(|track: &Arc<Track>| track.id()));
    assert!(single.streams("/cam/t/pcmu").is_some_and(|streams| streams.video.is_none()));
    assert!(single.streams("/cam/p/none").is_none());
    let both = Cameras::new([one, two]);
    assert!(both.streams("/hi-def").is_none());
    assert!(both.streams("/two/hi-def").is_some());
}

/// Notes what it is told; refuses bit rates of 666.
#[derive(Default)]
struct Recorder(Mutex<Vec<SourceChange>>);

impl SourceControl for Recorder {
    fn apply<'a>(&'a self, change: &'a SourceChange) -> BoxFuture<'a, Result<(), String>> {
        let bad = matches!(change, SourceChange::Video { new: VideoSettings::Video(encoder), .. } if encoder.bitrate_kbps == 666);
        self.0.lock().unwrap().push(change.clone());
        Box::pin(std::future::ready(if bad { Err("not this one".into()) } else { Ok(()) }))
    }
}

/// Does what it is told once it is let.
struct Slow {
    told: Recorder,
    free: tokio::sync::Semaphore,
}

impl SourceControl for Slow {
    fn apply<'a>(&'a self, change: &'a SourceChange) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.told.apply(change).await?;
            let _free = self.free.acquire().await;
            Ok(())
        })
    }
}

fn store() -> (tempfile::TempDir, Arc<Store>) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("test.db"), &[CREATE_SETTINGS]).unwrap();
    (directory, Arc::new(store))
}

fn bitrate(camera: &Camera) -> u32 {
    match &camera.settings().video_encoder("hi-def").unwrap().settings {
        VideoSettings::Video(encoder) => encoder.bitrate_kbps,
        VideoSettings::Jpeg(_) => 0,
    }
}

fn set((token, name): (&str, &str), settings: &VideoSettings) -> Change {
    Change::VideoEncoder { token: token.into(), name: name.into(), change: all_of(settings) }
}

fn set_bitrate(bitrate_kbps: u32) -> Change {
    let settings = VideoSettings::Video(VideoEncoder { bitrate_kbps, ..origin(SourceKind::Captured).hi_def });
    set(("hi-def", "Middle"), &settings)
}

#[tokio::test]
async fn a_change_is_applied_kept_and_told() {
    let principal = crate::auth::principal_for_tests("admin");
    let (_directory, store) = store();
    let camera = Arc::new(Camera::open(origin(SourceKind::Captured), Arc::clone(&store)).unwrap());
    let refused = camera.change(set_bitrate(3000), &principal).await;
    assert!(matches!(refused, Err(ChangeError::Refused(_))), "there is no source yet: {refused:?}");
    let recorder = Arc::new(Recorder::default());
    camera.controlled_by(Arc::clone(&recorder) as Arc<dyn SourceControl>);
    let mut told = camera.watch();
    camera.change(set_bitrate(3000), &principal).await.unwrap();
    assert!(told.has_changed().unwrap());
    assert_eq!(told.borrow_and_update().video_encoder("hi-def").unwrap().name, "Middle");
    assert_eq!((bitrate(&camera), recorder.0.lock().unwrap().len()), (3000, 1));
    camera.change(set_bitrate(3000), &principal).await.unwrap();
    assert_eq!(recorder.0.lock().unwrap().len(), 1, "nothing to do for the source");
    let refused = camera.change(set_bitrate(666), &principal).await;
    assert_eq!(refused, Err(ChangeError::Refused("not this one".into())));
    assert_eq!(bitrate(&camera), 3000);
    drop(camera);
    let again = Camera::open(origin(SourceKind::Captured), Arc::clone(&store)).unwrap();
    assert_eq!(bitrate(&again), 3000, "the store wins over the file");
    let smaller = CameraSettings {
        hi_def: VideoEncoder { width: 640, height: 360, ..origin(SourceKind::Captured).hi_def },
        ..origin(SourceKind::Captured)
    };
    let smaller = Camera::open(smaller, store).unwrap();
    assert_eq!(bitrate(&smaller), 2000, "what does not fit the file any more is left out");
}

/// PL-14: whoever asks for the stream once a change is answered gets what was set.
#[tokio::test(start_paused = true)]
async fn a_change_is_answered_when_a_picture_shows_it() {
    let principal = crate::auth::principal_for_tests("admin");
    let camera = Arc::new(Camera::new(origin(SourceKind::Captured)));
    camera.controlled_by(Arc::new(Recorder::default()));
    let resized = |width, height| {
        let encoder = VideoEncoder { width, height, ..origin(SourceKind::Captured).hi_def };
        set(("hi-def", "Middle"), &VideoSettings::Video(encoder))
    };
    let track = camera.track("hi-def").unwrap();
    let mut pictures = Upstream::of(track);
    pictures.resize((1280, 720));
    track.set_source_state(SourceState::Live);
    pictures.play(15.0, 15, 1000);
    let mut change = std::pin::pin!(camera.change(resized(640, 360), &principal));
    let second = Duration::from_secs(1);
    assert!(tokio::time::timeout(second, change.as_mut()).await.is_err(), "no picture shows it yet");
    pictures.resize((640, 360));
    pictures.play(15.0, 15, 1000);
    tokio::time::timeout(second / 100, change).await.expect("a picture shows it").unwrap();
    assert!(track.parameters().borrow().is_some());
    // Of what rests there is no picture, and what was described is not so any more.
    pictures.rest();
    let back = camera.change(resized(1280, 720), &principal);
    tokio::time::timeout(second / 100, back).await.expect("nothing to wait for").unwrap();
    assert!(track.parameters().borrow().is_none());
}

/// An upstream that announces 30 pictures and sends 15: what was seen of it stays when nobody pulls it, on the disk too.
#[tokio::test]
async fn a_stream_that_nobody_pulls_stays_as_it_was_seen() {
    let (_directory, store) = store();
    let source = origin(SourceKind::Encoded { second: false, transcode: false });
    let camera = Arc::new(Camera::open(source.clone(), Arc::clone(&store)).unwrap());
    let rate = |camera: &Camera| camera.settings().video_encoder("ultra-hd").unwrap().settings.frame_rate();
    let mut upstream = Upstream::of(camera.track("ultra-hd").unwrap());
    camera.look(true).await;
    assert_eq!(rate(&camera), 30);
    upstream.play(15.0, 20, 5000);
    camera.look(true).await;
    assert_eq!(rate(&camera), 30, "a door that waits for another stream does not look again");
    camera.look(false).await;
    assert_eq!(rate(&camera), 15);
    upstream.rest();
    let told = camera.watch();
    for _ in 0..5 {
        camera.look(false).await;
    }
    assert!(!told.has_changed().unwrap());
    let settings = camera.settings();
    drop(camera);
    let again = Arc::new(Camera::open(source, store).unwrap());
    assert_eq!(again.settings(), settings);
    Upstream::of(again.track("ultra-hd").unwrap());
    again.look(false).await;
    assert_eq!((again.settings(), again.is_known("ultra-hd")), (settings, true), "described is not pulled");
}

/// What is made of a stream's sound is as silent as the stream, and the second stream has a sound of its own.
#[tokio::test]
async fn without_the_sound_of_the_source_there_is_none_made_of_it() {
    let absent = async |second: bool, silent: &str| {
        let camera = Arc::new(Camera::new(origin(SourceKind::Encoded { second, transcode: true })));
        camera.track(silent).unwrap().set_source_state(SourceState::Absent);
        camera.look(false).await;
        let absent = camera.settings().audio_encoders.iter().map(|encoder| encoder.absent).collect::<Vec<_>>();
        (camera.has_sound(), absent)
    };
    assert_eq!(absent(false, "source-audio").await, (false, vec![true, true]));
    assert_eq!(absent(true, "second-audio").await, (true, vec![false, false, true]));
}

#[tokio::test]
async fn another_source_is_not_silent_because_the_last_one_was() {
    let (_directory, store) = store();
    let camera = Camera::open(origin(SourceKind::Encoded { second: false, transcode: true }), Arc::clone(&store));
    let camera = Arc::new(camera.unwrap());
    camera.track("source-audio").unwrap().set_source_state(SourceState::Absent);
    camera.look(false).await;
    assert!(!camera.has_sound());
    let captured = Camera::open(origin(SourceKind::Captured), store).unwrap();
    assert!(captured.settings().audio_encoders.iter().all(|encoder| !encoder.absent));
}

/// Gives up a change after a moment.
async fn hang_up(camera: &Arc<Camera>, change: Change) {
    let principal = crate::auth::principal_for_tests("admin");
    let change = camera.change(change, &principal);
    tokio::time::timeout(Duration::from_millis(100), change).await.expect_err("it takes longer");
}

/// Waits until everybody has been told of a bit rate; the store must have it then.
async fn is_set(camera: &Camera, store: &Arc<Store>, expected: u32) {
    let mut told = camera.watch();
    let set = told.wait_for(|_| bitrate(camera) == expected);
    tokio::time::timeout(Duration::from_secs(5), set).await.expect("the change goes on").unwrap();
    let again = Camera::open(origin(SourceKind::Captured), Arc::clone(store)).unwrap();
    assert_eq!(bitrate(&again), expected, "in the store");
}

#[tokio::test]
async fn a_change_goes_on_when_its_client_hangs_up() {
    let (_directory, store) = store();
    let camera = Arc::new(Camera::open(origin(SourceKind::Captured), Arc::clone(&store)).unwrap());
    let source = Arc::new(Slow { told: Recorder::default(), free: tokio::sync::Semaphore::new(0) });
    camera.controlled_by(Arc::clone(&source) as Arc<dyn SourceControl>);
    let told = || source.told.0.lock().unwrap().len();

    hang_up(&camera, set_bitrate(3000)).await;
    assert_eq!((told(), bitrate(&camera)), (1, 2000), "while the source does it");
    source.free.add_permits(1);
    is_set(&camera, &store, 3000).await;

    let ((begun, begins), (done, ends)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let disk = Arc::clone(&store);
    let busy = std::thread::spawn(move || {
        disk.write(|_| {
            begun.send(()).unwrap();
            ends.recv().unwrap();
            Ok::<(), StoreError>(())
        })
    });
    begins.recv().unwrap();
    hang_up(&camera, set_bitrate(2500)).await;
    assert_eq!((told(), bitrate(&camera)), (2, 3000), "while the disk is busy");
    done.send(()).unwrap();
    busy.join().unwrap().unwrap();
    is_set(&camera, &store, 2500).await;
    assert_eq!(told(), 2, "nothing was taken back");
}

#[tokio::test]
async fn profiles_are_kept_and_their_tokens_never_come_back() {
    let principal = crate::auth::principal_for_tests("admin");
    let (_directory, store) = store();
    let camera = Arc::new(Camera::open(origin(SourceKind::Captured), Arc::clone(&store)).unwrap());
    let references = vec![(Kind::VideoSource, None), (Kind::VideoEncoder, Some("standard".to_owned()))];
    let create = Change::CreateProfile { token: None, name: "Recorder".into(), references };
    camera.change(create.clone(), &principal).await.unwrap();
    assert_eq!(camera.streams("profile-1").unwrap().video.unwrap().name(), "standard");
    camera.change(Change::DeleteProfile { token: "profile-1".into() }, &principal).await.unwrap();
    camera.change(create, &principal).await.unwrap();
    drop(camera);
    let again = Camera::open(origin(SourceKind::Captured), store).unwrap();
    let tokens: Vec<_> = again.settings().profiles.iter().map(|profile| profile.token.clone()).collect();
    assert_eq!(tokens, ["ultra-hd", "hi-def", "standard", "jpeg", "profile-2"]);
    assert!(again.streams("profile-1").is_none());
}

#[tokio::test]
async fn the_last_h264_encoder_is_offered_nothing_else() {
    let principal = crate::auth::principal_for_tests("admin");
    let camera = Arc::new(Camera::new(origin(SourceKind::Captured)));
    camera.controlled_by(Arc::new(Recorder::default()));
    let codecs = |token: &str| camera.video_options(token).iter().map(|options| options.codec).collect::<Vec<_>>();
    let both = [Some(VideoCodec::H264), Some(VideoCodec::H265)];
    for (token, width, height) in [("ultra-hd", 1280, 720), ("hi-def", 640, 360)] {
        assert_eq!(codecs("standard"), both);
        let encoder = VideoEncoder { codec: VideoCodec::H265, width, height, ..origin(SourceKind::Captured).hi_def };
        camera.change(set((token, token), &VideoSettings::Video(encoder)), &principal).await.unwrap();
    }
    assert_eq!((codecs("standard"), codecs("hi-def")), (both[..1].to_vec(), both.to_vec()));
}

/// How long a door is kept by its first look, in milliseconds.
async fn look_takes(camera: &Arc<Camera>) -> u128 {
    let begin = Instant::now();
    camera.first_look().await;
    begin.elapsed().as_millis()
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_away_costs_its_clients_one_wait_now_and_then() {
    let camera = Arc::new(Camera::new(origin(SourceKind::Encoded { second: false, transcode: false })));
    let track = camera.track("ultra-hd").unwrap();
    let leased = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*track.leases().borrow(), 1, "somebody looks");
    };
    let (first, second, ()) = tokio::join!(look_takes(&camera), look_takes(&camera), leased);
    assert_eq!((first, second), (FIRST_LOOK.as_millis(), FIRST_LOOK.as_millis()), "one wait for both");
    for _ in 0..10 {
        assert_eq!(look_takes(&camera).await, 0);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    tokio::time::sleep(NEXT_WAIT).await;
    assert_eq!(look_takes(&camera).await, FIRST_LOOK.as_millis(), "it may be back");
    assert!(!camera.is_known("ultra-hd"));

    let codec = Codec::H264 { sps: bytes::Bytes::new(), pps: bytes::Bytes::new() };
    let size = Some((2560, 1920));
    track.describe(Parameters { generation: 0, codec, size, frame_rate: None, clock_rate: 90_000 });
    assert_eq!(look_takes(&camera).await, 0, "a viewer has brought it");
    assert!(camera.is_known("ultra-hd"));
    let snapshot = camera.snapshot_encoder(&camera.settings()).unwrap().1;
    assert_eq!((snapshot.width, snapshot.height), (640, 480), "snapshots have its shape");
    assert_eq!(*track.leases().borrow(), 0);
}

/// The camera as it is after a start, with a source that does everything.
fn start(origin: CameraSettings, store: &Arc<Store>) -> Arc<Camera> {
    let camera = Arc::new(Camera::open(origin, Arc::clone(store)).unwrap());
    camera.controlled_by(Arc::new(Recorder::default()));
    camera
}

fn codecs(camera: &Camera) -> Vec<VideoCodec> {
    let settings = camera.settings();
    settings.video_encoders.iter().filter_map(|encoder| encoder.settings.codec()).collect()
}

/// Sets the codec of an encoder, and a size that every codec has.
async fn set_codec(camera: &Arc<Camera>, token: &str, codec: VideoCodec) {
    let principal = crate::auth::principal_for_tests("admin");
    let encoder = VideoEncoder { codec, width: 640, height: 360, ..origin(SourceKind::Captured).hi_def };
    camera.change(set((token, token), &VideoSettings::Video(encoder)), &principal).await.unwrap();
}

#[tokio::test]
async fn kept_encoders_are_judged_together_and_not_in_their_order() {
    use VideoCodec::{H264, H265};
    let mut file = origin(SourceKind::Captured);
    (file.hi_def.codec, file.standard.codec) = (H265, H265);
    let (_directory, store) = store();
    let camera = start(file.clone(), &store);
    set_codec(&camera, "standard", H264).await;
    set_codec(&camera, "ultra-hd", H265).await;
    assert_eq!(codecs(&camera), [H265, H265, H264]);
    assert_eq!(start(file, &store).settings(), camera.settings(), "as it was left");
}

#[tokio::test]
async fn one_encoder_stays_h264_whatever_the_file_becomes() {
    use VideoCodec::{H264, H265};
    let (_directory, store) = store();
    let camera = start(origin(SourceKind::Captured), &store);
    set_codec(&camera, "ultra-hd", H265).await;
    set_codec(&camera, "hi-def", H265).await;
    let mut file = origin(SourceKind::Captured);
    file.standard.codec = H265;
    assert_eq!(codecs(&start(file, &store)), [H265, H264, H265], "the smallest that the file gives as H.264");
}

async fn make_profile(camera: &Arc<Camera>, token: &str) {
    let principal = crate::auth::principal_for_tests("recorder");
    let create = Change::CreateProfile { token: Some(token.into()), name: token.into(), references: Vec::new() };
    camera.change(create, &principal).await.unwrap();
}

#[tokio::test]
async fn a_recorders_profile_does_not_keep_sound_out_of_the_fixed_ones() {
    let (_directory, store) = store();
    let silent = start(CameraSettings { aac: None, pcmu: None, ..origin(SourceKind::Captured) }, &store);
    make_profile(&silent, "recorder").await;
    let change = Change::Add { profile: "hi-def".into(), name: Some("Garden".into()), references: Vec::new() };
    silent.change(change, &crate::auth::principal_for_tests("admin")).await.unwrap();
    let camera = start(origin(SourceKind::Captured), &store);
    let expected = [
        ("ultra-hd", Some("aac")),
        ("hi-def", Some("aac")),
        ("standard", Some("pcmu")),
        ("jpeg", Some("pcmu")),
        ("recorder", None),
    ];
    assert_eq!(audio_of(&camera), pairs(&expected));
    assert_eq!(camera.settings().profile("hi-def").unwrap().name, "Garden", "what was changed stays");
}

#[tokio::test]
async fn fixed_profiles_refer_to_what_another_source_has() {
    let principal = crate::auth::principal_for_tests("admin");
    let (_directory, store) = store();
    let camera = start(origin(SourceKind::Captured), &store);
    let refer = |profile: &str, audio: &str| Change::Add {
        profile: profile.into(),
        name: None,
        references: vec![(Kind::AudioEncoder, Some(audio.into()))],
    };
    let silence =
        Change::Remove { profile: "jpeg".into(), kinds: vec![(Kind::AudioEncoder, None), (Kind::AudioSource, None)] };
    for change in [refer("hi-def", "pcmu"), refer("standard", "aac"), silence] {
        camera.change(change, &principal).await.unwrap();
    }
    make_profile(&camera, "recorder").await;
    let same = start(origin(SourceKind::Captured), &store);
    assert_eq!(same.settings(), camera.settings(), "as it was left");
    let other = start(origin(SourceKind::Encoded { second: false, transcode: true }), &store);
    let expected = [
        ("ultra-hd", Some("source-audio")),
        ("hi-def", Some("pcmu")),
        ("standard", Some("pcmu")),
        ("jpeg", None),
        ("recorder", None),
    ];
    assert_eq!(audio_of(&other), pairs(&expected), "there is no \"aac\" any more");
    // What a client puts back to what it was is not kept any longer.
    for change in [refer("hi-def", "aac"), refer("standard", "pcmu")] {
        camera.change(change, &principal).await.unwrap();
    }
    let other = start(origin(SourceKind::Encoded { second: false, transcode: true }), &store);
    assert_eq!(audio_of(&other)[1..3], pairs(&[("hi-def", Some("source-audio")), ("standard", Some("pcmu"))]));
}
