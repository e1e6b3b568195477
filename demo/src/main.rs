//! A web application that shows what the session toolkit does: log in, a cart, your devices, and what is stored.
//!
//! `README.md` says what to try with it.

use std::env;
use std::error::Error;
use std::process::ExitCode;

mod app;
mod browser;
mod devices;
mod forms;
mod headers;
mod log;
mod options;
mod page;
mod policy;
mod refusal;
mod routes;
mod secret;
mod server;
mod store;

use options::{Options, Request, USAGE, UsageError};
use server::ServeError;

#[tokio::main]
async fn main() -> ExitCode {
    let (options, secret) = match read_options() {
        Ok(Some(read)) => read,
        Ok(None) => {
            print!("{USAGE}\nStores: {}\n", store::FORMS);
            return ExitCode::SUCCESS;
        }
        Err(error) => return misused(&error),
    };
    match server::serve(options, secret).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(ServeError::Store(error)) if store::is_misuse(&error) => misused(&error),
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line and the environment, the cookies' secret included, and starts the log; `None` if only help
/// is asked for.
fn read_options() -> Result<Option<(Options, Option<String>)>, UsageError> {
    // An argument that is not Unicode is as unknown as any other.
    let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let request = options::parse(arguments, options::variable("SESSION_STORE")?)?;
    let Request::Serve(options) = request else { return Ok(None) };
    log::start(options::variable("RUST_LOG")?.as_deref()).map_err(UsageError::BadFilter)?;
    Ok(Some((options, options::variable("SESSION_SECRET")?)))
}

/// Says what is wrong with the command line, and how it should be.
fn misused(error: &dyn Error) -> ExitCode {
    eprint!("error: {}\n\n{USAGE}\nStores: {}\n", with_causes(error), store::FORMS);
    ExitCode::from(2)
}

fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
