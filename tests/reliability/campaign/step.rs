//! What people do, as words: to the objects, to the Secrets, at Cloudflare, and to the operator's process. And how often
//! proptest lets them do it.

use cloudflare_sso_operator::resource::{
    AdoptionPolicy, DeletionPolicy, ExternalChangePolicy, ManagementPolicy,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// One of the two objects that a sequence may have for its domain, or one of its two Secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    First,
    Second,
}

impl Who {
    pub(crate) const ALL: [Self; 2] = [Self::First, Self::Second];

    /// What the object and its Secret are called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

/// A value for a field of the spec; `None` takes the field out. Account and domain are immutable, and each sequence has its
/// own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Enabled(Option<bool>),
    Wording(Option<bool>),
    BeginVerification(Option<bool>),
    OnExternalChange(Option<ExternalChangePolicy>),
    Adoption(Option<AdoptionPolicy>),
    Management(Option<ManagementPolicy>),
    Deletion(Option<DeletionPolicy>),
    Suspend(Option<bool>),
    Connector(Option<Naming>),
    /// Whose Secret it names.
    Token(Who),
}

/// What `connectorID` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// The connector that the object has, or else the oldest that is there; none if none is.
    Existing,
    /// One that never was.
    Unknown,
}

/// What a Secret is made to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// The Secret is deleted.
    Removed,
    /// A token that Cloudflare does not know.
    Wrong,
    /// The token that works.
    Restored,
    /// A new one that works; the one before is revoked.
    Rotated,
}

/// How Cloudflare takes a verification back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Awaiting,
    Pending,
    Failed,
}

/// How a process of the operator ends, before the next one is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Kill,
    Terminate,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// An object with these fields, unless one of the name is there.
    Apply(Who, Vec<Field>),
    Edit(Who, Field),
    /// A label, which is none of the operator's business.
    Label(Who),
    /// A new value of `reconcile-at`.
    LookNow(Who),
    /// A new value of `enable-at`.
    EnableAgain(Who),
    Delete(Who),
    Secret(Who, Token),
    /// The oldest connector is disabled by hand if it is enabled, and enabled if it is not.
    Switch,
    /// Its wording is changed by hand.
    Reword,
    /// It is deleted by hand.
    Remove,
    /// One more is created by hand, with a verification that has not begun, or verified and perhaps enabled.
    Create(Option<bool>),
    Lose(Loss),
    PublishTxt,
    RemoveTxt,
    Restart(Ending),
}

/// A step, and whether the next one waits until the operator has come to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scene {
    Settled(Step),
    Hurried(Step),
}

impl Scene {
    pub(crate) const fn step(&self) -> &Step {
        match self {
            Self::Settled(step) | Self::Hurried(step) => step,
        }
    }
}

/// A sequence: an object, mostly one that is verified, and what happens to it and around it.
pub(crate) fn sequence(steps: usize) -> impl Strategy<Value = Vec<Scene>> {
    let opening = (fields(), prop::bool::weighted(0.7));
    (opening, vec(scene(), 1..=steps)).prop_map(|((fields, verified), scenes)| {
        let apply = Scene::Settled(Step::Apply(Who::First, fields));
        let publish = verified.then_some(Scene::Settled(Step::PublishTxt));
        [apply].into_iter().chain(publish).chain(scenes).collect()
    })
}

/// The sequence as Rust, so that it can become a test.
pub(crate) fn as_code(scenes: &[Scene]) -> String {
    let lines: Vec<String> = scenes
        .iter()
        .map(|scene| format!("    {scene:?},\n").replace('[', "vec!["))
        .collect();
    format!("[\n{}]", lines.concat())
}

fn scene() -> impl Strategy<Value = Scene> {
    (prop::bool::weighted(0.25), step()).prop_map(|(hurried, step)| {
        if hurried {
            Scene::Hurried(step)
        } else {
            Scene::Settled(step)
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (applied(), fields()).prop_map(|(who, fields)| Step::Apply(who, fields)),
        14 => (who(), field()).prop_map(|(who, field)| Step::Edit(who, field)),
        1 => who().prop_map(Step::Label),
        1 => who().prop_map(Step::LookNow),
        3 => who().prop_map(Step::EnableAgain),
        4 => who().prop_map(Step::Delete),
        4 => (who(), token()).prop_map(|(who, token)| Step::Secret(who, token)),
        8 => Just(Step::Switch),
        1 => Just(Step::Reword),
        2 => Just(Step::Remove),
        2 => option::of(any::<bool>()).prop_map(Step::Create),
        2 => loss().prop_map(Step::Lose),
        6 => Just(Step::PublishTxt),
        1 => Just(Step::RemoveTxt),
        2 => prop_oneof![Just(Ending::Kill), Just(Ending::Terminate)].prop_map(Step::Restart),
    ]
}

/// The first object is there in any case.
fn who() -> impl Strategy<Value = Who> {
    prop_oneof![4 => Just(Who::First), 1 => Just(Who::Second)]
}

/// So it is mostly the second one that is to be applied.
fn applied() -> impl Strategy<Value = Who> {
    prop_oneof![1 => Just(Who::First), 1 => Just(Who::Second)]
}

/// What an object is applied with. Most want SSO to be enabled, as most people do.
fn fields() -> impl Strategy<Value = Vec<Field>> {
    let enabled = prop_oneof![
        6 => Just(Field::Enabled(Some(true))),
        2 => Just(Field::Enabled(Some(false))),
        1 => Just(Field::Enabled(None)),
    ];
    let deletion = prop_oneof![
        1 => Just(Field::Deletion(Some(DeletionPolicy::Delete))),
        1 => Just(Field::Deletion(None)),
    ];
    (enabled, deletion, vec(field(), 0..2)).prop_map(|(enabled, deletion, others)| {
        let mut fields = vec![enabled, deletion];
        fields.extend(others);
        fields
    })
}

/// What keeps the operator from acting is taken back more often than it is set, so that much happens.
fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        4 => option::weighted(0.8, prop::bool::weighted(0.7)).prop_map(Field::Enabled),
        3 => option::of(any::<bool>()).prop_map(Field::Wording),
        2 => option::weighted(0.7, any::<bool>()).prop_map(Field::BeginVerification),
        2 => option::of(prop_oneof![
            Just(ExternalChangePolicy::Enforce),
            Just(ExternalChangePolicy::Hold),
        ])
        .prop_map(Field::OnExternalChange),
        1 => option::of(prop_oneof![
            Just(AdoptionPolicy::Refuse),
            Just(AdoptionPolicy::Adopt),
        ])
        .prop_map(Field::Adoption),
        3 => option::weighted(0.6, prop_oneof![
            Just(ManagementPolicy::Observe),
            Just(ManagementPolicy::Manage),
        ])
        .prop_map(Field::Management),
        3 => option::weighted(0.7, prop_oneof![
            2 => Just(DeletionPolicy::Delete),
            1 => Just(DeletionPolicy::Retain),
        ])
        .prop_map(Field::Deletion),
        3 => option::weighted(0.6, any::<bool>()).prop_map(Field::Suspend),
        1 => option::of(prop_oneof![
            3 => Just(Naming::Existing),
            1 => Just(Naming::Unknown),
        ])
        .prop_map(Field::Connector),
        1 => who().prop_map(Field::Token),
    ]
}

fn token() -> impl Strategy<Value = Token> {
    prop_oneof![
        1 => Just(Token::Removed),
        1 => Just(Token::Wrong),
        3 => Just(Token::Restored),
        2 => Just(Token::Rotated),
    ]
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        Just(Loss::Awaiting),
        Just(Loss::Pending),
        Just(Loss::Failed),
    ]
}
