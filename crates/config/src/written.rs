//! rlvs.toml: what is written in the file, before defaults and inheritance.
//!
//! One set of types is read, written and described by the schema; [`read`] makes a
//! [`crate::Site`] of them, [`write`] the opposite.

mod check;
mod decode;
mod either;
mod file;
mod keys;
mod method;
mod options;
mod print;
mod read;
mod schema;
mod service;
mod share;
mod write;

pub(crate) use either::{Either, text_or};
pub use read::read;
pub use schema::schema;
pub use write::write;

#[cfg(test)]
mod tests;
