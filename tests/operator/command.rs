//! The binary as a person runs it: a subcommand that ends by itself.

use std::path::Path;

use tokio::process::Command;

use crate::stage::Stage;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary with a token in the environment (empty: none), and nothing else but PATH and a kubeconfig.
pub(crate) async fn command(
    stage: &Stage,
    kubeconfig: &Path,
    token: &str,
    arguments: &[&str],
) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_cloudflare-sso-operator"))
        .args(arguments)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", stage.control_plane.folder())
        .env("KUBECONFIG", kubeconfig)
        .env("CLOUDFLARE_API_TOKEN", token)
        .env("CLOUDFLARE_BASE_URL", stage.simulator.base_url())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ended = Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    let shown = [&ended.stdout, &ended.stderr];
    let tells = !token.is_empty() && shown.iter().any(|text| text.contains(token));
    assert!(!tells, "the token is shown: {ended:#?}");
    ended
}
