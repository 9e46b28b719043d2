//! Renders manifests: a pure function from what Cloudflare lists to YAML. Values pass through a serializer that quotes every
//! one of them, and what Cloudflare wrote stands in a comment only after it was cleaned.

use serde_saphyr::ser::Error;
use serde_saphyr::ser_options;

use super::Exported;
use super::selection::{Declarable, Selection, select};
use crate::cli::ExportArgs;
use crate::cloudflare::{Connector, VerificationStatus};
use crate::foreign_text;
use crate::resource::{ApiTokenSecretRef, ManagementPolicy, SsoConnector, SsoConnectorSpec};

/// The manifests of these connectors, as far as they are asked for.
///
/// # Errors
/// If an object cannot be written as YAML.
pub(super) fn render(arguments: &ExportArgs, connectors: &[Connector]) -> Result<Exported, Error> {
    let Selection {
        declarable,
        left_out,
    } = select(connectors, &arguments.domain);
    let mut manifests = String::new();
    if !(declarable.is_empty() && left_out.is_empty()) {
        manifests += &comment(&introduction(arguments));
    }
    manifests += &comment(&left_out);
    for connector in &declarable {
        manifests += "---\n";
        manifests += &comment(&situation(connector));
        manifests += &yaml(&object(arguments, connector))?;
    }
    Ok(Exported {
        manifests,
        remarks: remarks(arguments, &declarable, left_out),
    })
}

/// What the manifests do not say.
fn remarks(
    arguments: &ExportArgs,
    declarable: &[Declarable<'_>],
    left_out: Vec<String>,
) -> Vec<String> {
    let account = &arguments.account;
    let nothing = match arguments.domain.as_slice() {
        [] if declarable.is_empty() && left_out.is_empty() => {
            Some(format!("account {account} has no connectors"))
        }
        _ => None,
    };
    let absent = arguments
        .domain
        .iter()
        .filter(|domain| declarable.iter().all(|found| found.domain != **domain))
        .map(|domain| {
            format!("account {account} has no connector for {domain} that can be exported")
        });
    left_out.into_iter().chain(nothing).chain(absent).collect()
}

fn introduction(arguments: &ExportArgs) -> Vec<String> {
    let ExportArgs {
        account,
        secret_name,
        ..
    } = arguments;
    vec![
        format!("The SSO connectors of Cloudflare account {account}."),
        "Applied as they are, these objects only watch: nothing is changed at Cloudflare."
            .to_owned(),
        format!(
            "They need the Secret {} with the API token in their namespace.",
            foreign_text::quote(secret_name, &[])
        ),
    ]
}

/// How the connector is now, and how it is taken over.
fn situation(declarable: &Declarable<'_>) -> Vec<String> {
    let connector = declarable.connector;
    let mut lines = vec![format!(
        "At Cloudflare: {}, {}.",
        enabled_now(connector),
        verification_now(connector)
    )];
    if declarable.domain.as_str() != connector.email_domain {
        let spelling = foreign_text::quote(&connector.email_domain, &[]);
        lines.push(format!("Cloudflare spells the domain \"{spelling}\"."));
    }
    if declarable.of_this_domain > 1 {
        lines.push(format!(
            "The account has {} connectors for this domain; spec.connectorID says which this is. Take over at most one.",
            declarable.of_this_domain
        ));
    }
    lines.push(format!(
        "To take it over, remove managementPolicy and {}.",
        enabled_to_set(connector)
    ));
    if would_be_held(connector) {
        lines.push(
            "Another value would be held and not applied; change enabled once the object is Ready."
                .to_owned(),
        );
    }
    if would_be_begun(connector) {
        lines.push(
            "The operator then begins the verification, unless beginVerification is false."
                .to_owned(),
        );
    }
    lines.push(
        "Without deletionPolicy: Delete, deleting the object leaves the connector as it is."
            .to_owned(),
    );
    lines
}

const fn enabled_now(connector: &Connector) -> &'static str {
    match connector.enabled {
        Some(true) => "SSO is enabled",
        Some(false) => "SSO is disabled",
        None => "it is not said whether SSO is enabled",
    }
}

const fn enabled_to_set(connector: &Connector) -> &'static str {
    match connector.enabled {
        Some(true) => "set enabled: true, as it is now",
        Some(false) => "set enabled: false, as it is now",
        None => "leave enabled away until it is known how it is now",
    }
}

fn verification_now(connector: &Connector) -> String {
    verification(connector).map_or_else(
        || "it is not said whether the domain is verified".to_owned(),
        |status| format!("the verification is \"{}\"", status.as_str()),
    )
}

/// Whether the operator, managing it, would take another value of `enabled` for what somebody has left so on purpose.
fn would_be_held(connector: &Connector) -> bool {
    verification(connector) == Some(&VerificationStatus::Verified)
}

/// Whether the operator, managing it, would begin its verification.
fn would_be_begun(connector: &Connector) -> bool {
    match verification(connector) {
        Some(VerificationStatus::Awaiting | VerificationStatus::Failed) => true,
        Some(
            VerificationStatus::Pending
            | VerificationStatus::Verified
            | VerificationStatus::Unknown(_),
        )
        | None => false,
    }
}

fn verification(connector: &Connector) -> Option<&VerificationStatus> {
    connector.verification.as_ref()?.status.as_ref()
}

fn object(arguments: &ExportArgs, declarable: &Declarable<'_>) -> SsoConnector {
    let spec = SsoConnectorSpec {
        account_id: arguments.account.to_string(),
        email_domain: declarable.domain.to_string(),
        use_fedramp_language: None,
        enabled: None,
        begin_verification: None,
        on_external_change: None,
        connector_id: Some(declarable.connector.id.to_string()),
        adoption_policy: None,
        management_policy: Some(ManagementPolicy::Observe),
        suspend: None,
        api_token_secret_ref: Some(ApiTokenSecretRef {
            name: arguments.secret_name.clone(),
            key: arguments.secret_key.clone(),
        }),
        deletion_policy: None,
        dns: None,
    };
    let mut object = SsoConnector::new(&declarable.name, spec);
    object.metadata.namespace.clone_from(&arguments.namespace);
    object
}

/// Every text is quoted: an ID of digits, or a name such as `on`, is a number or a truth to many a reader of YAML.
fn yaml(object: &SsoConnector) -> Result<String, Error> {
    serde_saphyr::to_string_with_options(object, ser_options! { quote_all: true })
}

fn comment(lines: &[String]) -> String {
    lines.iter().flat_map(|line| ["# ", line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::cloudflare::Verification;

    const ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

    fn arguments(further: &[&str]) -> ExportArgs {
        let all = [&["operator", "export", "--account", ACCOUNT], further].concat();
        match Cli::parse_from(all).asked() {
            Command::Export(arguments) => *arguments,
            other => panic!("{other:?}"),
        }
    }

    fn connector(id: &str, domain: &str) -> Connector {
        Connector {
            id: id.parse().unwrap(),
            email_domain: domain.to_owned(),
            enabled: Some(false),
            use_fedramp_language: None,
            created_on: None,
            updated_on: None,
            verification: Some(Verification {
                code: None,
                status: Some(VerificationStatus::Verified),
            }),
        }
    }

    fn id(digit: char) -> String {
        digit.to_string().repeat(32)
    }

    /// The objects in the manifests, as whoever applies them reads them.
    fn objects(exported: &Exported) -> Vec<SsoConnector> {
        serde_saphyr::from_multiple::<Option<SsoConnector>>(&exported.manifests)
            .unwrap()
            .into_iter()
            .flatten()
            .collect()
    }

    #[test]
    fn a_manifest_names_the_connector_and_manages_nothing() {
        let mut enabled = connector(&id('1'), "example.com");
        enabled.enabled = Some(true);
        let mut failed = connector(&id('2'), "Other.Example.");
        failed.verification.as_mut().unwrap().status = Some(VerificationStatus::Failed);
        let odd_id = connector("short", "odd.example");
        let exported = render(&arguments(&[]), &[failed, enabled, odd_id]).unwrap();
        insta::assert_snapshot!(exported.manifests, @r#"
        # The SSO connectors of Cloudflare account 023e105f4ecef8ad9ca31a8372d0c353.
        # Applied as they are, these objects only watch: nothing is changed at Cloudflare.
        # They need the Secret cloudflare-api-token with the API token in their namespace.
        # left out: connector short with the domain "odd.example": spec.connectorID cannot hold its ID
        ---
        # At Cloudflare: SSO is enabled, the verification is "verified".
        # To take it over, remove managementPolicy and set enabled: true, as it is now.
        # Another value would be held and not applied; change enabled once the object is Ready.
        # Without deletionPolicy: Delete, deleting the object leaves the connector as it is.
        apiVersion: 'cloudflare-sso.dev/v1alpha1'
        kind: 'SsoConnector'
        metadata:
          name: 'example.com'
        spec:
          accountID: '023e105f4ecef8ad9ca31a8372d0c353'
          emailDomain: 'example.com'
          connectorID: '11111111111111111111111111111111'
          managementPolicy: 'Observe'
          apiTokenSecretRef:
            name: 'cloudflare-api-token'
        ---
        # At Cloudflare: SSO is disabled, the verification is "failed".
        # Cloudflare spells the domain "Other.Example.".
        # To take it over, remove managementPolicy and set enabled: false, as it is now.
        # The operator then begins the verification, unless beginVerification is false.
        # Without deletionPolicy: Delete, deleting the object leaves the connector as it is.
        apiVersion: 'cloudflare-sso.dev/v1alpha1'
        kind: 'SsoConnector'
        metadata:
          name: 'other.example'
        spec:
          accountID: '023e105f4ecef8ad9ca31a8372d0c353'
          emailDomain: 'other.example'
          connectorID: '22222222222222222222222222222222'
          managementPolicy: 'Observe'
          apiTokenSecretRef:
            name: 'cloudflare-api-token'
        "#);
        assert_eq!(exported.remarks.len(), 1, "{exported:?}");
    }

    #[test]
    fn what_is_asked_for_stands_in_the_spec_and_nothing_else() {
        let flags = [
            "--namespace",
            "on",
            "--secret-name",
            "1e3",
            "--secret-key",
            "yes",
        ];
        let exported = render(&arguments(&flags), &[connector(&id('0'), "1.e5")]).unwrap();
        let value: Value = serde_json::to_value(objects(&exported)).unwrap();
        let spec = json!({
            "accountID": ACCOUNT, "emailDomain": "1.e5", "connectorID": id('0'),
            "managementPolicy": "Observe", "apiTokenSecretRef": { "name": "1e3", "key": "yes" },
        });
        let object = json!([{
            "apiVersion": "cloudflare-sso.dev/v1alpha1", "kind": "SsoConnector",
            "metadata": { "name": "1.e5", "namespace": "on" }, "spec": spec,
        }]);
        assert_eq!(value, object);
        for text in ["on", "1e3", "yes", "1.e5", &id('0')] {
            assert!(
                exported.manifests.contains(&format!("'{text}'")),
                "{text} is not quoted"
            );
        }
    }

    #[test]
    fn the_comments_say_how_it_is_and_how_to_leave_it_so() {
        for (enabled, advice) in [
            (Some(true), "set enabled: true, as it is now"),
            (Some(false), "set enabled: false, as it is now"),
            (None, "leave enabled away"),
        ] {
            for status in ["awaiting", "pending", "failed", "verified", "expired"] {
                let mut connector = connector(&id('1'), "example.com");
                connector.enabled = enabled;
                connector.verification.as_mut().unwrap().status =
                    Some(VerificationStatus::parse(status));
                let text = render(&arguments(&[]), &[connector]).unwrap().manifests;
                assert!(text.contains(advice), "{text}");
                assert!(
                    text.contains(&format!("the verification is \"{status}\"")),
                    "{text}"
                );
                assert_eq!(
                    text.contains("begins the verification"),
                    ["awaiting", "failed"].contains(&status)
                );
                assert_eq!(text.contains("would be held"), status == "verified");
            }
        }
    }

    #[test]
    fn several_of_one_domain_have_names_of_their_own() {
        let long = format!(
            "{}.{}.{}.{}",
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(61)
        );
        let listed = [
            connector(&id('1'), "example.com"),
            connector(&id('2'), "EXAMPLE.com"),
            connector(&id('3'), &format!("example.com-{}", id('1'))),
            connector(&id('4'), &long),
            connector(&id('5'), &long),
        ];
        let names: Vec<String> = objects(&render(&arguments(&[]), &listed).unwrap())
            .into_iter()
            .map(|object| object.metadata.name.unwrap())
            .collect();
        assert_eq!(names.len(), 5);
        assert_eq!(names[2], format!("example-com-{}", id('1')));
        assert_eq!(names[3], format!("example-com-{}", id('2')));
        assert_names_are_valid(&names);
    }

    fn assert_names_are_valid(names: &[String]) {
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        for name in names {
            let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.len() <= 253, "{name}");
            for label in name.split('.') {
                let ends = label.starts_with('-') || label.ends_with('-') || label.is_empty();
                assert!(!ends && label.chars().all(inner), "{name}");
            }
        }
    }

    #[test]
    fn only_the_domains_that_were_asked_for_are_exported() {
        let listed = [
            connector(&id('1'), "Example.com"),
            connector(&id('2'), "other.example"),
            connector(&id('3'), "no domain"),
            connector("short", "other.example"),
        ];
        let flags = ["--domain", "example.com", "--domain", "absent.example"];
        let exported = render(&arguments(&flags), &listed).unwrap();
        let exported_domains: Vec<String> = objects(&exported)
            .into_iter()
            .map(|object| object.spec.email_domain)
            .collect();
        assert_eq!(exported_domains, ["example.com"]);
        assert_eq!(exported.remarks.len(), 1, "{exported:?}");
        assert!(
            exported.remarks[0].contains("absent.example"),
            "{exported:?}"
        );
    }

    #[test]
    fn an_empty_account_has_no_documents_and_says_so() {
        let exported = render(&arguments(&[]), &[]).unwrap();
        assert_eq!(exported.manifests, "");
        assert_eq!(exported.remarks.len(), 1);
    }

    proptest! {
        /// Whatever Cloudflare writes: the file stays a file of our objects, with one object for each connector that has one.
        #[test]
        fn foreign_text_stays_inside_its_comment(
            domains in prop::collection::vec(
                prop_oneof![any::<String>(), "[a-zA-Z0-9-]{1,5}[.][a-z]{2,3}[.]?", "\n(---\n)?(kind|spec): .{0,20}"], 0..6
            ),
            status in any::<String>(),
        ) {
            let listed: Vec<Connector> = domains.iter().enumerate().map(|(n, domain)| {
                let mut connector = connector(&format!("{n:032x}"), domain);
                connector.verification.as_mut().unwrap().status = Some(VerificationStatus::parse(&status));
                connector
            }).collect();
            let exported = render(&arguments(&[]), &listed).unwrap();
            let objects = objects(&exported);
            prop_assert_eq!(objects.len() + exported.remarks.len(), domains.len().max(1));
            for object in &objects {
                prop_assert_eq!(object.spec.management_policy, Some(ManagementPolicy::Observe));
                prop_assert_eq!(object.spec.enabled, None);
            }
            let names: Vec<String> = objects.into_iter().map(|object| object.metadata.name.unwrap()).collect();
            assert_names_are_valid(&names);
            let of_ours = |line: &str| ["# ", "---", "apiVersion: ", "kind: ", "metadata:", "spec:", "  "]
                .iter().any(|start| line.starts_with(start));
            prop_assert!(exported.manifests.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).all(|line| line.is_empty() || of_ours(line)), "{}", exported.manifests);
        }
    }
}
