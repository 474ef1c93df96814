//! The drivers of clients that others wrote. A run is one step; what the client found comes as JSON lines:
//!
//! ```text
//! {"name": what, "value": …}
//! {"name": what, "refused": what the client says of it, "subcodes": [qualified name, …] | null}
//! ```

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use belvedere_harness::{Proxy, schema};
use serde_json::{Value, json};

use super::site::{ADMIN, OPERATOR, VIEWER};

/// The profile that is looked at, and its encoder: small, so that what is measured is the setting and not the machine.
pub(crate) const PROFILE: &str = "standard";

/// What an encoder is set to.
pub(crate) struct Encoder {
    pub(crate) size: (u64, u64),
    pub(crate) rate: f64,
    pub(crate) kbps: f64,
}

/// What every client sets the encoder to. The bit rate is a limit, and the pattern needs about 120 kbit/s at this size.
pub(crate) const WANTED: Encoder = Encoder { size: (480, 270), rate: 10.0, kbps: 80.0 };

/// Seconds after which a client that hangs is ended.
const PATIENCE_S: &str = "60";

/// A client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    /// onvif-zeep-async, Home Assistant's.
    ZeepAsync,
    /// onvif-python.
    OnvifPython,
    /// The package `onvif` of npm.
    Agsh,
}

/// What a run said, by name.
pub(crate) struct Findings(BTreeMap<String, Value>);

impl Driver {
    fn command(self) -> Result<Command> {
        let root = schema::repository();
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", PATIENCE_S]);
        let python = |command: &mut Command, script: &str| -> Result<()> {
            command.arg(schema::python()?).arg("-B").arg(root.join("tests/clients-py").join(script));
            Ok(())
        };
        match self {
            Self::ZeepAsync => python(&mut command, "zeep_async.py")?,
            Self::OnvifPython => {
                python(&mut command, "onvif_python.py")?;
                // Its module is called as that of the other, and stands in a folder of its own.
                command.env("PYTHONPATH", root.join(".tools/onvif-python"));
            }
            Self::Agsh => drop(command.arg("node").arg(root.join("tests/clients-npm/agsh.js"))),
        }
        // A proxy of the machine's is not meant for a camera on it.
        command.env("NO_PROXY", "127.0.0.1");
        Ok(command)
    }

    /// Runs a step against the device behind the proxy.
    pub(crate) fn run(self, step: &str, proxy: &Proxy) -> Result<Findings> {
        let user =
            |(name, password), level: &str| json!({ "Username": name, "Password": password, "UserLevel": level });
        let Encoder { size: (width, height), rate, kbps } = WANTED;
        let options = json!({
            "host": proxy.address().ip(), "port": proxy.address().port(), "user": ADMIN.0, "password": ADMIN.1,
            "profile": PROFILE, "encoder": PROFILE,
            "wanted": { "width": width, "height": height, "rate": rate as u32, "kbps": kbps as u32 },
            "users": [user(OPERATOR, "Operator"), user(VIEWER, "User")],
        });
        let output = self.command()?.arg(step).arg(options.to_string()).output()?;
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{self:?} {step} ended with {}:\n{said}\n{complained}", output.status);
        let mut findings = BTreeMap::new();
        for line in said.lines() {
            let line: Value = serde_json::from_str(line).with_context(|| format!("{self:?} said {line}"))?;
            findings.insert(line["name"].as_str().context("a finding without a name")?.to_owned(), line);
        }
        Ok(Findings(findings))
    }
}

impl Findings {
    /// What was found under this name.
    pub(crate) fn get(&self, name: &str) -> Result<&Value> {
        let line = self.0.get(name).with_context(|| format!("the client said nothing of {name}"))?;
        line.get("value").with_context(|| format!("the client was refused: {line}"))
    }

    /// The same as a text.
    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        self.get(name)?.as_str().with_context(|| format!("{name} is no text"))
    }

    /// The same as a list of texts.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>> {
        serde_json::from_value(self.get(name)?.clone()).with_context(|| format!("{name} is no list"))
    }

    /// Whether something was tried and refused.
    pub(crate) fn is_refused(&self, name: &str) -> Result<bool> {
        let line = self.0.get(name).with_context(|| format!("the client said nothing of {name}"))?;
        Ok(line.get("refused").is_some())
    }

    /// The subcodes of the fault that the client saw, where it tells of them.
    pub(crate) fn subcodes(&self, name: &str) -> Result<Option<Vec<String>>> {
        let line = self.0.get(name).with_context(|| format!("the client said nothing of {name}"))?;
        Ok(serde_json::from_value(line["subcodes"].clone())?)
    }
}
