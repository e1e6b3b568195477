//! What the session keeps of its own beside the application's values: one member of the text, unpacked when it is loaded and packed when it is
//! written.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use session_core::{Data, Expiry, Record, SessionKey, Timestamp};
use sha2::{Digest, Sha256};

use crate::changes::Edit;

/// The member that all of it is in. No value of the application has the name.
const NAME: &str = "__session";

/// What earlier versions wrote, which is still read.
const EARLIER: [&str; 2] = ["__login", "__max_age"];

/// How all of these names begin in the text.
const MARK: &str = "\"__";

/// What a session keeps of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) login: Option<Login>,
    pub(crate) age: Age,
    /// The instant that ends it, whatever its use.
    pub(crate) until: Option<Timestamp>,
    /// What it was rotated from, the latest first.
    pub(crate) origins: Vec<Origin>,
}

/// When a session became its user's, and when that user last proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) at: Timestamp,
    pub(crate) proved_at: Timestamp,
}

/// How long a session's cookie lives, as far as the session says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Age {
    /// It does not.
    #[default]
    OfPolicy,
    /// Until the browser closes, though the policy has an age.
    OfBrowser,
    /// The session too.
    Own(Duration),
}

/// A key that the session had a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// A digest of the key: enough to know it again, no use to find it.
    digest: String,
    at: Timestamp,
    /// By a login of the user whose session it is since.
    is_login: bool,
}

impl Origin {
    /// How many are kept.
    const MOST: usize = 4;
    /// How long a key that was rotated away is kept.
    const KEPT: Duration = Duration::from_secs(60);
    /// How long a login under the old id joins the session.
    const JOINED: Duration = Duration::from_secs(30);

    fn digest(key: &SessionKey) -> String {
        URL_SAFE_NO_PAD.encode(&Sha256::digest(key.as_str())[..12])
    }
}

/// The text of it. What a later version adds is not known here, and is dropped with the next write.
#[derive(Default, Serialize, Deserialize)]
struct Text {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<[i64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    age: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    from: Vec<(String, i64, u8)>,
}

/// The number that stands for [`Age::OfBrowser`].
const OF_BROWSER: i64 = -1;

/// Says whether a name is the session's own and not the application's.
pub(crate) fn is_own(name: &str) -> bool {
    name == NAME || EARLIER.contains(&name)
}

/// Returns the data without the application's values.
pub(crate) fn only_own(data: &Data) -> Data {
    if !data.as_str().contains(MARK) {
        return Data::empty();
    }
    let own: Vec<_> = [NAME, EARLIER[0], EARLIER[1]].into_iter().map(|name| (name, data.raw(name))).collect();
    Data::empty().with_changes(&own)
}

impl Meta {
    /// Reads what data has of it. Mostly there is nothing, and then the data is not gone through. What cannot be read is not there.
    pub(crate) fn unpack(data: &Data) -> Self {
        if !data.as_str().contains(MARK) {
            return Self::default();
        }
        match data.raw(NAME) {
            Some(text) => serde_json::from_str(text.get()).map(Self::from_text).unwrap_or_default(),
            None => Self::from_earlier(data),
        }
    }

    /// Returns what has to be changed in the text that has `before`, so that it has this.
    pub(crate) fn edits(&self, before: &Self, data: &Data) -> Vec<Edit> {
        if self == before {
            return Vec::new();
        }
        let has_earlier = data.as_str().contains(MARK);
        let earlier = EARLIER.iter().filter(|name| has_earlier && data.raw(name).is_some());
        let mut edits: Vec<Edit> = earlier.map(|&name| (name.into(), None)).collect();
        // Numbers and texts are JSON.
        let text = if *self == Self::default() { None } else { to_raw_value(&self.to_text()).ok() };
        edits.push((NAME.into(), text.map(Into::into)));
        edits
    }

    fn from_text(text: Text) -> Self {
        let moment = |millis| Timestamp::from_unix_millis(millis).ok();
        let origin = |(digest, at, is_login)| Some(Origin { digest, at: moment(at)?, is_login: is_login == 1 });
        Self {
            login: text.login.and_then(|[at, proved]| Some(Login { at: moment(at)?, proved_at: moment(proved)? })),
            age: match text.age {
                None => Age::OfPolicy,
                Some(millis) => {
                    u64::try_from(millis).map_or(Age::OfBrowser, |age| Age::Own(Duration::from_millis(age)))
                }
            },
            until: text.until.and_then(moment),
            origins: text.from.into_iter().take(Origin::MOST).filter_map(origin).collect(),
        }
    }

    fn to_text(&self) -> Text {
        Text {
            login: self.login.map(|login| [login.at.unix_millis(), login.proved_at.unix_millis()]),
            age: match self.age {
                Age::OfPolicy => None,
                Age::OfBrowser => Some(OF_BROWSER),
                Age::Own(age) => Some(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
            },
            until: self.until.map(Timestamp::unix_millis),
            from: self.origins.iter().map(|o| (o.digest.clone(), o.at.unix_millis(), u8::from(o.is_login))).collect(),
        }
    }

    /// Reads `__login` and `__max_age`, a member each.
    fn from_earlier(data: &Data) -> Self {
        fn read<'t, T: Deserialize<'t>>(text: Option<&'t RawValue>) -> Option<T> {
            serde_json::from_str(text?.get()).ok()
        }
        let age = data.raw(EARLIER[1]).map(|age| read::<Option<i64>>(Some(age)).flatten().unwrap_or(OF_BROWSER));
        Self::from_text(Text { login: read(data.raw(EARLIER[0])), age, ..Text::default() })
    }

    /// Notes that the session leaves a key, by a login of its user or otherwise.
    pub(crate) fn leave(&mut self, key: &SessionKey, at: Timestamp, is_login: bool) {
        self.forget_origins(at);
        self.origins.insert(0, Origin { digest: Origin::digest(key), at, is_login });
        self.origins.truncate(Origin::MOST);
    }

    /// Forgets what it was rotated from long ago.
    pub(crate) fn forget_origins(&mut self, now: Timestamp) {
        self.origins.retain(|origin| now.saturating_since(origin.at) < Origin::KEPT);
    }

    /// Says whether a login of the session's own user under that key is the same login once more: the session left it by such logins
    /// alone, a moment ago. Clocks differ, both ways.
    pub(crate) fn is_joined_from(&self, key: &SessionKey, now: Timestamp) -> bool {
        let digest = Origin::digest(key);
        let by_logins = self.origins.iter().take_while(|origin| origin.is_login);
        by_logins.into_iter().any(|origin| {
            let apart = now.saturating_since(origin.at).max(origin.at.saturating_since(now));
            origin.digest == digest && apart <= Origin::JOINED
        })
    }

    /// Says whether it had that key a moment ago.
    pub(crate) fn came_from(&self, key: &SessionKey) -> bool {
        let digest = Origin::digest(key);
        self.origins.iter().any(|origin| origin.digest == digest)
    }

    /// Returns the instant past which no use extends the session: a lifetime of today's policy after its user last proved who they are, or else
    /// after its beginning.
    pub(crate) fn deadline(&self, policy: &Expiry, record: &Record) -> Option<Timestamp> {
        let begun = match self.login {
            Some(login) if record.owner.is_some() && login.proved_at > record.created_at => login.proved_at,
            _ => record.created_at,
        };
        let stored = record.deadline.filter(|_| begun == record.created_at);
        let sooner = |one: Option<Timestamp>, other: Option<Timestamp>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        sooner(sooner(policy.deadline(begun), stored), self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis).expect("the test's times are in range")
    }

    fn key(text: &str) -> SessionKey {
        SessionKey::parse(text).expect("the test's key is short")
    }

    fn packed(meta: &Meta, before: &str) -> Data {
        let before = Data::parse(before).expect("it is an object");
        let edits = meta.edits(&Meta::unpack(&before), &before);
        let edits: Vec<_> = edits.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
        before.with_changes(&edits)
    }

    #[test]
    fn it_comes_back_as_it_was_and_is_nothing_when_there_is_nothing() {
        let mut meta = Meta {
            login: Some(Login { at: at(1), proved_at: at(2) }),
            age: Age::Own(Duration::from_millis(3)),
            until: Some(at(4)),
            origins: Vec::new(),
        };
        meta.leave(&key("k"), at(5), true);
        for meta in [meta, Meta { age: Age::OfBrowser, ..Meta::default() }, Meta::default()] {
            assert_eq!(Meta::unpack(&packed(&meta, r#"{"n":1}"#)), meta);
        }
        let nothing = packed(&Meta::default(), r#"{"__session":{"age":7},"n":1}"#);
        assert_eq!(nothing.as_str(), r#"{"n":1}"#);
    }

    #[test]
    fn what_earlier_versions_wrote_is_read_and_packed_into_one_member() {
        let earlier = r#"{"__login":[1,2],"__max_age":null,"n":1}"#;
        let mut meta = Meta::unpack(&Data::parse(earlier).expect("it is an object"));
        assert_eq!((meta.login, meta.age), (Some(Login { at: at(1), proved_at: at(2) }), Age::OfBrowser));
        meta.age = Age::Own(Duration::from_millis(9));
        assert_eq!(packed(&meta, earlier).as_str(), r#"{"n":1,"__session":{"login":[1,2],"age":9}}"#);
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        for text in [r#"{"__session":7}"#, r#"{"__login":"x","__max_age":[]}"#, r#"{"__session":{"login":[-1,0]}}"#] {
            let meta = Meta::unpack(&Data::parse(text).expect("it is an object"));
            assert_eq!(meta.login, None, "{text}");
        }
    }

    #[test]
    fn a_login_joins_what_left_its_key_by_logins_alone_and_a_moment_ago() {
        let mut meta = Meta::default();
        meta.leave(&key("a"), at(0), false);
        meta.leave(&key("b"), at(0), true);
        meta.leave(&key("c"), at(1000), true);
        for (name, now, joins) in
            [("c", 1000, true), ("b", 30_000, true), ("b", 30_001, false), ("a", 0, false), ("x", 0, false)]
        {
            assert_eq!(meta.is_joined_from(&key(name), at(now)), joins, "{name} {now}");
        }
        assert!(meta.came_from(&key("a")), "a logout follows however it was left");
        meta.leave(&key("d"), at(61_000), false);
        assert!(!meta.came_from(&key("c")) && !meta.is_joined_from(&key("d"), at(61_000)));
    }
}
