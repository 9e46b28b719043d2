//! What a look-up has shown, as far as it matters.

use crate::cloudflare::VerificationCode;

/// What name servers answered to the question for the TXT records at a domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Sight {
    /// These verification codes stand in TXT records there, sorted, each once; perhaps at the end of an alias. Whatever else
    /// stands there is nobody's business.
    Codes(Vec<VerificationCode>),
    /// There is a CNAME, and no verification code where it leads. A TXT record cannot stand beside a CNAME.
    Alias,
    /// The name exists, without a verification code.
    Nothing,
    /// The name does not exist.
    NoSuchName,
    /// The question was not answered.
    Failed(Trouble),
}

/// Why a question was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// No name server answered in time.
    Silence,
    /// The name servers answered that they cannot or will not answer that (SERVFAIL, REFUSED and the like).
    Refusal,
    /// What name servers answered cannot be read.
    Unreadable,
    /// It is not known which name servers to ask.
    NoNameServers,
}

impl Sight {
    /// What stands in TXT records, each with its strings put together.
    #[must_use]
    pub fn of(texts: impl IntoIterator<Item = String>) -> Self {
        let mut codes: Vec<_> = texts
            .into_iter()
            .filter_map(|text| VerificationCode::parse(&text))
            .collect();
        codes.sort();
        codes.dedup();
        if codes.is_empty() {
            Self::Nothing
        } else {
            Self::Codes(codes)
        }
    }

    /// Whether this very code stands there.
    #[must_use]
    pub fn shows(&self, code: &VerificationCode) -> bool {
        matches!(self, Self::Codes(codes) if codes.contains(code))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(text: &str) -> VerificationCode {
        VerificationCode::parse(text).unwrap()
    }

    #[test]
    fn only_codes_count_each_once_and_in_order() {
        let texts = [
            "v=spf1 -all",
            "cloudflare_dashboard_sso=b",
            "cloudflare_dashboard_sso=a",
            "cloudflare_dashboard_sso=b",
            "cloudflare_dashboard_sso=\u{1b}[2J",
            " cloudflare_dashboard_sso=c",
        ];
        let sight = Sight::of(texts.map(str::to_owned));
        let codes = ["cloudflare_dashboard_sso=a", "cloudflare_dashboard_sso=b"];
        assert_eq!(sight, Sight::Codes(codes.map(code).to_vec()));
        assert!(sight.shows(&code("cloudflare_dashboard_sso=a")));
        assert!(!sight.shows(&code("cloudflare_dashboard_sso=c")));
        assert_eq!(Sight::of(["v=spf1 -all".to_owned()]), Sight::Nothing);
        assert_eq!(Sight::of([]), Sight::Nothing);
    }

    proptest! {
        /// The order in which name servers answer, which changes from answer to answer, changes nothing.
        #[test]
        fn the_order_of_an_answer_does_not_count(
            texts in prop::collection::vec("(cloudflare_dashboard_sso=)?[a-c]{0,2}", 0..6), turn in 0_usize..6,
        ) {
            let mut turned = texts.clone();
            turned.rotate_left(turn % texts.len().max(1));
            prop_assert_eq!(Sight::of(texts), Sight::of(turned));
        }
    }
}
