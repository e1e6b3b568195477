//! What the addresses of the demo do.

use axum::Json;
use axum::extract::{Form, FromRequest, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Redirect;
use maud::Markup;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use session_core::{Clock as _, SystemClock};
use session_tower::Session;

use crate::app::App;
use crate::browser;
use crate::devices::{self, Device};
use crate::forms::{self, BadInput, Delay, Item, UserName};
use crate::page::{self, Home};
use crate::refusal::Refusal;

/// The most that a cart holds.
const FULL_CART: usize = 500;

/// Shows everything there is to see.
pub(crate) async fn home(State(app): State<App>, session: Session) -> Result<Markup, Refusal> {
    let now = SystemClock.now();
    let user = session.owner();
    let cart: Vec<String> = session.get("cart")?.unwrap_or_default();
    let devices = devices_of(&app, &session).await?;
    let key = session.key();
    let record = match &key {
        Some(key) => app.store.load(key).await?.map(|(record, _)| record),
        None => None,
    };
    Ok(page::home(&Home {
        user: user.as_ref(),
        cart: &cart,
        devices: &devices,
        stored: key.as_ref().zip(record.as_ref()),
        store: &app.store_title,
        now,
    }))
}

/// Tells a program what the page tells a person.
pub(crate) async fn session_as_json(State(app): State<App>, session: Session) -> Result<Json<Value>, Refusal> {
    let cart: Vec<String> = session.get("cart")?.unwrap_or_default();
    let devices: Vec<Value> = devices_of(&app, &session).await?.iter().map(device_as_json).collect();
    Ok(Json(json!({
        "user": session.owner().map(|owner| owner.to_string()),
        "cart": cart,
        "devices": devices,
        "expires_at": session.expires_at().map(|time| time.to_string()),
    })))
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    user: Option<String>,
}

/// Believes a name. The session gets a new id, and keeps the cart of a visitor who had not logged in.
pub(crate) async fn login(
    session: Session,
    headers: HeaderMap,
    Fields(form): Fields<LoginForm>,
) -> Result<Redirect, Refusal> {
    let user = UserName::parse(form.user.as_deref())?;
    session.login(user.into_owner())?;
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    session.set("browser", &browser::name(user_agent))?;
    Ok(to_the_start())
}

/// Ends the session.
pub(crate) async fn logout(session: Session) -> Redirect {
    session.logout();
    to_the_start()
}

#[derive(Deserialize)]
pub(crate) struct CartForm {
    item: Option<String>,
    delay_ms: Option<String>,
}

/// Puts something into the cart: reads it, thinks for as long as the form says, and changes it.
pub(crate) async fn add_to_cart(session: Session, Fields(form): Fields<CartForm>) -> Result<Redirect, Refusal> {
    let item = Item::parse(form.item.as_deref())?;
    let delay = Delay::parse(form.delay_ms.as_deref())?.duration();
    if !delay.is_zero() {
        let cart: Vec<String> = session.get("cart")?.unwrap_or_default();
        tracing::info!("the cart has {} items, and the request thinks for {} ms", cart.len(), delay.as_millis());
        tokio::time::sleep(delay).await;
    }
    // If somebody else wrote the session meanwhile, this runs again on what they wrote: the answer is of the run that was stored.
    let added = session.update("cart", move |cart: &mut Vec<String>| {
        if cart.len() >= FULL_CART {
            return Err(BadInput::FullCart);
        }
        cart.push(item.as_str().to_owned());
        Ok(())
    });
    added.await??;
    Ok(to_the_start())
}

/// Ends all sessions of the user but this one.
pub(crate) async fn end_others(session: Session) -> Result<Redirect, Refusal> {
    session.owner().ok_or(Refusal::NotLoggedIn)?;
    let ended = session.end_other_sessions().await?;
    tracing::info!("{ended} other sessions ended");
    Ok(to_the_start())
}

#[derive(Deserialize)]
pub(crate) struct EndForm {
    key: Option<String>,
}

/// Ends one session of the user. One that belongs to somebody else is as good as none.
pub(crate) async fn end_device(session: Session, Fields(form): Fields<EndForm>) -> Result<Redirect, Refusal> {
    session.owner().ok_or(Refusal::NotLoggedIn)?;
    let key = forms::parse_key(form.key.as_deref())?;
    if session.end_session(&key).await? { Ok(to_the_start()) } else { Err(Refusal::NoSuchDevice) }
}

async fn devices_of(app: &App, session: &Session) -> Result<Vec<Device>, Refusal> {
    Ok(devices::of(&*app.store, session, SystemClock.now()).await?)
}

fn device_as_json(device: &Device) -> Value {
    json!({
        "key": device.info.key.as_str(),
        "browser": device.browser,
        "current": device.is_current,
        "created_at": device.info.created_at.to_string(),
        "last_used_at": device.last_used_at.to_string(),
        "expires_at": device.info.expires_at.to_string(),
    })
}

fn to_the_start() -> Redirect {
    Redirect::to("/")
}

/// A form's fields; what is no form is refused with a page.
pub(crate) struct Fields<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Fields<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let Form(fields) = Form::from_request(request, state).await?;
        Ok(Self(fields))
    }
}
