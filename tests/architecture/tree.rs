//! The text files of the repository, or of a tree that a test makes up.

#![allow(clippy::expect_used, reason = "a test that cannot read the repository fails, and the message says why")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What is built, brought or generated, and not ours to judge.
const SKIPPED: [&str; 7] = [".git", "target", ".tools", "node_modules", "corpus", "captures", "Cargo.lock"];

/// Paths relative to the root, with their text.
pub(crate) struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads the repository.
    pub(crate) fn repository() -> Self {
        let mut files = BTreeMap::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        read(root, root, &mut files);
        // The one generated file that a rule asks about.
        let lock = fs::read_to_string(root.join("Cargo.lock")).expect("Cargo.lock is committed");
        files.insert("Cargo.lock".into(), lock);
        Self(files)
    }

    /// Makes a tree up.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }

    /// All files with their text.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files whose name ends so, below a folder (`""` for all).
    pub(crate) fn matching<'a>(&'a self, folder: &'a str, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files().filter(move |(path, _)| path.starts_with(folder) && path.ends_with(ending))
    }

    /// One file's text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Whether there is such a file or folder.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.0.contains_key(path)
            || self.0.keys().any(|file| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }
}

fn read(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            read(root, &path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let relative = path.strip_prefix(root).expect("below the root");
            files.insert(relative.to_string_lossy().into_owned(), text);
        }
    }
}
