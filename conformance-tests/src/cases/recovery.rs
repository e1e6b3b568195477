//! The backend stands still, breaks or is slow under many callers, and is well again.

use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::case::{Case, Level, TIMEOUT};
use crate::check::{Outcome, that};
use crate::crowd::{CALLERS, Crowd, Heard, RECOVERY, SLACK, all_at_once, sessions};
use crate::hooks::Need;
use crate::proxy::Proxy;
use crate::stretch::stretched;

const LINES: &[Need] = &[Need::Lines];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("RECOVERY-01", Level::Gaps, LINES, recovery_01),
        Case::new("RECOVERY-02", Level::Gaps, LINES, recovery_02),
        Case::new("RECOVERY-03", Level::Gaps, LINES, recovery_03),
        Case::new("RECOVERY-04", Level::Gaps, LINES, recovery_04),
        Case::new("RECOVERY-05", Level::Gaps, LINES, recovery_05),
        Case::new("GIVEN-UP-01", Level::Gaps, LINES, given_up_01),
    ]
}

/// How long callers are at work before there is trouble, so that connections are there and statements prepared.
const WARMING: Duration = Duration::from_millis(1200);
/// How long callers are watched after everything has to be well.
const WATCHED: Duration = Duration::from_millis(1200);
/// How long the backend stands still: three time-outs.
const STANDSTILL: Duration = TIMEOUT.saturating_mul(3);
/// How long a caller waits that leaves.
const IMPATIENCE: Duration = Duration::from_millis(100);

/// Begins trouble under callers that are at work, ends it, and returns what they heard and from when on all must be well.
async fn trouble(
    b: &Bench,
    patience: Option<Duration>,
    begin: impl Fn(&Proxy),
    lasts: Duration,
    end: impl Fn(&Proxy),
) -> Result<(Heard, Instant), crate::check::Failure> {
    let keys = sessions(b).await?;
    let crowd = Crowd::at_work(b, &keys, patience);
    tokio::time::sleep(stretched(WARMING)).await;
    b.space.lines().iter().for_each(begin);
    tokio::time::sleep(stretched(lasts)).await;
    b.space.lines().iter().for_each(end);
    let well = Instant::now() + stretched(RECOVERY);
    tokio::time::sleep(stretched(RECOVERY) + WATCHED).await;
    Ok((crowd.over().await?, well))
}

const AFTERWARDS: &str = "two seconds after the backend was well";

async fn recovery_01(b: Bench) -> Outcome {
    let (heard, well) = trouble(&b, None, Proxy::hold, STANDSTILL, Proxy::mend).await?;
    that(
        heard.refused() > 0,
        "nobody was refused while the backend stood still: does the factory give the store the time-out of `Space::timeout`?",
    )?;
    heard.in_time(SLACK)?;
    heard.all_succeed_from(well, AFTERWARDS)
}

async fn recovery_02(b: Bench) -> Outcome {
    let (heard, well) = trouble(&b, None, Proxy::cut, STANDSTILL / 2, Proxy::mend).await?;
    that(heard.refused() > 0, "nobody noticed that the backend was gone: the harness is wrong")?;
    heard.in_time(SLACK)?;
    heard.all_succeed_from(well, AFTERWARDS)
}

/// All connections are dead, and nobody was told. One caller at a time would find one dead connection after the other.
async fn recovery_03(b: Bench) -> Outcome {
    let keys = sessions(&b).await?;
    for _ in 0..3 {
        all_at_once(&b, &keys, CALLERS)
            .await?
            .all_succeed_from(Instant::now() - Duration::from_secs(600), "at first")?;
    }
    b.space.lines().iter().for_each(Proxy::forget);
    let forgotten = Instant::now();
    // The first one finds out, and that takes its time-out.
    let well = forgotten + stretched(TIMEOUT + RECOVERY);
    while Instant::now() < well {
        let start = Instant::now();
        drop(b.store.load(&keys[0]).await);
        that(start.elapsed() <= stretched(TIMEOUT + SLACK), format!("a caller waited for {:?}", start.elapsed()))?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let heard = all_at_once(&b, &keys, CALLERS).await?;
    heard.in_time(SLACK)?;
    heard.all_succeed_from(well, "two seconds after the first caller could find out that the connections were dead")
}

/// A server that takes longer to greet than a call may wait: a connection cannot be made within the call that needs it.
async fn recovery_04(b: Bench) -> Outcome {
    let slow = stretched(TIMEOUT) * 3 / 2;
    let begin = |line: &Proxy| {
        line.greet_after(slow);
        line.cut();
    };
    let keys = sessions(&b).await?;
    let crowd = Crowd::at_work(&b, &keys, None);
    tokio::time::sleep(stretched(WARMING)).await;
    b.space.lines().iter().for_each(begin);
    tokio::time::sleep(Duration::from_millis(100)).await;
    b.space.lines().iter().for_each(Proxy::mend);
    let well = Instant::now() + slow * b.greetings() + stretched(RECOVERY);
    tokio::time::sleep_until((well + WATCHED).into()).await;
    let heard = crowd.over().await?;
    heard.in_time(SLACK)?;
    heard.all_succeed_from(well, "two seconds after the server had the time to greet")
}

async fn recovery_05(b: Bench) -> Outcome {
    const MANY: usize = 5000;
    let keys = sessions(&b).await?;
    all_at_once(&b, &keys, CALLERS).await?.in_time(SLACK)?;
    b.space.lines().iter().for_each(Proxy::hold);
    let heard = all_at_once(&b, &keys, MANY).await;
    b.space.lines().iter().for_each(Proxy::mend);
    heard?.in_time(SLACK * 2)?;
    tokio::time::sleep(stretched(RECOVERY)).await;
    let well = Instant::now();
    all_at_once(&b, &keys, CALLERS).await?.all_succeed_from(well, AFTERWARDS)
}

async fn given_up_01(b: Bench) -> Outcome {
    let (heard, _) = trouble(&b, Some(IMPATIENCE), Proxy::hold, STANDSTILL, Proxy::mend).await?;
    that(heard.refused() > 0, "nobody left while the backend stood still: the harness is wrong")?;
    let well = Instant::now();
    let keys = sessions_again();
    let heard = all_at_once(&b, &keys, CALLERS).await?;
    heard.in_time(SLACK)?;
    heard.all_succeed_from(well, AFTERWARDS)
}

/// Returns the keys of the callers that were stored before.
fn sessions_again() -> Vec<session_core::SessionKey> {
    (0..CALLERS).map(|number| crate::bench::key(&format!("caller-{number}"))).collect()
}
