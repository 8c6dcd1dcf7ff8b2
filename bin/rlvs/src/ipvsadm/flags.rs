//! All of `ipvsadm`'s flags: what the parser accepts and what `-h` prints come from this table.

mod table;

use super::options::Opt;
pub(super) use table::FLAGS;

/// One flag of the command line.
#[derive(Debug)]
pub(super) struct Flag {
    pub(super) meaning: Meaning,
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    pub(super) value: Value,
    pub(super) help: &'static str,
}

/// Whether a value follows, and what it is called in the help.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Value {
    None,
    Optional(&'static str),
    Required(&'static str),
}

/// What a flag says. Several may answer the same question, and then exclude each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Meaning {
    Command(Verb),
    /// The firewall mark before it is one of IPv6 packets.
    Ipv6,
    Method(Method),
    Other(Opt),
    Service(ServiceKind),
    /// Sorting is the default: the flag is there for old scripts.
    Sort,
}

/// What shall be done; exactly one, and first on the command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    AddLocalAddress,
    AddServer,
    AddService,
    Clear,
    DeleteLocalAddress,
    DeleteServer,
    DeleteService,
    EditServer,
    EditService,
    GetLocalAddresses,
    Help,
    List,
    Restore,
    Save,
    Set,
    StartDaemon,
    StopDaemon,
    Version,
    Zero,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ServiceKind {
    Mark,
    Sctp,
    Tcp,
    Udp,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Method {
    FullNat,
    Masquerade,
    #[default]
    Route,
    Tunnel,
}

impl Meaning {
    /// The question that this flag answers; asked once.
    pub(super) fn option(self) -> Option<Opt> {
        match self {
            Self::Command(_) | Self::Ipv6 | Self::Sort => None,
            Self::Method(_) => Some(Opt::ForwardingMethod),
            Self::Other(option) => Some(option),
            Self::Service(_) => Some(Opt::ServiceAddress),
        }
    }
}

pub(super) fn by_long(name: &str) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.long == name)
}

pub(super) fn by_short(name: char) -> Option<&'static Flag> {
    // -l is -L's second letter.
    let name = if name == 'l' { 'L' } else { name };
    FLAGS.iter().find(|flag| flag.short == Some(name))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names = HashSet::new();
        for flag in FLAGS {
            assert!(names.insert(flag.long.to_owned()), "--{}", flag.long);
            if let Some(short) = flag.short {
                assert!(names.insert(short.to_string()), "-{short}");
            }
        }
    }
}
