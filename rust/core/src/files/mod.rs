//! Files that are complete: the old content or the new one, at any kill, and durable when the caller is told so.
//!
//! | module | idea |
//! |---|---|
//! | [`disk`] | [`Disk`]: what is asked of the operating system; [`RealDisk`] |
//! | [`draft`] | [`Draft`]: a temporary that is being written; [`Staged`]: one that is synced and not visible yet |
//! | [`publish`] | [`Publisher`]: renames what is staged, and syncs each directory once for all that come together |
//!
//! The way of a file: temporary in the same directory, write, fsync, rename over the target, fsync of the directory. What
//! fails on the way leaves the target as it was. An fsync that failed is never repeated: the kernel may have dropped
//! what it could not write, and the next one would claim success.

pub mod disk;
pub mod draft;
pub mod publish;

pub use disk::{Disk, RealDisk, Target};
pub use draft::{Draft, Staged};
pub use publish::Publisher;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What was being done when something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Looking at the path.
    Find,
    /// Making the temporary.
    Create,
    /// Writing to it.
    Write,
    /// Syncing it.
    Sync,
    /// Putting it into the target's place.
    Rename,
    /// Syncing the directory: the new content is there, and may be gone after a loss of power.
    SyncDirectory,
}

impl Step {
    /// One word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Create => "create",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::SyncDirectory => "sync_directory",
        }
    }
}

/// A write that did not succeed.
#[derive(Debug)]
pub struct Failure {
    /// The file that was to be written.
    pub path: PathBuf,
    /// What was being done.
    pub step: Step,
    /// What the operating system said.
    pub error: io::Error,
}

impl Failure {
    pub(crate) fn new(path: &Path, step: Step, error: io::Error) -> Self {
        let path = path.to_owned();
        Self { path, step, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): {}",
            self.path.display(),
            self.step.as_str(),
            self.error
        )
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// A file that is in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it is, symbolic links resolved.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: [u8; 32],
}
