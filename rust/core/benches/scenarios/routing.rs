//! Who hears a topic, and what a subscription costs that comes and goes.

use std::hint::black_box;

use ferrogen_core::{Names, Routes, Rule, Symbol};

use super::Work;

/// Asks about one of `N` topics with one subscriber each.
pub(crate) fn exact<const N: usize>() -> Work {
    asks(N, |topic, reader| Rule::Exact(topic, reader))
}

/// Asks about one of `N` prefixes with one subscriber each.
pub(crate) fn prefix<const N: usize>() -> Work {
    asks(N, |topic, reader| Rule::Prefix(topic, reader))
}

fn asks(subscriptions: usize, rule: fn(&str, Symbol) -> Rule<'_>) -> Work {
    let reader = Names::default().intern("reader");
    let mut routes = Routes::default();
    for number in 0..subscriptions {
        // The length is fixed, so that no prefix is the beginning of another one.
        let topic = format!("news-{number:04}");
        routes.add(&topic, rule(&topic, reader)).expect("each topic is new");
    }
    hears(routes, format!("news-{:04}", subscriptions / 2), 1)
}

/// Asks about a topic that 100 agent types hear.
pub(crate) fn crowd() -> Work {
    let mut names = Names::default();
    let mut routes = Routes::default();
    for number in 0..100 {
        let reader = format!("reader-{number}");
        let rule = Rule::Exact("news", names.intern(&reader));
        routes.add(&reader, rule).expect("each reader is new");
    }
    hears(routes, "news".to_owned(), 100)
}

fn hears(routes: Routes, topic: String, expected: usize) -> Work {
    let mut hits = Vec::new();
    Box::new(move || {
        hits.clear();
        routes.hear(black_box(&topic), &mut hits);
        assert_eq!(hits.len(), expected);
    })
}

/// Adds a subscription to 1,000 others and removes it again.
pub(crate) fn come_and_go() -> Work {
    let reader = Names::default().intern("reader");
    let mut routes = Routes::default();
    for number in 0..1000 {
        let topic = format!("news-{number:04}");
        routes.add(&topic, Rule::Exact(&topic, reader)).expect("each topic is new");
    }
    Box::new(move || {
        routes.add("late", Rule::Exact(black_box("late"), reader)).expect("it is not there");
        assert_eq!(routes.remove("late").expect("it was added").len(), 1);
    })
}
