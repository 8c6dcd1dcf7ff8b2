//! The blocking client.

/// A connection to the director of this network namespace.
#[derive(Debug)]
pub struct Client {}
