//! From configuration files to one model: rlvs.toml, keepalived.conf, ldirectord.cf and the rules
//! of ipvsadm.
//!
//! Pure: nothing is done but reading the files that a configuration includes.
#![forbid(unsafe_code)]

mod changes;
mod files;
mod format;
pub mod keepalived;
pub mod ldirectord;
mod load;
pub mod model;
pub mod names;
pub mod problem;
mod range;
mod reading;
mod rules;
pub mod settings;
pub mod source;
mod suggest;
pub mod written;

pub use changes::of_changes;
pub use format::Format;
pub use load::{DEFAULT_PATH, ipvsadm, load};
pub use model::Site;
pub use problem::{Failure, Problem, Problems, Severity};
pub use reading::Reading;
