use std::os::unix::fs::PermissionsExt as _;

use super::*;

const ALL: &[Migration] = &[CREATE_SETTINGS, CREATE_USERS];

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("belvedere.db")
    }

    fn open(&self) -> Store {
        Store::open(&self.path(), ALL).unwrap()
    }

    fn refusal(&self) -> StoreError {
        Store::open(&self.path(), ALL).unwrap_err()
    }
}

#[test]
fn settings_last_and_keep_their_type() {
    let place = Place::new();
    let store = place.open();
    store.write(|tx| put_setting(tx, "camera.cam.name", "Gate")).unwrap();
    store.write(|tx| put_setting(tx, "camera.cam.name", "Front gate")).unwrap();
    store.write(|tx| put_setting(tx, "auth.realm", "belvedere-1")).unwrap();
    drop(store);
    let store = place.open();
    store
        .read(|db| {
            assert_eq!(get_setting::<String>(db, "camera.cam.name")?.as_deref(), Some("Front gate"));
            assert_eq!(get_setting::<u32>(db, "none")?, None);
            assert_eq!(settings_under(db, "camera.")?, ["camera.cam.name"]);
            let error = get_setting::<u32>(db, "auth.realm").unwrap_err();
            assert!(error.to_string().starts_with("setting \"auth.realm\": invalid type"), "{error}");
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert!(store.write(|tx| remove_setting(tx, "auth.realm")).unwrap());
    assert!(!store.write(|tx| remove_setting(tx, "auth.realm")).unwrap());
}

#[test]
fn a_failed_write_leaves_no_trace() {
    let place = Place::new();
    let store = place.open();
    let row = |name: &str| UserRow { name: name.into(), level: "User".into(), sealed: vec![1] };
    store.write(|tx| replace_users(tx, &[row("anna")])).unwrap();
    let clash = store.write(|tx| replace_users(tx, &[row("bob"), row("bob")]));
    assert!(matches!(clash, Err(StoreError::Sql(_))));
    assert_eq!(store.read(all_users).unwrap(), [row("anna")]);
}

#[test]
fn the_files_are_private() {
    let place = Place::new();
    fs::write(place.path(), "").unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let store = place.open();
    store.write(|tx| put_setting(tx, "k", "v")).unwrap();
    for entry in fs::read_dir(place.0.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

#[test]
fn writes_are_durable_and_references_kept() {
    let place = Place::new();
    let pragma = |name| place.open().read(|db| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0))).unwrap();
    assert_eq!(pragma("synchronous"), 2, "FULL");
    assert_eq!(pragma("foreign_keys"), 1);
    let mode: String = place.open().read(|db| db.pragma_query_value(None, "journal_mode", |row| row.get(0))).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn two_processes_may_write() {
    let place = Place::new();
    let (a, b) = (place.open(), place.open());
    a.write(|tx| put_setting(tx, "a", &1)).unwrap();
    b.write(|tx| put_setting(tx, "b", &2)).unwrap();
    assert_eq!(a.read(|db| settings_under(db, "")).unwrap(), ["a", "b"]);
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let place = Place::new();
    place.open().read(|db| db.pragma_update(None, "user_version", 9)).unwrap();
    let error = place.refusal().to_string();
    assert!(error.contains("belvedere.db") && error.contains("version 9") && error.contains("up to 2"), "{error}");
}

#[test]
fn damaged_and_foreign_files_are_named() {
    let place = Place::new();
    fs::write(place.path(), "this is no database, only a text of some length that nobody can mistake for one\n")
        .unwrap();
    let error = place.refusal();
    assert!(matches!(error, StoreError::Damaged { .. }) && error.to_string().contains("belvedere.db"), "{error}");

    let place = Place::new();
    Connection::open(place.path()).unwrap().execute_batch("CREATE TABLE other (x)").unwrap();
    assert!(matches!(place.refusal(), StoreError::Foreign(_)));

    let place = Place::new();
    place.open().write(|tx| put_setting(tx, "k", "v")).unwrap();
    let mut bytes = fs::read(place.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle - 2048..middle + 2048].fill(0xa5);
    fs::write(place.path(), bytes).unwrap();
    let error = place.refusal();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn a_failed_migration_leaves_the_file_as_it_was() {
    let place = Place::new();
    drop(place.open());
    let bad = Migration { name: "add a column", sql: "CREATE TABLE half (x); SELECT nonsense" };
    let error = Store::open(&place.path(), &[CREATE_SETTINGS, CREATE_USERS, bad]).unwrap_err();
    assert!(error.to_string().contains("cannot add a column"), "{error}");
    let tables: Vec<String> = place
        .open()
        .read(|db| {
            db.prepare("SELECT name FROM sqlite_master ORDER BY name")?
                .query_map([], |r| r.get(0))?
                .collect::<Result<_, rusqlite::Error>>()
        })
        .unwrap();
    assert_eq!(tables, ["settings", "users"]);
}
