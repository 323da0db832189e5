//! Queues against a list that is scanned from the beginning.

use ferrogen_core::queue::OVERTAKINGS;
use ferrogen_core::{Priority, Queue, SchedulingClass};
use proptest::prelude::*;

use super::config;

#[derive(Clone, Debug)]
enum Command {
    Push(SchedulingClass),
    Pop,
    PopOldest,
}

fn class() -> impl Strategy<Value = SchedulingClass> {
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let fairness_key = prop::option::of(0..3_u64);
    prop_oneof![
        Just(SchedulingClass::NORMAL),
        (priority, fairness_key)
            .prop_map(|(priority, fairness_key)| SchedulingClass { priority, fairness_key }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        5 => class().prop_map(Command::Push),
        4 => Just(Command::Pop),
        1 => Just(Command::PopOldest),
    ]
}

/// An entry of the model: its number, its class, and the turn of its key when it was pushed.
#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u32,
    class: SchedulingClass,
}

#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    /// The keys of each priority in the order of their turns.
    turns: Vec<SchedulingClass>,
    overtaken: [u32; 5],
}

impl Model {
    fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        if !self.turns.contains(&entry.class) {
            self.turns.push(entry.class);
        }
    }

    fn next(&self) -> Option<SchedulingClass> {
        let overtaken = |class: &SchedulingClass| self.overtaken[class.priority as usize];
        let aged = |class: &&SchedulingClass| overtaken(class) >= OVERTAKINGS;
        let most_overtaken =
            self.turns.iter().filter(aged).map(|one| (overtaken(one), one.priority)).max();
        let priority = match most_overtaken {
            Some((_, priority)) => priority,
            None => self.turns.iter().map(|class| class.priority).max()?,
        };
        self.turns.iter().find(|class| class.priority == priority).copied()
    }

    fn pop(&mut self) -> Option<u32> {
        let class = self.next()?;
        for priority in Priority::ALL {
            if priority < class.priority && self.turns.iter().any(|one| one.priority == priority) {
                self.overtaken[priority as usize] += 1;
            }
        }
        self.overtaken[class.priority as usize] = 0;
        Some(self.take(class))
    }

    fn pop_oldest(&mut self) -> Option<u32> {
        let priority = self.turns.iter().map(|class| class.priority).min()?;
        let class = self.turns.iter().find(|class| class.priority == priority).copied()?;
        Some(self.take(class))
    }

    fn take(&mut self, class: SchedulingClass) -> u32 {
        let index = self.entries.iter().position(|entry| entry.class == class);
        let entry = self.entries.remove(index.expect("a class with a turn has entries"));
        self.turns.retain(|one| *one != class);
        if self.entries.iter().any(|one| one.class == class) {
            self.turns.push(class);
        }
        if self.turns.iter().all(|one| one.priority != class.priority) {
            self.overtaken[class.priority as usize] = 0;
        }
        entry.number
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn agrees_with_the_model(commands in prop::collection::vec(command(), 0..200)) {
        let (mut queue, mut model) = (Queue::default(), Model::default());
        for (number, command) in (0..).zip(commands) {
            match command {
                Command::Push(class) => {
                    queue.push(number, class);
                    model.push(Entry { number, class });
                }
                Command::Pop => {
                    let front = queue.front().copied();
                    let expected = model.pop();
                    assert_eq!((front, queue.pop()), (expected, expected));
                }
                Command::PopOldest => assert_eq!(queue.pop_oldest(), model.pop_oldest()),
            }
            assert_eq!(queue.len(), model.entries.len());
            assert_eq!(queue.is_empty(), model.entries.is_empty());
            let mut all: Vec<_> = queue.iter().copied().collect();
            all.sort_unstable();
            assert_eq!(all, model.entries.iter().map(|entry| entry.number).collect::<Vec<_>>());
        }
        let rest: Vec<_> = std::iter::from_fn(|| model.pop()).collect();
        assert_eq!(queue.drain(), rest);
    }

    #[test]
    fn every_lane_goes_on_however_many_messages_come_in_higher_ones(
        low in class(),
        high in prop::collection::vec(class(), 1..6),
    ) {
        let mut queue = Queue::default();
        queue.push(None, low);
        let most = (OVERTAKINGS as usize + Priority::ALL.len()) * (high.len() + 1);
        let goes_on = (0..most).any(|number| {
            queue.push(Some(number), high[number % high.len()]);
            queue.pop() == Some(None)
        });
        prop_assert!(goes_on, "{low:?} was overtaken by {most} messages of {high:?}");
    }
}
