//! Cuts a stream of bytes where its content says so: an insertion moves no cut but those beside it, so that two versions
//! of a document share nearly all of their chunks.

use bytes::{Bytes, BytesMut};
use fastcdc::v2020::FastCDC;

use crate::store::seal::{MAX_CHUNK, PlainChunk};

/// Small enough that a changed number costs little, large enough that 100 MB are not too many rows.
const AVERAGE: usize = 64 * 1024;
const SMALLEST: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(super) struct Cutter {
    waiting: BytesMut,
    /// Where `waiting` begins in the stream.
    start: u64,
}

impl Cutter {
    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The chunks that no later byte can change; at the end of the stream, the rest as well.
    pub(super) fn cut(&mut self, is_end: bool, mut take: impl FnMut(PlainChunk)) {
        // A cut depends on at most as many bytes as the largest chunk has.
        let enough = |waiting: usize| if is_end { waiting > 0 } else { waiting >= MAX_CHUNK };
        while enough(self.waiting.len()) {
            let (_, end) =
                FastCDC::new(&self.waiting, SMALLEST, AVERAGE, MAX_CHUNK).cut(0, self.waiting.len());
            let content: Bytes = self.waiting.split_to(end).freeze();
            take(PlainChunk { start: self.start, hash: *blake3::hash(&content).as_bytes(), content });
            self.start += end as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunks(frames: &[&[u8]]) -> Vec<PlainChunk> {
        let (mut cutter, mut chunks) = (Cutter::default(), Vec::new());
        for frame in frames {
            cutter.push(frame);
            cutter.cut(false, |chunk| chunks.push(chunk));
        }
        cutter.cut(true, |chunk| chunks.push(chunk));
        chunks
    }

    fn noise(len: usize, seed: u64) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..len).map(|_| next()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn chunks_are_the_stream_however_it_came(
            len in 0..1_500_000_usize, seed in any::<u64>(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let stream = noise(len, seed);
            let whole = chunks(&[&stream]);
            let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(len + 1)).chain([0, len]).collect();
            at.sort_unstable();
            let frames: Vec<_> = at.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
            let parts = chunks(&frames);
            let joined: Vec<u8> = whole.iter().flat_map(|chunk| chunk.content.to_vec()).collect();
            prop_assert!(joined == stream);
            prop_assert!(whole.iter().all(|chunk| chunk.content.len() <= MAX_CHUNK));
            let names = |chunks: &[PlainChunk]| chunks.iter().map(|c| (c.start, c.hash)).collect::<Vec<_>>();
            prop_assert_eq!(names(&whole), names(&parts));
        }
    }

    #[test]
    fn an_insertion_leaves_all_but_a_few_chunks_as_they_were() {
        let before = noise(4_000_000, 9);
        let mut after = before.clone();
        after.splice(1_000_000..1_000_000, *b"one more trade");
        let known: std::collections::HashSet<_> = chunks(&[&before]).iter().map(|c| c.hash).collect();
        let new = chunks(&[&after]).iter().filter(|c| !known.contains(&c.hash)).count();
        assert!(new <= 2, "{new} new chunks");
    }
}
