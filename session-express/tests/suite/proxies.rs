//! Cases about what came over HTTPS, and about paths.

use axum::Router;
use session_express::{Express, ExpressCookie, Proxy, SameSitePolicy, SecureConnection, SecurePolicy};

use super::server::{Server, end, options, server, with_cookie};
use crate::{Case, describe, it};

const FORWARDED: [(&str, &str); 1] = [("x-forwarded-proto", "https")];

pub(crate) fn cases() -> Vec<Case> {
    [
        describe("session() > proxy option > when enabled", enabled()),
        describe("session() > proxy option > when disabled", untrusted(Proxy::Refused)),
        describe("session() > proxy option > when unspecified", untrusted(Proxy::Middleware)),
        describe("session() > cookie option > when \"path\" set to \"/foo/bar\"", paths()),
        describe("session() > cookie option > when \"secure\" set to \"auto\"", secure_auto()),
        describe("session() > cookie option > when \"cookie\" is a function", of_function()),
        describe("session() > cookie option > when \"sameSite\" set to \"auto\"", same_site_auto()),
        describe("session() > req.session > .cookie > .secure", secure()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn secure_always() -> Express {
    with_cookie(ExpressCookie::new().with_secure(SecurePolicy::Always))
}

fn enabled() -> Vec<Case> {
    let ask = async |headers: &[(&str, &str)]| {
        server(secure_always().with_proxy(Proxy::Trusted), end).ask("GET", "/", headers).await
    };
    vec![
        it("should trust X-Forwarded-Proto when string", async move || {
            ask(&FORWARDED).await.is_ok("").sets("connect.sid");
        }),
        it("should trust X-Forwarded-Proto when comma-separated list", async move || {
            ask(&[("x-forwarded-proto", "https,http")]).await.is_ok("").sets("connect.sid");
        }),
        it("should work when no header", async move || {
            ask(&[]).await.is_ok("").sets_nothing();
        }),
    ]
}

fn untrusted(proxy: Proxy) -> Vec<Case> {
    let server = move || server(secure_always().with_proxy(proxy), end);
    let decided = [FORWARDED[0], ("x-secure", "true")];
    let refuses = it("should not trust X-Forwarded-Proto", async move || {
        server().ask("GET", "/", &FORWARDED).await.is_ok("").sets_nothing();
    });
    let asks = if proxy == Proxy::Refused {
        it("should ignore req.secure", async move || {
            server().ask("GET", "/", &decided).await.is_ok("").sets_nothing();
        })
    } else {
        it("should use req.secure", async move || {
            server().ask("GET", "/", &decided).await.is_ok("").sets("connect.sid");
        })
    };
    vec![refuses, asks]
}

fn paths() -> Vec<Case> {
    let options = || with_cookie(ExpressCookie::new().with_path("/foo/bar"));
    let nested = move || {
        let inner = server(options(), end);
        Server { router: Router::new().nest("/foo", inner.router), ..inner }
    };
    vec![
        it("should not set cookie for \"/\" request", async move || {
            server(options(), end).get("/").await.is_ok("").sets_nothing();
        }),
        it("should not set cookie for \"http://foo/bar\" request", async move || {
            server(options(), end).ask("GET", "/", &[("host", "http://foo/bar")]).await.is_ok("").sets_nothing();
        }),
        it("should set cookie for \"/foo/bar\" request", async move || {
            server(options(), end).get("/foo/bar/baz").await.is_ok("").sets("connect.sid");
        }),
        it("should set cookie for \"/foo/bar/baz\" request", async move || {
            server(options(), end).get("/foo/bar/baz").await.is_ok("").sets("connect.sid");
        }),
        it("when mounted at \"/foo\" > should set cookie for \"/foo/bar\" request", async move || {
            nested().get("/foo/bar").await.is_ok("").sets("connect.sid");
        }),
        it("when mounted at \"/foo\" > should not set cookie for \"/foo/foo/bar\" request", async move || {
            nested().get("/foo/foo/bar").await.is_ok("").sets_nothing();
        }),
    ]
}

fn secure_auto() -> Vec<Case> {
    let cookie = || with_cookie(ExpressCookie::new().with_secure(SecurePolicy::Auto));
    vec![
        it("when \"proxy\" is \"true\" > should set secure when X-Forwarded-Proto is https", async move || {
            server(cookie().with_proxy(Proxy::Trusted), end).ask("GET", "/", &FORWARDED).await.has("Secure", "");
        }),
        it("when \"proxy\" is \"false\" > should not set secure when X-Forwarded-Proto is https", async move || {
            server(cookie().with_proxy(Proxy::Refused), end).ask("GET", "/", &FORWARDED).await.lacks("Secure");
        }),
        it("when \"proxy\" is undefined > should set secure if req.secure = true", async move || {
            server(cookie(), end).ask("GET", "/", &[("x-secure", "true")]).await.has("Secure", "");
        }),
        it("when \"proxy\" is undefined > should not set secure if req.secure = false", async move || {
            server(cookie(), end).ask("GET", "/", &[("x-secure", "false")]).await.lacks("Secure");
        }),
    ]
}

fn of_function() -> Vec<Case> {
    vec![
        it("should call custom function and apply cookie options", async || {
            let options = options().with_cookie_of(|_| ExpressCookie::new().with_path("/test"));
            let answer = server(options, end).get("/test").await;
            answer.is_ok("").has("Path", "/test").has("HttpOnly", "").lacks("Secure");
        }),
        it("should provide req argument", async || {
            let options = options().with_cookie_of(|request| ExpressCookie::new().with_path(request.path()));
            let answer = server(options, end).get("/test").await;
            answer.is_ok("").has("Path", "/test").has("HttpOnly", "").lacks("Secure");
        }),
    ]
}

fn same_site_auto() -> Vec<Case> {
    let auto = || ExpressCookie::new().with_same_site(SameSitePolicy::Auto);
    let forwarded = async move |proxy, proto| {
        server(with_cookie(auto()).with_proxy(proxy), end).ask("GET", "/", &[("x-forwarded-proto", proto)]).await
    };
    let decided = async move |secure, is_secure| {
        server(with_cookie(auto().with_secure(secure)), end).ask("GET", "/", &[("x-secure", is_secure)]).await
    };
    vec![
        it("basic functionality > should set SameSite=None for secure connections", async move || {
            decided(SecurePolicy::Never, "true").await.has("SameSite", "None");
        }),
        it("basic functionality > should set SameSite=Lax for insecure connections", async move || {
            decided(SecurePolicy::Never, "false").await.has("SameSite", "Lax");
        }),
        it(
            "with proxy settings > when \"proxy\" is \"true\" > should set SameSite=None when X-Forwarded-Proto is https",
            async move || {
                forwarded(Proxy::Trusted, "https").await.has("SameSite", "None");
            },
        ),
        it(
            "with proxy settings > when \"proxy\" is \"true\" > should set SameSite=Lax when X-Forwarded-Proto is http",
            async move || {
                forwarded(Proxy::Trusted, "http").await.has("SameSite", "Lax");
            },
        ),
        it(
            "with proxy settings > when \"proxy\" is \"false\" > should set SameSite=Lax when X-Forwarded-Proto is https",
            async move || {
                forwarded(Proxy::Refused, "https").await.has("SameSite", "Lax");
            },
        ),
        it(
            "combined with secure auto > when \"secure\" is \"auto\" > should set both Secure and SameSite=None when secure",
            async move || {
                decided(SecurePolicy::Auto, "true").await.has("Secure", "").has("SameSite", "None");
            },
        ),
        it(
            "combined with secure auto > when \"secure\" is \"auto\" > should set neither Secure nor SameSite=None when insecure",
            async move || {
                decided(SecurePolicy::Auto, "false").await.lacks("Secure").has("SameSite", "Lax");
            },
        ),
        it(
            "combined with secure auto > when \"secure\" is \"false\" > should set SameSite=None without Secure when secure",
            async move || {
                decided(SecurePolicy::Never, "true").await.lacks("Secure").has("SameSite", "None");
            },
        ),
        it(
            "combined with secure auto > when \"secure\" is \"false\" > should set SameSite=Lax without Secure when insecure",
            async move || {
                decided(SecurePolicy::Never, "false").await.lacks("Secure").has("SameSite", "Lax");
            },
        ),
        it(
            "combined with secure auto > when \"secure\" is \"true\" > should set both Secure and SameSite=None when secure",
            async move || {
                decided(SecurePolicy::Always, "true").await.has("Secure", "").has("SameSite", "None");
            },
        ),
        it(
            "combined with secure auto > when \"secure\" is \"true\" > should not set cookie when insecure",
            async move || {
                decided(SecurePolicy::Always, "false").await.is_ok("").sets_nothing();
            },
        ),
    ]
}

fn secure() -> Vec<Case> {
    vec![
        it("should set cookie when secure", async || {
            let inner = server(secure_always(), end);
            let encrypted = Server { router: inner.router.layer(axum::Extension(SecureConnection)), ..inner };
            encrypted.get("/").await.is_ok("").sets("connect.sid");
        }),
        it("should not set-cookie when insecure", async || {
            server(secure_always(), end).get("/").await.is_ok("").sets_nothing();
        }),
    ]
}
