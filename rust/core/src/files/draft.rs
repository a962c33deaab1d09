//! A temporary on its way to becoming a file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::disk::{Disk, Target};
use super::{Failure, Step, Written};

/// Numbers the temporaries of this process.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// Names that are tried before giving up: those of dead processes with our number may still be there.
const TRIES: usize = 1_000;

/// Bytes of the target's name in the temporary's; a file name has 255.
const STEM: usize = 120;

/// The name of a temporary: hidden, after its target, and recognisable: `.report.csv.theus-4711-3.tmp`.
fn temporary_name(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let stem: String = name
        .char_indices()
        .take_while(|(at, c)| at + c.len_utf8() <= STEM)
        .map(|(_, c)| c)
        .collect();
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    format!(".{stem}.theus-{}-{number}.tmp", std::process::id())
}

/// Whether a file name is that of a temporary, perhaps left over by a process that was killed.
#[must_use]
pub fn is_temporary(name: &str) -> bool {
    let Some(rest) = name.strip_prefix('.').and_then(|n| n.strip_suffix(".tmp")) else {
        return false;
    };
    let Some((_, numbers)) = rest.rsplit_once(".theus-") else {
        return false;
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    numbers
        .split_once('-')
        .is_some_and(|(process, number)| is_number(process) && is_number(number))
}

/// The temporary's place; removed when it is dropped, unless it has been renamed.
#[derive(Debug)]
struct Place<D: Disk> {
    disk: Arc<D>,
    target: Target,
    temporary: PathBuf,
    /// Whether there is something to remove.
    exists: bool,
}

impl<D: Disk> Drop for Place<D> {
    fn drop(&mut self) {
        if self.exists {
            // What cannot be removed stays, under a name that says what it is.
            let _ = self.disk.remove(&self.temporary);
        }
    }
}

/// A temporary that is being written. Dropping it removes it.
#[derive(Debug)]
pub struct Draft<D: Disk> {
    place: Place<D>,
    file: D::File,
    digest: Sha256,
    bytes: u64,
}

impl<D: Disk> Draft<D> {
    /// Makes the temporary for a file.
    ///
    /// # Errors
    /// The file may not be put there, or no temporary can be made in its directory.
    pub fn open(disk: &Arc<D>, path: &Path) -> Result<Self, Failure> {
        let failed = |step, error| Failure::new(path, step, error);
        let target = disk.find(path).map_err(|e| failed(Step::Find, e))?;
        for _ in 0..TRIES {
            let temporary = target.directory.join(temporary_name(&target.path));
            // Made first: should anything go wrong once the file is there, it is removed.
            let mut place = Place {
                disk: Arc::clone(disk),
                target: target.clone(),
                temporary,
                exists: false,
            };
            match disk.create(&place.temporary, &target) {
                Ok(file) => {
                    place.exists = true;
                    return Ok(Self {
                        place,
                        file,
                        digest: Sha256::new(),
                        bytes: 0,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    place.exists = place.temporary.exists();
                    return Err(failed(Step::Create, error));
                }
            }
        }
        Err(failed(Step::Create, io::ErrorKind::AlreadyExists.into()))
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// They could not be written. The draft is of no use any more: drop it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.place.disk.write(&mut self.file, bytes);
        written.map_err(|e| Failure::new(&self.place.target.path, Step::Write, e))?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Syncs the content; the file is not visible yet.
    ///
    /// # Errors
    /// The content may not be on the disk. The draft is gone: an fsync is never repeated.
    pub fn seal(mut self) -> Result<Staged<D>, Failure> {
        let synced = self.place.disk.sync(&mut self.file);
        synced.map_err(|e| Failure::new(&self.place.target.path, Step::Sync, e))?;
        Ok(Staged {
            written: Written {
                path: self.place.target.path.clone(),
                bytes: self.bytes,
                sha256: self.digest.finalize().into(),
            },
            place: self.place,
        })
    }
}

/// A synced temporary that waits to be put in its place. Dropping it removes it.
#[derive(Debug)]
pub struct Staged<D: Disk> {
    place: Place<D>,
    written: Written,
}

impl<D: Disk> Staged<D> {
    /// What the file will be.
    #[must_use]
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// The directory that must be synced after the rename.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.place.target.directory
    }

    /// Puts it in its place. It is visible from then on, and durable when its directory is synced.
    ///
    /// # Errors
    /// The old content is there, and the temporary gone.
    pub fn rename(mut self) -> Result<Written, Failure> {
        let place = &mut self.place;
        let renamed = place.disk.rename(&place.temporary, &place.target.path);
        renamed.map_err(|e| Failure::new(&place.target.path, Step::Rename, e))?;
        place.exists = false;
        Ok(self.written)
    }
}
