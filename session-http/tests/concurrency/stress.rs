//! Many tabs on several threads at once: whatever was answered with a success is there in the end.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::support::{App, Browser};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tabs_on_four_threads_that_shop_and_log_in_lose_nothing_that_was_acknowledged() {
    const TABS: u32 = 3;
    const STEPS: u32 = 40;
    let app = Arc::new(App::new());
    app.store.yield_before_calls();
    let browsers = (0..6).map(|user| {
        let app = app.clone();
        tokio::spawn(async move {
            let jar = Arc::new(Mutex::new(app.browser().await));
            let tabs: Vec<_> =
                (0..TABS).map(|tab| tokio::spawn(shop(app.clone(), jar.clone(), user, tab, STEPS))).collect();
            let mut acknowledged = Vec::new();
            for tab in tabs {
                acknowledged.extend(tab.await.expect("no tab panics"));
            }
            let browser = jar.lock().await.clone();
            let session = app.visit(&browser).open().await;
            let cart: Vec<u32> = session.get("cart").expect("it is a list").unwrap_or_default();
            let lost: Vec<_> = acknowledged.iter().filter(|item| !cart.contains(item)).collect();
            assert!(lost.is_empty(), "user {user}: {lost:?} of {}", acknowledged.len());
            acknowledged.len()
        })
    });
    let mut acknowledged = 0;
    for browser in browsers.collect::<Vec<_>>() {
        acknowledged += browser.await.expect("no browser loses anything");
    }
    assert!(acknowledged > 100, "too little was acknowledged to prove anything: {acknowledged}");
}

/// One tab: adds items, and logs in now and then; the jar learns the answers as they come.
async fn shop(app: Arc<App>, jar: Arc<Mutex<Browser>>, user: u32, tab: u32, steps: u32) -> Vec<u32> {
    let mut acknowledged = Vec::new();
    for step in 0..steps {
        let visit = app.visit(&*jar.lock().await);
        let session = visit.open().await;
        let item = tab * 1000 + step;
        let is_login = step % 13 == tab * 4;
        if is_login {
            session.login(u64::from(user)).expect("a number is an owner");
        } else {
            session.modify("cart", move |cart: &mut Vec<u32>| cart.push(item)).expect("it is a list");
        }
        tokio::task::yield_now().await;
        let response = if is_login {
            // Two answers with a cookie that overtake one another would leave the browser with the one that is dead.
            let mut jar = jar.lock().await;
            let response = visit.finish().await;
            jar.learn(&response);
            response
        } else {
            let response = visit.finish().await;
            jar.lock().await.learn(&response);
            response
        };
        if response.status() == 200 && !is_login {
            acknowledged.push(item);
        }
    }
    acknowledged
}
