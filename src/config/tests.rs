use super::*;
use crate::camera::SourceKind;

const SAMPLE: &str = include_str!("../../examples/config/belvedere.toml");

/// Checks a text and returns its mistakes as lines.
fn mistakes(text: &str) -> Vec<String> {
    match check(text, Path::new("/nowhere")) {
        Ok(_) => Vec::new(),
        Err(Mistakes(list)) => list.iter().map(Mistake::to_string).collect(),
    }
}

fn camera(lines: &str) -> Result<CameraConfig, Mistakes> {
    let text = format!("[[camera]]\nid = \"gate\"\n{lines}");
    check(&text, Path::new("/nowhere")).map(|mut checked| checked.cameras.remove(0))
}

#[test]
fn the_sample_states_the_defaults() {
    let sample = check(SAMPLE, Path::new("")).unwrap();
    let empty = check("", Path::new("")).unwrap();
    let default = Checked::default();
    assert_eq!(format!("{sample:#?}"), format!("{default:#?}"));
    assert_eq!(format!("{empty:#?}"), format!("{default:#?}"));
}

/// Every key that the code asks for stands in the sample, in force or as a comment, and every commented one is legal.
#[test]
fn the_sample_documents_every_key() {
    let (_, asked) = examine(SAMPLE, Path::new(""));
    assert!(asked.len() > 40, "{asked:?}");
    for path in asked {
        let key = path.rsplit('.').next().unwrap();
        let written = SAMPLE.lines().map(|line| line.trim_start_matches("# ")).any(|line| {
            line.starts_with(&format!("{key} = ")) || line.trim_matches(['[', ']']).split('.').any(|part| part == key)
        });
        assert!(written, "{path} is not in the sample");
    }
    let engine = std::env::current_exe().unwrap();
    let shown: String = SAMPLE
        .replace("/usr/libexec/belvedere-engine", engine.to_str().unwrap())
        .replace("source = \"pattern\"", "source = \"rtsp://192.0.2.10/stream1\"")
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line).to_owned() + "\n")
        .collect();
    let checked = check(&shown, Path::new("")).unwrap();
    assert_eq!(checked.server.advertised_host.as_deref(), Some("camera.example.org"));
    assert!(matches!(&checked.cameras[0].source, Source::Rtsp { second: Some(_), .. }));
}

#[test]
fn all_mistakes_are_reported_with_their_paths() {
    let text = r#"
        surprise = 1
        [server]
        http = "localhost:80"
        rtsps = "8322"
        [limits]
        sessions = 0
        linger = "long"
        [[camera]]
        id = "Front Gate"
        [camera.definitions.hi-def]
        width = 1279
        codec = "av1"
        color = "red"
        [[camera]]
        id = "gate"
        source = "v4l2:/dev/video0"
        audio = 5
        [[camera]]
        id = "gate"
        name = ""
        [camera.audio]
        sample-rate = 11025
    "#;
    let listen = "must be a port or an IP address with a port, such as 8080, 127.0.0.1:8080 or [::]:8080";
    assert_eq!(
        mistakes(text),
        [
            &format!("server.http: {listen}"),
            "server.rtsps: not yet supported: there is no TLS in this version",
            "limits.sessions: must be a whole number from 1 to 100000",
            "limits.linger: must be a whole number from 0 to 3600",
            "camera[0].id: must be 1 to 32 lower-case letters, digits and hyphens",
            "camera[0].definitions.hi-def.codec: must be \"h264\" or \"h265\"",
            "camera[0].definitions.hi-def.width: must be even",
            "camera[0].definitions.hi-def.color: unknown key (known here: codec, width, height, frame-rate, bitrate, gop)",
            "camera[1].source: a V4L2 device is not yet supported as a source",
            "camera[1].audio: must be a table",
            "camera[2].name: must be 1 to 64 bytes without control characters",
            "camera[2].audio.sample-rate: must be 8000, 16000, 32000, 44100 or 48000",
            "camera[2].id: another camera has the same id",
            "surprise: unknown key (known here: server, limits, camera, engine, host)",
        ]
    );
}

#[test]
fn sources_are_read_for_what_they_are() {
    assert_eq!(camera("").unwrap().source, Source::Pattern);
    assert_eq!(camera("source = \"pattern\"").unwrap().settings.source, SourceKind::Captured);

    let upstream =
        camera("source = \"rtsp://anna:s%40cret@192.0.2.5/main\"\nsecond = \"rtsp://192.0.2.5/sub\"").unwrap();
    assert_eq!(upstream.settings.source, SourceKind::Encoded { second: true, transcode: false });
    let Source::Rtsp { main, second: Some(second) } = upstream.source else { panic!("not an upstream camera") };
    assert_eq!(main.reveal().password(), Some("s%40cret"));
    assert_eq!(second.to_string(), "rtsp://192.0.2.5/sub");

    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.mp4"), "").unwrap();
    let text = "[[camera]]\nid = \"gate\"\nsource = \"file:a.mp4\"";
    let looped = check(text, dir.path()).unwrap().cameras.remove(0);
    assert_eq!(looped.source, Source::File(dir.path().join("a.mp4")));
    assert_eq!(looped.settings.source, SourceKind::Encoded { second: false, transcode: true });

    for (lines, reason) in [
        ("source = \"file:none.mp4\"", "source: there is no such file"),
        ("source = \"libcamera\"", "source: libcamera is not yet supported as a source"),
        ("source = \"rtsps://h/p\"", "source: RTSP over TLS is not yet supported as a source"),
        ("source = \"http://h/p\"", "source: must be \"pattern\", \"file:PATH\" or \"rtsp://…\""),
        ("second = \"rtsp://h/p\"", "second: goes with an rtsp:// source only"),
        ("transcode = true", "transcode: goes with a file: or rtsp:// source only"),
    ] {
        assert_eq!(camera(lines).unwrap_err().to_string(), format!("camera[0].{reason}"));
    }
}

#[test]
fn h264_stays_somewhere_and_ids_are_no_definitions() {
    let all = "[camera.definitions]\nultra-hd.codec = \"h265\"\nhi-def.codec = \"h265\"\nstandard.codec = \"h265\"";
    assert!(camera(all).unwrap_err().to_string().starts_with("camera[0].definitions.standard.codec: one definition"));
    assert!(camera(&all[..all.rfind('\n').unwrap()]).is_ok());
    assert!(
        mistakes("[[camera]]\nid = \"hi-def\"")[0].starts_with("camera[0].id: must not be the name of a definition")
    );
    assert_eq!(mistakes("[[camera]]\nname = \"x\""), ["camera[0].id: is missing"]);
}

#[test]
fn listeners_can_be_moved_and_switched_off() {
    let server =
        check("[server]\nhttp = \"\"\nrtsp = \"127.0.0.1:0\"\nstate = \"here\"", Path::new("/etc")).unwrap().server;
    assert_eq!(server.http, None);
    assert_eq!(server.rtsp.unwrap().to_string(), "127.0.0.1:0");
    assert_eq!(server.state, Some(PathBuf::from("/etc/here")));
    assert!(
        mistakes("[server]\nadvertised-host = \"a b\"")[0].starts_with("server.advertised-host: must be a host name")
    );
    assert!(check("[server]\nadvertised-host = \"[2001:db8::1]\"", Path::new("")).is_ok());
}

#[test]
fn no_mistake_repeats_a_secret() {
    for text in [
        "[[camera]]\nid = \"gate\"\nsource = \"rtsp://anna:hunter2@/p\"",
        "[[camera]]\nid = \"gate\"\nsource = \"rtsp://anna:hun/hunter2@h:x/p\"\nsecond = 5",
        "[[camera]]\nid = \"gate\"\nsource = \"ftp://anna:hunter2@h/p\"",
        "[[camera]]\nid = \"gate\"\nsource = [\"rtsp://anna:hunter2@h/p\"]",
        "[[camera]]\nid = \"gate\"\nsource = \"rtsp://anna:hunter2@h/p",
        "[[camera]]\nid = \"gate\"\nsource = rtsp://anna:hunter2@h/p",
        "[[camera]]\nid = \"gate\"\nsource \"rtsp://anna:hunter2@h/p\"",
        "[[camera]]\nid = \"gate\"\nsource = 'rtsp://anna:hunter2@h/p' x",
        "[[camera]]\nid = \"gate\"\nsource = \"rtsp://anna:hunter2\\q@h/p\"",
        "[[camera]]\nid = \"gate\"\n\"rtsp://anna:hunter2@h/p\" = 1",
        "[[camera]]\nid = \"gate\"\n\"rtsp://anna:hunter2@h/p\" = 1\n\"rtsp://anna:hunter2@h/p\" = 2",
        "[[camera]]\nid = \"hunter2!\"\nname = \"hunter2\\u0007\"\n[server]\nhttp = \"hunter2\"\nadvertised-host = \"hunter2 \"",
        "hunter2",
        "hunter2 = hunter2",
        "hunter2.hunter2 = 1\nhunter2 = 3",
    ] {
        let found = check(text, Path::new("/nowhere")).unwrap_err();
        let shown = format!("{found} {found:?}");
        let named = text.starts_with("hunter2.") || text.starts_with("hunter2 =");
        assert!(named || !shown.contains("hunter2"), "{shown}");
    }
    let sound = check("[[camera]]\nid = \"gate\"\nsource = \"rtsp://anna:hunter2@h/p\"", Path::new("")).unwrap();
    assert!(!format!("{sound:?}").contains("hunter2") && !format!("{sound:?}").contains("anna"));
}

#[test]
fn a_syntax_error_tells_its_place() {
    let lines = mistakes("[server]\nhttp = \"8080\"\nrtsp = \n");
    assert!(lines[0].starts_with("line 3, column 8: "), "{lines:?}");
    assert!(!lines[0].ends_with("bad syntax"), "{lines:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let found = load(Path::new("/nowhere/belvedere.toml")).unwrap_err().to_string();
    assert!(found.starts_with("/nowhere/belvedere.toml: "), "{found}");
}

#[test]
fn keys_that_the_store_overrides_are_listed_by_their_path() {
    let checked = check("[[camera]]\nid = \"gate\"\n[[camera]]\nid = \"yard\"", Path::new("")).unwrap();
    let settings = ["auth.realm", "camera.gone.name", "camera.yard.definitions.hi-def", "camera.yard.name"];
    let found = overridden(&checked, &settings.map(str::to_owned));
    assert_eq!(found, ["camera[1].definitions.hi-def", "camera[1].name"]);
}

#[test]
fn a_pattern_that_the_engine_could_not_draw_is_a_mistake() {
    let sized = |source: &str, width: u32, height: u32| {
        let camera = format!("[[camera]]\nid = \"gate\"\nsource = \"{source}\"\n");
        mistakes(&format!("{camera}[camera.definitions.ultra-hd]\nwidth = {width}\nheight = {height}\n"))
    };
    let small = "camera[0].definitions.ultra-hd: must be 320x180 at least with the test pattern";
    assert_eq!(sized("pattern", 64, 64), [small]);
    assert_eq!(sized("pattern", 320, 178), [small]);
    assert_eq!(sized("pattern", 4000, 1000), ["camera[0].definitions.ultra-hd: is too flat for the test pattern"]);
    assert!(sized("pattern", 320, 180).is_empty());
    assert!(sized("rtsp://192.0.2.10/stream1", 64, 64).is_empty(), "there it is what the camera sends");
}

#[test]
fn the_machine_is_read_managed_or_simulated() {
    let machine = |text: &str| check(text, Path::new("/nowhere")).map(|checked| checked.machine);
    assert_eq!(machine("").unwrap(), Machine::Real);
    assert_eq!(machine("[host]\nmanage = true").unwrap(), Machine::Managed);
    assert_eq!(machine("[host]\nsimulate = true").unwrap(), Machine::Simulated);
    assert_eq!(
        machine("[host]\nsimulate = true\nmanage = true").unwrap_err().to_string(),
        "host.simulate: goes without manage: a simulated machine changes nothing"
    );
}

#[test]
fn further_cameras_have_a_web_listener_of_their_own() {
    let two = |first: &str, second: &str| {
        format!("[[camera]]\nid = \"a\"\n{first}\n[[camera]]\nid = \"b\"\n[camera.http]\nlisten = \"{second}\"")
    };
    let checked = check(&two("", "127.0.0.1:8081"), Path::new("/nowhere")).unwrap();
    assert_eq!(checked.cameras[1].http.unwrap().to_string(), "127.0.0.1:8081");
    assert_eq!(
        mistakes(&two("[camera.http]\nlisten = \"8081\"", "")),
        ["camera[0].http.listen: the first camera's web listener is server.http"]
    );
    assert!(mistakes(&two("", "door"))[0].starts_with("camera[1].http.listen: must be a port or an IP address"));
}
