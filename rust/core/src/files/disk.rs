//! What is asked of the operating system, behind a trait: tests put one there that fails on purpose.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a file goes: the path behind all symbolic links, and what is there now.
#[derive(Clone, Debug)]
pub struct Target {
    /// The file itself.
    pub path: PathBuf,
    /// The directory it is in.
    pub directory: PathBuf,
    /// Permissions of the file that is replaced; None for a new one.
    pub permissions: Option<Permissions>,
}

/// The operations that a complete file takes. All may block.
pub trait Disk: Send + Sync + 'static {
    /// A temporary, open for writing.
    type File: Send + 'static;

    /// Resolves a path and checks that a file may be put there.
    ///
    /// # Errors
    /// No such directory, no regular file, or one that must not be written.
    fn find(&self, path: &Path) -> io::Result<Target>;

    /// Makes a file that did not exist, readable by those who may read the target.
    ///
    /// # Errors
    /// There is one of this name, or none can be made.
    fn create(&self, temporary: &Path, target: &Target) -> io::Result<Self::File>;

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// They could not all be written.
    fn write(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;

    /// Returns when the content is on the disk.
    ///
    /// # Errors
    /// It may not be; asking again would prove nothing.
    fn sync(&self, file: &mut Self::File) -> io::Result<()>;

    /// Puts one file into the place of another.
    ///
    /// # Errors
    /// Both are where they were.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Returns when the names in a directory are on the disk.
    ///
    /// # Errors
    /// They may not be.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// Removes a temporary.
    ///
    /// # Errors
    /// It stays; its name tells what it is.
    fn remove(&self, temporary: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// As many links as the kernel follows.
const LINKS: usize = 40;

/// Follows symbolic links at the end of a path, also to a file that does not exist yet.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..LINKS {
        let name = path
            .file_name()
            .ok_or(io::ErrorKind::IsADirectory)?
            .to_owned();
        // What the links in the directory's own path mean, `..` behind them included, the kernel knows best.
        let directory = fs::canonicalize(path.parent().unwrap_or(Path::new("/")))?;
        path = directory.join(name);
        match fs::read_link(&path) {
            Ok(link) => path = directory.join(link),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Gives a file the extended attributes of the one that it replaces, access control lists among them.
///
/// What the file system or this user's rights do not allow stays behind, as an owner does.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn copy_attributes(from: &Path, to: &File) {
    use rustix::fs::{XattrFlags, fsetxattr, getxattr, listxattr};
    // As large as Linux lets one attribute, and the list of their names, be.
    const LARGEST: usize = 64 << 10;
    let mut names = vec![0; LARGEST];
    let Ok(length @ 1..) = listxattr(from, &mut names[..]) else {
        return;
    };
    let mut value = vec![0; LARGEST];
    for name in names[..length].split(|byte| *byte == 0) {
        if let Ok(length) = getxattr(from, name, &mut value[..])
            && !name.is_empty()
        {
            let _ = fsetxattr(to, name, &value[..length], XattrFlags::empty());
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn copy_attributes(_from: &Path, _to: &File) {}

impl Disk for RealDisk {
    type File = File;

    fn find(&self, path: &Path) -> io::Result<Target> {
        let path = follow(path)?;
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        let permissions = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            // A device or a pipe would be replaced by a file.
            Ok(found) if !found.is_file() => return Err(io::ErrorKind::InvalidInput.into()),
            Ok(found) => {
                // A rename asks the directory only. A careful editor asks the file, and believes its owner's "read-only"
                // even where the system lets this user pass.
                if found.permissions().readonly() {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                OpenOptions::new().write(true).open(&path)?;
                Some(found.permissions())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Target {
            path,
            directory,
            permissions,
        })
    }

    fn create(&self, temporary: &Path, target: &Target) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let Some(permissions) = &target.permissions else {
            return options.open(temporary); // as any new file
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600); // nobody else's until it has the target's permissions
        }
        let file = options.open(temporary)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, fchown};
            let (old, new) = (fs::metadata(&target.path)?, file.metadata()?);
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                // Only a privileged user may give a file away; the content comes first.
                let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
            }
        }
        file.set_permissions(permissions.clone())?;
        copy_attributes(&target.path, &file);
        Ok(file)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &mut File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        // Elsewhere directories cannot be opened, and a rename is as durable as it gets.
        if cfg!(unix) {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }

    fn remove(&self, temporary: &Path) -> io::Result<()> {
        fs::remove_file(temporary)
    }
}
