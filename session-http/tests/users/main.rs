//! Users: logins, logouts, and all that a user has elsewhere.

mod another_user;
mod double_click;
mod freshness;
mod limits;
mod logouts;
mod lost_answers;
mod shared_id;
#[path = "../support/mod.rs"]
mod support;
mod users;
