//! Queues of messages: first in, first out, unless messages have priorities or fairness keys.
//!
//! While every queued message is of the default class, a queue is a plain list. Otherwise there is
//! a lane for each priority. The highest lane goes first, but a message at the front of a lane is
//! overtaken at most [`OVERTAKINGS`] times before its lane is chosen (ageing). In a lane, messages
//! with different fairness keys take turns; messages with the same one keep their order.

use std::collections::VecDeque;

use hashbrown::HashMap;

/// How often the front of a lane is overtaken by higher lanes before the lane is aged.
pub const OVERTAKINGS: u32 = 16;

/// The priority of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// After all others.
    Lowest,
    /// After most.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Before most.
    High,
    /// Before all others.
    Highest,
}

impl Priority {
    /// All priorities, from the lowest to the highest.
    pub const ALL: [Self; 5] = [Self::Lowest, Self::Low, Self::Normal, Self::High, Self::Highest];
}

/// How a queue orders a message among others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SchedulingClass {
    /// Its priority.
    pub priority: Priority,
    /// Messages of the same priority with different keys take turns.
    pub fairness_key: Option<u64>,
}

impl SchedulingClass {
    /// The default class.
    pub const NORMAL: Self = Self { priority: Priority::Normal, fairness_key: None };
}

/// A queue of `T`.
///
/// ```
/// use ferrogen_core::queue::{Priority, Queue, SchedulingClass};
///
/// let urgent = SchedulingClass { priority: Priority::High, ..SchedulingClass::NORMAL };
/// let mut queue = Queue::default();
/// queue.push("first", SchedulingClass::NORMAL);
/// queue.push("urgent", urgent);
/// queue.push("second", SchedulingClass::NORMAL);
/// assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some("urgent"), Some("first"), Some("second")]);
/// ```
#[derive(Debug)]
pub struct Queue<T> {
    /// All entries, while there are no lanes.
    plain: VecDeque<T>,
    /// All entries, from the first one that is not of the default class until the queue is empty.
    lanes: Option<Box<Lanes<T>>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { plain: VecDeque::new(), lanes: None }
    }
}

impl<T> Queue<T> {
    /// Adds an entry.
    #[inline]
    pub fn push(&mut self, entry: T, class: SchedulingClass) {
        if self.lanes.is_none() && class == SchedulingClass::NORMAL {
            self.plain.push_back(entry);
        } else {
            self.push_to_lane(entry, class);
        }
    }

    #[cold]
    fn push_to_lane(&mut self, entry: T, class: SchedulingClass) {
        let plain = &mut self.plain;
        let lanes = self.lanes.get_or_insert_with(|| {
            let mut lanes = Box::new(Lanes::default());
            for entry in plain.drain(..) {
                lanes.push(entry, SchedulingClass::NORMAL);
            }
            lanes
        });
        lanes.push(entry, class);
    }

    /// Removes the next entry.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.lanes.is_some() { self.pop_from_lane(Lanes::pop) } else { self.plain.pop_front() }
    }

    /// Removes the oldest entry of the lowest lane: the one that can best be spared.
    pub fn pop_oldest(&mut self) -> Option<T> {
        if self.lanes.is_some() {
            self.pop_from_lane(Lanes::pop_oldest)
        } else {
            self.plain.pop_front()
        }
    }

    /// Removes the first entry found that is the one sought.
    pub fn remove(&mut self, is_sought: impl Fn(&T) -> bool) -> Option<T> {
        if self.lanes.is_some() {
            return self.pop_from_lane(|lanes| lanes.remove(is_sought));
        }
        self.plain.remove(self.plain.iter().position(is_sought)?)
    }

    #[cold]
    fn pop_from_lane(&mut self, pop: impl FnOnce(&mut Lanes<T>) -> Option<T>) -> Option<T> {
        let lanes = self.lanes.as_mut()?;
        let entry = pop(lanes);
        if lanes.len == 0 {
            self.lanes = None;
        }
        entry
    }

    /// The next entry.
    #[must_use]
    pub fn front(&self) -> Option<&T> {
        match &self.lanes {
            None => self.plain.front(),
            Some(lanes) => lanes.lanes[lanes.choose()?].front(),
        }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.as_ref().map_or(self.plain.len(), |lanes| lanes.len)
    }

    /// Whether there are no entries.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.lanes.is_none()
    }

    /// Every entry, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let lanes = self.lanes.iter().flat_map(|lanes| &lanes.lanes);
        self.plain.iter().chain(lanes.flat_map(Lane::iter))
    }

    /// Removes every entry, in the order of [`Queue::pop`].
    pub fn drain(&mut self) -> Vec<T> {
        std::iter::from_fn(|| self.pop()).collect()
    }
}

#[derive(Debug)]
struct Lanes<T> {
    /// By priority, from the lowest to the highest.
    lanes: [Lane<T>; 5],
    len: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { lanes: Default::default(), len: 0 }
    }
}

impl<T> Lanes<T> {
    fn push(&mut self, entry: T, class: SchedulingClass) {
        self.lanes[class.priority as usize].push(entry, class.fairness_key);
        self.len += 1;
    }

    /// The lane of the next entry: the highest one, unless others have been overtaken too often.
    fn choose(&self) -> Option<usize> {
        let waiting = (0..self.lanes.len()).filter(|index| !self.lanes[*index].ring.is_empty());
        waiting.max_by_key(|index| {
            let overtaken = self.lanes[*index].overtaken;
            (if overtaken < OVERTAKINGS { 0 } else { overtaken }, *index)
        })
    }

    fn pop(&mut self) -> Option<T> {
        let chosen = self.choose()?;
        self.lanes[chosen].overtaken = 0;
        for lane in self.lanes[..chosen].iter_mut().filter(|lane| !lane.ring.is_empty()) {
            lane.overtaken += 1;
        }
        self.len -= 1;
        self.lanes[chosen].pop()
    }

    fn remove(&mut self, is_sought: impl Fn(&T) -> bool) -> Option<T> {
        let removed = self.lanes.iter_mut().find_map(|lane| lane.remove(&is_sought))?;
        self.len -= 1;
        Some(removed)
    }

    fn pop_oldest(&mut self) -> Option<T> {
        let lane = self.lanes.iter_mut().find(|lane| !lane.ring.is_empty())?;
        self.len -= 1;
        lane.pop()
    }
}

/// The entries of one priority.
#[derive(Debug)]
struct Lane<T> {
    /// The keys that have entries, in the order of their turns.
    ring: VecDeque<Option<u64>>,
    entries: HashMap<Option<u64>, VecDeque<T>>,
    /// How often higher lanes have overtaken the front.
    overtaken: u32,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { ring: VecDeque::new(), entries: HashMap::new(), overtaken: 0 }
    }
}

impl<T> Lane<T> {
    fn push(&mut self, entry: T, key: Option<u64>) {
        let entries = self.entries.entry(key).or_insert_with(|| {
            self.ring.push_back(key);
            VecDeque::new()
        });
        entries.push_back(entry);
    }

    fn front(&self) -> Option<&T> {
        self.entries.get(self.ring.front()?)?.front()
    }

    fn pop(&mut self) -> Option<T> {
        let key = self.ring.pop_front()?;
        let entries = self.entries.get_mut(&key)?;
        let entry = entries.pop_front();
        if entries.is_empty() {
            self.entries.remove(&key);
        } else {
            self.ring.push_back(key);
        }
        if self.ring.is_empty() {
            self.overtaken = 0;
        }
        entry
    }

    fn remove(&mut self, is_sought: impl Fn(&T) -> bool) -> Option<T> {
        let sought = |(key, entries): (&Option<u64>, &VecDeque<T>)| {
            Some((*key, entries.iter().position(&is_sought)?))
        };
        let (key, position) = self.entries.iter().find_map(sought)?;
        let entries = self.entries.get_mut(&key)?;
        let removed = entries.remove(position);
        if entries.is_empty() {
            self.entries.remove(&key);
            self.ring.retain(|one| *one != key);
        }
        if self.ring.is_empty() {
            self.overtaken = 0;
        }
        removed
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.values().flatten()
    }
}
