use super::*;

async fn scopes(scene: &Scene, definition: &str) -> Vec<String> {
    let answer = told(scene, "<tds:GetScopes/>").await;
    assert!(answer.elements().all(|scope| outline(scope) == "Scopes(ScopeDef ScopeItem)"));
    let of = answer.elements().filter(|scope| at(scope, "ScopeDef") == [definition]);
    of.flat_map(|scope| at(scope, "ScopeItem")).collect()
}

fn with(operation: &str, local: &str, scopes: &[&str]) -> String {
    let scopes: String = scopes.iter().map(|scope| format!("<tds:{local}>{scope}</tds:{local}>")).collect();
    format!("<tds:{operation}>{scopes}</tds:{operation}>")
}

#[tokio::test]
async fn scopes_are_set_added_and_removed() {
    let scene = Scene::new();
    let fixed = scopes(&scene, "Fixed").await;
    for part in ["type/", "Profile/", "hardware/", "name/Front%20door", "MacAddress/", "SerialNumber/"] {
        assert!(fixed.iter().any(|scope| scope.starts_with(&format!("onvif://www.onvif.org/{part}"))), "{part}");
    }
    // A client that sends back what it read sets no fixed one twice.
    told(&scene, &with("SetScopes", "Scopes", &[&fixed[0], "urn:a"])).await;
    told(&scene, &with("AddScopes", "ScopeItem", &["urn:b", "urn:a", &fixed[1]])).await;
    assert_eq!(scopes(&scene, "Configurable").await, ["urn:a", "urn:b"]);
    let many: Vec<String> = (0..32).map(|n| format!("urn:{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (body, expected) in [
        (with("RemoveScopes", "ScopeItem", &["urn:a", &fixed[0]]), "400 Sender/OperationProhibited/FixedScope"),
        (with("RemoveScopes", "ScopeItem", &["urn:a", "urn:c"]), "400 Sender/InvalidArgVal/NoScope"),
        (with("AddScopes", "ScopeItem", &many), "500 Receiver/Action/TooManyScopes"),
        (with("SetScopes", "Scopes", &["garden"]), "400 Sender/InvalidArgVal"),
        (with("SetScopes", "Scopes", &[]), "400 Sender/InvalidArgs"),
    ] {
        assert_eq!(refused(&scene, ADMIN, &body).await, expected, "{body}");
    }
    let removed = told(&scene, &with("RemoveScopes", "ScopeItem", &["urn:a"])).await;
    assert_eq!(at(&removed, "ScopeItem"), ["urn:a"]);
    assert_eq!(scopes(&scene, "Configurable").await, ["urn:b"]);
    assert_eq!(scopes(&scene, "Fixed").await, fixed);
}

#[tokio::test]
async fn the_device_can_hide() {
    let scene = Scene::new();
    for mode in ["NonDiscoverable", "Discoverable"] {
        told(&scene, &with("SetDiscoveryMode", "DiscoveryMode", &[mode])).await;
        assert_eq!(at(&told(&scene, "<tds:GetDiscoveryMode/>").await, "DiscoveryMode"), [mode]);
        assert_eq!(scene.context.device.presence().discoverable, mode == "Discoverable");
    }
    let body = with("SetDiscoveryMode", "DiscoveryMode", &["Shy"]);
    assert_eq!(refused(&scene, ADMIN, &body).await, "400 Sender/InvalidArgVal");
}
