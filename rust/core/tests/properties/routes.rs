//! Routes against a list that is scanned from the beginning.

use ferrogen_core::{CoreError, Hit, Names, Removed, RouteId, Routes, Rule, Symbol};
use proptest::prelude::*;

use super::config;

#[derive(Clone, Debug)]
enum Kind {
    Exact(String, usize),
    Prefix(String, usize),
    Wildcard(String, usize),
    Opaque,
}

#[derive(Clone, Debug)]
enum Command {
    Add(String, Kind),
    Remove(String),
    Match(String),
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
            Kind::Wildcard(text, agent) => Rule::Wildcard(text, self.agent_types[*agent]),
            Kind::Opaque => Rule::Opaque,
        }
    }

    fn holds(&self, id: &str, kind: &Kind) -> bool {
        self.subscriptions.iter().any(|(_, its_id, its_kind)| match (its_kind, kind) {
            (Kind::Exact(text, agent), Kind::Exact(new_text, new_agent))
            | (Kind::Prefix(text, agent), Kind::Prefix(new_text, new_agent))
            | (Kind::Wildcard(text, agent), Kind::Wildcard(new_text, new_agent)) => {
                its_id == id || (text == new_text && agent == new_agent)
            }
            (Kind::Opaque, Kind::Opaque) => its_id == id,
            _ => false,
        })
    }

    fn removed(&self, (route, _, kind): &(RouteId, String, Kind)) -> Removed {
        let agent_type = match kind {
            Kind::Exact(_, agent) | Kind::Prefix(_, agent) | Kind::Wildcard(_, agent) => {
                Some(self.agent_types[*agent])
            }
            Kind::Opaque => None,
        };
        Removed { route: *route, agent_type }
    }

    fn matches(&self, topic_type: &str) -> Vec<Hit> {
        let matching = |kind: &Kind| match kind {
            Kind::Exact(text, agent) => (topic_type == text).then_some(Some(*agent)),
            Kind::Prefix(text, agent) => topic_type.starts_with(text).then_some(Some(*agent)),
            Kind::Wildcard(text, agent) => {
                let tokens = |text: &str| text.split('.').map(String::from).collect::<Vec<_>>();
                wildcard_matches(&tokens(text), &tokens(topic_type)).then_some(Some(*agent))
            }
            Kind::Opaque => Some(None),
        };
        let hits = self.subscriptions.iter().filter_map(|(route, _, kind)| {
            let agent_type = matching(kind)?.map(|agent| self.agent_types[agent]);
            Some(Hit { route: *route, agent_type })
        });
        hits.collect()
    }
}

fn wildcard_matches(pattern: &[String], topic_type: &[String]) -> bool {
    match (pattern, topic_type) {
        ([], []) => true,
        ([last], [_, ..]) if last == ">" => true,
        ([token, pattern @ ..], [text, topic_type @ ..]) => {
            (token == "*" || token == text) && wildcard_matches(pattern, topic_type)
        }
        _ => false,
    }
}

/// Patterns and topic types of few different tokens, so that many match.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec!["a", "b", "", "*", ">", "é"]);
    prop::collection::vec(token, 1..5).prop_map(|tokens| tokens.join("."))
}

fn text() -> impl Strategy<Value = String> {
    // Characters of one to four bytes: a prefix may be as long as half a character of a topic.
    let letter = prop::sample::select(vec!["a", "b", ".", "é", "€", "🦀"]);
    prop::collection::vec(letter, 0..4).prop_map(|letters| letters.concat())
}

fn command() -> impl Strategy<Value = Command> {
    let id = || "[xyz]";
    let kind = prop_oneof![
        3 => (text(), 0..3_usize).prop_map(|(text, agent)| Kind::Exact(text, agent)),
        3 => (text(), 0..3_usize).prop_map(|(text, agent)| Kind::Prefix(text, agent)),
        3 => (tokens(), 0..3_usize).prop_map(|(text, agent)| Kind::Wildcard(text, agent)),
        1 => Just(Kind::Opaque),
    ];
    // Mostly new ids, sometimes one that exists.
    let add_id = prop_oneof![3 => "[a-w]{3}", 1 => id()];
    prop_oneof![
        4 => (add_id, kind).prop_map(|(id, kind)| Command::Add(id, kind)),
        1 => id().prop_map(Command::Remove),
        4 => prop_oneof![text(), tokens()].prop_map(Command::Match),
    ]
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn match_as_a_scan_of_all_subscriptions_does(
        commands in prop::collection::vec(command(), 0..80),
        remove_all in any::<bool>(),
    ) {
        let mut names = Names::default();
        let agent_types = ["writer", "critic", "editor"].map(|text| names.intern(text)).to_vec();
        let mut scan = Scan { agent_types, subscriptions: Vec::new() };
        let mut routes = Routes::default();
        for command in &commands {
            match command {
                Command::Add(id, kind) => match routes.add(id, scan.rule(kind)) {
                    Ok(route) => {
                        prop_assert!(!scan.holds(id, kind));
                        scan.subscriptions.push((route, id.clone(), kind.clone()));
                    }
                    Err(error) => {
                        prop_assert_eq!(error, CoreError::SubscriptionExists);
                        prop_assert!(scan.holds(id, kind));
                    }
                },
                Command::Remove(id) => {
                    let (gone, kept) =
                        scan.subscriptions.drain(..).partition::<Vec<_>, _>(|one| one.1 == *id);
                    scan.subscriptions = kept;
                    let removed: Vec<_> = gone.iter().map(|one| scan.removed(one)).collect();
                    let missing = removed.is_empty();
                    let expected =
                        if missing { Err(CoreError::SubscriptionMissing) } else { Ok(removed) };
                    prop_assert_eq!(routes.remove(id), expected);
                }
                Command::Match(topic_type) => {
                    let mut hits = Vec::new();
                    routes.matches(topic_type, &mut hits);
                    prop_assert_eq!(hits, scan.matches(topic_type));
                }
            }
            let all: Vec<_> = scan.subscriptions.iter().map(|one| one.0).collect();
            prop_assert_eq!(routes.iter().collect::<Vec<_>>(), all);
            prop_assert_eq!(routes.len(), scan.subscriptions.len());
            prop_assert_eq!(routes.is_empty(), scan.subscriptions.is_empty());
        }
        if remove_all {
            for (_, id, _) in scan.subscriptions {
                let _ = routes.remove(&id);
            }
            let mut hits = Vec::new();
            for command in &commands {
                match command {
                    Command::Add(_, Kind::Exact(text, _) | Kind::Prefix(text, _))
                    | Command::Match(text) => routes.matches(text, &mut hits),
                    Command::Add(_, Kind::Wildcard(text, _)) => {
                        // The pattern as it is, and as a topic type that it matches.
                        routes.matches(text, &mut hits);
                        routes.matches(&text.replace(['*', '>'], "a"), &mut hits);
                    }
                    Command::Add(_, Kind::Opaque) | Command::Remove(_) => {}
                }
            }
            prop_assert_eq!(hits, []);
        }
    }
}
