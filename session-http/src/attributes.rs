//! Attributes of a cookie that are one of a few words.

use std::str::FromStr;

use crate::InvalidCookie;

/// When a browser sends the cookie with requests that another site caused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// Only when the user follows a link to the application; never with a foreign form or script.
    #[default]
    Lax,
    /// Never.
    Strict,
    /// Always. Only with `Secure`, and the application has to defend itself against forged requests.
    None,
}

impl SameSite {
    /// Returns the word as cookies have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }
}

impl FromStr for SameSite {
    type Err = InvalidCookie;

    /// Reads `strict`, `lax` and `none`, in any case.
    fn from_str(text: &str) -> Result<Self, InvalidCookie> {
        match text.to_ascii_lowercase().as_str() {
            "strict" => Ok(Self::Strict),
            "lax" => Ok(Self::Lax),
            "none" => Ok(Self::None),
            _ => Err(InvalidCookie::SameSite),
        }
    }
}

/// When the cookie is `Secure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurePolicy {
    /// Never: it is sent over plain HTTP.
    Never,
    /// Always.
    Always,
    /// If the request came over HTTPS.
    Auto,
}

/// Which cookies a browser drops last when it has too many. Only Chromium looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Priority {
    /// Dropped first.
    Low,
    /// As without a priority.
    Medium,
    /// Dropped last.
    High,
}

impl Priority {
    /// Returns the word as cookies have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        }
    }
}

impl FromStr for Priority {
    type Err = InvalidCookie;

    /// Reads `low`, `medium` and `high`, in any case.
    fn from_str(text: &str) -> Result<Self, InvalidCookie> {
        match text.to_ascii_lowercase().as_str() {
            "low" => Ok(Self::Low),
            "medium" => Ok(Self::Medium),
            "high" => Ok(Self::High),
            _ => Err(InvalidCookie::Priority),
        }
    }
}
