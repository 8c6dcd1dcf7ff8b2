//! The rules of routing that lead marked packets to their device: which there are, and which there
//! should be.

use std::collections::BTreeSet;
use std::fmt;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::IpProtocol;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

use super::{DEVICE, TABLE};
use crate::neighbour::PROTOCOL;

/// Ahead of the rules for marks.
const BACK: u32 = 98;
/// Ahead of the one for local addresses, as that is then.
const MARK: u32 = 100;
/// Where local addresses are looked up behind marks: any of these may be virtual.
const LOCAL: u32 = 200;
/// The kernel's rule for everything else.
const MAIN: u32 = 32766;
const LOCAL_TABLE: u32 = 255;

/// What may be scheduled; all else that is marked goes its usual way.
const PROTOCOLS: [IpProtocol; 3] = [IpProtocol::Tcp, IpProtocol::Udp, IpProtocol::Sctp];

/// A rule, as far as it is of concern here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    /// Local addresses, with a priority.
    Local(u32),
    /// What the device hands back to the stack goes on behind the marks, at this priority.
    Back(u32),
    Mark(u32, IpProtocol),
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

/// What leads just these marks to the device. At no moment is there no rule for local addresses.
pub(crate) fn steps(present: &[Present], marks: &BTreeSet<u32>) -> Vec<Step> {
    let wanted = wanted(present, marks);
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
fn wanted(present: &[Present], marks: &BTreeSet<u32>) -> Vec<Rule> {
    let is_there = |rule, is_ours| present.contains(&Present { rule, is_ours });
    let is_first = present.iter().any(|it| it.rule == Rule::Local(0));
    let is_movable = is_first || is_there(Rule::Local(LOCAL), true);
    if marks.is_empty() {
        return match is_movable {
            true => vec![Rule::Local(0)],
            false => Vec::new(),
        };
    }
    let mut wanted = Vec::new();
    if is_movable {
        wanted.push(Rule::Local(LOCAL));
    }
    wanted.push(Rule::Back(match is_movable {
        true => LOCAL,
        false => behind(present),
    }));
    let of_mark = |mark: &u32| PROTOCOLS.map(|protocol| Rule::Mark(*mark, protocol));
    wanted.extend(marks.iter().flat_map(of_mark));
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

impl Rule {
    pub(crate) fn priority(self) -> u32 {
        match self {
            Self::Local(priority) => priority,
            Self::Back(_) => BACK,
            Self::Mark(..) => MARK,
        }
    }

    pub(crate) fn message(self, family: AddressFamily) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = family;
        message.header.action = RuleAction::ToTable;
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
        match self {
            Self::Local(_) => message.attributes.push(RuleAttribute::Table(LOCAL_TABLE)),
            Self::Back(target) => {
                message.header.action = RuleAction::Goto;
                let device = RuleAttribute::Iifname(DEVICE.to_owned());
                message
                    .attributes
                    .extend([device, RuleAttribute::Goto(target)]);
            }
            Self::Mark(mark, protocol) => message.attributes.extend([
                RuleAttribute::FwMark(mark),
                RuleAttribute::IpProtocol(protocol),
                RuleAttribute::Table(TABLE),
            ]),
        }
        message
    }
}

impl Present {
    /// None for rules that are of no concern.
    pub(crate) fn read(message: &RuleMessage) -> Option<Self> {
        let is_ours = message
            .attributes
            .contains(&RuleAttribute::Protocol(PROTOCOL));
        let (mut priority, mut target, mut mark, mut protocol) = (0, None, None, None);
        for attribute in &message.attributes {
            match attribute {
                RuleAttribute::Priority(is) => priority = *is,
                RuleAttribute::Goto(is) => target = Some(*is),
                RuleAttribute::FwMark(is) => mark = Some(*is),
                RuleAttribute::IpProtocol(is) => protocol = Some(*is),
                _ => {}
            }
        }
        let rule = match (is_ours, target, mark, protocol) {
            (true, Some(target), ..) => Rule::Back(target),
            (true, None, Some(mark), Some(protocol)) => Rule::Mark(mark, protocol),
            _ if is_plain_local(message) => Rule::Local(priority),
            _ => return None,
        };
        Some(Self { rule, is_ours })
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
            Self::Mark(mark, protocol) => {
                let protocol = match protocol {
                    IpProtocol::Udp => "udp",
                    IpProtocol::Sctp => "sctp",
                    _ => "tcp",
                };
                write!(
                    f,
                    "{MARK}: from all fwmark {mark:#x} ipproto {protocol} lookup {TABLE}"
                )
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

    fn marks(marks: &[u32]) -> BTreeSet<u32> {
        marks.iter().copied().collect()
    }

    /// Takes the steps; there is a way to local addresses all along.
    fn take(present: &mut Vec<Present>, wanted: &[u32]) {
        for step in steps(present, &marks(wanted)) {
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
        assert_eq!(steps(present, &marks(wanted)), []);
    }

    #[test]
    fn rules_come_follow_and_go_without_a_trace() {
        let mut present = fresh();
        take(&mut present, &[]);
        assert_eq!(present, fresh());
        take(&mut present, &[1, 7]);
        let rules: Vec<_> = present.iter().map(|it| it.rule).collect();
        assert_eq!(rules[..2], [Rule::Local(LOCAL), Rule::Back(LOCAL)]);
        assert_eq!(rules.len(), 2 + 2 * PROTOCOLS.len());
        take(&mut present, &[7, 9]);
        assert!(
            present
                .iter()
                .all(|it| it.rule != Rule::Mark(1, IpProtocol::Tcp))
        );
        take(&mut present, &[]);
        assert_eq!(present, fresh());
    }

    #[test]
    fn what_a_crash_leaves_halfway_is_finished() {
        let whole = steps(&fresh(), &marks(&[3]));
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
            Rule::Mark(u32::MAX, IpProtocol::Sctp),
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
            Rule::Mark(80, IpProtocol::Tcp).to_string(),
            "100: from all fwmark 0x50 ipproto tcp lookup 7676"
        );
        assert_eq!(
            Rule::Back(200).to_string(),
            "98: from all iif lvs0 goto 200"
        );
        assert_eq!(Rule::Local(200).to_string(), "200: from all lookup local");
    }
}
