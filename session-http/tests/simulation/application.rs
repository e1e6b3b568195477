//! The application and its layer: the only file that calls the session's interface.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::{HeaderMap, Method, Request, Response};
use session_core::OwnerId;
use session_http::{Error, Session, SessionSlot, Sessions};

use crate::act::{Act, Job, Save};
use crate::answers::Told;
use crate::cookies::{headers, key_of, set_cookie};
use crate::executor::World;
use crate::faults::Fault;
use crate::model::Model;

/// How many numbers a list takes by an update.
const MOST_IN_CART: usize = 4;

/// The application servers, over one store.
pub(crate) struct Application {
    pub(crate) world: Arc<World>,
    pub(crate) model: Arc<Model>,
    pub(crate) servers: Servers,
    pub(crate) fault: Option<Fault>,
    /// The store answers every call.
    pub(crate) is_calm: AtomicBool,
}

/// When a client leaves: after so many looks at its request, or at the commit of what its handler has answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaving {
    pub(crate) after: u64,
    pub(crate) at_commit: bool,
}

/// The application servers, of which each remembers what its requests did.
pub(crate) enum Servers {
    Lasting(Vec<Sessions>),
    /// They remember nothing.
    OfOneRequest(Box<dyn Fn() -> Vec<Sessions> + Send + Sync>),
}

/// What comes back to the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The new value of the cookie; `None` in it removes the cookie.
    pub(crate) cookie: Option<Option<String>>,
}

impl Application {
    fn server(&self, number: usize) -> Sessions {
        match &self.servers {
            Servers::Lasting(servers) => servers[number].clone(),
            Servers::OfOneRequest(configure) => configure()[number].clone(),
        }
    }

    /// Serves one request; `None` if its client left.
    pub(crate) async fn serve(&self, job: Job, cookies: &[String], leaving: Option<Leaving>) -> Option<Reply> {
        let headers = headers(cookies);
        let presented = cookies.iter().filter_map(|cookie| key_of(cookie)).collect();
        self.model.arrive(job, presented, self.world.now());
        let method = if job.act.is_read() { Method::GET } else { Method::POST };
        let mut request = Request::builder().method(method).body(()).ok()?;
        *request.headers_mut() = headers.clone();
        let slot = SessionSlot::for_request(self.server(job.server), &request);
        let has_answered = AtomicBool::new(false);
        let reply = {
            let mut work = pin!(self.work(job, slot.clone(), &headers, &has_answered));
            let mut looks = 0;
            poll_fn(|context| {
                let is_counted = |leaving: &Leaving| !leaving.at_commit || has_answered.load(Ordering::Relaxed);
                looks += u64::from(leaving.as_ref().is_some_and(is_counted));
                if leaving.is_some_and(|leaving| looks > leaving.after) {
                    return Poll::Ready(None);
                }
                work.as_mut().poll(context).map(Some)
            })
            .await
        };
        let unfinished = if reply.is_some() {
            slot.unfinished()
        } else {
            self.world.note(|| format!("  #{} the client leaves", job.number));
            slot.abandon()
        };
        // As the layer of `session-tower` does.
        if let Some(unfinished) = unfinished {
            self.world.note(|| format!("  #{} is brought to its end", job.number));
            let is_dropped = self.fault == Some(Fault::UnfinishedDropped);
            let is_checked = reply.is_none() && has_answered.into_inner() && self.is_calm.load(Ordering::Relaxed);
            let model = self.model.clone();
            self.world.spawn(job.number, async move {
                if !is_dropped {
                    unfinished.await;
                }
                if is_checked {
                    model.finish(job.number);
                }
            });
        }
        reply
    }

    /// What a layer does with a request.
    async fn work(&self, job: Job, slot: SessionSlot, headers: &HeaderMap, has_answered: &AtomicBool) -> Reply {
        let handled = match slot.open(headers).await {
            Ok(session) => self.handle(job, &session).await,
            Err(error) => Err(error),
        };
        let mut response: Response<String> =
            handled.map_or_else(|error| error.to_response(), |()| Response::new(String::new()));
        has_answered.store(response.status().is_success(), Ordering::Relaxed);
        if self.fault == Some(Fault::AnswerOutrunsCommit) {
            self.model.answer(job.number, response.status().as_u16(), &Told::Nothing, false, self.world.now());
        }
        match slot.commit_of(response.status()).await {
            Ok(headers) => headers.apply_to(&mut response),
            Err(error) => {
                self.world.note(|| format!("  #{} the commit is refused: {error}", job.number));
                if self.fault != Some(Fault::RefusalIgnored) {
                    response = slot.refuse(&error);
                }
            }
        }
        let reply = Reply { status: response.status().as_u16(), cookie: set_cookie(&response) };
        let told = reply.told();
        self.world.note(|| {
            let told = match &told {
                Told::Nothing => String::new(),
                Told::Removed => ", removes the cookie".into(),
                Told::Id(key) => format!(", sets the cookie of {}", self.model.name(key)),
            };
            format!("  #{} answers {}{told}", job.number, reply.status)
        });
        if self.fault != Some(Fault::AnswerOutrunsCommit) {
            self.model.answer(job.number, reply.status, &told, self.is_calm.load(Ordering::Relaxed), self.world.now());
        }
        reply
    }

    async fn handle(&self, job: Job, session: &Session) -> Result<(), Error> {
        let (number, world) = (job.number, &self.world);
        let owner = session.owner();
        let mut writes: Vec<usize> = session.get("cart")?.unwrap_or_default();
        writes.extend(session.keys().iter().filter_map(|name| name.strip_prefix('t')?.parse::<usize>().ok()));
        self.model.see(number, owner.as_ref().map(OwnerId::as_str), &writes, session.key().as_ref());
        world.pause(world.below(3)).await;
        if job.act.writes() && !matches!(job.act, Act::Login(_)) {
            self.model.write(number, session.owner().as_ref().map(OwnerId::as_str));
        }
        match job.act {
            Act::Look => {}
            Act::Add => session.modify("cart", move |cart: &mut Vec<usize>| cart.push(number))?,
            Act::Set => session.set(&format!("t{number}"), &number)?,
            Act::Update => self.update(number, session).await?,
            Act::Clear => session.clear(),
            Act::Take => drop(session.take::<Vec<usize>>("cart")?),
            Act::SetMaxAge => session.set_max_age(Some(Duration::from_secs(60 + self.world.below(7200)))),
            Act::Login(user) => {
                self.model.write(number, Some(user));
                session.login(user)?;
                session.modify("cart", move |cart: &mut Vec<usize>| cart.push(number))?;
            }
            Act::Logout => session.logout(),
            Act::Rotate => session.rotate(),
            Act::Reauthenticate => session.reauthenticate(),
            Act::EndOthers => {
                session.reauthenticate();
                session.end_other_sessions().await?;
            }
            Act::EndOne => {
                let own = session.key();
                let mut others = session.sessions().await?;
                others.retain(|other| Some(&other.key) != own.as_ref());
                if let Some(other) = others.first()
                    && session.end_session(&other.key).await?
                {
                    self.model.ended(number, &other.key);
                }
            }
        }
        match job.save {
            Save::No => {}
            Save::Yes => session.save().await?,
            Save::Cancelled(after) => self.save_for_a_while(session, after).await?,
        }
        world.pause(world.below(3)).await;
        Ok(())
    }

    /// Adds to a list that takes only so many.
    async fn update(&self, number: usize, session: &Session) -> Result<(), Error> {
        let added = session.update("cart", move |cart: &mut Vec<usize>| {
            if cart.len() >= MOST_IN_CART {
                return Err(());
            }
            cart.push(number);
            Ok(cart.len())
        });
        self.model.updated(number, added.await?.ok());
        Ok(())
    }

    /// Saves, and stops waiting after so many looks.
    async fn save_for_a_while(&self, session: &Session, after: u64) -> Result<(), Error> {
        let mut saving = pin!(session.save());
        let mut looks = 0;
        poll_fn(|context| {
            looks += 1;
            if looks > after { Poll::Ready(Ok(())) } else { saving.as_mut().poll(context) }
        })
        .await
    }
}

impl Reply {
    fn told(&self) -> Told {
        match &self.cookie {
            None => Told::Nothing,
            Some(None) => Told::Removed,
            Some(Some(value)) => key_of(value).map_or(Told::Nothing, Told::Id),
        }
    }
}
