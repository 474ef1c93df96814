//! A case in progress: what it may ask, what it demands, what it has to put back.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use belvedere_harness::schema;

use crate::{
    device::{Claim, Device},
    feature::{Feature, Features},
    secret::kept,
    soap::{Answer, Call, Fault, LARGEST},
    verdict::{Exchange, Failed, Outcome, Stop},
    xml::Element,
};

/// Set when the person at the keyboard wants to stop.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What the step is called in which everything is put back.
pub const CLEAN_UP: &str = "clean-up";
/// The media type of a SOAP message.
const SOAP: &str = "application/soap+xml";

type Undo = Box<dyn FnOnce(&mut Test<'_>) -> Outcome>;

/// A case in progress.
pub struct Test<'a> {
    /// The device under test.
    pub device: &'a Device,
    features: &'a Features,
    step: String,
    steps: Vec<String>,
    notes: Vec<String>,
    messages: Vec<Exchange>,
    undo: Vec<Undo>,
    undoing: bool,
    not_put_back: Option<Stop>,
    claimed: Vec<Claim<'a>>,
}

/// What is left of a case when it is over.
#[derive(Debug, Default)]
pub struct Traces {
    /// The steps that were taken.
    pub steps: Vec<String>,
    /// What else is worth telling.
    pub notes: Vec<String>,
    /// The messages exchanged.
    pub messages: Vec<Exchange>,
}

impl<'a> Test<'a> {
    /// Begins a case.
    pub fn new(device: &'a Device, features: &'a Features) -> Self {
        Self {
            device,
            features,
            step: "0".into(),
            steps: Vec::new(),
            notes: Vec::new(),
            messages: Vec::new(),
            undo: Vec::new(),
            undoing: false,
            not_put_back: None,
            claimed: Vec::new(),
        }
    }

    /// Begins a step; the number is that of the specification.
    pub fn step(&mut self, number: &str, what: &str) {
        number.clone_into(&mut self.step);
        self.steps.push(format!("{number}: {what}"));
    }

    /// Tells something that is neither good nor bad.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Whether the device has a feature.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.get(feature).has
    }

    /// Demands something of what was seen.
    ///
    /// # Errors
    /// It does not hold.
    pub fn demand(&self, holds: bool, expected: impl Into<String>, seen: impl Into<String>) -> Outcome {
        if holds { Ok(()) } else { Err(self.failed(expected, seen)) }
    }

    /// Demands that two values are the same; `what` says which.
    ///
    /// # Errors
    /// They differ.
    pub fn same<T: PartialEq + std::fmt::Debug>(&self, what: &str, expected: T, seen: T) -> Outcome {
        let holds = expected == seen;
        self.demand(holds, format!("{what} {expected:?}"), format!("{seen:?}"))
    }

    /// A step that did not hold.
    pub fn failed(&self, expected: impl Into<String>, seen: impl Into<String>) -> Stop {
        Stop::Failed(Failed { step: self.step.clone(), expected: expected.into(), seen: seen.into() })
    }

    /// Something that must be there: `test.some(list.first(), "a profile")?`.
    ///
    /// # Errors
    /// It is not.
    pub fn some<T>(&self, found: Option<T>, expected: &str) -> Outcome<T> {
        found.ok_or_else(|| self.failed(expected, "none"))
    }

    /// Ends the case without a verdict on the device, for this reason.
    ///
    /// # Errors
    /// Always.
    pub fn skip<T>(&self, reason: impl Into<String>) -> Outcome<T> {
        Err(Stop::Skipped(reason.into()))
    }

    /// Asks, and demands an answer that is no fault. The body is written with the prefixes of
    /// [`PREFIXES`](crate::soap::PREFIXES), of which the first tells the service.
    ///
    /// # Errors
    /// There is none, or the schemas do not allow it.
    pub fn ask(&mut self, body: impl Into<String>) -> Outcome<Element> {
        self.ask_by(&Call::new(body))
    }

    /// Like [`ask`](Self::ask), in another way or by somebody else.
    ///
    /// # Errors
    /// As there.
    pub fn ask_by(&mut self, call: &Call) -> Outcome<Element> {
        match self.attempt_by(call)? {
            Ok(element) => Ok(element),
            Err(fault) => Err(self.failed("a response", fault.to_string())),
        }
    }

    /// Asks, and leaves it to the caller whether a fault is good.
    ///
    /// # Errors
    /// It is neither a response nor a fault, or the schemas do not allow it.
    pub fn attempt(&mut self, body: impl Into<String>) -> Outcome<Result<Element, Fault>> {
        self.attempt_by(&Call::new(body))
    }

    /// Like [`attempt`](Self::attempt), in another way or by somebody else.
    ///
    /// # Errors
    /// As there.
    pub fn attempt_by(&mut self, call: &Call) -> Outcome<Result<Element, Fault>> {
        let answer = self.exchange(call)?;
        if let Some(fault) = answer.fault() {
            return Ok(Err(fault));
        }
        match answer.body() {
            Some(body) if answer.status == 200 => Ok(Ok(body.clone())),
            _ => {
                Err(self
                    .failed("200 with a response, or a fault", format!("{}: {}", answer.status, short(&answer.text()))))
            }
        }
    }

    /// Asks, and demands a fault with these codes, outermost first: `env:Sender/ter:InvalidArgVal/ter:NoProfile`. Of several
    /// that are allowed one must be there.
    ///
    /// # Errors
    /// Another fault, or none.
    pub fn refused(&mut self, call: &Call, allowed: &[&str]) -> Outcome<Fault> {
        let expected = format!("a fault {}", allowed.join(" or "));
        match self.attempt_by(call)? {
            Ok(response) => Err(self.failed(expected, response.name)),
            Err(fault) => {
                let codes = fault.codes.join("/");
                let holds =
                    allowed.iter().any(|allowed| codes == *allowed || codes.starts_with(&format!("{allowed}/")));
                self.demand(holds, expected, fault.to_string())?;
                Ok(fault)
            }
        }
    }

    /// Whether the person at the keyboard wants the case to stop; never while things are put back.
    pub fn is_interrupted(&self) -> bool {
        INTERRUPTED.load(Ordering::Relaxed) && !self.undoing
    }

    /// Sends a request and gives the answer as it is; it is recorded, and judged by the schemas unless it is longer than any
    /// but a log may be.
    ///
    /// # Errors
    /// No answer, or one that the schemas do not allow.
    pub fn exchange(&mut self, call: &Call) -> Outcome<Answer> {
        let answer = self.exchange_unjudged(call)?;
        let kind = answer.message.content_type();
        // What a 401 says beside its challenge is for people (RFC 9110, section 15.5.2), unless it is SOAP.
        let is_envelope = answer.envelope.as_ref().is_some_and(|root| root.name == "Envelope");
        if answer.status == 401 && !is_envelope && kind != SOAP {
            return Ok(answer);
        }
        if answer.body().is_some() {
            // SOAP 1.2 part 2, section 7.1.4; many a client reads no further.
            self.demand(kind == SOAP, format!("Content-Type: {SOAP}"), kind.as_str())?;
        }
        let length = answer.message.body.len();
        if length > LARGEST {
            self.note(format!("an answer of {length} bytes, which was not judged by the schemas"));
        } else if answer.envelope.is_some() || kind == SOAP {
            schema::check(&answer.message.body)
                .map_err(|errors| self.failed("a message that the official schemas allow", errors.join("; ")))?;
        }
        Ok(answer)
    }

    /// Like [`exchange`](Self::exchange), but takes an answer that the schemas do not allow.
    ///
    /// # Errors
    /// No answer.
    pub fn exchange_unjudged(&mut self, call: &Call) -> Outcome<Answer> {
        if self.is_interrupted() {
            return Err(Stop::Interrupted);
        }
        let text = call.text();
        if call.is_judged() {
            schema::check(text.as_bytes())
                .map_err(|errors| self.failed("a request of ours that the schemas allow", errors.join("; ")))?;
        }
        let start = Instant::now();
        let to = call.address(self.device).unwrap_or_default();
        if is_https(&to) {
            return self.skip(format!("{to} is an HTTPS address, which the judge does not follow"));
        }
        let result = call.send(self.device);
        let (status, response) = match &result {
            Ok(answer) => (answer.status.to_string(), answer.text()),
            Err(error) => (format!("{error:#}"), String::new()),
        };
        self.record(to, &text, status, &response, start);
        result.map_err(|error| self.failed("an HTTP answer", format!("{error:#}")))
    }

    /// Keeps a message and its answer for the report.
    pub fn record(&mut self, to: String, request: &str, status: String, response: &str, start: Instant) {
        let [to, request, status, response] = [&to, request, &status, response].map(kept);
        let exchange = Exchange { step: self.step.clone(), to, request, status, response, took: start.elapsed() };
        self.messages.push(exchange);
    }

    /// When the case is over, however it ends, sends this. Later ones are sent first.
    pub fn afterwards(&mut self, body: impl Into<String>) {
        let body = body.into();
        self.afterwards_do(move |test| test.ask(body).map(drop));
    }

    /// When the case is over, however it ends, does this.
    pub fn afterwards_do(&mut self, undo: impl FnOnce(&mut Test<'_>) -> Outcome + 'static) {
        self.undo.push(Box::new(undo));
    }

    /// Waits until one of these configurations is free of other cases, and says which; it is held until the case is over or
    /// [puts back](Self::put_back). Who needs a codec, a search for a profile, a video encoder and an audio encoder claims them in
    /// this order, so that no two cases wait for each other.
    ///
    /// # Errors
    /// There are none.
    pub fn claim(&mut self, tokens: &[String]) -> Outcome<String> {
        let held = |token: &&String| self.claimed.iter().any(|claim| claim.token() == **token);
        if let Some(held) = tokens.iter().find(held) {
            return Ok(held.clone());
        }
        let free = self.device.claim(tokens);
        if free.is_none() && self.is_interrupted() {
            return Err(Stop::Interrupted);
        }
        let claimed = self.some(free, "a configuration")?;
        let token = claimed.token().to_owned();
        self.claimed.push(claimed);
        Ok(token)
    }

    /// Lets others have this before the case is over, if it was claimed.
    pub fn release(&mut self, token: &str) {
        self.claimed.retain(|claim| claim.token() != token);
    }

    /// Puts back what has been changed so far, and lets others have what was claimed.
    ///
    /// # Errors
    /// Something could not be put back; the rest was.
    pub fn put_back(&mut self) -> Outcome {
        let (step, undoing) = (self.step.clone(), self.undoing);
        self.undoing = true;
        let mut outcome = Ok(());
        while let Some(undo) = self.undo.pop() {
            CLEAN_UP.clone_into(&mut self.step);
            // One that fails, and be it by a mistake of ours, must not keep the others from being done.
            if let Err(stop) = caught(|| undo(self)) {
                self.notes.push(format!("not put back: {stop}"));
                let stop = match stop {
                    Stop::Failed(failed) => Stop::Failed(Failed { step: CLEAN_UP.into(), ..failed }),
                    other => other,
                };
                if !matches!(self.not_put_back, Some(Stop::Failed(_))) {
                    self.not_put_back = Some(stop.clone());
                }
                outcome = Err(stop);
            }
        }
        self.claimed.clear();
        (self.step, self.undoing) = (step, undoing);
        outcome
    }

    /// Takes the steps of a case; one that panics is a mistake of ours, after which things must still be put back.
    ///
    /// # Errors
    /// As the steps.
    pub fn run<T>(&mut self, steps: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        caught(|| steps(self))
    }

    /// Puts everything back, and hands over what is to be told. What could not be put back, now or before, is an error.
    pub fn finish(mut self) -> (Outcome, Traces) {
        // It notes what it cannot put back.
        let _ = self.put_back();
        let outcome = self.not_put_back.map_or(Ok(()), Err);
        (outcome, Traces { steps: self.steps, notes: self.notes, messages: self.messages })
    }

    /// The step that the case is at.
    pub fn current_step(&self) -> &str {
        &self.step
    }
}

/// Whether an address is one of HTTPS, which the judge does not speak.
pub fn is_https(url: &str) -> bool {
    url.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"))
}

/// Does something, and makes of a panic an error that tells where to look.
fn caught<T>(run: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given");
        Err(anyhow::anyhow!("the judge itself failed: a panic: {text}").into())
    })
}

fn short(text: &str) -> String {
    kept(text).chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_keeps_nothing_from_being_put_back() {
        static PUT_BACK: AtomicBool = AtomicBool::new(false);
        let device = Device::new("http://192.0.2.1/".into(), String::new(), String::new());
        let features = Features::default();
        let encoder = ["encoder".to_owned()];
        let mut test = Test::new(&device, &features);
        let outcome: Outcome = test.run(|t| {
            t.claim(&encoder)?;
            t.afterwards_do(|_| {
                PUT_BACK.store(true, Ordering::Relaxed);
                Ok(())
            });
            t.afterwards_do(|_| panic!("a mistake in an undo"));
            panic!("a mistake in a case");
        });
        assert!(outcome.unwrap_err().to_string().ends_with("the judge itself failed: a panic: a mistake in a case"));
        let (put_back, traces) = test.finish();
        let Err(Stop::Failed(failed)) = put_back else { panic!("{put_back:?}") };
        assert_eq!((failed.step.as_str(), traces.notes.len()), (CLEAN_UP, 1));
        assert!(failed.seen.ends_with("a mistake in an undo"), "{failed}");
        assert!(PUT_BACK.load(Ordering::Relaxed));
        assert!(device.claim(&encoder).is_some());
    }

    #[test]
    fn what_is_at_an_https_address_is_skipped_and_not_failed() {
        let device = Device::new("https://192.0.2.1/onvif/device_service".into(), String::new(), String::new());
        let features = Features::default();
        let Err(Stop::Skipped(reason)) = Test::new(&device, &features).ask("<tds:GetHostname/>") else {
            panic!("asked")
        };
        assert_eq!(
            reason,
            "https://192.0.2.1/onvif/device_service is an HTTPS address, which the judge does not follow"
        );
    }

    #[test]
    fn who_is_gone_holds_nothing() {
        let device = Device::new("http://192.0.2.1/".into(), String::new(), String::new());
        let features = Features::default();
        let encoder = ["encoder".to_owned()];
        let mut test = Test::new(&device, &features);
        assert_eq!(test.claim(&encoder), Ok("encoder".to_owned()));
        assert_eq!(test.claim(&encoder), Ok("encoder".to_owned()), "its own is no other's");
        drop(test);
        assert!(device.claim(&encoder).is_some());
    }
}
