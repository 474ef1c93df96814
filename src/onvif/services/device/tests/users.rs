use super::*;

fn user(name: &str, password: &str, level: &str) -> String {
    let password = if password.is_empty() { String::new() } else { format!("<tt:Password>{password}</tt:Password>") };
    format!("<tds:User><tt:Username>{name}</tt:Username>{password}<tt:UserLevel>{level}</tt:UserLevel></tds:User>")
}

fn delete(names: &[&str]) -> String {
    let names: String = names.iter().map(|name| format!("<tds:Username>{name}</tds:Username>")).collect();
    format!("<tds:DeleteUsers>{names}</tds:DeleteUsers>")
}

async fn everybody(scene: &Scene) -> String {
    let answer = told(scene, "<tds:GetUsers/>").await;
    assert!(answer.elements().all(|user| outline(user) == "User(Username UserLevel)"), "no passwords are told");
    let (names, levels) = (at(&answer, "User/Username"), at(&answer, "User/UserLevel"));
    names.iter().zip(levels).map(|(name, level)| format!("{name}={level}")).collect::<Vec<_>>().join(" ")
}

const FIRST: &str = "admin=Administrator operator=Operator user=User";

#[tokio::test]
async fn users_come_and_go() {
    // DEVICE-4-1-4, DEVICE-4-1-7, DEVICE-4-1-9
    let scene = Scene::new();
    assert_eq!(everybody(&scene).await, FIRST);
    let two = user("anna", "anna", "Operator") + &user("bert", "bert", "User");
    told(&scene, &format!("<tds:CreateUsers>{two}</tds:CreateUsers>")).await;
    assert_eq!(everybody(&scene).await, format!("admin=Administrator anna=Operator bert=User {}", &FIRST[20..]));
    // The password of each is its name, so signing in as anna proves that hers was set.
    assert_eq!(refused(&scene, Some("anna"), "<tds:GetUsers/>").await, "400 Sender/NotAuthorized");
    let body = format!("<tds:SetUser>{}</tds:SetUser>", user("anna", "anna", "Administrator"));
    told(&scene, &body).await;
    assert_eq!(ask(&scene, Some("anna"), "<tds:GetUsers/>").await.0, 200);
    told(&scene, &format!("<tds:SetUser>{}</tds:SetUser>", user("bert", "other", "User"))).await;
    assert_eq!(refused(&scene, Some("bert"), "<tds:GetScopes/>").await, "400 Sender/NotAuthorized");
    told(&scene, &delete(&["anna", "bert"])).await;
    assert_eq!(everybody(&scene).await, FIRST);
}

#[tokio::test]
async fn a_batch_that_fails_changes_nobody() {
    // X6, DEVICE-4-1-3, DEVICE-4-1-5, DEVICE-4-1-6, DEVICE-4-1-8
    let scene = Scene::new();
    let long = "x".repeat(65);
    let good = user("anna", "anna", "User");
    for (second, on_create, on_set) in [
        (user("user", "x", "User"), "OperationProhibited/UsernameClash", None),
        (user("be:rt", "x", "User"), "InvalidArgVal", None),
        (user("bert", "", "User"), "OperationProhibited/Password", Some("OperationProhibited/PasswordTooWeak")),
        (user("bert", "a\tb", "User"), "OperationProhibited/Password", Some("OperationProhibited/PasswordTooWeak")),
        (
            user("bert", &long, "User"),
            "OperationProhibited/PasswordTooLong",
            Some("OperationProhibited/PasswordTooLong"),
        ),
        (user(&long, "x", "User"), "OperationProhibited/UsernameTooLong", None),
        (user("", "x", "User"), "OperationProhibited/UsernameTooShort", None),
        (
            user("bert", "x", "Anonymous"),
            "OperationProhibited/AnonymousNotAllowed",
            Some("OperationProhibited/AnonymousNotAllowed"),
        ),
        (user("bert", "x", "Extended"), "InvalidArgVal", Some("InvalidArgVal")),
        ("<tds:User/>".to_owned(), "InvalidArgs", Some("InvalidArgs")),
    ] {
        let body = format!("<tds:CreateUsers>{good}{second}</tds:CreateUsers>");
        assert_eq!(refused(&scene, ADMIN, &body).await, format!("400 Sender/{on_create}"), "{second}");
        if let Some(expected) = on_set {
            let body = format!("<tds:SetUser>{}{second}</tds:SetUser>", user("user", "user", "Operator"));
            assert_eq!(refused(&scene, ADMIN, &body).await, format!("400 Sender/{expected}"), "{second}");
        }
    }
    for (body, expected) in [
        (format!("<tds:SetUser>{}{good}</tds:SetUser>", user("user", "user", "Operator")), "UsernameMissing"),
        (format!("<tds:SetUser>{}</tds:SetUser>", user("admin", "admin", "User")), "FixedUser"),
        (delete(&["user", "nobody"]), "UsernameMissing"),
        (delete(&["user", "admin"]), "FixedUser"),
    ] {
        assert_eq!(refused(&scene, ADMIN, &body).await, format!("400 Sender/InvalidArgVal/{expected}"), "{body}");
    }
    let many: String = (0..62).map(|n| user(&format!("u{n}"), "x", "User")).collect();
    let body = format!("<tds:CreateUsers>{many}</tds:CreateUsers>");
    assert_eq!(refused(&scene, ADMIN, &body).await, "500 Receiver/Action/TooManyUsers");
    assert_eq!(everybody(&scene).await, FIRST);
}
