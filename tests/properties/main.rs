//! The promises of the operator over random worlds. The real plan and the real status are driven through a model of the
//! cluster, of Cloudflare and of the process, with people, trouble and crashes in between; each promise that must never
//! be broken is a function of [`nevers`], checked at every call.

#![allow(missing_docs, reason = "nothing here is for others")]
#![allow(unreachable_pub, reason = "nothing here is for others")]

mod cloudflare;
mod cluster;
mod contact;
mod endings;
mod exchange;
mod hand;
mod leadership;
mod model;
mod moments;
mod nevers;
mod pace;
mod pass;
mod process;
mod publication;
mod random_worlds;
mod regressions;
mod script;
