//! What is peculiar to files: rights, what others plant, what crashes leave, and the order of the writes.
//! What all stores promise is tested by the conformance suite.

mod child;
mod crash;
#[cfg(target_os = "linux")]
mod order;
mod planted;
mod processes;
mod recovery;
#[cfg(unix)]
mod rights;
mod setup;
mod tree;
