//! XML as the cases read it: a tree that owns its text, searched by local names.
//!
//! Namespaces are kept but not asked for: whether an element stands in the right one is the schemas' business, and every
//! message is judged by them.

use roxmltree::{Document, Node};

/// How deep elements may stand in each other; no message of ONVIF comes near.
const DEEPEST: usize = 200;

/// An element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Its namespace, empty if it has none.
    pub namespace: String,
    /// Its local name.
    pub name: String,
    /// Its attributes: local name and value.
    pub attributes: Vec<(String, String)>,
    /// The elements in it.
    pub children: Vec<Element>,
    /// The text directly in it, without the white space around it.
    pub text: String,
    /// For text that is a qualified name (`ter:InvalidArgVal`): the namespace its prefix stands for here.
    pub text_namespace: Option<String>,
}

impl Element {
    /// Reads a document.
    ///
    /// # Errors
    /// It is not well-formed.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        // A byte order mark is allowed before a document, and roxmltree does not want it.
        let document = Document::parse(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())?;
        // What goes through a tree goes as deep on the stack.
        if document.descendants().any(|node| node.ancestors().nth(DEEPEST + 1).is_some()) {
            return Err(format!("elements in each other deeper than {DEEPEST}"));
        }
        Ok(Self::of(document.root_element()))
    }

    fn of(node: Node<'_, '_>) -> Self {
        let text: String = node.children().filter(Node::is_text).filter_map(|child| child.text()).collect();
        let text = text.trim().to_owned();
        let prefix = text.split_once(':').map(|(prefix, _)| prefix);
        Self {
            namespace: node.tag_name().namespace().unwrap_or_default().to_owned(),
            name: node.tag_name().name().to_owned(),
            attributes: node.attributes().map(|pair| (pair.name().to_owned(), pair.value().to_owned())).collect(),
            children: node.children().filter(Node::is_element).map(Self::of).collect(),
            text_namespace: node.lookup_namespace_uri(prefix).map(str::to_owned),
            text,
        }
    }

    /// The first element at a path of local names: `Configuration/Resolution/Width`. An empty path is the element itself.
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(self, |here, name| here.first(name))
    }

    fn first(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of a local name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> + Clone {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first element at a path; `None` where there is no such element.
    pub fn text_at(&self, path: &str) -> Option<&str> {
        self.at(path).map(|element| element.text.as_str())
    }

    /// The text of the first element at a path, or nothing.
    pub fn text_or_empty(&self, path: &str) -> &str {
        self.text_at(path).unwrap_or_default()
    }

    /// The text of the first element at a path as a number.
    pub fn number_at<T: std::str::FromStr>(&self, path: &str) -> Option<T> {
        self.text_at(path)?.parse().ok()
    }

    /// The text of the first element at a path as `xs:boolean`.
    pub fn bool_at(&self, path: &str) -> Option<bool> {
        as_bool(self.text_at(path)?)
    }

    /// The texts of all children of a local name.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.children.iter().filter(|child| child.name == name).map(|child| child.text.as_str()).collect()
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The value of an attribute as `xs:boolean`.
    pub fn flag(&self, name: &str) -> Option<bool> {
        as_bool(self.attribute(name)?)
    }

    /// The attribute `token`, empty where it is missing.
    pub fn token(&self) -> &str {
        self.attribute("token").unwrap_or_default()
    }

    /// This element and all below it.
    pub fn descendants(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        Box::new(std::iter::once(self).chain(self.children.iter().flat_map(Self::descendants)))
    }

    /// Writes the element's children with the prefix `tt`, as a setter of ONVIF takes what a getter gave. Extensions of
    /// other namespaces are left out.
    pub fn inner_xml(&self) -> String {
        self.children.iter().filter(|child| child.namespace == TT).map(Self::to_xml).collect()
    }

    /// Writes the element with the prefix `tt`.
    pub fn to_xml(&self) -> String {
        self.renamed("tt", &self.name)
    }

    /// Writes the element under another name, which is what its type is called where it is sent.
    pub fn renamed(&self, prefix: &str, name: &str) -> String {
        let attributes: String =
            self.attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", escape(value))).collect();
        let content = if self.children.is_empty() { escape(&self.text) } else { self.inner_xml() };
        format!("<{prefix}:{name}{attributes}>{content}</{prefix}:{name}>")
    }

    /// The same with another text at a path; where there is no such element nothing changes.
    #[must_use]
    pub fn with(&self, path: &str, text: &str) -> Self {
        let mut changed = self.clone();
        let mut here = &mut changed;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let Some(index) = here.children.iter().position(|child| child.name == name) else { return self.clone() };
            here = &mut here.children[index];
        }
        text.clone_into(&mut here.text);
        changed
    }

    /// The same with another value of an attribute.
    #[must_use]
    pub fn with_attribute(&self, name: &str, value: &str) -> Self {
        let mut changed = self.clone();
        changed.attributes.retain(|(own, _)| own != name);
        changed.attributes.push((name.to_owned(), value.to_owned()));
        changed
    }
}

/// The namespace of ONVIF's common types.
pub const TT: &str = "http://www.onvif.org/ver10/schema";

/// `xs:boolean`.
pub fn as_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Escapes text for an element or an attribute.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_getters_element_becomes_a_setters() {
        let xml = format!(
            "<r xmlns:x=\"{TT}\"><x:C token=\"a&amp;b\"><x:Name> n&lt; </x:Name><x:R><x:W>1</x:W></x:R></x:C></r>"
        );
        let root = Element::parse(xml.as_bytes()).unwrap();
        let c = root.at("C").unwrap();
        assert_eq!((c.token(), c.text_at("Name"), c.number_at("R/W")), ("a&b", Some("n<"), Some(1)));
        assert_eq!(
            c.with("R/W", "2").renamed("trt", "Configuration"),
            "<trt:Configuration token=\"a&amp;b\"><tt:Name>n&lt;</tt:Name><tt:R><tt:W>2</tt:W></tt:R></trt:Configuration>"
        );
        assert_eq!(c.at("R/H"), None);
    }

    /// As deep as a device likes would be deeper than the stack.
    #[test]
    fn a_document_may_be_only_so_deep() {
        let nested = |depth: usize| [vec!["<a>"; depth], vec!["</a>"; depth]].concat().concat();
        assert!(Element::parse(nested(DEEPEST).as_bytes()).is_ok());
        let deeper = Element::parse(nested(100_000).as_bytes());
        assert_eq!(deeper, Err("elements in each other deeper than 200".into()));
    }

    #[test]
    fn a_qualified_name_knows_its_namespace() {
        let root = Element::parse(b"<a xmlns:p=\"urn:p\"><b>p:Word</b></a>").unwrap();
        assert_eq!(root.at("b").unwrap().text_namespace.as_deref(), Some("urn:p"));
        assert!(Element::parse(b"<a>").is_err());
    }
}
