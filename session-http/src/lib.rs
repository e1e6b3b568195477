//! Sessions over HTTP without a framework: the session handle, cookies, signing and commit
