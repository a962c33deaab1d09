//! The hash that ties each line to the one before it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// A hash in hexadecimal digits, as written.
pub type Hex = [u8; 64];

/// What stands for the hash before the first entry.
pub const GENESIS: Hex = [b'0'; 64];

/// Computes hashes, with or without a key.
///
/// Without a key anybody who can rewrite the whole log can compute it anew; with one, only who has the key.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Prepared once: taking up the key costs two blocks of hashing.
    key: Option<Hmac<Sha256>>,
}

impl Chain {
    /// A chain with a key of any length, or without one.
    #[must_use]
    pub fn new(key: Option<&[u8]>) -> Self {
        let key = key.and_then(|key| Hmac::new_from_slice(key).ok());
        Self { key }
    }

    /// Whether there is a key.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// The hash of the bytes of a line, from its brace up to the comma before `"hash"`.
    #[must_use]
    pub fn hash(&self, line: &[u8]) -> Hex {
        match &self.key {
            None => hex(&Sha256::digest(line)),
            Some(key) => {
                let mut mac = key.clone();
                mac.update(line);
                hex(&mac.finalize().into_bytes())
            }
        }
    }
}

/// The two digits of each byte: every entry's hash comes through here, and one look is half of two.
const PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
};

fn hex(bytes: &[u8]) -> Hex {
    let mut text = GENESIS;
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&PAIRS[usize::from(*byte)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_standard_ones() {
        let plain = Chain::new(None).hash(b"abc");
        let expected = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(&plain, expected);
        let keyed = Chain::new(Some(b"Jefe")).hash(b"what do ya want for nothing?");
        let expected = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(&keyed, expected);
    }
}
