//! The programs as they were compiled, and which of them belongs where.

use std::fs;
use std::io;

use aya::Ebpf;
use aya::maps::{Array, MapError};
use aya::programs::{Program, ProgramError, RawTracePoint, SchedClassifier, Xdp};

use crate::error::Error;
use crate::kernel_types::KernelTypes;
use crate::mode::Role;

/// Frames as the driver or the general receive path has them.
const XDP: &str = "rlvs_xdp";
/// Packets that an interface has received.
const TC: &str = "rlvs_tc";
const ANSWERS: &str = "rlvs_tc_answers";
/// Packets that are about to leave by an interface.
const LEAVING: &str = "rlvs_tc_leaving";
/// Packets with the firewall mark of a service.
const MARKED: &str = "rlvs_tc_marked";

const TRACEPOINTS: [(&str, &str); 4] = [
    ("rlvs_redirect_err", "xdp_redirect_err"),
    ("rlvs_devmap_xmit", "xdp_devmap_xmit"),
    ("rlvs_bulk_tx", "xdp_bulk_tx"),
    ("rlvs_exception", "xdp_exception"),
];
/// What the programs at tracepoints read of a device.
const FIELDS: [(&str, &str); 3] = [
    ("net_device", "ifindex"),
    ("net_device", "nd_net"),
    ("net", "net_cookie"),
];
const TYPES: &str = "/sys/kernel/btf/vmlinux";

/// Why frames that XDP could not send are not counted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Untraced {
    #[error("the kernel's description of its types, {TYPES}: {0}")]
    Io(#[from] io::Error),
    #[error("the kernel's description of its types, {TYPES}, has no network devices")]
    Types,
    #[error(transparent)]
    Map(#[from] MapError),
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// All programs. Each is loaded when it is needed first: the verifier reads the large ones for a second,
/// and the kernel keeps what it made of them.
#[derive(Debug)]
pub(crate) struct Programs(pub(crate) Ebpf);

impl Programs {
    pub(crate) fn xdp(&mut self) -> Result<&mut Xdp, ProgramError> {
        let program: &mut Xdp = self.named(XDP)?.try_into()?;
        if program.fd().is_err() {
            program.load()?;
        }
        Ok(program)
    }

    /// The one for a role in traffic control.
    pub(crate) fn tc(&mut self, role: Role) -> Result<&mut SchedClassifier, ProgramError> {
        let name = match role {
            Role::Balance(_) => TC,
            Role::Answers => ANSWERS,
            Role::Leaving => LEAVING,
            Role::Marked => MARKED,
        };
        let program: &mut SchedClassifier = self.named(name)?.try_into()?;
        if program.fd().is_err() {
            program.load()?;
        }
        Ok(program)
    }

    /// Counts frames that XDP could not send, in the network namespace with this cookie, as long as
    /// this is there.
    pub(crate) fn trace(&mut self, cookie: u64) -> Result<(), Untraced> {
        let types = KernelTypes::parse(&fs::read(TYPES)?).ok_or(Untraced::Types)?;
        let offset = |(structure, member)| types.offset(structure, member).map(u64::from);
        let offsets = FIELDS.map(offset);
        let [Some(index), Some(namespace), Some(its_cookie)] = offsets else {
            return Err(Untraced::Types);
        };
        let traced = self.0.map_mut("TRACED").ok_or(Untraced::Types)?;
        let mut traced = Array::<_, [u64; 4]>::try_from(traced)?;
        traced.set(0, [cookie, index, namespace, its_cookie], 0)?;
        for (program, tracepoint) in TRACEPOINTS {
            let program: &mut RawTracePoint = self.named(program)?.try_into()?;
            program.load()?;
            program.attach(tracepoint)?;
        }
        Ok(())
    }

    fn named(&mut self, name: &str) -> Result<&mut Program, ProgramError> {
        self.0.program_mut(name).ok_or(ProgramError::NotLoaded)
    }
}

/// Loads all programs of an object.
pub(crate) fn load(ebpf: &mut Ebpf) -> Result<(), Error> {
    for (_, program) in ebpf.programs_mut() {
        load_one(program)?;
    }
    Ok(())
}

fn load_one(program: &mut Program) -> Result<(), ProgramError> {
    match program {
        Program::SchedClassifier(program) => program.load(),
        Program::RawTracePoint(program) => program.load(),
        program => TryInto::<&mut Xdp>::try_into(program)?.load(),
    }
}
