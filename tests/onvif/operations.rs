//! Every operation of every service, by the table that `wsdl/` holds against the official files: to whom it is refused, and
//! what is said of those that are not there.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use belvedere_harness::soap::{Answer, DEVICE, Request, TDS, Token};
use belvedere_harness::{Turn, schema};
use serde::Deserialize;

use super::site::{ADMIN, OPERATOR, Site, VIEWER};

#[derive(Deserialize)]
struct Table {
    namespaces: BTreeMap<String, String>,
    services: BTreeMap<String, Vec<Operation>>,
}

#[derive(Deserialize)]
struct Operation {
    name: String,
    element: String,
    class: String,
    state: String,
}

/// The services by the namespace under which GetServices lists them.
const LISTED_AS: [(&str, &str); 10] = [
    ("device", "tds"),
    ("media", "trt"),
    ("media2", "tr2"),
    ("deviceio", "tmd"),
    ("imaging", "timg"),
    ("events", "tev"),
    ("analytics", "tan"),
    ("recording", "trc"),
    ("search", "tse"),
    ("replay", "trp"),
];

/// What a service says of an operation that is not one of its own.
const UNKNOWN: [&str; 2] = ["env:Sender/ter:UnknownAction", "env:Sender/ter:Namespace"];
const NOT_SUPPORTED: &str = "env:Receiver/ter:ActionNotSupported";

/// An operation with the address that it is sent to; that of the device service where its own service is not there.
struct Case {
    operation: Operation,
    namespace: String,
    path: Option<String>,
}

impl Case {
    fn request(&self) -> Request {
        let local = self.operation.element.rsplit(':').next().unwrap_or_default();
        Request::operation(self.path.as_deref().unwrap_or(DEVICE), &self.namespace, local)
    }

    /// Demands a fault; the error names the operation.
    fn expect(&self, answer: &Answer, status: u16, fault: &str) -> Result<()> {
        let told = answer.fault();
        let right = answer.status == status && told.as_ref().is_ok_and(|told| told == fault);
        ensure!(right, "{} of {}: {}, {told:?}", self.operation.name, self.namespace, answer.status);
        Ok(())
    }
}

fn cases(site: &Site) -> Result<Vec<Case>> {
    let text = std::fs::read_to_string(schema::repository().join("wsdl/operations.toml"))?;
    let Table { namespaces, services } = toml::from_str(&text)?;
    let mut cases = Vec::new();
    for (service, operations) in services {
        let (_, prefix) = LISTED_AS.iter().find(|(name, _)| *name == service).context("an unknown service")?;
        let path = site.path(&namespaces[*prefix])?;
        for operation in operations {
            let (prefix, _) = operation.element.split_once(':').context("an element without a prefix")?;
            let namespace = namespaces[prefix].clone();
            cases.push(Case { operation, namespace, path: path.clone() });
        }
    }
    ensure!(cases.len() > 300, "{} operations", cases.len());
    Ok(cases)
}

/// Core 5.9.4.3, table "Default Access Policy Definition": who may not call what. Nobody is asked to sign in, users are told
/// that they may not. What is refused is refused whatever else the request says, so an empty one will do.
#[test]
fn a_level_below_the_class_is_refused() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    site.create_users()?;
    let mut refused = 0;
    for case in cases(&site)?.iter().filter(|case| case.path.is_some()) {
        let too_low: &[(&str, &str)] = match case.operation.class.as_str() {
            "PRE_AUTH" => continue,
            "READ_SYSTEM" | "READ_MEDIA" => &[],
            "READ_SYSTEM_SENSITIVE" | "ACTUATE" => &[VIEWER],
            "READ_SYSTEM_SECRET" | "WRITE_SYSTEM" | "UNRECOVERABLE" => &[VIEWER, OPERATOR],
            other => anyhow::bail!("an unknown class: {other}"),
        };
        let stranger = site.send(&case.request())?;
        case.expect(&stranger, 401, "env:Sender/ter:NotAuthorized").context("nobody")?;
        ensure!(stranger.challenges()?.len() == 2, "{}: {stranger:?}", case.operation.name);
        for who in too_low {
            let answer = site.send(&case.request().token(&Token::new(*who)?))?;
            case.expect(&answer, 400, "env:Sender/ter:NotAuthorized").context(who.0)?;
            refused += 1;
        }
    }
    ensure!(refused > 100, "{refused} refusals");
    site.proxy.verdict()?;
    Ok(())
}

/// Core 5.1.2: what is not there is answered with `ter:ActionNotSupported`; what belongs to no service here, or to none at
/// all, with another fault; never with an empty answer or an error page, which recorders give up on.
#[test]
fn what_is_not_there_is_a_fault() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    for case in cases(&site)?.iter().filter(|case| case.operation.state == "faulting" || case.path.is_none()) {
        let answer = site.send(&case.request().token(&Token::new(ADMIN)?))?;
        match case.path {
            // Device I/O shares operations with the device service.
            None if UNKNOWN.contains(&answer.fault()?.as_str()) => ensure!(answer.status == 400, "{}", answer.status),
            _ => case.expect(&answer, 500, NOT_SUPPORTED)?,
        }
    }
    for (body, status, fault) in [
        (format!("<GetNothing xmlns=\"{TDS}\"/>"), 500, NOT_SUPPORTED),
        ("<GetProfiles/>".to_owned(), 400, "env:Sender/ter:UnknownAction"),
        ("<GetHostname/>".to_owned(), 400, "env:Sender/ter:Namespace"),
        ("<GetUsers".to_owned(), 400, "env:Sender/ter:WellFormed"),
        ("<a:GetUsers/>".to_owned(), 400, "env:Sender/ter:Namespace"),
    ] {
        let answer = site.ask(Request::body(DEVICE, &body))?;
        let told = answer.fault().with_context(|| format!("{body}: {}", answer.status))?;
        ensure!(answer.status == status && told == fault, "{body}: {}, {told}", answer.status);
    }
    site.proxy.verdict()?;
    Ok(())
}

/// Every operation that is there answers a request without arguments: with what was asked for, or that arguments are missing.
/// That the answers are right by the schemas is the proxy's verdict.
#[test]
fn what_is_there_answers() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    let (mut answered, mut wanting) = (0, 0);
    for case in cases(&site)?.iter().filter(|case| case.operation.state == "implemented" && case.path.is_some()) {
        // These two need no arguments, and would do what they say.
        if ["SystemReboot", "SetNetworkDefaultGateway"].contains(&case.operation.name.as_str()) {
            continue;
        }
        let answer = site.send(&case.request().token(&Token::new(ADMIN)?))?;
        if answer.status == 200 {
            answered += 1;
            ensure!(case.operation.name.starts_with("Get"), "{} did something", case.operation.name);
            continue;
        }
        case.expect(&answer, 400, "env:Sender/ter:InvalidArgs")?;
        wanting += 1;
    }
    ensure!(answered > 30 && wanting > 30, "{answered} answers, {wanting} without arguments");
    site.proxy.verdict()?;
    Ok(())
}
