//! `playground cluster`: the surroundings, until somebody ends them.

use crate::state::Running;
use crate::surroundings::Surroundings;
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
    let base_url = surroundings.simulator.base_url();
    println!(
        "The control plane is up, with crds/ and the rights of deploy/install.yaml. In each other terminal, first:\n"
    );
    println!("{}\n", surroundings.how_to_look_around());
    println!("Then follow the README, from step 3 of the first connector on. What differs here:\n");
    println!("  step 3, the command that runs the operator ends with");
    println!("    --cloudflare-base-url {base_url} --poll-unverified 1s");
    println!("  step 4, the token to paste:");
    println!("    {}", surroundings.token);
    println!("  step 6, the record is published, with its value, by");
    println!(
        "    curl -X PUT {}/txt/example.com -d 'cloudflare_dashboard_sso=…'\n",
        surroundings.simulator.admin_url()
    );
    println!("`check` and `export` need --cloudflare-base-url {base_url}, too.");
    println!("It stays until Ctrl-C here, or `make cluster-down` anywhere.");
    std::future::pending().await
}
