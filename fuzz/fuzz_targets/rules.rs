//! Rule files: taken whole or not at all, and what is saved can be restored.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rlvs::ipvsadm::Program;
use rlvs_fuzz::{run, run_as};
use rlvs_testing::remembering::Memory;

fuzz_target!(|text: &[u8]| {
    let mut director = Memory::default();
    let there = b"-A -t 10.0.0.7:80\n";
    run(&mut director, Program::Restore, &[], there);
    if run(&mut director, Program::Ipvsadm, &["-R"], text).status == 0 {
        restore_saved(&mut director);
    }
    run(&mut director, Program::Restore, &[], text);
    run_as(&mut director, Program::Ipvsadm, &["-R"], text, true);
});

fn restore_saved(director: &mut Memory) {
    let saved = run(director, Program::Save, &["-n"], b"").stdout;
    let mut other = Memory::default();
    let text = String::from_utf8_lossy(&saved);
    let restored = run(&mut other, Program::Restore, &[], &saved);
    assert_eq!(restored.status, 0, "{text}");
    let again = run(&mut other, Program::Save, &["-n"], b"").stdout;
    assert_eq!(String::from_utf8_lossy(&again), text);
}
