//! The schema guard. A definition older than this operator prunes the fields that it does not know (`suspend`,
//! `managementPolicy`, `deletionPolicy`) from every object that is read, and the next write makes the loss permanent. So
//! nothing is written and nothing is changed at Cloudflare unless the definition in the cluster knows every field that
//! the operator was compiled with.
//!
//! | room | does |
//! |---|---|
//! | [`schema`] | which fields a schema lacks |
//! | [`judgement`] | what is to be thought of the definition in the cluster |
//! | [`mod@watch`] | keeps that judgement up to date |
//! | [`shift`] | lets work go on only under a definition that stands, each on copies that were read under it |

mod judgement;
mod schema;
mod shift;
mod watch;

pub use judgement::{Judgement, Revision, Unjudged, lacking, name_some};
pub use shift::{Shift, shifts};
pub use watch::watch;
