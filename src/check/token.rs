//! Whether Cloudflare answers, and whether the token may list the connectors of each account. What it may change only a
//! change would show, so that is not checked.

use std::time::Duration;

use super::Finding;
use crate::cli::CheckArgs;
use crate::cloudflare::{Class, Client, ClientOptions, Completeness, Failure, Listing};
use crate::given_token::{self, UnusableToken};
use crate::identity::AccountId;
use crate::lease::Authority;

/// How long reading a whole list may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const ANSWERS: &str = "Cloudflare answers";
const TOKEN: &str = "There is an API token";

/// A look at one account.
type Look = (AccountId, Result<Listing, Failure>);

/// Asks Cloudflare with the token that was given, if one was.
pub(super) async fn check(arguments: &CheckArgs) -> Vec<Finding> {
    let why = match (
        given_token::read(arguments.cloudflare.token_file.as_deref()),
        arguments.account.as_slice(),
    ) {
        (Err(unusable), _) => return vec![no_token(&unusable)],
        (Ok(Some(token)), [_, ..]) => match client(arguments) {
            Ok(client) => {
                let mut looks = Vec::new();
                for account in &arguments.account {
                    let listed = client.list_connectors(&token, account).await;
                    looks.push((account.clone(), listed.map(|answer| answer.value)));
                }
                return judge(&looks);
            }
            Err(failure) => {
                let remedy = "Check the root certificates of this machine.";
                return vec![Finding::fails(ANSWERS, failure.to_string(), remedy)];
            }
        },
        (Ok(None), []) => "no --account and no API token is given",
        (Ok(None), _) => {
            "no API token is given, neither by --token-file nor in CLOUDFLARE_API_TOKEN"
        }
        (Ok(Some(_)), []) => "no --account is given",
    };
    vec![Finding::skipped(ANSWERS, why)]
}

fn client(arguments: &CheckArgs) -> Result<Client, crate::cloudflare::BuildError> {
    Client::new(ClientOptions {
        base_url: arguments.cloudflare.cloudflare_base_url.clone(),
        call_timeout: CALL_TIMEOUT,
        connect_timeout: CONNECT_TIMEOUT,
        authority: Authority::unlimited(),
    })
}

fn no_token(unusable: &UnusableToken) -> Finding {
    let remedy = "Give the token alone, as Cloudflare showed it when it was made.";
    Finding::fails(TOKEN, unusable.to_string(), remedy)
}

fn judge(looks: &[Look]) -> Vec<Finding> {
    let silence = looks.iter().find_map(|(_, look)| match look {
        Err(failure) if is_silence(failure) => Some(failure),
        Ok(_) | Err(_) => None,
    });
    let answers = silence.map_or_else(
        || Finding::holds(ANSWERS),
        |failure| {
            let remedy = "Check the network, the proxy settings (HTTPS_PROXY, NO_PROXY) and --cloudflare-base-url.";
            Finding::fails(ANSWERS, failure.to_string(), remedy)
        },
    );
    let lists = looks.iter().map(|(account, look)| lists(account, look));
    [answers].into_iter().chain(lists).collect()
}

fn lists(account: &AccountId, look: &Result<Listing, Failure>) -> Finding {
    let statement = format!("The token lists the connectors of account {account}");
    match look {
        Ok(Listing {
            items: connectors,
            complete: Completeness::Complete,
        }) => Finding::holds(format!("{statement}: {}", connectors.len())),
        Ok(Listing {
            complete: Completeness::Incomplete(why),
            ..
        }) => {
            let remedy = "The operator creates nothing while it cannot see everything. Try again; if it stays so, report it.";
            Finding::fails(statement, *why, remedy)
        }
        Err(failure) if is_silence(failure) => {
            Finding::skipped(statement, "Cloudflare does not answer")
        }
        Err(failure) => Finding::fails(statement, failure.to_string(), remedy(failure.class)),
    }
}

const fn is_silence(failure: &Failure) -> bool {
    match failure.class {
        Class::NotSent | Class::Unavailable => true,
        Class::RateLimited | Class::Unauthorized | Class::Gone | Class::Rejected => false,
    }
}

const fn remedy(class: Class) -> &'static str {
    match class {
        Class::NotSent | Class::Unavailable => "Try again later.",
        Class::RateLimited => "Wait some minutes. Whatever else uses this token counts, too.",
        Class::Unauthorized => {
            "Check that the token is whole, active and not expired, and that it has for this account the permissions \
             \"SSO Connector: Read\" and \"SSO Connector: Edit\" (in the API: SSO Connector Read, SSO Connector Write)."
        }
        Class::Gone | Class::Rejected => "Check the account ID.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudflare::Endpoint;

    fn account() -> AccountId {
        "023e105f4ecef8ad9ca31a8372d0c353".parse().unwrap()
    }

    fn failure(class: Class) -> Failure {
        Failure {
            class,
            endpoint: Endpoint::List,
            status: None,
            codes: Vec::new(),
            message: "no".to_owned(),
            retry_after: None,
            date: None,
        }
    }

    fn listing(complete: Completeness) -> Listing {
        Listing {
            items: Vec::new(),
            complete,
        }
    }

    #[test]
    fn silence_and_refusal_are_told_apart() {
        use super::super::CheckResult::{Fails, Holds, Skipped};
        for class in [Class::NotSent, Class::Unavailable] {
            let findings = judge(&[(account(), Err(failure(class)))]);
            assert!(matches!(findings[0].result, Fails { .. }), "{class:?}");
            assert!(matches!(findings[1].result, Skipped { .. }), "{class:?}");
        }
        for class in [Class::Unauthorized, Class::RateLimited, Class::Rejected] {
            let findings = judge(&[(account(), Err(failure(class)))]);
            assert!(matches!(findings[0].result, Holds), "{class:?}");
            assert!(matches!(findings[1].result, Fails { .. }), "{class:?}");
        }
    }

    #[test]
    fn a_refused_token_is_told_which_permissions_it_needs() {
        let findings = judge(&[(account(), Err(failure(Class::Unauthorized)))]);
        let shown = super::super::Report(findings).to_string();
        assert!(shown.contains("SSO Connector: Read"), "{shown}");
        assert!(shown.contains("SSO Connector: Edit"), "{shown}");
    }

    #[test]
    fn each_account_is_judged_and_a_list_with_gaps_is_a_failure() {
        let findings = judge(&[
            (account(), Ok(listing(Completeness::Complete))),
            (
                account(),
                Ok(listing(Completeness::Incomplete("something is missing"))),
            ),
            (account(), Err(failure(Class::Unauthorized))),
        ]);
        let failed: Vec<bool> = findings
            .into_iter()
            .map(|finding| !super::super::Report(vec![finding]).passes())
            .collect();
        assert_eq!(failed, [false, false, true, true]);
    }
}
