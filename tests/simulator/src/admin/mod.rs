//! The other side of the simulator, typed: what tests arrange, do behind the operator's back, and look at.

mod dns;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::calls::{Call, Calls};
use crate::faults::{Fault, FaultId, FaultReport, Verdict};
use crate::knobs::Knobs;
use crate::refusal::Refusal;
use crate::state::{
    Connector, ConnectorChange, ConnectorDraft, Permission, TokenRequest, VerificationStatus,
};
use crate::world::{Shared, World};

/// A handle on a running simulator. Clones act on the same one.
#[derive(Debug, Clone)]
pub struct Admin {
    shared: Arc<Shared>,
}

impl Admin {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Opens an account, without identity provider. Nothing happens if it is there already.
    pub fn add_account(&self, account: &str) {
        self.shared.with(|world| world.model.add_account(account));
    }

    /// Opens an account that has an identity provider, and issues a token under `label` that may do everything in it.
    /// Returns the token.
    #[must_use]
    pub fn add_ready_account(&self, account: &str, label: &str) -> String {
        self.add_account(account);
        self.add_identity_provider(account);
        self.issue_token(TokenRequest::new(label).grant(account, Permission::ALL))
    }

    /// The IDs of all accounts.
    #[must_use]
    pub fn accounts(&self) -> Vec<String> {
        self.shared.read(|world| world.model.accounts())
    }

    /// Adds an identity provider of type `azureAD` to an account.
    pub fn add_identity_provider(&self, account: &str) {
        let provider = json!({"type": "azureAD", "name": "Entra ID", "config": {}});
        let provider = provider.as_object().cloned().unwrap_or_default();
        // Only a second one-time PIN can be refused.
        let _ = self.create_identity_provider(account, provider);
    }

    /// Adds any identity provider to an account.
    ///
    /// # Errors
    /// As the API refuses it: without a `type`, or for a second one-time PIN.
    pub fn create_identity_provider(
        &self,
        account: &str,
        provider: Map<String, Value>,
    ) -> Result<Map<String, Value>, Refusal> {
        self.shared
            .with(|world| world.model.create_identity_provider(account, provider))
    }

    /// Issues a token and opens the accounts that it is for. Returns its text.
    #[must_use]
    pub fn issue_token(&self, request: TokenRequest) -> String {
        self.shared.with(|world| {
            for account in request.grants.keys() {
                world.model.add_account(account);
            }
            let now = world.now();
            world.model.issue_token(request, now)
        })
    }

    /// Revokes every token with this label.
    pub fn revoke_tokens(&self, label: &str) {
        self.shared.with(|world| world.model.revoke_tokens(label));
    }

    /// The connectors of an account as they are, whatever lagging reads show; oldest first.
    #[must_use]
    pub fn connectors(&self, account: &str) -> Vec<Connector> {
        self.shared.read(|world| world.connectors(account))
    }

    /// A connector as it is, in whatever account.
    #[must_use]
    pub fn connector(&self, id: &str) -> Option<Connector> {
        self.shared.read(|world| world.connector(id))
    }

    /// Makes a connector by hand; no rule is asked.
    #[must_use]
    pub fn create_connector(&self, draft: ConnectorDraft) -> Connector {
        self.shared.with(|world| {
            world.model.add_account(&draft.account);
            let now = world.now();
            world.model.insert(draft, now, &world.knobs)
        })
    }

    /// Changes a connector by hand; no rule is asked, and `updated_on` grows.
    ///
    /// # Errors
    /// If no connector has this ID.
    pub fn change_connector(
        &self,
        id: &str,
        change: ConnectorChange,
    ) -> Result<Connector, Refusal> {
        self.shared.with(|world| {
            let now = world.now();
            world
                .model
                .change(id, change, now, &world.knobs)
                .ok_or(Refusal::UnknownConnector)
        })
    }

    /// Enforces SSO by hand, or stops enforcing it.
    ///
    /// # Errors
    /// If no connector has this ID.
    pub fn set_enabled(&self, id: &str, enabled: bool) -> Result<Connector, Refusal> {
        self.change_connector(
            id,
            ConnectorChange {
                enabled: Some(enabled),
                ..ConnectorChange::default()
            },
        )
    }

    /// Forces the verification: a lapse, or a status that no documentation lists.
    ///
    /// # Errors
    /// If no connector has this ID.
    pub fn set_verification(
        &self,
        id: &str,
        status: VerificationStatus,
    ) -> Result<Connector, Refusal> {
        self.change_connector(
            id,
            ConnectorChange {
                verification_status: Some(status),
                ..ConnectorChange::default()
            },
        )
    }

    /// Deletes a connector by hand, enabled or not, and returns what it was.
    ///
    /// # Errors
    /// If no connector has this ID.
    pub fn delete_connector(&self, id: &str) -> Result<Connector, Refusal> {
        self.shared.with(|world| {
            let now = world.now();
            world.model.remove(id, now).ok_or(Refusal::UnknownConnector)
        })
    }

    /// The knobs as they are.
    #[must_use]
    pub fn knobs(&self) -> Knobs {
        self.shared.read(|world| world.knobs.clone())
    }

    /// Turns knobs while the simulator runs.
    pub fn turn_knobs(&self, turn: impl FnOnce(&mut Knobs)) {
        self.shared.with(|world| turn(&mut world.knobs));
    }

    /// Adds a fault to the end of the queue.
    #[expect(
        clippy::must_use_candidate,
        reason = "most callers only arrange a fault"
    )]
    pub fn push_fault(&self, fault: Fault) -> FaultHandle {
        let id = self
            .shared
            .with(|world| world.faults.push(fault, Instant::now()));
        FaultHandle {
            admin: self.clone(),
            id,
        }
    }

    /// The faults that were pushed and not cleared, oldest first.
    #[must_use]
    pub fn faults(&self) -> Vec<FaultReport> {
        self.shared.read(World::faults)
    }

    /// Forgets every fault; calls that are held go on.
    pub fn clear_faults(&self) {
        self.shared.with(|world| world.faults.clear());
    }

    pub(crate) fn decide(&self, id: FaultId, verdict: Verdict) -> bool {
        self.shared.with(|world| world.faults.decide(id, verdict))
    }

    /// Every call so far, oldest first.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.shared.read(World::calls)
    }

    /// Those calls for which `wanted` holds, oldest first; the others are not even copied.
    #[must_use]
    pub fn calls_that(&self, wanted: impl Fn(&Call) -> bool) -> Calls {
        self.shared.read(|world| world.calls_that(wanted))
    }

    /// The calls that came after the one with this sequence number, oldest first.
    #[must_use]
    pub fn calls_after(&self, sequence: u64) -> Calls {
        self.shared.read(|world| world.calls.after(sequence))
    }

    /// Waits until `condition` holds, looking again at every change.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if it does not hold within `deadline`.
    pub async fn until(
        &self,
        mut condition: impl FnMut(&World) -> bool,
        deadline: Duration,
    ) -> io::Result<()> {
        self.shared
            .until(|world| condition(world).then_some(()), deadline)
            .await
    }

    /// Waits until `find` finds something, looking again at every change.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if it finds nothing within `deadline`.
    pub async fn until_found<T>(
        &self,
        find: impl FnMut(&World) -> Option<T>,
        deadline: Duration,
    ) -> io::Result<T> {
        self.shared.until(find, deadline).await
    }
}

/// A fault in the queue. Dropping the handle leaves the fault there.
#[derive(Debug, Clone)]
pub struct FaultHandle {
    admin: Admin,
    id: FaultId,
}

impl FaultHandle {
    /// Its name in the queue.
    #[must_use]
    pub const fn id(&self) -> FaultId {
        self.id
    }

    /// How many calls it has struck; none once it is cleared.
    #[must_use]
    pub fn struck(&self) -> u32 {
        let shared = &self.admin.shared;
        shared.read(|world| world.faults.struck(self.id))
    }

    /// Waits until it has struck a call; with a hold that call waits now.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] if no such call arrives within `deadline`.
    pub async fn arrived(&self, deadline: Duration) -> io::Result<()> {
        let struck = |report: &FaultReport| report.id == self.id && report.struck > 0;
        self.admin
            .until(|world| world.faults().iter().any(struck), deadline)
            .await
    }

    /// Ends the fault; calls that it holds go on.
    pub fn release(&self) {
        self.admin.decide(self.id, Verdict::Continue);
    }

    /// Ends the fault and forgets it, so that a long run does not carry along what is spent; calls that it holds go on.
    pub fn remove(self) {
        let shared = &self.admin.shared;
        shared.with(|world| world.faults.remove(self.id));
    }

    /// Ends the fault; calls that it holds lose their connection where they stand.
    pub fn drop_connection(&self) {
        self.admin.decide(self.id, Verdict::Drop);
    }
}
