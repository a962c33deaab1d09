//! Signals: values published under topics, to whoever has subscribed.
//!
//! A subscriber has a bounded queue of its own. Whoever is too slow loses the oldest values and is told how many: the
//! others, and the publisher, are not held up by it. Only a publisher that asks for it ([`Hub::offer`]) waits.
//!
//! The hub is generic over the values and over the wakers of those who wait. It calls no waker and drops no value: both
//! may run anybody's code, so the caller gets them back and does that after having released its lock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

mod types;

pub use types::{After, Pattern, Policy, SubscriberId, Taken, Unsent};

/// Topics that are remembered while nobody listens to them, for their history.
pub const TOPICS: usize = 1_024;

struct Topic<V> {
    listeners: Vec<SubscriberId>,
    /// The newest values, with their numbers.
    history: VecDeque<(u64, V)>,
    /// Number of the newest publication.
    last: u64,
}

struct Subscriber<V, W> {
    pattern: Pattern,
    policy: Policy,
    capacity: usize,
    queue: VecDeque<(Arc<str>, V)>,
    /// Values lost since the subscriber was told last.
    missed: u64,
    /// Values lost in its whole life.
    lost: u64,
    /// Topic of the value taken last.
    topic: Option<Arc<str>>,
    /// Those who wait for a value.
    waiting: Vec<W>,
    /// Publishers that wait for room.
    blocked: Vec<W>,
}

impl<V, W> Subscriber<V, W> {
    fn is_full(&self) -> bool {
        self.queue.len() >= self.capacity
    }

    fn push(&mut self, topic: &Arc<str>, value: V, after: &mut After<V, W>) {
        if self.is_full() {
            self.missed += 1;
            self.lost += 1;
            after.garbage.extend(self.queue.pop_front().map(|(_, v)| v));
        }
        self.queue.push_back((Arc::clone(topic), value));
        // All of them: a waiter that goes away when it has been woken need not pass that on.
        after.wakes.append(&mut self.waiting);
    }
}

/// Topics, subscribers and what is on its way between them.
pub struct Hub<V, W> {
    topics: HashMap<Arc<str>, Topic<V>>,
    subscribers: HashMap<SubscriberId, Subscriber<V, W>>,
    born: u64,
    published: u64,
    history: usize,
    closed: bool,
}

impl<V, W> Hub<V, W> {
    /// A hub that remembers the last `history` values of each topic.
    #[must_use]
    pub fn new(history: usize) -> Self {
        Self {
            topics: HashMap::new(),
            subscribers: HashMap::new(),
            born: 0,
            published: 0,
            history,
            closed: false,
        }
    }

    /// Adds a subscriber, with the last `history` values of its topics in its queue (as many as fit).
    pub fn subscribe(
        &mut self,
        pattern: Pattern,
        capacity: usize,
        policy: Policy,
        history: usize,
        share: impl Fn(&V) -> V,
    ) -> SubscriberId {
        self.born += 1;
        let id = SubscriberId(self.born);
        let mut past = Vec::new();
        for (name, topic) in &mut self.topics {
            if pattern.matches(name) {
                topic.listeners.push(id);
                past.extend(topic.history.iter().map(|(number, v)| (*number, name, v)));
            }
        }
        past.sort_unstable_by_key(|(number, ..)| *number);
        let newest = past.len().saturating_sub(history.min(capacity));
        let queue = past[newest..]
            .iter()
            .map(|(_, name, value)| (Arc::clone(name), share(value)))
            .collect();
        self.subscribers.insert(
            id,
            Subscriber {
                pattern,
                policy,
                capacity,
                queue,
                missed: 0,
                lost: 0,
                topic: None,
                waiting: Vec::new(),
                blocked: Vec::new(),
            },
        );
        id
    }

    /// Publishes a value to whoever hears the topic; returns how many do.
    ///
    /// # Errors
    /// The hub is closed.
    pub fn publish(
        &mut self,
        topic: &str,
        value: V,
        share: impl Fn(&V) -> V,
    ) -> Result<(usize, After<V, W>), Unsent<V>> {
        if self.closed {
            return Err(Unsent::Closed(value));
        }
        let mut after = After::default();
        let name = self.topic(topic, &mut after);
        self.published += 1;
        let Some(entry) = self.topics.get_mut(&name) else {
            return Err(Unsent::Closed(value));
        };
        entry.last = self.published;
        for id in &entry.listeners {
            if let Some(subscriber) = self.subscribers.get_mut(id) {
                subscriber.push(&name, share(&value), &mut after);
            }
        }
        if self.history == 0 {
            after.garbage.push(value);
        } else {
            if entry.history.len() >= self.history {
                after
                    .garbage
                    .extend(entry.history.pop_front().map(|(_, v)| v));
            }
            entry.history.push_back((self.published, value));
        }
        Ok((entry.listeners.len(), after))
    }

    /// Does the same, unless a blocking subscriber has no room.
    ///
    /// # Errors
    /// The hub is closed, or the queue of the subscriber named is full: wait with [`wait_for_room`](Self::wait_for_room).
    pub fn offer(
        &mut self,
        topic: &str,
        value: V,
        share: impl Fn(&V) -> V,
    ) -> Result<(usize, After<V, W>), Unsent<V>> {
        let full = self
            .subscribers
            .iter()
            .find(|(_, s)| s.policy == Policy::Block && s.is_full() && s.pattern.matches(topic));
        match full {
            Some((id, _)) if !self.closed => Err(Unsent::Full(*id, value)),
            _ => self.publish(topic, value, share),
        }
    }

    /// Takes the next value; the wakers are those of publishers that have room now.
    pub fn take(&mut self, id: SubscriberId) -> (Taken<V>, Vec<W>) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else {
            return (Taken::Closed, Vec::new());
        };
        if subscriber.missed > 0 {
            let missed = std::mem::take(&mut subscriber.missed);
            if subscriber.policy != Policy::Skip {
                return (Taken::Lagged(missed), Vec::new());
            }
        }
        match subscriber.queue.pop_front() {
            Some((topic, value)) => {
                subscriber.topic = Some(topic);
                (Taken::Value(value), std::mem::take(&mut subscriber.blocked))
            }
            None if self.closed => (Taken::Closed, Vec::new()),
            None => (Taken::Empty, Vec::new()),
        }
    }

    /// Remembers a waker until there is something to take. Hands it back if there is already.
    ///
    /// # Errors
    /// There is something to take, if only the news that nothing will come.
    pub fn wait(&mut self, id: SubscriberId, waker: W) -> Result<(), W> {
        let closed = self.closed;
        match self.subscribers.get_mut(&id) {
            Some(s) if s.queue.is_empty() && s.missed == 0 && !closed => {
                s.waiting.push(waker);
                Ok(())
            }
            _ => Err(waker),
        }
    }

    /// Remembers a waker until a subscriber has room. Hands it back if it has, or is gone.
    ///
    /// # Errors
    /// There is nothing to wait for.
    pub fn wait_for_room(&mut self, id: SubscriberId, waker: W) -> Result<(), W> {
        let closed = self.closed;
        match self.subscribers.get_mut(&id) {
            Some(s) if s.is_full() && !closed => {
                s.blocked.push(waker);
                Ok(())
            }
            _ => Err(waker),
        }
    }

    /// Takes out the wakers of a subscriber that are meant: those who wait no longer.
    pub fn forget(&mut self, id: SubscriberId, meant: impl Fn(&W) -> bool) -> Vec<W> {
        let Some(subscriber) = self.subscribers.get_mut(&id) else {
            return Vec::new();
        };
        let waiting = subscriber.waiting.extract_if(.., |w| meant(w));
        let mut out: Vec<W> = waiting.collect();
        out.extend(subscriber.blocked.extract_if(.., |w| meant(w)));
        out
    }

    /// Removes a subscriber and what is in its queue.
    pub fn unsubscribe(&mut self, id: SubscriberId) -> After<V, W> {
        let mut after = After::default();
        let Some(subscriber) = self.subscribers.remove(&id) else {
            return after;
        };
        for topic in self.topics.values_mut() {
            topic.listeners.retain(|listener| *listener != id);
        }
        after.wakes.extend(subscriber.waiting);
        after.wakes.extend(subscriber.blocked);
        after
            .garbage
            .extend(subscriber.queue.into_iter().map(|(_, v)| v));
        after
    }

    /// Publishes nothing any more. What is queued can still be taken; after it comes the end.
    pub fn close(&mut self) -> After<V, W> {
        self.closed = true;
        let mut after = After::default();
        for subscriber in self.subscribers.values_mut() {
            after.wakes.append(&mut subscriber.waiting);
            after.wakes.append(&mut subscriber.blocked);
        }
        for (_, topic) in self.topics.drain() {
            after
                .garbage
                .extend(topic.history.into_iter().map(|(_, v)| v));
        }
        after
    }

    /// Empties the hub altogether.
    pub fn clear(&mut self) -> After<V, W> {
        let mut after = self.close();
        for (_, subscriber) in self.subscribers.drain() {
            after
                .garbage
                .extend(subscriber.queue.into_iter().map(|(_, v)| v));
        }
        after
    }

    /// How many values each topic's history holds at most.
    #[must_use]
    pub fn history(&self) -> usize {
        self.history
    }

    /// Changes that; returns the values that are too many now.
    pub fn set_history(&mut self, history: usize) -> Vec<V> {
        self.history = history;
        let mut garbage = Vec::new();
        for topic in self.topics.values_mut() {
            let surplus = topic.history.len().saturating_sub(history);
            garbage.extend(topic.history.drain(..surplus).map(|(_, v)| v));
        }
        garbage
    }

    /// Values waiting in a subscriber's queue, values it has lost, and the topic of the one it took last.
    #[must_use]
    pub fn look(&self, id: SubscriberId) -> Option<(usize, u64, Option<Arc<str>>)> {
        let s = self.subscribers.get(&id)?;
        Some((s.queue.len(), s.lost, s.topic.clone()))
    }

    /// Whether nothing will come for a subscriber beyond what is queued.
    #[must_use]
    pub fn is_closed(&self, id: SubscriberId) -> bool {
        self.closed || !self.subscribers.contains_key(&id)
    }

    /// Every value held.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        let kept = self.topics.values().flat_map(|t| t.history.iter());
        let queued = self.subscribers.values().flat_map(|s| s.queue.iter());
        kept.map(|(_, v)| v).chain(queued.map(|(_, v)| v))
    }

    /// Every waker held.
    pub fn wakers(&self) -> impl Iterator<Item = &W> {
        let subscribers = self.subscribers.values();
        subscribers.flat_map(|s| s.waiting.iter().chain(s.blocked.iter()))
    }

    /// The topic's own name, which is made an entry of the table if it was none.
    fn topic(&mut self, topic: &str, after: &mut After<V, W>) -> Arc<str> {
        if let Some((name, _)) = self.topics.get_key_value(topic) {
            return Arc::clone(name);
        }
        let listeners: Vec<_> = self
            .subscribers
            .iter()
            .filter(|(_, s)| s.pattern.matches(topic))
            .map(|(id, _)| *id)
            .collect();
        if self.topics.len() >= TOPICS {
            self.forget_oldest_topic(after);
        }
        let name: Arc<str> = topic.into();
        let entry = Topic {
            listeners,
            history: VecDeque::new(),
            last: 0,
        };
        self.topics.insert(Arc::clone(&name), entry);
        name
    }

    /// Names made up as one goes along must not fill the memory: the history of the one unused longest goes.
    fn forget_oldest_topic(&mut self, after: &mut After<V, W>) {
        let oldest = self.topics.iter().min_by_key(|(_, t)| t.last);
        if let Some(name) = oldest.map(|(name, _)| Arc::clone(name)) {
            let gone = self.topics.remove(&name);
            let values = gone.into_iter().flat_map(|t| t.history);
            after.garbage.extend(values.map(|(_, v)| v));
        }
    }
}
