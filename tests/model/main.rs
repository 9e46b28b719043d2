//! Every interleaving, to a stated bound. The real plan and the real status are run against a small model of Cloudflare, of
//! the API server and of the process; a model checker visits every universe that people, trouble and crashes can lead to
//! within the budget of a scene, checks what must never happen at each call, and from each universe that it comes to a good
//! end once the trouble is over.

#![allow(missing_docs, reason = "nothing here is for others")]
#![allow(unreachable_pub, reason = "nothing here is for others")]

mod axis;
mod bugs;
mod calm;
mod cloudflare;
mod cluster;
mod course;
mod events;
mod exchange;
mod nevers;
mod pass;
mod process;
mod scene;
mod scenes;
mod store;
mod universe;
