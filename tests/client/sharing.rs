//! One list of an account serves everybody who waits for it.

use std::time::Duration;

use cloudflare_sso_operator::account::Listings;
use cloudflare_sso_operator::clock::Clock;
use cloudflare_sso_operator::cloudflare::FingerprintKey;
use futures::future::join_all;
use simulator::{Failure, Fault, Knobs, Operation, When};

use crate::setting::Setting;

#[tokio::test]
async fn whoever_waits_for_a_list_shares_it_and_a_later_need_takes_another() {
    let setting = Setting::new(Knobs::default()).await;
    let (listings, clock) = (Listings::default(), Clock::start());
    let token = setting.token.fingerprint(&FingerprintKey::random());
    let account = &setting.account;
    let list = || setting.client.list_connectors(&setting.token, account);
    let take = |not_before| listings.take(account, token, not_before, &clock, list);
    let calls = || setting.simulator.calls().of(Operation::List).count();
    let hold = Failure::Hold {
        when: When::BeforeCommit,
    };
    for (failure, works) in [(hold, true), (Failure::html(502), false)] {
        let before = calls();
        let need = clock.now();
        let fault = setting.simulator.admin().push_fault(Fault::new(failure));
        let crowd = join_all((0..50).map(|_| take(need)));
        let (all, ()) = tokio::join!(crowd, async {
            fault.arrived(Duration::from_mins(1)).await.unwrap();
            fault.release();
        });
        assert_eq!(calls(), before + 1);
        assert_eq!(all.iter().filter(|(_, ours)| *ours).count(), 1);
        for (outcome, _) in &all {
            assert_eq!(outcome.is_ok(), works, "{outcome:?}");
            let in_time = outcome.as_ref().is_ok_and(|list| list.begun >= need);
            assert_eq!(in_time, works);
        }
    }
    let before = calls();
    let (outcome, ours) = take(clock.now()).await;
    assert!(outcome.is_ok() && ours, "the list from before is too old");
    assert_eq!(calls(), before + 1);
}
