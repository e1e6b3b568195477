//! The start page: who you are, your cart, your devices, and what lies in the store.

use maud::{Markup, html};
use session_core::{OwnerId, Record, SessionKey, Timestamp};

use super::age::{ago, ahead, clock};
use super::json::pretty;
use super::layout::{page, visitor};
use crate::devices::Device;

/// What the start page shows.
#[derive(Debug)]
pub(crate) struct Home<'a> {
    pub(crate) user: Option<&'a OwnerId>,
    pub(crate) cart: &'a [String],
    pub(crate) devices: &'a [Device],
    pub(crate) stored: Option<(&'a SessionKey, &'a Record)>,
    pub(crate) store: &'a str,
    pub(crate) now: Timestamp,
}

/// Writes the start page.
pub(crate) fn home(view: &Home<'_>) -> Markup {
    let user = view.user.map(OwnerId::as_str);
    let main = html! {
        h1 {
            @if let Some(user) = user { "Hello, " (user) } @else { "A session, seen from both sides" }
        }
        p.lead {
            "Fill a cart, log in from two browsers, end one from the other, and watch what the server keeps. "
            "Sessions lie in " (view.store) "."
        }
        div.grid {
            @if user.is_none() { (login()) }
            (cart(view.cart))
            @if user.is_some() { (devices(view.devices, view.now)) }
            (stored(view))
            (experiments())
        }
    };
    page("Session toolkit demo", &visitor(user), &main)
}

fn login() -> Markup {
    html! {
        section.card aria-labelledby="login" {
            h2 #login { "Log in" }
            p { "A name is enough. There is no password here: this is a demo, and anybody can be anybody." }
            form.row method="post" action="/login" {
                div.field.grow {
                    label for="user" { "User name" }
                    input #user name="user" type="text" required maxlength="64" autocomplete="username"
                        autocapitalize="none" spellcheck="false";
                }
                button type="submit" { "Log in" }
            }
            p.hint { "The cookie's id changes at this moment, and the old one is dead. Your cart comes along." }
        }
    }
}

fn cart(items: &[String]) -> Markup {
    html! {
        section.card aria-labelledby="cart" {
            h2 #cart { "Your cart " span.count { (items.len()) } }
            @if items.is_empty() {
                p.empty { "Nothing in it yet." }
            } @else {
                ul.items tabindex="0" aria-label="Items in the cart" {
                    @for (item, count) in counted(items) {
                        li { span { (item) } @if count > 1 { span.times { "× " (count) } } }
                    }
                }
            }
            form.row method="post" action="/cart" {
                div.field.grow {
                    label for="item" { "Item" }
                    input #item name="item" type="text" required maxlength="80" autocomplete="off";
                }
                div.field {
                    label for="delay" { "Think for" }
                    select #delay name="delay_ms" {
                        option value="0" { "no time" }
                        option value="1000" { "1 second" }
                        option value="5000" { "5 seconds" }
                    }
                }
                button type="submit" { "Add" }
            }
            p.hint {
                "The server thinks between reading and writing the cart. Add something in a second tab meanwhile."
            }
        }
    }
}

fn devices(devices: &[Device], now: Timestamp) -> Markup {
    html! {
        section.card aria-labelledby="devices" {
            h2 #devices { "Your devices " span.count { (devices.len()) } }
            ul.devices {
                @for device in devices { (device_line(device, now)) }
            }
            @if devices.len() > 1 {
                form method="post" action="/logout-others" {
                    button.quiet type="submit" { "Log out everywhere else" }
                }
            } @else {
                p.hint { "Log in with the same name in a private window or with curl, and it shows up here." }
            }
        }
    }
}

fn device_line(device: &Device, now: Timestamp) -> Markup {
    let key = device.info.key.as_str();
    let short: String = key.chars().take(8).collect();
    html! {
        li {
            div {
                strong { (device.browser.as_deref().unwrap_or("Unknown program")) }
                @if device.is_current { " " span.badge { "this one" } }
                p.muted {
                    "Began " (moment(device.info.created_at, &ago(device.info.created_at, now)))
                    " · last used " (moment(device.last_used_at, &ago(device.last_used_at, now)))
                    " · " code title=(key) { (short) "…" }
                }
            }
            form method="post" action="/devices/end" {
                input type="hidden" name="key" value=(key);
                button.quiet type="submit" aria-label={ "End the session " (short) } { "End" }
            }
        }
    }
}

fn stored(view: &Home<'_>) -> Markup {
    html! {
        section.card.wide aria-labelledby="stored" {
            h2 #stored { "What is stored right now" }
            @if let Some((key, record)) = view.stored {
                div.record {
                    dl {
                        dt { "Key" }
                        dd { code.key { (key) } }
                        dt { "Owner" }
                        dd { @if let Some(owner) = &record.owner { (owner) } @else { span.muted { "nobody yet" } } }
                        dt { "Created" }
                        dd { (clock(record.created_at)) " " span.muted { (ago(record.created_at, view.now)) } }
                        dt { "Expires" }
                        dd { (clock(record.expires_at)) " " span.muted { (ahead(record.expires_at, view.now)) } }
                        dt { "At the latest" }
                        dd {
                            @if let Some(deadline) = record.deadline {
                                (clock(deadline)) " " span.muted { (ahead(deadline, view.now)) }
                            } @else { span.muted { "no absolute end" } }
                        }
                    }
                    pre tabindex="0" aria-label="The data of the session as JSON" { (pretty(record.data.as_str())) }
                }
                p.hint {
                    "The id in your cookie is nowhere in it. The key is derived from the id by SHA-256: whoever "
                    "steals this record cannot log in with it."
                }
            } @else {
                p.empty { "Nothing. A visitor who only looks costs no record, and gets no cookie." }
            }
        }
    }
}

fn experiments() -> Markup {
    const EXPERIMENTS: [(&str, &str); 4] = [
        (
            "Race yourself.",
            "Add something with 5 seconds of thinking, and more from a second tab: all of it is in the cart.",
        ),
        ("Log out under a running request.", "Start a slow one here, log out there: you stay logged out."),
        ("Restart the server.", "You are still logged in, unless the sessions lie in memory."),
        ("Reuse an old cookie.", "Copy it before you log in, present it after: nobody knows it."),
    ];
    html! {
        section.card.wide aria-labelledby="try" {
            h2 #try { "Try to break it" }
            ol.steps {
                @for (what, how) in EXPERIMENTS { li { strong { (what) } " " (how) } }
            }
        }
    }
}

fn moment(time: Timestamp, words: &str) -> Markup {
    html! { time datetime=(time) title=(clock(time)) { (words) } }
}

/// Groups equal items, in the order in which each was first added.
fn counted(items: &[String]) -> Vec<(&str, usize)> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for item in items {
        match counted.iter_mut().find(|(name, _)| name == item) {
            Some((_, count)) => *count += 1,
            None => counted.push((item, 1)),
        }
    }
    counted
}
