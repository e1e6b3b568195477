//! Several calls, written as one.

use std::time::{Duration, Instant};

use session_core::Error;
use sqlx::{Connection, SqlSafeStr};

use crate::driver::{Driver, Trouble, bind, run_one};
use crate::error::is_outage;
use crate::queue::{Call, Outcome, Work, refuse_all};
use crate::statement::Statement;

/// The longest pause while another process writes. The first ones are shorter: most writes are short.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Writes some calls together, answers them, and says whether the connection is still good. While another process writes
/// it tries again, for as long as `patience` says.
pub(crate) async fn write_batch<DB: Driver>(
    connection: &mut DB::Connection,
    mut batch: Vec<Call<DB>>,
    patience: Duration,
) -> bool {
    // All of them are under way, so any order is right; this one brings those together that can be done at once.
    batch.sort_by_key(|call| call.work.statements.first().map(Statement::address));
    match write_in_turn::<DB>(connection, &batch, patience).await {
        Ok(outcomes) => {
            for (call, outcome) in batch.into_iter().zip(outcomes) {
                call.answer(Ok(outcome));
            }
            true
        }
        // In an outage each call alone would meet the same, after the same wait.
        Err(error) if batch.len() == 1 || is_outage::<DB>(&error) => {
            let is_good = !is_outage::<DB>(&error);
            refuse_all(batch, error);
            is_good
        }
        // The fault of one of them, and nothing is written yet. The others must not suffer for it.
        Err(_) => {
            let mut is_good = true;
            for call in batch {
                match write_in_turn::<DB>(connection, std::slice::from_ref(&call), patience).await {
                    Ok(mut outcomes) => call.answer(outcomes.pop().ok_or_else(|| Error::backend("no outcome"))),
                    Err(error) => {
                        is_good &= !is_outage::<DB>(&error);
                        refuse_all(vec![call], error);
                    }
                }
            }
            is_good
        }
    }
}

/// Writes some calls when no other process writes, by the time that it is then. A connection that waits by itself would
/// write by the time at which it began to wait, and revive what others have seen expired.
async fn write_in_turn<DB: Driver>(
    connection: &mut DB::Connection,
    batch: &[Call<DB>],
    patience: Duration,
) -> sqlx::Result<Vec<Outcome<DB::Row>>> {
    let (mut first_refusal, mut pause) = (None, Duration::from_millis(1));
    loop {
        match write_together::<DB>(connection, batch).await {
            Err(sqlx::Error::Database(error))
                if DB::trouble(&*error) == Trouble::UndoneByRace
                    && first_refusal.get_or_insert_with(Instant::now).elapsed() < patience =>
            {
                tokio::time::sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            outcome => return outcome,
        }
    }
}

/// Writes some calls in one transaction, or one statement without; all of them, or none.
async fn write_together<DB: Driver>(
    connection: &mut DB::Connection,
    batch: &[Call<DB>],
) -> sqlx::Result<Vec<Outcome<DB::Row>>> {
    if let [call] = batch
        && call.work.statements.len() == 1
    {
        return write_same::<DB>(connection, batch).await;
    }
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut transaction = connection.begin_with(DB::dialect().0.begin.into_sql_str()).await?;
    for calls in batch.chunk_by(|one, other| one.work.is_same_statement(&other.work)) {
        match calls {
            [call] if call.work.statements.len() > 1 => {
                outcomes.push(write_steps::<DB>(&mut transaction, &call.work).await?);
            }
            _ => outcomes.extend(write_same::<DB>(&mut transaction, calls).await?),
        }
    }
    transaction.commit().await?;
    Ok(outcomes)
}

/// Writes calls of one and the same statement: by its shortcut those that this is enough for, and then the others.
async fn write_same<DB: Driver>(
    connection: &mut DB::Connection,
    calls: &[Call<DB>],
) -> sqlx::Result<Vec<Outcome<DB::Row>>> {
    let Some(statement) = calls.first().and_then(|call| call.work.statements.first()) else { return Ok(Vec::new()) };
    let all: Vec<&Work> = calls.iter().map(|call| &call.work).collect();
    let Some(shortcut) = statement.shortcut() else { return write_blocks::<DB>(connection, statement, &all).await };
    let mut outcomes = write_blocks::<DB>(connection, shortcut, &all).await?;
    let missed: Vec<usize> = (0..calls.len()).filter(|place| outcomes[*place].answer.rows.is_empty()).collect();
    let rest: Vec<&Work> = missed.iter().map(|place| all[*place]).collect();
    for (place, outcome) in missed.into_iter().zip(write_blocks::<DB>(connection, statement, &rest).await?) {
        outcomes[place] = outcome;
    }
    Ok(outcomes)
}

/// Runs one statement for each of some calls, several on each way to the database.
async fn write_blocks<DB: Driver>(
    connection: &mut DB::Connection,
    statement: &Statement,
    mut calls: &[&Work],
) -> sqlx::Result<Vec<Outcome<DB::Row>>> {
    let mut outcomes = Vec::with_capacity(calls.len());
    while !calls.is_empty() {
        let (text, count) = statement.block(calls.len());
        let (block, rest) = calls.split_at(count);
        let mut arguments = DB::Arguments::default();
        let mut times = Vec::with_capacity(count);
        for work in block {
            // As late as possible: a call that waited for its turn would else revive what others have seen expired.
            let now = work.clock.now();
            bind::<DB>(&mut arguments, statement, &work.values, now)?;
            times.push(now);
        }
        let answers = DB::run(connection, text, Some(arguments)).await?;
        if answers.len() != count {
            return Err(sqlx::Error::Protocol("a statement was not answered".to_owned()));
        }
        outcomes.extend(answers.into_iter().zip(times).map(|(answer, now)| Outcome {
            answer,
            now,
            is_repeated: false,
        }));
        calls = rest;
    }
    Ok(outcomes)
}

/// Writes the statements of one call; what the first one answers is the outcome.
async fn write_steps<DB: Driver>(connection: &mut DB::Connection, work: &Work) -> sqlx::Result<Outcome<DB::Row>> {
    let now = work.clock.now();
    let mut first = None;
    for statement in &work.statements {
        let answer = run_one::<DB>(connection, statement, &work.values, now).await?;
        first.get_or_insert(answer);
    }
    Ok(Outcome { answer: first.unwrap_or_default(), now, is_repeated: false })
}
