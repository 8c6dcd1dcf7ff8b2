//! The kernel's verifier takes every program, and has not much to read.

use aya::Ebpf;
use aya::programs::{Program, ProgramError, Xdp};
use rlvs_plane::{OBJECT, PATH_OBJECT};

/// The verifier gives up at a million; other kernels read differently, so stay well below.
const MOST_INSTRUCTIONS: u32 = 700_000;

#[test]
fn the_verifier_takes_every_program_and_reads_little() {
    let expected = [
        "rlvs_bulk_tx",
        "rlvs_devmap_xmit",
        "rlvs_exception",
        "rlvs_redirect_err",
        "rlvs_tc",
        "rlvs_tc_answers",
        "rlvs_tc_leaving",
        "rlvs_tc_marked",
        "rlvs_xdp",
        "rlvs_xdp_tagged",
    ];
    assert_eq!(loaded(OBJECT), expected);
}

#[test]
fn the_verifier_takes_the_programs_for_checks_by_way_of_virtual_addresses() {
    assert_eq!(loaded(PATH_OBJECT), ["rlvs_path_arrive", "rlvs_path_leave"]);
}

/// Loads all programs of an object; their names.
fn loaded(object: &[u8]) -> Vec<String> {
    let mut ebpf = Ebpf::load(object).expect("the object is well-formed");
    let (mut names, mut most) = (Vec::new(), 0);
    for (name, program) in ebpf.programs_mut() {
        let loaded = match &mut *program {
            Program::SchedClassifier(program) => program.load(),
            Program::RawTracePoint(program) => program.load(),
            program => {
                let program: &mut Xdp = program.try_into().expect("else an XDP program");
                program.load()
            }
        };
        match loaded {
            Err(ProgramError::LoadError { verifier_log, .. }) => panic!("{name}: {verifier_log}"),
            other => other.unwrap_or_else(|error| panic!("{name}: {error}")),
        }
        let info = program.info().expect("it is loaded");
        let read = info
            .verified_instruction_count()
            .expect("the kernel counts them");
        println!(
            "{name}: {read} instructions read, {} translated bytes",
            info.size_translated().unwrap_or(0)
        );
        most = most.max(read);
        names.push(name.to_owned());
    }
    names.sort();
    assert!(most < MOST_INSTRUCTIONS, "{most}");
    names
}
