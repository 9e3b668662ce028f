use std::collections::VecDeque;

/// The last bytes of a stream.
#[derive(Debug)]
pub struct Tail {
    bytes: VecDeque<u8>,
    limit: usize,
}

impl Tail {
    /// Keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(bytes.len().saturating_sub(self.limit)..).unwrap_or_default();
        let over = (self.bytes.len() + bytes.len()).saturating_sub(self.limit);
        self.bytes.drain(..over);
        self.bytes.extend(bytes);
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_last_bytes_however_they_arrive() {
        for pieces in
            [vec!["abcdef"], vec!["ab", "cdef"], vec!["a", "b", "c", "d", "ef"], vec!["abcd", "", "ef"]]
        {
            let mut tail = Tail::new(4);
            for piece in &pieces {
                tail.push(piece.as_bytes());
            }
            assert_eq!(tail.into_bytes(), b"cdef", "{pieces:?}");
        }
        let mut short = Tail::new(4);
        short.push(b"ab");
        assert_eq!(short.into_bytes(), b"ab");
    }
}
