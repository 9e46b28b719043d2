//! The proxy passes calls and watches through, and can hold, answer and cut those that a test chooses, and hold back or leave
//! out what a watch tells.

use std::time::Duration;

use futures::TryStreamExt;
use harness::{
    Answer, ApiServerProxy, Call, ControlPlane, EventKind, EventTreatment, HarnessError, Options,
    Outcome, Treatment, await_object, until,
};
use hyper::{Method, StatusCode};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use simulator::{Knobs, Simulator};

const DEADLINE: Duration = Duration::from_secs(20);

const WRITER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: writer, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: writer, namespace: default}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [create, delete, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: writer, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: writer}
subjects: [{kind: ServiceAccount, name: writer}]
";

/// A control plane, a proxy before it, and the config maps as a `ServiceAccount` sees them through the proxy
/// and as the administrator sees them without it.
struct Stage {
    proxy: ApiServerProxy,
    through_proxy: Api<ConfigMap>,
    direct: Api<ConfigMap>,
    _control_plane: ControlPlane,
}

impl Stage {
    async fn set() -> Result<Self, HarnessError> {
        let control_plane = ControlPlane::start(Options::default()).await?;
        control_plane.apply(WRITER).await?;
        let proxy = ApiServerProxy::start(&control_plane).await?;
        let kubeconfig = control_plane
            .service_account_kubeconfig("default", "writer", Some(proxy.url()))
            .await?;
        let file = Kubeconfig::read_from(kubeconfig)?;
        let mut config =
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        // A test that asks for one call wants to see one.
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        Ok(Self {
            proxy,
            through_proxy: Api::default_namespaced(client),
            direct: Api::default_namespaced(control_plane.client()),
            _control_plane: control_plane,
        })
    }

    /// Creates a config map through the proxy, in the background.
    fn create(&self, name: &str) -> tokio::task::JoinHandle<Result<ConfigMap, kube::Error>> {
        let api = self.through_proxy.clone();
        let map = config_map(name);
        tokio::spawn(async move { api.create(&PostParams::default(), &map).await })
    }
}

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(serde_json::json!({ "metadata": { "name": name } })).unwrap()
}

fn creates(name: &'static str) -> impl Fn(&Call) -> bool {
    move |call| call.method == Method::POST && String::from_utf8_lossy(&call.body).contains(name)
}

#[tokio::test]
async fn it_streams_watches_with_the_rights_of_the_caller() -> Result<(), HarnessError> {
    let stage = Stage::set().await?;
    let mut events = Box::pin(
        stage
            .through_proxy
            .watch(&WatchParams::default(), "0")
            .await
            .unwrap(),
    );
    stage.create("watched").await.unwrap().unwrap();
    let seen = async {
        loop {
            if let Some(WatchEvent::Added(map)) = events.try_next().await.unwrap()
                && map.metadata.name.as_deref() == Some("watched")
            {
                break;
            }
        }
    };
    tokio::time::timeout(DEADLINE, seen)
        .await
        .expect("the event comes while the watch is open");

    let refusal = stage.through_proxy.get("watched").await.unwrap_err();
    assert!(
        matches!(&refusal, kube::Error::Api(status) if status.is_forbidden()),
        "{refusal}"
    );
    let posts: Vec<_> = stage
        .proxy
        .calls()
        .into_iter()
        .filter(|call| call.method == Method::POST)
        .collect();
    assert_eq!(posts.len(), 1);
    assert!(
        posts[0]
            .path
            .starts_with("/api/v1/namespaces/default/configmaps"),
        "{posts:?}"
    );
    assert_eq!(posts[0].outcome, Outcome::Answered(StatusCode::CREATED));
    Ok(())
}

#[tokio::test]
async fn a_call_held_before_forwarding_has_not_happened_yet() -> Result<(), HarnessError> {
    let stage = Stage::set().await?;
    let interception = stage
        .proxy
        .intercept(Treatment::HoldBeforeForwarding, creates("early"));
    let waiting = stage.create("early");
    let call = tokio::time::timeout(DEADLINE, interception.arrived())
        .await
        .expect("the call arrives");
    assert_eq!(call.method, Method::POST);
    // Others pass.
    stage.create("other").await.unwrap().unwrap();
    assert!(stage.direct.get_opt("early").await.unwrap().is_none());
    assert!(!waiting.is_finished());
    interception.release();
    waiting.await.unwrap().unwrap();
    stage.direct.get("early").await.unwrap();
    Ok(())
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_held_call_along() -> Result<(), HarnessError> {
    let stage = Stage::set().await?;
    let interception = stage
        .proxy
        .intercept(Treatment::HoldBeforeForwarding, creates("abandoned"));
    let mut raw = tokio::net::TcpStream::connect(("127.0.0.1", stage.proxy.url().port().unwrap()))
        .await
        .unwrap();
    let body = r#"{"metadata":{"name":"abandoned"}}"#;
    let head = "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: proxy";
    let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    tokio::io::AsyncWriteExt::write_all(&mut raw, request.as_bytes())
        .await
        .unwrap();
    tokio::time::timeout(DEADLINE, interception.arrived())
        .await
        .expect("the call arrives");
    drop(raw);
    until("the proxy to notice", DEADLINE, async || {
        match stage.proxy.calls()[0].outcome {
            Outcome::Cut => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_call_held_after_the_answer_has_happened_already() -> Result<(), HarnessError> {
    let stage = Stage::set().await?;
    let interception = stage
        .proxy
        .intercept(Treatment::HoldAfterAnswer, creates("late"));
    let waiting = stage.create("late");
    tokio::time::timeout(DEADLINE, interception.arrived())
        .await
        .expect("the call arrives");
    stage.direct.get("late").await.unwrap();
    assert!(!waiting.is_finished());
    drop(interception);
    waiting.await.unwrap().unwrap();
    Ok(())
}

#[tokio::test]
async fn calls_can_be_answered_and_cut_on_either_side() -> Result<(), HarnessError> {
    let stage = Stage::set().await?;
    let busy = StatusCode::SERVICE_UNAVAILABLE;
    let answer = stage
        .proxy
        .intercept(Treatment::Answer(busy), creates("answered"));
    let error = stage.create("answered").await.unwrap().unwrap_err();
    assert!(
        matches!(&error, kube::Error::Api(status) if status.code == 503),
        "{error}"
    );
    assert!(stage.direct.get_opt("answered").await.unwrap().is_none());
    assert_eq!(answer.calls().len(), 1);
    answer.release();
    stage.create("answered").await.unwrap().unwrap();

    let before = stage
        .proxy
        .intercept(Treatment::CutBeforeForwarding, creates("cut-before"));
    let error = stage.create("cut-before").await.unwrap().unwrap_err();
    assert!(!matches!(error, kube::Error::Api(_)), "{error}");
    assert!(stage.direct.get_opt("cut-before").await.unwrap().is_none());
    drop(before);

    let _after = stage
        .proxy
        .intercept(Treatment::CutAfterAnswer, creates("cut-after"));
    let error = stage.create("cut-after").await.unwrap().unwrap_err();
    assert!(!matches!(error, kube::Error::Api(_)), "{error}");
    await_object(&stage.direct, "cut-after", "to exist", DEADLINE, |_| true).await?;
    Ok(())
}

#[tokio::test]
async fn a_held_call_can_be_cut_on_either_side() -> Result<(), HarnessError> {
    let stage = Stage::set().await?;
    for (name, treatment, happened) in [
        ("unheard", Treatment::HoldBeforeForwarding, false),
        ("untold", Treatment::HoldAfterAnswer, true),
    ] {
        let held = stage.proxy.intercept(treatment, creates(name));
        let waiting = stage.create(name);
        tokio::time::timeout(DEADLINE, held.arrived())
            .await
            .expect("the call arrives");
        held.cut();
        let error = waiting.await.unwrap().unwrap_err();
        assert!(!matches!(error, kube::Error::Api(_)), "{error}");
        let found = stage.direct.get_opt(name).await.unwrap();
        assert_eq!(found.is_some(), happened, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn in_silence_connections_stay_open_and_nothing_comes_through() -> Result<(), HarnessError> {
    let stage = Stage::set().await?;
    let parameters = WatchParams::default();
    let mut events = Box::pin(stage.through_proxy.watch(&parameters, "0").await.unwrap());
    let mut next = async || loop {
        match events.try_next().await.unwrap() {
            Some(WatchEvent::Added(map)) => break map.metadata.name.unwrap(),
            Some(_) => {}
            None => panic!("the watch has ended"),
        }
    };
    stage.create("before").await.unwrap().unwrap();
    while next().await != "before" {}

    stage.proxy.fall_silent();
    let calls = stage.proxy.calls().len();
    let waiting = stage.create("after");
    let map = config_map("beside");
    let options = PostParams::default();
    stage.direct.create(&options, &map).await.unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(300), next()).await;
    assert!(silence.is_err(), "not even on the open watch: {silence:?}");
    assert!(!waiting.is_finished());
    assert_eq!(stage.proxy.calls().len(), calls, "it was not even read");
    stage.proxy.speak();
    waiting.await.unwrap().unwrap();
    let both = async { [next().await, next().await] };
    let both = tokio::time::timeout(DEADLINE, both).await;
    assert_eq!(both.expect("the same watch goes on"), ["beside", "after"]);
    Ok(())
}

#[tokio::test]
async fn it_stands_in_front_of_anything_that_speaks_plain_http() -> Result<(), HarnessError> {
    let simulator = Simulator::start(Knobs::default()).await.unwrap();
    let upstream = format!("http://{}", simulator.address()).parse().unwrap();
    let proxy = ApiServerProxy::in_front_of(upstream).await?;
    let knobs = proxy.url().join("admin/knobs").unwrap();
    let answer = reqwest::get(knobs).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(proxy.calls()[0].path, "/admin/knobs");
    Ok(())
}

#[tokio::test]
async fn it_can_be_away_and_come_back() -> Result<(), HarnessError> {
    let stage = Stage::set().await?;
    let mut events = Box::pin(
        stage
            .through_proxy
            .watch(&WatchParams::default(), "0")
            .await
            .unwrap(),
    );
    stage.proxy.refuse();
    let end = async { while let Ok(Some(_)) = events.try_next().await {} };
    tokio::time::timeout(DEADLINE, end)
        .await
        .expect("the open watch is cut");
    stage.create("refused").await.unwrap().unwrap_err();

    stage.proxy.recover();
    stage.create("welcome").await.unwrap().unwrap();
    stage
        .through_proxy
        .delete("welcome", &DeleteParams::default())
        .await
        .unwrap();
    until(
        "the refused one to be absent",
        DEADLINE,
        async || match stage.direct.get_opt("refused").await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn events_can_be_held_back_and_left_out_in_the_order_in_which_they_come()
-> Result<(), HarnessError> {
    let stage = Stage::set().await?;
    let parameters = WatchParams::default();
    let mut events = Box::pin(stage.through_proxy.watch(&parameters, "0").await.unwrap());
    let mut next = async || loop {
        let event = tokio::time::timeout(DEADLINE, events.try_next()).await;
        match event.expect("an event in time").unwrap() {
            Some(WatchEvent::Added(map)) => break map.metadata.name.unwrap(),
            Some(_) => {}
            None => panic!("the watch has ended"),
        }
    };
    stage.create("first").await.unwrap().unwrap();
    while next().await != "first" {}

    // The watch was opened before anybody thought of this.
    let left_out = stage.proxy.intercept_events(EventTreatment::Drop, |event| {
        event.kind == EventKind::Added && event.object["metadata"]["name"] == "unseen"
    });
    let held = stage.proxy.intercept_events(EventTreatment::Hold, |event| {
        event.path.contains("/configmaps") && event.object["metadata"]["name"] == "late"
    });
    for name in ["unseen", "late", "last"] {
        stage.create(name).await.unwrap().unwrap();
    }
    let both = async { tokio::join!(left_out.arrived(), held.arrived()) };
    tokio::time::timeout(DEADLINE, both)
        .await
        .expect("both come by");
    let silence = tokio::time::timeout(Duration::from_millis(300), next()).await;
    assert!(silence.is_err(), "what follows waits, too: {silence:?}");
    held.release();
    assert_eq!(next().await, "late");
    assert_eq!(next().await, "last");
    Ok(())
}

#[tokio::test]
async fn an_answer_can_be_another_one_break_off_or_stall_for_the_first_calls_alone()
-> Result<(), HarnessError> {
    let stage = Stage::set().await?;
    let gone = Answer::refusal(StatusCode::GONE).retry_after(Duration::from_secs(2));
    for (name, treatment) in [
        ("told", Treatment::AnswerAfterForwarding(gone)),
        ("broken", Treatment::CutInAnswer),
    ] {
        let first = stage.proxy.intercept_first(1, treatment, creates(name));
        let error = stage.create(name).await.unwrap().unwrap_err();
        let is_told = matches!(&error, kube::Error::Api(status) if status.code == 410);
        assert_eq!(is_told, name == "told", "{error}");
        stage.direct.get(name).await.unwrap();
        let again = stage.create(name).await.unwrap().unwrap_err();
        let exists = matches!(&again, kube::Error::Api(status) if status.is_already_exists());
        assert!(exists, "only the first is treated: {again}");
        assert_eq!(first.calls().len(), 1);
    }
    let stalled = stage
        .proxy
        .intercept_first(1, Treatment::StallInAnswer, creates("stalled"));
    let waiting = stage.create("stalled");
    tokio::time::timeout(DEADLINE, stalled.arrived())
        .await
        .expect("the call arrives");
    stage.direct.get("stalled").await.unwrap();
    assert!(!waiting.is_finished());
    stalled.release();
    let created = waiting.await.unwrap().unwrap();
    assert_eq!(created.metadata.name.as_deref(), Some("stalled"));
    Ok(())
}
