//! The presentation language of TLS with the vectors of RFC 9420 §2.1.2.

/// `opaque<V>`.
pub fn opaque(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a short value");
    let header = match length {
        0..64 => vec![length as u8],
        64..16_384 => (0x4000 | length as u16).to_be_bytes().to_vec(),
        _ => (0x8000_0000 | length).to_be_bytes().to_vec(),
    };
    [header, bytes.to_vec()].concat()
}

/// What is left to read. Each method says nothing where the bytes end too early, or a length has a longer header than it needs.
#[derive(Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.number(1).map(|number| number as u8)
    }
    pub fn u16(&mut self) -> Option<u16> {
        self.number(2).map(|number| number as u16)
    }
    pub fn u32(&mut self) -> Option<u32> {
        self.number(4).map(|number| number as u32)
    }
    pub fn u64(&mut self) -> Option<u64> {
        self.number(8)
    }

    pub fn opaque(&mut self) -> Option<&'a [u8]> {
        let size = match self.0.first()? >> 6 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return None,
        };
        let length = self.number(size)? & ((1 << (8 * size - 2)) - 1);
        let shortest = match length {
            0..64 => 1,
            64..16_384 => 2,
            _ => 4,
        };
        if size == shortest { self.take(usize::try_from(length).ok()?) } else { None }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_read_as_it_was_written_and_by_no_longer_header() {
        for length in [0, 63, 64, 16_383, 16_384] {
            let bytes = vec![7; length];
            let written = opaque(&bytes);
            let mut reader = Reader(&written);
            assert_eq!(reader.opaque(), Some(bytes.as_slice()));
            assert!(reader.is_empty());
        }
        assert_eq!(Reader(&[0x40, 1, 7]).opaque(), None);
        assert_eq!(Reader(&[0xc0, 0, 0, 0]).opaque(), None);
        assert_eq!(Reader(&[2, 7]).opaque(), None);
    }
}
