use proptest::prelude::*;

use super::{
    super::{addressing::*, fault::Code, names::*},
    *,
};

fn read(text: &str) -> Result<Request, Box<Refused>> {
    Request::read(text.as_bytes(), &Limits::default())
}

fn envelope(header: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='{}' xmlns:a='{}' xmlns:w='{}' xmlns:t='{}'><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>",
        ENV.uri(),
        WSA5.uri(),
        WSSE.uri(),
        TDS.uri()
    )
}

fn refused(text: &str) -> Refused {
    *read(text).expect_err(text)
}

fn parsed(text: &str) -> Element {
    xml::read(text.as_bytes(), &Limits::default()).unwrap()
}

#[test]
fn the_example_of_core_is_a_request() {
    // Core, section 5.9.3.2: the default namespace is used in the body.
    let request = read(
        r#"<?xml version="1.0" encoding="utf-8"?>
        <s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">
        <s:Body xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
        <GetDeviceInformation xmlns="http://www.onvif.org/ver10/device/wsdl"/>
        </s:Body></s:Envelope>"#,
    )
    .unwrap();
    assert!(request.body.is(TDS, "GetDeviceInformation"));
    assert!(!request.addressing.is_used());
    assert_eq!(request.username_token(), Ok(None));
}

#[test]
fn other_versions_are_named_as_such() {
    for root in [
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body/></s:Envelope>",
        "<Envelope/>",
        "<html/>",
    ] {
        let Refused { fault, .. } = refused(root);
        assert_eq!((fault.code(), fault.http_status()), (Code::VersionMismatch, 500), "{root}");
    }
}

#[test]
fn an_envelope_that_is_put_together_wrongly_is_refused() {
    let env = ENV.uri();
    let around = |inside: &str| format!("<s:Envelope xmlns:s='{env}'>{inside}</s:Envelope>");
    for (text, want) in [
        (around(""), "Tag"),
        (around("<s:Header/>"), "Tag"),
        (around("<s:Body/>"), "Tag"),
        (around("<s:Body> \n </s:Body>"), "Tag"),
        (around("<s:Body>text<a/></s:Body>"), "TagMismatch"),
        (around("<s:Body><a/><b/></s:Body>"), "TagMismatch"),
        (around("<s:Body><a/></s:Body><s:Body><a/></s:Body>"), "TagMismatch"),
        (around("<s:Body><a/></s:Body><s:Header/>"), "TagMismatch"),
        (around("<s:Header/><s:Header/><s:Body><a/></s:Body>"), "TagMismatch"),
        (around("<Body><a/></Body>"), "TagMismatch"),
        (around("x<s:Body><a/></s:Body>"), "TagMismatch"),
        (around("<s:Body><a></s:Body>"), "WellFormed"),
        (around("<s:Body><t:a/></s:Body>"), "Namespace"),
        ("not XML at all".to_owned(), "WellFormed"),
        (String::new(), "WellFormed"),
    ] {
        let Refused { fault, .. } = refused(&text);
        assert_eq!((fault.code(), fault.subcodes()), (Code::Sender, &[(TER, want)][..]), "{text}: {fault}");
    }
}

#[test]
fn security_and_addressing_may_be_marked_as_mandatory() {
    // ONVIF Device Manager and UniFi Protect mark Security.
    for mark in ["s:mustUnderstand='1'", "s:mustUnderstand='true'", ""] {
        let header = format!(
            "<w:Security {mark}><w:UsernameToken><w:Username>u</w:Username><w:Password>p</w:Password></w:UsernameToken></w:Security>\
             <a:Action {mark}>x</a:Action><a:To {mark}>y</a:To>"
        );
        let request = read(&envelope(&header, "<t:GetUsers/>")).unwrap();
        assert!(request.username_token().unwrap().unwrap().matches("p"));
    }
}

#[test]
fn unknown_blocks_stop_us_only_if_they_are_mandatory_and_ours() {
    for header in [
        "<x xmlns='u'/>",
        "<x xmlns='u' s:mustUnderstand='0'/>",
        "<x xmlns='u' s:mustUnderstand='1' s:role='http://www.w3.org/2003/05/soap-envelope/role/none'/>",
        "<x xmlns='u' s:mustUnderstand='1' s:role='urn:somebody-else'/>",
    ] {
        read(&envelope(header, "<t:a/>")).unwrap();
    }
    for header in [
        "<x xmlns='u' s:mustUnderstand='1'/>",
        "<x xmlns='u' s:mustUnderstand=' true ' s:role='http://www.w3.org/2003/05/soap-envelope/role/next'/>",
        "<x xmlns='u' s:mustUnderstand='true' s:role='http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver'/>",
    ] {
        let Refused { fault, addressing } =
            refused(&envelope(&format!("<a:MessageID>7</a:MessageID>{header}"), "<t:a/>"));
        assert_eq!((fault.code(), fault.http_status()), (Code::MustUnderstand, 500), "{header}");
        assert_eq!(addressing.message_id.as_deref(), Some("7"));
        let answer = parsed(&super::fault(&addressing, true, &fault));
        let block = answer.child(ENV, "Header").unwrap().child(ENV, "NotUnderstood").unwrap();
        assert_eq!(block.resolve(block.attribute("qname").unwrap()).unwrap().to_string(), "{u}x");
    }
}

#[test]
fn the_answer_relates_to_the_request() {
    let request = read(&envelope(
        "<a:Action>\n urn:do \n</a:Action><a:MessageID>urn:uuid:1</a:MessageID><a:To>http://c/onvif</a:To>\
         <a:ReplyTo><a:Address>http://client/</a:Address><a:ReferenceParameters><k xmlns='u'>v</k></a:ReferenceParameters></a:ReplyTo>",
        "<t:GetUsers/>",
    ))
    .unwrap();
    assert_eq!(request.addressing.action.as_deref(), Some("urn:do"));
    assert_eq!(request.addressing.to.as_deref(), Some("http://c/onvif"));
    let text = response(&request.addressing, Some("urn:done"), |w| w.empty(TDS, "GetUsersResponse"));
    let header = parsed(&text);
    let header = header.child(ENV, "Header").unwrap();
    for (name, want) in [("Action", "urn:done"), ("RelatesTo", "urn:uuid:1"), ("To", "http://client/")] {
        assert_eq!(header.get::<String>(WSA5, name).as_deref(), Ok(want));
    }
    let parameter = header.elements().last().unwrap();
    assert_eq!((parameter.name().to_string(), parameter.text()), ("{u}k".to_owned(), "v".into()));
    assert_eq!(parameter.attribute_in(WSA5, "IsReferenceParameter"), Some("true"));

    let failed = parsed(&fault(&request.addressing, true, &Generic::Action.into()));
    let header = failed.child(ENV, "Header").unwrap();
    assert_eq!(header.get::<String>(WSA5, "Action").as_deref(), Ok(FAULT_ACTION));
    assert_eq!(header.get::<String>(WSA5, "RelatesTo").as_deref(), Ok("urn:uuid:1"));
}

#[test]
fn an_answer_to_nobody_in_particular_has_no_address() {
    let request = read(&envelope(
        &format!("<a:MessageID>1</a:MessageID><a:ReplyTo><a:Address>{ANONYMOUS}</a:Address></a:ReplyTo>"),
        "<t:a/>",
    ));
    let text = response(&request.unwrap().addressing, Some("urn:done"), |w| w.empty(TDS, "x"));
    assert!(!text.contains("wsa5:To"), "{text}");
    let text = response(&Addressing::default(), None, |w| w.empty(TDS, "x"));
    assert!(!text.contains("Header") && !text.contains("wsa5"), "{text}");
}

#[test]
fn addressing_blocks_that_come_twice_are_refused() {
    for name in ["Action", "MessageID", "To", "FaultTo"] {
        let fault = refused(&envelope(&format!("<a:{name}>1</a:{name}><a:{name}>2</a:{name}>"), "<t:a/>")).fault;
        let want = [(WSA5, "InvalidAddressingHeader"), (WSA5, "InvalidCardinality")];
        assert_eq!((fault.code(), fault.subcodes()), (Code::Sender, &want[..]), "{name}");
    }
    let fault = refused(&envelope("<a:ReplyTo/>", "<t:a/>")).fault;
    assert_eq!(fault.subcodes(), [(TER, "InvalidArgs")]);
}

#[test]
fn a_small_request_cannot_ask_for_a_large_answer() {
    // Each reference parameter goes back with the declarations around it.
    let declared: String = (0..200).map(|n| format!(" xmlns:p{n}='urn:{n}'")).collect();
    let header = |count: usize| {
        let parameters = "<k/>".repeat(count);
        format!(
            "<a:ReplyTo{declared}><a:Address>x</a:Address><a:ReferenceParameters>{parameters}</a:ReferenceParameters></a:ReplyTo>"
        )
    };
    let (text, fault) = (envelope(&header(8), "<t:a/>"), refused(&envelope(&header(9), "<t:a/>")).fault);
    let answer = response(&read(&text).unwrap().addressing, Some("urn:done"), |w| w.empty(TDS, "x"));
    assert!(answer.len() < 10 * text.len(), "{} for {}", answer.len(), text.len());
    assert_eq!(fault.subcodes(), [(WSA5, "InvalidAddressingHeader")]);
}

#[test]
fn endpoint_references_are_written_as_they_are_read() {
    let source = parsed(&format!(
        "<r xmlns:a='{}'><a:Address> http://c/1 </a:Address><a:ReferenceParameters><k xmlns='u'/></a:ReferenceParameters></r>",
        WSA5.uri()
    ));
    let reference = EndpointReference::read(&source).unwrap();
    let text = writer::document(TEV, "x", |w| reference.write(w, TEV, "SubscriptionReference"));
    let again = parsed(&text);
    assert_eq!(EndpointReference::read(again.elements().next().unwrap()), Ok(reference));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        header in "(<[awstx]:[A-Za-z]{1,3} ?>|</[awst]:[A-Za-z]{1,3}>|x){0,8}",
        body in "(<t:a/>|<t:a>|</t:a>|[ x<>&]){0,8}",
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let _ = Request::read(&bytes, &Limits::default());
        if let Err(refused) = read(&envelope(&header, &body)) {
            parsed(&fault(&refused.addressing, true, &refused.fault));
        }
    }

    #[test]
    fn every_part_of_a_request_is_refused(cut in 0usize..600) {
        let text = envelope("<a:Action>x</a:Action><w:Security s:mustUnderstand='1'/>", "<t:GetUsers/>");
        if let Some(part) = text.get(..cut).filter(|part| part.len() < text.len()) {
            prop_assert!(read(part).is_err());
        }
    }
}
