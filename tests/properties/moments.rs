//! The arithmetic of the process's clock.

use std::time::Duration;

use cloudflare_sso_operator::clock::Moment;
use proptest::prelude::*;

use crate::random_worlds::fixed;

fn moment() -> impl Strategy<Value = Moment> {
    span().prop_map(Moment::from_start)
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0..1_000_000_000_000u64).prop_map(Duration::from_nanos),
        (0..1_000_000u64).prop_map(Duration::from_secs),
        Just(Duration::ZERO),
        Just(Duration::MAX),
    ]
}

proptest! {
    #![proptest_config(fixed(1_000, 4))]

    #[test]
    fn what_was_added_is_what_lies_between(moment in moment(), span in span()) {
        let later = moment + span;
        prop_assert!(later >= moment);
        prop_assert_eq!(moment + moment.until(later), later);
        prop_assert_eq!(later.since(moment), moment.until(later));
        if span != Duration::MAX && moment < Moment::from_start(Duration::MAX) {
            prop_assert_eq!(later.since(moment), span);
            prop_assert_eq!(later.before(span), moment);
        }
    }

    #[test]
    fn a_span_never_runs_backwards(one in moment(), other in moment()) {
        let (earlier, later) = (one.min(other), one.max(other));
        prop_assert_eq!(earlier.since(later), Duration::ZERO);
        prop_assert_eq!(later.until(earlier), Duration::ZERO);
        prop_assert_eq!(earlier + earlier.until(later), later);
    }

    #[test]
    fn nothing_lies_before_the_start(moment in moment(), span in span()) {
        let earlier = moment.before(span);
        prop_assert!(Moment::default() <= earlier && earlier <= moment);
    }
}
