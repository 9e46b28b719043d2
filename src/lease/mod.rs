//! Who of several operators acts: leader election by a Kubernetes Lease.
//!
//! Whoever holds the Lease leads. A leader renews it every few seconds, and may begin calls until the renew deadline (15 s)
//! after it *sent* its last successful renewal; a call takes at most 12 s; a standby takes over when it has itself seen
//! one and the same version of the Lease for the whole lease duration (30 s), on its own monotonic clock. The renewal
//! was sent before any standby could see it, and 15 s and 12 s are less than 30 s: so nothing that the old leader began is
//! under way when the new one starts, whatever their clocks say, and however long either was paused. Every write rests on
//! a `resourceVersion`, so of several who try one succeeds. All observations are reads from the quorum or answers to own
//! writes; the watch only says when to look. The [`Authority`] is the deadline as a value: whatever changes something
//! reads it right before the bytes go out. A leader that cannot renew in time ends its process; there is no way back to
//! standing by, in which something of the old life could go on. On SIGTERM the Lease is released last of all.
//!
//! | room | does |
//! |---|---|
//! | [`decide`] | every decision, pure |
//! | [`elector`] | makes the calls that are decided |
//! | [`api`] | the Lease on the API server |
//! | [`authority`] | until when this process may act |
//! | [`guard`] | keeps a client of the API server from writing without authority |
//! | [`place`] | where the Lease is, and who we are in it |

mod api;
mod authority;
mod decide;
mod elector;
mod guard;
mod place;

pub use authority::{Authority, Lapsed, uptime};
pub use decide::{Candidate, Decision, Lost, Record, Terms};
pub use elector::{Elector, Leader, Place};
pub use guard::{Guarded, WritesUnder};
pub use place::{NoNamespace, identity, namespace};
