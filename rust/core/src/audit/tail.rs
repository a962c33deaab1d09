//! The newest lines, in memory: what the timeline polls and `theus.audit.tail` shows.

use std::collections::VecDeque;
use std::sync::Arc;

/// One batch as it was written, with the places where its lines end.
#[derive(Debug)]
struct Chunk {
    first: u64,
    bytes: Arc<Vec<u8>>,
    ends: Vec<usize>,
}

impl Chunk {
    fn after(&self) -> u64 {
        self.first + self.ends.len() as u64
    }

    fn line(&self, place: usize) -> String {
        let begin = if place == 0 { 0 } else { self.ends[place - 1] };
        // Without the line's end.
        let bytes = &self.bytes[begin..self.ends[place] - 1];
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// The newest batches; the oldest go when there are too many bytes.
#[derive(Debug)]
pub struct Tail {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    limit: usize,
}

/// What a chunk costs besides its lines.
const OVERHEAD: usize = 128;

impl Tail {
    /// A tail of about `limit` bytes; the newest batch is always kept.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            bytes: 0,
            limit,
        }
    }

    /// Adds a batch whose first line has number `first`.
    pub fn push(&mut self, first: u64, bytes: Arc<Vec<u8>>, ends: Vec<usize>) {
        self.bytes += weight(&bytes, &ends);
        self.chunks.push_back(Chunk { first, bytes, ends });
        while self.bytes > self.limit && self.chunks.len() > 1 {
            if let Some(gone) = self.chunks.pop_front() {
                self.bytes -= weight(&gone.bytes, &gone.ends);
            }
        }
    }

    /// The lines with numbers above `after` that are still here, oldest first, at most `limit`.
    #[must_use]
    pub fn lines(&self, after: i64, limit: usize) -> Vec<String> {
        let wanted = u64::try_from(after.saturating_add(1)).unwrap_or(0);
        let from = self.chunks.partition_point(|chunk| chunk.after() <= wanted);
        self.chunks
            .range(from..)
            .flat_map(|chunk| {
                let skip =
                    usize::try_from(wanted.saturating_sub(chunk.first)).unwrap_or(usize::MAX);
                (skip..chunk.ends.len()).map(move |place| chunk.line(place))
            })
            .take(limit)
            .collect()
    }

    /// Number of the oldest line here; None while there is none.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.chunks.front().map(|chunk| chunk.first)
    }
}

fn weight(bytes: &Arc<Vec<u8>>, ends: &[usize]) -> usize {
    bytes.capacity() + size_of_val(ends) + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(tail: &mut Tail, first: u64, lines: &[&str]) {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for line in lines {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            ends.push(bytes.len());
        }
        tail.push(first, Arc::new(bytes), ends);
    }

    #[test]
    fn lines_are_found_by_number() {
        let mut tail = Tail::new(1 << 20);
        add(&mut tail, 0, &["a", "b"]);
        add(&mut tail, 2, &["c", "d", "e"]);
        assert_eq!(tail.lines(-1, 10), ["a", "b", "c", "d", "e"]);
        assert_eq!(tail.lines(0, 2), ["b", "c"]);
        assert_eq!(tail.lines(3, 10), ["e"]);
        assert_eq!(tail.lines(4, 10), Vec::<String>::new());
    }

    #[test]
    fn the_oldest_go_when_it_is_full() {
        let mut tail = Tail::new(1000);
        for number in 0..100 {
            add(&mut tail, number, &["some line"]);
        }
        let first = tail.first().expect("there is one");
        assert!(first > 80, "{first}");
        assert_eq!(tail.lines(-1, 1000).len() as u64, 100 - first);
    }
}
