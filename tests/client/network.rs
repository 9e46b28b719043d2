//! Whoever sits on the way and would like to have the token.

use std::io::ErrorKind;
use std::net::TcpListener;

use cloudflare_sso_operator::cloudflare::Class;
use simulator::{Failure, Fault, FaultBody, Knobs, Repeat, When};

use crate::setting::{ENDPOINTS, Setting, judged};

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_token_along() {
    let setting = Setting::new(Knobs::default()).await;
    let id = setting.existing("example.com");
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let address = format!("http://{}/", elsewhere.local_addr().unwrap());
    for status in [301, 302, 303, 307, 308] {
        let redirect = Failure::Answer {
            when: When::BeforeCommit,
            status,
            headers: vec![("location".to_owned(), address.clone())],
            body: FaultBody::Empty,
        };
        let admin = setting.simulator.admin();
        admin.push_fault(Fault::new(redirect).repeat(Repeat::Forever));
        for endpoint in ENDPOINTS {
            let outcome = judged(setting.call(endpoint, &id).await);
            assert_eq!(outcome, (Class::Unavailable, false, Some(status)));
        }
        admin.clear_faults();
    }
    let called = elsewhere.accept().map(|(_, caller)| caller);
    assert_eq!(called.unwrap_err().kind(), ErrorKind::WouldBlock);
}
