use super::super::story::{ask, ask_as, at, faults, only};
use crate::{
    camera::CameraSettings,
    onvif::scene::{Scene, settings},
};

const COUNTS: [&str; 7] =
    ["VideoSources", "VideoOutputs", "AudioSources", "AudioOutputs", "RelayOutputs", "SerialPorts", "DigitalInputs"];

fn silent() -> Scene {
    Scene::with(CameraSettings { aac: None, pcmu: None, ..settings() })
}

#[tokio::test]
async fn what_there_is_is_counted() {
    for (scene, sound) in [(Scene::new(), "1"), (silent(), "0")] {
        let own = ask_as(&scene, None, "<tmd:GetServiceCapabilities/>").await.unwrap();
        let counts = COUNTS.map(|name| only(&own, &format!("Capabilities/@{name}")));
        assert_eq!(counts, ["1", "0", sound, "0", "0", "0", "0"]);
        assert_eq!(only(&own, "Capabilities/@DigitalInputOptions"), "false");
    }
}

/// DEVICEIO-5-1-1, DEVICEIO-7-1-1: the video source of media, and the one that its configurations name.
#[tokio::test]
async fn the_video_source_is_that_of_media() {
    let scene = Scene::new();
    let here = ask_as(&scene, Some("user"), "<tmd:GetVideoSources/>").await.unwrap();
    let media = ask(&scene, "<trt:GetVideoSources/>").await.unwrap();
    let configurations = ask(&scene, "<tr2:GetVideoSourceConfigurations/>").await.unwrap();
    assert_eq!(at(&here, "Token").len(), 1);
    assert_eq!(at(&here, "Token"), at(&media, "VideoSources/@token"));
    assert_eq!(at(&here, "Token"), at(&configurations, "Configurations/SourceToken"));
}

/// DEVICEIO-4-1-1: the same of sound; where there is none, there is no source.
#[tokio::test]
async fn the_audio_source_is_that_of_media() {
    let scene = Scene::new();
    let here = ask_as(&scene, Some("user"), "<tmd:GetAudioSources/>").await.unwrap();
    let media = ask(&scene, "<trt:GetAudioSources/>").await.unwrap();
    let configurations = ask(&scene, "<tr2:GetAudioSourceConfigurations/>").await.unwrap();
    assert_eq!(at(&here, "Token").len(), 1);
    assert_eq!(at(&here, "Token"), at(&media, "AudioSources/@token"));
    assert_eq!(at(&here, "Token"), at(&configurations, "Configurations/SourceToken"));
    let here = ask(&silent(), "<tmd:GetAudioSources/>").await.unwrap();
    assert_eq!(here.elements().count(), 0);
}

#[tokio::test]
async fn what_there_is_not_is_not_pretended() {
    let scene = Scene::new();
    let ports = ask(&scene, "<tmd:GetSerialPorts/>").await.unwrap();
    assert_eq!(ports.elements().count(), 0);
    for operation in [
        "GetVideoOutputs",
        "GetAudioOutputs",
        "GetRelayOutputOptions",
        "SetRelayOutputSettings",
        "GetDigitalInputs",
        "GetDigitalInputConfigurationOptions",
        "GetVideoSourceConfiguration",
        "GetSerialPortConfiguration",
    ] {
        faults(&scene, &[(&format!("<tmd:{operation}/>"), "Receiver/ActionNotSupported")]).await;
    }
}
