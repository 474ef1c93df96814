//! The judge must be able to fail: a proxy makes the device faulty in one way at a time, and the judge has to find just that.
//!
//! The tables beside this file, one for each area, say what the proxy does to the device (`rules`, see `rule.rs`) and which
//! cases it `run`s. Of these `fails` names the cases that must fail, with a part of what they must say; `follows` those that
//! fail for want of what is broken, and why they do. Every other one must not fail. What is odd and no fault says why in
//! `harmless`; then all must pass. `BELVEDERE_FAULT='media2-*'` in the environment runs only faults of such names, and prints
//! what was found.

mod coverage;
mod discovery;
mod proxy;
mod rtp;
mod rtsp;
mod rule;
mod soap;
mod udp;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    net::{SocketAddr, TcpListener},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, anyhow, ensure};
use belvedere_conformance::{
    areas,
    case::When,
    device::Device,
    feature,
    runner::{self, Progress, Wishes},
    table::{self, Row, State},
    verdict::{Report, Verdict},
};
use belvedere_harness::{
    Options, Server,
    network::{HERE, Network},
    server::{PASSWORD, USER},
};
use discovery::{Front, Relay};
use proxy::Proxy;
use rule::{Fault, Rule};
use wildmatch::WildMatch;

/// How many faults are tried at a time, each on a server of its own.
const WORKERS: usize = 8;
/// The profiles by which our server is judged, as in `scripts/conformance`.
const PROFILES: [&str; 4] = ["S", "T", "G", "M"];

/// One test that streams at a time: beside so many servers, encoders do not keep up, and that is no fault of the device's.
static TURN: Mutex<()> = Mutex::new(());

/// Streams that show that the proxy alone is no fault: in datagrams and in tunnels. On one connection others do, and `make
/// conformance` passes them all.
const STREAMS: [&str; 4] = ["RTSS-1-1-34", "RTSS-1-1-42", "RTSS-2-1-25", "MEDIA2_RTSS-1-1-9"];

/// Cases for which our server lacks something; a fault makes it say that it has it.
const OF_OTHERS: [&str; 10] = [
    "DEVICE-1-1-20",
    "DEVICE-1-1-21",
    "DEVICE-1-1-22",
    "DEVICE-1-1-26",
    "DEVICE-2-1-36",
    "DEVICE-2-1-37",
    "IPCONFIG-1-1-5",
    "IPCONFIG-2-1-4",
    "MEDIA-2-2-13",
    "MEDIA-3-2-13",
];

#[test]
fn each_fault_is_found_by_the_cases_that_must_find_it() -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let only = env::var("BELVEDERE_FAULT").ok();
    let chosen = |name: &str| only.as_ref().is_none_or(|pattern| WildMatch::new(pattern).matches(name));
    let mut faults: Vec<(String, Fault)> = rule::table()?.into_iter().filter(|(name, _)| chosen(name)).collect();
    // Those that wait begin first, so that at the end nothing waits alone.
    faults.sort_by_key(|(_, fault)| !(fault.is_of_discovery() || fault.run.iter().any(|id| waits(id))));
    let rows = table::rows().map_err(|error| anyhow!(error))?;
    let complaints = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..WORKERS.min(faults.len()) {
            scope.spawn(|| {
                while let Some((name, fault)) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = tried(fault, &rows, only.is_some().then_some(name))
                        .unwrap_or_else(|error| vec![format!("{error:#}")]);
                    let found = found.into_iter().map(|complaint| format!("{name} ({}): {complaint}", fault.what));
                    complaints.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(complaints.is_empty(), "{} complaints\n{}", complaints.len(), complaints.join("\n"));
    Ok(())
}

/// The same cases through the same proxy. Those that wait for minutes are left to `make conformance`, which runs them beside all
/// others.
#[test]
fn without_a_fault_nothing_is_found() -> Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let faults = rule::table()?;
    let rows = table::rows().map_err(|error| anyhow!(error))?;
    let mut kinds: BTreeMap<_, BTreeSet<&String>> = BTreeMap::new();
    for fault in faults.values() {
        let kind = (fault.is_of_discovery(), &fault.profiles);
        kinds.entry(kind).or_default().extend(fault.fails.keys().chain(fault.following()));
    }
    for fault in faults.values() {
        // What another fault leaves as it is has passed there; to stream all of it once more would take minutes.
        let kind = (fault.is_of_discovery(), &fault.profiles);
        kinds.entry(kind).or_default().retain(|id| !fault.must_pass(id));
    }
    for named in kinds.values_mut() {
        named.retain(|id| !id.contains("RTSS-") || STREAMS.contains(&id.as_str()));
    }
    kinds.retain(|_, named| !named.is_empty());
    let complaints = Mutex::new(Vec::new());
    // Side by side: one waits for restarts while another streams.
    thread::scope(|scope| {
        for ((discovery, profiles), named) in &kinds {
            scope.spawn(|| {
                let found = found_in_none(&rows, named, profiles, *discovery);
                let found = found.unwrap_or_else(|error| vec![format!("{error:#}")]);
                complaints.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
            });
        }
    });
    let complaints = complaints.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(())
}

/// What these cases say of a device without a fault that they must not say.
fn found_in_none(
    rows: &[Row],
    named: &BTreeSet<&String>,
    profiles: &BTreeSet<String>,
    discovery: bool,
) -> Result<Vec<String>> {
    let mut rows: Vec<Row> = rows.iter().filter(|row| named.contains(&row.id)).cloned().collect();
    ensure!(rows.len() == named.len(), "the tables name cases that there are not");
    rows.retain(|row| !waits(&row.id));
    let Some(reports) = judged(Vec::new(), &rows, profiles, discovery)? else {
        say_skipped("the cases of discovery without a fault");
        return Ok(Vec::new());
    };
    let expected = |report: &&Report| match report.verdict {
        Verdict::NotApplicable { .. } | Verdict::Skipped { .. } => OF_OTHERS.contains(&report.id.as_str()),
        _ => report.verdict == Verdict::Passed,
    };
    Ok(reports.iter().filter(|report| !expected(report)).map(told).collect())
}

/// A row that runs nothing, or names what it does not run, proves nothing; this finds it without a server.
#[test]
fn every_row_runs_the_cases_that_it_names() -> Result<()> {
    let rows = table::rows().map_err(|error| anyhow!(error))?;
    let mut complaints = Vec::new();
    for (name, fault) in rule::table()? {
        let patterns: Vec<WildMatch> = fault.run.iter().map(|pattern| WildMatch::new(pattern)).collect();
        let written = |row: &&Row| row.state == State::Implemented;
        let idle = |pattern: &&WildMatch| !rows.iter().filter(written).any(|row| pattern.matches(&row.id));
        complaints.extend(patterns.iter().filter(idle).map(|pattern| format!("{name}: {pattern} is no case")));
        let is_run = |id: &String| patterns.iter().any(|pattern| pattern.matches(id));
        let left_out = fault.fails.keys().chain(fault.following()).filter(|id| !is_run(id));
        complaints.extend(left_out.map(|id| format!("{name}: {id} is not run")));
    }
    ensure!(complaints.is_empty(), "{}", complaints.join("\n"));
    Ok(())
}

#[test]
fn there_are_hundreds_of_faults_of_all_kinds() -> Result<()> {
    let faults = rule::table()?;
    let count = faults.values().filter(|fault| fault.harmless.is_none()).count();
    let named: usize = faults.values().map(|fault| fault.fails.len()).sum();
    // What `docs/conformance.md` tells.
    ensure!(count > 260 && named > 500, "{count} faults, {named} failures");
    let odd = |fault: &Fault| fault.fails.is_empty() != fault.harmless.is_some();
    let without: Vec<_> = faults.iter().filter(|(_, fault)| odd(fault)).map(|(name, _)| name).collect();
    ensure!(without.is_empty(), "no case must find {without:?}, or one must find what is no fault");
    let vague = |fault: &Fault| fault.fails.values().any(|reason| reason.len() < 10);
    ensure!(!faults.values().any(vague), "a reason that anything may have");
    let unexplained = |fault: &Fault| fault.follows.iter().any(|consequence| consequence.why.len() < 10);
    ensure!(!faults.values().any(unexplained), "a consequence without why");
    Ok(())
}

fn waits(id: &str) -> bool {
    areas::cases().iter().any(|case| case.id == id && case.when == When::Waits)
}

/// Tries a fault, and says what is not as the table tells.
fn tried(fault: &Fault, rows: &[Row], aloud: Option<&str>) -> Result<Vec<String>> {
    let patterns: Vec<WildMatch> = fault.run.iter().map(|pattern| WildMatch::new(pattern)).collect();
    let mut rows = rows.to_vec();
    rows.retain(|row| patterns.iter().any(|pattern| pattern.matches(&row.id)));
    let Some(reports) = judged(fault.rules.clone(), &rows, &fault.profiles, fault.is_of_discovery())? else {
        say_skipped(&fault.what);
        return Ok(Vec::new());
    };
    if let Some(name) = aloud {
        say(name, &reports);
    }
    let by_id: BTreeMap<&str, &Report> = reports.iter().map(|report| (report.id.as_str(), report)).collect();
    let mut complaints = Vec::new();
    if fault.harmless.is_some() {
        complaints.extend(reports.iter().filter(|report| report.verdict != Verdict::Passed).map(told));
        return Ok(complaints);
    }
    for (id, reason) in &fault.fails {
        let report = by_id.get(id.as_str()).with_context(|| format!("{id} was not run"))?;
        match &report.verdict {
            Verdict::Failed(failed) if failed.to_string().contains(reason) => (),
            _ => complaints.push(format!("\"{reason}\" expected of {}", told(report))),
        }
    }
    let others = reports.iter().filter(|report| !fault.fails.contains_key(&report.id));
    for report in others {
        let failed = matches!(report.verdict, Verdict::Failed(_));
        if failed != fault.following().any(|id| *id == report.id) {
            complaints.push(format!("unlike the table: {}", told(report)));
        }
    }
    Ok(complaints)
}

/// What the judge says of a device behind these rules. A server of its own: what a fault keeps the judge from putting back is
/// nobody else's trouble.
fn judged(rules: Vec<Rule>, rows: &[Row], profiles: &BTreeSet<String>, discovery: bool) -> Result<Option<Vec<Report>>> {
    if discovery {
        return judged_over_networks(rules, rows, profiles);
    }
    let server = Server::pattern()?;
    let proxy =
        Proxy::start(TcpListener::bind("127.0.0.1:0")?, address(&server.http()?)?, address(&server.rtsp()?)?, rules)?;
    reports(&proxy, rows, profiles).map(Some)
}

/// The same with judge and device on networks of their own, where discovery goes through the proxy, too; `None` for who may
/// not make any.
fn judged_over_networks(rules: Vec<Rule>, rows: &[Row], profiles: &BTreeSet<String>) -> Result<Option<Vec<Report>>> {
    let (Some(devices), Some(judges)) = (Network::new()?, Network::new()?) else { return Ok(None) };
    let everywhere = || "0.0.0.0:0".to_owned();
    let namespace = Some(devices.here.clone());
    let server = Server::start(&Options { http: everywhere(), rtsp: everywhere(), namespace, ..Options::default() })?;
    let at = |url: String| -> Result<SocketAddr> { Ok(SocketAddr::new(HERE.parse()?, address(&url)?.port())) };
    let (http, rtsp) = (at(server.http()?)?, at(server.rtsp()?)?);
    let (listener, front) = discovery::on(&judges.here, || Ok((TcpListener::bind((HERE, 0))?, Front::new()?)))?;
    let (proxy, relay) = discovery::on(&devices.there, || {
        let proxy = Proxy::start(listener, http, rtsp, rules)?;
        let relay = Relay::start(front, proxy.shared())?;
        Ok((proxy, relay))
    })?;
    let reports = discovery::on(&judges.there, || reports(&proxy, rows, profiles));
    drop(relay);
    reports.map(Some)
}

fn reports(proxy: &Proxy, rows: &[Row], profiles: &BTreeSet<String>) -> Result<Vec<Report>> {
    let device = Device::new(proxy.device(), USER.into(), PASSWORD.into());
    let all = PROFILES.map(str::to_owned).into();
    let profiles = if profiles.is_empty() { &all } else { profiles };
    let found = feature::discover(&device, Some(profiles));
    let features = found.features.map_err(|stop| anyhow!("no device: {stop}"))?;
    Ok(runner::run(&device, &features, rows, Wishes { keep_running: false, own: true }, &Silent))
}

fn address(url: &str) -> Result<SocketAddr> {
    Ok(url.rsplit_once('/').context("no address")?.1.parse()?)
}

fn told(report: &Report) -> String {
    format!("{}: {:?}", report.id, report.verdict)
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests without root shall know what was not run")]
fn say_skipped(what: &str) {
    eprintln!("{what}: skipped, it needs root (network namespaces)");
}

#[expect(clippy::print_stderr, reason = "who asks for one fault wants to see what was found")]
fn say(name: &str, reports: &[Report]) {
    for report in reports {
        eprintln!("{name}: {} in {} ms", told(report), report.took.as_millis());
    }
}

struct Silent;

impl Progress for Silent {
    fn begun(&self, _: &str) {}

    fn over(&self, _: &Report) {}
}
