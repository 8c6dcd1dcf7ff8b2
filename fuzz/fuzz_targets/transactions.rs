//! Bodies of the API's transactions: refused whole, or made; and what is then desired can be written
//! down and read back, as the journal does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rlvs_control::{Code, Director, Transaction};
use rlvs_director::desired::Desired;
use rlvs_testing::remembering::Memory;

fuzz_target!(|bodies: &[u8]| {
    let mut director = Memory {
        strict: true,
        ..Memory::default()
    };
    for body in bodies.split(|&byte| byte == b'\n') {
        let Ok(transaction) = serde_json::from_slice::<Transaction>(body) else {
            continue;
        };
        apply(&mut director, &transaction);
    }
});

fn apply(director: &mut Memory, transaction: &Transaction) {
    let text = serde_json::to_string(transaction).expect("what was read can be written");
    assert_eq!(
        &serde_json::from_str::<Transaction>(&text).unwrap(),
        transaction
    );
    let before = director.desired.clone();
    match director.apply(transaction) {
        Ok(()) => {
            let kept = serde_json::to_vec(&director.desired).unwrap();
            assert_eq!(
                serde_json::from_slice::<Desired>(&kept).unwrap(),
                director.desired
            );
            director.services().expect("it lists what it has");
        }
        Err(error) => {
            assert!(!error.message.is_empty(), "{text}");
            let is_placed = match error.code {
                Code::Conflict => error.number == Some(director.number),
                _ => error
                    .change
                    .is_some_and(|change| change < transaction.changes.len()),
            };
            assert!(is_placed, "{text}");
            assert_eq!(director.desired, before, "{text}");
        }
    }
}
