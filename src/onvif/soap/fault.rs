//! SOAP faults: what ONVIF calls them, and the HTTP status each travels with (Core, section 5.8.2).

use std::{borrow::Cow, error::Error, fmt};

use super::{
    names::{ENV, Ns, QName, TER, XML},
    tree::{ContentError, ContentProblem, Element},
    writer::Writer,
    xml::{XmlError, XmlProblem},
};

/// A SOAP fault code (SOAP 1.2 part 1, section 5.4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Not a SOAP 1.2 envelope.
    VersionMismatch,
    /// A header block that must be understood is not.
    MustUnderstand,
    /// An encoding style that is not supported.
    DataEncodingUnknown,
    /// The message is wrong.
    Sender,
    /// The message could be right, but we cannot do it.
    Receiver,
}

impl Code {
    /// The local part of the code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VersionMismatch => "VersionMismatch",
            Self::MustUnderstand => "MustUnderstand",
            Self::DataEncodingUnknown => "DataEncodingUnknown",
            Self::Sender => "Sender",
            Self::Receiver => "Receiver",
        }
    }

    /// The HTTP status (SOAP 1.2 part 2, table 20): 400 if the sender is to blame, else 500.
    pub fn http_status(self) -> u16 {
        if self == Self::Sender { 400 } else { 500 }
    }
}

/// The faults that any operation may answer (Core, table "Generic faults").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generic {
    /// The root is not the envelope of SOAP 1.2.
    VersionMismatch,
    /// A header block that must be understood is not.
    MustUnderstand,
    /// An encoding style that is not supported.
    DataEncodingUnknown,
    /// The body is not well-formed XML.
    WellFormed,
    /// A tag or its namespace is not the one that belongs there.
    TagMismatch,
    /// A tag is missing.
    Tag,
    /// Something is wrong with a namespace.
    Namespace,
    /// An attribute is missing.
    MissingAttr,
    /// An attribute may not be there.
    ProhibAttr,
    /// Arguments are missing, too many, or of the wrong type.
    InvalidArgs,
    /// An argument has a value that is not allowed; mostly with a further subcode.
    InvalidArgVal,
    /// No such action.
    UnknownAction,
    /// The device does not permit the operation.
    OperationProhibited,
    /// The sender may not do this.
    NotAuthorized,
    /// An optional action that the device does not have.
    ActionNotSupported,
    /// The action failed; mostly with a further subcode.
    Action,
    /// More than the device can hold.
    OutofMemory,
    /// An error out of which the device does not come by itself.
    CriticalError,
}

impl Generic {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 18] = [
        Self::VersionMismatch,
        Self::MustUnderstand,
        Self::DataEncodingUnknown,
        Self::WellFormed,
        Self::TagMismatch,
        Self::Tag,
        Self::Namespace,
        Self::MissingAttr,
        Self::ProhibAttr,
        Self::InvalidArgs,
        Self::InvalidArgVal,
        Self::UnknownAction,
        Self::OperationProhibited,
        Self::NotAuthorized,
        Self::ActionNotSupported,
        Self::Action,
        Self::OutofMemory,
        Self::CriticalError,
    ];

    /// Code, subcode and reason; the table makes all three normative.
    fn row(self) -> (Code, Option<&'static str>, &'static str) {
        match self {
            Self::VersionMismatch => (Code::VersionMismatch, None, "SOAP version mismatch"),
            Self::MustUnderstand => (Code::MustUnderstand, None, "SOAP header blocks not understood"),
            Self::DataEncodingUnknown => (Code::DataEncodingUnknown, None, "Unsupported SOAP data encoding"),
            Self::WellFormed => (Code::Sender, Some("WellFormed"), "Well-formed Error"),
            Self::TagMismatch => (Code::Sender, Some("TagMismatch"), "Tag Mismatch"),
            Self::Tag => (Code::Sender, Some("Tag"), "No Tag"),
            Self::Namespace => (Code::Sender, Some("Namespace"), "Namespace Error"),
            Self::MissingAttr => (Code::Sender, Some("MissingAttr"), "Required Attribute not present"),
            Self::ProhibAttr => (Code::Sender, Some("ProhibAttr"), "Prohibited Attribute"),
            Self::InvalidArgs => (Code::Sender, Some("InvalidArgs"), "Invalid Args"),
            Self::InvalidArgVal => (Code::Sender, Some("InvalidArgVal"), "Argument Value Invalid"),
            Self::UnknownAction => (Code::Sender, Some("UnknownAction"), "Unknown Action"),
            Self::OperationProhibited => (Code::Sender, Some("OperationProhibited"), "Operation not Permitted"),
            Self::NotAuthorized => (Code::Sender, Some("NotAuthorized"), "Sender not Authorized"),
            Self::ActionNotSupported => (Code::Receiver, Some("ActionNotSupported"), "Optional Action Not Implemented"),
            Self::Action => (Code::Receiver, Some("Action"), "Action Failed"),
            Self::OutofMemory => (Code::Receiver, Some("OutofMemory"), "Out of Memory"),
            Self::CriticalError => (Code::Receiver, Some("CriticalError"), "Critical Error"),
        }
    }
}

/// What an operation answers instead of its response.
///
/// ```
/// use belvedere::onvif::soap::fault::{Fault, Generic};
///
/// let fault = Fault::new(Generic::InvalidArgVal).subcode("NoProfile").reason("The profile does not exist");
/// assert_eq!(fault.to_string(), "env:Sender/ter:InvalidArgVal/ter:NoProfile: The profile does not exist");
/// assert_eq!(fault.http_status(), 400);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fault(Box<Parts>);

#[derive(Debug, Clone, PartialEq)]
struct Parts {
    code: Code,
    subcodes: Vec<(Ns, &'static str)>,
    reason: Cow<'static, str>,
    detail: Option<Detail>,
    challenge: bool,
    not_understood: Vec<QName>,
}

#[derive(Debug, Clone, PartialEq)]
enum Detail {
    Text(String),
    Element(Element),
}

impl Fault {
    /// A fault of the table.
    pub fn new(generic: Generic) -> Self {
        let (code, subcode, reason) = generic.row();
        let subcodes = subcode.map(|subcode| (TER, subcode)).into_iter().collect();
        Self(Box::new(Parts {
            code,
            subcodes,
            reason: reason.into(),
            detail: None,
            challenge: false,
            not_understood: Vec::new(),
        }))
    }

    /// A fault of another specification (WS-Addressing, WS-BaseNotification), with its subcode.
    pub fn foreign(code: Code, subcode: (Ns, &'static str), reason: impl Into<Cow<'static, str>>) -> Self {
        let fault = Self::new(Generic::Action).reason(reason);
        let parts = Parts { code, subcodes: vec![subcode], ..*fault.0 };
        Self(Box::new(parts))
    }

    /// `NotAuthorized` that travels as 401, for the listener to add a challenge to (Core, section 5.9.1).
    pub fn challenge() -> Self {
        let mut fault = Self::new(Generic::NotAuthorized);
        fault.0.challenge = true;
        fault
    }

    /// The answer to header blocks that must be understood and are not (SOAP 1.2 part 1, section 5.4.8).
    pub(super) fn must_understand(blocks: Vec<QName>) -> Self {
        let mut fault = Self::new(Generic::MustUnderstand);
        fault.0.not_understood = blocks;
        fault
    }

    /// Adds a subcode of ONVIF within the last one.
    pub fn subcode(self, subcode: &'static str) -> Self {
        self.subcode_in(TER, subcode)
    }

    /// Adds a subcode within the last one.
    pub fn subcode_in(mut self, namespace: Ns, subcode: &'static str) -> Self {
        self.0.subcodes.push((namespace, subcode));
        self
    }

    /// Blames the other side than the table does: many specific faults are `env:Sender` with `ter:Action`.
    pub fn with_code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    /// Replaces the reason: one English sentence, for the client to see.
    pub fn reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.0.reason = reason.into();
        self
    }

    /// Says more, for the client to see.
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.0.detail = Some(Detail::Text(text.into()));
        self
    }

    /// Adds an element that the specification of the fault wants as its detail.
    pub fn detail_element(mut self, element: Element) -> Self {
        self.0.detail = Some(Detail::Element(element));
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The subcodes, the outermost first.
    pub fn subcodes(&self) -> &[(Ns, &'static str)] {
        &self.0.subcodes
    }

    /// Tells whether the answer needs a challenge.
    pub fn needs_challenge(&self) -> bool {
        self.0.challenge
    }

    /// The HTTP status of the answer.
    pub fn http_status(&self) -> u16 {
        if self.0.challenge { 401 } else { self.0.code.http_status() }
    }

    /// Writes the header blocks that belong to the fault.
    pub(super) fn write_header(&self, w: &mut Writer) {
        if self.0.code == Code::VersionMismatch {
            // SOAP 1.2 part 1, section 5.4.7: what we do speak.
            let name = w.qname(ENV, "Envelope");
            w.element(ENV, "Upgrade", |w| w.tag(ENV, "SupportedEnvelope").attribute("qname", name).content(|_| ()));
        }
        for name in &self.0.not_understood {
            let tag = w.tag(ENV, "NotUnderstood");
            match name.namespace() {
                "" => tag.attribute("qname", name.local()),
                uri => tag.attribute("qname", format!("not:{}", name.local())).declare("not", uri),
            };
        }
    }

    /// Writes the fault as the child of the body.
    pub(super) fn write(&self, w: &mut Writer) {
        w.element(ENV, "Fault", |w| {
            w.element(ENV, "Code", |w| {
                let code = w.qname(ENV, self.0.code.as_str());
                w.text(ENV, "Value", code);
                write_subcodes(w, &self.0.subcodes);
            });
            w.element(ENV, "Reason", |w| w.tag(ENV, "Text").attribute_in(XML, "lang", "en").text(&*self.0.reason));
            match &self.0.detail {
                // The example of Core, section 5.8.2.1 has text in this element.
                Some(Detail::Text(text)) => w.element(ENV, "Detail", |w| w.text(ENV, "Text", text)),
                Some(Detail::Element(element)) => w.element(ENV, "Detail", |w| w.copy(element)),
                None => (),
            }
        });
    }
}

fn write_subcodes(w: &mut Writer, subcodes: &[(Ns, &str)]) {
    if let [(namespace, subcode), inner @ ..] = subcodes {
        w.element(ENV, "Subcode", |w| {
            let name = w.qname(*namespace, subcode);
            w.text(ENV, "Value", name);
            write_subcodes(w, inner);
        });
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "env:{}", self.0.code.as_str())?;
        for (namespace, subcode) in &self.0.subcodes {
            write!(f, "/{}:{subcode}", namespace.prefix())?;
        }
        write!(f, ": {}", self.0.reason)?;
        match &self.0.detail {
            Some(Detail::Text(text)) => write!(f, " ({text})"),
            Some(Detail::Element(element)) => write!(f, " ({})", element.name()),
            None => Ok(()),
        }
    }
}

impl Error for Fault {}

impl From<Generic> for Fault {
    fn from(generic: Generic) -> Self {
        Self::new(generic)
    }
}

impl From<XmlError> for Fault {
    fn from(error: XmlError) -> Self {
        let generic = match error.problem {
            XmlProblem::TooMuch { .. } => Generic::OutofMemory,
            XmlProblem::UndeclaredPrefix | XmlProblem::Binding => Generic::Namespace,
            _ => Generic::WellFormed,
        };
        Self::new(generic).detail(error.to_string())
    }
}

impl From<ContentError> for Fault {
    fn from(error: ContentError) -> Self {
        let generic = match error.problem {
            ContentProblem::MissingAttribute(_) => Generic::MissingAttr,
            ContentProblem::UndeclaredPrefix => Generic::Namespace,
            _ => Generic::InvalidArgs,
        };
        Self::new(generic).detail(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            writer::document,
            xml::{Limits, read},
        },
        *,
    };

    fn written(fault: &Fault) -> Element {
        let text = document(ENV, "Body", |w| {
            fault.write_header(w);
            fault.write(w);
        });
        read(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn every_generic_fault_is_that_of_the_table() {
        for generic in Generic::ALL {
            let fault = Fault::new(generic);
            let shown = fault.to_string();
            let name = format!("{generic:?}");
            let root = written(&fault);
            let element = root.child(ENV, "Fault").unwrap();
            let code = element.required(ENV, "Code").unwrap();
            let value = |parent: &Element| {
                let value = parent.required(ENV, "Value").unwrap();
                value.resolve(&value.text()).unwrap()
            };
            assert!(value(code).is(ENV, fault.code().as_str()));
            match code.child(ENV, "Subcode") {
                Some(subcode) => assert!(value(subcode).is(TER, &name), "{shown}"),
                None => assert_eq!(fault.code().as_str(), name),
            }
            let reason = element.required(ENV, "Reason").unwrap().required(ENV, "Text").unwrap();
            assert_eq!((reason.attribute_in(XML, "lang"), reason.text().is_empty()), (Some("en"), false));
            let status = if fault.code() == Code::Sender { 400 } else { 500 };
            assert_eq!(fault.http_status(), status, "{shown}");
        }
    }

    #[test]
    fn specific_faults_nest_their_subcodes() {
        let fault =
            Fault::new(Generic::Action).with_code(Code::Sender).subcode("DeletionOfFixedProfile").detail("p<1>");
        assert_eq!(fault.to_string(), "env:Sender/ter:Action/ter:DeletionOfFixedProfile: Action Failed (p<1>)");
        let text = document(ENV, "Body", |w| fault.write(w));
        let wanted = "<env:Fault><env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>ter:Action</env:Value>\
                      <env:Subcode><env:Value>ter:DeletionOfFixedProfile</env:Value></env:Subcode></env:Subcode></env:Code>\
                      <env:Reason><env:Text xml:lang=\"en\">Action Failed</env:Text></env:Reason>\
                      <env:Detail><env:Text>p&lt;1&gt;</env:Text></env:Detail></env:Fault>";
        assert!(text.contains(wanted), "{text}");
    }

    #[test]
    fn a_challenge_travels_as_401() {
        let fault = Fault::challenge();
        assert_eq!((fault.http_status(), fault.needs_challenge()), (401, true));
        assert_eq!(fault.code(), Code::Sender);
    }

    #[test]
    fn blocks_that_are_not_understood_are_named() {
        let root = written(&Fault::must_understand(vec![QName::new(WSTOP, "Topic")]));
        let block = root.child(ENV, "NotUnderstood").unwrap();
        assert!(block.resolve(block.attribute("qname").unwrap()).unwrap().is(WSTOP, "Topic"));
        let root = written(&Fault::new(Generic::VersionMismatch));
        let supported = root.child(ENV, "Upgrade").unwrap().child(ENV, "SupportedEnvelope").unwrap();
        assert!(supported.resolve(supported.attribute("qname").unwrap()).unwrap().is(ENV, "Envelope"));
    }

    #[test]
    fn faults_of_other_specifications_have_their_own_subcodes_and_detail() {
        let detail = Element::new(WSNT, "UnableToGetMessagesFault");
        let fault = Fault::foreign(Code::Receiver, (WSNT, "UnableToGetMessagesFault"), "Two pulls at once")
            .detail_element(detail.clone());
        assert_eq!(fault.http_status(), 500);
        let root = written(&fault);
        assert_eq!(root.child(ENV, "Fault").unwrap().child(ENV, "Detail").unwrap().elements().next(), Some(&detail));
    }

    #[test]
    fn what_cannot_be_read_becomes_the_right_fault() {
        let sub = |error: &str| {
            let fault = Fault::from(read(error.as_bytes(), &Limits::default()).unwrap_err());
            fault.subcodes()[0].1
        };
        assert_eq!(sub("<a>"), "WellFormed");
        assert_eq!(sub("<p:a/>"), "Namespace");
        assert_eq!(sub(&"<a>".repeat(100)), "OutofMemory");
        let element = Element::new(ENV, "a");
        for (error, want) in [
            (element.required(TER, "b").map(|_| ()).unwrap_err(), "InvalidArgs"),
            (element.value::<u8>().map(|_| ()).unwrap_err(), "InvalidArgs"),
            (element.required_attribute::<u8>("b").map(|_| ()).unwrap_err(), "MissingAttr"),
            (element.resolve("p:b").map(|_| ()).unwrap_err(), "Namespace"),
        ] {
            assert_eq!(Fault::from(error).subcodes(), [(TER, want)]);
        }
    }

    use super::super::names::{WSNT, WSTOP};
}
