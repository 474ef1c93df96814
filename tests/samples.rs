//! The configuration samples that people start from are accepted by the program itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use belvedere_harness::process;

/// What `belvedere check` says about a file: whether it is accepted, and its words.
fn check(path: &Path) -> Result<(bool, String)> {
    let output = Command::new(process::program("belvedere")?).args(["check", "--config"]).arg(path).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), said))
}

#[test]
fn the_samples_are_accepted() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/config");
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let (accepted, said) = check(&entry?.path())?;
        ensure!(accepted, "{said}");
        count += 1;
    }
    ensure!(count > 0, "no sample");
    Ok(())
}

/// The sample in the README, and the same with a mistake in it: the check does look.
#[test]
fn the_sample_of_the_readme_is_accepted() -> Result<()> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"))?;
    let sample = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).context("no sample")?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("belvedere.toml");
    fs::write(&path, sample)?;
    let (accepted, said) = check(&path)?;
    ensure!(accepted, "{said}");
    fs::write(&path, sample.replace("source =", "sauce ="))?;
    let (accepted, said) = check(&path)?;
    ensure!(!accepted && said.contains("sauce"), "{said}");
    Ok(())
}
