use std::time::Duration;

use proptest::prelude::*;

use super::{
    super::{
        names::*,
        tree::Node,
        xml::{Limits, read},
    },
    *,
};

fn parse(text: &str) -> Element {
    read(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn content(write: impl FnOnce(&mut Writer)) -> String {
    let text = document(TT, "r", write);
    text.split_once('>').and_then(|(_, rest)| rest.split_once('>')).unwrap().1.trim_end_matches("</tt:r>").to_owned()
}

#[test]
fn elements_attributes_and_values() {
    let text = content(|w| {
        w.element(TT, "a", |w| w.text(TT, "n", -5));
        w.tag(TRT, "b")
            .attribute("on", true)
            .optional_attribute("no", None::<u8>)
            .attribute_in(XML, "lang", "en")
            .text("x");
        w.optional(TT, "c", None::<&str>);
        w.optional(TT, "c", Some(Duration::from_secs(5)));
        w.each(TT, "d", [1.5, 2.0]);
        w.empty(TT, "e");
        w.tag(TT, "f").attribute("x", 1);
        w.element(TT, "g", |_| ());
        w.text(TT, "h", "");
        w.characters("t");
    });
    assert_eq!(
        text,
        "<tt:a><tt:n>-5</tt:n></tt:a><trt:b on=\"true\" xml:lang=\"en\">x</trt:b><tt:c>PT5S</tt:c><tt:d>1.5</tt:d><tt:d>2</tt:d>\
         <tt:e/><tt:f x=\"1\"/><tt:g/><tt:h/>t"
    );
}

#[test]
fn only_what_is_used_is_declared() {
    let text = document(TDS, "r", |w| {
        w.text(TT, "a", 1);
        w.text(TT, "b", 2);
        let topic = w.qname(TNS1, "Device/Trigger");
        w.tag(TDS, "c").attribute_qname(XSI, "type", (XSD, "string")).text(topic);
    });
    let declared: Vec<_> = text.split("xmlns:").skip(1).filter_map(|rest| rest.split('=').next()).collect();
    assert_eq!(declared, ["tds", "tt", "tns1", "xsd", "xsi"]);
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<tds:r xmlns:tds="));
    let root = parse(&text);
    let c = root.child(TDS, "c").unwrap();
    assert!(c.xsi_type().unwrap().unwrap().is(XSD, "string"));
    assert_eq!(c.text(), "tns1:Device/Trigger");
}

#[test]
fn what_would_be_read_as_markup_is_escaped() {
    let text = content(|w| w.tag(TT, "a").attribute("v", "<&>\"'\r\n\t").text("<&>\"'\r\n\t]]>\u{0}\u{FFFF}é😀"));
    assert_eq!(
        text,
        "<tt:a v=\"&lt;&amp;&gt;&quot;'&#13;&#10;&#9;\">&lt;&amp;&gt;\"'&#13;\n\t]]&gt;\u{FFFD}\u{FFFD}é😀</tt:a>"
    );
}

#[test]
fn an_envelope_has_a_header_only_if_something_is_in_it() {
    assert!(envelope(|_| (), |w| w.empty(TDS, "x")).ends_with("><env:Body><tds:x/></env:Body></env:Envelope>"));
    assert!(
        envelope(|w| w.empty(TDS, "h"), |_| ())
            .ends_with("><env:Header><tds:h/></env:Header><env:Body/></env:Envelope>")
    );
}

#[test]
fn a_copied_tree_keeps_its_prefixes() {
    // A rule as a client wrote it: the prefix in the text and in xsi:type must still mean the same.
    let source = parse(
        "<o xmlns='d' xmlns:tt='urn:not-onvif' xmlns:x='urn:x' xmlns:i='http://www.w3.org/2001/XMLSchema-instance'>\
         <rule i:type='tt:T' x:a='1'><x:n>x:topic</x:n><plain xmlns=''/><x:n xmlns:x='urn:inner'>x:y</x:n></rule></o>",
    );
    let rule = source.elements().next().unwrap();
    let copied = parse(&document(TT, "r", |w| {
        w.text(TT, "before", 1);
        w.copy(rule);
        w.text(TT, "after", 1);
    }));
    let again = copied.elements().nth(1).unwrap();
    assert_eq!(again, rule);
    assert_eq!(again.xsi_type().unwrap().unwrap().to_string(), "{urn:not-onvif}T");
    let names: Vec<_> = again.elements().map(|n| n.namespace_of("x").unwrap()).collect();
    assert_eq!(names, ["urn:x", "urn:x", "urn:inner"]);
    assert!(copied.child(TT, "after").is_some());
}

#[test]
fn a_tree_made_by_hand_gets_the_prefixes_of_the_table() {
    let made =
        Element::new(TDS, "a").with_attribute("t", "1").with(Element::new(TT, "b").with_text("x")).with_text("y");
    let text = document(TDS, "r", |w| w.copy(&made));
    assert!(text.contains("<tds:a t=\"1\"><tt:b>x</tt:b>y</tds:a>"), "{text}");
    assert_eq!(parse(&text).elements().next(), Some(&made));
}

#[test]
fn a_tree_that_was_read_may_be_put_into_one_made_by_hand() {
    let source = parse("<o xmlns:x='urn:x' xmlns='urn:d'><in x:a='1'>x:t</in></o>");
    let made =
        Element::new(TT, "Parameters").with(source.elements().next().unwrap().clone()).with(Element::new(TT, "p"));
    let copied = parse(&document(TT, "r", |w| w.copy(&made)));
    let parameters = copied.elements().next().unwrap();
    assert_eq!(parameters, &made);
    assert_eq!(parameters.elements().next().unwrap().resolve("x:t").unwrap().to_string(), "{urn:x}t");
}

/// Any tree with foreign namespaces, clashing prefixes, attributes and text.
fn any_tree() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(vec!["a", "p:b", "q:c", "tt:d", "n0:e"]);
    let text = "[a-z<&>\"'\r\n\té😀\\]]{0,8}";
    let declared = proptest::sample::select(vec![
        "",
        " xmlns='u1'",
        " xmlns=''",
        " xmlns:p='u2'",
        " xmlns:tt='u3'",
        " xmlns:n0='u1' xmlns:q='u1'",
        " xmlns:p='http://www.onvif.org/ver10/schema'",
    ]);
    let attribute = proptest::sample::select(vec!["", "x", "p:x", "q:x", "n0:y"]);
    let element = move |inner: String| {
        (name.clone(), declared.clone(), attribute.clone(), text, text).prop_map(
            move |(name, declared, attribute, value, text)| {
                let mut out = format!("<{name}{declared}");
                if !attribute.is_empty() {
                    let (prefix, local) = attribute.split_once(':').unwrap_or(("", attribute));
                    push_attribute(&mut out, prefix, local, &value);
                }
                out.push('>');
                push_text(&mut out, &text);
                out + &inner + "</" + name + ">"
            },
        )
    };
    let leaf = element.clone()(String::new());
    leaf.prop_recursive(6, 30, 4, move |inner| {
        let element = element.clone();
        proptest::collection::vec(inner, 0..4).prop_flat_map(move |inner| element(inner.concat()))
    })
    .prop_map(|inner| {
        format!(
            "<root xmlns:p='v1' xmlns:q='v2' xmlns:tt='http://www.onvif.org/ver10/schema' xmlns:n0='v3'>{inner}</root>"
        )
    })
}

fn scopes(element: &Element) -> Vec<Option<String>> {
    let own = ["", "p", "q", "tt", "n0"].map(|prefix| element.namespace_of(prefix).map(str::to_owned));
    own.into_iter().chain(element.elements().flat_map(scopes)).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(text in any_tree()) {
        let tree = parse(&text);
        let written = document(TT, "r", |w| w.copy(&tree));
        let again = parse(&written);
        let copy = again.elements().next().unwrap();
        prop_assert_eq!(copy, &tree, "{}", written);
        // What prefixes mean within the copy has not changed either; the table's own is known outside of it as well.
        prop_assert_eq!(scopes(copy), scopes(&tree), "{}", written);
    }

    #[test]
    fn a_part_of_a_tree_is_written_and_read_as_the_same(text in any_tree()) {
        let tree = parse(&text);
        for part in tree.elements().flat_map(Element::elements) {
            let written = document(TDS, "r", |w| w.copy(part));
            let again = parse(&written);
            prop_assert_eq!(again.elements().next().unwrap(), part, "{}", written);
        }
    }

    #[test]
    fn any_text_survives(text in "(?s).{0,60}", value in "[\t-\r \"'<>&a]{0,20}") {
        let written = document(TT, "r", |w| w.tag(TT, "a").attribute("v", &value).text(&text));
        let root = parse(&written);
        let Node::Element(a) = &root.nodes()[0] else { unreachable!() };
        let legal = |text: &str| text.replace(|c| !is_xml_char(c), "\u{FFFD}");
        prop_assert_eq!(a.text(), legal(&text));
        prop_assert_eq!(a.attribute("v"), Some(&*legal(&value)));
    }
}
