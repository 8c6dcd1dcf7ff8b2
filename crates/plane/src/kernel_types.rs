//! Where fields lie in the running kernel's structures: its own description of its types, BTF
//! (Documentation/bpf/btf.rst).

/// The description: a header, types, strings.
#[derive(Debug)]
pub(crate) struct KernelTypes {
    types: Vec<u8>,
    strings: Vec<u8>,
}

const MAGIC: [u8; 2] = [0x9f, 0xeb];
const STRUCT: u32 = 4;
/// Name, information, size: in front of what a kind has besides.
const TYPE: usize = 12;
const MEMBER: usize = 12;

impl KernelTypes {
    /// Reads `/sys/kernel/btf/vmlinux` or the like.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.get(..2)? != MAGIC {
            return None;
        }
        let header = word(bytes, 4)? as usize;
        let part = |at: usize| {
            let start = header + word(bytes, at)? as usize;
            bytes.get(start..start + word(bytes, at + 4)? as usize)
        };
        Some(Self {
            types: part(8)?.to_vec(),
            strings: part(16)?.to_vec(),
        })
    }

    /// The offset of a structure's member, in bytes.
    pub(crate) fn offset(&self, structure: &str, member: &str) -> Option<u32> {
        let mut at = 0;
        loop {
            let (name, information) = (word(&self.types, at)?, word(&self.types, at + 4)?);
            let (kind, count) = (information >> 24 & 0x1f, information & 0xffff);
            if kind == STRUCT && self.is(name, structure) {
                let members = at + TYPE..at + TYPE + count as usize * MEMBER;
                let found = self.member(members.step_by(MEMBER), member)?;
                // With bit fields, the size of one is above.
                let bits = if information >> 31 == 1 {
                    found & 0xff_ffff
                } else {
                    found
                };
                return Some(bits / 8);
            }
            at += TYPE + size(kind)? * if is_list(kind) { count as usize } else { 1 };
        }
    }

    fn member(&self, mut places: impl Iterator<Item = usize>, name: &str) -> Option<u32> {
        let place = places.find(|&at| word(&self.types, at).is_some_and(|it| self.is(it, name)))?;
        word(&self.types, place + 8)
    }

    fn is(&self, name: u32, expected: &str) -> bool {
        let rest = self.strings.get(name as usize..).unwrap_or_default();
        rest.strip_prefix(expected.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
    }
}

/// Bytes that a kind has after its head; of lists, each entry.
fn size(kind: u32) -> Option<usize> {
    Some(match kind {
        1 | 14 | 17 => 4,
        2 | 7..=12 | 16 | 18 => 0,
        3..=5 | 15 | 19 => 12,
        6 | 13 => 8,
        _ => return None,
    })
}

/// Structures, unions, enumerations, parameters, sections.
fn is_list(kind: u32) -> bool {
    matches!(kind, 4..=6 | 13 | 15 | 19)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An int, a pointer, and `struct net_device { int x; int ifindex; }`.
    fn example() -> Vec<u8> {
        let strings = b"\0int\0net_device\0x\0ifindex\0";
        let types: Vec<u32> = vec![
            1,
            1 << 24,
            4,
            32, // int
            0,
            2 << 24,
            1, // pointer to it
            5,
            4 << 24 | 2,
            8, // the structure
            16,
            1,
            0, // x
            18,
            1,
            32, // ifindex
        ];
        let length = types.len() as u32 * 4;
        let header = [24, 0, length, length, strings.len() as u32];
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        bytes.extend(header.iter().chain(&types).flat_map(|it| it.to_le_bytes()));
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn members_are_found_behind_other_types() {
        let types = KernelTypes::parse(&example()).unwrap();
        assert_eq!(types.offset("net_device", "ifindex"), Some(4));
        assert_eq!(types.offset("net_device", "x"), Some(0));
        assert_eq!(types.offset("net_device", "if"), None);
        assert_eq!(types.offset("net", "x"), None);
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(KernelTypes::parse(b"\x7fELF").is_none());
        assert!(KernelTypes::parse(&example()[..30]).is_none());
    }
}
