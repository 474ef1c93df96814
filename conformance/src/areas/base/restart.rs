//! Starting the device again, as it is and with the settings of the factory (cases DEVICE-3-1-6 to DEVICE-3-1-8).

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    clock,
    discovery::{described, matched},
    servers, users,
};
use crate::{
    case::{Case, When::Last, case},
    clock::here,
    device::Device,
    discovery::{
        client::{Client, To, is_hello},
        probe::Probe,
        restart::{self, REBOOT},
    },
    feature::Feature,
    soap::{Call, Fault, Who},
    test::Test,
    verdict::{Outcome, Stop},
    xml::{Element, escape},
};

/// How long a device may take until it goes.
const UNTIL_AWAY: Duration = Duration::from_secs(60);
/// How long we wait for a device that need not go.
const UNTIL_AWAY_IF_AT_ALL: Duration = Duration::from_secs(10);
/// How long it may take until it is there again; the official text asks 50 times, every five seconds.
const UNTIL_BACK: Duration = Duration::from_secs(250);
/// How long is waited from one look to the next.
const LOOK: Duration = Duration::from_millis(20);

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("DEVICE-3-1-6", Last, |t| factory_default(t, "Hard")),
        case("DEVICE-3-1-7", Last, |t| factory_default(t, "Soft")),
        case("DEVICE-3-1-8", Last, reboot),
    ]
}

fn reboot(t: &mut Test<'_>) -> Outcome {
    if !t.has(Feature::Discovery) {
        let watch = Watch::begin(t);
        told_to_restart(t)?;
        t.step("6.1", "the device goes, and is there again");
        return wait_until_back(t, &watch, true, || ()).map(drop);
    }
    let client = Client::new(t)?;
    let listener = client.listen(t)?;
    told_to_restart(t)?;
    t.step("5.1", "the device says Hello to everybody");
    let hello = listener.hear(t, REBOOT, is_hello)?;
    let hello = t.some(hello.and_then(|heard| heard.device), "a Hello of the device after the restart")?;
    t.step("5.2", "the Hello has endpoint, types, scopes and version");
    described(t, &hello)?;
    t.step("5.4", "it answers a Probe that is sent to it alone");
    let found = client.search(t, To::One, &Probe::default())?;
    t.step("5.5", "the ProbeMatch is complete");
    matched(t, &client, found)?;
    restart::answers(t)
}

fn told_to_restart(t: &mut Test<'_>) -> Outcome {
    t.step("4", "SystemReboot is answered");
    restart::reboot(t)
}

fn factory_default(t: &mut Test<'_>, kind: &str) -> Outcome {
    t.step("0", "what the device is set to, in order to put it back");
    let before = Settings::of(t)?;
    t.afterwards_do(move |t| {
        // Whoever broke the case off did so while the device was away.
        wait(t, UNTIL_BACK, |t| is_there(t.device))?;
        before.put_back(t)
    });
    let client = if t.has(Feature::Discovery) { Some(Client::new(t)?) } else { None };
    let listener = client.as_ref().filter(|_| kind == "Hard").map(|client| client.listen(t)).transpose()?;
    let watch = Watch::begin(t);
    t.step("4", &format!("SetSystemFactoryDefault ({kind}) is answered"));
    t.ask(format!(
        "<tds:SetSystemFactoryDefault><tds:FactoryDefault>{kind}</tds:FactoryDefault></tds:SetSystemFactoryDefault>"
    ))?;
    if let Some(listener) = listener {
        t.step("5", "the device says Hello to everybody");
        let hello = listener.hear(t, REBOOT, is_hello)?;
        t.some(hello, "a Hello of the device after the hard reset")?;
        return restart::answers(t);
    }
    t.step("5", "the device is there afterwards");
    // A soft one may be done without a restart.
    wait_until_back(t, &watch, kind == "Hard", || ())?;
    if let Some(client) = client {
        t.step("6", "it answers a Probe to everybody");
        let found = client.search(t, To::All, &Probe::default())?;
        matched(t, &client, found)?;
    }
    Ok(())
}

/// Waits until the device has gone and is there again, and says how long that took; for a device that need not say Hello. What
/// has to be done `meanwhile` is done over and over.
///
/// # Errors
/// It does not go, though it must, or it does not come back.
pub(super) fn wait_until_back(
    t: &mut Test<'_>,
    watch: &Watch,
    must_go: bool,
    meanwhile: impl Fn(),
) -> Outcome<Duration> {
    let start = Instant::now();
    let until_away = if must_go { UNTIL_AWAY } else { UNTIL_AWAY_IF_AT_ALL };
    let gone = |_: &Test<'_>| {
        meanwhile();
        watch.went.load(Ordering::Relaxed)
    };
    if wait(t, until_away, gone)? {
        t.note(format!("gone after {:.1} s at most", start.elapsed().as_secs_f32()));
        let looks = |t: &Test<'_>| {
            meanwhile();
            is_there(t.device)
        };
        let back = wait(t, UNTIL_BACK, looks)?;
        t.demand(back, "the device again", format!("nothing for {} s", UNTIL_BACK.as_secs()))?;
        t.note(format!("back after {:.1} s", start.elapsed().as_secs_f32()));
    } else {
        t.demand(!must_go, "the device starts again", format!("it went on answering for {} s", until_away.as_secs()))?;
    }
    let took = start.elapsed();
    t.ask("<tds:GetSystemDateAndTime/>")?;
    Ok(took)
}

/// Looks from a thread of its own whether the device goes, from before it is told to: a fast one is there again before its
/// answer has been judged.
pub(super) struct Watch {
    went: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Watch {
    /// Begins to look; ends when it is dropped.
    pub(super) fn begin(t: &Test<'_>) -> Self {
        let (went, over) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let device = Device::new(t.device.url().to_owned(), String::new(), String::new());
        let watch = Self { went: Arc::clone(&went), over: Arc::clone(&over) };
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) && !went.load(Ordering::Relaxed) {
                went.fetch_or(!is_there(&device), Ordering::Relaxed);
                thread::sleep(LOOK);
            }
        });
        watch
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Tries until it holds; `false` if it does not within the time.
fn wait(t: &Test<'_>, most: Duration, holds: impl Fn(&Test<'_>) -> bool) -> Outcome<bool> {
    let start = Instant::now();
    while start.elapsed() < most {
        if holds(t) {
            return Ok(true);
        }
        if t.is_interrupted() {
            return Err(Stop::Interrupted);
        }
        thread::sleep(LOOK);
    }
    Ok(false)
}

/// Whether the device answers.
fn is_there(device: &Device) -> bool {
    let call = Call::new("<tds:GetSystemDateAndTime/>").by(Who::Nobody).briefly();
    call.send(device).is_ok_and(|answer| answer.status < 500)
}

/// What is read before the settings of the factory come back, and how it is set again.
type Setter = fn(&Element) -> Vec<String>;

/// The settings that can be put back, and whether a device has them.
const SETTINGS: [(Option<Feature>, &str, Setter); 7] = [
    (None, "<tds:GetScopes/>", scopes_again),
    (None, "<tds:GetDiscoveryMode/>", discovery_mode_again),
    (None, "<tds:GetHostname/>", hostname_again),
    (None, "<tds:GetDNS/>", |answer| servers_again(answer, "DNS")),
    (Some(Feature::Ntp), "<tds:GetNTP/>", |answer| servers_again(answer, "NTP")),
    (Some(Feature::Media1), "<trt:GetVideoEncoderConfigurations/>", |answer| encoders_again(answer, "trt")),
    (Some(Feature::Media2), "<tr2:GetVideoEncoderConfigurations/>", |answer| encoders_again(answer, "tr2")),
];

/// What cannot be put back, and is only told of.
const PROFILES: [(Feature, &str); 2] =
    [(Feature::Media1, "<trt:GetProfiles/>"), (Feature::Media2, "<tr2:GetProfiles/>")];

/// What a device is set to.
struct Settings {
    users: BTreeSet<String>,
    setters: Vec<(&'static str, Setter, Vec<String>)>,
    clock: clock::Setting,
    profiles: Vec<(&'static str, BTreeSet<String>)>,
}

impl Settings {
    fn of(t: &mut Test<'_>) -> Outcome<Self> {
        let users = users::names(t).unwrap_or_default();
        let mut setters = Vec::new();
        for (feature, get, setter) in SETTINGS {
            if feature.is_none_or(|feature| t.has(feature)) {
                // What it does not tell it need not be given back.
                if let Ok(answer) = t.attempt(get)? {
                    setters.push((get, setter, setter(&answer)));
                }
            }
        }
        let mut profiles = Vec::new();
        for (feature, get) in PROFILES {
            if t.has(feature) {
                profiles.push((get, tokens(&t.ask(get)?)));
            }
        }
        let clock = clock_now(t)?;
        Ok(Self { users, setters, clock, profiles })
    }

    /// Sets again what is not as it was, and tells what cannot be set.
    fn put_back(self, t: &mut Test<'_>) -> Outcome {
        put_owner_back(t)?;
        users::note_lost(t, &self.users);
        for (get, setter, before) in self.setters {
            let now = t.attempt(get)?.map(|answer| setter(&answer)).unwrap_or_default();
            for request in before.into_iter().filter(|request| !now.contains(request)) {
                if let Err(fault) = t.attempt(request)? {
                    note_other(t, get, &fault);
                }
            }
        }
        // Last of the settings: a clock may be set by NTP only when there are servers.
        if !clock_now(t)?.is_like(&self.clock)
            && let Err(fault) = t.attempt(self.clock.request(here()))?
        {
            note_other(t, "<tds:GetSystemDateAndTime/>", &fault);
        }
        for (get, before) in self.profiles {
            let now = tokens(&t.ask(get)?);
            if now != before {
                t.note(format!("{get} lists other profiles than before: {before:?}, now {now:?}"));
            }
        }
        Ok(())
    }
}

/// Makes the judge's own user again if the device does not know it any more: a device without users lets anybody make
/// one.
pub(super) fn put_owner_back(t: &mut Test<'_>) -> Outcome {
    let (name, password) = t.device.owner();
    let answer = t.exchange(&Call::new("<tds:GetUsers/>"))?;
    let is_listed = |users: &Element| users.all("User").any(|user| user.text_or_empty("Username") == name);
    // A device that has no users to tell of cannot have lost one.
    if !answer.is_not_authorized() && (answer.fault().is_some() || answer.body().is_some_and(is_listed)) {
        return Ok(());
    }
    let request = users::create_request(&[(name, password, "Administrator")]);
    match t.attempt_by(&Call::new(request).by(Who::Nobody))? {
        Ok(_) => {
            t.note(format!("the user {name} was made again"));
            Ok(())
        }
        Err(fault) => Err(t.failed(format!("the user {name}, who is lost, to be made again"), fault.to_string())),
    }
}

fn tokens(profiles: &Element) -> BTreeSet<String> {
    profiles.all("Profiles").map(|profile| profile.token().to_owned()).collect()
}

fn note_other(t: &mut Test<'_>, get: &str, fault: &Fault) {
    t.note(format!("{get} does not tell what it told before, and it cannot be set: {fault}"));
}

fn clock_now(t: &mut Test<'_>) -> Outcome<clock::Setting> {
    let told = clock::system_date_and_time(t)?;
    Ok(clock::Setting::of(&told, here()))
}

fn scopes_again(answer: &Element) -> Vec<String> {
    let configurable = answer.all("Scopes").filter(|scope| scope.text_or_empty("ScopeDef") == "Configurable");
    let scopes: String = configurable
        .map(|scope| format!("<tds:Scopes>{}</tds:Scopes>", escape(scope.text_or_empty("ScopeItem"))))
        .collect();
    if scopes.is_empty() { Vec::new() } else { vec![format!("<tds:SetScopes>{scopes}</tds:SetScopes>")] }
}

fn discovery_mode_again(answer: &Element) -> Vec<String> {
    let mode = answer.text_or_empty("DiscoveryMode");
    vec![format!("<tds:SetDiscoveryMode><tds:DiscoveryMode>{mode}</tds:DiscoveryMode></tds:SetDiscoveryMode>")]
}

fn hostname_again(answer: &Element) -> Vec<String> {
    let told = answer.at("HostnameInformation").filter(|told| told.bool_at("FromDHCP") == Some(false));
    let name = told.and_then(|told| told.text_at("Name"));
    name.map(|name| format!("<tds:SetHostname><tds:Name>{}</tds:Name></tds:SetHostname>", escape(name)))
        .into_iter()
        .collect()
}

fn servers_again(answer: &Element, kind: &str) -> Vec<String> {
    let told = answer.at(&format!("{kind}Information"));
    told.map(|told| servers::as_before(kind, told)).into_iter().collect()
}

fn encoders_again(answer: &Element, prefix: &str) -> Vec<String> {
    // Only the first media service asks whether to keep it.
    let keep = if prefix == "trt" { "<trt:ForcePersistence>true</trt:ForcePersistence>" } else { "" };
    let set = |configuration: &Element| {
        let configuration = configuration.renamed(prefix, "Configuration");
        format!("<{prefix}:SetVideoEncoderConfiguration>{configuration}{keep}</{prefix}:SetVideoEncoderConfiguration>")
    };
    answer.all("Configurations").map(set).collect()
}
