//! What may happen in the model, and how often proptest lets it happen.

use std::time::Duration;

use cloudflare_sso_operator::resource::{DeletionPolicy, SsoConnectorSpec};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::cluster::minimal_spec;

/// How a contact with the API server or with Cloudflare ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Works,
    /// Cloudflare says no, in its envelope.
    Refused,
    /// The connection was refused.
    NotSent,
    /// No answer, and nothing was done.
    LostBefore,
    /// No answer, but it was done.
    LostAfter,
    /// It was done, and the answer names no connector.
    Nameless,
    Unauthorized,
    /// Too many requests, with a pause in seconds or without.
    Limited(Option<u64>),
    /// The process dies before anything was done.
    DiesBefore,
    /// The process dies after it was done.
    DiesAfter,
}

/// What happens at one contact.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    /// What somebody does right before.
    pub event: Option<Event>,
    /// How long it takes, in milliseconds.
    pub took: u64,
    pub outcome: Outcome,
}

impl Default for Beat {
    fn default() -> Self {
        Self {
            event: None,
            took: 20,
            outcome: Outcome::Works,
        }
    }
}

/// What somebody outside the operator does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    // The user, at the API server.
    SetEnabled(Option<bool>),
    SetFedramp(Option<bool>),
    SetBegin(Option<bool>),
    SetPolicy(Option<DeletionPolicy>),
    Suspend(bool),
    Observe(bool),
    /// A new value of the reconcile-at annotation.
    ReconcileAt(u8),
    /// A new value of the enable-at annotation.
    EnableAt(u8),
    /// An edit that is none of the operator's business.
    Label(u8),
    DeleteObject,
    /// Applies the object again if it is gone.
    Recreate,
    WipeStatus,
    Secret(bool),
    /// Another token is put into it.
    Rotate,
    // People, at Cloudflare.
    Enable(bool),
    DeleteConnector,
    CreateConnector,
    PersonFedramp(bool),
    Txt(bool),
    VerificationFails,
    VerificationLapses,
    /// The weather at Cloudflare, until it changes again.
    Sky(Sky),
}

/// How Cloudflare's reads are at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sky {
    /// How far lists lag, in milliseconds.
    pub list_lag: u64,
    /// How far reads by ID lag, in milliseconds.
    pub get_lag: u64,
    pub flaw: Flaw,
}

/// What lists are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flaw {
    #[default]
    None,
    Incomplete,
    NoDate,
    /// The fields that are documented as optional are absent.
    Bare,
}

/// What the model does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// A pass, now; the cache lags by so many versions.
    Pass {
        lag: usize,
        beats: Vec<Beat>,
    },
    /// Time goes on until a pass is due.
    Due {
        beats: Vec<Beat>,
    },
    /// Several of these without any trouble.
    Calm(u8),
    /// Time goes on, by milliseconds.
    Wait(u64),
    /// The process is started anew.
    Restart,
    Outside(Event),
}

/// Everything that is drawn for one run.
#[derive(Debug, Clone)]
pub struct Script {
    pub spec: SsoConnectorSpec,
    pub turns: Vec<Turn>,
}

pub fn script(turns: usize) -> impl Strategy<Value = Script> {
    (spec(), vec(turn(), 1..turns)).prop_map(|(spec, turns)| Script { spec, turns })
}

fn spec() -> impl Strategy<Value = SsoConnectorSpec> {
    (
        wanted(),
        option::of(any::<bool>()),
        option::weighted(0.3, any::<bool>()),
        policy(),
    )
        .prop_map(
            |(enabled, use_fedramp_language, begin_verification, deletion_policy)| {
                SsoConnectorSpec {
                    enabled,
                    use_fedramp_language,
                    begin_verification,
                    deletion_policy,
                    ..minimal_spec()
                }
            },
        )
}

fn wanted() -> impl Strategy<Value = Option<bool>> {
    prop_oneof![
        4 => Just(Some(true)),
        2 => Just(Some(false)),
        1 => Just(None),
    ]
}

fn policy() -> impl Strategy<Value = Option<DeletionPolicy>> {
    option::of(prop_oneof![
        3 => Just(DeletionPolicy::Delete),
        1 => Just(DeletionPolicy::Retain),
    ])
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        3 => (0..3usize, beats()).prop_map(|(lag, beats)| Turn::Pass { lag, beats }),
        6 => beats().prop_map(|beats| Turn::Due { beats }),
        6 => (1..12u8).prop_map(Turn::Calm),
        2 => span().prop_map(Turn::Wait),
        1 => Just(Turn::Restart),
        9 => event().prop_map(Turn::Outside),
    ]
}

/// Milliseconds to hours.
fn span() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..2_000u64,
        2_000..60_000u64,
        60_000..600_000u64,
        600_000..36_000_000u64,
    ]
}

fn beats() -> impl Strategy<Value = Vec<Beat>> {
    vec(beat(), 0..10)
}

fn beat() -> impl Strategy<Value = Beat> {
    let took = prop_oneof![4 => 1..300u64, 1 => 300..9_000u64];
    (option::weighted(0.1, event()), took, outcome()).prop_map(|(event, took, outcome)| Beat {
        event,
        took,
        outcome,
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        20 => Just(Outcome::Works),
        1 => Just(Outcome::Refused),
        1 => Just(Outcome::NotSent),
        1 => Just(Outcome::LostBefore),
        2 => Just(Outcome::LostAfter),
        1 => Just(Outcome::Nameless),
        1 => Just(Outcome::Unauthorized),
        1 => option::of(1..600u64).prop_map(Outcome::Limited),
        1 => Just(Outcome::DiesBefore),
        2 => Just(Outcome::DiesAfter),
    ]
}

pub fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => wanted().prop_map(Event::SetEnabled),
        1 => option::of(any::<bool>()).prop_map(Event::SetFedramp),
        1 => option::of(any::<bool>()).prop_map(Event::SetBegin),
        2 => policy().prop_map(Event::SetPolicy),
        1 => any::<bool>().prop_map(Event::Suspend),
        1 => any::<bool>().prop_map(Event::Observe),
        1 => (0..4u8).prop_map(Event::ReconcileAt),
        2 => (0..4u8).prop_map(Event::EnableAt),
        1 => (0..4u8).prop_map(Event::Label),
        1 => Just(Event::DeleteObject),
        2 => Just(Event::Recreate),
        1 => Just(Event::WipeStatus),
        1 => prop::bool::weighted(0.8).prop_map(Event::Secret),
        1 => Just(Event::Rotate),
        5 => any::<bool>().prop_map(Event::Enable),
        2 => Just(Event::DeleteConnector),
        1 => Just(Event::CreateConnector),
        1 => any::<bool>().prop_map(Event::PersonFedramp),
        5 => prop::bool::weighted(0.9).prop_map(Event::Txt),
        1 => Just(Event::VerificationFails),
        1 => Just(Event::VerificationLapses),
        4 => sky().prop_map(Event::Sky),
    ]
}

fn sky() -> impl Strategy<Value = Sky> {
    let flaw = prop_oneof![
        5 => Just(Flaw::None),
        1 => Just(Flaw::Incomplete),
        1 => Just(Flaw::NoDate),
        1 => Just(Flaw::Bare),
    ];
    let list_lag = prop_oneof![Just(0u64), 0..10_000u64, 0..MOST_LIST_LAG];
    let get_lag = prop_oneof![Just(0u64), 0..5_000u64, 0..MOST_GET_LAG];
    (list_lag, get_lag, flaw).prop_map(|(list_lag, get_lag, flaw)| Sky {
        list_lag,
        get_lag,
        flaw,
    })
}

/// A list that lags a whole grace period, less the longest call, would show a create too late. Milliseconds.
const MOST_LIST_LAG: u64 = 100_000;

/// Less than the time after which a difference counts. Milliseconds.
const MOST_GET_LAG: u64 = 25_000;

/// The longest that any read may lag.
pub const MOST_LAG: Duration = Duration::from_millis(MOST_LIST_LAG);
