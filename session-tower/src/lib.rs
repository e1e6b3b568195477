//! Sessions as a tower layer, with extractors for axum
