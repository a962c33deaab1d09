//! Every link between lines, and the name of what broke the first one.
//!
//! Nothing is believed about an entry because of its neighbours: each must carry the next number and the hash of the
//! one before. After the first line that does not fit, the rest is only looked at for what it says about that line.

use std::collections::BTreeMap;

use super::line::{Form, Hash, Intent, Kind, Line, to_hex};
use super::report::{Fault, Head, Place, Problem, Report, Torn, Unfinished};

/// How many lines behind the first bad one are looked at to give it its name.
const LOOK_AHEAD: usize = 1000;

/// An entry that somebody outside the log has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Its sequence number.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// Who saw it, in words: `the checkpoint`, `log 2026…`.
    pub witness: String,
}

/// The first line that does not fit.
struct Bad {
    line: Line,
    place: Place,
    /// And not of the first one.
    first_of_segment: bool,
    after: Vec<(Option<u64>, Hash)>,
}

/// Follows the lines of one log, in order.
pub(crate) struct Judge {
    report: Report,
    anchors: std::iter::Peekable<std::vec::IntoIter<Anchor>>,
    /// The number and the hash that the next entry must carry; none before the first of a lone segment.
    expected: Option<(u64, Hash)>,
    /// `prev` of the last entry that fitted.
    last_prev: Hash,
    newest_synced: i64,
    /// Announcements of files, by run and place, with how many are still to be written.
    open: BTreeMap<(u64, u64), (usize, Intent)>,
    segment: String,
    head_segment: String,
    line: u64,
    /// How many lines there were, how many of them look like those of a log, how many are entries.
    lines: u64,
    familiar: u64,
    valid: u64,
    last_is_end: bool,
    bad: Option<Bad>,
}

/// Runs are counted from 1; what no run did is kept under this number.
const NO_RUN: u64 = u64::MAX;

impl Judge {
    /// `whole`: the log from its first segment; otherwise a lone segment, which may start anywhere.
    pub(crate) fn new(mut report: Report, whole: bool, mut anchors: Vec<Anchor>) -> Self {
        report.confirmed = None;
        anchors.sort_by_key(|anchor| anchor.seq);
        Self {
            report,
            anchors: anchors.into_iter().peekable(),
            expected: whole.then_some((0, [0; 32])),
            last_prev: [0; 32],
            newest_synced: -1,
            open: BTreeMap::new(),
            segment: String::new(),
            head_segment: String::new(),
            line: 0,
            lines: 0,
            familiar: 0,
            valid: 0,
            last_is_end: false,
            bad: None,
        }
    }

    /// The next lines are those of this segment.
    pub(crate) fn begin_segment(&mut self, name: &str) {
        name.clone_into(&mut self.segment);
        self.line = 0;
        self.report.segments += 1;
    }

    /// The next line.
    pub(crate) fn take(&mut self, line: Line) {
        self.line += 1;
        self.lines += 1;
        self.familiar += u64::from(line.familiar);
        self.valid += u64::from(line.is_entry());
        self.last_is_end = line.is_entry() && line.kind == Kind::SessionEnded;
        if let Some(synced) = line.synced {
            self.newest_synced = self.newest_synced.max(synced);
        }
        if let Some(bad) = &mut self.bad {
            if bad.after.len() < LOOK_AHEAD && bad.place.segment == self.segment {
                let entry = line.is_entry().then_some(line.seq).flatten();
                bad.after.push((entry, line.prev));
            }
        } else if self.fits(&line) {
            self.accept(line);
        } else {
            let place = self.place(line.offset);
            let first_of_segment = self.line == 1 && self.report.segments > 1;
            self.bad = Some(Bad {
                line,
                place,
                first_of_segment,
                after: Vec::new(),
            });
        }
    }

    fn place(&self, offset: u64) -> Place {
        Place {
            segment: self.segment.clone(),
            line: self.line,
            offset,
        }
    }

    fn fits(&self, line: &Line) -> bool {
        line.is_entry()
            && self
                .expected
                .is_none_or(|(seq, prev)| line.seq == Some(seq) && line.prev == prev)
    }

    fn accept(&mut self, line: Line) {
        let seq = line.seq.unwrap_or_default();
        if self.expected.is_none() {
            // A lone segment: what lies before it cannot be compared.
            while self.anchors.next_if(|anchor| anchor.seq < seq).is_some() {}
        }
        self.report.entries += 1;
        if self.head_segment != self.segment {
            self.head_segment.clone_from(&self.segment);
        }
        self.expected = Some((seq + 1, line.hash));
        self.last_prev = line.prev;
        self.compare(seq, &line);
        self.follow_commit(seq, line);
    }

    /// Compares with what others have seen of this entry.
    fn compare(&mut self, seq: u64, line: &Line) {
        while let Some(anchor) = self.anchors.next_if(|anchor| anchor.seq == seq) {
            if anchor.hash == line.hash {
                self.report.confirmed = Some(seq);
            } else if self.report.problem.is_none() {
                let text = format!(
                    "{} saw entry {seq} with hash {}…, and it has {}… now: the chain was built anew",
                    anchor.witness,
                    &to_hex(&anchor.hash)[..12],
                    &to_hex(&line.hash)[..12],
                );
                self.report.problem = Some(Problem {
                    fault: Fault::Rebuilt,
                    seq,
                    place: self.place(line.offset),
                    text,
                });
            }
        }
    }

    fn follow_commit(&mut self, seq: u64, line: Line) {
        let run = line.run.unwrap_or(NO_RUN);
        match line.kind {
            Kind::CommitIntent(intent) if !intent.files.is_empty() => {
                let left = intent.files.len();
                self.open.insert((run, seq), (left, *intent));
            }
            Kind::FileWritten if !self.open.is_empty() => {
                // The oldest announcement of this run is the one that is being kept.
                if let Some((key, (left, _))) = self.open.range_mut((run, 0)..=(run, seq)).next() {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        let key = *key;
                        self.open.remove(&key);
                    }
                }
            }
            Kind::RunEnded if !self.open.is_empty() => {
                self.open.retain(|(owner, _), _| *owner != run);
            }
            _ => {}
        }
    }

    /// Whether there were lines, and none of them was meant to be an entry.
    pub(crate) fn is_foreign(&self) -> bool {
        self.lines > 0 && self.familiar == 0
    }

    /// Whether there were lines, and no hash fitted.
    pub(crate) fn nothing_fits(&self) -> bool {
        self.lines > 0 && self.valid == 0
    }

    /// Whether no hash fitted although the first line has its end: then this is no torn tail.
    pub(crate) fn all_edited(&self) -> bool {
        let form = self.bad.as_ref().map(|bad| bad.line.form);
        self.nothing_fits() && form == Some(Form::Edited)
    }

    /// The verdict.
    pub(crate) fn finish(mut self) -> Report {
        let next = self.expected.map_or(0, |(seq, _)| seq);
        self.report.head = self.expected.and_then(|(next, hash)| {
            let seq = next.checked_sub(1)?;
            Some(Head {
                seq,
                hash,
                segment: self.head_segment.clone(),
            })
        });
        self.report.ended = self.last_is_end;
        self.report.synced = u64::try_from(self.newest_synced).ok();
        self.report.unfinished = std::mem::take(&mut self.open)
            .into_iter()
            .map(|((run, seq), (_, intent))| Unfinished {
                seq,
                run: (run != NO_RUN).then_some(run),
                files: intent.files,
            })
            .collect();
        if let Some(bad) = self.bad.take() {
            self.judge_bad(next, &bad);
        }
        self.check_end(next);
        self.report
    }

    fn judge_bad(&mut self, next: u64, bad: &Bad) {
        let durable = i64::try_from(next).is_ok_and(|next| next <= self.newest_synced);
        if !durable && !self.last_is_end {
            self.report.torn = Some(Torn {
                seq: next,
                place: bad.place.clone(),
            });
        } else if self.report.problem.is_none() {
            let (fault, text) = self.name(next, bad);
            self.report.problem = Some(Problem {
                fault,
                seq: next,
                place: bad.place.clone(),
                text,
            });
        }
    }

    /// What the end of the log misses.
    fn check_end(&mut self, next: u64) {
        if self.report.problem.is_some() {
            return;
        }
        let place = self
            .report
            .torn
            .as_ref()
            .map(|torn| torn.place.clone())
            .unwrap_or_default();
        if let Some(anchor) = self.anchors.next() {
            let text = format!(
                "{} saw entry {}, and the log ends before entry {next}: what came after was removed",
                anchor.witness, anchor.seq
            );
            self.report.problem = Some(Problem {
                fault: Fault::Truncated,
                seq: next,
                place,
                text,
            });
        } else if let (true, Some(open)) = (self.report.ended, self.report.unfinished.first()) {
            let text = format!(
                "entry {} announces writing {}, the session ended in order, and neither the files nor the run's end are \
                 in the log",
                open.seq,
                open.files.join(", ")
            );
            let seq = open.seq;
            self.report.problem = Some(Problem {
                fault: Fault::UnfinishedCommit,
                seq,
                place,
                text,
            });
        }
    }

    /// Names what broke the chain where entry `next` was expected.
    fn name(&self, next: u64, bad: &Bad) -> (Fault, String) {
        let previous = self.expected.map(|(_, hash)| hash).unwrap_or_default();
        let follows = |(seq, prev): &(Option<u64>, Hash)| *seq == Some(next) && *prev == previous;
        match bad.line.form {
            Form::Malformed(reason) => (
                Fault::Malformed,
                format!("the hash fits, but it is no entry: {reason}"),
            ),
            Form::Edited | Form::Unfinished if bad.after.first().is_some_and(follows) => (
                Fault::Inserted,
                format!(
                    "the line stands between entries {} and {next}, and belongs to neither",
                    before(next)
                ),
            ),
            Form::Edited => (
                Fault::Edited,
                "the line's hash does not fit its bytes".to_owned(),
            ),
            Form::Unfinished => (Fault::Edited, "the line has no end".to_owned()),
            Form::Entry => self.name_entry(next, previous, bad),
        }
    }

    /// The line is an entry by itself, but not the one that belongs there.
    fn name_entry(&self, next: u64, previous: Hash, bad: &Bad) -> (Fault, String) {
        let found = bad.line.seq.unwrap_or_default();
        let moved = found > next && bad.after.iter().any(|(seq, _)| *seq == Some(next));
        if bad.first_of_segment && !moved {
            return (
                Fault::WrongSegment,
                format!(
                    "the segment starts with entry {found} and should continue with entry {next}"
                ),
            );
        }
        if found == next {
            let original =
                |(seq, prev): &(Option<u64>, Hash)| *seq == Some(next) && *prev == previous;
            if bad.after.iter().any(original) {
                return (Fault::Inserted, format!("two entries are numbered {next}"));
            }
            return (
                Fault::Edited,
                format!(
                    "entry {next} does not follow entry {}: one of them was replaced",
                    before(next)
                ),
            );
        }
        if found > next {
            if moved {
                return (
                    Fault::Reordered,
                    format!("entry {found} stands before entry {next}"),
                );
            }
            let which = if found == next + 1 {
                format!("entry {next} is")
            } else {
                format!("entries {next} to {} are", found - 1)
            };
            return (
                Fault::Missing,
                format!("{which} not there: entry {found} comes next"),
            );
        }
        if bad.line.hash != previous
            && (bad.line.prev == previous || bad.line.prev == self.last_prev)
        {
            return (Fault::Inserted, format!("two entries are numbered {found}"));
        }
        (
            Fault::Duplicated,
            format!("entry {found} stands there again, where entry {next} belongs"),
        )
    }
}

fn before(next: u64) -> String {
    next.checked_sub(1)
        .map_or_else(|| "(none)".to_owned(), |seq| seq.to_string())
}
