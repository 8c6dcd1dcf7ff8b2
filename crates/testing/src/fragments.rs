//! Datagrams in parts, as hosts send them (RFC 791; RFC 8200, section 4.5), and put together again.

use crate::packet::{ETHERNET, UDP, checksum};

/// A frame with a whole packet, without options or extension headers, in parts of so many bytes
/// of its payload, which must be a multiple of 8.
pub fn cut(frame: &[u8], most: usize, identification: u32) -> Vec<Vec<u8>> {
    assert!(most > 0 && most.is_multiple_of(8), "parts of eight bytes");
    let (header, payload) = frame.split_at(header_end(frame));
    let parts = payload.chunks(most).enumerate();
    parts
        .map(|(number, part)| {
            let offset = number * most;
            let more = offset + part.len() < payload.len();
            let field = offset as u16 | u16::from(more);
            match is_ipv4(frame) {
                true => part4(header, part, field, identification as u16),
                false => part6(header, part, field, identification),
            }
        })
        .collect()
}

/// The whole of which these are all the parts, in any order; `None` if they do not fit together.
pub fn join(parts: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut sorted: Vec<_> = parts.iter().collect();
    sorted.sort_by_key(|part| place(part).0);
    let first = sorted.first()?;
    let mut whole = first[..header_end(first)].to_vec();
    let (mut payload, mut more) = (Vec::<u8>::new(), true);
    for part in &sorted {
        let (offset, more_follow) = place(part);
        if offset != payload.len() || !more || id(part) != id(first) {
            return None;
        }
        let skipped = if is_ipv4(part) { 0 } else { 8 };
        payload.extend(&part[header_end(part) + skipped..]);
        more = more_follow;
    }
    if more {
        return None;
    }
    match is_ipv4(first) {
        true => finish4(&mut whole, payload.len(), 0x4000, 0xbeef),
        false => {
            whole[ETHERNET + 6] = first[header_end(first)];
            set(&mut whole, ETHERNET + 4, payload.len() as u16);
        }
    }
    whole.extend(payload);
    Some(whole)
}

/// The same with the right UDP checksum.
pub fn summed(mut frame: Vec<u8>) -> Vec<u8> {
    let at = header_end(&frame);
    set(&mut frame, at + 6, 0);
    let sum = checksum(&covered(&frame));
    set(&mut frame, at + 6, if sum == 0 { 0xffff } else { sum });
    frame
}

/// Whether a whole packet's UDP checksum is right.
pub fn is_summed(frame: &[u8]) -> bool {
    checksum(&covered(frame)) == 0
}

/// What UDP's checksum covers: the pseudo header and all that follows.
fn covered(frame: &[u8]) -> Vec<u8> {
    let at = header_end(frame);
    let addresses = match is_ipv4(frame) {
        true => &frame[ETHERNET + 12..ETHERNET + 20],
        false => &frame[ETHERNET + 8..ETHERNET + 40],
    };
    let length = (frame.len() - at) as u16;
    let mut covered = addresses.to_vec();
    covered.extend([0, UDP]);
    covered.extend(length.to_be_bytes());
    covered.extend(&frame[at..]);
    covered
}

fn part4(header: &[u8], part: &[u8], field: u16, identification: u16) -> Vec<u8> {
    let mut frame = header.to_vec();
    let field = field >> 3 | (field & 1) << 13;
    finish4(&mut frame, part.len(), field, identification);
    frame.extend(part);
    frame
}

fn finish4(header: &mut [u8], payload: usize, field: u16, identification: u16) {
    set(header, ETHERNET + 2, 20 + payload as u16);
    set(header, ETHERNET + 4, identification);
    set(header, ETHERNET + 6, field);
    set(header, ETHERNET + 10, 0);
    let sum = checksum(&header[ETHERNET..]);
    set(header, ETHERNET + 10, sum);
}

fn part6(header: &[u8], part: &[u8], field: u16, identification: u32) -> Vec<u8> {
    let mut frame = header.to_vec();
    let next = std::mem::replace(&mut frame[ETHERNET + 6], 44);
    set(&mut frame, ETHERNET + 4, 8 + part.len() as u16);
    frame.extend([next, 0]);
    frame.extend(field.to_be_bytes());
    frame.extend(identification.to_be_bytes());
    frame.extend(part);
    frame
}

/// Where a part begins, and whether more follow.
fn place(frame: &[u8]) -> (usize, bool) {
    match is_ipv4(frame) {
        true => {
            let field = get(frame, ETHERNET + 6);
            (usize::from(field & 0x1fff) * 8, field & 0x2000 != 0)
        }
        false => {
            let field = get(frame, header_end(frame) + 2);
            (usize::from(field & !7), field & 1 != 0)
        }
    }
}

fn id(frame: &[u8]) -> &[u8] {
    match is_ipv4(frame) {
        true => &frame[ETHERNET + 4..][..2],
        false => &frame[header_end(frame) + 4..][..4],
    }
}

fn is_ipv4(frame: &[u8]) -> bool {
    frame[12..14] == [8, 0]
}

fn header_end(frame: &[u8]) -> usize {
    ETHERNET + if is_ipv4(frame) { 20 } else { 40 }
}

fn get(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn set(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Packet;

    #[test]
    fn parts_fit_together_again() {
        for (client, service) in [
            ("192.0.2.1:5000", "198.51.100.7:53"),
            ("[2001:db8::1]:5000", "[2001:db8::7]:53"),
        ] {
            let mut packet = Packet::udp(client.parse().unwrap(), service.parse().unwrap());
            packet.payload = 4000;
            let whole = summed(packet.build());
            assert!(is_summed(&whole));
            let mut parts = cut(&whole, 1480, 7);
            assert_eq!(parts.len(), 3);
            parts.rotate_left(1);
            assert_eq!(join(&parts).as_ref(), Some(&whole));
            parts.pop();
            assert_eq!(join(&parts), None, "the first is missing");
        }
    }

    #[test]
    fn builds_what_a_capture_shows() {
        let packet = Packet {
            payload: 16,
            ..Packet::udp(
                "[2001:db8::1]:5000".parse().unwrap(),
                "[2001:db8::7]:53".parse().unwrap(),
            )
        };
        let parts = cut(&packet.build(), 16, 0xdead_beef);
        assert_eq!(parts[0][18..21], [0, 24, 44]);
        assert_eq!(parts[0][54..62], [17, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef]);
        assert_eq!(parts[1][54..62], [17, 0, 0, 16, 0xde, 0xad, 0xbe, 0xef]);
    }
}
