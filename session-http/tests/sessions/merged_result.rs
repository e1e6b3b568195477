//! What a change made is known as it was stored, and not as it was before it was merged with those of others.

use std::convert::Infallible;

use crate::support::{App, Browser};

#[tokio::test]
async fn twenty_requests_at_once_get_twenty_numbers() {
    let app = App::new();
    let browser: Browser = app.browser().await;
    let visits: Vec<_> = (0..20).map(|_| app.visit(&browser)).collect();
    let mut sessions = Vec::new();
    for visit in &visits {
        sessions.push(visit.open().await);
    }
    let mut answers = Vec::new();
    for (visit, session) in visits.iter().zip(&sessions) {
        let number = session.update("visits", |n: &mut u32| {
            *n += 1;
            Ok::<_, Infallible>(*n)
        });
        answers.push(number.await.expect("the store works").expect("it refuses nothing"));
        assert_eq!(visit.finish().await.status(), 200);
    }
    answers.sort_unstable();
    assert_eq!(answers, (1..=20).collect::<Vec<u32>>());
}
