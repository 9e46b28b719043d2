//! The volumes of a Pod, as folders of the machine.
//!
//! What comes from the API is written as files and kept up to date, each file by a rename, so that nobody reads half of it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, ServiceAccount,
    ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};

use super::environment::{Lack, config_map_data, field, present};

/// As Kubernetes has it where a Pod says nothing.
const MODE: i32 = 0o644;
const FOLDER_MODE: u32 = 0o755;
const EMPTY_FOLDER_MODE: u32 = 0o777;
/// What a file gets beside its mode when the Pod names a group for its volumes.
const GROUP_MODE: u32 = 0o040;

/// One file of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    bytes: Vec<u8>,
    mode: u32,
}

type Files = BTreeMap<PathBuf, Content>;

/// Whether the volumes are made or brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// They are made.
    First,
    /// They are brought up to date. Tokens are not: they last longer than any test.
    Later,
}

/// Makes every volume of the Pod below `folder`, or brings it up to date. `group` owns what is in them.
pub(super) async fn provide(
    client: &Client,
    pod: &Pod,
    folder: &Path,
    group: Option<u32>,
    round: Round,
) -> Result<(), Lack> {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    for volume in volumes.into_iter().flatten() {
        if round == Round::Later && (volume.empty_dir.is_some() || has_token(volume)) {
            continue;
        }
        let place = folder.join(&volume.name);
        if volume.empty_dir.is_some() {
            make_folder(&place, EMPTY_FOLDER_MODE, group)
                .map_err(|failure| unwritable(&failure))?;
        } else {
            let files = files(client, pod, volume).await?;
            write(&place, &files, group).map_err(|failure| unwritable(&failure))?;
        }
    }
    Ok(())
}

fn has_token(volume: &Volume) -> bool {
    let sources = volume.projected.as_ref();
    let sources = sources.and_then(|projected| projected.sources.as_ref());
    sources
        .into_iter()
        .flatten()
        .any(|source| source.service_account_token.is_some())
}

fn unwritable(failure: &io::Error) -> Lack {
    Lack::Missing(format!("a volume cannot be written: {failure}"))
}

async fn files(client: &Client, pod: &Pod, volume: &Volume) -> Result<Files, Lack> {
    let reader = Reader { client, pod };
    if let Some(source) = &volume.secret {
        let name = source.secret_name.clone().unwrap_or_default();
        let mode = source.default_mode;
        reader
            .secret(&name, source.items.as_deref(), source.optional, mode)
            .await
    } else if let Some(source) = &volume.config_map {
        let mode = source.default_mode;
        reader
            .config_map(&source.name, source.items.as_deref(), source.optional, mode)
            .await
    } else if let Some(source) = &volume.downward_api {
        reader.fields(source.items.as_deref(), source.default_mode)
    } else if let Some(source) = &volume.projected {
        let mut files = Files::new();
        for part in source.sources.iter().flatten() {
            files.extend(reader.projection(part, source.default_mode).await?);
        }
        Ok(files)
    } else {
        Err(Lack::Unsupported(format!(
            "the kind of volume {}",
            volume.name
        )))
    }
}

struct Reader<'a> {
    client: &'a Client,
    pod: &'a Pod,
}

impl Reader<'_> {
    fn namespace(&self) -> String {
        self.pod.namespace().unwrap_or_default()
    }

    async fn projection(&self, part: &VolumeProjection, mode: Option<i32>) -> Result<Files, Lack> {
        if let Some(source) = &part.secret {
            self.secret(&source.name, source.items.as_deref(), source.optional, mode)
                .await
        } else if let Some(source) = &part.config_map {
            self.config_map(&source.name, source.items.as_deref(), source.optional, mode)
                .await
        } else if let Some(source) = &part.downward_api {
            self.fields(source.items.as_deref(), mode)
        } else if let Some(source) = &part.service_account_token {
            self.token(source, mode).await
        } else {
            Err(Lack::Unsupported(
                "this part of a projected volume".to_owned(),
            ))
        }
    }

    async fn secret(
        &self,
        name: &str,
        items: Option<&[KeyToPath]>,
        optional: Option<bool>,
        mode: Option<i32>,
    ) -> Result<Files, Lack> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace());
        let found = present(api, name, optional).await?;
        let data = found.and_then(|secret| secret.data).unwrap_or_default();
        select(data, items, optional, mode)
    }

    async fn config_map(
        &self,
        name: &str,
        items: Option<&[KeyToPath]>,
        optional: Option<bool>,
        mode: Option<i32>,
    ) -> Result<Files, Lack> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace());
        let found = present(api, name, optional).await?;
        let data = found.map(config_map_data).unwrap_or_default();
        select(data, items, optional, mode)
    }

    fn fields(
        &self,
        items: Option<&[DownwardAPIVolumeFile]>,
        mode: Option<i32>,
    ) -> Result<Files, Lack> {
        let mut files = Files::new();
        for item in items.into_iter().flatten() {
            let selector = item.field_ref.as_ref();
            let selector =
                selector.ok_or_else(|| Lack::Unsupported("a resource as a file".to_owned()))?;
            let value = field(self.pod, selector)?;
            let content = content(value.into_bytes(), item.mode.or(mode));
            files.insert(PathBuf::from(&item.path), content);
        }
        Ok(files)
    }

    /// A token of the Pod's account, which is worth nothing once the Pod is gone.
    async fn token(
        &self,
        source: &ServiceAccountTokenProjection,
        mode: Option<i32>,
    ) -> Result<Files, Lack> {
        let spec = self.pod.spec.as_ref();
        let account = spec
            .and_then(|spec| spec.service_account_name.clone())
            .unwrap_or_default();
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: source.audience.iter().cloned().collect(),
                expiration_seconds: source.expiration_seconds,
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: Some(self.pod.name_any()),
                    uid: self.pod.uid(),
                }),
            },
            ..TokenRequest::default()
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace());
        let answer = accounts
            .create_token_request(&account, &PostParams::default(), &request)
            .await?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        let content = content(token.into_bytes(), mode);
        Ok(Files::from([(PathBuf::from(&source.path), content)]))
    }
}

/// The keys that are asked for; all of them where none is named.
fn select(
    mut data: BTreeMap<String, ByteString>,
    items: Option<&[KeyToPath]>,
    optional: Option<bool>,
    mode: Option<i32>,
) -> Result<Files, Lack> {
    let Some(items) = items else {
        let whole = |(key, value): (String, ByteString)| (key.into(), content(value.0, mode));
        return Ok(data.into_iter().map(whole).collect());
    };
    let mut files = Files::new();
    for item in items {
        match (data.remove(&item.key), optional) {
            (Some(value), _) => {
                let content = content(value.0, item.mode.or(mode));
                files.insert(PathBuf::from(&item.path), content);
            }
            (None, Some(true)) => {}
            (None, None | Some(false)) => {
                let missing = format!("references non-existent key: {}", item.key);
                return Err(Lack::Missing(missing));
            }
        }
    }
    Ok(files)
}

fn content(bytes: Vec<u8>, mode: Option<i32>) -> Content {
    Content {
        bytes,
        mode: mode.unwrap_or(MODE).cast_unsigned(),
    }
}

/// Makes the folder hold these files and no others.
fn write(folder: &Path, files: &Files, group: Option<u32>) -> io::Result<()> {
    make_folder(folder, FOLDER_MODE, group)?;
    for (path, content) in files {
        let path = folder.join(path);
        if fs::read(&path).is_ok_and(|there| there == content.bytes) {
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let new = path.with_extension("new");
        fs::write(&new, &content.bytes)?;
        let mut mode = content.mode;
        if group.is_some() {
            mode |= GROUP_MODE;
        }
        fs::set_permissions(&new, Permissions::from_mode(mode))?;
        chown(&new, None, group)?;
        fs::rename(&new, &path)?;
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_wanted = files.keys().any(|path| path.starts_with(entry.file_name()));
        if !is_wanted && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn make_folder(folder: &Path, mode: u32, group: Option<u32>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(mode))?;
    chown(folder, None, group)
}
