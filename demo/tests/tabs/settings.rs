//! How much is done, and where: the words of the variable `SESSION_TEST_TABS`, or little and in memory without it.

/// The variable with words like `browsers=12`.
const VARIABLE: &str = "SESSION_TEST_TABS";

pub(crate) struct Settings {
    /// How many browsers there are at the same time.
    pub(crate) browsers: u64,
    /// How many visits each of them makes, one after the other, each as a user of its own.
    pub(crate) rounds: u64,
    /// How many requests a tab sends in a visit.
    pub(crate) steps: u64,
    /// Decides what is sent when, and to which server; not how the answers overtake each other.
    pub(crate) seed: u64,
    /// How many demos are started on one store.
    pub(crate) processes: u64,
    /// The URL of the store; without it memory, or for several processes a database in a temporary folder.
    pub(crate) store: Option<String>,
    /// Servers that run already, instead of those that would be started; the word may be there several times.
    pub(crate) at: Vec<String>,
}

impl Settings {
    pub(crate) fn read() -> Self {
        let mut settings = Self { browsers: 4, rounds: 5, steps: 20, seed: 1, processes: 1, store: None, at: vec![] };
        let words = std::env::var(VARIABLE).unwrap_or_default();
        for word in words.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse().unwrap_or_else(|_| panic!("{VARIABLE}: `{word}` needs a number"));
            match name {
                "browsers" => settings.browsers = number(),
                "rounds" => settings.rounds = number(),
                "steps" => settings.steps = number(),
                "seed" => settings.seed = number(),
                "processes" => settings.processes = number(),
                "store" => settings.store = Some(value.to_owned()),
                "at" => settings.at.push(value.trim_end_matches('/').to_owned()),
                _ => panic!("{VARIABLE}: `{word}` is not understood"),
            }
        }
        settings
    }
}
