//! What all services but the device's have in common; that one has stories of its own.

use super::{
    ALL, endpoints,
    story::{ask_as, ask_at, at, only},
};
use crate::{
    auth::Level,
    onvif::{
        scene::Scene,
        soap::{
            dispatch::Operation,
            names::{TDS, TMD, TR2, TRT},
        },
    },
};

/// The addresses of the services, with their names in `wsdl/operations.toml` and their prefixes.
const SERVICES: [(&str, &str, &str); 4] = [
    ("media_service", "media", "trt"),
    ("media2_service", "media2", "tr2"),
    ("imaging_service", "imaging", "timg"),
    ("deviceio_service", "deviceio", "tmd"),
];

fn operations(scene: &Scene, path: &str) -> Vec<Operation> {
    let endpoints = endpoints(&scene.context);
    let (_, endpoint) = endpoints.iter().find(|(known, _)| *known == path).unwrap();
    endpoint.interfaces().flat_map(|interface| interface.operations).copied().collect()
}

/// The element of an operation's request.
fn request(operation: &Operation, content: &str) -> String {
    let name = format!("{}:{}", operation.namespace.prefix(), operation.request);
    format!("<{name}>{content}</{name}>")
}

/// The interfaces are those of `wsdl/operations.toml`, which is held against the official files.
#[test]
fn the_interfaces_are_those_of_the_table() {
    let table: toml::Table = include_str!("../../../wsdl/operations.toml").parse().unwrap();
    let scene = Scene::new();
    for (path, service, _) in SERVICES {
        let rows = table["services"][service].as_array().unwrap();
        let keys = ["name", "element", "class", "state"];
        let rows = rows.iter().map(|row| keys.map(|key| row[key].as_str().unwrap().to_owned()));
        let listed = operations(&scene, path).into_iter().map(|operation| {
            let Operation { name, namespace, request, class, supported, .. } = operation;
            let state = if supported { "implemented" } else { "faulting" };
            [name.to_owned(), format!("{}:{request}", namespace.prefix()), class.to_string(), state.to_owned()]
        });
        assert_eq!(listed.collect::<Vec<_>>(), rows.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn every_operation_asks_for_the_level_of_its_class() {
    let scene = Scene::new();
    let levels = [(None, None), (Some("user"), Some(Level::User)), (Some("operator"), Some(Level::Operator))];
    for (path, _, _) in SERVICES {
        for operation in operations(&scene, path) {
            for (user, level) in levels {
                let answer = ask_at(&scene, user, path, &request(&operation, "")).await;
                let fault = answer.err().unwrap_or_default();
                let refused = fault == "Sender/NotAuthorized";
                assert_eq!(refused, !operation.class.allows(level), "{} {user:?}: {fault}", operation.name);
                let is_unsupported = fault.starts_with("Receiver/ActionNotSupported");
                assert!(refused || is_unsupported != operation.supported, "{} {user:?}: {fault}", operation.name);
            }
        }
    }
}

/// Whatever is missing or strange in a request, its operation answers, with a response or with a fault of the sender.
#[tokio::test]
async fn every_operation_answers_strange_requests() {
    let scene = Scene::new();
    let before = scene.context.camera.settings();
    for (path, _, prefix) in SERVICES {
        let strange = [
            "ProfileToken",
            "ConfigurationToken",
            "VideoSourceToken",
            "Token",
            "Name",
            "Protocol",
            "Configuration",
            "ImagingSettings",
            "StreamSetup",
        ];
        let strange = strange.map(|child| {
            format!("<{prefix}:{child} token='&#x20;'><tt:Name>\u{e9}&amp;</tt:Name><other/></{prefix}:{child}>")
        });
        for operation in operations(&scene, path) {
            for content in [String::new(), "text".to_owned(), strange.concat()] {
                let answer = ask_at(&scene, Some("admin"), path, &request(&operation, &content)).await;
                let (fault, Operation { name, supported, .. }) = (answer.err().unwrap_or_default(), operation);
                let expected = if supported { "Sender/" } else { "Receiver/ActionNotSupported" };
                assert!(fault.is_empty() && supported || fault.starts_with(expected), "{name} {content}: {fault}");
            }
        }
    }
    assert_eq!(scene.context.camera.settings(), before);
}

/// DEVICE-1-1-19 and its like for every service: what GetServices tells is what the service itself tells, to anybody.
#[tokio::test]
async fn capabilities_are_the_same_in_get_services() {
    let scene = Scene::new();
    let get = "<tds:GetServices><tds:IncludeCapability>true</tds:IncludeCapability></tds:GetServices>";
    let told = ask_as(&scene, None, get).await.unwrap();
    let told: Vec<_> = told.children(TDS, "Service").filter_map(|service| service.child(TDS, "Capabilities")).collect();
    assert_eq!(told.len(), ALL.len());
    for (service, told) in ALL.iter().zip(told) {
        let own = format!("<{}:GetServiceCapabilities/>", service.namespace.prefix());
        let own = ask_as(&scene, None, &own).await.unwrap();
        assert!(own.child(service.namespace, "Capabilities").is_some(), "{}", service.path);
        assert_eq!(told.nodes(), own.nodes(), "{}", service.path);
    }
}

/// DEVICE-1-1-2, DEVICE-1-1-10: the old form knows both services, and counts what device I/O counts.
#[tokio::test]
async fn get_capabilities_knows_imaging_and_device_io() {
    let scene = Scene::new();
    let old = ask_as(&scene, None, "<tds:GetCapabilities/>").await.unwrap();
    let value = |path: &str| only(&old, &format!("Capabilities/{path}"));
    assert_eq!(value("Imaging/XAddr"), "http://camera.example:8080/onvif/imaging_service");
    assert_eq!(value("Extension/DeviceIO/XAddr"), "http://camera.example:8080/onvif/deviceio_service");
    let counts = ["VideoSources", "VideoOutputs", "AudioSources", "AudioOutputs", "RelayOutputs"];
    assert_eq!(counts.map(|name| value(&format!("Extension/DeviceIO/{name}"))), ["1", "0", "1", "0", "0"]);
    assert_eq!([value("Device/IO/InputConnectors"), value("Device/IO/RelayOutputs")], ["0", "0"]);
    let imaging = "<tds:GetCapabilities><tds:Category>Imaging</tds:Category></tds:GetCapabilities>";
    let imaging = ask_as(&scene, None, imaging).await.unwrap();
    assert_eq!(only(&imaging, "Capabilities/Imaging/XAddr"), value("Imaging/XAddr"));
}

/// One element may belong to two services; a service that does not have it leaves it to the one that does.
#[tokio::test]
async fn elements_are_answered_where_they_belong() {
    let scene = Scene::new();
    let tokens = ask_at(&scene, Some("user"), "device_service", "<tmd:GetVideoSources/>").await.unwrap();
    assert_eq!(at(&tokens, "Token"), ["video"]);
    for (path, namespace) in [("deviceio_service", TDS), ("deviceio_service", TMD), ("device_service", TDS)] {
        let relays = format!("<{}:GetRelayOutputs/>", namespace.prefix());
        let fault = ask_at(&scene, Some("user"), path, &relays).await;
        assert_eq!(fault, Err("Receiver/ActionNotSupported".into()), "{path} {relays}");
    }
    for namespace in [TRT, TR2] {
        let answer = ask_as(&scene, None, &format!("<{}:GetServiceCapabilities/>", namespace.prefix())).await.unwrap();
        assert!(answer.is(namespace, "GetServiceCapabilitiesResponse"));
    }
}
