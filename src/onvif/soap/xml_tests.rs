use proptest::prelude::*;

use super::{super::names::*, *};

fn tree(text: &str) -> Element {
    read(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn problem(text: &str) -> XmlProblem {
    read(text.as_bytes(), &Limits::default()).expect_err(text).problem
}

#[test]
fn no_character_of_a_text_is_dropped() {
    // quick-xml reports references as events of their own; a reader that ignores them breaks passwords.
    for (text, want) in [
        ("<a>p&amp;s</a>", "p&s"),
        ("<a>&lt;&gt;&quot;&apos;</a>", "<>\"'"),
        ("<a>x&#65;&#x42;&#x1F600;y</a>", "xAB😀y"),
        ("<a>&amp;lt;</a>", "&lt;"),
        ("<a>1<![CDATA[<2>&amp;]]>3</a>", "1<2>&amp;3"),
        ("<a>1<!-- not this -->2</a>", "12"),
        ("<a>one\r\ntwo\rthree&#13;</a>", "one\ntwo\nthree\r"),
        ("<a> &#9; </a>", " \t "),
        ("<a><![CDATA[a\r\nb]]></a>", "a\nb"),
        ("<a/>", ""),
        ("<a>]]&gt;</a>", "]]>"),
    ] {
        assert_eq!(tree(text).text(), want, "{text}");
    }
}

#[test]
fn attribute_values_are_unescaped_and_normalised() {
    for (text, want) in [
        (r#"<a b="p&amp;s"/>"#, "p&s"),
        (r#"<a b='"&apos;&#65;'/>"#, "\"'A"),
        ("<a b=\"1\t2\n3\r\n4\"/>", "1 2 3 4"),
        (r#"<a b="&#9;&#10;&#13;"/>"#, "\t\n\r"),
        (r#"<a b="&amp;lt;"/>"#, "&lt;"),
        (r#"<a b = "" />"#, ""),
        (r#"<a b=">"/>"#, ">"),
    ] {
        assert_eq!(tree(text).attribute("b"), Some(want), "{text}");
    }
}

#[test]
fn names_are_resolved_whatever_the_prefix() {
    // X9
    let tds = TDS.uri();
    for text in [
        format!("<GetServices xmlns='{tds}'/>"),
        format!("<x:GetServices xmlns:x='{tds}'/>"),
        format!("<tt:GetServices xmlns:tt='{tds}'/>"),
        format!("<Größe:GetServices xmlns:Größe='{tds}'/>"),
        format!("<a:GetServices xmlns:b='x' xmlns:a='{tds}' xmlns='y'/>"),
    ] {
        assert!(tree(&text).is(TDS, "GetServices"), "{text}");
    }
    let nested = tree(&format!(
        "<p:a xmlns:p='{tds}' xmlns='{}'><p:b xmlns:p='{}'><p:c/><d/><e xmlns=''/></p:b><p:b/></p:a>",
        TT.uri(),
        TRT.uri()
    ));
    let inner = nested.child(TRT, "b").unwrap();
    assert!(inner.child(TRT, "c").is_some() && inner.child(TT, "d").is_some());
    assert_eq!(inner.elements().last().unwrap().name().namespace(), "");
    assert!(nested.child(TDS, "b").is_some(), "the inner declaration ends with its element");
}

#[test]
fn attributes_without_a_prefix_are_in_no_namespace() {
    let element = tree("<a xmlns='u' xmlns:p='u' b='1' p:b='2' xml:lang='en'/>");
    assert_eq!(element.attribute("b"), Some("1"));
    assert_eq!(element.attribute_in(XML, "lang"), Some("en"));
    assert_eq!(element.attributes().len(), 3);
}

#[test]
fn names_in_the_content_can_be_resolved() {
    let element = tree(&format!(
        "<a xmlns='d' xmlns:p='outer' xmlns:xsi='{}'><b xmlns:p='{}' xsi:type='p:Rule' xsi:nil='1'/><c xmlns=''/></a>",
        XSI.uri(),
        TT.uri()
    ));
    let inner = element.elements().next().unwrap();
    assert!(inner.xsi_type().unwrap().unwrap().is(TT, "Rule") && inner.is_nil());
    assert_eq!(
        (inner.namespace_of("p"), inner.namespace_of(""), inner.namespace_of("q")),
        (Some(TT.uri()), Some("d"), None)
    );
    assert_eq!((element.namespace_of("p"), element.namespace_of("xml")), (Some("outer"), Some(XML.uri())));
    assert_eq!(inner.resolve(" q ").unwrap().to_string(), "{d}q");
    assert_eq!(element.elements().last().unwrap().resolve("q").unwrap().to_string(), "q");
    assert_eq!(inner.resolve("q:x").unwrap_err().to_string(), "a/b: an undeclared prefix in a name");
    assert!(inner.resolve("p:").is_err() && inner.resolve("").is_err());
}

#[test]
fn a_document_may_begin_with_a_byte_order_mark_and_a_declaration() {
    for text in [
        "\u{FEFF}<a/>",
        "<?xml version=\"1.0\"?><a/>",
        "\u{FEFF}<?xml version='1.0' encoding='utf-8' standalone='yes'?>\r\n<!-- c --><a/>\n<!-- c -->\n",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a/>",
        "\n<a/>",
    ] {
        tree(text);
    }
}

#[test]
fn what_soap_forbids_is_refused() {
    use XmlProblem as P;
    for (text, want) in [
        ("<!DOCTYPE a><a/>", P::DocumentType),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", P::DocumentType),
        ("<?pi?><a/>", P::ProcessingInstruction),
        ("<a><?php echo?></a>", P::ProcessingInstruction),
        ("<a/><?pi?>", P::ProcessingInstruction),
        ("<?xml version=\"1.1\"?><a/>", P::Declaration),
        ("<?xml encoding=\"UTF-8\"?><a/>", P::Declaration),
        (" <?xml version=\"1.0\"?><a/>", P::Declaration),
        ("<a><?xml version=\"1.0\"?></a>", P::Declaration),
        ("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>", P::Encoding),
        ("<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>", P::Encoding),
    ] {
        assert_eq!(problem(text), want, "{text}");
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    use XmlProblem as P;
    for (text, want) in [
        ("<a>&nbsp;</a>", P::Reference),
        ("<a>&#x;</a>", P::Reference),
        ("<a>&#+65;</a>", P::Reference),
        ("<a>&#xFFFFFFFFF;</a>", P::Reference),
        ("<a>&#1;</a>", P::Character),
        ("<a b='&#1;'/>", P::Character),
        ("<a b='&nbsp;'/>", P::Reference),
        ("<a b='&'/>", P::Reference),
        ("<a>\u{1}</a>", P::Character),
        ("<a>\u{FFFF}</a>", P::Character),
        ("\u{FEFF}\u{FEFF}<a/>", P::Character),
        ("", P::Incomplete),
        ("<!-- -->", P::Incomplete),
        ("<a>", P::Incomplete),
        ("<a><b></b>", P::Incomplete),
        ("<a/><b/>", P::BesideRoot),
        ("<a/>x", P::BesideRoot),
        ("x<a/>", P::BesideRoot),
        ("&amp;<a/>", P::BesideRoot),
        ("<![CDATA[ ]]><a/>", P::BesideRoot),
        ("<p:a/>", P::UndeclaredPrefix),
        ("<a p:b='1'/>", P::UndeclaredPrefix),
        ("<a><b xmlns:p='u'/><p:c/></a>", P::UndeclaredPrefix),
        ("<a:b:c xmlns:a='u'/>", P::Name),
        ("<1/>", P::Name),
        ("<a/ >", P::Name),
        ("<:a/>", P::Name),
        ("<a xmlns:='u'/>", P::Name),
        ("<a xmlns:p=''/>", P::Binding),
        ("<a xmlns:xml='u'/>", P::Binding),
        ("<a xmlns:xmlns='u'/>", P::Binding),
        ("<a xmlns='http://www.w3.org/XML/1998/namespace'/>", P::Binding),
        ("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", P::Binding),
        ("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", P::RepeatedAttribute),
    ] {
        assert_eq!(problem(text), want, "{text}");
    }
    for text in [
        "< a/>",
        "<a></b>",
        "<a><b></a></b>",
        "</a>",
        "<a b='1' b='2'/>",
        "<a b='1'c='2'/>",
        "<a b=1/>",
        "<a b/>",
        "<a b='<'/>",
        "<a>x & y</a>",
        "<a>]]></a>",
        "<a><!-- -- --></a>",
        "<a",
        "<a b='",
        "<![CDATA[",
        "<a></a b='c'>",
    ] {
        assert!(matches!(problem(text), P::Malformed(_)), "{text}: {}", problem(text));
    }
}

#[test]
fn errors_say_where() {
    let error = read("\u{FEFF}<a>\n<p:b/></a>".as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "byte 7: an undeclared prefix");
    let error = read(b"<a>\xFF</a>", &Limits::default()).unwrap_err();
    assert_eq!((error.at, error.problem), (3, XmlProblem::Encoding));
}

#[test]
fn other_encodings_are_refused() {
    let utf16: Vec<u8> = "<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [&b"\xFF\xFE<\0a\0/\0>\0"[..], &b"<a>\xE4</a>"[..], &utf16[..]] {
        assert!(read(bytes, &Limits::default()).is_err());
    }
}

#[test]
fn limits_hold() {
    let limits = Limits { bytes: 4000, depth: 5, elements: 20, attributes: 4, bindings: 6, text: 100 };
    let nested = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    let siblings = |n: usize| format!("<r>{}</r>", "<a/>".repeat(n));
    let attributes = |n: usize| format!("<r {}/>", (0..n).map(|i| format!(" a{i}=''")).collect::<String>());
    let declared = |n: usize| {
        format!(
            "<r xmlns:a='u' xmlns:b='u' xmlns:c='u'><s {}/></r>",
            (0..n).map(|i| format!(" xmlns:d{i}='u'")).collect::<String>()
        )
    };
    let text = |n: usize| format!("<r>{}</r>", "&lt;".repeat(n));
    let value = |n: usize| format!("<r a='{}'/>", "x".repeat(n));
    let padded = |n: usize| format!("<r/>{}", " ".repeat(n - 4));
    type Make<'m> = &'m dyn Fn(usize) -> String;
    let cases: [(&str, Make<'_>, usize); 7] = [
        ("elements within each other", &nested, 5),
        ("elements", &siblings, 19),
        ("attributes", &attributes, 4),
        ("namespace declarations in scope", &declared, 3),
        ("bytes of text", &text, 100),
        ("bytes of text", &value, 100),
        ("bytes", &padded, 4000),
    ];
    for (what, make, most) in cases {
        assert!(read(make(most).as_bytes(), &limits).is_ok(), "{what}: {most}");
        let error = read(make(most + 1).as_bytes(), &limits).unwrap_err().problem;
        assert!(matches!(error, XmlProblem::TooMuch { what: found, .. } if found == what), "{what}: {error}");
    }
}

#[test]
fn bombs_are_refused_within_the_default_limits() {
    let lol = "<!DOCTYPE l [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]><l>&b;</l>";
    assert_eq!(problem(lol), XmlProblem::DocumentType);
    for text in ["<a>".repeat(80_000), "<a xmlns:p='u'>".repeat(15_000), format!("<a b='{}'/>", "x".repeat(200_000))] {
        assert!(matches!(problem(&text), XmlProblem::TooMuch { .. }));
    }
}

#[test]
fn values_are_read_with_their_path() {
    let tt = TT.uri();
    let request = tree(&format!(
        "<e:Envelope xmlns:e='{}'><e:Body><Set xmlns='{tt}' token='t' n='x'>\
         <Width> 640 </Width><On>1</On><Bad>six</Bad><Nil i:nil='true' xmlns:i='{}'/><W>1</W><W>2</W></Set></e:Body></e:Envelope>",
        ENV.uri(),
        XSI.uri()
    ));
    let set = request.child(ENV, "Body").unwrap().child(TT, "Set").unwrap();
    assert_eq!(set.get::<u32>(TT, "Width"), Ok(640));
    assert_eq!(set.get_optional::<bool>(TT, "On"), Ok(Some(true)));
    assert_eq!(set.get_optional::<u8>(TT, "Nil"), Ok(None));
    assert_eq!(set.get_all::<u8>(TT, "W"), Ok(vec![1, 2]));
    assert_eq!(set.required_attribute::<String>("token"), Ok("t".to_owned()));
    for (error, want) in [
        (set.get::<u8>(TT, "Bad").unwrap_err(), "Set/Bad: not of the type xs:unsignedByte"),
        (set.get::<u8>(TDS, "Width").unwrap_err(), "Set/Width: the element is missing"),
        (set.value::<String>().unwrap_err(), "Set: elements where text is expected"),
        (set.attribute_value::<u8>("n").unwrap_err(), "Set: the attribute n is not of the type xs:unsignedByte"),
        (set.required_attribute::<u8>("m").unwrap_err(), "Set: the attribute m is missing"),
    ] {
        assert_eq!(error.to_string(), want);
    }
    assert_eq!(tree("<a>1<b/>2<!-- -->3</a>").text(), "123");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, &Limits::default());
    }

    #[test]
    fn tag_soup_makes_it_no_trouble(text in r#"([<>/a:!\[\]\-?"'= &#;x]|xmlns|CDATA){0,60}"#) {
        if let Ok(element) = read(text.as_bytes(), &Limits::default()) {
            prop_assert!(!element.path().is_empty());
        }
    }

    #[test]
    fn a_part_of_a_document_is_none(cut in 0usize..108) {
        let text = "<?xml version='1.0'?><p:a xmlns:p='u' b='&lt;'>t&amp;<!-- c --><![CDATA[d]]><c xmlns='v'/>é</p:a>";
        if let Some(part) = text.get(..cut).filter(|part| part.len() < text.len()) {
            prop_assert!(read(part.as_bytes(), &Limits::default()).is_err(), "{}", part);
        }
    }
}
