//! Installing the operator the way people do: the chart with helm 3 and 4, Argo CD, the image, and the monitoring that comes
//! with it. Everything but Cloudflare is real.

mod argo_cd;
mod chart;
mod checkout;
mod cluster;
mod crd_apply;
mod customizations;
mod definition;
mod goldens;
mod image;
mod install_page;
mod monitoring;
mod policy;
mod prometheus;
mod release;
mod roles;
mod samples;
#[path = "../stage/mod.rs"]
#[expect(dead_code, reason = "the tests of the operator use the rest")]
mod stage;
mod upgrade_page;
mod values;
