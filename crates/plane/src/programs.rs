//! The programs as they were compiled, and which of them belongs where.

use aya::Ebpf;
use aya::programs::{Program, ProgramError, SchedClassifier, Xdp};

use crate::error::Error;

/// Frames as the driver or the general receive path has them.
const XDP: &str = "rlvs_xdp";
/// Packets that an interface has received.
const TC: &str = "rlvs_tc";

/// All programs, loaded.
#[derive(Debug)]
pub(crate) struct Programs(pub(crate) Ebpf);

impl Programs {
    pub(crate) fn xdp(&mut self) -> Result<&mut Xdp, ProgramError> {
        self.named(XDP)?.try_into()
    }

    pub(crate) fn tc(&mut self) -> Result<&mut SchedClassifier, ProgramError> {
        self.named(TC)?.try_into()
    }

    fn named(&mut self, name: &str) -> Result<&mut Program, ProgramError> {
        self.0.program_mut(name).ok_or(ProgramError::NotLoaded)
    }
}

/// Loads all programs of an object.
pub(crate) fn load(ebpf: &mut Ebpf) -> Result<(), Error> {
    for (_, program) in ebpf.programs_mut() {
        match program {
            Program::SchedClassifier(program) => program.load()?,
            program => TryInto::<&mut Xdp>::try_into(program)?.load()?,
        }
    }
    Ok(())
}
