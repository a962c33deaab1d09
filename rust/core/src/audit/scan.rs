//! A segment as judged lines, in order, in bounded memory, hashed on all processors.
//!
//! A round reads a block, cuts it at line ends into parts, has threads judge one part after another and hands the lines on
//! in order. What one round holds is all that is ever held.

use std::fs::File;
use std::io::{self, Read};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::{memchr, memchr_iter, memrchr};

use super::line::{Hasher, Line};

/// How much a round reads: what one thread has to wait for another at its end is then little beside it.
const BLOCK: usize = 4 << 20;

/// How much a thread takes at a time: one that the system puts aside holds up no more than this.
const PART: usize = 128 << 10;

/// How long a line may be, its end not counted. A longer one is no entry.
pub(crate) const MAX_LINE: usize = 16 << 20;

/// Reads a segment as long as it is now; whoever appends meanwhile is not waited for.
///
/// `go_on` is asked before each round, every few megabytes per thread. Where it says no, the error is
/// [`io::ErrorKind::Interrupted`].
pub(crate) fn scan(
    path: &Path,
    hasher: &Hasher,
    threads: usize,
    go_on: &mut dyn FnMut() -> bool,
    take: &mut dyn FnMut(Line),
) -> io::Result<()> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    scan_from(file.take(length), hasher, threads, go_on, take)
}

/// [`scan`] of anything that can be read.
pub(crate) fn scan_from(
    mut source: impl Read,
    hasher: &Hasher,
    threads: usize,
    go_on: &mut dyn FnMut() -> bool,
    take: &mut dyn FnMut(Line),
) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut offset = 0;
    let mut skipping = false;
    loop {
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let wanted = threads * BLOCK;
        let found = source
            .by_ref()
            .take(wanted as u64)
            .read_to_end(&mut buffer)?;
        let last = found < wanted;
        let mut start = 0;
        if skipping && let Some(end) = memchr(b'\n', &buffer) {
            start = end + 1;
            skipping = false;
        }
        if skipping {
            start = buffer.len();
        }
        let complete = memrchr(b'\n', &buffer[start..]).map_or(start, |end| start + end + 1);
        judge_all(
            &buffer[start..complete],
            offset + start as u64,
            hasher,
            threads,
            take,
        );
        let rest = &buffer[complete..];
        let mut done = complete;
        if rest.len() > MAX_LINE {
            take(Line::too_long(rest, offset + complete as u64));
            skipping = true;
            done = buffer.len();
        } else if last && !rest.is_empty() {
            take(Line::unfinished(rest, offset + complete as u64));
        }
        if last {
            return Ok(());
        }
        buffer.drain(..done);
        offset += done as u64;
    }
}

/// Judges complete lines, on several threads if there is enough to do.
fn judge_all(
    text: &[u8],
    offset: u64,
    hasher: &Hasher,
    threads: usize,
    take: &mut dyn FnMut(Line),
) {
    let parts = cut(text, offset);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut judged = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((part, from)) = parts.get(number) else {
                return judged;
            };
            judged.push((number, judge_part(part, *from, hasher)));
        }
    };
    let mut judged = std::thread::scope(|scope| {
        // Where no thread is to be had, the others do its work.
        let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads.min(parts.len())).filter_map(spawn).collect();
        let mut judged = work();
        for other in others {
            judged.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        judged
    });
    judged.sort_unstable_by_key(|(number, _)| *number);
    judged
        .into_iter()
        .flat_map(|(_, lines)| lines)
        .for_each(take);
}

/// Cuts at line ends into parts, each with the place where it begins.
fn cut(mut text: &[u8], mut offset: u64) -> Vec<(&[u8], u64)> {
    let mut parts = Vec::with_capacity(text.len() / PART + 1);
    while !text.is_empty() {
        let end = text.get(PART..).and_then(|rest| memchr(b'\n', rest));
        let (part, rest) = text.split_at(end.map_or(text.len(), |end| PART + end + 1));
        parts.push((part, offset));
        offset += part.len() as u64;
        text = rest;
    }
    parts
}

fn judge_part(part: &[u8], offset: u64, hasher: &Hasher) -> Vec<Line> {
    let mut lines = Vec::with_capacity(part.len() / 256);
    let mut start = 0;
    for end in memchr_iter(b'\n', part) {
        let line = &part[start..end];
        let at = offset + start as u64;
        lines.push(if line.len() > MAX_LINE {
            Line::too_long(line, at)
        } else {
            Line::judge(line, at, hasher)
        });
        start = end + 1;
    }
    lines
}
