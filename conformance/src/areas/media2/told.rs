//! What a configuration has to tell after it was set.

use crate::{test::Test, verdict::Outcome, xml::Element};

use super::range::same_value;

/// Demands that a configuration tells what was set: a path, `@` and an attribute if it is one, and the value.
pub(super) fn expect(t: &Test<'_>, configuration: &Element, wanted: &[(&str, String)]) -> Outcome {
    for (place, value) in wanted {
        let told = at(configuration, place).unwrap_or("nothing");
        t.demand(same_value(told, value), format!("{place} {value} in {}", configuration.token()), told)?;
    }
    Ok(())
}

fn at<'a>(element: &'a Element, place: &str) -> Option<&'a str> {
    match place.split_once('@') {
        Some((path, attribute)) => element.at(path)?.attribute(attribute),
        None => element.text_at(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_elements_or_attributes() {
        let element = Element::parse(b"<a c=\"3\"><b d=\"1\">2</b></a>").unwrap();
        let told = ["b", "b@d", "@c", "b@x", "x"].map(|place| at(&element, place));
        assert_eq!(told, [Some("2"), Some("1"), Some("3"), None, None]);
    }
}
