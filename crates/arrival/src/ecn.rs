//! Congestion marks at the end of a tunnel (RFC 6040, section 4.2, figure 4).

/// The lower two bits of a traffic class.
const MASK: u8 = 3;
const NOT_CAPABLE: u8 = 0;
const CAPABLE_1: u8 = 1;
const EXPERIENCED: u8 = 3;

/// The inner packet's traffic class when the outer header is gone; none if it must be dropped.
#[inline(always)]
pub fn decapsulate(outer: u8, inner: u8) -> Option<u8> {
    match (outer & MASK, inner & MASK) {
        (EXPERIENCED, NOT_CAPABLE) => None,
        (EXPERIENCED, _) => Some(inner | EXPERIENCED),
        (CAPABLE_1, NOT_CAPABLE | EXPERIENCED) => Some(inner),
        (CAPABLE_1, _) => Some(inner & !MASK | CAPABLE_1),
        _ => Some(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows: inner Not-ECT, ECT(0), ECT(1), CE. Columns: outer Not-ECT, ECT(0), ECT(1), CE.
    #[test]
    fn the_table_of_the_rfc() {
        let (not, ect0, ect1, ce) = (0, 2, 1, 3);
        let rows = [
            (not, [Some(not), Some(not), Some(not), None]),
            (ect0, [Some(ect0), Some(ect0), Some(ect1), Some(ce)]),
            (ect1, [Some(ect1), Some(ect1), Some(ect1), Some(ce)]),
            (ce, [Some(ce); 4]),
        ];
        for (inner, wanted) in rows {
            for (outer, wanted) in [not, ect0, ect1, ce].into_iter().zip(wanted) {
                let dscp = 0xb8;
                let wanted = wanted.map(|class| class | dscp);
                assert_eq!(decapsulate(outer | 0x28, inner | dscp), wanted);
            }
        }
    }
}
