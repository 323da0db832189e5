//! Routes: matching a topic, adding and removing a subscription.

use std::hint::black_box;

use ferrogen_core::{Names, Routes, Rule, Symbol};

use super::Work;

/// Matches one of `N` topics with one subscriber each.
pub(crate) fn exact<const N: usize>() -> Work {
    one_of(N, |topic, reader| Rule::Exact(topic, reader))
}

/// Matches one of `N` prefixes with one subscriber each.
pub(crate) fn prefix<const N: usize>() -> Work {
    one_of(N, |topic, reader| Rule::Prefix(topic, reader))
}

fn one_of(subscriptions: usize, rule: fn(&str, Symbol) -> Rule<'_>) -> Work {
    let reader = Names::default().intern("reader");
    let mut routes = Routes::default();
    for number in 0..subscriptions {
        // The length is fixed, so that no prefix starts with another one.
        let topic = format!("news-{number:04}");
        routes.add(&topic, rule(&topic, reader)).expect("each topic is new");
    }
    matching(routes, format!("news-{:04}", subscriptions / 2), 1)
}

/// Matches one of `N` patterns with one subscriber each.
pub(crate) fn wildcard<const N: usize>() -> Work {
    let reader = Names::default().intern("reader");
    let mut routes = Routes::default();
    for number in 0..N {
        let pattern = format!("news.*.{number:04}");
        routes.add(&pattern, Rule::Wildcard(&pattern, reader)).expect("each pattern is new");
    }
    matching(routes, format!("news.today.{:04}", N / 2), 1)
}

/// Matches a topic with 100 subscribers.
pub(crate) fn subscribers() -> Work {
    let mut names = Names::default();
    let mut routes = Routes::default();
    for number in 0..100 {
        let reader = format!("reader-{number}");
        let rule = Rule::Exact("news", names.intern(&reader));
        routes.add(&reader, rule).expect("each reader is new");
    }
    matching(routes, "news".to_owned(), 100)
}

fn matching(routes: Routes, topic: String, expected: usize) -> Work {
    let mut hits = Vec::new();
    Box::new(move || {
        hits.clear();
        routes.matches(black_box(&topic), &mut hits);
        assert_eq!(hits.len(), expected);
    })
}

/// Adds a subscription to 1,000 others and removes it.
pub(crate) fn add_and_remove() -> Work {
    let reader = Names::default().intern("reader");
    let mut routes = Routes::default();
    for number in 0..1000 {
        let topic = format!("news-{number:04}");
        routes.add(&topic, Rule::Exact(&topic, reader)).expect("each topic is new");
    }
    Box::new(move || {
        routes.add("late", Rule::Exact(black_box("late"), reader)).expect("a new subscription");
        assert_eq!(routes.remove("late").expect("it was added").len(), 1);
    })
}
