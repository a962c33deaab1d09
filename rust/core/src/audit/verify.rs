//! The proof: every line's hash, every link, and whatever somebody outside has seen.

use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
pub use super::judge::Anchor;
use super::judge::Judge;
use super::line::Hasher;
pub use super::line::to_hex;
use super::logs::{FIRST, Found, Start, find, is_segment_name, name, pruned};
use super::report::{Fault, Place, Problem, Report, Unreadable};
use super::scan::{scan, scan_from};

/// More threads than this wait for the disk and for each other.
const MAX_THREADS: usize = 8;

/// What a verification is given besides the path.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The key that the log was written with.
    pub key: Option<Vec<u8>>,
    /// Heads that were kept elsewhere.
    pub checkpoints: Vec<Checkpoint>,
    /// How many threads hash; 0 for one per processor.
    pub threads: usize,
}

impl Options {
    fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS)),
            given => given,
        }
    }
}

/// Verifies a log, one segment, or a directory of logs; reads as far as there is anything when it is called.
///
/// A directory's reports are in the order of the logs' names; logs that are missing stand among them.
///
/// `go_on` is asked now and then; where it says no, that is the end: an error of the kind
/// [`std::io::ErrorKind::Interrupted`].
///
/// # Errors
/// Nothing can be said: see [`Unreadable`]. What is wrong with a log is no error but in its [`Report`]; so is, in a
/// directory of logs, that one of them cannot be read, unless none can.
pub fn verify(
    path: &Path,
    options: &Options,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<Report>, Unreadable> {
    let mut one = |log: &Path, segments: &[PathBuf], whole, checkpoints: &[&Checkpoint]| {
        let anchors = checkpoints.iter().copied().map(anchor).collect();
        let report = verify_log(name(log), segments, whole, anchors, options, go_on)?;
        Ok(vec![report])
    };
    match find(path)? {
        Found::Segment(segment) => {
            let whole = name(&segment) == FIRST;
            let checkpoints = about_segment(&segment, &options.checkpoints)?;
            one(path, &[segment], whole, &checkpoints)
        }
        Found::Log(path, segments) => {
            let checkpoints = about_one(&[&name(&path)], &options.checkpoints)?;
            one(&path, &segments, true, &checkpoints)
        }
        Found::Logs(path, logs) => verify_logs(&path, &logs, options, go_on),
    }
}

fn anchor(checkpoint: &Checkpoint) -> Anchor {
    Anchor {
        seq: checkpoint.seq,
        hash: checkpoint.hash,
        witness: "the checkpoint".to_owned(),
    }
}

/// A single checkpoint is meant for the log that is given, even if that is a copy under another name.
fn about_one<'a>(
    names: &[&str],
    checkpoints: &'a [Checkpoint],
) -> Result<Vec<&'a Checkpoint>, Unreadable> {
    if let [only] = checkpoints {
        return Ok(vec![only]);
    }
    let is_mine = |checkpoint: &&Checkpoint| names.contains(&checkpoint.log.as_str());
    let mine: Vec<_> = checkpoints.iter().filter(is_mine).collect();
    if mine.is_empty() && !checkpoints.is_empty() {
        let text = format!(
            "none of its {} lines is about log '{}'",
            checkpoints.len(),
            names.join("' or '")
        );
        return Err(Unreadable::Checkpoint(text));
    }
    Ok(mine)
}

/// Of a segment by itself, what lies in another one cannot be missed.
fn about_segment<'a>(
    segment: &Path,
    checkpoints: &'a [Checkpoint],
) -> Result<Vec<&'a Checkpoint>, Unreadable> {
    let named = name(segment);
    let log = std::path::absolute(segment)
        .ok()
        .and_then(|path| path.parent().map(name));
    let mut about = about_one(&[&named, &log.unwrap_or_default()], checkpoints)?;
    let elsewhere = about.first().map(|checkpoint| checkpoint.segment.clone());
    if is_segment_name(&named) {
        about.retain(|checkpoint| checkpoint.segment.is_empty() || checkpoint.segment == named);
    }
    match elsewhere {
        Some(other) if about.is_empty() => Err(Unreadable::Checkpoint(format!(
            "it is about an entry in {other}, and {named} alone was given: give the log's directory"
        ))),
        _ => Ok(about),
    }
}

/// Verifies the bytes of one segment, as a log of its own.
///
/// # Errors
/// As [`verify`].
pub fn verify_bytes(bytes: &[u8], options: &Options) -> Result<Report, Unreadable> {
    let hasher = Hasher::new(options.key.as_deref());
    let anchors = options.checkpoints.iter().map(anchor).collect();
    let mut judge = Judge::new(Report::default(), true, anchors);
    judge.begin_segment(FIRST);
    scan_from(
        bytes,
        &hasher,
        options.threads(),
        &mut || true,
        &mut |line| {
            judge.take(line);
        },
    )
    .map_err(|error| Unreadable::Io(PathBuf::new(), error))?;
    if judge.is_foreign() {
        return Err(Unreadable::Foreign(PathBuf::new()));
    }
    Ok(judge.finish())
}

fn verify_log(
    log: String,
    segments: &[PathBuf],
    whole: bool,
    anchors: Vec<Anchor>,
    options: &Options,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Report, Unreadable> {
    let Some(first) = segments.first() else {
        // Removed since the directory was read.
        return Err(Unreadable::NotALog(PathBuf::from(log)));
    };
    let start = Start::read(&first_of_log(first))?;
    check_start(first, &start, options)?;
    let hasher = Hasher::new(options.key.as_deref());
    let report = Report {
        log,
        keyed: options.key.is_some(),
        ..Report::default()
    };
    let mut judge = Judge::new(report, whole, anchors);
    for segment in segments {
        judge.begin_segment(&name(segment));
        scan(segment, &hasher, options.threads(), go_on, &mut |line| {
            judge.take(line);
        })
        .map_err(|error| Unreadable::Io(segment.clone(), error))?;
    }
    if judge.is_foreign() {
        return Err(Unreadable::Foreign(first.clone()));
    }
    let nothing_fits = judge.nothing_fits();
    if options.key.is_none() && start.keyed != Some(false) && judge.all_edited() {
        return Err(Unreadable::NothingFits(first.clone()));
    }
    let mut report = judge.finish();
    if options.key.is_some() && nothing_fits {
        judge_key(&start, &mut report);
    }
    Ok(report)
}

/// The segment that says what the log is: of one that was taken out of it, the first one beside it, if it is there.
fn first_of_log(segment: &Path) -> PathBuf {
    let first = segment.with_file_name(FIRST);
    if is_segment_name(&name(segment)) && first.is_file() {
        first
    } else {
        segment.to_owned()
    }
}

fn check_start(path: &Path, start: &Start, options: &Options) -> Result<(), Unreadable> {
    if let Some(version) = start.format.filter(|version| *version != 1) {
        return Err(Unreadable::Version(path.to_owned(), version));
    }
    if start.keyed == Some(true) && options.key.is_none() {
        return Err(Unreadable::KeyNeeded(path.to_owned()));
    }
    Ok(())
}

/// With a key, and no entry that it fits.
fn judge_key(start: &Start, report: &mut Report) {
    let (fault, text) = if start.fits_unkeyed {
        (
            Fault::Unkeyed,
            "a key was given, and the log was written without one: anybody could have built this chain",
        )
    } else {
        (
            Fault::WrongKey,
            "the key fits no entry: it is the key of another log, or every entry was changed",
        )
    };
    let place = report
        .torn
        .take()
        .map(|torn| torn.place)
        .unwrap_or_default();
    report.problem = Some(Problem {
        fault,
        seq: 0,
        place,
        text: text.to_owned(),
    });
}

fn verify_logs(
    path: &Path,
    logs: &[PathBuf],
    options: &Options,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Vec<Report>, Unreadable> {
    let seen = witnesses(logs, options);
    let removed = pruned(path)?;
    let mut reports = Vec::new();
    let mut unreadable = Vec::new();
    for log in logs {
        let named = name(log);
        let anchors = seen
            .iter()
            .filter(|(log, _)| *log == named)
            .map(|(_, a)| a.clone())
            .collect();
        let judged = super::logs::segments(log).and_then(|segments| {
            verify_log(named.clone(), &segments, true, anchors, options, go_on)
        });
        match judged {
            Ok(report) => reports.push(report),
            Err(error) if error.is_interrupted() => return Err(error),
            Err(error) => unreadable.push((named, error)),
        }
    }
    if reports.is_empty() && !unreadable.is_empty() {
        return Err(unreadable.swap_remove(0).1);
    }
    // What lies there and is none of ours must not keep the others from being verified.
    reports.extend(unreadable.into_iter().map(|(log, error)| Report {
        log,
        unreadable: Some(error.to_string()),
        ..Report::default()
    }));
    let mut absent: Vec<&str> = seen.iter().map(|(log, _)| log.as_str()).collect();
    absent.extend(removed.iter().map(|checkpoint| checkpoint.log.as_str()));
    absent.sort_unstable();
    absent.dedup();
    absent.retain(|log| reports.iter().all(|report| report.log != *log));
    for log in absent {
        let anchors = seen
            .iter()
            .filter(|(name, _)| name == log)
            .map(|(_, anchor)| anchor);
        let left = removed.iter().rfind(|checkpoint| checkpoint.log == log);
        reports.push(absent_log(log, &anchors.collect::<Vec<_>>(), left));
    }
    reports.sort_by(|one, other| one.log.cmp(&other.log));
    Ok(reports)
}

/// What checkpoints and later logs have seen of each log.
fn witnesses(logs: &[PathBuf], options: &Options) -> Vec<(String, Anchor)> {
    let mut seen: Vec<_> = options
        .checkpoints
        .iter()
        .map(|given| (given.log.clone(), anchor(given)))
        .collect();
    for log in logs {
        // A log that cannot be read bears no witness; that it cannot is said elsewhere.
        let segments = super::logs::segments(log).unwrap_or_default();
        let Some(Ok(start)) = segments.first().map(|first| Start::read(first)) else {
            continue;
        };
        for head in start.heads {
            let witness = format!("log {}", name(log));
            seen.push((
                head.log,
                Anchor {
                    seq: head.seq,
                    hash: head.hash,
                    witness,
                },
            ));
        }
    }
    seen
}

/// A log that is not there: removed on purpose, or missing.
fn absent_log(log: &str, seen: &[&Anchor], removed: Option<&Checkpoint>) -> Report {
    let report = Report {
        log: log.to_owned(),
        ..Report::default()
    };
    let problem = |fault, seq, text| {
        Some(Problem {
            fault,
            seq,
            place: Place::default(),
            text,
        })
    };
    let Some(removed) = removed else {
        let text = seen.first().map_or_else(String::new, |anchor| {
            format!(
                "{} saw it up to entry {}, and it is not there",
                anchor.witness, anchor.seq
            )
        });
        return Report {
            problem: problem(Fault::MissingLog, 0, text),
            ..report
        };
    };
    let contradicts = |anchor: &&&Anchor| {
        anchor.seq > removed.seq || (anchor.seq == removed.seq && anchor.hash != removed.hash)
    };
    if let Some(anchor) = seen.iter().find(contradicts) {
        let text = format!(
            "it is said to have been pruned at entry {}, and {} saw entry {} with another hash",
            removed.seq, anchor.witness, anchor.seq
        );
        return Report {
            problem: problem(Fault::MissingLog, removed.seq, text),
            ..report
        };
    }
    Report {
        pruned: true,
        ..report
    }
}
