//! Why a caller is not let in. The log says it by a closed word; the caller hears whether to sign in (401) or to ask for more (403).

/// The reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The invocation is no question of API Gateway's.
    NoEvent,
    /// There is no `Authorization` header.
    NoToken,
    /// There are several, and which of them counts depends on who reads them.
    SeveralTokens,
    /// It is not of the form `Bearer <token>`.
    NoBearer,
    /// The token is longer than any that is looked at.
    TooLong,
    /// It is no signed JWT, or one whose header asks for what is not understood here.
    Malformed,
    /// The deployment has no issuer.
    NoIssuer,
    /// The token does not say by which key it is signed.
    NoKeyId,
    /// The issuer has no such key.
    UnknownKey,
    /// It is signed by another algorithm than the key's.
    Algorithm,
    /// The signature does not hold.
    Signature,
    /// A claim is missing, or is not what it must be.
    Claims,
    /// Somebody else issued it.
    Issuer,
    /// It is meant for somebody else.
    Audience,
    /// It is over.
    Expired,
    /// It has not begun.
    NotYet,
    /// It names organisations otherwise than as a name or a list of names.
    Orgs,
    /// The method is in no table.
    NoRoute,
    /// The token does not have the scope that the method asks for.
    Scope,
}

impl Refusal {
    /// The word in the log.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoEvent => "no_event",
            Self::NoToken => "no_token",
            Self::SeveralTokens => "several_tokens",
            Self::NoBearer => "no_bearer",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::NoIssuer => "no_issuer",
            Self::NoKeyId => "no_key_id",
            Self::UnknownKey => "unknown_key",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::Orgs => "orgs",
            Self::NoRoute => "no_route",
            Self::Scope => "scope",
        }
    }
}
