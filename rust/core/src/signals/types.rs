//! What goes into the hub's methods, and what comes out.

/// What a subscriber wants when values come faster than it takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Lose the oldest and be told so in their place.
    Raise,
    /// Lose the oldest silently; they are counted.
    Skip,
    /// Hold up the publishers that [`offer`](Hub::offer); those that publish are treated as under `Raise`.
    Block,
}

/// Which topics a subscriber hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `prices`: this one.
    Topic(String),
    /// `prices.*`: every topic beneath it. Kept with the dot.
    Beneath(String),
    /// `*`: all.
    All,
}

impl Pattern {
    /// Reads a pattern; the characters of topics are the caller's business.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some("") => Self::All,
            Some(prefix) if prefix.ends_with('.') => Self::Beneath(prefix.to_owned()),
            _ => Self::Topic(text.to_owned()),
        }
    }

    /// Whether a topic is meant.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        match self {
            Self::Topic(name) => name == topic,
            Self::Beneath(prefix) => topic.starts_with(prefix.as_str()),
            Self::All => true,
        }
    }
}

/// Names one subscriber of one hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriberId(pub u64);

/// What a subscriber finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<V> {
    /// The next value.
    Value(V),
    /// So many values were lost before the next one. Said once.
    Lagged(u64),
    /// Nothing at present.
    Empty,
    /// Nothing any more.
    Closed,
}

/// What is left to do after a call, outside of the lock.
#[derive(Debug)]
pub struct After<V, W> {
    /// To be called.
    pub wakes: Vec<W>,
    /// To be dropped.
    pub garbage: Vec<V>,
}

impl<V, W> Default for After<V, W> {
    fn default() -> Self {
        Self {
            wakes: Vec::new(),
            garbage: Vec::new(),
        }
    }
}

/// A publication that did not happen.
#[derive(Debug, PartialEq, Eq)]
pub enum Unsent<V> {
    /// The queue of a blocking subscriber is full.
    Full(SubscriberId, V),
    /// The hub is closed.
    Closed(V),
}
