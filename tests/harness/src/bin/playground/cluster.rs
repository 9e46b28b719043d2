//! `playground cluster`: the surroundings, until somebody ends them.

use crate::state::Running;
use crate::surroundings::{OPERATOR_NAMESPACE, Surroundings};
use crate::{Failure, asked_to_end};

pub(crate) async fn run() -> Result<(), Failure> {
    let running = Running::claim()?;
    eprintln!("starting control plane and simulated Cloudflare …");
    tokio::select! {
        // Before it is up there is nothing to say.
        ended = asked_to_end() => ended,
        outcome = stay() => outcome,
    }?;
    eprintln!("everything ended");
    drop(running);
    Ok(())
}

async fn stay() -> Result<(), Failure> {
    let surroundings = Surroundings::start().await?;
    println!("The control plane is up. In another terminal:\n");
    println!("{}\n", surroundings.how_to_look_around());
    println!("Run the operator against it, in the checkout, with the same KUBECONFIG:");
    println!(
        "  cargo run -- run --lease-namespace {OPERATOR_NAMESPACE} --cloudflare-base-url {} --poll-unverified 1s\n",
        surroundings.simulator.base_url()
    );
    println!("The first connector:");
    println!(
        "  kubectl create secret generic cloudflare-api-token --from-literal=api-token={}",
        surroundings.token
    );
    println!("  kubectl apply -f deploy/samples/enabled.yaml");
    println!("  kubectl get sso --watch");
    println!("and, for what DNS holds, with the value of its TXT record:");
    println!(
        "  curl -X PUT {}/txt/example.com -d 'cloudflare_dashboard_sso=…'\n",
        surroundings.simulator.admin_url()
    );
    println!("It stays until Ctrl-C here, or `make cluster-down` anywhere.");
    std::future::pending().await
}
