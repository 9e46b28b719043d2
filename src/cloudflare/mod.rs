//! The Cloudflare API, as far as dashboard SSO needs it, with the part of Cloudflare DNS that proves a domain.
//!
//! [`Client`] has one method per endpoint and never retries. Every outcome is either an [`Answer`] or a [`Failure`],
//! and a failure says what the caller has to know: of which [`Class`] it is, whether a mutation surely did not happen
//! ([`Failure::is_definite`]), and a message that is safe to show.
//!
//! Answers are decoded with distrust. Whatever comes (HTML, half a body, other types, unknown values) becomes a
//! failure or an absent field; it never hides the HTTP status and never looks like "there is no connector".

mod base_url;
mod client;
mod connector;
mod dns_record;
mod envelope;
mod exchange;
mod failure;
mod gate;
mod headers;
mod listing;
mod time;
mod token;
mod verdict;
mod zone;

pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use client::{Answer, BuildError, Client, ClientOptions, Created};
pub use connector::{
    Changes, Connector, Creation, Verification, VerificationCode, VerificationStatus,
};
pub use dns_record::{NewTxtRecord, TimeToLive, TxtRecord};
pub use failure::{Class, Endpoint, Failure};
pub use listing::{Completeness, Listing};
pub use token::{ApiToken, Fingerprint, FingerprintKey, InvalidToken};
pub use zone::{Activation, Zone};
