//! The images that Pods can have, which come from nowhere but the test.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Image;

/// An image: its files, and what they are run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerImage {
    /// The folder with its files. Containers get copies.
    pub root: PathBuf,
    /// The program and its first arguments, which a Pod's `command` replaces.
    pub entrypoint: Vec<String>,
    /// The arguments behind them, which a Pod's `command` or `args` replaces.
    pub arguments: Vec<String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// User and group, where a Pod does not say another.
    pub user: (u32, u32),
}

impl ContainerImage {
    /// An image whose program is run by root, without arguments.
    #[must_use]
    pub fn new(root: PathBuf, program: &str) -> Self {
        Self {
            root,
            entrypoint: vec![program.to_owned()],
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            user: (0, 0),
        }
    }
}

impl From<&Image> for ContainerImage {
    /// The operator's image as it says itself that it is run.
    fn from(image: &Image) -> Self {
        let execution = &image.configuration().config;
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        let mut ids = execution.user.split(':');
        let user = number(ids.next()).unwrap_or_default();
        let variables = execution.env.iter();
        Self {
            root: image.root(),
            entrypoint: execution.entrypoint.clone(),
            arguments: execution.cmd.clone(),
            environment: variables
                .filter_map(|variable| variable.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            user: (user, number(ids.next()).unwrap_or(user)),
        }
    }
}

/// What a container runs: a Pod's `command` replaces all that the image says, its `args` only the arguments.
pub(super) fn command(
    image: &ContainerImage,
    command: Option<&[String]>,
    arguments: Option<&[String]>,
) -> Vec<String> {
    let (program, default_arguments): (&[String], &[String]) = match command {
        Some(command) if !command.is_empty() => (command, &[]),
        Some(_) | None => (&image.entrypoint, &image.arguments),
    };
    let arguments = arguments.filter(|given| !given.is_empty());
    [program, arguments.unwrap_or(default_arguments)].concat()
}

/// Copies the files of an image to a folder of a container's own.
pub(super) fn unpack(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            unpack(&entry.path(), &target)?;
            fs::set_permissions(&target, entry.metadata()?.permissions())?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_replaces_what_its_image_says() {
        let mut image = ContainerImage::new(PathBuf::new(), "/program");
        image.arguments = vec!["default".to_owned()];
        let words =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        for (given_command, given_arguments, runs) in [
            (None, None, "/program default"),
            (Some(""), Some(""), "/program default"),
            (None, Some("a b"), "/program a b"),
            (Some("/other"), None, "/other"),
            (Some("/other c"), Some("a b"), "/other c a b"),
        ] {
            let (given_command, given_arguments) =
                (given_command.map(words), given_arguments.map(words));
            let command = command(&image, given_command.as_deref(), given_arguments.as_deref());
            assert_eq!(command, words(runs));
        }
    }
}
