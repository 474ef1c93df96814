//! Stories of clients, and what all operations have in common.

mod interfaces;
mod network;
mod scopes;
mod services;
mod system;
mod users;

use super::interface::DEVICE;
use crate::{
    auth::Level,
    onvif::{
        scene::Scene,
        soap::{
            names::ENV,
            tree::Element,
            xml::{self, Limits},
        },
    },
};

const ADMIN: Option<&str> = Some("admin");

/// Asks the device service, and gives the HTTP status and what is in the body of the answer.
async fn ask(scene: &Scene, user: Option<&str>, body: &str) -> (u16, Element) {
    let (status, text) = scene.ask(user, "device_service", body).await;
    let root = xml::read(text.as_bytes(), &Limits::default()).unwrap();
    (status, root.child(ENV, "Body").unwrap().elements().next().unwrap().clone())
}

/// Asks as the administrator for what must succeed.
async fn told(scene: &Scene, body: &str) -> Element {
    let (status, element) = ask(scene, ADMIN, body).await;
    assert_eq!(status, 200, "{body}: {}", codes(&element));
    element
}

/// Asks as a user for what must fail, and gives status, code and subcodes, joined by slashes.
async fn refused(scene: &Scene, user: Option<&str>, body: &str) -> String {
    let (status, element) = ask(scene, user, body).await;
    format!("{status} {}", codes(&element))
}

fn codes(fault: &Element) -> String {
    let mut codes = Vec::new();
    let mut code = fault.child(ENV, "Code");
    while let Some(present) = code {
        let value = present.required(ENV, "Value").unwrap();
        codes.push(value.resolve(&value.text()).unwrap().local().to_owned());
        code = present.child(ENV, "Subcode");
    }
    codes.join("/")
}

/// The texts of all elements at a path of local names.
fn at(element: &Element, path: &str) -> Vec<String> {
    let (local, rest) = path.split_once('/').unwrap_or((path, ""));
    let found = element.elements().filter(|child| child.name().local() == local);
    found.flat_map(|child| if rest.is_empty() { vec![child.text().into_owned()] } else { at(child, rest) }).collect()
}

/// The local names in an element, in order, those within another in parentheses.
fn outline(element: &Element) -> String {
    let inner: Vec<_> = element.elements().map(outline).collect();
    let name = element.name().local();
    if inner.is_empty() { name.to_owned() } else { format!("{name}({})", inner.join(" ")) }
}

#[tokio::test]
async fn every_operation_asks_for_the_level_of_its_class() {
    let scene = Scene::new();
    let levels = [
        (None, None),
        (Some("user"), Some(Level::User)),
        (Some("operator"), Some(Level::Operator)),
        (ADMIN, Some(Level::Administrator)),
    ];
    for operation in DEVICE.operations {
        for (user, level) in levels {
            let body = format!("<tds:{}/>", operation.request);
            let (status, element) = ask(&scene, user, &body).await;
            let told = format!("{status} {}", codes(&element));
            if !operation.class.allows(level) {
                let expected = if user.is_none() { "401 Sender/NotAuthorized" } else { "400 Sender/NotAuthorized" };
                assert_eq!(told, expected, "{body} {user:?}");
            } else if operation.supported {
                // Where there should have been arguments.
                assert!(["200 ", "400 Sender/InvalidArgs"].contains(&told.as_str()), "{body} {user:?}: {told}");
            } else {
                assert_eq!(told, "500 Receiver/ActionNotSupported", "{body} {user:?}");
            }
        }
    }
}

#[test]
fn the_operations_are_those_of_the_table() {
    let table: toml::Table =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/wsdl/operations.toml")).parse().unwrap();
    let rows: Vec<String> = table["services"]["device"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ["element", "class", "state"].map(|key| row[key].as_str().unwrap()).join(" "))
        .collect();
    let state = |supported| if supported { "implemented" } else { "faulting" };
    let listed: Vec<String> = DEVICE
        .operations
        .iter()
        .map(|op| format!("{}:{} {} {}", op.namespace.prefix(), op.request, op.class, state(op.supported)))
        .collect();
    assert_eq!(listed, rows);
}
