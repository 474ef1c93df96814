//! For the stories of the services: a client that reads its answers.

use super::ALL;
use crate::onvif::{
    scene::Scene,
    soap::{
        names::ENV,
        tree::Element,
        xml::{Limits, read},
    },
};

/// Asks the service that the element in the body belongs to, as an operator. Gives the element of the response, or the fault
/// as `Sender/InvalidArgVal/…`.
pub(crate) async fn ask(scene: &Scene, body: &str) -> Result<Element, String> {
    ask_as(scene, Some("operator"), body).await
}

/// The same as another user.
pub(crate) async fn ask_as(scene: &Scene, user: Option<&str>, body: &str) -> Result<Element, String> {
    ask_at(scene, user, path_of(body), body).await
}

/// The same at an address, whatever the element.
pub(crate) async fn ask_at(scene: &Scene, user: Option<&str>, path: &str, body: &str) -> Result<Element, String> {
    let (status, text) = scene.ask(user, path, body).await;
    let envelope = read(text.as_bytes(), &Limits::default()).unwrap();
    let answer = envelope.child(ENV, "Body").unwrap().elements().next().unwrap().clone();
    if answer.is(ENV, "Fault") {
        assert_ne!(status, 200);
        return Err(codes(&answer));
    }
    assert_eq!(status, 200, "{text}");
    Ok(answer)
}

fn path_of(body: &str) -> &'static str {
    let prefix = body.trim_start_matches('<').split(':').next();
    let service = ALL.iter().find(|service| Some(service.namespace.prefix()) == prefix);
    service.expect("an element of a service").path
}

/// Asks for each of these, and compares the faults.
pub(crate) async fn faults(scene: &Scene, table: &[(&str, &str)]) {
    for (body, expected) in table {
        let fault = ask(scene, body).await.map(|answer| texts(&answer));
        assert_eq!(fault, Err((*expected).to_owned()), "{body}");
    }
}

/// Finds the values at a path of local names below an element; the last may be an attribute, as `@token`.
pub(crate) fn at(element: &Element, path: &str) -> Vec<String> {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    if let Some(attribute) = first.strip_prefix('@') {
        return element.attribute(attribute).map(str::to_owned).into_iter().collect();
    }
    if first.is_empty() {
        return vec![element.text().into_owned()];
    }
    element.elements().filter(|child| child.name().local() == first).flat_map(|child| at(child, rest)).collect()
}

/// The only value at a path.
pub(crate) fn only(element: &Element, path: &str) -> String {
    let found = at(element, path);
    assert_eq!(found.len(), 1, "{path}: {found:?}");
    found.concat()
}

/// All text in an element.
fn texts(element: &Element) -> String {
    let children: Vec<_> = element.elements().map(texts).collect();
    format!("{}({})", element.name().local(), element.text().into_owned() + &children.join(" "))
}

fn codes(fault: &Element) -> String {
    let mut place = fault.child(ENV, "Code");
    let mut codes = Vec::new();
    while let Some(code) = place {
        let value = code.required(ENV, "Value").unwrap();
        codes.push(value.resolve(&value.text()).unwrap().local().to_owned());
        place = code.child(ENV, "Subcode");
    }
    codes.join("/")
}
