//! A segment as judged lines, in order, in bounded memory, hashed on all processors.
//!
//! A round reads one block per thread, cuts the blocks at line ends, judges them side by side and hands the lines on in
//! order. What one round holds is all that is ever held.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use memchr::{memchr, memchr_iter, memrchr};

use super::line::{Hasher, Line};

/// How much one thread judges in a round: long enough that starting it costs nothing.
const BLOCK: usize = 1 << 20;

/// How long a line may be, its end not counted. A longer one is no entry.
pub(crate) const MAX_LINE: usize = 16 << 20;

/// Reads a segment as long as it is now; whoever appends meanwhile is not waited for.
pub(crate) fn scan(
    path: &Path,
    hasher: &Hasher,
    threads: usize,
    take: &mut dyn FnMut(Line),
) -> io::Result<()> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    scan_from(file.take(length), hasher, threads, take)
}

/// [`scan`] of anything that can be read.
pub(crate) fn scan_from(
    mut source: impl Read,
    hasher: &Hasher,
    threads: usize,
    take: &mut dyn FnMut(Line),
) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut offset = 0;
    let mut skipping = false;
    loop {
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
    let parts = cut(text, threads);
    let mut judged: Vec<Vec<Line>> = Vec::with_capacity(parts.len());
    std::thread::scope(|scope| {
        let mut begin = offset;
        let mut mine = None;
        let mut others = Vec::new();
        for part in parts {
            let from = begin;
            begin += part.len() as u64;
            if mine.is_none() {
                mine = Some((part, from));
            } else {
                let work = move || judge_part(part, from, hasher);
                // Without threads to be had, this one does it.
                let spawned = std::thread::Builder::new().spawn_scoped(scope, work);
                others.push(spawned.map_err(|_| (part, from)));
            }
        }
        judged.extend(mine.map(|(part, from)| judge_part(part, from, hasher)));
        for other in others {
            judged.push(match other {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err((part, from)) => judge_part(part, from, hasher),
            });
        }
    });
    judged.into_iter().flatten().for_each(take);
}

/// Cuts at line ends into at most `count` parts of about one size.
fn cut(mut text: &[u8], count: usize) -> Vec<&[u8]> {
    let size = (text.len() / count).max(BLOCK / 8);
    let mut parts = Vec::with_capacity(count);
    while !text.is_empty() {
        let end = text.get(size..).and_then(|rest| memchr(b'\n', rest));
        let (part, rest) = text.split_at(end.map_or(text.len(), |end| size + end + 1));
        parts.push(part);
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
