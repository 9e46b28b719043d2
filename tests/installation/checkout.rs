//! Git repositories of a test's own, and the files of this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::stage::repository;

/// A file of this repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files with this extension in a folder of this repository, without those below it, in order.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(repository().join(folder))
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|own| own == extension))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} has no .{extension}");
    found
}

/// A repository in a temporary folder.
pub(crate) struct Checkout {
    folder: TempDir,
}

impl Checkout {
    /// One without a commit.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let checkout = Self { folder };
        checkout.git(&["init", "--quiet", "--initial-branch=main"]);
        checkout
    }

    /// One with all that this repository has, committed or not, but what was built.
    pub(crate) fn of_this_repository() -> Self {
        let checkout = Self::empty();
        let parts: Vec<_> = fs::read_dir(repository())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name != ".git" && name != "target")
            .collect();
        copy(&parts, checkout.path());
        checkout.commit("As it is");
        checkout
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where Argo CD finds it.
    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Reads a file.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap()
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.folder.path().join(path)).unwrap();
    }

    /// Commits all that was changed.
    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    fn git(&self, arguments: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
            .args(["-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
    }
}

/// Copies files and folders of this repository into a folder that is there.
pub(crate) fn copy(parts: &[impl AsRef<Path>], to: &Path) {
    let copied = Command::new("cp")
        .arg("--recursive")
        .args(parts.iter().map(|part| repository().join(part)))
        .arg(to)
        .status();
    assert!(copied.unwrap().success());
}
