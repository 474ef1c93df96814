use super::{
    super::story::{ask, ask_as, at, faults, only},
    faults::not_set,
};
use crate::{
    camera::{Camera, CameraSettings, ChangeError, Imaging, SourceChange, SourceKind},
    onvif::{
        scene::{Scene, settings},
        soap::tree::Element,
    },
};

/// A request for the video source.
fn of_video(operation: &str) -> String {
    of(operation, "video", "")
}

fn of(operation: &str, token: &str, rest: &str) -> String {
    format!("<timg:{operation}><timg:VideoSourceToken>{token}</timg:VideoSourceToken>{rest}</timg:{operation}>")
}

/// SetImagingSettings with these settings.
fn set(settings: &str) -> String {
    let rest = format!(
        "<timg:ImagingSettings>{settings}</timg:ImagingSettings><timg:ForcePersistence>false</timg:ForcePersistence>"
    );
    of("SetImagingSettings", "video", &rest)
}

fn element(name: &str, value: &str) -> String {
    format!("<tt:{name}>{value}</tt:{name}>")
}

const NAMES: [&str; 3] = ["Brightness", "ColorSaturation", "Contrast"];

/// Brightness, saturation and contrast below a path.
fn look(answer: &Element, path: &str) -> [String; 3] {
    NAMES.map(|name| only(answer, &format!("{path}/{name}")))
}

async fn now(scene: &Scene) -> [String; 3] {
    look(&ask(scene, &of_video("GetImagingSettings")).await.unwrap(), "ImagingSettings")
}

#[tokio::test]
async fn settings_are_set_and_read_back_everywhere() {
    let scene = Scene::new();
    assert_eq!(now(&scene).await, ["50", "50", "50"]);
    let all = [element("Brightness", "80"), element("ColorSaturation", "0"), element("Contrast", "33.3")].concat();
    ask(&scene, &set(&all)).await.unwrap();
    assert_eq!(now(&scene).await, ["80", "0", "33.3"]);
    ask(&scene, &set(&element("ColorSaturation", "60"))).await.unwrap();
    assert_eq!(now(&scene).await, ["80", "60", "33.3"], "what is left out stays");
    let expected = Imaging { brightness: 80.0, contrast: 33.3, saturation: 60.0 };
    let first = Imaging { saturation: 0.0, ..expected };
    let told = scene.told.0.lock().unwrap().clone();
    assert_eq!(told, [SourceChange::Imaging(first), SourceChange::Imaging(expected)], "the source was told");
    let media = ask(&scene, "<trt:GetVideoSources/>").await.unwrap();
    for path in ["VideoSources/Imaging", "VideoSources/Extension/Imaging"] {
        assert_eq!(look(&media, path), ["80", "60", "33.3"], "{path}");
    }
    // Without a wish to keep it: persistence is not the client's to choose any more.
    let again = Camera::open(settings(), scene.store).unwrap();
    assert_eq!(again.settings().imaging, expected);
}

/// Two clients, each with a wish of its own: neither takes back what the other has set.
#[tokio::test]
async fn changes_at_the_same_time_are_all_made() {
    let scene = Scene::new();
    let [brighter, duller] = [set(&element("Brightness", "70")), set(&element("ColorSaturation", "20"))];
    let (one, other) = tokio::join!(ask(&scene, &brighter), ask(&scene, &duller));
    one.and(other).unwrap();
    assert_eq!(now(&scene).await, ["70", "20", "50"]);
}

/// IMAGING-1-1-14, IMAGING-1-1-16: the settings lie inside the options, and both ends can be set.
#[tokio::test]
async fn every_option_can_be_set() {
    let scene = Scene::new();
    let options = ask_as(&scene, Some("user"), &of_video("GetOptions")).await.unwrap();
    let offered = options.elements().next().unwrap();
    let names: Vec<_> = offered.elements().map(|option| option.name().local()).collect();
    assert_eq!(names, NAMES);
    for option in offered.elements() {
        let name = option.name().local();
        for end in ["Min", "Max"] {
            let value = only(option, end);
            ask(&scene, &set(&element(name, &value))).await.unwrap();
            let settings = ask(&scene, &of_video("GetImagingSettings")).await.unwrap();
            assert_eq!(only(&settings, &format!("ImagingSettings/{name}")), value);
        }
    }
    assert_eq!(now(&scene).await, ["100"; 3]);
}

/// IMAGING-1-1-8, and what there are no options for.
#[tokio::test]
async fn what_cannot_be_is_not_set() {
    let scene = Scene::new();
    let bright = element("Brightness", "60");
    let mut table: Vec<(String, &str)> = Vec::new();
    for name in NAMES {
        for bad in ["-1", "100.1", "INF", "-INF", "NaN"] {
            table.push((element(name, bad), "Sender/InvalidArgVal/SettingsInvalid"));
        }
        table.push((element(name, "much"), "Sender/InvalidArgs"));
        table.push((element(name, ""), "Sender/InvalidArgs"));
    }
    for other in [
        "<tt:BacklightCompensation><tt:Mode>OFF</tt:Mode></tt:BacklightCompensation>",
        "<tt:Exposure><tt:Mode>AUTO</tt:Mode></tt:Exposure>",
        "<tt:Focus><tt:AutoFocusMode>AUTO</tt:AutoFocusMode></tt:Focus>",
        "<tt:IrCutFilter>AUTO</tt:IrCutFilter>",
        "<tt:Sharpness>50</tt:Sharpness>",
        "<tt:WideDynamicRange><tt:Mode>OFF</tt:Mode></tt:WideDynamicRange>",
        "<tt:WhiteBalance><tt:Mode>AUTO</tt:Mode></tt:WhiteBalance>",
        "<tt:Extension><tt:ImageStabilization><tt:Mode>OFF</tt:Mode></tt:ImageStabilization></tt:Extension>",
        "<tt:Extension><tt:Extension><tt:Extension><tt:Defogging><tt:Mode>OFF</tt:Mode></tt:Defogging></tt:Extension>\
         </tt:Extension></tt:Extension>",
        "<tt:Extension><vendor xmlns='urn:x'/></tt:Extension>",
        "<timg:Brightness>60</timg:Brightness>",
    ] {
        table.push((format!("{bright}{other}"), "Sender/InvalidArgVal/SettingsInvalid"));
    }
    for (settings, expected) in &table {
        faults(&scene, &[(&set(settings), expected)]).await;
    }
    faults(
        &scene,
        &[
            (&of_video("SetImagingSettings"), "Sender/InvalidArgs"),
            ("<timg:SetImagingSettings/>", "Sender/InvalidArgs"),
            ("<timg:GetImagingSettings/>", "Sender/InvalidArgs"),
        ],
    )
    .await;
    assert_eq!(now(&scene).await, ["50"; 3]);
    assert!(scene.told.0.lock().unwrap().is_empty());
}

/// Clients whose types are generated write extensions with nothing in them, and elements that are nil.
#[tokio::test]
async fn what_asks_for_nothing_is_no_mistake() {
    let scene = Scene::new();
    let empty = "<tt:Focus xsi:nil='true'/><tt:Extension><tt:Extension/></tt:Extension>";
    ask(&scene, &set(&format!("{}{empty}", element("Contrast", " 40 ")))).await.unwrap();
    ask(&scene, &set("")).await.unwrap();
    assert_eq!(now(&scene).await, ["50", "50", "40"]);
    assert_eq!(scene.told.0.lock().unwrap().len(), 1, "nothing to do for the source");
}

/// IMAGING-1-1-10 to IMAGING-1-1-12, IMAGING-2-1-15; a source that is passed through has no settings.
#[tokio::test]
async fn sources_are_known_and_have_settings() {
    let operations = ["GetImagingSettings", "SetImagingSettings", "GetOptions", "GetMoveOptions"];
    let settings_of = |operation| match operation {
        "SetImagingSettings" => "<timg:ImagingSettings><tt:Contrast>50</tt:Contrast></timg:ImagingSettings>",
        _ => "",
    };
    let through = SourceKind::Encoded { second: false, transcode: false };
    let (pattern, upstream) = (Scene::new(), Scene::with(CameraSettings { source: through, ..settings() }));
    for operation in operations {
        let rest = settings_of(operation);
        let (known, unknown) = (of(operation, "video", rest), of(operation, "Video", rest));
        ask(&pattern, &known).await.unwrap();
        for scene in [&pattern, &upstream] {
            faults(scene, &[(&unknown, "Sender/InvalidArgVal/NoSource")]).await;
        }
        faults(&upstream, &[(&known, "Receiver/ActionNotSupported/NoImagingForSource")]).await;
    }
    let transcoded = SourceKind::Encoded { second: false, transcode: true };
    let scene = Scene::with(CameraSettings { source: transcoded, ..settings() });
    assert_eq!(now(&scene).await, ["50"; 3], "the engine encodes");
}

#[tokio::test]
async fn there_is_no_focus_and_there_are_no_presets() {
    let scene = Scene::new();
    let options = ask_as(&scene, Some("user"), &of_video("GetMoveOptions")).await.unwrap();
    assert_eq!(options.elements().next().unwrap().elements().count(), 0);
    let speed = "<timg:Focus><tt:Continuous><tt:Speed>1</tt:Speed></tt:Continuous></timg:Focus>";
    let preset = "<timg:PresetToken>night</timg:PresetToken>";
    for (operation, rest) in [
        ("Move", speed),
        ("Stop", ""),
        ("GetStatus", ""),
        ("GetPresets", ""),
        ("GetCurrentPreset", ""),
        ("SetCurrentPreset", preset),
    ] {
        faults(&scene, &[(&of(operation, "video", rest), "Receiver/ActionNotSupported")]).await;
    }
    let own = ask_as(&scene, None, "<timg:GetServiceCapabilities/>").await.unwrap();
    for name in ["ImageStabilization", "Presets", "AdaptablePreset"] {
        assert_eq!(at(&own, &format!("Capabilities/@{name}")), ["false"]);
    }
}

#[tokio::test]
async fn who_only_watches_sets_nothing() {
    let scene = Scene::new();
    let brighter = set(&element("Brightness", "60"));
    for user in [None, Some("user")] {
        assert_eq!(ask_as(&scene, user, &brighter).await, Err("Sender/NotAuthorized".into()), "{user:?}");
    }
    assert_eq!(ask_as(&scene, None, &of_video("GetImagingSettings")).await, Err("Sender/NotAuthorized".into()));
    for user in ["user", "operator", "admin"] {
        ask_as(&scene, Some(user), &of_video("GetImagingSettings")).await.unwrap();
    }
    assert_eq!(now(&scene).await, ["50"; 3]);
}

#[test]
fn what_goes_wrong_inside_stays_inside() {
    for (error, expected) in [
        (ChangeError::Invalid("i"), "env:Sender/ter:InvalidArgVal/ter:SettingsInvalid: i"),
        (ChangeError::Refused("secret".into()), "env:Receiver/ter:Action: The change could not be made"),
        (ChangeError::Store("secret".into()), "env:Receiver/ter:Action: The change could not be made"),
    ] {
        assert_eq!(not_set(error).to_string(), expected);
    }
}
