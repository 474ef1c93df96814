//! How a second host on the network finds the cameras, with clients that we did not write. Root only: it takes network
//! namespaces to have a second host.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use belvedere_harness::network::{self, HERE, Network};
use belvedere_harness::process::Running;
use belvedere_harness::server::{PASSWORD, USER};
use belvedere_harness::{Options, Server, Turn, schema};
use serde_json::Value;

const NETWORK_NS: &str = "http://www.onvif.org/ver10/network/wsdl";
const DEVICE_NS: &str = "http://www.onvif.org/ver10/device/wsdl";

/// The network, or word that the test is skipped.
fn network(test: &str) -> Result<Option<Network>> {
    let network = Network::new()?;
    if network.is_none() {
        writeln_skipped(test);
    }
    Ok(network)
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests without root shall know what was not run")]
fn writeln_skipped(test: &str) {
    eprintln!("{test}: skipped, it needs root (network namespaces)");
}

fn camera(network: &Network) -> Result<Server> {
    let everywhere = "0.0.0.0:0".to_owned();
    Server::start(&Options {
        rtsp: everywhere.clone(),
        http: everywhere,
        namespace: Some(network.here.clone()),
        ..Options::default()
    })
}

fn own(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// WSDiscovery on the second host.
fn discover(network: &Network, arguments: &[&str]) -> Result<Running> {
    let mut command = network::inside(&network.there, own(".tools/bin/python"));
    Running::start(command.arg(own("tests/clients-py/discover.py")).args(arguments))
}

/// Waits for the next event of a kind.
fn event(client: &mut Running, kind: &str) -> Result<Value> {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let left = deadline.checked_duration_since(Instant::now()).with_context(|| format!("no {kind}"))?;
        let event: Value = serde_json::from_str(&client.line(left)?)?;
        if event["event"] == kind {
            return Ok(event);
        }
    }
}

/// What one search finds.
fn search(network: &Network, arguments: &[&str]) -> Result<Vec<Value>> {
    let mut client = discover(network, &[&["probe"], arguments].concat())?;
    let mut found = Vec::new();
    loop {
        let event: Value = serde_json::from_str(&client.line(Duration::from_secs(15))?)?;
        match event["event"].as_str() {
            Some("found") => found.push(event),
            Some("searched") => return Ok(found),
            other => bail!("{other:?}"),
        }
    }
}

/// Asks a service from the second host, with curl.
fn ask(network: &Network, url: &str, body: &str) -> Result<String> {
    let envelope = format!(
        r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>{body}</s:Body></s:Envelope>"#
    );
    let mut command = network::inside(&network.there, "curl");
    command.args(["--silent", "--show-error", "--fail-with-body", "--max-time", "10"]);
    command.args(["--digest", "--user", &format!("{USER}:{PASSWORD}")]);
    command.args(["--header", "Content-Type: application/soap+xml; charset=utf-8", "--data-binary", &envelope, url]);
    let output = command.output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{body}: {text} {}", String::from_utf8_lossy(&output.stderr));
    schema::check(text.as_bytes()).map_err(|errors| anyhow!("{errors:?}:\n{text}"))?;
    Ok(text)
}

fn operation(name: &str) -> String {
    format!(r#"<{name} xmlns="{DEVICE_NS}"/>"#)
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The text of the first element of this name, whatever its prefix.
fn text_of<'a>(xml: &'a str, local: &str) -> Result<&'a str> {
    let (_, rest) = xml.split_once(&format!(":{local}>")).with_context(|| format!("no {local} in {xml}"))?;
    rest.split('<').next().context("no text")
}

#[test]
fn another_host_finds_the_camera_and_hears_it_come_and_go() -> Result<()> {
    let _turn = Turn::shared()?;
    let Some(network) = network("another_host_finds_the_camera_and_hears_it_come_and_go")? else { return Ok(()) };
    let mut listener = discover(&network, &["listen"])?;
    event(&mut listener, "listening")?;
    let mut server = camera(&network)?;
    let port = server.http()?.rsplit(':').next().context("no port")?.to_owned();
    let service = format!("http://{HERE}:{port}/onvif/device_service");

    let hello = event(&mut listener, "hello")?;
    ensure!(strings(&hello["xaddrs"]) == [service.as_str()], "{hello}");
    let types = strings(&hello["types"]);
    ensure!(
        types.contains(&format!("{{{NETWORK_NS}}}NetworkVideoTransmitter").as_str())
            && types.contains(&format!("{{{DEVICE_NS}}}Device").as_str()),
        "{hello}"
    );

    // Whoever searches for a part of it finds it, whoever searches for another thing does not.
    let transmitter = ["--type", NETWORK_NS, "NetworkVideoTransmitter"];
    let streaming = ["--scope", "onvif://www.onvif.org/Profile/Streaming"];
    for wanted in [&[][..], &transmitter, &streaming, &[transmitter.as_slice(), &streaming].concat()] {
        let found = search(&network, wanted)?;
        ensure!(found.len() == 1 && found[0]["epr"] == hello["epr"], "{wanted:?}: {found:?}");
        ensure!(found[0]["xaddrs"] == hello["xaddrs"] && found[0]["scopes"] == hello["scopes"], "{found:?}");
    }
    let printer = ["--type", "http://schemas.microsoft.com/windows/2006/08/wdp/print", "PrintDeviceType"];
    for other in [&printer[..], &["--scope", "onvif://www.onvif.org/Profile/Nonsense"]] {
        let found = search(&network, other)?;
        ensure!(found.is_empty(), "{found:?}");
    }

    // Discovery, scopes and the network interfaces tell one identity.
    let epr = ask(&network, &service, &operation("GetEndpointReference"))?;
    ensure!(epr.contains(hello["epr"].as_str().context("no endpoint")?), "{epr}");
    let address = ask(&network, &service, &operation("GetNetworkInterfaces"))?;
    let address = text_of(&address, "HwAddress")?;
    let scopes = strings(&hello["scopes"]);
    ensure!(scopes.contains(&format!("onvif://www.onvif.org/MacAddress/{address}").as_str()), "{address}: {scopes:?}");
    let link = network::inside(&network.here, "cat").arg("/sys/class/net/eth0/address").output()?.stdout;
    ensure!(String::from_utf8(link)?.trim().eq_ignore_ascii_case(&address.replace('-', ":")), "{address}");

    // A new scope is told at once.
    let scope = "onvif://www.onvif.org/location/gate";
    let body = format!(r#"<AddScopes xmlns="{DEVICE_NS}"><ScopeItem>{scope}</ScopeItem></AddScopes>"#);
    ask(&network, &service, &body)?;
    let again = event(&mut listener, "hello")?;
    ensure!(strings(&again["scopes"]).contains(&scope), "{again}");

    // A reboot: Bye, Hello, the same device at the same address.
    ask(&network, &service, &operation("SystemReboot"))?;
    let bye = event(&mut listener, "bye")?;
    ensure!(bye["epr"] == hello["epr"], "{bye}");
    server.restarted()?;
    let back = event(&mut listener, "hello")?;
    ensure!(
        back["epr"] == hello["epr"] && back["xaddrs"] == hello["xaddrs"] && back["scopes"] == again["scopes"],
        "{back}"
    );
    ask(&network, &service, &operation("GetDeviceInformation"))?;

    server.stop()?;
    let bye = event(&mut listener, "bye")?;
    ensure!(bye["epr"] == hello["epr"], "{bye}");
    Ok(())
}

#[test]
fn a_camera_that_shall_not_be_found_is_silent() -> Result<()> {
    let _turn = Turn::shared()?;
    let Some(network) = network("a_camera_that_shall_not_be_found_is_silent")? else { return Ok(()) };
    let server = camera(&network)?;
    let port = server.http()?.rsplit(':').next().context("no port")?.to_owned();
    let service = format!("http://{HERE}:{port}/onvif/device_service");
    ensure!(search(&network, &[])?.len() == 1);
    let set = |mode: &str| {
        let body = format!(
            r#"<SetDiscoveryMode xmlns="{DEVICE_NS}"><DiscoveryMode>{mode}</DiscoveryMode></SetDiscoveryMode>"#
        );
        ask(&network, &service, &body)
    };
    set("NonDiscoverable")?;
    ensure!(search(&network, &[])?.is_empty());
    set("Discoverable")?;
    ensure!(search(&network, &[])?.len() == 1);
    server.stop().map(drop)
}

#[test]
fn avahi_browse_finds_the_services() -> Result<()> {
    let _turn = Turn::shared()?;
    let Some(network) = network("avahi_browse_finds_the_services")? else { return Ok(()) };
    let server = camera(&network)?;
    let configuration = server.directory().join("avahi.conf");
    fs::write(&configuration, "[server]\nallow-interfaces=eth0\nuse-ipv6=no\n")?;
    let http = server.http()?.rsplit(':').next().context("no port")?.to_owned();
    let rtsp = server.rtsp()?.rsplit(':').next().context("no port")?.to_owned();
    for (kind, port, path) in [
        ("_onvif._tcp", &http, "path=/onvif/device_service"),
        ("_http._tcp", &http, "path=/"),
        ("_rtsp._tcp", &rtsp, "path=/cam/ultra-hd"),
    ] {
        let line = browse(&network, kind, &configuration, &format!(";{HERE};{port};"))?;
        ensure!(line.contains(path) && line.contains(";Camera;"), "{line}");
    }
    server.stop().map(drop)
}

/// The line in which avahi-browse tells of this service. It looks for a second or so, which may be too early for an answer.
fn browse(network: &Network, kind: &str, configuration: &Path, service: &str) -> Result<String> {
    let mut told = String::new();
    for _ in 0..5 {
        let mut command = network::inside(&network.there, own("tests/clients-py/browse.sh"));
        let output = command.arg(kind).arg(configuration).output()?;
        told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if let Some(line) = told.lines().find(|line| line.starts_with('=') && line.contains(service)) {
            return Ok(line.to_owned());
        }
    }
    bail!("no {kind} at {service}: {told}")
}
