//! Routes: the subscriptions that match a topic.
//!
//! A topic type is looked up once among the exact rules and once per *length* of prefix in use,
//! so subscriptions that do not match cost nothing. Patterns with wildcards are in a trie, see
//! `wildcards.rs`. Nothing is cached by topic: memory is bounded by
//! the subscriptions alone, which is stronger than R1 requires, and adding or removing one costs
//! the same however many topics were published.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use crate::error::CoreError;
use crate::names::Symbol;
use crate::wildcards::Wildcards;

/// A subscription in the order of its addition, which is the order of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(u64);

/// The topics that a subscription matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule<'a> {
    /// Topics of exactly this type, for the agent type.
    Exact(&'a str, Symbol),
    /// Topics whose type starts with this prefix, for the agent type.
    Prefix(&'a str, Symbol),
    /// Topics whose type matches this pattern of dot-separated tokens, for the agent type: `*` is
    /// one token of any text, and `>` at the end is one or more tokens.
    Wildcard(&'a str, Symbol),
    /// Possibly every topic: the driver decides.
    Opaque,
}

/// A subscription that matches a topic, or an opaque one, which may match it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// The subscription.
    pub route: RouteId,
    /// The agent type of the recipient; `None` for an opaque subscription.
    pub agent_type: Option<Symbol>,
}

/// A subscription that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The subscription.
    pub route: RouteId,
    /// The agent type of its rule; `None` for an opaque one.
    pub agent_type: Option<Symbol>,
}

/// The rules that share one topic type, prefix or pattern, in the order of addition.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    hits: Vec<Hit>,
    agent_types: HashSet<Symbol>,
}

impl Bucket {
    pub(crate) fn add(&mut self, route: RouteId, agent_type: Symbol) {
        self.hits.push(Hit { route, agent_type: Some(agent_type) });
        self.agent_types.insert(agent_type);
    }

    pub(crate) fn remove(&mut self, route: RouteId, agent_type: Symbol) {
        let place = self.hits.binary_search_by_key(&route, |hit| hit.route);
        self.hits.remove(place.expect("a bucket has the rules that were added to it"));
        self.agent_types.remove(&agent_type);
    }

    pub(crate) fn holds(&self, agent_type: Symbol) -> bool {
        self.agent_types.contains(&agent_type)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    /// Appends the rules. Returns whether there are any.
    pub(crate) fn append_to(&self, hits: &mut Vec<Hit>) -> bool {
        hits.extend_from_slice(&self.hits);
        !self.is_empty()
    }
}

#[derive(Debug)]
enum Kept {
    Exact(Box<str>, Symbol),
    Prefix(Box<str>, Symbol),
    Wildcard(Box<str>, Symbol),
    Opaque,
}

/// The table of subscriptions.
///
/// ```
/// use ferrogen_core::{Names, Removed, Routes, Rule};
///
/// let mut names = Names::default();
/// let (writer, critic) = (names.intern("writer"), names.intern("critic"));
/// let mut routes = Routes::default();
/// let drafts = routes.add("id-1", Rule::Prefix("draft.", critic))?;
/// let poems = routes.add("id-2", Rule::Exact("draft.poem", writer))?;
///
/// let mut hits = Vec::new();
/// routes.matches("draft.poem", &mut hits);
/// let found: Vec<_> = hits.iter().map(|hit| (hit.route, hit.agent_type)).collect();
/// assert_eq!(found, [(drafts, Some(critic)), (poems, Some(writer))]);
///
/// assert_eq!(routes.remove("id-1")?, [Removed { route: drafts, agent_type: Some(critic) }]);
/// # Ok::<(), ferrogen_core::CoreError>(())
/// ```
#[derive(Debug, Default)]
pub struct Routes {
    next: u64,
    kept: BTreeMap<RouteId, Kept>,
    by_id: HashMap<Box<str>, Vec<RouteId>>,
    exact: HashMap<Box<str>, Bucket>,
    prefixes: HashMap<Box<str>, Bucket>,
    /// The number of different prefixes by length in bytes.
    prefix_lengths: BTreeMap<usize, usize>,
    wildcards: Wildcards,
    opaque: Vec<Hit>,
}

impl Routes {
    /// Adds a subscription.
    ///
    /// # Errors
    ///
    /// [`CoreError::SubscriptionExists`] if one of the same kind has the same id, or the same
    /// topics and the same agent type. Opaque ones differ by id alone.
    pub fn add(&mut self, id: &str, rule: Rule<'_>) -> Result<RouteId, CoreError> {
        if self.holds(id, rule) {
            return Err(CoreError::SubscriptionExists);
        }
        let route = RouteId(self.next);
        self.next += 1;
        let kept = match rule {
            Rule::Exact(topic_type, agent_type) => {
                Self::enter(&mut self.exact, topic_type, route, agent_type);
                Kept::Exact(topic_type.into(), agent_type)
            }
            Rule::Prefix(prefix, agent_type) => {
                if Self::enter(&mut self.prefixes, prefix, route, agent_type) {
                    *self.prefix_lengths.entry(prefix.len()).or_default() += 1;
                }
                Kept::Prefix(prefix.into(), agent_type)
            }
            Rule::Wildcard(pattern, agent_type) => {
                self.wildcards.add(pattern, route, agent_type);
                Kept::Wildcard(pattern.into(), agent_type)
            }
            Rule::Opaque => {
                self.opaque.push(Hit { route, agent_type: None });
                Kept::Opaque
            }
        };
        self.by_id.entry(id.into()).or_default().push(route);
        self.kept.insert(route, kept);
        Ok(route)
    }

    /// Removes and returns every subscription with this id.
    ///
    /// # Errors
    ///
    /// [`CoreError::SubscriptionMissing`] if there is none.
    pub fn remove(&mut self, id: &str) -> Result<Vec<Removed>, CoreError> {
        let routes = self.by_id.remove(id).ok_or(CoreError::SubscriptionMissing)?;
        let removed = routes.into_iter().map(|route| {
            let agent_type = match self.kept.remove(&route).expect("by_id and kept agree") {
                Kept::Exact(topic_type, agent_type) => {
                    Self::leave(&mut self.exact, &topic_type, route, agent_type);
                    Some(agent_type)
                }
                Kept::Prefix(prefix, agent_type) => {
                    if Self::leave(&mut self.prefixes, &prefix, route, agent_type) {
                        self.forget_length(prefix.len());
                    }
                    Some(agent_type)
                }
                Kept::Wildcard(pattern, agent_type) => {
                    self.wildcards.remove(&pattern, route, agent_type);
                    Some(agent_type)
                }
                Kept::Opaque => {
                    self.opaque.retain(|hit| hit.route != route);
                    None
                }
            };
            Removed { route, agent_type }
        });
        Ok(removed.collect())
    }

    /// Appends to `hits` every subscription that matches a topic of this type, or may match it, in
    /// the order of subscribing.
    pub fn matches(&self, topic_type: &str, hits: &mut Vec<Hit>) {
        let start = hits.len();
        let mut sources = usize::from(!self.opaque.is_empty());
        hits.extend_from_slice(&self.opaque);
        if let Some(bucket) = self.exact.get(topic_type) {
            hits.extend_from_slice(&bucket.hits);
            sources += 1;
        }
        for length in self.prefix_lengths.keys().take_while(|length| **length <= topic_type.len()) {
            let Some(prefix) = topic_type.get(..*length) else { continue };
            if let Some(bucket) = self.prefixes.get(prefix) {
                hits.extend_from_slice(&bucket.hits);
                sources += 1;
            }
        }
        if !self.wildcards.is_empty() {
            sources += self.wildcards.matches(topic_type, hits);
        }
        if sources > 1 {
            hits[start..].sort_unstable();
        }
    }

    /// All subscriptions, in the order of subscribing.
    pub fn iter(&self) -> impl Iterator<Item = RouteId> + '_ {
        self.kept.keys().copied()
    }

    /// The opaque subscriptions, in the order of subscribing.
    pub fn opaque(&self) -> impl Iterator<Item = RouteId> + '_ {
        self.opaque.iter().map(|hit| hit.route)
    }

    /// The number of subscriptions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there is no subscription.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn wildcards(&self) -> &Wildcards {
        &self.wildcards
    }

    fn holds(&self, id: &str, rule: Rule<'_>) -> bool {
        let taken = |buckets: &HashMap<Box<str>, Bucket>, text: &str, agent_type: Symbol| {
            buckets.get(text).is_some_and(|bucket| bucket.holds(agent_type))
        };
        let same_rule = match rule {
            Rule::Exact(topic_type, agent_type) => taken(&self.exact, topic_type, agent_type),
            Rule::Prefix(prefix, agent_type) => taken(&self.prefixes, prefix, agent_type),
            Rule::Wildcard(pattern, agent_type) => self.wildcards.holds(pattern, agent_type),
            Rule::Opaque => false,
        };
        same_rule
            || self.by_id.get(id).is_some_and(|routes| {
                routes.iter().any(|route| {
                    matches!(
                        (&self.kept[route], rule),
                        (Kept::Exact(..), Rule::Exact(..))
                            | (Kept::Prefix(..), Rule::Prefix(..))
                            | (Kept::Wildcard(..), Rule::Wildcard(..))
                            | (Kept::Opaque, Rule::Opaque)
                    )
                })
            })
    }

    /// Adds a rule. Returns whether its bucket is new.
    fn enter(
        buckets: &mut HashMap<Box<str>, Bucket>,
        text: &str,
        route: RouteId,
        agent_type: Symbol,
    ) -> bool {
        let bucket = buckets.entry(text.into()).or_default();
        let is_new = bucket.is_empty();
        bucket.add(route, agent_type);
        is_new
    }

    /// Removes a rule. Returns whether its bucket was removed with it.
    fn leave(
        buckets: &mut HashMap<Box<str>, Bucket>,
        text: &str,
        route: RouteId,
        agent_type: Symbol,
    ) -> bool {
        let bucket = buckets.get_mut(text).expect("kept and buckets agree");
        bucket.remove(route, agent_type);
        let empty = bucket.is_empty();
        if empty {
            buckets.remove(text);
        }
        empty
    }

    fn forget_length(&mut self, length: usize) {
        let count = self.prefix_lengths.get_mut(&length).expect("a length for each prefix");
        *count -= 1;
        if *count == 0 {
            self.prefix_lengths.remove(&length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;

    #[test]
    fn removes_all_state_of_a_subscription() {
        let mut names = Names::default();
        let mut routes = Routes::default();
        let mut ids = Vec::new();
        for text in ["writer", "critic", "editor"] {
            let agent_type = names.intern(text);
            for prefix in ["", "po", text] {
                ids.push(format!("{text} {prefix}"));
                let id = ids.last().unwrap();
                routes.add(id, Rule::Prefix(prefix, agent_type)).unwrap();
                if prefix.is_empty() {
                    routes.add(id, Rule::Exact("poem", agent_type)).unwrap();
                    routes.add(id, Rule::Opaque).unwrap();
                }
            }
        }
        for id in &ids {
            routes.remove(id).unwrap();
        }
        assert!(routes.kept.is_empty() && routes.by_id.is_empty() && routes.opaque.is_empty());
        assert!(routes.exact.is_empty() && routes.prefixes.is_empty());
        assert_eq!(routes.prefix_lengths, BTreeMap::new());
    }
}
