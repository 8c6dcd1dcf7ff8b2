//! Who may speak to the director: root, the user it runs as, and one group if configured.
//!
//! The peer's user and primary group come from the kernel (SO_PEERCRED) and hold for the moment
//! it connected. Supplementary groups are those of the user database, not of the process: reading
//! a process' own ones by its id would race with the reuse of that id.

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use tokio::task::spawn_blocking;

/// The rule.
#[derive(Clone, Debug)]
pub struct Access {
    own: u32,
    group: Option<u32>,
}

/// A group that cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("[control] group: there is no group `{0}`; `getent group` lists all")]
    NoSuchGroup(String),
    #[error("[control] group: cannot look up `{name}`: {source}")]
    Lookup { name: String, source: nix::Error },
}

impl Access {
    /// Root and this process' user, and the members of `group` (name or number).
    pub fn new(group: Option<&str>) -> Result<Self, Error> {
        let own = nix::unistd::geteuid().as_raw();
        Ok(Self {
            own,
            group: group.map(find_group).transpose()?,
        })
    }

    /// Whether the user may speak whatever its groups.
    pub(super) fn allows_user(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own
    }

    /// Whether the user may speak as a member of the group.
    pub(super) async fn allows_member(&self, uid: u32, gid: u32) -> bool {
        let Some(group) = self.group else {
            return false;
        };
        if gid == group {
            return true;
        }
        // The user database may be remote.
        let groups = spawn_blocking(move || groups_of(uid))
            .await
            .unwrap_or_default();
        groups.contains(&group)
    }
}

fn find_group(name: &str) -> Result<u32, Error> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(Error::NoSuchGroup(name.to_owned())),
        Err(source) => Err(Error::Lookup {
            name: name.to_owned(),
            source,
        }),
    }
}

/// All groups of a user; none for one that the database does not have.
fn groups_of(uid: u32) -> Vec<u32> {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
        return Vec::new();
    };
    let Ok(name) = CString::new(user.name) else {
        return Vec::new();
    };
    let groups = getgrouplist(&name, user.gid).unwrap_or_default();
    groups.into_iter().map(Gid::as_raw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: u32 = 65534;

    #[test]
    fn root_and_the_own_user_may() {
        let access = Access {
            own: 1000,
            group: None,
        };
        assert!(access.allows_user(0));
        assert!(access.allows_user(1000));
        assert!(!access.allows_user(1001));
    }

    #[tokio::test]
    async fn without_a_group_nobody_else_may() {
        let access = Access {
            own: 1000,
            group: None,
        };
        assert!(!access.allows_member(NOBODY, 4).await);
    }

    #[tokio::test]
    async fn the_primary_group_counts() {
        let access = Access {
            own: 1000,
            group: Some(4),
        };
        assert!(access.allows_member(NOBODY, 4).await);
        assert!(!access.allows_member(NOBODY, 5).await);
    }

    #[tokio::test]
    async fn the_groups_of_the_user_database_count() {
        let access = Access {
            own: 1000,
            group: Some(0),
        };
        assert!(groups_of(0).contains(&0));
        assert!(access.allows_member(0, NOBODY).await);
    }

    #[test]
    fn groups_go_by_name_or_number() {
        assert_eq!(find_group("root").unwrap(), 0);
        assert_eq!(find_group("4711").unwrap(), 4711);
        let message = find_group("no-such-group").unwrap_err().to_string();
        assert!(message.contains("no group `no-such-group`"), "{message}");
    }
}
