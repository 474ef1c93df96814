//! The Python side of `wsdl/` has its own tests, and the table of operations is held against the official files.

use std::process::Command;

use anyhow::{Result, ensure};
use belvedere_harness::schema;

/// Runs Python in `wsdl/`; what it says is the error.
fn python(arguments: &[&str]) -> Result<()> {
    let output =
        Command::new(schema::python()?).args(arguments).current_dir(schema::repository().join("wsdl")).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}:\n{said}");
    Ok(())
}

#[test]
fn the_tests_in_python_pass() -> Result<()> {
    python(&["-m", "unittest", "discover"])
}
