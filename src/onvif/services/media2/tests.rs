use super::super::story::{ask, ask_as, at, faults, only};
use crate::{
    camera::{CameraSettings, SourceKind},
    hub::{Codec, Parameters},
    onvif::scene::{Scene, settings},
};

/// Values of the Standard definition as a client writes them.
fn standard(changes: &[(&str, &str)]) -> String {
    let text = "<tr2:SetVideoEncoderConfiguration><tr2:Configuration token='standard' GovLength='20' Profile='Main'>\
        <tt:Name>Small</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>H264</tt:Encoding>\
        <tt:Resolution><tt:Width>480</tt:Width><tt:Height>270</tt:Height></tt:Resolution>\
        <tt:RateControl ConstantBitRate='true'><tt:FrameRateLimit>9.97</tt:FrameRateLimit>\
        <tt:BitrateLimit>400</tt:BitrateLimit></tt:RateControl><tt:Quality>1</tt:Quality>\
        </tr2:Configuration></tr2:SetVideoEncoderConfiguration>";
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

fn of(operation: &str, token: &str) -> String {
    format!("<tr2:{operation}><tr2:ConfigurationToken>{token}</tr2:ConfigurationToken></tr2:{operation}>")
}

fn of_profile(operation: &str, profile: &str) -> String {
    format!("<tr2:{operation}><tr2:ProfileToken>{profile}</tr2:ProfileToken></tr2:{operation}>")
}

fn references(references: &[(&str, &str)]) -> String {
    let one = |(kind, token): &(&str, &str)| match *token {
        "" => format!("<tr2:Configuration><tr2:Type>{kind}</tr2:Type></tr2:Configuration>"),
        token => {
            format!("<tr2:Configuration><tr2:Type>{kind}</tr2:Type><tr2:Token>{token}</tr2:Token></tr2:Configuration>")
        }
    };
    references.iter().map(one).collect()
}

fn create(name: &str, list: &[(&str, &str)]) -> String {
    format!("<tr2:CreateProfile><tr2:Name>{name}</tr2:Name>{}</tr2:CreateProfile>", references(list))
}

fn edit(operation: &str, profile: &str, list: &[(&str, &str)]) -> String {
    format!("<tr2:{operation}><tr2:ProfileToken>{profile}</tr2:ProfileToken>{}</tr2:{operation}>", references(list))
}

fn profiles(token: Option<&str>, kinds: &[&str]) -> String {
    let token = token.map_or_else(String::new, |token| format!("<tr2:Token>{token}</tr2:Token>"));
    let kinds: String = kinds.iter().map(|kind| format!("<tr2:Type>{kind}</tr2:Type>")).collect();
    format!("<tr2:GetProfiles>{token}{kinds}</tr2:GetProfiles>")
}

/// MEDIA2-1-1-4.
#[tokio::test]
async fn profiles_hold_the_configurations_that_are_asked_for() {
    let scene = Scene::new();
    let none = ask(&scene, &profiles(None, &[])).await.unwrap();
    assert_eq!(at(&none, "Profiles/@token"), ["ultra-hd", "hi-def", "standard", "jpeg"]);
    assert!(at(&none, "Profiles/Configurations").is_empty());
    let some = ask(&scene, &profiles(None, &["VideoSource", "Metadata"])).await.unwrap();
    assert_eq!(at(&some, "Profiles/Configurations/VideoSource/@token"), ["video-source"; 4]);
    assert!(at(&some, "Profiles/Configurations/VideoEncoder").is_empty());
    let one = ask(&scene, &profiles(Some("hi-def"), &["All"])).await.unwrap();
    let value = |path: &str| only(&one, &format!("Profiles/Configurations/{path}"));
    assert_eq!((value("VideoEncoder/@GovLength"), value("VideoEncoder/@Profile")), ("30".into(), "Main".into()));
    assert_eq!(value("VideoEncoder/RateControl/@ConstantBitRate"), "true");
    assert_eq!(
        (value("AudioEncoder/Encoding"), value("AudioEncoder/SampleRate")),
        ("MPEG4-GENERIC".into(), "16".into())
    );
    let encoder = ask(&scene, &of("GetVideoEncoderConfigurations", "hi-def")).await.unwrap();
    let copy = one.elements().next().unwrap().elements().nth(1).unwrap().elements().nth(2).unwrap();
    assert_eq!(encoder.elements().next().unwrap().nodes(), copy.nodes(), "both tell the same");
    faults(&scene, &[(&profiles(Some("none"), &[]), "Sender/InvalidArgVal/NoProfile")]).await;
}

/// MEDIA2-1-1-2, -3, -5, -6, -7.
#[tokio::test]
async fn profiles_are_made_edited_and_deleted() {
    let scene = Scene::new();
    let full = [
        ("VideoEncoder", "standard"),
        ("VideoSource", "video-source"),
        ("All", ""),
        ("AudioEncoder", ""),
        ("AudioSource", ""),
    ];
    let made = ask(&scene, &create("Rec", &full)).await.unwrap();
    let token = only(&made, "Token");
    let kinds = async |scene: &Scene| {
        let profile = ask(scene, &profiles(Some("profile-1"), &["All"])).await.unwrap();
        let configurations = profile.elements().next().unwrap().elements().nth(1).unwrap();
        configurations.elements().map(|kind| kind.name().local().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(token, "profile-1");
    assert_eq!(kinds(&scene).await, ["VideoSource", "AudioSource", "VideoEncoder", "AudioEncoder"]);
    let rename = edit("AddConfiguration", &token, &[("VideoEncoder", "hi-def")])
        .replace("</tr2:ProfileToken>", "</tr2:ProfileToken><tr2:Name>New</tr2:Name>");
    ask(&scene, &rename).await.unwrap();
    let now = ask(&scene, &profiles(Some(&token), &["All"])).await.unwrap();
    assert_eq!(
        (only(&now, "Profiles/Name"), only(&now, "Profiles/Configurations/VideoEncoder/@token")),
        ("New".into(), "hi-def".into())
    );
    faults(
        &scene,
        &[
            (&edit("RemoveConfiguration", &token, &[("VideoSource", "")]), "Receiver/Action/ConfigurationConflict"),
            (&edit("AddConfiguration", &token, &[("VideoEncoder", "none")]), "Sender/InvalidArgVal/NoConfig"),
            (&edit("AddConfiguration", &token, &[("Metadata", "m")]), "Sender/InvalidArgVal/NoConfig"),
            (&edit("AddConfiguration", &token, &[("Nonsense", "")]), "Sender/InvalidArgVal"),
            (&edit("AddConfiguration", "none", &[("VideoSource", "")]), "Sender/InvalidArgVal/NoProfile"),
            (&edit("RemoveConfiguration", "none", &[("All", "")]), "Sender/InvalidArgVal/NoProfile"),
            (&create("Rec", &[("VideoEncoder", "standard")]), "Receiver/Action/ConfigurationConflict"),
            (&create("Rec", &[("VideoSource", "none")]), "Sender/InvalidArgVal/NoConfig"),
            ("<tr2:CreateProfile/>", "Sender/InvalidArgs"),
        ],
    )
    .await;
    ask(&scene, &edit("RemoveConfiguration", &token, &[("AudioEncoder", "whatever"), ("Metadata", ""), ("PTZ", "")]))
        .await
        .unwrap();
    assert_eq!(kinds(&scene).await, ["VideoSource", "AudioSource", "VideoEncoder"]);
    ask(&scene, &edit("RemoveConfiguration", &token, &[("All", "")])).await.unwrap();
    assert!(kinds(&scene).await.is_empty());
    let delete = |token: &str| format!("<tr2:DeleteProfile><tr2:Token>{token}</tr2:Token></tr2:DeleteProfile>");
    ask(&scene, &delete(&token)).await.unwrap();
    faults(
        &scene,
        &[
            (&delete(&token), "Sender/InvalidArgVal/NoProfile"),
            (&delete("jpeg"), "Sender/Action/DeletionOfFixedProfile"),
        ],
    )
    .await;
    for _ in 4..crate::camera::MAX_PROFILES {
        ask(&scene, &create("More", &[])).await.unwrap();
    }
    faults(&scene, &[(&create("More", &[]), "Receiver/Action/MaxNVTProfiles")]).await;
}

#[tokio::test]
async fn configurations_are_told_by_token_by_profile_and_all() {
    let scene = Scene::new();
    ask(&scene, &create("Empty", &[])).await.unwrap();
    for (operation, all, for_the_empty) in [
        ("GetVideoSourceConfigurations", 1, 1),
        ("GetVideoEncoderConfigurations", 4, 0),
        ("GetAudioSourceConfigurations", 1, 1),
        ("GetAudioEncoderConfigurations", 2, 0),
    ] {
        let count = async |body: &str| at(&ask(&scene, body).await.unwrap(), "Configurations/@token").len();
        assert_eq!(count(&format!("<tr2:{operation}/>")).await, all, "{operation}");
        assert_eq!(count(&of_profile(operation, "hi-def")).await, all, "{operation}");
        assert_eq!(count(&of_profile(operation, "profile-1")).await, for_the_empty, "{operation}");
        faults(
            &scene,
            &[
                (&of(operation, "none"), "Sender/InvalidArgVal/NoConfig"),
                (&of_profile(operation, "none"), "Sender/InvalidArgVal/NoProfile"),
                (
                    &of(&operation.replace("Configurations", "ConfigurationOptions"), "none"),
                    "Sender/InvalidArgVal/NoConfig",
                ),
                (
                    &of_profile(&operation.replace("Configurations", "ConfigurationOptions"), "none"),
                    "Sender/InvalidArgVal/NoProfile",
                ),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn an_encoder_is_set_and_read_back() {
    let scene = Scene::new();
    ask(&scene, &standard(&[])).await.unwrap();
    let now = ask(&scene, &of("GetVideoEncoderConfigurations", "standard")).await.unwrap();
    let value = |path: &str| only(&now, &format!("Configurations/{path}"));
    assert_eq!(
        (value("Name"), value("@GovLength"), value("Resolution/Width")),
        ("Small".into(), "20".into(), "480".into())
    );
    assert_eq!(
        (value("RateControl/FrameRateLimit"), value("RateControl/BitrateLimit")),
        ("10".into(), "400".into()),
        "rounded"
    );
    for (changes, expected) in [
        (vec![(">480<", ">500<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![("9.97", "15.6")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![("9.97", "NaN")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![("'20'", "'0'")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![("'Main'", "'Baseline'")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![(">H264<", ">JPEG<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![("'standard'", "'none'")], "Sender/InvalidArgVal/NoConfig"),
        (vec![("'20'", "'often'")], "Sender/InvalidArgs"),
        (vec![("<tt:Encoding>H264</tt:Encoding>", "")], "Sender/InvalidArgs"),
    ] {
        faults(&scene, &[(&standard(&changes), expected)]).await;
    }
    // Media2 5.3.3: a bit rate is adapted. What is left out stays.
    ask(&scene, &standard(&[(">400<", ">1<"), (" GovLength='20' Profile='Main'", "")])).await.unwrap();
    let now = ask(&scene, &of("GetVideoEncoderConfigurations", "standard")).await.unwrap();
    assert_eq!(only(&now, "Configurations/RateControl/BitrateLimit"), "64");
    assert_eq!(only(&now, "Configurations/@GovLength"), "20");
}

/// MEDIA2-2-3-4: every encoder takes every codec that its options name at that moment, one after the other.
#[tokio::test]
async fn every_encoder_can_be_set_to_all_of_its_options() {
    let scene = Scene::new();
    let all = ask(&scene, "<tr2:GetVideoEncoderConfigurations/>").await.unwrap();
    let mut set = Vec::new();
    for token in at(&all, "Configurations/@token") {
        let answer = ask(&scene, &of("GetVideoEncoderConfigurationOptions", &token)).await.unwrap();
        for options in answer.elements() {
            let first = |path: &str| at(options, path).first().cloned().unwrap_or_default();
            let gop = first("@GovLengthRange").split(' ').next().unwrap_or_default().to_owned();
            let rates = first("@FrameRatesSupported");
            let wish = standard(&[
                ("'standard'", &format!("'{token}'")),
                (" GovLength='20' Profile='Main'", &if gop.is_empty() { gop } else { format!(" GovLength='{gop}'") }),
                (">H264<", &format!(">{}<", first("Encoding"))),
                (">480<", &format!(">{}<", first("ResolutionsAvailable/Width"))),
                (">270<", &format!(">{}<", first("ResolutionsAvailable/Height"))),
                ("9.97", rates.rsplit(' ').next().unwrap()),
                (">400<", &format!(">{}<", first("BitrateRange/Min"))),
                (">1</tt:Quality>", &format!(">{}</tt:Quality>", first("QualityRange/Min"))),
            ]);
            ask(&scene, &wish).await.unwrap();
            set.push(format!("{token} {}", first("Encoding")));
        }
    }
    let expected = ["ultra-hd H264", "ultra-hd H265", "hi-def H264", "hi-def H265", "standard H264", "jpeg JPEG"];
    assert_eq!(set, expected, "the last one stays H.264, and is offered nothing else");
}

#[tokio::test]
async fn options_name_what_there_is() {
    let scene = Scene::new();
    let answer = ask(&scene, &of_profile("GetVideoEncoderConfigurationOptions", "hi-def")).await.unwrap();
    assert_eq!(at(&answer, "Options/Encoding"), ["H264", "H265"]);
    assert_eq!(at(&answer, "Options/@GovLengthRange"), ["1 600"; 2]);
    assert_eq!(at(&answer, "Options/@FrameRatesSupported")[0], "15 14 13 12 11 10 9 8 7 6 5 4 3 2 1");
    assert_eq!(at(&answer, "Options/@ProfilesSupported"), ["Main", "Main"]);
    assert_eq!(at(&answer, "Options/@ConstantBitRateSupported"), ["true", "false"]);
    let generic = ask(&scene, "<tr2:GetVideoEncoderConfigurationOptions/>").await.unwrap();
    assert_eq!(at(&generic, "Options/Encoding"), ["H264", "H265", "JPEG"]);
    let sound = ask(&scene, "<tr2:GetAudioEncoderConfigurationOptions/>").await.unwrap();
    assert_eq!(at(&sound, "Options/Encoding"), ["MPEG4-GENERIC", "PCMU"]);
    let source = ask(&scene, "<tr2:GetVideoSourceConfigurationOptions/>").await.unwrap();
    assert_eq!(only(&source, "Options/VideoSourceTokensAvailable"), "video");
    let source = ask(&scene, "<tr2:GetAudioSourceConfigurationOptions/>").await.unwrap();
    assert_eq!(only(&source, "Options/InputTokensAvailable"), "audio");
    let info = ask(&scene, &of("GetVideoEncoderInstances", "video-source")).await.unwrap();
    assert_eq!(at(&info, "Info/Codec/Encoding"), ["JPEG", "H264", "H265"]);
    assert_eq!(
        (at(&info, "Info/Codec/Number"), only(&info, "Info/Total")),
        (vec!["1".into(), "3".into(), "2".into()], "4".into())
    );
    faults(&scene, &[(&of("GetVideoEncoderInstances", "none"), "Sender/InvalidArgVal/NoConfig")]).await;
}

#[tokio::test]
async fn sound_and_sources_are_set() {
    let scene = Scene::new();
    let sound = |encoding: &str, bitrate: u32| {
        format!(
            "<tr2:SetAudioEncoderConfiguration><tr2:Configuration token='aac'><tt:Name>A</tt:Name><tt:UseCount>0</tt:UseCount>\
             <tt:Encoding>{encoding}</tt:Encoding><tt:Bitrate>{bitrate}</tt:Bitrate><tt:SampleRate>8</tt:SampleRate>\
             </tr2:Configuration></tr2:SetAudioEncoderConfiguration>"
        )
    };
    ask(&scene, &sound("mpeg4-generic", 16)).await.unwrap();
    let now = ask(&scene, &of("GetAudioEncoderConfigurations", "aac")).await.unwrap();
    assert_eq!(
        (only(&now, "Configurations/Bitrate"), only(&now, "Configurations/SampleRate")),
        ("16".into(), "8".into())
    );
    let source = |kind: &str, token: &str, source: &str| {
        format!(
            "<tr2:Set{kind}SourceConfiguration><tr2:Configuration token='{token}'><tt:Name>S</tt:Name><tt:UseCount>0</tt:UseCount>\
             <tt:SourceToken>{source}</tt:SourceToken></tr2:Configuration></tr2:Set{kind}SourceConfiguration>"
        )
    };
    ask(&scene, &source("Video", "video-source", "video")).await.unwrap();
    ask(&scene, &source("Audio", "audio-source", "audio")).await.unwrap();
    faults(
        &scene,
        &[
            (&sound("PCMU", 16), "Sender/InvalidArgVal/ConfigModify"),
            (&sound("MPEG4-GENERIC", 17), "Sender/InvalidArgVal/ConfigModify"),
            (&source("Video", "none", "video"), "Sender/InvalidArgVal/NoConfig"),
            (&source("Audio", "audio-source", "video"), "Sender/InvalidArgVal/ConfigModify"),
        ],
    )
    .await;
}

#[tokio::test]
async fn addresses_are_of_the_protocol_that_is_asked_for() {
    let scene = Scene::new();
    ask(&scene, &create("Empty", &[])).await.unwrap();
    let uri = |protocol: &str, profile: &str| {
        format!(
            "<tr2:GetStreamUri><tr2:Protocol>{protocol}</tr2:Protocol><tr2:ProfileToken>{profile}</tr2:ProfileToken></tr2:GetStreamUri>"
        )
    };
    for (protocol, expected) in [
        ("RtspUnicast", "rtsp://camera.example:8554/cam/p/hi-def"),
        ("RTSP", "rtsp://camera.example:8554/cam/p/hi-def"),
        ("RtspOverHttp", "http://camera.example:8080/cam/p/hi-def"),
    ] {
        assert_eq!(only(&ask(&scene, &uri(protocol, "hi-def")).await.unwrap(), "Uri"), expected);
    }
    let snapshot = ask(&scene, &of_profile("GetSnapshotUri", "hi-def")).await.unwrap();
    assert_eq!(only(&snapshot, "Uri"), "http://camera.example:8080/snapshot/cam/hi-def");
    ask(&scene, &of_profile("SetSynchronizationPoint", "hi-def")).await.unwrap();
    let mut table: Vec<_> = ["RtspMulticast", "RtspsUnicast", "RtspsMulticast", "HTTP"]
        .map(|protocol| (uri(protocol, "hi-def"), "Sender/InvalidArgVal/InvalidStreamSetup"))
        .into();
    table.extend([
        (uri("RTSP", "none"), "Sender/InvalidArgVal/NoProfile"),
        (uri("RTSP", "profile-1"), "Receiver/Action/IncompleteConfiguration"),
        (of_profile("GetSnapshotUri", "profile-1"), "Receiver/Action/IncompleteConfiguration"),
        (of_profile("GetSnapshotUri", "none"), "Sender/InvalidArgVal/NoProfile"),
        (of_profile("SetSynchronizationPoint", "none"), "Sender/InvalidArgVal/NoProfile"),
    ]);
    for (body, expected) in &table {
        faults(&scene, &[(body, expected)]).await;
    }
}

#[tokio::test]
async fn levels_and_what_there_is_not() {
    let scene = Scene::new();
    for body in [standard(&[]), create("x", &[]), of_profile("SetSynchronizationPoint", "hi-def")] {
        assert_eq!(ask_as(&scene, Some("user"), &body).await, Err("Sender/NotAuthorized".into()));
    }
    let open = ask_as(&scene, None, "<tr2:GetServiceCapabilities/>").await.unwrap();
    assert_eq!(
        only(&open, "Capabilities/ProfileCapabilities/@ConfigurationsSupported"),
        "VideoSource VideoEncoder AudioSource AudioEncoder"
    );
    for operation in ["GetOSDs", "GetMasks", "GetAnalyticsConfigurations", "StartMulticastStreaming"] {
        faults(&scene, &[(&format!("<tr2:{operation}/>"), "Receiver/ActionNotSupported")]).await;
    }
    let scene = Scene::with(CameraSettings { aac: None, pcmu: None, ..settings() });
    let open = ask_as(&scene, None, "<tr2:GetServiceCapabilities/>").await.unwrap();
    assert_eq!(only(&open, "Capabilities/ProfileCapabilities/@ConfigurationsSupported"), "VideoSource VideoEncoder");
    assert!(at(&ask(&scene, "<tr2:GetAudioSourceConfigurations/>").await.unwrap(), "Configurations").is_empty());
    for operation in ["GetAudioSourceConfigurationOptions", "GetAudioEncoderConfigurationOptions"] {
        faults(&scene, &[(&format!("<tr2:{operation}/>"), "Receiver/ActionNotSupported/AudioNotSupported")]).await;
    }
}

/// X12: what arrives encoded is told as it is, and nothing is claimed of it.
#[tokio::test(start_paused = true)]
async fn a_stream_that_arrives_encoded_is_what_it_is() {
    let source = SourceKind::Encoded { second: false, transcode: false };
    let scene = Scene::with(CameraSettings { source, ..settings() });
    faults(&scene, &[("<tr2:GetVideoEncoderConfigurationOptions/>", "Receiver/Action")]).await;
    let codec = Codec::H264 { sps: vec![0x67].into(), pps: vec![0x68].into() };
    let size = Some((2304, 1296));
    let track = scene.context.camera.track("ultra-hd").unwrap();
    track.describe(Parameters { generation: 0, codec, size, frame_rate: Some((20, 1)), clock_rate: 90_000 });
    let now = ask(&scene, "<tr2:GetVideoEncoderConfigurations/>").await.unwrap();
    assert_eq!(only(&now, "Configurations/Resolution/Width"), "2304");
    assert_eq!(only(&now, "Configurations/RateControl/FrameRateLimit"), "20");
    assert!(at(&now, "Configurations/@Profile").is_empty());
    let sources = ask(&scene, "<trt:GetVideoSources/>").await.unwrap();
    assert_eq!(
        (only(&sources, "VideoSources/Framerate"), only(&sources, "VideoSources/Resolution/Height")),
        ("20".into(), "1296".into())
    );
    assert!(at(&sources, "VideoSources/Imaging").is_empty());
    let one = ask(&scene, "<trt:GetVideoEncoderConfigurations/>").await.unwrap();
    assert!(at(&one, "Configurations/H264").is_empty());
    let gop = only(&now, "Configurations/@GovLength");
    let same = standard(&[
        ("'standard'", "'ultra-hd'"),
        (">480<", ">2304<"),
        (">270<", ">1296<"),
        ("9.97", "20"),
        ("'20' Profile='Main'", &format!("'{gop}'")),
    ]);
    ask(&scene, &same).await.unwrap();
    let other = same.replace(">2304<", ">1280<").replace(">1296<", ">720<");
    faults(&scene, &[(&other, "Sender/InvalidArgVal/ConfigModify")]).await;
}
