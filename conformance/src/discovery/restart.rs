//! A device that restarts: asked to, gone, and there again.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::client::go_on;
use crate::{soap::Call, soap::Who, test::Test, verdict::Outcome};

/// How long a restart may take.
pub const REBOOT: Duration = Duration::from_secs(150);
/// How long a Hello is waited for where it proves nothing, before the device is asked whether it answers.
pub const RETURN: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Tells the device to restart, and sees to it that the case ends only when it answers again.
///
/// # Errors
/// It does not say that it will.
pub fn reboot(t: &mut Test<'_>) -> Outcome {
    t.afterwards_do(answers);
    let answer = t.ask("<tds:SystemReboot/>")?;
    t.some(answer.at("Message"), "a Message in the response")?;
    Ok(())
}

/// Waits until the device answers.
///
/// # Errors
/// It does not, for as long as a restart may take.
pub fn answers(t: &mut Test<'_>) -> Outcome {
    let url = t.device.url().to_owned();
    answers_at(t, &url)
}

/// Waits until the device answers at an address.
///
/// # Errors
/// It does not, for as long as a restart may take.
pub fn answers_at(t: &Test<'_>, url: &str) -> Outcome {
    let call = Call::new("<tds:GetSystemDateAndTime/>").by(Who::Nobody).to(url).briefly();
    let start = Instant::now();
    while start.elapsed() < REBOOT {
        go_on(t)?;
        if call.send(t.device).is_ok_and(|answer| answer.body().is_some() || answer.status == 401) {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
    Err(t.failed(format!("an answer within {} seconds", REBOOT.as_secs()), format!("none at {url}")))
}
