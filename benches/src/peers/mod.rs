//! The stores of others, as their users call them.

pub mod actix;
pub mod axum_session;
pub mod saysion;
pub mod tower_sessions;
