//! Installing the operator the way people do: the chart with helm 3 and 4, Argo CD, the image, and the monitoring that comes
//! with it. Everything but Cloudflare is real.

mod chart;
mod cluster;
mod crd_apply;
mod goldens;
mod image;
mod install_page;
mod monitoring;
mod prometheus;
mod release;
mod roles;
mod surroundings;
mod upgrade_page;
mod values;
