//! A document as an owned tree, and the questions that a service asks of it.

use std::{borrow::Cow, iter, sync::Arc};

use thiserror::Error;

use super::{
    names::{ENV, Ns, QName, XML, XSI, is_ncname},
    values::{FromText, trimmed},
};

/// An element with everything in it.
///
/// Two elements are equal if names, attributes and content are, whatever prefixes they were written with.
#[derive(Debug, Clone)]
pub struct Element {
    here: Arc<Here>,
    attributes: Vec<Attribute>,
    nodes: Vec<Node>,
}

/// What stands in an element.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Character data, with references resolved. Never empty; no two of them stand side by side.
    Text(String),
}

/// An attribute that is not a namespace declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// The name; without a prefix it is in no namespace.
    pub name: QName,
    /// The value, with references resolved and white space normalised.
    pub value: String,
}

/// A name and where it stands: the chain of these gives the path and the namespaces in scope.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) name: QName,
    pub(super) parent: Option<Arc<Here>>,
    pub(super) bindings: Box<[Binding]>,
}

/// A namespace declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    /// Empty for the default namespace.
    pub(super) prefix: Box<str>,
    /// `None` where the default namespace is taken back.
    pub(super) uri: Option<Arc<str>>,
}

impl Here {
    /// This place and those around it, the innermost first.
    pub(super) fn outwards(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |here| here.parent.as_deref())
    }
}

/// Content that is not what an operation needs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {problem}")]
pub struct ContentError {
    /// The local names from below the SOAP body down to the element, joined by slashes.
    pub path: String,
    /// What is wrong there.
    pub problem: ContentProblem,
}

/// What is wrong with the content of an element.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ContentProblem {
    /// An element that must be there is not.
    #[error("the element is missing")]
    MissingElement,
    /// An attribute that must be there is not.
    #[error("the attribute {0} is missing")]
    MissingAttribute(String),
    /// The text is no value of the type.
    #[error("not of the type {0}")]
    WrongType(&'static str),
    /// The value of an attribute is no value of the type.
    #[error("the attribute {0} is not of the type {1}")]
    WrongAttributeType(String, &'static str),
    /// Elements stand where text belongs.
    #[error("elements where text is expected")]
    NotText,
    /// A name in the content has a prefix that is not declared.
    #[error("an undeclared prefix in a name")]
    UndeclaredPrefix,
}

impl Element {
    /// Makes an empty element with a name of the table.
    pub fn new(namespace: Ns, local: &str) -> Self {
        Self::from_here(Here { name: QName::new(namespace, local), parent: None, bindings: Box::default() })
    }

    pub(super) fn from_here(here: Here) -> Self {
        Self { here: Arc::new(here), attributes: Vec::new(), nodes: Vec::new() }
    }

    /// Adds an attribute that is in no namespace.
    pub fn with_attribute(mut self, local: &str, value: impl Into<String>) -> Self {
        self.attributes.push(Attribute { name: QName::from_parts(None, local), value: value.into() });
        self
    }

    /// Adds an attribute of a namespace of the table.
    pub fn with_attribute_in(mut self, namespace: Ns, local: &str, value: impl Into<String>) -> Self {
        self.attributes.push(Attribute { name: QName::new(namespace, local), value: value.into() });
        self
    }

    /// Adds an element at the end.
    pub fn with(mut self, child: Self) -> Self {
        self.nodes.push(Node::Element(child));
        self
    }

    /// Adds text at the end.
    pub fn with_text(mut self, text: &str) -> Self {
        self.push_text(text);
        self
    }

    pub(super) fn push_attribute(&mut self, attribute: Attribute) {
        self.attributes.push(attribute);
    }

    pub(super) fn push(&mut self, child: Self) {
        self.nodes.push(Node::Element(child));
    }

    /// Appends text and returns the length of the text node that it is now part of, in bytes.
    pub(super) fn push_text(&mut self, text: &str) -> usize {
        if let Some(Node::Text(last)) = self.nodes.last_mut() {
            last.push_str(text);
            return last.len();
        }
        if !text.is_empty() {
            self.nodes.push(Node::Text(text.to_owned()));
        }
        text.len()
    }

    pub(super) fn here(&self) -> &Arc<Here> {
        &self.here
    }

    /// The name.
    pub fn name(&self) -> &QName {
        &self.here.name
    }

    /// Tells whether the element has that name.
    pub fn is(&self, namespace: Ns, local: &str) -> bool {
        self.name().is(namespace, local)
    }

    /// The local names from below the SOAP body down to this element, joined by slashes; for messages.
    pub fn path(&self) -> String {
        let names = self.here.outwards().map(|here| &here.name).filter(|name| !name.is_in(ENV));
        let mut names: Vec<_> = names.map(QName::local).collect();
        names.reverse();
        names.join("/")
    }

    /// Everything in the element, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Everything in the element, in order.
    pub fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }

    /// All attributes, without namespace declarations.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// All elements in the element, in order.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The elements of that name.
    pub fn children<'a>(&'a self, namespace: Ns, local: &'a str) -> impl Iterator<Item = &'a Self> {
        self.elements().filter(move |element| element.is(namespace, local))
    }

    /// The first element of that name.
    pub fn child(&self, namespace: Ns, local: &str) -> Option<&Self> {
        self.elements().find(|element| element.is(namespace, local))
    }

    /// The first element of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn required(&self, namespace: Ns, local: &str) -> Result<&Self, ContentError> {
        self.child(namespace, local).ok_or_else(|| ContentError {
            path: format!("{}/{local}", self.path()),
            problem: ContentProblem::MissingElement,
        })
    }

    /// The text that stands directly in the element, joined if elements divide it.
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.nodes.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        let first = texts.next().unwrap_or_default();
        match texts.next() {
            None => first.into(),
            Some(second) => [first, second].into_iter().chain(texts).collect::<String>().into(),
        }
    }

    /// The text as a value.
    ///
    /// # Errors
    /// It is none of that type, or there are elements.
    pub fn value<T: FromText>(&self) -> Result<T, ContentError> {
        if self.elements().next().is_some() {
            return Err(self.error(ContentProblem::NotText));
        }
        T::from_text(&self.text()).ok_or_else(|| self.error(ContentProblem::WrongType(T::TYPE)))
    }

    /// The value of the first element of that name.
    ///
    /// # Errors
    /// There is no such element, or it holds something else.
    pub fn get<T: FromText>(&self, namespace: Ns, local: &str) -> Result<T, ContentError> {
        self.required(namespace, local)?.value()
    }

    /// The value of the first element of that name; one that is marked `xsi:nil` counts as absent.
    ///
    /// # Errors
    /// The element holds something else.
    pub fn get_optional<T: FromText>(&self, namespace: Ns, local: &str) -> Result<Option<T>, ContentError> {
        self.child(namespace, local).filter(|child| !child.is_nil()).map(Self::value).transpose()
    }

    /// The values of all elements of that name.
    ///
    /// # Errors
    /// One of them holds something else.
    pub fn get_all<T: FromText>(&self, namespace: Ns, local: &str) -> Result<Vec<T>, ContentError> {
        self.children(namespace, local).map(Self::value).collect()
    }

    /// The value of an attribute that is in no namespace.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|a| a.name.local() == local && a.name.namespace().is_empty());
        found.map(|attribute| attribute.value.as_str())
    }

    /// The value of an attribute of a namespace.
    pub fn attribute_in(&self, namespace: Ns, local: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|attribute| attribute.name.is(namespace, local));
        found.map(|attribute| attribute.value.as_str())
    }

    /// The value of an attribute that is in no namespace, read.
    ///
    /// # Errors
    /// It is none of that type.
    pub fn attribute_value<T: FromText>(&self, local: &str) -> Result<Option<T>, ContentError> {
        let wrong = || self.error(ContentProblem::WrongAttributeType(local.to_owned(), T::TYPE));
        self.attribute(local).map(|value| T::from_text(value).ok_or_else(wrong)).transpose()
    }

    /// The value of an attribute that must be there.
    ///
    /// # Errors
    /// There is none, or it is none of that type.
    pub fn required_attribute<T: FromText>(&self, local: &str) -> Result<T, ContentError> {
        let missing = || self.error(ContentProblem::MissingAttribute(local.to_owned()));
        self.attribute_value(local)?.ok_or_else(missing)
    }

    /// The namespace that a prefix stands for here; the empty prefix is the default namespace.
    pub fn namespace_of(&self, prefix: &str) -> Option<&str> {
        self.binding(prefix).map(|uri| &**uri).or_else(|| (prefix == XML.prefix()).then_some(XML.uri()))
    }

    fn binding(&self, prefix: &str) -> Option<&Arc<str>> {
        let mut bindings = self.here.outwards().flat_map(|here| &here.bindings);
        bindings.find(|binding| *binding.prefix == *prefix)?.uri.as_ref()
    }

    /// Reads a name in the content (`xs:QName`): without a prefix it is in the default namespace.
    ///
    /// # Errors
    /// It is no name, or its prefix is not declared here.
    pub fn resolve(&self, name: &str) -> Result<QName, ContentError> {
        let (prefix, local) = trimmed(name).split_once(':').unwrap_or(("", trimmed(name)));
        if !is_ncname(local) {
            return Err(self.error(ContentProblem::WrongType("xs:QName")));
        }
        match self.binding(prefix) {
            Some(uri) => Ok(QName::from_parts(Some(Arc::clone(uri)), local)),
            None if prefix.is_empty() => Ok(QName::from_parts(None, local)),
            None => Err(self.error(ContentProblem::UndeclaredPrefix)),
        }
    }

    /// The type that the element claims with `xsi:type`.
    ///
    /// # Errors
    /// It is no name, or its prefix is not declared here.
    pub fn xsi_type(&self) -> Result<Option<QName>, ContentError> {
        self.attribute_in(XSI, "type").map(|name| self.resolve(name)).transpose()
    }

    /// Tells whether the element is marked `xsi:nil`.
    pub fn is_nil(&self) -> bool {
        self.attribute_in(XSI, "nil").and_then(bool::from_text).unwrap_or(false)
    }

    /// An error that names this element.
    pub fn error(&self, problem: ContentProblem) -> ContentError {
        ContentError { path: self.path(), problem }
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.attributes == other.attributes && self.nodes == other.nodes
    }
}
