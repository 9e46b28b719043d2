//! Trying.
use harness::{ArgoCd, ControlPlane, Options};

#[tokio::test]
async fn it_starts() {
    let control_plane = ControlPlane::start(Options::default().with_controller_manager())
        .await
        .unwrap();
    let started = std::time::Instant::now();
    let argo = ArgoCd::start(&control_plane).await.unwrap();
    eprintln!("{:?}", started.elapsed());
    let out = argo.command(&["app", "list"]).await.unwrap();
    eprintln!("{out:?}");
    let folder = std::env::var_os("HOLD");
    if folder.is_some() {
        eprintln!("KUBECONFIG={}", control_plane.kubeconfig().display());
        tokio::time::sleep(std::time::Duration::from_secs(500)).await;
    }
}
