use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::examples::{any_record, numbered, sequences, tcp};
use crate::flags::Flags;
use crate::reason::Reason;
use crate::record::{Engine, Record};

const HEAD: usize = 8;
const RECORD: usize = 36;

fn built(records: &[Record]) -> Vec<u8> {
    let mut builder = Builder::new(42, usize::MAX);
    assert!(records.iter().all(|record| builder.push(record)));
    builder.finish()
}

fn read(datagram: &[u8]) -> Vec<Result<Record, Reason>> {
    let message = Message::read(datagram).expect("its head is right");
    message.records.collect()
}

/// A datagram with what `change` makes of it, and its right length.
fn with(records: &[Record], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut datagram = built(records);
    change(&mut datagram);
    let length = (datagram.len() as u16).to_be_bytes();
    datagram[2..4].copy_from_slice(&length);
    datagram
}

/// One record with these bytes as its parameters.
fn with_parameters(bytes: &[u8]) -> Vec<u8> {
    let size = (RECORD + bytes.len()) as u16;
    with(&[tcp()], |datagram| {
        datagram[HEAD + 2..HEAD + 4].copy_from_slice(&size.to_be_bytes());
        datagram.extend(bytes);
    })
}

#[test]
fn a_record_lies_as_the_kernel_has_it() {
    let mut record = tcp();
    record.flags = Flags(0x0102_0304);
    record.mark = 0x0506_0708;
    let expected = [
        &[0, 42, 0, 44, 1, 1, 0, 0][..],
        &[0, 6, 0, 36, 1, 2, 3, 4, 0, 1][..],
        &[3, 233, 0, 80, 31, 144, 5, 6, 7, 8, 0, 0, 3, 132][..],
        &[203, 0, 113, 7, 192, 0, 2, 1, 10, 0, 0, 1][..],
    ];
    assert_eq!(built(&[record]), expected.concat());
}

#[test]
fn records_begin_at_whole_words() {
    let mut odd = tcp();
    odd.engine = Engine::new(b"sip", b"ab");
    assert_eq!(built(&[odd.clone()]).len(), HEAD + RECORD + 4 + 5);
    let both = built(&[odd.clone(), tcp()]);
    assert_eq!(both.len(), HEAD + RECORD + 12 + RECORD);
    assert_eq!(read(&both), [Ok(odd), Ok(tcp())]);
}

#[test]
fn a_datagram_is_as_large_as_it_may_be() {
    let mut builder = Builder::new(1, HEAD + 2 * RECORD);
    assert!(builder.push(&numbered(1)) && builder.push(&numbered(2)));
    assert!(!builder.push(&numbered(3)));
    assert_eq!(read(&builder.finish()).len(), 2);
    let mut small = Builder::new(1, 1);
    assert!(small.push(&numbered(1)) && !small.push(&numbered(2)));
    let mut large = Builder::new(1, usize::MAX);
    assert!((0..255).all(|number| large.push(&numbered(number))));
    assert!(!large.push(&numbered(255)), "they are counted in a byte");
}

#[test]
fn datagrams_are_as_large_as_in_ipvs() {
    assert_eq!(largest(None, false), 1472);
    assert_eq!(largest(Some(0), true), 1452);
    assert_eq!(largest(Some(1), false), 1);
    assert_eq!(largest(Some(65535), false), 65507);
    assert_eq!(largest(Some(65535), true), 65487);
}

#[test]
fn a_wrong_head_is_refused() {
    let right = built(&[tcp()]);
    let refused = |datagram: &[u8]| Message::read(datagram).unwrap_err();
    assert_eq!(refused(&right[..3]), Reason::Short(3));
    let said = right.len() as u16;
    let length = right.len() - 1;
    assert_eq!(refused(&right[..length]), Reason::Length { said, length });
    let newer = with(&[tcp()], |datagram| datagram[5] = 2);
    assert_eq!(refused(&newer), Reason::Version(2));
    let other = with(&[tcp()], |datagram| datagram[7] = 1);
    assert_eq!(refused(&other), Reason::Version(1));
}

#[test]
fn records_count_until_one_is_broken() {
    let second = HEAD + RECORD;
    let three = [numbered(1), numbered(2), numbered(3)];
    for cut in [second, second + 35] {
        let datagram = with(&three, |datagram| datagram.truncate(cut));
        assert_eq!(read(&datagram), [Ok(numbered(1)), Err(Reason::Truncated)]);
    }
    let cases = [
        (Reason::Type(2), 0, 2),
        (Reason::RecordVersion(1), 2, 0x10),
        (Reason::Beyond(73), 3, 73),
        (Reason::Small(35), 3, 35),
    ];
    for (reason, place, byte) in cases {
        let datagram = with(&three, |datagram| datagram[second + place] = byte);
        assert_eq!(read(&datagram), [Ok(numbered(1)), Err(reason)]);
    }
    let six = with(&[tcp()], |datagram| datagram[HEAD] = 1);
    assert_eq!(read(&six), [Err(Reason::Small(36))]);
}

#[test]
fn more_records_than_there_are_and_bytes_behind_them() {
    let more = with(&[tcp()], |datagram| datagram[4] = 2);
    assert_eq!(read(&more), [Ok(tcp()), Err(Reason::Truncated)]);
    let behind = with(&[tcp()], |datagram| datagram.extend([1; 50]));
    assert_eq!(read(&behind), [Ok(tcp())]);
}

#[test]
fn parameters_are_known_or_need_not_be() {
    let numbers: [u8; 24] = std::array::from_fn(|at| at as u8);
    let twice = [&[1, 24][..], &numbers, &[1, 24], &numbers].concat();
    let long = [&[3, 17][..], &[b'x'; 17]].concat();
    let refused: [(&[u8], Reason); 10] = [
        (&[1], Reason::ParameterTruncated),
        (&[2, 0], Reason::ParameterLength(2)),
        (&[2, 3, 0, 0], Reason::ParameterLength(2)),
        (&[0x40, 1], Reason::ParameterLength(0x40)),
        (&[1, 2, 0, 0], Reason::Sequences(2)),
        (&twice, Reason::ParameterTwice(1)),
        (&[2, 1, 0, 0x42, 1, 0], Reason::ParameterTwice(0x42)),
        (&long, Reason::EngineName(17)),
        (&[4, 1, 0], Reason::Parameter(4)),
        (&[2, 1, 0], Reason::NoEngine),
    ];
    for (bytes, reason) in refused {
        assert_eq!(read(&with_parameters(bytes)), [Err(reason)], "{bytes:?}");
    }
    for nothing in [&[0x44, 1, 0][..], &[3, 1, b'x']] {
        assert_eq!(read(&with_parameters(nothing)), [Ok(tcp())]);
    }
    let mut sequences = [&[0x41, 24][..], &numbers].concat();
    sequences.extend([2, 1, 9, 3, 3]);
    sequences.extend(b"sip");
    let found = read(&with_parameters(&sequences)).remove(0).unwrap();
    assert_eq!(found.sequences.unwrap().outward.initial, 0x0c0d_0e0f);
    assert_eq!(found.engine, Engine::new(b"sip", &[9]));
}

#[test]
fn what_is_not_understood_is_left_out() {
    let mut datagram = with_parameters(&[4, 2, 0, 0]);
    datagram.extend(&built(&[numbered(2)])[HEAD..]);
    let length = (datagram.len() as u16).to_be_bytes();
    datagram[2..4].copy_from_slice(&length);
    datagram[4] = 2;
    assert_eq!(
        read(&datagram),
        [Err(Reason::Parameter(4)), Ok(numbered(2))]
    );
}

#[test]
fn version_0_is_read() {
    let simple = [
        &[0, 6, 3, 233, 0, 80, 31, 144][..],
        &[203, 0, 113, 7, 192, 0, 2, 1, 10, 0, 0, 1],
        &[1, 0, 0, 1],
    ]
    .concat();
    let mut whole = simple.clone();
    whole[20] = 6;
    for number in [7, 3, u32::MAX, 0x8000_0001, 3, u32::MAX] {
        whole.extend(number.to_ne_bytes());
    }
    let datagram = |count: u8, records: &[&[u8]]| {
        let length = 4 + records.iter().map(|it| it.len()).sum::<usize>();
        let head = [count, 42, (length >> 8) as u8, length as u8];
        [&head[..], &records.concat()].concat()
    };
    let first = Record {
        flags: Flags::INACTIVE,
        timeout: 0,
        ..tcp()
    };
    let second = Record {
        flags: Flags::SEQUENCES,
        sequences: Some(sequences()),
        ..first.clone()
    };
    let both = datagram(2, &[&simple, &whole]);
    let message = Message::read(&both).unwrap();
    assert_eq!((message.id, message.version), (42, 0));
    assert_eq!(read(&both), [Ok(first.clone()), Ok(second)]);

    let broken = Err(Reason::Truncated);
    let cut = [Ok(first.clone()), broken.clone()];
    assert_eq!(read(&datagram(3, &[&simple, &simple[..23]])), cut);
    assert_eq!(read(&datagram(3, &[&simple, &whole[..47]])), cut);
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(records in vec(any_record(), 1..40)) {
        let datagram = built(&records);
        let message = Message::read(&datagram).unwrap();
        prop_assert_eq!((message.id, message.version), (42, 1));
        let found: Result<Vec<_>, _> = message.records.collect();
        prop_assert_eq!(found, Ok(records));
    }

    #[test]
    fn bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..600), count: u8, is_old: bool) {
        let mut datagram = bytes;
        let length = datagram.len() as u16;
        if let [a, _, b, c, d, e, f, g, ..] = datagram.as_mut_slice() {
            [*b, *c] = length.to_be_bytes();
            [*a, *d, *e, *f, *g] = if is_old { [count.max(1), 0, 0, 1, 0] } else { [0, count, 1, 0, 0] };
        }
        if let Ok(message) = Message::read(&datagram) {
            prop_assert!(message.records.count() <= count.max(1).into());
        }
    }

    #[test]
    fn a_marred_datagram_is_read_or_refused(
        records in vec(any_record(), 1..8),
        marks in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut datagram = built(&records);
        for (place, byte) in marks {
            let place = place.index(datagram.len());
            datagram[place] = byte;
        }
        if let Ok(message) = Message::read(&datagram) {
            for record in message.records.flatten() {
                let again = read(&built(std::slice::from_ref(&record)));
                prop_assert_eq!(again, [Ok(record)]);
            }
        }
    }
}
