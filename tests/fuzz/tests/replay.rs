//! Replays the corpora with seeded mutations: short, the same in every run, without libFuzzer.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a missing corpus fails the test")]

use std::fs;
use std::path::PathBuf;

use belvedere_fuzz::{TARGETS, Target};

/// A small generator of pseudo-random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// Flips, sets, cuts, repeats or inserts in one to four places.
    fn mutate(&mut self, data: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(data.len() + 1);
            match (self.below(6), data.get_mut(at)) {
                (0, Some(byte)) => *byte ^= 1 << self.below(8),
                (1, Some(byte)) => *byte = [0, 1, 0x7f, 0x80, 0xff, b'\n'][self.below(6)],
                (2, _) => data.truncate(at),
                (3, Some(_)) => {
                    let end = at + self.below(data.len() - at);
                    let again = data[at..end].to_vec();
                    data.splice(at..at, again);
                }
                (4, Some(_)) => drop(data.remove(at)),
                _ => data.insert(at, self.byte()),
            }
        }
    }
}

fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

#[test]
fn corpora_and_their_mutations_are_taken() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for target in TARGETS {
        let files = corpus(target);
        assert!(!files.is_empty(), "{} has a corpus", target.name);
        for (file, data) in files {
            (target.run)(&data);
            for round in 0..target.mutations {
                let mut mutated = data.clone();
                random.mutate(&mut mutated);
                let result = std::panic::catch_unwind(|| (target.run)(&mutated));
                assert!(result.is_ok(), "{} round {round}: {mutated:02x?}", file.display());
            }
        }
    }
}
