//! Files at every failure and every kill: the old content or the new one, and nothing else.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use theus_core::files::draft::is_temporary;
use theus_core::files::{Disk, Draft, Publisher, RealDisk, Staged, Step, Target};
use theus_core::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(10);
const OLD: &[u8] = b"the old content";
const NEW: [&[u8]; 3] = [b"the ", b"new ", b"content"];

/// What happens at the chosen operation.
#[derive(Clone, Copy)]
enum Fault {
    /// It fails with this number; what comes after it works again.
    Error(i32),
    /// The process dies before it: nothing happens any more.
    Kill,
    /// The process dies in the middle of it, if it is a write.
    KillHalfWay,
}

/// The real disk, until the chosen operation.
struct Faulty {
    at: usize,
    fault: Fault,
    seen: AtomicUsize,
    log: Mutex<Vec<&'static str>>,
}

impl Faulty {
    fn new(at: usize, fault: Fault) -> Arc<Self> {
        let (seen, log) = (AtomicUsize::new(0), Mutex::default());
        Arc::new(Self {
            at,
            fault,
            seen,
            log,
        })
    }

    fn log(&self) -> Vec<&'static str> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn before(&self, name: &'static str) -> io::Result<()> {
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fault {
            Fault::Error(code) if number == self.at => Err(io::Error::from_raw_os_error(code)),
            Fault::Kill | Fault::KillHalfWay if number >= self.at => Err(io::Error::other("dead")),
            _ => {
                self.log
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(name);
                Ok(())
            }
        }
    }
}

impl Disk for Faulty {
    type File = File;

    fn find(&self, path: &Path) -> io::Result<Target> {
        self.before("find")?;
        RealDisk.find(path)
    }

    fn create(&self, temporary: &Path, target: &Target) -> io::Result<File> {
        self.before("create")?;
        RealDisk.create(temporary, target)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let allowed = self.before("write");
        let dying = self.seen.load(Ordering::SeqCst) == self.at;
        if allowed.is_err() && dying && !matches!(self.fault, Fault::Kill) {
            RealDisk.write(file, &bytes[..bytes.len() / 2])?; // as a full disk does it
        }
        allowed?;
        RealDisk.write(file, bytes)
    }

    fn sync(&self, file: &mut File) -> io::Result<()> {
        self.before("sync")?;
        RealDisk.sync(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.before("rename")?;
        RealDisk.rename(from, to)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.before("sync_directory")?;
        RealDisk.sync_directory(directory)
    }

    fn remove(&self, temporary: &Path) -> io::Result<()> {
        self.before("remove")?;
        RealDisk.remove(temporary)
    }
}

/// A directory that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::SeqCst);
        let name = format!("theus-files-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(fs::canonicalize(path).unwrap())
    }

    fn temporaries(&self) -> usize {
        let names = fs::read_dir(&self.0).unwrap();
        names
            .filter(|entry| is_temporary(&entry.as_ref().unwrap().file_name().to_string_lossy()))
            .count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The whole way of a file, in this thread; the step at which it failed, if it did.
fn replace(disk: &Arc<Faulty>, path: &Path) -> Result<(), Step> {
    let written = || {
        let mut draft = Draft::open(disk, path)?;
        for piece in NEW {
            draft.write(piece)?;
        }
        let staged = draft.seal()?;
        let directory = staged.directory().to_owned();
        let written = staged.rename()?;
        assert_eq!(written.bytes, 15);
        Ok(directory)
    };
    let directory = written().map_err(|failure: theus_core::files::Failure| failure.step)?;
    disk.sync_directory(&directory)
        .map_err(|_| Step::SyncDirectory)
}

/// Fails or dies at operation 1, 2, 3… until a pass has no failure; checks what is left each time.
fn enumerate(fault: Fault, check: impl Fn(&Folder, &Path, Option<Step>)) -> Vec<&'static str> {
    for at in 1..100 {
        let folder = Folder::new();
        let path = folder.0.join("a.txt");
        fs::write(&path, OLD).unwrap();
        let disk = Faulty::new(at, fault);
        let failed = replace(&disk, &path).err();
        let content = fs::read(&path).unwrap();
        assert!(
            content == OLD || content == NEW.concat(),
            "neither old nor new at {at}"
        );
        check(&folder, &path, failed);
        if failed.is_none() {
            return disk.log();
        }
    }
    panic!("no pass without a failure");
}

#[test]
fn at_every_error_the_file_is_old_or_new_and_no_temporary_stays() {
    for code in [28, 5] {
        // ENOSPC, EIO
        let log = enumerate(Fault::Error(code), |folder, path, failed| {
            assert_eq!(folder.temporaries(), 0);
            let renamed = matches!(failed, None | Some(Step::SyncDirectory));
            assert_eq!(fs::read(path).unwrap() != OLD, renamed);
        });
        let whole = [
            "find",
            "create",
            "write",
            "write",
            "write",
            "sync",
            "rename",
            "sync_directory",
        ];
        assert_eq!(log, whole);
    }
}

#[test]
fn at_every_kill_the_file_is_old_or_new_and_what_stays_is_recognised() {
    for fault in [Fault::Kill, Fault::KillHalfWay] {
        enumerate(fault, |folder, _, _| {
            let names = fs::read_dir(&folder.0).unwrap().count();
            assert_eq!(names, 1 + folder.temporaries());
        });
    }
}

#[test]
fn a_failed_sync_is_not_repeated() {
    let folder = Folder::new();
    let disk = Faulty::new(6, Fault::Error(5));
    assert_eq!(replace(&disk, &folder.0.join("a.txt")), Err(Step::Sync));
    assert!(!disk.log().contains(&"sync"));
    assert_eq!(disk.log().last(), Some(&"remove"));
}

#[test]
fn the_hash_is_that_of_the_content() {
    let folder = Folder::new();
    let mut draft = Draft::open(&Arc::new(RealDisk), &folder.0.join("a")).unwrap();
    draft.write(b"ab").unwrap();
    draft.write(b"c").unwrap();
    let staged = draft.seal().unwrap();
    let sha256 = staged.written().sha256;
    assert_eq!(sha256[..4], [0xba, 0x78, 0x16, 0xbf]);
    assert_eq!(staged.written().bytes, 3);
    drop(staged);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn temporaries_are_recognised_and_nothing_else_is() {
    for name in [
        ".a.csv.theus-12-0.tmp",
        "..theus-1-1.tmp",
        ".ü.theus-9-9.tmp",
    ] {
        assert!(is_temporary(name), "{name}");
    }
    for name in [
        "a.csv",
        ".a.tmp",
        "a.theus-1-1.tmp",
        ".a.theus-1.tmp",
        ".a.theus--.tmp",
        ".a.theus-1-x.tmp",
    ] {
        assert!(!is_temporary(name), "{name}");
    }
}

#[test]
fn a_name_as_long_as_there_can_be_has_a_temporary() {
    let folder = Folder::new();
    let path = folder.0.join("ü".repeat(127));
    replace(&Faulty::new(0, Fault::Error(0)), &path).unwrap();
    assert_eq!(fs::read(path).unwrap(), NEW.concat());
}

fn on_runtime<T: Send + 'static>(
    runtime: &Runtime,
    future: impl Future<Output = T> + Send + 'static,
) -> T {
    let (tell, told) = std::sync::mpsc::channel();
    runtime.spawn(async move { tell.send(future.await).unwrap() });
    told.recv_timeout(PATIENCE).unwrap()
}

fn staged(disk: &Arc<Faulty>, path: &Path) -> Staged<Faulty> {
    let mut draft = Draft::open(disk, path).unwrap();
    draft.write(b"x").unwrap();
    draft.seal().unwrap()
}

#[test]
fn what_comes_together_shares_the_sync_of_its_directory() {
    let folder = Folder::new();
    let runtime = Runtime::start("theus test").unwrap();
    let disk = Faulty::new(0, Fault::Error(0));
    let files: Vec<_> = (0..20)
        .map(|n| staged(&disk, &folder.0.join(n.to_string())))
        .collect();
    // Held up at its first sync, so that the rest comes while it is at work.
    let gate = Arc::new(Mutex::new(()));
    let held = gate.lock().unwrap();
    let slow = Held {
        gate: Arc::clone(&gate),
        syncs: Arc::default(),
    };
    let syncs = Arc::clone(&slow.syncs);
    let publisher = Publisher::new(slow, runtime.handle().clone());
    drop(files);
    let mut answers = Vec::new();
    for n in 0..20 {
        let (publisher, path) = (Arc::clone(&publisher), folder.0.join(n.to_string()));
        answers.push(runtime.spawn(async move {
            let file = publisher.stage(path, b"x".to_vec()).await.unwrap();
            publisher.publish(vec![file]).await
        }));
    }
    // Every file is renamed or waiting for the second batch when all temporaries have been synced.
    drop(held);
    let all = on_runtime(&runtime, async move {
        let mut written = 0;
        for answer in answers {
            written += answer.await.unwrap().0.len();
        }
        written
    });
    assert_eq!(all, 20);
    let syncs = syncs.load(Ordering::SeqCst);
    assert!((1..=20).contains(&syncs));
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 20);
}

struct Held {
    gate: Arc<Mutex<()>>,
    syncs: Arc<AtomicUsize>,
}

impl Disk for Held {
    type File = File;

    fn find(&self, path: &Path) -> io::Result<Target> {
        RealDisk.find(path)
    }

    fn create(&self, temporary: &Path, target: &Target) -> io::Result<File> {
        RealDisk.create(temporary, target)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        RealDisk.write(file, bytes)
    }

    fn sync(&self, file: &mut File) -> io::Result<()> {
        RealDisk.sync(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.lock());
        RealDisk.sync_directory(directory)
    }

    fn remove(&self, temporary: &Path) -> io::Result<()> {
        RealDisk.remove(temporary)
    }
}

#[test]
fn one_file_that_fails_does_not_take_the_others_with_it() {
    let folder = Folder::new();
    let runtime = Runtime::start("theus test").unwrap();
    let publisher = Publisher::new(RealDisk, runtime.handle().clone());
    let (a, b) = (folder.0.join("a"), folder.0.join("b"));
    let shared = Arc::clone(&publisher);
    let (path_a, path_b) = (a.clone(), b.clone());
    let (written, failed) = on_runtime(&runtime, async move {
        let first = shared.stage(path_a.clone(), b"x".to_vec()).await.unwrap();
        let second = shared.stage(path_b, b"y".to_vec()).await.unwrap();
        fs::create_dir(path_a).unwrap(); // a directory has taken the name
        shared.publish(vec![first, second]).await
    });
    assert_eq!(written.iter().map(|w| &w.path).collect::<Vec<_>>(), [&b]);
    assert_eq!((failed[0].step, &failed[0].path), (Step::Rename, &a));
    assert_eq!(folder.temporaries(), 0);
}
