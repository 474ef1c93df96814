//! What was refused must not have changed anything; what has changed is told in words.

use std::collections::BTreeSet;

use crate::{test::Test, verdict::Outcome, xml::Element};

/// Demands that these settings are what they were; `what` says which.
pub(super) fn unchanged(t: &Test<'_>, what: &str, before: &[Element], after: &[Element]) -> Outcome {
    let expected = format!("{what} as they were");
    if before == after {
        return Ok(());
    }
    let mut seen = Vec::new();
    compare("", before.iter().collect(), after.iter().collect(), &mut seen);
    // Order and namespaces are left.
    Err(t.failed(expected, if seen.is_empty() { "the same, but in another order".to_owned() } else { seen.join("; ") }))
}

/// Tells what differs between elements of one name.
fn compare(path: &str, before: Vec<&Element>, after: Vec<&Element>, seen: &mut Vec<String>) {
    for index in 0..before.len().max(after.len()) {
        let here = if before.len().max(after.len()) > 1 { format!("{path}[{}]", index + 1) } else { path.to_owned() };
        match (before.get(index), after.get(index)) {
            (Some(before), Some(after)) => inside(&here, before, after, seen),
            (Some(before), None) => seen.push(format!("{here} {} is gone", texts(before))),
            (None, Some(after)) => seen.push(format!("{here} {} is new", texts(after))),
            (None, None) => (),
        }
    }
}

fn inside(path: &str, before: &Element, after: &Element, seen: &mut Vec<String>) {
    if before.text != after.text {
        seen.push(format!("{path} {}, before {}", shown(&after.text), shown(&before.text)));
    }
    if before.attributes != after.attributes {
        let told = |one: &Element| {
            one.attributes.iter().map(|(name, value)| format!("@{name} {}", shown(value))).collect::<Vec<_>>().join(" ")
        };
        seen.push(format!("{path} {}, before {}", told(after), told(before)));
    }
    let all = before.children.iter().chain(&after.children);
    for name in all.map(|child| child.name.as_str()).collect::<BTreeSet<_>>() {
        let inner = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        compare(&inner, before.all(name).collect(), after.all(name).collect(), seen);
    }
}

/// All texts in an element.
fn texts(element: &Element) -> String {
    let all = element.descendants().map(|one| one.text.as_str()).filter(|text| !text.is_empty());
    shown(&all.collect::<Vec<_>>().join(" ")).to_owned()
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "(empty)" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device::Device, feature::Features};

    fn told(before: &str, after: &str) -> String {
        let device = Device::new("http://192.0.2.1/".into(), String::new(), String::new());
        let features = Features::default();
        let of = |inner: &str| Element::parse(format!("<I>{inner}</I>").as_bytes()).unwrap();
        let outcome = unchanged(&Test::new(&device, &features), "the servers", &[of(before)], &[of(after)]);
        outcome.err().map(|stop| stop.to_string()).unwrap_or_default()
    }

    #[test]
    fn only_what_differs_is_told() {
        let server = |address: &str| format!("<M><T>IPv4</T><A>{address}</A></M>");
        let (one, other) = (server("192.0.2.1"), server("192.0.2.2"));
        let failure = |seen: &str| format!("step 0: expected the servers as they were; seen: {seen}");
        assert_eq!(told(&one, &one), "");
        assert_eq!(told(&one, &other), failure("M/A 192.0.2.2, before 192.0.2.1"));
        assert_eq!(told(&one, &[&*one, &*other].concat()), failure("M[2] IPv4 192.0.2.2 is new"));
        assert_eq!(told(&one, "<M><T>IPv4</T></M>"), failure("M/A 192.0.2.1 is gone"));
        assert_eq!(told("<M a=\"1\"/>", "<M a=\"2\"/>"), failure("M @a 2, before @a 1"));
        assert_eq!(told("<A/><B/>", "<B/><A/>"), failure("the same, but in another order"));
    }
}
