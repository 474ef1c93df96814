use super::super::story::{ask, ask_as, at, faults, only};
use crate::{
    camera::{CameraSettings, SourceKind},
    onvif::scene::{Scene, settings},
};

/// A video encoder configuration as a client writes it, with the values of the Standard definition.
fn standard(changes: &[(&str, &str)]) -> String {
    let text = "<trt:SetVideoEncoderConfiguration><trt:Configuration token='standard'><tt:Name>Small</tt:Name>\
        <tt:UseCount>7</tt:UseCount><tt:Encoding>H264</tt:Encoding>\
        <tt:Resolution><tt:Width>480</tt:Width><tt:Height>270</tt:Height></tt:Resolution><tt:Quality>1</tt:Quality>\
        <tt:RateControl><tt:FrameRateLimit>10</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>\
        <tt:BitrateLimit>400</tt:BitrateLimit></tt:RateControl>\
        <tt:H264><tt:GovLength>20</tt:GovLength><tt:H264Profile>Main</tt:H264Profile></tt:H264>\
        <tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address>\
        <tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>\
        <tt:SessionTimeout>PT60S</tt:SessionTimeout></trt:Configuration>\
        <trt:ForcePersistence>false</trt:ForcePersistence></trt:SetVideoEncoderConfiguration>";
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

fn configuration(operation: &str, token: &str) -> String {
    format!("<trt:{operation}><trt:ConfigurationToken>{token}</trt:ConfigurationToken></trt:{operation}>")
}

fn of_profile(operation: &str, profile: &str) -> String {
    format!("<trt:{operation}><trt:ProfileToken>{profile}</trt:ProfileToken></trt:{operation}>")
}

fn add(kind: &str, profile: &str, token: &str) -> String {
    format!(
        "<trt:Add{kind}Configuration><trt:ProfileToken>{profile}</trt:ProfileToken>\
         <trt:ConfigurationToken>{token}</trt:ConfigurationToken></trt:Add{kind}Configuration>"
    )
}

#[tokio::test]
async fn profiles_are_complete_and_the_highest_comes_first() {
    let scene = Scene::new();
    let all = ask(&scene, "<trt:GetProfiles/>").await.unwrap();
    assert_eq!(at(&all, "Profiles/@token"), ["ultra-hd", "hi-def", "standard", "jpeg"]);
    assert_eq!(at(&all, "Profiles/@fixed"), ["true"; 4]);
    assert_eq!(at(&all, "Profiles/VideoSourceConfiguration/UseCount"), ["4"; 4]);
    assert_eq!(at(&all, "Profiles/VideoEncoderConfiguration/Encoding"), ["H264", "H264", "H264", "JPEG"]);
    assert_eq!(at(&all, "Profiles/VideoEncoderConfiguration/H264/H264Profile"), ["Baseline", "Main", "Main"]);
    assert_eq!(at(&all, "Profiles/VideoEncoderConfiguration/SessionTimeout"), ["PT60S"; 4]);
    assert_eq!(at(&all, "Profiles/AudioEncoderConfiguration/Encoding"), ["AAC", "AAC", "G711", "G711"]);
    assert_eq!(at(&all, "Profiles/AudioEncoderConfiguration/SampleRate"), ["16", "16", "8", "8"]);
    let one = ask(&scene, &of_profile("GetProfile", "ultra-hd")).await.unwrap();
    let video = |path: &str| only(&one, &format!("Profile/VideoEncoderConfiguration/{path}"));
    assert_eq!((video("Resolution/Width"), video("Resolution/Height")), ("3840".into(), "2160".into()));
    assert_eq!((video("RateControl/FrameRateLimit"), video("RateControl/BitrateLimit")), ("15".into(), "8000".into()));
    assert_eq!(video("Multicast/Address/IPv4Address"), "0.0.0.0");
    assert_eq!(only(&one, "Profile/VideoSourceConfiguration/Bounds/@width"), "3840");
    assert_eq!(only(&one, "Profile/VideoSourceConfiguration/SourceToken"), "video");
    // MEDIA-1-1-3: both operations tell the same.
    assert_eq!(one.elements().next().unwrap().nodes(), all.elements().next().unwrap().nodes());
}

#[tokio::test]
async fn a_recorder_makes_a_profile_of_its_own() {
    let scene = Scene::new();
    let create = "<trt:CreateProfile><trt:Name>Rec</trt:Name><trt:Token>Rec-1.a</trt:Token></trt:CreateProfile>";
    let made = ask(&scene, create).await.unwrap();
    assert_eq!((only(&made, "Profile/@token"), only(&made, "Profile/@fixed")), ("Rec-1.a".into(), "false".into()));
    assert_eq!(made.elements().next().unwrap().elements().count(), 1, "only a name");
    let compatible = of_profile("GetCompatibleVideoEncoderConfigurations", "Rec-1.a");
    assert!(at(&ask(&scene, &compatible).await.unwrap(), "Configurations").is_empty(), "an encoder needs its source");
    let stream = "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport>\
        <tt:Protocol>RTSP</tt:Protocol></tt:Transport></trt:StreamSetup><trt:ProfileToken>Rec-1.a</trt:ProfileToken>\
        </trt:GetStreamUri>";
    faults(
        &scene,
        &[
            (create, "Sender/InvalidArgVal/ProfileExists"),
            (&add("VideoEncoder", "Rec-1.a", "standard"), "Receiver/Action/ConfigurationConflict"),
            (&add("VideoSource", "Rec-1.a", "standard"), "Sender/InvalidArgVal/NoConfig"),
            (&add("VideoSource", "none", "video-source"), "Sender/InvalidArgVal/NoProfile"),
            (stream, "Receiver/Action/IncompleteConfiguration"),
            (&of_profile("GetSnapshotUri", "Rec-1.a"), "Receiver/Action/IncompleteConfiguration"),
        ],
    )
    .await;
    for (kind, token) in [
        ("VideoSource", "video-source"),
        ("VideoEncoder", "standard"),
        ("AudioSource", "audio-source"),
        ("AudioEncoder", "pcmu"),
    ] {
        ask(&scene, &add(kind, "Rec-1.a", token)).await.unwrap();
        ask(&scene, &add(kind, "Rec-1.a", token)).await.unwrap();
    }
    assert_eq!(at(&ask(&scene, &compatible).await.unwrap(), "Configurations/@token").len(), 4);
    let used = ask(&scene, &configuration("GetVideoEncoderConfiguration", "standard")).await.unwrap();
    assert_eq!(only(&used, "Configuration/UseCount"), "2", "adding twice counts once");
    assert_eq!(only(&ask(&scene, stream).await.unwrap(), "MediaUri/Uri"), "rtsp://camera.example:8554/cam/p/Rec-1.a");
    let early = of_profile("RemoveVideoSourceConfiguration", "Rec-1.a");
    faults(&scene, &[(&early, "Receiver/Action/ConfigurationConflict")]).await;
    for kind in ["VideoEncoder", "VideoEncoder", "VideoSource", "AudioEncoder", "AudioSource"] {
        ask(&scene, &of_profile(&format!("Remove{kind}Configuration"), "Rec-1.a")).await.unwrap();
    }
    ask(&scene, &of_profile("DeleteProfile", "Rec-1.a")).await.unwrap();
    faults(
        &scene,
        &[
            (&of_profile("DeleteProfile", "Rec-1.a"), "Sender/InvalidArgVal/NoProfile"),
            (&of_profile("DeleteProfile", "jpeg"), "Sender/Action/DeletionOfFixedProfile"),
            (&of_profile("RemoveVideoSourceConfiguration", "Rec-1.a"), "Sender/InvalidArgVal/NoProfile"),
            (
                "<trt:CreateProfile><trt:Name>a</trt:Name><trt:Token>a/b</trt:Token></trt:CreateProfile>",
                "Sender/InvalidArgVal",
            ),
            ("<trt:CreateProfile/>", "Sender/InvalidArgs"),
        ],
    )
    .await;
}

#[tokio::test]
async fn there_is_an_end_of_profiles() {
    let scene = Scene::new();
    let create = "<trt:CreateProfile><trt:Name>More</trt:Name><trt:Token/></trt:CreateProfile>";
    for number in 1..=crate::camera::MAX_PROFILES - 4 {
        let made = ask(&scene, create).await.unwrap();
        assert_eq!(only(&made, "Profile/@token"), format!("profile-{number}"));
    }
    faults(&scene, &[(create, "Receiver/Action/MaxNVTProfiles")]).await;
}

#[tokio::test]
async fn an_encoder_is_set_and_read_back() {
    let scene = Scene::new();
    ask(&scene, &standard(&[])).await.unwrap();
    let told = scene.told.0.lock().unwrap().len();
    assert_eq!(told, 1, "the source was told");
    let now = ask(&scene, &configuration("GetVideoEncoderConfiguration", "standard")).await.unwrap();
    for (path, expected) in [
        ("Name", "Small"),
        ("UseCount", "1"),
        ("Resolution/Width", "480"),
        ("RateControl/FrameRateLimit", "10"),
        ("RateControl/BitrateLimit", "400"),
        ("H264/GovLength", "20"),
    ] {
        assert_eq!(only(&now, &format!("Configuration/{path}")), expected, "{path}");
    }
    // A bit rate beyond the range is brought into it (Media 5.5.5), a quality says nothing of H.264, and a timeout is a hint.
    let much = standard(&[(">400<", ">64000<"), ("<tt:Quality>1<", "<tt:Quality>50<"), ("PT60S", "PT5S")]);
    ask(&scene, &much).await.unwrap();
    let now = ask(&scene, &configuration("GetVideoEncoderConfiguration", "standard")).await.unwrap();
    assert_eq!(only(&now, "Configuration/RateControl/BitrateLimit"), "40000");
    assert_eq!(only(&now, "Configuration/Quality"), "1");
    assert_eq!(only(&now, "Configuration/SessionTimeout"), "PT60S");
}

#[tokio::test]
async fn an_encoder_is_not_set_to_what_it_cannot_be() {
    let scene = Scene::new();
    let before = scene.context.camera.settings();
    for (changes, expected) in [
        (vec![(">480<", ">481<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![(">480<", ">-1<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![(">10<", ">99<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![(">10<", ">0<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![("EncodingInterval>1<", "EncodingInterval>2<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![(">20<", ">601<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![(">Main<", ">High<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![(">H264<", ">JPEG<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![(">H264<", ">MPEG4<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![(">H264<", ">H265<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![("0.0.0.0", "239.0.0.1")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![("Port>0<", "Port>5000<")], "Sender/InvalidArgVal/ConfigModify"),
        (vec![("PT60S", "soon")], "Sender/InvalidArgs"),
        (vec![("'standard'", "'none'")], "Sender/InvalidArgVal/NoConfig"),
        (vec![(" token='standard'", "")], "Sender/MissingAttr"),
        (vec![("<tt:Name>Small</tt:Name>", "")], "Sender/InvalidArgs"),
        (vec![(">480<", ">wide<")], "Sender/InvalidArgs"),
        (vec![("<tt:FrameRateLimit>10</tt:FrameRateLimit>", "")], "Sender/InvalidArgs"),
    ] {
        faults(&scene, &[(&standard(&changes), expected)]).await;
    }
    assert_eq!(scene.context.camera.settings(), before);
}

#[tokio::test]
async fn jpeg_has_its_quality_and_qvga() {
    let scene = Scene::new();
    let options = ask(&scene, &configuration("GetVideoEncoderConfigurationOptions", "jpeg")).await.unwrap();
    assert_eq!(at(&options, "Options/JPEG/ResolutionsAvailable/Height"), ["360", "240"]);
    assert_eq!(
        (only(&options, "Options/QualityRange/Min"), only(&options, "Options/QualityRange/Max")),
        ("1".into(), "100".into())
    );
    assert!(at(&options, "Options/H264").is_empty());
    let jpeg = |quality: &str| {
        let text = standard(&[("'standard'", "'jpeg'"), (">H264<", ">JPEG<"), (">480<", ">320<"), (">270<", ">240<")]);
        let (start, end) = (text.find("<tt:H264>").unwrap(), text.find("</tt:H264>").unwrap() + "</tt:H264>".len());
        let text = format!("{}{}", &text[..start], &text[end..]);
        text.replace("<tt:Quality>1<", &format!("<tt:Quality>{quality}<"))
    };
    ask(&scene, &jpeg("35.6")).await.unwrap();
    let now = ask(&scene, &configuration("GetVideoEncoderConfiguration", "jpeg")).await.unwrap();
    assert_eq!(
        (only(&now, "Configuration/Quality"), only(&now, "Configuration/Resolution/Width")),
        ("36".into(), "320".into())
    );
    assert_eq!(only(&now, "Configuration/RateControl/BitrateLimit"), "0");
    faults(
        &scene,
        &[(&jpeg("101"), "Sender/InvalidArgVal/ConfigModify"), (&jpeg("NaN"), "Sender/InvalidArgVal/ConfigModify")],
    )
    .await;
}

#[tokio::test]
async fn options_are_those_of_the_encoder_of_the_profile_or_of_all() {
    let scene = Scene::new();
    let widths = async |body: &str| at(&ask(&scene, body).await.unwrap(), "Options/H264/ResolutionsAvailable/Width");
    let name = "GetVideoEncoderConfigurationOptions";
    let standard = ["640", "480", "320"];
    assert_eq!(widths(&configuration(name, "standard")).await, standard);
    assert_eq!(widths(&of_profile(name, "standard")).await, standard);
    let generic = ask(&scene, &format!("<trt:{name}/>")).await.unwrap();
    assert_eq!(at(&generic, "Options/H264/ResolutionsAvailable/Width").len(), 8);
    assert_eq!(at(&generic, "Options/JPEG/ResolutionsAvailable/Width").len(), 2);
    assert_eq!(at(&generic, "Options/H264/H264ProfilesSupported"), ["Baseline", "Main"]);
    assert_eq!(only(&generic, "Options/Extension/H264/BitrateRange/Max"), "40000");
    let numbers =
        ask(&scene, &configuration("GetGuaranteedNumberOfVideoEncoderInstances", "video-source")).await.unwrap();
    assert_eq!(["TotalNumber", "JPEG", "H264"].map(|name| only(&numbers, name)), ["4", "1", "3"]);
    faults(
        &scene,
        &[
            (&configuration(name, "none"), "Sender/InvalidArgVal/NoConfig"),
            (&of_profile(name, "none"), "Sender/InvalidArgVal/NoProfile"),
            (&configuration("GetGuaranteedNumberOfVideoEncoderInstances", "none"), "Sender/InvalidArgVal/NoConfig"),
            (&configuration("GetVideoSourceConfigurationOptions", "none"), "Sender/InvalidArgVal/NoConfig"),
            (&of_profile("GetAudioSourceConfigurationOptions", "none"), "Sender/InvalidArgVal/NoProfile"),
            (&of_profile("GetAudioEncoderConfigurationOptions", "none"), "Sender/InvalidArgVal/NoProfile"),
            (&configuration("GetAudioEncoderConfigurationOptions", "none"), "Sender/InvalidArgVal/NoConfig"),
        ],
    )
    .await;
}

#[tokio::test]
async fn sources_are_renamed_and_nothing_else() {
    let scene = Scene::new();
    let set = |kind: &str, token: &str, source: &str, rest: &str| {
        format!(
            "<trt:Set{kind}SourceConfiguration><trt:Configuration token='{token}'><tt:Name>Yard</tt:Name>\
             <tt:UseCount>0</tt:UseCount><tt:SourceToken>{source}</tt:SourceToken>{rest}</trt:Configuration>\
             <trt:ForcePersistence>true</trt:ForcePersistence></trt:Set{kind}SourceConfiguration>"
        )
    };
    let whole = "<tt:Bounds x='0' y='0' width='3840' height='2160'/>";
    ask(&scene, &set("Video", "video-source", "video", whole)).await.unwrap();
    ask(&scene, &set("Audio", "audio-source", "audio", "")).await.unwrap();
    for kind in ["Video", "Audio"] {
        let all = ask(&scene, &format!("<trt:Get{kind}SourceConfigurations/>")).await.unwrap();
        assert_eq!(
            (only(&all, "Configurations/Name"), only(&all, "Configurations/UseCount")),
            ("Yard".into(), "4".into())
        );
    }
    let part = whole.replace("'2160'", "'1080'");
    let turned = format!("{whole}<tt:Extension><tt:Rotate><tt:Mode>ON</tt:Mode></tt:Rotate></tt:Extension>");
    faults(
        &scene,
        &[
            (&set("Video", "video-source", "video", &part), "Sender/InvalidArgVal/ConfigModify"),
            (&set("Video", "video-source", "video", &turned), "Sender/InvalidArgVal/ConfigModify"),
            (&set("Video", "video-source", "other", whole), "Sender/InvalidArgVal/ConfigModify"),
            (&set("Video", "none", "video", whole), "Sender/InvalidArgVal/NoConfig"),
            (&set("Audio", "audio-source", "other", ""), "Sender/InvalidArgVal/ConfigModify"),
            (&set("Audio", "none", "audio", ""), "Sender/InvalidArgVal/NoConfig"),
            (&configuration("GetVideoSourceConfiguration", "none"), "Sender/InvalidArgVal/NoConfig"),
            (&configuration("GetAudioSourceConfiguration", "none"), "Sender/InvalidArgVal/NoConfig"),
        ],
    )
    .await;
}

#[tokio::test]
async fn sources_are_told() {
    let scene = Scene::new();
    let video = ask(&scene, "<trt:GetVideoSources/>").await.unwrap();
    let value = |path: &str| only(&video, &format!("VideoSources/{path}"));
    assert_eq!(
        (value("@token"), value("Framerate"), value("Resolution/Width")),
        ("video".into(), "15".into(), "3840".into())
    );
    assert_eq!(value("Imaging/Brightness"), "50");
    let audio = ask(&scene, "<trt:GetAudioSources/>").await.unwrap();
    assert_eq!(
        (only(&audio, "AudioSources/@token"), only(&audio, "AudioSources/Channels")),
        ("audio".into(), "1".into())
    );
    let options = ask(&scene, "<trt:GetVideoSourceConfigurationOptions/>").await.unwrap();
    assert_eq!(only(&options, "Options/BoundsRange/WidthRange/Min"), "3840");
    let options = ask(&scene, &of_profile("GetAudioSourceConfigurationOptions", "jpeg")).await.unwrap();
    assert_eq!(only(&options, "Options/InputTokensAvailable"), "audio");
}

/// MEDIA-2-2-2, -2-3-2, -3-2-2, -3-3-2: one by one the same as all together.
#[tokio::test]
async fn every_configuration_is_told_by_its_token() {
    let scene = Scene::new();
    for (kind, count) in [("VideoSource", 1), ("VideoEncoder", 4), ("AudioSource", 1), ("AudioEncoder", 2)] {
        let all = ask(&scene, &format!("<trt:Get{kind}Configurations/>")).await.unwrap();
        let compatible = of_profile(&format!("GetCompatible{kind}Configurations"), "hi-def");
        assert_eq!(ask(&scene, &compatible).await.unwrap().nodes(), all.nodes());
        assert_eq!(all.elements().count(), count);
        for element in all.elements() {
            let token = element.attribute("token").unwrap();
            let one = ask(&scene, &configuration(&format!("Get{kind}Configuration"), token)).await.unwrap();
            assert_eq!(one.elements().next().unwrap().nodes(), element.nodes());
        }
        let none = of_profile(&format!("GetCompatible{kind}Configurations"), "none");
        faults(&scene, &[(&none, "Sender/InvalidArgVal/NoProfile")]).await;
    }
}

#[tokio::test]
async fn sound_is_set_within_its_options() {
    let scene = Scene::new();
    let set = |token: &str, encoding: &str, bitrate: u32, rate: u32| {
        format!(
            "<trt:SetAudioEncoderConfiguration><trt:Configuration token='{token}'><tt:Name>Sound</tt:Name>\
             <tt:UseCount>2</tt:UseCount><tt:Encoding>{encoding}</tt:Encoding><tt:Bitrate>{bitrate}</tt:Bitrate>\
             <tt:SampleRate>{rate}</tt:SampleRate><tt:SessionTimeout>PT60S</tt:SessionTimeout></trt:Configuration>\
             <trt:ForcePersistence>false</trt:ForcePersistence></trt:SetAudioEncoderConfiguration>"
        )
    };
    ask(&scene, &set("aac", "AAC", 64, 48)).await.unwrap();
    ask(&scene, &set("pcmu", "G711", 64, 8)).await.unwrap();
    let all = ask(&scene, "<trt:GetAudioEncoderConfigurations/>").await.unwrap();
    assert_eq!(at(&all, "Configurations/SampleRate"), ["48", "8"]);
    let options = ask(&scene, "<trt:GetAudioEncoderConfigurationOptions/>").await.unwrap();
    assert_eq!(at(&options, "Options/Options/Encoding"), ["AAC", "G711"]);
    assert_eq!(at(&options, "Options/Options/SampleRateList/Items"), ["8", "16", "32", "48", "8"]);
    faults(
        &scene,
        &[
            (&set("aac", "AAC", 65, 48), "Sender/InvalidArgVal/ConfigModify"),
            (&set("aac", "AAC", 64, 44), "Sender/InvalidArgVal/ConfigModify"),
            (&set("aac", "G711", 64, 8), "Sender/InvalidArgVal/ConfigModify"),
            (&set("none", "AAC", 64, 48), "Sender/InvalidArgVal/NoConfig"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_camera_without_sound_says_so() {
    let scene = Scene::with(CameraSettings { aac: None, pcmu: None, ..settings() });
    for operation in ["GetAudioSources", "GetAudioSourceConfigurations", "GetAudioEncoderConfigurationOptions"] {
        let body = format!("<trt:{operation}/>");
        faults(&scene, &[(&body, "Receiver/ActionNotSupported/AudioNotSupported")]).await;
    }
    let all = ask(&scene, "<trt:GetProfiles/>").await.unwrap();
    assert!(at(&all, "Profiles/AudioSourceConfiguration").is_empty());
}

#[tokio::test]
async fn addresses_are_of_the_way_that_is_asked_for() {
    let scene = Scene::new();
    let uri = |stream: &str, protocol: &str, profile: &str| {
        format!(
            "<trt:GetStreamUri><trt:StreamSetup><tt:Stream>{stream}</tt:Stream><tt:Transport><tt:Protocol>{protocol}\
             </tt:Protocol></tt:Transport></trt:StreamSetup><trt:ProfileToken>{profile}</trt:ProfileToken></trt:GetStreamUri>"
        )
    };
    for (protocol, expected) in [
        ("UDP", "rtsp://camera.example:8554/cam/p/hi-def"),
        ("RTSP", "rtsp://camera.example:8554/cam/p/hi-def"),
        ("HTTP", "http://camera.example:8080/cam/p/hi-def"),
    ] {
        let answer = ask_as(&scene, Some("user"), &uri("RTP-Unicast", protocol, "hi-def")).await.unwrap();
        let value = |name: &str| only(&answer, &format!("MediaUri/{name}"));
        assert_eq!((value("Uri").as_str(), value("Timeout").as_str()), (expected, "PT0S"));
        assert_eq!((value("InvalidAfterConnect").as_str(), value("InvalidAfterReboot").as_str()), ("false", "false"));
    }
    let answer = ask(&scene, &of_profile("GetSnapshotUri", "hi-def")).await.unwrap();
    assert_eq!(only(&answer, "MediaUri/Uri"), "http://camera.example:8080/snapshot/cam/hi-def");
    faults(
        &scene,
        &[
            (&uri("RTP-Multicast", "UDP", "hi-def"), "Sender/InvalidArgVal/InvalidStreamSetup"),
            (&uri("RTP-Unicast", "RTP", "hi-def"), "Sender/InvalidArgVal/InvalidStreamSetup"),
            (&uri("RTP-Unicast", "TCP", "hi-def"), "Sender/InvalidArgVal/InvalidStreamSetup"),
            (&uri("RTP-Unicast", "RTSP", "none"), "Sender/InvalidArgVal/NoProfile"),
            (&of_profile("GetStreamUri", "hi-def"), "Sender/InvalidArgs"),
            (&of_profile("GetSnapshotUri", "none"), "Sender/InvalidArgVal/NoProfile"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_key_frame_is_asked_for() {
    let scene = Scene::new();
    let mut wishes = scene.context.camera.track("hi-def").unwrap().key_requests();
    ask(&scene, &of_profile("SetSynchronizationPoint", "hi-def")).await.unwrap();
    let wish = tokio::time::timeout(std::time::Duration::from_secs(5), wishes.next()).await;
    assert!(wish.is_ok());
    faults(&scene, &[(&of_profile("SetSynchronizationPoint", "none"), "Sender/InvalidArgVal/NoProfile")]).await;
}

#[tokio::test]
async fn levels_and_what_there_is_not() {
    let scene = Scene::new();
    let low = ask_as(&scene, Some("user"), &standard(&[])).await;
    assert_eq!(low, Err("Sender/NotAuthorized".into()));
    let nobody = ask_as(&scene, None, "<trt:GetProfiles/>").await;
    assert_eq!(nobody, Err("Sender/NotAuthorized".into()));
    let open = ask_as(&scene, None, "<trt:GetServiceCapabilities/>").await.unwrap();
    assert_eq!(only(&open, "Capabilities/ProfileCapabilities/@MaximumNumberOfProfiles"), "32");
    assert_eq!(only(&open, "Capabilities/StreamingCapabilities/@RTP_RTSP_TCP"), "true");
    for operation in
        ["GetOSDs", "StartMulticastStreaming", "GetMetadataConfigurations", "GetVideoAnalyticsConfigurations"]
    {
        faults(&scene, &[(&format!("<trt:{operation}/>"), "Receiver/ActionNotSupported")]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_never_seen_is_not_told_of() {
    let source = SourceKind::Encoded { second: false, transcode: true };
    let scene = Scene::with(CameraSettings { source, ..settings() });
    let all = ask(&scene, "<trt:GetVideoEncoderConfigurations/>").await.unwrap();
    assert_eq!(at(&all, "Configurations/@token"), ["hi-def", "standard", "jpeg"]);
    let all = ask(&scene, "<trt:GetProfiles/>").await.unwrap();
    assert_eq!(at(&all, "Profiles/@token"), ["ultra-hd", "hi-def", "standard", "jpeg"]);
    assert_eq!(at(&all, "Profiles/VideoEncoderConfiguration/@token"), ["hi-def", "standard", "jpeg"]);
    faults(&scene, &[(&configuration("GetVideoEncoderConfiguration", "ultra-hd"), "Sender/InvalidArgVal/NoConfig")])
        .await;
}
