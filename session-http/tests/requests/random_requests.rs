//! Random requests of one browser, one after another: what the handler sees, what is stored, and which ids live is what a small model says.

use std::time::Duration;

use http::Method;
use session_http::Session;

use crate::model::{Model, Step};
use crate::random::Random;
use crate::support::{App, Browser, MINUTE, Trouble};

const SEEDS: u64 = 400;
const REQUESTS: u64 = 4;
/// So many calls of the store a `save` makes at most before one of them is in trouble.
const CALLS: u64 = 4;

/// What happens to a `save` in the middle of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saves {
    Work,
    /// The handler waits for it no longer than some time.
    AreCutShort,
    /// One call of the store fails, and the next ones work.
    FailOnce,
    /// What the store does is done, and its answers are lost: one, or all from some call on.
    LoseAnswers,
}

/// One program: a few requests of one browser.
struct Program {
    saves: Saves,
    random: Random,
    app: App,
    browser: Browser,
    model: Model,
    /// This request asked for the end of the id that it presented.
    ends_the_id: bool,
    /// The answer to such an end may be lost: of an anonymous session nobody knows then whether another server gave it a new id.
    has_lost_an_end: bool,
    log: Vec<String>,
}

impl Program {
    fn new(saves: Saves, seed: u64) -> Self {
        let (app, browser, model) = (App::new(), Browser::default(), Model::default());
        let (random, log) = (Random::new(seed), Vec::new());
        Self { saves, random, app, browser, model, ends_the_id: false, has_lost_an_end: false, log }
    }

    async fn run(&mut self) -> Result<(), String> {
        for _ in 0..REQUESTS {
            self.app.clock.advance(2 * MINUTE);
            self.log.push("a request".into());
            if !self.request().await? {
                break;
            }
        }
        Ok(())
    }

    /// Does one request, and says whether it is known what is stored after it.
    async fn request(&mut self) -> Result<bool, String> {
        let before = self.browser.clone();
        let visit = self.app.visit_by(&Method::POST, &before);
        let session = visit.open().await;
        (self.ends_the_id, self.has_lost_an_end) = (false, false);
        for _ in 0..self.random.below(9) {
            let step = Step::of(&mut self.random);
            if !self.can(step) {
                continue;
            }
            self.make(&session, step).await?;
            self.model.apply(step);
            self.ends_the_id |= step.ends_the_id();
            if self.has_lost_an_end && session.is_ended() {
                return Ok(false);
            }
            let seen = Model::of(&session);
            if seen != self.model || session.is_empty() != self.model.values.is_empty() {
                return Err(format!("the handler sees {seen:?}, and not {:?}", self.model));
            }
        }
        let response = visit.finish().await;
        self.browser.learn(&response);
        let is_told = response.headers().contains_key("set-cookie");
        self.log.push(format!("answered {}, {}", response.status(), if is_told { "a cookie" } else { "no cookie" }));
        match response.status().as_u16() {
            200 => self.look(&before).await.map(|()| true),
            503 if self.saves == Saves::LoseAnswers => Ok(false),
            409 if self.has_lost_an_end => Ok(false),
            status => Err(format!("answered {status}")),
        }
    }

    /// What needs the store besides a `save`, or an owner, is done where there is one.
    fn can(&self, step: Step) -> bool {
        match step {
            Step::Reload => self.saves == Saves::Work,
            Step::EndOthers => self.saves == Saves::Work && self.model.owner.is_some(),
            _ => true,
        }
    }

    async fn make(&mut self, session: &Session, step: Step) -> Result<(), String> {
        let mut outcome = Ok(());
        match step {
            Step::Set(name, value) => outcome = session.set(name, &value),
            Step::Remove(name) => session.remove(name),
            Step::Clear => session.clear(),
            Step::Add(name) => outcome = session.modify(name, |value: &mut i64| *value += 1),
            Step::Login(user) => outcome = session.login(user),
            Step::Logout => session.logout(),
            Step::Regenerate => session.regenerate(),
            Step::ForgetOwner => session.forget_owner(),
            Step::Rotate => session.rotate(),
            Step::Reauthenticate => session.reauthenticate(),
            Step::Save => return self.save(session).await,
            Step::Reload => outcome = session.reload().await,
            Step::ShortAge => {
                session.set_max_age(Some(10 * MINUTE));
                session.begin_anew();
                session.touch();
            }
            Step::EndOthers => outcome = session.end_other_sessions().await.map(drop),
        }
        self.log.push(format!("{step:?}"));
        outcome.map_err(|error| format!("{step:?}: {error:?}"))
    }

    /// Saves under trouble; only without any it has to succeed.
    async fn save(&mut self, session: &Session) -> Result<(), String> {
        let (store, random) = (&self.app.store, &mut self.random);
        let mut patience = MINUTE;
        match self.saves {
            Saves::Work => {}
            Saves::AreCutShort => {
                let wait = Duration::from_millis(20);
                store.set_trouble(*random.pick(&[Trouble::Late(wait), Trouble::Slow(wait)]));
                patience = Duration::from_millis(random.below(40));
            }
            Saves::FailOnce => store.set_trouble_once_after(random.below(CALLS), Trouble::Down),
            Saves::LoseAnswers if random.chance(50) => {
                store.set_trouble_after(random.below(CALLS), Trouble::LosesEveryAnswer);
            }
            Saves::LoseAnswers => store.set_trouble_once_after(random.below(CALLS), Trouble::LosesEveryAnswer),
        }
        let saved = tokio::time::timeout(patience, session.save()).await;
        store.set_trouble(Trouble::None);
        self.log.push(format!("Save: {saved:?}"));
        self.has_lost_an_end |= self.saves == Saves::LoseAnswers && self.ends_the_id && !matches!(saved, Ok(Ok(())));
        let is_expected = self.saves != Saves::Work || matches!(saved, Ok(Ok(())));
        if is_expected { Ok(()) } else { Err("a save failed".into()) }
    }

    /// Compares what is stored after a request with the model.
    async fn look(&self, before: &Browser) -> Result<(), String> {
        // What was cut short may be under way.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let session = self.app.visit_by(&Method::GET, &self.browser).open().await;
        let stored = Model::of(&session);
        if stored != self.model {
            return Err(format!("stored is {stored:?}, and not {:?}", self.model));
        }
        let is_nothing = self.model == Model::default();
        if self.ends_the_id && before.cookie.is_some() && !is_nothing {
            let earlier = self.app.visit_by(&Method::GET, before).open().await;
            if earlier.key().is_some() {
                return Err("the id of before lives".into());
            }
        }
        // An empty session may be kept, if it is the browser's.
        let (live, expected) = (self.app.live().await, u64::from(!is_nothing || session.key().is_some()));
        if live == expected { Ok(()) } else { Err(format!("{live} sessions are stored, and not {expected}")) }
    }
}

/// Runs the programs of all seeds, and tells of the first that fails.
async fn programs_do_what_the_model_says(saves: Saves) {
    for seed in 0..SEEDS {
        let mut program = Program::new(saves, seed);
        let ended = tokio::time::timeout(60 * MINUTE, program.run()).await;
        let ended = ended.unwrap_or_else(|_| Err("it hangs".into()));
        assert!(ended.is_ok(), "{saves:?}, seed {seed}: {ended:?}\n{}", program.log.join("\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn random_requests_whose_saves_work_leave_what_the_model_says() {
    programs_do_what_the_model_says(Saves::Work).await;
}

#[tokio::test(start_paused = true)]
async fn random_requests_whose_saves_are_cut_short_leave_what_the_model_says() {
    programs_do_what_the_model_says(Saves::AreCutShort).await;
}

#[tokio::test(start_paused = true)]
async fn random_requests_whose_saves_fail_once_leave_what_the_model_says() {
    programs_do_what_the_model_says(Saves::FailOnce).await;
}

#[tokio::test(start_paused = true)]
async fn random_requests_whose_saves_lose_their_answers_leave_what_the_model_says() {
    programs_do_what_the_model_says(Saves::LoseAnswers).await;
}
