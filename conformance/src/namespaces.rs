//! The ways in which a message may declare its namespaces, all of which mean the same (Base, annex A.11).
//!
//! A device that looks for prefixes instead of namespaces is found out by a message that is written in another way.

use std::collections::BTreeMap;

use crate::xml::{Element, escape};

/// A way of declaring namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Every element declares its namespace as the default one.
    DefaultForEach,
    /// An element declares its namespace as the default one unless its parent has it already.
    DefaultForParent,
    /// The root declares a prefix for each namespace, and none that people are used to.
    UnusualPrefixes,
    /// Every element has a prefix of its own, so that a namespace has several.
    ManyPrefixes,
    /// All elements have the same prefix, which stands for one namespace after the other.
    SamePrefix,
}

/// Writes a message in one of the ways. Attributes must be without namespace; a text that is a qualified name or a
/// list of such, all with one prefix, stays one.
///
/// # Errors
/// It is not well-formed.
pub fn rewritten(message: &str, style: Style) -> Result<String, String> {
    let root = Element::parse(message.as_bytes())?;
    let mut writer = Writer { style, prefixes: BTreeMap::new(), count: 0 };
    if style == Style::UnusualPrefixes {
        for element in root.descendants() {
            writer.know(&element.namespace);
            if let Some((_, namespace)) = qualified(element) {
                writer.know(namespace);
            }
        }
    }
    let mut text = String::new();
    writer.write(&root, None, &mut text);
    Ok(text)
}

/// Prefix and namespace of a text that is a qualified name.
fn qualified(element: &Element) -> Option<(&str, &str)> {
    let prefix = element.text.split_once(':')?.0;
    Some((prefix, element.text_namespace.as_deref()?))
}

struct Writer {
    style: Style,
    /// The prefixes that the root declares, by namespace.
    prefixes: BTreeMap<String, String>,
    /// How many prefixes there were so far.
    count: usize,
}

impl Writer {
    fn know(&mut self, namespace: &str) {
        let next = format!("prefix{}", self.prefixes.len() + 1);
        self.prefixes.entry(namespace.to_owned()).or_insert(next);
    }

    fn write(&mut self, element: &Element, parent: Option<&Element>, text: &mut String) {
        let inherited = parent.is_some_and(|parent| parent.namespace == element.namespace);
        let namespace = escape(&element.namespace);
        let (prefix, declared) = match self.style {
            Style::DefaultForEach => (String::new(), format!(" xmlns=\"{namespace}\"")),
            Style::DefaultForParent if inherited => (String::new(), String::new()),
            Style::DefaultForParent => (String::new(), format!(" xmlns=\"{namespace}\"")),
            Style::UnusualPrefixes => (self.prefix(&element.namespace), self.root_declarations(parent)),
            Style::ManyPrefixes => {
                self.count += 1;
                (format!("p{}:", self.count), format!(" xmlns:p{}=\"{namespace}\"", self.count))
            }
            Style::SamePrefix if inherited => ("p1:".into(), String::new()),
            Style::SamePrefix => ("p1:".into(), format!(" xmlns:p1=\"{namespace}\"")),
        };
        let attributes: String =
            element.attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", escape(value))).collect();
        let (value, for_value) = self.value(element);
        let name = &element.name;
        *text += &format!("<{prefix}{name}{declared}{for_value}{attributes}>{value}");
        for child in &element.children {
            self.write(child, Some(element), text);
        }
        *text += &format!("</{prefix}{name}>");
    }

    fn prefix(&self, namespace: &str) -> String {
        self.prefixes.get(namespace).map(|prefix| format!("{prefix}:")).unwrap_or_default()
    }

    fn root_declarations(&self, parent: Option<&Element>) -> String {
        let declare = |(namespace, prefix): (&String, &String)| format!(" xmlns:{prefix}=\"{}\"", escape(namespace));
        if parent.is_some() { String::new() } else { self.prefixes.iter().map(declare).collect() }
    }

    /// The text of an element, and what has to be declared for it.
    fn value(&self, element: &Element) -> (String, String) {
        let Some((prefix, namespace)) = qualified(element) else { return (escape(&element.text), String::new()) };
        let (own, declared) = match self.style {
            Style::UnusualPrefixes => (self.prefix(namespace), String::new()),
            _ => (format!("{prefix}:"), format!(" xmlns:{prefix}=\"{}\"", escape(namespace))),
        };
        let renamed = |word: &str| word.strip_prefix(&format!("{prefix}:")).map(|local| format!("{own}{local}"));
        let words = element.text.split_whitespace().map(|word| renamed(word).unwrap_or_else(|| word.to_owned()));
        (escape(&words.collect::<Vec<_>>().join(" ")), declared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE: &str = "<e:E xmlns:e=\"urn:e\" xmlns:d=\"urn:d\" xmlns:dn=\"urn:dn\"><e:B><d:P>\
                         <d:T a=\"1\">dn:N dn:M</d:T>\
                         <d:S>x://y</d:S></d:P><d:P/></e:B></e:E>";

    /// What a message means, whatever its prefixes are.
    fn meaning(element: &Element) -> String {
        let words = element.text.split_whitespace().map(|word| word.rsplit(':').next().unwrap_or_default());
        let namespace = qualified(element).map(|(_, namespace)| namespace);
        let children: String = element.children.iter().map(meaning).collect();
        let (own, name) = (&element.namespace, &element.name);
        format!("{{{own}}}{name}{:?}{namespace:?}{:?}({children})", element.attributes, words.collect::<Vec<_>>())
    }

    #[test]
    fn every_way_means_the_same() {
        let expected = meaning(&Element::parse(PROBE.as_bytes()).unwrap());
        for (style, text) in [
            (
                Style::DefaultForEach,
                "<E xmlns=\"urn:e\"><B xmlns=\"urn:e\"><P xmlns=\"urn:d\"><T xmlns=\"urn:d\" \
                 xmlns:dn=\"urn:dn\" a=\"1\">",
            ),
            (
                Style::DefaultForParent,
                "<E xmlns=\"urn:e\"><B><P xmlns=\"urn:d\"><T xmlns:dn=\"urn:dn\" a=\"1\">dn:N dn:M",
            ),
            (
                Style::UnusualPrefixes,
                "<prefix1:E xmlns:prefix2=\"urn:d\" xmlns:prefix3=\"urn:dn\" xmlns:prefix1=\"urn:e\"><prefix1:B>\
                 <prefix2:P><prefix2:T a=\"1\">prefix3:N prefix3:M</prefix2:T>",
            ),
            (Style::ManyPrefixes, "<p1:E xmlns:p1=\"urn:e\"><p2:B xmlns:p2=\"urn:e\"><p3:P xmlns:p3=\"urn:d\"><p4:T"),
            (Style::SamePrefix, "<p1:E xmlns:p1=\"urn:e\"><p1:B><p1:P xmlns:p1=\"urn:d\"><p1:T xmlns:dn=\"urn:dn\" a"),
        ] {
            let written = rewritten(PROBE, style).unwrap();
            assert!(written.starts_with(text), "{style:?}: {written}");
            assert_eq!(meaning(&Element::parse(written.as_bytes()).unwrap()), expected, "{style:?}");
        }
        assert!(rewritten("<a>", Style::SamePrefix).is_err());
    }
}
