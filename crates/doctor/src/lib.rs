//! What is wrong with a machine that is a director or a real server, what it means, and the
//! command that mends it.
//!
//! * [`Facts`]: all that is known of the machine, gathered once ([`facts::director`],
//!   [`facts::real_server`])
//! * [`examine`]: the checks, each a small function of the facts alone
//! * [`Finding`]: what one of them found
//!
//! A check demands only what the director's services need: forwarding, for example, is nobody's
//! business but masquerading's. Without a director it is told as what it is needed for.
#![forbid(unsafe_code)]

pub mod facts;

mod check;
mod finding;
mod gather;
mod sysctl;

pub use check::examine;
pub use facts::Facts;
pub use finding::{Finding, Severity};
pub use gather::Error;
pub use sysctl::Sysctls;
