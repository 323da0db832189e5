//! Routes against a list that is scanned from its beginning to its end.

use ferrogen_core::{CoreError, Hit, Names, RouteId, Routes, Rule, Symbol};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Kind {
    Exact(String, usize),
    Prefix(String, usize),
    Opaque,
}

#[derive(Clone, Debug)]
enum Op {
    Add(String, Kind),
    Remove(String),
    Hear(String),
}

/// The naive table: subscriptions in the order of adding.
struct Scan {
    agent_types: Vec<Symbol>,
    subscriptions: Vec<(RouteId, String, Kind)>,
}

impl Scan {
    fn rule<'a>(&self, kind: &'a Kind) -> Rule<'a> {
        match kind {
            Kind::Exact(text, agent) => Rule::Exact(text, self.agent_types[*agent]),
            Kind::Prefix(text, agent) => Rule::Prefix(text, self.agent_types[*agent]),
            Kind::Opaque => Rule::Opaque,
        }
    }

    fn holds(&self, id: &str, kind: &Kind) -> bool {
        self.subscriptions.iter().any(|(_, its_id, its_kind)| match (its_kind, kind) {
            (Kind::Exact(text, agent), Kind::Exact(new_text, new_agent))
            | (Kind::Prefix(text, agent), Kind::Prefix(new_text, new_agent)) => {
                its_id == id || (text == new_text && agent == new_agent)
            }
            (Kind::Opaque, Kind::Opaque) => its_id == id,
            _ => false,
        })
    }

    fn hear(&self, topic_type: &str) -> Vec<Hit> {
        let heard = |kind: &Kind| match kind {
            Kind::Exact(text, agent) => (topic_type == text).then_some(Some(*agent)),
            Kind::Prefix(text, agent) => topic_type.starts_with(text).then_some(Some(*agent)),
            Kind::Opaque => Some(None),
        };
        let hits = self.subscriptions.iter().filter_map(|(route, _, kind)| {
            let agent_type = heard(kind)?.map(|agent| self.agent_types[agent]);
            Some(Hit { route: *route, agent_type })
        });
        hits.collect()
    }
}

fn text() -> impl Strategy<Value = String> {
    // Characters of one to four bytes: a prefix may be as long as half a character of a topic.
    let letter = prop::sample::select(vec!["a", "b", ".", "é", "€", "🦀"]);
    prop::collection::vec(letter, 0..4).prop_map(|letters| letters.concat())
}

fn op() -> impl Strategy<Value = Op> {
    let id = || "[xyz]";
    let kind = prop_oneof![
        3 => (text(), 0..3_usize).prop_map(|(text, agent)| Kind::Exact(text, agent)),
        3 => (text(), 0..3_usize).prop_map(|(text, agent)| Kind::Prefix(text, agent)),
        1 => Just(Kind::Opaque),
    ];
    // Mostly ids of their own, sometimes one that others have.
    let add_id = prop_oneof![3 => "[a-w]{3}", 1 => id()];
    prop_oneof![
        4 => (add_id, kind).prop_map(|(id, kind)| Op::Add(id, kind)),
        1 => id().prop_map(Op::Remove),
        4 => text().prop_map(Op::Hear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn routes_hear_what_a_scan_of_all_subscriptions_hears(
        ops in prop::collection::vec(op(), 0..80),
        forget in any::<bool>(),
    ) {
        let mut names = Names::default();
        let agent_types = ["writer", "critic", "editor"].map(|text| names.intern(text)).to_vec();
        let mut scan = Scan { agent_types, subscriptions: Vec::new() };
        let mut routes = Routes::default();
        for op in &ops {
            match op {
                Op::Add(id, kind) => match routes.add(id, scan.rule(kind)) {
                    Ok(route) => {
                        prop_assert!(!scan.holds(id, kind));
                        scan.subscriptions.push((route, id.clone(), kind.clone()));
                    }
                    Err(error) => {
                        prop_assert_eq!(error, CoreError::SubscriptionExists);
                        prop_assert!(scan.holds(id, kind));
                    }
                },
                Op::Remove(id) => {
                    let (gone, kept) =
                        scan.subscriptions.drain(..).partition::<Vec<_>, _>(|one| one.1 == *id);
                    scan.subscriptions = kept;
                    let gone: Vec<_> = gone.iter().map(|one| one.0).collect();
                    let missing = gone.is_empty();
                    let expected =
                        if missing { Err(CoreError::SubscriptionMissing) } else { Ok(gone) };
                    prop_assert_eq!(routes.remove(id), expected);
                }
                Op::Hear(topic_type) => {
                    let mut hits = Vec::new();
                    routes.hear(topic_type, &mut hits);
                    prop_assert_eq!(hits, scan.hear(topic_type));
                }
            }
            let all: Vec<_> = scan.subscriptions.iter().map(|one| one.0).collect();
            prop_assert_eq!(routes.iter().collect::<Vec<_>>(), all);
            prop_assert_eq!(routes.len(), scan.subscriptions.len());
            prop_assert_eq!(routes.is_empty(), scan.subscriptions.is_empty());
        }
        if forget {
            for (_, id, _) in scan.subscriptions {
                let _ = routes.remove(&id);
            }
            let mut hits = Vec::new();
            for op in &ops {
                if let Op::Add(_, Kind::Exact(text, _) | Kind::Prefix(text, _)) = op {
                    routes.hear(text, &mut hits);
                }
            }
            prop_assert_eq!(hits, []);
        }
    }
}
