//! Users (cases DEVICE-4-1-*).

use std::collections::BTreeSet;

use super::restart::put_owner_back;
use crate::{
    case::{
        Case,
        When::{Changes, Last, Reads},
        case,
    },
    feature::Feature,
    soap::{Call, Fault, Who},
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

const ONE: &str = "OnvifTest1";
const TWO: &str = "OnvifTest2";
const THREE: &str = "OnvifTest3";
const FOUR: &str = "OnvifTest4";
const FIVE: &str = "OnvifTest5";
/// The users that the cases make.
const OURS: [&str; 5] = [ONE, TWO, THREE, FOUR, FIVE];
const PASSWORD: &str = "OnvifTest123";
const OTHER_PASSWORD: &str = "OnvifTest321";

const MISSING: &str = "env:Sender/ter:InvalidArgVal/ter:UsernameMissing";
const CLASH: &str = "env:Sender/ter:OperationProhibited/ter:UsernameClash";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("DEVICE-4-1-1", Reads, get_users),
        case("DEVICE-4-1-3", Changes, create_users_that_are_there),
        case("DEVICE-4-1-4", Changes, delete_users),
        case("DEVICE-4-1-5", Changes, delete_users_that_are_not_there),
        case("DEVICE-4-1-6", Last, delete_all_users),
        case("DEVICE-4-1-7", Changes, set_user),
        case("DEVICE-4-1-8", Changes, set_users_that_are_not_there),
        case("DEVICE-4-1-9", Changes, create_users),
    ]
}

/// The names of all users.
pub(super) fn names(t: &mut Test<'_>) -> Outcome<BTreeSet<String>> {
    Ok(t.ask("<tds:GetUsers/>")?.all("User").map(|user| user.text_or_empty("Username").to_owned()).collect())
}

/// Tells which users are not there any more and cannot be made again.
pub(super) fn note_lost(t: &mut Test<'_>, before: &BTreeSet<String>) {
    // Some devices have no users to tell of.
    let Ok(now) = names(t) else { return };
    let lost: Vec<&str> = before.difference(&now).map(String::as_str).collect();
    if !lost.is_empty() {
        t.note(format!("users that are lost, for nobody knows their passwords: {}", lost.join(", ")));
    }
}

/// CreateUsers with name, password and level of each.
pub(super) fn create_request(users: &[(&str, &str, &str)]) -> String {
    with_users("CreateUsers", users)
}

fn with_users(operation: &str, users: &[(&str, &str, &str)]) -> String {
    let user = |(name, password, level): &(&str, &str, &str)| {
        format!(
            "<tds:User><tt:Username>{}</tt:Username><tt:Password>{}</tt:Password><tt:UserLevel>{level}</tt:UserLevel>\
             </tds:User>",
            escape(name),
            escape(password)
        )
    };
    format!("<tds:{operation}>{}</tds:{operation}>", users.iter().map(user).collect::<String>())
}

fn delete_request(names: &[&str]) -> String {
    let name = |name: &&str| format!("<tds:Username>{}</tds:Username>", escape(name));
    format!("<tds:DeleteUsers>{}</tds:DeleteUsers>", names.iter().map(name).collect::<String>())
}

/// Deletes the users of these cases now, in case that a run was broken off before, and again afterwards.
fn without_ours(t: &mut Test<'_>) -> Outcome {
    delete_ours(t)?;
    t.afterwards_do(delete_ours);
    Ok(())
}

fn delete_ours(t: &mut Test<'_>) -> Outcome {
    let names = names(t)?;
    let left: Vec<&str> = OURS.into_iter().filter(|own| names.contains(*own)).collect();
    if left.is_empty() { Ok(()) } else { t.ask(delete_request(&left)).map(drop) }
}

/// Makes users; `false` if the device has no place for more, which is no fault of it.
fn create(t: &mut Test<'_>, users: &[(&str, &str, &str)]) -> Outcome<bool> {
    match t.attempt(create_request(users))? {
        Ok(_) => Ok(true),
        Err(fault) if is_too_many(&fault) => {
            t.note(format!("the device has no place for more users: {fault}"));
            Ok(false)
        }
        Err(fault) => Err(t.failed("CreateUsersResponse", fault.to_string())),
    }
}

fn is_too_many(fault: &Fault) -> bool {
    fault.codes.iter().any(|code| code == "ter:TooManyUsers")
}

/// Demands the levels of these users; none for those that must not be there.
fn demand_levels(t: &mut Test<'_>, expected: &[(&str, Option<&str>)]) -> Outcome {
    let answer = t.ask("<tds:GetUsers/>")?;
    for (name, level) in expected {
        let user = answer.all("User").find(|user| user.text_or_empty("Username") == *name);
        t.same(&format!("{name} with level"), *level, user.map(|user| user.text_or_empty("UserLevel")))?;
    }
    Ok(())
}

/// Whether a user is let in with a password.
fn is_let_in(t: &mut Test<'_>, name: &str, password: &str) -> Outcome<bool> {
    let who = if t.has(Feature::HttpDigest) { Who::Digest } else { Who::Token };
    let call = Call::new("<tds:GetDeviceInformation/>").by(who(name.into(), password.into()));
    let answer = t.exchange(&call)?;
    Ok(answer.status == 200 && answer.fault().is_none())
}

/// Runs something with an administrator that is made for it; `None` if none can be made.
pub(super) fn with_administrator<T>(
    t: &mut Test<'_>,
    run: impl FnOnce(&mut Test<'_>, (&str, &str)) -> Outcome<T>,
) -> Outcome<Option<T>> {
    without_ours(t)?;
    if t.attempt(create_request(&[(ONE, PASSWORD, "Administrator")]))?.is_err() {
        return Ok(None);
    }
    run(t, (ONE, PASSWORD)).map(Some)
}

fn get_users(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetUsers tells name and level of each, and no password");
    for user in t.ask("<tds:GetUsers/>")?.all("User") {
        let name = user.text_or_empty("Username");
        t.demand(!name.is_empty(), "a Username", "none")?;
        t.some(user.at("UserLevel"), &format!("the UserLevel of {name}"))?;
        t.demand(user.at("Password").is_none(), "no Password", format!("a Password of {name}"))?;
    }
    Ok(())
}

fn create_users_that_are_there(t: &mut Test<'_>) -> Outcome {
    without_ours(t)?;
    t.step("4", "CreateUsers makes a user");
    if !create(t, &[(ONE, PASSWORD, "Operator")])? {
        return Ok(());
    }
    t.step("6", "GetUsers lists it");
    demand_levels(t, &[(ONE, Some("Operator"))])?;
    t.step("8", "it is not made a second time");
    t.refused(&Call::new(create_request(&[(ONE, PASSWORD, "User")])), &[CLASH])?;
    t.step("10", "nor together with another one");
    t.refused(&Call::new(create_request(&[(FOUR, PASSWORD, "Operator"), (ONE, PASSWORD, "User")])), &[CLASH])?;
    t.step("12", "GetUsers lists it as before, and the other one not at all");
    demand_levels(t, &[(ONE, Some("Operator")), (FOUR, None)])?;
    t.step("14", "DeleteUsers is answered");
    t.ask(delete_request(&[ONE])).map(drop)
}

fn delete_users(t: &mut Test<'_>) -> Outcome {
    without_ours(t)?;
    t.step("4", "CreateUsers makes three users");
    if !create(t, &[(ONE, PASSWORD, "Operator"), (TWO, PASSWORD, "Operator"), (THREE, PASSWORD, "User")])? {
        return Ok(());
    }
    t.step("6", "GetUsers lists them");
    demand_levels(t, &[(ONE, Some("Operator")), (TWO, Some("Operator")), (THREE, Some("User"))])?;
    t.step("8", "DeleteUsers deletes the first");
    t.ask(delete_request(&[ONE]))?;
    t.step("10", "GetUsers lists the two others");
    demand_levels(t, &[(ONE, None), (TWO, Some("Operator")), (THREE, Some("User"))])?;
    t.step("12", "DeleteUsers deletes two at once");
    t.ask(delete_request(&[TWO, THREE]))?;
    t.step("14", "GetUsers lists none of them");
    demand_levels(t, &[(ONE, None), (TWO, None), (THREE, None)])
}

fn delete_users_that_are_not_there(t: &mut Test<'_>) -> Outcome {
    without_ours(t)?;
    t.step("4", "CreateUsers makes a user");
    if !create(t, &[(ONE, PASSWORD, "Operator")])? {
        return Ok(());
    }
    t.step("6", "it is not deleted together with one that is not there");
    t.refused(&Call::new(delete_request(&[ONE, TWO])), &[MISSING])?;
    t.step("8", "GetUsers lists it");
    demand_levels(t, &[(ONE, Some("Operator"))])?;
    t.step("10", "DeleteUsers deletes it");
    t.ask(delete_request(&[ONE]))?;
    t.step("12", "GetUsers lists it no more");
    demand_levels(t, &[(ONE, None)])
}

fn delete_all_users(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetUsers lists the users");
    let before = names(t)?;
    if before.is_empty() {
        t.note("there are no users that could be deleted");
        return Ok(());
    }
    t.afterwards_do({
        let before = before.clone();
        move |t| {
            put_owner_back(t)?;
            note_lost(t, &before);
            Ok(())
        }
    });
    t.step("6", "DeleteUsers of all of them is answered, or refused for one that is fixed");
    let all: Vec<&str> = before.iter().map(String::as_str).collect();
    match t.attempt(delete_request(&all))? {
        Ok(_) => t.note("the device has deleted all its users"),
        Err(fault) => {
            let expected = "env:Sender/ter:InvalidArgVal/ter:FixedUser";
            t.demand(fault.codes.join("/") == expected, format!("a fault {expected}"), fault.to_string())?;
        }
    }
    Ok(())
}

fn set_user(t: &mut Test<'_>) -> Outcome {
    without_ours(t)?;
    t.step("4", "CreateUsers makes two users");
    if !create(t, &[(ONE, PASSWORD, "Operator"), (TWO, PASSWORD, "Operator")])? {
        // The text would now set the users of the factory, whose passwords could not be put back.
        return t.skip("the device has no place for more users, and those that it has are left alone");
    }
    t.step("6", "GetUsers lists them");
    demand_levels(t, &[(ONE, Some("Operator")), (TWO, Some("Operator"))])?;
    t.step("8", "SetUser gives the first another password");
    t.ask(with_users("SetUser", &[(ONE, OTHER_PASSWORD, "Operator")]))?;
    t.step("10", "GetUsers lists them as before, and the password is the new one");
    demand_levels(t, &[(ONE, Some("Operator")), (TWO, Some("Operator"))])?;
    demand_password(t, ONE, OTHER_PASSWORD, PASSWORD)?;
    t.step("12", "SetUser gives both another password, and the second another level");
    // The text sets Operator in step 11 and expects User in step 14; both hold only if it is User that is set.
    t.ask(with_users("SetUser", &[(ONE, PASSWORD, "Operator"), (TWO, OTHER_PASSWORD, "User")]))?;
    t.step("14", "GetUsers and the passwords are as they were set");
    demand_levels(t, &[(ONE, Some("Operator")), (TWO, Some("User"))])?;
    demand_password(t, ONE, PASSWORD, OTHER_PASSWORD)?;
    demand_password(t, TWO, OTHER_PASSWORD, PASSWORD)?;
    t.step("16", "DeleteUsers is answered");
    t.ask(delete_request(&[ONE, TWO])).map(drop)
}

fn demand_password(t: &mut Test<'_>, name: &str, new: &str, old: &str) -> Outcome {
    let by_new = is_let_in(t, name, new)?;
    t.demand(by_new, format!("{name} is let in with the new password"), "it is not")?;
    let by_old = is_let_in(t, name, old)?;
    t.demand(!by_old, format!("{name} is not let in with the old password"), "it is")
}

fn set_users_that_are_not_there(t: &mut Test<'_>) -> Outcome {
    without_ours(t)?;
    t.step("4", "CreateUsers makes a user");
    if !create(t, &[(ONE, PASSWORD, "Operator")])? {
        return t.skip("the device has no place for more users, and those that it has are left alone");
    }
    t.step("6", "GetUsers lists it");
    demand_levels(t, &[(ONE, Some("Operator"))])?;
    t.step("8", "it is not set together with one that is not there");
    t.refused(&Call::new(with_users("SetUser", &[(ONE, PASSWORD, "User"), (FIVE, PASSWORD, "User")])), &[MISSING])?;
    t.step("10", "GetUsers lists it as before");
    demand_levels(t, &[(ONE, Some("Operator")), (FIVE, None)])?;
    t.step("12", "DeleteUsers is answered");
    t.ask(delete_request(&[ONE]))?;
    t.step("14", "GetUsers lists it no more");
    demand_levels(t, &[(ONE, None)])
}

fn create_users(t: &mut Test<'_>) -> Outcome {
    without_ours(t)?;
    t.step("4", "GetUsers lists the users");
    let before = names(t)?.len();
    let mut made = 0;
    let mut full = false;
    // A device need not let every level be made, but one of them it must; the first two stand beside each other.
    let steps = [("6", "8", ONE, "Operator"), ("10", "12", TWO, "User"), ("16", "18", ONE, "Administrator")];
    let mut there: Vec<(&str, Option<&str>)> = Vec::new();
    for (create, list, name, level) in steps {
        if level == "Administrator" && !there.is_empty() {
            t.step("14", "DeleteUsers deletes them");
            t.ask(delete_request(&there.iter().map(|(name, _)| *name).collect::<Vec<_>>()))?;
            there.clear();
        }
        t.step(create, &format!("CreateUsers makes a user with level {level}"));
        match t.attempt(create_request(&[(name, PASSWORD, level)]))? {
            Ok(_) => {
                made += 1;
                there.push((name, Some(level)));
                t.step(list, "GetUsers lists it");
                demand_levels(t, &there)?;
            }
            Err(fault) if is_too_many(&fault) => {
                full = true;
                demand_full(t, before + there.len())?;
            }
            Err(fault) => t.note(format!("no user with level {level}: {fault}")),
        }
    }
    t.step("20", "DeleteUsers deletes what is left");
    if !there.is_empty() {
        t.ask(delete_request(&there.iter().map(|(name, _)| *name).collect::<Vec<_>>()))?;
    }
    t.demand(made > 0 || full, "a user of one level at least", "none was made")
}

/// A device that says how many users it takes refuses no fewer (annex A.17).
fn demand_full(t: &mut Test<'_>, users: usize) -> Outcome {
    let answer = t.ask("<tds:GetServiceCapabilities/>")?;
    let most = |answer: &Element| answer.at("Capabilities/Security")?.attribute("MaxUsers")?.parse::<usize>().ok();
    match most(&answer) {
        Some(most) => t.same("TooManyUsers at MaxUsers, that is", most, users),
        None => Ok(()),
    }
}
