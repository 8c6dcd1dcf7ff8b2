//! What comes of reading.

use crate::model::Site;
use crate::problem::Problems;
use crate::source::Sources;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Reading {
    pub site: Site,
    /// What is only said: what is not acted on, and what is odd.
    pub warnings: Problems,
    pub sources: Sources,
}
