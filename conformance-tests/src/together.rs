//! Starts calls at the same moment.

use std::sync::Arc;

use tokio::sync::Barrier;

use crate::check::Failure;

/// Runs the calls as tasks that wait for each other and then start at once; returns their answers in order.
pub(crate) async fn together<F>(calls: impl ExactSizeIterator<Item = F>) -> Result<Vec<F::Output>, Failure>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let barrier = Arc::new(Barrier::new(calls.len()));
    let tasks: Vec<_> = calls
        .map(|call| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                call.await
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(task.await.map_err(|error| Failure::new(format!("the store panicked: {error}")))?);
    }
    Ok(answers)
}
