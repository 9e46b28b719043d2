//! `playground cluster`: the surroundings and a node that runs the operator's image, until somebody ends them.

use harness::{Image, Part, PodRunner, asked_to_end};

use crate::Failure;
use crate::state::Running;
use crate::surroundings::{ACCOUNT, Surroundings};

/// Where the pages say that the image is.
const REPOSITORY: &str = "images.example/cloudflare-sso-operator";

pub(crate) async fn run() -> Result<(), Failure> {
    let running = Running::claim()?;
    eprintln!("starting control plane and simulated Cloudflare …");
    tokio::select! {
        // Before it is up there is nothing to say.
        ended = asked_to_end() => Ok(ended?),
        outcome = stay() => outcome,
    }?;
    eprintln!("everything ended");
    drop(running);
    Ok(())
}

async fn stay() -> Result<(), Failure> {
    let image = Image::build().await?;
    let helm = Part::Helm4.folder().await?;
    let surroundings = Surroundings::start().await?;
    let base_url = surroundings.cloudflare_base_url()?;
    let reference = format!("{REPOSITORY}:{}", env!("CARGO_PKG_VERSION"));
    let pods = PodRunner::new()
        .image(&reference, (&image).into())
        .reach(base_url.port_or_known_default().unwrap_or_default())
        .start(&surroundings.control_plane)
        .await?;
    println!(
        "A cluster without the operator is up. In each other terminal, first:\n\n{}\n",
        surroundings.how_to_look_around(&[helm])
    );
    println!("Then follow the README, from step 2 of the first connector on. What differs here:\n");
    println!("  step 2, the image is there already; in the checkout:");
    println!("    helm install cloudflare-sso-operator . --namespace cloudflare-sso-system \\");
    println!("      --create-namespace --wait --set image.repository={REPOSITORY} \\");
    println!("      --set cloudflare.baseURL={base_url} --set poll.unverified=1s \\");
    println!("      --set dns.lookups=false   # no name server knows these domains");
    println!("  step 3, the token to paste:");
    println!("    {}", surroundings.token);
    let admin = surroundings.simulator.admin_url();
    println!("  step 5, the record is published, with its value, by");
    println!("    curl -X PUT {admin}/txt/example.com -d 'cloudflare_dashboard_sso=…'\n");
    tell_hands_free(&surroundings);
    println!("`check` and `export` need --cloudflare-base-url {base_url}, too.");
    println!("Pods run as processes of this machine; `kubectl logs` and `exec` do not reach them.");
    println!("It stays until Ctrl-C here, or `make cluster-down` anywhere.");
    std::future::pending::<()>().await;
    drop(pods);
    Ok(())
}

/// How the operator is made to publish the TXT record.
fn tell_hands_free(surroundings: &Surroundings) {
    let admin = surroundings.simulator.admin_url();
    let zone = format!(r#"{{"account":"{ACCOUNT}","name":"example.com"}}"#);
    println!("To have the operator publish the record, give the domain a zone in the simulated");
    println!(
        "Cloudflare DNS, store the token for DNS, and apply deploy/samples/hands-free.yaml:\n"
    );
    println!("    curl {admin}/zones --json '{zone}'");
    println!("    kubectl create secret generic cloudflare-dns-token --namespace=sso \\");
    println!(
        "      --from-literal=api-token={}\n",
        surroundings.dns_token
    );
    println!("What the zone holds, with the ID that the first command prints:\n");
    println!("    curl {admin}/zones/ZONE_ID/records\n");
}
