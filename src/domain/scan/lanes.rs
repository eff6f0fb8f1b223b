//! 64 bytes compared at once; bit `i` of an answer stands for byte `i`.

use wide::u8x16;

pub(super) type Block = [u8; 64];

/// A block of which several things are asked.
#[derive(Clone, Copy)]
pub(super) struct Lanes([u8x16; 4]);

impl Lanes {
    #[inline]
    pub(super) fn new(block: &Block) -> Self {
        let (lanes, _) = block.as_chunks::<16>();
        Self([0, 1, 2, 3].map(|i| u8x16::new(lanes[i])))
    }

    /// With bit 5 of every byte set: `[` becomes `{`, `E` becomes `e`.
    #[inline]
    pub(super) fn folded(self) -> Self {
        Self(self.0.map(|lane| lane | u8x16::splat(0x20)))
    }

    #[inline]
    pub(super) fn equal(self, byte: u8) -> u64 {
        mask(self.0.map(|lane| lane.simd_eq(u8x16::splat(byte))))
    }

    #[inline]
    pub(super) fn at_most(self, most: u8) -> u64 {
        mask(self.0.map(|lane| lane.min(u8x16::splat(most)).simd_eq(lane)))
    }
}

#[inline]
fn mask(lanes: [u8x16; 4]) -> u64 {
    let [a, b, c, d] = lanes.map(|lane| u64::from(lane.to_bitmask()));
    a | b << 16 | c << 32 | d << 48
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_is_compared(block in prop::collection::vec(any::<u8>(), 64), byte: u8, most: u8) {
            let block: Block = block.try_into().unwrap();
            let bits = |holds: &dyn Fn(u8) -> bool| {
                block.iter().rev().fold(0, |bits, &byte| bits << 1 | u64::from(holds(byte)))
            };
            let byte = if byte < 64 { block[usize::from(byte)] } else { byte };
            let lanes = Lanes::new(&block);
            prop_assert_eq!(lanes.equal(byte), bits(&|b| b == byte));
            prop_assert_eq!(lanes.folded().equal(byte), bits(&|b| b | 0x20 == byte));
            prop_assert_eq!(lanes.at_most(most), bits(&|b| b <= most));
        }
    }
}
