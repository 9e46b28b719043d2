//! Installing the operator the way people do: the chart with helm 3 and 4, Argo CD, the image, and the monitoring that comes
//! with it. Everything but Cloudflare is real.

mod argo_cd;
mod checkout;
mod customizations;
mod policy;
mod samples;
#[path = "../operator/stage.rs"]
#[expect(dead_code, reason = "the tests of the operator use the rest")]
mod stage;
