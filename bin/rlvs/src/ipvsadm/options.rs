//! Which options go with which command.
//!
//! The order of [`Opt`] is the order in which `ipvsadm` looks at them, so it decides which of
//! several mistakes is reported.

use super::failure::Failure;
use super::flags::Verb;

/// What an option sets, whichever flag it was typed as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Opt {
    Numeric,
    Connection,
    ServiceAddress,
    Scheduler,
    Persistent,
    Netmask,
    RealServer,
    ForwardingMethod,
    Weight,
    Upper,
    Lower,
    GroupInterface,
    Timeout,
    Daemon,
    Statistics,
    Rate,
    Thresholds,
    PersistentConnections,
    NoSort,
    SyncId,
    Exact,
    OnePacket,
    Engine,
    SchedulerFlags,
    Group,
    GroupPort,
    GroupTtl,
    SyncLength,
    TunnelInfo,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
    // rlvs's own.
    ClientAddress,
    LocalAddress,
    SlowStart,
}

use Opt::*;

/// Every option with the name it has in messages.
const NAMES: [(Opt, &str); 37] = [
    (Numeric, "numeric"),
    (Connection, "connection"),
    (ServiceAddress, "service-address"),
    (Scheduler, "scheduler"),
    (Persistent, "persistent"),
    (Netmask, "netmask"),
    (RealServer, "real-server"),
    (ForwardingMethod, "forwarding-method"),
    (Weight, "weight"),
    (Upper, "u-threshold"),
    (Lower, "l-threshold"),
    (GroupInterface, "mcast-interface"),
    (Timeout, "timeout"),
    (Daemon, "daemon"),
    (Statistics, "stats"),
    (Rate, "rate"),
    (Thresholds, "thresholds"),
    (PersistentConnections, "persistent-conn"),
    (NoSort, "nosort"),
    (SyncId, "syncid"),
    (Exact, "exact"),
    (OnePacket, "ops"),
    (Engine, "pe"),
    (SchedulerFlags, "sched-flags"),
    (Group, "mcast-group"),
    (GroupPort, "mcast-port"),
    (GroupTtl, "mcast-ttl"),
    (SyncLength, "sync-maxlen"),
    (TunnelInfo, "tun-info"),
    (TunnelType, "tun-type"),
    (TunnelPort, "tun-port"),
    (TunnelNoChecksum, "tun-nocsum"),
    (TunnelChecksum, "tun-csum"),
    (TunnelRemoteChecksum, "tun-remcsum"),
    (ClientAddress, "client-address"),
    (LocalAddress, "laddr"),
    (SlowStart, "slow-start"),
];

/// The options that were given.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given(u64);

impl Given {
    /// Each option at most once.
    pub(super) fn add(&mut self, option: Opt) -> Result<(), Failure> {
        if self.has(option) {
            return Err(Failure::usage(format!(
                "multiple '{}' options specified",
                name(option)
            )));
        }
        self.0 |= 1 << option as u64;
        Ok(())
    }

    pub(super) fn has(self, option: Opt) -> bool {
        self.0 & (1 << option as u64) != 0
    }

    pub(super) fn any(self, options: &[Opt]) -> bool {
        options.iter().any(|option| self.has(*option))
    }

    /// Whether all that `verb` needs was given, and nothing that it does not take.
    pub(super) fn check(self, verb: Verb) -> Result<(), Failure> {
        let rule = rule(verb);
        for (option, text) in NAMES {
            let needed = rule.needed.contains(&option);
            if needed && !self.has(option) {
                return Err(missing(text, rule.name, "command"));
            }
            if self.has(option) && !needed && !rule.allowed.contains(&option) {
                return Err(illegal(text, rule.name, "command"));
            }
        }
        if verb == Verb::List {
            self.check_list()
        } else {
            Ok(())
        }
    }

    /// One listing at a time.
    fn check_list(self) -> Result<(), Failure> {
        let with = "'list' command";
        let columns: &[Opt] = &[Statistics, Rate, Thresholds];
        self.exclude(Connection, &[ServiceAddress, Timeout, Daemon], with)?;
        self.exclude(ServiceAddress, &[Timeout, Daemon], with)?;
        self.exclude(Timeout, &[Daemon], with)?;
        let persistence = self.any(&[Timeout, Daemon]) && self.has(PersistentConnections);
        if self.any(&[Connection, Timeout, Daemon]) && (self.any(columns) || persistence) {
            return Err(Failure::usage("options conflicts in the list command"));
        }
        Ok(())
    }

    /// Refuses the first of `others` that was given beside `option`.
    pub(super) fn exclude(self, option: Opt, others: &[Opt], with: &str) -> Result<(), Failure> {
        match others.iter().find(|other| self.has(**other)) {
            Some(other) if self.has(option) => Err(Failure::usage(format!(
                "The option '{}' conflicts with the '{}' option in the {with}",
                name(*other),
                name(option)
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses the first of `others` that was given, as not going with `what`.
    pub(super) fn forbid(self, others: &[Opt], what: &str, kind: &str) -> Result<(), Failure> {
        match others.iter().find(|other| self.has(**other)) {
            None => Ok(()),
            Some(other) => Err(illegal(name(*other), what, kind)),
        }
    }
}

/// What a command needs and what it takes besides.
struct Rule {
    name: &'static str,
    needed: &'static [Opt],
    allowed: &'static [Opt],
}

const SERVICE: &[Opt] = &[ServiceAddress];
const SERVER: &[Opt] = &[ServiceAddress, RealServer];
const SERVICE_OPTIONS: &[Opt] = &[
    Scheduler,
    Persistent,
    Netmask,
    OnePacket,
    Engine,
    SchedulerFlags,
    ClientAddress,
    SlowStart,
];
const LOCAL_ADDRESS: &[Opt] = &[ServiceAddress, LocalAddress];
const SERVER_OPTIONS: &[Opt] = &[
    ForwardingMethod,
    Weight,
    Upper,
    Lower,
    TunnelType,
    TunnelPort,
    TunnelNoChecksum,
    TunnelChecksum,
    TunnelRemoteChecksum,
];
const LIST_OPTIONS: &[Opt] = &[
    Numeric,
    Connection,
    ServiceAddress,
    Timeout,
    Daemon,
    Statistics,
    Rate,
    Thresholds,
    PersistentConnections,
    NoSort,
    SyncId,
    Exact,
    TunnelInfo,
];
const GET_OPTIONS: &[Opt] = &[Numeric, ServiceAddress];
const SYNC_OPTIONS: &[Opt] = &[
    GroupInterface,
    SyncId,
    Group,
    GroupPort,
    GroupTtl,
    SyncLength,
];

fn rule(verb: Verb) -> Rule {
    let (name, needed, allowed): (_, &[Opt], &[Opt]) = match verb {
        Verb::AddLocalAddress => ("add-laddr", LOCAL_ADDRESS, &[]),
        Verb::DeleteLocalAddress => ("del-laddr", LOCAL_ADDRESS, &[]),
        Verb::GetLocalAddresses => ("get-laddr", &[], GET_OPTIONS),
        Verb::AddServer => ("add-server", SERVER, SERVER_OPTIONS),
        Verb::AddService => ("add-service", SERVICE, SERVICE_OPTIONS),
        Verb::Clear => ("flush", &[], &[]),
        Verb::DeleteServer => ("delete-server", SERVER, &[]),
        Verb::DeleteService => ("delete-service", SERVICE, &[]),
        Verb::EditServer => ("edit-server", SERVER, SERVER_OPTIONS),
        Verb::EditService => ("edit-service", SERVICE, SERVICE_OPTIONS),
        Verb::Help => ("help", &[], &[]),
        Verb::List => ("list", &[], LIST_OPTIONS),
        Verb::Restore => ("restore", &[], &[]),
        Verb::Save => ("save", &[], &[Numeric]),
        Verb::Set => ("set", &[], &[]),
        Verb::StartDaemon => ("start-daemon", &[], SYNC_OPTIONS),
        Verb::StopDaemon => ("stop-daemon", &[], &[SyncId]),
        Verb::Version => ("version", &[], &[]),
        Verb::Zero => ("zero", &[], SERVICE),
    };
    Rule {
        name,
        needed,
        allowed,
    }
}

pub(super) fn missing(option: &str, what: &str, kind: &str) -> Failure {
    Failure::usage(format!(
        "You need to supply the '{option}' option for the '{what}' {kind}"
    ))
}

fn illegal(option: &str, what: &str, kind: &str) -> Failure {
    Failure::usage(format!(
        "Illegal '{option}' option with the '{what}' {kind}"
    ))
}

fn name(option: Opt) -> &'static str {
    NAMES[option as usize].1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_the_options() {
        for (index, (option, _)) in NAMES.into_iter().enumerate() {
            assert_eq!(option as usize, index);
        }
    }
}
