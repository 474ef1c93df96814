//! What a client posts to a web service.

use belvedere::onvif::soap::{
    addressing::{Addressing, EndpointReference},
    envelope::{self, Request},
    fault::{Fault, Generic},
    http_binding,
    names::{TDS, TT, WSA5},
    tree::Element,
    writer::document,
    xml::{self, Limits},
};

/// Small enough that the fuzzer reaches them.
const LIMITS: Limits = Limits { bytes: 2048, depth: 8, elements: 64, attributes: 8, bindings: 16, text: 256 };

/// What was read may be longer when it is written: prefixes are declared anew, and more characters are escaped.
fn again(text: &str) -> Element {
    let limits = Limits { bytes: 1 << 20, depth: 80, elements: 10_000, attributes: 600, bindings: 600, text: 1 << 20 };
    xml::read(text.as_bytes(), &limits).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What is read is written and read again as the same, whole and in parts, and keeps within the limits.
pub fn fuzz_soap_xml(data: &[u8]) {
    let Ok(tree) = xml::read(data, &LIMITS) else {
        // The larger limits make no other difference than to let more in.
        let _ = xml::read(data, &Limits::default());
        return;
    };
    assert!(count(&tree) <= LIMITS.elements && depth(&tree) <= LIMITS.depth);
    assert_eq!(xml::read(data, &Limits::default()).as_ref(), Ok(&tree));
    for part in std::iter::once(&tree).chain(tree.elements()) {
        let written = document(TT, "r", |w| w.copy(part));
        let root = again(&written);
        let copy = root.elements().next().expect("what was written");
        assert_eq!(copy, part, "{written}");
        assert_eq!(copy.xsi_type().ok(), part.xsi_type().ok());
    }
    ask(&tree);
}

fn count(element: &Element) -> usize {
    1 + element.elements().map(count).sum::<usize>()
}

fn depth(element: &Element) -> usize {
    1 + element.elements().map(depth).max().unwrap_or_default()
}

/// Asks everything that a service might ask.
fn ask(element: &Element) {
    let _ = (element.value::<bool>(), element.value::<f32>(), element.value::<i64>());
    let _ = (element.value::<std::time::Duration>(), element.value::<belvedere::base::clock::UtcTime>());
    let _ = (element.resolve(&element.text()), element.is_nil(), element.path());
    element.elements().for_each(ask);
}

/// A request, or the fault for what is none, is answered with an envelope.
pub fn fuzz_soap_envelope(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let _ = http_binding::check("POST", Some(text));
    }
    let (addressing, answer) = match Request::read(data, &Limits::default()) {
        Ok(request) => {
            if let Ok(Some(token)) = request.username_token() {
                assert!(!token.matches("a password that is longer than any token may carry, and so never right"));
                let _ = token.created_at();
            }
            let answer = envelope::response(&request.addressing, Some("urn:done"), |w| w.copy(&request.body));
            (request.addressing, answer)
        }
        Err(refused) => {
            assert!([400, 500].contains(&refused.fault.http_status()));
            let answer = envelope::fault(&refused.addressing, true, &refused.fault);
            (refused.addressing, answer)
        }
    };
    check_answer(&addressing, &answer);
    let failed = Fault::new(Generic::Action).detail(String::from_utf8_lossy(data));
    check_answer(&addressing, &envelope::fault(&addressing, true, &failed));
}

fn check_answer(addressing: &Addressing, answer: &str) {
    let root = again(answer);
    let header = root.elements().next().expect("a header");
    let id = header.get_optional::<String>(WSA5, "RelatesTo").expect("an identity");
    assert_eq!(id.as_deref(), addressing.message_id.as_deref(), "{answer}");
    if let Some(reference) = &addressing.reply_to {
        let written = document(TDS, "r", |w| reference.write(w, TDS, "e"));
        let read = EndpointReference::read(again(&written).elements().next().expect("a reference"));
        assert_eq!(read.as_ref(), Ok(reference), "{written}");
    }
}
