//! The pages, written on the server with maud: templates are checked when the program is built, and text is escaped
//! unless it is said otherwise.

mod age;
mod home;
mod json;
mod layout;

pub(crate) use home::{Home, home};
pub(crate) use layout::{STYLE, refusal};
