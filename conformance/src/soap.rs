//! SOAP over HTTP as a client of ONVIF speaks it: one call, one connection, Digest or UsernameToken.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use belvedere_harness::{
    digest::{Challenge, Style},
    http::{Http, Limits},
    proxy::Message,
};

use crate::{
    clock,
    device::Device,
    namespaces::{Style as Namespaces, rewritten},
    xml::Element,
};

#[cfg(test)]
mod tests;
mod token;

pub use token::{PASSWORD_DIGEST, Token};

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

/// How long an answer may be, in bytes, that is not [expected to be longer](Call::at_length).
pub const LARGEST: usize = 4 * 1024 * 1024;
/// How many new nonces one request is signed with, where a device says of each that it is too old.
const NEW_NONCES: usize = 3;
/// What may leave the device with another time.
const CLOCK_CHANGING: [&str; 4] = ["SetSystemDateAndTime", "SetNTP", "SystemReboot", "SetSystemFactoryDefault"];

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
    limits: Limits,
}

#[derive(Debug, Clone)]
enum Content {
    Body(String),
    Envelope(String),
}

impl Call {
    /// A request with this in its body, written with the prefixes of [`PREFIXES`].
    pub fn new(body: impl Into<String>) -> Self {
        Self {
            content: Content::Body(body.into()),
            who: Who::Owner,
            to: None,
            judged: true,
            namespaces: None,
            limits: Limits { size: LARGEST, ..Limits::default() },
        }
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

    /// Gives up on a device that does not answer at once; for those who ask again and again.
    #[must_use]
    pub fn briefly(self) -> Self {
        let (connect, short) = (Duration::from_secs(2), Duration::from_secs(10));
        Self { limits: Limits { connect, silence: short, whole: short, ..self.limits }, ..self }
    }

    /// Takes an answer as long as any that the judge takes; for logs, to which ONVIF sets no limit.
    #[must_use]
    pub fn at_length(self) -> Self {
        Self { limits: Limits { size: Limits::default().size, ..self.limits }, ..self }
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
        let answer = match &self.who {
            Who::Nobody => self.post(&url, "", None),
            Who::Digest(user, password) => self.with_digest(device, &url, (user, password)),
            Who::Token(user, password) => self.with_token(&url, (user, password), device.clock.ahead(device)),
            Who::Header(header) => self.post(&url, header, None),
            Who::Owner => self.as_owner(device, &url),
        };
        // Also one that was not answered may have been done.
        if self.changes_the_clock() {
            device.clock.forget();
        }
        if let Ok(answer) = &answer {
            device.clock.heard(answer);
        }
        answer
    }

    /// By the way that the device takes: Digest where it gives a challenge, else a token.
    fn as_owner(&self, device: &Device, url: &str) -> Result<Answer> {
        let who = device.owner();
        let answer = self.with_digest(device, url, who)?;
        if !answer.challenges.is_empty() || !answer.is_not_authorized() {
            return Ok(answer);
        }
        let ahead = device.clock.ahead(device);
        let answer = self.with_token(url, who, ahead)?;
        // A clock may be set by others too, by a time server for one: then the token was of another time.
        if answer.is_not_authorized() && device.clock.has_moved(device, ahead) {
            return self.with_token(url, who, device.clock.ahead(device));
        }
        Ok(answer)
    }

    /// With a token of the time of a device that is so many seconds ahead of us.
    fn with_token(&self, url: &str, who: (&str, &str), ahead: i64) -> Result<Answer> {
        self.post(url, &Token::of(who, clock::there(ahead)).header(), None)
    }

    /// Uses the challenge that came last; a new one is answered. What is refused with a nonce that was new is refused for its
    /// credentials, unless the device says that it is for the nonce.
    fn with_digest(&self, device: &Device, url: &str, who: (&str, &str)) -> Result<Answer> {
        let (authority, path) = split(url)?;
        let sign = |(challenge, count): (Challenge, u32)| {
            let style = if challenge.qop { Style::Qop } else { Style::Old };
            challenge.answer(style, who, "POST", path, count)
        };
        let ask = || self.post(url, "", device.challenge(who.0, &authority).map(sign).as_deref());
        let mut answer = ask()?;
        for new in 0..NEW_NONCES {
            let challenge =
                answer.challenges.first().filter(|challenge| answer.status == 401 && (new == 0 || challenge.stale));
            let Some(challenge) = challenge else { break };
            device.challenged(who.0, &authority, challenge.clone());
            answer = ask()?;
        }
        Ok(answer)
    }

    /// Whether the device may have another time afterwards.
    fn changes_the_clock(&self) -> bool {
        let text = match &self.content {
            Content::Body(text) | Content::Envelope(text) => text,
        };
        CLOCK_CHANGING.iter().any(|operation| text.contains(&format!(":{operation}")))
    }

    fn post(&self, url: &str, header: &str, authorization: Option<&str>) -> Result<Answer> {
        let (authority, path) = split(url)?;
        let envelope = self.written(header);
        let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
             Content-Type: application/soap+xml; charset=utf-8\r\nContent-Length: {}\r\n{authorization}\r\n{envelope}",
            envelope.len()
        );
        Answer::of(Http::ask_within(&format!("http://{authority}"), &request, self.limits)?)
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
    // Credentials in an address are nobody's business but the command line's.
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    ensure!(!authority.is_empty(), "{url} names no host");
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    Ok((authority, if path.is_empty() { "/" } else { path }))
}

/// Time since 1970 as `2026-01-31T23:59:59Z`.
pub fn utc(since_1970: Duration) -> String {
    belvedere_harness::soap::utc(since_1970.as_secs() as i64)
}
