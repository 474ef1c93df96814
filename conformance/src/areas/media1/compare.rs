//! Whether a device tells the same of a thing in two places.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    test::Test,
    verdict::Outcome,
    xml::{Element, as_bool},
};

/// Demands that two elements have the same parameters with the same values. How they are called themselves does not
/// matter, nor do prefixes, the order of attributes or how a number is written.
pub(super) fn same_parameters(t: &Test<'_>, what: &str, first: &Element, other: &Element) -> Outcome {
    let (first, other) = (parameters(first), parameters(other));
    let names: BTreeSet<_> = first.keys().chain(other.keys()).collect();
    for name in names {
        let (expected, seen) = (first.get(name), other.get(name));
        let holds = expected.zip(seen).is_some_and(|(expected, seen)| equal(expected, seen));
        let told = |value: Option<&String>| value.map_or_else(|| "missing".to_owned(), |value| format!("`{value}`"));
        t.demand(holds, format!("{what}: {name} {}", told(expected)), told(seen))?;
    }
    Ok(())
}

/// Demands that a value is there and is this one.
pub(super) fn same_text(t: &Test<'_>, what: &str, expected: &str, seen: Option<&str>) -> Outcome {
    t.demand(seen == Some(expected), format!("{what} {expected}"), seen.unwrap_or("none"))
}

/// Demands that every element has a token, and each another.
pub(super) fn unique_tokens(t: &Test<'_>, what: &str, all: &[Element]) -> Outcome {
    unique(t, what, all.iter().map(Element::token))
}

/// Demands that the configurations that a profile takes are among all that there are; each is there once.
pub(super) fn among(t: &Test<'_>, compatible: &[Element], all: &[Element]) -> Outcome {
    unique_tokens(t, "the compatible configurations", compatible)?;
    unique_tokens(t, "the configurations", all)?;
    for own in compatible {
        let listed = all.iter().any(|configuration| configuration.token() == own.token());
        t.demand(listed, format!("{}, which is compatible, in the list of all", own.token()), "not there")?;
    }
    Ok(())
}

/// Demands that these are tokens, and each another.
pub(super) fn unique<'a>(t: &Test<'_>, what: &str, tokens: impl Iterator<Item = &'a str>) -> Outcome {
    let mut seen = BTreeSet::new();
    for token in tokens {
        t.demand(!token.is_empty(), format!("a token for each of {what}"), "one without")?;
        t.demand(seen.insert(token), format!("each token of {what} once"), format!("{token} again"))?;
    }
    Ok(())
}

/// Path and value of all that an element holds, but for its own name.
fn parameters(element: &Element) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    collect(element, "", &mut all);
    all
}

fn collect(element: &Element, path: &str, all: &mut BTreeMap<String, String>) {
    for (name, value) in &element.attributes {
        all.insert(format!("{path}/@{name}"), value.clone());
    }
    // An element without content is a parameter as well.
    all.insert(path.to_owned(), element.text.clone());
    let mut counts = BTreeMap::new();
    for child in &element.children {
        let count: &mut u32 = counts.entry(&child.name).or_default();
        *count += 1;
        let index = if *count > 1 { format!("[{count}]") } else { String::new() };
        collect(child, &format!("{path}/{}{index}", child.name), all);
    }
}

fn equal(first: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    let numbers = number(first).zip(number(other)).is_some_and(|(first, other)| first == other);
    let words = as_bool(first).is_some() && as_bool(first) == as_bool(other);
    first == other || numbers || words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::areas::media1::trial::trial;

    fn compared(first: &str, other: &str) -> Result<(), String> {
        let of = |xml: &str| Element::parse(xml.as_bytes()).unwrap();
        trial(|t| same_parameters(t, "it", &of(first), &of(other))).map_err(|stop| stop.to_string())
    }

    #[test]
    fn the_same_in_other_words_is_the_same() {
        let first = "<a token=\"1\" fixed=\"true\"><Quality>5</Quality><Bounds x=\"0\" y=\"1\"/></a>";
        let other = "<b fixed=\"1\" token=\"1\">\n<Quality>5.0</Quality><Bounds y=\"1\" x=\"0\"/></b>";
        assert_eq!(compared(first, other), Ok(()));
    }

    #[test]
    fn what_differs_is_named() {
        let whole = "<a><Name>x</Name><R><W>1</W></R><R><W>2</W></R></a>";
        let cases = [
            (whole.replace("<W>2", "<W>3"), "/R[2]/W `2`; seen: `3`"),
            (whole.replace("<Name>x</Name>", ""), "/Name `x`; seen: missing"),
            (whole.replace("<a>", "<a fixed=\"true\">"), "/@fixed missing; seen: `true`"),
            (whole.replace("x<", "X<"), "/Name `x`; seen: `X`"),
        ];
        for (other, expected) in cases {
            let error = compared(whole, &other).unwrap_err();
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn a_token_is_there_and_there_once() {
        let judged = |tokens: [&str; 2]| trial(|t| unique(t, "all", tokens.into_iter()));
        assert!(judged(["a", "b"]).is_ok());
        assert!(judged(["a", "a"]).is_err() && judged(["a", ""]).is_err());
    }
}
