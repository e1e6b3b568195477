//! A web application that shows what the session toolkit does
