//! The last steps before a container's program runs, in the order in which a container runtime takes them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use harness::pods::protocol::{Access, Escalation, Identity, Launch, Mount};
use rustix::fs::{Gid, StatVfsMountFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_bind_recursive, mount_remount};
use rustix::thread::{set_no_new_privs, set_thread_gid, set_thread_groups, set_thread_uid};

use crate::Failure;

/// What programs expect to find in `/dev`.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Turns this process, which has a mount namespace of its own and one thread, into the container. Returns only to say why not.
pub(crate) fn become_it(description: &Path) -> Result<(), Failure> {
    let launch: Launch = serde_json::from_slice(&fs::read(description)?)?;
    lay_out(&launch)?;
    rustix::process::chroot(&launch.root)?;
    std::env::set_current_dir(&launch.working_folder)
        .map_err(|cause| format!("{}: {cause}", launch.working_folder.display()))?;
    match &launch.identity {
        Identity::Of {
            user,
            group,
            further_groups,
        } => {
            let further: Vec<Gid> = further_groups.iter().copied().map(Gid::from_raw).collect();
            set_thread_groups(&further)?;
            set_thread_gid(Gid::from_raw(*group))?;
            // Whoever is not root has no capabilities from here on.
            set_thread_uid(Uid::from_raw(*user))?;
        }
        Identity::RootOfNamespace => {}
    }
    match launch.escalation {
        Escalation::Forbidden => set_no_new_privs(true)?,
        Escalation::Allowed => {}
    }
    let (program, arguments) = launch
        .command
        .split_first()
        .ok_or("there is no command to run")?;
    let failure = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&launch.environment)
        .exec();
    Err(format!("{program}: {failure}").into())
}

/// Puts everything in its place below the root.
fn lay_out(launch: &Launch) -> Result<(), Failure> {
    let root = &launch.root;
    fs::set_permissions(root, fs::Permissions::from_mode(0o755))?;
    mount_bind_recursive(root, root)?;
    for device in DEVICES {
        let device = Path::new("/dev").join(device);
        put(
            root,
            &Mount {
                source: device.clone(),
                target: device,
                access: Access::ReadWrite,
            },
        )?;
    }
    let processes = place(root, Path::new("/proc"))?;
    fs::create_dir_all(&processes)?;
    match mount("proc", &processes, "proc", MountFlags::empty(), None) {
        // A machine that is a container itself may not allow it to namespaces within.
        Ok(()) | Err(Errno::PERM) => {}
        Err(failure) => return Err(format!("/proc: {failure}").into()),
    }
    for mount in &launch.mounts {
        put(root, mount).map_err(|failure| format!("{}: {failure}", mount.target.display()))?;
    }
    restrict(root, launch.root_access)
}

/// Binds the source to its place, which is made if it is not there.
fn put(root: &Path, mount: &Mount) -> Result<(), Failure> {
    let target = place(root, &mount.target)?;
    if mount.source.is_dir() {
        fs::create_dir_all(&target)?;
    } else {
        fs::create_dir_all(target.parent().unwrap_or(root))?;
        if !target.exists() {
            fs::write(&target, "")?;
        }
    }
    mount_bind_recursive(&mount.source, &target)?;
    restrict(&target, mount.access)
}

/// Where below the root a path of the container is. A link could lead out of the root, so there must be none on the way.
fn place(root: &Path, path: &Path) -> Result<PathBuf, Failure> {
    let mut place = root.to_owned();
    for component in path.components() {
        match component {
            Component::RootDir => continue,
            Component::Normal(name) => place.push(name),
            Component::CurDir | Component::ParentDir | Component::Prefix(_) => {
                return Err("not an absolute path without dots".into());
            }
        }
        if place.is_symlink() {
            return Err(format!("{} is a link, which is not supported", place.display()).into());
        }
    }
    Ok(place)
}

fn restrict(mounted: &Path, access: Access) -> Result<(), Failure> {
    match access {
        Access::ReadWrite => return Ok(()),
        Access::ReadOnly => {}
    }
    // A user namespace may not take away what holds for the file system beneath.
    let beneath = rustix::fs::statvfs(mounted)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (there, flag) in [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ] {
        if beneath.contains(there) {
            flags |= flag;
        }
    }
    Ok(mount_remount(mounted, flags, "")?)
}
