//! Command lines of `ipvsadm`, one after another on one director: a line each, words between blanks,
//! so that two blanks make an empty word.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rlvs::ipvsadm::Program;
use rlvs_fuzz::run;
use rlvs_testing::remembering::Memory;

/// What `-R` reads.
const INPUT: &[u8] = b"-A -t 10.0.0.1:82 -s rr\n";

fuzz_target!(|text: &str| {
    let mut director = Memory::default();
    for line in text.lines() {
        let words: Vec<_> = line.split(' ').collect();
        run(&mut director, Program::Ipvsadm, &words, INPUT);
    }
});
