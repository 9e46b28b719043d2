//! `docs/upgrade.md`, followed word for word from its beginning to its end, where the version before is installed.

use std::fs;

use harness::{Chart, Part};

use crate::cluster::{Cluster, chart_before};
use crate::definition::{ours, with_an_old_rule};
use crate::install_page::{chapters, follow, lay_out};

const PAGE: &str = "docs/upgrade.md";

#[tokio::test]
async fn every_command_of_the_page_works_where_it_stands() {
    let cluster = Cluster::with(Part::Helm4).await;
    let before = chart_before(cluster.helm.home(), with_an_old_rule);
    cluster.install(&before, &[]).await.unwrap();
    let page = fs::read_to_string(Chart::folder().join(PAGE)).unwrap();
    let checkout = cluster.control_plane.folder().join("checkout");
    lay_out(&checkout);
    let helm = Part::Helm4.folder().await.unwrap();
    let chapters = chapters(&page);
    assert!(chapters.len() >= 4, "{PAGE} has no commands");
    for chapter in chapters {
        follow(&chapter, &cluster.control_plane, &helm, &checkout).await;
    }
    let definition = cluster.definition().await;
    assert_eq!(definition["spec"]["versions"], ours()["spec"]["versions"]);
    assert_eq!(cluster.operators().await.len(), 1);
}
