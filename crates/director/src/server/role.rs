//! What who asks may do.

use std::fmt;
use std::str::FromStr;

use rlvs_control::{Change, Code, Error, Transaction};

/// The least comes first: who has a role has what those before it have.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Looks at all that has no secrets.
    Read,
    /// Changes rules, drains, and sets counters to zero.
    Operate,
    /// Of the group that may use the socket beside root: sets settings of IPVS, and synchronises
    /// connections, too. No token has it.
    Member,
    /// The site, which can name programs that are run as root, and has passwords.
    Admin,
}

impl Role {
    /// Those that tokens can have.
    pub const OF_TOKENS: [Self; 3] = [Self::Read, Self::Operate, Self::Admin];

    /// What a token's role is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }

    /// Refuses what needs `needed`.
    pub(super) fn may(self, needed: Self) -> Result<(), Error> {
        if self >= needed {
            return Ok(());
        }
        let message = match (self, needed) {
            (Self::Member, _) => {
                "Permission denied: only root may see and apply a site, which can name programs to \
                 be run"
                    .to_owned()
            }
            (_, Self::Member | Self::Admin) => {
                format!("Permission denied: this needs the role admin, the token's is {self}")
            }
            _ => format!("Permission denied: this needs the role {needed}, the token's is {self}"),
        };
        Err(Error::new(Code::PermissionDenied, message))
    }

    /// Refuses changes that need more than changes do.
    pub(super) fn may_make(self, transaction: &Transaction) -> Result<(), Error> {
        let is_more = |change: &Change| {
            matches!(
                change,
                Change::SetSysctl { .. } | Change::StartDaemon(_) | Change::StopDaemon(_)
            )
        };
        let Some(index) = transaction.changes.iter().position(is_more) else {
            return Ok(());
        };
        self.may(Self::Member).map_err(|error| Error {
            change: Some(index),
            ..error
        })
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::OF_TOKENS.into_iter().find(|it| it.name() == text);
        known.ok_or_else(|| format!("there is no role `{text}`: write read, operate or admin"))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_those_before_it_may() {
        let all = [Role::Read, Role::Operate, Role::Member, Role::Admin];
        for (place, role) in all.into_iter().enumerate() {
            for (other, needed) in all.into_iter().enumerate() {
                assert_eq!(role.may(needed).is_ok(), place >= other, "{role} {needed}");
            }
        }
        assert!("member".parse::<Role>().is_err(), "no token has it");
        assert_eq!("operate".parse(), Ok(Role::Operate));
    }

    #[test]
    fn settings_are_no_plain_change() {
        let set = Change::SetSysctl {
            name: "sloppy_tcp".to_owned(),
            value: "1".to_owned(),
        };
        let both = Transaction::from(vec![Change::Flush, set]);
        let refused = Role::Operate.may_make(&both).unwrap_err();
        assert_eq!(
            (refused.code, refused.change),
            (Code::PermissionDenied, Some(1))
        );
        assert!(Role::Operate.may_make(&Change::Flush.into()).is_ok());
        assert!(Role::Member.may_make(&both).is_ok());
    }
}
