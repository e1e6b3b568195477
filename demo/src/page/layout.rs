//! The frame around every page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The style sheet. It stands inside of every page, so that a page is one request; the response's policy names its
/// hash.
pub(crate) const STYLE: &str = include_str!("style.css");

const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect \
                    width='32' height='32' rx='8' fill='%230f766e'/%3E%3Cpath d='M8 12h16M8 20h10' stroke='%23fff' \
                    stroke-width='4' stroke-linecap='round'/%3E%3C/svg%3E";

/// Puts a page together: `visitor` stands at the top on the right.
pub(crate) fn page(title: &str, visitor: &Markup, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href="/" { (mark()) span { "Session toolkit" } span.tag { "demo" } }
                    (visitor)
                }
                main #main { (main) }
                footer.foot {
                    p {
                        "Plain forms, no script. The same answers as JSON: "
                        a href="/api/session" { code { "/api/session" } }
                    }
                }
            }
        }
    }
}

/// Says who is logged in, with the way out.
pub(crate) fn visitor(user: Option<&str>) -> Markup {
    html! {
        @if let Some(user) = user {
            form.who method="post" action="/logout" {
                span { "Logged in as " strong { (user) } }
                button.quiet type="submit" { "Log out" }
            }
        } @else {
            p.who.muted { "Not logged in" }
        }
    }
}

/// Says why a request was refused, and leads back.
pub(crate) fn refusal(status: u16, title: &str, message: &str) -> Markup {
    let main = html! {
        section.card.notice aria-labelledby="refusal" {
            p.status { (status) }
            h1 #refusal { (title) }
            p { (message) }
            p { a.button href="/" { "Back to the start" } }
        }
    };
    // Whether somebody is logged in is not asked again only to refuse something.
    page(title, &html! {}, &main)
}

fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" {
            rect width="32" height="32" rx="8" {}
            path d="M8 12h16M8 20h10" {}
        }
    }
}
