//! The publication of the TXT record over random lives: answers that are lost, reads that lag, processes that end anywhere,
//! codes that change, people who edit and delete what is in the zone. The real plan and the real status are driven; whatever
//! happens, what others have written stays, a POST is never made beside a record of ours that says the same, and in the end
//! the right record stands there, or nothing of ours.

mod life;

use cloudflare_sso_operator::clock::Moment;
use cloudflare_sso_operator::plan::Deletion;
use cloudflare_sso_operator::resource::DeletionPolicy;
use proptest::prelude::*;

use self::life::{CONNECTOR, Event, Life};
use crate::random_worlds::fixed;

/// What happens while the domain is not verified.
fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_u16..900).prop_map(Event::Wait),
        2 => Just(Event::Crash),
        2 => Just(Event::NewCode),
        1 => Just(Event::RemoveOurs),
        1 => Just(Event::RewriteOurs),
        1 => Just(Event::CreateSame),
        2 => Just(Event::LoseAnswer),
        1 => Just(Event::FailCall),
        1 => Just(Event::RefuseCall),
        2 => Just(Event::CrashAfterCall),
        2 => any::<bool>().prop_map(Event::Lag),
        2 => any::<bool>().prop_map(Event::Gap),
    ]
}

proptest! {
    #![proptest_config(fixed(400, 5))]

    #[test]
    fn in_the_end_the_right_record_stands_and_then_nothing_of_ours(
        script in prop::collection::vec((event(), 0_usize..3), 0..24), deletes in any::<bool>(),
    ) {
        let mut life = Life::new();
        for (event, passes) in script {
            life.happens(event);
            for _ in 0..passes {
                life.pass();
                life.check()?;
            }
        }
        life.calms_down()?;
        let code = life.code();
        let standing = life.standing(life.now).filter(|(_, it)| it.text == code).count();
        prop_assert_eq!(standing, 1, "{:#?}", life.zone);
        prop_assert_eq!(life.published(), Some("True"));
        let others = life.ours().iter().filter(|it| it.text != code).count();
        prop_assert_eq!(others, 0, "an old code is left behind: {:#?}", life.zone);
        let calls = life.calls;
        life.calms_down()?;
        prop_assert_eq!(life.calls, calls, "it never rests");

        if deletes {
            life.desired.terminating = true;
            life.desired.finalizer = true;
            life.desired.deletion_policy = DeletionPolicy::Delete;
            life.memory.deletion_seen = Some(Moment::default());
            life.memory.deletion = Some(Deletion::Confirmed(CONNECTOR.parse().unwrap()));
            life.calms_down()?;
            prop_assert_eq!(life.ours().len(), 0, "{:#?}", life.zone);
            life.check()?;
        }
    }

    #[test]
    fn whenever_the_domain_is_verified_what_was_published_stays_so_and_nothing_hinders(
        script in prop::collection::vec((event(), 0_usize..3), 0..24),
    ) {
        let mut life = Life::new();
        for (event, passes) in script {
            life.happens(event);
            for _ in 0..passes {
                life.pass();
            }
        }
        life.happens(Event::Verify);
        life.calms_down()?;
        prop_assert!(life.published() != Some("False"), "{:#?}", life.status);
    }
}
