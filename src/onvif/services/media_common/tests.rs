use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use crate::{
    camera::{AudioCodec, AudioEncoder, Camera, CameraSettings, SourceKind, VideoSettings},
    hub::{Codec, G711Law, Parameters, SourceState},
    onvif::{
        scene::{Scene, settings},
        services::story::{ask, at, faults, only},
        soap::tree::Element,
    },
    store::StoreError,
};

const STANDARD_BY_MEDIA2: &str = "<tr2:SetVideoEncoderConfiguration>\
    <tr2:Configuration token='standard' GovLength='20'><tt:Name>Small</tt:Name><tt:UseCount>1</tt:UseCount>\
    <tt:Encoding>CODEC</tt:Encoding><tt:Resolution><tt:Width>480</tt:Width><tt:Height>270</tt:Height></tt:Resolution>\
    <tt:RateControl><tt:FrameRateLimit>10</tt:FrameRateLimit><tt:BitrateLimit>400</tt:BitrateLimit></tt:RateControl>\
    <tt:Quality>1</tt:Quality></tr2:Configuration></tr2:SetVideoEncoderConfiguration>";

#[tokio::test]
async fn what_one_service_changes_the_other_tells() {
    let scene = Scene::new();
    ask(&scene, &STANDARD_BY_MEDIA2.replace("CODEC", "H264")).await.unwrap();
    let get = "<trt:GetVideoEncoderConfiguration><trt:ConfigurationToken>standard</trt:ConfigurationToken>\
               </trt:GetVideoEncoderConfiguration>";
    let now = ask(&scene, get).await.unwrap();
    assert_eq!(
        (only(&now, "Configuration/Name"), only(&now, "Configuration/H264/GovLength")),
        ("Small".into(), "20".into())
    );
    let create = "<trt:CreateProfile><trt:Name>Rec</trt:Name><trt:Token>rec</trt:Token></trt:CreateProfile>";
    ask(&scene, create).await.unwrap();
    let all = ask(&scene, "<tr2:GetProfiles/>").await.unwrap();
    assert_eq!(at(&all, "Profiles/@token").last().map(String::as_str), Some("rec"));
    ask(&scene, "<tr2:DeleteProfile><tr2:Token>rec</tr2:Token></tr2:DeleteProfile>").await.unwrap();
    let gone = "<trt:GetProfile><trt:ProfileToken>rec</trt:ProfileToken></trt:GetProfile>";
    faults(&scene, &[(gone, "Sender/InvalidArgVal/NoProfile")]).await;
}

/// Keeps a camera's disk busy until the sender is dropped.
fn busy_disk(scene: &Scene) -> mpsc::Sender<()> {
    let ((begun, begins), (done, ends)) = (mpsc::channel(), mpsc::channel::<()>());
    let disk = Arc::clone(&scene.store);
    std::thread::spawn(move || {
        disk.write(|_| {
            begun.send(()).unwrap();
            let _ = ends.recv();
            Ok::<(), StoreError>(())
        })
    });
    begins.recv().unwrap();
    done
}

#[tokio::test]
async fn what_two_clients_set_at_the_same_time_is_set() {
    let scene = Scene::new();
    let set = |gop: &str, rates: &str| {
        format!(
            "<tr2:SetVideoEncoderConfiguration><tr2:Configuration token='standard'{gop}><tt:Name>Small</tt:Name>\
             <tt:UseCount>1</tt:UseCount><tt:Encoding>H264</tt:Encoding>\
             <tt:Resolution><tt:Width>640</tt:Width><tt:Height>360</tt:Height></tt:Resolution>{rates}\
             <tt:Quality>1</tt:Quality></tr2:Configuration></tr2:SetVideoEncoderConfiguration>"
        )
    };
    let rates = "<tt:RateControl><tt:FrameRateLimit>10</tt:FrameRateLimit><tt:BitrateLimit>400</tt:BitrateLimit></tt:RateControl>";
    let (one, other) = (set(" GovLength='20'", ""), set("", rates));
    let disk = busy_disk(&scene);
    let free = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(disk);
    };
    let (one, other, ()) = tokio::join!(ask(&scene, &one), ask(&scene, &other), free);
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    let settings = scene.context.camera.settings().video_encoder("standard").unwrap().settings.clone();
    let VideoSettings::Video(now) = settings else { panic!("{settings:?}") };
    assert_eq!((now.gop, now.frame_rate, now.bitrate_kbps), (20, 10, 400));
}

#[tokio::test]
async fn what_is_h265_does_not_exist_in_media1() {
    let scene = Scene::new();
    ask(&scene, &STANDARD_BY_MEDIA2.replace("CODEC", "H265")).await.unwrap();
    let profiles = ask(&scene, "<trt:GetProfiles/>").await.unwrap();
    assert_eq!(at(&profiles, "Profiles/@token"), ["ultra-hd", "hi-def", "jpeg"]);
    let encoders = ask(&scene, "<trt:GetVideoEncoderConfigurations/>").await.unwrap();
    assert_eq!(at(&encoders, "Configurations/@token"), ["ultra-hd", "hi-def", "jpeg"]);
    let instances = "<trt:GetGuaranteedNumberOfVideoEncoderInstances><trt:ConfigurationToken>video-source</trt:ConfigurationToken>\
                     </trt:GetGuaranteedNumberOfVideoEncoderInstances>";
    let instances = ask(&scene, instances).await.unwrap();
    assert_eq!(["TotalNumber", "JPEG", "H264"].map(|name| only(&instances, name)), ["3", "1", "2"]);
    let by_token = |operation: &str, kind: &str| {
        format!("<trt:{operation}><trt:{kind}Token>standard</trt:{kind}Token></trt:{operation}>")
    };
    let add = "<trt:AddVideoEncoderConfiguration><trt:ProfileToken>hi-def</trt:ProfileToken>\
               <trt:ConfigurationToken>standard</trt:ConfigurationToken></trt:AddVideoEncoderConfiguration>";
    faults(
        &scene,
        &[
            (&by_token("GetProfile", "Profile"), "Sender/InvalidArgVal/NoProfile"),
            (&by_token("GetSnapshotUri", "Profile"), "Sender/InvalidArgVal/NoProfile"),
            (&by_token("GetVideoEncoderConfiguration", "Configuration"), "Sender/InvalidArgVal/NoConfig"),
            (&by_token("GetVideoEncoderConfigurationOptions", "Configuration"), "Sender/InvalidArgVal/NoConfig"),
            (add, "Sender/InvalidArgVal/NoConfig"),
        ],
    )
    .await;
    let both = ask(&scene, "<tr2:GetProfiles><tr2:Type>All</tr2:Type></tr2:GetProfiles>").await.unwrap();
    let codecs = at(&both, "Profiles/Configurations/VideoEncoder/Encoding");
    assert_eq!(codecs, ["H264", "H264", "H265", "JPEG"]);
}

/// A video encoder configuration as Media2 has it.
fn video(token: &str, profile: &str, (width, height): (&str, &str), (frame_rate, bitrate): (&str, &str)) -> String {
    format!(
        "<tr2:SetVideoEncoderConfiguration><tr2:Configuration token='{token}' GovLength='30' Profile='{profile}'>\
         <tt:Name>Renamed</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>H264</tt:Encoding><tt:Resolution>\
         <tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution><tt:RateControl>\
         <tt:FrameRateLimit>{frame_rate}</tt:FrameRateLimit><tt:BitrateLimit>{bitrate}</tt:BitrateLimit></tt:RateControl>\
         <tt:Quality>1</tt:Quality></tr2:Configuration></tr2:SetVideoEncoderConfiguration>"
    )
}

/// Asks for the configurations or options of one kind and token.
async fn of(scene: &Scene, operation: &str, token: &str) -> Element {
    let prefix = operation.split(':').next().unwrap();
    let token = format!("<{prefix}:ConfigurationToken>{token}</{prefix}:ConfigurationToken>");
    ask(scene, &format!("<{operation}>{token}</{operation}>")).await.unwrap()
}

/// MEDIA-2-1-11, MEDIA2-2-3-4: any combination of what the options name is applied as it was asked for.
#[tokio::test]
async fn every_size_goes_with_every_profile_of_the_options() {
    let scene = Scene::new();
    for (token, expected) in [("ultra-hd", "Baseline"), ("hi-def", "Main"), ("standard", "Main")] {
        let options = of(&scene, "tr2:GetVideoEncoderConfigurationOptions", token).await;
        let h264 = options.elements().next().unwrap();
        assert_eq!(h264.attribute("ProfilesSupported"), Some(expected));
        let one = of(&scene, "trt:GetVideoEncoderConfigurationOptions", token).await;
        assert_eq!(at(&one, "Options/H264/H264ProfilesSupported"), [expected]);
        let (widths, heights) = (at(h264, "ResolutionsAvailable/Width"), at(h264, "ResolutionsAvailable/Height"));
        for size in widths.iter().zip(&heights) {
            ask(&scene, &video(token, expected, (size.0, size.1), ("10", "500"))).await.unwrap();
            let two = of(&scene, "tr2:GetVideoEncoderConfigurations", token).await;
            let now = (only(&two, "Configurations/Resolution/Width"), only(&two, "Configurations/@Profile"));
            assert_eq!(now, (size.0.clone(), expected.to_owned()));
            let one = of(&scene, "trt:GetVideoEncoderConfiguration", token).await;
            assert_eq!(only(&one, "Configuration/H264/H264Profile"), expected);
            let other = if expected == "Main" { "Baseline" } else { "Main" };
            let refused = video(token, other, (size.0, size.1), ("10", "500"));
            faults(&scene, &[(&refused, "Sender/InvalidArgVal/ConfigModify")]).await;
        }
    }
}

/// Describes the stream that arrives encoded, as the SPS of an IP camera does.
fn describe(scene: &Scene, sps: &'static [u8]) {
    let codec = Codec::H264 { sps: sps.into(), pps: vec![0x68].into() };
    let parameters =
        Parameters { generation: 0, codec, size: Some((2304, 1296)), frame_rate: Some((20, 1)), clock_rate: 90_000 };
    scene.context.camera.track("ultra-hd").unwrap().describe(parameters);
}

fn upstream() -> Scene {
    let source = SourceKind::Encoded { second: false, transcode: false };
    Scene::with(CameraSettings { source, ..settings() })
}

#[tokio::test(start_paused = true)]
async fn the_profile_of_a_stream_that_arrives_encoded_is_told_and_no_other_taken() {
    let scene = upstream();
    describe(&scene, &[0x67, 100, 0, 40]);
    let two = of(&scene, "tr2:GetVideoEncoderConfigurations", "ultra-hd").await;
    assert_eq!(only(&two, "Configurations/@Profile"), "High");
    let one = of(&scene, "trt:GetVideoEncoderConfiguration", "ultra-hd").await;
    assert_eq!(only(&one, "Configuration/H264/H264Profile"), "High");
    let options = of(&scene, "trt:GetVideoEncoderConfigurationOptions", "ultra-hd").await;
    assert_eq!(at(&options, "Options/H264/H264ProfilesSupported"), ["High"]);
    let bitrate = only(&two, "Configurations/RateControl/BitrateLimit");
    let set = |profile| video("ultra-hd", profile, ("2304", "1296"), ("20", &bitrate));
    ask(&scene, &set("High")).await.unwrap();
    faults(&scene, &[(&set("Main"), "Sender/InvalidArgVal/ConfigModify")]).await;
    let again = Camera::open(scene.context.camera.origin().clone(), Arc::clone(&scene.store)).unwrap();
    assert_eq!(again.settings(), scene.context.camera.settings(), "known after a restart");
}

#[tokio::test(start_paused = true)]
async fn a_profile_without_a_name_is_not_told_and_none_is_taken() {
    let scene = upstream();
    describe(&scene, &[0x67]);
    let two = of(&scene, "tr2:GetVideoEncoderConfigurations", "ultra-hd").await;
    assert!(at(&two, "Configurations/@Profile").is_empty());
    let bitrate = only(&two, "Configurations/RateControl/BitrateLimit");
    let set = video("ultra-hd", "Main", ("2304", "1296"), ("20", &bitrate));
    faults(&scene, &[(&set, "Sender/InvalidArgVal/ConfigModify")]).await;
    ask(&scene, &set.replace(" Profile='Main'", "")).await.unwrap();
}

/// X12: an upstream without a microphone.
#[tokio::test(start_paused = true)]
async fn sound_that_the_upstream_does_not_bring_is_not_told() {
    let scene = upstream();
    describe(&scene, &[0x67, 77, 0, 40]);
    let sound = Arc::clone(scene.context.camera.track("source-audio").unwrap());
    sound.set_source_state(SourceState::Absent);
    for (operation, kind) in
        [("<trt:GetProfiles/>", "Configuration"), ("<tr2:GetProfiles><tr2:Type>All</tr2:Type></tr2:GetProfiles>", "")]
    {
        let profiles = ask(&scene, operation).await.unwrap();
        let inside = if kind.is_empty() { "Profiles/Configurations/" } else { "Profiles/" };
        assert_eq!(at(&profiles, &format!("{inside}VideoEncoder{kind}/@token")), ["ultra-hd"]);
        for part in ["AudioSource", "AudioEncoder"] {
            assert!(at(&profiles, &format!("{inside}{part}{kind}")).is_empty(), "{operation} {part}");
        }
    }
    for kind in ["Source", "Encoder"] {
        let all = ask(&scene, &format!("<tr2:GetAudio{kind}Configurations/>")).await.unwrap();
        assert_eq!(all.elements().count(), 0, "{kind}");
    }
    let none = "Receiver/ActionNotSupported/AudioNotSupported";
    let add = |kind: &str, token: &str| {
        format!(
            "<tr2:AddConfiguration><tr2:ProfileToken>ultra-hd</tr2:ProfileToken><tr2:Configuration>\
             <tr2:Type>Audio{kind}</tr2:Type>{token}</tr2:Configuration></tr2:AddConfiguration>"
        )
    };
    faults(
        &scene,
        &[
            ("<trt:GetAudioSources/>", none),
            ("<trt:GetAudioSourceConfigurations/>", none),
            ("<trt:GetAudioEncoderConfigurations/>", none),
            ("<tr2:GetAudioSourceConfigurationOptions/>", none),
            ("<tr2:GetAudioEncoderConfigurationOptions/>", none),
            (&add("Encoder", "<tr2:Token>source-audio</tr2:Token>"), "Sender/InvalidArgVal/NoConfig"),
            (&add("Source", "<tr2:Token>audio-source</tr2:Token>"), "Sender/InvalidArgVal/NoConfig"),
            (&add("Encoder", ""), "Receiver/Action/ConfigurationConflict"),
        ],
    )
    .await;
    let io = ask(&scene, "<tmd:GetServiceCapabilities/>").await.unwrap();
    assert_eq!(only(&io, "Capabilities/@AudioSources"), "0");
    assert_eq!(ask(&scene, "<tmd:GetAudioSources/>").await.unwrap().elements().count(), 0);
    let media2 = ask(&scene, "<tr2:GetServiceCapabilities/>").await.unwrap();
    let kinds = only(&media2, "Capabilities/ProfileCapabilities/@ConfigurationsSupported");
    assert_eq!(kinds, "VideoSource VideoEncoder");
    let again = Camera::open(scene.context.camera.origin().clone(), Arc::clone(&scene.store)).unwrap();
    assert!(!again.has_sound(), "known after a restart");
}

#[tokio::test(start_paused = true)]
async fn the_law_of_g711_is_that_of_the_stream() {
    let scene = upstream();
    describe(&scene, &[0x67, 77, 0, 40]);
    let codec = Codec::G711(G711Law::A);
    let sound = scene.context.camera.track("source-audio").unwrap();
    sound.describe(Parameters { generation: 0, codec, size: None, frame_rate: None, clock_rate: 8000 });
    let two = ask(&scene, "<tr2:GetAudioEncoderConfigurations/>").await.unwrap();
    assert_eq!(only(&two, "Configurations/Encoding"), "PCMA");
    let options = ask(&scene, "<tr2:GetAudioEncoderConfigurationOptions/>").await.unwrap();
    assert_eq!(only(&options, "Options/Encoding"), "PCMA");
    let one = ask(&scene, "<trt:GetAudioEncoderConfigurations/>").await.unwrap();
    assert_eq!(only(&one, "Configurations/Encoding"), "G711");
}

/// Whatever the file gives an encoder is among its options, and stays when it is sent back with another name.
#[tokio::test]
async fn what_the_file_allows_can_be_sent_back() {
    let mut origin = settings();
    origin.ultra_hd.bitrate_kbps = 60_000;
    origin.standard.bitrate_kbps = 32;
    origin.aac = Some(AudioEncoder { codec: AudioCodec::Aac, sample_rate: 44_100, bitrate_kbps: 128 });
    let scene = Scene::with(origin);
    for (token, profile, size, bitrate) in
        [("ultra-hd", "Baseline", ("3840", "2160"), "60000"), ("standard", "Main", ("640", "360"), "32")]
    {
        ask(&scene, &video(token, profile, size, ("15", bitrate))).await.unwrap();
        let now = of(&scene, "tr2:GetVideoEncoderConfigurations", token).await;
        assert_eq!(only(&now, "Configurations/Name"), "Renamed");
        assert_eq!(only(&now, "Configurations/RateControl/BitrateLimit"), bitrate);
        let options = of(&scene, "tr2:GetVideoEncoderConfigurationOptions", token).await;
        let h264 = options.elements().next().unwrap();
        let ends = ["Min", "Max"].map(|end| only(h264, &format!("BitrateRange/{end}")).parse::<u32>().unwrap());
        assert!((ends[0]..=ends[1]).contains(&bitrate.parse().unwrap()), "{ends:?}");
    }
    let sound = of(&scene, "tr2:GetAudioEncoderConfigurations", "aac").await;
    assert_eq!(only(&sound, "Configurations/SampleRate"), "44");
    let options = of(&scene, "tr2:GetAudioEncoderConfigurationOptions", "aac").await;
    assert_eq!(at(&options, "Options/SampleRateList/Items"), ["8", "16", "32", "44", "48"]);
    assert!(at(&options, "Options/BitrateList/Items").contains(&"128".to_owned()));
    let set = "<tr2:SetAudioEncoderConfiguration><tr2:Configuration token='aac'><tt:Name>Sound</tt:Name>\
               <tt:UseCount>2</tt:UseCount><tt:Encoding>MPEG4-GENERIC</tt:Encoding><tt:Bitrate>RATE</tt:Bitrate>\
               <tt:SampleRate>44</tt:SampleRate></tr2:Configuration></tr2:SetAudioEncoderConfiguration>";
    for bitrate in ["128", "64", "128"] {
        ask(&scene, &set.replace("RATE", bitrate)).await.unwrap();
        assert_eq!(
            only(&of(&scene, "tr2:GetAudioEncoderConfigurations", "aac").await, "Configurations/Bitrate"),
            bitrate
        );
    }
    assert_eq!(scene.context.camera.settings().audio_encoder("aac").unwrap().settings.sample_rate, 44_100);
}
