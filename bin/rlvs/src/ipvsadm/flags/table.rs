//! The table itself, in the order of the help.

use super::{Flag, Meaning, Method, ServiceKind, Value, Verb};
use crate::ipvsadm::options::Opt;

pub(in crate::ipvsadm) const FLAGS: &[Flag] = &[
    command(
        Verb::AddService,
        "add-service",
        Some('A'),
        "add a virtual service",
    ),
    command(
        Verb::EditService,
        "edit-service",
        Some('E'),
        "replace a virtual service's options",
    ),
    command(
        Verb::DeleteService,
        "delete-service",
        Some('D'),
        "delete a virtual service",
    ),
    command(
        Verb::Clear,
        "clear",
        Some('C'),
        "delete all virtual services",
    ),
    command(
        Verb::Restore,
        "restore",
        Some('R'),
        "apply the commands on stdin, all or none",
    ),
    command(
        Verb::Save,
        "save",
        Some('S'),
        "print the commands that make all this",
    ),
    command(
        Verb::AddServer,
        "add-server",
        Some('a'),
        "add a real server to a service",
    ),
    command(
        Verb::EditServer,
        "edit-server",
        Some('e'),
        "replace a real server's options",
    ),
    command(
        Verb::DeleteServer,
        "delete-server",
        Some('d'),
        "delete a real server of a service",
    ),
    command(
        Verb::List,
        "list",
        Some('L'),
        "list services and real servers (also -l)",
    ),
    command(
        Verb::Zero,
        "zero",
        Some('Z'),
        "set the counters of one or all services to 0",
    ),
    command(
        Verb::Set,
        "set",
        None,
        "set timeouts in seconds, 0 leaves one: tcp tcpfin udp",
    ),
    command(
        Verb::AddLocalAddress,
        "add-laddr",
        None,
        "give a service a local address for full NAT",
    ),
    command(
        Verb::DeleteLocalAddress,
        "del-laddr",
        None,
        "take a local address from a service",
    ),
    command(
        Verb::GetLocalAddresses,
        "get-laddr",
        None,
        "list local addresses of one or all services",
    ),
    daemon(
        Verb::StartDaemon,
        "start-daemon",
        "start synchronising connections",
    ),
    daemon(
        Verb::StopDaemon,
        "stop-daemon",
        "stop synchronising connections",
    ),
    command(Verb::Help, "help", Some('h'), "print this"),
    command(
        Verb::Version,
        "version",
        Some('v'),
        "print which ipvsadm this one equals",
    ),
    service(
        ServiceKind::Tcp,
        "tcp-service",
        Some('t'),
        "host[:port]",
        "a TCP service",
    ),
    service(
        ServiceKind::Udp,
        "udp-service",
        Some('u'),
        "host[:port]",
        "a UDP service",
    ),
    service(
        ServiceKind::Sctp,
        "sctp-service",
        None,
        "host[:port]",
        "an SCTP service",
    ),
    service(
        ServiceKind::Mark,
        "fwmark-service",
        Some('f'),
        "mark",
        "packets with this mark",
    ),
    bare(
        Meaning::Ipv6,
        "ipv6",
        Some('6'),
        "the mark before it is one of IPv6 packets",
    ),
    valued(
        Opt::Scheduler,
        "scheduler",
        Some('s'),
        "name",
        "wlc unless given",
    ),
    valued(
        Opt::Engine,
        "pe",
        None,
        "engine",
        "persistence by content: sip",
    ),
    Flag {
        meaning: Meaning::Other(Opt::Persistent),
        long: "persistent",
        short: Some('p'),
        value: Value::Optional("seconds"),
        help: "a client stays with its server; 360 seconds unless given",
    },
    valued(
        Opt::Netmask,
        "netmask",
        Some('M'),
        "mask",
        "clients of one network are one client",
    ),
    valued(
        Opt::RealServer,
        "real-server",
        Some('r'),
        "host[:port]",
        "the real server",
    ),
    valued(
        Opt::ClientAddress,
        "client-address",
        None,
        "how",
        "full NAT tells it by toa (unless given), proxy or none",
    ),
    valued(
        Opt::SlowStart,
        "slow-start",
        None,
        "seconds",
        "weights of new real servers rise over so long",
    ),
    valued(Opt::LocalAddress, "laddr", None, "host", "a local address"),
    method(
        Method::Route,
        "gatewaying",
        Some('g'),
        "forward by MAC address (unless another is given)",
    ),
    method(
        Method::Tunnel,
        "ipip",
        Some('i'),
        "forward through a tunnel",
    ),
    method(
        Method::Masquerade,
        "masquerading",
        Some('m'),
        "forward by rewriting addresses (NAT)",
    ),
    method(
        Method::FullNat,
        "fullnat",
        None,
        "forward by rewriting both ends (full NAT)",
    ),
    valued(
        Opt::TunnelType,
        "tun-type",
        None,
        "type",
        "ipip (unless given), gue or gre",
    ),
    valued(
        Opt::TunnelPort,
        "tun-port",
        None,
        "port",
        "the UDP port of a gue tunnel",
    ),
    switch(
        Opt::TunnelNoChecksum,
        "tun-nocsum",
        None,
        "no checksums in the tunnel",
    ),
    switch(
        Opt::TunnelChecksum,
        "tun-csum",
        None,
        "checksums in the tunnel",
    ),
    switch(
        Opt::TunnelRemoteChecksum,
        "tun-remcsum",
        None,
        "remote checksum offload",
    ),
    valued(
        Opt::Weight,
        "weight",
        Some('w'),
        "number",
        "share of new connections; 1 unless given",
    ),
    valued(
        Opt::Upper,
        "u-threshold",
        Some('x'),
        "number",
        "no new connections at this many",
    ),
    valued(
        Opt::Lower,
        "l-threshold",
        Some('y'),
        "number",
        "new ones again below this many",
    ),
    switch(Opt::Connection, "connection", Some('c'), "list connections"),
    switch(
        Opt::Timeout,
        "timeout",
        None,
        "list timeouts: tcp tcpfin udp",
    ),
    switch(Opt::Daemon, "daemon", None, "list synchronisation daemons"),
    switch(Opt::Statistics, "stats", None, "list counters"),
    switch(Opt::Rate, "rate", None, "list rates per second"),
    switch(Opt::Exact, "exact", Some('X'), "list numbers in full"),
    switch(
        Opt::Thresholds,
        "thresholds",
        None,
        "list connection thresholds",
    ),
    switch(
        Opt::PersistentConnections,
        "persistent-conn",
        None,
        "list persistence",
    ),
    switch(Opt::TunnelInfo, "tun-info", None, "list tunnels"),
    switch(Opt::NoSort, "nosort", None, "list in the order of addition"),
    bare(
        Meaning::Sort,
        "sort",
        None,
        "nothing: sorting is the default",
    ),
    switch(
        Opt::OnePacket,
        "ops",
        Some('o'),
        "schedule every UDP packet for itself",
    ),
    switch(
        Opt::Numeric,
        "numeric",
        Some('n'),
        "list addresses and ports as numbers",
    ),
    valued(
        Opt::SchedulerFlags,
        "sched-flags",
        Some('b'),
        "flag,...",
        "options of the scheduler",
    ),
    valued(
        Opt::SyncId,
        "syncid",
        None,
        "number",
        "which directors belong together",
    ),
    valued(
        Opt::SyncLength,
        "sync-maxlen",
        None,
        "bytes",
        "longest message",
    ),
    valued(
        Opt::GroupInterface,
        "mcast-interface",
        None,
        "name",
        "where messages go out",
    ),
    valued(
        Opt::Group,
        "mcast-group",
        None,
        "address",
        "group they are sent to",
    ),
    valued(
        Opt::GroupPort,
        "mcast-port",
        None,
        "port",
        "UDP port they are sent to",
    ),
    valued(
        Opt::GroupTtl,
        "mcast-ttl",
        None,
        "hops",
        "how far they reach",
    ),
];

const fn bare(
    meaning: Meaning,
    long: &'static str,
    short: Option<char>,
    help: &'static str,
) -> Flag {
    Flag {
        meaning,
        long,
        short,
        value: Value::None,
        help,
    }
}

const fn command(verb: Verb, long: &'static str, short: Option<char>, help: &'static str) -> Flag {
    bare(Meaning::Command(verb), long, short, help)
}

const fn daemon(verb: Verb, long: &'static str, help: &'static str) -> Flag {
    let meaning = Meaning::Command(verb);
    Flag {
        meaning,
        long,
        short: None,
        value: Value::Required("master|backup"),
        help,
    }
}

const fn method(
    method: Method,
    long: &'static str,
    short: Option<char>,
    help: &'static str,
) -> Flag {
    bare(Meaning::Method(method), long, short, help)
}

const fn service(
    kind: ServiceKind,
    long: &'static str,
    short: Option<char>,
    value: &'static str,
    help: &'static str,
) -> Flag {
    let meaning = Meaning::Service(kind);
    Flag {
        meaning,
        long,
        short,
        value: Value::Required(value),
        help,
    }
}

const fn switch(option: Opt, long: &'static str, short: Option<char>, help: &'static str) -> Flag {
    bare(Meaning::Other(option), long, short, help)
}

const fn valued(
    option: Opt,
    long: &'static str,
    short: Option<char>,
    value: &'static str,
    help: &'static str,
) -> Flag {
    let meaning = Meaning::Other(option);
    Flag {
        meaning,
        long,
        short,
        value: Value::Required(value),
        help,
    }
}
