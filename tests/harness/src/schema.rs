//! The judge of SOAP messages: `wsdl/check.py`, which knows the official schemas, as one child for the whole test process.
//!
//! The first message waits about two seconds until the schemas are loaded; after that a message takes a millisecond or so.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Shared by all tests of a process. It is never dropped: the end of its input, when the process ends, ends it.
static CHECKER: Mutex<Option<Checker>> = Mutex::new(None);

/// Judges a SOAP message, request or response. Every error begins with the place in the message.
///
/// That the judge itself fails is an error like any other: nobody shall take silence for consent.
pub fn check(message: &[u8]) -> Result<(), Vec<String>> {
    let mut shared = CHECKER.lock().unwrap_or_else(PoisonError::into_inner);
    let errors = match ask(&mut shared, message) {
        Ok(errors) => errors,
        Err(error) => {
            // The next message gets a new one.
            *shared = None;
            vec![format!("the judge failed: {error:#}")]
        }
    };
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The Python of the project's own environment, with its tools.
pub fn python() -> Result<PathBuf> {
    let python = repository().join(".tools/bin/python");
    ensure!(
        python.exists() && repository().join(".tools/wsdl/pin.txt").exists(),
        "the tools or the schemas are missing; scripts/schemas brings both"
    );
    Ok(python)
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

fn ask(shared: &mut Option<Checker>, message: &[u8]) -> Result<Vec<String>> {
    let checker = match shared {
        Some(checker) => checker,
        None => shared.insert(Checker::start()?),
    };
    checker.check(message)
}

struct Checker {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    asked: u64,
}

impl Checker {
    fn start() -> Result<Self> {
        let mut command = Command::new(python()?);
        command.arg(repository().join("wsdl/check.py")).arg("--lines");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting wsdl/check.py")?;
        let requests = child.stdin.take().context("no stdin")?;
        let answers = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut checker = Self { child, requests, answers, asked: 0 };
        let ready = checker.answer()?;
        ensure!(ready["ready"] == true, "not ready: {ready}");
        Ok(checker)
    }

    fn check(&mut self, message: &[u8]) -> Result<Vec<String>> {
        self.asked += 1;
        let request = json!({ "id": self.asked, "message": STANDARD.encode(message) });
        writeln!(self.requests, "{request}")?;
        let answer = self.answer()?;
        ensure!(answer["id"] == self.asked, "an answer to another question: {answer}");
        serde_json::from_value(answer["errors"].clone()).with_context(|| format!("an odd answer: {answer}"))
    }

    /// Reads an answer. An error quotes what the judge had to say instead.
    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            let mut said = String::new();
            if let Some(stderr) = &mut self.child.stderr {
                stderr.read_to_string(&mut said)?;
            }
            anyhow::bail!("wsdl/check.py has ended: {said}");
        }
        serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        // Nothing to do about a failure: most likely it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">
        <s:Body><GetHostname xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>"#;

    #[test]
    fn the_judge_says_what_is_wrong_and_goes_on() {
        assert_eq!(check(RIGHT.as_bytes()), Ok(()));
        let errors = check(RIGHT.replace("GetHostname", "GetHostnames").as_bytes()).unwrap_err();
        assert!(errors.iter().any(|error| error.contains("GetHostnames is not declared")), "{errors:?}");
        assert!(check(b"\xff not XML").unwrap_err()[0].starts_with("not well-formed"));
        assert_eq!(check(RIGHT.as_bytes()), Ok(()));
    }

    #[test]
    fn a_judge_that_died_is_an_error_once() {
        let mut own = None;
        assert_eq!(ask(&mut own, RIGHT.as_bytes()).unwrap(), Vec::<String>::new());
        let child = &mut own.as_mut().unwrap().child;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ask(&mut own, RIGHT.as_bytes()).is_err());
    }
}
