//! Checks that log in.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Regex, Tls};

/// Who logs in.
#[derive(Clone, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    pub name: String,
    #[serde(default)]
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "Login({})", self.name)
    }
}

/// ldirectord's `ftp`: log in, and fetch a file if one is named.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ftp {
    /// Without it, "anonymous".
    pub login: Option<Login>,
    /// The file's path, and what it shall match.
    pub request: Option<String>,
    pub receive: Option<Regex>,
}

/// ldirectord's `imap`, `imaps`, `pop` and `pops`: the greeting, and logging in.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mailbox {
    /// Without it, the greeting is enough.
    pub login: Option<Login>,
    pub tls: Option<Tls>,
}

/// ldirectord's `ldap` and `ldaps`: bind, and find an entry.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Directory {
    /// The name is a distinguished name. Without it, anonymous.
    pub login: Option<Login>,
    /// The distinguished name of an entry that shall be there; without it, the root's.
    pub request: String,
    /// What the entry, written as LDIF, shall match.
    pub receive: Option<Regex>,
    pub tls: Option<Tls>,
}

/// ldirectord's `mysql` and `pgsql`: log in, and ask something.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub login: Login,
    /// ldirectord's `database`.
    #[serde(default)]
    pub database: String,
    /// A query that gives at least one row; without it, to be logged in is enough.
    #[serde(default)]
    pub request: Option<String>,
    #[serde(default)]
    pub tls: Option<Tls>,
}

/// PING is answered by PONG.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// Logs in first; an empty name is the default user.
    pub login: Option<Login>,
    pub tls: Option<Tls>,
    /// The server must be this: its line "role:" of INFO replication.
    pub role: Option<String>,
}
