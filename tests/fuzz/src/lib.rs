//! What must hold of whatever others send: Cloudflare, a Secret, a person who edits an object, its status or the definition
//! by hand, an installer's command line.
//!
//! Each [`Target`] takes any bytes and panics if one of its properties does not hold. Two things feed them: libFuzzer, with
//! the binaries of `targets/`, and `tests/corpus.rs`, which is run with all other tests and needs nothing but the corpus.
//! The properties are stated here a second time, without the code that they are about.

mod answer;
mod definition;
mod name;
mod object;
mod server;
mod text;

/// Something that parses what others have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An answer of Cloudflare, byte for byte as it comes over the connection. The first byte chooses the endpoint.
    Answer,
    /// The body of an answer. The first byte chooses the endpoint, the second one the HTTP status.
    Envelope,
    /// The pages of a list, of whatever is listed, each but the last followed by a line `---`.
    Listing,
    /// The values of `Date` and `Retry-After`, on a line each.
    Headers,
    /// A token as it stands in a Secret.
    Token,
    /// A domain, an ID, a namespace, a grant.
    Name,
    /// The base URL of the API.
    BaseUrl,
    /// The address of a name server.
    NameServer,
    /// A verification code, or the word for where a verification stands.
    Verification,
    /// A secret on the first line, and a text that may quote it.
    ForeignText,
    /// A stored object with its status and annotations, perhaps edited by hand, and on a line `---` what Cloudflare lists.
    Object,
    /// What a definition has otherwise than ours, as a JSON merge patch.
    Definition,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 12] = [
        Self::Answer,
        Self::Envelope,
        Self::Listing,
        Self::Headers,
        Self::Token,
        Self::Name,
        Self::BaseUrl,
        Self::NameServer,
        Self::Verification,
        Self::ForeignText,
        Self::Object,
        Self::Definition,
    ];

    /// The name of its binary and of its folder in `corpus/`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Envelope => "envelope",
            Self::Listing => "listing",
            Self::Headers => "headers",
            Self::Token => "token",
            Self::Name => "name",
            Self::BaseUrl => "base_url",
            Self::NameServer => "name_server",
            Self::Verification => "verification",
            Self::ForeignText => "foreign_text",
            Self::Object => "object",
            Self::Definition => "definition",
        }
    }

    /// Whether one input takes a hundred times as long as to parse it: it goes over a connection, or a definition is made.
    #[must_use]
    pub const fn is_costly(self) -> bool {
        match self {
            Self::Answer | Self::Envelope | Self::Listing | Self::Headers | Self::Definition => {
                true
            }
            Self::Token
            | Self::Name
            | Self::BaseUrl
            | Self::NameServer
            | Self::Verification
            | Self::ForeignText
            | Self::Object => false,
        }
    }

    /// Tries these bytes.
    ///
    /// # Panics
    /// If something does not hold of them that must hold of all bytes.
    pub fn check(self, bytes: &[u8]) {
        match self {
            Self::Answer => answer::check_wire(bytes),
            Self::Envelope => answer::check_envelope(bytes),
            Self::Listing => answer::check_listing(bytes),
            Self::Headers => answer::check_headers(bytes),
            Self::Token => name::check_token(bytes),
            Self::Name => name::check_names(&String::from_utf8_lossy(bytes)),
            Self::BaseUrl => name::check_base_url(&String::from_utf8_lossy(bytes)),
            Self::NameServer => name::check_name_server(&String::from_utf8_lossy(bytes)),
            Self::Verification => text::check_verification(&String::from_utf8_lossy(bytes)),
            Self::ForeignText => text::check_foreign_text(&String::from_utf8_lossy(bytes)),
            Self::Object => object::check(&String::from_utf8_lossy(bytes)),
            Self::Definition => definition::check(bytes),
        }
    }
}
