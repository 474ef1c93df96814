use super::*;
use crate::auth::{Level, NewUser, UserChange};

fn schema(store: &Store) -> Vec<(String, Option<String>)> {
    store
        .read(|db| {
            db.prepare("SELECT name, sql FROM sqlite_master ORDER BY name")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, rusqlite::Error>>()
        })
        .unwrap()
}

/// Whatever version a database stops at, opening it brings it to the same schema as a fresh one.
#[test]
fn an_upgraded_database_equals_a_fresh_one() {
    let dir = tempfile::tempdir().unwrap();
    let fresh = schema(&Store::open(&dir.path().join("fresh.db"), MIGRATIONS).unwrap());
    assert!(fresh.len() >= 2);
    for version in 0..MIGRATIONS.len() {
        let path = dir.path().join(format!("{version}.db"));
        drop(Store::open(&path, &MIGRATIONS[..version]).unwrap());
        assert_eq!(schema(&Store::open(&path, MIGRATIONS).unwrap()), fresh, "from version {version}");
    }
}

#[test]
fn users_and_realm_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/state");
    let state = State::open(&path, Purpose::Serve).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let realm = state.users().realm().to_owned();
    assert!(matches!(state.first_start(Some("chosen".into()), None), Ok(FirstAdmin::Chosen)));
    drop(state);
    let state = State::open(&path, Purpose::Serve).unwrap();
    assert_eq!(state.users().realm(), realm);
    assert_eq!(state.users().list()[0].name, ADMIN);
}

#[test]
fn a_made_up_password_stands_in_its_file_until_it_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), Purpose::Serve).unwrap();
    let file = state.first_password_file();
    let FirstAdmin::MadeUp(password) = state.first_start(None, None).unwrap() else { panic!("not made up") };
    assert_eq!(fs::read_to_string(&file).unwrap().trim_end(), password.reveal());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let other = NewUser { name: "anna".into(), password: "a".into(), level: Level::User };
    state.users().create(&[other]).unwrap();
    let set =
        |name: &str| state.users().set(&[UserChange { name: name.into(), password: Some("b".into()), level: None }]);
    set("anna").unwrap();
    assert!(file.exists(), "somebody else's password");
    set(ADMIN).unwrap();
    assert!(!file.exists());
}

#[test]
fn somebody_at_the_terminal_is_shown_the_password_and_no_file_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), Purpose::Serve).unwrap();
    let mut shown = None;
    let mut show = |password: &Redacted<String>| {
        shown = Some(password.reveal().clone());
        Ok(())
    };
    let FirstAdmin::MadeUp(password) = state.first_start(None, Some(&mut show)).unwrap() else { panic!("not made up") };
    assert_eq!(shown.as_ref(), Some(password.reveal()));
    assert!(!state.first_password_file().exists());
}

#[test]
fn one_server_at_a_time_and_tools_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = State::open(dir.path(), Purpose::Serve).unwrap();
    let second = State::open(dir.path(), Purpose::Serve).unwrap_err();
    assert!(second.to_string().contains("another server is running"), "{second}");
    let tool = State::open(dir.path(), Purpose::Tool).unwrap();
    tool.first_start(Some("chosen".into()), None).unwrap();
    assert!(server.users().refresh().unwrap());
    assert_eq!(server.users().list().len(), 1);
    drop(server);
    State::open(dir.path(), Purpose::Serve).unwrap();
}

#[test]
fn a_lost_device_key_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), Purpose::Tool).unwrap();
    state.first_start(Some("chosen".into()), None).unwrap();
    drop(state);
    fs::remove_file(dir.path().join("device.key")).unwrap();
    let error = State::open(dir.path(), Purpose::Tool).unwrap_err();
    assert!(matches!(error, StateError::KeyLost(_)), "{error}");
    assert!(!dir.path().join("device.key").exists());
}

#[test]
fn no_secret_lies_open_in_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), Purpose::Serve).unwrap();
    state.first_start(Some("a-rather-long-secret".into()), None).unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(20).any(|window| window == b"a-rather-long-secret"), "{}", path.display());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
}

/// What a run leaves to the next goes through the database, by an orderly end and by none.
#[test]
fn used_tokens_outlive_the_process() {
    use crate::{
        auth::{Gate, GuessLimits, TokenClaim},
        base::clock::{MonoTime, UtcTime},
    };
    let dir = tempfile::tempdir().unwrap();
    let utc = |seconds: u64| UtcTime::from_nanos((1_800_000_000 + seconds) * 1_000_000_000);
    let send = |gate: &Gate, created: u64, now: u64| {
        let matches = |given: &str| given == "chosen";
        let text = created.to_string();
        let claim =
            TokenClaim { user: ADMIN, nonce: b"1", created: &text, created_at: Some(utc(created)), matches: &matches };
        gate.check_token(&claim, [192, 0, 2, 9].into(), utc(now), MonoTime::from_nanos(1)).is_ok()
    };
    let run = |now: u64| {
        let state = State::open(dir.path(), Purpose::Serve).unwrap();
        state.first_start(Some("chosen".into()), None).unwrap();
        let gate = Gate::new(Arc::clone(state.users()), GuessLimits::default()).unwrap();
        (gate.remembering(state.tokens(), utc(now)).unwrap(), state)
    };
    let first = run(0);
    assert!(send(&first.0, 10, 10));
    first.0.keep_tokens(utc(10));
    drop(first);
    let second = run(11);
    assert!(!send(&second.0, 10, 11) && send(&second.0, 9, 11) && send(&second.0, 11, 11));
    drop(second);
    let third = run(12);
    assert!(!send(&third.0, 11, 12) && !send(&third.0, 10, 12) && send(&third.0, 13, 13));
}
