//! A descriptor that makes a selector return.
//!
//! Owned here from creation to close: writing to a bare number after somebody else's file has
//! reused it would corrupt that file.

use std::io;

#[cfg(unix)]
pub use unix::Wakeup;

#[cfg(not(unix))]
pub use other::Wakeup;

#[cfg(unix)]
mod unix {
    use std::os::fd::{AsRawFd, OwnedFd};

    /// An event counter on Linux, a pipe on other systems; never blocks.
    pub struct Wakeup {
        read: OwnedFd,
        /// `None` where one descriptor serves both ends.
        write: Option<OwnedFd>,
    }

    impl Wakeup {
        /// Opens the descriptor.
        pub fn open() -> super::io::Result<Self> {
            #[cfg(target_os = "linux")]
            {
                use rustix::event::{EventfdFlags, eventfd};
                let read = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
                Ok(Self { read, write: None })
            }
            #[cfg(not(target_os = "linux"))]
            {
                let (read, write) = rustix::pipe::pipe()?;
                for end in [&read, &write] {
                    rustix::io::ioctl_fionbio(end, true)?;
                    rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
                }
                Ok(Self {
                    read,
                    write: Some(write),
                })
            }
        }

        /// The number to give to `loop.add_reader`.
        pub fn number(&self) -> i32 {
            self.read.as_raw_fd()
        }

        /// Makes the readable end readable. A full pipe or counter is readable already.
        pub fn signal(&self) {
            let end = self.write.as_ref().unwrap_or(&self.read);
            let _ = rustix::io::write(end, &1_u64.to_ne_bytes());
        }

        /// Makes the readable end quiet again.
        pub fn clear(&self) {
            let mut buffer = [0_u8; 64];
            let _ = rustix::io::read(&self.read, &mut buffer);
        }
    }
}

#[cfg(not(unix))]
mod other {
    /// Never made: loops there are woken by `call_soon_threadsafe`.
    pub struct Wakeup(std::convert::Infallible);

    impl Wakeup {
        /// Always refused.
        pub fn open() -> super::io::Result<Self> {
            Err(super::io::ErrorKind::Unsupported.into())
        }

        /// Unreachable.
        pub fn number(&self) -> i32 {
            match self.0 {}
        }

        /// Unreachable.
        pub fn signal(&self) {
            match self.0 {}
        }

        /// Unreachable.
        pub fn clear(&self) {
            match self.0 {}
        }
    }
}
