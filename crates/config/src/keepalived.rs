//! `keepalived.conf`, as keepalived reads it (keepalived.conf(5) of 2.2.7).

pub(crate) mod block;
mod expand;
mod globals;
mod lvs;
pub(crate) mod notes;
mod root;
mod tree;
mod vrrp;
mod words;

use std::path::Path;

use crate::problem::{Failure, Problems};
use crate::reading::Reading;
use crate::source::Sources;
use expand::Expander;
pub use tree::{Block, Statement, Word};

/// What a configuration may ask for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Options {
    /// What lines after `@` are for (`-i`); by default the first part of the host's name.
    pub config_id: String,
    /// What `${_INSTANCE}` is.
    pub instance: String,
    /// Where `${_RANDOM}` begins.
    pub random: u64,
}

/// Reads the text of `path`, and the files it includes.
pub fn read(path: &Path, text: String, options: &Options) -> Result<Reading, Failure> {
    let (statements, sources, mut problems) = tree(path, text, options);
    let (site, more) = root::site(&statements);
    problems.extend(more);
    if problems.errors() > 0 {
        return Err(Failure { sources, problems });
    }
    Ok(Reading {
        site,
        warnings: problems,
        sources,
    })
}

/// The file as statements, with the texts they were read from, and what is wrong.
pub fn tree(path: &Path, text: String, options: &Options) -> (Vec<Statement>, Sources, Problems) {
    let mut expander = Expander::new(options);
    expander.file(path, text, 0);
    expander.finish()
}

#[cfg(test)]
mod tests;
