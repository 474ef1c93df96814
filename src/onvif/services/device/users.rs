//! Users (Core 8.4). Every operation happens as a whole or not at all (X6), for that is how [`Users`] changes.

use std::sync::Arc;

use super::{blocking, choice, invalid};
use crate::{
    auth::{Level, MAX_NAME_BYTES, MAX_PASSWORD_BYTES, NewUser, UserChange, Users, UsersError},
    base::redact::Redacted,
    onvif::{
        context::Context,
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::{Fault, Generic},
            names::{TDS, TT},
            tree::Element,
        },
        visit::Visit,
    },
};

/// What the two operations that take a password call one that is too weak.
const WEAK_ON_CREATE: &str = "Password";
const WEAK_ON_SET: &str = "PasswordTooWeak";

/// The levels of the schema; `None` is for people who have not signed in, whom no user stands for.
const LEVELS: [(&str, Option<Level>); 4] = [
    ("Administrator", Some(Level::Administrator)),
    ("Operator", Some(Level::Operator)),
    ("User", Some(Level::User)),
    ("Anonymous", None),
];

pub(super) async fn get_users(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let users = context.users.list();
    Ok(Reply::new(move |w| {
        for user in users {
            w.element(TDS, "User", |w| {
                w.text(TT, "Username", user.name);
                w.text(TT, "UserLevel", user.level.as_str());
            });
        }
    }))
}

pub(super) async fn create_users(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let new = users(call.body(), WEAK_ON_CREATE)?;
    change(context, call, WEAK_ON_CREATE, move |users| users.create(&new)).await
}

pub(super) async fn set_user(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let changes: Vec<UserChange> = users(call.body(), WEAK_ON_SET)?
        .into_iter()
        .map(|user| UserChange { name: user.name, password: Some(user.password), level: Some(user.level) })
        .collect();
    change(context, call, WEAK_ON_SET, move |users| users.set(&changes)).await
}

pub(super) async fn delete_users(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    call.body().required(TDS, "Username")?;
    let names = call.body().get_all::<String>(TDS, "Username")?;
    change(context, call, WEAK_ON_SET, move |users| users.delete(&names.iter().map(String::as_str).collect::<Vec<_>>()))
        .await
}

/// Reads users. Without a password is with an empty one, also in SetUser: there it would clear the password (Core 8.4.6),
/// which no user of ours can be without.
fn users(body: &Element, weak: &'static str) -> Result<Vec<NewUser>, Fault> {
    body.required(TDS, "User")?;
    body.children(TDS, "User").map(|element| user(element, weak)).collect()
}

fn user(element: &Element, weak: &'static str) -> Result<NewUser, Fault> {
    let name = element.get::<String>(TT, "Username")?;
    let password = Redacted::new(element.get_optional::<String>(TT, "Password")?.unwrap_or_default());
    let level = choice(element.required(TT, "UserLevel")?, &LEVELS)?;
    let level = level.ok_or_else(|| prohibited("AnonymousNotAllowed"))?;
    if name.is_empty() {
        return Err(prohibited("UsernameTooShort"));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(prohibited("UsernameTooLong"));
    }
    match password.reveal().len() {
        0 => Err(prohibited(weak)),
        1..=MAX_PASSWORD_BYTES => Ok(NewUser { name, password, level }),
        _ => Err(prohibited("PasswordTooLong")),
    }
}

async fn change(
    context: &Arc<Context>,
    call: &Call<'_, Visit>,
    weak: &'static str,
    change: impl FnOnce(&Users) -> Result<(), UsersError> + Send + 'static,
) -> Outcome {
    blocking(context, move |context| change(&context.users)).await?.map_err(|error| fault(&error, weak))?;
    tracing::info!(user = call.proof.principal()?.user(), operation = call.body().name().local(), "users were changed");
    Ok(Reply::empty())
}

fn fault(error: &UsersError, weak: &'static str) -> Fault {
    let fault = match error {
        UsersError::Clash(_) => prohibited("UsernameClash"),
        UsersError::Missing(_) => invalid("UsernameMissing"),
        UsersError::LastAdministrator => invalid("FixedUser"),
        UsersError::TooMany => Fault::new(Generic::Action).subcode("TooManyUsers"),
        UsersError::BadName(_) => Fault::new(Generic::InvalidArgVal),
        UsersError::BadPassword(_) => prohibited(weak),
        UsersError::WrongKey(_) | UsersError::Random(_) | UsersError::Store(_) => {
            tracing::error!(%error, "users cannot be changed");
            return Fault::new(Generic::Action);
        }
    };
    fault.reason(error.to_string())
}

fn prohibited(subcode: &'static str) -> Fault {
    Fault::new(Generic::OperationProhibited).subcode(subcode)
}
