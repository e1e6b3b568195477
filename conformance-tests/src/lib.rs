//! The conformance suite of session stores, for every store and anyone's own
