//! What is peculiar to files: rights, what others plant and what crashes leave.
//! What all stores promise is tested by the conformance suite.

mod child;
mod crash;
#[cfg(unix)]
mod faults;
mod planted;
mod processes;
mod races;
mod recovery;
#[cfg(unix)]
mod rights;
mod setup;
#[cfg(unix)]
mod sizes;
mod tree;
