//! The rules of routing that lead packets to the device: which there are, and which there should be.

use std::fmt;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::IpProtocol;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage, RulePortRange};

use super::{ADDRESSES, DEVICE, Packets, TABLE};
use crate::neighbour::PROTOCOL;

/// Ahead of the rules for marks.
const BACK: u32 = 98;
/// Ahead of the one for local addresses, as that is then.
const MARK: u32 = 100;
/// Behind them.
const OWN: u32 = 101;
const PORTS: u32 = 102;
/// Where local addresses are looked up behind marks: any of these may be virtual.
const LOCAL: u32 = 200;
/// The kernel's rule for everything else.
const MAIN: u32 = 32766;
const LOCAL_TABLE: u32 = 255;

const LOOPBACK: &str = "lo";

/// A protocol of what may be scheduled; all else that is marked goes its usual way.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    Tcp,
    Udp,
    Sctp,
}

/// Ports that packets are sent to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ports {
    pub protocol: Transport,
    pub first: u16,
    pub last: u16,
}

/// A rule, as far as it is of concern here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    /// Local addresses, with a priority.
    Local(u32),
    /// What the device hands back to the stack goes on behind the marks, at this priority.
    Back(u32),
    Mark(u32, Transport),
    /// What this host sends goes on behind the ports, at this priority.
    Own(u32),
    Ports(Ports),
}

/// A rule that is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Present {
    pub(crate) rule: Rule,
    pub(crate) is_ours: bool,
}

/// A change of the rules.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Add(Rule),
    Remove(Rule),
}

/// What leads just these packets to the device. At no moment is there no rule for local addresses.
pub(crate) fn steps(present: &[Present], packets: &Packets) -> Vec<Step> {
    let wanted = wanted(present, packets);
    let is_there = |rule: &Rule| present.iter().any(|it| it.rule == *rule);
    let missing = wanted.iter().filter(|rule| !is_there(rule));
    let spare = present.iter().filter(|it| {
        let is_moved = it.rule == Rule::Local(0);
        (it.is_ours || is_moved) && !wanted.contains(&it.rule)
    });
    let add = missing.map(|rule| Step::Add(*rule));
    add.chain(spare.map(|it| Step::Remove(it.rule))).collect()
}

/// In the order in which they come into being.
fn wanted(present: &[Present], packets: &Packets) -> Vec<Rule> {
    let is_there = |rule, is_ours| present.contains(&Present { rule, is_ours });
    let is_first = present.iter().any(|it| it.rule == Rule::Local(0));
    let is_movable = is_first || is_there(Rule::Local(LOCAL), true);
    if packets.marks.is_empty() {
        return match is_movable {
            true => vec![Rule::Local(0)],
            false => Vec::new(),
        };
    }
    let mut wanted = Vec::new();
    if is_movable {
        wanted.push(Rule::Local(LOCAL));
    }
    let onward = match is_movable {
        true => LOCAL,
        false => behind(present),
    };
    wanted.push(Rule::Back(onward));
    let of_mark = |mark: &u32| Transport::ALL.map(|protocol| Rule::Mark(*mark, protocol));
    wanted.extend(packets.marks.iter().flat_map(of_mark));
    if !packets.ports.is_empty() {
        wanted.push(Rule::Own(onward));
        wanted.extend(packets.ports.iter().copied().map(Rule::Ports));
    }
    wanted
}

/// Where others have put the rule for local addresses.
fn behind(present: &[Present]) -> u32 {
    let locals = present.iter().filter_map(|it| match it.rule {
        Rule::Local(priority) if priority > MARK => Some(priority),
        _ => None,
    });
    locals.min().unwrap_or(MAIN)
}

impl Transport {
    const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    fn number(self) -> IpProtocol {
        match self {
            Self::Tcp => IpProtocol::Tcp,
            Self::Udp => IpProtocol::Udp,
            Self::Sctp => IpProtocol::Sctp,
        }
    }

    fn of(number: IpProtocol) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.number() == number)
    }
}

impl Ports {
    /// All of a protocol.
    pub fn all(protocol: Transport) -> Self {
        Self {
            protocol,
            first: 0,
            last: u16::MAX,
        }
    }

    /// None: any.
    fn range(self) -> Option<RulePortRange> {
        let is_some = self != Self::all(self.protocol);
        is_some.then_some(RulePortRange {
            start: self.first,
            end: self.last,
        })
    }
}

impl Rule {
    pub(crate) fn priority(self) -> u32 {
        match self {
            Self::Local(priority) => priority,
            Self::Back(_) => BACK,
            Self::Mark(..) => MARK,
            Self::Own(_) => OWN,
            Self::Ports(_) => PORTS,
        }
    }

    fn attributes(self) -> Vec<RuleAttribute> {
        let from = |device: &str, target| {
            let device = RuleAttribute::Iifname(device.to_owned());
            vec![device, RuleAttribute::Goto(target)]
        };
        match self {
            Self::Local(_) => vec![RuleAttribute::Table(LOCAL_TABLE)],
            Self::Back(target) => from(DEVICE, target),
            Self::Own(target) => from(LOOPBACK, target),
            Self::Mark(mark, protocol) => vec![
                RuleAttribute::FwMark(mark),
                RuleAttribute::IpProtocol(protocol.number()),
                RuleAttribute::Table(TABLE),
            ],
            Self::Ports(ports) => {
                let range = ports.range().map(RuleAttribute::DestinationPortRange);
                let protocol = RuleAttribute::IpProtocol(ports.protocol.number());
                let table = RuleAttribute::Table(ADDRESSES);
                [protocol, table].into_iter().chain(range).collect()
            }
        }
    }

    pub(crate) fn message(self, family: AddressFamily) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = family;
        message.header.action = match self {
            Self::Back(_) | Self::Own(_) => RuleAction::Goto,
            _ => RuleAction::ToTable,
        };
        if let Self::Local(_) = self {
            message.header.table = LOCAL_TABLE as u8;
        }
        let protocol = match self {
            // As the kernel had it.
            Self::Local(0) => RouteProtocol::Kernel,
            _ => PROTOCOL,
        };
        message
            .attributes
            .push(RuleAttribute::Priority(self.priority()));
        message.attributes.push(RuleAttribute::Protocol(protocol));
        message.attributes.extend(self.attributes());
        message
    }
}

impl Present {
    /// None for rules that are of no concern.
    pub(crate) fn read(message: &RuleMessage) -> Option<Self> {
        let is_ours = message
            .attributes
            .contains(&RuleAttribute::Protocol(PROTOCOL));
        let mut seen = Seen::default();
        message.attributes.iter().for_each(|it| seen.note(it));
        let rule = match is_ours {
            true => seen.rule().or_else(|| seen.plain_local(message)),
            false => seen.plain_local(message),
        }?;
        Some(Self { rule, is_ours })
    }
}

/// Of a rule's attributes what tells ours apart.
#[derive(Clone, Copy, Default)]
struct Seen {
    priority: u32,
    target: Option<u32>,
    mark: Option<u32>,
    protocol: Option<Transport>,
    ports: Option<(u16, u16)>,
    is_from_loopback: bool,
}

impl Seen {
    fn note(&mut self, attribute: &RuleAttribute) {
        match attribute {
            RuleAttribute::Priority(is) => self.priority = *is,
            RuleAttribute::Goto(is) => self.target = Some(*is),
            RuleAttribute::FwMark(is) => self.mark = Some(*is),
            RuleAttribute::IpProtocol(is) => self.protocol = Transport::of(*is),
            RuleAttribute::DestinationPortRange(is) => self.ports = Some((is.start, is.end)),
            RuleAttribute::Iifname(is) => self.is_from_loopback = is == LOOPBACK,
            _ => {}
        }
    }

    fn rule(self) -> Option<Rule> {
        match (self.target, self.mark, self.protocol) {
            (Some(target), ..) if self.is_from_loopback => Some(Rule::Own(target)),
            (Some(target), ..) => Some(Rule::Back(target)),
            (None, Some(mark), Some(protocol)) => Some(Rule::Mark(mark, protocol)),
            (None, None, Some(protocol)) => {
                let (first, last) = self.ports.unwrap_or((0, u16::MAX));
                Some(Rule::Ports(Ports {
                    protocol,
                    first,
                    last,
                }))
            }
            (None, _, None) => None,
        }
    }

    fn plain_local(self, message: &RuleMessage) -> Option<Rule> {
        is_plain_local(message).then_some(Rule::Local(self.priority))
    }
}

/// Whether a rule looks up local addresses whatever the packet.
fn is_plain_local(message: &RuleMessage) -> bool {
    let selects = |attribute: &RuleAttribute| {
        matches!(
            attribute,
            RuleAttribute::Source(_)
                | RuleAttribute::Destination(_)
                | RuleAttribute::Iifname(_)
                | RuleAttribute::Oifname(_)
                | RuleAttribute::FwMark(_)
                | RuleAttribute::IpProtocol(_)
                | RuleAttribute::UidRange(_)
                | RuleAttribute::SourcePortRange(_)
                | RuleAttribute::DestinationPortRange(_)
        )
    };
    message.header.action == RuleAction::ToTable
        && message
            .attributes
            .contains(&RuleAttribute::Table(LOCAL_TABLE))
        && !message.attributes.iter().any(selects)
}

/// As `ip rule` prints it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(priority) => write!(f, "{priority}: from all lookup local"),
            Self::Back(target) => write!(f, "{BACK}: from all iif {DEVICE} goto {target}"),
            Self::Mark(mark, protocol) => write!(
                f,
                "{MARK}: from all fwmark {mark:#x} ipproto {} lookup {TABLE}",
                protocol.name()
            ),
            Self::Own(target) => write!(f, "{OWN}: from all iif {LOOPBACK} goto {target}"),
            Self::Ports(ports) => {
                write!(f, "{PORTS}: from all ipproto {}", ports.protocol.name())?;
                match ports.range() {
                    None => {}
                    Some(RulePortRange { start, end }) if start == end => {
                        write!(f, " dport {start}")?;
                    }
                    Some(RulePortRange { start, end }) => write!(f, " dport {start}-{end}")?,
                }
                write!(f, " lookup {ADDRESSES}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's, before anything is done.
    fn fresh() -> Vec<Present> {
        let rule = Rule::Local(0);
        vec![Present {
            rule,
            is_ours: false,
        }]
    }

    /// Packets with these marks, and to a port for each.
    fn packets(marks: &[u32]) -> Packets {
        let ports = marks.iter().map(|mark| Ports {
            protocol: Transport::Udp,
            first: *mark as u16,
            last: 100,
        });
        Packets {
            marks: marks.iter().copied().collect(),
            ports: ports.collect(),
            addresses: Default::default(),
        }
    }

    fn some(first: u16, last: u16) -> Ports {
        Ports {
            protocol: Transport::Tcp,
            first,
            last,
        }
    }

    /// Takes the steps; there is a way to local addresses all along.
    fn take(present: &mut Vec<Present>, wanted: &[u32]) {
        for step in steps(present, &packets(wanted)) {
            match step {
                Step::Add(rule) => present.push(Present {
                    rule,
                    is_ours: rule != Rule::Local(0),
                }),
                Step::Remove(rule) => present.retain(|it| it.rule != rule),
            }
            let is_local = |it: &Present| matches!(it.rule, Rule::Local(_));
            assert!(present.iter().any(is_local), "{present:?}");
        }
        assert_eq!(steps(present, &packets(wanted)), []);
    }

    #[test]
    fn rules_come_follow_and_go_without_a_trace() {
        let mut present = fresh();
        take(&mut present, &[]);
        assert_eq!(present, fresh());
        take(&mut present, &[1, 7]);
        let rules: Vec<_> = present.iter().map(|it| it.rule).collect();
        assert_eq!(rules[..2], [Rule::Local(LOCAL), Rule::Back(LOCAL)]);
        assert_eq!(rules.len(), 3 + 2 * (Transport::ALL.len() + 1));
        take(&mut present, &[7, 9]);
        assert!(
            present
                .iter()
                .all(|it| it.rule != Rule::Mark(1, Transport::Tcp))
        );
        take(&mut present, &[]);
        assert_eq!(present, fresh());
    }

    #[test]
    fn what_a_crash_leaves_halfway_is_finished() {
        let whole = steps(&fresh(), &packets(&[3]));
        for done in 0..whole.len() {
            for wanted in [&[][..], &[3], &[4]] {
                let mut present = fresh();
                for step in &whole[..done] {
                    match *step {
                        Step::Add(rule) => present.push(Present {
                            rule,
                            is_ours: true,
                        }),
                        Step::Remove(rule) => present.retain(|it| it.rule != rule),
                    }
                }
                take(&mut present, wanted);
                take(&mut present, &[]);
                assert_eq!(present, fresh());
            }
        }
    }

    #[test]
    fn a_rule_that_others_have_moved_stays() {
        let elsewhere = vec![Present {
            rule: Rule::Local(1000),
            is_ours: false,
        }];
        let mut present = elsewhere.clone();
        take(&mut present, &[1]);
        assert!(present.iter().any(|it| it.rule == Rule::Back(1000)));
        take(&mut present, &[]);
        assert_eq!(present, elsewhere);
    }

    #[test]
    fn rules_survive_their_messages() {
        let rules = [
            Rule::Local(LOCAL),
            Rule::Back(LOCAL),
            Rule::Mark(u32::MAX, Transport::Sctp),
            Rule::Own(LOCAL),
            Rule::Ports(Ports::all(Transport::Udp)),
            Rule::Ports(some(1024, 65535)),
        ];
        for rule in rules {
            let read = Present::read(&rule.message(AddressFamily::Inet6)).unwrap();
            assert_eq!((read.rule, read.is_ours), (rule, true));
        }
        let kernels = Present::read(&Rule::Local(0).message(AddressFamily::Inet)).unwrap();
        assert_eq!(kernels, fresh()[0]);
    }

    #[test]
    fn rules_are_printed_as_ip_does() {
        assert_eq!(
            Rule::Mark(80, Transport::Tcp).to_string(),
            "100: from all fwmark 0x50 ipproto tcp lookup 7676"
        );
        assert_eq!(
            Rule::Back(200).to_string(),
            "98: from all iif lvs0 goto 200"
        );
        assert_eq!(Rule::Local(200).to_string(), "200: from all lookup local");
        assert_eq!(Rule::Own(200).to_string(), "101: from all iif lo goto 200");
        assert_eq!(
            Rule::Ports(some(80, 80)).to_string(),
            "102: from all ipproto tcp dport 80 lookup 7677"
        );
        assert_eq!(
            Rule::Ports(some(1024, 65535)).to_string(),
            "102: from all ipproto tcp dport 1024-65535 lookup 7677"
        );
        assert_eq!(
            Rule::Ports(Ports::all(Transport::Sctp)).to_string(),
            "102: from all ipproto sctp lookup 7677"
        );
    }
}
