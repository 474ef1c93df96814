//! Restarts, factory defaults, and what the machine's owner keeps to himself; and several cameras side by side.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, ensure};
use belvedere_harness::process;
use belvedere_harness::server::{PASSWORD, USER};
use belvedere_harness::soap::{self, Answer, DEVICE, Request, TDS, TRT, Token};
use belvedere_harness::{Client, Options, Server, Transport, Turn};

const MEDIA: &str = "/onvif/media_service";
const ADMIN: (&str, &str) = (USER, PASSWORD);
const GATE: &str = "onvif://www.onvif.org/location/gate";

/// The web listener of a camera.
fn web(server: &Server, camera: usize) -> Result<SocketAddr> {
    let xaddr = server.ready()["cameras"][camera]["xaddr"].as_str().context("no xaddr in the ready line")?;
    let authority = xaddr.strip_prefix("http://").and_then(|rest| rest.split('/').next()).context("no authority")?;
    Ok(authority.parse()?)
}

fn ask_as(who: (&str, &str), to: SocketAddr, path: &str, body: &str) -> Result<Answer> {
    Request::body(path, body).token(&Token::new(who)?).send(to)
}

fn device(to: SocketAddr, operation: &str) -> Result<Answer> {
    ask_as(ADMIN, to, DEVICE, operation)
}

fn tds(operation: &str, content: &str) -> String {
    format!("<{operation} xmlns=\"{TDS}\">{content}</{operation}>")
}

fn profiles(to: SocketAddr) -> Result<Vec<String>> {
    let answer = ask_as(ADMIN, to, MEDIA, &format!("<GetProfiles xmlns=\"{TRT}\"/>"))?.done()?;
    answer.attributes("Profiles", "token")
}

/// What names the device for good.
fn identity(to: SocketAddr) -> Result<[Vec<String>; 3]> {
    let endpoint = device(to, &tds("GetEndpointReference", ""))?.done()?.texts("GUID")?;
    let serial = device(to, &tds("GetDeviceInformation", ""))?.done()?.texts("SerialNumber")?;
    let address = device(to, &tds("GetNetworkInterfaces", ""))?.done()?.texts("HwAddress")?;
    ensure!(!endpoint.is_empty() && !serial.is_empty() && !address.is_empty(), "{endpoint:?} {serial:?} {address:?}");
    Ok([endpoint, serial, address])
}

/// Leaves traces of its own: a profile, a scope and a user.
fn furnish(to: SocketAddr) -> Result<()> {
    let profile = format!("<CreateProfile xmlns=\"{TRT}\"><Name>Recorder</Name></CreateProfile>");
    ask_as(ADMIN, to, MEDIA, &profile)?.done()?;
    device(to, &tds("AddScopes", &format!("<ScopeItem>{GATE}</ScopeItem>")))?.done()?;
    let tt = "xmlns=\"http://www.onvif.org/ver10/schema\"";
    let user =
        format!("<Username {tt}>anna</Username><Password {tt}>Secret-7</Password><UserLevel {tt}>User</UserLevel>");
    device(to, &tds("CreateUsers", &format!("<User>{user}</User>")))?.done()?;
    Ok(())
}

/// Whether the profile, the scope and the user are there.
fn traces(to: SocketAddr) -> Result<[bool; 3]> {
    let scopes = device(to, &tds("GetScopes", ""))?.done()?.texts("ScopeItem")?;
    let users = device(to, &tds("GetUsers", ""))?.done()?.texts("Username")?;
    Ok([profiles(to)?.len() > 4, scopes.iter().any(|scope| scope == GATE), users.iter().any(|user| user == "anna")])
}

#[test]
fn a_reboot_keeps_everything_and_a_factory_default_what_it_must() -> Result<()> {
    let _turn = Turn::shared()?;
    let mut server = Server::pattern()?;
    let (to, pid) = (web(&server, 0)?, server.pid());
    let before = identity(to)?;
    furnish(to)?;
    let all = profiles(to)?;
    ensure!(traces(to)? == [true; 3]);

    let mut viewer = Client::connect(&server.url("standard")?)?;
    viewer.start(Transport::Tcp)?;
    let engine = server.engine()?;
    device(to, &tds("SystemReboot", ""))?.done()?;
    server.restarted()?;
    ensure!(server.pid() == pid && web(&server, 0)? == to, "it is another process, or listens elsewhere");
    ensure!(server.engine()? != engine, "the engine of the last run lives on");
    ensure!(process::zombies(pid)?.is_empty(), "the engine of the last run is left as a zombie");
    ensure!(identity(to)? == before && profiles(to)? == all && traces(to)? == [true; 3]);

    let default =
        |kind: &str| device(to, &tds("SetSystemFactoryDefault", &format!("<FactoryDefault>{kind}</FactoryDefault>")));
    default("Soft")?.done()?;
    server.restarted()?;
    ensure!(identity(to)? == before && traces(to)? == [false, false, true], "soft: {:?}", traces(to)?);

    furnish_again(to)?;
    device(to, &tds("SetHostname", "<Name>door-7</Name>"))?.done()?;
    let change = format!(
        "<User><Username xmlns=\"http://www.onvif.org/ver10/schema\">{USER}</Username>\
        <Password xmlns=\"http://www.onvif.org/ver10/schema\">Changed-9</Password>\
        <UserLevel xmlns=\"http://www.onvif.org/ver10/schema\">Administrator</UserLevel></User>"
    );
    device(to, &tds("SetUser", &change))?.done()?;
    ensure!(device(to, &tds("GetUsers", ""))?.fault()?.ends_with("ter:NotAuthorized"), "the old password is taken");
    let hard = tds("SetSystemFactoryDefault", "<FactoryDefault>Hard</FactoryDefault>");
    ask_as((USER, "Changed-9"), to, DEVICE, &hard)?.done()?;
    server.restarted()?;
    ensure!(identity(to)? == before && traces(to)? == [false; 3], "hard: {:?}", traces(to)?);
    ensure!(!device(to, &tds("GetHostname", ""))?.done()?.texts("Name")?.contains(&"door-7".to_owned()));
    server.stop().map(drop)
}

/// Whoever has recorded a command on the network sends it once more, after the restart that it caused and after a crash.
#[test]
fn a_recorded_command_is_not_obeyed_by_the_next_run() -> Result<()> {
    let _turn = Turn::shared()?;
    let mut server = Server::pattern()?;
    let to = web(&server, 0)?;
    let reboot = Request::body(DEVICE, &tds("SystemReboot", "")).token(&Token::new(ADMIN)?);
    reboot.send(to)?.done()?;
    server.restarted()?;
    ensure!(reboot.send(to)?.fault()?.ends_with("ter:NotAuthorized"), "it reboots again");
    // Made before the restart, and not used.
    let held = Request::body(DEVICE, &tds("GetUsers", "")).token(&Token::aged(ADMIN, 120)?);
    held.send(to)?.done().context("a client with a slow clock")?;

    let server = server.killed_and_restarted()?;
    let to = web(&server, 0)?;
    ensure!(held.send(to)?.fault()?.ends_with("ter:NotAuthorized"), "it is obeyed after a crash");
    ensure!(reboot.send(to)?.fault()?.ends_with("ter:NotAuthorized"), "it reboots after a crash");
    device(to, &tds("GetUsers", ""))?.done()?;
    server.stop().map(drop)
}

/// What a soft default has forgotten.
fn furnish_again(to: SocketAddr) -> Result<()> {
    device(to, &tds("DeleteUsers", "<Username>anna</Username>"))?.done()?;
    furnish(to)
}

/// Without [host] in the configuration the machine is somebody else's.
#[test]
fn a_machine_that_is_not_ours_is_told_and_not_changed() -> Result<()> {
    let _turn = Turn::shared()?;
    let server = Server::with_config("[[camera]]\nid = \"cam\"\n")?;
    let to = web(&server, 0)?;
    device(to, &tds("GetHostname", ""))?.done()?;
    device(to, &tds("GetNetworkInterfaces", ""))?.done()?;
    for operation in [tds("SystemReboot", ""), tds("SetHostname", "<Name>door-7</Name>")] {
        let fault = device(to, &operation)?.fault()?;
        ensure!(fault == "env:Receiver/ter:ActionNotSupported", "{operation}: {fault}");
    }
    ensure!(server.engine().is_ok());
    server.stop().map(drop)
}

#[test]
fn each_camera_has_its_own_services_and_identity() -> Result<()> {
    let _turn = Turn::shared()?;
    let config = "[host]\nsimulate = true\n[[camera]]\nid = \"door\"\nname = \"Door\"\n[[camera]]\nid = \"yard\"\nname = \"Yard\"\n\
                  [camera.audio]\nenabled = false\n[camera.http]\nlisten = \"127.0.0.1:0\"\n";
    let mut server = Server::start(&Options { config: Some(config.into()), ..Options::default() })?;
    let (door, yard) = (web(&server, 0)?, web(&server, 1)?);
    ensure!(door != yard && server.http()? == format!("http://{door}"));
    let (first, second) = (identity(door)?, identity(yard)?);
    for (one, other) in first.iter().zip(&second) {
        ensure!(one != other, "both are {one:?}");
    }
    for (to, camera) in [(door, "door"), (yard, "yard")] {
        let body = format!(
            "<GetStreamUri xmlns=\"{TRT}\"><StreamSetup><Stream xmlns=\"http://www.onvif.org/ver10/schema\">RTP-Unicast</Stream>\
             <Transport xmlns=\"http://www.onvif.org/ver10/schema\"><Protocol>RTSP</Protocol></Transport></StreamSetup>\
             <ProfileToken>standard</ProfileToken></GetStreamUri>"
        );
        let uri = ask_as(ADMIN, to, MEDIA, &body)?.done()?.texts("Uri")?;
        ensure!(uri == [format!("{}/{camera}/p/standard", server.rtsp()?)], "{uri:?}");
        let mut viewer = Client::connect(&server.path(&format!("/{camera}/p/standard"))?)?;
        let tracks = viewer.start(Transport::Tcp)?;
        ensure!(tracks.len() == if camera == "door" { 2 } else { 1 }, "{camera}: {} tracks", tracks.len());
    }
    // The first camera's listener is the server's and shows all; the second's shows its own.
    let status = |to, path: &str| soap::get(to, path, None).map(|answer| answer.status);
    ensure!(status(door, "/snapshot/yard/standard")? == 401);
    ensure!(status(yard, "/snapshot/yard/standard")? == 401);
    let page = |to| soap::get(to, "/", None)?.done().map(|answer| answer.text());
    ensure!(page(door)?.contains("Yard") && page(yard)?.contains("Yard") && !page(yard)?.contains("Door"));
    // The page tells addresses at the host that was asked for.
    let mut stream = TcpStream::connect(door)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: camera.example:8080\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let port = server.rtsp()?.rsplit(':').next().context("no port")?.to_owned();
    ensure!(page.contains(&format!("rtsp://camera.example:{port}/door/hi-def")), "{page}");
    // A restart leaves every port as it is.
    device(yard, &tds("SystemReboot", ""))?.done()?;
    server.restarted()?;
    ensure!((web(&server, 0)?, web(&server, 1)?) == (door, yard), "{}", server.ready());
    ensure!(identity(yard)? == second);
    server.stop().map(drop)
}
