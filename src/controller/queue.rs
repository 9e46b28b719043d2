//! Whose turn it is. Objects are worked on in the order in which they became due, a few at a time, and none of them twice at
//! once: however much there is to do, everybody has a turn.
//!
//! kube's `Controller` has a queue of its own. With a bound it lets anyone of those that wait go next, and some for ever last;
//! without one it keeps a future for each of them, and polls them all whenever one of them moves.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, Stream, StreamExt as _, pin_mut};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::time::{DelayQueue, delay_queue};

/// Longer than anything rests, and shorter than what the timer cannot hold.
const LONGEST_REST: Duration = Duration::from_hours(24 * 365);

/// Why it is somebody's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due<M> {
    /// It was named, last at that moment.
    Named(M),
    /// It has rested between these moments, and nobody has named it.
    Rested { from: M, until: M },
}

impl<M> Due<M> {
    /// Since when it is its turn.
    pub(super) fn since(self) -> M {
        match self {
            Self::Named(at) | Self::Rested { until: at, .. } => at,
        }
    }

    /// The same by another clock.
    pub(super) fn map<N>(self, by: impl Fn(M) -> N) -> Due<N> {
        match self {
            Self::Named(at) => Due::Named(by(at)),
            Self::Rested { from, until } => Due::Rested {
                from: by(from),
                until: by(until),
            },
        }
    }
}

/// Works on what `requests` name, at most `places` at once, until `end`, and finishes then what is under way. `work` is told
/// why that is due, and says after how long it is due again, if it is.
///
/// Whoever is named while waiting for a place is worked on once, and whoever is named while being worked on once more
/// afterwards.
pub(super) async fn work_off<T, W>(
    requests: impl Stream<Item = T>,
    places: usize,
    end: &CancellationToken,
    work: impl Fn(T, Due<Instant>) -> W,
) where
    T: Clone + Eq + Hash,
    W: Future<Output = Option<Duration>>,
{
    pin_mut!(requests);
    let mut queue = Queue::<T>::default();
    let mut passes = FuturesUnordered::new();
    while !end.is_cancelled() {
        while passes.len() < places
            && let Some((next, due)) = queue.next()
        {
            // On the heap, as a pass holds much and most of the time there are few.
            let pass = work(next.clone(), due).map(|again| (next, again));
            passes.push(Box::pin(pass));
        }
        tokio::select! {
            () = end.cancelled() => {}
            Some((done, again)) = passes.next() => queue.done(done, again),
            Some(named) = requests.next() => queue.name(named),
            Some(rested) = queue.resting.next() => queue.rested(rested.into_inner()),
        }
    }
    while passes.next().await.is_some() {}
}

/// All that are known.
struct Queue<T> {
    states: HashMap<T, State>,
    /// Those that wait for a place, in the order in which they came.
    line: VecDeque<T>,
    /// Those that are due later.
    resting: DelayQueue<T>,
}

enum State {
    /// It is due later.
    Rests {
        /// Since when.
        from: Instant,
        key: delay_queue::Key,
    },
    /// It waits for a place.
    Waits(Due<Instant>),
    /// It is worked on.
    Works {
        /// Whether it was named meanwhile.
        again: bool,
    },
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            states: HashMap::new(),
            line: VecDeque::new(),
            resting: DelayQueue::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Queue<T> {
    /// It is due now.
    fn name(&mut self, named: T) {
        match self.states.get_mut(&named) {
            Some(State::Waits(due)) => {
                *due = Due::Named(Instant::now());
                return;
            }
            Some(State::Works { again }) => {
                *again = true;
                return;
            }
            Some(State::Rests { key, .. }) => {
                self.resting.remove(key);
            }
            None => {}
        }
        self.wait(named, Due::Named(Instant::now()));
    }

    /// It has rested for as long as it said.
    fn rested(&mut self, who: T) {
        let until = Instant::now();
        let due = match self.states.get(&who) {
            Some(State::Rests { from, .. }) => Due::Rested { from: *from, until },
            Some(State::Waits(_) | State::Works { .. }) | None => Due::Named(until),
        };
        self.wait(who, due);
    }

    fn wait(&mut self, who: T, due: Due<Instant>) {
        self.line.push_back(who.clone());
        self.states.insert(who, State::Waits(due));
    }

    /// Whoever is worked on next, from now on, and why.
    fn next(&mut self) -> Option<(T, Due<Instant>)> {
        let next = self.line.pop_front()?;
        let works = State::Works { again: false };
        let due = match self.states.insert(next.clone(), works) {
            Some(State::Waits(due)) => due,
            Some(State::Rests { .. } | State::Works { .. }) | None => Due::Named(Instant::now()),
        };
        Some((next, due))
    }

    /// It was worked on, and is due again after that long, if it is.
    fn done(&mut self, done: T, again: Option<Duration>) {
        let was_named = matches!(self.states.get(&done), Some(State::Works { again: true }));
        match again {
            _ if was_named => self.wait(done, Due::Named(Instant::now())),
            Some(span) => {
                if self.resting.is_empty() {
                    // It reckons from when something was last due, and cannot reckon further than some years.
                    self.resting = DelayQueue::new();
                }
                let key = self.resting.insert(done.clone(), span.min(LONGEST_REST));
                let from = Instant::now();
                self.states.insert(done, State::Rests { from, key });
            }
            None => {
                self.states.remove(&done);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use futures::channel::mpsc::{UnboundedSender, unbounded};
    use tokio::sync::Semaphore;

    use super::*;

    /// Requests that have been made, and one who may make more.
    fn requests(names: &[u32]) -> (UnboundedSender<u32>, impl Stream<Item = u32> + use<>) {
        let (ask, asked) = unbounded();
        for name in names {
            ask.unbounded_send(*name).unwrap();
        }
        (ask, asked)
    }

    #[tokio::test]
    async fn everybody_has_a_turn_in_the_order_in_which_they_came() {
        let names: Vec<u32> = (0..100).rev().collect();
        let (_ask, asked) = requests(&names);
        let end = CancellationToken::new();
        let (order, most, now) = (RefCell::new(Vec::new()), Cell::new(0), Cell::new(0));
        work_off(asked, 3, &end, async |name, _| {
            order.borrow_mut().push(name);
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            tokio::task::yield_now().await;
            now.set(now.get() - 1);
            if order.borrow().len() == names.len() {
                end.cancel();
            }
            None
        })
        .await;
        assert_eq!((order.into_inner(), most.get()), (names, 3));
    }

    #[tokio::test]
    async fn who_is_named_meanwhile_is_worked_on_once_more_and_never_twice_at_once() {
        let (ask, asked) = requests(&[1, 1, 2, 1]);
        let end = CancellationToken::new();
        let (passes, begun) = (Cell::new(0), Semaphore::new(0));
        let worked = work_off(asked, 8, &end, async |name, _| {
            match name {
                // The first one is under way by now, and named again, and again, and then somebody else.
                2 => {
                    for name in [1, 1, 1, 4] {
                        ask.unbounded_send(name).unwrap();
                    }
                    return None;
                }
                // So all of these were heard.
                4 => {
                    begun.add_permits(1);
                    return None;
                }
                _ => {}
            }
            passes.set(passes.get() + 1);
            if passes.get() == 1 {
                begun.acquire().await.unwrap().forget();
                assert_eq!(passes.get(), 1);
                // What is asked for after that comes after it.
                ask.unbounded_send(3).unwrap();
            }
            if name == 3 {
                end.cancel();
            }
            None
        });
        worked.await;
        assert_eq!(passes.get(), 3, "1, once more, and 3");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_later_is_worked_on_sooner_if_somebody_asks() {
        let (ask, asked) = requests(&[1]);
        let end = CancellationToken::new();
        let started = Instant::now();
        let times = RefCell::new(Vec::new());
        let asking = async {
            tokio::time::sleep(Duration::from_secs(90)).await;
            ask.unbounded_send(1).unwrap();
            std::future::pending::<()>().await;
        };
        let working = work_off(asked, 1, &end, async |_, due| {
            let due = due.map(|at| (at - started).as_secs());
            times.borrow_mut().push((started.elapsed().as_secs(), due));
            if times.borrow().len() == 4 {
                end.cancel();
            }
            Some(Duration::from_mins(1))
        });
        tokio::select! {
            () = working => {}
            () = asking => {}
        }
        let rested = |from, until| (until, Due::Rested { from, until });
        let named = |at| (at, Due::Named(at));
        let expected = [named(0), rested(0, 60), named(90), rested(90, 150)];
        assert_eq!(times.into_inner(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_named_again_while_waiting_keeps_its_place_and_is_told_when_that_was() {
        let (ask, asked) = requests(&[1, 2, 3]);
        let end = CancellationToken::new();
        let started = Instant::now();
        let order = RefCell::new(Vec::new());
        work_off(asked, 1, &end, async |name, due| {
            let due = due.map(|at| (at - started).as_secs());
            order.borrow_mut().push((name, due));
            if name == 1 {
                tokio::time::sleep(Duration::from_secs(5)).await;
                ask.unbounded_send(2).unwrap();
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            if name == 3 {
                end.cancel();
            }
            None
        })
        .await;
        let named = [(1, 0), (2, 5), (3, 0)].map(|(name, at)| (name, Due::Named(at)));
        assert_eq!(order.into_inner(), named);
    }

    #[tokio::test]
    async fn who_rests_for_ever_rests_as_long_as_the_timer_can_hold() {
        let (_ask, asked) = requests(&[1, 2]);
        let end = CancellationToken::new();
        work_off(asked, 1, &end, async |name, _| {
            if name == 2 {
                end.cancel();
            }
            Some(Duration::MAX)
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_under_way_at_the_end_is_finished_and_nothing_else_begun() {
        let (_ask, asked) = requests(&[1, 2, 3]);
        let end = CancellationToken::new();
        let finished = RefCell::new(Vec::new());
        work_off(asked, 2, &end, async |name, _| {
            end.cancel();
            tokio::task::yield_now().await;
            finished.borrow_mut().push(name);
            Some(Duration::ZERO)
        })
        .await;
        assert!(finished.borrow().contains(&1) && !finished.borrow().contains(&3));
    }
}
