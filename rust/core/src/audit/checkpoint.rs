//! Checkpoints: a sequence number with its hash, kept where whoever rewrites the log cannot reach.

use serde_json::{Map, Value};

use super::line::hex;
use super::report::Unreadable;

/// One entry of one log, as somebody has seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log's directory.
    pub log: String,
    /// The segment that the entry lies in.
    pub segment: String,
    /// The entry.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Checkpoint {
    /// Reads a file of checkpoints: one JSON object per line. Keys it does not know are ignored.
    ///
    /// # Errors
    /// [`Unreadable::Checkpoint`]: a line is no checkpoint, or of another format version, or there is none.
    pub fn read_all(text: &str) -> Result<Vec<Self>, Unreadable> {
        let mut found = Vec::new();
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let complain = |what| Unreadable::Checkpoint(format!("line {}: {what}", number + 1));
            found.push(Self::read(line).map_err(complain)?);
        }
        if found.is_empty() {
            return Err(Unreadable::Checkpoint("it is empty".to_owned()));
        }
        Ok(found)
    }

    fn read(line: &str) -> Result<Self, &'static str> {
        const SHAPE: &str =
            "it should read {\"format\":1,\"log\":…,\"segment\":…,\"seq\":…,\"hash\":…,\"time\":…}";
        let object: Map<String, Value> = serde_json::from_str(line).map_err(|_| SHAPE)?;
        if object.get("format").and_then(Value::as_u64) != Some(1) {
            return Err("it is not of format version 1");
        }
        Self::from_object(&object).ok_or(SHAPE)
    }

    /// Reads the fields that checkpoints share with the `heads` of a first entry.
    pub(crate) fn from_object(object: &Map<String, Value>) -> Option<Self> {
        let text = |key| object.get(key).and_then(Value::as_str);
        Some(Self {
            log: text("log")?.to_owned(),
            segment: text("segment").unwrap_or_default().to_owned(),
            seq: object.get("seq")?.as_u64()?,
            hash: hex(text("hash")?.as_bytes())?,
        })
    }
}
