//! The hub against a model of it, and what a publisher may rely on.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::collections::VecDeque;

use proptest::prelude::*;
use theus_core::signals::{Hub, Pattern, Policy, SubscriberId, TOPICS, Taken, Unsent};

type Numbers = Hub<u32, &'static str>;

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the hub shares what it holds"
)]
fn copy(value: &u32) -> u32 {
    *value
}

fn subscribe(hub: &mut Numbers, pattern: &str, capacity: usize, policy: Policy) -> SubscriberId {
    hub.subscribe(Pattern::parse(pattern), capacity, policy, 0, copy)
}

/// What one subscriber should find: a list with its oldest cut off.
struct Model {
    id: SubscriberId,
    topic: Option<usize>,
    capacity: usize,
    policy: Policy,
    queue: VecDeque<u32>,
    missed: u64,
}

impl Model {
    fn expected(&mut self) -> Taken<u32> {
        let missed = std::mem::take(&mut self.missed);
        if missed > 0 && self.policy != Policy::Skip {
            return Taken::Lagged(missed);
        }
        self.queue.pop_front().map_or(Taken::Empty, Taken::Value)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Subscribe(Option<usize>, usize, u8),
    Publish(usize),
    Offer(usize),
    Take(usize),
    Leave(usize),
}

const NAMES: [&str; 3] = ["a.x", "a.y", "b"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let topic = 0..NAMES.len();
    let step = prop_oneof![
        2 => (proptest::option::of(topic.clone()), 1..4_usize, 0..3_u8)
            .prop_map(|(topic, capacity, policy)| Step::Subscribe(topic, capacity, policy)),
        6 => topic.clone().prop_map(Step::Publish),
        3 => topic.prop_map(Step::Offer),
        6 => (0..4_usize).prop_map(Step::Take),
        1 => (0..4_usize).prop_map(Step::Leave),
    ];
    proptest::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn every_subscriber_finds_what_the_model_says(steps in steps()) {
        let mut hub = Numbers::new(0);
        let mut models: Vec<Model> = Vec::new();
        for (number, step) in (0_u32..).zip(steps) {
            match step {
                Step::Subscribe(topic, capacity, policy) => {
                    let policy = [Policy::Raise, Policy::Skip, Policy::Block][usize::from(policy)];
                    // No single topic: everything beneath "a".
                    let pattern = topic.map_or("a.*", |t| NAMES[t]);
                    let id = subscribe(&mut hub, pattern, capacity, policy);
                    models.push(Model { id, topic, capacity, policy, queue: VecDeque::new(), missed: 0 });
                }
                Step::Publish(topic) | Step::Offer(topic) => {
                    let mut hears: Vec<_> = models.iter_mut()
                        .filter(|m| m.topic.map_or(topic < 2, |own| own == topic)).collect();
                    let offered = matches!(step, Step::Offer(_));
                    let full = offered && hears.iter()
                        .any(|m| m.policy == Policy::Block && m.queue.len() == m.capacity);
                    let sent = if offered {
                        hub.offer(NAMES[topic], number, copy)
                    } else {
                        hub.publish(NAMES[topic], number, copy)
                    };
                    if full {
                        let refused = matches!(sent, Err(Unsent::Full(_, value)) if value == number);
                        prop_assert!(refused);
                        continue;
                    }
                    prop_assert_eq!(sent.unwrap().0, hears.len());
                    for model in &mut hears {
                        model.queue.push_back(number);
                        if model.queue.len() > model.capacity {
                            model.queue.pop_front();
                            model.missed += 1;
                        }
                    }
                }
                Step::Take(which) => {
                    if let Some(model) = models.get_mut(which) {
                        prop_assert_eq!(hub.take(model.id).0, model.expected());
                    }
                }
                Step::Leave(which) if which < models.len() => {
                    let model = models.remove(which);
                    hub.unsubscribe(model.id);
                    prop_assert_eq!(hub.take(model.id).0, Taken::Closed);
                }
                Step::Leave(_) => {}
            }
        }
    }
}

#[test]
fn whoever_waits_is_woken_once_by_the_first_value() {
    let mut hub = Numbers::new(0);
    let id = subscribe(&mut hub, "a", 8, Policy::Raise);
    assert_eq!(hub.wait(id, "reader"), Ok(()));
    let (_, after) = hub.publish("a", 1, copy).unwrap();
    assert_eq!(after.wakes, ["reader"]);
    let (_, after) = hub.publish("a", 2, copy).unwrap();
    assert!(after.wakes.is_empty());
    assert_eq!(hub.wait(id, "reader"), Err("reader"));
}

#[test]
fn a_publisher_is_woken_when_there_is_room() {
    let mut hub = Numbers::new(0);
    let id = subscribe(&mut hub, "a", 1, Policy::Block);
    hub.offer("a", 1, copy).unwrap();
    assert!(matches!(hub.offer("a", 2, copy), Err(Unsent::Full(full, 2)) if full == id));
    assert_eq!(hub.wait_for_room(id, "writer"), Ok(()));
    assert_eq!(hub.take(id), (Taken::Value(1), vec!["writer"]));
    assert_eq!(hub.wait_for_room(id, "writer"), Err("writer"));
}

#[test]
fn a_waker_is_forgotten_by_who_it_is() {
    let mut hub = Numbers::new(0);
    let id = subscribe(&mut hub, "a", 1, Policy::Raise);
    hub.wait(id, "one").unwrap();
    hub.wait(id, "two").unwrap();
    assert_eq!(hub.forget(id, |w| *w == "one"), ["one"]);
    assert_eq!(hub.wakers().copied().collect::<Vec<_>>(), ["two"]);
}

#[test]
fn closing_wakes_everybody_and_leaves_what_is_queued() {
    let mut hub = Numbers::new(4);
    let reads = subscribe(&mut hub, "a", 1, Policy::Raise);
    let blocks = subscribe(&mut hub, "b", 1, Policy::Block);
    hub.publish("b", 1, copy).unwrap();
    hub.wait(reads, "reader").unwrap();
    hub.wait_for_room(blocks, "writer").unwrap();
    let mut after = hub.close();
    after.wakes.sort_unstable();
    assert_eq!(
        (after.wakes, after.garbage),
        (vec!["reader", "writer"], vec![1])
    );
    assert_eq!(hub.take(reads).0, Taken::Closed);
    assert_eq!(hub.take(blocks).0, Taken::Value(1));
    assert_eq!(hub.take(blocks).0, Taken::Closed);
    assert_eq!(hub.publish("a", 2, copy).unwrap_err(), Unsent::Closed(2));
}

#[test]
fn values_that_go_are_handed_back_to_be_dropped() {
    let mut hub = Numbers::new(1);
    let id = subscribe(&mut hub, "a", 1, Policy::Skip);
    hub.publish("a", 1, copy).unwrap();
    let (_, after) = hub.publish("a", 2, copy).unwrap();
    assert_eq!(after.garbage, [1, 1]); // out of the queue, out of the history
    assert_eq!(hub.set_history(0), [2]);
    assert_eq!(hub.unsubscribe(id).garbage, [2]);
    assert_eq!(hub.values().count(), 0);
}

#[test]
fn topics_made_up_as_one_goes_do_not_fill_the_memory() {
    let mut hub = Numbers::new(1);
    let all = subscribe(&mut hub, "*", 1, Policy::Skip);
    for number in 0..2 * u32::try_from(TOPICS).unwrap() {
        hub.publish(&format!("job.n{number}"), number, copy)
            .unwrap();
    }
    assert_eq!(hub.values().count(), TOPICS + 1);
    hub.publish("job.n0", 7, copy).unwrap(); // forgotten, and heard again all the same
    assert_eq!(hub.take(all).0, Taken::Value(7));
}
