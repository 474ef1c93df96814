use super::*;
use crate::onvif::soap::names::TDS;

const AT: &str = "http://camera.example:8080/onvif/";

async fn capabilities(scene: &Scene, categories: &[&str]) -> Element {
    let categories: String = categories.iter().map(|name| format!("<tds:Category>{name}</tds:Category>")).collect();
    let answer = told(scene, &format!("<tds:GetCapabilities>{categories}</tds:GetCapabilities>")).await;
    answer.child(TDS, "Capabilities").unwrap().clone()
}

#[tokio::test]
async fn services_are_told_with_their_addresses() {
    // DEVICE-1-1-13 and following, DEVICE-1-1-31
    let scene = Scene::new();
    let get = |with: bool| {
        format!("<tds:GetServices><tds:IncludeCapability>{with}</tds:IncludeCapability></tds:GetServices>")
    };
    let (status, short) = ask(&scene, None, &get(false)).await;
    assert_eq!(status, 200);
    assert_eq!(outline(short.elements().next().unwrap()), "Service(Namespace XAddr Version(Major Minor))");
    assert_eq!(at(&short, "Service/Namespace")[0], TDS.uri());
    let addresses = at(&short, "Service/XAddr");
    assert_eq!(addresses[0], format!("{AT}device_service"));
    assert!(addresses.iter().all(|address| address.starts_with(AT)), "{addresses:?}");

    let long = told(&scene, &get(true)).await;
    assert_eq!(at(&long, "Service/Namespace"), at(&short, "Service/Namespace"));
    assert_eq!(at(&long, "Service/Capabilities/Capabilities").len(), addresses.len());
    let device = long.elements().next().unwrap().child(TDS, "Capabilities").unwrap();
    let own = told(&scene, "<tds:GetServiceCapabilities/>").await;
    assert_eq!(device.child(TDS, "Capabilities"), own.child(TDS, "Capabilities"), "DEVICE-1-1-19");
    assert_eq!(outline(&own), "GetServiceCapabilitiesResponse(Capabilities(Network Security System))");
}

#[tokio::test]
async fn capabilities_are_told_by_category() {
    // DEVICE-1-1-2 to DEVICE-1-1-11
    let scene = Scene::new();
    let parts = |capabilities: &Element| {
        capabilities.elements().map(|part| part.name().local().to_owned()).collect::<Vec<_>>().join(" ")
    };
    for (categories, expected) in [
        (&[][..], "Device Imaging Media Extension"),
        (&["All"][..], "Device Imaging Media Extension"),
        (&["PTZ", "All"][..], "Device Imaging Media Extension"),
        (&["Device"][..], "Device"),
        (&["Media"][..], "Media"),
        (&["Imaging", "Device"][..], "Device Imaging"),
    ] {
        assert_eq!(parts(&capabilities(&scene, categories).await), expected, "{categories:?}");
    }
    for (category, expected) in [
        ("PTZ", "500 Receiver/ActionNotSupported/NoSuchService"),
        ("Events", "500 Receiver/ActionNotSupported/NoSuchService"),
        ("Analytics", "500 Receiver/ActionNotSupported/NoSuchService"),
        ("Doors", "400 Sender/InvalidArgVal"),
    ] {
        let body = format!("<tds:GetCapabilities><tds:Category>{category}</tds:Category></tds:GetCapabilities>");
        assert_eq!(refused(&scene, None, &body).await, expected, "{category}");
    }
    let all = capabilities(&scene, &[]).await;
    assert_eq!(at(&all, "Device/XAddr"), [format!("{AT}device_service")]);
    assert_eq!(
        all.elements().map(outline).collect::<Vec<_>>().join(" "),
        "Device(XAddr Network(IPFilter ZeroConfiguration IPVersion6 DynDNS Extension(Dot11Configuration)) \
         System(DiscoveryResolve DiscoveryBye RemoteDiscovery SystemBackup SystemLogging FirmwareUpgrade \
         SupportedVersions(Major Minor) Extension(HttpFirmwareUpgrade HttpSystemBackup HttpSystemLogging \
         HttpSupportInformation)) IO(InputConnectors RelayOutputs) Security(TLS1.1 TLS1.2 OnboardKeyGeneration \
         AccessPolicyConfig X.509Token SAMLToken KerberosToken RELToken Extension(TLS1.0 Extension(Dot1X \
         RemoteUserHandling)))) Imaging(XAddr) Media(XAddr StreamingCapabilities(RTPMulticast RTP_TCP RTP_RTSP_TCP) \
         Extension(ProfileCapabilities(MaximumNumberOfProfiles))) Extension(DeviceIO(XAddr VideoSources VideoOutputs \
         AudioSources AudioOutputs RelayOutputs))"
    );
}

/// All elements of a name anywhere in another.
fn anywhere<'a>(element: &'a Element, local: &str, found: &mut Vec<&'a Element>) {
    for child in element.elements() {
        if child.name().local() == local {
            found.push(child);
        }
        anywhere(child, local, found);
    }
}

#[tokio::test]
async fn the_old_form_says_what_the_new_one_says() {
    // DEVICE-1-1-30
    let scene = Scene::new();
    let old = capabilities(&scene, &["Device"]).await;
    let new = told(&scene, "<tds:GetServiceCapabilities/>").await;
    let mut compared = 0;
    for part in new.child(TDS, "Capabilities").unwrap().elements() {
        for attribute in part.attributes() {
            let mut found = Vec::new();
            anywhere(&old, attribute.name.local(), &mut found);
            assert!(found.iter().all(|element| element.text() == attribute.value), "{:?}", attribute.name);
            compared += found.len();
        }
    }
    assert_eq!(compared, 25);
}

#[tokio::test]
async fn the_endpoint_is_that_of_discovery() {
    let scene = Scene::new();
    let (_, answer) = ask(&scene, None, "<tds:GetEndpointReference/>").await;
    assert_eq!(at(&answer, "GUID"), [scene.context.device.identity().uuid.urn()]);
    let (_, answer) = ask(&scene, None, "<tds:GetWsdlUrl/>").await;
    assert!(at(&answer, "WsdlUrl")[0].starts_with("https://"));
}
