//! 32 tasks that write to one SQLite file.

use std::time::{Duration, Instant};

use sqlx::Sqlite;

use crate::Outcome;
use crate::body::Body;
use crate::contestant::Contestant;
use crate::field::field;
use crate::raw::sql::Sql;
use crate::results::{Call, Results, median};
use crate::stand::{Sample, Slice};

/// Updates sessions of 2 KiB, with and without a synced log.
pub async fn measure(results: &mut Results, rounds: usize) -> Outcome<()> {
    let body = Body::of_size(2048);
    for (store, durability) in [("sqlite", "survives the process"), ("sqlite-synced", "survives a loss of power")] {
        let folder = tempfile::tempdir()?;
        let field = field(store, folder.path()).await?;
        let slice = Slice { tasks: 32, time: Duration::from_millis(600), stride: 1, most: 1024, server: None };
        let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); field.stands.len()];
        for stand in &field.stands {
            stand.prepare(&body, 1024).await?;
        }
        for round in 0..=rounds {
            for place in 0..field.stands.len() {
                let place = (place + round) % field.stands.len();
                let measured = field.stands[place].run(Call::Update, &body, &slice).await?;
                samples[place].extend(measured.into_iter().filter(|_| round > 0).map(|(_, sample)| sample));
            }
        }
        let rate = |samples: &[Sample]| {
            median(&samples.iter().map(|sample| sample.calls as f64 / sample.wall.as_secs_f64()).collect::<Vec<_>>())
        };
        let table = format!("SQLite, 32 writers, 2 KiB, {durability}");
        let one = rate(&samples[0]);
        for (stand, samples) in field.stands.iter().zip(&samples) {
            let mut all = Sample::empty();
            samples.iter().for_each(|sample| all.add(sample));
            let name = if stand.name() == crate::results::RAW { "one sqlx connection" } else { stand.name() };
            results.add(&table, name, "updates/s", format!("{:.0}", rate(samples)));
            results.add(&table, name, "of one connection", format!("{:.1} ×", rate(samples) / one));
            let micros = |quantile| format!("{:.1} ms", all.latencies.value_at_quantile(quantile) as f64 / 1e6);
            results.add(&table, name, "p50", micros(0.5));
            results.add(&table, name, "p99", micros(0.99));
            results.add(&table, name, "failures", all.failures.to_string());
        }
        let ideal = Sql::<Sqlite>::sqlite(&folder.path().join("ideal.sqlite"), store == "sqlite-synced").await?;
        let ideal = together(&ideal, &body, rounds).await?;
        let name = "one sqlx connection, 32 in each transaction";
        results.add(&table, name, "updates/s", format!("{ideal:.0}"));
        results.add(&table, name, "of one connection", format!("{:.1} ×", ideal / one));
    }
    Ok(())
}

/// Returns how many updates a second one task makes that has 32 at hand for each transaction, and waits for each: what a commit for
/// many brings by itself.
async fn together(driver: &Sql<Sqlite>, body: &Body, rounds: usize) -> Outcome<f64> {
    let mut sessions = Vec::new();
    for _ in 0..1024 {
        sessions.push(driver.create(body).await?);
    }
    let mut rates = Vec::new();
    for round in 0..=rounds {
        let (start, mut updates) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_millis(600) {
            for group in sessions.chunks_mut(32) {
                driver.update_together(group, body).await?;
                updates += group.len();
            }
        }
        rates.extend((round > 0).then(|| updates as f64 / start.elapsed().as_secs_f64()));
    }
    Ok(median(&rates))
}
