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

use options::{Request, USAGE};
use server::ServeError;
use store::OpenError;

#[tokio::main]
async fn main() -> ExitCode {
    // An argument that is not Unicode is as unknown as any other.
    let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let options = match options::parse(arguments, env::var("SESSION_STORE").ok()) {
        Ok(Request::Help) => {
            print!("{USAGE}\nStores: {}\n", store::Forms);
            return ExitCode::SUCCESS;
        }
        Ok(Request::Serve(options)) => options,
        Err(error) => return misused(&error),
    };
    if let Err(error) = log::start(env::var("RUST_LOG").ok().as_deref()) {
        return misused(&error);
    }
    match server::serve(options, env::var("SESSION_SECRET").ok()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(ServeError::Store(error @ OpenError::UnknownUrl)) => misused(&error),
        Err(error) => {
            eprintln!("error: {}", with_causes(&error));
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong with the command line, and how it should be.
fn misused(error: &dyn Error) -> ExitCode {
    eprint!("error: {}\n\n{USAGE}\nStores: {}\n", with_causes(error), store::Forms);
    ExitCode::from(2)
}

fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
