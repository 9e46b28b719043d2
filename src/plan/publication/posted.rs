//! What came of a POST of the TXT record.

use crate::cloudflare::{Answer, Failure, NewTxtRecord, TxtRecord};
use crate::identity::{EmailDomain, RecordId};

/// What came of a POST of the TXT record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// This record.
    Created(RecordId),
    /// Certainly nothing.
    Refused,
    /// It is not known whether there is a record now, or which one it is.
    Unknown,
}

impl Posted {
    /// Reads the answer. One that names another record than the one that was sent, perhaps somebody's who has noted
    /// something beside it, makes nothing ours.
    #[must_use]
    pub fn read(
        domain: &EmailDomain,
        sent: &NewTxtRecord,
        answer: &Result<Answer<Option<TxtRecord>>, Failure>,
    ) -> Self {
        match answer {
            Ok(Answer {
                value: Some(record),
                ..
            }) if domain.is_named(&record.name) && sent.may_have_become(record) => {
                Self::Created(record.id.clone())
            }
            // That there is the same already is no refusal: it may be ours.
            Err(failure) if failure.is_definite() && !failure.is_duplicate_record() => {
                Self::Refused
            }
            Ok(_) | Err(_) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudflare::{TimeToLive, VerificationCode};

    #[test]
    fn an_answer_makes_ours_only_what_was_sent() {
        const CODE: &str = "cloudflare_dashboard_sso=123";
        let domain: EmailDomain = "example.com".parse().unwrap();
        let code = VerificationCode::parse(CODE).unwrap();
        let noted = "cloudflare-sso-operator 1".to_owned();
        let sent = NewTxtRecord::proving(&domain, &code, TimeToLive::AUTOMATIC, noted);
        let answered = |name: &str, text: Option<&str>, comment: &str| {
            let record = TxtRecord {
                id: "r1".parse().unwrap(),
                name: name.to_owned(),
                text: text.map(str::to_owned),
                comment: comment.to_owned(),
            };
            let answer = Answer {
                value: Some(record),
                date: None,
            };
            Posted::read(&domain, &sent, &Ok(answer))
        };
        let ours = Posted::Created("r1".parse().unwrap());
        let whole = "cloudflare-sso-operator 1";
        for comment in [whole, "cloudflare-sso", ""] {
            assert_eq!(answered("Example.com.", Some(CODE), comment), ours);
        }
        for (name, text, comment) in [
            ("example.com", Some(CODE), "by hand"),
            ("example.com", Some(CODE), "cloudflare-sso-operator 12"),
            ("example.com", Some("v=spf1 -all"), whole),
            ("example.com", None, whole),
            ("www.example.com", Some(CODE), whole),
        ] {
            assert_eq!(answered(name, text, comment), Posted::Unknown);
        }
    }
}
