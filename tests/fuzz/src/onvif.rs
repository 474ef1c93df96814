//! What a client asks the web services, past the envelope: who it says it is, and what it wants.

use std::sync::LazyLock;

use belvedere::auth::Level;
use belvedere::onvif::soap::envelope;
use belvedere::onvif::soap::names::{self, ENV};
use belvedere::onvif::soap::token::password_digest;
use belvedere::onvif::soap::tree::Element;
use belvedere::onvif::soap::xml::{self, Limits};

use crate::scene::{PASSWORD, Scene, USERS};
use crate::web::base64;

/// Every operation of every service that we list, or will list.
const TABLE: &str = include_str!("../../../wsdl/operations.toml");
/// Where the services answer.
const PATHS: [&str; 5] = ["device_service", "media_service", "media2_service", "imaging_service", "deviceio_service"];

/// An operation as the table has it.
struct Operation {
    path: &'static str,
    /// With its prefix, which is the one that we write.
    element: &'static str,
    class: &'static str,
}

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let mut all = Vec::new();
    let mut path = PATHS[0];
    for line in TABLE.lines() {
        if let Some(service) = line.strip_suffix(" = [") {
            // What has no address yet is asked where everything else may be asked.
            path = PATHS.into_iter().find(|path| path.strip_suffix("_service") == Some(service)).unwrap_or(PATHS[0]);
        }
        let field = |name: &str| line.split_once(&format!("{name} = \"")).and_then(|(_, rest)| rest.split('"').next());
        if let (Some(element), Some(class)) = (field("element"), field("class")) {
            all.push(Operation { path, element, class });
        }
    }
    assert!(all.len() > 300, "the table was not read");
    all
});

/// Who asks.
type Who = Option<(&'static str, Level)>;

fn who(byte: u8) -> Who {
    match byte % 8 {
        0 => None,
        1 => Some(USERS[2]),
        2 => Some(USERS[1]),
        // Who gets furthest.
        _ => Some(USERS[0]),
    }
}

/// The default access policy, from Core, section 5.9.4.3.
fn may(who: Who, class: &str) -> bool {
    match class {
        "PRE_AUTH" => true,
        "READ_SYSTEM" | "READ_MEDIA" => who.is_some(),
        "READ_SYSTEM_SENSITIVE" | "ACTUATE" => who.is_some_and(|(_, level)| level >= Level::Operator),
        _ => who.is_some_and(|(_, level)| level == Level::Administrator),
    }
}

const CREATED: &str = "2026-01-01T00:00:00Z";

/// The Security header of a user, with a token that is right; each number makes another one.
fn security(name: &str, number: usize) -> String {
    let nonce = format!("{number:016}");
    let digest = password_digest(nonce.as_bytes(), CREATED, &format!("{name}{PASSWORD}"));
    let base64 = |bytes: &[u8]| String::from_utf8(base64(bytes)).expect("ASCII");
    format!(
        "<wsse:Security><wsse:UsernameToken><wsse:Username>{name}</wsse:Username><wsse:Password \
         Type='#PasswordDigest'>{}</wsse:Password><wsse:Nonce>{}</wsse:Nonce>\
         <wsu:Created>{CREATED}</wsu:Created></wsse:UsernameToken></wsse:Security>",
        base64(&digest),
        base64(nonce.as_bytes()),
    )
}

fn message(header: &[u8], body: &[u8]) -> Vec<u8> {
    static START: LazyLock<String> = LazyLock::new(|| {
        let namespaces = names::ALL.iter().filter(|ns| ns.prefix() != "xml");
        let declared: String = namespaces.map(|ns| format!(" xmlns:{}='{}'", ns.prefix(), ns.uri())).collect();
        format!("<env:Envelope{declared}><env:Header>")
    });
    [START.as_bytes(), header, b"</env:Header><env:Body>", body, b"</env:Body></env:Envelope>"].concat()
}

/// Asks, and demands an envelope with a fault or with the response of what was asked. Gives whether it was done.
fn ask(scene: &Scene, path: &str, envelope: &[u8]) -> bool {
    let (status, answer) = scene.post(path, envelope);
    let root = xml::read(answer.as_bytes(), &Limits { bytes: 1 << 20, ..Limits::default() });
    let root = root.unwrap_or_else(|error| panic!("{error}: {answer}"));
    assert!(root.is(ENV, "Envelope"), "{answer}");
    let bodies: Vec<&Element> = root.children(ENV, "Body").flat_map(Element::elements).collect();
    let [body] = bodies[..] else { panic!("{} elements in the body: {answer}", bodies.len()) };
    if status == 200 {
        let request = envelope::Request::read(envelope, &Limits::default()).expect("what was answered is a request");
        let asked = request.body.name().local();
        assert_eq!(body.name().local().strip_suffix("Response"), Some(asked), "{answer}");
    } else {
        assert!([400, 401, 500].contains(&status) && body.is(ENV, "Fault"), "{status}: {answer}");
        assert!(body.child(ENV, "Code").is_some() && body.child(ENV, "Reason").is_some(), "{answer}");
    }
    status == 200
}

/// Whether the access policy lets somebody do what an envelope asks for; nobody what is not in the table. One element may be
/// an operation of two services.
fn may_ask(who: Who, envelope: &[u8]) -> bool {
    let Ok(request) = envelope::Request::read(envelope, &Limits::default()) else { return false };
    let name = request.body.name();
    let is = |element: &str| {
        element.split_once(':').is_some_and(|(prefix, local)| {
            name.local() == local && names::ALL.iter().any(|ns| ns.prefix() == prefix && name.is_in(*ns))
        })
    };
    OPERATIONS.iter().any(|operation| is(operation.element) && may(who, operation.class))
}

/// Any body is answered with an envelope, and nobody is given what the access policy does not give. The first bytes say who
/// asks and where; the rest is what stands in the body.
pub fn fuzz_onvif_body(data: &[u8]) {
    let Some((&[user, path], body)) = data.split_first_chunk::<2>() else { return };
    let who = who(user);
    let header = who.map_or_else(String::new, |(name, _)| security(name, 0));
    let envelope = message(header.as_bytes(), body);
    let done = ask(&Scene::new(), PATHS[usize::from(path) % PATHS.len()], &envelope);
    assert!(!done || may_ask(who, &envelope), "{who:?} did {}", String::from_utf8_lossy(body));
}

/// Any arguments of any operation are answered with an envelope. The first bytes say who asks and for what; from the rest
/// `arguments` makes elements.
pub fn fuzz_onvif_operation(data: &[u8]) {
    let Some((&[user, high, low], rest)) = data.split_first_chunk::<3>() else { return };
    let number = usize::from(u16::from_be_bytes([high, low])) % OPERATIONS.len();
    operate(&Scene::new(), who(user), number, rest);
}

/// The same for all operations, one after another, of the same camera. The first byte says who asks.
pub fn fuzz_onvif_all(data: &[u8]) {
    let Some((&user, rest)) = data.split_first() else { return };
    let scene = Scene::new();
    (0..OPERATIONS.len()).for_each(|number| operate(&scene, who(user), number, rest));
}

/// Asks for an operation by its number.
fn operate(scene: &Scene, who: Who, number: usize, bytes: &[u8]) {
    let Operation { path, element, class } = &OPERATIONS[number];
    // A token is good once.
    let header = who.map_or_else(String::new, |(name, _)| security(name, number));
    let prefix = element.split(':').next().unwrap_or_default();
    let body = format!("<{element}>{}</{element}>", arguments(bytes, prefix));
    let done = ask(scene, path, &message(header.as_bytes(), body.as_bytes()));
    assert!(!done || may(who, class), "{who:?} did {body}");
}

/// Names of elements that the services look for, and some that they do not.
const NAMES: [&str; 112] = [
    "ProfileToken",
    "ConfigurationToken",
    "Configuration",
    "Name",
    "Token",
    "Type",
    "Value",
    "UseCount",
    "Encoding",
    "Resolution",
    "Width",
    "Height",
    "Quality",
    "RateControl",
    "FrameRateLimit",
    "EncodingInterval",
    "BitrateLimit",
    "H264",
    "GovLength",
    "H264Profile",
    "Multicast",
    "Address",
    "IPv4Address",
    "IPv6Address",
    "Port",
    "TTL",
    "AutoStart",
    "SessionTimeout",
    "Bitrate",
    "SampleRate",
    "SourceToken",
    "Bounds",
    "StreamSetup",
    "Stream",
    "Transport",
    "Protocol",
    "Tunnel",
    "Category",
    "IncludeCapability",
    "User",
    "Username",
    "Password",
    "UserLevel",
    "Extension",
    "DateTimeType",
    "DaylightSavings",
    "TimeZone",
    "TZ",
    "UTCDateTime",
    "Time",
    "Hour",
    "Minute",
    "Second",
    "Date",
    "Year",
    "Month",
    "Day",
    "FactoryDefault",
    "InterfaceToken",
    "NetworkInterface",
    "Enabled",
    "Link",
    "AutoNegotiation",
    "Speed",
    "Duplex",
    "MTU",
    "IPv4",
    "Manual",
    "PrefixLength",
    "DHCP",
    "IPv6",
    "AcceptRouterAdvert",
    "FromDHCP",
    "SearchDomain",
    "DNSManual",
    "NTPManual",
    "DNSname",
    "NetworkProtocols",
    "Scopes",
    "ScopeItem",
    "DiscoveryMode",
    "ForcePersistence",
    "VideoSourceToken",
    "AudioOutputToken",
    "VideoSourceConfigurationToken",
    "ImagingSettings",
    "Brightness",
    "ColorSaturation",
    "Contrast",
    "Sharpness",
    "IrCutFilter",
    "Exposure",
    "Mode",
    "MinExposureTime",
    "Gain",
    "WhiteBalance",
    "CrGain",
    "BacklightCompensation",
    "Level",
    "Focus",
    "AutoFocusMode",
    "RelayOutputToken",
    "Properties",
    "DelayTime",
    "IdleState",
    "LogicalState",
    "OSD",
    "OSDToken",
    "Mask",
    "Reference",
    "LogType",
    "unheard-of",
];
/// Texts that mean something in one place or another.
const VALUES: [&str; 64] = [
    "",
    " ",
    "true",
    "false",
    "1",
    "0",
    "-1",
    "2147483647",
    "99999999999999999999",
    "0.5",
    "NaN",
    "INF",
    "1e400",
    "ultra-hd",
    "hi-def",
    "standard",
    "jpeg",
    "aac",
    "pcmu",
    "video-source",
    "audio-source",
    "All",
    "VideoSource",
    "VideoEncoder",
    "AudioSource",
    "AudioEncoder",
    "Metadata",
    "H264",
    "H265",
    "JPEG",
    "G711",
    "AAC",
    "Main",
    "Baseline",
    "1920",
    "1280",
    "720",
    "640",
    "360",
    "15",
    "30",
    "2000",
    "75",
    "PT60S",
    "PT0S",
    "-P1Y",
    "RTP-Unicast",
    "RTP-Multicast",
    "UDP",
    "RTSP",
    "HTTP",
    "RtspUnicast",
    "IPv4",
    "192.0.2.7",
    "239.1.2.3",
    "::1",
    "admin",
    "Administrator",
    "Operator",
    "NTP",
    "Manual",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "Soft",
    "onvif://www.onvif.org/name/a%20b",
];
const ATTRIBUTES: [&str; 8] = ["token", "fixed", "GovLength", "Profile", "x", "width", "Mode", "xsi:nil"];
/// Deeper than any message, and well within what is read.
const DEEPEST: usize = 40;

/// Makes elements of bytes: each takes some for its kind, its name and its text. Whatever the bytes, the elements are closed.
fn arguments(bytes: &[u8], service: &str) -> String {
    let mut bytes = bytes.iter().copied();
    let (mut text, mut open) = (String::new(), Vec::new());
    while let Some(kind) = bytes.next() {
        let mut pick = |list: &[&'static str]| list[usize::from(bytes.next().unwrap_or_default()) % list.len()];
        match kind % 8 {
            0..=2 if open.len() < DEEPEST => {
                let prefix = [service, "tt", service, "tds"][usize::from(kind >> 3) % 4];
                let element = format!("{prefix}:{}", pick(&NAMES));
                text += &format!("<{element}");
                if kind % 8 == 2 {
                    text += &format!(" {}='{}'", pick(&ATTRIBUTES), pick(&VALUES));
                }
                text.push('>');
                open.push(element);
            }
            3..=4 => text += pick(&VALUES),
            5 => text += &u32::from_be_bytes([0; 4].map(|_: u8| bytes.next().unwrap_or_default())).to_string(),
            6 => {
                let length = usize::from(bytes.next().unwrap_or_default()) % 32;
                let raw: Vec<u8> = bytes.by_ref().take(length).collect();
                let raw = String::from_utf8_lossy(&raw).replace('&', "&amp;").replace('<', "&lt;");
                text.extend(raw.chars().filter(|c| *c >= ' '));
            }
            _ => text.extend(open.pop().map(|element| format!("</{element}>"))),
        }
    }
    text.extend(open.iter().rev().map(|element| format!("</{element}>")));
    text
}

/// A token lets in whoever has the password, and a changed one nobody. If the first byte is even, the rest is a Security header
/// by itself; if it is odd, it says what to change in one that is right: place (2 bytes), kind, new byte.
pub fn fuzz_username_token(data: &[u8]) {
    const BODY: &[u8] = b"<tds:GetUsers/>";
    let Some((&kind, rest)) = data.split_first() else { return };
    if kind.is_multiple_of(2) {
        assert!(!ask(&Scene::new(), PATHS[0], &message(rest, BODY)), "the password was not known");
        return;
    }
    let right = security("admin", 0);
    let mut changed = right.clone().into_bytes();
    for &[high, low, kind, byte] in rest.as_chunks::<4>().0.iter().take(8) {
        let at = usize::from(u16::from_be_bytes([high, low])) % (changed.len() + 1);
        match kind % 4 {
            0 => changed.insert(at, byte),
            1 if at < changed.len() => drop(changed.remove(at)),
            2 => changed.truncate(at),
            _ => changed.get_mut(at).into_iter().for_each(|there| *there = byte),
        }
    }
    let envelope = message(&changed, BODY);
    let let_in = ask(&Scene::new(), PATHS[0], &envelope);
    assert!(let_in || changed != right.as_bytes(), "a token that is right");
    if let_in {
        assert_eq!(token_of(&envelope), token_of(&message(right.as_bytes(), BODY)), "another token");
    }
}

/// What a token is made of.
fn token_of(envelope: &[u8]) -> (String, Vec<u8>, String) {
    let request = envelope::Request::read(envelope, &Limits::default()).expect("a request");
    let token = request.username_token().expect("a token").expect("a token");
    assert!(token.is_digest() && token.matches(&format!("admin{PASSWORD}")) && !token.matches(PASSWORD));
    (token.username().to_owned(), token.nonce().to_owned(), token.created().to_owned())
}
