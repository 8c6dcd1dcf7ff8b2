//! Why a packet was not forwarded. Every such packet is counted under exactly one of these.

use crate::process::Verdict;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $kind:ident $slug:literal $meaning:literal;)*) => {
        /// Why a packet was not forwarded.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All reasons, in the order of their counters.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Bits that were stored from a reason; others are a bug.
            #[inline(always)]
            pub const fn from_bits(bits: u8) -> Self {
                $(if bits == Self::$name as u8 {
                    return Self::$name;
                })*
                Self::Internal
            }

            /// What is done with such a packet.
            #[inline(always)]
            pub const fn verdict(self) -> Verdict {
                match self {
                    $(Self::$name => Verdict::$kind,)*
                }
            }

            /// Name in status, metrics and tests.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $slug,)*
                }
            }

            /// A sentence for the operator.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }
        }
    };
}

reasons! {
    NotIp = Pass "not-ip" "neither IPv4 nor IPv6";
    Tagged = Pass "tagged" "in a VLAN, whose interface has a program of its own";
    NotVirtual = Pass "not-virtual" "sent to an address that is no virtual one";
    OtherHost = Pass "other-host" "the frame is addressed to another host's MAC address";
    NoAnswer = Pass "no-answer" "from a real server, but of no masqueraded connection";
    NoService = Pass "no-service" "sent to a virtual address, but to no virtual service there";
    MarkFirst = Pass "mark-first"
        "would begin a connection to a virtual service, if no other is for its firewall mark: that \
         is asked behind netfilter, on lvs0";
    Bypassed = Pass "bypassed"
        "by its firewall mark, whose service has no destination for it: it goes on to where it was \
         sent (net.ipv4.vs.cache_bypass)";
    NoConnection = Pass "no-connection"
        "of no known connection and not the start of one (TCP, SCTP), or not able to start one (AH, \
         ESP); the stack answers";
    Protocol = Pass "protocol" "a protocol that is not balanced, to a virtual address";
    FragmentUnknown = Pass "fragment-unknown"
        "a later fragment of a packet whose first did not come here before, or was not forwarded";
    Truncated = Pass "truncated" "shorter than its headers say; the stack drops it";
    Malformed = Pass "malformed" "a header contradicts itself; the stack drops it";
    HeaderChecksum = Pass "header-checksum"
        "the IPv4 header's checksum is wrong; the stack drops it";
    Extensions = Pass "extensions" "more IPv6 extension headers than are walked";
    FragmentTiny = Drop "fragment-tiny"
        "a first fragment without the whole transport header, or a second one of TCP's: nobody \
         sends that, but to get past filters (RFC 1858)";
    FragmentOverlap = Drop "fragment-overlap"
        "a fragment that is to replace what its packet's first one said";
    NoDestination = Drop "no-destination"
        "no destination of the service takes new connections: none is there, or all have \
         weight 0 or are overloaded";
    DestinationGone = Drop "destination-gone"
        "the connection's destination was removed from the service";
    Shed = Drop "shed"
        "would have begun a connection while memory is short: one of so many is dropped \
         (net.ipv4.vs.drop_packet)";
    Moving = Drop "moving"
        "of no connection in the new tables, while those of the old ones are still being carried over: \
         the sender sends it again";
    NoCall = Drop "no-call-id"
        "to a service of SIP's persistence (--pe sip), but without a Call-ID";
    NotAsked = Drop "not-asked"
        "from a masqueraded real server's port, but of no known connection; the real server is told \
         (net.ipv4.vs.nat_icmp_send)";
    Unresolved = Drop "unresolved" "the destination's MAC address or route is not known";
    TableFull = Drop "table-full"
        "no room in the connection table for a connection to a masqueraded destination";
    NoLocalAddress = Drop "no-local-address"
        "full NAT for a service without local addresses (ipvsadm --add-laddr)";
    NoLocalPort = Drop "no-local-port"
        "no free port of the service's local addresses was found: give it more (ipvsadm --add-laddr)";
    FastOpen = Drop "fast-open"
        "a SYN with data, for a real server that gets the PROXY protocol; the client sends it again \
         without";
    TooLong = Drop "too-long" "larger than a packet may be on its way to the real server";
    Encapsulation = Drop "encapsulation"
        "the kernel made no room for the tunnel's headers: the frame is too large, or the driver \
         leaves no space in front of frames";
    NoRoute = Drop "no-route"
        "a real server's answer to a client to whom there is no route, or forwarding is off \
         (sysctl net.ipv4.ip_forward, net.ipv6.conf.all.forwarding)";
    HopLimit = Drop "hop-limit" "its time to live (hop limit) ended here";
    AnswerHopLimit = Pass "answer-hop-limit"
        "an answer's time to live (hop limit) ended here: the stack drops it, and tells the real \
         server if forwarding is on";
    TooManyErrors = Drop "too-many-errors"
        "an ICMP error about a packet in a tunnel, within a millisecond of another: its client is \
         told by the next one";
    Internal = Drop "internal" "the tables contradict themselves: a bug, please report it";
}

/// What happened besides, to no packet's harm; counted beside the reasons.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Event {
    /// For want of room an expired, half-open or closing connection gave way to a new one.
    Evicted = 48,
    /// A packet was forwarded without an entry because the table was full.
    Stateless = 49,
    /// A half-open connection, or a template of none, ended while memory was short
    /// (`drop_entry`). The daemon notes these, no packet.
    Thinned = 50,
}

/// Counters of a CPU: reasons from 0 on, events from 48 on.
pub const ROOM: u32 = 64;

const _: () = assert!(Reason::ALL.len() <= Event::Evicted as usize);
