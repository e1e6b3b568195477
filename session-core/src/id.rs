//! The session id: the secret in the cookie.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The secret that a client presents: 24 random bytes from the operating system as 32 URL-safe characters.
///
/// Whoever knows the id *is* the session, so it is never logged (`Debug` is redacted, there is no `Display`) and never
/// handed to a store, which sees the [`SessionKey`](crate::SessionKey) that is derived from it. Serde does not know it.
///
/// ```
/// use session_core::SessionId;
///
/// let id = SessionId::generate()?;
/// assert_eq!(id.expose().len(), 32);
/// assert_eq!(format!("{id:?}"), "SessionId(redacted)");
/// assert_eq!(id.expose().parse::<SessionId>()?, id);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId(Text);

/// What this library issues is kept in place; a text of 32 URL-safe characters is never `Foreign`.
#[derive(Clone, PartialEq, Eq)]
enum Text {
    Own([u8; SessionId::LENGTH]),
    Foreign(Arc<str>),
}

/// The refusal of text that this library cannot have issued as a session id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session id is 32 characters of A-Z, a-z, 0-9, - and _, or a bounded text that another program made")]
pub struct InvalidId;

/// The operating system gave no randomness; no weaker id is made instead.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomnessUnavailable(#[source] getrandom::Error);

impl SessionId {
    /// The length of an id in characters.
    pub const LENGTH: usize = 32;

    /// The most bytes that an id of another program may have; browsers keep no longer cookie.
    pub const LONGEST_FOREIGN: usize = 4096;

    /// Makes a new id with 192 random bits from the operating system.
    ///
    /// # Errors
    ///
    /// [`RandomnessUnavailable`] if the operating system has none.
    pub fn generate() -> Result<Self, RandomnessUnavailable> {
        Self::from_random(getrandom::fill)
    }

    fn from_random(
        fill: impl FnOnce(&mut [u8]) -> Result<(), getrandom::Error>,
    ) -> Result<Self, RandomnessUnavailable> {
        let mut secret = [0; 24];
        fill(&mut secret).map_err(RandomnessUnavailable)?;
        let mut text = [0; Self::LENGTH];
        // 24 bytes are 32 characters of base64 without padding, so the slice always fits.
        let written = URL_SAFE_NO_PAD.encode_slice(secret, &mut text);
        debug_assert_eq!(written, Ok(Self::LENGTH));
        Ok(Self(Text::Own(text)))
    }

    /// Parses what a client presents: its length and alphabet are checked before any other work is done.
    ///
    /// # Errors
    ///
    /// [`InvalidId`] if the text is not [`LENGTH`](Self::LENGTH) characters of `A-Z`, `a-z`, `0-9`, `-` and `_`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let bytes: [u8; Self::LENGTH] = text.as_bytes().try_into().map_err(|_| InvalidId)?;
        let is_url_safe = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if bytes.iter().all(is_url_safe) { Ok(Self(Text::Own(bytes))) } else { Err(InvalidId) }
    }

    /// Takes an id that another program made by its own rules: 1 to [`LONGEST_FOREIGN`](Self::LONGEST_FOREIGN) bytes of text.
    ///
    /// Such text says nothing about where it comes from, so it is for what carried a valid signature, or came from a
    /// generator of the application's own. Text that [`parse`](Self::parse) accepts is an id like those of this
    /// library.
    ///
    /// # Errors
    ///
    /// [`InvalidId`] if the text is empty or longer than that.
    pub fn foreign(text: &str) -> Result<Self, InvalidId> {
        if let Ok(own) = Self::parse(text) {
            return Ok(own);
        }
        let fits = (1..=Self::LONGEST_FOREIGN).contains(&text.len());
        if fits { Ok(Self(Text::Foreign(text.into()))) } else { Err(InvalidId) }
    }

    /// Says whether the id does not have the form of those that this library makes.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self.0, Text::Foreign(_))
    }

    /// Returns the secret text. The name is a reminder: it belongs in a cookie and nowhere else.
    pub fn expose(&self) -> &str {
        match &self.0 {
            // The constructors let only ASCII in.
            Text::Own(bytes) => std::str::from_utf8(bytes).unwrap_or_default(),
            Text::Foreign(text) => text,
        }
    }
}

impl FromStr for SessionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::parse(text)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn only_what_could_have_been_issued_is_an_id() {
        let good = "tdQ1xhhj0TEcRG9sRZH-8Hm6S4mpNcH3";
        assert!(SessionId::parse(good).is_ok());
        for bad in ["", &good[1..], &format!("{good}A"), &good.replace('-', "+"), &good.replace('-', " ")] {
            assert_eq!(SessionId::parse(bad), Err(InvalidId), "{bad:?}");
        }
        let as_long_in_bytes = format!("{}é", &good[2..]);
        assert_eq!(SessionId::parse(&as_long_in_bytes), Err(InvalidId));
    }

    #[test]
    fn an_id_of_another_program_is_bounded_text_and_the_same_however_it_was_made() {
        for good in ["a", "a b/c", "é🦀", &"x".repeat(SessionId::LONGEST_FOREIGN)] {
            let id = SessionId::foreign(good).expect("it is not empty and not too long");
            assert_eq!((id.expose(), format!("{id:?}").as_str()), (good, "SessionId(redacted)"));
        }
        assert_eq!(SessionId::foreign(""), Err(InvalidId));
        assert_eq!(SessionId::foreign(&"x".repeat(SessionId::LONGEST_FOREIGN + 1)), Err(InvalidId));
        let own = SessionId::generate().expect("the test machine has randomness");
        assert_eq!(SessionId::foreign(own.expose()), Ok(own));
    }

    #[test]
    fn without_randomness_there_is_no_id() {
        let refusal = SessionId::from_random(|_| Err(getrandom::Error::UNSUPPORTED));
        assert!(refusal.is_err(), "a weaker id was made");
        let all = SessionId::from_random(|secret| {
            secret.copy_from_slice(&std::array::from_fn::<u8, 24, _>(|place| 0xff - u8::try_from(place).unwrap_or(0)));
            Ok(())
        });
        assert_eq!(
            all.expect("there was randomness").expose(),
            "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno",
            "every bit of it is in the id"
        );
    }

    #[test]
    fn ids_do_not_repeat_and_use_every_character() {
        let ids: HashSet<String> = (0..2000)
            .map(|_| SessionId::generate().expect("the test machine has randomness").expose().into())
            .collect();
        assert_eq!(ids.len(), 2000);
        let alphabet: HashSet<char> = ids.iter().flat_map(|id| id.chars()).collect();
        assert_eq!(alphabet.len(), 64);
    }

    #[test]
    fn an_id_is_nothing_that_serde_writes_or_reads() {
        struct Probe<T>(std::marker::PhantomData<T>);
        // What a type has itself hides what all have.
        trait Otherwise {
            const WRITES: bool = false;
            const READS: bool = false;
        }
        impl<T> Otherwise for Probe<T> {}
        impl<T: serde::Serialize> Probe<T> {
            const WRITES: bool = true;
        }
        impl<T: serde::de::DeserializeOwned> Probe<T> {
            const READS: bool = true;
        }
        assert_eq!((Probe::<crate::SessionKey>::WRITES, Probe::<crate::SessionKey>::READS), (true, true));
        assert_eq!((Probe::<SessionId>::WRITES, Probe::<SessionId>::READS), (false, false));
    }
}
