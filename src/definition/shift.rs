//! Work is done in shifts, each under one content of the definition.
//!
//! A definition that was replaced changes how the API server reads what is stored, but no object: no watch brings the
//! objects again. So copies that were read under another definition, perhaps without `suspend`, must not be worked with
//! any more, and each shift begins with a list of its own.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;

use super::{Judgement, Revision, Unjudged};
use crate::plan::Definition;

/// What a shift rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ground {
    /// A definition that stands.
    Firm(Revision),
    /// One that is being deleted: finalizers are let go.
    Sinking,
}

impl Ground {
    fn of(judgement: &Judgement) -> Option<Self> {
        match judgement {
            Judgement::Stands(revision) => Some(Self::Firm(revision.clone())),
            Judgement::Terminating => Some(Self::Sinking),
            Judgement::Unread
            | Judgement::Absent
            | Judgement::Unreadable(_)
            | Judgement::Outdated(_) => None,
        }
    }

    /// Whether what began on this ground may go on. What was read before the deletion began is as good as ever.
    fn bears(&self, judgement: &Judgement) -> bool {
        match (self, Self::of(judgement)) {
            (Self::Firm(begun), Some(Self::Firm(now))) => begun.is_like(&now),
            (Self::Firm(_) | Self::Sinking, Some(Self::Sinking)) => true,
            (Self::Sinking, Some(Self::Firm(_))) | (_, None) => false,
        }
    }
}

/// A time in which objects are worked on.
#[derive(Debug, Clone)]
pub struct Shift {
    ground: Ground,
    judgements: Receiver<Judgement>,
    end: CancellationToken,
}

impl Shift {
    /// Cancelled when the shift shall end: nothing new is begun, and what is under way is finished.
    #[must_use]
    pub const fn end(&self) -> &CancellationToken {
        &self.end
    }

    /// What the definition means for an object that was deleted then, now that its metadata was read once more; see
    /// [`Judgement::confirmed_by`].
    ///
    /// # Errors
    /// If it is another one than was judged to stand, or than this shift's copies were read under.
    pub fn confirm(
        &self,
        found: Option<&ObjectMeta>,
        object_deleted: Option<&Time>,
    ) -> Result<Definition, Unjudged> {
        let judgement = self.judgements.borrow();
        let judgement = if self.ground.bears(&judgement) {
            &*judgement
        } else {
            &Judgement::Unread
        };
        judgement.confirmed_by(found, object_deleted)
    }
}

/// Runs `work` whenever the definition allows it, until `shutdown`. A shift is asked to end when its definition is
/// replaced, and the next begins when it has ended.
///
/// The API server itself takes a moment to go by a definition that was changed, and several of them do not take the same.
/// So after a change a shift begins only `settling` later. Whoever has just started knows of no change.
pub async fn shifts<W: Future<Output = ()>>(
    mut judgements: Receiver<Judgement>,
    settling: Duration,
    shutdown: CancellationToken,
    mut work: impl FnMut(Shift) -> W,
) {
    let mut has_changed = false;
    loop {
        let next = next_ground(&mut judgements, settling, has_changed);
        let Some(Some(ground)) = shutdown.run_until_cancelled(next).await else {
            return;
        };
        has_changed = true;
        let shift = Shift {
            ground: ground.clone(),
            judgements: judgements.clone(),
            end: shutdown.child_token(),
        };
        let end = shift.end.clone();
        let superseded = async {
            if replaced(&mut judgements, &ground).await.is_some() {
                end.cancel();
            }
        };
        let mut work = std::pin::pin!(work(shift));
        tokio::select! {
            () = &mut work => {}
            () = superseded => work.await,
        }
    }
}

/// Waits for a definition that allows a shift. `None` if nobody judges any more.
async fn next_ground(
    judgements: &mut Receiver<Judgement>,
    settling: Duration,
    mut has_changed: bool,
) -> Option<Ground> {
    loop {
        let judgement = judgements.borrow_and_update().clone();
        match Ground::of(&judgement) {
            None => {
                has_changed |= judgement != Judgement::Unread;
                judgements.changed().await.ok()?;
            }
            Some(ground @ Ground::Firm(_)) if has_changed => {
                let unsettled = tokio::time::timeout(settling, replaced(judgements, &ground));
                match unsettled.await {
                    Err(_) => return Some(ground),
                    Ok(replaced) => replaced?,
                }
            }
            Some(ground) => return Some(ground),
        }
    }
}

/// Waits until what began on this ground may not go on. `None` if nobody judges any more.
async fn replaced(judgements: &mut Receiver<Judgement>, ground: &Ground) -> Option<()> {
    let replaced = judgements.wait_for(|now| !ground.bears(now)).await;
    replaced.ok().map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::watch;

    use super::*;

    const SETTLING: Duration = Duration::from_millis(500);

    fn stands(generation: i64, version: &str) -> Judgement {
        Judgement::Stands(Revision {
            uid: "definition".to_owned(),
            generation,
            version: version.to_owned(),
        })
    }

    fn outdated() -> Judgement {
        Judgement::Outdated(vec!["spec.suspend".to_owned()])
    }

    #[test]
    fn what_a_shift_may_go_on_under() {
        let of = |judgement: &Judgement| Ground::of(judgement);
        let firm = of(&stands(1, "10")).unwrap();
        let sinking = of(&Judgement::Terminating).unwrap();
        for (judgement, firm_bears, sinking_bears) in [
            (stands(1, "10"), true, false),
            (stands(1, "11"), true, false),
            (stands(2, "12"), false, false),
            (Judgement::Terminating, true, true),
            (outdated(), false, false),
            (Judgement::Absent, false, false),
            (Judgement::Unreadable(String::new()), false, false),
        ] {
            assert_eq!(firm.bears(&judgement), firm_bears, "{judgement:?}");
            assert_eq!(sinking.bears(&judgement), sinking_bears, "{judgement:?}");
        }
        assert_eq!(of(&Judgement::Unread), None);
        assert_eq!(of(&outdated()), None);
        assert_eq!(of(&Judgement::Absent), None);
    }

    #[test]
    fn what_a_shift_has_read_under_one_definition_is_not_confirmed_under_the_next() {
        let (judge, judgements) = watch::channel(stands(1, "a"));
        let shift = Shift {
            ground: Ground::of(&stands(1, "a")).unwrap(),
            judgements,
            end: CancellationToken::new(),
        };
        let found = |generation: i64, version: &str| ObjectMeta {
            uid: Some("definition".to_owned()),
            generation: Some(generation),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        let confirm = |found: &ObjectMeta| shift.confirm(Some(found), None);
        assert_eq!(confirm(&found(1, "a")), Ok(Definition::Stands));
        assert_eq!(confirm(&found(1, "b")), Err(Unjudged));
        judge.send_replace(stands(1, "b"));
        assert_eq!(confirm(&found(1, "b")), Ok(Definition::Stands), "labels");
        judge.send_replace(stands(3, "c"));
        assert_eq!(confirm(&found(3, "c")), Err(Unjudged), "another content");
        assert_eq!(shift.confirm(None, None), Ok(Definition::GoesAway));
    }

    /// Plays these judgements, and returns in which of them a shift began and ended. A lasting one lasts until it is
    /// settled, the others for a moment.
    async fn played(judgements: &[(Judgement, bool)]) -> Vec<(usize, usize)> {
        let (judge, judged) = watch::channel(Judgement::Unread);
        let shutdown = CancellationToken::new();
        let step = AtomicUsize::new(0);
        let shifts_seen = Mutex::new(Vec::new());
        let work = |shift: Shift| {
            let (step, shifts_seen) = (&step, &shifts_seen);
            let begun = step.load(Ordering::Relaxed);
            async move {
                shift.end().cancelled().await;
                let ended = step.load(Ordering::Relaxed);
                shifts_seen.lock().unwrap().push((begun, ended));
            }
        };
        let play = async {
            for (judgement, lasts) in judgements {
                judge.send_replace(judgement.clone());
                let span = if *lasts { SETTLING * 2 } else { SETTLING / 10 };
                tokio::time::sleep(span).await;
                step.fetch_add(1, Ordering::Relaxed);
            }
            shutdown.cancel();
        };
        tokio::join!(shifts(judged, SETTLING, shutdown.clone(), work), play);
        shifts_seen.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_shift_lasts_as_long_as_its_definition_and_begins_when_that_is_settled() {
        let (a, b, c) = (stands(1, "a"), stands(2, "b"), stands(3, "c"));
        let touched = stands(1, "touched");
        let leaving = Judgement::Terminating;
        let cases = [
            (vec![(Judgement::Unread, true)], vec![]),
            (vec![(a.clone(), false)], vec![(0, 1)]),
            (vec![(a.clone(), false), (touched, true)], vec![(0, 2)]),
            (vec![(a.clone(), true), (b.clone(), false)], vec![(0, 1)]),
            (
                vec![(a.clone(), true), (b.clone(), true)],
                vec![(0, 1), (1, 2)],
            ),
            (vec![(a.clone(), true), (outdated(), true)], vec![(0, 1)]),
            (vec![(outdated(), true), (b.clone(), false)], vec![]),
            (vec![(outdated(), true), (b.clone(), true)], vec![(1, 2)]),
            (
                vec![(outdated(), true), (b.clone(), false), (c, true)],
                vec![(2, 3)],
            ),
            (
                vec![(outdated(), true), (b, false), (outdated(), true)],
                vec![],
            ),
            (vec![(a, false), (leaving.clone(), true)], vec![(0, 2)]),
            (
                vec![
                    (outdated(), true),
                    (leaving, false),
                    (Judgement::Absent, true),
                ],
                vec![(1, 2)],
            ),
        ];
        let all = cases.iter().map(async |(judgements, expected)| {
            assert_eq!(&played(judgements).await, expected, "{judgements:?}");
        });
        futures::future::join_all(all).await;
    }
}
