//! Checks that a program of the operator makes.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;

/// `MISC_CHECK`: exit status 0 is a success, 1 a failure.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The program's absolute path and its arguments (`misc_path`); no shell.
    pub command: Vec<String>,
    /// `misc_timeout`: when it is ended, and has failed; without it, after `delay_loop`.
    #[serde(default, with = "seconds::option")]
    pub timeout: Option<Duration>,
    /// `misc_dynamic`: exit status 2 to 255 is a success, and the weight that is 2 less.
    #[serde(default)]
    pub dynamic: bool,
    /// `user`: who it runs as; without it, `keepalived_script`, or who runs rlvs if there is no
    /// such user, as in keepalived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its group; without it, the user's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `enable_script_security`: it does not run as root if others than root can change it, or a
    /// folder on its path.
    #[serde(default = "yes")]
    pub secure: bool,
}

impl Script {
    /// A program and its arguments.
    pub fn new<T: Into<String>>(command: impl IntoIterator<Item = T>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            timeout: None,
            dynamic: false,
            user: None,
            group: None,
            secure: true,
        }
    }
}

fn yes() -> bool {
    true
}
