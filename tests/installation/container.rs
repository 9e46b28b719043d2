//! The image as a container has it, without a container engine: its own root file system, read-only, in a mount namespace of
//! its own, as the user that it names, without capabilities and without a way to more rights. There are the devices that each
//! container has, and nothing else that the image has not.
//!
//! Root becomes that user. Anybody else needs user namespaces, in which the user is only called so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use harness::Image;
use serde_json::Value;

/// Of those that the OCI runtime specification promises: what has no state.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// `$root` is the root file system, `$user` and `$group` are numbers, and the arguments are the program and its own.
const AS_ROOT: &str = r#"
exec unshare --mount --propagation private -- sh -ec '
    mount --bind "$root" "$root"
    for device in $devices; do mount --bind "/dev/$device" "$root/dev/$device"; done
    mount --options remount,bind,ro "$root"
    exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid -- \
        chroot --groups="$group" --userspec="$user:$group" "$root" "$0" "$@"
' "$@"
"#;
const AS_ANYBODY: &str = r#"
exec unshare --user --map-root-user --mount --propagation private -- sh -ec '
    mount --bind "$root" "$root"
    for device in $devices; do mount --bind "/dev/$device" "$root/dev/$device"; done
    mount --options remount,bind,ro "$root"
    exec setpriv --no-new-privs -- \
        unshare --user --map-user="$user" --map-group="$group" --root="$root" --wd=/ -- "$0" "$@"
' "$@"
"#;

/// A container-to-be, with what is mounted into it.
pub(crate) struct Container {
    image: Image,
    program: PathBuf,
}

impl Container {
    /// The image with nothing mounted yet.
    pub(crate) fn of(image: Image) -> Self {
        let root = image.root();
        let execution = &image.configuration().config;
        let (user, group) = execution.user.split_once(':').unwrap();
        let [entrypoint] = &execution.entrypoint[..] else {
            panic!("not one word: {:?}", execution.entrypoint)
        };
        let enter = if rustix::process::geteuid().is_root() {
            AS_ROOT
        } else {
            AS_ANYBODY
        };
        fs::create_dir(root.join("dev")).unwrap();
        for device in DEVICES {
            fs::write(root.join("dev").join(device), "").unwrap();
        }
        let program = root.with_file_name("run");
        let root = root.display();
        let devices = DEVICES.join(" ");
        let script = format!(
            "#!/bin/sh\nexport root='{root}' user={user} group={group} devices='{devices}'\nset -- {entrypoint} \"$@\"\n{enter}"
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { image, program }
    }

    /// A program outside that runs the image's own, with the arguments and the environment that it is given.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Its root file system, seen from outside.
    pub(crate) fn root(&self) -> PathBuf {
        self.image.root()
    }

    /// Puts a file at this path, as a volume would.
    pub(crate) fn put(&self, path: &Path, text: &str) {
        let inside = self.root().join(path.strip_prefix("/").unwrap());
        fs::create_dir_all(inside.parent().unwrap()).unwrap();
        fs::write(&inside, text).unwrap();
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// Puts a kubeconfig file where it is outside, with the authority that it names.
    pub(crate) fn put_kubeconfig(&self, path: &Path) {
        let text = fs::read_to_string(path).unwrap();
        let parsed: Value = serde_json::from_str(&text).unwrap();
        let authority = &parsed["clusters"][0]["cluster"]["certificate-authority"];
        let authority = Path::new(authority.as_str().unwrap());
        self.put(authority, &fs::read_to_string(authority).unwrap());
        self.put(path, &text);
    }
}
