//! TCP headers by their bytes, and whom they tell of.

mod frame;

use frame::Bytes;
use rlvs_arrival::address::mapped;
use rlvs_arrival::toa::find;

const FOUR: [u8; 8] = [254, 8, 0x10, 0x92, 203, 0, 113, 7];
const SIX: [u8; 20] = [
    254, 20, 0x10, 0x92, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
];

/// A header with these options, padded, and data behind it that is no option.
fn header(options: &[u8]) -> Vec<u8> {
    let words = 5 + options.len().div_ceil(4);
    let mut header = vec![0; 20];
    header[12] = (words as u8) << 4;
    header.extend(options);
    header.resize(4 * words, 0);
    header
}

/// Address and port, if any.
fn told(header: &[u8]) -> Option<([u8; 16], [u8; 2])> {
    let client = find(&Bytes::raw(header))?;
    assert_eq!(client.reserved, [0, 0]);
    Some((client.address, client.port))
}

#[test]
fn the_option_is_found_wherever_it_is() {
    let client4 = Some((mapped([203, 0, 113, 7]), [0x10, 0x92]));
    let six = SIX[4..].try_into().unwrap();
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    assert_eq!(told(&header(&FOUR)), client4);
    assert_eq!(told(&header(&SIX)), Some((six, [0x10, 0x92])));
    assert_eq!(told(&header(&[&timestamps[..], &FOUR].concat())), client4);
    assert_eq!(told(&header(&[&FOUR[..], &timestamps].concat())), client4);
    assert_eq!(told(&header(&[&[1; 32][..], &FOUR].concat())), client4);
}

#[test]
fn what_is_no_such_option_tells_nobody() {
    let rows: [&[u8]; 8] = [
        &[],
        &[1; 40],
        &[2, 4, 5, 0xb4],
        // Behind the end of options.
        &[&[0, 0, 0, 0][..], &FOUR].concat(),
        // An experiment of RFC 6994.
        &[254, 4, 0xf9, 0x89],
        // Options that lead nowhere.
        &[&[3, 0][..], &FOUR].concat(),
        &[&[3, 1][..], &FOUR].concat(),
        &[3, 40, 1, 1],
    ];
    for options in rows {
        assert_eq!(told(&header(options)), None, "{options:?}");
    }
}

/// The header ends within the option, whatever is behind it.
#[test]
fn an_option_past_the_header_tells_nobody() {
    for option in [&FOUR[..], &SIX] {
        let mut cut = header(option);
        cut[12] -= 0x10;
        assert_eq!(told(&cut), None);
        let whole = header(option);
        for length in 0..whole.len() {
            assert_eq!(told(&whole[..length]), None, "{length}");
        }
    }
}
