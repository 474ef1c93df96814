//! The machine's files, below `/` or below a folder that a test makes up.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
};

use super::super::HostError;

/// Longest file that is read; none that we know comes near it.
const MAX_LEN: u64 = 1 << 20;

/// Access to the files below a root; paths are relative to it.
#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    pub(super) fn below(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// A file of its own, rather than a link to one that a program keeps.
    pub(super) fn is_plain(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok_and(|found| found.is_file())
    }

    /// The text, or nothing where there is no such file.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let path = self.path(path);
        // Files of /proc and /sys say they are empty.
        let fits = path.metadata().is_ok_and(|found| found.is_file() && found.len() <= MAX_LEN);
        if fits { fs::read(path).ok() } else { None }
    }

    /// The files of a folder that end so, by name.
    pub(super) fn list(&self, folder: &str, ending: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut paths: Vec<_> =
            names.filter(|name| name.ends_with(ending)).map(|name| format!("{folder}/{name}")).collect();
        paths.sort();
        paths
    }

    /// Puts new content in the place of a file, all or nothing; makes its folder if need be.
    pub(super) fn replace(&self, path: &str, content: &[u8]) -> Result<(), HostError> {
        let target = self.path(path);
        let written = || -> io::Result<()> {
            if let Some(folder) = target.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut beside = target.clone().into_os_string();
            beside.push(".belvedere");
            let mut file = File::create(&beside)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&beside, &target).or_else(|error| {
                fs::remove_file(&beside)?;
                // Container runtimes mount single files of /etc; such a file can only be written in place.
                if error.kind() == io::ErrorKind::ResourceBusy { fs::write(&target, content) } else { Err(error) }
            })
        };
        written().map_err(HostError::io(format!("write /{path}")))
    }
}
