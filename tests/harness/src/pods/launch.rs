//! What a container is in the words of the operating system, from what its Pod and its image say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, Pod, PodSecurityContext, SecurityContext};

use super::environment::{Lack, expand};
use super::image::{self, ContainerImage};
use super::protocol::{Access, Escalation, Identity, Launch, Mount};
use super::sandbox::Privilege;

/// Where things of the Pod are on the machine.
pub(super) struct Places<'a> {
    pub(super) root: PathBuf,
    pub(super) volumes: &'a Path,
    pub(super) hosts: PathBuf,
    pub(super) log: PathBuf,
}

/// Describes the container.
pub(super) fn describe(
    pod: &Pod,
    container: &Container,
    image: &ContainerImage,
    given: BTreeMap<String, String>,
    privilege: Privilege,
    places: Places<'_>,
) -> Result<Launch, Lack> {
    refuse_what_is_not_played(pod, container)?;
    let mut environment = image.environment.clone();
    environment.extend(given);
    let expanded = |words: &Option<Vec<String>>| -> Option<Vec<String>> {
        let words = words.as_ref()?.iter();
        Some(words.map(|word| expand(word, &environment)).collect())
    };
    let command = image::command(
        image,
        expanded(&container.command).as_deref(),
        expanded(&container.args).as_deref(),
    );
    let context = container.security_context.clone().unwrap_or_default();
    let of_pod = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.security_context.clone())
        .unwrap_or_default();
    let mut mounts = mounts(container, places.volumes)?;
    mounts.push(Mount {
        source: places.hosts,
        target: PathBuf::from("/etc/hosts"),
        access: Access::ReadOnly,
    });
    Ok(Launch {
        root: places.root,
        root_access: access(context.read_only_root_filesystem),
        mounts,
        command,
        environment,
        working_folder: container
            .working_dir
            .as_deref()
            .filter(|folder| !folder.is_empty())
            .unwrap_or("/")
            .into(),
        identity: identity(&of_pod, &context, image.user, privilege)?,
        escalation: match context.allow_privilege_escalation {
            Some(false) => Escalation::Forbidden,
            Some(true) | None => Escalation::Allowed,
        },
        log: places.log,
    })
}

/// A Pod that counts on what is not played here fails loudly, and not later in another way.
fn refuse_what_is_not_played(pod: &Pod, container: &Container) -> Result<(), Lack> {
    let spec = pod.spec.as_ref();
    let unsupported = [
        (
            "hostNetwork",
            spec.is_some_and(|spec| spec.host_network == Some(true)),
        ),
        (
            "hostPID",
            spec.is_some_and(|spec| spec.host_pid == Some(true)),
        ),
        ("lifecycle", container.lifecycle.is_some()),
        (
            "a restartPolicy of a container",
            container.restart_policy.is_some(),
        ),
    ];
    match unsupported
        .into_iter()
        .find(|(_, is_asked_for)| *is_asked_for)
    {
        Some((what, _)) => Err(Lack::Unsupported(what.to_owned())),
        None => Ok(()),
    }
}

/// The group that owns what is in the Pod's volumes.
pub(super) fn volume_group(pod: &Pod, privilege: Privilege) -> Option<u32> {
    match privilege {
        Privilege::UserNamespace => None,
        Privilege::Root => number(pod.spec.as_ref()?.security_context.as_ref()?.fs_group),
    }
}

fn mounts(container: &Container, volumes: &Path) -> Result<Vec<Mount>, Lack> {
    let mut mounts = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        if mount.sub_path_expr.is_some() {
            return Err(Lack::Unsupported("subPathExpr".to_owned()));
        }
        let mut source = volumes.join(&mount.name);
        if let Some(path) = &mount.sub_path {
            source.push(path);
        }
        mounts.push(Mount {
            source,
            target: PathBuf::from(&mount.mount_path),
            access: access(mount.read_only),
        });
    }
    // What is mounted below another mount comes after it.
    mounts.sort_by(|one, other| one.target.cmp(&other.target));
    Ok(mounts)
}

fn access(read_only: Option<bool>) -> Access {
    match read_only {
        Some(true) => Access::ReadOnly,
        Some(false) | None => Access::ReadWrite,
    }
}

/// Who the container is: the container says it before the Pod, the Pod before the image.
fn identity(
    pod: &PodSecurityContext,
    container: &SecurityContext,
    image: (u32, u32),
    privilege: Privilege,
) -> Result<Identity, Lack> {
    let user = number(container.run_as_user.or(pod.run_as_user)).unwrap_or(image.0);
    let group = number(container.run_as_group.or(pod.run_as_group)).unwrap_or(image.1);
    if container.run_as_non_root.or(pod.run_as_non_root) == Some(true) && user == 0 {
        let refusal = "container has runAsNonRoot and image will run as root";
        return Err(Lack::Missing(refusal.to_owned()));
    }
    let further = pod.supplemental_groups.iter().flatten().copied();
    Ok(match privilege {
        Privilege::UserNamespace => Identity::RootOfNamespace,
        Privilege::Root => Identity::Of {
            user,
            group,
            further_groups: further
                .chain(pod.fs_group)
                .filter_map(|group| number(Some(group)))
                .collect(),
        },
    })
}

fn number(given: Option<i64>) -> Option<u32> {
    u32::try_from(given?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_says_who_it_is_before_the_pod_and_the_pod_before_the_image() {
        let nobody_says = PodSecurityContext::default();
        let pod_says = PodSecurityContext {
            run_as_user: Some(1000),
            run_as_group: Some(1001),
            run_as_non_root: Some(true),
            fs_group: Some(1002),
            ..PodSecurityContext::default()
        };
        let silent = SecurityContext::default();
        let own = SecurityContext {
            run_as_user: Some(2000),
            ..SecurityContext::default()
        };
        let of = |user, group, further: &[u32]| Identity::Of {
            user,
            group,
            further_groups: further.to_vec(),
        };
        for (pod, container, image, expected) in [
            (&nobody_says, &silent, (0, 0), Some(of(0, 0, &[]))),
            (
                &nobody_says,
                &silent,
                (65532, 65532),
                Some(of(65532, 65532, &[])),
            ),
            (&pod_says, &silent, (0, 0), Some(of(1000, 1001, &[1002]))),
            (&pod_says, &own, (0, 0), Some(of(2000, 1001, &[1002]))),
        ] {
            let identity = identity(pod, container, image, Privilege::Root).ok();
            assert_eq!(identity, expected);
        }
        let root = SecurityContext {
            run_as_user: Some(0),
            ..SecurityContext::default()
        };
        assert!(identity(&pod_says, &root, (1, 1), Privilege::Root).is_err());
    }
}
