//! Trailers: what the appendix of draft-cassen-vrrp-auth-hmac shows is read, taken, and said.

use super::*;

/// Virtual router 51, priority 200, one address.
const DRAFT4: &str = "3133c80100644402c0000264 010100006800000080000000 \
                      1b84bc4e8e43892dc6d98448f8ee2265";
const DRAFT6: &str = "3133c8010064a2e9 fe800000000000000000000000000100 \
                      010100006800000080000000 c8c56146ebfd66ee10ec4d8186461b78";
const SEQUENCE: Sequence = Sequence(0x6800_0000_8000_0000);

fn key() -> SigningKey {
    SigningKey {
        id: 1,
        bytes: (0..32).collect(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|it| it.to_digit(16)).collect();
    let byte = |pair: &[u32]| (pair[0] << 4 | pair[1]) as u8;
    digits.chunks(2).map(byte).collect()
}

fn said(address: IpAddr) -> Advertisement {
    Advertisement {
        version: Version::V3,
        virtual_router: 51,
        priority: 200,
        interval: Duration::from_secs(1),
        carried: Carried::Nothing,
        addresses: vec![address],
    }
}

fn signed(source: IpAddr, destination: IpAddr, sum: Sum, address: IpAddr) -> Outgoing {
    let key = key();
    let envelope = Envelope {
        source,
        destination,
        signature: Some(Signature {
            key: &key,
            sequence: SEQUENCE,
        }),
        ..envelope(sum)
    };
    Outgoing::new(&envelope, &said(address))
}

#[test]
fn what_the_draft_shows_is_said() {
    let (source, vip) = ([198, 51, 100, 10].into(), [192, 0, 2, 100].into());
    let outgoing = signed(source, sum::GROUP4.into(), Sum::Message, vip);
    assert_eq!(outgoing.bytes[20..], bytes(DRAFT4));
    let [source, destination, vip] =
        ["fe80::10", "fe80::20", "fe80::100"].map(|it| it.parse().unwrap());
    let outgoing = signed(source, destination, Sum::PseudoHeader, vip);
    assert_eq!(outgoing.bytes, bytes(DRAFT6));
}

fn to_peer<'a>(source: &str, bytes: &'a [u8]) -> Datagram<'a> {
    let [source, destination] = [source, "fe80::20"].map(|it| it.parse().unwrap());
    Datagram::ipv6(source, destination, HOP_LIMIT, bytes)
}

/// Whether the last bytes of a message sign it, whatever its checksum is.
fn taken(source: &str, message: &[u8]) -> bool {
    let (_, last) = message.split_at(message.len() - trailer::LENGTH);
    let trailer: Trailer = zerocopy::FromBytes::read_from_bytes(last).unwrap();
    trailer.is_known() && to_peer(source, message).is_signed_with(&trailer, &key())
}

#[test]
fn what_was_changed_is_not_taken() {
    let right = bytes(DRAFT6);
    assert!(taken("fe80::10", &right));
    assert!(!taken("fe80::11", &right), "another sender");
    let whole = to_peer("fe80::10", &right);
    let parsed = Parsed::new(&whole).unwrap();
    let trailer = parsed.trailer.unwrap();
    assert_eq!((trailer.key, trailer.sequence()), (1, SEQUENCE));
    let other = SigningKey {
        bytes: vec![7; 32],
        ..key()
    };
    assert!(!whole.is_signed_with(&trailer, &other));
    for place in 0..right.len() {
        let mut changed = right.clone();
        changed[place] ^= 1;
        // The checksum is for the kernel to say.
        let free = [6, 7].contains(&place);
        assert_eq!(taken("fe80::10", &changed), free, "byte {place}");
    }
    for length in 0..right.len() {
        let short = to_peer("fe80::10", &right[..length]);
        assert!(Parsed::new(&short).is_err(), "{length} bytes");
        assert!(!short.is_signed_with(&trailer, &key()));
    }
}

proptest! {
    #[test]
    fn what_is_signed_is_read(
        (advertisement, source, destination) in any_advertisement(),
        secret in prop::collection::vec(any::<u8>(), 32..=64),
        number: u64,
    ) {
        prop_assume!(advertisement.carried != Carried::Header);
        let key = SigningKey { id: 9, bytes: secret };
        let sum = match advertisement.version {
            Version::V2 => Sum::Message,
            Version::V3 => Sum::PseudoHeader,
        };
        let signature = Signature { key: &key, sequence: Sequence(number) };
        let envelope = Envelope { source, destination, signature: Some(signature), ..envelope(sum) };
        let outgoing = Outgoing::new(&envelope, &advertisement);
        let datagram = datagram(&outgoing).unwrap();
        let parsed = Parsed::new(&datagram).unwrap();
        prop_assert_eq!(&parsed.advertisement, &advertisement);
        let trailer = parsed.trailer.unwrap();
        prop_assert_eq!(trailer.sequence(), Sequence(number));
        prop_assert!(datagram.is_signed_with(&trailer, &key));
    }
}
