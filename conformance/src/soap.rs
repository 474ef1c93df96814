//! SOAP over HTTP as a client of ONVIF speaks it: one call, one connection, Digest or UsernameToken.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use belvedere_harness::{
    digest::{Challenge, Style},
    http::Http,
    proxy::Message,
};
use sha1::{Digest as _, Sha1};

use crate::{
    device::Device,
    namespaces::{Style as Namespaces, rewritten},
    xml::Element,
};

/// SOAP 1.2.
pub const ENV: &str = "http://www.w3.org/2003/05/soap-envelope";
/// The error codes of ONVIF.
pub const TER: &str = "http://www.onvif.org/ver10/error";
/// The prefixes that every envelope declares; the first element of a body tells by its prefix which service is meant.
pub const PREFIXES: [(&str, &str); 15] = [
    ("env", ENV),
    ("ter", TER),
    ("tt", crate::xml::TT),
    ("tds", "http://www.onvif.org/ver10/device/wsdl"),
    ("trt", "http://www.onvif.org/ver10/media/wsdl"),
    ("tr2", "http://www.onvif.org/ver20/media/wsdl"),
    ("timg", "http://www.onvif.org/ver20/imaging/wsdl"),
    ("tptz", "http://www.onvif.org/ver20/ptz/wsdl"),
    ("tmd", "http://www.onvif.org/ver10/deviceIO/wsdl"),
    ("tev", "http://www.onvif.org/ver10/events/wsdl"),
    ("tan", "http://www.onvif.org/ver20/analytics/wsdl"),
    ("trc", "http://www.onvif.org/ver10/recording/wsdl"),
    ("tse", "http://www.onvif.org/ver10/search/wsdl"),
    ("trp", "http://www.onvif.org/ver10/replay/wsdl"),
    ("tas", "http://www.onvif.org/ver10/advancedsecurity/wsdl"),
];
const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
/// The type of a password that is a digest.
pub const PASSWORD_DIGEST: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";

/// The namespace of a prefix of [`PREFIXES`].
pub fn namespace(prefix: &str) -> &'static str {
    PREFIXES.iter().find(|(own, _)| *own == prefix).map_or("", |(_, namespace)| namespace)
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The user that the judge was given, by the way that the device takes.
    Owner,
    /// Nobody: a challenge is the answer.
    Nobody,
    /// Another user, by HTTP Digest.
    Digest(String, String),
    /// A user by WS-UsernameToken.
    Token(String, String),
    /// Somebody by a WS-Security header that is written already.
    Header(String),
}

/// A request.
#[derive(Debug, Clone)]
pub struct Call {
    content: Content,
    who: Who,
    to: Option<String>,
    judged: bool,
    namespaces: Option<Namespaces>,
}

#[derive(Debug, Clone)]
enum Content {
    Body(String),
    Envelope(String),
}

impl Call {
    /// A request with this in its body, written with the prefixes of [`PREFIXES`].
    pub fn new(body: impl Into<String>) -> Self {
        Self { content: Content::Body(body.into()), who: Who::Owner, to: None, judged: true, namespaces: None }
    }

    /// A request with an envelope of its own; for the device service unless [`to`](Self::to) says otherwise.
    pub fn envelope(envelope: impl Into<String>) -> Self {
        Self { content: Content::Envelope(envelope.into()), ..Self::new("") }
    }

    /// Asks as somebody else.
    #[must_use]
    pub fn by(self, who: Who) -> Self {
        Self { who, ..self }
    }

    /// Sends it to another address.
    #[must_use]
    pub fn to(self, url: impl Into<String>) -> Self {
        Self { to: Some(url.into()), ..self }
    }

    /// Declares the namespaces in another way.
    #[must_use]
    pub fn declaring(self, namespaces: Namespaces) -> Self {
        Self { namespaces: Some(namespaces), ..self }
    }

    /// Breaks the schemas on purpose.
    #[must_use]
    pub fn invalid(self) -> Self {
        Self { judged: false, ..self }
    }

    /// Whether the request must be one that the schemas allow.
    pub fn is_judged(&self) -> bool {
        self.judged
    }

    /// The address it goes to.
    ///
    /// # Errors
    /// The device does not tell where the service is.
    pub fn address(&self, device: &Device) -> Result<String> {
        match (&self.to, &self.content) {
            (Some(url), _) => Ok(url.clone()),
            (None, Content::Envelope(_)) => Ok(device.url().to_owned()),
            (None, Content::Body(body)) => {
                let prefix = body.trim_start().trim_start_matches('<').split(':').next().unwrap_or_default();
                device.service(namespace(prefix)).with_context(|| format!("GetServices lists no service `{prefix}`"))
            }
        }
    }

    /// The envelope as it is sent, without who asks.
    pub fn text(&self) -> String {
        self.written("")
    }

    fn written(&self, header: &str) -> String {
        let text = self.plainly_written(header);
        // What is not well-formed is sent as it is.
        self.namespaces.and_then(|style| rewritten(&text, style).ok()).unwrap_or(text)
    }

    fn plainly_written(&self, header: &str) -> String {
        match &self.content {
            Content::Envelope(envelope) => envelope.clone(),
            Content::Body(body) => {
                let declared: String =
                    PREFIXES.iter().map(|(prefix, uri)| format!(" xmlns:{prefix}=\"{uri}\"")).collect();
                format!(
                    "<env:Envelope{declared}><env:Header>{header}</env:Header><env:Body>{body}</env:Body></env:Envelope>"
                )
            }
        }
    }

    /// Sends it and waits for the answer.
    ///
    /// # Errors
    /// There is no HTTP answer.
    pub fn send(&self, device: &Device) -> Result<Answer> {
        let url = self.address(device)?;
        match &self.who {
            Who::Nobody => post(&url, &self.written(""), None),
            Who::Digest(user, password) => self.with_digest(device, &url, (user, password)),
            Who::Token(user, password) => post(&url, &self.written(&Token::of((user, password))?.header()), None),
            Who::Header(header) => post(&url, &self.written(header), None),
            Who::Owner => {
                let who = device.owner();
                let answer = self.with_digest(device, &url, who)?;
                if answer.challenges.is_empty() && answer.is_not_authorized() {
                    return post(&url, &self.written(&Token::of(who)?.header()), None);
                }
                Ok(answer)
            }
        }
    }

    /// Uses the challenge that came last; a new one is answered once.
    fn with_digest(&self, device: &Device, url: &str, who: (&str, &str)) -> Result<Answer> {
        let envelope = self.written("");
        let (authority, path) = split(url)?;
        let sign = |(challenge, count): (Challenge, u32)| {
            let style = if challenge.qop { Style::Qop } else { Style::Old };
            challenge.answer(style, who, "POST", path, count)
        };
        let known = device.challenge(who.0, &authority).map(sign);
        let answer = post(url, &envelope, known.as_deref())?;
        let Some(challenge) = answer.challenges.first().filter(|_| answer.status == 401) else { return Ok(answer) };
        device.challenged(who.0, &authority, challenge.clone());
        let signed = device.challenge(who.0, &authority).map(sign);
        post(url, &envelope, signed.as_deref())
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The answer as it came.
    pub message: Message,
    /// The Digest challenges that we understand, in order.
    pub challenges: Vec<Challenge>,
    /// The envelope, if it is XML.
    pub envelope: Option<Element>,
}

/// A fault (SOAP 1.2 part 1, section 5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The code and the subcodes, outermost first: `env:Sender`, `ter:InvalidArgVal`; of another namespace: `{uri}name`.
    pub codes: Vec<String>,
    /// The reason.
    pub reason: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "fault {} ({})", self.codes.join("/"), self.reason)
    }
}

impl Answer {
    fn of(message: Message) -> Result<Self> {
        let status = message.status().context("an answer without a status")?;
        let values = message.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
        // Basic, and what else we do not speak, is passed over.
        let challenges = values.filter_map(|(_, value)| Challenge::parse(value).ok()).collect();
        let envelope = Element::parse(&message.body).ok();
        Ok(Self { status, message, challenges, envelope })
    }

    /// The element in the body.
    pub fn body(&self) -> Option<&Element> {
        self.envelope.as_ref()?.at("Body")?.children.first()
    }

    /// The fault, if it is one.
    pub fn fault(&self) -> Option<Fault> {
        let fault = self.body().filter(|body| body.name == "Fault" && body.namespace == ENV)?;
        let mut codes = Vec::new();
        let mut code = fault.at("Code");
        while let Some(here) = code {
            codes.push(here.at("Value").map(qualified).unwrap_or_default());
            code = here.at("Subcode");
        }
        Some(Fault { codes, reason: fault.text_or_empty("Reason/Text").to_owned() })
    }

    /// Whether the device wants to know who asks.
    pub fn is_not_authorized(&self) -> bool {
        let by_fault = |fault: Fault| fault.codes.iter().any(|code| code == "ter:NotAuthorized");
        self.status == 401 || self.fault().is_some_and(by_fault)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.message.body).into_owned()
    }
}

fn qualified(value: &Element) -> String {
    let local = value.text.rsplit(':').next().unwrap_or_default();
    match value.text_namespace.as_deref() {
        Some(ENV) => format!("env:{local}"),
        Some(TER) => format!("ter:{local}"),
        Some(other) => format!("{{{other}}}{local}"),
        None => local.to_owned(),
    }
}

/// Host with port, and path, of `http://host[:port]/path`.
///
/// # Errors
/// It is no such address.
pub fn split(url: &str) -> Result<(String, &str)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is no address that starts with http://"))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    ensure!(!authority.is_empty(), "{url} names no host");
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    Ok((authority, if path.is_empty() { "/" } else { path }))
}

fn post(url: &str, envelope: &str, authorization: Option<&str>) -> Result<Answer> {
    let (authority, path) = split(url)?;
    let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Type: application/soap+xml; charset=utf-8\r\nContent-Length: {}\r\n{authorization}\r\n{envelope}",
        envelope.len()
    );
    Answer::of(Http::ask(&format!("http://{authority}"), &request)?)
}

/// A WS-UsernameToken (UsernameToken Profile 1.0, section 3.1).
#[derive(Debug, Clone)]
pub struct Token {
    /// The user.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// What makes it unlike any other; `None` to leave it out.
    pub nonce: Option<Vec<u8>>,
    /// When it was made; `None` to leave it out.
    pub created: Option<String>,
    /// The type of the password; `None` to leave it out.
    pub kind: Option<&'static str>,
    /// Whether the password stands there as it is, and not as a digest.
    pub plain: bool,
}

impl Token {
    /// A token as it has to be, made now.
    ///
    /// # Errors
    /// The clock is before 1970.
    pub fn of((user, password): (&str, &str)) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        // Unlike any before it: the clock's nanoseconds and the address of a value on this stack.
        let nonce = Sha1::digest(format!("{} {:p}", now.as_nanos(), &now))[..16].to_vec();
        Ok(Self {
            user: user.into(),
            password: password.into(),
            nonce: Some(nonce),
            created: Some(utc(now)),
            kind: Some(PASSWORD_DIGEST),
            plain: false,
        })
    }

    /// The header with it. The digest is over what is there, as the profile has it.
    pub fn header(&self) -> String {
        let escape = crate::xml::escape;
        let nonce = self.nonce.as_deref().unwrap_or_default();
        let created = self.created.as_deref().unwrap_or_default();
        let digest = Sha1::new().chain_update(nonce).chain_update(created).chain_update(&self.password).finalize();
        let password = if self.plain { escape(&self.password) } else { STANDARD.encode(digest) };
        let kind = self.kind.map(|kind| format!(" Type=\"{kind}\"")).unwrap_or_default();
        let nonce = self.nonce.as_ref().map(|nonce| format!("<wsse:Nonce>{}</wsse:Nonce>", STANDARD.encode(nonce)));
        let created = self.created.as_ref().map(|created| format!("<wsu:Created>{created}</wsu:Created>"));
        format!(
            "<wsse:Security xmlns:wsse=\"{WSSE}\" xmlns:wsu=\"{WSU}\"><wsse:UsernameToken>\
             <wsse:Username>{}</wsse:Username><wsse:Password{kind}>{password}</wsse:Password>{}{}\
             </wsse:UsernameToken></wsse:Security>",
            escape(&self.user),
            nonce.unwrap_or_default(),
            created.unwrap_or_default()
        )
    }
}

/// Time since 1970 as `2026-01-31T23:59:59Z`.
pub fn utc(since_1970: Duration) -> String {
    belvedere_harness::soap::utc(since_1970.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_in_the_end() {
        assert_eq!(split("http://cam/onvif/device_service").unwrap(), ("cam:80".into(), "/onvif/device_service"));
        assert_eq!(split("http://[::1]:8080").unwrap(), ("[::1]:8080".into(), "/"));
        assert_eq!(split("http://[::1]/a").unwrap(), ("[::1]:80".into(), "/a"));
        assert!(split("https://cam/").is_err() && split("http:///x").is_err());
    }

    #[test]
    fn a_fault_is_read_by_its_namespaces() {
        let body = format!(
            "<s:Envelope xmlns:s=\"{ENV}\" xmlns:t=\"{TER}\"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>\
             <s:Subcode><s:Value>t:InvalidArgVal</s:Value><s:Subcode><s:Value>x:Odd</s:Value></s:Subcode></s:Subcode>\
             </s:Code><s:Reason><s:Text xml:lang=\"en\">why</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
        );
        let message = Message { start: "HTTP/1.1 400 Bad".into(), body: body.into(), ..Message::default() };
        let fault = Answer::of(message).unwrap().fault().unwrap();
        assert_eq!(fault.to_string(), "fault env:Sender/ter:InvalidArgVal/Odd (why)");
    }
}
