//! A handle in a second process: the test binary starts itself again and obeys calls on its standard input.

use std::process::Stdio;

use async_trait::async_trait;
use session_core::{BoxError, Clock, Error, Record, Result, Revision, SessionKey, SessionStore, Timestamp};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::Space;
use crate::hooks::Factory;
use crate::wire::{Answer, Call, Request, WireRecord, refusal};

/// Names the namespace that the process shall open; a process without it runs the suite.
const NAMESPACE: &str = "SESSION_CONFORMANCE_NAMESPACE";
/// Marks the lines of the second process that are answers, whatever else it prints.
const ANSWER: &str = "session-conformance-answer:";

/// A store whose calls are made by a second process.
#[derive(Debug)]
pub(crate) struct Process {
    space: Space,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    child: Child,
    calls: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts the process; it opens the store of this space.
    pub(crate) async fn start(space: &Space) -> std::result::Result<Self, BoxError> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(NAMESPACE, space.namespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(calls), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the second process has no pipes".into());
        };
        let line = Line { child, calls, answers: BufReader::new(answers).lines() };
        Ok(Self { space: space.clone(), line: Mutex::new(line) })
    }

    /// Ends the process at once, as a crash does.
    pub(crate) async fn kill(self) -> std::result::Result<(), BoxError> {
        Ok(self.line.into_inner().child.kill().await?)
    }

    async fn ask(&self, call: Call) -> std::result::Result<Answer, BoxError> {
        let request = Request { now: self.space.clock().now().unix_millis(), call };
        let mut text = serde_json::to_string(&request)?;
        text.push('\n');
        // The lock keeps calls and answers in step; the process makes one call at a time.
        let mut line = self.line.lock().await;
        line.calls.write_all(text.as_bytes()).await?;
        while let Some(text) = line.answers.next_line().await? {
            if let Some(answer) = text.strip_prefix(ANSWER) {
                return Ok(serde_json::from_str(answer)?);
            }
        }
        Err("the second process ended".into())
    }

    async fn ask_for<T>(&self, call: Call, read: impl FnOnce(Answer) -> Option<T>) -> Result<T> {
        match self.ask(call).await.map_err(Error::backend)? {
            Answer::Refused { kind, message } => Err(refusal(&kind, message)),
            answer => read(answer).ok_or_else(|| Error::backend("the second process gave another call's answer")),
        }
    }
}

fn written(answer: &Answer) -> Option<Revision> {
    if let Answer::Written(number) = answer { Some(Revision::from_number(*number)) } else { None }
}

#[async_trait]
impl SessionStore for Process {
    async fn create(&self, key: &SessionKey, record: &Record) -> Result<Revision> {
        self.ask_for(Call::Create { key: key.to_string(), record: record.into() }, |answer| written(&answer)).await
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<(Record, Revision)>> {
        let loaded = |answer| if let Answer::Loaded(loaded) = answer { Some(loaded) } else { None };
        match self.ask_for(Call::Load { key: key.to_string() }, loaded).await? {
            Some((record, number)) => {
                Ok(Some((record.try_into().map_err(Error::backend)?, Revision::from_number(number))))
            }
            None => Ok(None),
        }
    }

    async fn update(&self, key: &SessionKey, expected: Revision, record: &Record) -> Result<Revision> {
        let record = WireRecord::from(record);
        self.ask_for(Call::Update { key: key.to_string(), expected: expected.number(), record }, |answer| {
            written(&answer)
        })
        .await
    }

    async fn touch(&self, key: &SessionKey, expires_at: Timestamp) -> Result<()> {
        let call = Call::Touch { key: key.to_string(), expires_at: expires_at.unix_millis() };
        self.ask_for(call, |answer| matches!(answer, Answer::Touched).then_some(())).await
    }

    async fn rotate(
        &self,
        old: &SessionKey,
        expected: Revision,
        new: &SessionKey,
        record: &Record,
    ) -> Result<Revision> {
        let (old, new, expected) = (old.to_string(), new.to_string(), expected.number());
        self.ask_for(Call::Rotate { old, expected, new, record: record.into() }, |answer| written(&answer)).await
    }

    async fn delete(&self, key: &SessionKey) -> Result<bool> {
        let deleted = |answer| if let Answer::Deleted(was_live) = answer { Some(was_live) } else { None };
        self.ask_for(Call::Delete { key: key.to_string() }, deleted).await
    }

    async fn delete_expired(&self, limit: u32) -> Result<u32> {
        let swept = |answer| if let Answer::Swept(count) = answer { Some(count) } else { None };
        self.ask_for(Call::DeleteExpired { limit }, swept).await
    }
}

/// Returns the namespace that this process shall serve, if it is the second process of a suite.
pub(crate) fn namespace_to_serve() -> Option<String> {
    std::env::var(NAMESPACE).ok()
}

/// Serves calls from the standard input until that ends.
pub(crate) async fn serve(factory: &Factory, namespace: String) -> std::result::Result<(), BoxError> {
    #[cfg(feature = "traces")]
    crate::traces::capture();
    let space = Space::at(namespace, session_core::SystemClock.now());
    let handle = (factory.open)(space.clone()).await?;
    let mut calls = BufReader::new(tokio::io::stdin()).lines();
    let mut output = tokio::io::stdout();
    while let Some(line) = calls.next_line().await? {
        let Request { now, call } = serde_json::from_str(&line)?;
        space.clock().set(Timestamp::from_unix_millis(now)?);
        let answer = call.answer(&*handle.store).await?;
        // A line break before the mark: what the store printed may not have ended its line.
        output.write_all(format!("\n{ANSWER}{}\n", serde_json::to_string(&answer)?).as_bytes()).await?;
        output.flush().await?;
    }
    Ok(())
}
