//! What a faithful operator does next, one thing at a time. What it *must* do keeps it from resting; what it *may* do is where
//! the design leaves a choice, or where one process knows what another has forgotten.

use cloudflare_sso_operator::resource::{AdoptionPolicy, ExternalChangePolicy, ManagementPolicy};

use super::super::step::Who;
use super::{Change, Connector, Enforcement, Id, Object, Secret, Stage, State, Verification};

/// The states after the next thing.
#[derive(Debug, Default)]
pub(super) struct Moves {
    pub(super) must: Vec<State>,
    pub(super) may: Vec<State>,
}

impl State {
    /// Who may own the domain; more than one where the design does not say.
    pub(super) fn owners(&self) -> Vec<Option<Who>> {
        let oldest = |wanted: &dyn Fn(&Object) -> bool| {
            let all = self.living();
            let managing = all.filter(|(_, object)| {
                object.spec.management == ManagementPolicy::Manage && wanted(object)
            });
            managing
                .min_by_key(|(_, object)| object.born.clone())
                .map(|(who, _)| who)
        };
        // "A `Manage` object that holds an ID or an open intent owns", and so does one whose connector somebody has deleted:
        // else nothing would keep another object from creating it again.
        let holds = |object: &Object| object.bound.is_some() || object.intent || object.is_held();
        if let Some(holder) = oldest(&holds) {
            return vec![Some(holder)];
        }
        // "Where nobody holds, the oldest", of those "whose token has listed the account".
        let begins = |object: &Object| {
            !object.terminating && !object.spec.suspended && self.has_token(object)
        };
        let mut owners = vec![oldest(&begins)];
        // A suspended one may have listed the account before; the design does not say whether it then keeps others waiting.
        let waits = |object: &Object| !object.terminating && self.has_token(object);
        let suspended = oldest(&waits);
        if !owners.contains(&suspended) {
            owners.push(suspended);
        }
        owners
    }

    /// What may happen next if this object owns the domain.
    pub(super) fn moves(&self, owner: Option<Who>) -> Moves {
        let mut moves = Moves::default();
        for connector in &self.connectors {
            if connector.verification == Verification::Pending && connector.proved {
                moves.must.push(self.changed(&connector.id, |connector| {
                    connector.verification = Verification::Verified;
                    connector.was_verified = true;
                }));
            }
        }
        for (who, object) in self.living() {
            Turn {
                state: self,
                who,
                object,
                owner,
                moves: &mut moves,
            }
            .take();
        }
        moves
    }
}

/// The operator's turn with one object.
struct Turn<'a> {
    state: &'a State,
    who: Who,
    object: &'a Object,
    owner: Option<Who>,
    moves: &'a mut Moves,
}

impl Turn<'_> {
    fn take(&mut self) {
        let spec = &self.object.spec;
        if self.object.terminating {
            return self.depart();
        }
        if self.object.finalizer != spec.deletes() {
            let finalizer = spec.deletes();
            self.must(|object| object.finalizer = finalizer);
            if finalizer && self.object.bound.is_none() {
                return;
            }
        }
        let waits = !spec.acts() || !self.state.has_token(self.object);
        if waits || self.owner != Some(self.who) {
            return self.stand_by();
        }
        if let Some((enforcement, handled)) = self.seen() {
            return self.must(|object| {
                object.enforcement = enforcement;
                object.handled = handled;
            });
        }
        match (&self.object.bound, self.state.bound(self.object)) {
            (None, _) => self.begin(),
            (Some(_), Some(connector)) => self.keep(connector),
            (Some(_), None) => self.miss(),
        }
    }

    fn must(&mut self, change: impl FnOnce(&mut Object)) {
        let state = self.state.with(self.who, change);
        self.moves.must.push(state);
    }

    fn may(&mut self, change: impl FnOnce(&mut Object)) {
        let state = self.state.with(self.who, change);
        self.moves.may.push(state);
    }

    /// The same enforcement in another stage, for the value that is wanted now.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "it is what an object remembers, if it remembers one"
    )]
    const fn at(&self, stage: Stage) -> Option<Enforcement> {
        Some(Enforcement {
            wanted: self.object.spec.enabled,
            stage,
        })
    }

    /// What the operator makes of the recorded enforcement before anything else, if it changes anything: "`Held` ends only when
    /// `spec.enabled` is seen absent or different, …, `onExternalChange` is `Enforce`, or a new `enable-at` appears".
    fn seen(&self) -> Option<(Option<Enforcement>, u32)> {
        let recorded = self.object.enforcement?;
        let (spec, asked) = (&self.object.spec, self.object.asked);
        let differs = recorded.wanted != spec.enabled;
        let gone = self.state.bound(self.object).is_none();
        if spec.enabled.is_none() && recorded.stage != Stage::Armed && gone {
            // What somebody has deleted need not come back because nothing is wanted any more; see `miss`.
            return None;
        }
        let rearmed = recorded.stage == Stage::Held
            && (asked != self.object.handled
                || spec.on_external_change == ExternalChangePolicy::Enforce);
        let absent = spec.enabled.is_none() && recorded.stage != Stage::Armed;
        let enforcement = if differs || rearmed || absent {
            self.at(Stage::Armed)
        } else {
            Some(recorded)
        };
        let changes = enforcement != Some(recorded) || asked != self.object.handled;
        changes.then_some((enforcement, asked))
    }

    /// An object that is suspended, only observes, has no token or is not the owner changes nothing. The operator may take
    /// note of what it says.
    fn stand_by(&mut self) {
        if let Some((enforcement, handled)) = self.seen() {
            self.may(|object| {
                object.enforcement = enforcement;
                object.handled = handled;
            });
        }
        let observes = self.object.spec.management == ManagementPolicy::Observe;
        if self.object.spec.suspended {
            return;
        }
        if observes || self.owner != Some(self.who) {
            // It does not know who does what meanwhile, so that to take over may be judged like a binding.
            if self.object.stage() == Some(Stage::Armed) {
                self.may(|object| object.enforcement = None);
            }
        }
        if observes {
            self.observe();
        }
    }

    /// Which connector an object shows that only observes is not said.
    fn observe(&mut self) {
        let standing = self.state.bound(self.object);
        let satisfied = self.at(Stage::Satisfied);
        if standing.is_some_and(|it| self.object.spec.enabled == Some(it.enabled))
            && self.object.enforcement.is_some()
            && self.object.enforcement != satisfied
        {
            self.may(|object| object.enforcement = satisfied);
        }
        if standing.is_none() {
            for connector in &self.state.connectors {
                self.may(|object| object.bound = Some(connector.id.clone()));
            }
            if self.object.bound.is_some() {
                self.may(|object| object.bound = None);
            }
        }
    }

    /// Nothing is bound: "create, exactly once", or bind what is there.
    fn begin(&mut self) {
        let spec = &self.object.spec;
        if let Some(named) = &spec.named {
            let named = self.state.connector(&Id::Known(named.clone()));
            if let Some(connector) = named {
                self.bind(connector, false);
            }
            return;
        }
        match self.state.connectors.as_slice() {
            [] if self.object.is_held() => {}
            [] if self.object.intent => {
                let created = self.created();
                self.moves.must.push(created);
            }
            [] => self.must(|object| object.intent = true),
            [connector] => {
                if self.object.intent {
                    self.bind(connector, true);
                }
                if spec.adoption == AdoptionPolicy::Adopt {
                    self.bind(connector, false);
                }
            }
            [_, _, ..] => {}
        }
        if self.object.intent && !self.state.connectors.is_empty() {
            // The POST was under way when somebody created one by hand.
            let raced = self.created();
            self.moves.may.push(raced);
        }
    }

    fn created(&self) -> State {
        let spec = &self.object.spec;
        let id = Id::New(self.state.created);
        let mut state = self.state.with(self.who, |object| {
            object.bound = Some(id.clone());
            object.intent = false;
            object.handled = object.asked;
            object.enforcement = self.at(Stage::Armed);
        });
        state.created += 1;
        state.connectors.push(Connector {
            wording: spec.wording.unwrap_or(false),
            verification: if spec.begin_verification {
                Verification::Pending
            } else {
                Verification::Awaiting
            },
            ..Connector::new(id)
        });
        state.after(Change::Create)
    }

    /// "It starts with the write that stores the ID: `Armed` if the connector is *ours* or unverified; a verified one whose
    /// `enabled` differs from the spec starts `Held`."
    fn bind(&mut self, connector: &Connector, ours: bool) {
        let bound = |enforcement| {
            self.state.with(self.who, |object| {
                object.bound = Some(connector.id.clone());
                object.intent = false;
                object.handled = object.asked;
                object.enforcement = enforcement;
            })
        };
        let differs = self
            .object
            .spec
            .enabled
            .is_some_and(|wanted| wanted != connector.enabled);
        if self.object.is_held() && differs {
            let held = bound(self.after_external_change());
            return self.moves.must.push(held);
        }
        if connector.taken_down && differs {
            // What the operator has itself disabled is nobody's decision, as long as it remembers that.
            let armed = bound(self.at(Stage::Armed));
            self.moves.may.push(armed);
        }
        let judged = bound(self.judged(connector, ours));
        self.moves.must.push(judged);
    }

    fn judged(&self, connector: &Connector, ours: bool) -> Option<Enforcement> {
        match self.object.spec.enabled {
            None => self.at(Stage::Armed),
            Some(wanted) if wanted == connector.enabled => self.at(Stage::Satisfied),
            Some(_) if ours || connector.verification != Verification::Verified => {
                self.at(Stage::Armed)
            }
            Some(_) => self.after_external_change(),
        }
    }

    fn after_external_change(&self) -> Option<Enforcement> {
        match self.object.spec.on_external_change {
            ExternalChangePolicy::Hold => self.at(Stage::Held),
            ExternalChangePolicy::Enforce => self.at(Stage::Armed),
        }
    }

    /// The object has its connector: verification, wording, and enabling.
    fn keep(&mut self, connector: &Connector) {
        let Some(stage) = self.object.stage() else {
            // "A state recorded for another UID is lost status and judged the same way", and so is none.
            let judged = self.judged(connector, false);
            return self.must(|object| object.enforcement = judged);
        };
        let spec = &self.object.spec;
        if let Some(wanted) = spec.enabled {
            self.enable(connector, wanted, stage);
        }
        let applying = matches!(stage, Stage::Applying { .. });
        if let Some(wording) = spec.wording.filter(|wanted| *wanted != connector.wording)
            && !applying
        {
            let reworded = self.state.changed(&connector.id, |it| it.wording = wording);
            self.moves
                .must
                .push(reworded.after(Change::Reword(wording)));
        }
        let begins = matches!(
            connector.verification,
            Verification::Awaiting | Verification::Failed
        );
        if begins && spec.begin_verification {
            let begun = self.state.changed(&connector.id, |it| {
                it.verification = Verification::Pending;
            });
            self.moves.must.push(begun.after(Change::Begin));
        }
    }

    fn enable(&mut self, connector: &Connector, wanted: bool, stage: Stage) {
        let verified = connector.verification == Verification::Verified;
        if connector.enabled == wanted {
            if stage != Stage::Satisfied {
                let satisfied = self.at(Stage::Satisfied);
                self.must(|object| object.enforcement = satisfied);
            }
            return;
        }
        match stage {
            Stage::Armed if !wanted || verified => {
                let applying = self.at(Stage::Applying { disturbed: false });
                self.must(|object| object.enforcement = applying);
            }
            Stage::Applying { .. } if wanted && !verified => {
                let armed = self.at(Stage::Armed);
                self.must(|object| object.enforcement = armed);
            }
            Stage::Applying { disturbed } => {
                let switched = self.state.changed(&connector.id, |it| it.enabled = wanted);
                let change = if wanted {
                    Change::Enable
                } else {
                    Change::Disable
                };
                self.moves.must.push(switched.after(change));
                if disturbed {
                    let held = self.after_external_change();
                    self.may(|object| object.enforcement = held);
                }
            }
            Stage::Satisfied => {
                let held = self.after_external_change();
                self.must(|object| object.enforcement = held);
            }
            Stage::Armed | Stage::Held => {}
        }
    }

    /// The bound connector is gone. "`Armed` goes through § 4.1 again; in any other state it is an emergency exit somebody
    /// took: stored as `Held`, reason `DeletedExternally`, no POST until re-armed, or under `Enforce`."
    fn miss(&mut self) {
        let spec = &self.object.spec;
        let held = self.at(Stage::Held);
        if spec.named.is_some() {
            // "Never created." Whether that also counts as an exit once the name is taken away is not said.
            if !self.object.is_held() {
                self.may(|object| object.enforcement = held);
            }
            return;
        }
        let replaced = !self.state.connectors.is_empty();
        let unbind = |enforcement| {
            move |object: &mut Object| {
                object.bound = None;
                object.enforcement = enforcement;
            }
        };
        let enforces = spec.on_external_change == ExternalChangePolicy::Enforce;
        match self.object.stage() {
            Some(Stage::Armed) => self.must(unbind(None)),
            _ if enforces => self.must(unbind(None)),
            Some(Stage::Held) if replaced => self.must(unbind(held)),
            _ if replaced => {
                // Gone is only what has no match in the account, so what a person put in its place may be bound like any other.
                self.must(unbind(held));
                self.must(unbind(None));
            }
            // Whether `enabled` was taken away before the connector was deleted or after that, nobody can tell.
            Some(Stage::Held) if spec.enabled.is_none() => self.may(unbind(None)),
            Some(Stage::Held) => {}
            _ => {
                self.must(|object| {
                    object.enforcement = held;
                    object.handled = object.asked;
                });
                if spec.enabled.is_none() {
                    self.must(unbind(None));
                }
            }
        }
    }

    /// The object is going away, and its finalizer is on.
    fn depart(&mut self) {
        let gone = self.state.without(self.who);
        let object = self.object;
        let free = !object.spec.deletes() || object.spec.suspended;
        let nothing = object.bound.is_none() && !object.intent;
        let belongs_to_another = self.owner.is_some_and(|owner| owner != self.who);
        if free || nothing || belongs_to_another || self.has_heir() {
            self.moves.must.push(gone);
            return;
        }
        let next = match (&object.bound, self.state.bound(object)) {
            (Some(id), Some(connector)) if connector.enabled => {
                let state = self.state.changed(id, |connector| {
                    connector.enabled = false;
                    connector.taken_down = true;
                });
                vec![state.after(Change::Disable)]
            }
            (Some(id), Some(_)) => vec![self.gone_with(id)],
            (Some(_), None) => vec![gone],
            // With an intent and no ID: what is ours is deleted, and nothing else.
            (None, _) => {
                let mut all: Vec<State> = self
                    .state
                    .connectors
                    .iter()
                    .map(|connector| self.gone_with(&connector.id))
                    .collect();
                all.push(gone);
                all
            }
        };
        match self.state.secret(object) {
            Secret::Good => self.moves.must.extend(next),
            // "The last token that worked for the object is kept in memory", and a process may have been started since.
            Secret::Absent => self.moves.may.extend(next),
            Secret::Wrong => {}
        }
    }

    fn gone_with(&self, id: &Id) -> State {
        let mut state = self.state.without(self.who);
        state.connectors.retain(|connector| connector.id != *id);
        state.after(Change::Delete)
    }

    /// "A live, unsuspended `Manage` object for the pair that could bind this connector and whose token has listed the account."
    fn has_heir(&self) -> bool {
        let bound = self.object.bound.as_ref();
        self.state.living().any(|(who, heir)| {
            let is_free = heir.bound.is_none() || heir.bound.as_ref() == bound;
            let may_bind = match &heir.spec.named {
                Some(named) => Some(&Id::Known(named.clone())) == bound,
                None => heir.spec.adoption == AdoptionPolicy::Adopt,
            };
            who != self.who
                && !heir.terminating
                && heir.spec.acts()
                && self.state.has_token(heir)
                && is_free
                && may_bind
        })
    }
}
