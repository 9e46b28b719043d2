//! Pods run, and their status says how they are.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{ContainerImage, ControlPlane, Options, PodRunner, RunningPods, await_object, until};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_mins(1);
const IMAGE: &str = "actor:1";

/// A control plane whose Pods run.
struct Stage {
    pods: RunningPods,
    control_plane: ControlPlane,
    _image: TempDir,
}

impl Stage {
    async fn set() -> Self {
        let image = tempfile::tempdir().unwrap();
        lay_out_image(image.path());
        let options = Options::default().with_controller_manager();
        let control_plane = ControlPlane::start(options).await.unwrap();
        let pods = PodRunner::new()
            .image(
                IMAGE,
                ContainerImage::new(image.path().to_owned(), "/actor"),
            )
            .start(&control_plane)
            .await
            .unwrap();
        Self {
            pods,
            control_plane,
            _image: image,
        }
    }

    async fn apply(&self, object: &Value) {
        self.control_plane.apply(&object.to_string()).await.unwrap();
    }

    fn api(&self) -> Api<Pod> {
        Api::default_namespaced(self.control_plane.client())
    }

    async fn pod_when(&self, name: &str, awaited: &str, is_so: impl Fn(&Pod) -> bool) -> Pod {
        await_object(&self.api(), name, awaited, DEADLINE, is_so)
            .await
            .unwrap()
    }

    async fn ask(&self, pod: &str, question: &str) -> String {
        until(&format!("{pod} to answer"), DEADLINE, async || {
            let address = self
                .pods
                .address("default", pod, 8080)
                .ok_or("no address")?;
            let answer = reqwest::get(format!("http://{address}/{question}")).await;
            let answer = answer.map_err(|_| "no answer")?;
            answer.text().await.map_err(|_| "half an answer")
        })
        .await
        .unwrap()
    }
}

/// A root file system with the actor and the libraries that it is linked with.
fn lay_out_image(root: &Path) {
    let actor = env!("CARGO_BIN_EXE_pod-actor");
    std::fs::copy(actor, root.join("actor")).unwrap();
    let linked = Command::new("ldd").arg(actor).output().unwrap();
    let linked = String::from_utf8(linked.stdout).unwrap();
    for library in linked
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let target = root.join(library.trim_start_matches('/'));
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(library, target).unwrap();
    }
}

/// A Pod with one container like this.
fn pod(name: &str, restart_policy: &str, container: Value) -> Value {
    let container = with(json!({ "name": "actor", "image": IMAGE }), container);
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "default" },
        "spec": { "restartPolicy": restart_policy, "containers": [container] },
    })
}

/// A container that serves and is asked whether it is ready.
fn serving(more: Value) -> Value {
    let container = json!({
        "args": ["serve"], "ports": [{ "name": "http", "containerPort": 8080 }],
        "readinessProbe": { "httpGet": { "path": "/ready", "port": "http" } },
    });
    with(container, more)
}

fn with(mut whole: Value, more: Value) -> Value {
    if let (Some(whole), Value::Object(more)) = (whole.as_object_mut(), more) {
        whole.extend(more);
    }
    whole
}

fn container(pod: &Pod) -> ContainerStatus {
    let status = pod.status.clone().unwrap_or_default();
    let mut statuses = status.container_statuses.unwrap_or_default();
    statuses.pop().unwrap_or_default()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.clone().unwrap_or_default().conditions;
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

fn waits_for(pod: &Pod) -> Option<String> {
    container(pod).state?.waiting?.reason
}

#[tokio::test]
async fn two_replicas_listen_on_the_same_port_and_the_deployment_is_available() {
    let stage = Stage::set().await;
    let template = &pod("", "Always", serving(json!({})))["spec"];
    stage
        .apply(&json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "actors", "namespace": "default" },
            "spec": {
                "replicas": 2, "selector": { "matchLabels": { "app": "actor" } },
                "template": { "metadata": { "labels": { "app": "actor" } }, "spec": template },
            },
        }))
        .await;
    let deployments: Api<Deployment> = Api::default_namespaced(stage.control_plane.client());
    await_object(
        &deployments,
        "actors",
        "to be available",
        DEADLINE,
        |found| {
            let status = found.status.as_ref();
            status.and_then(|status| status.available_replicas) == Some(2)
        },
    )
    .await
    .unwrap();
    let pods = stage.api().list(&ListParams::default()).await.unwrap();
    let mut addresses = BTreeSet::new();
    for pod in &pods {
        stage.ask(&pod.name_any(), "self").await;
        addresses.insert(pod.status.clone().unwrap().pod_ip);
    }
    assert_eq!(addresses.len(), 2, "each has an address of its own");
}

#[tokio::test]
async fn a_container_finds_what_its_pod_says() {
    let stage = Stage::set().await;
    for object in [
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "secret", "namespace": "default" },
            "stringData": { "token": "first" },
        }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "map", "namespace": "default" },
            "data": { "word": "hello" },
        }),
    ] {
        stage.apply(&object).await;
    }
    let mut object = pod(
        "one",
        "Always",
        serving(json!({
            "args": ["serve", "--readiness", "$(READINESS)"],
            "env": [
                { "name": "READINESS", "value": "ready" },
                { "name": "POD", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                { "name": "TOKEN", "valueFrom": { "secretKeyRef": { "name": "secret", "key": "token" } } },
                { "name": "NONE", "valueFrom": { "configMapKeyRef": { "name": "none", "key": "x", "optional": true } } },
            ],
            "envFrom": [{ "prefix": "MAP_", "configMapRef": { "name": "map" } }],
            "securityContext": { "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false },
            "volumeMounts": [
                { "name": "secret", "mountPath": "/run/secret", "readOnly": true },
                { "name": "map", "mountPath": "/etc/word", "subPath": "word" },
                { "name": "scratch", "mountPath": "/scratch" },
            ],
        })),
    );
    object["spec"]["securityContext"] =
        json!({ "runAsUser": 65532, "runAsGroup": 65533, "runAsNonRoot": true });
    object["spec"]["volumes"] = json!([
        { "name": "secret", "secret": { "secretName": "secret" } },
        { "name": "map", "configMap": { "name": "map" } },
        { "name": "scratch", "emptyDir": {} },
    ]);
    stage.apply(&object).await;
    stage.pod_when("one", "to be ready", is_ready).await;

    let told: Value = serde_json::from_str(&stage.ask("one", "self").await).unwrap();
    let environment = &told["environment"];
    for (name, value) in [("POD", "one"), ("TOKEN", "first"), ("MAP_word", "hello")] {
        assert_eq!(environment[name], value);
    }
    assert_eq!(environment["NONE"], Value::Null);
    assert_eq!(told["arguments"][3], "ready");
    if rustix::process::geteuid().is_root() {
        assert_eq!(
            (&told["user"], &told["group"]),
            (&json!(65532), &json!(65533))
        );
    }

    assert_eq!(stage.ask("one", "file/etc/word").await, "hello");
    let account = "file/var/run/secrets/kubernetes.io/serviceaccount";
    assert_eq!(
        stage.ask("one", &format!("{account}/namespace")).await,
        "default"
    );
    for file in ["token", "ca.crt"] {
        assert!(stage.ask("one", &format!("{account}/{file}")).await.len() > 100);
    }
    assert_eq!(stage.ask("one", "write/scratch/new").await, "");
    for forbidden in ["/new", "/run/secret/new", "/run/secret/token"] {
        let refusal = stage.ask("one", &format!("write{forbidden}")).await;
        assert!(refusal.contains("Read-only"), "{forbidden}: {refusal}");
    }

    stage
        .control_plane
        .kubectl(&[
            "patch",
            "secret",
            "secret",
            "-p",
            r#"{"stringData":{"token":"second"}}"#,
        ])
        .await
        .unwrap()
        .success()
        .unwrap();
    until(
        "the mounted Secret to follow",
        DEADLINE,
        async || match stage.ask("one", "file/run/secret/token").await {
            token if token == "second" => Ok(()),
            token => Err(token),
        },
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_failing_readiness_probe_keeps_a_pod_unready() {
    let stage = Stage::set().await;
    let container = serving(json!({ "args": ["serve", "--readiness", "unready"] }));
    stage.apply(&pod("one", "Always", container)).await;
    let running = |pod: &Pod| phase(pod) == Some("Running");
    let unready = stage.pod_when("one", "to run", running).await;
    assert!(!is_ready(&unready));
    stage.ask("one", "become/ready").await;
    stage.pod_when("one", "to be ready", is_ready).await;
}

#[tokio::test]
async fn a_job_completes_and_another_fails_after_its_retries() {
    let stage = Stage::set().await;
    for (name, code) in [("good", "0"), ("bad", "3")] {
        let template = &pod("", "Never", json!({ "args": ["exit", code] }))["spec"];
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": name, "namespace": "default" },
            "spec": { "backoffLimit": 1, "template": { "spec": template } },
        });
        stage.apply(&job).await;
    }
    let jobs: Api<Job> = Api::default_namespaced(stage.control_plane.client());
    let has = |kind: &'static str| {
        move |job: &Job| {
            let conditions = job.status.clone().unwrap_or_default().conditions;
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|condition| condition.type_ == kind && condition.status == "True")
        }
    };
    let jobs = (
        await_object(&jobs, "good", "to complete", DEADLINE, has("Complete")).await,
        await_object(&jobs, "bad", "to fail", DEADLINE, has("Failed")).await,
    );
    assert_eq!(jobs.0.unwrap().status.unwrap().succeeded, Some(1));
    assert_eq!(jobs.1.unwrap().status.unwrap().failed, Some(2));
}

#[tokio::test]
async fn a_container_that_crashes_or_is_not_alive_any_more_is_started_again() {
    let stage = Stage::set().await;
    let liveness = json!({
        "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 3, "httpGet": { "path": "/ready", "port": 8080 },
    });
    let container_spec = serving(json!({ "livenessProbe": liveness }));
    stage.apply(&pod("one", "Always", container_spec)).await;
    stage.pod_when("one", "to be ready", is_ready).await;
    for (blow, code) in [("exit/3", 3), ("become/unready", 0)] {
        let before = stage.pod_when("one", "to be ready", is_ready).await;
        let restarts = container(&before).restart_count;
        // It ends before it has answered.
        let address = stage.pods.address("default", "one", 8080).unwrap();
        let _ = reqwest::get(format!("http://{address}/{blow}")).await;
        let restarted = stage
            .pod_when("one", "to be ready again", |pod| {
                container(pod).restart_count > restarts && is_ready(pod)
            })
            .await;
        let ended = container(&restarted)
            .last_state
            .unwrap()
            .terminated
            .unwrap();
        assert_eq!(ended.exit_code, code, "{blow}");
    }
}

#[tokio::test]
async fn a_deleted_pod_has_its_grace_and_no_more() {
    let stage = Stage::set().await;
    for manners in ["polite", "stubborn"] {
        let container = serving(json!({ "args": ["serve", "--manners", manners] }));
        stage.apply(&pod(manners, "Always", container)).await;
    }
    for (manners, least, most) in [("polite", 0, 20), ("stubborn", 2, 60)] {
        let object = stage.pod_when(manners, "to be ready", is_ready).await;
        let begun = Instant::now();
        let grace = if manners == "polite" { 30 } else { 2 };
        let parameters = DeleteParams::default().grace_period(grace);
        stage.api().delete(manners, &parameters).await.unwrap();
        harness::await_gone(&stage.api(), &object, DEADLINE)
            .await
            .unwrap();
        let took = begun.elapsed().as_secs();
        assert!((least..most).contains(&took), "{manners}: {took} s");
        assert!(
            stage
                .pods
                .output("default", manners, "actor")
                .contains("asked to end")
        );
    }
}

#[tokio::test]
async fn what_is_missing_is_told_and_waited_for() {
    let stage = Stage::set().await;
    let unknown = json!({ "image": "unknown:1" });
    stage.apply(&pod("unknown", "Always", unknown)).await;
    let needy = serving(json!({
        "env": [{ "name": "X", "valueFrom": { "secretKeyRef": { "name": "late", "key": "x" } } }],
    }));
    stage.apply(&pod("needy", "Always", needy)).await;
    let rooted = serving(json!({ "securityContext": { "runAsNonRoot": true } }));
    stage.apply(&pod("rooted", "Always", rooted)).await;
    for (name, reason) in [
        ("unknown", "ErrImagePull"),
        ("needy", "CreateContainerConfigError"),
        ("rooted", "CreateContainerConfigError"),
    ] {
        let waits = |pod: &Pod| waits_for(pod).as_deref() == Some(reason);
        let found = stage.pod_when(name, reason, waits).await;
        assert_eq!(phase(&found), Some("Pending"));
    }
    stage
        .apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "late", "namespace": "default" },
            "stringData": { "x": "y" },
        }))
        .await;
    stage.pod_when("needy", "to be ready", is_ready).await;
}

#[tokio::test]
async fn init_containers_come_first_and_one_after_the_other() {
    let stage = Stage::set().await;
    let mut good = pod("good", "Always", serving(json!({})));
    let init =
        |name: &str, code: &str| json!({ "name": name, "image": IMAGE, "args": ["exit", code] });
    good["spec"]["initContainers"] = json!([init("first", "0"), init("second", "0")]);
    let mut bad = pod("bad", "Never", serving(json!({})));
    bad["spec"]["initContainers"] = json!([init("first", "1"), init("second", "0")]);
    stage.apply(&good).await;
    stage.apply(&bad).await;
    stage.pod_when("good", "to be ready", is_ready).await;
    let failed = |pod: &Pod| phase(pod) == Some("Failed");
    let failed = stage.pod_when("bad", "to fail", failed).await;
    let statuses = failed.status.unwrap().init_container_statuses.unwrap();
    assert!(
        statuses[1].state.clone().unwrap().waiting.is_some(),
        "the second one never ran"
    );
}
