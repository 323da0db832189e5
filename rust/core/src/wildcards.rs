//! Wildcard rules: a trie over the dot-separated tokens of topic types.
//!
//! A look-up visits only nodes that match the tokens read so far, so patterns that begin otherwise cost
//! nothing. Nodes are in one table and refer to each other by key: neither look-up nor drop recurses,
//! however many tokens a pattern has.

use hashbrown::HashMap;
use slotmap::{SlotMap, new_key_type};

use crate::names::Symbol;
use crate::routes::{Bucket, Hit, RouteId};

new_key_type! {
    struct NodeKey;
}

/// The rules whose patterns have the same first tokens.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, NodeKey>,
    any: Option<NodeKey>,
    /// The rules whose patterns end here.
    ends: Bucket,
    /// The rules whose patterns end with `>` after these tokens.
    rests: Bucket,
}

impl Node {
    fn next(&self, token: Token<'_>) -> Option<NodeKey> {
        match token {
            Token::Literal(text) => self.literals.get(text).copied(),
            Token::Any => self.any,
        }
    }

    fn bucket(&self, ending: Ending) -> &Bucket {
        match ending {
            Ending::Here => &self.ends,
            Ending::Rest => &self.rests,
        }
    }

    fn bucket_mut(&mut self, ending: Ending) -> &mut Bucket {
        match ending {
            Ending::Here => &mut self.ends,
            Ending::Rest => &mut self.rests,
        }
    }

    fn is_unused(&self) -> bool {
        self.literals.is_empty()
            && self.any.is_none()
            && self.ends.is_empty()
            && self.rests.is_empty()
    }
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Literal(&'a str),
    /// `*`
    Any,
}

/// The end of a pattern: after its last token, or a `>` there.
#[derive(Clone, Copy)]
enum Ending {
    Here,
    Rest,
}

/// Reads a pattern: its tokens, without a `>` at the end. A `>` elsewhere is literal.
fn read(pattern: &str) -> (impl Iterator<Item = Token<'_>>, Ending) {
    let (tokens, ending) = match pattern.strip_suffix('>') {
        Some("") => (None, Ending::Rest),
        Some(before) if before.ends_with('.') => (before.strip_suffix('.'), Ending::Rest),
        _ => (Some(pattern), Ending::Here),
    };
    let tokens = tokens.into_iter().flat_map(|tokens| tokens.split('.'));
    let kind = |text| if text == "*" { Token::Any } else { Token::Literal(text) };
    (tokens.map(kind), ending)
}

/// The wildcard rules of a table.
#[derive(Debug, Default)]
pub(crate) struct Wildcards {
    nodes: SlotMap<NodeKey, Node>,
    /// `None` if there are no rules.
    root: Option<NodeKey>,
}

impl Wildcards {
    pub(crate) fn add(&mut self, pattern: &str, route: RouteId, agent_type: Symbol) {
        let (tokens, ending) = read(pattern);
        let mut key = *self.root.get_or_insert_with(|| self.nodes.insert(Node::default()));
        for token in tokens {
            key = match self.nodes[key].next(token) {
                Some(next) => next,
                None => self.grow(key, token),
            };
        }
        self.nodes[key].bucket_mut(ending).add(route, agent_type);
    }

    fn grow(&mut self, parent: NodeKey, token: Token<'_>) -> NodeKey {
        let next = self.nodes.insert(Node::default());
        let parent = &mut self.nodes[parent];
        match token {
            Token::Literal(text) => _ = parent.literals.insert(text.into(), next),
            Token::Any => parent.any = Some(next),
        }
        next
    }

    /// Removes a rule, and every node that only it needed.
    pub(crate) fn remove(&mut self, pattern: &str, route: RouteId, agent_type: Symbol) {
        const EXISTS: &str = "a node for each token of a rule";
        let (tokens, ending) = read(pattern);
        let mut key = self.root.expect(EXISTS);
        let mut path = Vec::new();
        for token in tokens {
            path.push((key, token));
            key = self.nodes[key].next(token).expect(EXISTS);
        }
        self.nodes[key].bucket_mut(ending).remove(route, agent_type);
        while self.nodes[key].is_unused() {
            self.nodes.remove(key);
            let Some((parent, token)) = path.pop() else {
                self.root = None;
                return;
            };
            match token {
                Token::Literal(text) => _ = self.nodes[parent].literals.remove(text),
                Token::Any => self.nodes[parent].any = None,
            }
            key = parent;
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether there is a rule of this pattern for the agent type.
    pub(crate) fn holds(&self, pattern: &str, agent_type: Symbol) -> bool {
        let (mut tokens, ending) = read(pattern);
        let last = self
            .root
            .and_then(|root| tokens.try_fold(root, |key, token| self.nodes[key].next(token)));
        last.is_some_and(|key| self.nodes[key].bucket(ending).holds(agent_type))
    }

    /// Appends the rules that match, in no particular order. Returns in how many places they were.
    #[inline(never)]
    pub(crate) fn matches(&self, topic_type: &str, hits: &mut Vec<Hit>) -> usize {
        let Some(root) = self.root else { return 0 };
        let mut places = 0;
        let mut next = Some((root, Some(topic_type)));
        let mut others = Vec::new();
        while let Some((key, remaining)) = next.take().or_else(|| others.pop()) {
            let node = &self.nodes[key];
            let bucket = if remaining.is_some() { &node.rests } else { &node.ends };
            places += usize::from(bucket.append_to(hits));
            let Some(remaining) = remaining else { continue };
            let (token, remaining) = match remaining.split_once('.') {
                Some((token, remaining)) => (token, Some(remaining)),
                None => (remaining, None),
            };
            let literal = node.literals.get(token).map(|key| (*key, remaining));
            let any = node.any.map(|key| (key, remaining));
            if literal.is_some() {
                others.extend(any);
            }
            next = literal.or(any);
        }
        places
    }

    #[cfg(test)]
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }
}

#[cfg(test)]
mod tests {
    use crate::names::Names;
    use crate::routes::{Routes, Rule};

    #[test]
    fn removes_the_nodes_that_no_other_pattern_needs() {
        let writer = Names::default().intern("writer");
        let mut routes = Routes::default();
        let mut sizes = vec![0];
        let patterns = [">", "a.b", "a.b.c.d", "a.*.>", "*.*.c", "a"];
        for pattern in patterns {
            routes.add(pattern, Rule::Wildcard(pattern, writer)).unwrap();
            sizes.push(routes.wildcards().nodes());
        }
        assert_eq!(sizes, [0, 1, 3, 5, 6, 9, 9]);
        for pattern in patterns.into_iter().rev() {
            assert_eq!(routes.wildcards().nodes(), sizes.pop().unwrap());
            routes.remove(pattern).unwrap();
        }
        assert_eq!(routes.wildcards().nodes(), 0);
    }

    #[test]
    fn keeps_the_nodes_that_longer_patterns_need() {
        let writer = Names::default().intern("writer");
        let mut routes = Routes::default();
        for pattern in ["a.*", "a.*.c", "a.>"] {
            routes.add(pattern, Rule::Wildcard(pattern, writer)).unwrap();
        }
        routes.remove("a.*").unwrap();
        routes.remove("a.>").unwrap();
        assert_eq!(routes.wildcards().nodes(), 4);
        let mut hits = Vec::new();
        routes.matches("a.b.c", &mut hits);
        assert_eq!(hits.len(), 1);
    }
}
