//! What the writer needs of a disk.

use std::io;

use super::segment::Head;

/// Where the lines of one log go. Calls block; they are made from one thread at a time, in order.
///
/// After the first error nothing more is called: a failed sync may have lost what it was to save, and a second one
/// would report success.
pub trait Storage: Send + 'static {
    /// Hands bytes to the operating system: they survive the death of this process.
    ///
    /// # Errors
    /// Not everything was written; a torn line may remain.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits until what was appended survives the loss of power.
    ///
    /// # Errors
    /// It may not.
    fn sync(&mut self) -> io::Result<()>;
}

/// Where a log is to be created.
pub trait Place: Send + 'static {
    /// Creates the log and looks at its neighbours. Called once, at the first entry.
    ///
    /// # Errors
    /// The place cannot be written to, or the log exists already.
    fn open(&mut self) -> io::Result<Opened>;
}

/// A log that has just been created.
pub struct Opened {
    /// Takes its lines.
    pub storage: Box<dyn Storage>,
    /// Where the logs beside it end.
    pub heads: Vec<Head>,
}

/// Keeps nothing: the log's tail is all there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

impl Storage for Memory {
    fn append(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Place for Memory {
    fn open(&mut self) -> io::Result<Opened> {
        Ok(Opened {
            storage: Box::new(Self),
            heads: Vec::new(),
        })
    }
}
