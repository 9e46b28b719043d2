//! Installing the operator the way people do: the chart with helm 3 and 4, Argo CD, the image, and the monitoring that comes
//! with it. Everything but Cloudflare is real.

mod argo_cd;
