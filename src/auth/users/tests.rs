use super::*;

fn new(name: &str, level: Level) -> NewUser {
    NewUser { name: name.into(), password: "secret".into(), level }
}

/// A device with one administrator and one viewer.
fn users() -> Users {
    let users = Users::open(Box::new(InMemory::default()), DeviceKey::from_bytes([1; 32])).unwrap();
    users.create(&[new("admin", Level::Administrator), new("anna", Level::User)]).unwrap();
    users
}

fn names(users: &Users) -> Vec<String> {
    users.list().into_iter().map(|user| user.name).collect()
}

#[test]
fn a_batch_with_one_mistake_changes_nothing() {
    let users = users();
    let clash = users.create(&[new("bob", Level::User), new("anna", Level::User)]);
    assert!(matches!(clash, Err(UsersError::Clash(name)) if name == "anna"));
    let twice = users.create(&[new("bob", Level::User), new("bob", Level::User)]);
    assert!(matches!(twice, Err(UsersError::Clash(_))));
    assert!(matches!(users.delete(&["anna", "nobody"]), Err(UsersError::Missing(name)) if name == "nobody"));
    let change = |name: &str| UserChange { name: name.into(), password: None, level: Some(Level::Operator) };
    assert!(matches!(users.set(&[change("anna"), change("nobody")]), Err(UsersError::Missing(_))));
    assert_eq!(names(&users), ["admin", "anna"]);
    assert_eq!(users.find("anna").unwrap().level, Level::User);
}

#[test]
fn the_last_administrator_stays() {
    let users = users();
    assert!(matches!(users.delete(&["admin"]), Err(UsersError::LastAdministrator)));
    assert!(matches!(users.delete(&["anna", "admin"]), Err(UsersError::LastAdministrator)));
    let demote = UserChange { name: "admin".into(), password: None, level: Some(Level::User) };
    assert!(matches!(users.set(std::slice::from_ref(&demote)), Err(UsersError::LastAdministrator)));
    users.create(&[new("boss", Level::Administrator)]).unwrap();
    users.set(&[demote]).unwrap();
    assert_eq!(users.find("admin").unwrap().level, Level::User);
}

#[test]
fn a_new_password_changes_the_ha1_forms_at_once() {
    let users = users();
    let before = users.find("anna").unwrap().ha1;
    users.set(&[UserChange { name: "anna".into(), password: Some("other".into()), level: None }]).unwrap();
    let after = users.find("anna").unwrap().ha1;
    assert_ne!(before, after);
    assert_eq!(after, Ha1::derive("anna", users.realm(), "other"));
}

#[test]
fn names_and_passwords_have_rules() {
    let users = users();
    for name in ["", "a:b", "a\"b", "a\\b", "~engine", " a", "a\n", &"x".repeat(33)] {
        let result = users.create(&[new(name, Level::User)]);
        assert!(matches!(result, Err(UsersError::BadName(_))), "{name:?}");
    }
    for password in ["", "a\nb", &"x".repeat(65)] {
        let bad = NewUser { password: password.into(), ..new("bob", Level::User) };
        assert!(matches!(users.create(&[bad]), Err(UsersError::BadPassword(_))));
    }
    users.create(&[new("Zoë Müller", Level::User), new(&"x".repeat(32), Level::User)]).unwrap();
}

#[test]
fn there_is_a_limit_to_users() {
    let users = users();
    let many: Vec<_> = (0..MAX_USERS - 1).map(|i| new(&format!("u{i}"), Level::User)).collect();
    assert!(matches!(users.create(&many), Err(UsersError::TooMany)));
    users.create(&many[1..]).unwrap();
    assert_eq!(users.list().len(), MAX_USERS);
}

#[test]
fn another_process_is_heard_after_a_refresh() {
    #[derive(Clone, Default)]
    struct Shared(Arc<InMemory>);
    impl UserStore for Shared {
        fn realm(&self, first: &str) -> Result<String, StoreError> {
            self.0.realm(first)
        }
        fn load(&self) -> Result<Vec<SealedUser>, StoreError> {
            self.0.load()
        }
        fn update(&self, change: &mut Change<'_>) -> Result<Vec<SealedUser>, UsersError> {
            self.0.update(change)
        }
    }
    let store = Shared::default();
    let open = || Users::open(Box::new(store.clone()), DeviceKey::from_bytes([1; 32])).unwrap();
    let (server, tool) = (open(), open());
    assert_eq!(server.realm(), tool.realm(), "the realm is fixed by whoever comes first");
    tool.create(&[new("admin", Level::Administrator)]).unwrap();
    server.create(&[new("anna", Level::User)]).unwrap();
    assert_eq!(names(&server), ["admin", "anna"], "a change builds on what the other wrote");
    assert!(tool.refresh().unwrap());
    assert!(!tool.refresh().unwrap());
    assert_eq!(names(&tool), ["admin", "anna"]);
}

#[test]
fn a_foreign_device_key_is_named_as_the_cause() {
    let store = InMemory::default();
    let row = SealedUser { name: "admin".into(), level: Level::Administrator, sealed: vec![0; 40] };
    store.update(&mut |_| Ok(vec![row.clone()])).unwrap();
    let error = Users::open(Box::new(store), DeviceKey::from_bytes([1; 32])).unwrap_err();
    assert!(error.to_string().contains("does not open with this device key"), "{error}");
}

#[test]
fn the_hook_hears_of_passwords_and_deletions_only() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = heard.clone();
    let users = users().on_password_change(move |name| log.lock().unwrap().push(name.to_owned()));
    let change = UserChange { name: "anna".into(), password: None, level: Some(Level::Operator) };
    users.set(std::slice::from_ref(&change)).unwrap();
    assert!(heard.lock().unwrap().is_empty());
    users.set(&[UserChange { password: Some("other".into()), ..change }]).unwrap();
    users.delete(&["anna"]).unwrap();
    assert_eq!(*heard.lock().unwrap(), ["anna", "anna"]);
}

/// A store whose disk takes its time: a write goes on when it is told to.
struct Slow(InMemory, std::sync::mpsc::SyncSender<()>, Mutex<std::sync::mpsc::Receiver<()>>);

impl UserStore for Slow {
    fn realm(&self, first: &str) -> Result<String, StoreError> {
        self.0.realm(first)
    }
    fn load(&self) -> Result<Vec<SealedUser>, StoreError> {
        self.0.load()
    }
    fn update(&self, change: &mut Change<'_>) -> Result<Vec<SealedUser>, UsersError> {
        let stored = self.0.update(change)?;
        self.1.send(()).unwrap();
        self.2.lock().unwrap().recv().unwrap();
        Ok(stored)
    }
}

/// Checks run on the workers of the whole server, which one slow disk must not stop.
#[test]
fn nobody_who_reads_waits_for_a_writers_disk() {
    use std::{sync::mpsc, thread, time::Duration};
    let (writing, is_writing) = mpsc::sync_channel(0);
    let (go_on, may_go_on) = mpsc::sync_channel(1);
    let memory = InMemory::default();
    let key = || DeviceKey::from_bytes([1; 32]);
    let sealed = key().seal("anna", "secret").unwrap();
    memory
        .update(&mut |_| Ok(vec![SealedUser { name: "anna".into(), level: Level::User, sealed: sealed.clone() }]))
        .unwrap();
    let users = Arc::new(Users::open(Box::new(Slow(memory, writing, Mutex::new(may_go_on))), key()).unwrap());
    let writer = {
        let users = users.clone();
        thread::spawn(move || users.create(&[new("bob", Level::User)]))
    };
    is_writing.recv().unwrap();
    let (read, was_read) = mpsc::channel();
    let reader = users.clone();
    let reader = thread::spawn(move || {
        let password = reader.find("anna").and_then(|account| reader.password(&account)).unwrap();
        read.send((names(&reader), password.reveal().clone())).unwrap();
    });
    let seen = was_read.recv_timeout(Duration::from_secs(5));
    go_on.send(()).unwrap();
    writer.join().unwrap().unwrap();
    reader.join().unwrap();
    assert_eq!(seen, Ok((vec!["anna".to_owned()], "secret".to_owned())), "as it was before the write");
    assert_eq!(names(&users), ["anna", "bob"]);
}
